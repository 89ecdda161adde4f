/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "session/inner.h"
#include "sys/session.h"

/** All sessions: who is meant by a request, how many attempts go on at once, who is freed when. */

#define LOGINS 64
#define RELOGINS 32
#define SCAN_MS 60000

/* --- slots --------------------------------------------------------------------------------------------------- */

bool sk_sessions_take_slot(struct sk_session *s)
{
	struct sk_sessions *all = s->all;

	if (s->slot_held)
		return true;
	if (all->under_way >= all->cfg.max_logins || (s->m.established && all->relogins >= all->cfg.max_relogins))
		return false;
	s->slot_held = true;
	s->slot_relogin = s->m.established || s->start_with == SK_SM_ADOPT_DOWN;
	all->under_way++;
	all->relogins += s->slot_relogin;
	return true;
}

void sk_sessions_give_slot(struct sk_session *s)
{
	if (!s->slot_held)
		return;
	s->slot_held = false;
	s->all->under_way--;
	s->all->relogins -= s->slot_relogin;
	if (!s->all->freeing)
		sk_timer_at(s->all->reaper, sk_loop_now(s->all->cfg.loop));	/* whoever waits is looked at there */
}

void sk_sessions_next(struct sk_sessions *all)
{
	for (struct sk_session *s = all->first, *next; s; s = next) {
		next = s->next;
		if (!s->start_due || s->dead)
			continue;
		if (s->m.st != SK_ST_NEW && s->m.st != SK_ST_BACKOFF)
			s->start_due = false;
		else
			sk_session_start(s, s->start_with);
	}
}

static void reap(void *ctx)
{
	struct sk_sessions *all = ctx;
	struct sk_session **at = &all->first;

	while (*at) {
		struct sk_session *s = *at;

		if (!s->dead || s->running) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		sk_session_free(s);
	}
	sk_sessions_next(all);
}

/* --- the list ------------------------------------------------------------------------------------------------ */

struct sk_sessions *sk_sessions_new(const struct sk_sessions_cfg *cfg, struct sk_err *err)
{
	struct sk_sessions *all = calloc(1, sizeof(*all));

	if (!all) {
		sk_fail(err, SK_ENOMEM, "no memory");
		return NULL;
	}
	all->cfg = *cfg;
	if (!all->cfg.max_logins)
		all->cfg.max_logins = LOGINS;
	if (!all->cfg.max_relogins)
		all->cfg.max_relogins = RELOGINS;
	all->reaper = sk_timer_new(cfg->loop, reap, all, err);
	all->watchdog = all->reaper ? sk_timer_new(cfg->loop, sk_sessions_watch, all, err) : NULL;
	if (!all->watchdog) {
		sk_timer_free(all->reaper);
		free(all);
		return NULL;
	}
	all->look_at = sk_loop_now(cfg->loop);
	sk_timer_at(all->watchdog, all->look_at);
	return all;
}

void sk_sessions_free(struct sk_sessions *all)
{
	if (!all)
		return;
	all->freeing = true;
	for (struct sk_session *s = all->first, *next; s; s = next) {
		next = s->next;
		sk_session_free(s);
	}
	sk_timer_free(all->reaper);
	sk_timer_free(all->watchdog);
	free(all);
}

static void append(struct sk_session *s)
{
	struct sk_session **at = &s->all->first;

	while (*at)
		at = &(*at)->next;
	*at = s;
}

struct sk_session *sk_sessions_by_sid(const struct sk_sessions *all, uint32_t sid)
{
	for (struct sk_session *s = all->first; s; s = s->next)
		if (sid && !s->dead && s->t->ops->sid(s->x) == sid)
			return s;
	return NULL;
}

static bool same_key(const struct sk_session *a, const struct sk_session *b)
{
	return sk_iname_eq(&a->target, &b->target) && !strcmp(a->host, b->host) && a->port == b->port &&
	       !strcmp(a->iface, b->iface);
}

/* The @nth session (from 0) of the key that @like has; sessions on their way out do not count. */
static struct sk_session *nth_like(const struct sk_session *like, unsigned nth)
{
	for (struct sk_session *s = like->all->first; s; s = s->next)
		if (!s->dead && s->m.st != SK_ST_LOGOUT && same_key(s, like) && nth-- == 0)
			return s;
	return NULL;
}

static unsigned free_slot(const struct sk_session *like)
{
	for (unsigned slot = 0;; slot++) {
		const struct sk_session *s = like->all->first;

		while (s && (s->dead || !same_key(s, like) || s->slot != slot))
			s = s->next;
		if (!s)
			return slot;
	}
}

