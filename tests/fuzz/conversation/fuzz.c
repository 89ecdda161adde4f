/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"

#include "fault/storm.h"

/* A whole session with a target that breaks the rules as the input says: byte 0 whether it also lies, then choices
 * (fault/dice.h). The promises are those of fault/world.h. */

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct storm_report rep = { 0 };
	struct dice d;

	if (n < 2)
		return 0;
	d = dice_bytes(p + 1, n - 1);
	storm(&d, p[0] & 1, &rep);
	return 0;
}
