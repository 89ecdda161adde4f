/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <libmount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"
#include "sys/attr.h"

#define MAX_DEVS   129	/* a disk and its partitions */
#define MAX_SPACES 4096 /* mount namespaces looked at */

struct look {
	const char *proc;
	int sys; /* descriptor of sysfs */
	dev_t dev[MAX_DEVS];
	char name[MAX_DEVS][32]; /* the kernel's name: loop3, loop3p1 */
	size_t n;
	ino_t *spaces; /* mount namespaces seen already */
	size_t n_spaces;
	struct sk_buf *out;
};

static bool is_among(const struct look *l, dev_t dev)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->dev[i] == dev)
			return true;
	return false;
}

static void say(struct look *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct look *l, const char *fmt, ...)
{
	va_list ap;

	if (l->out->n)
		sk_buf_ch(l->out, '\n');
	va_start(ap, fmt);
	sk_buf_vprintf(l->out, fmt, ap);
	va_end(ap);
}

static bool read_dev(int dir, const char *path, dev_t *ret)
{
	char text[32];
	uint64_t maj, min;
	char *colon;

	if (!sk_attr_read(dir, path, text, sizeof(text)) || !(colon = strchr(text, ':')))
		return false;
	if (!sk_num_u64(text, (size_t)(colon - text), 0, UINT32_MAX, &maj) ||
	    !sk_num_u64(colon + 1, strlen(colon + 1), 0, UINT32_MAX, &min))
		return false;
	*ret = makedev((unsigned)maj, (unsigned)min);
	return true;
}

/* The disk's directory in sysfs, and its partitions: the entries below it that have a file `partition`. */
static void find_devs(struct look *l, dev_t disk)
{
	char dir[64], path[160];
	SK_NAMES struct sk_names names = { 0 };
	char link[512];
	ssize_t got;
	char *base;

	snprintf(dir, sizeof(dir), "dev/block/%u:%u", major(disk), minor(disk));
	l->dev[0] = disk;
	l->n = 1;
	got = readlinkat(l->sys, dir, link, sizeof(link) - 1);
	if (got < 0)
		return;
	link[got] = '\0';
	base = strrchr(link, '/');
	snprintf(l->name[0], sizeof(l->name[0]), "%.31s", base ? base + 1 : link);
	sk_attr_names(l->sys, dir, NULL, &names);
	for (size_t i = 0; i < names.n && l->n < MAX_DEVS; i++) {
		snprintf(path, sizeof(path), "%s/%s/partition", dir, names.name[i]);
		if (faccessat(l->sys, path, F_OK, 0) < 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s/dev", dir, names.name[i]);
		if (!read_dev(l->sys, path, &l->dev[l->n]))
			continue;
		snprintf(l->name[l->n++], sizeof(l->name[0]), "%.31s", names.name[i]);
	}
}

static void look_at_holders(struct look *l)
{
	char path[64];

	for (size_t i = 0; i < l->n; i++) {
		SK_NAMES struct sk_names names = { 0 };

		snprintf(path, sizeof(path), "dev/block/%u:%u/holders", major(l->dev[i]), minor(l->dev[i]));
		sk_attr_names(l->sys, path, NULL, &names);
		for (size_t k = 0; k < names.n; k++)
			say(l, "%s held by %s", l->name[i], names.name[k]);
	}
}

static bool node_is_among(const struct look *l, const char *node)
{
	struct stat st;

	/* nothing but nodes: asking a file of some file system could take as long as its server likes */
	return node && strncmp(node, "/dev/", 5) == 0 && stat(node, &st) == 0 && S_ISBLK(st.st_mode) &&
	       is_among(l, st.st_rdev);
}

static void look_at_swaps(struct look *l)
{
	char path[128];
	struct libmnt_table *t;
	struct libmnt_iter *it = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *fs;

	snprintf(path, sizeof(path), "%s/swaps", l->proc);
	t = mnt_new_table();
	if (t && it && mnt_table_parse_swaps(t, path) == 0)
		while (mnt_table_next_fs(t, it, &fs) == 0)
			if (node_is_among(l, mnt_fs_get_source(fs)))
				say(l, "swap on %s", mnt_fs_get_source(fs));
	mnt_free_iter(it);
	mnt_unref_table(t);
}

static void process_name(const struct look *l, const char *pid, char *ret, size_t n)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s/comm", l->proc, pid);
	if (!sk_attr_read(AT_FDCWD, path, ret, n))
		snprintf(ret, n, "?");
}

/* File systems of several devices (btrfs) have a device number of their own: there the source tells. A source is a
 * path of *its* namespace, but device nodes have the same names in practice, and the exclusive open comes last. */
