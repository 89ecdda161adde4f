/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_TRANSPORT_KERNEL_KEEP_H
#define SK_TRANSPORT_KERNEL_KEEP_H

/**
 * What the kernel does not keep of a session: its record, the initiator's name, slot and ISID, and whether its first
 * login ever came to an end. A file of its own, 0600: <rundir>/kernel/<sid>.login until that login is through, then
 * <sid>.session. The kernel begins with session 1 again when its module is loaded anew: the transport's handle in the
 * file tells such sessions from ours.
 */

#include <stdbool.h>
#include <stdint.h>

#include "record/places.h"
#include "record/record.h"

struct sk_keep {
	uint64_t handle;
	bool up;	/* found only: logged in at least once */
	char initiator[224], tag[64];
};

/** sk_keep_put - of a session in its first login; what was kept under this id is replaced */
int sk_keep_put(const struct sk_places *p, uint32_t sid, const struct sk_keep *about, const struct sk_record *node,
		struct sk_err *err);
/** sk_keep_up - that login is through */
int sk_keep_up(const struct sk_places *p, uint32_t sid, struct sk_err *err);
/** sk_keep_replace - another record of a session that was up; at no moment is there neither, or one in its first login */
int sk_keep_replace(const struct sk_places *p, uint32_t sid, const struct sk_keep *about, const struct sk_record *node,
		    struct sk_err *err);
/** sk_keep_get - NULL with SK_ENOENT: not one of ours */
struct sk_record *sk_keep_get(const struct sk_places *p, uint32_t sid, struct sk_keep *ret, struct sk_err *err);
void sk_keep_drop(const struct sk_places *p, uint32_t sid);
/** sk_keep_sweep - files of sessions that do not exist any more */
void sk_keep_sweep(const struct sk_places *p, bool (*alive)(void *ctx, uint32_t sid), void *ctx);

#endif
