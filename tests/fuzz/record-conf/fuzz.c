/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "fuzz/fuzz.h"
#include "record/store_impl.h"

/* A value lies inside the text, is not empty, and holds no end of line. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char *const keys[] = { "InitiatorName", "iscsid.startup", "iscsid.safe_logout" };

	for (size_t i = 0; i < 3; i++) {
		struct sk_span v;

		if (!sk_conf_scan(sk_span(p, n), keys[i], &v))
			continue;
		if (v.n == 0 || v.p < p || v.p + v.n > p + n || memchr(v.p, '\n', v.n) || memchr(v.p, '\0', v.n))
			__builtin_trap();
	}
	return 0;
}
