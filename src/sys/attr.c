/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/attr.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"

#define MAX_NAMES 65536
#define MAX_VALUE 4096 /* a page: the most an attribute holds */
#define MAX_DEPTH 16

bool sk_attr_read(int dir, const char *path, char *ret, size_t n)
{
	char buf[MAX_VALUE];
	SK_FD int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t got = fd < 0 ? -1 : read(fd, buf, sizeof(buf));
	size_t len = got > 0 ? (size_t)got : 0;

	ret[0] = '\0';
	while (len && (buf[len - 1] == '\n' || buf[len - 1] == ' ' || buf[len - 1] == '\0'))
		len--;
	if (got < 0 || len >= n)
		return false;
	for (size_t i = 0; i < len; i++)
		ret[i] = (unsigned char)buf[i] < 0x20 || buf[i] == 0x7f ? '?' : buf[i];
	ret[len] = '\0';
	if (strcmp(ret, "(null)") == 0 || strcmp(ret, "<NULL>") == 0)
		ret[0] = '\0';
	return ret[0];
}

int64_t sk_attr_num(int dir, const char *path, int64_t none)
{
	char buf[32];
	int64_t v;

	if (!sk_attr_read(dir, path, buf, sizeof(buf)))
		return none;
	if (strcmp(buf, "off") == 0)
		return -1;
	return sk_num_i64(buf, strlen(buf), INT64_MIN, INT64_MAX, &v) ? v : none;
}

static bool same(int dir, const char *path, const char *text, size_t len)
{
	SK_MEM char *buf = malloc(len + 1);
	SK_FD int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	return buf && fd >= 0 && read(fd, buf, len + 1) == (ssize_t)len && memcmp(buf, text, len) == 0;
}

static int write_file(int dir, const char *path, const char *text, size_t len, mode_t mode, struct sk_err *err)
{
	SK_FD int fd = openat(dir, path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return sk_fail_sys(err, errno, "create %s", path);
	if (write(fd, text, len) != (ssize_t)len || fchmod(fd, mode) < 0)
		return sk_fail_sys(err, errno ? errno : EIO, "write %s", path);
	return 0;
}

int sk_attr_write(int dir, const char *path, const char *value, mode_t mode, struct sk_err *err)
{
	char tmp[SK_ATTR_PATH + 16];
	const char *base = strrchr(path, '/');
	SK_MEM char *text = NULL;
	int n, len;

	base = base ? base + 1 : path;
	n = snprintf(tmp, sizeof(tmp), "%.*s.%s.new", (int)(base - path), path, base);
	if (n < 0 || (size_t)n >= sizeof(tmp))
		return sk_fail(err, SK_EINVAL, "too long a path: %s", path);
	len = asprintf(&text, "%s\n", value);
	if (len < 0) {
		text = NULL;
		return sk_fail(err, SK_ENOMEM, "no memory");
	}
	if (len > MAX_VALUE)
		return sk_fail(err, SK_EINVAL, "%s: a value of %d bytes", path, len);
	if (same(dir, path, text, (size_t)len))
		return 0;
	unlinkat(dir, tmp, 0);
	if (write_file(dir, tmp, text, (size_t)len, mode, err) < 0)
		goto undo;
	if (renameat(dir, tmp, dir, path) == 0)
		return 0;
	sk_fail_sys(err, errno, "replace %s", path);
undo:
	unlinkat(dir, tmp, 0);
	return -1;
}

int sk_attr_mkdirs(int dir, const char *path, struct sk_err *err)
{
	char part[SK_ATTR_PATH];
	size_t n = strlen(path);

	if (n >= sizeof(part))
		return sk_fail(err, SK_EINVAL, "too long a path: %s", path);
	for (size_t i = 1; i <= n; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdirat(dir, part, 0755) < 0 && errno != EEXIST)
			return sk_fail_sys(err, errno, "mkdir %s", part);
	}
	return 0;
}

static int rmtree(int dir, const char *name, int depth)
{
	DIR *d;
	struct dirent *e;
	int fd;

	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -1;
	fd = depth > MAX_DEPTH ? -1 : openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return -1;
	}
	while ((e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			rmtree(dirfd(d), e->d_name, depth + 1);
	closedir(d);
	return unlinkat(dir, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -1;
}

int sk_attr_rmtree(int dir, const char *path, struct sk_err *err)
{
	if (rmtree(dir, path, 0) < 0)
		return sk_fail_sys(err, errno, "remove %s", path);
	return 0;
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(a, b);
}

static bool add(struct sk_names *r, size_t *cap, const char *name)
{
	if (r->n == *cap) {
		size_t more = *cap ? *cap * 2 : 32;
		void *p = reallocarray(r->name, more, sizeof(*r->name));

		if (!p)
			return false;
		r->name = p;
		*cap = more;
	}
	snprintf(r->name[r->n++], sizeof(*r->name), "%s", name);
	return true;
}

/* False when no more can be taken. */
static bool add_all(const char *entries, size_t n, bool (*want)(const char *name), struct sk_names *ret, size_t *cap)
{
	const struct dirent64 *e;

	for (size_t at = 0; at < n; at += e->d_reclen) {
		e = (const void *)(entries + at);
		if (e->d_name[0] == '.' || strlen(e->d_name) >= sizeof(*ret->name) || (want && !want(e->d_name)))
			continue;
		if (ret->n == MAX_NAMES || !add(ret, cap, e->d_name))
			return false;
	}
	return true;
}

/* Without opendir, which would cost a malloc of 32 KiB and a stat for each of sysfs's small directories. */
void sk_attr_names(int dir, const char *path, bool (*want)(const char *name), struct sk_names *ret)
{
	SK_FD int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_Alignas(struct dirent64) char entries[8192];
	size_t cap = 0;
	ssize_t n;

	*ret = (struct sk_names){ 0 };
	if (fd < 0)
		return;
	while ((n = getdents64(fd, entries, sizeof(entries))) > 0)
		if (!add_all(entries, (size_t)n, want, ret, &cap))
			break;
	if (ret->n)
		qsort(ret->name, ret->n, sizeof(*ret->name), by_bytes);
}

void sk_attr_names_free(struct sk_names *n)
{
	free(n->name);
	*n = (struct sk_names){ 0 };
}

bool sk_name_number(const char *name, const char *prefix, uint64_t max, uint64_t *ret)
{
	size_t n = strlen(prefix);

	return strncmp(name, prefix, n) == 0 && sk_num_u64(name + n, strlen(name + n), 0, max, ret);
}
