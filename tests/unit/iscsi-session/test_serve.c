/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/span.h"
#include "fake.h"

static const struct sk_serve_cfg plain = {
	.timers = { .replacement_s = 120 }, .cmds_max = 16, .queue_depth = 8, .max_io = 1 << 20, .scan = true,
};

static struct rig *ready(const struct sk_serve_cfg *cfg)
{
	struct rig *r = rig_new(cfg);

	rig_up(r);
	assert_int_equal(rig_said(r, SK_B_SCANNED)->result.code, 0);
	return r;
}

static bool is_block(const struct sk_task *t)
{
	return t->cdb[0] == SK_SCSI_READ_10 || t->cdb[0] == SK_SCSI_WRITE_10 || t->cdb[0] == SK_SCSI_WRITE_SAME_16 ||
	       t->cdb[0] == SK_SCSI_WRITE_SAME_10 || t->cdb[0] == SK_SCSI_SYNCHRONIZE_CACHE_10 ||
	       t->cdb[0] == SK_SCSI_SYNCHRONIZE_CACHE_16;
}

static void a_scan_finds_disks_and_names_the_rest(void **st)
{
	struct rig *r = rig_new(&plain);
	const struct sk_b_msg *m;

	(void)st;
	r->luns[0] = (struct fake_lun){ .there = true, .type = 0x0c, .naa = "6001405000000000" };
	rig_up(r);
	assert_int_equal(rig_count(r, SK_B_LUN), 2);
	m = rig_said(r, SK_B_LUN);
	assert_int_equal(m->lun.lun, 1);
	assert_int_equal(m->lun.unit, 0);
	assert_int_equal(m->lun.blocks, 65536);
	assert_string_equal(m->lun.wwid, "naa.6001405000000001");
	assert_string_equal(m->lun.vendor, "FAKE");
	assert_int_equal(rig_said(r, SK_B_SCANNED)->result.n, 1);
	assert_int_equal(r->n_disks, 1);
	assert_int_equal(r->disks[0].size, 65536 * 512);
	rig_free(r);
}

static void no_scan_unless_asked(void **st)
{
	struct sk_serve_cfg cfg = plain;
	struct rig *r;

	(void)st;
	cfg.scan = false;
	r = rig_new(&cfg);
	rig_up(r);
	assert_int_equal(rig_count(r, SK_B_SCANNED), 0);
	sk_serve_rescan(r->s);
	rig_run(r);
	assert_int_equal(rig_said(r, SK_B_SCANNED)->result.n, 1);
	rig_free(r);
}

static void a_read_goes_straight_into_its_buffer(void **st)
{
	struct rig *r = ready(&plain);
	struct fake_req *q;

	(void)st;
	r->hold = 1;
	q = rig_req(r, 0, 0, SK_DISK_READ, 8192, 4096);
	rig_run(r);
	assert_int_equal(r->n_sent, 1);
	assert_ptr_equal(r->sent[0]->iov[0].iov_base, q->data);
	assert_int_equal(r->sent[0]->cdb[0], SK_SCSI_READ_10);
	assert_int_equal(sk_be32(&r->sent[0]->cdb[2]), 16);
	assert_int_equal(r->sent[0]->lun, 1ULL << 48);
	r->hold = 0;
	rig_run(r);
	assert_true(q->done);
	assert_int_equal(q->error, 0);
	rig_free(r);
}

static void queue_depth_and_cmds_max_hold(void **st)
{
	struct sk_serve_cfg cfg = plain;
	struct rig *r;

	(void)st;
	cfg.cmds_max = 10;
	r = rig_new(&cfg);
	r->luns[2] = (struct fake_lun){ .there = true, .naa = "6001405000000002", .blocks = 1024 };
	rig_up(r);
	r->hold = 1;
	for (unsigned i = 0; i < 20; i++)
		rig_req(r, i, 0, SK_DISK_READ, i * 4096, 4096);
	assert_int_equal(r->n_sent, 8);
	for (unsigned i = 20; i < 40; i++)
		rig_req(r, i, 1, SK_DISK_READ, (i - 20) * 4096, 4096);
	assert_int_equal(r->n_sent, 10);
	r->hold = 0;
	rig_run(r);
	assert_int_equal(r->n_order, 40);
	rig_free(r);
}

/* All of cmds_max is with one disk, whose queue is long; a request of another disk has its turn all the same. */
static void no_disk_waits_for_tasks_that_another_uses_up(void **st)
{
	struct sk_serve_cfg cfg = plain;
	struct rig *r;

	(void)st;
	cfg.cmds_max = cfg.queue_depth = 4;
	r = rig_new(&cfg);
	r->luns[2] = (struct fake_lun){ .there = true, .naa = "6001405000000002", .blocks = 1024 };
	rig_up(r);
	r->hold = 1;
	for (unsigned i = 0; i < 4; i++)
		rig_req(r, i, 0, SK_DISK_READ, i * 4096, 4096);
	rig_req(r, 4, 1, SK_DISK_READ, 0, 4096);
	assert_int_equal(r->n_sent, 4);
	r->hold = 0;
	rig_run(r);
	assert_true(r->reqs[4].done);
	rig_free(r);
}

