/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_TRANSPORT_KERNEL_CREW_H
#define SK_TRANSPORT_KERNEL_CREW_H

/**
 * Threads for calls that block in the kernel. Orders run one after another on one thread, in the order they were given:
 * the kernel serialises netlink commands anyway, and what is asked of one session must keep its order. Errands (scans,
 * flushes: what waits for a disk) run side by side, each on a thread of its own up to a limit, and delay no order; such a
 * thread has descriptors of its own (none of the process's), and therefore must not log.
 */

#include <stdbool.h>

#include "base/err.h"
#include "loop/loop.h"

struct sk_crew;

/** Embedded as the first member of whatever the work needs. */
struct sk_chore {
	struct sk_chore *next;
	void (*work)(struct sk_chore *c); /* on a thread: touches nothing that the loop's thread does */
	void (*done)(struct sk_chore *c); /* in the loop; owns c */
};

/** sk_crew_new - @before runs in the loop before a batch of done() calls: what the kernel said meanwhile comes first */
struct sk_crew *sk_crew_new(struct sk_loop *l, void (*before)(void *ctx), void *ctx, struct sk_err *err);
void sk_crew_order(struct sk_crew *c, struct sk_chore *taken);
void sk_crew_errand(struct sk_crew *c, struct sk_chore *taken);
/** sk_crew_free - orders already given are carried out and everything finished is told, within a few seconds; what
 * still hangs in the kernel then is left to it */
void sk_crew_free(struct sk_crew *c);

#endif
