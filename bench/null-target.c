/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "null.h"

#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/num.h"
#include "proto/digest.h"

static uint8_t zeroes[NULL_ZEROES];

/* --- out --- */

bool null_out_room(const struct null_conn *c, uint32_t pdus)
{
	return c->n_iov + 3 * pdus + 2 <= NULL_IOV && c->n_headers + 64 * pdus + 8192 <= NULL_HEADERS;
}

static void *header_bytes(struct null_conn *c, uint32_t n)
{
	uint8_t *p = c->headers + c->n_headers;
	struct iovec *last = c->n_iov ? &c->iov[c->n_iov - 1] : NULL;

	c->n_headers += n;
	if (last && (uint8_t *)last->iov_base + last->iov_len == p)
		last->iov_len += n;
	else
		c->iov[c->n_iov++] = (struct iovec){ p, n };
	return p;
}

/* The digest of @n zero bytes, remembered for the last length */
static uint32_t zero_crc(uint32_t n)
{
	static uint32_t len, crc = SK_CRC32C_INIT;

	if (n != len) {
		len = n;
		crc = sk_crc32c(SK_CRC32C_INIT, zeroes, n);
	}
	return crc;
}

void null_out(struct null_conn *c, uint8_t *bhs, const void *data, uint32_t n)
{
	uint32_t pad = sk_pad4(n), crc;
	bool digest = c->full_feature && c->data_digest && n;
	uint8_t *p = header_bytes(c, SK_BHS_LEN);

	memcpy(p, bhs, SK_BHS_LEN);
	if (c->full_feature && c->header_digest)
		sk_digest_put(header_bytes(c, SK_DIGEST_LEN),
			      sk_crc32c_small_best()(SK_CRC32C_INIT, p, SK_BHS_LEN));
	if (data)
		memcpy(header_bytes(c, n), data, n);
	else if (n)
		c->iov[c->n_iov++] = (struct iovec){ zeroes, n };
	crc = !digest ? 0 : data ? sk_crc32c(SK_CRC32C_INIT, data, n) : zero_crc(n);
	if (pad)
		memset(header_bytes(c, pad), 0, pad);
	if (digest)
		sk_digest_put(header_bytes(c, SK_DIGEST_LEN), sk_crc32c(crc, zeroes, pad));
}