static bool busy_once(struct rig *r, struct sk_task *t)
{
	if (!is_block(t) || r->answered >= 3)
		return false;
	task_status(t, r->answered == 1 ? SK_ST_TASK_SET_FULL : SK_ST_BUSY);
	return true;
}

static void busy_is_tried_again_later(void **st)
{
	struct rig *r = ready(&plain);
	struct fake_req *q;

	(void)st;
	r->answer = busy_once;
	q = rig_req(r, 0, 0, SK_DISK_WRITE, 0, 512);
	rig_run(r);
	assert_false(q->done);
	assert_true(sk_serve_next_ms(r->s) > r->now);
	rig_pass(r, 2000);
	assert_true(q->done);
	assert_int_equal(q->error, 0);
	rig_free(r);
}

static bool always_busy(struct rig *r, struct sk_task *t)
{
	(void)r;
	if (is_block(t))
		task_status(t, SK_ST_BUSY);
	return is_block(t);
}

static void patience_with_busy_ends(void **st)
{
	struct rig *r = ready(&plain);
	struct fake_req *q;

	(void)st;
	r->answer = always_busy;
	q = rig_req(r, 0, 0, SK_DISK_WRITE, 0, 512);
	rig_pass(r, 170000);
	assert_false(q->done);
	rig_pass(r, 20000);
	assert_int_equal(q->error, EIO);
	rig_free(r);
}

static bool full_at_first(struct rig *r, struct sk_task *t)
{
	if (!is_block(t) || r->answered >= 4)
		return false;
	task_status(t, SK_ST_TASK_SET_FULL);
	return true;
}

static void a_full_task_set_means_fewer_commands_at_once(void **st)
{
	struct rig *r = ready(&plain);

	(void)st;
	r->answer = full_at_first;
	for (unsigned i = 0; i < 8; i++)
		rig_req(r, i, 0, SK_DISK_READ, i * 512, 512);
	rig_pass(r, 1000);
	assert_int_equal(r->n_order, 8);
	r->hold = 1;
	for (unsigned i = 8; i < 20; i++)
		rig_req(r, i, 0, SK_DISK_READ, i * 512, 512);
	assert_in_range(r->n_sent, 1, 7);
	r->hold = 0;
	rig_run(r);
	rig_free(r);
}

static bool capacity_attention(struct rig *r, struct sk_task *t)
{
	if (!is_block(t) || r->answered)
		return false;
	task_sense(t, SK_KEY_UNIT_ATTENTION, 0x2a, 0x09);
	return true;
}

static void a_changed_capacity_resizes_the_disk(void **st)
{
	struct rig *r = ready(&plain);
	struct fake_req *q;

	(void)st;
	r->answer = capacity_attention;
	r->luns[1].blocks = 131072;
	q = rig_req(r, 0, 0, SK_DISK_READ, 0, 512);
	rig_pass(r, 100);
	assert_int_equal(q->error, 0);
	assert_int_equal(r->disks[0].size, 131072 * 512);
	assert_int_equal(rig_said(r, SK_B_LUN)->lun.blocks, 131072);
	assert_int_equal(rig_count(r, SK_B_LUN_OFF), 0);
	rig_free(r);
}

static bool luns_attention(struct rig *r, struct sk_task *t)
{
	if (!is_block(t) || r->answered)
		return false;
	task_sense(t, SK_KEY_UNIT_ATTENTION, 0x3f, 0x0e);
	return true;
}

static void changed_luns_are_scanned(void **st)
{
	struct rig *r = ready(&plain);
	struct fake_req *q;

	(void)st;
	r->answer = luns_attention;
	r->luns[3] = (struct fake_lun){ .there = true, .naa = "6001405000000003", .blocks = 64 };
	q = rig_req(r, 0, 0, SK_DISK_READ, 0, 512);
	rig_run(r);
	assert_int_equal(q->error, 0);
	assert_int_equal(rig_said(r, SK_B_SCANNED)->result.n, 2);
	assert_int_equal(r->n_disks, 2);
	r->luns[3].there = false;
	sk_serve_rescan(r->s);
	rig_run(r);
	assert_int_equal(rig_said(r, SK_B_LUN_OFF)->off.unit, 1);
	assert_int_equal(r->states[1], SK_DISK_GONE);
	q = rig_req(r, 1, 1, SK_DISK_READ, 0, 512);
	assert_int_equal(q->error, EIO);
	sk_serve_forget(r->s, 1);
	assert_int_equal(rig_said(r, SK_B_FORGOTTEN)->result.n, 1);
	r->luns[3].there = true;
	sk_serve_rescan(r->s);
	rig_run(r);
	assert_int_equal(r->n_disks, 3);		/* a new unit */
	rig_free(r);
}

static bool short_list(struct rig *r, struct sk_task *t)
{
	(void)r;
	if (t->cdb[0] != SK_SCSI_REPORT_LUNS)
		return false;
	memset(t->iov[0].iov_base, 0, 8);
	task_good(t);
	t->transferred = 8;
	return true;
}

