/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "datapath/reactor_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

/*
 * One receive and one send are under way at any time; both, the polls of watched descriptors and the wait go to the
 * kernel in one call per turn. A poll is one-shot and armed anew each turn, which makes it level-triggered.
 *
 * user_data: below 2^32 one of the marks, else generation << 32 | index of a watch.
 */

#define RING_ENTRIES 256
enum { MARK_IGNORE, MARK_RECV, MARK_SEND };

struct pending {
	struct msghdr msg;
	struct iovec iov[REACTOR_IOV];
	bool busy;	/* in the ring */
	bool done;	/* completed, and not looked at yet */
	int res;
};

struct reactor_uring {
	struct io_uring ring;
	struct pending rx, tx;
};

static const unsigned setups[] = { /* best first; older kernels know less */
	IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
	IORING_SETUP_COOP_TASKRUN,
	0,
};

static int ur_init(struct sk_reactor *r, struct sk_err *err)
{
	struct reactor_uring *u = calloc(1, sizeof(*u));
	int res = -EINVAL;

	if (!u)
		return sk_fail(err, SK_ENOMEM, "no memory for a reactor");
	for (unsigned i = 0; i < sizeof(setups) / sizeof(setups[0]) && res < 0; i++)
		res = io_uring_queue_init(RING_ENTRIES, &u->ring, setups[i]);
	if (res < 0) {
		free(u);
		return sk_fail_sys(err, -res, "io_uring_queue_init");
	}
	r->impl = u;
	return 0;
}

static void ur_fini(struct sk_reactor *r)
{
	struct reactor_uring *u = r->impl;

	io_uring_queue_exit(&u->ring);
	free(u);
}

static struct io_uring_sqe *sqe_get(struct reactor_uring *u)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

	if (sqe)
		return sqe;
	io_uring_submit(&u->ring); /* full: hand over what is there */
	return io_uring_get_sqe(&u->ring);
}

static void pending_reset(struct pending *p)
{
	p->busy = false;
	p->done = false;
}

static int ur_sock_add(struct sk_reactor *r, struct sk_err *err)
{
	struct reactor_uring *u = r->impl;
	int flags = fcntl(r->sock, F_GETFL);

	/* With O_NONBLOCK the ring would answer EAGAIN instead of waiting for the socket. */
	if (flags < 0 || fcntl(r->sock, F_SETFL, flags & ~O_NONBLOCK) < 0)
		return sk_fail_sys(err, errno, "reactor: socket");
	pending_reset(&u->rx);
	pending_reset(&u->tx);
	return 0;
}

static void finish(struct pending *p, int res)
{
	p->busy = false;
	p->done = true;
	p->res = res;
}

static void complete(struct sk_reactor *r, const struct io_uring_cqe *cqe)
{
	struct reactor_uring *u = r->impl;
	uint32_t index = (uint32_t)cqe->user_data, gen = (uint32_t)(cqe->user_data >> 32);
	struct reactor_watch *w;
	unsigned events = 0;

	if (gen == 0) {
		if (index == MARK_RECV)
			finish(&u->rx, cqe->res);
		else if (index == MARK_SEND)
			finish(&u->tx, cqe->res);
		return;
	}
	if (index >= r->n_watches)
		return;
	w = &r->watches[index];
	if (w->fd < 0 || w->gen != gen)
		return;
	w->armed = false;
	if (cqe->res > 0 && cqe->res & POLLOUT)
		events |= SK_WATCH_OUT;
	if (cqe->res < 0 || cqe->res & ~POLLOUT)
		events |= SK_WATCH_IN;
	reactor_hot_add(r, index, gen, events);
}

static unsigned reap(struct sk_reactor *r)
{
	struct reactor_uring *u = r->impl;
	struct io_uring_cqe *cqe;
	unsigned head, n = 0;

	io_uring_for_each_cqe(&u->ring, head, cqe) {
		complete(r, cqe);
		n++;
	}
	io_uring_cq_advance(&u->ring, n);
	return n;
}

/* Nothing in the ring may refer to the engine's memory afterwards. */
static void ur_sock_del(struct sk_reactor *r)
{
	struct reactor_uring *u = r->impl;

	(void)shutdown(r->sock, SHUT_RDWR); /* ends both at once */
	while (u->rx.busy || u->tx.busy) {
		int res = io_uring_submit_and_wait(&u->ring, 1);

		reap(r);
		if (res < 0 && res != -EINTR && res != -EAGAIN && res != -EBUSY)
			break;
	}
	pending_reset(&u->rx);
	pending_reset(&u->tx);
}

/* --- watches --- */

static uint64_t watch_data(const struct sk_reactor *r, uint32_t index)
{
	return (uint64_t)r->watches[index].gen << 32 | index;
}

static void ur_watch_del(struct sk_reactor *r, uint32_t index)
{
	struct reactor_uring *u = r->impl;
	struct io_uring_sqe *sqe;

	if (!r->watches[index].armed)
		return;
	sqe = sqe_get(u);
	if (!sqe)
		return;
	io_uring_prep_poll_remove(sqe, watch_data(r, index));
	io_uring_sqe_set_data64(sqe, MARK_IGNORE);
	io_uring_submit(&u->ring); /* now: the poll holds a reference to what the caller is about to close */
}

static int ur_watch_set(struct sk_reactor *r, uint32_t index, bool fresh, struct sk_err *err)
{
	struct reactor_watch *w = &r->watches[index];

	(void)err;
	if (!fresh) {
		ur_watch_del(r, index);
		w->gen = ++r->gen;
	}
	w->armed = false; /* the next wait arms it */
	return 0;
}

