/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/log.h"
#include "base/num.h"
#include "proto/pdu_ffp.h"
#include "transport/kernel/inner.h"

/** What a target may ask of a connection in an Async Message, and must be given (RFC 7143, 11.9.1): a Logout (event 1) or a
 * Text Request (event 4). The session goes on: after the Logout it is logged in again. */

#define LEAVE_MS_MAX 5000U /* for the answer; whoever asks for more than that is not worth waiting for with I/O held up */

void sk_kernel_left(struct sk_xsess *x)
{
	const struct sk_kleave l = x->leave;

	if (!l.under_way)
		return;
	x->leave.under_way = false;
	if (x->leave.timer)
		sk_timer_at(x->leave.timer, UINT64_MAX);
	if (x->st == SK_K_END)
		sk_kernel_end_conn_lost(x);
	else
		x->ev->async_msg(x->ctx, SK_ASYNC_LOGOUT, 0, 0, l.within_s);
}

static void on_timer(void *ctx)
{
	struct sk_xsess *x = ctx;

	if (x->leave.under_way && x->st != SK_K_END)
		sk_debug(SK_ROOM_TRANSPORT, "session %u: no answer to the logout that the target asked for", x->sid);
	sk_kernel_left(x);
}

static void after_logout(struct sk_kcmd *c)
{
	if (c->rc < 0 && sk_kcmd_current(c))
		sk_kernel_left(c->x);
}

void sk_kernel_leave(struct sk_xsess *x, uint16_t within_s)
{
	const struct sk_logout_req req = { .reason = SK_LOGOUT_SESSION, .immediate = true };
	struct sk_kcmd *c;

	if (x->leave.under_way)
		return;
	x->leave.under_way = true;
	x->leave.within_s = within_s;
	if (!x->leave.timer)
		x->leave.timer = sk_timer_new(x->k->t.loop, on_timer, x, NULL);
	c = x->leave.timer ? sk_kcmd_new(x->k, x, sk_kstep_send, after_logout, NULL) : NULL;
	if (!c) {
		sk_kernel_left(x);
		return;
	}
	sk_logout_req_put(c->pdu.bhs, &req);
	sk_timer_at(x->leave.timer, sk_loop_now(x->k->t.loop) + SK_MIN(within_s * 1000U, LEAVE_MS_MAX));
	sk_kcmd_order(c);
}

static void after_text(struct sk_kcmd *c)
{
	if (c->rc < 0 && c->x)
		sk_warning(SK_ROOM_TRANSPORT, "session %u: no Text Request could be sent: %s", c->x->sid, c->err.msg);
}

void sk_kernel_renegotiate(struct sk_xsess *x, uint32_t stat_sn)
{
	struct sk_text_req req = { .final = true, .ttt = SK_TAG_NONE, .exp_stat_sn = stat_sn + 1 };
	struct sk_kcmd *c = sk_kcmd_new(x->k, x, sk_kstep_send, after_text, NULL);

	if (!c)
		return;
	sk_text_req_put(c->pdu.bhs, &req);
	sk_kcmd_order(c);
}
