/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_WIRE_CHANGES_H
#define SK_WIRE_CHANGES_H

/**
 * sk_net_changes - hears from the kernel (rtnetlink) that the network may have become better: a link that came up,
 * an address that can be used now. Whoever waits before trying a portal again need not wait any longer then.
 * Nothing is told of what went away.
 *
 * Changes come in crowds (a bond, a bridge, DHCP), so the first of them is told SK_NET_SETTLE_MS later, together
 * with what came meanwhile, and the next not before SK_NET_PAUSE_MS have passed: a machine whose devices come and
 * go all day has its lost sessions tried six times a minute at most.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "loop/loop.h"

#define SK_NET_SETTLE_MS 300
#define SK_NET_PAUSE_MS	 10000

struct sk_net_changes;

typedef void sk_net_changes_fn(void *ctx);
/** sk_net_changes_new - of the network namespace of the calling thread; needs no privilege. @fn is called from the
 * loop */
struct sk_net_changes *sk_net_changes_new(struct sk_loop *l, sk_net_changes_fn *fn, void *ctx, struct sk_err *err);
void sk_net_changes_free(struct sk_net_changes *c); /* NULL is fine */

/** Which devices are up, as far as was heard: a link that was up already when it is told of again is no news. */
struct sk_net_links {
	struct {
		int32_t index; /* 0: free */
		bool up;
	} a[256];
	unsigned next; /* whose place is taken when all are used */
};

/** sk_net_better - does this datagram of rtnetlink say that something got better? Pure; @links is kept up to date.
 */
bool sk_net_better(struct sk_net_links *links, const uint8_t *p, size_t n);

#endif
