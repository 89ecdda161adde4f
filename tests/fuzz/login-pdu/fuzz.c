/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"

#include "proto/pdu.h"

/* Outputs are written only on success; what was decoded encodes to a header that decodes to the same. */

#define CHECK(kind)                                                                                 \
	static void check_##kind(struct sk_span in)                                                 \
	{                                                                                           \
		struct sk_##kind r, before, again;                                                  \
		struct sk_err err = { 0 };                                                          \
		uint8_t bhs[SK_BHS_LEN];                                                            \
                                                                                                    \
		memset(&before, 0x5a, sizeof(before));                                              \
		memcpy(&r, &before, sizeof(r));                                                     \
		if (sk_##kind##_get(in, &r, &err) < 0) {                                            \
			if (memcmp(&r, &before, sizeof(r)) != 0 || err.code != SK_EPROTO)           \
				__builtin_trap();                                                   \
			return;                                                                     \
		}                                                                                   \
		sk_##kind##_put(bhs, &r);                                                           \
		memcpy(bhs + 5, in.p + 5, 3);                                                       \
		memset(&again, 0, sizeof(again));                                                   \
		if (sk_##kind##_get(sk_span(bhs, sizeof(bhs)), &again, NULL) < 0 ||                 \
		    again.data_len != r.data_len || again.itt != r.itt || again.cont != r.cont)     \
			__builtin_trap();                                                           \
	}

CHECK(login_req)
CHECK(login_rsp)
CHECK(text_req)
CHECK(text_rsp)

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	check_login_req(sk_span(p, n));
	check_login_rsp(sk_span(p, n));
	check_text_req(sk_span(p, n));
	check_text_rsp(sk_span(p, n));
	return 0;
}
