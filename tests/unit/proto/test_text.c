/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/text.h"

static struct sk_text text;

static void pairs_are_found(void **st)
{
	static const char in[] = "A=1\0\0X-b.c-d+e@f_g#h=\0Last=a=b";

	(void)st;
	assert_int_equal(sk_text_parse(sk_span(in, sizeof(in) - 1), &text, NULL), 0);
	assert_int_equal(text.n, 3);
	assert_true(sk_text_is(sk_text_find(&text, "A")->value, "1"));
	assert_true(sk_text_is(sk_text_find(&text, "X-b.c-d+e@f_g#h")->value, ""));
	assert_true(sk_text_is(sk_text_find(&text, "Last")->value, "a=b")); /* its NUL may be missing */
	assert_null(sk_text_find(&text, "a"));
	assert_null(sk_text_find(&text, "La"));
	assert_int_equal(sk_text_parse(sk_span("", 0), &text, NULL), 0);
	assert_int_equal(text.n, 0);
}

static void refused(const char *in, size_t n, const char *words)
{
	struct sk_err err = { 0 };

	text.n = 77;
	assert_int_equal(sk_text_parse(sk_span(in, n), &text, &err), -1);
	assert_int_equal(err.code, SK_EPROTO);
	if (!strstr(err.msg, words))
		fail_msg("\"%s\"", err.msg);
	assert_int_equal(text.n, 77);
}

static void bad_text_is_refused_and_named(void **st)
{
	static char big[SK_TEXT_MAX + 1];
	char key[70];

	(void)st;
	refused("nonsense", 8, "text without '=': \"nonsense\" (RFC 7143, 6.1)");
	refused("=1", 2, "for a key");
	refused("a\x1b[2J=1", 7, "\"a?[2J\" for a key");
	refused("A=1\0B=2\0A=1", 11, "key A comes twice (RFC 7143, 6.2)");
	refused(big, sizeof(big), "65537 bytes");
	memset(key, 'k', sizeof(key));
	key[63] = '=';
	assert_int_equal(sk_text_parse(sk_span(key, 64), &text, NULL), 0);
	key[63] = 'k';
	key[64] = '=';
	refused(key, 65, "for a key");
}

static void the_number_of_keys_is_bounded(void **st)
{
	struct sk_buf b = { 0 };

	(void)st;
	for (int i = 0; i < SK_TEXT_KEYS; i++)
		sk_buf_printf(&b, "K%d=1%c", i, 0);
	assert_int_equal(sk_text_parse(sk_buf_span(&b), &text, NULL), 0);
	assert_int_equal(text.n, SK_TEXT_KEYS);
	sk_buf_str(&b, "One-more=1");
	refused(b.p, b.n, "more than 256 keys");
	sk_buf_free(&b);
}

static void parts_are_joined_within_a_limit(void **st)
{
	struct sk_text_in in = { 0 };
	static const uint8_t block[8192];
	struct sk_err err = { 0 };

	(void)st;
	assert_int_equal(sk_text_in_add(&in, sk_span_str("Max"), NULL), 0);
	assert_int_equal(sk_text_in_add(&in, sk_span(NULL, 0), NULL), 0);
	assert_int_equal(sk_text_in_add(&in, sk_span_str("Burst=1"), NULL), 0);
	assert_string_equal(sk_buf_cstr(&in.buf), "MaxBurst=1");
	sk_text_in_reset(&in);
	for (int i = 0; i < 8; i++)
		assert_int_equal(sk_text_in_add(&in, sk_span(block, sizeof(block)), NULL), 0);
	assert_int_equal(sk_text_in_add(&in, sk_span(block, 1), &err), -1);
	assert_int_equal(err.code, SK_EPROTO);
	sk_text_in_reset(&in);
}

