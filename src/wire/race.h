/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_WIRE_RACE_H
#define SK_WIRE_RACE_H

/**
 * sk_race - one connection to whichever of several addresses takes it first (RFC 8305): the first address has a
 * head start of SK_RACE_STEP_MS, then the next one is tried beside it, and so on; one that fails makes room at
 * once. The first that is connected is the connection, the others are closed. So an address nobody answers for, as
 * IPv6 often is, costs a quarter of a second.
 */

#include "wire/tcp.h"

#define SK_RACE_STEP_MS 250

struct sk_race;

/** Called once, before @ev's up(): the connection, whose events go to @ev from now on, and the place of its
 * address. The race is over and freed: the owner forgets it here. */
typedef void sk_race_won_fn(void *ctx, struct sk_wire *taken, unsigned which);

/** sk_race_new - as sk_wire_open; @ev's down() without won() before it means that all have failed, and says why the
 * last one did. NULL: every address is wrong on this side. */
struct sk_race *sk_race_new(struct sk_loop *l, const struct sk_addrs *addrs, const struct sk_wire_cfg *cfg,
			    const struct sk_wire_events *ev, sk_race_won_fn *won, void *ctx, struct sk_err *err);
/** sk_race_free - nothing is told any more; NULL is fine */
void sk_race_free(struct sk_race *r);

#endif
