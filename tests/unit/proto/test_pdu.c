/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/pdu.h"

static void a_login_request_is_the_figure_of_the_rfc(void **st)
{
	const struct sk_login_req r = { .transit = true,
					.csg = 1,
					.nsg = 3,
					.isid = { { 0, 2, 0x3d, 0, 0, 1 } },
					.tsih = 0x1234,
					.itt = 0x01020304,
					.cid = 5,
					.cmd_sn = 0x0a0b0c0d,
					.exp_stat_sn = 0x11121314 };
	static const uint8_t expect[SK_BHS_LEN] = { 0x43, 0x87, 0,    0,    0,	  0,	0,    0,    0,	  2,   0x3d,
						    0,	  0,	1,    0x12, 0x34, 1,	2,    3,    4,	  0,   5,
						    0,	  0,	0x0a, 0x0b, 0x0c, 0x0d, 0x11, 0x12, 0x13, 0x14 };
	struct sk_login_req back;
	uint8_t bhs[SK_BHS_LEN];

	(void)st;
	sk_login_req_put(bhs, &r);
	assert_memory_equal(bhs, expect, sizeof(bhs));
	assert_int_equal(sk_login_req_get(sk_span(bhs, sizeof(bhs)), &back, NULL), 0);
	assert_int_equal(back.cid, 5);
	assert_int_equal(back.exp_stat_sn, 0x11121314);
	assert_true(back.transit && !back.cont && back.csg == 1 && back.nsg == 3);
}

static void a_login_response_is_the_figure_of_the_rfc(void **st)
{
	static const uint8_t bhs[SK_BHS_LEN] = { 0x23, 0x81, 2, 1, 0, 0, 1, 2, 0x40, 1,	   2, 3,    4,
						 5,    6,    7, 0, 0, 0, 9, 0, 0,    0,	   0, 0xff, 0xff,
						 0xff, 0xff, 0, 0, 0, 1, 0, 0, 0,    0x20, 2, 3 };
	struct sk_login_rsp r;

	(void)st;
	assert_int_equal(sk_login_rsp_get(sk_span(bhs, sizeof(bhs)), &r, NULL), 0);
	assert_true(r.transit && !r.cont && r.csg == 0 && r.nsg == 1);
	assert_int_equal(r.version_max, 2);
	assert_int_equal(r.version_active, 1);
	assert_int_equal(r.data_len, 0x102);
	assert_int_equal(r.isid.b[0], 0x40);
	assert_int_equal(r.tsih, 0x0607);
	assert_int_equal(r.itt, 9);
	assert_int_equal(r.stat_sn, 0xffffffff);
	assert_int_equal(r.exp_cmd_sn, 1);
	assert_int_equal(r.max_cmd_sn, 0x20);
	assert_int_equal(r.status, 0x0203);
}

static void refused(uint8_t *bhs, size_t n, const char *words)
{
	struct sk_login_rsp r, before;
	struct sk_err err = { 0 };

	memset(&r, 0x5a, sizeof(r));
	before = r;
	assert_int_equal(sk_login_rsp_get(sk_span(bhs, n), &r, &err), -1);
	assert_int_equal(err.code, SK_EPROTO);
	if (!strstr(err.msg, words))
		fail_msg("\"%s\"", err.msg);
	assert_memory_equal(&r, &before, sizeof(r));
}

static void outputs_are_written_only_on_success(void **st)
{
	uint8_t bhs[SK_BHS_LEN + 1] = { 0x23 };

	(void)st;
	for (size_t n = 0; n < SK_BHS_LEN; n++)
		refused(bhs, n, "Login Response of");
	refused(bhs, SK_BHS_LEN + 1, "Login Response of 49 bytes");
	bhs[1] = 0xc0;
	refused(bhs, SK_BHS_LEN, "with both T and C set (RFC 7143, 11.13.7)");
	bhs[0] = 0x3f;
	refused(bhs, SK_BHS_LEN, "Reject (opcode 0x3f) where a Login Response is due");
}

static void text_pdus_go_both_ways(void **st)
{
	const struct sk_text_rsp r = { .cont = true,
				       .lun = 0x0102030405060708,
				       .itt = 1,
				       .ttt = 2,
				       .stat_sn = 3,
				       .exp_cmd_sn = 4,
				       .max_cmd_sn = 5 };
	const struct sk_text_req q = {
		.immediate = true, .final = true, .itt = 1, .ttt = SK_TAG_NONE, .cmd_sn = 6, .exp_stat_sn = 7
	};
	struct sk_text_rsp r2;
	struct sk_text_req q2;
	uint8_t bhs[SK_BHS_LEN];

	(void)st;
	sk_text_rsp_put(bhs, &r);
	assert_int_equal(bhs[1], 0x40);
	assert_int_equal(sk_text_rsp_get(sk_span(bhs, sizeof(bhs)), &r2, NULL), 0);
	assert_true(r2.lun == r.lun && r2.ttt == 2 && r2.stat_sn == 3 && r2.max_cmd_sn == 5 && r2.cont &&
		    !r2.final);
	sk_text_req_put(bhs, &q);
	assert_int_equal(bhs[0], 0x44);
	assert_int_equal(sk_text_req_get(sk_span(bhs, sizeof(bhs)), &q2, NULL), 0);
	assert_true(q2.immediate && q2.final && q2.ttt == SK_TAG_NONE && q2.cmd_sn == 6 && q2.exp_stat_sn == 7);
}

static void lengths_and_padding_are_put(void **st)
{
	struct sk_pdu pdu = { .bhs = { 0x43, 0, 0, 0, 9, 9, 9, 9 } };
	struct sk_buf out = { 0 };

	(void)st;
	sk_buf_str(&pdu.data, "hello");
	assert_int_equal(sk_pdu_put_wire(&out, &pdu, NULL), 0);
	assert_int_equal(out.n, 48 + 8);
	assert_memory_equal(out.p + 4, "\0\0\0\5", 4);
	assert_memory_equal(out.p + 48, "hello\0\0\0", 8);
	assert_int_equal(sk_pad4(0), 0);
	assert_int_equal(sk_pad4(1), 3);
	assert_int_equal(sk_pad4(4), 0);
	sk_buf_free(&out);
	sk_pdu_free(&pdu);
}

static void everything_has_a_name(void **st)
{
	(void)st;
	for (unsigned i = 0; i < 256; i++) {
		assert_non_null(sk_op_name((uint8_t)i));
		assert_non_null(sk_reject_text((uint8_t)i));
	}
	assert_string_equal(sk_op_name(0x43), "Login Request");
	assert_string_equal(sk_reject_text(4), "protocol error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_login_request_is_the_figure_of_the_rfc),
		cmocka_unit_test(a_login_response_is_the_figure_of_the_rfc),
		cmocka_unit_test(outputs_are_written_only_on_success),
		cmocka_unit_test(text_pdus_go_both_ways),
		cmocka_unit_test(lengths_and_padding_are_put),
		cmocka_unit_test(everything_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
