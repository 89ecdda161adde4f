/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The tree's entries beneath the root: directories made and removed, temporary files written. Temporary entries lie in
 * dbroot/.siskin, on the same file system, where no reader of the tree looks; the caller holds the lock.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "record/store_impl.h"

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

int sk_parent_open(struct sk_store *s, const char *path, const char **ret_base, struct sk_err *err)
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

int sk_file_write(int dir, const char *name, struct sk_span text, bool sync)
{
	SK_FD int fd = -1;

	(void)unlinkat(dir, name, 0);	/* a leftover */
	fd = openat(dir, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || fchmod(fd, 0600) < 0 || write_all(fd, text) < 0 || (sync && fsync(fd) < 0))
		return -1;
	return 0;
}

int sk_temp_write(struct sk_store *s, const char *temp, struct sk_span text, bool sync)
{
	return sk_file_write(s->aux, temp, text, sync);
}

static int make_dir(struct sk_store *s, const char *path, struct sk_names *made, struct sk_err *err)
{
	const char *base;
	SK_FD int dir = sk_parent_open(s, path, &base, err);

	if (dir < 0)
		return -1;
	if (mkdirat(dir, base, 0700) < 0) {
		if (errno == EEXIST)
			return 0;
		return sk_db_fail(err, errno, "create %s/%s", s->root_path, path);
	}
	if (sk_names_add(made, path) < 0) {
		(void)unlinkat(dir, base, AT_REMOVEDIR);
		return sk_fail(err, SK_ENOMEM, "no memory");
	}
	return fsync(dir) < 0 ? sk_db_fail(err, errno, "sync the directory of %s/%s", s->root_path, path) : 0;
}

int sk_dirs_make(struct sk_store *s, const char *path, struct sk_names *made, struct sk_err *err)
{
	struct sk_path part;

	if (sk_store_is_dir(s, path))
		return 0;
	for (const char *p = path; *p; p++) {
		p += strcspn(p, "/");
		snprintf(part.s, sizeof(part.s), "%.*s", (int)(p - path), path);
		if (make_dir(s, part.s, made, err) < 0)
			return -1;
		if (!*p)
			break;
	}
	if (!sk_store_is_dir(s, path))
		return sk_fail(err, SK_EDB, "%s/%s is not a directory", s->root_path, path);
	return 0;
}

void sk_dir_remove(struct sk_store *s, const char *path)
{
	const char *base;
	SK_FD int dir = sk_parent_open(s, path, &base, NULL);

	if (dir >= 0)
		(void)unlinkat(dir, base, AT_REMOVEDIR);
}

int sk_file_to_dir(struct sk_store *s, const char *path, const char *name, struct sk_err *err)
{
	SK_BUF struct sk_buf text = { 0 };
	SK_FD int old = sk_beneath(s->root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	SK_FD int dir = -1;
	const char *base;
	char inner[300];

	if (old < 0)
		return sk_db_fail(err, errno, "open %s/%s", s->root_path, path);
	if (sk_file_slurp(old, SK_RECORD_MAX, &text, err) < 0)
		return -1;
	snprintf(inner, sizeof(inner), "dir/%s", name);
	(void)unlinkat(s->aux, "dir", 0);	/* the old file of one that was interrupted */
	if ((mkdirat(s->aux, "dir", 0700) < 0 && errno != EEXIST) || sk_temp_write(s, inner, sk_buf_span(&text), true) < 0)
		goto undo;
	dir = sk_parent_open(s, path, &base, err);
	if (dir < 0)
		return -1;
	if (syncfs(s->aux) < 0 || renameat2(s->aux, "dir", dir, base, RENAME_EXCHANGE) < 0 || fsync(dir) < 0)
		goto undo;
	(void)unlinkat(s->aux, "dir", 0);	/* now the old file */
	return 0;
undo:
	sk_db_fail(err, errno, "make a directory of %s/%s", s->root_path, path);
	(void)unlinkat(s->aux, inner, 0);
	(void)unlinkat(s->aux, "dir", AT_REMOVEDIR);
	return -1;
}

bool sk_store_exists(struct sk_store *s, const char *path)
{
	struct stat st;
	const char *base;
	SK_FD int dir = sk_parent_open(s, path, &base, NULL);

	return dir >= 0 && fstatat(dir, base, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

bool sk_store_is_dir(struct sk_store *s, const char *path)
{
	SK_FD int fd = sk_beneath(s->root, path, O_RDONLY | O_DIRECTORY, 0);

	return fd >= 0;
}
