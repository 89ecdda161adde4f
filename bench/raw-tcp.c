/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The limit: the bytes of a workload moved by plain TCP, no protocol at all, with epoll and one read and one write
 * per wake-up. `raw-tcp serve` answers every `up` bytes with `down` bytes; `raw-tcp run` keeps `depth` of them
 * under way.
 */

#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/num.h"

#define BUF (1U << 20)

struct side {
	uint64_t in_unit, out_unit;	/* bytes per request in the direction read, written */
	uint64_t in_bytes;		/* towards the next whole unit */
	uint64_t owed;			/* bytes to be written */
	uint64_t units;			/* whole units read */
	int fd, ep;
	uint32_t events;
	uint8_t *buf;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void side_init(struct side *s, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int one = 1;

	s->fd = fd;
	s->ep = epoll_create1(EPOLL_CLOEXEC);
	s->events = EPOLLIN;
	s->buf = calloc(1, BUF);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (!s->buf || epoll_ctl(s->ep, EPOLL_CTL_ADD, fd, &ev) < 0)
		die("raw-tcp");
}

static void write_some(struct side *s)
{
	struct epoll_event ev;
	size_t n = (size_t)SK_MIN(s->owed, (uint64_t)BUF);
	ssize_t put = n ? send(s->fd, s->buf, n, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;

	if (put < 0 && errno != EAGAIN)
		return;
	if (put > 0)
		s->owed -= (uint64_t)put;
	ev.events = EPOLLIN | (s->owed ? EPOLLOUT : 0U);
	if (ev.events != s->events)
		epoll_ctl(s->ep, EPOLL_CTL_MOD, s->fd, &ev);
	s->events = ev.events;
}

/* One wake-up; false: the peer is gone */
static bool step(struct side *s)
{
	static uint8_t in[BUF];
	struct epoll_event ev;
	ssize_t got;

	if (epoll_wait(s->ep, &ev, 1, -1) < 0)
		return errno == EINTR;
	if (ev.events & ~(uint32_t)EPOLLOUT) {
		uint64_t units;

		got = recv(s->fd, in, sizeof(in), MSG_DONTWAIT);
		if (got == 0 || (got < 0 && errno != EAGAIN))
			return false;
		s->in_bytes += got > 0 ? (uint64_t)got : 0;
		units = s->in_bytes / s->in_unit;
		s->in_bytes -= units * s->in_unit;
		s->units += units;
		s->owed += units * s->out_unit;
	}
	write_some(s);
	return true;
}

static void serve(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;

	if (l < 0 || bind(l, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(l, 4) < 0 ||
	    getsockname(l, (struct sockaddr *)&a, &len) < 0)
		die("raw-tcp: listen");
	printf("%u\n", ntohs(a.sin_port));
	fflush(stdout);
	while ((fd = accept(l, NULL, NULL)) >= 0) {
		struct side s = { 0 };
		uint64_t units[2]; /* the client says first what a request is */

		if (recv(fd, units, sizeof(units), MSG_WAITALL) == sizeof(units) && units[0] && units[1]) {
			s.in_unit = units[0];
			s.out_unit = units[1];
			side_init(&s, fd);
			while (step(&s))
				continue;
			close(s.ep);
			free(s.buf);
		}
		close(fd);
	}
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double cpu(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void run(uint16_t port, uint64_t up, uint64_t down, uint32_t depth, uint32_t time_s)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct side s = { .in_unit = down, .out_unit = up, .owed = up * depth };
	uint64_t units[2] = { up, down };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	double start, cpu0, t;

	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || send(fd, units, sizeof(units), 0) < 0)
		die("raw-tcp: connect");
	side_init(&s, fd);
	start = seconds();
	cpu0 = cpu();
	write_some(&s);
	while (step(&s) && seconds() < start + time_s)
		continue;
	t = seconds() - start;
	printf("iops=%.0f mb_s=%.1f cpu_us=%.3f\n", (double)s.units / t,
	       (double)s.units * (double)SK_MAX(up, down) / t / 1e6,
	       (cpu() - cpu0) * 1e6 / (double)SK_MAX(s.units, (uint64_t)1));
}

static void usage(void)
{
	fprintf(stderr,
		"usage: raw-tcp serve [--port N] | run --port N --up BYTES --down BYTES [--depth N] [--time S]\n");
	exit(2);
}

int main(int argc, char **argv)
{
	static const struct option opts[] = { { "port", 1, NULL, 0 }, { "up", 1, NULL, 1 },
					      { "down", 1, NULL, 2 }, { "depth", 1, NULL, 3 },
					      { "time", 1, NULL, 4 }, { NULL, 0, NULL, 0 } };
	uint64_t v[5] = { 0, 48, 48 + 4096, 32, 3 };
	int o;

	while ((o = getopt_long(argc, argv, "", opts, NULL)) != -1)
		if (o < 0 || o > 4 || !sk_num_u64(optarg, strlen(optarg), 0, 1U << 30, &v[o]))
			usage();
	if (optind >= argc)
		usage();
	if (!strcmp(argv[optind], "serve"))
		serve((uint16_t)v[0]);
	else if (!strcmp(argv[optind], "run") && v[0] && v[1] && v[2])
		run((uint16_t)v[0], v[1], v[2], (uint32_t)v[3], (uint32_t)v[4]);
	else
		usage();
	return 0;
}
