/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/framer.h"

static struct sk_buf wire_of(uint8_t op, const char *data)
{
	struct sk_buf out = { 0 };
	struct sk_pdu pdu = { .bhs = { op } };

	sk_buf_str(&pdu.data, data);
	assert_int_equal(sk_pdu_put_wire(&out, &pdu, NULL), 0);
	sk_pdu_free(&pdu);
	return out;
}

static void two_pdus_in_one_piece_come_out_one_by_one(void **st)
{
	struct sk_buf a = wire_of(0x23, "hello"), b = wire_of(0x24, "");
	struct sk_framer f;
	struct sk_pdu pdu;
	struct sk_span in;

	(void)st;
	assert_int_equal(a.n, 48 + 8);
	sk_buf_add(&a, b.p, b.n);
	in = sk_buf_span(&a);
	sk_framer_init(&f, 5);
	assert_int_equal(sk_framer_feed(&f, &in, &pdu, NULL), 1);
	assert_int_equal(pdu.bhs[0], 0x23);
	assert_string_equal(sk_buf_cstr(&pdu.data), "hello");
	sk_pdu_free(&pdu);
	assert_int_equal(sk_framer_feed(&f, &in, &pdu, NULL), 1);
	assert_int_equal(pdu.bhs[0], 0x24);
	assert_int_equal(pdu.data.n, 0);
	sk_pdu_free(&pdu);
	assert_int_equal(sk_framer_feed(&f, &in, &pdu, NULL), 0);
	assert_true(sk_framer_idle(&f));
	sk_buf_free(&a);
	sk_buf_free(&b);
}

static void every_cut_gives_the_same_pdu(void **st)
{
	struct sk_buf a = wire_of(0x23, "hello");

	(void)st;
	for (size_t cut = 0; cut <= a.n; cut++) {
		struct sk_span first = { (uint8_t *)a.p, cut }, second = { (uint8_t *)a.p + cut, a.n - cut };
		struct sk_framer f;
		struct sk_pdu pdu;

		sk_framer_init(&f, 8192);
		if (cut < a.n) {
			assert_int_equal(sk_framer_feed(&f, &first, &pdu, NULL), 0);
			assert_int_equal(sk_framer_idle(&f), cut == 0);
			first = second;
		}
		assert_int_equal(sk_framer_feed(&f, &first, &pdu, NULL), 1);
		assert_string_equal(sk_buf_cstr(&pdu.data), "hello");
		sk_pdu_free(&pdu);
		sk_framer_free(&f);
	}
	sk_buf_free(&a);
}

static void too_much_data_loses_the_stream(void **st)
{
	struct sk_buf a = wire_of(0x23, "hello!");
	struct sk_framer f;
	struct sk_pdu pdu = { .bhs = { 0x77 } };
	struct sk_err err = { 0 };
	struct sk_span in = sk_buf_span(&a);

	(void)st;
	sk_framer_init(&f, 5);
	assert_int_equal(sk_framer_feed(&f, &in, &pdu, &err), -1);
	assert_int_equal(err.code, SK_EPROTO);
	assert_string_equal(err.msg, "PDU 0x23 with 6 bytes of data where 5 may be sent (RFC 7143, 13.12)");
	assert_int_equal(pdu.bhs[0], 0x77);
	in = sk_buf_span(&a);
	assert_int_equal(sk_framer_feed(&f, &in, &pdu, &err), -1);
	assert_false(sk_framer_idle(&f));
	sk_framer_free(&f);
	sk_buf_free(&a);
}

static void additional_headers_are_refused(void **st)
{
	uint8_t bhs[SK_BHS_LEN] = { 0x23, 0, 0, 0, 1 };
	struct sk_framer f;
	struct sk_pdu pdu;
	struct sk_err err = { 0 };
	struct sk_span in = { bhs, sizeof(bhs) };

	(void)st;
	sk_framer_init(&f, 5);
	assert_int_equal(sk_framer_feed(&f, &in, &pdu, &err), -1);
	assert_non_null(strstr(err.msg, "additional header"));
}

static void half_a_pdu_is_freed(void **st)
{
	struct sk_buf a = wire_of(0x23, "hello");
	struct sk_span in = { (uint8_t *)a.p, 50 };
	struct sk_framer f;
	struct sk_pdu pdu;

	(void)st;
	sk_framer_init(&f, 8192);
	assert_int_equal(sk_framer_feed(&f, &in, &pdu, NULL), 0);
	sk_framer_free(&f);
	assert_true(sk_framer_idle(&f));
	sk_buf_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_pdus_in_one_piece_come_out_one_by_one),
		cmocka_unit_test(every_cut_gives_the_same_pdu),
		cmocka_unit_test(too_much_data_loses_the_stream),
		cmocka_unit_test(additional_headers_are_refused),
		cmocka_unit_test(half_a_pdu_is_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
