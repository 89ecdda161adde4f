/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"

/* Conversations a good target holds: data both ways, statuses, windows, digests, and any cut of the stream. */

#define S_F (SK_BHS_FINAL | SK_DATA_IN_STATUS)

static uint8_t pattern[1 << 20];

static void feed_ok(struct rig *r)
{
	if (rig_feed(r) < 0)
		fail_msg("%s", r->err.msg);
}

static void a_read_with_its_status_in_the_last_data_in(void **st)
{
	struct sk_params par = rig_params();
	struct rig r = { 0 };
	struct rig_pdu p;
	struct sk_task *t;

	(void)st;
	rig_open(&r, &par, NULL);
	t = rig_task_held(&r, SK_DIR_READ, 8192, 1);
	memcpy(t->cdb, "\x28\0\0\0\0\x07\0\0\x10", 10);
	t->owner = &r;
	t->cookie = 77;
	sk_engine_submit(r.e, t);
	rig_expect(&r, SK_OP_SCSI_CMD, &p);
	assert_int_equal(p.bhs[0], 0x01);
	assert_int_equal(p.bhs[1], 0xc1);
	assert_int_equal(p.n, 0);
	assert_int_equal(sk_bhs_lun(p.bhs), 1ULL << 48);
	assert_int_equal(sk_be32(p.bhs + 20), 8192);
	assert_int_equal(sk_be32(p.bhs + 24), 0xfffffffe);
	assert_int_equal(sk_be32(p.bhs + 28), 0xffffffff);
	assert_memory_equal(p.bhs + 32, t->cdb, 16);
	assert_false(rig_next(&r, &p));
	rig_data_in(&r, sk_bhs_itt(p.bhs), 0, 0, pattern, 4096, 0);
	rig_data_in(&r, sk_bhs_itt(p.bhs), 1, 4096, pattern + 4096, 4096, S_F);
	feed_ok(&r);
	assert_ptr_equal(rig_done(&r), t);
	assert_null(sk_engine_next_done(r.e));
	assert_int_equal(t->end, SK_END_STATUS);
	assert_int_equal(t->scsi_status, 0);
	assert_int_equal(t->transferred, 8192);
	assert_false(t->underflow || t->overflow);
	assert_int_equal(t->cookie, 77);
	assert_true(rig_filled(t, 8192));
	rig_put(&r, t);
	assert_int_equal(sk_engine_inflight(r.e), 0);
	rig_close(&r);
}

static void check_condition_carries_sense(void **st)
{
	struct sk_params par = rig_params();
	uint8_t bhs[SK_BHS_LEN], seg[2 + 18 + 6] = { 0, 18, 0x70, 0, 0x05, [14] = 0x24 };
	struct rig r = { 0 };
	struct rig_pdu p;
	struct sk_task *t;

	(void)st;
	rig_open(&r, &par, NULL);
	t = rig_task(&r, SK_DIR_READ, 4096, 1);
	rig_expect(&r, SK_OP_SCSI_CMD, &p);
	sk_scsi_rsp_put(bhs, &(struct sk_scsi_rsp){ .flags = SK_RSP_UNDERFLOW, .status = 2, .itt = sk_bhs_itt(p.bhs),
						    .residual = 4096, .data_len = sizeof(seg) }, &r.sn);
	rig_push(&r, bhs, seg, sizeof(seg));
	feed_ok(&r);
	assert_ptr_equal(rig_done(&r), t);
	assert_int_equal(t->end, SK_END_STATUS);
	assert_int_equal(t->scsi_status, 2);
	assert_int_equal(t->sense_len, 18);
	assert_memory_equal(t->sense, seg + 2, 18);
	assert_true(t->underflow);
	assert_int_equal(t->residual, 4096);
	assert_true(rig_filled(t, 0));
	rig_put(&r, t);
	rig_close(&r);
}

