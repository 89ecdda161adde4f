/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "session/inner.h"

/** One session: events in, through the machine, acts out. The only place that steps the machine. */

static bool attempting(enum sk_sm_state st)
{
	return st == SK_ST_RESOLVE || st == SK_ST_CONNECT || st == SK_ST_LOGIN || st == SK_ST_ATTACH;
}

static void step(struct sk_session *s, struct sk_sm_event *ev)
{
	enum sk_sm_state was = s->m.st;
	struct sk_err err = { 0 };

	if (sk_sm_step(&s->m, ev, sk_loop_now(s->all->cfg.loop), &err) < 0) {
		sk_debug(SK_ROOM_SESSION, "%s: %s", s->target.s, err.msg);
		return;
	}
	if (s->m.st != was)
		sk_debug(SK_ROOM_SESSION, "%s %s,%u: %s -> %s (%s)", s->target.s, s->host, s->port,
			 sk_sm_state_name(was), sk_sm_state_name(s->m.st), sk_sm_event_name(ev->kind));
	if (!attempting(s->m.st))
		sk_sessions_give_slot(s);
	sk_session_do(s, s->m.acts);
	if (!s->dead)
		sk_timer_at(s->timer, s->m.deadline_ms);
}

static void run(struct sk_session *s, struct queue *q)
{
	for (unsigned i = 0; i < q->n && !s->dead; i++) {
		struct sk_sm_event now = q->events[i];
		struct sk_err why;

		if (now.why) {
			why = *now.why;
			now.why = &why;
		}
		step(s, &now);
	}
}

void sk_session_post(struct sk_session *s, struct sk_sm_event ev)
{
	struct queue mine, *q = s->running ? s->running : &mine;

	if (!s->running)
		mine.n = 0;
	if (s->dead || q->n == EVENTS_MAX) /* never that many: each act posts at most one */
		return;
	if (ev.why) {
		q->whys[q->n] = *ev.why;
		ev.why = &q->whys[q->n];
	}
	q->events[q->n++] = ev;
	if (s->running)
		return;
	s->running = &mine;
	run(s, &mine);
	s->running = NULL;
}

/* An attempt begins only with a slot; what only ends something needs none. */
static bool would_begin(const struct sk_session *s)
{
	uint64_t now = sk_loop_now(s->all->cfg.loop);

	return s->m.st == SK_ST_BACKOFF && now >= s->m.next_attempt && (s->m.established || now < s->m.window_end);
}

void sk_session_start(struct sk_session *s, enum sk_sm_kind with)
{
	s->start_with = with;
	s->start_due = true;
	if (!sk_sessions_take_slot(s))
		return; /* sk_sessions_next comes back to it */
	s->start_due = false;
	sk_session_post(s, (struct sk_sm_event){ .kind = with });
}

/* Who kept us waiting, and for what. */
static void silent(const struct sk_session *s, struct sk_err *err)
{
	static const char *const what[SK_ST_COUNT] = { [SK_ST_RESOLVE] = "resolve",
						       [SK_ST_CONNECT] = "connect to",
						       [SK_ST_LOGIN] = "login at",
						       [SK_ST_ATTACH] = "hand over the connection to" };
	const char *host = s->m.st == SK_ST_RESOLVE ? s->host : s->current.host;

	sk_fail(err, SK_ETIME, "%s %s,%u: no answer in time", what[s->m.st], host, s->port);
}

static void on_timer(void *ctx)
{
	struct sk_session *s = ctx;
	struct sk_err err = { 0 };

	if (s->dead)
		return;
	if (would_begin(s)) {
		sk_session_start(s, SK_SM_TIMEOUT);
		if (s->start_due && !s->m.established)
			sk_timer_at(s->timer, s->m.window_end);
		return;
	}
	if (attempting(s->m.st))
		silent(s, &err);
	sk_session_post(s, (struct sk_sm_event){ .kind = SK_SM_TIMEOUT, .why = err.code ? &err : NULL });
}

void sk_session_wake(struct sk_session *s)
{
	on_timer(s);
}

/* --- what the transport says --------------------------------------------------------------------------------- */

static void on_up(void *ctx)
{
	sk_session_connected(ctx);
	sk_session_post(ctx, (struct sk_sm_event){ .kind = SK_SM_CONNECTED });
}

static void on_pdu(void *ctx, const struct sk_pdu *lent)
{
	sk_talk_feed(ctx, lent);
}

static void on_down(void *ctx, const struct sk_err *why)
{
	struct sk_session *s = ctx;
	bool refused = s->m.st == SK_ST_ATTACH && why && why->code == SK_ENOTCONN;

	sk_session_post(s, (struct sk_sm_event){ .kind = refused ? SK_SM_HANDOFF_FAILED : SK_SM_DOWN, .why = why });
}

