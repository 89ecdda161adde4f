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

#define FILE_MAX (256U << 10)
#define PATH_LEN 340

#define IN_LOGIN "login"
#define WAS_UP	 "session"
#define NEW	 "new"	/* about to be one of those */

static void path_of(const struct sk_places *p, uint32_t sid, const char *what, char *ret, size_t n)
{
	snprintf(ret, n, "%s/kernel/%u.%s", p->rundir, sid, what);
}

static int folder(const struct sk_places *p, struct sk_err *err)
{
	char path[PATH_LEN];

	if (mkdir(p->rundir, 0700) < 0 && errno != EEXIST)
		return sk_fail_sys(err, errno, "create %s", p->rundir);
	snprintf(path, sizeof(path), "%s/kernel", p->rundir);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return sk_fail_sys(err, errno, "create %s", path);
	return 0;
}

static int create(const struct sk_places *p, const char *path, struct sk_err *err)
{
	int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW;
	int fd = open(path, flags, 0600);

	if (fd < 0 && errno == ENOENT) { /* the first session since the machine started */
		if (folder(p, err) < 0)
			return -1;
		fd = open(path, flags, 0600);
	}
	return fd < 0 ? sk_fail_sys(err, errno, "create %s", path) : fd;
}

static int read_file(const char *path, struct sk_buf *ret, struct sk_err *err)
{
	SK_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char part[16384];
	ssize_t n;

	if (fd < 0)
		return sk_fail_sys(err, errno, "open %s", path);
	while ((n = read(fd, part, sizeof(part))) > 0 && ret->n + (size_t)n <= FILE_MAX)
		sk_buf_add(ret, part, (size_t)n);
	explicit_bzero(part, sizeof(part));
	if (n != 0 || ret->nomem)
		return sk_fail(err, SK_EDB, "read %s", path);
	return 0;
}

/* Not synced: the files do not outlive the sessions they are about. One write: killed in the middle of a login we leave
 * all of it or nothing. */
static int put(const struct sk_places *p, uint32_t sid, const char *what, const struct sk_keep *about,
	       const struct sk_record *node, struct sk_err *err)
{
	struct sk_buf text = { 0 };
	char path[PATH_LEN];
	SK_FD int fd = -1;
	int rc = 0;

	path_of(p, sid, what, path, sizeof(path));
	fd = create(p, path, err);
	if (fd < 0)
		return -1;
	sk_buf_printf(&text, "%" PRIu64 "\n%s\n%s\n", about->handle, about->initiator, about->tag);
	sk_record_print(&text, node, SK_FORM_FILE);
	if (text.nomem)
		rc = sk_fail(err, SK_ENOMEM, "no memory");
	else if (write(fd, text.p, text.n) != (ssize_t)text.n)
		rc = sk_fail_sys(err, errno ? errno : EIO, "write %s", path);
	sk_buf_wipe(&text);
	if (rc < 0)
		(void)unlink(path);
	return rc;
}

static int now_up(const struct sk_places *p, uint32_t sid, const char *what, struct sk_err *err)
{
	char from[PATH_LEN], to[PATH_LEN];

	path_of(p, sid, what, from, sizeof(from));
	path_of(p, sid, WAS_UP, to, sizeof(to));
	return rename(from, to) < 0 ? sk_fail_sys(err, errno, "rename %s", from) : 0;
}

int sk_keep_put(const struct sk_places *p, uint32_t sid, const struct sk_keep *about, const struct sk_record *node,
		struct sk_err *err)
{
	return put(p, sid, IN_LOGIN, about, node, err);
}

int sk_keep_up(const struct sk_places *p, uint32_t sid, struct sk_err *err)
{
	return now_up(p, sid, IN_LOGIN, err);
}

int sk_keep_replace(const struct sk_places *p, uint32_t sid, const struct sk_keep *about, const struct sk_record *node,
		    struct sk_err *err)
{
	return put(p, sid, NEW, about, node, err) < 0 ? -1 : now_up(p, sid, NEW, err);
}

static void copy_line(const char **at, char *ret, size_t n)
{
	size_t len = strcspn(*at, "\n");

	snprintf(ret, n, "%.*s", (int)len, *at);
	*at += len + ((*at)[len] != '\0');
}

static struct sk_record *parse(const struct sk_buf *text, struct sk_keep *ret, struct sk_err *err)
{
	const char *at = sk_buf_cstr(text);
	struct sk_record *r;
	char first[40];

	copy_line(&at, first, sizeof(first));
	if (!sk_num_u64(first, strlen(first), 0, UINT64_MAX, &ret->handle)) {
		sk_fail(err, SK_EDB, "what was kept of the session makes no sense");
		return NULL;
	}
	copy_line(&at, ret->initiator, sizeof(ret->initiator));
	copy_line(&at, ret->tag, sizeof(ret->tag));
	r = sk_record_new(SK_REC_NODE, err);
	if (r && sk_record_parse(r, sk_span(at, strlen(at)), true, NULL, NULL, err) < 0) {
		sk_record_free(r);
		r = NULL;
	}
	return r;
}

struct sk_record *sk_keep_get(const struct sk_places *p, uint32_t sid, struct sk_keep *ret, struct sk_err *err)
{
	static const char *const whats[] = { IN_LOGIN, WAS_UP }; /* the first is the newer one, should there be both */
	struct sk_record *r = NULL;
	struct sk_keep k = { 0 };

	for (size_t i = 0; !r && i < SK_ARRAY_LEN(whats); i++) {
		struct sk_buf text = { 0 };
		char path[PATH_LEN];

		path_of(p, sid, whats[i], path, sizeof(path));
		if (read_file(path, &text, err) == 0)
			r = parse(&text, &k, err);
		sk_buf_wipe(&text);
		k.up = i == 1;
	}
	if (r)
		*ret = k;
	return r;
}

void sk_keep_drop(const struct sk_places *p, uint32_t sid)
{
	static const char *const whats[] = { WAS_UP, IN_LOGIN, NEW };
	char path[PATH_LEN];

	for (size_t i = 0; i < SK_ARRAY_LEN(whats); i++) {
		path_of(p, sid, whats[i], path, sizeof(path));
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
