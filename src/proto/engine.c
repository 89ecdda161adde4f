/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "proto/engine_priv.h"

#include <assert.h>
#include <stdlib.h>

#include "base/num.h"

void task_list_add(struct task_list *l, struct sk_task *t, enum task_link k)
{
	t->x.link[k].next = NULL;
	t->x.link[k].prev = l->tail;
	if (l->tail)
		l->tail->x.link[k].next = t;
	else
		l->head = t;
	l->tail = t;
}

void task_list_del(struct task_list *l, struct sk_task *t, enum task_link k)
{
	struct sk_task *next = t->x.link[k].next, *prev = t->x.link[k].prev;

	if (next)
		next->x.link[k].prev = prev;
	else
		l->tail = prev;
	if (prev)
		prev->x.link[k].next = next;
	else
		l->head = next;
	t->x.link[k].next = NULL;
	t->x.link[k].prev = NULL;
}

/* The free list is a stack: the task used last is the one still in the cache. */
static void task_release(struct sk_engine *e, struct sk_task *t)
{
	t->x.state = TASK_FREE;
	t->x.link[LINK_MAIN].prev = NULL;
	t->x.link[LINK_MAIN].next = e->free.head;
	if (e->free.head)
		e->free.head->x.link[LINK_MAIN].prev = t;
	else
		e->free.tail = t;
	e->free.head = t;
}

uint32_t tag_new(struct sk_engine *e, uint32_t index)
{
	uint32_t tag;

	do
		tag = ++e->gen << TAG_INDEX_BITS | index;
	while (tag == SK_TAG_NONE);
	return tag;
}

/* The pool of R2T records: as many as the target may have outstanding. */
static int recs_init(struct sk_engine *e, struct sk_err *err)
{
	uint64_t n = (uint64_t)e->cfg.max_tasks * SK_MAX(e->par.max_outstanding_r2t, 1U);
	struct r2t_rec *recs;

	if (n > R2T_POOL_MAX)
		return sk_fail(err, SK_EINVAL, "%u tasks with MaxOutstandingR2T=%u are more than %u R2Ts",
			       e->cfg.max_tasks, e->par.max_outstanding_r2t, R2T_POOL_MAX);
	recs = calloc(n, sizeof(*recs));
	if (!recs)
		return sk_fail(err, SK_ENOMEM, "no memory for %u R2Ts", (uint32_t)n);
	free(e->recs);
	e->recs = recs;
	e->n_recs = (uint32_t)n;
	for (uint32_t i = 0; i < n; i++)
		recs[i].next = i + 1 < n ? i + 1 : R2T_NONE;
	e->rec_free = 0;
	return 0;
}

static void numbers_start(struct sk_engine *e)
{
	e->cmd_sn = e->par.cmd_sn;
	e->exp_cmd_sn = e->par.exp_cmd_sn;
	e->max_cmd_sn = e->par.max_cmd_sn;
	e->exp_stat_sn = e->par.exp_stat_sn;
}

static int params_check(const struct sk_params *p, struct sk_err *err)
{
	if (p->max_recv_dsl < 512 || p->max_xmit_dsl < 512 || p->max_burst < 512 || p->first_burst < 512)
		return sk_fail(err, SK_EINVAL, "a length of the settled parameters is below 512");
	if (p->max_recv_dsl > 0xffffff || p->max_xmit_dsl > 0xffffff)
		return sk_fail(err, SK_EINVAL, "MaxRecvDataSegmentLength above 16777215");
	return 0;
}

void sk_engine_patience(struct sk_engine *e, uint32_t abort_ms, uint32_t lu_reset_ms, uint32_t tgt_reset_ms)
{
	e->cfg.abort_ms = abort_ms ? abort_ms : 15000;
	e->cfg.lu_reset_ms = lu_reset_ms ? lu_reset_ms : 30000;
	e->cfg.tgt_reset_ms = tgt_reset_ms ? tgt_reset_ms : 30000;
}

struct sk_engine *sk_engine_new(const struct sk_engine_cfg *cfg, const struct sk_params *params, struct sk_err *err)
{
	struct sk_engine *e;

