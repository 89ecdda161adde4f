/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>

#include "loop/inner.h"

struct sk_watch {
	uv_poll_t uv;
	struct sk_loop *loop;
	struct sk_watch *prev, *next;
	unsigned events;
	bool freed; /* sk_watch_free was called; the memory goes with libuv's close callback */
	sk_watch_fn *fn;
	void *ctx;
};

static void start(struct sk_watch *w);

static void on_poll(uv_poll_t *uv, int status, int events)
{
	struct sk_watch *w = uv->data;
	unsigned told = 0;

	if (w->freed)
		return;
	if (events & UV_READABLE)
		told |= SK_READABLE;
	if (events & UV_WRITABLE)
		told |= SK_WRITABLE;
	if (status < 0) /* an error on the descriptor: the owner meets it in its next read or write */
		told = w->events;
	if (told & w->events)
		w->fn(w->ctx, told & w->events);
	if (status < 0 && !w->freed)
		start(w); /* libuv stopped polling */
}

static void start(struct sk_watch *w)
{
	int uv = 0;

	if (w->events & SK_READABLE)
		uv |= UV_READABLE;
	if (w->events & SK_WRITABLE)
		uv |= UV_WRITABLE;
	if (uv)
		(void)uv_poll_start(&w->uv, uv, on_poll); /* fails for closing handles only */
	else
		(void)uv_poll_stop(&w->uv);
}

struct sk_watch *sk_watch_new(struct sk_loop *l, int fd, sk_watch_fn *fn, void *ctx, struct sk_err *err)
{
	struct sk_watch *w = calloc(1, sizeof(*w));
	int rc;

	if (!w) {
		sk_fail(err, SK_ENOMEM, "no memory");
		return NULL;
	}
	rc = uv_poll_init(&l->uv, &w->uv, fd);
	if (rc < 0) {
		free(w);
		sk_fail_uv(err, rc, "watch a descriptor");
		return NULL;
	}
	w->uv.data = w;
	w->loop = l;
	w->fn = fn;
	w->ctx = ctx;
	w->next = l->watches;
	if (w->next)
		w->next->prev = w;
	l->watches = w;
	return w;
}

void sk_watch_set(struct sk_watch *w, unsigned events)
{
	if (w->events == events)
		return;
	w->events = events;
	start(w);
}

static void on_closed(uv_handle_t *h)
{
	free(h->data);
}

void sk_watch_free(struct sk_watch *w)
{
	if (!w)
		return;
	if (w->prev)
		w->prev->next = w->next;
	else
		w->loop->watches = w->next;
	if (w->next)
		w->next->prev = w->prev;
	w->freed = true;
	uv_close((uv_handle_t *)&w->uv, on_closed); /* leaves epoll at once */
}

void sk_watches_release(struct sk_loop *l)
{
	while (l->watches)
		sk_watch_free(l->watches);
}
