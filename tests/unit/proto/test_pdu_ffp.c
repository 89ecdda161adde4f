/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "proto/pdu_ffp_peer.h"

/* Each PDU against bytes laid out by hand from the figures of RFC 7143, 11, and back. */

static const struct sk_peer_sn sn = { 0x11121314, 0x21222324, 0x31323334 };

static void scsi_command(void **st)
{
	static const uint8_t cdb[16] = { 0x28, 0, 1, 2, 3, 4, 0, 0, 8 };
	static const uint8_t wire[SK_BHS_LEN] = {
		0x41, 0xe1, 0x50, 0, 2, 0x01, 0x02, 0x03, 0, 7, 0, 0, 0, 0, 0, 9, 0xa0, 0xa1, 0xa2, 0xa3, 0, 1, 0, 0,
		0xb0, 0xb1, 0xb2, 0xb3, 0xc0, 0xc1, 0xc2, 0xc3, 0x28, 0, 1, 2, 3, 4, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0,
	};
	struct sk_scsi_cmd c = {
		.flags = SK_BHS_FINAL | SK_CMD_READ | SK_CMD_WRITE | 1, .prio = 5, .immediate = true,
		.lun = 0x0007000000000009, .itt = 0xa0a1a2a3, .edtl = 65536, .cmd_sn = 0xb0b1b2b3,
		.exp_stat_sn = 0xc0c1c2c3, .data_len = 0x010203, .ahs_len = 8, .cdb = cdb,
	}, back;
	uint8_t bhs[SK_BHS_LEN];

	(void)st;
	memset(bhs, 0xff, sizeof(bhs));
	sk_scsi_cmd_put(bhs, &c);
	assert_memory_equal(bhs, wire, sizeof(wire));
	sk_scsi_cmd_get(bhs, &back);
	assert_memory_equal(back.cdb, cdb, 16);
	back.cdb = cdb;
	assert_true(back.flags == c.flags && back.prio == 5 && back.immediate && back.lun == c.lun && back.itt == c.itt &&
		    back.edtl == c.edtl && back.cmd_sn == c.cmd_sn && back.exp_stat_sn == c.exp_stat_sn &&
		    back.data_len == c.data_len && back.ahs_len == 8);
}

static void data_out_and_data_in(void **st)
{
	static const uint8_t out[SK_BHS_LEN] = {
		0x05, 0x80, 0, 0, 0, 0, 0x20, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 1, 0, 0, 0, 2,
		0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 0,
	};
	static const uint8_t in[SK_BHS_LEN] = {
		0x25, 0x83, 0, 0x08, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff,
		0x11, 0x12, 0x13, 0x14, 0x21, 0x22, 0x23, 0x24, 0x31, 0x32, 0x33, 0x34, 0, 0, 0, 6, 0, 0, 0, 7, 0, 0, 0, 8,
	};
	struct sk_data_out d = { true, 0x0102030405060708, 1, 2, 3, 4, 5, 0x2000 }, back;
	struct sk_data_in i = { .flags = 0x83, .status = 8, .itt = 1, .ttt = SK_TAG_NONE, .data_sn = 6, .offset = 7,
				.residual = 8, .data_len = 5 }, iback = { 0 };
	uint8_t bhs[SK_BHS_LEN];

	(void)st;
	sk_data_out_put(bhs, &d);
	assert_memory_equal(bhs, out, sizeof(out));
	sk_data_out_get(bhs, &back);
	assert_true(back.final && back.lun == d.lun && back.itt == 1 && back.ttt == 2 && back.exp_stat_sn == 3 &&
		    back.data_sn == 4 && back.offset == 5 && back.data_len == 0x2000);
	sk_data_in_put(bhs, &i, &sn);
	assert_memory_equal(bhs, in, sizeof(in));
	assert_int_equal(sk_data_in_get(bhs, &iback, NULL), 0);
	assert_true(iback.flags == 0x83 && iback.status == 8 && iback.itt == 1 && iback.ttt == SK_TAG_NONE &&
		    iback.data_sn == 6 && iback.offset == 7 && iback.residual == 8 && iback.data_len == 5);
	assert_true(sk_bhs_stat_sn(bhs) == sn.stat_sn && sk_bhs_exp_cmd_sn(bhs) == sn.exp_cmd_sn &&
		    sk_bhs_max_cmd_sn(bhs) == sn.max_cmd_sn);
}

static void scsi_response(void **st)
{
	static const uint8_t wire[SK_BHS_LEN] = {
		0x21, 0x82, 0, 2, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0x11, 0x12, 0x13, 0x14,
		0x21, 0x22, 0x23, 0x24, 0x31, 0x32, 0x33, 0x34, 0, 0, 0, 9, 0, 0, 0, 10, 0, 0, 0, 11,
	};
	struct sk_scsi_rsp r = { .flags = SK_RSP_UNDERFLOW, .status = 2, .itt = 1, .exp_data_sn = 9, .bidi_residual = 10,
				 .residual = 11, .data_len = 20 }, back = { 0 };
	uint8_t bhs[SK_BHS_LEN];

	(void)st;
	sk_scsi_rsp_put(bhs, &r, &sn);
	assert_memory_equal(bhs, wire, sizeof(wire));
	assert_int_equal(sk_scsi_rsp_get(bhs, &back, NULL), 0);
	assert_true(back.status == 2 && back.itt == 1 && back.exp_data_sn == 9 && back.bidi_residual == 10 &&
		    back.residual == 11 && back.data_len == 20);
}

