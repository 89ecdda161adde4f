/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "datapath/fuse/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/num.h"
#include "datapath/fuse/wire.h"

#define FIRST_NODE 2U
#define UNITS_MAX 65536U	/* added in the life of one session, removed ones included */

int sk_fuse_tree_add(struct sk_fuse_tree *t, const struct sk_disk_info *info, uint32_t *ret_unit, struct sk_err *err)
{
	struct sk_fuse_unit *u;

	for (uint32_t i = 0; i < t->n; i++)
		if (!t->units[i]->gone && t->units[i]->info.lun == info->lun)
			return sk_fail(err, SK_EEXIST, "lun-%" PRIu64 " is there already", info->lun);
	if (t->n == UNITS_MAX)
		return sk_fail(err, SK_ENOMEM, "%u disks have come and gone", UNITS_MAX);
	if (t->n == t->cap) {
		uint32_t cap = t->cap ? t->cap * 2 : 16;
		struct sk_fuse_unit **more = realloc(t->units, cap * sizeof(struct sk_fuse_unit *));

		if (!more)
			return sk_fail(err, SK_ENOMEM, "no memory");
		t->units = more;
		t->cap = cap;
	}
	u = calloc(1, sizeof(*u));
	if (!u)
		return sk_fail(err, SK_ENOMEM, "no memory");
	u->info = *info;
	snprintf(u->name, sizeof(u->name), "lun-%" PRIu64, info->lun);
	*ret_unit = t->n;
	t->units[t->n++] = u;
	return 0;
}

void sk_fuse_tree_free(struct sk_fuse_tree *t)
{
	for (uint32_t i = 0; i < t->n; i++)
		free(t->units[i]);
	free(t->units);
	*t = (struct sk_fuse_tree){ 0 };
}

struct sk_fuse_unit *sk_fuse_tree_at(const struct sk_fuse_tree *t, uint64_t nodeid, uint32_t *ret_unit)
{
	if (nodeid < FIRST_NODE || nodeid - FIRST_NODE >= t->n)
		return NULL;
	*ret_unit = (uint32_t)(nodeid - FIRST_NODE);
	return t->units[*ret_unit];
}

static void fill_attr(const struct sk_fuse_tree *t, uint64_t nodeid, const struct sk_fuse_unit *u, struct fuse_attr *a)
{
	a->ino = nodeid;
	a->uid = t->uid;
	a->gid = t->gid;
	a->blksize = 4096;
	if (!u) {
		a->mode = S_IFDIR | 0700;
		a->nlink = 2;
		return;
	}
	a->mode = S_IFREG | (u->info.read_only ? 0400 : 0600);
	a->nlink = u->gone ? 0 : 1;
	a->size = u->info.size;
	a->blocks = u->info.size / 512;
}

int sk_fuse_tree_attr(const struct sk_fuse_tree *t, uint64_t nodeid, struct fuse_attr_out *ret)
{
	uint32_t unit;
	const struct sk_fuse_unit *u = sk_fuse_tree_at(t, nodeid, &unit);

	if (!u && nodeid != FUSE_ROOT_ID)
		return ENOENT;
	memset(ret, 0, sizeof(*ret));	/* never cached: a resize shows at the next stat */
	fill_attr(t, nodeid, u, &ret->attr);
	return 0;
}

int sk_fuse_tree_lookup(const struct sk_fuse_tree *t, uint64_t parent, struct sk_span name, struct fuse_entry_out *ret)
{
	if (parent != FUSE_ROOT_ID)
		return ENOTDIR;
	for (uint32_t i = 0; i < t->n; i++) {
		const struct sk_fuse_unit *u = t->units[i];

		if (u->gone || strlen(u->name) != name.n || memcmp(u->name, name.p, name.n) != 0)
			continue;
		memset(ret, 0, sizeof(*ret));
		ret->nodeid = FIRST_NODE + i;
		ret->generation = 1;
		fill_attr(t, ret->nodeid, u, &ret->attr);
		return 0;
	}
	return ENOENT;
}

int sk_fuse_tree_open(const struct sk_fuse_tree *t, uint64_t nodeid, uint32_t flags, struct fuse_open_out *ret)
{
	uint32_t unit;
	const struct sk_fuse_unit *u = sk_fuse_tree_at(t, nodeid, &unit);

	if (!u)
		return nodeid == FUSE_ROOT_ID ? EISDIR : ENOENT;
	if (u->gone)
		return ENXIO;
	if (u->info.read_only && (flags & O_ACCMODE) != O_RDONLY)
		return EROFS;
	memset(ret, 0, sizeof(*ret));
	ret->open_flags = FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES;
	return 0;
}

int sk_fuse_tree_statfs(const struct sk_fuse_tree *t, uint64_t nodeid, struct fuse_statfs_out *ret)
{
	uint32_t unit;
	const struct sk_fuse_unit *u = sk_fuse_tree_at(t, nodeid, &unit);

	memset(ret, 0, sizeof(*ret));
	/* A loop device takes its discard granularity from here. */
	ret->st.bsize = u ? SK_MAX(u->info.discard_granularity, u->info.block_size) : 4096;
	ret->st.frsize = ret->st.bsize;
	ret->st.namelen = 31;
	ret->st.files = t->n;
	if (u)
		ret->st.blocks = u->info.size / ret->st.bsize;
	return 0;
}

int sk_fuse_tree_list(const struct sk_fuse_tree *t, uint64_t nodeid, uint64_t off, struct sk_wr *out)
{
	static const char *const dots[2] = { ".", ".." };

	if (nodeid != FUSE_ROOT_ID)
		return ENOTDIR;
	for (; off < 2; off++)
		if (!sk_fuse_dirent_put(out, FUSE_ROOT_ID, off + 1, S_IFDIR >> 12, dots[off]))
			return 0;
	for (; off - 2 < t->n; off++) {
		const struct sk_fuse_unit *u = t->units[off - 2];

		if (!u->gone && !sk_fuse_dirent_put(out, FIRST_NODE + off - 2, off + 1, S_IFREG >> 12, u->name))
			return 0;
	}
	return 0;
}
