/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "session/explain.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "session/advice.h"
#include "session/inner.h"

void sk_explain_span(uint64_t ms, char ret[32])
{
	static const struct {
		uint64_t big, small;
		const char *one, *other;
	} rows[] = { { 86400, 3600, "d", "h" }, { 3600, 60, "h", "min" }, { 60, 1, "min", "s" } };
	uint64_t s = ms / 1000;

	for (size_t i = 0; i < SK_ARRAY_LEN(rows); i++) {
		if (s < rows[i].big)
			continue;
		snprintf(ret, 32, "%" PRIu64 " %s %" PRIu64 " %s", s / rows[i].big, rows[i].one,
			 s % rows[i].big / rows[i].small, rows[i].other);
		return;
	}
	if (ms < 10000)
		snprintf(ret, 32, "%" PRIu64 ".%" PRIu64 " s", s, ms % 1000 / 100);
	else
		snprintf(ret, 32, "%" PRIu64 " s", s);
}

struct look {
	const struct sk_session *s;
	struct sk_explain *e;
	char next[32], since[32], up[32]; /* times in words */
};

#define WHY(l, ...)  snprintf((l)->e->why, sizeof((l)->e->why), __VA_ARGS__)
#define NEXT(l, ...) snprintf((l)->e->next, sizeof((l)->e->next), __VA_ARGS__)

/* The failure that led here, as a sentence of its own. */
static const char *failure(const struct sk_session *s)
{
	return s->m.err.code != SK_OK && s->m.err.msg[0] ? s->m.err.msg : "no reason is known";
}

static void new (struct look *l)
{
	WHY(l, "it waits for its turn: so many logins at once are under way");
	NEXT(l, "its login begins when one of the others is over");
}

static void attempt(struct look *l, const char *doing)
{
	const struct sk_sm *m = &l->s->m;

	if (m->established)
		WHY(l, "the connection was lost; attempt %u to log in again: %s", m->attempts, doing);
	else
		WHY(l, "first login, attempt %u: %s", m->attempts, doing);
	NEXT(l, "no answer within %s ends this %s", l->next,
	     m->addr + 1 < m->n_addrs ? "address, the next one is tried" : "attempt");
}

static void resolve(struct look *l)
{
	char doing[320];

	snprintf(doing, sizeof(doing), "looking up %s", l->s->m.redirected ? l->s->redirect.host : l->s->host);
	attempt(l, doing);
}

static void connecting(struct look *l)
{
	char doing[360];

	if (l->s->addrs.n > 1 && l->s->m.n_addrs == 1)
		snprintf(doing, sizeof(doing), "connecting to %s port %u, whichever of %u addresses takes it first", l->s->host,
			 l->s->port, l->s->addrs.n);
	else
		snprintf(doing, sizeof(doing), "connecting to %s port %u (address %u of %u)", l->s->current.host,
			 l->s->current.port, l->s->m.addr + 1, SK_MAX(l->s->m.n_addrs, 1U));
	attempt(l, doing);
}

static void login(struct look *l)
{
	attempt(l, "connected, the login is under way");
}

static void attach(struct look *l)
{
	attempt(l, "logged in, the data path takes the connection");
}

static void scan(struct look *l)
{
	WHY(l, "logged in %s ago; the first scan for LUNs is under way", l->up);
	if (l->e->next_ms != UINT64_MAX)
		NEXT(l, "whoever asked for the login is answered in %s, even if the scan is not over", l->next);
	else
		NEXT(l, "disks appear as the scan finds them");
}

static void up(struct look *l)
{
	WHY(l, "connected for %s%s", l->up, l->s->m.recoveries ? ", after a recovery" : "");
	NEXT(l,
	     "nothing is due: the data path reports when the connection is lost or the target asks for something");
}

