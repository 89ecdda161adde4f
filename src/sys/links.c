/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/links.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/span.h"

#define BY_PATH "disk/by-path"

/* Length of the valid UTF-8 sequence of more than one byte at @s, else 0; udev lets those pass. */
static size_t utf8_len(const unsigned char *s)
{
	size_t n = s[0] >= 0xc2 && s[0] < 0xe0	 ? 2
		   : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
		   : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
						 : 0;

	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

static bool allowed(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c && strchr("#+-.:=@_", c));
}

static void clean(char *name)
{
	for (size_t i = 0, n; name[i]; i += n) {
		n = utf8_len((const unsigned char *)name + i);
		if (n == 0) {
			n = 1;
			if (!allowed(name[i]))
				name[i] = '_';
		}
	}
}

int sk_link_name(const char *addr, int port, const char *target, uint64_t lun, char *ret, size_t n,
		 struct sk_err *err)
{
	char tail[32], name[NAME_MAX + 1];
	int len;

	if (addr[0] == '[')
		addr++;
	if (lun < 256)
		snprintf(tail, sizeof(tail), "%u", (unsigned)lun);
	else
		snprintf(tail, sizeof(tail), "0x%04x%04x00000000", (unsigned)(lun & 0xffff),
			 (unsigned)(lun >> 16 & 0xffff));
	len = snprintf(name, sizeof(name), "ip-%.*s:%d-iscsi-%s-lun-%s", (int)strcspn(addr, "]"), addr, port,
		       target, tail);
	if (len < 0 || (size_t)len >= sizeof(name) || (size_t)len >= n)
		return sk_fail(err, SK_EINVAL, "too long a name for a link: %s", target);
	clean(name);
	memcpy(ret, name, (size_t)len + 1);
	return 0;
}

static int open_dir(const char *devdir, bool make, struct sk_err *err)
{
	static const char *const parts[] = { "", "/disk", "/disk/by-path" };
	char path[300];
	int fd = -1;

	for (size_t i = 0; i < SK_ARRAY_LEN(parts); i++) {
		snprintf(path, sizeof(path), "%s%s", devdir, parts[i]);
		if (!make)
			continue;
		if (mkdir(path, 0755) < 0) {
			if (errno != EEXIST)
				return sk_fail_sys(err, errno, "mkdir %s", path);
		} else if (chmod(path, 0755) < 0) {	/* for everybody, as udev makes it, whatever our umask */
			return sk_fail_sys(err, errno, "chmod %s", path);
		}
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return sk_fail_sys(err, errno, "open %s", path);
	return fd;
}

static bool plain(const char *name)
{
	return name[0] && name[0] != '.' && !strchr(name, '/');
}

/* What the link should say, and what it says */
static void wanted(const char *devdir, const char *node, char *ret, size_t n)
{
	size_t len = strlen(devdir);

	if (strncmp(node, devdir, len) == 0 && node[len] == '/')
		snprintf(ret, n, "../..%s", node + len);
	else
		snprintf(ret, n, "%s", node);
}

static bool link_text(int dir, const char *name, char *ret, size_t n)
{
	ssize_t got = readlinkat(dir, name, ret, n - 1);

	ret[got < 0 ? 0 : got] = '\0';
	return got >= 0;
}

/* Only user sessions name such devices like this: an older session of the same target, or what a crash left. */
static bool is_ours(const char *to)
{
	static const char *const drivers[] = { "loop", "ublkb", "nbd" };
	const char *base = strrchr(to, '/');

	base = base ? base + 1 : to;
	for (size_t i = 0; i < SK_ARRAY_LEN(drivers); i++)
		if (strncmp(base, drivers[i], strlen(drivers[i])) == 0)
			return true;
	return false;
}

int sk_link_make(const char *devdir, const char *name, const char *node, struct sk_err *err)
{
	SK_FD int dir = -1;
	char to[300], is[300], tmp[64];
	struct stat st;

	if (!plain(name))
		return sk_fail(err, SK_EINVAL, "no name for a link: %s", name);
	dir = open_dir(devdir, true, err);
	if (dir < 0)
		return -1;
	wanted(devdir, node, to, sizeof(to));
	if (link_text(dir, name, is, sizeof(is))) {
		if (strcmp(is, to) == 0)
			return 0;
		if (!is_ours(is) && fstatat(dir, name, &st, 0) == 0) /* not dangling either */
			return sk_fail(err, SK_EEXIST, "%s/" BY_PATH "/%s points to %s", devdir, name, is);
	} else if (errno != ENOENT) {
		return sk_fail(err, SK_EEXIST, "%s/" BY_PATH "/%s is there and is no link", devdir, name);
	}
	snprintf(tmp, sizeof(tmp), ".siskin.%d", (int)gettid());	/* threads make links at the same time */
	unlinkat(dir, tmp, 0);
	if (symlinkat(to, dir, tmp) < 0)
		return sk_fail_sys(err, errno, "link %s", name);
	if (renameat(dir, tmp, dir, name) < 0) {
		sk_fail_sys(err, errno, "link %s", name);
		unlinkat(dir, tmp, 0);
		return -1;
	}
	return 0;
}

int sk_link_remove(const char *devdir, const char *name, const char *node, struct sk_err *err)
{
	SK_FD int dir = open_dir(devdir, false, NULL);
	char to[300], is[300];

	if (dir < 0 || !plain(name))
		return 0;
	wanted(devdir, node, to, sizeof(to));
	if (!link_text(dir, name, is, sizeof(is)) || (strcmp(is, to) != 0 && strcmp(is, node) != 0))
		return 0;
	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return sk_fail_sys(err, errno, "remove %s", name);
	return 0;
}

void sk_link_remove_all(const char *devdir, const char *node)
{
	SK_FD int fd = open_dir(devdir, false, NULL);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;

	if (!d)
		return;
	(void)sk_give_fd(&fd);
	while ((e = readdir(d)) != NULL)
		(void)sk_link_remove(devdir, e->d_name, node, NULL);
	closedir(d);
}
