/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_DATAPATH_FUSE_FRONT_H
#define SK_DATAPATH_FUSE_FRONT_H

/**
 * The FUSE front end: one mount per session, a file lun-<n> per disk, every access direct (no page cache of the file in
 * between), several requests in flight, answers in any order. The descriptor comes from outside (mount.h, or a
 * SOCK_SEQPACKET socket in tests) and is owned from here on, also on failure.
 */

#include "datapath/disk.h"

struct sk_disk_front *sk_fuse_front_open(int taken_fd, const struct sk_disk_front_cfg *cfg,
					 const struct sk_disk_events *ev, void *ctx, struct sk_err *err);

#endif