static bool isid_taken(void *ctx, const struct sk_isid *isid)
{
	const struct sk_session *me = ctx;

	for (const struct sk_session *s = me->all->first; s; s = s->next)
		if (s != me && !s->dead && sk_iname_eq(&s->target, &me->target) && sk_iname_eq(&s->initiator, &me->initiator) &&
		    !memcmp(&s->isid, isid, sizeof(*isid)))
			return true;
	return false;
}

/* --- a new session ------------------------------------------------------------------------------------------- */

/* What a record says of who and where. The name in force: the iface's own, else @initiator. */
static int set_key(struct sk_session *s, const char *initiator, struct sk_err *err)
{
	const char *own = sk_record_get(s->node, "iface.initiatorname");
	const char *iface = sk_record_get(s->node, "iface.iscsi_ifacename");
	const char *host = sk_record_get(s->node, "node.conn[0].address");
	int64_t port = sk_record_int(s->node, "node.conn[0].port");

	if (sk_iname_parse(sk_span_str(sk_record_get(s->node, "node.name")), &s->target, err) < 0)
		return sk_in(err, "node.name");
	if (sk_iname_parse(sk_span_str(own && *own ? own : initiator), &s->initiator, err) < 0)
		return sk_in(err, "initiator name");
	if (!host || !sk_portal_host_ok(sk_span_str(host)) || strlen(host) >= sizeof(s->host))
		return sk_fail(err, SK_EINVAL, "node.conn[0].address is not an address or a host name");
	if (port < 1 || port > 65535)
		return sk_fail(err, SK_EINVAL, "node.conn[0].port=%lld is outside 1..65535", (long long)port);
	snprintf(s->host, sizeof(s->host), "%s", host);
	snprintf(s->iface, sizeof(s->iface), "%s", iface && *iface ? iface : "default");
	s->port = (uint16_t)port;
	s->tpgt = (int32_t)sk_record_int(s->node, "node.tpgt");
	return 0;
}

static struct sk_session *session_new(struct sk_sessions *all, struct sk_record *taken_node, const char *initiator,
				      struct sk_err *err)
{
	struct sk_session *s = calloc(1, sizeof(*s));

	if (!s) {
		sk_record_free(taken_node);
		sk_fail(err, SK_ENOMEM, "no memory");
		return NULL;
	}
	s->all = all;
	s->t = all->cfg.transport;
	s->node = taken_node;
	s->group = SK_TPGT_NONE;
	s->health = SK_HEALTH_FREE;
	if (set_key(s, initiator, err) == 0 && sk_session_arm(s, err) == 0)
		return s;
	sk_session_free(s);
	return NULL;
}

static void init_machine(struct sk_session *s, const struct sk_ask_login *ask)
{
	struct sk_node_timers t;
	struct sk_sm_cfg cfg;

	sk_node_timers_of(s->node, &t);
	cfg = (struct sk_sm_cfg){
		.login_timeout_ms = t.login_ms,
		.window_ms = (uint32_t)SK_MIN((uint64_t)t.initial_login_retry_max * t.login_ms, (uint64_t)UINT32_MAX),
		.scan_ms = SCAN_MS,
		.logout_timeout_ms = t.logout_ms,
		.time2wait_ms = (uint32_t)SK_MAX((int64_t)0, sk_record_int(s->node, "node.session.iscsi.DefaultTime2Wait")) * 1000,
		.reopen_max = t.reopen_max,
		.seed = (uint32_t)s->isid.b[3] << 16 | (uint32_t)s->isid.b[4] << 8 | s->isid.b[5],
	};
	if (ask && ask->timeout_s) {
		cfg.window_ms = ask->timeout_s * 1000;
		cfg.hard_window = true;
	}
	cfg.fail_fast = ask && ask->fail_fast;
	sk_sm_init(&s->m, &cfg);
}

static void choose_isid(struct sk_session *s)
{
	struct sk_isid_of of = { s->all->cfg.machine, s->initiator.s, s->target.s, s->host, s->iface, s->port, s->slot };

	sk_isid_for(&of, isid_taken, s, &s->isid);
}

static int give_transport(struct sk_session *s, struct sk_err *err)
{
	char isid[13], tag[64];
	struct sk_xsess_cfg cfg = { .node = s->node, .initiator = s->initiator.s, .iface = s->iface, .tag = tag };

	sk_isid_text(&s->isid, isid);
	snprintf(tag, sizeof(tag), "slot=%u isid=%s", s->slot, isid);
	s->x = s->t->ops->create(s->t, &cfg, &sk_session_events, s, err);
	return s->x ? 0 : -1;
}

