/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_TESTS_FAULT_STORM_H
#define SK_TESTS_FAULT_STORM_H

/**
 * One conversation with a target that breaks the rules by the dice, while an application reads and writes; then the
 * target is honest, and everything must come to its end: requests, session, memory.
 */

#include "fault/dice.h"

struct storm_report {
	unsigned long long conversations, faults, pdus, acked, failed, logins, losses;
	unsigned long long by_wrong[256];
};

/** storm - @lies: also what no initiator could notice; the checker then only looks at memory and ends */
void storm(struct dice *d, bool lies, struct storm_report *rep);

#endif