static bool no_list_at_first(struct rig *r, struct sk_task *t)
{
	if (t->cdb[0] != SK_SCSI_REPORT_LUNS || r->answered == 2)
		return false;
	task_sense(t, SK_KEY_HARDWARE, 0x44, 0);
	return true;
}

/* A target that cannot tell its LUNs when it is logged in to may do so a minute later. */
static void a_scan_that_failed_is_made_again(void **st)
{
	struct rig *r = rig_new(&plain);

	(void)st;
	r->answer = no_list_at_first;
	rig_up(r);
	assert_int_equal(rig_said(r, SK_B_SCANNED)->result.code, SK_EDOMAIN);
	assert_int_equal(r->n_disks, 0);
	rig_pass(r, 15000);
	assert_int_equal(r->answered, 2);
	assert_int_equal(r->n_disks, 0);
	rig_pass(r, 29999);
	assert_int_equal(r->n_disks, 0);
	rig_pass(r, 1);
	assert_int_equal(r->n_disks, 1);
	assert_int_equal(rig_said(r, SK_B_SCANNED)->result.code, 0);
	assert_int_equal(rig_count(r, SK_B_SCANNED), 3);
	rig_pass(r, 3600000);
	assert_int_equal(rig_count(r, SK_B_SCANNED), 3);
	rig_free(r);
}

static void a_list_that_is_short_for_a_moment_costs_nothing(void **st)
{
	struct rig *r = ready(&plain);

	(void)st;
	r->answer = short_list;
	sk_serve_rescan(r->s);
	rig_run(r);
	assert_int_equal(rig_said(r, SK_B_SCANNED)->result.n, 1);
	assert_int_equal(rig_count(r, SK_B_LUN_OFF), 0);
	rig_req(r, 0, 0, SK_DISK_READ, 0, 512);
	rig_run(r);
	assert_int_equal(r->reqs[0].error, 0);
	rig_free(r);
}

static void what_was_lost_is_sent_again_in_order_after_the_identity(void **st)
{
	struct rig *r = ready(&plain);

	(void)st;
	r->hold = 1;
	for (unsigned i = 0; i < 12; i++)
		rig_req(r, i, 0, SK_DISK_WRITE, i * 512, 512);
	rig_lost(r);
	assert_int_equal(rig_said(r, SK_B_DOWN)->result.code, SK_ECONN);
	assert_int_equal(rig_said(r, SK_B_HEALTH)->result.code, SK_B_FAILED);
	assert_int_equal(r->n_order, 0);
	assert_int_equal(r->n_sent, 0);
	sk_serve_up(r->s, r->now);
	sk_serve_turn(r->s, r->now);
	assert_int_equal(r->n_sent, 1);			/* who are you? */
	assert_int_equal(r->sent[0]->cdb[0], SK_SCSI_INQUIRY);
	rig_run(r);
	assert_int_equal(r->n_sent, 8);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(sk_be32(&r->sent[i]->cdb[2]), i);
	r->hold = 0;
	rig_run(r);
	assert_int_equal(r->n_order, 12);
	for (unsigned i = 0; i < 12; i++)
		assert_int_equal(r->reqs[i].error, 0);
	rig_free(r);
}

static void another_volume_is_not_served(void **st)
{
	struct rig *r = ready(&plain);
	struct fake_req *q;

	(void)st;
	r->hold = 1;
	q = rig_req(r, 0, 0, SK_DISK_WRITE, 0, 512);
	rig_lost(r);
	r->luns[1].naa = "6001405000000099";
	r->hold = 0;
	rig_up(r);
	assert_int_equal(q->error, EIO);
	assert_true(rig_said(r, SK_B_LUN_OFF)->off.stranger);
	assert_int_equal(rig_req(r, 1, 0, SK_DISK_READ, 0, 512)->error, EIO);
	rig_lost(r);				/* the old one comes back: it is the same disk again */
	r->luns[1].naa = "6001405000000001";
	rig_up(r);
	assert_int_equal(r->states[0], SK_DISK_RUNNING);
	q = rig_req(r, 2, 0, SK_DISK_READ, 0, 512);
	rig_run(r);
	assert_int_equal(q->error, 0);
	rig_free(r);
}

static void replacement_timeout_fails_until_the_next_connection(void **st)
{
	struct rig *r = ready(&plain);
	struct fake_req *q;

	(void)st;
	rig_lost(r);
	q = rig_req(r, 0, 0, SK_DISK_READ, 0, 512);
	rig_pass(r, 119999);
	assert_false(q->done);
	rig_pass(r, 1);
	assert_int_equal(q->error, EIO);
	assert_int_equal(rig_said(r, SK_B_HEALTH)->result.code, SK_B_FREE);
	assert_int_equal(rig_req(r, 1, 0, SK_DISK_READ, 0, 512)->error, EIO);
	rig_up(r);
	q = rig_req(r, 2, 0, SK_DISK_READ, 0, 512);
	rig_run(r);
	assert_int_equal(q->error, 0);
	rig_free(r);
}

