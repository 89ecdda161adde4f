/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transport/kernel/keep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"

#define RECORD_MAX (256U << 10)

static int folder(const struct sk_places *p, struct sk_err *err)
{
	char path[300];
	int fd;

	if ((mkdir(p->rundir, 0700) < 0 && errno != EEXIST))
		return sk_fail_sys(err, errno, "create %s", p->rundir);
	snprintf(path, sizeof(path), "%s/kernel", p->rundir);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return sk_fail_sys(err, errno, "create %s", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? sk_fail_sys(err, errno, "open %s", path) : fd;
}

/* Whole or not at all. Not synced: the files do not outlive the sessions they are about. */
static int write_file(int dir, uint32_t sid, const char *what, struct sk_span text, struct sk_err *err)
{
	char name[40], tmp[48];
	SK_FD int fd = -1;

	snprintf(name, sizeof(name), "%u.%s", sid, what);
	snprintf(tmp, sizeof(tmp), ".%s.new", name);
	fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return sk_fail_sys(err, errno, "create %s", tmp);
	if (write(fd, text.p, text.n) == (ssize_t)text.n && renameat(dir, tmp, dir, name) == 0)
		return 0;
	sk_fail_sys(err, errno ? errno : EIO, "write %s", name);
	unlinkat(dir, tmp, 0);
	return -1;
}

static int read_file(int dir, uint32_t sid, const char *what, size_t max, struct sk_buf *ret, struct sk_err *err)
{
	char name[40], part[4096];
	SK_FD int fd = -1;
	ssize_t n;

	snprintf(name, sizeof(name), "%u.%s", sid, what);
	fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return sk_fail_sys(err, errno, "open %s", name);
	while ((n = read(fd, part, sizeof(part))) > 0 && ret->n + (size_t)n <= max)
		sk_buf_add(ret, part, (size_t)n);
	explicit_bzero(part, sizeof(part));
	if (n != 0 || ret->nomem)
		return sk_fail(err, SK_EDB, "read %s", name);
	return 0;
}

int sk_keep_put(const struct sk_places *p, uint32_t sid, const struct sk_keep *about, const struct sk_record *node,
		struct sk_err *err)
{
	SK_FD int dir = folder(p, err);
	struct sk_buf text = { 0 };
	char line[400];
	int n, rc;

	if (dir < 0)
		return -1;
	sk_record_print(&text, node, SK_FORM_FILE);
	rc = text.nomem ? sk_fail(err, SK_ENOMEM, "no memory") : write_file(dir, sid, "record", sk_buf_span(&text), err);
	sk_buf_wipe(&text);
	n = snprintf(line, sizeof(line), "%" PRIu64 " %d\n%s\n%s\n", about->handle, about->up, about->initiator, about->tag);
	if (rc < 0 || n < 0 || (size_t)n >= sizeof(line))
		return -1;
	return write_file(dir, sid, "about", sk_span(line, (size_t)n), err);
}

static void copy_line(const char **at, char *ret, size_t n)
{
	size_t len = strcspn(*at, "\n");

	snprintf(ret, n, "%.*s", (int)len, *at);
	*at += len + ((*at)[len] != '\0');
}

struct sk_record *sk_keep_get(const struct sk_places *p, uint32_t sid, struct sk_keep *ret, struct sk_err *err)
{
	SK_FD int dir = folder(p, err);
	SK_BUF struct sk_buf about = { 0 };
	struct sk_buf text = { 0 };
	struct sk_record *r = NULL;
	struct sk_keep k = { 0 };
	const char *at;
	char first[40];
	int up = 0;

	if (dir < 0 || read_file(dir, sid, "about", 1024, &about, err) < 0)
		return NULL;
	at = sk_buf_cstr(&about);
	copy_line(&at, first, sizeof(first));
	if (sscanf(first, "%" SCNu64 " %1d", &k.handle, &up) != 2) {
		sk_fail(err, SK_EDB, "%u.about makes no sense", sid);
		return NULL;
	}
	k.up = up;
	copy_line(&at, k.initiator, sizeof(k.initiator));
	copy_line(&at, k.tag, sizeof(k.tag));
	if (read_file(dir, sid, "record", RECORD_MAX, &text, err) == 0)
		r = sk_record_new(SK_REC_NODE, err);
	if (r && sk_record_parse(r, sk_buf_span(&text), true, NULL, NULL, err) < 0) {
		sk_record_free(r);
		r = NULL;
	}
	sk_buf_wipe(&text);
	if (r)
		*ret = k;
	return r;
}

void sk_keep_drop(const struct sk_places *p, uint32_t sid)
{
	static const char *const whats[] = { "record", "about" };
	char path[340];

	for (size_t i = 0; i < SK_ARRAY_LEN(whats); i++) {
		snprintf(path, sizeof(path), "%s/kernel/%u.%s", p->rundir, sid, whats[i]);
		(void)unlink(path);
	}
}

void sk_keep_sweep(const struct sk_places *p, bool (*alive)(void *ctx, uint32_t sid), void *ctx)
{
	char path[300];
	const struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "%s/kernel", p->rundir);
	d = opendir(path);
	if (!d)
		return;
	while ((e = readdir(d))) {
		uint64_t sid;

		if (sk_num_u64(e->d_name, strcspn(e->d_name, "."), 1, UINT32_MAX, &sid) && !alive(ctx, (uint32_t)sid))
			sk_keep_drop(p, (uint32_t)sid);
	}
	closedir(d);
}
