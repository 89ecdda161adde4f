/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "sys/attr.h"
#include "sys/tree.h"
#include "sys/treedir.h"

static int target_dir(const char *rundir, uint32_t sid, struct sk_err *err)
{
	char path[64];

	snprintf(path, sizeof(path), "session%u/target%u:0:0", sid, sid);
	return sk_tree_session(rundir, sid, path, err);
}

static void lun_name(uint32_t sid, uint64_t lun, char *ret, size_t n)
{
	snprintf(ret, n, "%u:0:0:%llu", sid, (unsigned long long)lun);
}

static int put(int dir, const char *name, const char *value, struct sk_err *err)
{
	return value[0] ? sk_attr_write(dir, name, value, 0444, err) : 0;
}

static int put_num(int dir, const char *name, uint64_t v, struct sk_err *err)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)v);
	return sk_attr_write(dir, name, text, 0444, err);
}

/* The kernel pads these three with blanks; readers trim. */
static int put_padded(int dir, const char *name, const char *value, int width, struct sk_err *err)
{
	char text[24];

	if (!value[0])
		return 0;
	snprintf(text, sizeof(text), "%-*.*s", width, width, value);
	return sk_attr_write(dir, name, text, 0444, err);
}

/* Sizes as the block layer shows them (512-byte sectors), and our own spelling, which is there without a disk too.
 */
static int put_size(int dir, const char *disk, uint64_t blocks, uint32_t block_size, struct sk_err *err)
{
	char path[80];

	if (sk_attr_mkdirs(dir, "siskin", err) < 0 || put_num(dir, "siskin/blocks", blocks, err) < 0 ||
	    put_num(dir, "siskin/block_size", block_size, err) < 0)
		return -1;
	if (!disk[0])
		return 0;
	snprintf(path, sizeof(path), "block/%s/queue", disk);
	if (sk_attr_mkdirs(dir, path, err) < 0)
		return -1;
	snprintf(path, sizeof(path), "block/%s/queue/logical_block_size", disk);
	if (put_num(dir, path, block_size, err) < 0)
		return -1;
	snprintf(path, sizeof(path), "block/%s/size", disk);
	return put_num(dir, path, blocks * (block_size / 512), err);
}

static int build_lun(int dir, const struct sk_tree_lun *t, struct sk_err *err)
{
	const struct sk_sys_lun *l = &t->l;
	char path[80];

	if (put(dir, "state", l->state[0] ? l->state : "running", err) < 0 ||
	    put_padded(dir, "vendor", t->vendor, 8, err) < 0 || put_padded(dir, "model", t->model, 16, err) < 0 ||
	    put_padded(dir, "rev", t->rev, 4, err) < 0 || put(dir, "wwid", t->wwid, err) < 0)
		return -1;
	if (t->type >= 0 && put_num(dir, "type", (uint64_t)t->type, err) < 0)
		return -1;
	if (put_size(dir, l->disk, l->blocks, l->block_size, err) < 0 || put(dir, "siskin/path", l->path, err) < 0)
		return -1;
	if (!l->disk[0])
		return 0;
	snprintf(path, sizeof(path), "block/%s/ro", l->disk);
	return put_num(dir, path, t->read_only, err);
}

static bool plain_name(const char *s)
{
	return s[0] != '.' && !strchr(s, '/');
}

/* @name goes away by a rename first, so that nobody sees half of it. */
static int take_out(int target, const char *name, struct sk_err *err)
{
	char gone[80];

	snprintf(gone, sizeof(gone), ".%s.gone", name);
	if (sk_attr_rmtree(target, gone, err) < 0)
		return -1;
	if (renameat(target, name, target, gone) < 0)
		return errno == ENOENT ? 0 : sk_fail_sys(err, errno, "remove %s", name);
	return sk_attr_rmtree(target, gone, err);
}

int sk_tree_add_lun(const char *rundir, uint32_t sid, const struct sk_tree_lun *l, struct sk_err *err)
{
	SK_FD int target = target_dir(rundir, sid, err);
	SK_FD int dir = -1;
	char name[64], tmp[80];

	if (target < 0)
		return -1;
	if (!plain_name(l->l.disk))
		return sk_fail(err, SK_EINVAL, "no name of a disk: %s", l->l.disk);
	lun_name(sid, l->l.lun, name, sizeof(name));
	snprintf(tmp, sizeof(tmp), ".%s.new", name);
	if (sk_attr_rmtree(target, tmp, err) < 0 || sk_attr_mkdirs(target, tmp, err) < 0)
		return -1;
	dir = openat(target, tmp, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0) {
		sk_fail_sys(err, errno, "open %s", tmp);
		goto undo;
	}
	if (build_lun(dir, l, err) < 0 || take_out(target, name, err) < 0)
		goto undo;
	if (renameat(target, tmp, target, name) == 0)
		return 0;
	sk_fail_sys(err, errno, "rename %s", tmp);
undo:
	sk_attr_rmtree(target, tmp, NULL);
	return sk_in(err, "publish LUN %llu of session %u", (unsigned long long)l->l.lun, sid);
}

static int lun_dir(const char *rundir, uint32_t sid, uint64_t lun, struct sk_err *err)
{
	SK_FD int target = target_dir(rundir, sid, err);
	char name[64];
	int fd;

	if (target < 0)
		return -1;
	lun_name(sid, lun, name, sizeof(name));
	fd = openat(target, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return sk_fail_sys(err, errno, "LUN %s in the state tree", name);
	return fd;
}

int sk_tree_lun_size(const char *rundir, uint32_t sid, uint64_t lun, uint64_t blocks, uint32_t block_size,
		     struct sk_err *err)
{
	SK_FD int dir = lun_dir(rundir, sid, lun, err);
	SK_NAMES struct sk_names disks = { 0 };

	if (dir < 0)
		return -1;
	sk_attr_names(dir, "block", NULL, &disks);
	return put_size(dir, disks.n ? disks.name[0] : "", blocks, block_size, err);
}

int sk_tree_lun_state(const char *rundir, uint32_t sid, uint64_t lun, const char *state, struct sk_err *err)
{
	SK_FD int dir = lun_dir(rundir, sid, lun, err);

	return dir < 0 ? -1 : sk_attr_write(dir, "state", state, 0644, err);
}

int sk_tree_lun_states(const char *rundir, uint32_t sid, const char *state, struct sk_err *err)
{
	SK_FD int target = target_dir(rundir, sid, err);
	SK_NAMES struct sk_names luns = { 0 };
	char path[80];

	if (target < 0)
		return -1;
	sk_attr_names(target, ".", NULL, &luns);
	for (size_t i = 0; i < luns.n; i++) {
		snprintf(path, sizeof(path), "%s/state", luns.name[i]);
		if (sk_attr_write(target, path, state, 0644, err) < 0)
			return -1;
	}
	return 0;
}

int sk_tree_remove_lun(const char *rundir, uint32_t sid, uint64_t lun, struct sk_err *err)
{
	SK_FD int target = target_dir(rundir, sid, NULL);
	char name[64];

	if (target < 0)
		return 0;
	lun_name(sid, lun, name, sizeof(name));
	return take_out(target, name, err);
}
