/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mgmt/activation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"
#include "mgmt/address.h"

/* sd_listen_fds(3) and sd_notify(3) are two variables and a datagram: done here rather than with a library. */

#define INHERITED 3

static bool env_is(const char *name, uint64_t want)
{
	const char *s = getenv(name);
	uint64_t v;

	return s && sk_num_u64(s, strlen(s), want, want, &v);
}

unsigned sk_mgmt_listen_passed(void)
{
	const char *s = getenv("LISTEN_FDS");
	uint64_t n;

	if (!s || !env_is("LISTEN_PID", (uint64_t)getpid()) || !sk_num_u64(s, strlen(s), 0, 1024, &n))
		return 0;
	return (unsigned)n;
}

static int sockopt(int fd, int opt)
{
	int v = -1;
	socklen_t len = sizeof(v);

	return getsockopt(fd, SOL_SOCKET, opt, &v, &len) < 0 ? -1 : v;
}

int sk_mgmt_listen_inherited(struct sk_err *err)
{
	bool ours = env_is("LISTEN_PID", (uint64_t)getpid()) && env_is("LISTEN_FDS", 1);
	int flags;

	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	if (!ours)
		return sk_fail(err, SK_ENOENT, "no socket was passed");
	if (sockopt(INHERITED, SO_DOMAIN) != AF_UNIX || sockopt(INHERITED, SO_TYPE) != SOCK_STREAM ||
	    sockopt(INHERITED, SO_ACCEPTCONN) != 1)
		return sk_fail(err, SK_EINVAL, "descriptor %d is not a listening local stream socket", INHERITED);
	flags = fcntl(INHERITED, F_GETFL);
	if (flags < 0 || fcntl(INHERITED, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    fcntl(INHERITED, F_SETFD, FD_CLOEXEC) < 0)
		return sk_fail_sys(err, errno, "descriptor %d", INHERITED);
	return INHERITED;
}

int sk_mgmt_notify(const char *state, struct sk_err *err)
{
	const char *where = getenv("NOTIFY_SOCKET");
	struct sk_unix to;
	SK_FD int fd = -1;
	ssize_t n;
	int sys;

	if (!where || !where[0])
		return 0;
	if ((where[0] == '@' ? sk_unix_abstract(where + 1, false, &to, err) : sk_unix_path(where, &to, err)) < 0)
		return sk_in(err, "NOTIFY_SOCKET");
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		sys = errno;
		sk_unix_done(&to);
		return sk_fail_sys(err, sys, "socket");
	}
	n = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&to.un, to.len);
	sys = errno;
	sk_unix_done(&to);
	return n < 0 ? sk_fail_sys(err, sys, "notify %s", where) : 0;
}
