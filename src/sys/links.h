/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_SYS_LINKS_H
#define SK_SYS_LINKS_H

/**
 * The /dev/disk/by-path link of a LUN, by the rule udev names the disks of kernel sessions:
 * ip-ADDR:PORT-iscsi-TARGET-lun-N with the persistent portal, IPv6 without brackets, and LUNs over 255 in
 * hexadecimal. Characters that udev does not allow in a link become '_'.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/** sk_link_name - the last path component; @lun in the kernel's spelling (scsi/lun.h). SK_EINVAL when it gets
 * longer than @n or than a file name may be */
int sk_link_name(const char *addr, int port, const char *target, uint64_t lun, char *ret, size_t n,
		 struct sk_err *err);

/**
 * sk_link_make - <devdir>/disk/by-path/@name -> @node
 * @node: the device node, absolute; the link is relative when it lies below @devdir.
 * Replaces a link (atomically), as udev does the newest wins; but SK_EEXIST when it leads to an existing device
 * that no user session can have (a disk of the kernel's), or when something that is no link is there.
 */
int sk_link_make(const char *devdir, const char *name, const char *node, struct sk_err *err);

/** sk_link_remove - remove the link if it points to @node, else leave it (0 in both cases, and when there is none)
 */
int sk_link_remove(const char *devdir, const char *name, const char *node, struct sk_err *err);

/** sk_link_remove_all - remove every link that points to @node */
void sk_link_remove_all(const char *devdir, const char *node);

#endif
