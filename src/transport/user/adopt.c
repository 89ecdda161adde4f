/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "mgmt/message.h"
#include "transport/user/inner.h"

/** Sessions that were here before us: who lives is asked, who is dead is swept. */

#define ADOPT_MAX 8192
#define HELLO_MS                                                                                                   \
	4000 /* less than iscsid waits before it serves: who does not answer has its session's place by then */
#define ASK_MS 10000 /* ... and is asked again and again */

/* Events until the session is bound to its owner fall on the floor: hello tells what matters. */
static void no_up(void *ctx)
{
	(void)ctx;
}

static void no_pdu(void *ctx, const struct sk_pdu *lent)
{
	(void)ctx;
	(void)lent;
}

static void no_why(void *ctx, const struct sk_err *why)
{
	(void)ctx;
	(void)why;
}

static void no_health(void *ctx, enum sk_xsess_health health)
{
	(void)ctx;
	(void)health;
}

static void no_async(void *ctx, uint8_t event, uint16_t p1, uint16_t p2, uint16_t p3)
{
	(void)ctx;
	(void)event;
	(void)p1;
	(void)p2;
	(void)p3;
}

const struct sk_transport_events sk_user_no_events = {
	.up = no_up,
	.pdu = no_pdu,
	.down = no_why,
	.health = no_health,
	.ready = no_why,
	.async_msg = no_async,
	.ended = no_why,
};

static void left_alone(struct sk_xsess *x, const char *why)
{
	sk_error(SK_ROOM_TRANSPORT, "session %u runs but cannot be taken over: %s", x->sid, why);
	sk_user_free(x);
}

static void one_answered(struct user *u)
{
	if (--u->adopting == 0)
		u->adopted(u->adopted_ctx);
}

static void gone_after_all(struct sk_xsess *x)
{
	sk_notice(SK_ROOM_TRANSPORT, "session %u never got its connection", x->sid);
	x->gone = true;
	x->ev->health(x->ctx, SK_HEALTH_GONE);
}

static void heard(void *ctx, struct json_object *result, const struct sk_err *err)
{
	struct sk_xsess *x = ctx;
	enum sk_xsess_health h;
	struct sk_err why = { 0 };

	if (x->gone)
		return;
	if (err && err->code == SK_ETIME)
		sk_user_ask(x);
	if (err)
		return; /* hung up on: whoever connects anew asks too */
	if (x->silent)
		sk_notice(SK_ROOM_TRANSPORT, "session %u: its process answers again", x->sid);
	x->silent = false;
	if (!sk_msg_bool(result, "attached", true)) {
		gone_after_all(x);
		return;
	}
	h = sk_user_health_word(sk_msg_str(result, "health"));
	if (h == SK_HEALTH_LOGGED_IN)
		return;
	sk_fail(&why, SK_ECONN, "the connection was lost while its process was not heard");
	x->ev->down(x->ctx, &why);
	x->ev->health(x->ctx, h);
}

void sk_user_ask(struct sk_xsess *x)
{
	if (x->ctl)
		(void)sk_ctl_call(x->ctl, "hello", NULL, -1, ASK_MS, heard, x, NULL);
}

/* The session is its owner's from here on, as @health; he may have forgotten it when this returns. */
static bool hand_over(struct sk_xsess *x, enum sk_xsess_health health)
{
	struct sk_err why = { 0 };
	struct sk_record *copy = sk_record_copy(x->node, &why);
	const char *iface, *scan;

	if (!copy) {
		left_alone(x, why.msg);
		return false;
	}
	iface = sk_record_get(copy, "iface.iscsi_ifacename");
	scan = sk_record_get(copy, "node.session.scan");
	snprintf(x->iface, sizeof(x->iface), "%s", iface && *iface ? iface : "default");
	x->scan_by_hand = scan && !strcmp(scan, "manual");
	x->attached = true;
	x->ev = x->found_ev;
	x->found(x->found_ctx, x, copy, health);
	return true;
}

