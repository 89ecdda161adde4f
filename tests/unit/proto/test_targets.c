/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/sendtargets.h"

static const struct sk_portal self = { "192.0.2.1", 3260, 1 };

struct told {
	unsigned portals, bad;
	struct sk_buf text;
};

static void portal(void *ctx, const struct sk_iname *target, const struct sk_portal *p)
{
	struct told *t = ctx;

	t->portals++;
	sk_buf_printf(&t->text, "%s %s %u %d\n", target->s, p->host, (unsigned)p->port, (int)p->tpgt);
}

static void bad(void *ctx, const struct sk_err *why)
{
	struct told *t = ctx;

	assert_true(why->code == SK_EPROTO || why->code == SK_EINVAL);
	t->bad++;
}

static const struct sk_targets_events events = { portal, bad };

static void every_cut_tells_the_same(void **st)
{
	static const char in[] =
		"TargetName=iqn.2026-01.org.example:a\0TargetAddress=[fe80::1]:3260,1\0TargetAddress=x:0\0"
		"TargetName=iqn.2026-01.org.example:b\0\0Odd=1\0TargetName=eui.0123456789abcdef";
	static const char expect[] =
		"iqn.2026-01.org.example:a fe80::1 3260 1\niqn.2026-01.org.example:b 192.0.2.1 3260 1\n"
		"eui.0123456789abcdef 192.0.2.1 3260 1\n";

	(void)st;
	for (size_t cut = 0; cut < sizeof(in); cut++) {
		struct told told = { 0 };
		struct sk_targets t;

		sk_targets_init(&t, &self, &events, &told);
		assert_int_equal(sk_targets_feed(&t, sk_span(in, cut), NULL), 0);
		assert_int_equal(sk_targets_feed(&t, sk_span(in + cut, sizeof(in) - 1 - cut), NULL), 0);
		assert_int_equal(sk_targets_end(&t, NULL), 0);
		assert_string_equal(sk_buf_cstr(&told.text), expect);
		assert_int_equal(told.bad, 2);
		sk_buf_free(&told.text);
	}
}

static void a_target_with_only_bad_addresses_is_not_told(void **st)
{
	static const char in[] = "TargetName=iqn.2026-01.org.example:a\0TargetAddress=a/b\0";
	struct told told = { 0 };
	struct sk_targets t;

	(void)st;
	sk_targets_init(&t, &self, &events, &told);
	assert_int_equal(sk_targets_feed(&t, sk_span(in, sizeof(in) - 1), NULL), 0);
	assert_int_equal(sk_targets_end(&t, NULL), 0);
	assert_int_equal(told.portals, 0);
	assert_int_equal(told.bad, 1);
}

static void ten_thousand_targets_are_no_matter_and_the_end_is_bounded(void **st)
{
	static const char name[] = "TargetName=iqn.2026-01.org.example:a\0TargetAddress=192.0.2.7:3260,1";
	struct told told = { 0 };
	struct sk_targets t;
	struct sk_err err = { 0 };
	unsigned i = 0;

	(void)st;
	sk_targets_init(&t, &self, &events, &told);
	while (sk_targets_feed(&t, sk_span(name, sizeof(name)), &err) == 0) {
		sk_buf_reset(&told.text);
		assert_true(++i <= SK_TARGETS_MAX);
	}
	assert_int_equal(told.portals, SK_TARGETS_MAX);
	assert_int_equal(err.code, SK_EPROTO);
	sk_buf_free(&told.text);
}

static void the_bytes_are_bounded(void **st)
{
	static const uint8_t block[65536];
	struct told told = { 0 };
	struct sk_targets t;

	(void)st;
	sk_targets_init(&t, &self, &events, &told);
	for (int i = 0; i < 256; i++)
		assert_int_equal(sk_targets_feed(&t, sk_span(block, sizeof(block)), NULL), 0);
	assert_int_equal(sk_targets_feed(&t, sk_span(block, 1), NULL), -1);
}

/* The conversation: all wants x all PDUs; a PDU that is refused ends it, and after the end nothing changes. */
static struct sk_sendtargets *at(unsigned takes, struct told *told)
{
	struct sk_sendtargets_cfg cfg = { .portal = self };
	struct sk_params params = { .cmd_sn = 1, .exp_stat_sn = 1 };
	struct sk_sendtargets *s = sk_sendtargets_new(&cfg, &params, &events, told, NULL);
	struct sk_pdu pdu, rsp = { .bhs = { SK_OP_TEXT_RSP, 0x80, [19] = 1, [20] = 0xff, 0xff, 0xff, 0xff } };

	for (unsigned i = 0; i < takes; i++) {
		if (i == 1)
			assert_int_equal(sk_sendtargets_feed(s, &rsp, NULL), 0);
		assert_int_equal(sk_sendtargets_take(s, &pdu, NULL), 0);
		sk_pdu_free(&pdu);
	}
	return s;
}

static void every_pdu_at_every_point_has_an_answer(void **st)
{
	(void)st;
	for (unsigned takes = 0; takes < 3; takes++) {
		for (unsigned op = 0; op < 64; op++) {
			struct told told = { 0 };
			struct sk_sendtargets *s = at(takes, &told);
			struct sk_pdu pdu = { .bhs = { (uint8_t)op, 0x80, [19] = (uint8_t)takes, [20] = 0xff, 0xff,
						       0xff, 0xff } };
			struct sk_pdu out;
			struct sk_err err = { 0 };
			bool fine = op == SK_OP_NOP_IN || op == SK_OP_ASYNC ||
				    (op == SK_OP_TEXT_RSP && takes == 1) || (op == SK_OP_LOGOUT_RSP && takes == 2);

			assert_int_equal(sk_sendtargets_feed(s, &pdu, &err), fine ? 0 : -1);
			if (!fine) {
				assert_int_equal(sk_sendtargets_want(s), SK_WANT_GIVE_UP);
				assert_int_equal(err.code, SK_EPROTO);
				assert_string_equal(sk_sendtargets_error(s)->msg, err.msg);
				assert_int_equal(sk_sendtargets_feed(s, &pdu, &err), -1);
				assert_int_equal(err.code, SK_EINVAL);
				assert_int_equal(sk_sendtargets_take(s, &out, &err), -1);
			}
			sk_sendtargets_free(s);
		}
	}
}

static void the_answer_is_complete_before_the_logout(void **st)
{
	struct told told = { 0 };
	struct sk_sendtargets *s = at(1, &told);

	(void)st;
	assert_false(sk_sendtargets_complete(s));
	sk_sendtargets_free(s);
	s = at(2, &told);
	assert_true(sk_sendtargets_complete(s));
	assert_int_equal(sk_sendtargets_want(s), SK_WANT_RECV);
	sk_sendtargets_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cut_tells_the_same),
		cmocka_unit_test(a_target_with_only_bad_addresses_is_not_told),
		cmocka_unit_test(ten_thousand_targets_are_no_matter_and_the_end_is_bounded),
		cmocka_unit_test(the_bytes_are_bounded),
		cmocka_unit_test(every_pdu_at_every_point_has_an_answer),
		cmocka_unit_test(the_answer_is_complete_before_the_logout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
