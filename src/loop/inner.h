/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_LOOP_INNER_H
#define SK_LOOP_INNER_H

/** What the files of this room share; nobody else includes it. */

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "loop/loop.h"

struct sk_resolver;
struct sk_child;

struct sk_loop {
	uv_loop_t uv;
	uv_timer_t tick;	 /* armed for the earliest deadline of the heap */
	struct sk_timer **heap;	 /* ordered by deadline, then by the order of arming */
	size_t n_heap, cap_heap; /* cap_heap >= n_timers */
	size_t n_timers;
	uint64_t seq;
	bool virtual_time;
	uint64_t virtual_now;
	bool stopped, closing;
	struct sk_watch *watches; /* all that live, for sk_loop_free */
	struct sk_timer *timers;
	struct sk_sig *signals;
	struct sk_job *jobs; /* works and resolutions not yet told */
	struct sk_child *children;
	bool reaping; /* SIGCHLD is watched */
	struct sk_resolver *resolver;
};

/* timer.c */
int sk_timers_init(struct sk_loop *l, struct sk_err *err);
void sk_timers_fire(struct sk_loop *l);
void sk_timers_arm(struct sk_loop *l); /* the tick follows the top of the heap */
void sk_timers_release(struct sk_loop *l);

/* watch.c */
void sk_watches_release(struct sk_loop *l);

/* child.c */
void sk_signals_release(struct sk_loop *l);
void sk_children_release(struct sk_loop *l);

/* resolve.c, work.c */
enum sk_job_kind { SK_JOB_WORK, SK_JOB_RESOLVE };

struct sk_job {
	enum sk_job_kind kind;
	struct sk_loop *loop;
	struct sk_job *prev, *next;
	bool cancelled;	       /* do not tell */
	bool telling;	       /* its callback is on the stack */
	sk_work_fn *abandoned; /* told instead of done, after sk_job_abandon */
	void *ctx;
};

void sk_job_link(struct sk_loop *l, struct sk_job *j);
void sk_job_unlink(struct sk_job *j);
void sk_work_cancel(struct sk_job *j); /* try to take it back before it runs */
void sk_resolve_cancel(struct sk_job *j);
int sk_resolver_init(struct sk_loop *l, struct sk_err *err);
void sk_resolver_release(struct sk_loop *l);

/** sk_fail_uv - sk_fail_sys for a negative libuv status */
int sk_fail_uv(struct sk_err *err, int status, const char *what);

#endif