	if (cfg->max_tasks < 1 || cfg->max_tasks > TAG_TMF) {
		sk_fail(err, SK_EINVAL, "max_tasks=%u is outside 1..%u", cfg->max_tasks, TAG_TMF);
		return NULL;
	}
	if (params_check(params, err) < 0)
		return NULL;
	e = calloc(1, sizeof(*e));
	if (!e) {
		sk_fail(err, SK_ENOMEM, "no memory for an engine");
		return NULL;
	}
	e->cfg = *cfg;
	sk_engine_patience(e, cfg->abort_ms, cfg->lu_reset_ms, cfg->tgt_reset_ms);
	e->par = *params;
	e->hdr_crc = sk_crc32c_small_best();
	e->bound_ms = UINT64_MAX;
	e->rx.cap = SK_MAX(cfg->stage_bytes ? cfg->stage_bytes : STAGE_DEFAULT, STAGE_MIN);
	e->rx.stage = malloc(e->rx.cap);
	e->tasks = calloc(cfg->max_tasks, sizeof(*e->tasks));
	e->graves = calloc(cfg->max_tasks, sizeof(*e->graves));
	if (!e->rx.stage || !e->tasks || !e->graves || tx_init(e) < 0) {
		sk_fail(err, SK_ENOMEM, "no memory for an engine of %u tasks", cfg->max_tasks);
		goto undo;
	}
	if (recs_init(e, err) < 0)
		goto undo;
	for (uint32_t i = cfg->max_tasks; i-- > 0;) {
		e->tasks[i].x.index = i;
		e->tasks[i].x.itt = SK_TAG_NONE;
		e->graves[i] = SK_TAG_NONE;
		task_release(e, &e->tasks[i]);
	}
	numbers_start(e);
	rx_reset(e);
	return e;
undo:
	sk_engine_free(e);
	return NULL;
}

void sk_engine_free(struct sk_engine *e)
{
	if (!e)
		return;
	free(e->rx.stage);
	free(e->tx.segs);
	free(e->tx.ring);
	free(e->tasks);
	free(e->graves);
	free(e->recs);
	free(e);
}

struct sk_task *sk_engine_task(struct sk_engine *e)
{
	struct sk_task *t = e->free.head;
	uint32_t index;

	if (!t)
		return NULL;
	task_list_del(&e->free, t, LINK_MAIN);
	index = t->x.index;
	memset(t, 0, sizeof(*t));
	t->x.index = index;
	t->x.itt = SK_TAG_NONE;
	t->x.state = TASK_HELD;
	return t;
}

static uint64_t iov_sum(const struct sk_task *t)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < t->n_iov; i++)
		n += t->iov[i].iov_len;
	return n;
}

/* As at its submission: nothing of it was sent or received. */
static void task_rewind(struct sk_task *t)
{
	t->x.itt = SK_TAG_NONE;
	t->x.state = TASK_QUEUED;
	t->x.exp_data_sn = 0;
	t->x.exp_r2t_sn = 0;
	t->x.data_off = 0;
	t->x.unsol_left = 0;
	t->x.n_r2t = 0;
	t->x.r2t_first = R2T_NONE;
	t->x.r2t_last = R2T_NONE;
	t->transferred = 0;
}

void sk_engine_submit(struct sk_engine *e, struct sk_task *t)
{
	assert(t->x.state == TASK_HELD);
	if (t->dir == SK_DIR_NONE)
		t->len = 0;
	assert(t->len == 0 || iov_sum(t) == t->len);
	task_rewind(t);
	if (t->deadline_ms) {
		t->x.budget_ms = t->deadline_ms > e->now_ms ? t->deadline_ms - e->now_ms : 0;
		e->bound_ms = SK_MIN(e->bound_ms, t->deadline_ms);
	}
	task_list_add(&e->live, t, LINK_MAIN);
	if (!e->unsent)
		e->unsent = t;
	e->inflight++;
}

void sk_engine_task_put(struct sk_engine *e, struct sk_task *t)
{
	assert(t->x.state == TASK_HELD || t->x.state == TASK_DONE);
	task_release(e, t);
}

void task_r2t_forget(struct sk_engine *e, struct sk_task *t)
{
	if (!t->x.n_r2t)
		return;
	task_list_del(&e->r2t, t, LINK_R2T);
	e->recs[t->x.r2t_last].next = e->rec_free;
	e->rec_free = t->x.r2t_first;
	t->x.n_r2t = 0;
	t->x.r2t_first = R2T_NONE;
	t->x.r2t_last = R2T_NONE;
}