static void replacement_timeout_of_zero_and_of_none(void **st)
{
	struct sk_serve_cfg cfg = plain;
	struct rig *r;

	(void)st;
	cfg.timers.replacement_s = 0;
	r = ready(&cfg);
	rig_lost(r);
	assert_int_equal(rig_req(r, 0, 0, SK_DISK_READ, 0, 512)->error, EIO);
	rig_free(r);
	cfg.timers.replacement_s = -1;
	r = ready(&cfg);
	rig_lost(r);
	rig_req(r, 0, 0, SK_DISK_READ, 0, 512);
	rig_pass(r, 1000ULL * 86400 * 365);
	assert_false(r->reqs[0].done);
	rig_free(r);
}

static struct { uint8_t key, asc, ascq; int sys; } bad;

static bool bad_answer(struct rig *r, struct sk_task *t)
{
	(void)r;
	if (is_block(t))
		task_sense(t, bad.key, bad.asc, bad.ascq);
	return is_block(t);
}

static void sense_becomes_errno(void **st)
{
	static const __typeof__(bad) rows[] = {
		{ SK_KEY_MEDIUM, 0x11, 0, EIO }, { SK_KEY_DATA_PROTECT, 0x27, 0x07, ENOSPC },
		{ SK_KEY_DATA_PROTECT, 0x27, 0, EROFS }, { SK_KEY_HARDWARE, 0x44, 0, EIO },
		{ SK_KEY_ILLEGAL_REQUEST, 0x20, 0, EOPNOTSUPP }, { SK_KEY_ILLEGAL_REQUEST, 0x21, 0, EIO },
	};
	struct rig *r = ready(&plain);

	(void)st;
	r->answer = bad_answer;
	for (unsigned i = 0; i < SK_ARRAY_LEN(rows); i++) {
		bad = rows[i];
		rig_req(r, i, 0, SK_DISK_WRITE, 0, 512);
		rig_run(r);
		assert_int_equal(r->reqs[i].error, rows[i].sys);
	}
	rig_free(r);
}

static void a_disk_that_becomes_read_only(void **st)
{
	struct rig *r = ready(&plain);

	(void)st;
	bad = (__typeof__(bad)){ SK_KEY_DATA_PROTECT, 0x27, 0, EROFS };
	r->answer = bad_answer;
	r->luns[1].read_only = true;
	rig_req(r, 0, 0, SK_DISK_WRITE, 0, 512);
	rig_run(r);
	assert_int_equal(r->reqs[0].error, EROFS);
	assert_true(r->disks[0].read_only);
	assert_true(rig_said(r, SK_B_LUN)->lun.read_only);
	rig_free(r);
}

static bool short_answer(struct rig *r, struct sk_task *t)
{
	(void)r;
	if (!is_block(t))
		return false;
	task_good(t);
	t->transferred = t->len - 512;
	t->underflow = true;
	t->residual = 512;
	return true;
}

static bool short_and_silent(struct rig *r, struct sk_task *t)
{
	(void)r;
	if (!is_block(t))
		return false;
	task_good(t);
	t->transferred = t->len - 512;
	return true;
}

static bool short_and_recovered(struct rig *r, struct sk_task *t)
{
	(void)r;
	if (!is_block(t))
		return false;
	task_sense(t, SK_KEY_RECOVERED, 0x17, 0x01);
	t->transferred = t->len - 512;
	return true;
}

static void success_for_less_than_asked_is_an_error(void **st)
{
	static bool (*const answers[])(struct rig *, struct sk_task *) = { short_answer, short_and_silent,
									   short_and_recovered };
	static const enum sk_disk_op ops[] = { SK_DISK_READ, SK_DISK_WRITE };

	(void)st;
	for (size_t i = 0; i < SK_ARRAY_LEN(answers) * SK_ARRAY_LEN(ops); i++) {
		struct rig *r = ready(&plain);

		r->answer = answers[i / SK_ARRAY_LEN(ops)];
		rig_req(r, 0, 0, ops[i % SK_ARRAY_LEN(ops)], 0, 4096);
		rig_run(r);
		assert_int_equal(r->reqs[0].error, EIO);
		rig_free(r);
	}
}

static bool deferred_once(struct rig *r, struct sk_task *t)
{
	if (!is_block(t) || r->answered)
		return false;
	task_sense(t, SK_KEY_MEDIUM, 0x0c, 0);
	t->sense[0] = 0x71;
	return true;
}

/* A target with a volatile cache tells with a later command that it could not keep what it had taken. */
static void a_lost_write_fails_the_next_flush(void **st)
{
	static const enum sk_disk_op ops[] = { SK_DISK_READ, SK_DISK_WRITE, SK_DISK_FLUSH };

	(void)st;
	for (size_t i = 0; i < SK_ARRAY_LEN(ops); i++) {
		struct rig *r = ready(&plain);

		rig_req(r, 0, 0, SK_DISK_WRITE, 0, 512);
		rig_run(r);
		r->answer = deferred_once;
		rig_req(r, 1, 0, ops[i], 0, ops[i] == SK_DISK_FLUSH ? 0 : 512);
		rig_run(r);
		if (ops[i] != SK_DISK_FLUSH) {
			assert_int_equal(r->reqs[1].error, 0);	/* itself it was done, at the second try */
			rig_req(r, 1, 0, SK_DISK_FLUSH, 0, 0);
			rig_run(r);
		}
		assert_int_equal(r->reqs[1].error, EIO);
		rig_req(r, 2, 0, SK_DISK_FLUSH, 0, 0);		/* told once */
		rig_run(r);
		assert_int_equal(r->reqs[2].error, 0);
		rig_free(r);
	}
}