static void a_good_read_that_is_short_says_so(void **st)
{
	struct sk_params par = rig_params();
	struct rig r = { 0 };
	struct rig_pdu p;
	struct sk_task *t;

	(void)st;
	rig_open(&r, &par, NULL);
	t = rig_task(&r, SK_DIR_READ, 4096, 1);
	rig_expect(&r, SK_OP_SCSI_CMD, &p);
	rig_data_in(&r, sk_bhs_itt(p.bhs), 0, 0, pattern, 1000, S_F); /* no residual told */
	feed_ok(&r);
	assert_ptr_equal(rig_done(&r), t);
	assert_int_equal(t->transferred, 1000);
	assert_true(t->underflow);
	assert_int_equal(t->residual, 3096);
	assert_true(rig_filled(t, 1000));
	rig_put(&r, t);
	rig_close(&r);
}

/* Nothing stops a target from answering GOOD before it can have the data. */
static void a_write_answered_before_its_data_was_sent_says_so(void **st)
{
	struct sk_params par = rig_params();
	struct rig r = { 0 };
	struct rig_pdu p;
	struct sk_task *t;

	(void)st;
	rig_open(&r, &par, NULL);
	t = rig_task(&r, SK_DIR_WRITE, 32768, 1);
	rig_expect(&r, SK_OP_SCSI_CMD, &p);
	rig_r2t(&r, sk_bhs_itt(p.bhs), 7, 0, p.n, 32768 - p.n);
	rig_rsp(&r, sk_bhs_itt(p.bhs), 0);
	feed_ok(&r);
	assert_ptr_equal(rig_done(&r), t);
	assert_int_equal(t->end, SK_END_STATUS);
	assert_int_equal(t->transferred, p.n);
	rig_put(&r, t);
	rig_close(&r);
}

static void response_other_than_0_is_not_a_status(void **st)
{
	struct sk_params par = rig_params();
	uint8_t bhs[SK_BHS_LEN];
	struct rig r = { 0 };
	struct rig_pdu p;
	struct sk_task *t;

	(void)st;
	rig_open(&r, &par, NULL);
	t = rig_task(&r, SK_DIR_NONE, 0, 1);
	rig_expect(&r, SK_OP_SCSI_CMD, &p);
	assert_int_equal(p.bhs[1], 0x81);
	sk_scsi_rsp_put(bhs, &(struct sk_scsi_rsp){ .response = 1, .status = 8, .itt = sk_bhs_itt(p.bhs) }, &r.sn);
	rig_push(&r, bhs, NULL, 0);
	feed_ok(&r);
	assert_ptr_equal(rig_done(&r), t);
	assert_int_equal(t->end, SK_END_REJECTED);
	assert_int_equal(t->response, 1);
	assert_int_equal(t->scsi_status, 0);
	rig_put(&r, t);
	rig_close(&r);
}

/* Take Data-Out PDUs that cover [off, end) of the pattern; the last is final, and only that one. */
static void expect_data_out(struct rig *r, uint32_t itt, uint32_t ttt, uint32_t off, uint32_t end)
{
	struct sk_data_out d;
	struct rig_pdu p;

	for (uint32_t sn = 0; off < end; sn++) {
		rig_expect(r, SK_OP_DATA_OUT, &p);
		sk_data_out_get(p.bhs, &d);
		assert_int_equal(d.itt, itt);
		assert_int_equal(d.ttt, ttt);
		assert_int_equal(d.data_sn, sn);
		assert_int_equal(d.offset, off);
		assert_true(p.n > 0 && p.n <= r->par.max_xmit_dsl && p.n <= end - off);
		assert_memory_equal(p.data, pattern + off, p.n);
		off += p.n;
		assert_int_equal(d.final, off == end);
	}
}

struct shape {
	bool initial_r2t, immediate;
	uint32_t len, imm, unsol;	/* what is due for a first burst of 65536 and PDUs of 8192 */
};

