/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_DATAPATH_BUSY_H
#define SK_DATAPATH_BUSY_H

/**
 * struct sk_busy - whether looking at the socket for a while before sleeping is worth the CPU it takes. Pure.
 *
 * Looking pays while answers come within the time spent looking. After SK_BUSY_MISSES looks in a row that found nothing
 * it rests: for SK_BUSY_REST wake-ups first, twice as long each time the look after a rest fails too, up to
 * SK_BUSY_REST_MAX. One look that finds something sets it back. So a target slower than the budget costs one look in
 * thousands of wake-ups, and a target as fast as that is noticed again by itself.
 */

#include <stdbool.h>

enum { SK_BUSY_MISSES = 16, SK_BUSY_REST = 64, SK_BUSY_REST_MAX = 4096 };

struct sk_busy {
	unsigned missed;	/* in a row */
	unsigned rest;		/* length of the last rest, wake-ups; 0 = none since the last find */
	unsigned left;		/* of the rest under way */
};

/** sk_busy_try - look now? Asked once a wake-up. */
static inline bool sk_busy_try(struct sk_busy *b)
{
	if (!b->left)
		return true;
	b->left--;
	return false;
}

/** sk_busy_result - a look is over: did it find anything? */
static inline void sk_busy_result(struct sk_busy *b, bool found)
{
	if (found) {
		*b = (struct sk_busy){ 0 };
		return;
	}
	if (!b->rest && ++b->missed < SK_BUSY_MISSES)
		return;
	b->missed = 0;
	b->rest = !b->rest ? SK_BUSY_REST : b->rest < SK_BUSY_REST_MAX ? b->rest * 2 : SK_BUSY_REST_MAX;
	b->left = b->rest;
}

#endif