static uint8_t attention;	/* ASCQ under 29h */

static bool power_once(struct rig *r, struct sk_task *t)
{
	if (r->answered || t->cdb[0] == SK_SCSI_INQUIRY || t->cdb[0] == SK_SCSI_REPORT_LUNS)
		return false;
	task_sense(t, SK_KEY_UNIT_ATTENTION, 0x29, attention);
	return true;
}

/* fsync must not lie: what a device took into its cache and then lost with its power is an error of the next flush. An
 * attention that also says "a new session" or that leaves caches alone is none. */
static void a_device_that_lost_power_fails_the_next_flush(void **st)
{
	static const struct {
		uint8_t ascq;
		bool relogin, fua, cache, flush_first;
		int error;
	} rows[] = {
		{ 0x01, false, false, true, false, EIO }, { 0x01, true, false, true, false, EIO },
		{ 0x01, true, true, true, false, 0 },	  { 0x01, true, false, false, false, 0 },
		{ 0x01, true, false, true, true, 0 },	  { 0x00, true, false, true, false, 0 },
		{ 0x04, true, false, true, false, 0 },	  { 0x02, true, false, true, false, 0 },
		{ 0x03, true, false, true, false, 0 },	  { 0x07, true, false, true, false, 0 },
	};

	(void)st;
	for (size_t i = 0; i < SK_ARRAY_LEN(rows); i++) {
		struct rig *r = rig_new(&plain);
		struct fake_req *q = &r->reqs[0];

		r->luns[1].write_cache = rows[i].cache;
		rig_up(r);
		q->req = (struct sk_disk_req){ .op = SK_DISK_WRITE, .len = 512, .fua = rows[i].fua, .data = q->data };
		sk_serve_request(r->s, &q->req);
		rig_run(r);
		assert_int_equal(q->error, 0);
		if (rows[i].flush_first) {
			rig_req(r, 1, 0, SK_DISK_FLUSH, 0, 0);
			rig_run(r);
		}
		if (rows[i].relogin)
			rig_lost(r);
		attention = rows[i].ascq;
		r->answer = power_once;
		if (rows[i].relogin)
			rig_up(r);
		rig_req(r, 2, 0, SK_DISK_FLUSH, 0, 0);
		rig_run(r);
		assert_int_equal(r->answered, 1);
		assert_int_equal(r->reqs[2].error, rows[i].error);
		rig_req(r, 3, 0, SK_DISK_FLUSH, 0, 0);	/* told once */
		rig_run(r);
		assert_int_equal(r->reqs[3].error, 0);
		rig_free(r);
	}
}

static bool write_only(struct rig *r, struct sk_task *t)
{
	(void)r;
	if (t->cdb[0] != SK_SCSI_WRITE_10)
		return false;
	task_good(t);
	return true;
}

/* A write that ended while a flush was under way is not covered by it. */
static void a_flush_vouches_for_what_came_before_it(void **st)
{
	struct rig *r = ready(&plain);

	(void)st;
	r->hold = 1;
	rig_req(r, 0, 0, SK_DISK_FLUSH, 0, 0);
	rig_req(r, 1, 0, SK_DISK_WRITE, 0, 512);
	assert_int_equal(r->n_sent, 2);
	r->answer = write_only;
	rig_run(r);
	assert_int_equal(r->reqs[1].error, 0);
	assert_false(r->reqs[0].done);
	r->hold = 0;
	rig_run(r);
	assert_int_equal(r->reqs[0].error, 0);
	attention = 0x01;
	r->answered = 0;
	r->answer = power_once;
	rig_req(r, 2, 0, SK_DISK_FLUSH, 0, 0);
	rig_run(r);
	assert_int_equal(r->reqs[2].error, EIO);
	rig_free(r);
}

static uint8_t n_writes;

/* The second of two WRITEs finds the device switched on again; whatever came before is gone. */
static bool power_between(struct rig *r, struct sk_task *t)
{
	(void)r;
	if (t->cdb[0] != SK_SCSI_WRITE_10)
		return false;
	if (++n_writes == 2)
		task_sense(t, SK_KEY_UNIT_ATTENTION, 0x29, 0x01);
	else
		task_good(t);
	return true;
}

/* Nobody was told that its first part was done, so nobody would write that again. And nothing that was told is lost. */
static void a_write_in_parts_begins_anew_after_a_loss_of_power(void **st)
{
	struct sk_serve_cfg cfg = plain;
	struct rig *r;

	(void)st;
	cfg.max_io = 1024;
	r = ready(&cfg);
	n_writes = 0;
	r->answer = power_between;
	assert_int_equal(rig_req(r, 0, 0, SK_DISK_WRITE, 0, 2048)->done, false);
	rig_run(r);
	assert_int_equal(r->reqs[0].error, 0);
	assert_int_equal(n_writes, 4);		/* 1st, 2nd refused, 1st again, 2nd again */
	rig_req(r, 1, 0, SK_DISK_FLUSH, 0, 0);
	rig_run(r);
	assert_int_equal(r->reqs[1].error, 0);
	rig_free(r);
}