static void backoff(struct look *l)
{
	const struct sk_sm *m = &l->s->m;
	uint64_t now = sk_loop_now(l->s->all->cfg.loop);

	if (l->s->start_due)
		WHY(l,
		    "it waits for its turn to log in again: so many relogins at once are under way; before that: "
		    "%s",
		    failure(l->s));
	else if (m->attempts)
		WHY(l, "attempt %u failed %s ago: %s", m->attempts, l->since, failure(l->s));
	else
		WHY(l, "the connection was lost %s ago: %s", l->since, failure(l->s));
	if (l->s->start_due)
		NEXT(l, "attempt %u begins when one of the others is over", m->attempts + 1);
	else if (now < m->not_before && m->next_attempt <= m->not_before)
		NEXT(l, "attempt %u in %s, when Time2Wait is over", m->attempts + 1, l->next);
	else
		NEXT(l, "attempt %u in %s; a link or an address of this machine that comes up ends the wait",
		     m->attempts + 1, l->next);
}

static void logout(struct look *l)
{
	WHY(l, "it is being logged out since %s%s", l->since, l->s->m.force ? ", by force" : "");
	NEXT(l, "when the data path has not ended it within %s, it stays", l->next);
}

static void gone(struct look *l)
{
	WHY(l, "it has ended");
	NEXT(l, "nothing");
}

static void advise(struct sk_explain *e, const char *text)
{
	if (text && e->n_advice < SK_EXPLAIN_ADVICE)
		e->advice[e->n_advice++] = text;
}

static void advices(struct look *l)
{
	const struct sk_session *s = l->s;

	if (s->m.st != SK_ST_UP && s->m.st != SK_ST_SCAN && s->m.cause != SK_CAUSE_NONE)
		advise(l->e, sk_advice(&s->m.err, s->m.cause));
	if (sk_session_clone_suspected(s))
		advise(l->e, SK_CLONE_ADVICE);
	else if (s->m.brief > 1)
		advise(l->e, "the target takes every login and drops the connection soon after: the target's log "
			     "says why");
	if (s->missed)
		advise(l->e, "iscsid missed a deadline of this session, which is a fault of its own: please report "
			     "it with the log");
}

static void explain(const struct sk_session *s, struct sk_explain *ret)
{
	static void (*const words[SK_ST_COUNT])(struct look * l) = {
		[SK_ST_NEW] = new,     [SK_ST_RESOLVE] = resolve, [SK_ST_CONNECT] = connecting,
		[SK_ST_LOGIN] = login, [SK_ST_ATTACH] = attach,	  [SK_ST_SCAN] = scan,
		[SK_ST_UP] = up,       [SK_ST_BACKOFF] = backoff, [SK_ST_LOGOUT] = logout,
		[SK_ST_GONE] = gone,
	};
	uint64_t now = sk_loop_now(s->all->cfg.loop), due = s->m.deadline_ms;
	bool connected = s->m.st == SK_ST_UP || s->m.st == SK_ST_SCAN || (s->m.st == SK_ST_LOGOUT && !s->m.lost);
	struct look l = { .s = s, .e = ret };

	*ret = (struct sk_explain){
		.state = sk_sm_state_name(s->m.st),
		.since_ms = now - s->m.entered,
		.up_ms = connected ? now - s->m.up_since : 0,
		.lost_ms = !connected && s->m.established ? now - s->m.lost_at : 0,
		.next_ms = due == UINT64_MAX ? UINT64_MAX
			   : due > now	     ? due - now
					     : 0,
		.cause = !connected && s->m.cause != SK_CAUSE_NONE ? sk_cause_name(s->m.cause) : NULL,
		.brief = s->m.brief,
		.missed = s->missed,
		.group = s->group,
		.node = s->node,
	};
	sk_isid_text(&s->isid, ret->isid);
	sk_explain_span(ret->next_ms == UINT64_MAX ? 0 : ret->next_ms, l.next);
	sk_explain_span(ret->since_ms, l.since);
	sk_explain_span(ret->up_ms, l.up);
	words[s->m.st](&l);
	advices(&l);
}

int sk_sessions_explain(struct sk_sessions *all, uint32_t sid, struct sk_explain *ret, struct sk_err *err)
{
	const struct sk_session *s = sk_sessions_by_sid(all, sid);

	if (!s)
		return sk_fail(err, SK_ENOENT, "session %u is not known", sid);
	explain(s, ret);
	return 0;
}