static void writes_send_what_was_agreed_without_being_asked(void **st)
{
	static const struct shape shapes[] = {
		{ true, true, 131072, 8192, 0 },  { true, true, 100, 100, 0 },	     { true, false, 131072, 0, 0 },
		{ false, true, 131072, 8192, 57344 }, { false, false, 131072, 0, 65536 }, { false, true, 12345, 8192, 4153 },
		{ false, false, 512, 0, 512 },	  { true, true, 8192, 8192, 0 },
	};

	(void)st;
	for (size_t i = 0; i < SK_ARRAY_LEN(shapes); i++) {
		const struct shape *s = &shapes[i];
		struct sk_params par = rig_params();
		uint32_t itt, sent = s->imm + s->unsol;
		struct rig r = { 0 };
		struct rig_pdu p;
		struct sk_task *t;

		par.initial_r2t = s->initial_r2t;
		par.immediate_data = s->immediate;
		par.data_digest = i & 1;
		par.header_digest = i & 2;
		rig_open(&r, &par, NULL);
		t = rig_task(&r, SK_DIR_WRITE, s->len, 3);
		rig_expect(&r, SK_OP_SCSI_CMD, &p);
		itt = sk_bhs_itt(p.bhs);
		assert_int_equal(p.bhs[1], (s->unsol ? 0 : 0x80) | 0x21);
		assert_int_equal(p.n, s->imm);
		assert_memory_equal(p.data, pattern, p.n);
		expect_data_out(&r, itt, SK_TAG_NONE, s->imm, sent);
		assert_false(rig_next(&r, &p));
		if (s->len > sent) {
			rig_r2t(&r, itt, 0x1234, 0, sent, s->len - sent);
			feed_ok(&r);
			expect_data_out(&r, itt, 0x1234, sent, s->len);
			assert_false(rig_next(&r, &p));
		}
		rig_rsp(&r, itt, 0);
		feed_ok(&r);
		assert_ptr_equal(rig_done(&r), t);
		assert_int_equal(t->transferred, s->len);
		rig_put(&r, t);
		rig_close(&r);
	}
}

static void several_r2ts_are_answered_in_their_order(void **st)
{
	struct sk_params par = rig_params();
	struct rig r = { 0 };
	struct sk_task *t;
	struct rig_pdu p;
	uint32_t itt;

	(void)st;
	par.max_outstanding_r2t = 4;
	par.immediate_data = false;
	rig_open(&r, &par, NULL);
	t = rig_task(&r, SK_DIR_WRITE, 100000, 7);
	rig_expect(&r, SK_OP_SCSI_CMD, &p);
	itt = sk_bhs_itt(p.bhs);
	rig_r2t(&r, itt, 10, 0, 0, 20000);
	rig_r2t(&r, itt, 11, 1, 20000, 30000);
	rig_r2t(&r, itt, 12, 2, 50000, 1);
	rig_r2t(&r, itt, 13, 3, 50001, 9999);
	feed_ok(&r);
	expect_data_out(&r, itt, 10, 0, 20000);
	expect_data_out(&r, itt, 11, 20000, 50000);
	expect_data_out(&r, itt, 12, 50000, 50001);
	expect_data_out(&r, itt, 13, 50001, 60000);
	rig_r2t(&r, itt, 14, 4, 60000, 40000);
	feed_ok(&r);
	expect_data_out(&r, itt, 14, 60000, 100000);
	rig_rsp(&r, itt, 0);
	feed_ok(&r);
	rig_put(&r, rig_done(&r));
	assert_int_equal(sk_engine_stats(r.e)->r2t, 5);
	(void)t;
	rig_close(&r);
}

