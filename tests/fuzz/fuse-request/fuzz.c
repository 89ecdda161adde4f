/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "datapath/fuse/wire.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct sk_fuse_req r, before;
	uint64_t unique;
	volatile uint8_t sink;

	memset(&r, 0x5a, sizeof(r));
	memset(&before, 0x5a, sizeof(before));
	if (sk_fuse_get(sk_span(p, n), &r, &unique, NULL) < 0) {
		if (memcmp(&r, &before, sizeof(r)) != 0)
			__builtin_trap();
		return 0;
	}
	for (size_t i = 0; i < r.data.n; i++)
		sink = r.data.p[i];
	(void)sink;
	if (r.opcode == FUSE_WRITE && r.data.n != r.in.write.size)
		__builtin_trap();
	return 0;
}
