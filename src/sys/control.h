/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_SYS_CONTROL_H
#define SK_SYS_CONTROL_H

/** What the kernel's sysfs does when it is written to, and the few values read on the way there. May block, so not for
 * the loop, unless said otherwise. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "record/places.h"
#include "sys/session.h"

/** sk_sys_handle - a transport's number for netlink messages. SK_ENOENT: no such transport; SK_EACCES: not permitted */
int sk_sys_handle(const struct sk_places *p, const char *transport, uint64_t *ret, struct sk_err *err);

/** sk_sys_state - a kernel session's own word, LOGGED_IN, FAILED or FREE; "" when there is none. Does not block */
void sk_sys_state(const struct sk_places *p, uint32_t sid, char *ret, size_t n);

/** What became of a kernel session, by its own attributes. Words are "" when a kernel does not have them. */
struct sk_sys_life {
	bool exists;
	char session[16];	/* LOGGED_IN, FAILED, FREE */
	char conn[16];		/* up, down, failed, bound */
	char target[16];	/* UNBOUND, ALLOCATED, SCANNED, UNBINDING */
	int64_t target_id;	/* -1: its devices are gone */
};
void sk_sys_life(const struct sk_places *p, uint32_t sid, struct sk_sys_life *ret);

/** sk_sys_scan - every LUN of the host. Success also when the session is not logged in and nothing happened */
int sk_sys_scan(const struct sk_places *p, uint32_t host, struct sk_err *err);
/** sk_sys_reread - capacity and the like of one device */
int sk_sys_reread(const struct sk_places *p, const struct sk_sys_lun *l, struct sk_err *err);
/** sk_sys_is_disk - is @l of a type that gets a block device? */
bool sk_sys_is_disk(const struct sk_places *p, const struct sk_sys_lun *l);
/** sk_sys_xmit_priority - nice value of the kernel's sending work queue of a host */
int sk_sys_xmit_priority(const struct sk_places *p, uint32_t host, int nice, struct sk_err *err);

#endif