static void a_large_write_does_not_starve_commands(void **st)
{
	struct sk_params par = rig_params();
	struct rig r = { 0 };
	struct rig_pdu p;
	uint32_t itt[2], data = 0;
	bool other = false;

	(void)st;
	par.immediate_data = false;
	par.max_burst = 4U << 20;
	par.max_xmit_dsl = 65536;
	rig_open(&r, &par, NULL);
	rig_task(&r, SK_DIR_WRITE, 1U << 20, 1);
	rig_task(&r, SK_DIR_WRITE, 1U << 20, 1);
	for (int i = 0; i < 2; i++) {
		rig_expect(&r, SK_OP_SCSI_CMD, &p);
		itt[i] = sk_bhs_itt(p.bhs);
		rig_r2t(&r, itt[i], 5, 0, 0, 1U << 20);
	}
	feed_ok(&r);
	rig_task(&r, SK_DIR_READ, 4096, 1);
	do {
		assert_true(rig_next(&r, &p));
		data += p.n;
		other |= sk_bhs_op(p.bhs) == SK_OP_DATA_OUT && sk_bhs_itt(p.bhs) == itt[1];
	} while (sk_bhs_op(p.bhs) != SK_OP_SCSI_CMD);
	assert_true(data <= 512U << 10); /* a quantum, not the whole burst */
	while (rig_next(&r, &p))
		other |= sk_bhs_itt(p.bhs) == itt[1] && data < 1U << 20;
	assert_true(other);
	sk_engine_drop(r.e);
	for (int i = 0; i < 3; i++)
		rig_put(&r, rig_done(&r));
	rig_close(&r);
}

static void a_closed_window_holds_commands_and_lets_immediate_pdus_pass(void **st)
{
	struct sk_params par = rig_params();
	uint8_t bhs[SK_BHS_LEN];
	struct rig r = { 0 };
	struct rig_pdu p;

	(void)st;
	par.max_cmd_sn = par.cmd_sn + 1; /* two */
	rig_open(&r, &par, NULL);
	for (int i = 0; i < 4; i++)
		rig_task(&r, SK_DIR_NONE, 0, 1);
	rig_expect(&r, SK_OP_SCSI_CMD, &p);
	rig_expect(&r, SK_OP_SCSI_CMD, &p);
	assert_int_equal(sk_be32(p.bhs + 24), 0xffffffff);
	assert_false(rig_next(&r, &p));
	assert_true(sk_engine_tx_idle(r.e));
	assert_int_equal(sk_engine_ping(r.e, 5, &r.err), 0);
	assert_false(sk_engine_tx_idle(r.e));
	rig_expect(&r, SK_OP_NOP_OUT, &p);
	assert_int_equal(p.bhs[0], 0x40);
	assert_int_equal(sk_be32(p.bhs + 24), 0); /* current CmdSN, not advanced */
	r.sn.exp_cmd_sn = 5; /* contradicts itself: MaxCmdSN < ExpCmdSN - 1: ignored */
	r.sn.max_cmd_sn = 2;
	sk_nop_in_put(bhs, &(struct sk_nop){ .itt = SK_TAG_NONE, .ttt = SK_TAG_NONE }, &r.sn);
	rig_push(&r, bhs, NULL, 0);
	feed_ok(&r);
	assert_false(rig_next(&r, &p));
	r.sn.exp_cmd_sn = 0;
	r.sn.max_cmd_sn = 0;
	sk_nop_in_put(bhs, &(struct sk_nop){ .itt = SK_TAG_NONE, .ttt = SK_TAG_NONE }, &r.sn);
	rig_push(&r, bhs, NULL, 0);
	feed_ok(&r);
	rig_expect(&r, SK_OP_SCSI_CMD, &p);
	assert_int_equal(sk_be32(p.bhs + 24), 0);
	assert_false(rig_next(&r, &p));
	sk_engine_drop(r.e);
	for (int i = 0; i < 4; i++)
		rig_put(&r, rig_done(&r));
	rig_close(&r);
}

