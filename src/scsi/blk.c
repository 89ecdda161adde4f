/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "scsi/blk.h"

#include <errno.h>

#include "base/num.h"

static const char *const op_names[] = {
	[SK_BLK_READ] = "read",	      [SK_BLK_WRITE] = "write",		 [SK_BLK_FLUSH] = "flush",
	[SK_BLK_DISCARD] = "discard", [SK_BLK_ZERO] = "write of zeroes",
};

static int refuse(struct sk_err *err, enum sk_code code, int sys, const struct sk_blk *r, const char *why,
		  uint64_t what)
{
	sk_fail(err, code, "%s of %llu bytes at %llu: %s %llu", op_names[r->op], (unsigned long long)r->len,
		(unsigned long long)r->off, why, (unsigned long long)what);
	if (err)
		err->sys = sys;
	return -1;
}

int sk_blk_check(const struct sk_disk *d, const struct sk_blk *r, struct sk_err *err)
{
	if (r->op == SK_BLK_FLUSH)
		return 0;
	if (r->op != SK_BLK_READ && d->read_only)
		return refuse(err, SK_EACCES, EROFS, r, "read-only disk; bytes:", sk_disk_bytes(d));
	if (r->op == SK_BLK_DISCARD && d->discard == SK_DISCARD_NONE)
		return refuse(err, SK_ENOTSUP, EOPNOTSUPP, r,
			      "the disk cannot give blocks back; bytes:", sk_disk_bytes(d));
	if (r->off % d->block_size)
		return refuse(err, SK_EINVAL, EINVAL, r, "the offset is no multiple of", d->block_size);
	if (r->len % d->block_size)
		return refuse(err, SK_EINVAL, EINVAL, r, "the length is no multiple of", d->block_size);
	if (!sk_fits(r->off, r->len, sk_disk_bytes(d)))
		return refuse(err, SK_EINVAL, EIO, r, "past the end at", sk_disk_bytes(d));
	return 0;
}

bool sk_blk_needs_flush(const struct sk_disk *d, const struct sk_blk *r)
{
	if (!r->fua || !d->write_cache || d->no_sync)
		return false;
	if (r->op == SK_BLK_ZERO)
		return d->zero != SK_ZERO_WRITE || !d->fua; /* WRITE SAME has no FUA */
	return r->op == SK_BLK_WRITE && !d->fua;
}

static void part(const struct sk_disk *d, const struct sk_blk *r, uint64_t lba, uint64_t blocks,
		 struct sk_blk_cmd *c)
{
	*c = (struct sk_blk_cmd){ .op = r->op };
	c->part_off = lba * d->block_size;
	c->part_len = blocks * d->block_size;
}

static void read_cmd(const struct sk_disk *d, uint64_t lba, uint32_t blocks, struct sk_blk_cmd *c)
{
	if (sk_cdb_fits10(lba, blocks))
		sk_cdb_read10(c->cdb, (uint32_t)lba, (uint16_t)blocks, false);
	else
		sk_cdb_read16(c->cdb, lba, blocks, false);
	c->data = SK_BLK_CALLERS;
	c->data_len = blocks * d->block_size;
}

static void write_cmd(const struct sk_disk *d, const struct sk_blk *r, uint64_t lba, uint32_t blocks,
		      struct sk_blk_cmd *c)
{
	bool fua = r->fua && d->fua && d->write_cache;

	if (sk_cdb_fits10(lba, blocks))
		sk_cdb_write10(c->cdb, (uint32_t)lba, (uint16_t)blocks, fua);
	else
		sk_cdb_write16(c->cdb, lba, blocks, fua);
	c->to_device = true;
	c->data = r->op == SK_BLK_ZERO ? SK_BLK_ZEROES : SK_BLK_CALLERS;
	c->data_len = blocks * d->block_size;
}

static void write_same_cmd(const struct sk_disk *d, bool sixteen, uint64_t lba, uint32_t blocks, bool unmap,
			   struct sk_blk_cmd *c)
{
	if (sixteen)
		sk_cdb_write_same16(c->cdb, lba, blocks, unmap ? SK_WS_UNMAP : 0);
	else
		sk_cdb_write_same10(c->cdb, (uint32_t)lba, (uint16_t)blocks, unmap ? SK_WS_UNMAP : 0);
	c->to_device = true;
	c->data = SK_BLK_ZEROES;
	c->data_len = d->block_size;
}

