/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transport/kernel/kernel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "record/node.h"
#include "transport/kernel/inner.h"
#include "transport/wirecfg.h"

/* ------------------------------------------------------------------------------------------------- orders of a session */

/* A session that never came up: nobody has its disks, nothing of it shall stay. */
void sk_kernel_drop(struct sk_xsess *x)
{
	struct sk_kcmd *c = x->o ? sk_kcmd_new(x->k, NULL, sk_kstep_destroy, NULL, NULL) : NULL;

	if (x->sid)
		sk_keep_drop(x->k->t.places, x->sid);
	if (c) {
		c->o = sk_kobj_get(x->o);
		sk_kcmd_order(c);
	}
	sk_kobj_put(x->o);
	x->o = NULL;
	x->sid = x->host = 0;
}

static void after_stop(struct sk_kcmd *c)
{
	if (c->rc < 0)
		sk_warning(SK_ROOM_TRANSPORT, "session %u: %s", c->o->sid, c->err.msg);
}

void sk_kernel_stop(struct sk_xsess *x)
{
	struct sk_kcmd *c = x->o ? sk_kcmd_new(x->k, x, sk_kstep_stop, after_stop, NULL) : NULL;

	if (!c)
		return;
	c->how = SK_NL_STOP_RECOVER;
	sk_kcmd_order(c);
}

/* The connection is of no use any more, by the kernel's word or by ours; tell nobody. */
void sk_kernel_hang_up(struct sk_xsess *x)
{
	sk_race_free(sk_give(x->race));
	sk_wire_close(sk_give(x->wire));
}

static void disconnect(struct sk_xsess *x)
{
	bool bound = x->st == SK_K_ATTACH || x->st == SK_K_LOGIN || x->st == SK_K_START || x->st == SK_K_UP;

	x->epoch++;
	x->leave.under_way = false;
	sk_kernel_hang_up(x);
	if (x->st != SK_K_GONE)
		x->st = SK_K_IDLE;
	if (!bound)
		return;
	if (x->up_once)
		sk_kernel_stop(x); /* at once: older kernels hold I/O back only then, and a new bind needs it anyway */
	else
		sk_kernel_drop(x);
}

void sk_kernel_lost(struct sk_xsess *x, const struct sk_err *why)
{
	struct sk_err err = *why;

	disconnect(x);
	x->ev->down(x->ctx, &err);
}

void sk_kernel_gone(struct sk_xsess *x)
{
	if (x->st == SK_K_GONE)
		return;
	x->epoch++;
	x->leave.under_way = false;
	x->st = SK_K_GONE;
	sk_kernel_hang_up(x);
	sk_keep_drop(x->k->t.places, x->sid);
	sk_kobj_put(x->o);
	x->o = NULL;
	x->ev->health(x->ctx, SK_HEALTH_GONE);
}

/* -------------------------------------------------------------------------------------------------------------- login */

static void keep_by(const struct sk_xsess *x, const struct sk_kobj *o,
		    int (*put)(const struct sk_places *, uint32_t, const struct sk_keep *, const struct sk_record *, struct sk_err *))
{
	struct sk_keep about = { .handle = o->handle };
	struct sk_err err = { 0 };

	snprintf(about.initiator, sizeof(about.initiator), "%s", x->initiator);
	snprintf(about.tag, sizeof(about.tag), "%s", x->tag);
	if (put(x->k->t.places, x->sid, &about, x->node, &err) < 0)
		sk_warning(SK_ROOM_TRANSPORT, "session %u: a restarted iscsid will have to guess: %s", x->sid, err.msg);
}

static void keep(const struct sk_xsess *x, const struct sk_kobj *o)
{
	keep_by(x, o, sk_keep_put);
}

static void keep_again(const struct sk_xsess *x)
{
	keep_by(x, x->o, sk_keep_replace);
}

static void keep_up(const struct sk_xsess *x)
{
	struct sk_err err = { 0 };

	if (sk_keep_up(x->k->t.places, x->sid, &err) < 0)
		sk_warning(SK_ROOM_TRANSPORT, "session %u: a restarted iscsid will have to guess: %s", x->sid, err.msg);
}

static void after_attach(struct sk_kcmd *c)
{
	struct sk_xsess *x = c->x;

	sk_fd_close(&c->fd); /* the kernel has a reference of its own */
	if (!sk_kcmd_current(c))
		return; /* whoever went on has seen to what was created */
	if (c->rc < 0) {
		sk_kernel_lost(x, &c->err);
		return;
	}
	x->sid = c->o->sid;
	x->host = c->o->host;
	x->st = SK_K_LOGIN;
	if (!x->up_once)
		keep(x, c->o); /* whoever finds this one after us takes it away */
	x->ev->up(x->ctx);
}

