/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The incumbent's lock names no owner and outlives one that is killed. Its own programs wait 30 s and more and then take
 * it; nobody need wait who can see that nobody is left to own it.
 *
 * Who may own it: a process called iscsiadm or iscsid that is not one of ours, or one with the incumbent's library.
 * The lock is held around file operations alone, so a process that waits for a socket or for the time to pass does not own
 * it. Where other processes cannot be seen (a process namespace) only age tells: after 30 s the incumbent's own programs
 * no longer heed it.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "record/foreign.h"

#define TEXT_MAX (1u << 20)	/* of /proc/PID/maps */

/* In every program of ours that takes the lock: what an executable file is searched for. */
static const char ours[] __attribute__((used)) = "siskin takes " "lock.write with an owner";

static bool slurp(int dir, const char *name, struct sk_buf *ret)
{
	SK_FD int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	char part[4096];
	ssize_t n;

	if (fd < 0)
		return false;
	while ((n = read(fd, part, sizeof(part))) > 0 && ret->n < TEXT_MAX)
		sk_buf_add(ret, part, (size_t)n);
	return n >= 0 && !ret->nomem;
}

static bool says(int dir, const char *name, const char *text)
{
	SK_BUF struct sk_buf b = { 0 };

	return slurp(dir, name, &b) && b.n && strstr(sk_buf_cstr(&b), text);
}

static bool is_called(int dir, const char *name)
{
	SK_BUF struct sk_buf b = { 0 };
	size_t n = strlen(name);

	return slurp(dir, "comm", &b) && b.n == n + 1 && memcmp(b.p, name, n) == 0;
}

/* Does the program carry our mark? */
static bool is_ours(int dir)
{
	SK_FD int fd = openat(dir, "exe", O_RDONLY | O_CLOEXEC);
	struct stat st;
	bool found;
	void *p;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0)
		return false;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return false;
	found = memmem(p, (size_t)st.st_size, ours, sizeof(ours) - 1);
	munmap(p, (size_t)st.st_size);
	return found;
}

/* In a call that whoever holds the lock never makes? */
static bool waits(int dir)
{
	static const long calls[] = {
#ifdef SYS_poll
		SYS_poll, SYS_select, SYS_epoll_wait, SYS_nanosleep, SYS_pause,
#endif
		SYS_ppoll, SYS_pselect6, SYS_epoll_pwait, SYS_clock_nanosleep, SYS_wait4, SYS_waitid,
	};
	SK_BUF struct sk_buf b = { 0 };
	char *end;
	long n;

	if (!slurp(dir, "syscall", &b) || !b.n || !isdigit(b.p[0]))
		return false;	/* "running" */
	n = strtol(sk_buf_cstr(&b), &end, 10);
	for (size_t i = 0; *end == ' ' && i < SK_ARRAY_LEN(calls); i++) {
		if (calls[i] == n)
			return true;
	}
	return false;
}

static bool may_hold(int dir)
{
	if (is_called(dir, "iscsiadm") || is_called(dir, "iscsid"))
		return !is_ours(dir) && !waits(dir);
	return says(dir, "maps", "libopeniscsiusr.so") && !is_ours(dir) && !waits(dir);
}

/* Is this the first process namespace, where every process has a number? */
static bool sees_all(int proc)
{
	char link[64];
	ssize_t n = readlinkat(proc, "self/ns/pid", link, sizeof(link) - 1);

	if (n < 0)
		return false;
	link[n] = '\0';
	return strcmp(link, "pid:[4026531836]") == 0;	/* PROC_PID_INIT_INO */
}

enum sk_foreign sk_foreign_holder(const char *proc, long self, long *ret_pid)
{
	DIR *d = opendir(proc);
	enum sk_foreign found = SK_FOREIGN_NONE;
	struct dirent *e;

	if (!d)
		return SK_FOREIGN_UNSEEN;
	if (!sees_all(dirfd(d)))
		found = SK_FOREIGN_UNSEEN;
	while (found == SK_FOREIGN_NONE && (e = readdir(d))) {
		SK_FD int dir = -1;
		long pid = isdigit((unsigned char)e->d_name[0]) ? strtol(e->d_name, NULL, 10) : 0;

		if (pid <= 0 || pid == self)
			continue;
		dir = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir < 0 || !may_hold(dir))
			continue;
		*ret_pid = pid;
		found = SK_FOREIGN_ALIVE;
	}
	closedir(d);
	return found;
}