/* 1: all is out; 0: the socket is full; -1: it is gone */
static int flush(struct null_conn *c)
{
	while (c->at_iov < c->n_iov) {
		struct msghdr m = { .msg_iov = c->iov + c->at_iov, .msg_iovlen = c->n_iov - c->at_iov };
		ssize_t put = sendmsg(c->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (put < 0)
			return errno == EAGAIN ? 0 : -1;
		while (put > 0) {
			struct iovec *v = &c->iov[c->at_iov];
			size_t k = SK_MIN(v->iov_len, (size_t)put);

			v->iov_base = (uint8_t *)v->iov_base + k;
			v->iov_len -= k;
			put -= (ssize_t)k;
			c->at_iov += v->iov_len == 0;
		}
	}
	c->n_iov = 0;
	c->at_iov = 0;
	c->n_headers = 0;
	return 1;
}

/* --- in --- */

static void verify(struct null_conn *c, const uint8_t *p, uint32_t head, uint32_t n)
{
	uint32_t len = n + sk_pad4(n);

	if (c->header_digest && !sk_digest_ok(p + SK_BHS_LEN, sk_crc32c(SK_CRC32C_INIT, p, SK_BHS_LEN)))
		c->closing = true;
	if (c->data_digest && n && !sk_digest_ok(p + head + len, sk_crc32c(SK_CRC32C_INIT, p + head, len)))
		c->closing = true;
	if (c->closing)
		fprintf(stderr, "null-target: wrong digest\n");
}

static void act(struct null_conn *c, const uint8_t *bhs, const uint8_t *data, uint32_t n)
{
	uint8_t out[SK_BHS_LEN];
	struct sk_nop nop;

	switch (sk_bhs_op(bhs)) {
	case SK_OP_SCSI_CMD:
		null_command(c, bhs, n);
		break;
	case SK_OP_DATA_OUT:
		null_data_out(c, bhs, n);
		break;
	case SK_OP_LOGIN_REQ:
		null_login(c, bhs, (const char *)data, n);
		break;
	case SK_OP_NOP_OUT:
		sk_nop_out_get(bhs, &nop);
		if (nop.itt == SK_TAG_NONE)
			break;
		nop.ttt = SK_TAG_NONE;
		nop.data_len = 0;
		sk_nop_in_put(out, &nop, &c->sn);
		c->sn.stat_sn++;
		null_out(c, out, NULL, 0);
		break;
	case SK_OP_TMF_REQ:
		sk_tmf_rsp_put(out, &(struct sk_tmf_rsp){ SK_TMF_COMPLETE, sk_bhs_itt(bhs) }, &c->sn);
		c->sn.stat_sn++;
		null_out(c, out, NULL, 0);
		break;
	case SK_OP_LOGOUT_REQ:
		sk_logout_rsp_put(out, &(struct sk_logout_rsp){ .itt = sk_bhs_itt(bhs) }, &c->sn);
		c->sn.stat_sn++;
		null_out(c, out, NULL, 0);
		c->closing = true;
		break;
	default:
		fprintf(stderr, "null-target: opcode 0x%02x\n", bhs[0]);
		c->closing = true;
	}
}

/* One PDU of the stage; false when it is not whole, or its answer has no room now */
static bool take(struct null_conn *c)
{
	const uint8_t *p = c->stage + c->head;
	uint32_t have = c->tail - c->head, n, head, need;

	if (have < SK_BHS_LEN || c->closing)
		return false;
	n = sk_bhs_data_len(p);
	head = SK_BHS_LEN + sk_bhs_ahs_len(p) + (c->full_feature && c->header_digest ? SK_DIGEST_LEN : 0);
	need = head + n + sk_pad4(n) + (c->full_feature && c->data_digest && n ? SK_DIGEST_LEN : 0);
	if (need > NULL_STAGE) {
		c->closing = true;
		return false;
	}
	if (have < need || !null_out_room(c, 2 + sk_be32(p + 20) / SK_MAX(c->peer_mrdsl, 512U) % 256))
		return false;
	if (c->cfg->verify && c->full_feature)
		verify(c, p, head, n);
	act(c, p, p + head, n);
	c->head += need;
	return true;
}

/* Answer what is in the stage. 1: all of it, and all is out; 0: the socket is full; -1: it is gone */
static int work(struct null_conn *c)
{
	for (;;) {
		int out = flush(c);
		unsigned n = 0;

		if (out <= 0)
			return out;
		while (take(c) && ++n)
			if (c->cfg->one_pdu_per_send)
				break;
		if (!n && !c->n_iov)
			return 1;
	}
}

/* -1: the connection is over */
static int serve(struct null_conn *c, int ep, uint32_t events)
{
	struct epoll_event ev = { .data.ptr = c };
	ssize_t got;
	int out;

	if (events & EPOLLIN) { /* not asked for while answers wait */
		got = recv(c->fd, c->stage + c->tail, NULL_STAGE - c->tail, MSG_DONTWAIT);
		if (got == 0 || (got < 0 && errno != EAGAIN))
			return -1;
		c->tail += got > 0 ? (uint32_t)got : 0;
	}
	out = work(c);
	if (out < 0 || (out > 0 && c->closing))
		return -1;
	if (c->head == c->tail) {
		c->head = 0;
		c->tail = 0;
	} else if (NULL_STAGE - c->tail < NULL_STAGE / 2) {
		memmove(c->stage, c->stage + c->head, c->tail - c->head);
		c->tail -= c->head;
		c->head = 0;
	}
	ev.events = out > 0 ? EPOLLIN : EPOLLOUT;
	if (ev.events != c->events)
		epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &ev);
	c->events = ev.events;
	return 0;
}

/* --- connections --- */

static struct null_conn *conns;

static void conn_free(struct null_conn *c)
{
	if (c->next)
		c->next->prev = c->prev;
	*(c->prev ? &c->prev->next : &conns) = c->next;
	close(c->fd);
	free(c->stage);
	free(c->headers);
	free(c);
}

static void conn_new(const struct null_cfg *cfg, int ep, int fd)
{
	struct null_conn *c = calloc(1, sizeof(*c));
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
	int one = 1;

	if (!c)
		abort();
	c->cfg = cfg;
	c->fd = fd;
	c->events = EPOLLIN;
	c->initial_r2t = cfg->initial_r2t;
	c->immediate_data = cfg->immediate_data;
	c->peer_mrdsl = 8192;
	c->max_burst = cfg->max_burst;
	c->first_burst = cfg->first_burst;
	c->stage = malloc(NULL_STAGE);
	c->headers = malloc(NULL_HEADERS);
	if (!c->stage || !c->headers)
		abort();
	c->next = conns;
	if (conns)
		conns->prev = c;
	conns = c;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
}