static void pings_both_ways(void **st)
{
	struct sk_params par = rig_params();
	struct sk_engine_event ev;
	uint8_t bhs[SK_BHS_LEN];
	struct rig r = { 0 };
	struct rig_pdu p;

	(void)st;
	rig_open(&r, &par, NULL);
	sk_nop_in_put(bhs, &(struct sk_nop){ .lun = 3, .itt = SK_TAG_NONE, .ttt = 0xabc }, &r.sn);
	rig_push(&r, bhs, NULL, 0);
	feed_ok(&r);
	rig_expect(&r, SK_OP_NOP_OUT, &p);
	assert_int_equal(p.bhs[0], 0x40);
	assert_int_equal(sk_bhs_itt(p.bhs), SK_TAG_NONE);
	assert_int_equal(sk_bhs_ttt(p.bhs), 0xabc);
	assert_int_equal(sk_bhs_lun(p.bhs), 3);
	assert_int_equal(sk_be32(p.bhs + 28), 0xffffffff); /* its StatSN was not consumed */
	assert_false(sk_engine_next_event(r.e, &ev));

	assert_int_equal(sk_engine_ping(r.e, 42, &r.err), 0);
	assert_int_equal(sk_engine_ping(r.e, 43, &r.err), -1);
	assert_int_equal(r.err.code, SK_EAGAIN);
	rig_expect(&r, SK_OP_NOP_OUT, &p);
	assert_int_not_equal(sk_bhs_itt(p.bhs), SK_TAG_NONE);
	assert_int_equal(sk_bhs_ttt(p.bhs), SK_TAG_NONE);
	sk_nop_in_put(bhs, &(struct sk_nop){ .itt = sk_bhs_itt(p.bhs), .ttt = SK_TAG_NONE }, &r.sn);
	r.sn.stat_sn++;
	rig_push(&r, bhs, NULL, 0);
	feed_ok(&r);
	assert_true(sk_engine_next_event(r.e, &ev));
	assert_int_equal(ev.kind, SK_EV_PONG);
	assert_int_equal(ev.cookie, 42);
	assert_int_equal(sk_engine_ping(r.e, 44, &r.err), 0);
	rig_expect(&r, SK_OP_NOP_OUT, &p);
	assert_int_equal(sk_be32(p.bhs + 28), 0); /* ExpStatSN has moved over the wrap */
	rig_close(&r);
}

static void async_messages_and_rejects_are_told(void **st)
{
	struct sk_params par = rig_params();
	uint8_t bhs[SK_BHS_LEN], seg[20] = { 0, 18, 0x70, 0, 6 }, bad[SK_BHS_LEN] = { SK_OP_SNACK_REQ };
	struct sk_engine_event ev;
	struct rig r = { 0 };

	(void)st;
	rig_open(&r, &par, NULL);
	sk_async_put(bhs, &(struct sk_async){ .lun = 9, .data_len = sizeof(seg) }, &r.sn);
	r.sn.stat_sn++;
	rig_push(&r, bhs, seg, sizeof(seg));
	sk_async_put(bhs, &(struct sk_async){ .event = 1, .vcode = 2, .param1 = 3, .param2 = 4, .param3 = 5 }, &r.sn);
	r.sn.stat_sn++;
	rig_push(&r, bhs, NULL, 0);
	sk_reject_put(bhs, &(struct sk_reject){ .reason = SK_REJECT_SNACK, .data_len = sizeof(bad) }, &r.sn);
	r.sn.stat_sn++;
	rig_push(&r, bhs, bad, sizeof(bad));
	feed_ok(&r);
	assert_true(sk_engine_next_event(r.e, &ev));
	assert_int_equal(ev.kind, SK_EV_ASYNC);
	assert_int_equal(ev.lun, 9);
	assert_int_equal(ev.sense_len, 18);
	assert_memory_equal(ev.sense, seg + 2, 18);
	assert_true(sk_engine_next_event(r.e, &ev));
	assert_true(ev.code == 1 && ev.vcode == 2 && ev.param1 == 3 && ev.param2 == 4 && ev.param3 == 5);
	assert_true(sk_engine_next_event(r.e, &ev));
	assert_int_equal(ev.kind, SK_EV_REJECT);
	assert_int_equal(ev.code, SK_REJECT_SNACK);
	assert_false(sk_engine_next_event(r.e, &ev));
	rig_close(&r);
}

