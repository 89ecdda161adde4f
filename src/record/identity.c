/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Is a file the record its path names? A listing of thousands asks this of each, and needs nothing else from them.
 * The usual record, written by either tool, is recognised by its lines as they stand; whatever is unusual is not
 * judged here.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "record/store_impl.h"

#define USUAL_MAX 4096 /* bytes of a file that is judged here; a full record has about 2200 */

struct line {
	char s[400]; /* as the writers put it */
	size_t n;
	size_t n_key;
};

static void line_of(struct line *l, const char *key, const char *value)
{
	size_t n = strlen(value);

	l->n_key = strlen(key);
	l->n = 0; /* longer than any key's value may be: no line is this one */
	memcpy(l->s, key, l->n_key);
	if (l->n_key + 3 + n > sizeof(l->s))
		return;
	memcpy(l->s + l->n_key, " = ", 3);
	memcpy(l->s + l->n_key + 3, value, n);
	l->n = l->n_key + 3 + n;
}

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r' && c != '\n');
}

/* Every line that sets one of @want's keys must be the wanted line, and each must be there. */
static bool has_lines(const char *p, size_t n, const struct line *want, size_t n_want)
{
	unsigned seen = 0;

	for (const char *end = p + n, *nl; p < end; p = nl + 1) {
		nl = memchr(p, '\n', (size_t)(end - p));
		if (!nl || is_blank(*p)) /* unfinished, or with a key further in */
			return false;
		for (size_t i = 0; i < n_want; i++) {
			const struct line *w = &want[i];
			size_t len = (size_t)(nl - p);

			if (len < w->n_key || p[w->n_key - 1] != w->s[w->n_key - 1] ||
			    memcmp(p, w->s, w->n_key) != 0)
				continue;
			if (len != w->n || memcmp(p, w->s, len) != 0)
				return false;
			seen |= 1u << i;
		}
	}
	return seen == (1u << n_want) - 1;
}

bool sk_identity_sure(int dir, const char *name, const struct sk_node_key *key)
{
	SK_FD int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	char port[16], tag[16], text[USUAL_MAX];
	struct line want[5];
	ssize_t n;
	bool sure;

	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text));
	if (n <= 0 || (size_t)n == sizeof(text))
		return false;
	snprintf(port, sizeof(port), "%u", key->portal.port);
	snprintf(tag, sizeof(tag), "%d", key->portal.tpgt);
	line_of(&want[0], "node.name", key->target.s);
	line_of(&want[1], "node.tpgt", tag);
	line_of(&want[2], "node.conn[0].address", key->portal.host);
	line_of(&want[3], "node.conn[0].port", port);
	line_of(&want[4], "iface.iscsi_ifacename", key->iface);
	sure = has_lines(text, (size_t)n, want, SK_ARRAY_LEN(want));
	explicit_bzero(text, (size_t)n); /* it may hold secrets */
	return sure;
}
