/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_DATAPATH_REACTOR_H
#define SK_DATAPATH_REACTOR_H

/**
 * sk_reactor - the data path's loop: drives one engine over one TCP socket, and watches further descriptors for its
 * user (FUSE, the keeper's socket, eventfd, timerfd). One thread. Two implementations, chosen at run time.
 *
 * One turn of the loop is one wake-up:
 *
 *	wait -> one clock read -> callbacks of watched descriptors -> receive and parse (many PDUs per call)
 *	     -> sk_engine_timers when due -> turn() -> send (everything the engine has, in as few calls as possible)
 *
 * so turn() sees every completion of this wake-up (sk_engine_next_done, sk_engine_next_event) and what it submits
 * leaves in the same batch. All callbacks run from sk_reactor_run; each may call any function here except
 * sk_reactor_run and sk_reactor_free.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/engine.h"

enum sk_reactor_kind {
	SK_REACTOR_AUTO,	/* epoll: equal in speed, allowed everywhere */
	SK_REACTOR_EPOLL,
	SK_REACTOR_URING,	/* falls back to epoll where io_uring is forbidden; sk_reactor_name tells */
};

enum { SK_REACTOR_BUSY_MAX = 1000 };	/* microseconds */

struct sk_reactor_cfg {
	enum sk_reactor_kind kind;
	uint32_t busy_poll_us;	/* look that long at the socket before sleeping; 0 = off; at most SK_REACTOR_BUSY_MAX */
	void *ctx;
	/* required: once per wake-up, after everything received was parsed and before anything is sent */
	void (*turn)(void *ctx, uint64_t now_ms);
	/* optional: the user's next deadline, absolute ms as sk_reactor_now; UINT64_MAX = none */
	uint64_t (*next_ms)(void *ctx);
	/* required: the connection is over (error, end of file, protocol violation, escalation). The socket is
	 * closed and the engine halted already; a new one may be attached from here or later. turn() follows. */
	void (*lost)(void *ctx, const struct sk_err *why);
};

enum { SK_WATCH_IN = 1, SK_WATCH_OUT = 2 };
/** @events: what is ready; errors and hang-ups show as SK_WATCH_IN. Level-triggered. */
typedef void sk_reactor_fn(void *ctx, unsigned events);

struct sk_reactor;

struct sk_reactor *sk_reactor_new(const struct sk_reactor_cfg *cfg, struct sk_err *err);
void sk_reactor_free(struct sk_reactor *r);	/* detaches first; NULL is fine */
const char *sk_reactor_name(const struct sk_reactor *r);	/* "epoll" or "io_uring": what is really used */

/** sk_reactor_attach - drive @e over the connected socket @taken_fd: made non-blocking, TCP_NODELAY, large buffers.
 * The reactor owns the descriptor even on failure; the engine stays the caller's and must outlive the attachment.
 * SK_EBUSY when something is attached already. */
int sk_reactor_attach(struct sk_reactor *r, struct sk_engine *e, int taken_fd, struct sk_err *err);
/** sk_reactor_detach - close the socket and halt the engine; lost() is not called; fine when nothing is attached */
void sk_reactor_detach(struct sk_reactor *r);
bool sk_reactor_attached(const struct sk_reactor *r);

/** sk_reactor_watch - call @fn when @fd is ready for @events (SK_WATCH_IN | SK_WATCH_OUT; 0 pauses). A second call
 * for the same descriptor changes events, fn and ctx. The descriptor stays the caller's. */
int sk_reactor_watch(struct sk_reactor *r, int fd, unsigned events, sk_reactor_fn *fn, void *ctx,
		     struct sk_err *err);
/** sk_reactor_unwatch - before the descriptor is closed; unknown ones are ignored. @fn is not called again. */
void sk_reactor_unwatch(struct sk_reactor *r, int fd);

/** sk_reactor_run - until sk_reactor_stop; -1 when waiting itself fails */
int sk_reactor_run(struct sk_reactor *r, struct sk_err *err);
void sk_reactor_stop(struct sk_reactor *r);
/** sk_reactor_now - milliseconds of CLOCK_MONOTONIC, read once per wake-up */
uint64_t sk_reactor_now(const struct sk_reactor *r);

struct sk_reactor_stats {
	uint64_t wakeups, recv_calls, send_calls, polls_hit, polls_missed;
};

const struct sk_reactor_stats *sk_reactor_stats(const struct sk_reactor *r);

#endif
