/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "mgmt/address.h"
#include "mgmt/server.h"

#define BACKLOG 4096 /* who connects while running sessions are taken over waits there; the kernel has a limit of its own */

static int bind_listen(int fd, const struct sk_unix *u)
{
	if (bind(fd, (const struct sockaddr *)&u->un, u->len) < 0)
		return errno;
	return listen(fd, BACKLOG) < 0 ? errno : 0;
}

static int new_socket(struct sk_err *err)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return sk_fail_sys(err, errno, "socket");
	return fd;
}

int sk_mgmt_listen_abstract(const char *name, struct sk_err *err)
{
	struct sk_unix u;
	SK_FD int fd = -1;
	int sys;

	if (sk_unix_abstract(name, false, &u, err) < 0)
		return -1;
	fd = new_socket(err);
	if (fd < 0)
		return -1;
	sys = bind_listen(fd, &u);
	if (sys == EADDRINUSE) {
		sk_fail_sys(err, sys, "listen on @%s", name);
		err->code = SK_EBUSY;
		return -1;
	}
	if (sys)
		return sk_fail_sys(err, sys, "listen on @%s", name);
	return sk_give_fd(&fd);
}

/* Does anybody listen behind this name? A socket file outlives the process that made it. */
static bool alive(const struct sk_unix *u)
{
	SK_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd < 0 || connect(fd, (const struct sockaddr *)&u->un, u->len) == 0 || errno != ECONNREFUSED;
}

static int take_path(int fd, const struct sk_unix *u, const char *path, struct sk_err *err)
{
	struct stat st;
	int sys;

	if (fchmod(fd, 0600) <
	    0) /* the file is made with the socket's mode: never open to others, not for a moment */
		return sk_fail_sys(err, errno, "mode of %s", path);
	sys = bind_listen(fd, u);
	if (sys == EADDRINUSE) {
		if (lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode) || alive(u))
			return sk_fail(err, SK_EBUSY, "%s is in use", path);
		if (unlink(path) < 0 && errno != ENOENT)
			return sk_fail_sys(err, errno, "remove %s", path);
		sys = bind_listen(fd, u);
	}
	return sys ? sk_fail_sys(err, sys, "listen on %s", path) : 0;
}

int sk_mgmt_listen_path(const char *path, struct sk_err *err)
{
	struct sk_unix u;
	SK_FD int fd = -1;
	int rc;

	if (sk_unix_path(path, &u, err) < 0)
		return -1;
	fd = new_socket(err);
	rc = fd < 0 ? -1 : take_path(fd, &u, path, err);
	sk_unix_done(&u);
	return rc < 0 ? -1 : sk_give_fd(&fd);
}
