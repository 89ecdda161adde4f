/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "record/store.h"
#include "sys/kernel.h"
#include "transport/kernel/inner.h"

/** Sessions the kernel has already: of an iscsid before us, or of another program. Healthy ones are not touched. */

struct one {
	struct sk_sys_session s;
	struct sk_sys_life life;
	struct sk_keep keep;
	struct sk_record *node;
	bool ours;
	unsigned slot; /* of others': the n-th of its portal and iface */
};

struct adoption {
	struct sk_kernel *k;
	void (*found)(void *ctx, struct sk_xsess *x, struct sk_record *taken_node, enum sk_xsess_health health);
	void (*over)(void *ctx);
	const struct sk_transport_events *ev;
	void *ctx;
	uint64_t handle;
	struct one *one;
	size_t n, cap;
};

static void finish(struct adoption *a)
{
	a->over(a->ctx);
	for (size_t i = 0; i < a->n; i++)
		sk_record_free(a->one[i].node);
	if (a->one)
		explicit_bzero(a->one, a->n * sizeof(*a->one));
	free(a->one);
	free(a);
}

/* ------------------------------------------------------------------------------------------------- what is there: thread */

static bool take_record(void *ctx, const struct sk_node_key *key, const struct sk_record *r)
{
	struct sk_record **ret = ctx;

	(void)key;
	*ret = sk_record_copy(r, NULL);
	return false;
}

/* The record another program logged in from, or as much of one as sysfs tells. */
static struct sk_record *foreign_record(const struct sk_places *p, const struct sk_sys_session *s, struct sk_err *err)
{
	const struct sk_node_selector sel = {
		.target = s->target, .host = s->persistent_addr, .port = s->persistent_port, .iface = s->iface
	};
	struct sk_store *store = access(p->dbroot, R_OK) == 0 ? sk_store_open(p, NULL) : NULL;
	struct sk_record *r = NULL;

	if (store)
		(void)sk_store_nodes(store, &sel, take_record, &r, NULL, NULL, NULL);
	sk_store_free(store);
	if (r)
		return r;
	r = sk_record_new(SK_REC_NODE, err);
	if (r)
		(void)sk_conf_apply(p->conf_file, r, NULL, NULL, NULL);
	return r;
}

static void set(struct sk_record *r, const char *key, const char *value)
{
	struct sk_err err = { 0 };

	if (value[0] && sk_record_set(r, key, value, &err) < 0)
		sk_debug(SK_ROOM_TRANSPORT, "%s: %s", key, err.msg);
}

static void set_int(struct sk_record *r, const char *key, int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)value);
	if (value >= 0)
		set(r, key, text);
}

static void fill(struct sk_record *r, const struct sk_sys_session *s)
{
	set(r, "node.name", s->target);
	set_int(r, "node.tpgt", s->tpgt);
	set(r, "node.conn[0].address", s->persistent_addr);
	set_int(r, "node.conn[0].port", s->persistent_port);
	set(r, "iface.iscsi_ifacename", s->iface[0] ? s->iface : "default");
	set(r, "iface.transport_name", SK_KERNEL_NAME);
	set_int(r, "node.session.timeo.replacement_timeout", s->recovery_tmo);
	if (s->username[0] && s->password[0]) {
		set(r, "node.session.auth.authmethod", "CHAP");
		set(r, "node.session.auth.username", s->username);
		set(r, "node.session.auth.password", s->password);
		set(r, "node.session.auth.username_in", s->username_in);
		set(r, "node.session.auth.password_in", s->password_in);
	}
}

static bool same_record(const struct sk_record *r, const struct sk_sys_session *s)
{
	return !strcmp(sk_record_get(r, "node.name"), s->target) &&
	       !strcmp(sk_record_get(r, "node.conn[0].address"), s->persistent_addr);
}

