/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fake.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/span.h"

#define TASKS 256

/* The engine: one per program, tests run one after the other. */
struct sk_engine {
	struct sk_task tasks[TASKS];
	bool used[TASKS];
	unsigned max;
	struct sk_task *done[TASKS];
	unsigned n_done, at_done;
	struct sk_engine_event events[8];
	unsigned n_events, at_event;
	struct sk_engine_stats stats;
	struct rig *r;
};

static struct sk_engine engine;

struct sk_task *sk_engine_task(struct sk_engine *e)
{
	for (unsigned i = 0; i < e->max; i++)
		if (!e->used[i]) {
			e->used[i] = true;
			e->tasks[i] = (struct sk_task){ 0 };
			return &e->tasks[i];
		}
	return NULL;
}

void sk_engine_task_put(struct sk_engine *e, struct sk_task *t)
{
	assert_true(e->used[t - e->tasks]);
	e->used[t - e->tasks] = false;
}

void sk_engine_submit(struct sk_engine *e, struct sk_task *t)
{
	e->r->sent[e->r->n_sent++] = t;
}

struct sk_task *sk_engine_next_done(struct sk_engine *e)
{
	return e->at_done < e->n_done ? e->done[e->at_done++] : NULL;
}

bool sk_engine_next_event(struct sk_engine *e, struct sk_engine_event *ret)
{
	if (e->at_event == e->n_events)
		return false;
	*ret = e->events[e->at_event++];
	return true;
}

int sk_engine_ping(struct sk_engine *e, uint64_t cookie, struct sk_err *err)
{
	(void)cookie;
	(void)err;
	e->r->pings++;
	return 0;
}

int sk_engine_logout(struct sk_engine *e, struct sk_err *err)
{
	(void)err;
	e->r->logouts++;
	return 0;
}

static void over(struct sk_engine *e, struct sk_task *t)
{
	if (e->at_done == e->n_done)
		e->at_done = e->n_done = 0;
	e->done[e->n_done++] = t;
}

/* In no order, as far as the interface promises: here the oldest last. */
void sk_engine_drop(struct sk_engine *e)
{
	struct rig *r = e->r;

	while (r->n_sent) {
		struct sk_task *t = r->sent[--r->n_sent];

		t->end = SK_END_LOST;
		over(e, t);
	}
}

const struct sk_engine_stats *sk_engine_stats(const struct sk_engine *e)
{
	return &e->stats;
}

uint32_t sk_engine_inflight(const struct sk_engine *e)
{
	return e->r->n_sent;
}

void fake_event(const struct sk_engine_event *ev)
{
	if (engine.at_event == engine.n_events)
		engine.at_event = engine.n_events = 0;
	engine.events[engine.n_events++] = *ev;
}

void fake_rx(uint64_t bytes)
{
	engine.stats.rx_bytes += bytes;
}

/* Answers */

void task_good(struct sk_task *t)
{
	t->end = SK_END_STATUS;
	t->scsi_status = SK_ST_GOOD;
	t->transferred = t->len;
}

void task_status(struct sk_task *t, uint8_t status)
{
	t->end = SK_END_STATUS;
	t->scsi_status = status;
}

void task_sense(struct sk_task *t, uint8_t key, uint8_t asc, uint8_t ascq)
{
	task_status(t, SK_ST_CHECK_CONDITION);
	memset(t->sense, 0, 18);
	t->sense[0] = 0x70;
	t->sense[2] = key;
	t->sense[7] = 10;
	t->sense[12] = asc;
	t->sense[13] = ascq;
	t->sense_len = 18;
}

/* Data a device sends: as much as was asked for. */
static void send(struct sk_task *t, const uint8_t *p, uint32_t n)
{
	uint32_t len = n < t->len ? n : t->len;

	memcpy(t->iov[0].iov_base, p, len);
	task_good(t);
	t->transferred = len;
	t->underflow = len < t->len;
	t->residual = t->len - len;
}