static int add_waiter(struct sk_session *s, const struct sk_ask_login *ask, struct sk_err *err)
{
	struct waiter *w = calloc(1, sizeof(*w)), **at = &s->waiters;

	if (!w)
		return sk_fail(err, SK_ENOMEM, "no memory");
	*w = (struct waiter){ .login_only = ask->login_only, .step = ask->step, .done = ask->done, .ctx = ask->ctx };
	while (*at)
		at = &(*at)->next;
	*at = w;
	return 0;
}

static int join(struct sk_session *s, const struct sk_ask_login *ask, struct sk_err *err)
{
	struct sk_outcome o = { .code = SK_RES_SUCCESS, .s = s, .existing = s->m.answered };

	if (s->m.answered && !ask->ensure)
		return sk_fail(err, SK_EEXIST, "session %u exists", s->t->ops->sid(s->x));
	if (!s->m.answered && !(ask->login_only && s->m.established))
		return add_waiter(s, ask, err);
	ask->done(ask->ctx, &o);
	return 0;
}

int sk_sessions_login(struct sk_sessions *all, struct sk_record *taken_node, const struct sk_ask_login *ask,
		      struct sk_err *err)
{
	struct sk_session *s = session_new(all, taken_node, ask->initiator, err), *there;
	int got;

	if (!s)
		return -1;
	there = ask->multiple ? NULL : nth_like(s, ask->slot);
	if (there) {
		got = join(there, ask, err);
		sk_session_free(s);
		return got;
	}
	if (ask->transport)
		s->t = ask->transport;
	s->slot = free_slot(s);
	choose_isid(s);
	init_machine(s, ask);
	if (give_transport(s, err) < 0 || add_waiter(s, ask, err) < 0) {
		sk_session_free(s);
		return -1;
	}
	append(s);
	sk_session_start(s, SK_SM_START);
	return 0;
}

/* --- other requests ------------------------------------------------------------------------------------------ */

int sk_sessions_logout(struct sk_sessions *all, uint32_t sid, bool force, sk_outcome_fn *done, void *ctx, struct sk_err *err)
{
	struct sk_session *s = sk_sessions_by_sid(all, sid);

	if (!s)
		return sk_fail(err, SK_ENOENT, "session %u is not known", sid);
	if (!s->m.established)
		return sk_fail(err, SK_EBUSY, "session %u is in its first login", sid);
	if (s->m.st == SK_ST_LOGOUT || s->logout.done)
		return sk_fail(err, SK_EBUSY, "session %u is being logged out already", sid);
	s->logout = (struct asker){ done, ctx };
	sk_session_post(s, (struct sk_sm_event){ .kind = SK_SM_LOGOUT, .force = force });
	return 0;
}

int sk_sessions_rescan(struct sk_sessions *all, uint32_t sid, sk_outcome_fn *done, void *ctx, struct sk_err *err)
{
	struct sk_session *s = sk_sessions_by_sid(all, sid);

	if (!s)
		return sk_fail(err, SK_ENOENT, "session %u is not known", sid);
	if (s->m.st != SK_ST_UP)
		return sk_fail(err, SK_ENOTCONN, "session %u is not connected", sid);
	if (s->rescan.done)
		return sk_fail(err, SK_EBUSY, "session %u is being scanned already", sid);
	if (s->t->ops->rescan(s->x, err) < 0)
		return -1;
	s->rescan = (struct asker){ done, ctx };
	return 0;
}

int sk_sessions_stats(struct sk_sessions *all, uint32_t sid, sk_stats_fn *done, void *ctx, struct sk_err *err)
{
	struct sk_session *s = sk_sessions_by_sid(all, sid);

	if (!s)
		return sk_fail(err, SK_ENOENT, "session %u is not known", sid);
	if (!s->t->ops->stats)
		return sk_fail(err, SK_ENOTSUP, "this transport has no counters");
	return s->t->ops->stats(s->x, done, ctx, err);
}

void sk_sessions_kick(struct sk_sessions *all)
{
	for (struct sk_session *s = all->first; s; s = s->next)
		if (!s->dead && s->m.st == SK_ST_BACKOFF)
			sk_session_start(s, SK_SM_KICK);
}

unsigned sk_sessions_list(struct sk_sessions *all, sk_session_visit *visit, void *ctx)
{
	unsigned n = 0;

	for (const struct sk_session *s = all->first; s; s = s->next) {
		struct sk_session_info info;

		if (s->dead)
			continue;
		sk_session_info(s, &info);
		n++;
		if (!visit(ctx, &info))
			break;
	}
	return n;
}

int sk_sessions_info(struct sk_sessions *all, uint32_t sid, struct sk_session_info *ret, struct sk_err *err)
{
	const struct sk_session *s = sk_sessions_by_sid(all, sid);

	if (!s)
		return sk_fail(err, SK_ENOENT, "session %u is not known", sid);
	sk_session_info(s, ret);
	return 0;
}

