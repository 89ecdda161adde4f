/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transport/user/user.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "mgmt/message.h"
#include "transport/user/inner.h"
#include "transport/wirecfg.h"

#define AGAIN_MS 300		/* ... and for one that lived a moment ago, before its lock is looked at again */
#define END_GRACE_MS 8000	/* over logout_timeout, for taking disks away */
#define LOGIN_DATA_MAX (256U << 10)

/* --- the login's socket -------------------------------------------------------------------------------------- */

static void wire_up(void *ctx)
{
	struct sk_xsess *x = ctx;

	x->ev->up(x->ctx);
}

static void wire_pdu(void *ctx, const struct sk_pdu *lent)
{
	struct sk_xsess *x = ctx;

	x->ev->pdu(x->ctx, lent);
}

static void wire_down(void *ctx, const struct sk_err *why)
{
	struct sk_xsess *x = ctx;

	x->ev->down(x->ctx, why);
}

static const struct sk_wire_events wire_events = { wire_up, wire_pdu, wire_down };

void sk_user_hang_up(struct sk_xsess *x)
{
	sk_race_free(sk_give(x->race));
	sk_wire_close(sk_give(x->wire));
}

static int user_open(struct sk_xsess *x, const struct sockaddr_storage *addr, struct sk_err *err)
{
	struct sk_wire_cfg cfg;

	sk_user_hang_up(x);
	sk_transport_wire_cfg(x->node, LOGIN_DATA_MAX, &cfg);
	x->wire = sk_wire_open(x->u->t.loop, addr, &cfg, &wire_events, x, err);
	return x->wire ? 0 : -1;
}

static void race_won(void *ctx, struct sk_wire *taken, unsigned which)
{
	struct sk_xsess *x = ctx;

	x->race = NULL;
	x->wire = taken;
	x->won = which;
}

static int user_open_any(struct sk_xsess *x, const struct sk_addrs *addrs, struct sk_err *err)
{
	struct sk_wire_cfg cfg;

	sk_user_hang_up(x);
	sk_transport_wire_cfg(x->node, LOGIN_DATA_MAX, &cfg);
	x->race = sk_race_new(x->u->t.loop, addrs, &cfg, &wire_events, race_won, x, err);
	return x->race ? 0 : -1;
}

static unsigned user_won(const struct sk_xsess *x)
{
	return x->won;
}

static int user_send(struct sk_xsess *x, struct sk_pdu *taken, struct sk_err *err)
{
	if (x->wire)
		return sk_wire_send(x->wire, taken, err);
	sk_pdu_free(taken);
	return sk_fail(err, SK_ECONN, "no connection");
}

/* --- the session's life -------------------------------------------------------------------------------------- */

static struct sk_xsess *user_create(struct sk_transport *t, const struct sk_xsess_cfg *cfg,
				    const struct sk_transport_events *ev, void *ctx, struct sk_err *err)
{
	const char *scan = sk_record_get(cfg->node, "node.session.scan");
	struct sk_xsess *x = calloc(1, sizeof(*x));

	if (!x) {
		sk_fail(err, SK_ENOMEM, "no memory");
		return NULL;
	}
	x->u = sk_user(t);
	x->process = -1;
	x->ev = ev;
	x->ctx = ctx;
	x->sid = cfg->sid;
	x->scan_by_hand = scan && !strcmp(scan, "manual");
	snprintf(x->initiator, sizeof(x->initiator), "%s", cfg->initiator);
	snprintf(x->iface, sizeof(x->iface), "%s", cfg->iface);
	snprintf(x->tag, sizeof(x->tag), "%s", cfg->tag ? cfg->tag : "");
	x->node = sk_record_copy(cfg->node, err);
	if (x->node)
		return x;
	sk_user_free(x);
	return NULL;
}

static void timers_over(struct sk_xsess *x, const struct sk_err *err)
{
	sk_timers_fn *fn = x->timers_fn;

	x->timers_fn = NULL;
	if (fn)
		fn(x->timers_ctx, err);
}

