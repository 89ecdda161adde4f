/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_LOOP_VIRTUAL_H
#define SK_LOOP_VIRTUAL_H

/**
 * Virtual time, for tests: the loop's clock stands still and moves only by sk_loop_advance. Descriptors, workers
 * and children go on as usual.
 */

#include "loop/loop.h"

/** sk_loop_virtual - from now on the clock reads @now_ms until it is advanced */
void sk_loop_virtual(struct sk_loop *l, uint64_t now_ms);

/** sk_loop_advance - move the clock by @ms; every timer that falls due on the way fires in order, at its own time
 */
void sk_loop_advance(struct sk_loop *l, uint64_t ms);

/** sk_loop_turn - one turn of the loop; with @wait it blocks until something happens */
void sk_loop_turn(struct sk_loop *l, bool wait);

#endif
