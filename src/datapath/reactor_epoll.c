/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "datapath/reactor_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/mem.h"

#define SOCK_MARK UINT64_MAX
#define SEND_ROUNDS 8

struct reactor_epoll {
	int fd;
	bool in, out;		/* the socket's state as of this wake-up */
	bool want_out;		/* EPOLLOUT is asked for */
};

static int ep_init(struct sk_reactor *r, struct sk_err *err)
{
	struct reactor_epoll *ep = calloc(1, sizeof(*ep));

	if (!ep)
		return sk_fail(err, SK_ENOMEM, "no memory for a reactor");
	ep->fd = epoll_create1(EPOLL_CLOEXEC);
	if (ep->fd < 0) {
		sk_fail_sys(err, errno, "epoll_create1");
		free(ep);
		return -1;
	}
	r->impl = ep;
	return 0;
}

static void ep_fini(struct sk_reactor *r)
{
	struct reactor_epoll *ep = r->impl;

	sk_fd_close(&ep->fd);
	free(ep);
}

static int sock_ctl(struct sk_reactor *r, int op)
{
	struct reactor_epoll *ep = r->impl;
	struct epoll_event ev = { .events = EPOLLIN | (ep->want_out ? EPOLLOUT : 0U), .data.u64 = SOCK_MARK };

	return epoll_ctl(ep->fd, op, r->sock, &ev);
}

static int ep_sock_add(struct sk_reactor *r, struct sk_err *err)
{
	struct reactor_epoll *ep = r->impl;

	ep->in = false;
	ep->out = true;
	ep->want_out = false;
	if (sock_ctl(r, EPOLL_CTL_ADD) < 0)
		return sk_fail_sys(err, errno, "epoll_ctl");
	return 0;
}

static void ep_sock_del(struct sk_reactor *r)
{
	struct reactor_epoll *ep = r->impl;

	ep->in = false;
	(void)sock_ctl(r, EPOLL_CTL_DEL); /* it is closed next, which does the same */
}

static int ep_watch_set(struct sk_reactor *r, uint32_t index, bool fresh, struct sk_err *err)
{
	struct reactor_epoll *ep = r->impl;
	const struct reactor_watch *w = &r->watches[index];
	struct epoll_event ev = {
		.events = (w->events & SK_WATCH_IN ? EPOLLIN : 0U) | (w->events & SK_WATCH_OUT ? EPOLLOUT : 0U),
		.data.u64 = (uint64_t)w->gen << 32 | index,
	};

	if (epoll_ctl(ep->fd, fresh ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, w->fd, &ev) < 0)
		return sk_fail_sys(err, errno, "epoll_ctl");
	return 0;
}

static void ep_watch_del(struct sk_reactor *r, uint32_t index)
{
	struct reactor_epoll *ep = r->impl;

	(void)epoll_ctl(ep->fd, EPOLL_CTL_DEL, r->watches[index].fd, NULL);
}

/* Look for up to busy_poll_us before sleeping; returns the number of events, 0 when there were none. */
static int spin(struct sk_reactor *r, struct epoll_event *evs)
{
	struct reactor_epoll *ep = r->impl;
	uint64_t until;
	int n;

	if (!reactor_may_poll(r))
		return 0;
	until = reactor_clock_us() + r->cfg.busy_poll_us;
	do
		n = epoll_wait(ep->fd, evs, REACTOR_HOT, 0);
	while (n == 0 && reactor_clock_us() < until);
	reactor_polled(r, n > 0);
	return n;
}

static int ep_wait(struct sk_reactor *r, int timeout_ms, struct sk_err *err)
{
	struct reactor_epoll *ep = r->impl;
	struct epoll_event evs[REACTOR_HOT];
	int n = timeout_ms == 0 ? 0 : spin(r, evs);

	if (n <= 0)
		n = epoll_wait(ep->fd, evs, REACTOR_HOT, timeout_ms);
	if (n < 0 && errno != EINTR)
		return sk_fail_sys(err, errno, "epoll_wait");
	for (int i = 0; i < n; i++) {
		uint32_t got = evs[i].events;

		if (evs[i].data.u64 == SOCK_MARK) {
			ep->in |= (got & ~(uint32_t)EPOLLOUT) != 0;
			ep->out |= (got & EPOLLOUT) != 0;
			continue;
		}
		reactor_hot_add(r, (uint32_t)evs[i].data.u64, (uint32_t)(evs[i].data.u64 >> 32),
				(got & ~(uint32_t)EPOLLOUT ? (unsigned)SK_WATCH_IN : 0) |
					(got & EPOLLOUT ? (unsigned)SK_WATCH_OUT : 0));
	}
	return 0;
}

static size_t iov_bytes(const struct iovec *iov, int n)
{
	size_t sum = 0;

	for (int i = 0; i < n; i++)
		sum += iov[i].iov_len;
	return sum;
}

/* One receive per wake-up, even when more is there: what it brought is answered first, so that the target has
 * something to do while we take the rest. Level-triggered: what we leave shows again. */
static int ep_recv(struct sk_reactor *r, struct sk_err *err)
{
	struct reactor_epoll *ep = r->impl;
	struct iovec iov[REACTOR_IOV];
	ssize_t got;
	int n;

	if (!ep->in)
		return 0;
	ep->in = false;
	n = sk_engine_rx_space(r->engine, iov, REACTOR_IOV);
	got = n == 1 ? recv(r->sock, iov[0].iov_base, iov[0].iov_len, 0) : readv(r->sock, iov, n);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (got < 0)
		return sk_fail_sys(err, errno, "receive");
	if (got == 0)
		return sk_fail(err, SK_ECONN, "the target closed the connection");
	r->stats.recv_calls++;
	return sk_engine_rx(r->engine, (size_t)got, r->now_ms, err);
}

static void want_out(struct sk_reactor *r, bool on)
{
	struct reactor_epoll *ep = r->impl;

	if (ep->want_out == on)
		return;
	ep->want_out = on;
	(void)sock_ctl(r, EPOLL_CTL_MOD);
}

static int ep_send(struct sk_reactor *r, struct sk_err *err)
{
	struct reactor_epoll *ep = r->impl;
	struct iovec iov[REACTOR_IOV];

	if (ep->want_out && !ep->out)
		return 0;
	ep->out = false;
	for (int round = 0; round < SEND_ROUNDS; round++) {
		struct msghdr m = { .msg_iov = iov };
		size_t asked;
		ssize_t put;
		int n = sk_engine_tx(r->engine, iov, REACTOR_IOV);

		if (n == 0) {
			want_out(r, false);
			return 0;
		}
		asked = iov_bytes(iov, n);
		m.msg_iovlen = (size_t)n;
		put = sendmsg(r->sock, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (put < 0 && errno != EAGAIN && errno != EINTR)
			return sk_fail_sys(err, errno, "send");
		if (put > 0) {
			r->stats.send_calls++;
			sk_engine_tx_done(r->engine, (size_t)put);
		}
		if (put < 0 || (size_t)put < asked)
			break;
	}
	want_out(r, true);
	return 0;
}

const struct reactor_ops reactor_epoll_ops = {
	.name = "epoll",
	.init = ep_init,
	.fini = ep_fini,
	.sock_add = ep_sock_add,
	.sock_del = ep_sock_del,
	.watch_set = ep_watch_set,
	.watch_del = ep_watch_del,
	.wait = ep_wait,
	.recv = ep_recv,
	.send = ep_send,
};
