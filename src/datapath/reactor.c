/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "datapath/reactor_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"


static uint64_t clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

uint64_t reactor_clock_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* --- life --- */

struct sk_reactor *sk_reactor_new(const struct sk_reactor_cfg *cfg, struct sk_err *err)
{
	struct sk_reactor *r;

	if (!cfg->turn || !cfg->lost || cfg->busy_poll_us > SK_REACTOR_BUSY_MAX) {
		sk_fail(err, SK_EINVAL, "reactor: turn and lost are needed, busy_poll_us is at most %d",
			SK_REACTOR_BUSY_MAX);
		return NULL;
	}
	r = calloc(1, sizeof(*r));
	if (!r) {
		sk_fail(err, SK_ENOMEM, "no memory for a reactor");
		return NULL;
	}
	r->cfg = *cfg;
	r->sock = -1;
	r->now_ms = clock_ms();
	if (cfg->kind == SK_REACTOR_URING) {
		r->ops = &reactor_uring_ops;
		if (r->ops->init(r, NULL) == 0)
			return r;
	}
	r->ops = &reactor_epoll_ops;
	if (r->ops->init(r, err) < 0) {
		free(r);
		return NULL;
	}
	return r;
}

void sk_reactor_free(struct sk_reactor *r)
{
	if (!r)
		return;
	sk_reactor_detach(r);
	for (uint32_t i = 0; i < r->n_watches; i++)
		if (r->watches[i].fd >= 0)
			r->ops->watch_del(r, i);
	r->ops->fini(r);
	free(r->watches);
	free(r);
}

const char *sk_reactor_name(const struct sk_reactor *r)
{
	return r->ops->name;
}

uint64_t sk_reactor_now(const struct sk_reactor *r)
{
	return r->now_ms;
}

const struct sk_reactor_stats *sk_reactor_stats(const struct sk_reactor *r)
{
	return &r->stats;
}

void sk_reactor_stop(struct sk_reactor *r)
{
	r->stop = true;
}

/* --- the engine's socket --- */

int sk_reactor_attach(struct sk_reactor *r, struct sk_engine *e, int taken_fd, struct sk_err *err)
{
	SK_FD int fd = taken_fd;
	int one = 1, flags;
	bool lost;

	if (r->engine)
		return sk_fail(err, SK_EBUSY, "reactor: a connection is attached already");
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return sk_fail_sys(err, errno, "reactor: socket");
	/* A socket that is not TCP (tests) has no Nagle to turn off. Buffers are left to the kernel's autotuning,
	 * which goes beyond what SO_SNDBUF and SO_RCVBUF allow an unprivileged process. */
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0 && errno != EOPNOTSUPP)
		return sk_fail_sys(err, errno, "reactor: TCP_NODELAY");
	r->sock = fd;
	r->engine = e;
	if (r->ops->sock_add(r, err) < 0) {
		r->sock = -1;
		r->engine = NULL;
		return -1;
	}
	(void)sk_give_fd(&fd);
	r->again = true;
	r->now_ms = clock_ms();
	sk_engine_timers(e, r->now_ms, &lost);
	return 0;
}

void sk_reactor_detach(struct sk_reactor *r)
{
	struct sk_engine *e = r->engine;

	if (!e)
		return;
	r->ops->sock_del(r);
	sk_fd_close(&r->sock);
	r->engine = NULL;
	sk_engine_halt(e);
}

bool sk_reactor_attached(const struct sk_reactor *r)
{
	return r->engine;
}

static void lost(struct sk_reactor *r, const struct sk_err *why)
{
	sk_reactor_detach(r);
	r->again = true;
	r->cfg.lost(r->cfg.ctx, why);
}

/* --- other descriptors --- */

static struct reactor_watch *watch_find(struct sk_reactor *r, int fd)
{
	for (uint32_t i = 0; i < r->n_watches; i++)
		if (r->watches[i].fd == fd)
			return &r->watches[i];
	return NULL;
}

static struct reactor_watch *watch_slot(struct sk_reactor *r)
{
	struct reactor_watch *w = watch_find(r, -1);
	uint32_t n = r->n_watches;

	if (w)
		return w;
	w = realloc(r->watches, (n + 8) * sizeof(*w));
	if (!w)
		return NULL;
	r->watches = w;
	r->n_watches = n + 8;
	for (uint32_t i = n; i < n + 8; i++)
		w[i] = (struct reactor_watch){ .fd = -1 };
	return &w[n];
}

