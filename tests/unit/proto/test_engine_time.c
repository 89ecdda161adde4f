/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* Task management, deadlines and their escalation on virtual time, and what a relogin sends again. */

#define LUN1 (1ULL << 48)
#define LUN2 (2ULL << 48)

static const struct sk_engine_cfg short_steps = {
	.max_tasks = 16, .abort_ms = 100, .lu_reset_ms = 200, .tgt_reset_ms = 300,
};

static uint64_t timers(struct rig *r, uint64_t now, bool *lost)
{
	r->now_ms = now;
	return sk_engine_timers(r->e, now, lost);
}

static struct sk_task *timed(struct rig *r, uint64_t lun, uint64_t deadline_ms)
{
	struct sk_task *t = rig_task_held(r, SK_DIR_READ, 512, 1);

	t->lun = lun;
	t->deadline_ms = deadline_ms;
	sk_engine_submit(r->e, t);
	return t;
}

static void feed_ok(struct rig *r)
{
	if (rig_feed(r) < 0)
		fail_msg("%s", r->err.msg);
}

/* Take the next PDU, which must be this TMF. */
static uint32_t expect_tmf(struct rig *r, enum sk_tmf fn, struct sk_tmf_req *ret)
{
	struct rig_pdu p;

	rig_expect(r, SK_OP_TMF_REQ, &p);
	sk_tmf_req_get(p.bhs, ret);
	assert_int_equal(ret->function, fn);
	assert_true(ret->immediate);
	return ret->itt;
}

static void a_late_task_is_aborted(void **st)
{
	struct sk_params par = rig_params();
	struct sk_task *late, *soon;
	struct rig r = { 0 };
	struct sk_tmf_req q;
	struct rig_pdu p;
	bool lost;

	(void)st;
	rig_open(&r, &par, &short_steps);
	assert_int_equal(timers(&r, 1000, &lost), UINT64_MAX);
	late = timed(&r, LUN1, 2000);
	soon = timed(&r, LUN1, 5000);
	rig_expect(&r, SK_OP_SCSI_CMD, &p);
	rig_expect(&r, SK_OP_SCSI_CMD, &p);
	assert_int_equal(timers(&r, 1999, &lost), 2000);
	assert_false(rig_next(&r, &p));
	assert_int_equal(timers(&r, 2000, &lost), 2100);
	expect_tmf(&r, SK_TMF_ABORT_TASK, &q);
	assert_int_equal(q.rtt, late->x.itt);
	assert_int_equal(q.ref_cmd_sn, late->x.cmd_sn);
	assert_int_equal(q.lun, LUN1);
	rig_tmf_rsp(&r, q.itt, SK_TMF_COMPLETE);
	feed_ok(&r);
	assert_ptr_equal(rig_done(&r), late);
	assert_int_equal(late->end, SK_END_TIMEOUT);
	assert_int_equal(timers(&r, 2001, &lost), 5000);
	assert_false(lost);
	rig_rsp(&r, late->x.itt, 0); /* too late, and not a violation: its tag is remembered */
	rig_data_in(&r, late->x.itt, 0, 0, "late", 4, 0);
	rig_rsp(&r, soon->x.itt, 0);
	feed_ok(&r);
	assert_ptr_equal(rig_done(&r), soon);
	assert_null(sk_engine_next_done(r.e));
	assert_true(rig_filled(late, 0));
	assert_int_equal(sk_engine_stats(r.e)->timeouts, 1);
	rig_put(&r, late);
	rig_put(&r, soon);
	rig_close(&r);
}

