/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "discover/isns_form.h"

/** What isns-worker says: read as it is written, and refused in every other form. */

struct heard {
	char events[2000];
};

static void note(void *ctx, const char *word, const char *text)
{
	struct heard *h = ctx;
	size_t n = strlen(h->events);

	snprintf(h->events + n, sizeof(h->events) - n, "%s %s\n", word, text);
}

static void on_portal(void *ctx, const struct sk_iname *target, const struct sk_portal *p)
{
	char text[600];

	snprintf(text, sizeof(text), "%s %s %u %d", target->s, p->host, p->port, p->tpgt);
	note(ctx, "portal", text);
}

static void on_odd(void *ctx, const char *text)
{
	note(ctx, "odd", text);
}

static void on_done(void *ctx)
{
	note(ctx, "done", "");
}

static void on_up(void *ctx, uint32_t s)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", s);
	note(ctx, "up", text);
}

static void on_changed(void *ctx)
{
	note(ctx, "changed", "");
}

static void on_fail(void *ctx, enum sk_isns_stage stage, const char *text)
{
	note(ctx, sk_isns_stage_word(stage), text);
}

static const struct sk_isns_form_events events = { on_portal, on_odd, on_done, on_up, on_changed, on_fail };

/* 0 and over, 1 = good so far, -1 = refused */
static int read_all(const char *text, struct heard *h)
{
	struct sk_isns_form f;
	struct sk_err err = { 0 };

	memset(h, 0, sizeof(*h));
	sk_isns_form_init(&f, &events, h);
	if (sk_isns_form_feed(&f, text, strlen(text), &err) < 0) {
		assert_int_equal(err.code, SK_EPROTO);
		return -1;
	}
	return !sk_isns_form_over(&f);
}

static void what_is_written_is_read(void **st)
{
	static const char *const hosts[] = { "192.0.2.1", "2001:db8::1" };
	SK_BUF struct sk_buf out = { 0 };
	struct sk_iname name;
	struct sk_portal p = { .port = 65535, .tpgt = 65535 };
	struct heard h;

	(void)st;
	assert_int_equal(sk_iname_parse(sk_span_str("iqn.2026-11.lab.test:disk1"), &name, NULL), 0);
	sk_isns_put_hello(&out);
	for (size_t i = 0; i < 2; i++) {
		snprintf(p.host, sizeof(p.host), "%s", hosts[i]);
		sk_isns_put_portal(&out, &name, &p);
	}
	sk_isns_put_odd(&out, "a\nb\x7f\xff");
	sk_isns_put_number(&out, "done", 2);
	assert_int_equal(read_all(out.p, &h), 0);
	assert_string_equal(h.events, "portal iqn.2026-11.lab.test:disk1 192.0.2.1 65535 65535\n"
				      "portal iqn.2026-11.lab.test:disk1 2001:db8::1 65535 65535\nodd a?b??\ndone \n");
	sk_buf_reset(&out);
	sk_isns_put_hello(&out);
	sk_isns_put_number(&out, "up", 30);
	sk_isns_put_changed(&out);
	assert_int_equal(read_all(out.p, &h), 1);
	sk_isns_put_fail(&out, SK_ISNS_QUERY, "it went away");
	assert_int_equal(read_all(out.p, &h), 0);
	assert_string_equal(h.events, "up 30\nchanged \nquery it went away\n");
}