static int attach(struct sk_xsess *x, struct sk_err *err)
{
	struct sk_node_limits limits;
	struct sk_kcmd *c;
	bool fresh = !x->o;

	if (fresh)
		x->o = calloc(1, sizeof(*x->o));
	if (!x->o)
		return sk_fail(err, SK_ENOMEM, "no memory");
	x->o->refs += fresh;
	c = sk_kcmd_with_params(x, sk_kstep_attach, after_attach, err);
	if (!c)
		goto undo;
	c->fresh = fresh;
	if (sk_wire_detach(sk_give(x->wire), &c->fd, err) < 0) {
		sk_kcmd_drop(c);
		goto undo;
	}
	sk_node_limits_of(x->node, &limits);
	c->cmds_max = (uint16_t)limits.cmds_max;
	c->queue_depth = (uint16_t)limits.queue_depth;
	sk_kparams_login(c->params, x->node, x->initiator, x->iface);
	x->st = SK_K_ATTACH;
	sk_kcmd_order(c);
	return 0;
undo:
	if (fresh) {
		sk_kobj_put(x->o);
		x->o = NULL;
	}
	return -1;
}

static void wire_up(void *ctx)
{
	struct sk_xsess *x = ctx;
	struct sk_err err = { 0 };

	if (attach(x, &err) < 0)
		sk_kernel_lost(x, &err);
}

static void wire_pdu(void *ctx, const struct sk_pdu *lent)
{
	(void)ctx;
	(void)lent; /* none comes before a login request */
}

static void wire_down(void *ctx, const struct sk_err *why)
{
	sk_kernel_lost(ctx, why);
}

static const struct sk_wire_events wire_events = { wire_up, wire_pdu, wire_down };

static int ready_to_open(struct sk_xsess *x, struct sk_wire_cfg *cfg, struct sk_err *err)
{
	if (x->st == SK_K_GONE)
		return sk_fail(err, SK_ENOTCONN, "the session does not exist any more");
	disconnect(x);
	sk_transport_wire_cfg(x->node, SK_NL_PDU_MAX, cfg);
	return 0;
}

static int kernel_open(struct sk_xsess *x, const struct sockaddr_storage *addr, struct sk_err *err)
{
	struct sk_wire_cfg cfg;

	if (ready_to_open(x, &cfg, err) < 0)
		return -1;
	x->wire = sk_wire_open(x->k->t.loop, addr, &cfg, &wire_events, x, err);
	if (!x->wire)
		return -1;
	x->st = SK_K_WIRE;
	return 0;
}

static void race_won(void *ctx, struct sk_wire *taken, unsigned which)
{
	struct sk_xsess *x = ctx;

	x->race = NULL;
	x->wire = taken;
	x->won = which;
}

static int kernel_open_any(struct sk_xsess *x, const struct sk_addrs *addrs, struct sk_err *err)
{
	struct sk_wire_cfg cfg;

	if (ready_to_open(x, &cfg, err) < 0)
		return -1;
	x->race = sk_race_new(x->k->t.loop, addrs, &cfg, &wire_events, race_won, x, err);
	if (!x->race)
		return -1;
	x->st = SK_K_WIRE;
	return 0;
}

static unsigned kernel_won(const struct sk_xsess *x)
{
	return x->won;
}

static void after_send(struct sk_kcmd *c)
{
	if (c->rc < 0 && sk_kcmd_current(c) && c->x->st == SK_K_LOGIN) {
		c->err.code = SK_ECONN;
		sk_kernel_lost(c->x, &c->err);
	}
}

static int kernel_send(struct sk_xsess *x, struct sk_pdu *taken, struct sk_err *err)
{
	struct sk_kcmd *c = x->st == SK_K_LOGIN ? sk_kcmd_new(x->k, x, sk_kstep_send, after_send, err) : NULL;

	if (!c) {
		sk_pdu_free(taken);
		return x->st == SK_K_LOGIN ? -1 : sk_fail(err, SK_ECONN, "no connection");
	}
	c->pdu = *taken;
	taken->data = (struct sk_buf){ 0 };
	x->itt = sk_be32(c->pdu.bhs + 16);
	sk_kcmd_order(c);
	return 0;
}

/* ------------------------------------------------------------------------------------------------------------- handoff */

static void after_scan(struct sk_kcmd *c)
{
	if (!c->x)
		return;
	if (c->rc < 0)
		sk_warning(SK_ROOM_TRANSPORT, "session %u: %s", c->x->sid, c->err.msg);
	c->x->ev->ready(c->x->ctx, c->rc < 0 ? &c->err : NULL);
}

