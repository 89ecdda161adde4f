/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "proto/digest.h"

/*
 * What no good target does. Each is one row: a PDU with one field changed, and the message that must name the PDU and
 * the field. The connection is lost with SK_EPROTO, nothing was written outside the buffers (rig_put checks the
 * guards), and every task is still there to be sent again.
 */

static uint8_t pattern[65536];

struct scene {
	struct rig r;
	struct sk_task *rd, *wr, *none;	/* read of 8192, write of 100000 after 8192 immediate bytes, no data */
	uint32_t i_rd, i_wr, i_none;
};

static void scene_open(struct scene *s, const struct sk_params *par)
{
	struct rig_pdu p;

	*s = (struct scene){ 0 };
	rig_open(&s->r, par, NULL);
	s->rd = rig_task(&s->r, SK_DIR_READ, 8192, 2);
	s->wr = rig_task(&s->r, SK_DIR_WRITE, 100000, 2);
	s->none = rig_task(&s->r, SK_DIR_NONE, 0, 1);
	rig_expect(&s->r, SK_OP_SCSI_CMD, &p);
	s->i_rd = sk_bhs_itt(p.bhs);
	rig_expect(&s->r, SK_OP_SCSI_CMD, &p);
	s->i_wr = sk_bhs_itt(p.bhs);
	rig_expect(&s->r, SK_OP_SCSI_CMD, &p);
	s->i_none = sk_bhs_itt(p.bhs);
}

/* Feed what was pushed: it must be refused with @msg (or accepted when @msg is NULL), and all three tasks survive. */
static void scene_close(struct scene *s, const char *msg)
{
	struct rig_pdu p;

	assert_int_equal(rig_feed(&s->r), msg ? -1 : 0);
	if (msg) {
		assert_string_equal(s->r.err.msg, msg);
		assert_int_equal(s->r.err.code, strstr(msg, "digest of") ? SK_ECONN : SK_EPROTO);
	}
	assert_null(sk_engine_next_done(s->r.e));
	assert_int_equal(sk_engine_inflight(s->r.e), 3);
	sk_engine_halt(s->r.e);
	assert_int_equal(sk_engine_resume(s->r.e, &s->r.par, &s->r.err), 0);
	s->r.up_at = s->r.up_n;
	for (int i = 0; i < 3; i++)
		rig_expect(&s->r, SK_OP_SCSI_CMD, &p);
	sk_engine_drop(s->r.e);
	assert_ptr_equal(rig_done(&s->r), s->rd);
	assert_ptr_equal(rig_done(&s->r), s->wr);
	assert_ptr_equal(rig_done(&s->r), s->none);
	assert_int_equal(s->rd->end, SK_END_LOST);
	rig_put(&s->r, s->rd);
	rig_put(&s->r, s->wr);
	rig_put(&s->r, s->none);
	rig_close(&s->r);
}

static void hostile_data_in(void **st)
{
	static const struct {
		int tag; /* 0 the read, 1 the write, 2 none */
		uint32_t sn, off, n;
		uint8_t flags;
		const char *msg;
	} rows[] = {
		{ 0, 0, 0, 4096, 0, NULL },
		{ 1, 0, 0, 16, 0, "Data-In: Initiator Task Tag 0x00004001 is not of a read" },
		{ 2, 0, 0, 16, 0, "Data-In: Initiator Task Tag 0x00006002 is not of a read" },
		{ 0, 1, 0, 16, 0, "Data-In: DataSN 1 where 0 is due" },
		{ 0, 0xffffffff, 0, 16, 0, "Data-In: DataSN 4294967295 where 0 is due" },
		{ 0, 0, 1, 16, 0, "Data-In: Buffer Offset 1 where 0 is due" },
		{ 0, 0, 0, 8193, 0, "Data-In: Buffer Offset 0 and 8193 bytes are outside the 8192 asked for" },
		{ 0, 0, 8192, 1, 0, "Data-In: Buffer Offset 8192 and 1 bytes are outside the 8192 asked for" },
		{ 0, 0, 0xfffffff0, 16, 0,
		  "Data-In: Buffer Offset 4294967280 and 16 bytes are outside the 8192 asked for" },
		{ 0, 0, 0xffffffff, 4096, 0,
		  "Data-In: Buffer Offset 4294967295 and 4096 bytes are outside the 8192 asked for" },
		{ 0, 0, 0, 16, SK_DATA_IN_STATUS, "Data-In: flags 0x01: status without the final bit" },
		{ 0, 0, 0, 16, 0x87, "Data-In: flags 0x87: overflow and underflow" },
	};

	(void)st;
	for (size_t i = 0; i < SK_ARRAY_LEN(rows); i++) {
		struct sk_params par = rig_params();
		struct scene s;
		uint32_t tags[3];

		scene_open(&s, &par);
		tags[0] = s.i_rd;
		tags[1] = s.i_wr;
		tags[2] = s.i_none;
		rig_data_in(&s.r, tags[rows[i].tag], rows[i].sn, rows[i].off, pattern, rows[i].n, rows[i].flags);
		scene_close(&s, rows[i].msg);
	}
}

