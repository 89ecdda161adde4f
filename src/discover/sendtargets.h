/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_DISCOVER_SENDTARGETS_H
#define SK_DISCOVER_SENDTARGETS_H

/**
 * sk_disc - one SendTargets discovery through one iface, on a loop: resolve, connect, log in, ask, log out; again
 * after failures that may pass, reopen_max times (spec: cli.md 4.7). Nothing blocks; several may run side by side.
 */

#include "base/rng.h"
#include "loop/loop.h"
#include "proto/iname.h"
#include "proto/portal.h"
#include "record/record.h"

struct sk_found {
	struct sk_iname target;
	struct sk_portal portal;
};

struct sk_disc_cfg {
	const struct sk_record *disc;	  /* a sendtargets record: portal and settings; lent for the run */
	const struct sk_record *iface;	  /* NULL = the default one; lent for the run */
	const struct sk_iname *initiator; /* unless the iface has its own; lent for the call. "" = none is known */
	uint64_t deadline_ms;		  /* absolute, as sk_loop_now; UINT64_MAX = only the record's limits */
};

struct sk_disc_events {
	/** a line about something that went wrong, in the incumbent's words, as it happens */
	void (*say)(void *ctx, const char *line);
	/** the end, once; not from inside sk_disc_start. @found is lent, in the order of the answer, duplicates
	 * included.
	 * @err NULL: success (@n may be 0); else sk_result_of_discovery(err) is the code, and nothing was found */
	void (*done)(void *ctx, const struct sk_found *found, unsigned n, const struct sk_err *err);
};

struct sk_disc;

struct sk_disc *sk_disc_start(struct sk_loop *l, struct sk_rng *rng, const struct sk_disc_cfg *cfg,
			      const struct sk_disc_events *ev, void *ctx, struct sk_err *err);
void sk_disc_free(struct sk_disc *d); /* NULL is fine; stops it without a word; also from done() */

/** sk_disc_pause - ms to wait before the attempt after @failures of them: none, 1 s, then longer (spec: cli.md 4.7)
 */
uint32_t sk_disc_pause(unsigned failures);

#endif
