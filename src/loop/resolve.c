/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loop/inner.h"

/**
 * Name resolution. getaddrinfo can hang for half a minute, so each lookup has a thread of its own, at most RUNNING
 * at a time: one dead name server delays neither other names nor the workers nor the end of the program. Who asks
 * for a name that is being looked up waits for that answer: a thousand sessions of one name need one thread. A
 * thread that outlives the loop frees what it holds and ends.
 */

#define RUNNING	 64
#define STACK	 (512U << 10)
#define FRESH_MS 2000 /* who asks later than that does not wait for an answer that does not come, but asks anew */

struct sk_resolver {
	pthread_mutex_t lock;
	unsigned refs; /* the loop and each running thread */
	bool gone;     /* the loop is */
	uv_async_t *wake;
	struct lookup *done; /* oldest first */
	/* the loop's alone: */
	struct lookup *waiting;
	struct lookup *active; /* those with a thread */
	unsigned running;
};

struct lookup {
	struct sk_job job; /* the loop's */
	struct sk_resolver *resolver;
	struct lookup *next; /* in waiting or done */
	struct lookup *prev_active, *next_active;
	uint64_t since;	      /* when its thread began */
	struct lookup *same;  /* others who want this very name: they get its answer; the loop's */
	struct sk_timer *now; /* delivery of an answer that needed no thread */
	sk_resolve_fn *fn;
	char host[256];
	char port[8];
	int gai; /* result of getaddrinfo */
	struct sk_addrs addrs;
};

static struct lookup *of(struct sk_job *j)
{
	return (struct lookup *)((char *)j - offsetof(struct lookup, job));
}

static void look_up(struct lookup *q, int flags)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM }, *found = NULL;

	hints.ai_flags = AI_NUMERICSERV | flags;
	q->gai = getaddrinfo(q->host, q->port, &hints, &found);
	if (q->gai)
		return;
	for (struct addrinfo *i = found; i && q->addrs.n < 16; i = i->ai_next) {
		if (i->ai_addrlen > sizeof(q->addrs.a[0]))
			continue;
		memcpy(&q->addrs.a[q->addrs.n++], i->ai_addr, i->ai_addrlen);
	}
	freeaddrinfo(found);
	if (q->addrs.n == 0)
		q->gai = EAI_NONAME;
}

static void unref(struct sk_resolver *r)
{
	unsigned left;

	pthread_mutex_lock(&r->lock);
	left = --r->refs;
	pthread_mutex_unlock(&r->lock);
	if (left == 0) {
		pthread_mutex_destroy(&r->lock);
		free(r);
	}
}

static void *thread(void *arg)
{
	struct lookup *q = arg, **end;
	struct sk_resolver *r = q->resolver;

	look_up(q, 0);
	pthread_mutex_lock(&r->lock);
	if (r->gone) {
		free(q);
	} else {
		for (end = &r->done; *end; end = &(*end)->next)
			;
		q->next = NULL;
		*end = q;
		uv_async_send(r->wake);
	}
	pthread_mutex_unlock(&r->lock);
	unref(r);
	return NULL;
}

static int start(struct sk_loop *l, struct lookup *q)
{
	struct sk_resolver *r = q->resolver;
	pthread_attr_t attr;
	pthread_t id;
	int rc;

	rc = pthread_attr_init(&attr);
	if (rc)
		return rc;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK);
	pthread_mutex_lock(&r->lock);
	r->refs++;
	pthread_mutex_unlock(&r->lock);
	rc = pthread_create(&id, &attr, thread, q);
	pthread_attr_destroy(&attr);
	if (rc) {
		unref(r);
		return rc;
	}
	r->running++;
	q->since = sk_loop_now(l);
	q->next_active = r->active;
	q->prev_active = NULL;
	if (q->next_active)
		q->next_active->prev_active = q;
	r->active = q;
	return 0;
}

static void not_active(struct lookup *q)
{
	if (q->prev_active)
		q->prev_active->next_active = q->next_active;
	else
		q->resolver->active = q->next_active;
	if (q->next_active)
		q->next_active->prev_active = q->prev_active;
}

static bool join(struct sk_loop *l, struct lookup *q)
{
	for (struct lookup *a = q->resolver->active; a; a = a->next_active) {
		if (sk_loop_now(l) > a->since + FRESH_MS || strcmp(a->host, q->host) != 0 ||
		    strcmp(a->port, q->port) != 0)
			continue;
		q->next = a->same;
		a->same = q;
		return true;
	}
	return false;
}

static void tell(struct lookup *q)
{
	struct sk_err why = { 0 };

	sk_timer_free(q->now);
	q->now = NULL;
	q->job.telling = true;
	if (q->gai)
		sk_fail(&why, SK_ERESOLVE, "cannot resolve host name %s: %s", q->host, gai_strerror(q->gai));
	if (!q->job.cancelled)
		q->fn(q->job.ctx, q->gai ? NULL : &q->addrs, q->gai ? &why : NULL);
	else if (q->job.abandoned)
		q->job.abandoned(q->job.ctx);
	sk_job_unlink(&q->job);
	free(q);
}