/* Other waits, set while it runs: for what is sent from now on. */
static void patience_can_change(void **st)
{
	struct sk_params par = rig_params();
	struct sk_task *t;
	struct rig r = { 0 };
	struct sk_tmf_req q;
	struct rig_pdu p;
	bool lost;

	(void)st;
	rig_open(&r, &par, &short_steps);
	t = timed(&r, LUN1, 2000);
	rig_expect(&r, SK_OP_SCSI_CMD, &p);
	sk_engine_patience(r.e, 700, 0, 300);
	assert_int_equal(timers(&r, 2000, &lost), 2700);	 /* the abort has the new time */
	expect_tmf(&r, SK_TMF_ABORT_TASK, &q);
	assert_int_equal(timers(&r, 2700, &lost), 2700 + 30000); /* 0: the LUN reset has the default */
	expect_tmf(&r, SK_TMF_LU_RESET, &q);
	rig_tmf_rsp(&r, q.itt, SK_TMF_COMPLETE);
	feed_ok(&r);
	assert_ptr_equal(rig_done(&r), t);
	rig_put(&r, t);
	rig_close(&r);
}

static void an_answer_beats_the_abort(void **st)
{
	struct sk_params par = rig_params();
	struct sk_task *t;
	struct rig r = { 0 };
	struct sk_tmf_req q;
	struct rig_pdu p;
	bool lost;

	(void)st;
	rig_open(&r, &par, &short_steps);
	t = timed(&r, LUN1, 2000);
	rig_expect(&r, SK_OP_SCSI_CMD, &p);
	timers(&r, 2000, &lost);
	expect_tmf(&r, SK_TMF_ABORT_TASK, &q);
	rig_rsp(&r, t->x.itt, 0);
	rig_tmf_rsp(&r, q.itt, SK_TMF_NO_TASK);
	feed_ok(&r);
	assert_ptr_equal(rig_done(&r), t);
	assert_int_equal(t->end, SK_END_STATUS);
	assert_int_equal(timers(&r, 3000, &lost), UINT64_MAX);
	assert_false(lost || rig_next(&r, &p));
	rig_put(&r, t);
	rig_close(&r);
}

static void escalation_ends_with_the_connection(void **st)
{
	struct sk_params par = rig_params();
	struct sk_task *late, *other;
	struct rig r = { 0 };
	struct sk_tmf_req q;
	struct rig_pdu p;
	bool lost;

	(void)st;
	rig_open(&r, &par, &short_steps);
	late = timed(&r, LUN1, 2000);
	other = timed(&r, LUN2, 9000);
	rig_expect(&r, SK_OP_SCSI_CMD, &p);
	rig_expect(&r, SK_OP_SCSI_CMD, &p);
	assert_int_equal(timers(&r, 2000, &lost), 2100);
	expect_tmf(&r, SK_TMF_ABORT_TASK, &q);
	assert_int_equal(timers(&r, 2100, &lost), 2300);
	expect_tmf(&r, SK_TMF_LU_RESET, &q);
	assert_int_equal(q.lun, LUN1);
	assert_int_equal(q.rtt, SK_TAG_NONE);
	timed(&r, LUN2, 0); /* held back while a reset is under way */
	assert_false(rig_next(&r, &p));
	assert_int_equal(timers(&r, 2299, &lost), 2300);
	assert_int_equal(timers(&r, 2300, &lost), 2600);
	expect_tmf(&r, SK_TMF_TARGET_WARM_RESET, &q);
	assert_int_equal(q.lun, 0);
	assert_false(lost);
	assert_int_equal(timers(&r, 2600, &lost), UINT64_MAX);
	assert_true(lost);
	assert_int_equal(sk_engine_inflight(r.e), 3);
	sk_engine_halt(r.e);
	assert_null(sk_engine_next_done(r.e));
	assert_int_equal(timers(&r, 99999, &lost), UINT64_MAX); /* no deadline runs without a connection */
	assert_false(lost);
	assert_int_equal(sk_engine_resume(r.e, &par, &r.err), 0);
	assert_ptr_equal(rig_done(&r), late);
	assert_int_equal(late->end, SK_END_TIMEOUT);
	rig_expect(&r, SK_OP_SCSI_CMD, &p);
	assert_int_equal(sk_bhs_itt(p.bhs), other->x.itt);
	assert_int_equal(timers(&r, 100000, &lost), 100000 + 9000); /* submitted at 0: its whole time again */
	sk_engine_drop(r.e);
	rig_put(&r, late);
	rig_put(&r, rig_done(&r));
	rig_put(&r, rig_done(&r));
	rig_close(&r);
}