static void arm_watches(struct sk_reactor *r)
{
	struct reactor_uring *u = r->impl;

	for (uint32_t i = 0; i < r->n_watches; i++) {
		struct reactor_watch *w = &r->watches[i];
		struct io_uring_sqe *sqe;

		if (w->fd < 0 || !w->events || w->armed)
			continue;
		sqe = sqe_get(u);
		if (!sqe)
			return;
		io_uring_prep_poll_add(sqe, w->fd, (w->events & SK_WATCH_IN ? POLLIN : 0U) |
							   (w->events & SK_WATCH_OUT ? POLLOUT : 0U));
		io_uring_sqe_set_data64(sqe, watch_data(r, i));
		w->armed = true;
	}
}

/* --- the socket --- */

static void arm_recv(struct sk_reactor *r)
{
	struct reactor_uring *u = r->impl;
	struct io_uring_sqe *sqe;
	int n;

	if (!r->engine || u->rx.busy || u->rx.done)
		return;
	sqe = sqe_get(u);
	if (!sqe)
		return;
	n = sk_engine_rx_space(r->engine, u->rx.iov, REACTOR_IOV);
	if (n == 1) {
		io_uring_prep_recv(sqe, r->sock, u->rx.iov[0].iov_base, u->rx.iov[0].iov_len, 0);
	} else {
		u->rx.msg = (struct msghdr){ .msg_iov = u->rx.iov, .msg_iovlen = (size_t)n };
		io_uring_prep_recvmsg(sqe, r->sock, &u->rx.msg, 0);
	}
	io_uring_sqe_set_data64(sqe, MARK_RECV);
	u->rx.busy = true;
}

/* Before turn: a task whose answer overtook our knowledge that its data is out is done only now. */
static int send_finished(struct sk_reactor *r, struct sk_err *err)
{
	struct reactor_uring *u = r->impl;

	if (!u->tx.done)
		return 0;
	u->tx.done = false;
	if (u->tx.res < 0 && u->tx.res != -EAGAIN && u->tx.res != -EINTR)
		return sk_fail_sys(err, -u->tx.res, "send");
	r->stats.send_calls++;
	if (u->tx.res > 0)
		sk_engine_tx_done(r->engine, (size_t)u->tx.res);
	return 0;
}

static int ur_recv(struct sk_reactor *r, struct sk_err *err)
{
	struct reactor_uring *u = r->impl;

	if (send_finished(r, err) < 0)
		return -1;
	if (!u->rx.done)
		return 0;
	u->rx.done = false;
	if (u->rx.res == -EAGAIN || u->rx.res == -EINTR)
		return 0;
	if (u->rx.res < 0)
		return sk_fail_sys(err, -u->rx.res, "receive");
	if (u->rx.res == 0)
		return sk_fail(err, SK_ECONN, "the target closed the connection");
	r->stats.recv_calls++;
	return sk_engine_rx(r->engine, (size_t)u->rx.res, r->now_ms, err);
}

static int ur_send(struct sk_reactor *r, struct sk_err *err)
{
	struct reactor_uring *u = r->impl;
	struct io_uring_sqe *sqe;
	int n;

	(void)err;
	if (u->tx.busy)
		return 0;
	n = sk_engine_tx(r->engine, u->tx.iov, REACTOR_IOV);
	sqe = n ? sqe_get(u) : NULL;
	if (!sqe)
		return 0;
	u->tx.msg = (struct msghdr){ .msg_iov = u->tx.iov, .msg_iovlen = (size_t)n };
	io_uring_prep_sendmsg(sqe, r->sock, &u->tx.msg, MSG_NOSIGNAL);
	io_uring_sqe_set_data64(sqe, MARK_SEND);
	u->tx.busy = true;
	return 0;
}

static unsigned spin(struct sk_reactor *r)
{
	struct reactor_uring *u = r->impl;
	uint64_t until = reactor_clock_us() + r->cfg.busy_poll_us;
	unsigned n;

	io_uring_submit(&u->ring);
	do {
		io_uring_get_events(&u->ring);
		n = reap(r);
	} while (n == 0 && reactor_clock_us() < until);
	reactor_polled(r, n > 0);
	return n;
}

static int ur_wait(struct sk_reactor *r, int timeout_ms, struct sk_err *err)
{
	struct reactor_uring *u = r->impl;
	struct __kernel_timespec ts = { .tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000LL };
	struct io_uring_cqe *cqe;
	int res;

	arm_watches(r);
	arm_recv(r);
	if (timeout_ms != 0 && reactor_may_poll(r) && spin(r) > 0)
		return 0;
	if (u->rx.done || u->tx.done)
		return 0;
	res = io_uring_submit_and_wait_timeout(&u->ring, &cqe, 1, timeout_ms < 0 ? NULL : &ts, NULL);
	if (res < 0 && res != -ETIME && res != -EINTR && res != -EAGAIN && res != -EBUSY)
		return sk_fail_sys(err, -res, "io_uring_enter");
	reap(r);
	return 0;
}

const struct reactor_ops reactor_uring_ops = {
	.name = "io_uring",
	.init = ur_init,
	.fini = ur_fini,
	.sock_add = ur_sock_add,
	.sock_del = ur_sock_del,
	.watch_set = ur_watch_set,
	.watch_del = ur_watch_del,
	.wait = ur_wait,
	.recv = ur_recv,
	.send = ur_send,
};
