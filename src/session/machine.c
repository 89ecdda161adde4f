/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "session/machine.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"

#define IN(s)	     (1U << SK_ST_##s)
#define STAY	     SK_ST_COUNT /* an action's answer: the state does not change */
#define END_GRACE_MS 10000	 /* over logout_timeout: what the data path may need to take its disks away */

typedef enum sk_sm_state act_fn(struct sk_sm *m, const struct sk_sm_event *ev, uint64_t now);

static uint64_t after(uint64_t now, uint64_t ms)
{
	return now + ms;
}

static void say(struct sk_sm *m, enum sk_cause c, const struct sk_err *why)
{
	m->cause = c;
	if (why && why->code != SK_OK)
		m->err = *why;
	else
		sk_fail(&m->err, SK_ETIME, "%s", sk_cause_name(c));
}

static void answer(struct sk_sm *m, enum sk_result result)
{
	if (m->answered)
		return;
	m->answered = true;
	m->result = result;
	m->acts |= SK_ACT_ANSWER;
}

/* --- attempts and their ends --------------------------------------------------------------------------------- */

static enum sk_sm_state attempt(struct sk_sm *m, uint64_t now)
{
	m->attempts++;
	m->tries++;
	m->redirected = false; /* the persistent portal comes first on every reconnect */
	m->redirects = 0;
	m->attempt_end = after(now, m->cfg.login_timeout_ms);
	m->acts |= SK_ACT_RESOLVE;
	return SK_ST_RESOLVE;
}

static enum sk_sm_state over(struct sk_sm *m, enum sk_result result)
{
	answer(m, result);
	m->acts |= SK_ACT_GONE;
	return SK_ST_GONE;
}

static enum sk_sm_state failed(struct sk_sm *m, enum sk_cause c, const struct sk_err *why, uint64_t now)
{
	if (c != SK_CAUSE_NONE)
		say(m, c, why);
	m->acts |= SK_ACT_HALT;
	if (m->established && m->cfg.reopen_max && m->attempts >= m->cfg.reopen_max) {
		m->force = m->lost = true;
		m->attempt_end = after(now, m->cfg.logout_timeout_ms + END_GRACE_MS);
		m->acts |= SK_ACT_ATTEMPT_FAILED | SK_ACT_END;
		answer(m, SK_RES_TRANS_TIMEOUT);
		return SK_ST_LOGOUT;
	}
	if (!sk_policy_retry(m->cause, m->established, m->cfg.fail_fast))
		return over(m, sk_policy_result(m->cause));
	if (!m->established && now >= m->window_end)
		return over(m, SK_RES_TRANS_TIMEOUT);
	m->next_attempt =
		after(now, sk_policy_backoff(m->tries, m->cfg.seed, m->established ? 0 : m->cfg.login_timeout_ms));
	m->acts |= SK_ACT_ATTEMPT_FAILED;
	return SK_ST_BACKOFF;
}

/* Several addresses, of a transport that takes one at a time, share the attempt's time; none gets less than 2 s. */
static enum sk_sm_state try_addr(struct sk_sm *m, unsigned addr, uint64_t now)
{
	uint32_t each = m->cfg.login_timeout_ms / (m->n_addrs ? m->n_addrs : 1);
	uint32_t least = SK_MIN(2000U, m->cfg.login_timeout_ms);

	m->addr = addr;
	m->attempt_end = after(now, SK_MAX(each, least));
	m->acts |= SK_ACT_CONNECT;
	return SK_ST_CONNECT;
}

static enum sk_sm_state lost(struct sk_sm *m, const struct sk_err *why, uint32_t wait_ms, uint64_t now)
{
	say(m, SK_CAUSE_LOST, why);
	m->recoveries++;
	m->attempts = m->tries = 0;
	m->lost_at = now;
	m->brief = now - m->up_since < SK_STABLE_MS ? SK_MIN(m->brief + 1, 1000U) : 0;
	m->not_before = after(now, sk_policy_time2wait(wait_ms, m->cfg.time2wait_ms));
	m->next_attempt = after(now, sk_policy_hold((uint32_t)(m->not_before - now), m->brief, m->cfg.seed));
	m->acts |= SK_ACT_LOST;
	return SK_ST_BACKOFF;
}

/* The requester's time for the scan is over: the session is up, what is missing is told. */
static void answer_if_due(struct sk_sm *m, uint64_t now)
{
	if (!m->established || m->answered || now < m->answer_by)
		return;
	sk_fail(&m->scan_err, SK_ETIME,
		m->st == SK_ST_SCAN ? "the scan is not over yet" : "the connection was lost during the scan");
	answer(m, SK_RES_SUCCESS);
}

