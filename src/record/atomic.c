/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every change of the tree. A crash at any point leaves the old state or the new one. Temporary files lie in
 * dbroot/.siskin, on the same file system, where no reader of the tree looks; the caller holds the lock, so one
 * fixed name is enough and a leftover is simply written over. Inside a bulk (bulk.c) changes are staged instead.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "record/store_impl.h"

#define TEMP "new"

int sk_store_aux(struct sk_store *s, struct sk_err *err)
{
	if (s->aux >= 0)
		return 0;
	if (mkdirat(s->root, ".siskin", 0700) < 0 && errno != EEXIST)
		return sk_db_fail(err, errno, "create %s/.siskin", s->root_path);
	s->aux = openat(s->root, ".siskin", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (s->aux < 0)
		return sk_db_fail(err, errno, "open %s/.siskin", s->root_path);
	return 0;
}

/* The directory of @path's last component, which *ret_base points to. */
static int open_parent(struct sk_store *s, const char *path, const char **ret_base, struct sk_err *err)
{
	const char *slash = strrchr(path, '/');
	char dir[sizeof(struct sk_path)];
	int fd;

	*ret_base = slash ? slash + 1 : path;
	if (slash)
		snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path), path);
	fd = slash ? sk_beneath(s->root, dir, O_RDONLY | O_DIRECTORY, 0) : fcntl(s->root, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return sk_db_fail(err, errno, "open the directory of %s", path);
	return fd;
}