static void on_health(void *ctx, enum sk_xsess_health health)
{
	struct sk_session *s = ctx;
	struct sk_err err = { 0 };

	s->health = health;
	if (health == SK_HEALTH_LOGGED_IN)
		sk_session_post(s, (struct sk_sm_event){ .kind = SK_SM_ATTACHED });
	if (health != SK_HEALTH_GONE)
		return;
	sk_fail(&err, SK_ENOTCONN, s->t == s->all->cfg.transport ? "the session's process ended" : "somebody else ended the session");
	sk_session_post(s, (struct sk_sm_event){ .kind = SK_SM_VANISHED, .why = &err });
}

static void on_ready(void *ctx, const struct sk_err *why)
{
	struct sk_session *s = ctx;
	struct asker a = s->rescan;
	bool first = s->m.st != SK_ST_UP;

	sk_session_post(s, (struct sk_sm_event){ .kind = SK_SM_READY, .why = why });
	if (first || !a.done || s->dead)
		return;
	s->rescan = (struct asker){ NULL, NULL };
	a.done(a.ctx, &(struct sk_outcome){ .s = s, .scan = why });
}

static void on_async(void *ctx, uint8_t event, uint16_t p1, uint16_t p2, uint16_t p3)
{
	struct sk_session *s = ctx;
	struct sk_err err = { 0 };

	(void)p1;
	sk_notice(SK_ROOM_SESSION, "target %s, portal %s,%u: async event %u", s->target.s, s->host, s->port, event);
	if (event == 1) {
		sk_fail(&err, SK_ECONN, "the target asked for a logout within %u s", p3);
		sk_session_post(s, (struct sk_sm_event){ .kind = SK_SM_ASYNC_LOGOUT, .why = &err });
	} else if (event == 2 || event == 3) {
		sk_fail(&err, SK_ECONN, "the target drops the connection");
		sk_session_post(s, (struct sk_sm_event){
					   .kind = SK_SM_ASYNC_DROP, .time2wait_ms = p2 * 1000U, .why = &err });
	}
}

static void on_ended(void *ctx, const struct sk_err *why)
{
	sk_session_post(ctx, (struct sk_sm_event){ .kind = why ? SK_SM_END_REFUSED : SK_SM_ENDED, .why = why });
}

const struct sk_transport_events sk_session_events = {
	.up = on_up,
	.pdu = on_pdu,
	.down = on_down,
	.health = on_health,
	.ready = on_ready,
	.async_msg = on_async,
	.ended = on_ended,
};

/* --- made and freed ------------------------------------------------------------------------------------------ */

void sk_session_free(struct sk_session *s)
{
	if (!s)
		return;
	sk_sessions_give_slot(s);
	sk_job_cancel(s->resolving);
	sk_talk_end(s);
	if (s->x)
		s->t->ops->forget(s->x);
	s->x = NULL;
	sk_timer_free(s->timer);
	sk_timer_free(s->patience);
	sk_fail(&s->m.err, SK_ENOTCONN, "the daemon is going down"); /* only then is anybody still waiting */
	sk_session_answer(s, SK_RES_ISCSID_COMM_ERR, false);
	sk_session_give_up(s);
	sk_record_free(s->node);
	free(s->addrs.a);
	free(s->good.a);
	free(s->hint.a);
	free(s);
}

int sk_session_arm(struct sk_session *s, struct sk_err *err)
{
	s->timer = sk_timer_new(s->all->cfg.loop, on_timer, s, err);
	s->patience = s->timer ? sk_timer_new(s->all->cfg.loop, sk_session_no_answer, s, err) : NULL;
	return s->patience ? 0 : -1;
}

void sk_session_info(const struct sk_session *s, struct sk_session_info *ret)
{
	static const char *const health[] = { "LOGGED_IN", "FAILED", "FREE", "FREE" };
	uint64_t now = sk_loop_now(s->all->cfg.loop);
	enum sk_xsess_health now_is = s->x && s->t->ops->look ? s->t->ops->look(s->x, s->health) : s->health;
	bool trouble = s->m.cause != SK_CAUSE_NONE && s->m.st != SK_ST_UP;

	*ret = (struct sk_session_info){
		.sid = s->x ? s->t->ops->sid(s->x) : 0,
		.target = s->target.s,
		.path = s->t->ops->name,
		.iface = s->iface,
		.host = s->host,
		.port = s->port,
		.current = s->current,
		.tpgt = s->tpgt,
		.slot = s->slot,
		.attempts = s->m.attempts,
		.recoveries = s->m.recoveries,
		.connection = sk_sm_connection_word(&s->m),
		.health = health[now_is],
		.internal = sk_sm_internal_word(&s->m),
		.error = trouble ? &s->m.err : NULL,
		.next_attempt_ms =
			s->m.st == SK_ST_BACKOFF && s->m.next_attempt > now ? s->m.next_attempt - now : 0,
	};
}