/* By descriptor: the process is reaped as soon as it ends, and its number may be another's by now. */
void sk_user_stop_process(struct sk_xsess *x)
{
	if (x->process >= 0)
		(void)pidfd_send_signal(x->process, SIGTERM, NULL, 0);
	sk_fd_close(&x->process);
}

void sk_user_free(struct sk_xsess *x)
{
	struct sk_err err = { 0 };

	if (!x)
		return;
	sk_fail(&err, SK_ENOTCONN, "the session ends");
	timers_over(x, &err);
	if (!x->attached)
		sk_user_stop_process(x);	/* started for a login that is not to be */
	sk_fd_close(&x->process);
	if (x->u->unheard == x)
		x->u->unheard = NULL;
	sk_user_hang_up(x);
	sk_ctl_free(x->ctl);
	sk_timer_free(x->later);
	sk_record_free(x->node);
	free(x);
}

static uint32_t user_sid(const struct sk_xsess *x)
{
	return x->sid;
}

static const char *user_tag(const struct sk_xsess *x)
{
	return x->tag;
}

static const char *user_initiator(const struct sk_xsess *x)
{
	return x->initiator;
}

static void user_bind(struct sk_xsess *x, void *event_ctx)
{
	x->ctx = event_ctx;
}

/* --- what the process says ----------------------------------------------------------------------------------- */

enum sk_xsess_health sk_user_health_word(const char *word)
{
	static const struct {
		const char *word;
		enum sk_xsess_health h;
	} rows[] = { { "LOGGED_IN", SK_HEALTH_LOGGED_IN }, { "FAILED", SK_HEALTH_FAILED }, { "FREE", SK_HEALTH_FREE } };

	for (size_t i = 0; word && i < SK_ARRAY_LEN(rows); i++)
		if (!strcmp(word, rows[i].word))
			return rows[i].h;
	return SK_HEALTH_FAILED;
}

static void told_health(struct sk_xsess *x, struct json_object *p)
{
	enum sk_xsess_health h = sk_user_health_word(sk_msg_str(p, "health"));

	if (h != SK_HEALTH_LOGGED_IN)	/* that one is our own answer to a handoff */
		x->ev->health(x->ctx, h);
}

static void told_down(struct sk_xsess *x, struct json_object *p)
{
	const char *why = sk_msg_str(p, "why"), *code = sk_msg_str(p, "code");
	struct sk_err err = { 0 };

	sk_fail(&err, SK_ECONN, "%s", why ? why : "connection lost");
	for (int c = SK_EINVAL; code && c <= SK_EDOMAIN; c++)
		if (!strcmp(code, sk_code_name((enum sk_code)c)))
			err.code = (enum sk_code)c;
	x->ev->down(x->ctx, &err);
}

static void told_async(struct sk_xsess *x, struct json_object *p)
{
	x->ev->async_msg(x->ctx, (uint8_t)sk_msg_int(p, "event", 255), (uint16_t)sk_msg_int(p, "p1", 0),
			 (uint16_t)sk_msg_int(p, "p2", 0), (uint16_t)sk_msg_int(p, "p3", 0));
}

static void told_ready(struct sk_xsess *x, struct json_object *p)
{
	const char *why = sk_msg_str(p, "error");
	struct sk_err err = { 0 };

	if (why)
		sk_fail(&err, SK_EIO, "%s", why);
	x->ev->ready(x->ctx, why ? &err : NULL);
}

static void ctl_event(void *ctx, const char *name, struct json_object *params)
{
	static const struct {
		const char *name;
		void (*fn)(struct sk_xsess *x, struct json_object *p);
	} rows[] = { { "health", told_health }, { "down", told_down }, { "async", told_async }, { "ready", told_ready } };
	struct sk_xsess *x = ctx;

	for (size_t i = 0; i < SK_ARRAY_LEN(rows); i++) {
		if (!strcmp(name, rows[i].name)) {
			rows[i].fn(x, params);
			return;
		}
	}
	sk_debug(SK_ROOM_TRANSPORT, "session %u: event %s", x->sid, name);
}

