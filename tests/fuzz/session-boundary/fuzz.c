/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "fuzz/fuzz.h"
#include "iscsi-session/boundary.h"

/* What the keeper reads from the engine: decoded whole or not at all; what was decoded encodes to the same bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct sk_b_msg m, before;
	uint8_t again[SK_B_MAX];

	memset(&m, 0x5a, sizeof(m));
	memset(&before, 0x5a, sizeof(before));
	if (sk_b_decode(sk_span(p, n), &m, NULL) < 0) {
		if (memcmp(&m, &before, sizeof(m)) != 0)
			__builtin_trap();
		return 0;
	}
	if (sk_b_encode(&m, again) != n || memcmp(again, p, n) != 0)
		__builtin_trap();
	return 0;
}
