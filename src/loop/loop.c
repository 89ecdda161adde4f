/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loop/loop.h"

#include <stdlib.h>
#include <string.h>

#include "loop/inner.h"
#include "loop/virtual.h"

int sk_fail_uv(struct sk_err *err, int status, const char *what)
{
	return sk_fail_sys(err, -status, "%s", what); /* on Unix a libuv status is a negated errno */
}

struct sk_loop *sk_loop_new(struct sk_err *err)
{
	struct sk_loop *l = calloc(1, sizeof(*l));
	int rc;

	if (!l) {
		sk_fail(err, SK_ENOMEM, "no memory");
		return NULL;
	}
	rc = uv_loop_init(&l->uv);
	if (rc < 0) {
		sk_fail_uv(err, rc, "event loop");
		free(l);
		return NULL;
	}
	l->uv.data = l;
	if (sk_timers_init(l, err) < 0 || sk_resolver_init(l, err) < 0) {
		sk_loop_free(l);
		return NULL;
	}
	return l;
}

void sk_loop_free(struct sk_loop *l)
{
	if (!l)
		return;
	l->closing = true;
	for (struct sk_job *j = l->jobs, *next; j; j = next) {
		next = j->next;
		sk_job_cancel(j);
	}
	sk_resolver_release(l);
	sk_signals_release(l);
	sk_watches_release(l);
	sk_timers_release(l);
	while (uv_run(&l->uv, UV_RUN_DEFAULT)) /* closes the handles and waits for work that runs */
		;
	sk_children_release(l);
	if (uv_loop_close(&l->uv) == 0)
		free(l);
}

int sk_loop_run(struct sk_loop *l)
{
	l->stopped = false;
	while (!l->stopped)
		uv_run(&l->uv, UV_RUN_DEFAULT);
	return 0;
}

void sk_loop_stop(struct sk_loop *l)
{
	l->stopped = true;
	uv_stop(&l->uv);
}

uint64_t sk_loop_now(const struct sk_loop *l)
{
	return l->virtual_time ? l->virtual_now : uv_now(&l->uv);
}

void sk_loop_virtual(struct sk_loop *l, uint64_t now_ms)
{
	l->virtual_time = true;
	l->virtual_now = now_ms;
	sk_timers_arm(l);
}

void sk_loop_turn(struct sk_loop *l, bool wait)
{
	uv_run(&l->uv, wait ? UV_RUN_ONCE : UV_RUN_NOWAIT);
}

void sk_job_link(struct sk_loop *l, struct sk_job *j)
{
	j->loop = l;
	j->prev = NULL;
	j->next = l->jobs;
	if (j->next)
		j->next->prev = j;
	l->jobs = j;
}

void sk_job_unlink(struct sk_job *j)
{
	if (j->prev)
		j->prev->next = j->next;
	else
		j->loop->jobs = j->next;
	if (j->next)
		j->next->prev = j->prev;
}

void sk_job_cancel(struct sk_job *j)
{
	if (!j || j->telling || j->cancelled)
		return;
	j->cancelled = true;
	if (j->kind == SK_JOB_WORK)
		sk_work_cancel(j);
	else
		sk_resolve_cancel(j);
}

void sk_job_abandon(struct sk_job *j, sk_work_fn *release)
{
	if (!j || j->telling || j->cancelled)
		return;
	j->abandoned = release;
	sk_job_cancel(j);
}
