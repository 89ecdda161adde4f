/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <stdio.h>

#include "discover/isns_form.h"
#include "fuzz/fuzz.h"

/** What isns-worker might say: the same events whole or in pieces, only usable names and portals, nothing after the end. */

struct seen {
	struct sk_buf events;
	unsigned portals, ends;
};

static void must(bool ok)
{
	if (!ok)
		__builtin_trap();
}

static void on_portal(void *ctx, const struct sk_iname *target, const struct sk_portal *p)
{
	struct seen *s = ctx;
	struct sk_iname again;
	uint8_t a[16];

	must(!s->ends && sk_iname_parse(sk_span_str(target->s), &again, NULL) == 0 && sk_iname_eq(target, &again));
	must(inet_pton(AF_INET, p->host, a) == 1 || inet_pton(AF_INET6, p->host, a) == 1);
	must(p->port > 0 && p->tpgt >= 0 && p->tpgt <= 65535 && ++s->portals <= SK_ISNS_PORTALS_MAX);
	sk_isns_put_portal(&s->events, target, p);
}

static void on_text(struct seen *s, const char *text)
{
	must(!s->ends && strlen(text) < SK_ISNS_LINE_MAX);
	for (const char *c = text; *c; c++)
		must(*c >= 0x20 && *c <= 0x7e);
	sk_buf_str(&s->events, text);
}

static void on_odd(void *ctx, const char *text)
{
	on_text(ctx, text);
}

static void on_done(void *ctx)
{
	struct seen *s = ctx;

	must(++s->ends == 1);
}

static void on_up(void *ctx, uint32_t s)
{
	must(!((struct seen *)ctx)->ends);
	sk_buf_printf(&((struct seen *)ctx)->events, "up %u", s);
}

static void on_changed(void *ctx)
{
	must(!((struct seen *)ctx)->ends);
	sk_isns_put_changed(&((struct seen *)ctx)->events);
}

static void on_fail(void *ctx, enum sk_isns_stage stage, const char *text)
{
	must(stage < SK_ISNS_STAGES);
	on_text(ctx, text);
	on_done(ctx);
}

static int run(struct seen *s, const uint8_t *p, size_t n, size_t piece)
{
	static const struct sk_isns_form_events ev = { on_portal, on_odd, on_done, on_up, on_changed, on_fail };
	struct sk_isns_form f;
	int got = 0;

	sk_isns_form_init(&f, &ev, s);
	while (n && got == 0) {
		size_t k = piece && piece < n ? piece : n;

		got = sk_isns_form_feed(&f, (const char *)p, k, NULL);
		p += k;
		n -= k;
	}
	must(!sk_isns_form_over(&f) || s->ends == 1);
	must(got < 0 || s->ends == sk_isns_form_over(&f));
	return got;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct seen whole = { 0 }, pieces = { 0 };

	must(run(&whole, p, n, 0) == run(&pieces, p, n, n ? 1 + p[0] % 7 : 1));
	must(whole.events.n == pieces.events.n && whole.portals == pieces.portals && whole.ends == pieces.ends);
	must(!whole.events.n || !memcmp(whole.events.p, pieces.events.p, whole.events.n));
	sk_buf_free(&whole.events);
	sk_buf_free(&pieces.events);
	return 0;
}