/* SIGUSR1: every connection is closed. SIGUSR2: says how many sessions there are, and how many logins there were. */
static void on_signal(int fd)
{
	struct signalfd_siginfo info;
	unsigned n = 0;

	if (read(fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGUSR1) {
		while (conns)
			conn_free(conns);
		return;
	}
	for (const struct null_conn *c = conns; c; c = c->next)
		n += c->full_feature;
	printf("sessions %u logins %u\n", n, null_logins);
	fflush(stdout);
}

static int signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static int listen_on(uint16_t *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(*port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, NULL_BACKLOG) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) < 0) {
		perror("null-target: listen");
		exit(1);
	}
	*port = ntohs(a.sin_port);
	return fd;
}

static void loop(const struct null_cfg *cfg, int listener)
{
	struct epoll_event ev = { .events = EPOLLIN }, evs[64];
	int ep = epoll_create1(EPOLL_CLOEXEC), sig = signals();
	static char marks_signals;

	epoll_ctl(ep, EPOLL_CTL_ADD, listener, &ev);
	ev.data.ptr = &marks_signals;
	epoll_ctl(ep, EPOLL_CTL_ADD, sig, &ev);
	for (;;) {
		int n = epoll_wait(ep, evs, 64, -1);
		bool signalled = false;

		for (int i = 0; i < n; i++) {
			struct null_conn *c = evs[i].data.ptr;

			if (evs[i].data.ptr == &marks_signals) {
				signalled = true;
			} else if (!c) {
				int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

				if (fd >= 0)
					conn_new(cfg, ep, fd);
			} else if (serve(c, ep, evs[i].events) < 0) {
				conn_free(c);
			}
		}
		if (signalled) /* after the connections of this turn: it may free them */
			on_signal(sig);
	}
}

static void usage(void)
{
	fprintf(stderr,
		"usage: null-target [--port N] [--no-initial-r2t] [--no-immediate-data] [--one-pdu-per-send]\n"
		"                   [--verify] [--mrdsl BYTES] [--max-burst BYTES] [--first-burst BYTES] [--luns N]\n"
		"Prints the port it listens on (127.0.0.1), then serves until killed. SIGUSR1 closes every connection,\n"
		"SIGUSR2 prints how many sessions there are and how many logins there were.\n");
	exit(2);
}

static uint32_t number(const char *s)
{
	uint64_t v;

	if (!sk_num_u64(s, strlen(s), 0, 0xffffff, &v))
		usage();
	return (uint32_t)v;
}

int main(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "port", 1, NULL, 'p' },	{ "no-initial-r2t", 0, NULL, 'r' },
		{ "no-immediate-data", 0, NULL, 'i' }, { "one-pdu-per-send", 0, NULL, '1' },
		{ "verify", 0, NULL, 'v' },	{ "mrdsl", 1, NULL, 'd' },
		{ "max-burst", 1, NULL, 'b' },	{ "first-burst", 1, NULL, 'f' },
		{ "luns", 1, NULL, 'l' },
		{ NULL, 0, NULL, 0 },
	};
	struct null_cfg cfg = { .initial_r2t = true, .immediate_data = true, .mrdsl = 262144, .max_burst = 1U << 20,
				.first_burst = 262144, .blocks = 1ULL << 24, .luns = 2 };
	int o, listener;

	while ((o = getopt_long(argc, argv, "", opts, NULL)) != -1)
		switch (o) {
		case 'p':
			cfg.port = (uint16_t)number(optarg);
			break;
		case 'r':
			cfg.initial_r2t = false;
			break;
		case 'i':
			cfg.immediate_data = false;
			break;
		case '1':
			cfg.one_pdu_per_send = true;
			break;
		case 'v':
			cfg.verify = true;
			break;
		case 'd':
			cfg.mrdsl = number(optarg);
			break;
		case 'b':
			cfg.max_burst = number(optarg);
			break;
		case 'f':
			cfg.first_burst = number(optarg);
			break;
		case 'l':
			cfg.luns = number(optarg);
			if (cfg.luns < 1 || cfg.luns > NULL_LUNS)
				usage();
			break;
		default:
			usage();
		}
	signal(SIGPIPE, SIG_IGN);
	listener = listen_on(&cfg.port);
	printf("%u\n", cfg.port);
	fflush(stdout);
	loop(&cfg, listener);
}
