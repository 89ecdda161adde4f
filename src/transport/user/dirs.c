/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transport/user/dirs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "sys/links.h"
#include "sys/loopdev.h"
#include "sys/session.h"
#include "sys/tree.h"

#define RECORD_MAX (256U << 10)
#define SID_MAX 0x7fffffffU

static int path_of(char *ret, size_t n, struct sk_err *err, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static int path_of(char *ret, size_t n, struct sk_err *err, const char *fmt, ...)
{
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(ret, n, fmt, ap);
	va_end(ap);
	if (len < 0 || (size_t)len >= n)
		return sk_fail(err, SK_EINVAL, "a path below the run directory is too long");
	return 0;
}

int sk_udir_path(const struct sk_places *p, uint32_t sid, const char *name, char *ret, size_t n, struct sk_err *err)
{
	return path_of(ret, n, err, "%s/session/%u%s%s", p->rundir, sid, name ? "/" : "", name ? name : "");
}

static int make_dir(const char *path, struct sk_err *err)
{
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return sk_fail_sys(err, errno, "create %s", path);
	return 0;
}

/* --- ids ----------------------------------------------------------------------------------------------------- */

static bool taken(const struct sk_places *p, uint32_t sid)
{
	static const char *const where[] = { "class/iscsi_session/session", "class/iscsi_host/host" };
	char path[600];

	for (size_t i = 0; i < SK_ARRAY_LEN(where); i++) {
		if (path_of(path, sizeof(path), NULL, "%s/%s%u", p->sysfs, where[i], sid) < 0 || !access(path, F_OK))
			return true;
		if (path_of(path, sizeof(path), NULL, "%s/sys/%s%u", p->rundir, where[i], sid) < 0 || !access(path, F_OK))
			return true;
	}
	return sk_udir_path(p, sid, NULL, path, sizeof(path), NULL) < 0 || !access(path, F_OK);
}

static uint32_t read_last(int fd)
{
	char text[16] = "";
	ssize_t got = pread(fd, text, sizeof(text) - 1, 0);
	uint64_t v = 0;

	if (got <= 0 || !sk_num_u64(text, strcspn(text, "\n"), 0, SID_MAX, &v))
		return 0;
	return (uint32_t)v;
}

int sk_udir_next_sid(const struct sk_places *p, uint32_t *ret, struct sk_err *err)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[400], text[16];
	SK_FD int fd = -1;
	uint32_t sid;
	int len;

	if (make_dir(p->rundir, err) < 0 || path_of(path, sizeof(path), err, "%s/session", p->rundir) < 0 ||
	    make_dir(path, err) < 0 || path_of(path, sizeof(path), err, "%s/next-sid", p->rundir) < 0)
		return -1;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return sk_fail_sys(err, errno, "open %s", path);
	if (fcntl(fd, F_OFD_SETLKW, &lock) < 0)	/* held for an instant only */
		return sk_fail_sys(err, errno, "lock %s", path);
	sid = read_last(fd);
	do {
		sid = sid >= SID_MAX ? 1 : sid + 1;
	} while (taken(p, sid));
	len = snprintf(text, sizeof(text), "%u\n", sid);
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)len, 0) != len)
		return sk_fail_sys(err, errno, "write %s", path);
	*ret = sid;
	return 0;
}

unsigned sk_udir_list(const struct sk_places *p, uint32_t *ret, unsigned max)
{
	char path[400];
	const struct dirent *e;
	unsigned n = 0;
	DIR *d;

	if (path_of(path, sizeof(path), NULL, "%s/session", p->rundir) < 0)
		return 0;
	d = opendir(path);
	if (!d)
		return 0;
	while (n < max && (e = readdir(d))) {
		uint64_t v;

		if (sk_num_u64(e->d_name, strlen(e->d_name), 1, SID_MAX, &v))
			ret[n++] = (uint32_t)v;
	}
	closedir(d);
	return n;
}

/* --- the directory ------------------------------------------------------------------------------------------- */

static int write_file(const char *path, struct sk_span text, struct sk_err *err)
{
	SK_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return sk_fail_sys(err, errno, "create %s", path);
	for (size_t done = 0; done < text.n;) {
		ssize_t put = write(fd, text.p + done, text.n - done);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return sk_fail_sys(err, errno, "write %s", path);
		done += (size_t)put;
	}
	return 0;
}

static int write_about(const struct sk_places *p, uint32_t sid, const char *initiator, const char *tag, struct sk_err *err)
{
	char path[400], text[400];
	int n = snprintf(text, sizeof(text), "%s\n%s\n", initiator, tag);

	if (n < 0 || (size_t)n >= sizeof(text))
		return sk_fail(err, SK_EINVAL, "initiator name too long");
	if (sk_udir_path(p, sid, "about", path, sizeof(path), err) < 0)
		return -1;
	return write_file(path, sk_span(text, (size_t)n), err);
}

void sk_udir_about(const struct sk_places *p, uint32_t sid, char *initiator, size_t ni, char *tag, size_t nt)
{
	char path[400], text[400] = "";
	const char *second;
	size_t first;
	SK_FD int fd = -1;

	*initiator = *tag = '\0';
	if (sk_udir_path(p, sid, "about", path, sizeof(path), NULL) < 0)
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return;
	first = strcspn(text, "\n");
	second = text + first + (text[first] != '\0');
	snprintf(initiator, ni, "%.*s", (int)first, text);
	snprintf(tag, nt, "%.*s", (int)strcspn(second, "\n"), second);
}

