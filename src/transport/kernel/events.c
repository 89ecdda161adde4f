/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "proto/pdu_ffp.h"
#include "scsi/sense.h"
#include "transport/kernel/inner.h"

/** What the kernel tells: events of group 1, of our sessions and of others'. */

#define PER_TURN 256 /* events before others have their turn */

struct sk_xsess *sk_kernel_by_sid(const struct sk_kernel *k, uint32_t sid)
{
	for (struct sk_xsess *x = k->first; x; x = x->next)
		if (sid && x->sid == sid && x->st != SK_K_GONE)
			return x;
	return NULL;
}

static void conn_error(struct sk_kernel *k, const struct sk_nl_msg *m)
{
	struct sk_xsess *x = sk_kernel_by_sid(k, m->sid);
	const char *name, *text;
	struct sk_err err = { 0 };

	if (!x) {
		if (k->n_lost < SK_KLOST_MAX)
			k->lost[k->n_lost++] = m->sid;
		return;
	}
	(void)sk_nl_conn_error(m->conn_error, &name, &text);
	sk_fail(&err, SK_ECONN, "%s: %s", name, text);
	err.sys = (int)m->conn_error;
	if (x->st == SK_K_LOGIN || x->st == SK_K_START || x->st == SK_K_UP)
		sk_kernel_lost(x, &err);
	else if (x->st == SK_K_END)
		sk_kernel_end_conn_lost(x);
	else
		sk_debug(SK_ROOM_TRANSPORT, "session %u: %s, of a connection given up already", m->sid, err.msg);
}

/* "REPORTED LUNS DATA HAS CHANGED" (SPC): look for them. Data: sense length, sense (RFC 7143, 11.9.4). */
static void scsi_event(struct sk_xsess *x, const struct sk_nl_msg *m)
{
	struct sk_sense sense = { 0 };
	uint16_t n = m->data.n >= 2 ? sk_be16(m->data.p) : 0;

	if (n > m->data.n - (m->data.n >= 2 ? 2 : 0))
		return;
	if (n)
		sense = sk_sense_parse(sk_span(m->data.p + 2, n));
	if (sense.valid && sense.asc == 0x3f && sense.ascq == 0x0e)
		sk_kernel_luns_changed(x);
}

static void async_msg(struct sk_xsess *x, const struct sk_nl_msg *m)
{
	const uint8_t *b = m->bhs.p;

	if (x->st != SK_K_UP)
		return;
	switch (b[36]) {
	case SK_ASYNC_LOGOUT:
		sk_kernel_leave(x, sk_be16(b + 42));
		return; /* told when it is done */
	case SK_ASYNC_SCSI:
		scsi_event(x, m);
		break;
	case SK_ASYNC_NEGOTIATE:
		sk_kernel_renegotiate(x, sk_be32(b + 24));
		break;
	default:
		break;
	}
	x->ev->async_msg(x->ctx, b[36], sk_be16(b + 38), sk_be16(b + 40), sk_be16(b + 42));
}

/* The kernel numbers login requests by itself: the answer gets back the tag that the login machine gave. */
static void login_pdu(struct sk_xsess *x, const struct sk_nl_msg *m)
{
	struct sk_pdu pdu = { .data = { 0 } };
	struct sk_err err = { 0 };

	if (x->st != SK_K_LOGIN)
		return;
	memcpy(pdu.bhs, m->bhs.p, SK_BHS_LEN);
	sk_set_be32(pdu.bhs + 16, x->itt);
	sk_buf_add(&pdu.data, m->data.p, m->data.n);
	if (pdu.data.nomem) {
		sk_fail(&err, SK_ENOMEM, "no memory for a login response");
		sk_kernel_lost(x, &err);
	} else {
		x->ev->pdu(x->ctx, &pdu);
	}
	sk_pdu_free(&pdu);
}

static void recv_pdu(struct sk_kernel *k, const struct sk_nl_msg *m)
{
	struct sk_xsess *x = sk_kernel_by_sid(k, m->sid);

	if (!x || m->cid != 0)
		return;
	switch (sk_bhs_op(m->bhs.p)) {
	case SK_OP_LOGIN_RSP:
		login_pdu(x, m);
		break;
	case SK_OP_ASYNC:
		async_msg(x, m);
		break;
	case SK_OP_LOGOUT_RSP:
		sk_kernel_left(x);
		sk_kernel_end_logged_out(x);
		break;
	default:
		sk_debug(SK_ROOM_TRANSPORT, "session %u: %s", x->sid, sk_op_name(m->bhs.p[0]));
	}
}

static void unbound(struct sk_kernel *k, const struct sk_nl_msg *m)
{
	struct sk_xsess *x = sk_kernel_by_sid(k, m->sid);

	if (x)
		sk_kernel_end_unbound(x);
}

static void destroyed(struct sk_kernel *k, const struct sk_nl_msg *m)
{
	struct sk_xsess *x = sk_kernel_by_sid(k, m->sid);

	if (!x)
		return;
	if (x->st == SK_K_END)
		sk_kernel_end_destroyed(x);
	else
		sk_kernel_gone(x);
}

