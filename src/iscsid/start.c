/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "iscsid/daemon.h"
#include "mgmt/activation.h"
#include "proto/chap.h"

#define ABSTRACT_NAME "ISCSIADM_ABSTRACT_NAMESPACE"
#define FILES_MAX 16384
#define OOM_NEVER "-1000"
#define NICE (-10)

/* --- sockets ------------------------------------------------------------------------------------------------- */

/* Whoever started us may have left pipes, sockets and terminals open: they would stay so as long as we run, and be handed
 * on to nobody's use. Runs before anything is opened. */
void sk_daemon_close_inherited(void)
{
	unsigned first = 3 + sk_mgmt_listen_passed();
	int fd;

	do	/* the standard three are there, if only as nothing */
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd < 3);
	if (close_range(first, ~0U, 0) == 0)
		return;
	for (unsigned i = first; i < FILES_MAX; i++)	/* Linux before 5.9 */
		(void)close((int)i);
}

static int lock_file(const char *path, int *ret_fd, struct sk_err *err)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	SK_FD int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return sk_fail_sys(err, errno, "open %s", path);
	if (fcntl(fd, F_OFD_SETLK, &lock) < 0)
		return sk_fail(err, SK_EBUSY, "another iscsid holds %s", path);
	*ret_fd = sk_give_fd(&fd);
	return 0;
}

static void add_listen(struct sk_daemon *d, int fd)
{
	d->listen_fds[d->n_listen++] = fd;
}

static int open_sockets(struct sk_daemon *d, struct sk_err *err)
{
	char path[400];
	int fd;

	if (mkdir(d->places.rundir, 0700) < 0 && errno != EEXIST)
		return sk_fail_sys(err, errno, "create %s", d->places.rundir);
	snprintf(path, sizeof(path), "%s/iscsid.lock", d->places.rundir);
	if (lock_file(path, &d->lock_fd, err) < 0)
		return -1;
	fd = sk_mgmt_listen_inherited(err);
	if (fd < 0 && err->code != SK_ENOENT)
		return -1;
	if (fd < 0 && !d->places.private_instance) {
		fd = sk_mgmt_listen_abstract(ABSTRACT_NAME, err);
		if (fd < 0)
			return -1;
	}
	if (fd >= 0)
		add_listen(d, fd);
	snprintf(path, sizeof(path), "%s/iscsid.sock", d->places.rundir);
	fd = sk_mgmt_listen_path(path, err);
	if (fd < 0)
		return -1;
	add_listen(d, fd);
	return 0;
}

int sk_daemon_sockets(struct sk_daemon *d)
{
	struct sk_err err = { 0 };

	umask(0077);
	if (open_sockets(d, &err) == 0)
		return 0;
	sk_error(SK_ROOM_DOOR, "Can not bind IPC socket: %s", err.msg);
	return -1;
}

/* --- background ---------------------------------------------------------------------------------------------- */

static int open_pid_file(struct sk_daemon *d)
{
	char path[400];
	struct sk_err err = { 0 };

	if (d->opts.no_pid_file)
		return 0;
	if (d->opts.pid_file)
		snprintf(path, sizeof(path), "%s", d->opts.pid_file);
	else if (d->places.private_instance)
		snprintf(path, sizeof(path), "%s/iscsid.pid", d->places.rundir);
	else
		snprintf(path, sizeof(path), "/run/iscsid.pid");
	if (lock_file(path, &d->pid_fd, &err) == 0)
		return 0;
	sk_error(SK_ROOM_DOOR, "pid file: %s", err.msg);
	return -1;
}

static int write_pid(const struct sk_daemon *d)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

	return d->pid_fd < 0 || (ftruncate(d->pid_fd, 0) == 0 && pwrite(d->pid_fd, text, (size_t)n, 0) == n) ? 0 : -1;
}

/* The parent goes when the child is ready, or with 1 when the child went first. */
static _Noreturn void wait_for_child(int fd)
{
	char ok = 0;
	ssize_t n;

	do
		n = read(fd, &ok, 1);
	while (n < 0 && errno == EINTR);
	_exit(n == 1 && ok == 'R' ? 0 : 1);
}

static void detach_stdio(void)
{
	SK_FD int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; null >= 0 && fd <= 2; fd++)
		(void)dup2(null, fd);
}