/* One answer for all who wanted the name, in the order in which they asked. */
static void tell_all(struct lookup *q)
{
	struct lookup *same = q->same, *in_order = NULL;

	while (same) {
		struct lookup *next = same->next;

		same->gai = q->gai;
		same->addrs = q->addrs;
		same->next = in_order;
		in_order = same;
		same = next;
	}
	q->same = NULL;
	tell(q);
	while (in_order) {
		struct lookup *next = in_order->next;

		tell(in_order);
		in_order = next;
	}
}

static void on_now(void *ctx)
{
	tell(ctx);
}

static void start_waiting(struct sk_loop *l)
{
	struct sk_resolver *r = l->resolver;

	while (r->waiting && r->running < RUNNING) {
		struct lookup *q = r->waiting;

		r->waiting = q->next;
		if (q->job.cancelled || join(l, q) || start(l, q) == 0) {
			if (q->job.cancelled)
				tell(q);
			continue;
		}
		q->gai = EAI_MEMORY;
		tell(q);
	}
}

static void on_wake(uv_async_t *wake)
{
	struct sk_loop *l = wake->data;
	struct sk_resolver *r = l->resolver;
	struct lookup *done;

	pthread_mutex_lock(&r->lock);
	done = r->done;
	r->done = NULL;
	pthread_mutex_unlock(&r->lock);
	while (done) {
		struct lookup *q = done;

		done = q->next;
		r->running--;
		not_active(q);
		tell_all(q);
	}
	start_waiting(l);
}

static int queue(struct sk_loop *l, struct lookup *q, struct sk_err *err)
{
	struct lookup **end = &l->resolver->waiting;

	look_up(q, AI_NUMERICHOST); /* reads no file and asks nobody */
	if (q->gai != EAI_NONAME) {
		q->now = sk_timer_new(l, on_now, q, err);
		if (!q->now)
			return -1;
		sk_timer_at(q->now, 0);
		return 0;
	}
	if (join(l, q))
		return 0;
	while (*end)
		end = &(*end)->next;
	*end = q;
	uv_async_send(l->resolver->wake);
	return 0;
}

struct sk_job *sk_loop_resolve(struct sk_loop *l, const char *host, uint16_t port, sk_resolve_fn *fn, void *ctx,
			       struct sk_err *err)
{
	struct lookup *q;

	if (!host[0] || strlen(host) >= sizeof(q->host)) {
		sk_fail(err, SK_EINVAL, "host name of %zu bytes", strlen(host));
		return NULL;
	}
	q = calloc(1, sizeof(*q));
	if (!q) {
		sk_fail(err, SK_ENOMEM, "no memory");
		return NULL;
	}
	q->job.kind = SK_JOB_RESOLVE;
	q->job.ctx = ctx;
	q->resolver = l->resolver;
	q->fn = fn;
	snprintf(q->host, sizeof(q->host), "%s", host);
	snprintf(q->port, sizeof(q->port), "%u", port);
	if (queue(l, q, err) < 0) {
		free(q);
		return NULL;
	}
	sk_job_link(l, &q->job);
	return &q->job;
}

void sk_resolve_cancel(struct sk_job *j)
{
	struct lookup *q = of(j);

	if (q->now)
		sk_timer_at(q->now, 0);
	else
		uv_async_send(q->resolver->wake); /* frees it if it still waits for a thread */
}

int sk_resolver_init(struct sk_loop *l, struct sk_err *err)
{
	struct sk_resolver *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return sk_fail(err, SK_ENOMEM, "no memory");
	r->wake = calloc(1, sizeof(*r->wake));
	if (!r->wake) {
		free(r);
		return sk_fail(err, SK_ENOMEM, "no memory");
	}
	pthread_mutex_init(&r->lock, NULL);
	r->refs = 1;
	rc = uv_async_init(&l->uv, r->wake, on_wake); /* it also keeps the loop alive when nothing else is there */
	if (rc < 0) {
		free(r->wake);
		unref(r);
		return sk_fail_uv(err, rc, "wake-up descriptor");
	}
	r->wake->data = l;
	l->resolver = r;
	return 0;
}

static void free_wake(uv_handle_t *h)
{
	free(h);
}

static void drop(struct lookup *q)
{
	while (q) {
		struct lookup *next = q->next;

		sk_job_unlink(&q->job);
		free(q);
		q = next;
	}
}

void sk_resolver_release(struct sk_loop *l)
{
	struct sk_resolver *r = l->resolver;

	if (!r)
		return;
	pthread_mutex_lock(&r->lock); /* a running thread frees its own lookup, after we let go of it */
	r->gone = true;
	for (struct lookup *a = r->active; a; a = a->next_active) {
		drop(a->same);
		a->same = NULL;
	}
	r->active = NULL;
	drop(r->done);
	r->done = NULL;
	drop(r->waiting);
	for (struct sk_job *j = l->jobs, *next; j; j = next) {
		next = j->next;
		if (j->kind != SK_JOB_RESOLVE)
			continue;
		sk_job_unlink(j);
		if (of(j)->now) {
			sk_timer_free(of(j)->now);
			free(of(j));
		}
	}
	pthread_mutex_unlock(&r->lock);
	uv_close((uv_handle_t *)r->wake, free_wake);
	l->resolver = NULL;
	unref(r);
}
