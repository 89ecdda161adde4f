/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "discover/isns_form.h"

#include <string.h>

#include "base/mem.h"
#include "base/num.h"

#define HELLO "siskin-isns 1"
#define TEXT_MAX 300

static const char *const stages[SK_ISNS_STAGES] = {
	[SK_ISNS_START] = "start",
	[SK_ISNS_CONNECT] = "connect",
	[SK_ISNS_REGISTER] = "register",
	[SK_ISNS_QUERY] = "query",
};

const char *sk_isns_stage_word(enum sk_isns_stage s)
{
	return (unsigned)s < SK_ISNS_STAGES ? stages[s] : "unknown";
}

/* --- reading ------------------------------------------------------------------------------------------------- */

void sk_isns_form_init(struct sk_isns_form *f, const struct sk_isns_form_events *ev, void *ctx)
{
	memset(f, 0, sizeof(*f));
	f->ev = ev;
	f->ctx = ctx;
}

bool sk_isns_form_over(const struct sk_isns_form *f)
{
	return f->st == SK_ISNS_ST_OVER;
}

/* The next word of @line; what is left starts after its one blank. */
static struct sk_span word(struct sk_span *line)
{
	const uint8_t *blank = line->n ? memchr(line->p, ' ', line->n) : NULL;
	struct sk_span w = *line;

	if (blank) {
		w.n = (size_t)(blank - line->p);
		line->p = blank + 1;
		line->n -= w.n + 1;
	} else {
		line->p += line->n;
		line->n = 0;
	}
	return w;
}

static bool number(struct sk_span *line, uint64_t min, uint64_t max, uint64_t *ret)
{
	struct sk_span w = word(line);

	return sk_num_u64((const char *)w.p, w.n, min, max, ret);
}

static bool printable(struct sk_span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x20 || s.p[i] > 0x7e)
			return false;
	return true;
}

/* The rest of a line, as a string. */
static bool text_of(struct sk_span line, char ret[SK_ISNS_LINE_MAX])
{
	if (!printable(line) || line.n >= SK_ISNS_LINE_MAX)
		return false;
	memcpy(ret, line.p, line.n);
	ret[line.n] = '\0';
	return true;
}

/* An address that a session could be made to: a number, and not "anywhere". */
static bool address(struct sk_span w, struct sk_portal *ret)
{
	struct sk_host h;

	if (w.n >= sizeof(ret->host) || !sk_host_parse(w, &h) || h.kind == SK_HOST_NAME || h.any || h.zone[0])
		return false;
	memcpy(ret->host, w.p, w.n);
	ret->host[w.n] = '\0';
	return true;
}

static bool on_portal(struct sk_isns_form *f, struct sk_span line)
{
	struct sk_iname target;
	struct sk_portal portal = { .tpgt = SK_TPGT_NONE };
	uint64_t port, tag;

	if (f->n_portals >= SK_ISNS_PORTALS_MAX || sk_iname_parse(word(&line), &target, NULL) < 0 ||
	    !address(word(&line), &portal) || !number(&line, 1, 65535, &port) || !number(&line, 0, 65535, &tag) || line.n)
		return false;
	portal.port = (uint16_t)port;
	portal.tpgt = (int32_t)tag;
	f->st = SK_ISNS_ST_PORTALS;
	f->n_portals++;
	f->ev->portal(f->ctx, &target, &portal);
	return true;
}

static bool on_odd(struct sk_isns_form *f, struct sk_span line)
{
	char text[SK_ISNS_LINE_MAX];

	if (f->n_odd >= SK_ISNS_ODD_MAX || !text_of(line, text))
		return false;
	f->st = SK_ISNS_ST_PORTALS;
	f->n_odd++;
	f->ev->odd(f->ctx, text);
	return true;
}

static bool on_done(struct sk_isns_form *f, struct sk_span line)
{
	uint64_t n;

	if (!number(&line, 0, SK_ISNS_PORTALS_MAX, &n) || line.n || n != f->n_portals)
		return false;
	f->st = SK_ISNS_ST_OVER;
	f->ev->done(f->ctx);
	return true;
}

static bool on_up(struct sk_isns_form *f, struct sk_span line)
{
	uint64_t s;

	if (!number(&line, 0, UINT32_MAX, &s) || line.n)
		return false;
	f->st = SK_ISNS_ST_LISTEN;
	f->ev->up(f->ctx, (uint32_t)s);
	return true;
}