int sk_daemon_background(struct sk_daemon *d)
{
	int fds[2];
	pid_t pid;

	if (open_pid_file(d) < 0)
		return -1;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	pid = fork();
	if (pid < 0)
		return -1;
	if (pid > 0) {
		close(fds[1]);
		wait_for_child(fds[0]);
	}
	close(fds[0]);
	d->ready_fd = fds[1];
	(void)setsid();
	if (chdir("/") < 0 || write_pid(d) < 0) {
		sk_error(SK_ROOM_DOOR, "write pid file: %s", strerror(errno));
		return -1;
	}
	detach_stdio();
	return 0;
}

void sk_daemon_ready(struct sk_daemon *d)
{
	struct sk_err err = { 0 };

	if (sk_mgmt_notify("READY=1\nSTATUS=Ready to process requests\n", &err) < 0)
		sk_warning(SK_ROOM_DOOR, "notify the service manager: %s", err.msg);
	if (d->ready_fd >= 0 && write(d->ready_fd, "R", 1) != 1)
		sk_debug(SK_ROOM_DOOR, "nobody waits for us");
	sk_fd_close(&d->ready_fd);
}

/* --- privileges ---------------------------------------------------------------------------------------------- */

static void raise_files(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur >= FILES_MAX)
		return;
	if (r.rlim_max < FILES_MAX) {
		struct rlimit more = { FILES_MAX, FILES_MAX };

		if (setrlimit(RLIMIT_NOFILE, &more) == 0)
			return;
	}
	r.rlim_cur = r.rlim_max < FILES_MAX ? r.rlim_max : FILES_MAX;
	if (setrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur < FILES_MAX)
		sk_warning(SK_ROOM_DOOR, "at most %llu descriptors: about half as many sessions", (unsigned long long)r.rlim_cur);
}

static void spare_from_oom(void)
{
	SK_FD int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, OOM_NEVER, sizeof(OOM_NEVER) - 1) < 0)
		sk_debug(SK_ROOM_DOOR, "oom_score_adj: %s", strerror(errno));
}

/* Locked pages keep a recovery from waiting for the very disk it is to bring back: those mapped now, code of paths never taken
 * included, come in at once, later ones are locked as they are touched. Only with no limit in the way: with one, MCL_FUTURE
 * would make later allocations fail. */
static void lock_memory(void)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };

	(void)mallopt(M_ARENA_MAX, 1); /* threads of ours allocate next to nothing: a heap for each would only be locked too */
	if (setrlimit(RLIMIT_MEMLOCK, &unlimited) < 0 || mlockall(MCL_CURRENT) < 0 || mlockall(MCL_FUTURE | MCL_ONFAULT) < 0)
		sk_warning(SK_ROOM_DOOR, "memory is not locked: %s", strerror(errno));
}

/* The crypto library reads its configuration and loads providers when it is first used: now, while all disks are there. */
static void warm_up(void)
{
	static const enum sk_chap_alg algs[] = { SK_CHAP_MD5, SK_CHAP_SHA1, SK_CHAP_SHA256, SK_CHAP_SHA3_256 };

	for (size_t i = 0; i < SK_ARRAY_LEN(algs); i++)
		(void)sk_chap_alg_usable(algs[i]);
}

void sk_daemon_harden(const struct sk_daemon *d)
{
	(void)d;
	warm_up();
	raise_files();
	spare_from_oom();
	if (setpriority(PRIO_PROCESS, 0, NICE) < 0)
		sk_debug(SK_ROOM_DOOR, "nice %d: %s", NICE, strerror(errno));
	lock_memory();
#ifdef PR_SET_IO_FLUSHER
	if (prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) < 0)
		sk_debug(SK_ROOM_DOOR, "PR_SET_IO_FLUSHER: %s", strerror(errno));
#endif
}

int sk_daemon_drop(const struct sk_daemon *d)
{
	if (geteuid() == 0 && setgroups(0, NULL) < 0)
		sk_warning(SK_ROOM_DOOR, "supplementary groups stay: %s", strerror(errno));
	if (d->opts.set_gid && setgid(d->opts.gid) < 0) {
		sk_error(SK_ROOM_DOOR, "setgid %u: %s", (unsigned)d->opts.gid, strerror(errno));
		return -1;
	}
	if (d->opts.set_uid && setuid(d->opts.uid) < 0) {
		sk_error(SK_ROOM_DOOR, "setuid %u: %s", (unsigned)d->opts.uid, strerror(errno));
		return -1;
	}
	return 0;
}
