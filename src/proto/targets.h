/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_PROTO_TARGETS_H
#define SK_PROTO_TARGETS_H

/**
 * sk_targets - a SendTargets answer (RFC 7143, Appendix C), of any size, fed in pieces cut anywhere.
 *
 * Every entry that is sound is told once, as it becomes complete; an entry that is not is told as such and skipped,
 * and never stops the ones around it. A target without an address is at the portal the discovery spoke to; a target
 * all of whose addresses were refused is not told. Memory is bounded by one pair, not by the answer.
 *
 * Limits: 65536 portals, 16 MiB of text, 1024 bytes per pair; past the first two SK_EPROTO.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "proto/iname.h"
#include "proto/portal.h"

#define SK_TARGETS_MAX	 65536
#define SK_TARGETS_BYTES (16U << 20)
#define SK_TARGETS_PAIR	 1024

struct sk_targets_events { /* pointers are lent for the call; may be NULL if nobody listens */
	void (*portal)(void *ctx, const struct sk_iname *target, const struct sk_portal *portal);
	void (*bad)(void *ctx, const struct sk_err *why); /* an entry was skipped; SK_EPROTO or SK_EINVAL */
};

struct sk_targets {
	const struct sk_targets_events *ev;
	void *ctx;
	struct sk_portal self; /* the discovery portal */
	struct sk_iname target;
	enum { SK_TARGETS_NONE, SK_TARGETS_NAMED, SK_TARGETS_SKIPPING } at;
	uint32_t addresses; /* of this target, sound or not */
	uint32_t portals;   /* told so far */
	size_t bytes;
	size_t have;   /* bytes of a pair collected */
	bool too_long; /* the pair being collected is, and is skipped to its end */
	uint8_t pair[SK_TARGETS_PAIR];
};

/** sk_targets_init - @self: where the discovery session is connected; @ev and @ctx live as long as *t. No clean-up
 * is needed: nothing is allocated. */
void sk_targets_init(struct sk_targets *t, const struct sk_portal *self, const struct sk_targets_events *ev,
		     void *ctx);
int sk_targets_feed(struct sk_targets *t, struct sk_span bytes, struct sk_err *err);
/** sk_targets_end - the answer is complete: the last target is told if it listed no address */
int sk_targets_end(struct sk_targets *t, struct sk_err *err);

#endif
