/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>

#include "loop/inner.h"
#include "loop/virtual.h"

/**
 * All timers of a loop in one binary heap, behind a single libuv timer: thousands of sessions have thousands of
 * deadlines, arming one is O(log n), and virtual time needs nothing more than another clock.
 */

#define IDLE SIZE_MAX

struct sk_timer {
	struct sk_loop *loop;
	struct sk_timer *prev, *next; /* all timers of the loop */
	uint64_t deadline;
	uint64_t seq; /* equal deadlines fire in the order of arming */
	size_t at;    /* place in the heap, or IDLE */
	sk_timer_fn *fn;
	void *ctx;
};

static bool before(const struct sk_timer *a, const struct sk_timer *b)
{
	return a->deadline != b->deadline ? a->deadline < b->deadline : a->seq < b->seq;
}

static void put(struct sk_loop *l, size_t at, struct sk_timer *t)
{
	l->heap[at] = t;
	t->at = at;
}

static void sift_up(struct sk_loop *l, struct sk_timer *t, size_t at)
{
	while (at > 0 && before(t, l->heap[(at - 1) / 2])) {
		put(l, at, l->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	put(l, at, t);
}

static void sift_down(struct sk_loop *l, struct sk_timer *t, size_t at)
{
	for (size_t kid; (kid = 2 * at + 1) < l->n_heap; at = kid) {
		if (kid + 1 < l->n_heap && before(l->heap[kid + 1], l->heap[kid]))
			kid++;
		if (!before(l->heap[kid], t))
			break;
		put(l, at, l->heap[kid]);
	}
	put(l, at, t);
}

static void take_out(struct sk_timer *t)
{
	struct sk_loop *l = t->loop;
	struct sk_timer *last;
	size_t at = t->at;

	if (at == IDLE)
		return;
	t->at = IDLE;
	last = l->heap[--l->n_heap];
	if (last == t)
		return;
	if (at > 0 && before(last, l->heap[(at - 1) / 2]))
		sift_up(l, last, at);
	else
		sift_down(l, last, at);
}

static void on_tick(uv_timer_t *tick)
{
	sk_timers_fire(tick->data);
}

int sk_timers_init(struct sk_loop *l, struct sk_err *err)
{
	int rc = uv_timer_init(&l->uv, &l->tick);

	if (rc < 0)
		return sk_fail_uv(err, rc, "timer");
	l->tick.data = l;
	return 0;
}

void sk_timers_arm(struct sk_loop *l)
{
	uint64_t now = sk_loop_now(l), top;

	if (l->closing)
		return;
	top = l->n_heap ? l->heap[0]->deadline : UINT64_MAX;
	if (top == UINT64_MAX || (l->virtual_time && top > now))
		uv_timer_stop(&l->tick);
	else
		uv_timer_start(&l->tick, on_tick, top > now ? top - now : 0, 0);
}

void sk_timers_fire(struct sk_loop *l)
{
	uint64_t now = sk_loop_now(l), limit = l->seq; /* what is armed meanwhile waits for the next turn */

	while (l->n_heap && l->heap[0]->deadline <= now && l->heap[0]->seq < limit) {
		struct sk_timer *t = l->heap[0];

		take_out(t);
		t->fn(t->ctx); /* may free it */
	}
	sk_timers_arm(l);
}

void sk_loop_advance(struct sk_loop *l, uint64_t ms)
{
	uint64_t end = l->virtual_now + ms;

	while (l->n_heap && l->heap[0]->deadline <= end) {
		if (l->heap[0]->deadline > l->virtual_now)
			l->virtual_now = l->heap[0]->deadline;
		sk_timers_fire(l);
	}
	l->virtual_now = end;
	sk_timers_arm(l);
}

struct sk_timer *sk_timer_new(struct sk_loop *l, sk_timer_fn *fn, void *ctx, struct sk_err *err)
{
	struct sk_timer *t = calloc(1, sizeof(*t));

	if (t && l->n_timers >= l->cap_heap) { /* room for every timer that lives, so that arming cannot fail */
		size_t cap = l->cap_heap ? l->cap_heap * 2 : 64;
		struct sk_timer **heap = reallocarray(l->heap, cap, sizeof(*heap));

		if (heap) {
			l->heap = heap;
			l->cap_heap = cap;
		} else {
			free(t);
			t = NULL;
		}
	}
	if (!t) {
		sk_fail(err, SK_ENOMEM, "no memory");
		return NULL;
	}
	*t = (struct sk_timer){ .loop = l, .next = l->timers, .at = IDLE, .fn = fn, .ctx = ctx };
	if (t->next)
		t->next->prev = t;
	l->timers = t;
	l->n_timers++;
	return t;
}

void sk_timer_at(struct sk_timer *t, uint64_t deadline_ms)
{
	struct sk_loop *l = t->loop;
	uint64_t now = sk_loop_now(l);

	take_out(t);
	if (deadline_ms != UINT64_MAX) {
		t->deadline = deadline_ms > now ? deadline_ms : now; /* so nobody overtakes who is due already */
		t->seq = l->seq++;
		sift_up(l, t, l->n_heap++);
	}
	sk_timers_arm(l);
}

void sk_timer_free(struct sk_timer *t)
{
	struct sk_loop *l;

	if (!t)
		return;
	l = t->loop;
	take_out(t);
	if (t->prev)
		t->prev->next = t->next;
	else
		l->timers = t->next;
	if (t->next)
		t->next->prev = t->prev;
	l->n_timers--;
	free(t);
}

void sk_timers_release(struct sk_loop *l)
{
	while (l->timers)
		sk_timer_free(l->timers);
	free(l->heap);
	l->heap = NULL;
	if (l->tick.data)
		uv_close((uv_handle_t *)&l->tick, NULL);
}
