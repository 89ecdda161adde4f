/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_LOOP_LOOP_H
#define SK_LOOP_LOOP_H

/**
 * sk_loop - the control plane's event loop: descriptors, timers, signals, children, name resolution, workers.
 * One thread. Callbacks run from sk_loop_run only. libuv stays behind this face. Time is milliseconds of
 * CLOCK_MONOTONIC, updated once per turn.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/err.h"

struct sk_loop;
struct sk_timer;
struct sk_watch;
struct sk_job;

struct sk_loop *sk_loop_new(struct sk_err *err);
void sk_loop_free(struct sk_loop *l); /* everything created from it must be gone or is released */
int sk_loop_run(struct sk_loop *l);   /* until sk_loop_stop */
void sk_loop_stop(struct sk_loop *l);
uint64_t sk_loop_now(const struct sk_loop *l); /* ms */

/* Timers: one shot; arming again moves it. */
typedef void sk_timer_fn(void *ctx);
struct sk_timer *sk_timer_new(struct sk_loop *l, sk_timer_fn *fn, void *ctx, struct sk_err *err);
void sk_timer_at(struct sk_timer *t, uint64_t deadline_ms); /* absolute, as sk_loop_now; UINT64_MAX disarms */
void sk_timer_free(struct sk_timer *t);			    /* NULL is fine; also from its own callback */

/* Descriptors: the watch does not own the descriptor. */
enum { SK_READABLE = 1, SK_WRITABLE = 2 };
typedef void sk_watch_fn(void *ctx, unsigned events);
struct sk_watch *sk_watch_new(struct sk_loop *l, int fd, sk_watch_fn *fn, void *ctx, struct sk_err *err);
void sk_watch_set(struct sk_watch *w, unsigned events); /* 0 pauses */
void sk_watch_free(struct sk_watch *w);			/* NULL is fine; before the descriptor is closed */

typedef void sk_signal_fn(void *ctx, int signum);
int sk_loop_signal(struct sk_loop *l, int signum, sk_signal_fn *fn, void *ctx, struct sk_err *err);

/** sk_loop_resolve - getaddrinfo in a worker; exactly one call of fn unless cancelled. Numeric hosts do not wait.
 */
struct sk_addrs {
	unsigned n;
	struct sockaddr_storage a[16];
};
typedef void sk_resolve_fn(void *ctx, const struct sk_addrs *addrs,
			   const struct sk_err *err); /* err NULL on success */
struct sk_job *sk_loop_resolve(struct sk_loop *l, const char *host, uint16_t port, sk_resolve_fn *fn, void *ctx,
			       struct sk_err *err);

/** sk_loop_work - fn in a worker thread, then done in the loop; for calls that can block */
typedef void sk_work_fn(void *ctx);
struct sk_job *sk_loop_work(struct sk_loop *l, sk_work_fn *fn, sk_work_fn *done, void *ctx, struct sk_err *err);
/** sk_job_cancel - its callback will not be called (the work itself may still run to its end); NULL is fine */
void sk_job_cancel(struct sk_job *j);
/** sk_job_abandon - as sk_job_cancel, and @release(ctx) is called from the loop once nothing touches ctx any more
 */
void sk_job_abandon(struct sk_job *j, sk_work_fn *release);

/** sk_loop_spawn - start a program: argv[0] is a path, no shell. @fds[i] becomes descriptor 3+i in the child; all
 * others are closed; stdin is /dev/null. With @detach the child leads its own session, survives us, and its exit is
 * not told. */
typedef void sk_exit_fn(void *ctx, int status); /* as from waitpid */
int sk_loop_spawn(struct sk_loop *l, const char *const argv[], const int *fds, unsigned n_fds, bool detach,
		  sk_exit_fn *fn, void *ctx, pid_t *ret_pid, struct sk_err *err);

#endif