static void identify(struct adoption *a, struct one *o)
{
	const struct sk_places *p = a->k->t.places;
	struct sk_err err = { 0 };

	o->node = sk_keep_get(p, o->s.sid, &o->keep, NULL);
	o->ours = o->node && o->keep.handle == a->handle && same_record(o->node, &o->s);
	if (o->ours)
		return;
	sk_record_free(o->node);
	o->node = NULL;
	if (sk_sys_session(p, o->s.sid, SK_SYS_SECRETS, &o->s, &err) < 0)
		return; /* gone meanwhile */
	o->keep = (struct sk_keep){ .up = true };
	for (const struct one *b = a->one; b < o; b++)
		o->slot += !strcmp(b->s.target, o->s.target) && !strcmp(b->s.persistent_addr, o->s.persistent_addr) &&
			   b->s.persistent_port == o->s.persistent_port && !strcmp(b->s.iface, o->s.iface);
	o->node = foreign_record(p, &o->s, &err);
	if (o->node)
		fill(o->node, &o->s);
	else
		sk_error(SK_ROOM_TRANSPORT, "session %u: %s", o->s.sid, err.msg);
	snprintf(o->keep.initiator, sizeof(o->keep.initiator), "%.223s", o->s.initiator);
	/* the incumbent's rule: its sessions are reinstated, not doubled */
	snprintf(o->keep.tag, sizeof(o->keep.tag), "slot=%u isid=00023d%06x", o->slot, o->s.sid & 0xffffffU);
}

static bool visit(void *ctx, const struct sk_sys_session *s)
{
	struct adoption *a = ctx;
	struct one *more;

	if (s->user || s->flash || strcmp(s->transport, SK_KERNEL_NAME) != 0)
		return true; /* the other transport's; made by firmware; of an adapter: shown, left alone */
	if (a->n == a->cap) {
		size_t cap = a->cap ? a->cap * 2 : 16;

		more = calloc(cap, sizeof(*more));
		if (!more)
			return false;
		if (a->n)
			memcpy(more, a->one, a->n * sizeof(*more));
		free(a->one);
		a->one = more;
		a->cap = cap;
	}
	more = &a->one[a->n++];
	more->s = *s;
	sk_sys_life(a->k->t.places, s->sid, &more->life);
	identify(a, more);
	return true;
}

static bool alive(void *ctx, uint32_t sid)
{
	struct sk_sys_life life;

	sk_sys_life(ctx, sid, &life);
	return life.exists;
}

static int look(struct sk_kcmd *c, struct sk_err *err)
{
	struct adoption *a = c->stats_ctx;
	const struct sk_places *p = a->k->t.places;

	if (sk_sys_handle(p, SK_KERNEL_NAME, &a->handle, err) < 0)
		return -1;
	(void)sk_sys_sessions(p, SK_SYS_FLAT, visit, a); /* of ours all else is kept */
	sk_keep_sweep(p, alive, (void *)(uintptr_t)p);
	return 0;
}

/* ------------------------------------------------------------------------------------------------- taking over: the loop */

static bool failed_meanwhile(const struct sk_kernel *k, uint32_t sid)
{
	for (unsigned i = 0; i < k->n_lost; i++)
		if (k->lost[i] == sid)
			return true;
	return false;
}

enum sk_xsess_health sk_kernel_health(const struct sk_sys_life *life, bool failed_meanwhile)
{
	if (!strcmp(life->session, "FREE"))
		return SK_HEALTH_FREE;
	if (strcmp(life->session, "LOGGED_IN") != 0 || (life->conn[0] && strcmp(life->conn, "up") != 0) || failed_meanwhile)
		return SK_HEALTH_FAILED;
	return SK_HEALTH_LOGGED_IN;
}

static struct sk_kobj *object_of(const struct adoption *a, const struct one *o)
{
	struct sk_kobj *obj = calloc(1, sizeof(*obj));

	if (obj)
		*obj = (struct sk_kobj){ .refs = 1, .handle = a->handle, .sid = o->s.sid, .host = o->s.host,
					 .session = true, .conn = true };
	return obj;
}

