/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_DATAPATH_REACTOR_PRIV_H
#define SK_DATAPATH_REACTOR_PRIV_H

/** What reactor.c shares with its two ways of waiting, reactor_epoll.c and reactor_uring.c. */

#include "datapath/busy.h"
#include "datapath/reactor.h"

#define REACTOR_IOV 512		/* pieces per receive or send */
#define REACTOR_HOT 64		/* ready descriptors noticed per wake-up; the rest are still ready at the next */

struct reactor_watch {
	int fd;			/* -1: this slot is free */
	unsigned events;
	uint32_t gen;		/* told apart from what was in this slot before */
	sk_reactor_fn *fn;
	void *ctx;
	bool armed;		/* io_uring: a poll is in the ring */
};

struct reactor_hot {
	uint32_t index, gen;
	unsigned events;
};

/* None of these calls back. */
struct reactor_ops {
	const char *name;
	int (*init)(struct sk_reactor *r, struct sk_err *err);
	void (*fini)(struct sk_reactor *r);
	int (*sock_add)(struct sk_reactor *r, struct sk_err *err);
	void (*sock_del)(struct sk_reactor *r);		/* afterwards nothing refers to the engine's memory */
	int (*watch_set)(struct sk_reactor *r, uint32_t index, bool fresh, struct sk_err *err);
	void (*watch_del)(struct sk_reactor *r, uint32_t index);
	/* until something is ready or @timeout_ms passed (-1: for ever); fills r->hot and its own flags */
	int (*wait)(struct sk_reactor *r, int timeout_ms, struct sk_err *err);
	/* -1: the connection is lost */
	int (*recv)(struct sk_reactor *r, struct sk_err *err);
	int (*send)(struct sk_reactor *r, struct sk_err *err);
};

struct sk_reactor {
	struct sk_reactor_cfg cfg;
	const struct reactor_ops *ops;
	void *impl;		/* the backend's */
	struct sk_reactor_stats stats;
	uint64_t now_ms;
	bool stop;
	bool again;		/* something happened outside its place in the turn: do not sleep, go round once */

	struct sk_engine *engine;	/* NULL: nothing attached */
	int sock;

	struct reactor_watch *watches;
	uint32_t n_watches, gen;
	struct reactor_hot hot[REACTOR_HOT];
	unsigned n_hot;

	struct sk_busy busy;
};

extern const struct reactor_ops reactor_epoll_ops, reactor_uring_ops;

/** reactor_hot_add - note a ready descriptor; false when the list is full */
bool reactor_hot_add(struct sk_reactor *r, uint32_t index, uint32_t gen, unsigned events);
/** reactor_may_poll - is busy polling on, and worth it now? */
bool reactor_may_poll(struct sk_reactor *r);
void reactor_polled(struct sk_reactor *r, bool hit);
uint64_t reactor_clock_us(void);

#endif