static void ctl_up(void *ctx)
{
	struct sk_xsess *x = ctx;

	sk_debug(SK_ROOM_TRANSPORT, "session %u: talking to its process", x->sid);
	if (x->attached)
		sk_user_ask(x);	/* what happened while nobody listened was told to nobody */
}

static void ctl_down(void *ctx, const struct sk_err *why)
{
	struct sk_xsess *x = ctx;
	struct sk_err err = *why;

	sk_ctl_free(x->ctl);
	x->ctl = NULL;
	if (x->gone)
		return;
	if (x->attached && sk_udir_alive(x->u->t.places, x->sid) && sk_user_connect_ctl(x, AGAIN_MS, &err) == 0)
		return;		/* alive, so it only hung up on us; or just about to be dead */
	sk_warning(SK_ROOM_TRANSPORT, "session %u: its process is gone: %s", x->sid, err.msg);
	x->gone = true;
	sk_user_sweep(x->u, &x->sid, 1);
	if (x->attached)
		x->ev->health(x->ctx, SK_HEALTH_GONE);
}

int sk_user_connect_ctl(struct sk_xsess *x, uint32_t patience_ms, struct sk_err *err)
{
	static const struct sk_ctl_events ev = { ctl_up, ctl_event, ctl_down };
	char path[400];

	if (sk_udir_path(x->u->t.places, x->sid, "ctl", path, sizeof(path), err) < 0)
		return -1;
	x->ctl = sk_ctl_open(x->u->t.loop, path, patience_ms, &ev, x, err);
	return x->ctl ? 0 : -1;
}

/* --- requests afterwards ------------------------------------------------------------------------------------- */

static void ignore_answer(void *ctx, struct json_object *result, const struct sk_err *err)
{
	const struct sk_xsess *x = ctx;

	(void)result;
	if (err)
		sk_debug(SK_ROOM_TRANSPORT, "session %u: %s", x->sid, err->msg);
}

static void user_halt(struct sk_xsess *x)
{
	sk_user_hang_up(x);
	if (x->attached && x->ctl)
		(void)sk_ctl_call(x->ctl, "halt", NULL, -1, SK_USER_ANSWER_MS, ignore_answer, x, NULL);
}

static void rescan_answer(void *ctx, struct json_object *result, const struct sk_err *err)
{
	struct sk_xsess *x = ctx;

	(void)result;
	if (err)
		x->ev->ready(x->ctx, err);	/* else the event of that name follows */
}

static int user_rescan(struct sk_xsess *x, struct sk_err *err)
{
	if (!x->attached || !x->ctl)
		return sk_fail(err, SK_ENOTCONN, "the session has no data path");
	return sk_ctl_call(x->ctl, "rescan", NULL, -1, SK_USER_ANSWER_MS, rescan_answer, x, err);
}

static void end_answer(void *ctx, struct json_object *result, const struct sk_err *err)
{
	struct sk_xsess *x = ctx;

	(void)result;
	if (!err || err->code == SK_ENOTCONN) {
		x->gone = true;
		sk_user_sweep(x->u, &x->sid, 1);
		err = NULL;
	}
	x->ev->ended(x->ctx, err);
}

static void ended_later(void *ctx)
{
	struct sk_xsess *x = ctx;

	x->ev->ended(x->ctx, NULL);
}

static int user_end(struct sk_xsess *x, bool force, struct sk_err *err)
{
	int64_t limit = sk_record_int(x->node, "node.conn[0].timeo.logout_timeout");
	struct json_object *p;

	sk_user_hang_up(x);
	if (!x->attached || !x->ctl) {
		if (!x->later)
			x->later = sk_timer_new(x->u->t.loop, ended_later, x, err);
		if (!x->later)
			return -1;
		sk_timer_at(x->later, sk_loop_now(x->u->t.loop));
		return 0;
	}
	if (limit < 1 || limit > 600)
		limit = 15;
	p = json_object_new_object();
	json_object_object_add(p, "force", json_object_new_boolean(force));
	json_object_object_add(p, "timeout_s", json_object_new_int64(limit));
	return sk_ctl_call(x->ctl, "end", p, -1, (uint32_t)limit * 1000 + END_GRACE_MS, end_answer, x, err);
}