int sk_udir_replace_record(const struct sk_places *p, uint32_t sid, const struct sk_record *node, struct sk_err *err)
{
	char path[400], tmp[400];
	struct sk_buf text = { 0 };
	int got = -1;

	if (sk_udir_path(p, sid, "record", path, sizeof(path), err) < 0 ||
	    sk_udir_path(p, sid, "record.new", tmp, sizeof(tmp), err) < 0)
		return -1;
	sk_record_print(&text, node, SK_FORM_FILE);
	if (text.nomem)
		sk_fail(err, SK_ENOMEM, "no memory");
	else
		got = write_file(tmp, sk_buf_span(&text), err);
	sk_buf_wipe(&text);
	if (got == 0 && rename(tmp, path) < 0)
		got = sk_fail_sys(err, errno, "replace %s", path);
	if (got < 0)
		unlink(tmp);
	return got;
}

int sk_udir_create(const struct sk_places *p, uint32_t sid, const struct sk_record *node, const char *initiator,
		   const char *tag, struct sk_err *err)
{
	char dir[400];

	if (sk_udir_path(p, sid, NULL, dir, sizeof(dir), err) < 0 || make_dir(dir, err) < 0 ||
	    sk_udir_replace_record(p, sid, node, err) < 0)
		return -1;
	return write_about(p, sid, initiator, tag, err);
}

struct sk_record *sk_udir_record(const struct sk_places *p, uint32_t sid, struct sk_err *err)
{
	char path[400];
	struct sk_record *r = NULL;
	struct sk_buf text = { 0 };
	SK_FD int fd = -1;
	ssize_t got = 1;

	if (sk_udir_path(p, sid, "record", path, sizeof(path), err) < 0)
		return NULL;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) {
		sk_fail_sys(err, errno, "open %s", path);
		return NULL;
	}
	while (got > 0 && text.n < RECORD_MAX) {
		char chunk[4096];

		got = read(fd, chunk, sizeof(chunk));
		if (got > 0)
			sk_buf_add(&text, chunk, (size_t)got);
		explicit_bzero(chunk, sizeof(chunk));
	}
	if (got < 0)
		sk_fail_sys(err, errno, "read %s", path);
	else
		r = sk_record_new(SK_REC_NODE, err);
	if (r && sk_record_parse(r, sk_buf_span(&text), true, NULL, NULL, err) < 0) {
		sk_record_free(r);
		r = NULL;
	}
	sk_buf_wipe(&text);
	return r;
}

bool sk_udir_alive(const struct sk_places *p, uint32_t sid)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[400];
	SK_FD int fd = -1;

	if (sk_udir_path(p, sid, "lock", path, sizeof(path), NULL) < 0)
		return false;
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	return fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/* --- what is left -------------------------------------------------------------------------------------------- */

struct sweep {
	const struct sk_places *p;
	const struct sk_sys_session *s;
};

static bool sweep_lun(void *ctx, const struct sk_sys_lun *l)
{
	const struct sweep *w = ctx;
	char name[256], node[64];
	struct sk_err err = { 0 };

	if (!l->disk[0])
		return true;
	snprintf(node, sizeof(node), "/dev/%s", l->disk);
	if (sk_link_name(w->s->persistent_addr, w->s->persistent_port, w->s->target, l->lun, name, sizeof(name), &err) == 0)
		(void)sk_link_remove(w->p->devdir, name, node, &err);
	if (sk_loopdev_detach(node, l->path[0] ? l->path : NULL, true, &err) < 0)
		sk_warning(SK_ROOM_TRANSPORT, "session %u is dead, its disk %s stays until it is closed: %s", w->s->sid, node,
			   err.msg);
	return true;
}

/* A process that died just then had made a device and told nobody yet. */
static void sweep_loop(void *ctx, const char *node, const char *file)
{
	const struct sk_places *p = ctx;

	sk_link_remove_all(p->devdir, node);
	(void)sk_loopdev_detach(node, file, true, NULL);
}

static void sweep_loops(const struct sk_places *p, uint32_t sid)
{
	char dir[400], real[PATH_MAX];

	if (sk_udir_path(p, sid, NULL, dir, sizeof(dir), NULL) == 0 && realpath(dir, real))
		sk_loopdev_below(real, sweep_loop, (void *)(uintptr_t)p);
}

void sk_udir_sweep(const struct sk_places *p, uint32_t sid)
{
	static const char *const files[] = { "ctl", "lock", "record", "record.new", "about" };
	struct sk_sys_session s = { 0 };
	struct sweep w = { p, &s };
	struct sk_err err = { 0 };
	char path[400];

	if (sk_sys_session(p, sid, SK_SYS_FULL, &s, &err) == 0 && s.user)
		(void)sk_sys_luns(p, &s, SK_SYS_FULL, sweep_lun, &w);
	sweep_loops(p, sid);
	if (sk_udir_path(p, sid, "disk", path, sizeof(path), NULL) == 0) {
		(void)umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
		(void)rmdir(path);
	}
	if (sk_tree_remove(p->rundir, sid, &err) < 0)
		sk_warning(SK_ROOM_TRANSPORT, "state tree of the dead session %u: %s", sid, err.msg);
	for (size_t i = 0; i < SK_ARRAY_LEN(files); i++)
		if (sk_udir_path(p, sid, files[i], path, sizeof(path), NULL) == 0)
			(void)unlink(path);
	if (sk_udir_path(p, sid, NULL, path, sizeof(path), NULL) == 0 && rmdir(path) < 0 && errno != ENOENT)
		sk_warning(SK_ROOM_TRANSPORT, "%s of a dead session stays: %s", path, strerror(errno));
}