/* A login that its iscsid did not live to finish. */
static void take_away(const struct adoption *a, const struct one *o)
{
	struct sk_kcmd *c = sk_kcmd_new(a->k, NULL, sk_kstep_destroy, NULL, NULL);

	sk_notice(SK_ROOM_TRANSPORT, "session %u never got through its login: removing it", o->s.sid);
	sk_keep_drop(a->k->t.places, o->s.sid);
	if (!c)
		return;
	c->o = object_of(a, o);
	if (c->o)
		sk_kcmd_order(c);
	else
		sk_kcmd_drop(c);
}

static void take_over(struct adoption *a, struct one *o)
{
	struct sk_xsess_cfg cfg = { .node = o->node, .initiator = o->keep.initiator, .tag = o->keep.tag };
	enum sk_xsess_health health = sk_kernel_health(&o->life, failed_meanwhile(a->k, o->s.sid));
	struct sk_err err = { 0 };
	struct sk_xsess *x;

	cfg.iface = o->s.iface[0] ? o->s.iface : "default";
	x = a->k->t.ops->create(&a->k->t, &cfg, a->ev, NULL, &err);
	if (x)
		x->o = object_of(a, o);
	if (!x || !x->o) {
		sk_error(SK_ROOM_TRANSPORT, "session %u runs but cannot be taken over: no memory", o->s.sid);
		if (x)
			sk_kernel_free(x);
		return;
	}
	x->sid = o->s.sid;
	x->host = o->s.host;
	x->up_once = x->scanned = true;
	x->st = health == SK_HEALTH_LOGGED_IN ? SK_K_UP : SK_K_IDLE;
	if (health != SK_HEALTH_LOGGED_IN)
		sk_kernel_stop(x);
	else if (!strcmp(o->life.target, "ALLOCATED") && !x->scan_by_hand)
		sk_kernel_rescan_quietly(x); /* whoever logged in did not get to the scan */
	a->found(a->ctx, x, sk_give(o->node), health);
}

static void looked(struct sk_kcmd *c)
{
	struct adoption *a = c->stats_ctx;

	if (c->rc < 0)
		sk_error(SK_ROOM_TRANSPORT, "take over the kernel's sessions: %s", c->err.msg);
	for (size_t i = 0; i < a->n; i++) {
		struct one *o = &a->one[i];

		if (o->ours && !o->keep.up)
			take_away(a, o);
		else if (o->node)
			take_over(a, o);
	}
	a->k->n_lost = 0;
	finish(a);
}

static void prepared(void *ctx, const struct sk_err *why)
{
	struct adoption *a = ctx;
	struct sk_err err = { 0 };
	struct sk_kcmd *c;

	if (why) {
		if (why->code != SK_ENOENT && why->code != SK_ENOTCONN)
			sk_warning(SK_ROOM_TRANSPORT, "the kernel's sessions are not taken over: %s", why->msg);
		finish(a);
		return;
	}
	c = sk_kcmd_new(a->k, NULL, look, looked, &err);
	if (!c) {
		finish(a);
		return;
	}
	a->k->n_lost = 0;
	c->stats_ctx = a;
	sk_kcmd_order(c); /* not an errand: it reads records, which may be told of in the log */
}

int sk_kernel_adopt(struct sk_transport *t,
		    void (*found)(void *ctx, struct sk_xsess *x, struct sk_record *taken_node, enum sk_xsess_health health),
		    void (*over)(void *ctx), const struct sk_transport_events *ev, void *ctx, struct sk_err *err)
{
	struct sk_kernel *k = sk_kernel(t);
	struct adoption *a;

	if (!sk_sys_has_transport(t->places, SK_KERNEL_NAME)) {
		over(ctx); /* without the module there are no sessions */
		return 0;
	}
	a = calloc(1, sizeof(*a));
	if (!a)
		return sk_fail(err, SK_ENOMEM, "no memory");
	*a = (struct adoption){ .k = k, .found = found, .over = over, .ev = ev, .ctx = ctx };
	if (sk_kernel_wait(k, false, prepared, a, err) == 0)
		return 0;
	free(a);
	return -1;
}
