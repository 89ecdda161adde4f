/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/num.h"
#include "scsi/blk.h"

#define DEFAULT_MAX_BYTES (1024 * 1024)
#define MOST_BYTES	  (1u << 30) /* keeps every expected data transfer length within 32 bits */
#define WS_UNREPORTED	  65535	     /* blocks per WRITE SAME where the device names no limit */

static void transfers(struct sk_disk *d, const struct sk_disk_facts *f)
{
	uint32_t bytes = f->max_bytes ? SK_MIN(f->max_bytes, MOST_BYTES) : DEFAULT_MAX_BYTES;

	d->max_blocks = SK_MAX(bytes / d->block_size, 1u);
	if (f->limits && f->limits->max_transfer)
		d->max_blocks = SK_MIN(d->max_blocks, f->limits->max_transfer);
	d->max_ws_blocks = WS_UNREPORTED;
	if (f->limits && f->limits->max_write_same)
		d->max_ws_blocks = SK_MIN(f->limits->max_write_same, (uint64_t)UINT32_MAX);
}

static void settle_discard(struct sk_disk *d, enum sk_discard_way way, const struct sk_disk_facts *f)
{
	d->discard = way;
	d->max_discard_blocks = way == SK_DISCARD_UNMAP ? UINT32_MAX : d->max_ws_blocks;
	if (way == SK_DISCARD_UNMAP && f->limits)
		d->max_discard_blocks = f->limits->max_unmap_blocks;
}

/* SBC-3, 6.6.3: a limits page that says 0 blocks or 0 descriptors means that UNMAP is not offered. */
static void discards(struct sk_disk *d, const struct sk_disk_facts *f)
{
	const struct sk_vpd_provision *p = f->provision;
	const struct sk_vpd_limits *l = f->limits;
	bool unmap_limits = !l || (l->max_unmap_blocks && l->max_unmap_descs);

	d->unmap_granularity = l && l->unmap_granularity ? l->unmap_granularity : 1;
	d->unmap_alignment = l ? l->unmap_alignment % d->unmap_granularity : 0;
	d->reads_zero = f->capacity->lbprz || (p && p->lbprz & 1);
	if (!p) {
		if (f->capacity->lbpme && l && unmap_limits)
			settle_discard(d, SK_DISCARD_UNMAP, f);
		return;
	}
	d->ws16_unmap = p->lbpws;
	d->ws10_unmap = p->lbpws10;
	if (p->lbpu && unmap_limits)
		settle_discard(d, SK_DISCARD_UNMAP, f);
	else if (p->lbpws)
		settle_discard(d, SK_DISCARD_WS16, f);
	else if (p->lbpws10)
		settle_discard(d, SK_DISCARD_WS10, f);
}

int sk_disk_init(struct sk_disk *ret, const struct sk_disk_facts *f, struct sk_err *err)
{
	const struct sk_capacity *c = f->capacity;
	struct sk_disk d = { 0 };
	uint64_t bytes;

	if (c->block_size == 0 || (c->block_size & (c->block_size - 1)) || c->block_size > SK_BLK_ZEROES_MAX ||
	    c->blocks == 0 || __builtin_mul_overflow(c->blocks, (uint64_t)c->block_size, &bytes) ||
	    bytes > INT64_MAX)
		return sk_fail(err, SK_EINVAL, "a disk of %llu blocks of %u bytes", (unsigned long long)c->blocks,
			       c->block_size);
	d.blocks = c->blocks;
	d.block_size = c->block_size;
	d.phys_size = SK_MAX(c->phys_size, c->block_size);
	d.read_only = f->read_only || (f->mode && f->mode->write_protect);
	d.fua = f->mode && f->mode->dpofua;
	d.write_cache = !(f->mode && f->mode->cache_page && !f->mode->write_cache);
	transfers(&d, f);
	discards(&d, f);
	*ret = d;
	return 0;
}

uint64_t sk_disk_bytes(const struct sk_disk *d)
{
	return d->blocks * d->block_size;
}

static bool degrade_discard(struct sk_disk *d, enum sk_discard_way refused)
{
	if (refused < SK_DISCARD_WS16 && d->ws16_unmap)
		d->discard = SK_DISCARD_WS16;
	else if (refused < SK_DISCARD_WS10 && d->ws10_unmap)
		d->discard = SK_DISCARD_WS10;
	else
		d->discard = SK_DISCARD_NONE;
	d->max_discard_blocks = d->max_ws_blocks;
	return d->discard != SK_DISCARD_NONE;
}

/* A refused UNMAP bit may be the bit's fault, not the command's. */
static bool degrade_write_same(struct sk_disk *d, const struct sk_blk_cmd *cmd, bool sixteen)
{
	bool *with_unmap = sixteen ? &d->ws16_unmap : &d->ws10_unmap;

	if (cmd->cdb[1] & SK_WS_UNMAP) {
		*with_unmap = false;
		if (cmd->op == SK_BLK_DISCARD)
			return degrade_discard(d, sixteen ? SK_DISCARD_WS16 : SK_DISCARD_WS10);
		return true;
	}
	if (!sixteen)
		d->zero = SK_ZERO_WRITE;
	else if (d->zero == SK_ZERO_WS16) /* unless another command was refused meanwhile */
		d->zero = SK_ZERO_WS10;
	return true;
}

bool sk_blk_degrade(struct sk_disk *d, const struct sk_blk_cmd *cmd)
{
	switch (cmd->cdb[0]) {
	case SK_SCSI_SYNCHRONIZE_CACHE_10:
		d->sync16 = true;
		return true;
	case SK_SCSI_SYNCHRONIZE_CACHE_16:
		d->no_sync = true;
		return false;
	case SK_SCSI_UNMAP:
		return degrade_discard(d, SK_DISCARD_UNMAP);
	case SK_SCSI_WRITE_SAME_16:
		return degrade_write_same(d, cmd, true);
	case SK_SCSI_WRITE_SAME_10:
		return degrade_write_same(d, cmd, false);
	case SK_SCSI_WRITE_10:
	case SK_SCSI_WRITE_16:
		if (!(cmd->cdb[1] & 0x08))
			return false;
		d->fua = false; /* the same without FUA, and a flush after it */
		return true;
	}
	return false;
}