static void a_reset_takes_the_tasks_it_reaches(void **st)
{
	struct sk_params par = rig_params();
	struct sk_task *t[3], *held;
	struct rig r = { 0 };
	struct sk_tmf_req q;
	struct rig_pdu p;
	bool lost;

	(void)st;
	rig_open(&r, &par, &short_steps);
	t[0] = timed(&r, LUN1, 2000);
	t[1] = timed(&r, LUN1, 9000);
	t[2] = timed(&r, LUN2, 9000);
	for (int i = 0; i < 3; i++)
		rig_expect(&r, SK_OP_SCSI_CMD, &p);
	timers(&r, 2000, &lost);
	expect_tmf(&r, SK_TMF_ABORT_TASK, &q);
	rig_tmf_rsp(&r, q.itt, SK_TMF_NOT_SUPPORTED); /* refused: no waiting for the timeout */
	feed_ok(&r);
	expect_tmf(&r, SK_TMF_LU_RESET, &q);
	held = timed(&r, LUN1, 0);
	rig_tmf_rsp(&r, q.itt, SK_TMF_COMPLETE);
	feed_ok(&r);
	assert_ptr_equal(rig_done(&r), t[0]);
	assert_ptr_equal(rig_done(&r), t[1]);
	assert_null(sk_engine_next_done(r.e));
	assert_int_equal(t[0]->end, SK_END_TIMEOUT);
	assert_int_equal(t[1]->end, SK_END_ABORTED);
	rig_expect(&r, SK_OP_SCSI_CMD, &p);
	assert_int_equal(sk_bhs_itt(p.bhs), held->x.itt);
	assert_int_equal(timers(&r, 2001, &lost), 9000);
	sk_engine_drop(r.e);
	rig_put(&r, t[0]);
	rig_put(&r, t[1]);
	rig_put(&r, rig_done(&r));
	rig_put(&r, rig_done(&r));
	rig_close(&r);
}

static void a_late_answer_to_a_step_given_up_is_no_violation(void **st)
{
	struct sk_params par = rig_params();
	struct sk_tmf_req first, second;
	struct rig r = { 0 };
	struct sk_task *t;
	struct rig_pdu p;
	bool lost;

	(void)st;
	rig_open(&r, &par, &short_steps);
	t = timed(&r, LUN1, 2000);
	rig_expect(&r, SK_OP_SCSI_CMD, &p);
	timers(&r, 2000, &lost);
	expect_tmf(&r, SK_TMF_ABORT_TASK, &first);
	timers(&r, 2100, &lost);
	expect_tmf(&r, SK_TMF_LU_RESET, &second);
	rig_tmf_rsp(&r, first.itt, SK_TMF_COMPLETE);
	feed_ok(&r);
	assert_ptr_equal(rig_done(&r), t);
	rig_tmf_rsp(&r, second.itt, SK_TMF_COMPLETE);
	feed_ok(&r);
	assert_int_equal(timers(&r, 9999, &lost), UINT64_MAX);
	assert_false(lost);
	rig_tmf_rsp(&r, second.itt, SK_TMF_COMPLETE); /* but twice is */
	assert_int_equal(rig_feed(&r), -1);
	rig_put(&r, t);
	rig_close(&r);
}

static void what_was_never_sent_just_ends(void **st)
{
	struct sk_params par = rig_params();
	struct sk_engine_event ev;
	struct sk_task *a, *b;
	struct rig r = { 0 };
	struct rig_pdu p;
	bool lost;

	(void)st;
	par.max_cmd_sn = par.cmd_sn - 1; /* closed */
	rig_open(&r, &par, &short_steps);
	a = timed(&r, LUN1, 2000);
	b = timed(&r, LUN1, 9000);
	assert_int_equal(timers(&r, 2000, &lost), 9000);
	assert_ptr_equal(rig_done(&r), a);
	assert_int_equal(a->end, SK_END_TIMEOUT);
	assert_int_equal(sk_engine_tmf(r.e, SK_TMF_ABORT_TASK, b, 0, 7, &r.err), 0);
	assert_ptr_equal(rig_done(&r), b);
	assert_int_equal(b->end, SK_END_ABORTED);
	assert_true(a->unsent && b->unsent);
	assert_true(sk_engine_next_event(r.e, &ev) && ev.kind == SK_EV_TMF && ev.code == 0 && ev.cookie == 7);
	assert_false(rig_next(&r, &p));
	rig_put(&r, a);
	rig_put(&r, b);
	rig_close(&r);
}

