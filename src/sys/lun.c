/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "sys/attr.h"
#include "sys/root.h"
#include "sys/session.h"

static bool is_target(const char *name)
{
	return strncmp(name, "target", 6) == 0;
}

/* H:C:T:L, each a decimal number */
static bool hctl(const char *name, struct sk_sys_lun *l)
{
	uint64_t v[4];
	const char *at = name;

	for (int i = 0; i < 4; i++) {
		const char *end = i < 3 ? strchr(at, ':') : at + strlen(at);

		if (!end || !sk_num_u64(at, (size_t)(end - at), 0, i < 3 ? UINT32_MAX : UINT64_MAX, &v[i]))
			return false;
		at = end + 1;
	}
	l->host = (uint32_t)v[0];
	l->channel = (uint32_t)v[1];
	l->target = (uint32_t)v[2];
	l->lun = v[3];
	return true;
}

static bool is_lun(const char *name)
{
	struct sk_sys_lun l;

	return hctl(name, &l);
}

/* The single entry of block/ */
static void find_disk(int root, const char *dir, char *ret, size_t n)
{
	char path[SK_ATTR_PATH];
	SK_NAMES struct sk_names names = { 0 };

	snprintf(path, sizeof(path), "%s/block", dir);
	sk_attr_names(root, path, NULL, &names);
	if (names.n)
		snprintf(ret, n, "%.31s", names.name[0]);
}

static void read_size(int root, const char *dir, struct sk_sys_lun *l)
{
	char path[SK_ATTR_PATH + 80];
	int64_t sectors, size;

	snprintf(path, sizeof(path), "%s/block/%s/size", dir, l->disk);
	sectors = l->disk[0] ? sk_attr_num(root, path, 0) : 0;
	snprintf(path, sizeof(path), "%s/block/%s/queue/logical_block_size", dir, l->disk);
	size = l->disk[0] ? sk_attr_num(root, path, 512) : 0;
	if (sectors > 0 && size >= 512 && size <= 65536) {
		l->block_size = (uint32_t)size;
		l->blocks = (uint64_t)sectors / ((uint64_t)size / 512);
	}
}

/* What user sessions publish and the kernel has no file for */
static void read_user(int root, const char *dir, struct sk_sys_lun *l)
{
	char path[SK_ATTR_PATH + 80];
	int64_t sectors, size;

	snprintf(path, sizeof(path), "%s/siskin/path", dir);
	sk_attr_read(root, path, l->path, sizeof(l->path));
	if (l->blocks)
		return;
	snprintf(path, sizeof(path), "%s/siskin/blocks", dir);
	sectors = sk_attr_num(root, path, 0);
	snprintf(path, sizeof(path), "%s/siskin/block_size", dir);
	size = sk_attr_num(root, path, 0);
	if (sectors > 0 && size > 0 && size <= 65536) {
		l->block_size = (uint32_t)size;
		l->blocks = (uint64_t)sectors;
	}
}

static void read_lun(int root, const char *dir, bool user, enum sk_sys_depth depth, struct sk_sys_lun *l)
{
	char path[SK_ATTR_PATH + 80];

	snprintf(path, sizeof(path), "%s/state", dir);
	sk_attr_read(root, path, l->state, sizeof(l->state));
	find_disk(root, dir, l->disk, sizeof(l->disk));
	if (l->disk[0])
		snprintf(l->disk_state, sizeof(l->disk_state), "%s", l->state);
	if (depth == SK_SYS_FLAT)
		return;
	read_size(root, dir, l);
	if (user)
		read_user(root, dir, l);
}

int sk_sys_luns(const struct sk_places *p, const struct sk_sys_session *s, enum sk_sys_depth depth, sk_sys_lun_visit *visit,
		void *ctx)
{
	SK_FD int root = sk_sys_root(p, s->user);
	SK_NAMES struct sk_names targets = { 0 };
	char device[64], target[140], dir[220];
	int count = 0;

	if (root < 0)
		return 0;
	snprintf(device, sizeof(device), "class/iscsi_session/session%u/device", s->sid);
	sk_attr_names(root, device, is_target, &targets);
	for (size_t t = 0; t < targets.n; t++) {
		SK_NAMES struct sk_names luns = { 0 };

		snprintf(target, sizeof(target), "%s/%s", device, targets.name[t]);
		sk_attr_names(root, target, is_lun, &luns);
		for (size_t i = 0; i < luns.n; i++) {
			struct sk_sys_lun l = { 0 };

			hctl(luns.name[i], &l);
			snprintf(dir, sizeof(dir), "%s/%s", target, luns.name[i]);
			read_lun(root, dir, s->user, depth, &l);
			if (!l.state[0] && !l.disk[0])
				continue; /* gone meanwhile */
			count++;
			if (!visit(ctx, &l))
				return count;
		}
	}
	return count;
}