static int scan(struct sk_xsess *x, bool reread, void (*after)(struct sk_kcmd *), struct sk_err *err)
{
	struct sk_kcmd *c = sk_kcmd_new(x->k, x, sk_kerrand_scan, after, err);

	if (!c)
		return -1;
	c->flag = reread;
	c->nice = (int)sk_record_int(x->node, "node.session.xmit_thread_priority");
	if (c->nice < -20 || c->nice > 19)
		c->nice = 0;
	sk_kcmd_errand(c);
	return 0;
}

void sk_kernel_rescan_quietly(struct sk_xsess *x)
{
	(void)scan(x, true, NULL, NULL);
}

static void first_scan(struct sk_xsess *x)
{
	struct sk_err err = { 0 };

	x->scanned = true;
	if (x->scan_by_hand)
		x->ev->ready(x->ctx, NULL);
	else if (scan(x, false, after_scan, &err) < 0)
		x->ev->ready(x->ctx, &err);
}

static void after_start(struct sk_kcmd *c)
{
	struct sk_xsess *x = c->x;

	if (!sk_kcmd_current(c))
		return;
	if (c->rc < 0) {
		if (c->err.sys != 107) /* ENOTCONN: lost meanwhile; else the kernel does not want what was agreed */
			c->err.code = SK_ENOTCONN;
		else
			c->err.code = SK_ECONN;
		sk_kernel_lost(x, &c->err);
		return;
	}
	x->st = SK_K_UP;
	if (!x->up_once)
		keep_up(x);
	x->up_once = true;
	x->ev->health(x->ctx, SK_HEALTH_LOGGED_IN);
	if (!x->scanned && x->st == SK_K_UP)
		first_scan(x);
}

static int kernel_handoff(struct sk_xsess *x, const struct sk_params *params, const struct sk_portal *current,
			  struct sk_err *err)
{
	struct sk_kcmd *c;

	(void)current; /* the kernel asks the socket */
	if (x->st != SK_K_LOGIN)
		return sk_fail(err, SK_ECONN, "no connection to hand over");
	c = sk_kcmd_with_params(x, sk_kstep_start, after_start, err);
	if (!c)
		return -1;
	sk_kparams_negotiated(c->params, params);
	x->st = SK_K_START;
	sk_kcmd_order(c);
	return 0;
}

static void kernel_halt(struct sk_xsess *x)
{
	if (x->st != SK_K_END)
		disconnect(x);
}

static int kernel_rescan(struct sk_xsess *x, struct sk_err *err)
{
	if (x->st != SK_K_UP)
		return sk_fail(err, SK_ENOTCONN, "the session has no connection");
	return scan(x, true, after_scan, err);
}

/* --------------------------------------------------------------------------------------------------------- statistics */

#define STATS_MAX 64

static void after_stats(struct sk_kcmd *c)
{
	struct sk_stat stats[STATS_MAX];
	char names[STATS_MAX][65];
	unsigned n = 0;

	while (c->rc == 0 && n < STATS_MAX && sk_nl_stat(sk_buf_span(&c->text), n, names[n], &stats[n].value)) {
		stats[n].name = names[n];
		n++;
	}
	c->stats(c->stats_ctx, stats, n, c->rc < 0 ? &c->err : NULL);
}

static int kernel_stats(struct sk_xsess *x, sk_stats_fn *fn, void *ctx, struct sk_err *err)
{
	struct sk_kcmd *c;

	if (!x->o || !x->up_once)
		return sk_fail(err, SK_ENOTCONN, "the session has no connection");
	c = sk_kcmd_new(x->k, x, sk_kstep_stats, after_stats, err);
	if (!c)
		return -1;
	c->stats = fn;
	c->stats_ctx = ctx;
	sk_kcmd_order(c);
	return 0;
}

/* ------------------------------------------------------------------------------------------------------------- timers */

static void after_timers(struct sk_kcmd *c)
{
	c->timers(c->timers_ctx, c->rc < 0 ? &c->err : NULL);
}

/* Without a connection the kernel takes none but the replacement timeout; all are set again before the next login. */
static int kernel_timers(struct sk_xsess *x, const struct sk_record *node, sk_timers_fn *fn, void *ctx, struct sk_err *err)
{
	struct sk_kcmd *c;

	if (!x->o || !x->up_once)
		return sk_fail(err, SK_ENOTCONN, "the session has no connection");
	c = sk_kcmd_with_params(x, sk_kstep_timers, after_timers, err);
	if (!c)
		return -1;
	sk_kparams_timers(c->params, node);
	if (x->st != SK_K_UP)
		c->params->n = 1;	/* the replacement timeout is the first */
	c->timers = fn;
	c->timers_ctx = ctx;
	sk_record_free(x->node);
	x->node = sk_record_share(node);
	keep_again(x);
	sk_kcmd_order(c);
	return 0;
}