unsigned sk_sessions_count(const struct sk_sessions *all)
{
	unsigned n = 0;

	for (const struct sk_session *s = all->first; s; s = s->next)
		n += !s->dead;
	return n;
}

unsigned sk_sessions_missed(const struct sk_sessions *all)
{
	return all->missed;
}

/* --- adoption ------------------------------------------------------------------------------------------------ */

static void read_tag(struct sk_session *s, const char *tag)
{
	unsigned slot = 0;
	char isid[13] = "";

	if (sscanf(tag, "slot=%9u isid=%12[0-9a-f]", &slot, isid) == 2 && sk_isid_parse(isid, &s->isid)) {
		s->slot = slot;
		return;
	}
	s->slot = free_slot(s);
	choose_isid(s);
}

/* Where a running session is connected, as it shows it. */
static void take_hint(struct sk_session *s, const struct sk_sys_session *there)
{
	struct sockaddr_storage a = { 0 };
	struct sockaddr_in *in = (struct sockaddr_in *)(void *)&a;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)&a;

	if (there->port < 1 || there->port > 65535)
		return;
	if (inet_pton(AF_INET, there->addr, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)there->port);
	} else if (inet_pton(AF_INET6, there->addr, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)there->port);
	}
	if (a.ss_family)
		(void)sk_addrs_keep(&s->hint, 1, &a);
}

/* What its last login left behind: the portal group it is with, the address it led to. */
static void learn(struct sk_session *s)
{
	struct sk_sys_session there;

	if (!s->t->places || sk_sys_session(s->t->places, s->t->ops->sid(s->x), SK_SYS_CURRENT, &there, NULL) < 0)
		return;
	if (there.tpgt >= 0)
		s->group = there.tpgt;
	take_hint(s, &there);
	explicit_bzero(&there, sizeof(there));
}

static void found(void *ctx, struct sk_xsess *x, struct sk_record *taken_node, enum sk_xsess_health health)
{
	const struct adoption *a = ctx;
	struct sk_sessions *all = a->all;
	const struct sk_transport_ops *ops = a->t->ops;
	struct sk_err err = { 0 };
	struct sk_session *s = session_new(all, taken_node, ops->initiator(x), &err);

	if (!s) {
		sk_error(SK_ROOM_SESSION, "session %u runs but cannot be taken over: %s", ops->sid(x), err.msg);
		ops->forget(x);
		return;
	}
	s->t = a->t;
	s->x = x;
	s->health = health;
	ops->bind(x, s);
	read_tag(s, ops->tag(x));
	if (isid_taken(s, &s->isid)) {	/* it answered too late, and was logged in anew: two of them would end each other for ever */
		sk_error(SK_ROOM_SESSION, "session %u runs but cannot be taken over: another one has its ISID by now", ops->sid(x));
		sk_session_free(s);
		return;
	}
	learn(s);
	init_machine(s, NULL);
	append(s);
	sk_notice(SK_ROOM_SESSION, "session %u to [target: %s, portal: %s,%u] through [iface: %s] taken over, %s", ops->sid(x),
		  s->target.s, s->host, s->port, s->iface, health == SK_HEALTH_LOGGED_IN ? "untouched" : "logging in again");
	if (health == SK_HEALTH_LOGGED_IN)
		sk_session_post(s, (struct sk_sm_event){ .kind = SK_SM_ADOPT_UP });
	else
		sk_session_start(s, SK_SM_ADOPT_DOWN);
}

static void adoption_over(void *ctx)
{
	const struct adoption *a = ctx;
	struct sk_sessions *all = a->all;

	if (--all->adopting == 0)
		all->adopted(all->adopted_ctx);
}

static int adopt_from(struct sk_sessions *all, unsigned i, struct sk_transport *t, struct sk_err *err)
{
	all->adoptions[i] = (struct adoption){ all, t };
	return t->ops->adopt(t, found, adoption_over, &sk_session_events, &all->adoptions[i], err);
}

int sk_sessions_adopt(struct sk_sessions *all, void (*over)(void *ctx), void *ctx, struct sk_err *err)
{
	struct sk_err why = { 0 };

	all->adopted = over;
	all->adopted_ctx = ctx;
	all->adopting = all->cfg.also ? 2 : 1;
	if (all->cfg.also && adopt_from(all, 1, all->cfg.also, &why) < 0) {
		sk_error(SK_ROOM_SESSION, "take over running sessions: %s", why.msg);
		all->adopting--;
	}
	return adopt_from(all, 0, all->cfg.transport, err);
}