static void look_at_mountinfo(struct look *l, const char *pid, bool own)
{
	char path[160], who[32];
	struct libmnt_table *t;
	struct libmnt_iter *it = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *fs;

	snprintf(path, sizeof(path), "%s/%s/mountinfo", l->proc, pid);
	t = mnt_new_table();
	if (t && it && mnt_table_parse_file(t, path) == 0)
		while (mnt_table_next_fs(t, it, &fs) == 0) {
			if (!is_among(l, mnt_fs_get_devno(fs)) &&
			    !(major(mnt_fs_get_devno(fs)) == 0 && node_is_among(l, mnt_fs_get_source(fs))))
				continue;
			process_name(l, pid, who, sizeof(who));
			if (own)
				say(l, "mounted on %s", mnt_fs_get_target(fs));
			else
				say(l, "mounted on %s (mount namespace of pid %s, %s)", mnt_fs_get_target(fs), pid,
				    who);
		}
	mnt_free_iter(it);
	mnt_unref_table(t);
}

/* True the first time a mount namespace is met; where it cannot be told, every time. */
static bool new_space(struct look *l, const char *pid)
{
	char path[160];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s/ns/mnt", l->proc, pid);
	if (stat(path, &st) < 0)
		return true;
	for (size_t i = 0; i < l->n_spaces; i++)
		if (l->spaces[i] == st.st_ino)
			return false;
	if (l->n_spaces < MAX_SPACES)
		l->spaces[l->n_spaces++] = st.st_ino;
	return true;
}

static bool is_pid(const char *name)
{
	uint64_t v;

	return sk_num_u64(name, strlen(name), 1, INT32_MAX, &v);
}

static void look_at_mounts(struct look *l, const struct sk_names *pids)
{
	if (new_space(l, "self"))
		look_at_mountinfo(l, "self", true);
	for (size_t i = 0; i < pids->n; i++)
		if (new_space(l, pids->name[i]))
			look_at_mountinfo(l, pids->name[i], false);
}

static void look_at_openers(struct look *l, const struct sk_names *pids)
{
	char dir[160], path[240], to[128], who[32];
	ssize_t got;

	for (size_t i = 0; i < pids->n; i++) {
		SK_NAMES struct sk_names fds = { 0 };
		uint64_t pid = 0;

		sk_num_u64(pids->name[i], strlen(pids->name[i]), 0, INT32_MAX, &pid);
		if (pid == (uint64_t)getpid())
			continue;
		snprintf(dir, sizeof(dir), "%s/%s/fd", l->proc, pids->name[i]);
		sk_attr_names(AT_FDCWD, dir, NULL, &fds);
		for (size_t k = 0; k < fds.n; k++) {
			snprintf(path, sizeof(path), "%s/%s", dir, fds.name[k]);
			got = readlink(path, to, sizeof(to) - 1);
			to[got < 0 ? 0 : got] = '\0';
			if (!node_is_among(l, to))
				continue;
			process_name(l, pids->name[i], who, sizeof(who));
			say(l, "open by pid %s (%s)", pids->name[i], who);
			break;
		}
	}
}

/* What no list knows: the kernel refuses a second exclusive claim, of the disk or of a partition of it. */
static void ask_kernel(struct look *l, const char *node)
{
	SK_FD int fd = -1;

	if (l->out->n)
		return;
	fd = open(node, O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && errno == EBUSY)
		say(l, "claimed by another user of the kernel");
}

int sk_device_users(const char *node, const char *sysfs, const char *proc, unsigned what, struct sk_buf *ret,
		    struct sk_err *err)
{
	SK_MEM struct look *l = calloc(1, sizeof(*l));
	SK_MEM ino_t *spaces = calloc(MAX_SPACES, sizeof(*spaces));
	SK_NAMES struct sk_names pids = { 0 };
	SK_FD int sys = -1;
	struct stat st;

	sk_buf_reset(ret);
	if (!l || !spaces)
		return sk_fail(err, SK_ENOMEM, "no memory");
	if (stat(node, &st) < 0)
		return sk_fail_sys(err, errno, "stat %s", node);
	if (!S_ISBLK(st.st_mode))
		return sk_fail(err, SK_EINVAL, "%s is no block device", node);
	sys = open(sysfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (sys < 0)
		return sk_fail_sys(err, errno, "open %s", sysfs);
	*l = (struct look){ .proc = proc, .sys = sys, .spaces = spaces, .out = ret };
	sk_attr_names(AT_FDCWD, proc, is_pid, &pids);
	find_devs(l, st.st_rdev);
	look_at_mounts(l, &pids);
	look_at_swaps(l);
	look_at_holders(l);
	if (what & SK_USE_OPENERS)
		look_at_openers(l, &pids);
	ask_kernel(l, node);
	return ret->nomem ? sk_fail(err, SK_ENOMEM, "no memory") : ret->n > 0;
}
