/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * "nodes" may be a link to another file system (files.c says which links are followed), where an entry cannot be renamed
 * to from .siskin, nor back. So it is copied: under a hidden name that no reader of the tree looks at, synced, and
 * renamed in its own file system. Each move can be repeated, as the journal asks for.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "record/store_impl.h"

#define PASSING ".siskin-passing"

/* 0 or a negative errno */
static int copy_link(int from, const char *a, int to)
{
	char target[sizeof(struct sk_path) + 300];
	ssize_t n = readlinkat(from, a, target, sizeof(target));

	if (n < 0)
		return -errno;
	if ((size_t)n == sizeof(target))
		return -ENAMETOOLONG;
	target[n] = '\0';
	return symlinkat(target, to, PASSING) < 0 ? -errno : 0;
}

static int copy_file(int from, const char *a, int to)
{
	SK_FD int fd = openat(from, a, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	SK_BUF struct sk_buf text = { 0 };
	struct sk_err why = { 0 };

	if (fd < 0)
		return -errno;
	if (sk_file_slurp(fd, SK_RECORD_MAX, &text, &why) < 0)
		return why.sys ? -why.sys : -EINVAL;
	return sk_file_write(to, PASSING, sk_buf_span(&text), true) < 0 ? -errno : 0;
}

/* @a of @from as @b of @to, by way of @via, which lies on the file system of @to. */
static int copy(int from, const char *a, int via, int to, const char *b)
{
	struct stat st;
	int rc;

	if (fstatat(from, a, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	(void)unlinkat(via, PASSING, 0);	/* of one that was interrupted */
	rc = S_ISLNK(st.st_mode) ? copy_link(from, a, via) : copy_file(from, a, via);
	if (rc == 0 && (renameat(via, PASSING, to, b) < 0 || fsync(to) < 0))
		rc = -errno;
	if (rc < 0)
		(void)unlinkat(via, PASSING, 0);
	return rc;
}

int sk_entry_move(struct sk_store *s, int from, const char *a, int to, const char *b)
{
	SK_FD int nodes = -1;
	int rc;

	if (renameat(from, a, to, b) == 0)
		return 0;
	if (errno != EXDEV)
		return -errno;
	nodes = sk_beneath(s->root, "nodes", O_RDONLY | O_DIRECTORY, 0);
	rc = nodes < 0 ? -EXDEV : copy(from, a, to == s->aux ? s->aux : nodes, to, b);
	return rc == 0 && unlinkat(from, a, 0) < 0 ? -errno : rc;
}

int sk_entry_moved(struct sk_store *s, int dir, const char *base)
{
	struct stat there, here;

	if (fstat(dir, &there) < 0 || fstat(s->aux, &here) < 0)
		return -errno;
	if (there.st_dev == here.st_dev)
		return 0;	/* a rename leaves nothing */
	return unlinkat(dir, base, 0) < 0 && errno != ENOENT ? -errno : 0;
}

int sk_entry_keep(struct sk_store *s, int dir, const char *base, const char *old)
{
	if (linkat(dir, base, s->aux, old, 0) == 0)
		return 0;
	return errno == EXDEV ? copy(dir, base, s->aux, s->aux, old) : -errno;
}