/* ------------------------------------------------------------------------------------------------------ lost events */

struct checked {
	struct sk_kernel *k;
	unsigned n;
	struct {
		uint32_t sid;
		unsigned epoch;
		struct sk_sys_life life;
	} of[];
};

/* Judged by what sysfs says: events of these sessions may have been lost. */
static void judge(struct sk_xsess *x, const struct sk_sys_life *life)
{
	struct sk_err err = { 0 };
	bool dead = !strcmp(life->session, "FAILED") || !strcmp(life->session, "FREE") || !strcmp(life->conn, "failed");

	sk_fail(&err, SK_ECONN, "messages of the kernel were lost");
	if (!life->exists) {
		if (x->st == SK_K_END)
			sk_kernel_end_destroyed(x);
		else
			sk_kernel_gone(x);
	} else if (x->st == SK_K_LOGIN || (x->st == SK_K_UP && dead)) {
		sk_kernel_lost(x, &err); /* a login's answer may be among the lost */
	} else if (x->st == SK_K_END && life->target_id == -1) {
		sk_kernel_end_unbound(x);
	}
}

static int check(struct sk_kcmd *c, struct sk_err *err)
{
	struct checked *all = (struct checked *)(void *)c->text.p;

	(void)err;
	for (unsigned i = 0; i < all->n; i++)
		sk_sys_life(c->k->t.places, all->of[i].sid, &all->of[i].life);
	return 0;
}

static void after_check(struct sk_kcmd *c)
{
	struct checked *all = (struct checked *)(void *)c->text.p;

	c->k->checking = false;
	for (unsigned i = 0; i < all->n; i++) {
		struct sk_xsess *x = sk_kernel_by_sid(c->k, all->of[i].sid);

		if (x && x->epoch == all->of[i].epoch)
			judge(x, &all->of[i].life);
	}
}

static void check_all(struct sk_kernel *k)
{
	struct checked *all;
	struct sk_kcmd *c;
	size_t n = 0, size;

	sk_warning(SK_ROOM_TRANSPORT, "messages of the kernel were lost: looking at every session");
	for (const struct sk_xsess *x = k->first; x; x = x->next)
		n++;
	size = sizeof(*all) + n * sizeof(all->of[0]);
	if (k->checking || !(c = sk_kcmd_new(k, NULL, check, after_check, NULL)))
		return;
	c->text.p = calloc(1, size);
	if (!c->text.p) {
		sk_kcmd_drop(c);
		return;
	}
	c->text.n = c->text.cap = size;
	all = (struct checked *)(void *)c->text.p;
	for (const struct sk_xsess *x = k->first; x && all->n < n; x = x->next) {
		if (!x->sid)
			continue;
		all->of[all->n].sid = x->sid;
		all->of[all->n++].epoch = x->epoch;
	}
	k->checking = true;
	sk_kcmd_errand(c);
}

/* --------------------------------------------------------------------------------------------------------- the socket */

static void dispatch(struct sk_kernel *k, const struct sk_nl_msg *m)
{
	static const struct {
		uint32_t type;
		void (*fn)(struct sk_kernel *k, const struct sk_nl_msg *m);
	} rows[] = {
		{ SK_NL_EV_RECV_PDU, recv_pdu },
		{ SK_NL_EV_CONN_ERROR, conn_error },
		{ SK_NL_EV_DESTROY_SESSION, destroyed },
		{ SK_NL_EV_UNBIND_SESSION, unbound },
	};

	if (m->reply_to)
		return;
	for (size_t i = 0; i < SK_ARRAY_LEN(rows); i++)
		if (rows[i].type == m->type)
			rows[i].fn(k, m);
}

static bool some(struct sk_kernel *k, unsigned max)
{
	uint8_t buf[SK_NL_DATAGRAM];
	struct sk_err err = { 0 };
	struct sk_nl_msg m;

	for (unsigned i = 0; i < max; i++) {
		int got = sk_nl_next(k->ev_fd, buf, &m, &err);

		if (got == 0)
			return false;
		if (got > 0) {
			dispatch(k, &m);
		} else if (err.code == SK_EAGAIN) {
			check_all(k);
		} else if (err.code != SK_EPROTO) {
			sk_error(SK_ROOM_TRANSPORT, "the kernel's iSCSI events: %s", err.msg);
			return false;
		}
	}
	return true;
}

void sk_kernel_drain(void *ctx)
{
	struct sk_kernel *k = ctx;

	while (k->ev_fd >= 0 && some(k, PER_TURN))
		continue;
}

static void on_events(void *ctx, unsigned events)
{
	(void)events;
	(void)some(ctx, PER_TURN);
}

int sk_kernel_listen(struct sk_kernel *k, struct sk_err *err)
{
	k->ev_watch = sk_watch_new(k->t.loop, k->ev_fd, on_events, k, err);
	if (!k->ev_watch)
		return -1;
	sk_watch_set(k->ev_watch, SK_READABLE);
	sk_kernel_attend(k);
	return 0;
}
