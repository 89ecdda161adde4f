/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two locks. Ours is an OFD lock on dbroot/.siskin/lock: the kernel releases it when its owner dies, and every
 * mount namespace that sees the database sees it. The incumbent's is the hard link lock.write in its lock
 * directory, which nothing releases but its owner. We take that one as well where we can: the file behind our link
 * is one of our own with an OFD lock on it, so that whoever finds the link can tell whether we live. One the incumbent
 * left behind is removed when nobody can be its owner (foreign.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "record/foreign.h"
#include "record/store_impl.h"

#define MARK "siskin "
#define LOOK_FROM_MS 16	/* between two attempts, before processes are looked at */
#define HEEDED_S 30	/* so long the incumbent heeds its own lock */

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Wait before the next attempt: 1 ms at first, 20 ms at last. False when the time is up. */
static bool rest(int64_t deadline, unsigned *ms)
{
	struct timespec t = { 0 };

	if (now_ms() >= deadline)
		return false;
	t.tv_nsec = (long)*ms * 1000000;
	nanosleep(&t, NULL);
	*ms = *ms < 10 ? *ms * 2 : 20;
	return true;
}

static int ofd_lock(int fd)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_SETLK, &l);
}

static void write_owner(int fd)
{
	char text[64];
	int n = snprintf(text, sizeof(text), MARK "%ld\n", (long)getpid());

	/* The number is only for messages, whether we live is told by the lock: failing here costs nothing. */
	if (n <= 0 || ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) < 0)
		return;
}

static void read_owner(int fd, char *ret, size_t size)
{
	char text[64] = { 0 };
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	snprintf(ret, size, "an unknown process");
	if (n > (ssize_t)strlen(MARK) && strncmp(text, MARK, strlen(MARK)) == 0) {
		size_t digits = strspn(text + strlen(MARK), "0123456789");

		snprintf(ret, size, "process %.*s", (int)digits, text + strlen(MARK));
	}
}

