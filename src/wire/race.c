/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/race.h"

#include <stdlib.h>

#include "base/mem.h"

struct lane {
	struct sk_race *race;
	struct sk_wire *wire; /* NULL: not begun, or over */
};

struct sk_race {
	struct sk_loop *loop;
	struct sk_addrs addrs;
	struct sk_wire_cfg cfg;
	struct sk_wire_events ev;
	sk_race_won_fn *won;
	void *ctx;
	struct sk_timer *step;
	struct lane lanes[SK_ARRAY_LEN(((struct sk_addrs *)NULL)->a)];
	unsigned next; /* address to try next */
	unsigned open; /* connects under way */
	struct sk_err why;
};

void sk_race_free(struct sk_race *r)
{
	if (!r)
		return;
	for (unsigned i = 0; i < r->addrs.n; i++)
		sk_wire_close(r->lanes[i].wire);
	sk_timer_free(r->step);
	free(r);
}

static void lane_up(void *ctx)
{
	const struct lane *lane = ctx;
	struct sk_race *r = lane->race;
	unsigned which = (unsigned)(lane - r->lanes);
	struct sk_wire *w = sk_give(r->lanes[which].wire);
	struct sk_wire_events ev = r->ev;
	sk_race_won_fn *won = r->won;
	void *owner = r->ctx;

	sk_wire_owner(w, &ev, owner);
	sk_race_free(r);
	won(owner, w, which);
	ev.up(owner);
}

static void lane_pdu(void *ctx, const struct sk_pdu *lent)
{
	(void)ctx;
	(void)lent; /* none comes before up() */
}

static void begin_next(struct sk_race *r);

static void lane_down(void *ctx, const struct sk_err *why)
{
	struct lane *lane = ctx;
	struct sk_race *r = lane->race;

	r->why = *why;
	sk_wire_close(sk_give(lane->wire));
	r->open--;
	begin_next(r);
	if (r->open == 0)
		r->ev.down(r->ctx, &r->why); /* may free the race */
}

/* The next address that can be tried; one that cannot, because of something on this side, counts as failed. */
static void begin_next(struct sk_race *r)
{
	static const struct sk_wire_events ev = { lane_up, lane_pdu, lane_down };

	while (r->next < r->addrs.n) {
		struct lane *lane = &r->lanes[r->next];
		struct sk_err err = { 0 };

		lane->race = r;
		lane->wire = sk_wire_open(r->loop, &r->addrs.a[r->next++], &r->cfg, &ev, lane, &err);
		if (lane->wire) {
			r->open++;
			break;
		}
		r->why = err;
	}
	sk_timer_at(r->step, r->next < r->addrs.n ? sk_loop_now(r->loop) + SK_RACE_STEP_MS : UINT64_MAX);
}

static void on_step(void *ctx)
{
	begin_next(ctx);
}

struct sk_race *sk_race_new(struct sk_loop *l, const struct sk_addrs *addrs, const struct sk_wire_cfg *cfg,
			    const struct sk_wire_events *ev, sk_race_won_fn *won, void *ctx, struct sk_err *err)
{
	struct sk_race *r = calloc(1, sizeof(*r));

	if (!r) {
		sk_fail(err, SK_ENOMEM, "no memory");
		return NULL;
	}
	*r = (struct sk_race){ .loop = l, .addrs = *addrs, .cfg = *cfg, .ev = *ev, .won = won, .ctx = ctx };
	r->step = sk_timer_new(l, on_step, r, err);
	if (!r->step) {
		free(r);
		return NULL;
	}
	begin_next(r);
	if (r->open)
		return r;
	if (err)
		*err = r->why;
	sk_race_free(r);
	return NULL;
}