/* The flush behind a forced write vouches for that write; the loss of others is told to who asks about them. */
static void a_forced_write_does_not_swallow_the_loss_of_others(void **st)
{
	struct rig *r = rig_new(&plain);
	struct fake_req *q = &r->reqs[1];

	(void)st;
	r->luns[1].dpofua = false;
	rig_up(r);
	rig_req(r, 0, 0, SK_DISK_WRITE, 0, 512);
	rig_run(r);
	attention = 0x01;
	r->answer = power_once;
	q->req = (struct sk_disk_req){ .op = SK_DISK_WRITE, .off = 512, .len = 512, .fua = true, .data = q->data };
	sk_serve_request(r->s, &q->req);
	rig_run(r);
	assert_int_equal(r->answered, 1);
	assert_int_equal(q->error, 0);
	rig_req(r, 2, 0, SK_DISK_FLUSH, 0, 0);
	rig_run(r);
	assert_int_equal(r->reqs[2].error, EIO);
	rig_free(r);
}

static bool nameless(struct rig *r, struct sk_task *t)
{
	static const uint8_t pages[] = { 0, 0, 0, 1, 0x00 };

	(void)r;
	if (t->cdb[0] != SK_SCSI_INQUIRY || !(t->cdb[1] & 1))
		return false;
	memcpy(t->iov[0].iov_base, pages, sizeof(pages));
	task_good(t);
	t->transferred = sizeof(pages);
	return true;
}

/* Nothing names the volume: its size must do. Growing live is announced, and fine. */
static void a_volume_without_a_name_is_known_by_its_size(void **st)
{
	struct rig *r = rig_new(&plain);

	(void)st;
	r->answer = nameless;
	rig_up(r);
	rig_lost(r);
	rig_up(r);
	assert_int_equal(r->states[0], SK_DISK_RUNNING);
	fake_event(&(struct sk_engine_event){ .kind = SK_EV_ASYNC, .code = 0, .lun = 1ULL << 48, .sense_len = 18,
					      .sense = { 0x70, 0, SK_KEY_UNIT_ATTENTION, [7] = 10, [12] = 0x2a, 0x09 } });
	r->luns[1].blocks *= 2;
	rig_run(r);
	assert_int_equal(r->disks[0].size, 2 * 65536 * 512);
	assert_int_equal(r->states[0], SK_DISK_RUNNING);
	rig_lost(r);
	r->luns[1].blocks += 8;
	rig_up(r);
	assert_int_equal(r->states[0], SK_DISK_GONE);
	assert_true(rig_said(r, SK_B_LUN_OFF)->off.stranger);
	rig_free(r);
}

static uint8_t seen[8][16];

static bool record(struct rig *r, struct sk_task *t)
{
	if (!is_block(t))
		return false;
	assert_true(r->answered < 8);
	memcpy(seen[r->answered], t->cdb, 16);
	task_good(t);
	return true;
}

static bool no_sync(struct rig *r, struct sk_task *t)
{
	(void)r;
	if (t->cdb[0] != SK_SCSI_SYNCHRONIZE_CACHE_10 && t->cdb[0] != SK_SCSI_SYNCHRONIZE_CACHE_16)
		return false;
	task_sense(t, SK_KEY_ILLEGAL_REQUEST, 0x20, 0);
	return true;
}

/* The front end answers flushes of a disk without a cache by itself. */
static void a_cache_that_is_switched_on_is_flushed(void **st)
{
	struct rig *r = rig_new(&plain);

	(void)st;
	r->luns[1].write_cache = false;
	rig_up(r);
	assert_false(r->disks[0].write_cache);
	r->luns[1].write_cache = true;
	sk_serve_rescan(r->s);
	rig_run(r);
	assert_true(r->disks[0].write_cache);
	r->answer = no_sync;
	rig_req(r, 0, 0, SK_DISK_FLUSH, 0, 0);
	rig_run(r);
	assert_int_equal(r->reqs[0].error, 0);
	rig_lost(r);		/* what answers after the next login may have learnt it */
	r->answer = record;
	r->answered = 0;
	rig_up(r);
	rig_req(r, 1, 0, SK_DISK_FLUSH, 0, 0);
	rig_run(r);
	assert_int_equal(r->answered, 1);
	assert_int_equal(seen[0][0], SK_SCSI_SYNCHRONIZE_CACHE_10);
	rig_free(r);
}

