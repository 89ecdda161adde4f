/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The line form of records and of iscsid.conf: "key = value". Whatever is odd is told and stepped over. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "record/impl.h"

#define LINE_MAX_BYTES 2047
#define EXTRA_MAX 65536	/* bytes of unknown lines one record may carry */

struct reader {
	struct sk_record *r;
	enum sk_origin origin;
	bool keep;
	sk_record_warn *warn;
	void *ctx;
	struct sk_err *err;
	unsigned line;
	size_t hint;
	struct sk_buf value;
};

static void say(struct reader *in, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(struct reader *in, const char *fmt, ...)
{
	char text[320];
	va_list ap;

	if (!in->warn)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	in->warn(in->ctx, in->line, text);
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static struct sk_span strip(struct sk_span s)
{
	while (s.n && is_blank(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

/* "key = value" into its parts; what is missing is told. The blank before '=' need not be there. */
static bool split(struct reader *in, struct sk_span line, struct sk_span *ret_key, struct sk_span *ret_value)
{
	struct sk_span rest = line;

	while (rest.n && !is_blank(rest.p[0]) && rest.p[0] != '=') {
		rest.p++;
		rest.n--;
	}
	*ret_key = sk_span(line.p, line.n - rest.n);
	rest = strip(rest);
	if (rest.n == 0) {
		say(in, "the line does not have a value");
		return false;
	}
	if (rest.p[0] != '=' || ret_key->n == 0) {
		say(in, "the line does not have the form key = value");
		return false;
	}
	*ret_value = strip(sk_span(rest.p + 1, rest.n - 1));
	if (ret_value->n == 0)
		say(in, "%.*s does not have a value", (int)ret_key->n, ret_key->p);
	return ret_value->n != 0;
}

static int keep_line(struct reader *in, struct sk_span line)
{
	struct sk_buf *extra = &in->r->extra;

	if (!in->keep)
		return 0;
	if (extra->n + line.n + 1 > EXTRA_MAX) {
		say(in, "too many unknown lines, this one is left out");
		return 0;
	}
	sk_buf_add(extra, line.p, line.n);
	sk_buf_ch(extra, '\n');
	return extra->nomem ? sk_fail(in->err, SK_ENOMEM, "no memory") : 0;
}

/* A value that is not acceptable: the default holds, and the file keeps what it said. */
static int keep_raw(struct reader *in, size_t i, struct sk_span value)
{
	struct sk_value *v = &in->r->v[i];
	char *raw;

	if (!in->keep)
		return 0;
	raw = strndup((const char *)value.p, value.n);
	if (!raw)
		return sk_fail(in->err, SK_ENOMEM, "no memory");
	if (v->raw)
		sk_wipe_free(v->raw, strlen(v->raw));
	v->raw = raw;
	return 0;
}

static int take_value(struct reader *in, const struct sk_schema_row *row, struct sk_span value)
{
	size_t i = sk_schema_index(row);
	struct sk_err why = { 0 };

	sk_buf_reset(&in->value);
	if (sk_value_check(row, value, SK_TOLERANT, &in->value, &why) < 0) {
		if (why.code == SK_ENOMEM)
			return sk_fail(in->err, SK_ENOMEM, "no memory");
		say(in, "%s", why.msg);
		return keep_raw(in, i, value);
	}
	if (sk_value_put(in->r, i, sk_buf_cstr(&in->value), in->origin, in->err) < 0)
		return -1;
	if (row->type != SK_T_LIST || (in->value.n == value.n && memcmp(in->value.p, value.p, value.n) == 0))
		return 0;
	return keep_raw(in, i, value);
}

/* Lines of iscsid.conf that would name a record are the creating command's business. */
static bool wanted(const struct reader *in, const struct sk_schema_row *row)
{
	if (row->flags & SK_ROW_HIDDEN)
		return false;
	if (in->origin != SK_FROM_CONF)
		return true;
	return !(row->flags & SK_ROW_KEY) && strcmp(row->key, "discovery.startup") != 0;
}

static int take_line(struct reader *in, struct sk_span line)
{
	const struct sk_schema_row *row;
	struct sk_span key, value;

	if (line.n > LINE_MAX_BYTES) {
		say(in, "the line is too long (%zu bytes)", line.n);
		return 0;
	}
	line = strip(line);
	if (line.n == 0)
		return 0;
	if (memchr(line.p, '\0', line.n)) {
		say(in, "the line holds a NUL byte");
		return 0;
	}
	if (line.p[0] == '#') {
		if (memmem(line.p, line.n, "BEGIN RECORD", 12) || memmem(line.p, line.n, "END RECORD", 10))
			return 0;
		return keep_line(in, line);
	}
	if (!split(in, line, &key, &value))
		return 0;
	row = sk_schema_find(in->r->kind, key, &in->hint);
	if (!row) {
		if (in->keep)
			say(in, "unknown key %.*s (kept)", (int)SK_MIN(key.n, (size_t)127), key.p);
		return keep_line(in, line);
	}
	return wanted(in, row) ? take_value(in, row, value) : 0;
}

static int read_lines(struct reader *in, struct sk_span text)
{
	while (text.n) {
		const uint8_t *nl = memchr(text.p, '\n', text.n);
		size_t n = nl ? (size_t)(nl - text.p) : text.n;

		in->line++;
		if (take_line(in, sk_span(text.p, n)) < 0)
			return -1;
		n += nl != NULL;
		text.p += n;
		text.n -= n;
	}
	return 0;
}

static int apply(struct sk_record *r, struct sk_span text, enum sk_origin origin, bool keep, sk_record_warn *warn,
		 void *ctx, struct sk_err *err)
{
	struct reader in = { .r = r, .origin = origin, .keep = keep, .warn = warn, .ctx = ctx, .err = err };
	int rc = read_lines(&in, text);

	sk_buf_wipe(&in.value);
	return rc;
}

int sk_record_parse(struct sk_record *r, struct sk_span text, bool keep_unknown, sk_record_warn *warn, void *ctx,
		    struct sk_err *err)
{
	return apply(r, text, SK_FROM_FILE, keep_unknown, warn, ctx, err);
}

int sk_record_apply(struct sk_record *r, struct sk_span text, enum sk_origin origin, sk_record_warn *warn,
		    void *ctx, struct sk_err *err)
{
	return apply(r, text, origin, false, warn, ctx, err);
}