/* --- the edges' actions -------------------------------------------------------------------------------------- */

static enum sk_sm_state do_start(struct sk_sm *m, const struct sk_sm_event *ev, uint64_t now)
{
	(void)ev;
	m->window_end = after(now, m->cfg.window_ms ? m->cfg.window_ms : m->cfg.login_timeout_ms);
	return attempt(m, now);
}

static enum sk_sm_state do_adopt_up(struct sk_sm *m, const struct sk_sm_event *ev, uint64_t now)
{
	(void)ev;
	m->established = m->answered = m->scanned = true;
	m->up_since = now;
	return SK_ST_UP;
}

static enum sk_sm_state do_adopt_down(struct sk_sm *m, const struct sk_sm_event *ev, uint64_t now)
{
	do_adopt_up(m, ev, now);
	m->lost_at = now;
	m->recoveries++;
	return attempt(m, now);
}

static enum sk_sm_state do_resolved(struct sk_sm *m, const struct sk_sm_event *ev, uint64_t now)
{
	m->n_addrs = ev->n_addrs;
	return try_addr(m, 0, now);
}

static enum sk_sm_state do_resolve_failed(struct sk_sm *m, const struct sk_sm_event *ev, uint64_t now)
{
	return failed(m, m->redirected ? SK_CAUSE_CONNECT : SK_CAUSE_RESOLVE, ev->why, now);
}

static enum sk_sm_state do_connected(struct sk_sm *m, const struct sk_sm_event *ev, uint64_t now)
{
	(void)ev;
	m->attempt_end = after(now, m->cfg.login_timeout_ms);
	m->acts |= SK_ACT_LOGIN;
	return SK_ST_LOGIN;
}

static enum sk_sm_state do_connect_failed(struct sk_sm *m, const struct sk_sm_event *ev, uint64_t now)
{
	if (m->addr + 1 < m->n_addrs) {
		say(m, SK_CAUSE_CONNECT, ev->why);
		m->acts |= SK_ACT_HALT;
		return try_addr(m, m->addr + 1, now);
	}
	return failed(m, SK_CAUSE_CONNECT, ev->why, now);
}

static enum sk_sm_state do_login_done(struct sk_sm *m, const struct sk_sm_event *ev, uint64_t now)
{
	m->t2w_ms = ev->time2wait_ms;
	m->attempt_end = after(now, m->cfg.login_timeout_ms);
	m->acts |= SK_ACT_HANDOFF;
	return SK_ST_ATTACH;
}

static enum sk_sm_state do_redirect(struct sk_sm *m, const struct sk_sm_event *ev, uint64_t now)
{
	if (++m->redirects > SK_REDIRECTS_MAX)
		return failed(m, SK_CAUSE_REDIRECTS, ev->why, now);
	m->redirected = true;
	m->attempt_end = after(now, m->cfg.login_timeout_ms);
	m->acts |= SK_ACT_HALT | SK_ACT_RESOLVE;
	return SK_ST_RESOLVE;
}

static enum sk_sm_state do_refused(struct sk_sm *m, const struct sk_sm_event *ev, uint64_t now)
{
	return failed(m, ev->cause, ev->why, now);
}

static enum sk_sm_state do_lost_in_login(struct sk_sm *m, const struct sk_sm_event *ev, uint64_t now)
{
	return failed(m, SK_CAUSE_LOST, ev->why, now);
}

static enum sk_sm_state do_attempt_timeout(struct sk_sm *m, const struct sk_sm_event *ev, uint64_t now)
{
	answer_if_due(m, now);
	if (!m->established && now >= m->window_end)
		return failed(m, SK_CAUSE_TIMEOUT, ev->why, now);
	if (now < m->attempt_end)
		return STAY;
	if (m->st == SK_ST_CONNECT && m->addr + 1 < m->n_addrs) {
		m->acts |= SK_ACT_HALT;
		return try_addr(m, m->addr + 1, now);
	}
	return failed(m, SK_CAUSE_TIMEOUT, ev->why, now); /* of a handoff too: slow is not refused */
}

static enum sk_sm_state do_handoff_failed(struct sk_sm *m, const struct sk_sm_event *ev, uint64_t now)
{
	return failed(m, SK_CAUSE_HANDOFF, ev->why, now);
}