static void task_management(void **st)
{
	static const uint8_t wire[SK_BHS_LEN] = {
		0x42, 0x81, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 3,
		0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 6, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0,
	};
	struct sk_tmf_req q = { 1, true, 1ULL << 48, 2, 3, 4, 5, 6, 7 }, back;
	struct sk_tmf_rsp r;
	uint8_t bhs[SK_BHS_LEN];

	(void)st;
	sk_tmf_req_put(bhs, &q);
	assert_memory_equal(bhs, wire, sizeof(wire));
	sk_tmf_req_get(bhs, &back);
	assert_true(back.function == 1 && back.immediate && back.lun == q.lun && back.itt == 2 && back.rtt == 3 &&
		    back.cmd_sn == 4 && back.exp_stat_sn == 5 && back.ref_cmd_sn == 6 && back.exp_data_sn == 7);
	sk_tmf_rsp_put(bhs, &(struct sk_tmf_rsp){ 255, 8 }, &sn);
	assert_int_equal(sk_tmf_rsp_get(bhs, &r, NULL), 0);
	assert_true(r.response == 255 && r.itt == 8);
}

static void r2t(void **st)
{
	struct sk_r2t r = { 0x0102030405060708, 1, 2, 3, 4, 5 }, back;
	uint8_t bhs[SK_BHS_LEN];

	(void)st;
	sk_r2t_put(bhs, &r, &sn);
	assert_int_equal(bhs[0], 0x31);
	assert_int_equal(sk_be32(bhs + 36), 3);
	assert_int_equal(sk_be32(bhs + 40), 4);
	assert_int_equal(sk_be32(bhs + 44), 5);
	assert_int_equal(sk_r2t_get(bhs, &back, NULL), 0);
	assert_memory_equal(&back, &r, sizeof(r));
}

static void nop_logout_snack(void **st)
{
	static const uint8_t snack[SK_BHS_LEN] = {
		0x10, 0x82, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3,
		0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 6,
	};
	struct sk_snack s = { SK_SNACK_DATA_ACK, 1, 2, 3, 4, 5, 6 }, sback;
	struct sk_nop n = { 1, 2, 3, 4, 5, 6 }, nback;
	struct sk_logout_req q = { 1, true, 7, 2, 3, 4 }, qback;
	struct sk_logout_rsp r;
	uint8_t bhs[SK_BHS_LEN];

	(void)st;
	sk_snack_put(bhs, &s);
	assert_memory_equal(bhs, snack, sizeof(snack));
	sk_snack_get(bhs, &sback);
	assert_true(sback.type == s.type && sback.lun == 1 && sback.itt == 2 && sback.ttt == 3 && sback.exp_stat_sn == 4 &&
		    sback.beg_run == 5 && sback.run_length == 6);
	sk_nop_out_put(bhs, &n);
	assert_int_equal(bhs[0], 0x40);
	sk_nop_out_get(bhs, &nback);
	assert_memory_equal(&nback, &n, sizeof(n));
	sk_nop_in_put(bhs, &n, &sn);
	sk_nop_in_get(bhs, &nback);
	assert_true(nback.lun == 1 && nback.itt == 2 && nback.ttt == 3 && nback.data_len == 6 && bhs[0] == 0x20);
	sk_logout_req_put(bhs, &q);
	assert_true(bhs[0] == 0x46 && bhs[1] == 0x81 && sk_be16(bhs + 20) == 7);
	sk_logout_req_get(bhs, &qback);
	assert_true(qback.reason == 1 && qback.cid == 7 && qback.itt == 2 && qback.cmd_sn == 3 && qback.exp_stat_sn == 4);
	sk_logout_rsp_put(bhs, &(struct sk_logout_rsp){ 3, 9, 10, 11 }, &sn);
	assert_int_equal(sk_logout_rsp_get(bhs, &r, NULL), 0);
	assert_true(r.response == 3 && r.itt == 9 && r.time2wait == 10 && r.time2retain == 11);
}