/* Whatever the reason, known or not: no 30 seconds until a deadline. */
static void a_rejected_command_is_over(void **st)
{
	static const uint8_t others[] = { SK_REJECT_SNACK, SK_REJECT_IN_PROGRESS, SK_REJECT_DATA_ACK,
					  SK_REJECT_WAIT_LOGOUT };
	struct sk_params par = rig_params();

	(void)st;
	for (unsigned reason = 0; reason <= 0xff; reason++) {
		bool stays = memchr(others, (int)reason, sizeof(others));
		uint8_t bhs[SK_BHS_LEN];
		struct rig r = { .wire = 65536 };
		struct rig_pdu p;
		struct sk_task *t;

		rig_open(&r, &par, NULL);
		t = rig_task(&r, SK_DIR_READ, 512, 1);
		rig_expect(&r, SK_OP_SCSI_CMD, &p);
		sk_reject_put(bhs, &(struct sk_reject){ .reason = (uint8_t)reason, .data_len = SK_BHS_LEN }, &r.sn);
		r.sn.stat_sn++;
		rig_push(&r, bhs, p.bhs, SK_BHS_LEN);
		rig_rsp(&r, sk_bhs_itt(p.bhs), 0);	/* an answer all the same: too late, or the right one */
		feed_ok(&r);
		assert_ptr_equal(rig_done(&r), t);
		assert_int_equal(t->end, stays ? SK_END_STATUS : SK_END_REJECTED);
		if (!stays)
			assert_int_equal(t->response, reason);
		rig_put(&r, t);
		rig_close(&r);
	}
}

static void a_task_is_not_done_while_its_data_waits_to_be_sent(void **st)
{
	struct sk_params par = rig_params();
	struct iovec iov[64];
	struct rig r = { 0 };
	struct sk_task *t;
	size_t sum = 0;
	int n;

	(void)st;
	rig_open(&r, &par, NULL);
	t = rig_task(&r, SK_DIR_WRITE, 4096, 1);
	n = sk_engine_tx(r.e, iov, 64);
	for (int i = 0; i < n; i++)
		sum += iov[i].iov_len;
	assert_int_equal(sum, 48 + 4096);
	sk_engine_tx_done(r.e, 1000); /* the socket is full in the middle of the data */
	rig_rsp(&r, t->x.itt, 2);
	feed_ok(&r);
	assert_null(sk_engine_next_done(r.e));
	assert_int_equal(sk_engine_inflight(r.e), 1);
	n = sk_engine_tx(r.e, iov, 64);
	assert_int_equal(n, 1);
	assert_int_equal(iov[0].iov_len, sum - 1000);
	assert_false(sk_engine_pending(r.e));
	sk_engine_tx_done(r.e, iov[0].iov_len);
	assert_true(sk_engine_pending(r.e));
	assert_ptr_equal(rig_done(&r), t);
	assert_int_equal(t->scsi_status, 2);
	rig_put(&r, t);
	rig_close(&r);
}