static enum sk_sm_state do_attached(struct sk_sm *m, const struct sk_sm_event *ev, uint64_t now)
{
	(void)ev;
	m->recovered = m->established;
	if (!m->established)
		m->answer_by = m->cfg.hard_window ? m->window_end : after(now, m->cfg.scan_ms);
	m->established = true;
	m->up_since = now;
	m->cause = SK_CAUSE_NONE;
	m->acts |= SK_ACT_UP;
	return m->scanned ? SK_ST_UP : SK_ST_SCAN;
}

static enum sk_sm_state do_ready(struct sk_sm *m, const struct sk_sm_event *ev, uint64_t now)
{
	if (m->st == SK_ST_ATTACH)
		do_attached(m, ev, now);
	m->scanned = true;
	if (!m->answered && ev->why)
		m->scan_err = *ev->why;
	answer(m, SK_RES_SUCCESS);
	return SK_ST_UP;
}

static enum sk_sm_state do_answer_due(struct sk_sm *m, const struct sk_sm_event *ev, uint64_t now)
{
	(void)ev;
	answer_if_due(m, now);
	return STAY;
}

static enum sk_sm_state do_lost(struct sk_sm *m, const struct sk_sm_event *ev, uint64_t now)
{
	return lost(m, ev->why, m->t2w_ms, now);
}

static enum sk_sm_state do_async_logout(struct sk_sm *m, const struct sk_sm_event *ev, uint64_t now)
{
	m->acts |= SK_ACT_HALT;
	return lost(m, ev->why, m->t2w_ms, now);
}

static enum sk_sm_state do_async_drop(struct sk_sm *m, const struct sk_sm_event *ev, uint64_t now)
{
	m->acts |= SK_ACT_HALT;
	return lost(m, ev->why, ev->time2wait_ms, now);
}

static enum sk_sm_state do_backoff_over(struct sk_sm *m, const struct sk_sm_event *ev, uint64_t now)
{
	(void)ev;
	answer_if_due(m, now);
	if (!m->established && now >= m->window_end)
		return over(m, SK_RES_TRANS_TIMEOUT);
	return now < m->next_attempt ? STAY : attempt(m, now);
}

static enum sk_sm_state do_kick(struct sk_sm *m, const struct sk_sm_event *ev, uint64_t now)
{
	(void)ev;
	m->tries = 0;
	if (!m->established && now >= m->window_end)
		return over(m, SK_RES_TRANS_TIMEOUT);
	if (now >= m->not_before)
		return attempt(m, now);
	m->next_attempt = m->not_before;
	return STAY;
}

static enum sk_sm_state do_logout(struct sk_sm *m, const struct sk_sm_event *ev, uint64_t now)
{
	if (!m->established) {
		m->logout_result = SK_RES_INTERNAL;
		sk_fail(&m->err, SK_EBUSY, "the session is in its first login");
		m->acts |= SK_ACT_LOGOUT_ANSWER;
		return STAY;
	}
	m->lost = m->st != SK_ST_UP && m->st != SK_ST_SCAN;
	if (m->lost)
		m->acts |= SK_ACT_HALT;
	if (!m->answered)
		sk_fail(&m->err, SK_ENOENT, "logged out while its scan was under way");
	answer(m, SK_RES_TRANS_TIMEOUT);
	m->force = ev->force;
	m->attempt_end = after(now, m->cfg.logout_timeout_ms + END_GRACE_MS);
	m->acts |= SK_ACT_END;
	return SK_ST_LOGOUT;
}

static enum sk_sm_state do_ended(struct sk_sm *m, const struct sk_sm_event *ev, uint64_t now)
{
	(void)ev;
	(void)now;
	m->logout_result = SK_RES_SUCCESS;
	m->acts |= SK_ACT_LOGOUT_ANSWER | SK_ACT_GONE;
	return SK_ST_GONE;
}

static enum sk_sm_state not_ended(struct sk_sm *m, enum sk_result result, uint64_t now)
{
	m->logout_result = result;
	m->acts |= SK_ACT_LOGOUT_ANSWER;
	if (!m->lost)
		return SK_ST_UP;
	m->next_attempt = after(now, sk_policy_backoff(SK_MAX(m->tries, 1U), m->cfg.seed, 0));
	return SK_ST_BACKOFF;
}

static enum sk_sm_state do_end_refused(struct sk_sm *m, const struct sk_sm_event *ev, uint64_t now)
{
	if (ev->why)
		m->err = *ev->why;
	return not_ended(m, ev->why && ev->why->code == SK_EBUSY ? SK_RES_BUSY : SK_RES_LOGOUT, now);
}

