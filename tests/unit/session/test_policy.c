/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "session/policy.h"

static void backoff_doubles_to_a_minute_with_jitter(void **st)
{
	(void)st;
	for (uint32_t seed = 0; seed < 500; seed++) {
		for (unsigned n = 1; n < 40; n++) {
			uint32_t base = n <= 6 ? 1000U << (n - 1) : 60000;
			uint32_t ms = sk_policy_backoff(n, seed, 0);

			assert_in_range(ms, base - base / 4, base + base / 4 > 60000 ? 60000 : base + base / 4);
		}
	}
}

static void backoff_is_spread_and_foreseeable(void **st)
{
	unsigned low = 0, high = 0;

	(void)st;
	for (uint32_t seed = 0; seed < 1000; seed++) {
		uint32_t ms = sk_policy_backoff(4, seed, 0);

		assert_int_equal(ms, sk_policy_backoff(4, seed, 0));
		low += ms < 7000;
		high += ms > 9000;
	}
	assert_in_range(low, 150, 350);
	assert_in_range(high, 150, 350);
}

static void backoff_obeys_its_cap(void **st)
{
	(void)st;
	for (unsigned n = 1; n < 20; n++)
		assert_true(sk_policy_backoff(n, n, 3000) <= 3000);
}

static void a_hold_is_time2wait_and_grows_with_brief_connections(void **st)
{
	(void)st;
	assert_int_equal(sk_policy_time2wait(2000, 2000), 2000);
	assert_int_equal(sk_policy_time2wait(UINT32_MAX, 2000), SK_TIME2WAIT_MAX_MS);
	assert_int_equal(sk_policy_time2wait(3000000, 3600000), 3000000);
	assert_int_equal(sk_policy_hold(2000, 0, 5), 2000);
	assert_int_equal(sk_policy_hold(2000, 1, 5), 2000); /* once is no pattern */
	assert_int_equal(sk_policy_hold(0, 1, 5), 0);
	for (unsigned n = 2; n < 1000; n++) {
		assert_int_equal(sk_policy_hold(0, n, 5), sk_policy_backoff(n - 1, 5, 0));
		assert_true(sk_policy_hold(90000, n, 5) == 90000);
	}
}

/* A day of it, tried every minute: the first, a few changes of the cause, then summaries (P31's forty lines). */
static void an_outage_of_a_day_is_forty_lines(void **st)
{
	struct sk_outage same = { 0 }, changing = { 0 };
	unsigned lines = 0, more = 0, quiet = 0, told = 0, first_hour = 0;

	(void)st;
	for (uint64_t now = 5000; now < 86400000; now += 60000) {
		unsigned q = 99;

		if (sk_policy_tell(&same, SK_CAUSE_CONNECT, now, &q)) {
			told += q + 1;
			lines++;
			first_hour += now < 3600000;
		}
		more += sk_policy_tell(&changing, now / 60000 % 2 ? SK_CAUSE_CONNECT : SK_CAUSE_TIMEOUT, now,
				       &quiet);
	}
	assert_in_range(lines, 25, 32);
	assert_in_range(first_hour, 5, 7);
	assert_in_range(more, lines, 40);
	assert_int_equal(told + same.quiet, 1440); /* every one is in some line's count */
}

static void causes_have_the_incumbents_codes(void **st)
{
	(void)st;
	assert_int_equal(sk_policy_result(SK_CAUSE_RESOLVE), SK_RES_TRANS);
	assert_int_equal(sk_policy_result(SK_CAUSE_CONNECT), SK_RES_TRANS_TIMEOUT);
	assert_int_equal(sk_policy_result(SK_CAUSE_AUTH), SK_RES_LOGIN_AUTH_FAILED);
	assert_int_equal(sk_policy_result(SK_CAUSE_FOR_GOOD), SK_RES_FATAL_LOGIN);
	assert_int_equal(sk_policy_result(SK_CAUSE_HANDOFF), SK_RES_INTERNAL);
	assert_int_equal(sk_policy_result(SK_CAUSE_COUNT), SK_RES_INTERNAL);
}

