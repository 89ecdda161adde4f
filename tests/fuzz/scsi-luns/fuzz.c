/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "fuzz/fuzz.h"

#include "scsi/lun.h"

/* The first byte says how much room there is. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	uint64_t luns[256] = { 0 };
	size_t max = n ? p[0] : 0, got = 99;
	uint32_t need = 0;

	if (n == 0)
		return 0;
	if (sk_luns_parse(sk_span(p + 1, n - 1), luns, max, &got, &need, NULL) < 0)
		return got == 99 && need == 0 ? 0 : (__builtin_trap(), 0);
	if (got > max || got > (n - 1) / 8 || need < SK_LUNS_HEAD || need > SK_LUNS_HEAD + 8 * 65535)
		__builtin_trap();
	for (size_t i = 0; i < got; i++) {
		uint64_t number, wire;

		if (sk_lun_wire(sk_lun_kernel(luns[i])) != luns[i])
			__builtin_trap();
		if (sk_lun_plain(luns[i], &number) && !sk_lun_from_plain(number, &wire))
			__builtin_trap();
		for (size_t k = 0; k < i; k++)
			if (luns[k] == luns[i])
				__builtin_trap();
	}
	return 0;
}
