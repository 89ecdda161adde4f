/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_SYS_MOUNTS_H
#define SK_SYS_MOUNTS_H

/**
 * Is a block device in use, and by whom? Looked at: mounts in every mount namespace that /proc shows, swap, holders
 * in sysfs (dm, md, bcache …), all of it for the device and its partitions; then an exclusive open, which catches
 * what the list does not; and, if asked for, processes that have it open.
 */

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

enum sk_use {
	SK_USE_CLAIMED = 0,	 /* what a file system, swap or another driver holds */
	SK_USE_OPENERS = 1 << 0, /* also processes with an open descriptor (looks at every process) */
};

/**
 * sk_device_users - who uses the device
 * @node: its node ("/dev/loop3"); @sysfs: root of sysfs ("/sys"); @proc: "/proc"; @what: SK_USE_…
 * @ret: reset and filled with a text for people, one user a line without final newline:
 *	"mounted on /mnt (mount namespace of pid 812, postgres)", "swap", "held by dm-3", "open by pid 91 (fio)"
 * Returns 1 in use, 0 not, -1 when the node is no block device or cannot be looked at.
 */
int sk_device_users(const char *node, const char *sysfs, const char *proc, unsigned what, struct sk_buf *ret,
		    struct sk_err *err);

#endif