/* The commands a request leads to, one after the other */
static void forced_write(bool dpofua)
{
	struct rig *r = rig_new(&plain);
	struct fake_req *q = &r->reqs[0];

	r->luns[1].dpofua = dpofua;
	rig_up(r);
	r->answer = record;
	q->req = (struct sk_disk_req){ .op = SK_DISK_WRITE, .fua = true, .len = 512, .data = q->data };
	sk_serve_request(r->s, &q->req);
	rig_run(r);
	assert_true(q->done);
	assert_int_equal(q->error, 0);
	assert_int_equal(seen[0][0], SK_SCSI_WRITE_10);
	assert_int_equal(seen[0][1] & 8, dpofua ? 8 : 0);
	assert_int_equal(r->answered, dpofua ? 1 : 2);
	if (!dpofua)
		assert_int_equal(seen[1][0], SK_SCSI_SYNCHRONIZE_CACHE_10);
	rig_free(r);
}

static void a_forced_write_is_on_the_medium(void **st)
{
	(void)st;
	forced_write(true);
	forced_write(false);
}

static bool no_write_same(struct rig *r, struct sk_task *t)
{
	if (t->cdb[0] == SK_SCSI_WRITE_SAME_16 || t->cdb[0] == SK_SCSI_WRITE_SAME_10)
		task_sense(t, SK_KEY_ILLEGAL_REQUEST, 0x20, 0);
	else if (!record(r, t))
		return false;
	return true;
}

static void a_hole_is_zeroes_whatever_the_device_can_do(void **st)
{
	struct rig *r = rig_new(&plain);

	(void)st;
	r->luns[1].lbpws = r->luns[1].lbprz = true;
	rig_up(r);
	assert_true(r->disks[0].discard_granularity != 0);
	r->answer = record;
	rig_req(r, 0, 0, SK_DISK_PUNCH, 4096, 65536);
	rig_req(r, 1, 0, SK_DISK_ZERO, 4096, 65536);
	rig_run(r);
	assert_int_equal(seen[0][0], SK_SCSI_WRITE_SAME_16);
	assert_int_equal(seen[0][1], SK_WS_UNMAP);
	assert_int_equal(seen[1][1], 0);
	rig_free(r);

	r = rig_new(&plain);		/* unmapped blocks read as anything: no UNMAP */
	r->luns[1].lbpws = true;
	rig_up(r);
	assert_int_equal(r->disks[0].discard_granularity, 0);
	r->answer = record;
	rig_req(r, 0, 0, SK_DISK_PUNCH, 0, 65536);
	rig_run(r);
	assert_int_equal(seen[0][1], 0);
	rig_free(r);

	r = ready(&plain);		/* no WRITE SAME at all */
	r->answer = no_write_same;
	rig_req(r, 0, 0, SK_DISK_PUNCH, 0, 4096);
	rig_run(r);
	assert_int_equal(r->reqs[0].error, 0);
	assert_int_equal(seen[r->answered - 1][0], SK_SCSI_WRITE_10);
	rig_free(r);
}

static void a_silent_connection_is_dropped(void **st)
{
	struct sk_serve_cfg cfg = plain;
	struct rig *r;

	(void)st;
	cfg.timers.noop_interval_s = 5;
	cfg.timers.noop_timeout_s = 3;
	r = ready(&cfg);
	rig_pass(r, 4999);
	assert_int_equal(r->pings, 0);
	rig_pass(r, 1);
	assert_int_equal(r->pings, 1);
	rig_pass(r, 2999);
	fake_rx(1);				/* not the answer, but life */
	rig_pass(r, 1);
	assert_int_equal(r->dropped, 0);
	rig_pass(r, 5000 + 3000);
	assert_int_equal(r->dropped, 1);
	assert_int_equal(rig_said(r, SK_B_DOWN)->result.code, SK_ETIME);
	rig_free(r);
}

static void the_target_asks_for_a_logout(void **st)
{
	struct rig *r = ready(&plain);

	(void)st;
	fake_event(&(struct sk_engine_event){ .kind = SK_EV_ASYNC, .code = 1, .param3 = 10 });
	rig_run(r);
	assert_int_equal(r->logouts, 1);
	assert_int_equal(rig_said(r, SK_B_ASYNC)->async.p3, 10);
	assert_int_equal(r->dropped, 0);
	fake_event(&(struct sk_engine_event){ .kind = SK_EV_LOGOUT });
	rig_run(r);
	assert_int_equal(r->dropped, 1);
	assert_int_equal(rig_said(r, SK_B_HEALTH)->result.code, SK_B_FAILED);
	rig_free(r);
}

static void a_target_that_waits_for_a_logout_gets_it(void **st)
{
	struct rig *r = ready(&plain);

	(void)st;
	fake_event(&(struct sk_engine_event){ .kind = SK_EV_REJECT, .code = 0x0c });
	fake_event(&(struct sk_engine_event){ .kind = SK_EV_REJECT, .code = 0x0c });
	rig_run(r);
	assert_int_equal(r->logouts, 1);
	rig_free(r);
}

