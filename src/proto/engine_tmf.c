/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "proto/engine_priv.h"

#include "base/num.h"

/* What the initiator asks besides commands, and the escalation: abort, LU reset, target reset, drop. */

int sk_engine_ping(struct sk_engine *e, uint64_t cookie, struct sk_err *err)
{
	if (e->halted || e->logout != ASK_NONE)
		return sk_fail(err, SK_ENOTCONN, "ping: no connection in the full-feature phase");
	if (e->ping != ASK_NONE)
		return sk_fail(err, SK_EAGAIN, "ping: one is outstanding already");
	e->ping = ASK_QUEUED;
	e->ping_cookie = cookie;
	return 0;
}

int sk_engine_logout(struct sk_engine *e, struct sk_err *err)
{
	if (e->halted)
		return sk_fail(err, SK_ENOTCONN, "logout: no connection in the full-feature phase");
	if (e->logout != ASK_NONE)
		return sk_fail(err, SK_EAGAIN, "logout: asked for already");
	e->logout = ASK_QUEUED;
	return 0;
}

/* --- task management --- */

static bool tmf_hits(const struct tmf_slot *s, const struct sk_task *t)
{
	switch (s->fn) {
	case SK_TMF_ABORT_TASK:
		return t->x.itt == s->ref_itt;
	case SK_TMF_ABORT_TASK_SET:
	case SK_TMF_CLEAR_TASK_SET:
	case SK_TMF_LU_RESET:
		return t->lun == s->lun;
	case SK_TMF_TARGET_WARM_RESET:
	case SK_TMF_TARGET_COLD_RESET:
		break;
	}
	return true;
}

static int tmf_add(struct sk_engine *e, enum sk_tmf fn, const struct sk_task *ref, uint64_t lun, uint64_t cookie,
		   bool internal)
{
	int i = 0;

	while (i < N_TMF && e->tmf[i].st != ASK_NONE)
		i++;
	if (i == N_TMF)
		return -1;
	e->tmf[i] = (struct tmf_slot){
		.st = ASK_QUEUED,
		.fn = fn,
		.internal = internal,
		.itt = SK_TAG_NONE,
		.ref_itt = ref ? ref->x.itt : SK_TAG_NONE,
		.ref_cmd_sn = ref ? ref->x.cmd_sn : 0,
		.lun = ref ? ref->lun : lun,
		.cookie = cookie,
	};
	if (fn != SK_TMF_ABORT_TASK)
		e->n_hold++;
	if (e->cfg.fast_abort)
		for (struct sk_task *t = e->live.head; t && t != e->unsent; t = t->x.link[LINK_MAIN].next)
			if (tmf_hits(&e->tmf[i], t))
				task_r2t_forget(e, t);
	return i;
}

static void tmf_free(struct sk_engine *e, struct tmf_slot *s)
{
	if (s->fn != SK_TMF_ABORT_TASK && !s->late)
		e->n_hold--;
	s->st = ASK_NONE;
	s->itt = SK_TAG_NONE;
}

/* Nobody waits for this one any more. If it is out, its answer is still awaited, but holds nothing back. */
static void tmf_give_up(struct sk_engine *e, struct tmf_slot *s)
{
	if (s->st == ASK_QUEUED) {
		tmf_free(e, s);
		return;
	}
	if (s->fn != SK_TMF_ABORT_TASK)
		e->n_hold--;
	s->late = true;
}

static void tmf_tell(struct sk_engine *e, uint64_t cookie, uint64_t lun, uint8_t code)
{
	struct sk_engine_event *ev = event_add(e, SK_EV_TMF, true);

	if (!ev)
		return;
	ev->code = code;
	ev->cookie = cookie;
	ev->lun = lun;
}

int sk_engine_tmf(struct sk_engine *e, enum sk_tmf fn, struct sk_task *ref, uint64_t lun, uint64_t cookie,
		  struct sk_err *err)
{
	if (e->halted || e->logout != ASK_NONE)
		return sk_fail(err, SK_ENOTCONN, "task management: no connection in the full-feature phase");
	if (fn == SK_TMF_ABORT_TASK) {
		if (!ref || (ref->x.state != TASK_QUEUED && ref->x.state != TASK_SENT))
			return sk_fail(err, SK_EINVAL, "abort: the task is not running");
		if (ref->x.state == TASK_QUEUED) { /* the target has never heard of it */
			task_bury(e, ref);
			tmf_tell(e, cookie, ref->lun, SK_TMF_COMPLETE);
			return 0;
		}
	}
	if (tmf_add(e, fn, fn == SK_TMF_ABORT_TASK ? ref : NULL, lun, cookie, false) < 0)
		return sk_fail(err, SK_EAGAIN, "task management: %d functions are outstanding already", N_TMF);
	return 0;
}

void tmf_put(struct sk_engine *e, struct tmf_slot *s, uint8_t *bhs)
{
	bool whole_target = s->fn == SK_TMF_TARGET_WARM_RESET || s->fn == SK_TMF_TARGET_COLD_RESET;

	s->st = ASK_SENT;
	s->itt = tag_new(e, TAG_TMF + (uint32_t)(s - e->tmf));
	sk_tmf_req_put(bhs, &(struct sk_tmf_req){
		.function = (uint8_t)s->fn,
		.immediate = true,
		.lun = whole_target ? 0 : s->lun,
		.itt = s->itt,
		.rtt = s->ref_itt,
		.cmd_sn = e->cmd_sn,
		.exp_stat_sn = e->exp_stat_sn,
		.ref_cmd_sn = s->ref_cmd_sn,
	});
}

