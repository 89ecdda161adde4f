/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opening beneath the root, reading whole files, listing directories. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "record/store_impl.h"

int sk_db_fail(struct sk_err *err, int sys, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (sys == ELOOP)
		sk_fail(err, SK_EDB, "%s: only a link of root's to a directory that nobody else may write is followed", text);
	else
		sk_fail_sys(err, sys, "%s", text);
	if (err)
		err->code = sys == ENOENT ? SK_ENOENT : sys == ENOMEM ? SK_ENOMEM : SK_EDB;
	return -1;
}

/* For kernels and sandboxes without openat2: one component after the other, none of them a link. */
static int walk_beneath(int root, const char *path, int flags, mode_t mode)
{
	SK_FD int dir = -1;
	char part[256];

	for (;;) {
		size_t n = strcspn(path, "/");
		int at = dir >= 0 ? dir : root;
		int next;

		if (n == 0 || n >= sizeof(part) || (n <= 2 && strncmp(path, "..", n) == 0)) {
			errno = EXDEV;
			return -1;
		}
		memcpy(part, path, n);
		part[n] = '\0';
		if (path[n] == '\0')
			return openat(at, part, flags | O_NOFOLLOW, mode);
		next = openat(at, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0)
			return -1;
		sk_fd_close(&dir);
		dir = next;
		path += n + 1;
	}
}

static int open_beneath(int root, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC | O_NOFOLLOW),
		.mode = flags & O_CREAT ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};
	long fd = syscall(SYS_openat2, root, path, &how, sizeof(how));

	if (fd < 0 && (errno == ENOSYS || errno == EPERM || errno == EAGAIN))
		return walk_beneath(root, path, flags | O_CLOEXEC, mode);
	return (int)fd;
}

static bool is_ours(const struct stat *st)
{
	return st->st_uid == 0 || st->st_uid == geteuid();
}

/* The directory behind a link that the administrator made; else -1, errno as it was. */
static int open_linked(int root, const char *top)
{
	int sys = errno;
	struct stat link, dir;
	SK_FD int fd = -1;

	if (top[0] != '.' && fstatat(root, top, &link, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(link.st_mode) && is_ours(&link))
		fd = openat(root, top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	errno = sys;
	if (fd < 0 || fstat(fd, &dir) < 0 || !is_ours(&dir) || dir.st_mode & (S_IWGRP | S_IWOTH))
		return -1;
	return sk_give_fd(&fd);
}

int sk_beneath(int root, const char *path, int flags, mode_t mode)
{
	int fd = open_beneath(root, path, flags, mode);
	size_t n = strcspn(path, "/");
	SK_FD int top = -1;
	char first[32];

	if (fd >= 0 || (errno != ELOOP && errno != ENOTDIR) || n >= sizeof(first))
		return fd;
	memcpy(first, path, n);
	first[n] = '\0';
	top = open_linked(root, first);
	if (top < 0)
		return -1;
	return path[n] ? open_beneath(top, path + n + 1, flags, mode) : sk_give_fd(&top);
}

int sk_file_slurp(int fd, size_t max, struct sk_buf *ret, struct sk_err *err)
{
	char part[4096];
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return sk_db_fail(err, errno, "stat");
	if (!S_ISREG(st.st_mode))
		return sk_fail(err, SK_EDB, "not a regular file");
	if (st.st_size < 0 || (uint64_t)st.st_size > max)
		return sk_fail(err, SK_EDB, "longer than %zu bytes", max);
	while ((n = read(fd, part, sizeof(part))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return sk_db_fail(err, errno, "read");
		sk_buf_add(ret, part, (size_t)n);
		if (ret->n > max)
			return sk_fail(err, SK_EDB, "longer than %zu bytes", max);
	}
	explicit_bzero(part, sizeof(part));
	return ret->nomem ? sk_fail(err, SK_ENOMEM, "no memory") : 0;
}

void sk_names_free(struct sk_names *n)
{
	for (size_t i = 0; i < n->n; i++)
		free(n->v[i]);
	free(n->v);
	*n = (struct sk_names){ 0 };
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int sk_names_add(struct sk_names *n, const char *name)
{
	/* room for 16, 32, 64 …: grow whenever a power of two is reached */
	if (n->n == 0 || (n->n >= 16 && (n->n & (n->n - 1)) == 0)) {
		char **v = reallocarray(n->v, n->n ? n->n * 2 : 16, sizeof(*v));

		if (!v)
			return -1;
		n->v = v;
	}
	n->v[n->n] = strdup(name);
	if (!n->v[n->n])
		return -1;
	n->n++;
	return 0;
}

/* What one getdents64 gave. */
static int add_part(struct sk_names *names, char *part, size_t n)
{
	for (size_t at = 0; at < n;) {
		const struct dirent64 *e = (const void *)(part + at);

		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
		    sk_names_add(names, e->d_name) < 0)
			return -1;
		at += e->d_reclen;
	}
	return 0;
}

/* Not with opendir: that would open every directory of a listing a second time. */
int sk_names_read(int dir, struct sk_names *ret, struct sk_err *err)
{
	_Alignas(struct dirent64) char part[16384];
	struct sk_names names = { 0 };
	ssize_t n;

	while ((n = getdents64(dir, part, sizeof(part))) > 0) {
		if (add_part(&names, part, (size_t)n) < 0) {
			errno = ENOMEM;
			n = -1;
		}
	}
	if (n < 0) {
		sk_db_fail(err, errno, "read directory");
		sk_names_free(&names);
		return -1;
	}
	if (names.n)
		qsort(names.v, names.n, sizeof(*names.v), by_bytes);
	*ret = names;
	return 0;
}