static void logging_out(void **st)
{
	struct rig *r = ready(&plain);

	(void)st;
	sk_serve_logout(r->s);
	rig_run(r);
	assert_int_equal(r->logouts, 1);
	assert_null(rig_said(r, SK_B_OUT));
	assert_int_equal(rig_req(r, 0, 0, SK_DISK_READ, 0, 512)->error, EIO);
	fake_event(&(struct sk_engine_event){ .kind = SK_EV_LOGOUT });
	rig_run(r);
	assert_non_null(rig_said(r, SK_B_OUT));
	rig_free(r);
	r = ready(&plain);
	rig_lost(r);
	sk_serve_logout(r->s);			/* nobody to talk to */
	assert_non_null(rig_said(r, SK_B_OUT));
	rig_free(r);
}

static void the_connection_goes_in_the_middle_of_a_scan(void **st)
{
	struct rig *r = rig_new(&plain);

	(void)st;
	sk_serve_up(r->s, r->now);
	sk_serve_turn(r->s, r->now);		/* REPORT LUNS is out */
	assert_int_equal(r->n_sent, 1);
	rig_lost(r);
	rig_up(r);
	assert_int_equal(rig_said(r, SK_B_SCANNED)->result.n, 1);
	rig_free(r);
}

static void a_scan_does_not_wait_for_a_target_that_is_gone(void **st)
{
	struct rig *r = rig_new(&plain);

	(void)st;
	sk_serve_up(r->s, r->now);
	sk_serve_turn(r->s, r->now);
	rig_lost(r);
	rig_pass(r, 120000);
	assert_int_equal(rig_said(r, SK_B_SCANNED)->result.code, SK_ETIME);
	rig_up(r);
	assert_int_equal(rig_said(r, SK_B_SCANNED)->result.n, 1);
	rig_free(r);
}

static bool no_ident(struct rig *r, struct sk_task *t)
{
	(void)r;
	if (t->cdb[0] == SK_SCSI_INQUIRY)
		task_status(t, SK_ST_BUSY);
	return t->cdb[0] == SK_SCSI_INQUIRY;
}

static void io_waits_for_the_identity_but_not_for_ever(void **st)
{
	struct rig *r = ready(&plain);

	(void)st;
	rig_lost(r);
	r->answer = no_ident;
	rig_up(r);
	rig_req(r, 0, 0, SK_DISK_READ, 0, 512);
	rig_pass(r, 30000);
	assert_false(r->reqs[0].done);
	rig_pass(r, 40000);
	assert_int_equal(r->reqs[0].error, EIO);
	r->answer = NULL;			/* it comes to itself, and nobody has to ask for a scan */
	rig_pass(r, 300000);
	assert_int_equal(r->states[0], SK_DISK_RUNNING);
	rig_req(r, 1, 0, SK_DISK_READ, 0, 512);
	rig_run(r);
	assert_int_equal(r->reqs[1].error, 0);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_scan_finds_disks_and_names_the_rest),
		cmocka_unit_test(no_scan_unless_asked),
		cmocka_unit_test(a_read_goes_straight_into_its_buffer),
		cmocka_unit_test(queue_depth_and_cmds_max_hold),
		cmocka_unit_test(busy_is_tried_again_later),
		cmocka_unit_test(patience_with_busy_ends),
		cmocka_unit_test(a_full_task_set_means_fewer_commands_at_once),
		cmocka_unit_test(a_changed_capacity_resizes_the_disk),
		cmocka_unit_test(changed_luns_are_scanned),
		cmocka_unit_test(a_scan_that_failed_is_made_again),
		cmocka_unit_test(a_list_that_is_short_for_a_moment_costs_nothing),
		cmocka_unit_test(what_was_lost_is_sent_again_in_order_after_the_identity),
		cmocka_unit_test(another_volume_is_not_served),
		cmocka_unit_test(replacement_timeout_fails_until_the_next_connection),
		cmocka_unit_test(replacement_timeout_of_zero_and_of_none),
		cmocka_unit_test(sense_becomes_errno),
		cmocka_unit_test(a_disk_that_becomes_read_only),
		cmocka_unit_test(success_for_less_than_asked_is_an_error),
		cmocka_unit_test(a_lost_write_fails_the_next_flush),
		cmocka_unit_test(a_cache_that_is_switched_on_is_flushed),
		cmocka_unit_test(no_disk_waits_for_tasks_that_another_uses_up),
		cmocka_unit_test(a_forced_write_is_on_the_medium),
		cmocka_unit_test(a_hole_is_zeroes_whatever_the_device_can_do),
		cmocka_unit_test(a_silent_connection_is_dropped),
		cmocka_unit_test(the_target_asks_for_a_logout),
		cmocka_unit_test(a_device_that_lost_power_fails_the_next_flush),
		cmocka_unit_test(a_flush_vouches_for_what_came_before_it),
		cmocka_unit_test(a_write_in_parts_begins_anew_after_a_loss_of_power),
		cmocka_unit_test(a_forced_write_does_not_swallow_the_loss_of_others),
		cmocka_unit_test(a_volume_without_a_name_is_known_by_its_size),
		cmocka_unit_test(a_target_that_waits_for_a_logout_gets_it),
		cmocka_unit_test(logging_out),
		cmocka_unit_test(the_connection_goes_in_the_middle_of_a_scan),
		cmocka_unit_test(a_scan_does_not_wait_for_a_target_that_is_gone),
		cmocka_unit_test(io_waits_for_the_identity_but_not_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
