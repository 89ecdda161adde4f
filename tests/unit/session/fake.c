/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static struct fake *of(struct sk_transport *t)
{
	return (struct fake *)(void *)t;
}

static void soon(struct sk_xsess *x)
{
	sk_timer_at(x->timer, sk_loop_now(x->f->t.loop));
}

static bool take(bool *due)
{
	bool was = *due;

	*due = false;
	return was;
}

static void tell(void *ctx)
{
	struct sk_xsess *x = ctx;
	struct sk_err err = { 0 };

	if (take(&x->up_due)) {
		x->ev->up(x->ctx);
	} else if (take(&x->down_due)) {
		sk_fail_sys(&err, x->f->connect_errno ? x->f->connect_errno : 104, "connect");
		x->ev->down(x->ctx, &err);
		return;
	} else if (x->n_in) {
		struct sk_pdu pdu = x->inbox[0];

		memmove(x->inbox, x->inbox + 1, sizeof(x->inbox) - sizeof(x->inbox[0]));
		x->n_in--;
		x->ev->pdu(x->ctx, &pdu);
		sk_pdu_free(&pdu);
	} else if (take(&x->attach_fail_due)) {
		sk_fail(&err, SK_ENOTCONN, "no data path today");
		x->ev->down(x->ctx, &err);
		return;
	} else if (take(&x->attached_due)) {
		x->attached = true;
		x->ev->health(x->ctx, SK_HEALTH_LOGGED_IN);
	} else if (take(&x->ready_due)) {
		x->ev->ready(x->ctx, NULL);
	} else if (take(&x->ended_due)) {
		sk_fail(&err, SK_EBUSY, "mounted on /mnt");
		x->ev->ended(x->ctx, x->f->end_busy ? &err : NULL);
		return;
	} else {
		return;
	}
	soon(x);
}

static struct sk_xsess *make(struct fake *f, const struct sk_transport_events *ev, void *ctx)
{
	struct sk_xsess *x = calloc(1, sizeof(*x));

	x->f = f;
	x->ev = ev;
	x->ctx = ctx;
	x->timer = sk_timer_new(f->t.loop, tell, x, NULL);
	x->next = f->first;
	f->first = x;
	return x;
}

static struct sk_xsess *fake_create(struct sk_transport *t, const struct sk_xsess_cfg *cfg,
				    const struct sk_transport_events *ev, void *ctx, struct sk_err *err)
{
	struct sk_xsess *x = make(of(t), ev, ctx);

	(void)err;
	snprintf(x->tag, sizeof(x->tag), "%s", cfg->tag);
	return x;
}

static uint32_t fake_sid(const struct sk_xsess *x)
{
	return x->sid;
}

static int fake_open(struct sk_xsess *x, const struct sockaddr_storage *addr, struct sk_err *err)
{
	(void)err;
	x->f->opens++;
	x->f->to = *addr;
	x->up_due = !x->f->connect_errno && !x->f->hang;
	x->down_due = x->f->connect_errno != 0;
	soon(x);
	return 0;
}

static int fake_open_any(struct sk_xsess *x, const struct sk_addrs *addrs, struct sk_err *err)
{
	x->f->raced = addrs->n;
	return fake_open(x, &addrs->a[x->f->win], err);
}

static unsigned fake_won(const struct sk_xsess *x)
{
	return x->f->win;
}

static int fake_send(struct sk_xsess *x, struct sk_pdu *taken, struct sk_err *err)
{
	(void)err;
	if (x->n_in < SK_ARRAY_LEN(x->inbox) && peer_answer(&x->f->peer, taken, &x->inbox[x->n_in]))
		x->n_in++;
	sk_pdu_free(taken);
	soon(x);
	return 0;
}

static int fake_handoff(struct sk_xsess *x, const struct sk_params *params, const struct sk_portal *current, struct sk_err *err)
{
	(void)params;
	(void)current;
	(void)err;
	x->f->handoffs++;
	if (!x->sid)
		x->sid = ++x->f->last_sid;
	x->attach_fail_due = x->f->attach_fails;
	x->attached_due = !x->f->attach_fails;
	x->ready_due = !x->f->no_ready && !x->attached;
	soon(x);
	return 0;
}

static void drop_news(struct sk_xsess *x)
{
	x->up_due = x->down_due = x->attached_due = x->attach_fail_due = false;
	while (x->n_in)
		sk_pdu_free(&x->inbox[--x->n_in]);
}

static void fake_halt(struct sk_xsess *x)
{
	x->f->halts++;
	drop_news(x);
}

static int fake_rescan(struct sk_xsess *x, struct sk_err *err)
{
	(void)err;
	x->ready_due = true;
	soon(x);
	return 0;
}

static int fake_end(struct sk_xsess *x, bool force, struct sk_err *err)
{
	(void)force;
	(void)err;
	x->f->ends++;
	x->ended_due = true;
	soon(x);
	return 0;
}

static void fake_forget(struct sk_xsess *x)
{
	struct sk_xsess **at = &x->f->first;

	while (*at != x)
		at = &(*at)->next;
	*at = x->next;
	x->f->forgets++;
	drop_news(x);
	sk_timer_free(x->timer);
	free(x);
}

static int fake_adopt(struct sk_transport *t,
		      void (*found)(void *ctx, struct sk_xsess *x, struct sk_record *taken_node, enum sk_xsess_health health),
		      void (*over)(void *ctx), const struct sk_transport_events *ev, void *ctx, struct sk_err *err)
{
	struct fake *f = of(t);

	for (unsigned i = 0; i < f->n_adopt; i++) {
		struct sk_xsess *x = make(f, ev, NULL);

		x->sid = ++f->last_sid;
		x->attached = true;
		snprintf(x->tag, sizeof(x->tag), "%s", f->adopt[i].tag);
		found(ctx, x, sk_record_copy(f->adopt[i].node, err), f->adopt[i].health);
	}
	over(ctx);
	return 0;
}

static void fake_bind(struct sk_xsess *x, void *event_ctx)
{
	x->ctx = event_ctx;
}

static const char *fake_tag(const struct sk_xsess *x)
{
	return x->tag;
}

static const char *fake_initiator(const struct sk_xsess *x)
{
	(void)x;
	return "iqn.2026-11.x:i";
}

void fake_lose(struct sk_xsess *x)
{
	x->down_due = true;
	soon(x);
}

void fake_init(struct fake *f, struct sk_loop *l)
{
	static const struct sk_transport_ops ops = {
		.name = "fake", .open_any = fake_open_any, .won = fake_won, .create = fake_create, .sid = fake_sid, .open = fake_open, .send = fake_send,
		.handoff = fake_handoff, .halt = fake_halt, .rescan = fake_rescan, .end = fake_end, .forget = fake_forget,
		.adopt = fake_adopt, .bind = fake_bind, .tag = fake_tag, .initiator = fake_initiator,
	};

	f->t = (struct sk_transport){ .ops = &ops, .loop = l };
}
