/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "datapath/busy.h"

/* wake-ups until the next look */
static unsigned rest(struct sk_busy *b)
{
	unsigned n = 0;

	while (!sk_busy_try(b))
		n++;
	assert_in_range(n, 0, SK_BUSY_REST_MAX);
	return n;
}

static void finding_something_goes_on_for_ever(void **st)
{
	struct sk_busy b = { 0 };

	(void)st;
	for (unsigned i = 0; i < 100000; i++) {
		assert_true(sk_busy_try(&b));
		sk_busy_result(&b, i % SK_BUSY_MISSES == 0); /* one in sixteen is enough */
	}
}

static void finding_nothing_rests_longer_and_longer(void **st)
{
	struct sk_busy b = { 0 };
	unsigned looks = 0, wakeups = 0;

	(void)st;
	for (unsigned i = 0; i < SK_BUSY_MISSES; i++) {
		assert_true(sk_busy_try(&b));
		sk_busy_result(&b, false);
	}
	for (unsigned want = SK_BUSY_REST; want < SK_BUSY_REST_MAX; want *= 2) {
		assert_int_equal(rest(&b), want);
		sk_busy_result(&b, false);
	}
	for (; wakeups < 1000000; looks++) {
		wakeups += rest(&b);
		sk_busy_result(&b, false);
	}
	assert_in_range(looks, 1, 1000000 / SK_BUSY_REST_MAX + 1);
}

static void one_find_sets_it_back(void **st)
{
	struct sk_busy b = { 0 };

	(void)st;
	for (unsigned i = 0; i < 3 * SK_BUSY_MISSES; i++) {
		rest(&b);
		sk_busy_result(&b, false);
	}
	assert_int_equal(rest(&b), SK_BUSY_REST_MAX);
	sk_busy_result(&b, true);
	for (unsigned i = 0; i < SK_BUSY_MISSES; i++) {
		assert_true(sk_busy_try(&b));
		sk_busy_result(&b, false);
	}
	assert_int_equal(rest(&b), SK_BUSY_REST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finding_something_goes_on_for_ever),
		cmocka_unit_test(finding_nothing_rests_longer_and_longer),
		cmocka_unit_test(one_find_sets_it_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
