/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"

#include <stdio.h>

#include "proto/portal.h"

/* An accepted portal prints to a text that reads back as itself. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	SK_BUF struct sk_buf text = { 0 };
	struct sk_portal portal, again;
	char tag[16];

	memset(&portal, 0x5a, sizeof(portal));
	again = portal;
	if (sk_portal_parse(sk_span(p, n), 3205, &portal, NULL) < 0) {
		if (memcmp(&portal, &again, sizeof(portal)) != 0)
			__builtin_trap();
		return 0;
	}
	if (portal.port == 0 || strpbrk(portal.host, "/, []\n") || strstr(portal.host, ".."))
		__builtin_trap();
	snprintf(tag, sizeof(tag), "%d", (int)portal.tpgt);
	sk_portal_print(&text, &portal, portal.tpgt == SK_TPGT_NONE ? NULL : tag);
	if (sk_portal_parse(sk_buf_span(&text), 1, &again, NULL) < 0 || strcmp(again.host, portal.host) != 0 ||
	    again.port != portal.port || again.tpgt != portal.tpgt || !sk_portal_host_eq(again.host, portal.host))
		__builtin_trap();
	(void)sk_portal_set_zone(&again, "veth0");
	if (!sk_portal_host_ok(sk_span_str(again.host)))
		__builtin_trap();
	return 0;
}