static void inquiry(const struct fake_lun *l, struct sk_task *t)
{
	uint8_t b[96] = { l->there ? l->type : 0x7f, 0, 6, 2, 91 };
	static const uint8_t pages[] = { 0, 0, 0, 4, 0x00, 0x83, 0xb0, 0xb2 };
	uint8_t id[16] = { 0, 0x83, 0, 12, 1, 3, 0, 8 }, limits[64] = { 0, 0xb0, 0, 60 };
	uint8_t provision[8] = { 0, 0xb2, 0, 4, 0, (uint8_t)((l->lbpws ? 0x40 : 0) | (l->lbprz ? 4 : 0)) };

	if (!(t->cdb[1] & 1)) {
		memcpy(b + 8, "FAKE    DISK            0001", 28);
		send(t, b, sizeof(b));
		return;
	}
	switch (t->cdb[2]) {
	case 0x00:
		send(t, pages, sizeof(pages));
		return;
	case 0x83:
		for (int i = 0; i < 8; i++)
			id[8 + i] = (uint8_t)strtoul((char[]){ l->naa[2 * i], l->naa[2 * i + 1], 0 }, NULL, 16);
		send(t, id, sizeof(id));
		return;
	case 0xb0:
		send(t, limits, sizeof(limits));
		return;
	default:
		send(t, provision, sizeof(provision));
		return;
	}
}

static void capacity(const struct fake_lun *l, struct sk_task *t)
{
	uint8_t b[32] = { 0 };

	sk_set_be64(b, l->blocks - 1);
	sk_set_be32(b + 8, 512);
	b[14] = (uint8_t)((l->lbpws ? 0x80 : 0) | (l->lbprz ? 0x40 : 0));
	send(t, b, sizeof(b));
}

static void mode(const struct fake_lun *l, struct sk_task *t)
{
	uint8_t b[24] = { 23, 0, (uint8_t)((l->read_only ? 0x80 : 0) | (l->dpofua ? 0x10 : 0)), 0, 8, 18,
			  l->write_cache ? 4 : 0 };

	send(t, b, sizeof(b));
}

static void report_luns(struct rig *r, struct sk_task *t)
{
	uint8_t b[8 + 8 * FAKE_LUNS] = { 0 };
	uint32_t n = 0;

	for (uint8_t i = 0; i < FAKE_LUNS; i++)
		if (r->luns[i].there)
			b[8 + 8 * n++ + 1] = i;
	sk_set_be32(b, n * 8);
	send(t, b, 8 + 8 * n);
}

/* true: answered */
static bool target(struct rig *r, struct sk_task *t)
{
	struct fake_lun *l = &r->luns[t->lun >> 48];

	if (r->answer && r->answer(r, t)) {
		r->answered++;
		return true;
	}
	switch (t->cdb[0]) {
	case SK_SCSI_REPORT_LUNS:
		report_luns(r, t);
		return true;
	case SK_SCSI_INQUIRY:
		inquiry(l, t);
		return true;
	case SK_SCSI_SERVICE_ACTION_IN_16:
		capacity(l, t);
		return true;
	case SK_SCSI_MODE_SENSE_6:
		mode(l, t);
		return true;
	default:
		if (r->hold)
			return false;
		if (t->dir == SK_DIR_READ)
			memset(t->iov[0].iov_base, 0x5a, t->iov[0].iov_len);
		task_good(t);
		return true;
	}
}

/* The front end */

static int add(struct sk_disk_front *f, const struct sk_disk_info *info, uint32_t *ret_unit, struct sk_err *err)
{
	struct rig *r = engine.r;

	(void)f;
	if (r->n_disks == FAKE_LUNS)
		return sk_fail(err, SK_ENOMEM, "no more");
	r->disks[r->n_disks] = *info;
	*ret_unit = r->n_disks++;
	return 0;
}

static void change(struct sk_disk_front *f, uint32_t unit, const struct sk_disk_info *info)
{
	(void)f;
	engine.r->disks[unit] = *info;
}