static int write_all(int fd, struct sk_span text)
{
	while (text.n) {
		ssize_t n = write(fd, text.p, text.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		text.p += n;
		text.n -= (size_t)n;
	}
	return 0;
}

int sk_temp_write(struct sk_store *s, const char *temp, struct sk_span text, bool sync)
{
	SK_FD int fd = openat(s->aux, temp, O_CREAT | O_TRUNC | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0 || fchmod(fd, 0600) < 0 || write_all(fd, text) < 0 || (sync && fsync(fd) < 0))
		return -1;
	return 0;
}

/* A bulk commit syncs the whole file system once instead. */
static int sync_dir(struct sk_store *s, int dir, const char *path, struct sk_err *err)
{
	if (!s->unsynced && fsync(dir) < 0)
		return sk_db_fail(err, errno, "sync the directory of %s/%s", s->root_path, path);
	return 0;
}

int sk_temp_place(struct sk_store *s, const char *temp, const char *path, struct sk_err *err)
{
	const char *base;
	SK_FD int dir = open_parent(s, path, &base, err);
	int sys;

	if (dir < 0) {
		(void)unlinkat(s->aux, temp, 0);
		return -1;
	}
	if (renameat(s->aux, temp, dir, base) < 0) {
		sys = errno;
		(void)unlinkat(s->aux, temp, 0);
		return sk_db_fail(err, sys, "write %s/%s", s->root_path, path);
	}
	return sync_dir(s, dir, path, err);
}

int sk_atomic_write(struct sk_store *s, const char *path, struct sk_span text, struct sk_err *err)
{
	int sys;

	if (s->bulk)
		return sk_bulk_write(s, path, text, err);
	if (sk_store_aux(s, err) < 0)
		return -1;
	if (sk_temp_write(s, TEMP, text, true) < 0) {
		sys = errno;
		(void)unlinkat(s->aux, TEMP, 0);
		return sk_db_fail(err, sys, "write %s/%s", s->root_path, path);
	}
	return sk_temp_place(s, TEMP, path, err);
}

int sk_atomic_link(struct sk_store *s, const char *path, const char *target, struct sk_err *err)
{
	char old[sizeof(struct sk_path) + 256];
	const char *base;
	SK_FD int dir = -1;
	ssize_t n;
	int sys;

	if (s->bulk)
		return sk_bulk_link(s, path, target, err);
	if (sk_store_aux(s, err) < 0)
		return -1;
	dir = open_parent(s, path, &base, err);
	if (dir < 0)
		return -1;
	n = readlinkat(dir, base, old, sizeof(old));
	if (n >= 0 && (size_t)n == strlen(target) && memcmp(old, target, (size_t)n) == 0)
		return 0;
	(void)unlinkat(s->aux, TEMP, 0);
	if (symlinkat(target, s->aux, TEMP) < 0 || renameat(s->aux, TEMP, dir, base) < 0) {
		sys = errno;
		(void)unlinkat(s->aux, TEMP, 0);
		return sk_db_fail(err, sys, "link %s/%s", s->root_path, path);
	}
	return sync_dir(s, dir, path, err);
}

int sk_atomic_unlink(struct sk_store *s, const char *path, bool *removed, struct sk_err *err)
{
	struct sk_err why = { 0 };
	const char *base;
	SK_FD int dir = -1;

	if (s->bulk)
		return sk_bulk_unlink(s, path, removed, err);
	dir = open_parent(s, path, &base, &why);
	if (removed)
		*removed = false;
	if (dir < 0 && (why.sys == ENOENT || why.sys == ENOTDIR))
		return 0;
	if (dir < 0) {
		if (err)
			*err = why;
		return -1;
	}
	if (unlinkat(dir, base, 0) < 0) {
		if (errno == ENOENT)
			return 0;
		return sk_db_fail(err, errno, "remove %s/%s", s->root_path, path);
	}
	if (removed)
		*removed = true;
	return sync_dir(s, dir, path, err);
}

static int make_dir(struct sk_store *s, const char *path, struct sk_err *err)
{
	const char *base;
	SK_FD int dir = open_parent(s, path, &base, err);

	if (dir < 0)
		return -1;
	if (mkdirat(dir, base, 0700) < 0) {
		if (errno == EEXIST)
			return 0;
		return sk_db_fail(err, errno, "create %s/%s", s->root_path, path);
	}
	return sync_dir(s, dir, path, err);
}

int sk_atomic_dirs(struct sk_store *s, const char *path, struct sk_err *err)
{
	struct sk_path part;

	if (sk_store_is_dir(s, path))
		return 0;
	if (s->bulk)
		return sk_bulk_dirs(s, path, err);
	for (const char *p = path; *p; p++) {
		p += strcspn(p, "/");
		snprintf(part.s, sizeof(part.s), "%.*s", (int)(p - path), path);
		if (make_dir(s, part.s, err) < 0)
			return -1;
		if (!*p)
			break;
	}
	if (!sk_store_is_dir(s, path))
		return sk_fail(err, SK_EDB, "%s/%s is not a directory", s->root_path, path);
	return 0;
}

int sk_atomic_to_dir(struct sk_store *s, const char *path, const char *name, struct sk_err *err)
{
	SK_BUF struct sk_buf text = { 0 };
	SK_FD int old = sk_beneath(s->root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	SK_FD int dir = -1;
	const char *base;
	int sys;

	if (old < 0)
		return sk_db_fail(err, errno, "open %s/%s", s->root_path, path);
	if (sk_file_slurp(old, SK_RECORD_MAX, &text, err) < 0 || sk_store_aux(s, err) < 0 ||
	    sk_atomic_dirs(s, ".siskin/dir", err) < 0)
		return -1;
	{
		struct sk_path inner;

		snprintf(inner.s, sizeof(inner.s), ".siskin/dir/%s", name);
		if (sk_atomic_write(s, inner.s, sk_buf_span(&text), err) < 0)
			return -1;
	}
	dir = open_parent(s, path, &base, err);
	if (dir < 0)
		return -1;
	if (renameat2(s->aux, "dir", dir, base, RENAME_EXCHANGE) < 0) {
		sys = errno;
		return sk_db_fail(err, sys, "make a directory of %s/%s", s->root_path, path);
	}
	if (fsync(dir) < 0)
		return sk_db_fail(err, errno, "sync the directory of %s/%s", s->root_path, path);
	(void)unlinkat(s->aux, "dir", 0);	/* now the old file */
	return 0;
}

void sk_store_rmdir(struct sk_store *s, const char *path)
{
	const char *base;
	SK_FD int dir = -1;

	if (s->bulk) {
		sk_bulk_rmdir(s, path);
		return;
	}
	dir = open_parent(s, path, &base, NULL);
	if (dir >= 0 && unlinkat(dir, base, AT_REMOVEDIR) == 0)
		(void)sync_dir(s, dir, path, NULL);
}

bool sk_store_exists(struct sk_store *s, const char *path)
{
	struct stat st;
	const char *base;
	SK_FD int dir = open_parent(s, path, &base, NULL);

	return dir >= 0 && fstatat(dir, base, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

bool sk_store_is_dir(struct sk_store *s, const char *path)
{
	SK_FD int fd = sk_beneath(s->root, path, O_RDONLY | O_DIRECTORY, 0);

	return fd >= 0;
}