static void unordered_data_in_still_stays_inside(void **st)
{
	struct sk_params par = rig_params();
	struct scene s;

	(void)st;
	par.data_pdu_in_order = false;
	scene_open(&s, &par);
	rig_data_in(&s.r, s.i_rd, 0, 4096, pattern, 4096, 0);
	rig_data_in(&s.r, s.i_rd, 1, 0, pattern, 4096, 0);
	assert_int_equal(rig_feed(&s.r), 0);
	rig_data_in(&s.r, s.i_rd, 2, 8000, pattern, 193, 0);
	scene_close(&s, "Data-In: Buffer Offset 8000 and 193 bytes are outside the 8192 asked for");
}

static void hostile_r2t(void **st)
{
	static const struct {
		int tag;
		uint32_t ttt, sn, off, len;
		const char *msg;
	} rows[] = {
		{ 1, 1, 0, 8192, 1000, NULL },
		{ 0, 1, 0, 0, 16, "R2T: Initiator Task Tag 0x00002000 is not of a write" },
		{ 1, 1, 1, 8192, 16, "R2T: R2TSN 1 where 0 is due" },
		{ 1, 1, 0, 8188, 16, "R2T: Buffer Offset 8188 is within the 8192 bytes sent unsolicited" },
		{ 1, 1, 0, 0, 8192, "R2T: Buffer Offset 0 is within the 8192 bytes sent unsolicited" },
		{ 1, 1, 0, 8192, 0, "R2T: Desired Data Transfer Length is 0" },
		{ 1, 0xffffffff, 0, 8192, 1, "R2T: Target Transfer Tag is the reserved value" },
		{ 1, 1, 0, 8192, 91809, "R2T: Buffer Offset 8192 and 91809 bytes are outside the 100000 of the write" },
		{ 1, 1, 0, 100000, 1, "R2T: Buffer Offset 100000 and 1 bytes are outside the 100000 of the write" },
		{ 1, 1, 0, 0xffffffff, 2, "R2T: Buffer Offset 4294967295 and 2 bytes are outside the 100000 of the write" },
		{ 1, 1, 0, 0xffff0000, 65536,
		  "R2T: Buffer Offset 4294901760 and 65536 bytes are outside the 100000 of the write" },
		{ 1, 1, 0, 0, 262145, "R2T: Desired Data Transfer Length 262145 is above MaxBurstLength 262144" },
		{ 1, 1, 0, 8192, 0xffffffff,
		  "R2T: Desired Data Transfer Length 4294967295 is above MaxBurstLength 262144" },
	};

	(void)st;
	for (size_t i = 0; i < SK_ARRAY_LEN(rows); i++) {
		struct sk_params par = rig_params();
		struct scene s;

		scene_open(&s, &par);
		rig_r2t(&s.r, rows[i].tag ? s.i_wr : s.i_rd, rows[i].ttt, rows[i].sn, rows[i].off, rows[i].len);
		scene_close(&s, rows[i].msg);
	}
}

static void more_r2ts_than_agreed(void **st)
{
	struct sk_params par = rig_params();
	struct scene s;

	(void)st;
	par.max_outstanding_r2t = 2;
	scene_open(&s, &par);
	rig_r2t(&s.r, s.i_wr, 1, 0, 8192, 1);
	rig_r2t(&s.r, s.i_wr, 2, 1, 8193, 1);
	rig_r2t(&s.r, s.i_wr, 3, 2, 8194, 1);
	scene_close(&s, "R2T: more than MaxOutstandingR2T=2 are outstanding");
	scene_open(&s, &par);
	rig_r2t(&s.r, s.i_wr, 1, 0, 9000, 100);
	rig_r2t(&s.r, s.i_wr, 2, 1, 9099, 1);
	scene_close(&s, "R2T: Buffer Offset 9099 where 9100 is due");
}

/* One header with one byte changed, and @n bytes of data. */
struct raw_row {
	uint8_t op;
	int at, value;	/* byte to change, -1: none */
	uint32_t n;
	const char *msg;
};