/* Every sent task the function reached is gone. On one connection its response, if there was one, came before. */
static void tmf_finish(struct sk_engine *e, const struct tmf_slot *s)
{
	struct sk_task *next;

	for (struct sk_task *t = e->live.head; t && t != e->unsent; t = next) {
		next = t->x.link[LINK_MAIN].next;
		if (tmf_hits(s, t))
			task_bury(e, t);
	}
}

static void escalate(struct sk_engine *e);

int tmf_answered(struct sk_engine *e, const struct sk_tmf_rsp *rsp, struct sk_err *err)
{
	uint32_t i = (rsp->itt & TAG_INDEX_MASK) - TAG_TMF;
	struct tmf_slot s;
	bool gone;

	if (i >= N_TMF || e->tmf[i].st != ASK_SENT || e->tmf[i].itt != rsp->itt)
		return sk_fail(err, SK_EPROTO,
			       "Task Management Response: Initiator Task Tag 0x%08x is not of a request", rsp->itt);
	s = e->tmf[i];
	tmf_free(e, &e->tmf[i]);
	gone = rsp->response == SK_TMF_COMPLETE || rsp->response == SK_TMF_SUCCEEDED ||
	       (s.fn == SK_TMF_ABORT_TASK && rsp->response == SK_TMF_NO_TASK);
	if (gone && (!s.late || s.fn == SK_TMF_ABORT_TASK)) /* a late reset must not hit what was sent after it */
		tmf_finish(e, &s);
	if (!s.internal) {
		tmf_tell(e, s.cookie, s.lun, rsp->response);
	} else if (!s.late && e->esc_slot == (int)i) {
		e->esc_slot = -1;
		if (gone)
			e->esc = ESC_NONE;
		else
			escalate(e);
	}
	return 0;
}

void tmf_reset(struct sk_engine *e)
{
	for (unsigned i = 0; i < N_TMF; i++) {
		if (e->tmf[i].st == ASK_NONE)
			continue;
		if (!e->tmf[i].internal) /* whoever asked must not wait for ever */
			tmf_tell(e, e->tmf[i].cookie, e->tmf[i].lun, SK_TMF_REJECTED);
		tmf_free(e, &e->tmf[i]);
	}
	e->ping = ASK_NONE;
	e->logout = ASK_NONE;
	e->pong_first = e->pong_end;
	e->esc = ESC_NONE;
	e->esc_slot = -1;
	e->bound_ms = UINT64_MAX;
}

/* --- deadlines --- */

static uint32_t stage_ms(const struct sk_engine *e, enum esc_stage st)
{
	switch (st) {
	case ESC_ABORT:
		return e->cfg.abort_ms;
	case ESC_LU_RESET:
		return e->cfg.lu_reset_ms;
	default:
		return e->cfg.tgt_reset_ms;
	}
}

static void esc_start(struct sk_engine *e, enum esc_stage st, const struct sk_task *ref)
{
	static const enum sk_tmf fn[] = {
		[ESC_ABORT] = SK_TMF_ABORT_TASK,
		[ESC_LU_RESET] = SK_TMF_LU_RESET,
		[ESC_TGT_RESET] = SK_TMF_TARGET_WARM_RESET,
	};

	e->esc = st;
	e->esc_slot = -1;
	if (st == ESC_LOST)
		return;
	e->esc_slot = tmf_add(e, fn[st], ref, e->esc_lun, 0, true);
	e->esc_deadline_ms = e->esc_slot < 0 ? 0 : e->now_ms + stage_ms(e, st);
}

/* The step in progress failed: take the next. */
static void escalate(struct sk_engine *e)
{
	esc_start(e, (enum esc_stage)(e->esc + 1), NULL);
}

/* After a resume: the same time as at the submission, from now on. */
static void rearm(struct sk_engine *e)
{
	e->rearm = false;
	e->bound_ms = UINT64_MAX;
	for (struct sk_task *t = e->live.head; t; t = t->x.link[LINK_MAIN].next) {
		if (!t->deadline_ms)
			continue;
		t->deadline_ms = e->now_ms + t->x.budget_ms;
		e->bound_ms = SK_MIN(e->bound_ms, t->deadline_ms);
	}
}

/* Some deadline may have passed: mark, start with the oldest, and find the next bound. */
static void scan(struct sk_engine *e)
{
	const struct sk_task *first = NULL;
	struct sk_task *next;

	e->bound_ms = UINT64_MAX;
	for (struct sk_task *t = e->live.head; t; t = next) {
		next = t->x.link[LINK_MAIN].next;
		if (!t->deadline_ms)
			continue;
		if (e->now_ms < t->deadline_ms) {
			e->bound_ms = SK_MIN(e->bound_ms, t->deadline_ms);
			continue;
		}
		if (!t->x.expired)
			e->stats.timeouts++;
		t->x.expired = true;
		if (t->x.state == TASK_QUEUED)
			task_bury(e, t);
		else if (!first)
			first = t;
		else
			e->bound_ms = e->now_ms;
	}
	if (!first)
		return;
	e->esc_lun = first->lun;
	esc_start(e, ESC_ABORT, first);
}

uint64_t sk_engine_timers(struct sk_engine *e, uint64_t now_ms, bool *lost)
{
	*lost = false;
	e->now_ms = now_ms;
	if (e->halted)
		return UINT64_MAX;
	if (e->rearm)
		rearm(e);
	if (e->esc == ESC_NONE && now_ms >= e->bound_ms)
		scan(e);
	while (e->esc != ESC_NONE && e->esc != ESC_LOST && now_ms >= e->esc_deadline_ms) {
		if (e->esc_slot >= 0)
			tmf_give_up(e, &e->tmf[e->esc_slot]);
		escalate(e);
	}
	*lost = e->esc == ESC_LOST;
	if (*lost)
		return UINT64_MAX;
	return e->esc == ESC_NONE ? e->bound_ms : e->esc_deadline_ms;
}