/* -------------------------------------------------------------------------------------------------- the session's life */

static struct sk_xsess *kernel_create(struct sk_transport *t, const struct sk_xsess_cfg *cfg,
				      const struct sk_transport_events *ev, void *ctx, struct sk_err *err)
{
	const char *scan_word = sk_record_get(cfg->node, "node.session.scan");
	struct sk_xsess *x = calloc(1, sizeof(*x));

	if (!x) {
		sk_fail(err, SK_ENOMEM, "no memory");
		return NULL;
	}
	x->k = sk_kernel(t);
	x->ev = ev;
	x->ctx = ctx;
	x->scan_by_hand = scan_word && !strcmp(scan_word, "manual");
	snprintf(x->initiator, sizeof(x->initiator), "%s", cfg->initiator);
	snprintf(x->iface, sizeof(x->iface), "%s", cfg->iface);
	snprintf(x->tag, sizeof(x->tag), "%s", cfg->tag ? cfg->tag : "");
	x->node = sk_record_share(cfg->node);
	x->next = x->k->first;
	x->k->first = x;
	return x;
}

void sk_kernel_free(struct sk_xsess *x)
{
	struct sk_xsess **at = &x->k->first;

	while (*at && *at != x)
		at = &(*at)->next;
	if (*at)
		*at = x->next;
	sk_kcmd_orphan(x);
	sk_kernel_hang_up(x);
	if (x->o && !x->up_once)
		sk_kernel_drop(x); /* made for a login that is not to be */
	sk_kobj_put(x->o);
	sk_timer_free(x->timer);
	sk_timer_free(x->leave.timer);
	sk_record_free(x->node);
	free(x);
}

static uint32_t kernel_sid(const struct sk_xsess *x)
{
	return x->sid;
}

static const char *kernel_tag(const struct sk_xsess *x)
{
	return x->tag;
}

static const char *kernel_initiator(const struct sk_xsess *x)
{
	return x->initiator;
}

/* The kernel tells nobody that replacement_timeout has passed. */
static enum sk_xsess_health kernel_look(const struct sk_xsess *x, enum sk_xsess_health told)
{
	char word[16];

	if (told != SK_HEALTH_FAILED || !x->sid)
		return told;
	sk_sys_state(x->k->t.places, x->sid, word, sizeof(word));
	return !strcmp(word, "FREE") ? SK_HEALTH_FREE : told;
}

static void kernel_bind(struct sk_xsess *x, void *event_ctx)
{
	x->ctx = event_ctx;
}

struct sk_transport *sk_kernel_transport_new(struct sk_loop *loop, const struct sk_places *places,
					     const struct sk_kernel_cfg *cfg, struct sk_err *err)
{
	static const struct sk_transport_ops ops = {
		.name = "kernel", .create = kernel_create, .sid = kernel_sid, .open = kernel_open, .open_any = kernel_open_any,
		.won = kernel_won, .send = kernel_send,
		.handoff = kernel_handoff, .halt = kernel_halt, .rescan = kernel_rescan, .end = sk_kernel_end,
		.forget = sk_kernel_free, .adopt = sk_kernel_adopt, .bind = kernel_bind, .tag = kernel_tag,
		.initiator = kernel_initiator, .stats = kernel_stats, .timers = kernel_timers, .look = kernel_look,
	};
	struct sk_kernel *k = calloc(1, sizeof(*k));

	if (!k) {
		sk_fail(err, SK_ENOMEM, "no memory");
		return NULL;
	}
	k->t = (struct sk_transport){ .ops = &ops, .loop = loop, .places = places };
	k->safe_logout = cfg && cfg->safe_logout;
	k->cmd_fd = k->ev_fd = k->ua_fd = -1;
	return &k->t;
}

void sk_kernel_transport_free(struct sk_transport *t)
{
	struct sk_kernel *k = sk_kernel(t);

	sk_kernel_prepare_stop(k);
	sk_crew_free(k->crew);
	sk_watch_free(k->ev_watch);
	sk_fd_close(&k->ev_fd);
	sk_watch_free(k->ua_watch);
	sk_fd_close(&k->ua_fd);
	if (k->cmds)
		return; /* calls that hang in the kernel still look at it; the process ends soon */
	sk_fd_close(&k->cmd_fd);
	free(k);
}
