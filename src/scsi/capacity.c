/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "scsi/inquiry.h"

#define MIN_BLOCK    256
#define MAX_BLOCK    65536
#define PAGE_CACHING 0x08

static int settle(uint64_t last, uint32_t block_size, struct sk_capacity *c, struct sk_err *err)
{
	uint64_t bytes;

	if (block_size < MIN_BLOCK || block_size > MAX_BLOCK || (block_size & (block_size - 1)))
		return sk_fail(err, SK_ENOTSUP, "blocks of %u bytes", block_size);
	if (__builtin_add_overflow(last, (uint64_t)1, &c->blocks) ||
	    __builtin_mul_overflow(c->blocks, (uint64_t)block_size, &bytes) || bytes > INT64_MAX)
		return sk_fail(err, SK_EPROTO, "a capacity of %llu + 1 blocks of %u bytes",
			       (unsigned long long)last, block_size);
	c->block_size = block_size;
	c->phys_size = block_size;
	return 0;
}

int sk_capacity10_parse(struct sk_span data, struct sk_capacity *ret, bool *ret_more, struct sk_err *err)
{
	struct sk_rd in = { data, false };
	struct sk_capacity c = { 0 };
	uint32_t last = (uint32_t)sk_get_be(&in, 4);
	uint32_t size = (uint32_t)sk_get_be(&in, 4);

	if (in.short_)
		return sk_fail(err, SK_EPROTO, "READ CAPACITY(10) data of %zu bytes", data.n);
	if (last == UINT32_MAX) { /* SBC-3, 5.15.2: ask with the 16-byte form */
		*ret_more = true;
		return 0;
	}
	if (settle(last, size, &c, err) < 0)
		return -1;
	*ret_more = false;
	*ret = c;
	return 0;
}

int sk_capacity16_parse(struct sk_span data, struct sk_capacity *ret, struct sk_err *err)
{
	struct sk_rd in = { data, false };
	struct sk_capacity c = { 0 };
	uint64_t last = sk_get_be(&in, 8);
	uint32_t size = (uint32_t)sk_get_be(&in, 4);
	uint8_t exponent;

	if (in.short_)
		return sk_fail(err, SK_EPROTO, "READ CAPACITY(16) data of %zu bytes", data.n);
	if (settle(last, size, &c, err) < 0)
		return -1;
	c.protection = sk_get_be(&in, 1) & 1;
	exponent = sk_get_be(&in, 1) & 0x0f;
	if (((uint64_t)size << exponent) <= UINT32_MAX)
		c.phys_size = size << exponent;
	c.lbpme = in.left.n && in.left.p[0] & 0x80;
	c.lbprz = in.left.n && in.left.p[0] & 0x40;
	*ret = c;
	return 0;
}

/* Page after page until the caching page; a page cut off before its WCE bit does not count. */
static void find_caching(struct sk_span pages, struct sk_mode *m)
{
	struct sk_rd in = { pages, false };

	for (;;) {
		struct sk_span head = sk_get(&in, 2);
		uint8_t code;
		size_t len;

		if (in.short_)
			return;
		code = head.p[0] & 0x3f;
		len = head.p[1];
		if (head.p[0] & 0x40) { /* SPF: a subpage, with a longer header */
			struct sk_span more = sk_get(&in, 2);

			if (in.short_)
				return;
			len = sk_be16(more.p);
			code = 0; /* no subpage is wanted */
		}
		if (code == PAGE_CACHING && len >= 1 && in.left.n >= 1) {
			m->cache_page = true;
			m->write_cache = in.left.p[0] & 0x04;
			return;
		}
		sk_get(&in, len);
	}
}

/* @head: bytes of the header; the data length field says how many bytes come after itself */
static int mode(struct sk_span data, size_t head, struct sk_mode *ret, struct sk_err *err)
{
	bool six = head == 4;
	struct sk_mode m = { 0 };
	size_t said, descs;
	uint8_t specific;

	if (data.n < head)
		return sk_fail(err, SK_EPROTO, "MODE SENSE data of %zu bytes", data.n);
	said = six ? (size_t)data.p[0] + 1 : (size_t)sk_be16(data.p) + 2;
	specific = data.p[six ? 2 : 3];
	descs = six ? data.p[3] : sk_be16(data.p + 6);
	m.write_protect = specific & 0x80;
	m.dpofua = specific & 0x10;
	if (said < data.n)
		data.n = said;
	if (data.n > head && descs < data.n - head)
		find_caching(sk_span(data.p + head + descs, data.n - head - descs), &m);
	*ret = m;
	return 0;
}

int sk_mode6_parse(struct sk_span data, struct sk_mode *ret, struct sk_err *err)
{
	return mode(data, 4, ret, err);
}

int sk_mode10_parse(struct sk_span data, struct sk_mode *ret, struct sk_err *err)
{
	return mode(data, 8, ret, err);
}
