/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mgmt/address.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

int sk_unix_abstract(const char *name, bool with_nul, struct sk_unix *ret, struct sk_err *err)
{
	size_t n = strlen(name);
	struct sk_unix u = { .un.sun_family = AF_UNIX, .dir = -1 };

	if (n == 0 || n + 2 > sizeof(u.un.sun_path))
		return sk_fail(err, SK_EINVAL, "an abstract socket name of %zu bytes", n);
	memcpy(u.un.sun_path + 1, name, n);
	u.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n + with_nul);
	*ret = u;
	return 0;
}

/* Longer than sun_path: by way of the open directory. */
static int through_directory(const char *path, struct sk_unix *u, struct sk_err *err)
{
	SK_MEM char *dir = strdup(path);
	char *slash = dir ? strrchr(dir, '/') : NULL;
	int n;

	if (!dir)
		return sk_fail(err, SK_ENOMEM, "no memory");
	if (!slash || strlen(path) >= PATH_MAX)
		return sk_fail(err, SK_EINVAL, "a socket path of %zu bytes", strlen(path));
	*slash = '\0';
	u->dir = open(slash == dir ? "/" : dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (u->dir < 0)
		return sk_fail_sys(err, errno, "open %s", dir);
	n = snprintf(u->un.sun_path, sizeof(u->un.sun_path), "/proc/self/fd/%d/%s", u->dir, slash + 1);
	if (n < 0 || (size_t)n >= sizeof(u->un.sun_path)) {
		sk_unix_done(u);
		return sk_fail(err, SK_EINVAL, "a socket name of %zu bytes", strlen(slash + 1));
	}
	return 0;
}

int sk_unix_path(const char *path, struct sk_unix *ret, struct sk_err *err)
{
	struct sk_unix u = { .un.sun_family = AF_UNIX, .dir = -1 };

	if (!path[0])
		return sk_fail(err, SK_EINVAL, "an empty socket path");
	if (strlen(path) < sizeof(u.un.sun_path))
		memcpy(u.un.sun_path, path, strlen(path) + 1);
	else if (through_directory(path, &u, err) < 0)
		return -1;
	u.len = sizeof(u.un);
	*ret = u;
	return 0;
}

void sk_unix_done(struct sk_unix *u)
{
	sk_fd_close(&u->dir);
}

int sk_unix_peer(int fd, uid_t *ret_uid, pid_t *ret_pid, struct sk_err *err)
{
	struct ucred cred = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return sk_fail_sys(err, errno, "peer credentials");
	*ret_uid = cred.uid;
	if (ret_pid)
		*ret_pid = cred.pid;
	return 0;
}

bool sk_unix_trusted(uid_t peer)
{
	return peer == 0 || peer == geteuid();
}
