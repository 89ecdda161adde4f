/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "session/inner.h"

#define PATIENCE_MS 1000	/* with name servers, when there are addresses that worked */

/** What the machine asks for is done here. Each may post an event; those wait until the acts of this step are
 * through. */

static const struct sk_transport_ops *ops(const struct sk_session *s)
{
	return s->t->ops;
}

/* Several addresses are tried at once, where the transport can; the machine then sees one connect. */
static bool races(const struct sk_session *s)
{
	return s->addrs.n > 1 && s->t->ops->open_any;
}

const struct sockaddr_storage *sk_session_addr(const struct sk_session *s)
{
	unsigned at = races(s) ? s->won : s->m.addr;

	return &s->addrs.a[at < s->addrs.n ? at : 0];
}

static void stop_resolving(struct sk_session *s)
{
	sk_job_cancel(s->resolving);
	s->resolving = NULL;
	sk_timer_at(s->patience, UINT64_MAX);
}

static void do_halt(struct sk_session *s)
{
	stop_resolving(s);
	sk_talk_end(s);
	ops(s)->halt(s->x);
}

/* --- resolving ----------------------------------------------------------------------------------------------- */

bool sk_addrs_keep(struct addrs *to, unsigned n, const struct sockaddr_storage *a)
{
	struct sockaddr_storage *copy = reallocarray(NULL, n, sizeof(*a));

	if (!copy)
		return false;
	memcpy(copy, a, n * sizeof(*a));
	free(to->a);
	*to = (struct addrs){ n, copy };
	return true;
}

static void resolved(struct sk_session *s, unsigned n, const struct sockaddr_storage *a)
{
	struct sk_err err = { 0 };

	if (!sk_addrs_keep(&s->addrs, n, a)) {
		sk_fail(&err, SK_ENOMEM, "no memory");
		sk_session_post(s, (struct sk_sm_event){ .kind = SK_SM_RESOLVE_FAILED, .why = &err });
		return;
	}
	for (unsigned i = 0; s->m.redirected && i < n; i++) {
		if (sk_policy_redirect_ok(&s->from, &s->addrs.a[i], &err) == 0)
			continue;
		sk_session_post(
			s, (struct sk_sm_event){ .kind = SK_SM_REFUSED, .cause = SK_CAUSE_REDIRECTS, .why = &err });
		return;
	}
	sk_session_post(s, (struct sk_sm_event){ .kind = SK_SM_RESOLVED, .n_addrs = races(s) ? 1 : n });
}

/* Addresses that worked, of the portal that is tried; NULL: none are known. */
static const struct addrs *known(const struct sk_session *s)
{
	if (s->m.redirected)
		return NULL;
	return s->good.n ? &s->good : s->hint.n ? &s->hint : NULL;
}

void sk_session_no_answer(void *ctx)
{
	struct sk_session *s = ctx;

	if (!s->resolving || !known(s))
		return;
	sk_notice(SK_ROOM_SESSION, "target %s: name servers do not answer for %s: the address that worked last is used", s->target.s,
		  s->host);
	stop_resolving(s);
	resolved(s, known(s)->n, known(s)->a);
}

static void on_resolved(void *ctx, const struct sk_addrs *addrs, const struct sk_err *err)
{
	struct sk_session *s = ctx;

	s->resolving = NULL;
	sk_timer_at(s->patience, UINT64_MAX);
	if (!err && addrs->n)
		resolved(s, addrs->n, addrs->a);
	else if (known(s)) /* DNS is away: the addresses that worked last */
		resolved(s, known(s)->n, known(s)->a);
	else
		sk_session_post(s, (struct sk_sm_event){ .kind = SK_SM_RESOLVE_FAILED, .why = err });
}

static void do_resolve(struct sk_session *s)
{
	const char *host = s->m.redirected ? s->redirect.host : s->host;
	uint16_t port = s->m.redirected ? s->redirect.port : s->port;
	struct sk_err err = { 0 };

	if (!s->m.redirected && s->good.n && s->m.attempts % 3 != 0) {
		resolved(s, s->good.n, s->good.a); /* a name that moved is found at every third attempt */
		return;
	}
	s->resolving = sk_loop_resolve(s->all->cfg.loop, host, port, on_resolved, s, &err);
	if (!s->resolving)
		sk_session_post(s, (struct sk_sm_event){ .kind = SK_SM_RESOLVE_FAILED, .why = &err });
	else if (known(s))
		sk_timer_at(s->patience, sk_loop_now(s->all->cfg.loop) + PATIENCE_MS);
}

/* --- connect, hand over -------------------------------------------------------------------------------------- */

static void set_current(struct sk_session *s)
{
	const struct sockaddr_storage *a = sk_session_addr(s);
	socklen_t n = a->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	char host[200] = "";

	(void)getnameinfo((const struct sockaddr *)a, n, host, sizeof(host), NULL, 0, NI_NUMERICHOST);
	snprintf(s->current.host, sizeof(s->current.host), "%s", host);
	s->current.port = s->m.redirected ? s->redirect.port : s->port;
}

void sk_session_connected(struct sk_session *s)
{
	if (!races(s))
		return;
	s->won = ops(s)->won(s->x);
	set_current(s);
}

/* The one that worked comes first the next time. */
static void remember_good(struct sk_session *s)
{
	const struct sockaddr_storage worked = *sk_session_addr(s);
	unsigned at = (unsigned)(sk_session_addr(s) - s->addrs.a);

	if (!sk_addrs_keep(&s->good, s->addrs.n, s->addrs.a))
		return; /* what was known before will do */
	memmove(&s->good.a[1], &s->good.a[0], at * sizeof(worked));
	s->good.a[0] = worked;
}

