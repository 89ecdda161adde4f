/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "fuzz/fuzz.h"

#include "scsi/inquiry.h"

static void check(const struct sk_capacity *c)
{
	if (c->blocks == 0 || c->block_size < 256 || c->block_size > 65536 ||
	    (c->block_size & (c->block_size - 1)) || c->blocks > (uint64_t)INT64_MAX / c->block_size ||
	    c->phys_size < c->block_size)
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct sk_capacity c;
	struct sk_mode m;
	bool more;

	if (sk_capacity10_parse(sk_span(p, n), &c, &more, NULL) == 0 && !more)
		check(&c);
	if (sk_capacity16_parse(sk_span(p, n), &c, NULL) == 0)
		check(&c);
	if (sk_mode6_parse(sk_span(p, n), &m, NULL) == 0 && m.write_cache && !m.cache_page)
		__builtin_trap();
	if (sk_mode10_parse(sk_span(p, n), &m, NULL) == 0 && m.write_cache && !m.cache_page)
		__builtin_trap();
	return 0;
}
