/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "fuzz/fuzz.h"

#include "base/num.h"
#include "scsi/blk.h"

#define MAX_COMMANDS 4096

static struct sk_disk_facts facts(struct sk_rd *in, struct sk_capacity *c, struct sk_mode *m,
				  struct sk_vpd_limits *l, struct sk_vpd_provision *p)
{
	uint8_t have = (uint8_t)sk_get_be(in, 1), bits = (uint8_t)sk_get_be(in, 1);

	c->block_size = 256u << (bits & 7);
	c->phys_size = c->block_size;
	c->blocks = sk_get_be(in, 6);
	c->lbpme = bits & 8;
	*m = (struct sk_mode){ .dpofua = bits & 16, .cache_page = bits & 32, .write_cache = bits & 64 };
	l->max_transfer = (uint32_t)sk_get_be(in, 4);
	l->max_unmap_blocks = (uint32_t)sk_get_be(in, 4);
	l->max_unmap_descs = (uint32_t)sk_get_be(in, 1);
	l->unmap_granularity = (uint32_t)sk_get_be(in, 4);
	l->unmap_alignment = (uint32_t)sk_get_be(in, 4);
	l->max_write_same = sk_get_be(in, 8);
	*p = (struct sk_vpd_provision){ .lbpu = have & 8, .lbpws = have & 16, .lbpws10 = have & 32 };
	return (struct sk_disk_facts){ .capacity = c,
				       .mode = have & 1 ? m : NULL,
				       .limits = have & 2 ? l : NULL,
				       .provision = have & 4 ? p : NULL,
				       .max_bytes = (uint32_t)sk_get_be(in, 4) };
}

/* A command is as long as it says, and covers the next part of the request and nothing beyond it. */
static void check(const struct sk_disk *d, const struct sk_blk *r, const struct sk_blk_cmd *c, uint64_t at)
{
	if (r->op == SK_BLK_FLUSH)
		return;
	if (c->part_off != at || !c->part_len || !sk_fits(c->part_off, c->part_len, r->off + r->len))
		__builtin_trap();
	if (c->data == SK_BLK_CALLERS && c->data_len != c->part_len)
		__builtin_trap();
	if (c->data == SK_BLK_ZEROES && c->data_len > SK_BLK_ZEROES_MAX)
		__builtin_trap();
	if (!sk_fits(c->part_off, c->part_len, sk_disk_bytes(d)))
		__builtin_trap();
}

/* @refuse: which commands the device refuses as unsupported */
static void walk(struct sk_disk *d, const struct sk_blk *r, uint32_t refuse)
{
	uint64_t pos = 0, at = r->off;
	struct sk_blk_cmd c;

	for (int i = 0; i < MAX_COMMANDS; i++) {
		uint64_t back = pos;

		if (!sk_blk_next(d, r, &pos, &c)) {
			if (r->op != SK_BLK_FLUSH && r->op != SK_BLK_DISCARD && at != r->off + r->len)
				__builtin_trap();
			return;
		}
		check(d, r, &c, at);
		if (refuse >> i % 32 & 1 && i < 64) {
			if (!sk_blk_degrade(d, &c))
				return;
			pos = back;
			continue;
		}
		at += c.part_len;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct sk_rd in = { sk_span(p, n), false };
	struct sk_capacity c = { 0 };
	struct sk_vpd_limits l = { 0 };
	struct sk_vpd_provision v;
	struct sk_mode m;
	struct sk_disk_facts f = facts(&in, &c, &m, &l, &v);
	struct sk_blk r = { 0 };
	struct sk_disk d;
	uint32_t refuse;

	r.op = (enum sk_blk_op)(sk_get_be(&in, 1) % 5);
	r.fua = sk_get_be(&in, 1) & 1;
	r.may_unmap = sk_get_be(&in, 1) & 1;
	r.off = sk_get_be(&in, 8);
	r.len = sk_get_be(&in, 8);
	refuse = (uint32_t)sk_get_be(&in, 4);
	if (sk_disk_init(&d, &f, NULL) < 0 || sk_blk_check(&d, &r, NULL) < 0)
		return 0;
	walk(&d, &r, refuse);
	return 0;
}