/* The 10-byte form reaches only so far. */
static bool ws10_blocks(uint64_t lba, uint64_t *blocks)
{
	if (lba > UINT32_MAX)
		return false;
	*blocks = SK_MIN(*blocks, (uint64_t)UINT16_MAX);
	*blocks = SK_MIN(*blocks, (uint64_t)UINT32_MAX + 1 - lba);
	return true;
}

static uint64_t zero(const struct sk_disk *d, const struct sk_blk *r, uint64_t lba, uint64_t blocks,
		     struct sk_blk_cmd *c)
{
	bool sixteen = d->zero == SK_ZERO_WS16;
	bool unmap = r->may_unmap && (sixteen ? d->ws16_unmap : d->ws10_unmap);
	uint64_t ws = SK_MIN(blocks, d->max_ws_blocks);

	if (sixteen || (d->zero == SK_ZERO_WS10 && ws10_blocks(lba, &ws))) {
		part(d, r, lba, ws, c);
		write_same_cmd(d, sixteen, lba, (uint32_t)ws, unmap, c);
		return ws;
	}
	blocks = SK_MIN(blocks, (uint64_t)d->max_blocks);
	blocks = SK_MIN(blocks, (uint64_t)SK_BLK_ZEROES_MAX / d->block_size);
	part(d, r, lba, blocks, c);
	write_cmd(d, r, lba, (uint32_t)blocks, c);
	return blocks;
}

/* Cut where the device's granularity allows, so that no granule is split over two commands and so kept by both. */
static uint64_t discard_cut(const struct sk_disk *d, uint64_t lba, uint64_t left)
{
	uint64_t n = d->max_discard_blocks, over;

	if (left <= n)
		return left;
	over = (lba + n + d->unmap_granularity - d->unmap_alignment) % d->unmap_granularity;
	return over < n ? n - over : n;
}

static uint64_t discard(const struct sk_disk *d, const struct sk_blk *r, uint64_t lba, uint64_t left,
			struct sk_blk_cmd *c)
{
	uint64_t n = discard_cut(d, lba, left);
	struct sk_extent e;

	if (d->discard == SK_DISCARD_WS10 && !ws10_blocks(lba, &n))
		return 0; /* out of its reach: a discard is only a hint */
	part(d, r, lba, n, c);
	if (d->discard != SK_DISCARD_UNMAP) {
		write_same_cmd(d, d->discard == SK_DISCARD_WS16, lba, (uint32_t)n, true, c);
		return n;
	}
	e = (struct sk_extent){ lba, (uint32_t)n };
	c->to_device = true;
	c->data = SK_BLK_PARAM;
	c->data_len = (uint32_t)sk_unmap_list(c->param, sizeof(c->param), &e, 1);
	sk_cdb_unmap(c->cdb, (uint16_t)c->data_len);
	return n;
}

static bool flush(const struct sk_disk *d, uint64_t *pos, struct sk_blk_cmd *c)
{
	if (*pos || !d->write_cache || d->no_sync)
		return false;
	*c = (struct sk_blk_cmd){ .op = SK_BLK_FLUSH, .part_len = sk_disk_bytes(d) };
	if (d->sync16)
		sk_cdb_sync16(c->cdb, 0, 0);
	else
		sk_cdb_sync10(c->cdb, 0, 0);
	*pos = 1;
	return true;
}

bool sk_blk_next(const struct sk_disk *d, const struct sk_blk *r, uint64_t *pos, struct sk_blk_cmd *ret)
{
	uint64_t lba, left, n = 0;

	if (r->op == SK_BLK_FLUSH)
		return flush(d, pos, ret);
	if (*pos >= r->len)
		return false;
	lba = (r->off + *pos) / d->block_size;
	left = (r->len - *pos) / d->block_size;
	switch (r->op) {
	case SK_BLK_READ:
	case SK_BLK_WRITE:
		n = SK_MIN(left, (uint64_t)d->max_blocks);
		part(d, r, lba, n, ret);
		if (r->op == SK_BLK_READ)
			read_cmd(d, lba, (uint32_t)n, ret);
		else
			write_cmd(d, r, lba, (uint32_t)n, ret);
		break;
	case SK_BLK_ZERO:
		n = zero(d, r, lba, left, ret);
		break;
	case SK_BLK_DISCARD:
		n = d->discard == SK_DISCARD_NONE ? 0 : discard(d, r, lba, left, ret);
		break;
	case SK_BLK_FLUSH:
		break;
	}
	*pos += n * d->block_size;
	return n > 0;
}
