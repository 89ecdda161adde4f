/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "record/schema.h"

static const struct width {
	int64_t min, max;
} widths[] = {
	[SK_T_INT] = { INT32_MIN, INT32_MAX },
	[SK_T_U8] = { 0, UINT8_MAX },
	[SK_T_U16] = { 0, UINT16_MAX },
	[SK_T_U32] = { 0, UINT32_MAX },
};

void sk_schema_legal(struct sk_buf *out, const struct sk_schema_row *row)
{
	switch (row->type) {
	case SK_T_TEXT:
		sk_buf_printf(out, "at most %" PRId64 " bytes of text on one line", row->max);
		return;
	case SK_T_WORD:
	case SK_T_LIST:
		sk_buf_str(out, row->type == SK_T_WORD ? "one of: " : "a comma separated list of: ");
		for (const char *p = row->words; *p; p++) {
			if (*p == ' ')
				sk_buf_str(out, row->type == SK_T_WORD ? " | " : ", ");
			else
				sk_buf_ch(out, *p);
		}
		return;
	default:
		sk_buf_printf(out, "%s%" PRId64 "..%" PRId64 "%s%s", row->flags & SK_ROW_ZERO ? "0 or " : "",
			      row->min, row->max, row->unit ? " " : "", row->unit ? row->unit : "");
	}
}

/* The value as it may be repeated in a message: no control characters, no secret, not endless. */
static void quote(struct sk_buf *out, const struct sk_schema_row *row, struct sk_span value)
{
	if (row->flags & SK_ROW_MASKED) {
		sk_buf_str(out, "********");
		return;
	}
	for (size_t i = 0; i < value.n && i < 60; i++) {
		if (value.p[i] < 0x20 || value.p[i] == 0x7f)
			sk_buf_printf(out, "\\x%02x", value.p[i]);
		else
			sk_buf_ch(out, (char)value.p[i]);
	}
	if (value.n > 60)
		sk_buf_str(out, "...");
}

static int refuse(const struct sk_schema_row *row, struct sk_span value, const char *why, struct sk_err *err)
{
	SK_BUF struct sk_buf shown = { 0 };
	SK_BUF struct sk_buf legal = { 0 };

	quote(&shown, row, value);
	sk_schema_legal(&legal, row);
	return sk_fail(err, SK_EINVAL, "%s=%s %s; legal: %s", row->key, sk_buf_cstr(&shown), why,
		       sk_buf_cstr(&legal));
}

/* A file's text may hold tabs further in: other tools write them, in secrets for one. */
static bool has_control(struct sk_span s, bool tabs)
{
	for (size_t i = 0; i < s.n; i++) {
		if ((s.p[i] < 0x20 && !(tabs && s.p[i] == '\t')) || s.p[i] == 0x7f)
			return true;
	}
	return false;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static int check_number(const struct sk_schema_row *row, struct sk_span v, enum sk_exactness how,
			struct sk_buf *ret, struct sk_err *err)
{
	const struct width *w = &widths[row->type];
	int64_t n;

	if (!sk_num_i64((const char *)v.p, v.n, INT64_MIN, INT64_MAX, &n))
		return refuse(row, v, "is not a whole decimal number", err);
	if (n < w->min || n > w->max ||
	    (how == SK_EXACT && (n < row->min || n > row->max) && !(n == 0 && row->flags & SK_ROW_ZERO)))
		return refuse(row, v, "is out of range", err);
	sk_buf_printf(ret, "%" PRId64, n);
	return 0;
}

static int check_text(const struct sk_schema_row *row, struct sk_span v, enum sk_exactness how, struct sk_buf *ret,
		      struct sk_err *err)
{
	if (v.n > (uint64_t)row->max)
		return refuse(row, v, "is too long", err);
	if (how == SK_EXACT && v.n && (is_blank(v.p[0]) || is_blank(v.p[v.n - 1])))
		return refuse(row, v, "begins or ends with a blank, which a record cannot keep", err);
	sk_buf_add(ret, v.p, v.n);
	return 0;
}

/* Is @v a word of @words (separated by blanks)? */
static bool known_word(const char *words, struct sk_span v)
{
	while (*words) {
		size_t n = strcspn(words, " ");

		if (n == v.n && memcmp(words, v.p, n) == 0)
			return true;
		words += n;
		words += *words == ' ';
	}
	return false;
}

static int check_word(const struct sk_schema_row *row, struct sk_span v, struct sk_buf *ret, struct sk_err *err)
{
	if (v.n == 0 || memchr(v.p, ' ', v.n) || !known_word(row->words, v))
		return refuse(row, v, "is not a known word", err);
	sk_buf_add(ret, v.p, v.n);
	return 0;
}

static bool listed(const struct sk_buf *list, struct sk_span word)
{
	const char *p = sk_buf_cstr(list);

	while (*p) {
		size_t n = strcspn(p, ",");

		if (n == word.n && memcmp(p, word.p, n) == 0)
			return true;
		p += n;
		p += *p == ',';
	}
	return false;
}

static int check_list(const struct sk_schema_row *row, struct sk_span v, enum sk_exactness how, struct sk_buf *ret,
		      struct sk_err *err)
{
	SK_BUF struct sk_buf list = { 0 };

	for (size_t i = 0; i < v.n;) {
		struct sk_span word = { v.p + i, 0 };

		while (i < v.n && v.p[i] != ',' && !is_blank(v.p[i])) {
			i++;
			word.n++;
		}
		i++;
		if (word.n == 0 || listed(&list, word))
			continue;
		if (known_word(row->words, word)) {
			if (list.n)
				sk_buf_ch(&list, ',');
			sk_buf_add(&list, word.p, word.n);
		} else if (how == SK_EXACT) {
			return refuse(row, v, "holds an unknown word", err);
		}
	}
	if (list.n == 0 && v.n != 0 && how == SK_TOLERANT)
		return refuse(row, v, "holds no known word", err);
	if (list.nomem)
		return sk_fail(err, SK_ENOMEM, "no memory");
	sk_buf_str(ret, list.n ? sk_buf_cstr(&list) : row->def);	/* a file cannot hold an empty list */
	return 0;
}

int sk_value_check(const struct sk_schema_row *row, struct sk_span value, enum sk_exactness how, struct sk_buf *ret,
		   struct sk_err *err)
{
	int rc;

	if (has_control(value, how == SK_TOLERANT && row->type == SK_T_TEXT))
		return refuse(row, value, "holds a control character", err);
	switch (row->type) {
	case SK_T_TEXT:
		rc = check_text(row, value, how, ret, err);
		break;
	case SK_T_WORD:
		rc = check_word(row, value, ret, err);
		break;
	case SK_T_LIST:
		rc = check_list(row, value, how, ret, err);
		break;
	default:
		rc = check_number(row, value, how, ret, err);
	}
	if (rc == 0 && ret->nomem)
		return sk_fail(err, SK_ENOMEM, "no memory");
	return rc;
}