int sk_reactor_watch(struct sk_reactor *r, int fd, unsigned events, sk_reactor_fn *fn, void *ctx,
		     struct sk_err *err)
{
	struct reactor_watch *w, was;
	bool fresh;

	if (fd < 0 || !fn)
		return sk_fail(err, SK_EINVAL, "reactor: watch needs a descriptor and a function");
	w = watch_find(r, fd);
	fresh = !w;
	if (fresh)
		w = watch_slot(r);
	if (!w)
		return sk_fail(err, SK_ENOMEM, "reactor: no memory for a watch");
	was = *w;
	w->fd = fd;
	w->events = events;
	w->fn = fn;
	w->ctx = ctx;
	if (fresh)
		w->gen = ++r->gen;
	if (r->ops->watch_set(r, (uint32_t)(w - r->watches), fresh, err) < 0) {
		*w = was;
		return -1;
	}
	return 0;
}

void sk_reactor_unwatch(struct sk_reactor *r, int fd)
{
	struct reactor_watch *w = fd < 0 ? NULL : watch_find(r, fd);

	if (!w)
		return;
	r->ops->watch_del(r, (uint32_t)(w - r->watches));
	*w = (struct reactor_watch){ .fd = -1 };
}

bool reactor_hot_add(struct sk_reactor *r, uint32_t index, uint32_t gen, unsigned events)
{
	if (r->n_hot == REACTOR_HOT)
		return false;
	r->hot[r->n_hot++] = (struct reactor_hot){ index, gen, events };
	return true;
}

static void dispatch(struct sk_reactor *r)
{
	for (unsigned i = 0; i < r->n_hot; i++) {
		const struct reactor_hot *h = &r->hot[i];
		const struct reactor_watch *w = &r->watches[h->index];

		if (w->fd >= 0 && w->gen == h->gen && (w->events & h->events))
			w->fn(w->ctx, h->events & w->events);
	}
	r->n_hot = 0;
}

/* --- busy polling --- */

bool reactor_may_poll(struct sk_reactor *r)
{
	return r->cfg.busy_poll_us && r->engine && sk_engine_inflight(r->engine) && sk_busy_try(&r->busy);
}

void reactor_polled(struct sk_reactor *r, bool hit)
{
	if (hit)
		r->stats.polls_hit++;
	else
		r->stats.polls_missed++;
	sk_busy_result(&r->busy, hit);
}

/* --- the loop --- */

static int timeout_ms(struct sk_reactor *r, uint64_t engine_next)
{
	uint64_t next = r->cfg.next_ms ? SK_MIN(engine_next, r->cfg.next_ms(r->cfg.ctx)) : engine_next;

	if (r->again)
		return 0;
	if (next == UINT64_MAX)
		return -1;
	if (next <= r->now_ms)
		return 0;
	return (int)SK_MIN(next - r->now_ms, (uint64_t)60000);
}

static void engine_timers(struct sk_reactor *r, uint64_t *next)
{
	struct sk_err why = { 0 };
	bool is_lost = false;

	*next = UINT64_MAX;
	if (!r->engine)
		return;
	*next = sk_engine_timers(r->engine, r->now_ms, &is_lost);
	if (!is_lost)
		return;
	*next = UINT64_MAX;
	sk_fail(&why, SK_ETIME, "a command timed out, and neither abort nor resets were answered");
	lost(r, &why);
}

int sk_reactor_run(struct sk_reactor *r, struct sk_err *err)
{
	uint64_t next = UINT64_MAX;
	struct sk_err why;

	r->stop = false;
	r->again = true;
	while (!r->stop) {
		if (r->ops->wait(r, timeout_ms(r, next), err) < 0)
			return -1;
		r->again = false;
		r->stats.wakeups++;
		r->now_ms = clock_ms();
		dispatch(r);
		if (r->engine && r->ops->recv(r, &why) < 0)
			lost(r, &why);
		engine_timers(r, &next);
		r->cfg.turn(r->cfg.ctx, r->now_ms);
		if (r->engine && r->ops->send(r, &why) < 0)
			lost(r, &why);
		if (r->engine && sk_engine_pending(r->engine))
			r->again = true; /* sending finished tasks whose answers were faster than their data */
		engine_timers(r, &next); /* what turn submitted may be due before all else */
	}
	return 0;
}