static void a_long_text_goes_out_in_parts(void **st)
{
	struct sk_text_out out = { 0 };
	struct sk_span part;
	bool more;

	(void)st;
	sk_text_put(&out.buf, "Key", "value"); /* 10 bytes with its NUL */
	part = sk_text_out_next(&out, 4, &more);
	assert_true(more && part.n == 4 && memcmp(part.p, "Key=", 4) == 0);
	part = sk_text_out_next(&out, 6, &more);
	assert_true(!more && part.n == 6 && memcmp(part.p, "value", 6) == 0);
	part = sk_text_out_next(&out, 6, &more);
	assert_true(!more && part.n == 0);
	sk_text_out_reset(&out);
}

static void numbers_are_decimal_or_hexadecimal(void **st)
{
	uint64_t v = 7;

	(void)st;
	assert_true(sk_text_num(sk_span_str("0"), &v) && v == 0);
	assert_true(sk_text_num(sk_span_str("18446744073709551615"), &v) && v == UINT64_MAX);
	assert_true(sk_text_num(sk_span_str("0x40000"), &v) && v == 262144);
	assert_true(sk_text_num(sk_span_str("0XfF"), &v) && v == 255);
	v = 7;
	assert_false(sk_text_num(sk_span_str(""), &v));
	assert_false(sk_text_num(sk_span_str("0x"), &v));
	assert_false(sk_text_num(sk_span_str("-1"), &v));
	assert_false(sk_text_num(sk_span_str("1 "), &v));
	assert_false(sk_text_num(sk_span_str("18446744073709551616"), &v));
	assert_false(sk_text_num(sk_span_str("0x10000000000000000"), &v));
	assert_int_equal(v, 7);
}

static void decodes(const char *in, const void *expect, size_t n)
{
	uint8_t out[16];
	size_t got = 99;

	if (!sk_text_bin(sk_span_str(in), out, sizeof(out), &got))
		fail_msg("%s", in);
	assert_int_equal(got, n);
	assert_memory_equal(out, expect, n);
}

static void binary_values_are_hexadecimal_or_base64(void **st)
{
	static const char *const bad[] = { "",
					   "0x",
					   "0b",
					   "0xg0",
					   "12",
					   "abc",
					   "0bA",
					   "0bAA=A",
					   "0bAAAAA",
					   "0b====",
					   "0bA===",
					   "0bAB==",
					   "0bAA==AA==",
					   "0x0001020304050607080910111213141516",
					   "0bAAAAAAAAAAAAAAAAAAAAAAAA" };
	uint8_t out[16];
	size_t n = 99;

	(void)st;
	decodes("0x00aBff", "\x00\xab\xff", 3);
	decodes("0X1", "\x01", 1);
	decodes("0x123", "\x01\x23", 2); /* a leading zero left out */
	decodes("0bAAH/", "\x00\x01\xff", 3);
	decodes("0BAA==", "\x00", 1);
	decodes("0bAA", "\x00", 1);
	decodes("0baGVsbG8=", "hello", 5);
	decodes("0baGVsbG8", "hello", 5);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (sk_text_bin(sk_span_str(bad[i]), out, sizeof(out), &n))
			fail_msg("%s is accepted", bad[i]);
	assert_int_equal(n, 99);
}

static void lists_hold_whole_words(void **st)
{
	(void)st;
	assert_true(sk_text_list_has(sk_span_str("CRC32C,None"), "None"));
	assert_true(sk_text_list_has(sk_span_str("CRC32C,None"), "CRC32C"));
	assert_false(sk_text_list_has(sk_span_str("CRC32C,None"), "CRC32"));
	assert_false(sk_text_list_has(sk_span_str(""), "None"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs_are_found),
		cmocka_unit_test(bad_text_is_refused_and_named),
		cmocka_unit_test(the_number_of_keys_is_bounded),
		cmocka_unit_test(parts_are_joined_within_a_limit),
		cmocka_unit_test(a_long_text_goes_out_in_parts),
		cmocka_unit_test(numbers_are_decimal_or_hexadecimal),
		cmocka_unit_test(binary_values_are_hexadecimal_or_base64),
		cmocka_unit_test(lists_hold_whole_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
