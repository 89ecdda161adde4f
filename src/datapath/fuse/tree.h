/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_DATAPATH_FUSE_TREE_H
#define SK_DATAPATH_FUSE_TREE_H

/** The directory the FUSE mount shows: the root and one file per unit. Node 1 is the root, node 2 + u is unit u; node
 * numbers are never used twice. */

#include <linux/fuse.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "datapath/disk.h"

struct sk_fuse_unit {
	struct sk_disk_info info;
	bool gone;
	bool written;		/* since the last flush */
	char name[32];
};

struct sk_fuse_tree {
	struct sk_fuse_unit **units;
	uint32_t n, cap;
	uint32_t uid, gid;
};

int sk_fuse_tree_add(struct sk_fuse_tree *t, const struct sk_disk_info *info, uint32_t *ret_unit, struct sk_err *err);
void sk_fuse_tree_free(struct sk_fuse_tree *t);

/** sk_fuse_tree_at - the unit of a node, gone or not; NULL when there is none (the root has none) */
struct sk_fuse_unit *sk_fuse_tree_at(const struct sk_fuse_tree *t, uint64_t nodeid, uint32_t *ret_unit);

/** What metadata requests are answered with; each returns 0 or a positive errno. */
int sk_fuse_tree_attr(const struct sk_fuse_tree *t, uint64_t nodeid, struct fuse_attr_out *ret);
int sk_fuse_tree_lookup(const struct sk_fuse_tree *t, uint64_t parent, struct sk_span name, struct fuse_entry_out *ret);
int sk_fuse_tree_open(const struct sk_fuse_tree *t, uint64_t nodeid, uint32_t flags, struct fuse_open_out *ret);
int sk_fuse_tree_statfs(const struct sk_fuse_tree *t, uint64_t nodeid, struct fuse_statfs_out *ret);
/** sk_fuse_tree_list - directory entries from @off on into @out, as many as fit */
int sk_fuse_tree_list(const struct sk_fuse_tree *t, uint64_t nodeid, uint64_t off, struct sk_wr *out);

#endif
