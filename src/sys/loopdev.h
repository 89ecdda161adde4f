/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_SYS_LOOPDEV_H
#define SK_SYS_LOOPDEV_H

/**
 * Loop devices over the file that serves a LUN. All calls are plain blocking ones: attaching opens and reads the
 * backing file, so it must not run in the process (or thread) that serves that file. Needs root and
 * /dev/loop-control; SK_ENOTSUP says they are not there.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct sk_loopdev_cfg {
	const char *file;    /* the backing file, absolute */
	uint32_t block_size; /* 512, 1024, 2048, 4096; the file must be a multiple of it */
	bool read_only;
	bool direct_io; /* past the page cache of the backing file; given up silently where it is not possible */
	bool partscan;	/* read the partition table and show partitions (loop3p1), as for any disk */
	bool autoclear; /* detach by itself at the last close; attach then returns a descriptor that holds it */
};

struct sk_loopdev {
	int number;	/* -1: none */
	char name[32];	/* "loop3" */
	char node[64];	/* "/dev/loop3" */
	int fd;		/* >= 0 only with autoclear: close it to let go */
	bool direct_io; /* what came out */
};

/** sk_loopdev_attach - a free device over the file. Retries when another process takes the device it found. A
 * missing node in /dev is made. On failure nothing is left behind. */
int sk_loopdev_attach(const struct sk_loopdev_cfg *cfg, struct sk_loopdev *ret, struct sk_err *err);

/** sk_loopdev_resize - take over the backing file's new size */
int sk_loopdev_resize(const char *node, struct sk_err *err);

/** sk_loopdev_busy - is it claimed (mounted, swap, dm, md, a partition of it …) in any namespace? Asks the kernel
 * by an exclusive open, so it needs no list of cases. */
bool sk_loopdev_busy(const char *node);

/**
 * sk_loopdev_detach - let go of the backing file
 * @force: also when it is in use: the device is then cleared at its last close (autoclear)
 * SK_EBUSY: in use and not forced, or (forced) it stays until its last user closes it. 0 also when it is not
 * attached.
 * @file: detach only while the device is over this file (as given at attach); NULL: whatever it is.
 */
int sk_loopdev_detach(const char *node, const char *file, bool force, struct sk_err *err);

/** sk_loopdev_release - detach a device this process attached, closing d->fd in between: an autoclear device is in
 * use as long as that is open. As sk_loopdev_detach; when it is in use and not forced nothing has changed. */
int sk_loopdev_release(struct sk_loopdev *d, const char *file, bool force, struct sk_err *err);

/** sk_loopdev_find - the node of a device over @file, by the name under which it was attached (also when its server
 * is gone) or by the file itself; SK_ENOENT if there is none */
int sk_loopdev_find(const char *file, char *ret_node, size_t n, struct sk_err *err);

/** sk_loopdev_below - every device over a file below the directory @dir (as the kernel spells it), also one whose file's
 * server is dead: calls @fn for each. */
void sk_loopdev_below(const char *dir, void (*fn)(void *ctx, const char *node, const char *file), void *ctx);

#endif