static enum sk_sm_state do_end_timeout(struct sk_sm *m, const struct sk_sm_event *ev, uint64_t now)
{
	(void)ev;
	if (now < m->attempt_end)
		return STAY;
	sk_fail(&m->err, SK_ETIME, "the data path did not end the session in time");
	return not_ended(m, SK_RES_LOGOUT, now);
}

static enum sk_sm_state do_down_in_logout(struct sk_sm *m, const struct sk_sm_event *ev, uint64_t now)
{
	(void)ev;
	(void)now;
	m->lost = true;
	return STAY;
}

static enum sk_sm_state do_vanished(struct sk_sm *m, const struct sk_sm_event *ev, uint64_t now)
{
	if (!m->established)
		return failed(m, SK_CAUSE_HANDOFF, ev->why, now);
	say(m, SK_CAUSE_HANDOFF, ev->why);
	m->acts |= SK_ACT_HALT;
	return over(m, SK_RES_TRANS_TIMEOUT);
}

/* --- the table ----------------------------------------------------------------------------------------------- */

#define TRYING (IN(RESOLVE) | IN(CONNECT) | IN(LOGIN) | IN(ATTACH))
#define FULL   (IN(SCAN) | IN(UP))
#define FAIL   (IN(BACKOFF) | IN(GONE) | IN(LOGOUT)) /* where a failed attempt leads */

/* clang-format off */
static const struct edge {
	unsigned from;			/* a set of states */
	enum sk_sm_kind ev;
	unsigned to;			/* where it may lead; the act decides when there are several */
	act_fn *act;			/* NULL: nothing but the change of state */
	const char *rfc;		/* transition in RFC 7143, 8.1.2, or why */
} edges[] = {
	{ IN(NEW),		SK_SM_START,		IN(RESOLVE),		do_start,	    "T1" },
	{ IN(NEW),		SK_SM_ADOPT_UP,		IN(UP),			do_adopt_up,	    "adopted untouched" },
	{ IN(NEW),		SK_SM_ADOPT_DOWN,	IN(RESOLVE),		do_adopt_down,	    "adopted, relogin" },
	{ IN(RESOLVE),		SK_SM_RESOLVED,		IN(CONNECT),		do_resolved,	    "" },
	{ IN(RESOLVE),		SK_SM_RESOLVE_FAILED,	FAIL,			do_resolve_failed,  "" },
	{ IN(CONNECT),		SK_SM_CONNECTED,	IN(LOGIN),		do_connected,	    "T4" },
	{ IN(CONNECT),		SK_SM_DOWN,		FAIL | IN(CONNECT),	do_connect_failed,  "T2" },
	{ IN(LOGIN),		SK_SM_LOGIN_DONE,	IN(ATTACH),		do_login_done,	    "T5" },
	{ IN(LOGIN),		SK_SM_REDIRECT,		FAIL | IN(RESOLVE),	do_redirect,	    "T7" },
	{ IN(RESOLVE) | IN(LOGIN), SK_SM_REFUSED,	FAIL,			do_refused,	    "T7" },
	{ IN(LOGIN) | IN(ATTACH), SK_SM_DOWN,		FAIL,			do_lost_in_login,   "T7" },
	{ TRYING,		SK_SM_TIMEOUT,		FAIL | TRYING,		do_attempt_timeout, "T2 T7" },
	{ IN(ATTACH),		SK_SM_HANDOFF_FAILED,	FAIL,			do_handoff_failed,  "" },
	{ IN(ATTACH),		SK_SM_ATTACHED,		FULL,			do_attached,	    "" },
	{ IN(ATTACH) | IN(SCAN), SK_SM_READY,		IN(UP),			do_ready,	    "" },
	{ IN(UP),		SK_SM_READY,		IN(UP),			NULL,		    "a rescan" },
	{ FULL,			SK_SM_TIMEOUT,		FULL,			do_answer_due,	    "" },
	{ FULL,			SK_SM_DOWN,		IN(BACKOFF),		do_lost,	    "T15-T17" },
	{ FULL,			SK_SM_ASYNC_LOGOUT,	IN(BACKOFF),		do_async_logout,    "T11 T12" },
	{ FULL,			SK_SM_ASYNC_DROP,	IN(BACKOFF),		do_async_drop,	    "T14" },
	{ IN(BACKOFF),		SK_SM_TIMEOUT,		IN(BACKOFF) | IN(RESOLVE) | IN(GONE), do_backoff_over, "" },
	{ IN(BACKOFF),		SK_SM_KICK,		IN(BACKOFF) | IN(RESOLVE) | IN(GONE), do_kick,	    "" },
	{ TRYING | FULL | IN(BACKOFF), SK_SM_LOGOUT,	IN(LOGOUT) | TRYING | IN(BACKOFF), do_logout, "T9 T10" },
	{ IN(LOGOUT),		SK_SM_ENDED,		IN(GONE),		do_ended,	    "T13" },
	{ IN(LOGOUT),		SK_SM_VANISHED,		IN(GONE),		do_ended,	    "T13" },
	{ IN(LOGOUT),		SK_SM_END_REFUSED,	IN(UP) | IN(BACKOFF),	do_end_refused,	    "in use" },
	{ IN(LOGOUT),		SK_SM_TIMEOUT,		IN(LOGOUT) | IN(UP) | IN(BACKOFF), do_end_timeout, "" },
	{ IN(LOGOUT),		SK_SM_DOWN,		IN(LOGOUT),		do_down_in_logout,  "T18" },
	{ TRYING | FULL | IN(BACKOFF), SK_SM_VANISHED,	FAIL,			do_vanished,	    "" },
	/* late news of something already acted upon */
	{ IN(BACKOFF),		SK_SM_DOWN,		IN(BACKOFF),		NULL,		    "" },
	{ IN(BACKOFF) | IN(LOGOUT), SK_SM_READY,	IN(BACKOFF) | IN(LOGOUT), NULL,		    "" },
	{ FULL | IN(BACKOFF) | IN(LOGOUT), SK_SM_ATTACHED, FULL | IN(BACKOFF) | IN(LOGOUT), NULL, "" },
	{ TRYING | IN(BACKOFF) | IN(LOGOUT), SK_SM_ASYNC_LOGOUT, TRYING | IN(BACKOFF) | IN(LOGOUT), NULL, "" },
	{ TRYING | IN(BACKOFF) | IN(LOGOUT), SK_SM_ASYNC_DROP, TRYING | IN(BACKOFF) | IN(LOGOUT), NULL, "" },
	{ TRYING | FULL | IN(LOGOUT), SK_SM_KICK,	TRYING | FULL | IN(LOGOUT), NULL,	    "" },
};
/* clang-format on */