/* One conversation with everything in it, for any cut of the stream. */
static size_t conversation(const struct sk_params *par, size_t chunk, size_t cut_at, int iov_max, size_t tx_max)
{
	struct sk_engine_cfg cfg = { .max_tasks = 4, .stage_bytes = 4096 };
	struct rig r = { .chunk = chunk, .cut_at = cut_at, .iov_max = iov_max, .tx_max = tx_max, .wire = 32768 };
	uint8_t bhs[SK_BHS_LEN], sense[7] = { 0, 5, 0x72, 5, 0x24, 0, 0 };
	struct sk_task *rd, *wr, *bad;
	uint32_t i_rd, i_wr, i_bad;
	struct rig_pdu p;
	size_t fed;

	rig_open(&r, par, &cfg);
	rd = rig_task(&r, SK_DIR_READ, 700, 3);
	wr = rig_task(&r, SK_DIR_WRITE, 9001, 4);
	bad = rig_task(&r, SK_DIR_READ, 64, 1);
	rig_expect(&r, SK_OP_SCSI_CMD, &p);
	i_rd = sk_bhs_itt(p.bhs);
	rig_expect(&r, SK_OP_SCSI_CMD, &p);
	i_wr = sk_bhs_itt(p.bhs);
	assert_int_equal(p.n, 8192);
	rig_expect(&r, SK_OP_SCSI_CMD, &p);
	i_bad = sk_bhs_itt(p.bhs);
	rig_data_in(&r, i_rd, 0, 0, pattern, 333, 0);
	rig_r2t(&r, i_wr, 7, 0, 8192, 809);
	sk_scsi_rsp_put(bhs, &(struct sk_scsi_rsp){ .status = 2, .itt = i_bad, .data_len = 7 }, &r.sn);
	r.sn.stat_sn++;
	rig_push(&r, bhs, sense, 7);
	rig_data_in(&r, i_rd, 1, 333, pattern + 333, 366, 0);
	rig_data_in(&r, i_rd, 2, 699, pattern + 699, 1, S_F);
	feed_ok(&r);
	expect_data_out(&r, i_wr, 7, 8192, 9001);
	rig_rsp(&r, i_wr, 0);
	feed_ok(&r);
	assert_ptr_equal(rig_done(&r), bad);
	assert_int_equal(bad->sense_len, 5);
	assert_ptr_equal(rig_done(&r), rd);
	assert_true(rig_filled(rd, 700));
	assert_ptr_equal(rig_done(&r), wr);
	rig_put(&r, rd);
	rig_put(&r, wr);
	rig_put(&r, bad);
	fed = r.fed;
	rig_close(&r);
	return fed;
}

static void any_cut_of_the_stream_gives_the_same(void **st)
{
	(void)st;
	for (int digests = 0; digests < 4; digests++) {
		struct sk_params par = rig_params();
		size_t all;

		par.header_digest = digests & 1;
		par.data_digest = digests & 2;
		all = conversation(&par, 0, 0, 0, 0);
		for (size_t chunk = 1; chunk <= 60; chunk++)
			conversation(&par, chunk, 0, 0, chunk);
		for (size_t cut = 1; cut < all; cut++)
			conversation(&par, 0, cut, 1 + (int)(cut % 3), 0);
	}
}

static void large_payloads_go_straight_to_their_place(void **st)
{
	struct sk_params par = rig_params();
	struct rig r = { 0 };
	struct iovec iov[16];
	struct rig_pdu p;
	struct sk_task *t;
	uint32_t itt;

	(void)st;
	par.data_digest = true;
	rig_open(&r, &par, NULL);
	t = rig_task(&r, SK_DIR_READ, 1U << 20, 5);
	rig_expect(&r, SK_OP_SCSI_CMD, &p);
	itt = sk_bhs_itt(p.bhs);
	for (uint32_t i = 0; i < 4; i++)
		rig_data_in(&r, itt, i, i << 18, pattern + (i << 18), 1U << 18, i == 3 ? S_F : 0);
	r.chunk = 1000; /* the first receive ends within the payload */
	r.cut_at = 48;
	while (r.fed < 1048) {
		size_t n = r.down_n;
		uint8_t *whole = r.down;

		r.down_n = r.fed ? 1000 : 48;
		r.down = whole + r.fed;
		feed_ok(&r);
		r.down = whole;
		r.down_n = n;
	}
	assert_true(sk_engine_rx_space(r.e, iov, 16) >= 3);
	assert_ptr_equal(iov[0].iov_base, (uint8_t *)t->iov[0].iov_base + 1000);
	memmove(r.down, r.down + 1048, r.down_n -= 1048);
	r.chunk = 0;
	feed_ok(&r);
	assert_ptr_equal(rig_done(&r), t);
	assert_true(rig_filled(t, 1U << 20));
	rig_put(&r, t);
	rig_close(&r);
}