static void functions_asked_for_by_the_user(void **st)
{
	struct sk_params par = rig_params();
	struct sk_engine_event ev;
	struct sk_task *a, *b;
	struct rig r = { 0 };
	struct sk_tmf_req q;
	struct rig_pdu p;

	(void)st;
	rig_open(&r, &par, NULL);
	a = timed(&r, LUN1, 0);
	b = timed(&r, LUN2, 0);
	rig_expect(&r, SK_OP_SCSI_CMD, &p);
	rig_expect(&r, SK_OP_SCSI_CMD, &p);
	assert_int_equal(sk_engine_tmf(r.e, SK_TMF_ABORT_TASK, NULL, 0, 1, &r.err), -1);
	assert_int_equal(sk_engine_tmf(r.e, SK_TMF_ABORT_TASK, a, 0, 1, &r.err), 0);
	expect_tmf(&r, SK_TMF_ABORT_TASK, &q);
	rig_tmf_rsp(&r, q.itt, SK_TMF_NO_TASK);
	feed_ok(&r);
	assert_ptr_equal(rig_done(&r), a);
	assert_int_equal(a->end, SK_END_ABORTED);
	assert_true(sk_engine_next_event(r.e, &ev) && ev.kind == SK_EV_TMF && ev.code == 1 && ev.cookie == 1);
	assert_int_equal(sk_engine_tmf(r.e, SK_TMF_LU_RESET, NULL, LUN2, 2, &r.err), 0);
	expect_tmf(&r, SK_TMF_LU_RESET, &q);
	rig_tmf_rsp(&r, q.itt, SK_TMF_NO_LUN);
	feed_ok(&r);
	assert_null(sk_engine_next_done(r.e));
	assert_true(sk_engine_next_event(r.e, &ev) && ev.code == 2 && ev.cookie == 2);
	for (int i = 0; i < 8; i++)
		assert_int_equal(sk_engine_tmf(r.e, SK_TMF_CLEAR_TASK_SET, NULL, LUN2, 10, &r.err), 0);
	assert_int_equal(sk_engine_tmf(r.e, SK_TMF_LU_RESET, NULL, LUN2, 11, &r.err), -1);
	assert_int_equal(r.err.code, SK_EAGAIN);
	sk_engine_halt(r.e); /* whoever waits for an answer is told that none will come */
	for (int i = 0; i < 8; i++)
		assert_true(sk_engine_next_event(r.e, &ev) && ev.code == 255 && ev.cookie == 10);
	sk_engine_drop(r.e);
	assert_ptr_equal(rig_done(&r), b);
	rig_put(&r, a);
	rig_put(&r, b);
	rig_close(&r);
}

static void fast_abort_stops_answering_r2ts(void **st)
{
	(void)st;
	for (int fast = 0; fast < 2; fast++) {
		struct sk_engine_cfg cfg = { .max_tasks = 4, .fast_abort = fast };
		struct sk_params par = rig_params();
		struct rig r = { 0 };
		struct sk_tmf_req q;
		struct sk_task *t;
		struct rig_pdu p;

		par.immediate_data = false;
		rig_open(&r, &par, &cfg);
		t = rig_task(&r, SK_DIR_WRITE, 4096, 1);
		rig_expect(&r, SK_OP_SCSI_CMD, &p);
		assert_int_equal(sk_engine_tmf(r.e, SK_TMF_LU_RESET, NULL, t->lun, 0, &r.err), 0);
		expect_tmf(&r, SK_TMF_LU_RESET, &q);
		rig_r2t(&r, t->x.itt, 9, 0, 0, 4096);
		feed_ok(&r);
		assert_int_equal(rig_next(&r, &p), !fast);
		sk_engine_drop(r.e);
		rig_put(&r, rig_done(&r));
		rig_close(&r);
	}
}