static const struct edge *edge_for(enum sk_sm_state st, enum sk_sm_kind ev)
{
	for (size_t i = 0; i < SK_ARRAY_LEN(edges); i++)
		if (edges[i].ev == ev && (edges[i].from & 1U << st))
			return &edges[i];
	return NULL;
}

static uint64_t deadline(const struct sk_sm *m)
{
	static const unsigned timed = TRYING | IN(LOGOUT);
	uint64_t at = UINT64_MAX;

	if (timed & 1U << m->st)
		at = m->attempt_end;
	if (m->st == SK_ST_BACKOFF)
		at = m->next_attempt;
	if (m->st == SK_ST_GONE)
		return UINT64_MAX;
	if (!m->established && m->st != SK_ST_NEW)
		at = SK_MIN(at, m->window_end);
	if (m->established && !m->answered)
		at = SK_MIN(at, m->answer_by);
	return at;
}

void sk_sm_init(struct sk_sm *m, const struct sk_sm_cfg *cfg)
{
	*m = (struct sk_sm){ .cfg = *cfg, .st = SK_ST_NEW, .deadline_ms = UINT64_MAX, .t2w_ms = cfg->time2wait_ms };
	if (!m->cfg.login_timeout_ms)
		m->cfg.login_timeout_ms = 1000;
}

int sk_sm_step(struct sk_sm *m, const struct sk_sm_event *ev, uint64_t now_ms, struct sk_err *err)
{
	const struct edge *e = edge_for(m->st, ev->kind);
	enum sk_sm_state to = m->st;

	m->acts = 0;
	if (!e)
		return sk_fail(err, SK_EINVAL, "%s has no place in state %s", sk_sm_event_name(ev->kind),
			       sk_sm_state_name(m->st));
	if (e->act)
		to = e->act(m, ev, now_ms);
	if (to == STAY)
		to = m->st;
	assert(to == m->st || (e->to & 1U << to));
	if (to != m->st)
		m->entered = now_ms;
	m->st = to;
	m->deadline_ms = deadline(m);
	return 0;
}
