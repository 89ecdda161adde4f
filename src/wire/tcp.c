/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/tcp.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "proto/framer.h"
#include "wire/netdev.h"

#define PDUS_PER_TURN 64 /* of one connection before the others have their turn */

enum state { CONNECTING, UP, DOWN };

struct sk_wire {
	struct sk_loop *loop;
	struct sk_watch *watch;
	struct sk_timer *fail; /* tells of a connect that failed at once */
	int fd;
	enum state state;
	bool hold;	   /* after a Login Response: read nothing until something is sent */
	bool busy, closed; /* closed while busy: the memory goes when the callback is over */
	struct sk_framer framer;
	struct sk_buf out;
	size_t out_sent;
	struct sk_err why;
	char to[SK_ADDR_TEXT];
	struct sk_wire_events ev;
	void *ctx;
};

static void release(struct sk_wire *w)
{
	sk_watch_free(sk_give(w->watch));
	sk_fd_close(&w->fd);
	w->closed = true;
	if (w->busy)
		return;
	sk_timer_free(w->fail);
	sk_framer_free(&w->framer);
	sk_buf_wipe(&w->out);
	free(w);
}

void sk_wire_close(struct sk_wire *w)
{
	if (w)
		release(w);
}

/* The end of this connection: *why is filled. The owner closes, here or later. */
static void down(struct sk_wire *w)
{
	w->state = DOWN;
	if (w->watch)
		sk_watch_set(w->watch, 0);
	sk_debug(SK_ROOM_WIRE, "%s", w->why.msg);
	w->ev.down(w->ctx, &w->why);
}

static void on_fail(void *ctx)
{
	down(ctx);
}

static void settle(struct sk_wire *w)
{
	unsigned events = 0;

	if (w->state == CONNECTING || w->out_sent < w->out.n)
		events |= SK_WRITABLE;
	if (w->state == UP && !w->hold)
		events |= SK_READABLE;
	sk_watch_set(w->watch, w->state == DOWN ? 0 : events);
}

/* Returns -1 with w->why filled when the connection could not be made. */
static int connected(struct sk_wire *w)
{
	int sys = 0;
	socklen_t len = sizeof(sys);

	if (getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &sys, &len) < 0)
		sys = errno;
	if (sys)
		return sk_fail_sys(&w->why, sys, "connect to %s", w->to);
	w->state = UP;
	return 0;
}