static void task_unsol_forget(struct sk_engine *e, struct sk_task *t)
{
	if (t->x.unsol_left)
		task_list_del(&e->unsol, t, LINK_UNSOL);
	t->x.unsol_left = 0;
}

static void task_done(struct sk_engine *e, struct sk_task *t)
{
	t->x.state = TASK_DONE;
	e->inflight--;
	task_list_add(&e->done, t, LINK_MAIN);
}

void task_over(struct sk_engine *e, struct sk_task *t, enum sk_task_end end)
{
	if (e->unsent == t)
		e->unsent = t->x.link[LINK_MAIN].next;
	task_list_del(&e->live, t, LINK_MAIN);
	task_r2t_forget(e, t);
	task_unsol_forget(e, t);
	t->end = end;
	if (t->x.pins)
		t->x.state = TASK_ENDING;
	else
		task_done(e, t);
}

void task_bury(struct sk_engine *e, struct sk_task *t)
{
	t->unsent = t->x.state == TASK_QUEUED;
	if (t->x.state == TASK_SENT)
		e->graves[t->x.index] = t->x.itt;
	task_over(e, t, t->x.expired ? SK_END_TIMEOUT : SK_END_ABORTED);
}

void task_unpin(struct sk_engine *e, uint32_t pin)
{
	struct sk_task *t = &e->tasks[pin - 1];

	if (--t->x.pins == 0 && t->x.state == TASK_ENDING)
		task_done(e, t);
}

struct sk_task *sk_engine_next_done(struct sk_engine *e)
{
	struct sk_task *t = e->done.head;

	if (t)
		task_list_del(&e->done, t, LINK_MAIN);
	return t;
}

struct sk_engine_event *event_add(struct sk_engine *e, enum sk_event_kind kind, bool answer)
{
	uint32_t room = N_EVENTS - (e->ev_end - e->ev_first);
	struct sk_engine_event *ev;

	if (room <= (answer ? 0 : EVENTS_KEPT))
		return NULL;
	ev = &e->events[e->ev_end++ % N_EVENTS];
	*ev = (struct sk_engine_event){ .kind = kind };
	return ev;
}

bool sk_engine_next_event(struct sk_engine *e, struct sk_engine_event *ret)
{
	if (e->ev_first == e->ev_end)
		return false;
	*ret = e->events[e->ev_first++ % N_EVENTS];
	return true;
}

bool sk_engine_pending(const struct sk_engine *e)
{
	return e->done.head || e->ev_first != e->ev_end;
}

void sk_engine_halt(struct sk_engine *e)
{
	if (e->halted)
		return;
	e->halted = true;
	for (struct sk_task *t = e->live.head; t; t = t->x.link[LINK_MAIN].next) {
		task_r2t_forget(e, t);
		task_unsol_forget(e, t);
		t->x.state = TASK_QUEUED;
	}
	e->unsent = e->live.head;
	tx_reset(e);
	rx_reset(e);
	tmf_reset(e);
}

int sk_engine_resume(struct sk_engine *e, const struct sk_params *params, struct sk_err *err)
{
	struct sk_params was = e->par;
	struct sk_task *next;

	if (params_check(params, err) < 0)
		return -1;
	sk_engine_halt(e);
	e->par = *params;
	if (params->max_outstanding_r2t != was.max_outstanding_r2t && recs_init(e, err) < 0) {
		e->par = was;
		return -1;
	}
	for (struct sk_task *t = e->live.head; t; t = next) {
		next = t->x.link[LINK_MAIN].next;
		task_rewind(t);
		if (t->x.expired)
			task_over(e, t, SK_END_TIMEOUT);
	}
	e->unsent = e->live.head;
	for (uint32_t i = 0; i < e->cfg.max_tasks; i++)
		e->graves[i] = SK_TAG_NONE;
	numbers_start(e);
	e->rearm = true;
	e->halted = false;
	return 0;
}

void sk_engine_drop(struct sk_engine *e)
{
	sk_engine_halt(e);
	while (e->live.head)
		task_over(e, e->live.head, SK_END_LOST);
}

bool sk_engine_halted(const struct sk_engine *e)
{
	return e->halted;
}

uint32_t sk_engine_inflight(const struct sk_engine *e)
{
	return e->inflight;
}

const struct sk_engine_stats *sk_engine_stats(const struct sk_engine *e)
{
	return &e->stats;
}

const struct sk_params *sk_engine_params(const struct sk_engine *e)
{
	return &e->par;
}