static void a_relogin_sends_everything_again_in_order(void **st)
{
	struct sk_params par = rig_params();
	struct sk_task *t[5], *d;
	struct rig r = { 0 };
	struct iovec iov[64];
	uint8_t data[512];
	struct rig_pdu p;

	(void)st;
	rig_pattern(data, 0, sizeof(data));
	rig_open(&r, &par, NULL);
	for (int i = 0; i < 4; i++)
		t[i] = rig_task(&r, i == 2 ? SK_DIR_WRITE : SK_DIR_READ, 1024, 1);
	rig_pull(&r);
	r.up_at = r.up_n;
	rig_data_in(&r, t[0]->x.itt, 0, 0, data, 512, 0); /* half a read */
	rig_rsp(&r, t[3]->x.itt, 8);
	feed_ok(&r);
	assert_ptr_equal(rig_done(&r), t[3]);
	rig_put(&r, t[3]);
	t[4] = rig_task(&r, SK_DIR_WRITE, 1024, 1);
	assert_true(sk_engine_tx(r.e, iov, 64) > 0); /* in the middle of sending */
	sk_engine_tx_done(r.e, 50);
	sk_engine_halt(r.e);
	assert_true(sk_engine_halted(r.e));
	assert_int_equal(sk_engine_rx_space(r.e, iov, 64), 0);
	assert_int_equal(sk_engine_tx(r.e, iov, 64), 0);
	t[3] = rig_task(&r, SK_DIR_READ, 1024, 1); /* submitted meanwhile */
	par.cmd_sn = 100;
	par.exp_cmd_sn = 100;
	par.max_cmd_sn = 200;
	par.exp_stat_sn = 7;
	par.max_outstanding_r2t = 3;
	par.header_digest = true;
	r.par = par;
	assert_int_equal(sk_engine_resume(r.e, &par, &r.err), 0);
	r.sn = (struct sk_peer_sn){ 7, 100, 200 };
	for (uint32_t i = 0; i < 5; i++) {
		static const int order[] = { 0, 1, 2, 4, 3 };

		rig_expect(&r, SK_OP_SCSI_CMD, &p);
		assert_int_equal(sk_bhs_itt(p.bhs), t[order[i]]->x.itt);
		assert_int_equal(sk_be32(p.bhs + 24), 100 + i);
		assert_int_equal(sk_be32(p.bhs + 28), 7);
		assert_int_equal(p.n, t[order[i]]->dir == SK_DIR_WRITE ? 1024 : 0);
	}
	rig_data_in(&r, t[0]->x.itt, 0, 0, data, 512, 0); /* from its beginning */
	feed_ok(&r);
	sk_engine_drop(r.e);
	while ((d = sk_engine_next_done(r.e))) {
		assert_int_equal(d->end, SK_END_LOST);
		rig_put(&r, d);
	}
	assert_int_equal(sk_engine_inflight(r.e), 0);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_late_task_is_aborted),
		cmocka_unit_test(patience_can_change),
		cmocka_unit_test(an_answer_beats_the_abort),
		cmocka_unit_test(escalation_ends_with_the_connection),
		cmocka_unit_test(a_reset_takes_the_tasks_it_reaches),
		cmocka_unit_test(a_late_answer_to_a_step_given_up_is_no_violation),
		cmocka_unit_test(what_was_never_sent_just_ends),
		cmocka_unit_test(functions_asked_for_by_the_user),
		cmocka_unit_test(fast_abort_stops_answering_r2ts),
		cmocka_unit_test(a_relogin_sends_everything_again_in_order),
	};

	return cmocka_run_group_tests_name("proto/engine_time", tests, NULL, NULL);
}