static bool on_changed(struct sk_isns_form *f, struct sk_span line)
{
	if (line.n)
		return false;
	f->ev->changed(f->ctx);
	return true;
}

static bool on_fail(struct sk_isns_form *f, struct sk_span line)
{
	struct sk_span w = word(&line);
	char text[SK_ISNS_LINE_MAX];

	for (unsigned i = 0; i < SK_ISNS_STAGES; i++) {
		if (w.n != strlen(stages[i]) || memcmp(w.p, stages[i], w.n) != 0 || !text_of(line, text))
			continue;
		f->st = SK_ISNS_ST_OVER;
		f->ev->fail(f->ctx, (enum sk_isns_stage)i, text);
		return true;
	}
	return false;
}

#define IN(st) (1U << (st))

static const struct {
	const char *word;
	unsigned from;		/* the states it may come in */
	bool (*read)(struct sk_isns_form *f, struct sk_span rest);
} rows[] = {
	{ "portal", IN(SK_ISNS_ST_OPEN) | IN(SK_ISNS_ST_PORTALS), on_portal },
	{ "odd", IN(SK_ISNS_ST_OPEN) | IN(SK_ISNS_ST_PORTALS), on_odd },
	{ "done", IN(SK_ISNS_ST_OPEN) | IN(SK_ISNS_ST_PORTALS), on_done },
	{ "up", IN(SK_ISNS_ST_OPEN) | IN(SK_ISNS_ST_LISTEN), on_up },
	{ "changed", IN(SK_ISNS_ST_LISTEN), on_changed },
	{ "fail", IN(SK_ISNS_ST_OPEN) | IN(SK_ISNS_ST_PORTALS) | IN(SK_ISNS_ST_LISTEN), on_fail },
};

static bool on_line(struct sk_isns_form *f, struct sk_span line)
{
	struct sk_span w, rest = line;

	if (f->st == SK_ISNS_ST_HELLO) {
		f->st = SK_ISNS_ST_OPEN;
		return line.n == strlen(HELLO) && !memcmp(line.p, HELLO, line.n);
	}
	w = word(&rest);
	for (size_t i = 0; i < SK_ARRAY_LEN(rows); i++)
		if (w.n == strlen(rows[i].word) && !memcmp(w.p, rows[i].word, w.n))
			return (rows[i].from & IN(f->st)) && rows[i].read(f, rest);
	return false;
}

int sk_isns_form_feed(struct sk_isns_form *f, const char *p, size_t n, struct sk_err *err)
{
	for (size_t i = 0; i < n && f->st != SK_ISNS_ST_BROKEN; i++) {
		if (p[i] != '\n' && f->n < sizeof(f->line) - 1) {
			f->line[f->n++] = p[i];
			continue;
		}
		if (p[i] != '\n' || !on_line(f, sk_span(f->line, f->n)))
			f->st = SK_ISNS_ST_BROKEN;
		f->n = 0;
	}
	return f->st == SK_ISNS_ST_BROKEN ? sk_fail(err, SK_EPROTO, "isns-worker does not speak as it should") : 0;
}

/* --- writing ------------------------------------------------------------------------------------------------- */

void sk_isns_put_hello(struct sk_buf *out)
{
	sk_buf_str(out, HELLO "\n");
}

void sk_isns_put_portal(struct sk_buf *out, const struct sk_iname *target, const struct sk_portal *p)
{
	sk_buf_printf(out, "portal %s %s %u %d\n", target->s, p->host, p->port, p->tpgt);
}

static void put_text(struct sk_buf *out, const char *text)
{
	for (size_t i = 0; text[i] && i < TEXT_MAX; i++)
		sk_buf_ch(out, text[i] >= 0x20 && text[i] <= 0x7e ? text[i] : '?');
	sk_buf_ch(out, '\n');
}

void sk_isns_put_odd(struct sk_buf *out, const char *text)
{
	sk_buf_str(out, "odd ");
	put_text(out, text);
}

void sk_isns_put_number(struct sk_buf *out, const char *what, unsigned n)
{
	sk_buf_printf(out, "%s %u\n", what, n);
}

void sk_isns_put_changed(struct sk_buf *out)
{
	sk_buf_str(out, "changed\n");
}

void sk_isns_put_fail(struct sk_buf *out, enum sk_isns_stage s, const char *text)
{
	sk_buf_printf(out, "fail %s ", sk_isns_stage_word(s));
	put_text(out, text);
}
