/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "iscsiadm/optscan.h"

void sk_optscan_start(struct sk_optscan *s, int argc, char *const *argv, const struct sk_opt_row *rows,
		      size_t n_rows)
{
	*s = (struct sk_optscan){ .argv = argv, .argc = argc, .at = 1, .rows = rows, .n_rows = n_rows };
}

void sk_optscan_free(struct sk_optscan *s)
{
	sk_buf_free(&s->why);
}

static enum sk_optscan_step refuse(struct sk_optscan *s, int letter)
{
	s->row = NULL;
	s->arg = NULL;
	s->refused = letter;
	return SK_OPT_REFUSED;
}

static const struct sk_opt_row *row_of_letter(const struct sk_optscan *s, int letter)
{
	for (size_t i = 0; i < s->n_rows; i++)
		if (s->rows[i].letter == letter)
			return &s->rows[i];
	return NULL;
}

/** the row of a long name or of its only prefix match; *n_found says how many rows the text could mean */
static const struct sk_opt_row *row_of_name(const struct sk_optscan *s, const char *text, size_t n, size_t *n_found)
{
	const struct sk_opt_row *found = NULL;

	*n_found = 0;
	for (size_t i = 0; i < s->n_rows; i++) {
		const char *name = s->rows[i].name;

		if (strncmp(name, text, n) != 0)
			continue;
		if (strlen(name) == n) {
			*n_found = 1;
			return &s->rows[i];
		}
		found = &s->rows[i];
		(*n_found)++;
	}
	return found;
}

static void say_ambiguous(struct sk_optscan *s, const char *text, size_t n)
{
	sk_buf_printf(&s->why, "option '--%s' is ambiguous; possibilities:", text);
	for (size_t i = 0; i < s->n_rows; i++)
		if (strncmp(s->rows[i].name, text, n) == 0)
			sk_buf_printf(&s->why, " '--%s'", s->rows[i].name);
}

static enum sk_optscan_step long_option(struct sk_optscan *s, char *text)
{
	char *value = strchr(text, '=');
	size_t n = value ? (size_t)(value - text) : strlen(text);
	size_t n_found;
	const struct sk_opt_row *row = row_of_name(s, text, n, &n_found);

	if (n_found == 0) {
		sk_buf_printf(&s->why, "unrecognized option '--%s'", text);
		return refuse(s, 0);
	}
	if (n_found > 1) {
		say_ambiguous(s, text, n);
		return refuse(s, 0);
	}
	if (!row->arg && value) {
		sk_buf_printf(&s->why, "option '--%s' doesn't allow an argument", row->name);
		return refuse(s, row->letter);
	}
	s->arg = NULL;
	if (row->arg && value)
		s->arg = value + 1;
	else if (row->arg && s->at < s->argc)
		s->arg = s->argv[s->at++];
	else if (row->arg) {
		sk_buf_printf(&s->why, "option '--%s' requires an argument", row->name);
		return refuse(s, row->letter);
	}
	s->row = row;
	return SK_OPT_FOUND;
}

static enum sk_optscan_step short_option(struct sk_optscan *s)
{
	int letter = (unsigned char)*s->cluster++;
	const struct sk_opt_row *row = row_of_letter(s, letter);

	if (!*s->cluster && !(row && row->arg))
		s->cluster = NULL;
	if (!row) {
		sk_buf_printf(&s->why, "invalid option -- '%c'", letter);
		return refuse(s, letter);
	}
	s->row = row;
	s->arg = NULL;
	if (!row->arg)
		return SK_OPT_FOUND;
	if (*s->cluster)
		s->arg = s->cluster;
	else if (s->at < s->argc)
		s->arg = s->argv[s->at++];
	s->cluster = NULL;
	if (s->arg)
		return SK_OPT_FOUND;
	sk_buf_printf(&s->why, "option requires an argument -- '%c'", letter);
	return refuse(s, letter);
}

enum sk_optscan_step sk_optscan_next(struct sk_optscan *s)
{
	char *word;

	sk_buf_reset(&s->why);
	s->refused = 0;
	if (s->cluster)
		return short_option(s);
	if (s->at >= s->argc)
		return SK_OPT_END;
	word = s->argv[s->at++];
	if (s->ended || word[0] != '-' || !word[1]) {
		s->row = NULL;
		s->arg = word;
		return SK_OPT_OPERAND;
	}
	if (strcmp(word, "--") == 0) {
		s->ended = true;
		return sk_optscan_next(s);
	}
	if (word[1] == '-')
		return long_option(s, word + 2);
	s->cluster = word + 1;
	return short_option(s);
}