static int take_own(struct sk_store *s, int64_t deadline, struct sk_err *err)
{
	char owner[80];
	unsigned ms = 1;

	if (sk_store_aux(s, err) < 0)
		return -1;
	s->lock_fd = openat(s->aux, "lock", O_CREAT | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (s->lock_fd < 0)
		return sk_db_fail(err, errno, "open %s/.siskin/lock", s->root_path);
	while (ofd_lock(s->lock_fd) < 0) {
		if (errno != EAGAIN && errno != EACCES && errno != EINTR) {
			sk_db_fail(err, errno, "lock %s", s->root_path);
			sk_fd_close(&s->lock_fd);
			return -1;
		}
		if (!rest(deadline, &ms)) {
			read_owner(s->lock_fd, owner, sizeof(owner));
			sk_fd_close(&s->lock_fd);
			return sk_fail(err, SK_EDB, "the database %s is locked by %s", s->root_path, owner);
		}
	}
	write_owner(s->lock_fd);
	return 0;
}

/* A file of our own to put behind the link. -1: there is no lock directory for us, and no incumbent either. */
static int own_file(struct sk_store *s, char *path, size_t size)
{
	char parent[sizeof(s->lockdir)];
	char *slash;
	int fd;

	snprintf(parent, sizeof(parent), "%s", s->lockdir);
	slash = strrchr(parent, '/');
	if (slash && slash != parent) {
		*slash = '\0';
		(void)mkdir(parent, 0700);
	}
	(void)mkdir(s->lockdir, 0700);
	snprintf(path, size, "%s/lock.%ld", s->lockdir, (long)getpid());
	fd = open(path, O_CREAT | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0 && ofd_lock(fd) < 0)
		sk_fd_close(&fd);
	if (fd >= 0)
		write_owner(fd);
	return fd;
}

/* Whose is the link? If it is one of ours and its owner died, it is removed. */
static void break_dead(const char *link)
{
	SK_FD int fd = open(link, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char text[sizeof(MARK)] = { 0 };
	struct stat ours, now;

	if (fd < 0 || pread(fd, text, strlen(MARK), 0) != (ssize_t)strlen(MARK) || strcmp(text, MARK) != 0)
		return;
	if (ofd_lock(fd) < 0)
		return;	/* it lives */
	/* Nobody else can hold this lock now; is the link still this file? */
	if (fstat(fd, &ours) == 0 && lstat(link, &now) == 0 && ours.st_ino == now.st_ino &&
	    ours.st_dev == now.st_dev)
		(void)unlink(link);
}

/* The same for a link of the incumbent, an empty file: is there nobody left to own it? */
static void break_stale(struct sk_store *s, long *ret_pid)
{
	struct stat st, now;
	struct timespec t;
	enum sk_foreign holder;

	if (lstat(s->link_path, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size != 0)
		return;
	holder = sk_foreign_holder(s->proc, (long)getpid(), ret_pid);
	clock_gettime(CLOCK_REALTIME, &t);
	if (holder == SK_FOREIGN_ALIVE || (holder == SK_FOREIGN_UNSEEN && t.tv_sec - st.st_ctim.tv_sec < HEEDED_S))
		return;
	/* Each time it is taken or given back its ctime changes. Only one of us is here: it holds our own lock. */
	if (lstat(s->link_path, &now) < 0 || now.st_ino != st.st_ino || now.st_ctim.tv_sec != st.st_ctim.tv_sec ||
	    now.st_ctim.tv_nsec != st.st_ctim.tv_nsec)
		return;
	if (unlink(s->link_path) == 0)
		sk_notice(SK_ROOM_RECORD, "%s was left by a program that is gone: removed", s->link_path);
}

static int link_timeout(const char *link, long pid, struct sk_err *err)
{
	SK_FD int fd = open(link, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char owner[80] = "an unknown process";

	if (fd >= 0)
		read_owner(fd, owner, sizeof(owner));
	if (pid)
		snprintf(owner, sizeof(owner), "another program, maybe process %ld,", pid);
	return sk_fail(err, SK_EDB,
		       "the database is locked by %s through %s; remove that file if no iscsiadm is running", owner,
		       link);
}

static int take_link(struct sk_store *s, int64_t deadline, struct sk_err *err)
{
	char mine[sizeof(s->link_path)];
	unsigned ms = 1;
	long pid = 0;
	int rc = 0;

	s->link_fd = own_file(s, mine, sizeof(mine));
	if (s->link_fd < 0)
		return 0;
	snprintf(s->link_path, sizeof(s->link_path), "%s/lock.write", s->lockdir);
	while (link(mine, s->link_path) < 0) {
		if (errno != EEXIST) {	/* this directory gives no locks: ours alone must do */
			sk_fd_close(&s->link_fd);
			break;
		}
		break_dead(s->link_path);
		if (ms >= LOOK_FROM_MS)	/* the incumbent holds it for a few milliseconds */
			break_stale(s, &pid);
		if (!rest(deadline, &ms)) {
			rc = link_timeout(s->link_path, pid, err);
			sk_fd_close(&s->link_fd);
			break;
		}
	}
	(void)unlink(mine);
	return rc;
}

int sk_store_lock(struct sk_store *s, unsigned timeout_ms, struct sk_err *err)
{
	int64_t deadline = now_ms() + timeout_ms;

	if (s->depth > 0) {
		s->depth++;
		return 0;
	}
	if (take_own(s, deadline, err) < 0)
		return -1;
	if (take_link(s, deadline, err) < 0) {
		sk_fd_close(&s->lock_fd);
		return -1;
	}
	s->depth = 1;
	if (sk_change_recover(s, err) == 0)
		return 0;
	sk_store_unlock(s);
	return -1;
}

void sk_store_unlock(struct sk_store *s)
{
	struct stat ours, now;

	if (s->depth == 0 || --s->depth > 0)
		return;
	/* Others take over a lock they believe stale: remove the link only while it is ours. */
	if (s->link_fd >= 0 && fstat(s->link_fd, &ours) == 0 && lstat(s->link_path, &now) == 0 &&
	    ours.st_ino == now.st_ino && ours.st_dev == now.st_dev)
		(void)unlink(s->link_path);
	sk_fd_close(&s->link_fd);
	sk_fd_close(&s->lock_fd);
}
