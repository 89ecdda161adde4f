/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/log.h"
#include "base/mem.h"
#include "transport/kernel/inner.h"

/* The end of a session, step by step; the steps up to LOGOUT share logout_timeout:
 *
 *	FLUSH	every disk, by an errand; refused here when a disk is in use (safe_logout) or cannot be flushed,
 *		unless forced
 *	UNBIND	the kernel takes the devices away in the background, until it says so. It flushes again: the
 *		connection must still be there
 *	LOGOUT	Logout Request through the kernel, until the answer comes
 *	DESTROY	connection and session, until the kernel says that it is gone
 *
 * A session without a connection goes straight to DESTROY: its I/O fails. */

#define DESTROY_MS 8000 /* session/ allows 10 s over logout_timeout */

static void on_timer(void *ctx);

static void arm(struct sk_xsess *x, uint64_t at)
{
	sk_timer_at(x->timer, at);
}

static void refuse(struct sk_xsess *x, const struct sk_err *why)
{
	struct sk_err err = *why;

	arm(x, UINT64_MAX);
	x->end = SK_KEND_NOT;
	x->st = x->connected ? SK_K_UP : SK_K_IDLE;
	x->ev->ended(x->ctx, &err);
}

void sk_kernel_end_destroyed(struct sk_xsess *x)
{
	if (x->st != SK_K_END)
		return;
	if (x->timer)
		arm(x, UINT64_MAX);
	if (x->sid)
		sk_keep_drop(x->k->t.places, x->sid);
	x->epoch++;
	x->end = SK_KEND_NOT;
	x->st = SK_K_GONE;
	sk_kobj_put(x->o);
	x->o = NULL;
	x->ev->ended(x->ctx, NULL);
	x->ev->health(x->ctx, SK_HEALTH_GONE); /* for an owner who gave up waiting for the above */
}

static void after_destroy(struct sk_kcmd *c)
{
	struct sk_xsess *x = c->x;

	if (!x || x->st != SK_K_END || x->end != SK_KEND_DESTROY)
		return;
	if (c->rc < 0) {
		x->connected = false;
		refuse(x, &c->err);
	} else if (!c->flag) {
		sk_kernel_end_destroyed(x);
	}
}

static void destroy(struct sk_xsess *x)
{
	struct sk_err err = { 0 };
	struct sk_kcmd *c = sk_kcmd_new(x->k, x, sk_kstep_destroy, after_destroy, &err);

	x->end = SK_KEND_DESTROY;
	x->connected = false;
	if (!c) {
		refuse(x, &err);
		return;
	}
	arm(x, sk_loop_now(x->k->t.loop) + DESTROY_MS);
	sk_kcmd_order(c);
}

static void after_logout(struct sk_kcmd *c)
{
	if (c->rc < 0 && c->x && c->x->end == SK_KEND_LOGOUT)
		destroy(c->x);
}

static void logout(struct sk_xsess *x)
{
	struct sk_kcmd *c = sk_kcmd_new(x->k, x, sk_kstep_send, after_logout, NULL);

	x->end = SK_KEND_LOGOUT;
	if (!c) {
		destroy(x);
		return;
	}
	c->pdu.bhs[0] = SK_OP_IMMEDIATE | SK_OP_LOGOUT_REQ;
	c->pdu.bhs[1] = 0x80; /* close the session (RFC 7143, 11.14.1); the kernel fills in tags and numbers */
	sk_kcmd_order(c);
}

void sk_kernel_end_logged_out(struct sk_xsess *x)
{
	if (x->st == SK_K_END && x->end == SK_KEND_LOGOUT)
		destroy(x);
}

void sk_kernel_end_unbound(struct sk_xsess *x)
{
	if (x->st == SK_K_END && x->end == SK_KEND_UNBIND)
		logout(x);
}

static void after_unbind(struct sk_kcmd *c)
{
	struct sk_xsess *x = c->x;

	if (!x || x->end != SK_KEND_UNBIND)
		return;
	if (c->rc < 0)
		destroy(x);
	else if (c->flag)
		logout(x);
}

static void unbind(struct sk_xsess *x)
{
	struct sk_kcmd *c = sk_kcmd_new(x->k, x, sk_kstep_unbind, after_unbind, NULL);

	x->end = SK_KEND_UNBIND;
	if (c)
		sk_kcmd_order(c);
	else
		destroy(x);
}

void sk_kernel_end_conn_lost(struct sk_xsess *x)
{
	struct sk_err err = { 0 };

	if (!x->connected)
		return;
	x->connected = false;
	sk_fail(&err, SK_ECONN, "the connection was lost during the logout");
	if (x->end == SK_KEND_FLUSH) {
		sk_kernel_stop(x); /* if the flush does not come to an end, the session stays and is logged in again */
		x->ev->down(x->ctx, &err);
	} else if (x->end == SK_KEND_UNBIND || x->end == SK_KEND_LOGOUT) {
		destroy(x);
	}
}

static void after_flush(struct sk_kcmd *c)
{
	struct sk_xsess *x = c->x;

	if (!x || x->st != SK_K_END || x->end != SK_KEND_FLUSH)
		return;
	if (c->rc < 0 && !x->force)
		refuse(x, &c->err);
	else if (x->connected)
		unbind(x);
	else
		destroy(x);
}

static void on_timer(void *ctx)
{
	struct sk_xsess *x = ctx;
	struct sk_err err = { 0 };

	if (x->st != SK_K_END)
		return;
	if (!x->o) {
		sk_kernel_end_destroyed(x); /* there was nothing to end */
	} else if (x->end == SK_KEND_FLUSH && !x->force) {
		sk_fail(&err, SK_ETIME, "the disks could not be flushed in time");
		refuse(x, &err);
	} else if (x->end == SK_KEND_DESTROY) {
		sk_fail(&err, SK_ETIME, "the kernel did not take the session away in time");
		refuse(x, &err);
	} else {
		sk_warning(SK_ROOM_TRANSPORT, "session %u: no logout in time: taking it away", x->sid);
		destroy(x);
	}
}

int sk_kernel_end(struct sk_xsess *x, bool force, struct sk_err *err)
{
	int64_t limit = sk_record_int(x->node, "node.conn[0].timeo.logout_timeout");
	uint64_t now = sk_loop_now(x->k->t.loop);
	struct sk_kcmd *c;

	if (limit < 1 || limit > 600)
		limit = 15;
	if (x->st == SK_K_END)
		return sk_fail(err, SK_EBUSY, "the session is being logged out already");
	if (!x->timer)
		x->timer = sk_timer_new(x->k->t.loop, on_timer, x, err);
	if (!x->timer)
		return -1;
	x->connected = x->st == SK_K_UP;
	if (!x->connected) { /* an attempt under way ends here */
		x->epoch++;
		sk_kernel_hang_up(x);
	}
	if (!x->up_once || !x->o) {
		if (x->o)
			sk_kernel_drop(x);
		x->st = SK_K_END;
		arm(x, now);
		return 0;
	}
	c = sk_kcmd_new(x->k, x, sk_kerrand_flush, after_flush, err);
	if (!c)
		return -1;
	c->flag = x->k->safe_logout && !force;
	c->fresh = !x->connected || x->leave.under_way; /* nothing to flush to: only looks who uses what */
	x->force = force;
	x->st = SK_K_END;
	x->end = SK_KEND_FLUSH;
	x->end_by = now + (uint64_t)limit * 1000;
	arm(x, x->end_by);
	sk_kcmd_errand(c);
	if (x->leave.under_way)
		sk_timer_at(x->leave.timer, now); /* no I/O passes after a Logout: there is nothing to wait for */
	return 0;
}
