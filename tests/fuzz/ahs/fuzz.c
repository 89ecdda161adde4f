/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "fuzz/fuzz.h"
#include "proto/pdu_ffp.h"

/* Additional header segments and sense data: every span lies inside the input, and outputs are written on success
 * only. */

static void check_inside(struct sk_span s, const uint8_t *p, size_t n)
{
	if (s.n && (s.p < p || s.n > n || (size_t)(s.p - p) > n - s.n))
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct sk_rd in = { { p, n }, false };
	struct sk_span sense = { p, 12345 };
	struct sk_ahs a = { .type = 0x5a };
	size_t steps = 0;
	int got;

	while ((got = sk_ahs_get(&in, &a, NULL)) > 0) {
		check_inside(a.spec, p, n);
		if (++steps > n)
			__builtin_trap();
	}
	if (got < 0 && steps == 0 && a.type != 0x5a)
		__builtin_trap();
	if (sk_sense_get(sk_span(p, n), n > 2 ? (uint32_t)p[n - 1] * 7 : (uint32_t)n, &sense, NULL) == 0)
		check_inside(sense, p, n);
	else if (sense.n != 12345)
		__builtin_trap();
	return 0;
}