static int open_any(struct sk_session *s, struct sk_err *err)
{
	struct sk_addrs all = { .n = SK_MIN(s->addrs.n, (unsigned)SK_ARRAY_LEN(all.a)) };

	memcpy(all.a, s->addrs.a, all.n * sizeof(all.a[0]));
	return ops(s)->open_any(s->x, &all, err);
}

static void do_connect(struct sk_session *s)
{
	struct sk_err err = { 0 };

	s->won = 0;
	set_current(s);
	if ((races(s) ? open_any(s, &err) : ops(s)->open(s->x, sk_session_addr(s), &err)) < 0)
		sk_session_post(s, (struct sk_sm_event){ .kind = SK_SM_DOWN, .why = &err });
}

static void do_handoff(struct sk_session *s)
{
	struct sk_params params = *sk_login_result(s->login);
	struct sk_err err = { 0 };

	sk_talk_end(s);
	if (ops(s)->handoff(s->x, &params, &s->current, &err) < 0)
		sk_session_post(s, (struct sk_sm_event){ .kind = SK_SM_HANDOFF_FAILED, .why = &err });
}

static void do_up(struct sk_session *s)
{
	s->health = SK_HEALTH_LOGGED_IN;
	if (!s->m.redirected)
		remember_good(s);
	sk_say_up(s);
	sk_session_answer(s, SK_RES_SUCCESS, true);
}

static void do_end(struct sk_session *s)
{
	struct sk_err err = { 0 };

	sk_talk_end(s);
	if (ops(s)->end(s->x, s->m.force, &err) < 0)
		sk_session_post(s, (struct sk_sm_event){ .kind = SK_SM_END_REFUSED, .why = &err });
}

/* --- telling ------------------------------------------------------------------------------------------------- */

void sk_session_answer(struct sk_session *s, enum sk_result code, bool only_login)
{
	struct waiter **at = &s->waiters;

	while (*at) {
		struct waiter *w = *at;
		struct sk_outcome o = { .code = code,
					.why = code ? &s->m.err : NULL,
					.s = s,
					.existing = w->existing,
					.scan = !only_login && s->m.scan_err.code ? &s->m.scan_err : NULL };

		if (only_login && !w->login_only) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		w->done(w->ctx, &o);
		free(w);
	}
}

static void tell(struct asker *who, const struct sk_session *s, enum sk_result code)
{
	struct asker a = *who;
	struct sk_outcome o = { .code = code, .why = code ? &s->m.err : NULL, .s = s };

	*who = (struct asker){ NULL, NULL };
	if (a.done)
		a.done(a.ctx, &o);
}

void sk_session_give_up(struct sk_session *s)
{
	tell(&s->rescan, s, SK_RES_ISCSID_COMM_ERR);
	tell(&s->logout, s, SK_RES_ISCSID_COMM_ERR);
}

static void do_attempt_failed(struct sk_session *s)
{
	uint64_t now = sk_loop_now(s->all->cfg.loop);
	struct sk_step step = { .kind = SK_STEP_ATTEMPT, .attempt = s->m.attempts, .why = &s->m.err };

	sk_say_failed(s);
	snprintf(step.portal, sizeof(step.portal), "%s,%u", s->m.redirected ? s->redirect.host : s->host,
		 s->m.redirected ? s->redirect.port : s->port);
	if (s->m.next_attempt > now)
		step.retry_ms = (uint32_t)(s->m.next_attempt - now);
	for (const struct waiter *w = s->waiters; w; w = w->next)
		if (w->step)
			w->step(w->ctx, &step);
}

static void do_lost(struct sk_session *s)
{
	if (s->health == SK_HEALTH_LOGGED_IN)
		s->health = SK_HEALTH_FAILED;
	sk_say_lost(s);
	sk_session_watch_clones(s);
	tell(&s->rescan, s, SK_RES_SESSION_NOT_CONNECTED);
}

static void do_answer(struct sk_session *s)
{
	sk_session_answer(s, s->m.result, false);
}

static void do_logout_answer(struct sk_session *s)
{
	tell(&s->logout, s, s->m.logout_result);
}

static void do_gone(struct sk_session *s)
{
	sk_say_gone(s);
	if (s->m.logout_result == SK_RES_SUCCESS)
		do_logout_answer(s);
	tell(&s->rescan, s, SK_RES_SESS_NOT_FOUND);
	s->health = SK_HEALTH_GONE;
	s->dead = true;
	if (!s->all->freeing)
		sk_timer_at(s->all->reaper, sk_loop_now(s->all->cfg.loop));
}

void sk_session_do(struct sk_session *s, unsigned acts)
{
	static const struct {
		unsigned act;
		void (*fn)(struct sk_session *s);
	} rows[] = {
		{ SK_ACT_HALT, do_halt },
		{ SK_ACT_LOST, do_lost },
		{ SK_ACT_ATTEMPT_FAILED, do_attempt_failed },
		{ SK_ACT_RESOLVE, do_resolve },
		{ SK_ACT_CONNECT, do_connect },
		{ SK_ACT_LOGIN, sk_talk_begin },
		{ SK_ACT_HANDOFF, do_handoff },
		{ SK_ACT_UP, do_up },
		{ SK_ACT_ANSWER, do_answer },
		{ SK_ACT_END, do_end },
		{ SK_ACT_LOGOUT_ANSWER, do_logout_answer },
		{ SK_ACT_GONE, do_gone },
	};

	for (size_t i = 0; i < SK_ARRAY_LEN(rows); i++)
		if (acts & rows[i].act)
			rows[i].fn(s);
}