static void async_and_reject(void **st)
{
	struct sk_async a = { 1, 2, 3, 4, 5, 6, 7 }, aback;
	struct sk_reject j = { 4, 5, 48 }, jback;
	uint8_t bhs[SK_BHS_LEN];

	(void)st;
	sk_async_put(bhs, &a, &sn);
	assert_true(bhs[0] == 0x32 && bhs[36] == 2 && bhs[37] == 3 && sk_be16(bhs + 38) == 4 && sk_be16(bhs + 42) == 6);
	assert_int_equal(sk_bhs_itt(bhs), SK_TAG_NONE);
	sk_async_get(bhs, &aback);
	assert_true(aback.lun == 1 && aback.event == 2 && aback.vcode == 3 && aback.param1 == 4 && aback.param2 == 5 &&
		    aback.param3 == 6 && aback.data_len == 7);
	sk_reject_put(bhs, &j, &sn);
	assert_true(bhs[0] == 0x3f && bhs[2] == 4);
	assert_int_equal(sk_reject_get(bhs, &jback, NULL), 0);
	assert_memory_equal(&jback, &j, sizeof(j));
}

static void a_refused_pdu_leaves_the_output_alone(void **st)
{
	struct sk_data_in d = { .offset = 77 };
	struct sk_r2t r = { .offset = 77 };
	struct sk_scsi_rsp s = { .residual = 77 };
	struct sk_err err = { 0 };
	uint8_t bhs[SK_BHS_LEN] = { SK_OP_DATA_IN, SK_DATA_IN_STATUS };

	(void)st;
	assert_int_equal(sk_data_in_get(bhs, &d, &err), -1);
	assert_int_equal(err.code, SK_EPROTO);
	assert_int_equal(d.offset, 77);
	assert_int_equal(sk_r2t_get(bhs, &r, &err), -1); /* length 0 */
	assert_int_equal(r.offset, 77);
	bhs[1] = 0x86;
	assert_int_equal(sk_scsi_rsp_get(bhs, &s, &err), -1);
	assert_int_equal(s.residual, 77);
}

static void additional_header_segments(void **st)
{
	static const uint8_t cdb[5] = { 1, 2, 3, 4, 5 };
	static const uint8_t wire[] = { 0, 6, 1, 0, 1, 2, 3, 4, 5, 0, 0, 0, 0, 5, 2, 0, 0, 1, 0, 0 };
	struct sk_wr out;
	uint8_t buf[64];
	struct sk_rd in;
	struct sk_ahs a;

	(void)st;
	out = (struct sk_wr){ .p = buf, .left = sizeof(buf) };
	sk_ahs_put_ext_cdb(&out, sk_span(cdb, sizeof(cdb)));
	sk_ahs_put_bidi_read_len(&out, 65536);
	assert_false(out.full);
	assert_int_equal(out.done, sizeof(wire));
	assert_memory_equal(buf, wire, sizeof(wire));
	in = (struct sk_rd){ { wire, sizeof(wire) }, false };
	assert_int_equal(sk_ahs_get(&in, &a, NULL), 1);
	assert_true(a.type == SK_AHS_EXT_CDB && a.spec.n == 5 && !memcmp(a.spec.p, cdb, 5));
	assert_int_equal(sk_ahs_get(&in, &a, NULL), 1);
	assert_true(a.type == SK_AHS_BIDI_READ_LEN && a.spec.n == 4 && sk_be32(a.spec.p) == 65536);
	assert_int_equal(sk_ahs_get(&in, &a, NULL), 0);
	for (size_t cut = 1; cut < 12; cut++) { /* every cut within the first one */
		in = (struct sk_rd){ { wire, cut }, false };
		assert_int_equal(sk_ahs_get(&in, &a, NULL), -1);
	}
	out = (struct sk_wr){ .p = buf, .left = 11 };
	sk_ahs_put_ext_cdb(&out, sk_span(cdb, sizeof(cdb)));
	assert_true(out.full);
}

static void sense_in_its_segment(void **st)
{
	static const uint8_t seg[] = { 0, 4, 0x70, 1, 2, 3, 9, 9 };
	struct sk_span s;

	(void)st;
	assert_int_equal(sk_sense_get(sk_span(seg, sizeof(seg)), sizeof(seg), &s, NULL), 0);
	assert_true(s.n == 4 && s.p == seg + 2);
	assert_int_equal(sk_sense_get(sk_span(seg, 4), sizeof(seg), &s, NULL), 0); /* only the front was kept */
	assert_int_equal(s.n, 2);
	assert_int_equal(sk_sense_get(sk_span(seg, 5), 5, &s, NULL), -1);
	assert_int_equal(sk_sense_get(sk_span(seg, 1), 1, &s, NULL), 0);
	assert_int_equal(s.n, 0);
	assert_int_equal(sk_sense_get(sk_span(seg, 1), 8, &s, NULL), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scsi_command),
		cmocka_unit_test(data_out_and_data_in),
		cmocka_unit_test(scsi_response),
		cmocka_unit_test(task_management),
		cmocka_unit_test(r2t),
		cmocka_unit_test(nop_logout_snack),
		cmocka_unit_test(async_and_reject),
		cmocka_unit_test(a_refused_pdu_leaves_the_output_alone),
		cmocka_unit_test(additional_header_segments),
		cmocka_unit_test(sense_in_its_segment),
	};

	return cmocka_run_group_tests_name("proto/pdu_ffp", tests, NULL, NULL);
}