static void hostile_headers(void **st)
{
	static const struct raw_row rows[] = {
		{ SK_OP_SCSI_RSP, 18, 0x99, 0, "SCSI Response: Initiator Task Tag 0x00009902 belongs to no task" },
		{ SK_OP_SCSI_RSP, 27, 0x01, 0, "SCSI Response: StatSN 4294967041 where 4294967295 is due" },
		{ SK_OP_SCSI_RSP, 1, 0x86, 0, "SCSI Response: flags 0x86: overflow and underflow" },
		{ SK_OP_SCSI_RSP, 4, 1, 0, "opcode 0x21: TotalAHSLength 1, not 0" },
		{ SK_OP_TMF_RSP, -1, 0, 0, "Task Management Response: Initiator Task Tag 0x00006002 is not of a request" },
		{ SK_OP_TMF_RSP, -1, 0, 4, "Task Management Response: DataSegmentLength 4, not 0" },
		{ SK_OP_LOGOUT_RSP, -1, 0, 0, "Logout Response: Initiator Task Tag 0x00006002 belongs to no task" },
		{ SK_OP_NOP_IN, -1, 0, 0, "NOP-In: Initiator Task Tag 0x00006002 belongs to no task" },
		{ SK_OP_REJECT, -1, 0, 47, "Reject: 47 bytes where a header of 48 is due" },
		{ SK_OP_R2T, -1, 0, 8, "R2T: DataSegmentLength 8, not 0" },
		{ SK_OP_LOGIN_RSP, -1, 0, 0, "opcode 0x23 is not one a target may send now" },
		{ SK_OP_TEXT_RSP, -1, 0, 0, "opcode 0x24 is not one a target may send now" },
		{ SK_OP_SCSI_CMD, -1, 0, 0, "opcode 0x01 is not one a target may send now" },
		{ 0x3d, -1, 0, 0, "opcode 0x3d is not one a target may send now" },
	};

	(void)st;
	for (size_t i = 0; i < SK_ARRAY_LEN(rows); i++) {
		struct sk_params par = rig_params();
		uint8_t bhs[SK_BHS_LEN];
		struct scene s;

		scene_open(&s, &par);
		sk_bhs_start(bhs, rows[i].op, SK_BHS_FINAL, rows[i].n);
		sk_set_be32(bhs + 16, s.i_none);
		sk_set_be32(bhs + 20, SK_TAG_NONE);
		sk_peer_sn_put(bhs, &s.r.sn);
		if (rows[i].at >= 0)
			bhs[rows[i].at] = (uint8_t)rows[i].value;
		rig_push(&s.r, bhs, pattern, rows[i].n);
		scene_close(&s, rows[i].msg);
	}
}

static void lengths_above_our_limit(void **st)
{
	struct sk_params par = rig_params();
	uint8_t bhs[SK_BHS_LEN];
	struct scene s;

	(void)st;
	scene_open(&s, &par);
	sk_data_in_put(bhs, &(struct sk_data_in){ .itt = s.i_rd, .data_len = 0xffffff }, &s.r.sn);
	rig_push(&s.r, bhs, NULL, 0);
	scene_close(&s, "opcode 0x25: DataSegmentLength 16777215 is above our limit of 262144");
}

static void sense_longer_than_its_segment(void **st)
{
	struct sk_params par = rig_params();
	uint8_t bhs[SK_BHS_LEN], seg[200] = { 0, 199 };
	struct scene s;

	(void)st;
	scene_open(&s, &par);
	sk_scsi_rsp_put(bhs, &(struct sk_scsi_rsp){ .status = 2, .itt = s.i_none, .data_len = sizeof(seg) }, &s.r.sn);
	rig_push(&s.r, bhs, seg, sizeof(seg));
	scene_close(&s, "SCSI Response: SenseLength 199 is more than the data segment of 200 bytes holds");
	scene_open(&s, &par);
	sk_async_put(bhs, &(struct sk_async){ .data_len = 2 }, &s.r.sn);
	rig_push(&s.r, bhs, "\xff\xff", 2);
	scene_close(&s, "Async Message: SenseLength 65535 is more than the data segment of 2 bytes holds");
}

static void residual_above_what_was_asked(void **st)
{
	struct sk_params par = rig_params();
	uint8_t bhs[SK_BHS_LEN];
	struct scene s;

	(void)st;
	scene_open(&s, &par);
	sk_scsi_rsp_put(bhs, &(struct sk_scsi_rsp){ .flags = SK_RSP_UNDERFLOW, .itt = s.i_rd, .residual = 8193 },
			&s.r.sn);
	rig_push(&s.r, bhs, NULL, 0);
	scene_close(&s, "SCSI Response: Residual Count 8193 is above the 8192 bytes asked for");
}