static void only_passing_causes_are_retried_at_first(void **st)
{
	(void)st;
	for (int c = SK_CAUSE_RESOLVE; c < SK_CAUSE_COUNT; c++) {
		bool passing = c == SK_CAUSE_CONNECT || c == SK_CAUSE_TIMEOUT || c == SK_CAUSE_LOST ||
			       c == SK_CAUSE_REFUSED;

		assert_int_equal(sk_policy_retry((enum sk_cause)c, false, false), passing);
		assert_true(sk_policy_retry((enum sk_cause)c, true, true));
		assert_true(strlen(sk_cause_name((enum sk_cause)c)) > 3);
	}
	assert_false(sk_policy_retry(SK_CAUSE_CONNECT, false, true));
	assert_true(sk_policy_retry(SK_CAUSE_TIMEOUT, false, true));
}

static struct sockaddr_storage addr(const char *text)
{
	struct sockaddr_storage ss = { 0 };

	if (strchr(text, ':')) {
		struct sockaddr_in6 *a = (struct sockaddr_in6 *)(void *)&ss;

		a->sin6_family = AF_INET6;
		assert_int_equal(inet_pton(AF_INET6, text, &a->sin6_addr), 1);
	} else {
		struct sockaddr_in *a = (struct sockaddr_in *)(void *)&ss;

		a->sin_family = AF_INET;
		assert_int_equal(inet_pton(AF_INET, text, &a->sin_addr), 1);
	}
	return ss;
}

static void redirects_go_only_where_targets_may_be(void **st)
{
	static const struct {
		const char *from, *to;
		int ok;
	} t[] = {
		{ "192.0.2.1", "192.0.2.2", 0 },
		{ "192.0.2.1", "127.0.0.1", -1 },
		{ "127.0.0.1", "127.0.0.2", 0 },
		{ "192.0.2.1", "0.0.0.0", -1 },
		{ "127.0.0.1", "0.0.0.0", -1 },
		{ "192.0.2.1", "255.255.255.255", -1 },
		{ "192.0.2.1", "224.0.0.1", -1 },
		{ "192.0.2.1", "169.254.1.1", -1 },
		{ "169.254.2.2", "169.254.1.1", 0 },
		{ "2001:db8::1", "::1", -1 },
		{ "::1", "127.0.0.1", 0 },
		{ "2001:db8::1", "2001:db8::2", 0 },
		{ "2001:db8::1", "fe80::1", -1 },
		{ "2001:db8::1", "::", -1 },
		{ "2001:db8::1", "ff02::1", -1 },
		{ "192.0.2.1", "::ffff:127.0.0.1", -1 },
		{ "192.0.2.1", "::ffff:192.0.2.9", 0 },
		{ "127.0.0.1", "192.0.2.1", 0 },
	};

	(void)st;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct sockaddr_storage from = addr(t[i].from), to = addr(t[i].to);
		struct sk_err err = { 0 };

		assert_int_equal(sk_policy_redirect_ok(&from, &to, &err), t[i].ok);
		assert_int_equal(err.code, t[i].ok ? SK_EPROTO : SK_OK);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(backoff_doubles_to_a_minute_with_jitter),
		cmocka_unit_test(backoff_is_spread_and_foreseeable),
		cmocka_unit_test(backoff_obeys_its_cap),
		cmocka_unit_test(a_hold_is_time2wait_and_grows_with_brief_connections),
		cmocka_unit_test(an_outage_of_a_day_is_forty_lines),
		cmocka_unit_test(causes_have_the_incumbents_codes),
		cmocka_unit_test(only_passing_causes_are_retried_at_first),
		cmocka_unit_test(redirects_go_only_where_targets_may_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