static void state(struct sk_disk_front *f, uint32_t unit, enum sk_disk_state st)
{
	(void)f;
	engine.r->states[unit] = st;
}

static void complete(struct sk_disk_front *f, struct sk_disk_req *req, int error)
{
	struct fake_req *q = (struct fake_req *)req;

	(void)f;
	assert_false(q->done);
	q->done = true;
	q->error = error;
	engine.r->order[engine.r->n_order++] = (unsigned)(q - engine.r->reqs);
}

static const struct sk_disk_ops ops = { .name = "fake", .add = add, .change = change, .state = state, .complete = complete };
static struct sk_disk_front front = { &ops };

static void tell(void *ctx, const struct sk_b_msg *m)
{
	struct rig *r = ctx;

	r->said[r->n_said++ % 256] = *m;
}

static void drop(void *ctx, const struct sk_err *why)
{
	struct rig *r = ctx;

	r->dropped++;
	sk_serve_lost(r->s, why, r->now);
}

/* The rig */

struct rig *rig_new(const struct sk_serve_cfg *cfg)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct sk_serve_cfg c = *cfg;

	assert_non_null(r);
	r->now = 1000;
	r->luns[1] = (struct fake_lun){ .there = true, .naa = "6001405000000001", .blocks = 65536, .write_cache = true,
					.dpofua = true };
	memset(&engine, 0, sizeof(engine));
	engine.max = c.cmds_max + SK_SERVE_SPARE;
	engine.r = r;
	c.ctx = r;
	c.tell = tell;
	c.drop = drop;
	r->s = sk_serve_new(&c, &engine, &front, NULL);
	assert_non_null(r->s);
	return r;
}

void rig_free(struct rig *r)
{
	sk_serve_fail_all(r->s);
	for (unsigned i = 0; i < engine.max; i++)
		assert_false(engine.used[i]);
	sk_serve_free(r->s);
	free(r);
}

void rig_run(struct rig *r)
{
	bool moved;

	do {
		moved = false;
		for (unsigned i = 0; i < r->n_sent;) {
			struct sk_task *t = r->sent[i];

			if (!target(r, t)) {
				i++;
				continue;
			}
			memmove(&r->sent[i], &r->sent[i + 1], (--r->n_sent - i) * sizeof(r->sent[0]));
			over(&engine, t);
			moved = true;
		}
		sk_serve_turn(r->s, r->now);
	} while (moved || (r->n_sent && !r->hold) || sk_serve_next_ms(r->s) <= r->now);
}

void rig_pass(struct rig *r, uint64_t ms)
{
	uint64_t end = r->now + ms, next;

	rig_run(r);
	while ((next = sk_serve_next_ms(r->s)) <= end) {
		r->now = next > r->now ? next : r->now;
		rig_run(r);
	}
	r->now = end;
	rig_run(r);
}

void rig_up(struct rig *r)
{
	sk_serve_up(r->s, r->now);
	rig_run(r);
}

void rig_lost(struct rig *r)
{
	struct sk_err why;

	sk_fail(&why, SK_ECONN, "cut");
	sk_serve_lost(r->s, &why, r->now);
}

struct fake_req *rig_req(struct rig *r, unsigned i, uint32_t unit, enum sk_disk_op op, uint64_t off, uint32_t len)
{
	struct fake_req *q = &r->reqs[i];

	q->done = false;
	q->error = -1;
	q->req = (struct sk_disk_req){ .op = op, .unit = unit, .off = off, .len = len, .data = q->data };
	sk_serve_clock(r->s, r->now);
	sk_serve_request(r->s, &q->req);
	return q;
}

const struct sk_b_msg *rig_said(const struct rig *r, enum sk_b_type type)
{
	for (unsigned i = r->n_said; i > 0; i--)
		if (r->said[(i - 1) % 256].type == type)
			return &r->said[(i - 1) % 256];
	return NULL;
}

unsigned rig_count(const struct rig *r, enum sk_b_type type)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->n_said; i++)
		n += r->said[i % 256].type == type;
	return n;
}
