/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "datapath/fuse/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

#define HELPER "fusermount3"
#define HELPER_MS 10000

#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256	/* Linux 5.10; ignored before */
#endif
/* Who answers there is not trusted: what root opens below must be a plain file and nothing else. */
#define FLAGS (MS_NOSUID | MS_NODEV | MS_NOATIME | MS_NOEXEC | MS_NOSYMFOLLOW)

static int mount_as_root(const char *dir, uint32_t max_io, int *ret_fd, struct sk_err *err)
{
	SK_FD int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	char options[160];

	if (fd < 0 && (errno == ENOENT || errno == ENODEV || errno == ENXIO))
		return sk_fail(err, SK_ENOENT, "this kernel has no FUSE: load it with \"modprobe fuse\" (open /dev/fuse: %s)",
			       strerror(errno));
	if (fd < 0)
		return sk_fail_sys(err, errno, "open /dev/fuse");
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,max_read=%" PRIu32, fd, max_io);
	if (mount("siskin", dir, "fuse.siskin", FLAGS, options) < 0)
		return sk_fail_sys(err, errno, "mount FUSE at %s", dir);
	*ret_fd = sk_give_fd(&fd);
	return 0;
}

/* The helper's environment: ours, with the socket's number in front */
static char **with_socket(char *entry)
{
	size_t n = 0;
	char **env;

	while (environ[n])
		n++;
	env = calloc(n + 2, sizeof(char *));
	if (!env)
		return NULL;
	env[0] = entry;
	memcpy(env + 1, environ, n * sizeof(char *));
	return env;
}

static int spawn_helper(char *const argv[], int keep_fd, pid_t *ret, struct sk_err *err)
{
	char entry[40];
	SK_MEM char **env = NULL;
	posix_spawn_file_actions_t fa;
	int rc;

	snprintf(entry, sizeof(entry), "_FUSE_COMMFD=%d", keep_fd);
	env = with_socket(entry);
	if (!env)
		return sk_fail(err, SK_ENOMEM, "no memory");
	posix_spawn_file_actions_init(&fa);
	if (keep_fd >= 0)
		posix_spawn_file_actions_adddup2(&fa, keep_fd, keep_fd);	/* the same number: close-on-exec is lifted */
	rc = posix_spawnp(ret, HELPER, &fa, NULL, argv, env);
	posix_spawn_file_actions_destroy(&fa);
	return rc ? sk_fail_sys(err, rc, "start " HELPER) : 0;
}

static int await_helper(pid_t pid, struct sk_err *err)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return sk_fail_sys(err, errno, "wait for " HELPER);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return sk_fail(err, SK_EACCES, HELPER " refused");
	return 0;
}

static int receive_fd(int sock, int *ret_fd, struct sk_err *err)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	struct pollfd p = { .fd = sock, .events = POLLIN };
	const struct cmsghdr *c;

	if (poll(&p, 1, HELPER_MS) != 1 || recvmsg(sock, &m, MSG_CMSG_CLOEXEC) < 0)
		return sk_fail(err, SK_ETIME, HELPER " sent nothing");
	c = CMSG_FIRSTHDR(&m);
	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(int)))
		return sk_fail(err, SK_EACCES, HELPER " sent no descriptor");
	memcpy(ret_fd, CMSG_DATA(c), sizeof(int));
	return 0;
}

static int mount_by_helper(const char *dir, uint32_t max_io, int *ret_fd, struct sk_err *err)
{
	char options[160];
	int pair[2], rc;
	pid_t pid;
	char *argv[] = { (char[]){ HELPER }, (char[]){ "-o" }, options, (char[]){ "--" }, (char *)(uintptr_t)dir, NULL };

	snprintf(options, sizeof(options), "rw,nosuid,nodev,noexec,noatime,fsname=siskin,subtype=siskin,max_read=%" PRIu32,
		 max_io);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return sk_fail_sys(err, errno, "socketpair");
	rc = spawn_helper(argv, pair[0], &pid, err);
	close(pair[0]);
	if (!rc) {
		rc = receive_fd(pair[1], ret_fd, err);
		if (await_helper(pid, rc ? NULL : err) < 0 && !rc) {
			sk_fd_close(ret_fd);
			rc = -1;
		}
	}
	close(pair[1]);
	return rc;
}

int sk_fuse_mount(const char *dir, uint32_t max_io, int *ret_fd, struct sk_err *err)
{
	if (geteuid() == 0)
		return mount_as_root(dir, max_io, ret_fd, err);
	return mount_by_helper(dir, max_io, ret_fd, err);
}

int sk_fuse_unmount(const char *dir, bool lazy, struct sk_err *err)
{
	char *argv[] = { (char[]){ HELPER }, (char *)(uintptr_t)(lazy ? "-uqz" : "-uq"), (char[]){ "--" },
			 (char *)(uintptr_t)dir, NULL };
	pid_t pid;

	if (geteuid() == 0) {
		if (umount2(dir, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) == 0 || errno == EINVAL || errno == ENOENT)
			return 0;	/* EINVAL: not a mount point */
		return errno == EBUSY ? sk_fail(err, SK_EBUSY, "%s is in use", dir) :
					sk_fail_sys(err, errno, "unmount %s", dir);
	}
	if (spawn_helper(argv, -1, &pid, err) < 0)
		return -1;
	return await_helper(pid, err);
}