static void the_same_tag_twice(void **st)
{
	struct sk_params par = rig_params();
	struct sk_task *t;
	struct rig r = { 0 };
	struct rig_pdu p;

	(void)st;
	rig_open(&r, &par, NULL);
	t = rig_task(&r, SK_DIR_NONE, 0, 1);
	rig_expect(&r, SK_OP_SCSI_CMD, &p);
	rig_rsp(&r, sk_bhs_itt(p.bhs), 0);
	rig_rsp(&r, sk_bhs_itt(p.bhs), 0);
	assert_int_equal(rig_feed(&r), -1);
	assert_ptr_equal(rig_done(&r), t);
	assert_null(sk_engine_next_done(r.e));
	rig_put(&r, t);
	rig_close(&r);
}

static void a_wrong_digest_ends_the_connection(void **st)
{
	(void)st;
	for (int which = 0; which < 3; which++) { /* header, data, padding */
		struct sk_params par = rig_params();
		struct scene s;

		par.header_digest = true;
		par.data_digest = true;
		scene_open(&s, &par);
		rig_data_in(&s.r, s.i_rd, 0, 0, pattern, 4095, 0);
		s.r.down[which == 0 ? 9 : which == 1 ? 52 + 1000 : 52 + 4095] ^= 0x10;
		scene_close(&s, which ? "data digest of a PDU with opcode 0x25 is wrong" :
					"header digest of a PDU with opcode 0x25 is wrong");
	}
}

static void a_flood_of_pings_or_events_is_bounded(void **st)
{
	struct sk_params par = rig_params();
	struct sk_engine_event ev;
	uint8_t bhs[SK_BHS_LEN];
	struct scene s;
	unsigned n = 0;

	(void)st;
	scene_open(&s, &par);
	for (unsigned i = 0; i < 1000; i++) {
		sk_async_put(bhs, &(struct sk_async){ .event = 1 }, &s.r.sn);
		s.r.sn.stat_sn++;
		rig_push(&s.r, bhs, NULL, 0);
	}
	assert_int_equal(rig_feed(&s.r), 0);
	while (sk_engine_next_event(s.r.e, &ev))
		n++;
	assert_in_range(n, 1, 64);
	for (unsigned i = 0; i < 33; i++) {
		sk_nop_in_put(bhs, &(struct sk_nop){ .itt = SK_TAG_NONE, .ttt = i }, &s.r.sn);
		rig_push(&s.r, bhs, NULL, 0);
	}
	scene_close(&s, "NOP-In: more than 32 unanswered pings");
}

static void parameters_that_cannot_be_are_refused(void **st)
{
	struct sk_engine_cfg cfg = { .max_tasks = 4096 };
	struct sk_params par = rig_params();
	struct sk_err err;

	(void)st;
	par.max_outstanding_r2t = 65535;
	assert_null(sk_engine_new(&cfg, &par, &err));
	assert_int_equal(err.code, SK_EINVAL);
	par = rig_params();
	cfg.max_tasks = 4097;
	assert_null(sk_engine_new(&cfg, &par, &err));
	cfg.max_tasks = 0;
	assert_null(sk_engine_new(&cfg, &par, &err));
	cfg.max_tasks = 1;
	par.max_xmit_dsl = 0;
	assert_null(sk_engine_new(&cfg, &par, &err));
	assert_int_equal(err.code, SK_EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hostile_data_in),
		cmocka_unit_test(unordered_data_in_still_stays_inside),
		cmocka_unit_test(hostile_r2t),
		cmocka_unit_test(more_r2ts_than_agreed),
		cmocka_unit_test(hostile_headers),
		cmocka_unit_test(lengths_above_our_limit),
		cmocka_unit_test(sense_longer_than_its_segment),
		cmocka_unit_test(residual_above_what_was_asked),
		cmocka_unit_test(the_same_tag_twice),
		cmocka_unit_test(a_wrong_digest_ends_the_connection),
		cmocka_unit_test(a_flood_of_pings_or_events_is_bounded),
		cmocka_unit_test(parameters_that_cannot_be_are_refused),
	};

	rig_pattern(pattern, 0, sizeof(pattern));
	return cmocka_run_group_tests_name("proto/engine_bad", tests, NULL, NULL);
}