struct stats_ask {
	sk_stats_fn *fn;
	void *ctx;
};

#define STATS_MAX 64

static void stats_answer(void *ctx, struct json_object *result, const struct sk_err *err)
{
	struct stats_ask a = *(struct stats_ask *)ctx;
	struct sk_stat stats[STATS_MAX];
	unsigned n = 0;

	free(ctx);
	if (result) {
		json_object_object_foreach(result, name, value) {
			if (n < STATS_MAX && json_object_is_type(value, json_type_int))
				stats[n++] = (struct sk_stat){ name, json_object_get_uint64(value) };
		}
	}
	a.fn(a.ctx, stats, n, err);
}

static int user_stats(struct sk_xsess *x, sk_stats_fn *fn, void *ctx, struct sk_err *err)
{
	struct stats_ask *a;

	if (!x->attached || !x->ctl)
		return sk_fail(err, SK_ENOTCONN, "the session has no data path");
	a = calloc(1, sizeof(*a));
	if (!a)
		return sk_fail(err, SK_ENOMEM, "no memory");
	*a = (struct stats_ask){ fn, ctx };
	if (sk_ctl_call(x->ctl, "stats", NULL, -1, SK_USER_ANSWER_MS, stats_answer, a, err) == 0)
		return 0;
	free(a);
	return -1;
}

static void timers_answer(void *ctx, struct json_object *result, const struct sk_err *err)
{
	(void)result;
	timers_over(ctx, err);
}

static int user_timers(struct sk_xsess *x, const struct sk_record *node, sk_timers_fn *fn, void *ctx, struct sk_err *err)
{
	struct sk_record *copy;

	if (!x->attached || !x->ctl)
		return sk_fail(err, SK_ENOTCONN, "the session has no data path");
	if (x->timers_fn)
		return sk_fail(err, SK_EBUSY, "its times are being changed already");
	copy = sk_record_copy(node, err);
	if (!copy)
		return -1;
	if (sk_udir_replace_record(x->u->t.places, x->sid, copy, err) < 0 ||
	    sk_ctl_call(x->ctl, "timers", sk_user_timers_params(copy), -1, SK_USER_ANSWER_MS, timers_answer, x, err) < 0) {
		sk_record_free(copy);
		return -1;
	}
	sk_record_free(x->node);
	x->node = copy;
	x->timers_fn = fn;
	x->timers_ctx = ctx;
	return 0;
}

/* --- transport ----------------------------------------------------------------------------------------------- */

struct sk_transport *sk_user_transport_new(struct sk_loop *loop, const struct sk_places *places,
					   const struct sk_user_cfg *cfg, struct sk_err *err)
{
	static const struct sk_transport_ops ops = {
		.name = "user", .create = user_create, .sid = user_sid, .open = user_open, .send = user_send,
		.open_any = user_open_any, .won = user_won,
		.handoff = sk_user_handoff, .halt = user_halt, .rescan = user_rescan, .end = user_end,
		.forget = sk_user_free, .adopt = sk_user_adopt, .bind = user_bind,
		.tag = user_tag, .initiator = user_initiator, .stats = user_stats, .timers = user_timers,
	};
	struct user *u = calloc(1, sizeof(*u));

	if (!u) {
		sk_fail(err, SK_ENOMEM, "no memory");
		return NULL;
	}
	u->t = (struct sk_transport){ .ops = &ops, .loop = loop, .places = places };
	if (cfg && cfg->run_as)
		snprintf(u->run_as, sizeof(u->run_as), "%s", cfg->run_as);
	if (cfg && cfg->debug)
		snprintf(u->debug, sizeof(u->debug), "%s", cfg->debug);
	u->busy_poll_us = cfg ? cfg->busy_poll_us : 0;
	return &u->t;
}

void sk_user_transport_free(struct sk_transport *t)
{
	sk_user_sweep_stop(sk_user(t));
	free(t);
}
