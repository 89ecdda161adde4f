/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_DATAPATH_FUSE_MOUNT_H
#define SK_DATAPATH_FUSE_MOUNT_H

/** Mounting the session's FUSE directory: by mount(2) with privileges, by the fusermount3 program without. Blocking. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/** sk_fuse_mount - mount at @dir, which exists; *ret_fd is the descriptor for sk_fuse_front_open */
int sk_fuse_mount(const char *dir, uint32_t max_io, int *ret_fd, struct sk_err *err);

/** sk_fuse_unmount - @lazy detaches at once even if files are open. SK_EBUSY when in use; not mounted is success. */
int sk_fuse_unmount(const char *dir, bool lazy, struct sk_err *err);

#endif