static void logout_ends_new_commands(void **st)
{
	struct sk_params par = rig_params();
	struct sk_engine_event ev;
	uint8_t bhs[SK_BHS_LEN];
	struct rig r = { 0 };
	struct rig_pdu p;

	(void)st;
	rig_open(&r, &par, NULL);
	assert_int_equal(sk_engine_logout(r.e, &r.err), 0);
	rig_task(&r, SK_DIR_NONE, 0, 1);
	rig_expect(&r, SK_OP_LOGOUT_REQ, &p);
	assert_int_equal(p.bhs[0], 0x46);
	assert_int_equal(p.bhs[1], 0x80);
	assert_false(rig_next(&r, &p));
	sk_logout_rsp_put(bhs, &(struct sk_logout_rsp){ .itt = sk_bhs_itt(p.bhs), .time2wait = 2, .time2retain = 3 },
			  &r.sn);
	rig_push(&r, bhs, NULL, 0);
	feed_ok(&r);
	assert_true(sk_engine_next_event(r.e, &ev));
	assert_true(ev.kind == SK_EV_LOGOUT && ev.code == 0 && ev.param2 == 2 && ev.param3 == 3);
	assert_int_equal(sk_engine_ping(r.e, 0, &r.err), -1);
	sk_engine_drop(r.e);
	rig_put(&r, rig_done(&r));
	rig_close(&r);
}

static void the_pool_has_an_end_and_tags_are_never_the_reserved_one(void **st)
{
	struct sk_engine_cfg cfg = { .max_tasks = 2 };
	struct sk_params par = rig_params();
	struct rig r = { 0 };
	uint32_t last = SK_TAG_NONE;
	struct rig_pdu p;

	(void)st;
	rig_open(&r, &par, &cfg);
	for (int i = 0; i < 1000; i++) {
		struct sk_task *a = rig_task(&r, SK_DIR_NONE, 0, 1), *b = rig_task_held(&r, SK_DIR_NONE, 0, 1);

		assert_null(sk_engine_task(r.e));
		rig_expect(&r, SK_OP_SCSI_CMD, &p);
		assert_int_not_equal(sk_bhs_itt(p.bhs), last);
		last = sk_bhs_itt(p.bhs);
		assert_int_not_equal(last, SK_TAG_NONE);
		r.sn.max_cmd_sn++;
		rig_rsp(&r, last, 0);
		feed_ok(&r);
		assert_ptr_equal(rig_done(&r), a);
		rig_put(&r, a);
		rig_put(&r, b);
	}
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_read_with_its_status_in_the_last_data_in),
		cmocka_unit_test(check_condition_carries_sense),
		cmocka_unit_test(a_good_read_that_is_short_says_so),
		cmocka_unit_test(a_write_answered_before_its_data_was_sent_says_so),
		cmocka_unit_test(response_other_than_0_is_not_a_status),
		cmocka_unit_test(writes_send_what_was_agreed_without_being_asked),
		cmocka_unit_test(several_r2ts_are_answered_in_their_order),
		cmocka_unit_test(a_large_write_does_not_starve_commands),
		cmocka_unit_test(a_closed_window_holds_commands_and_lets_immediate_pdus_pass),
		cmocka_unit_test(pings_both_ways),
		cmocka_unit_test(async_messages_and_rejects_are_told),
		cmocka_unit_test(a_rejected_command_is_over),
		cmocka_unit_test(a_task_is_not_done_while_its_data_waits_to_be_sent),
		cmocka_unit_test(any_cut_of_the_stream_gives_the_same),
		cmocka_unit_test(large_payloads_go_straight_to_their_place),
		cmocka_unit_test(logout_ends_new_commands),
		cmocka_unit_test(the_pool_has_an_end_and_tags_are_never_the_reserved_one),
	};

	rig_pattern(pattern, 0, sizeof(pattern));
	return cmocka_run_group_tests_name("proto/engine_io", tests, NULL, NULL);
}