static int transmit(struct sk_wire *w)
{
	while (w->out_sent < w->out.n) {
		ssize_t n =
			send(w->fd, w->out.p + w->out_sent, w->out.n - w->out_sent, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		if (n < 0)
			return sk_fail_sys(&w->why, errno, "send to %s", w->to);
		w->out_sent += (size_t)n;
	}
	sk_buf_reset(&w->out);
	w->out_sent = 0;
	return 0;
}

/* Never more bytes than the PDU at hand still needs: what follows the last Login Response is not ours to read. */
static size_t wanted(const struct sk_framer *f)
{
	return f->have < SK_BHS_LEN ? SK_BHS_LEN - f->have : (size_t)f->data_left + f->pad_left;
}

/* One PDU: 1, 0 when the rest has yet to come, -1 with w->why filled. */
static int receive(struct sk_wire *w, struct sk_pdu *pdu)
{
	uint8_t buf[16384];
	struct sk_span in;
	ssize_t n;
	int rc;

	for (;;) {
		n = recv(w->fd, buf, SK_MIN(wanted(&w->framer), sizeof(buf)), MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		if (n < 0)
			return sk_fail_sys(&w->why, errno, "receive from %s", w->to);
		if (n == 0)
			return sk_fail(&w->why, SK_ECONN, "connection to %s closed by the target%s", w->to,
				       sk_framer_idle(&w->framer) ? "" : " in the middle of a PDU");
		in = sk_span(buf, (size_t)n);
		rc = sk_framer_feed(&w->framer, &in, pdu, &w->why);
		if (rc < 0)
			return sk_in(&w->why, "from %s", w->to);
		if (rc > 0)
			return 1;
	}
}

/* Whole PDUs to the owner, who may close or detach the wire meanwhile. Returns -1 as receive does. */
static int deliver(struct sk_wire *w)
{
	struct sk_pdu pdu;
	int rc = 0;

	for (int i = 0; i < PDUS_PER_TURN && !w->hold && (rc = receive(w, &pdu)) > 0; i++) {
		w->hold = sk_bhs_op(pdu.bhs) == SK_OP_LOGIN_RSP;
		w->ev.pdu(w->ctx, &pdu);
		sk_pdu_free(&pdu);
		if (w->closed)
			return 0;
	}
	return rc < 0 ? -1 : 0;
}

static void on_ready(void *ctx, unsigned events)
{
	struct sk_wire *w = ctx;
	int rc = 0;

	w->busy = true;
	if (w->state == CONNECTING) {
		rc = connected(w);
		if (rc == 0)
			w->ev.up(w->ctx);
		events = 0;
	}
	if (!w->closed && rc == 0 && (events & SK_WRITABLE))
		rc = transmit(w);
	if (!w->closed && rc == 0 && (events & SK_READABLE))
		rc = deliver(w);
	w->busy = false;
	if (w->closed)
		release(w);
	else if (rc < 0)
		down(w);
	else
		settle(w);
}

static int set_int(int fd, int level, int opt, int v, const char *what, struct sk_err *err)
{
	if (setsockopt(fd, level, opt, &v, sizeof(v)) < 0)
		return sk_fail_sys(err, errno, "%s=%d", what, v);
	return 0;
}

static int set_options(int fd, int family, const struct sk_wire_cfg *cfg, struct sk_err *err)
{
	if (set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY", err) < 0)
		return -1;
	if (cfg->window_size > 0 && (set_int(fd, SOL_SOCKET, SO_RCVBUF, cfg->window_size, "SO_RCVBUF", err) < 0 ||
				     set_int(fd, SOL_SOCKET, SO_SNDBUF, cfg->window_size, "SO_SNDBUF", err) < 0))
		return -1;
	if (cfg->tos && (family == AF_INET6 ? set_int(fd, IPPROTO_IPV6, IPV6_TCLASS, cfg->tos, "IPV6_TCLASS", err)
					    : set_int(fd, IPPROTO_IP, IP_TOS, cfg->tos, "IP_TOS", err)) < 0)
		return -1;
	if (cfg->congestion[0] &&
	    setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, cfg->congestion, (socklen_t)strlen(cfg->congestion)) < 0)
		sk_warning(SK_ROOM_WIRE, "congestion control %s: %s", cfg->congestion, strerror(errno));
	return 0;
}

/* A connect that fails at once is told like one that fails later; -1 is for what is wrong on this side. */
static int start(struct sk_wire *w, const struct sockaddr_storage *addr, const struct sk_wire_cfg *cfg,
		 struct sk_err *err)
{
	const struct sk_netdev_want want = { cfg->netdev, cfg->hwaddress, cfg->ipaddress };
	struct sockaddr_storage to = *addr;
	socklen_t len = addr->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);

	w->fd = socket(addr->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	if (w->fd < 0)
		return sk_fail_sys(err, errno, "socket");
	if (sk_netdev_bind(w->fd, &want, &to, err) < 0 ||
	    set_options(w->fd, addr->ss_family, cfg, err) < 0)
		return -1;
	if (connect(w->fd, (const struct sockaddr *)&to, len) == 0 || errno == EINPROGRESS) {
		w->watch = sk_watch_new(w->loop, w->fd, on_ready, w, err);
		if (!w->watch)
			return -1;
		settle(w);
		return 0;
	}
	sk_fail_sys(&w->why, errno, "connect to %s", w->to);
	w->fail = sk_timer_new(w->loop, on_fail, w, err);
	if (!w->fail)
		return -1;
	sk_timer_at(w->fail, 0);
	return 0;
}

struct sk_wire *sk_wire_open(struct sk_loop *l, const struct sockaddr_storage *addr, const struct sk_wire_cfg *cfg,
			     const struct sk_wire_events *ev, void *ctx, struct sk_err *err)
{
	struct sk_wire *w;

	if (addr->ss_family != AF_INET && addr->ss_family != AF_INET6) {
		sk_fail(err, SK_EINVAL, "address family %d", addr->ss_family);
		return NULL;
	}
	w = calloc(1, sizeof(*w));
	if (!w) {
		sk_fail(err, SK_ENOMEM, "no memory");
		return NULL;
	}
	*w = (struct sk_wire){ .loop = l, .fd = -1, .ev = *ev, .ctx = ctx };
	sk_addr_text(addr, w->to);
	sk_framer_init(&w->framer, SK_MIN(cfg->max_data, (uint32_t)SK_FRAMER_DATA_MAX));
	if (start(w, addr, cfg, err) < 0) {
		sk_in(err, "connect to %s", w->to);
		release(w);
		return NULL;
	}
	return w;
}

void sk_wire_owner(struct sk_wire *w, const struct sk_wire_events *ev, void *ctx)
{
	w->ev = *ev;
	w->ctx = ctx;
}

int sk_wire_send(struct sk_wire *w, struct sk_pdu *taken, struct sk_err *err)
{
	int rc;

	if (w->state != UP) {
		sk_pdu_free(taken);
		return sk_fail(err, SK_ECONN, "no connection to %s", w->to);
	}
	rc = sk_pdu_put_wire(&w->out, taken, err);
	sk_pdu_free(taken);
	if (rc < 0)
		return -1;
	w->hold = false;
	settle(w);
	return 0;
}

int sk_wire_detach(struct sk_wire *taken, int *ret_fd, struct sk_err *err)
{
	struct sk_wire *w = taken;
	int rc = 0;

	if (w->state != UP)
		rc = sk_fail(err, SK_ECONN, "no connection to %s", w->to);
	else if (!sk_framer_idle(&w->framer) || w->out_sent < w->out.n)
		rc = sk_fail(err, SK_EPROTO, "connection to %s with a PDU under way", w->to);
	if (rc == 0) {
		sk_watch_free(sk_give(w->watch)); /* before the descriptor moves on */
		*ret_fd = sk_give_fd(&w->fd);
	}
	release(w);
	return rc;
}
