/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stddef.h>
#include <stdlib.h>

#include "loop/inner.h"

struct work {
	struct sk_job job;
	uv_work_t uv;
	sk_work_fn *fn, *done;
};

static struct work *of(struct sk_job *j)
{
	return (struct work *)((char *)j - offsetof(struct work, job));
}

static void run(uv_work_t *uv)
{
	struct work *w = uv->data;

	w->fn(w->job.ctx);
}

static void after(uv_work_t *uv, int status)
{
	struct work *w = uv->data;

	(void)status; /* UV_ECANCELED only after sk_job_cancel */
	w->job.telling = true;
	if (w->job.cancelled) {
		if (w->job.abandoned)
			w->job.abandoned(w->job.ctx);
	} else if (w->done) {
		w->done(w->job.ctx);
	}
	sk_job_unlink(&w->job);
	free(w);
}

struct sk_job *sk_loop_work(struct sk_loop *l, sk_work_fn *fn, sk_work_fn *done, void *ctx, struct sk_err *err)
{
	struct work *w = calloc(1, sizeof(*w));
	int rc;

	if (!w) {
		sk_fail(err, SK_ENOMEM, "no memory");
		return NULL;
	}
	w->job.kind = SK_JOB_WORK;
	w->job.ctx = ctx;
	w->fn = fn;
	w->done = done;
	w->uv.data = w;
	rc = uv_queue_work(&l->uv, &w->uv, run, after);
	if (rc < 0) {
		free(w);
		sk_fail_uv(err, rc, "start a worker");
		return NULL;
	}
	sk_job_link(l, &w->job);
	return &w->job;
}

void sk_work_cancel(struct sk_job *j)
{
	(void)uv_cancel((uv_req_t *)&of(j)->uv); /* refused while it runs: after() then frees it without a word */
}
