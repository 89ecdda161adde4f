/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "isns-worker/worker.h"

/** Which address of the server answers. The library would only say "internal error"; this knows why, and by which address of
 * ours the server sees us. */

static int connected(int fd, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int sys = 0, n;
	socklen_t len = sizeof(sys);

	do
		n = poll(&p, 1, timeout_ms);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return ETIMEDOUT;
	return n < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &sys, &len) < 0 ? errno : sys;
}

static int try(struct sk_worker *w, const struct addrinfo *a, int timeout_ms)
{
	SK_FD int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(w->local);
	int sys = 0;

	if (fd < 0)
		return errno;
	if (connect(fd, a->ai_addr, a->ai_addrlen) < 0)
		sys = errno == EINPROGRESS ? connected(fd, timeout_ms) : errno;
	if (sys)
		return sys;
	memcpy(&w->server, a->ai_addr, a->ai_addrlen);
	return getsockname(fd, (struct sockaddr *)&w->local, &len) < 0 ? errno : 0;
}

int sk_worker_reach(struct sk_worker *w)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
	struct addrinfo *all = NULL;
	char port[8], at[INET6_ADDRSTRLEN + 32] = "";
	int rc, sys = 0, n = 0;

	snprintf(port, sizeof(port), "%u", w->port);
	rc = getaddrinfo(w->host, port, &hints, &all);
	if (rc)
		return sk_fail(&w->err, SK_ERESOLVE, "cannot resolve %s: %s", w->host,
			       rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc));
	for (const struct addrinfo *a = all; a; a = a->ai_next)
		n++;
	for (const struct addrinfo *a = all; a; a = a->ai_next) {
		sys = try(w, a, (int)w->seconds * 1000 / n);
		if (!sys)
			break;
		(void)getnameinfo(a->ai_addr, a->ai_addrlen, at, sizeof(at), NULL, 0, NI_NUMERICHOST);
	}
	freeaddrinfo(all);
	return sys ? sk_fail(&w->err, SK_ECONN, "cannot connect to %s port %u: %s", at, w->port, strerror(sys)) : 0;
}