static void a_longest_line_fits(void **st)
{
	SK_BUF struct sk_buf out = { 0 };
	struct sk_portal p = { .host = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", .port = 65535, .tpgt = 65535 };
	struct sk_iname name;
	char text[2000];
	struct heard h;

	(void)st;
	memset(&name, 0, sizeof(name));
	memset(name.s, 'a', SK_INAME_MAX);
	memcpy(name.s, "iqn.2026-11.lab.test:", 21);
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	sk_isns_put_hello(&out);
	sk_isns_put_portal(&out, &name, &p);
	sk_isns_put_odd(&out, text);
	sk_isns_put_fail(&out, SK_ISNS_REGISTER, text);
	assert_int_equal(read_all(out.p, &h), 0);
}

static void anything_else_is_refused(void **st)
{
	static const char *const bad[] = {
		"\n",
		"siskin-isns 2\n",
		"siskin-isns 1\nsiskin-isns 1\n",
		"siskin-isns 1\nhello\n",
		"siskin-isns 1\nportal iqn.2026-11.a:b 10.0.0.1 3260\n",
		"siskin-isns 1\nportal iqn.2026-11.a:b 10.0.0.1 3260 1 2\n",
		"siskin-isns 1\nportal iqn.2026-11.a:b 10.0.0.1 0 1\n",
		"siskin-isns 1\nportal iqn.2026-11.a:b 10.0.0.1 65536 1\n",
		"siskin-isns 1\nportal iqn.2026-11.a:b 10.0.0.1 3260 65536\n",
		"siskin-isns 1\nportal iqn.2026-11.a:b 10.0.0.1 3260 -1\n",
		"siskin-isns 1\nportal iqn.2026-11.a:b 0.0.0.0 3260 1\n",
		"siskin-isns 1\nportal iqn.2026-11.a:b :: 3260 1\n",
		"siskin-isns 1\nportal iqn.2026-11.a:b host.example 3260 1\n",
		"siskin-isns 1\nportal iqn.2026-11.a:b fe80::1%eth0 3260 1\n",
		"siskin-isns 1\nportal iqn.2026-11.a:../b 10.0.0.1 3260 1\n",
		"siskin-isns 1\nportal ../b 10.0.0.1 3260 1\n",
		"siskin-isns 1\nportal iqn.2026-11.a:b,c 10.0.0.1 3260 1\n",
		"siskin-isns 1\nportal  10.0.0.1 3260 1\n",
		"siskin-isns 1\nportal iqn.2026-11.a:b 10.0.0.1 3260 1\ndone 2\n",
		"siskin-isns 1\nportal iqn.2026-11.a:b 10.0.0.1 3260 1\nup 3\n",
		"siskin-isns 1\nportal iqn.2026-11.a:b 10.0.0.1 3260 1\nchanged\n",
		"siskin-isns 1\ndone 0\ndone 0\n",
		"siskin-isns 1\ndone 0\nportal iqn.2026-11.a:b 10.0.0.1 3260 1\n",
		"siskin-isns 1\nchanged\n",
		"siskin-isns 1\nup 3\nchanged 1\n",
		"siskin-isns 1\nup 3\ndone 0\n",
		"siskin-isns 1\nup 4294967296\n",
		"siskin-isns 1\nodd a\tb\n",
		"siskin-isns 1\nfail\n",
		"siskin-isns 1\nfail somewhere text\n",
		"siskin-isns 1\nfail query \x80\n",
	};
	char longest[SK_ISNS_LINE_MAX + 32] = "siskin-isns 1\nodd ";
	struct heard h;

	(void)st;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (read_all(bad[i], &h) != -1)
			fail_msg("taken for good: %s", bad[i]);
	}
	memset(longest + strlen(longest), 'x', SK_ISNS_LINE_MAX);
	assert_int_equal(read_all(longest, &h), -1);	/* before its newline: it is never kept */
}

static void after_a_refusal_nothing_is_read(void **st)
{
	static const char good[] = "siskin-isns 1\ndone 0\n";
	struct heard h = { "" };
	struct sk_isns_form f;

	(void)st;
	sk_isns_form_init(&f, &events, &h);
	assert_int_equal(sk_isns_form_feed(&f, "x\n", 2, NULL), -1);
	assert_int_equal(sk_isns_form_feed(&f, good, strlen(good), NULL), -1);
	assert_string_equal(h.events, "");
	assert_false(sk_isns_form_over(&f));
}

static void there_is_an_end_to_portals_and_oddities(void **st)
{
	static const char portal[] = "portal iqn.2026-11.a:b 10.0.0.1 3260 1\n", odd[] = "odd x\n";
	struct heard h = { "" };
	struct sk_isns_form f;
	unsigned n = 0;

	(void)st;
	sk_isns_form_init(&f, &events, &h);
	assert_int_equal(sk_isns_form_feed(&f, "siskin-isns 1\n", 14, NULL), 0);
	while (sk_isns_form_feed(&f, portal, strlen(portal), NULL) == 0)
		n++;
	assert_int_equal(n, SK_ISNS_PORTALS_MAX);
	sk_isns_form_init(&f, &events, &h);
	assert_int_equal(sk_isns_form_feed(&f, "siskin-isns 1\n", 14, NULL), 0);
	for (n = 0; sk_isns_form_feed(&f, odd, strlen(odd), NULL) == 0; n++)
		assert_in_range(n, 0, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(a_longest_line_fits),
		cmocka_unit_test(anything_else_is_refused),
		cmocka_unit_test(after_a_refusal_nothing_is_read),
		cmocka_unit_test(there_is_an_end_to_portals_and_oddities),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