/* A process that lives and says nothing (stopped, or kept waiting by its disks) keeps its session's place: logged
 * in a second time with the same ISID, the target would end the first one under it. */
static void take_over_unheard(struct sk_xsess *x)
{
	struct user *u = x->u;

	sk_warning(SK_ROOM_TRANSPORT,
		   "session %u: its process lives and does not answer; kept as it is, asked again every %u s",
		   x->sid, ASK_MS / 1000);
	x->silent = true;
	u->unheard = x;
	if (hand_over(x, SK_HEALTH_LOGGED_IN) && u->unheard)
		sk_user_ask(x);
	u->unheard = NULL;
}

static void take_over(struct sk_xsess *x, struct json_object *result, const struct sk_err *err)
{
	if (err && err->code == SK_ETIME && sk_udir_alive(x->u->t.places, x->sid)) {
		take_over_unheard(x);
	} else if (err) {
		x->gone = true;
		left_alone(x, err->msg);
	} else if (!sk_msg_bool(result, "attached", true)) {
		sk_notice(SK_ROOM_TRANSPORT, "session %u never got its connection: left to end by itself", x->sid);
		sk_user_free(x);
	} else {
		(void)hand_over(x, sk_user_health_word(sk_msg_str(result, "health")));
	}
}

static void hello_answer(void *ctx, struct json_object *result, const struct sk_err *err)
{
	struct sk_xsess *x = ctx;
	struct user *u = x->u;

	take_over(x, result, err);
	one_answered(u);
}

static void adopt_one(struct sk_transport *t, uint32_t sid,
		      void (*found)(void *, struct sk_xsess *, struct sk_record *, enum sk_xsess_health),
		      const struct sk_transport_events *ev, void *ctx)
{
	struct json_object *p = json_object_new_object();
	struct sk_xsess *x = calloc(1, sizeof(*x));
	struct sk_err err = { 0 };

	if (!x || !p) {
		free(x);
		json_object_put(p);
		return;
	}
	x->u = sk_user(t);
	x->process = -1;
	x->sid = sid;
	x->ev = &sk_user_no_events;
	x->found_ev = ev;
	x->found = found;
	x->found_ctx = ctx;
	x->node = sk_udir_record(t->places, sid, &err);
	sk_udir_about(t->places, sid, x->initiator, sizeof(x->initiator), x->tag, sizeof(x->tag));
	json_object_object_add(p, "version", json_object_new_int(1));
	if (x->node && sk_user_connect_ctl(x, HELLO_MS / 2, &err) == 0 &&
	    sk_ctl_call(x->ctl, "hello", sk_give(p), -1, HELLO_MS, hello_answer, x, &err) == 0) {
		x->u->adopting++;
		return;
	}
	json_object_put(p);
	left_alone(x, err.msg);
}

int sk_user_adopt(struct sk_transport *t,
		  void (*found)(void *ctx, struct sk_xsess *x, struct sk_record *taken_node,
				enum sk_xsess_health health),
		  void (*over)(void *ctx), const struct sk_transport_events *ev, void *ctx, struct sk_err *err)
{
	SK_MEM uint32_t *sids = calloc(ADOPT_MAX, sizeof(*sids));
	struct user *u = sk_user(t);
	unsigned n, dead = 0;

	if (!sids)
		return sk_fail(err, SK_ENOMEM, "no memory");
	u->adopting = 1; /* ourselves, until everyone is asked */
	u->adopted = over;
	u->adopted_ctx = ctx;
	n = sk_udir_list(t->places, sids, ADOPT_MAX);
	for (unsigned i = 0; i < n; i++) {
		uint32_t sid = sids[i];

		if (sk_udir_alive(t->places, sid))
			adopt_one(t, sid, found, ev, ctx);
		else
			sids[dead++] = sid;
	}
	if (dead)
		sk_notice(SK_ROOM_TRANSPORT, "%u dead session%s left something behind: removing it", dead,
			  dead == 1 ? "" : "s");
	if (dead)
		sk_user_sweep(u, sids, dead);
	one_answered(u);
	return 0;
}
