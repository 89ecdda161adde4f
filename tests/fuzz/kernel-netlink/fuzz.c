/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"

#include <string.h>

#include "transport/kernel/nl_host.h"
#include "transport/kernel/nl_msg.h"

static bool inside(struct sk_span part, const uint8_t *p, size_t n)
{
	return part.n == 0 || (part.p >= p && part.n <= n && (size_t)(part.p - p) <= n - part.n);
}

/* Whatever a datagram says, what is lent lies within it, and a refused one leaves no trace. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct sk_nl_msg m, before;
	struct sk_err err = { 0 };
	const char *name, *text, *counter;
	struct sk_nl_chap chap;
	char stat[65];
	uint64_t v;
	unsigned i = 0;

	memset(&m, 0x5a, sizeof(m));
	before = m;
	if (sk_nl_get(sk_span(p, n), &m, &err) < 0) {
		if (memcmp(&m, &before, sizeof(m)) != 0)
			__builtin_trap();
		return 0;
	}
	if (!inside(m.bhs, p, n) || !inside(m.data, p, n) || !inside(m.stats, p, n) || !inside(m.table, p, n) || m.error < 0 ||
	    (m.bhs.n && m.bhs.n != SK_BHS_LEN))
		__builtin_trap();
	while (sk_nl_stat(m.stats, i, stat, &v))
		if (strlen(stat) > 64 || ++i > 64)
			__builtin_trap();
	for (i = 0; sk_nl_chap(m.table, i, &chap); i++)
		if (strlen(chap.username) > 255 || strlen(chap.password) > 255 || i > n)
			__builtin_trap();
	for (i = 0; sk_nl_host_stat(m.table, i, &counter, &v); i++)
		if (!counter[0] || i > 82)
			__builtin_trap();
	(void)sk_nl_conn_error(m.conn_error, &name, &text);
	if (!name[0] || !text[0] || !sk_nl_type_name(m.type)[0])
		__builtin_trap();
	return 0;
}
