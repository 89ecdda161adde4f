/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session/isid.h"

static const struct sk_isid_of base = { "0123456789abcdef", "iqn.2026-11.x:i", "iqn.2026-11.x:t", "192.0.2.1", "default", 3260, 0 };

static void it_is_the_same_every_time(void **st)
{
	struct sk_isid a, b;
	char text[13];

	(void)st;
	sk_isid_for(&base, NULL, NULL, &a);
	sk_isid_for(&base, NULL, NULL, &b);
	assert_memory_equal(&a, &b, sizeof(a));
	sk_isid_text(&a, text);
	assert_int_equal(strncmp(text, "00023d", 6), 0);
	/* The rule itself must not change between releases: reservations hang on it. */
	assert_string_equal(text, "00023d665102");
}

static void every_part_makes_another(void **st)
{
	struct sk_isid_of v[7];
	struct sk_isid a, b;

	(void)st;
	for (size_t i = 0; i < 7; i++)
		v[i] = base;
	v[0].machine = "0123456789abcdee";
	v[1].initiator = "iqn.2026-11.x:j";
	v[2].target = "iqn.2026-11.x:u";
	v[3].host = "192.0.2.2";
	v[4].iface = "eth0";
	v[5].port = 3261;
	v[6].slot = 1;
	sk_isid_for(&base, NULL, NULL, &a);
	for (size_t i = 0; i < 7; i++) {
		sk_isid_for(&v[i], NULL, NULL, &b);
		assert_memory_not_equal(&a, &b, sizeof(a));
	}
}

struct seen {
	struct sk_isid v[5000];
	unsigned n;
};

static bool taken(void *ctx, const struct sk_isid *isid)
{
	const struct seen *s = ctx;

	for (unsigned i = 0; i < s->n; i++)
		if (!memcmp(&s->v[i], isid, sizeof(*isid)))
			return true;
	return false;
}

static void five_thousand_are_distinct(void **st)
{
	struct seen *s = calloc(1, sizeof(*s));

	(void)st;
	assert_non_null(s);
	for (unsigned i = 0; i < 5000; i++) {
		struct sk_isid_of of = base;

		of.slot = i / 2;	/* each twice: the second must move on */
		sk_isid_for(&of, taken, s, &s->v[i]);
		assert_false(taken(s, &s->v[i]));
		assert_true(s->v[i].b[3] | s->v[i].b[4] | s->v[i].b[5]);
		s->n++;
	}
	free(s);
}

static void text_and_back(void **st)
{
	struct sk_isid a = { { 0, 2, 0x3d, 0xab, 0xcd, 0xef } }, b = { { 0 } };
	char text[13];

	(void)st;
	sk_isid_text(&a, text);
	assert_string_equal(text, "00023dabcdef");
	assert_true(sk_isid_parse(text, &b));
	assert_memory_equal(&a, &b, sizeof(a));
	assert_false(sk_isid_parse("00023dabcde", &b));
	assert_false(sk_isid_parse("00023dabcdeg", &b));
	assert_false(sk_isid_parse(NULL, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_the_same_every_time),
		cmocka_unit_test(every_part_makes_another),
		cmocka_unit_test(five_thousand_are_distinct),
		cmocka_unit_test(text_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
