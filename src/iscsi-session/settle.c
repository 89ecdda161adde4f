/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/num.h"
#include "iscsi-session/lun.h"

bool sk_lun_is_disk(const struct sk_lun_facts *f)
{
	return f->inq.qualifier == 0 && f->inq.type == 0;
}

/* Where nothing identifies a volume, its size must do as well: one that grew while nobody looked counts as another. */
static bool same_volume(const struct sk_lun_facts *a, const struct sk_lun_facts *b)
{
	if (a->inq.type != b->inq.type || a->ident.kind != b->ident.kind)
		return false;
	if (a->ident.kind != SK_IDENT_NONE)
		return strcmp(a->ident.text, b->ident.text) == 0;
	return strcmp(a->inq.vendor, b->inq.vendor) == 0 && strcmp(a->inq.product, b->inq.product) == 0 &&
	       a->cap.blocks == b->cap.blocks && a->cap.block_size == b->cap.block_size;
}

/* Offered to the loop device only where a discard really gives blocks back (as_blk in lun.c) */
static uint32_t granularity(const struct sk_disk *d)
{
	uint64_t g = (uint64_t)d->unmap_granularity * d->block_size;

	if (!d->reads_zero || !(d->ws16_unmap || d->ws10_unmap))
		return 0;
	return g <= (1U << 30) && (g & (g - 1)) == 0 ? (uint32_t)g : d->block_size;
}

static void tell_lun(const struct sk_lun *l)
{
	struct sk_b_msg m;

	memset(&m, 0, sizeof(m));
	m.type = SK_B_LUN;
	m.lun.lun = l->number;
	m.lun.unit = l->unit;
	m.lun.type = l->facts.inq.type;
	if (l->unit != SK_UNIT_NONE) {
		m.lun.read_only = l->disk.read_only;
		m.lun.blocks = l->disk.blocks;
		m.lun.block_size = l->disk.block_size;
		m.lun.max_io = l->disk.max_blocks * l->disk.block_size;
		m.lun.discard_granularity = granularity(&l->disk);
	}
	snprintf(m.lun.vendor, sizeof(m.lun.vendor), "%s", l->facts.inq.vendor);
	snprintf(m.lun.model, sizeof(m.lun.model), "%s", l->facts.inq.product);
	snprintf(m.lun.rev, sizeof(m.lun.rev), "%s", l->facts.inq.revision);
	snprintf(m.lun.wwid, sizeof(m.lun.wwid), "%s", l->facts.ident.text);
	l->s->cfg.tell(l->s->cfg.ctx, &m);
}

static struct sk_disk_info disk_info(const struct sk_lun *l)
{
	const struct sk_disk *d = &l->disk;

	return (struct sk_disk_info){ .lun = l->number, .size = sk_disk_bytes(d), .block_size = d->block_size,
				      .phys_block_size = d->phys_size, .discard_granularity = granularity(d),
				      .read_only = d->read_only, .write_cache = d->write_cache && !d->no_sync };
}

void sk_lun_off(struct sk_lun *l, bool stranger, const char *why)
{
	struct sk_b_msg m;

	if (l->state == SK_LUN_OFF)
		return;
	sk_warning(SK_ROOM_DATAPATH, "lun %" PRIu64 ": %s; I/O fails", l->number, why);
	l->state = SK_LUN_OFF;
	if (l->unit != SK_UNIT_NONE)
		l->s->front->ops->state(l->s->front, l->unit, SK_DISK_GONE);
	sk_lun_fail(l, EIO);
	memset(&m, 0, sizeof(m));
	m.type = SK_B_LUN_OFF;
	m.off.lun = l->number;
	m.off.unit = l->unit;
	m.off.stranger = stranger;
	l->s->cfg.tell(l->s->cfg.ctx, &m);
}

static int describe(struct sk_lun *l, struct sk_disk *ret, struct sk_err *err)
{
	const struct sk_lun_facts *f = &l->probe.now;
	const struct sk_disk_facts facts = {
		.capacity = &f->cap, .mode = f->has_mode ? &f->mode : NULL, .limits = f->has_limits ? &f->limits : NULL,
		.provision = f->has_provision ? &f->provision : NULL, .max_bytes = l->s->cfg.max_io,
		.read_only = l->s->cfg.read_only,
	};

	if (sk_disk_init(ret, &facts, err) < 0)
		return -1;
	/* One WRITE SAME must end within a command's time also where every block is really written. */
	ret->max_ws_blocks = SK_MIN(ret->max_ws_blocks, (uint64_t)(256U << 20) / ret->block_size);
	return 0;
}

static int note_unit(struct sk_serve *s, struct sk_lun *l, struct sk_err *err)
{
	struct sk_lun **more;

	if (l->unit >= s->n_units) {
		more = realloc(s->by_unit, (l->unit + 1) * sizeof(struct sk_lun *));
		if (!more)
			return sk_fail(err, SK_ENOMEM, "no memory");
		memset(more + s->n_units, 0, (l->unit + 1 - s->n_units) * sizeof(struct sk_lun *));
		s->by_unit = more;
		s->n_units = l->unit + 1;
	}
	s->by_unit[l->unit] = l;
	return 0;
}

/* A LUN seen for the first time, or anew after its disk was taken away */
static int open_disk(struct sk_lun *l, struct sk_err *err)
{
	struct sk_disk_info info;

	if (describe(l, &l->disk, err) < 0)
		return -1;
	info = disk_info(l);
	if (l->s->front->ops->add(l->s->front, &info, &l->unit, err) < 0)
		return -1;
	if (note_unit(l->s, l, err) < 0) {
		l->s->front->ops->state(l->s->front, l->unit, SK_DISK_GONE);
		return -1;
	}
	l->state = SK_LUN_UP;
	l->depth = l->s->cfg.queue_depth;
	return 0;
}

void sk_lun_settle_new(struct sk_lun *l)
{
	struct sk_err err;

	l->facts = l->probe.now;
	l->unit = SK_UNIT_NONE;
	if (!sk_lun_is_disk(&l->facts)) {
		l->state = SK_LUN_NODISK;
		if (l->facts.inq.qualifier != 0)	/* nothing is there: not even worth a line */
			return;
	} else if (open_disk(l, &err) < 0) {
		l->state = SK_LUN_NODISK;
		l->unit = SK_UNIT_NONE;
		sk_error(SK_ROOM_DATAPATH, "lun %" PRIu64 " is not served: %s", l->number, err.msg);
		if (err.code == SK_ENOMEM)
			sk_probe_look_again(l);
	} else if (l->facts.ident.kind == SK_IDENT_NONE) {
		sk_warning(SK_ROOM_DATAPATH, "lun %" PRIu64 " has neither an identification nor a serial number: after a lost "
			   "connection another volume of its size would not be noticed", l->number);
	}
	tell_lun(l);
}

void sk_lun_settle_known(struct sk_lun *l)
{
	struct sk_disk was = l->disk, now;
	struct sk_disk_info info;
	struct sk_err err;

	/* A capacity probe asks the LUN whose change of size was just announced; all else must prove that it is the same. */
	if (l->probe.kind == SK_PROBE_ALL && !same_volume(&l->facts, &l->probe.now)) {
		sk_lun_off(l, true, "another volume answers here now");
		return;
	}
	if (describe(l, &now, &err) < 0 || now.block_size != was.block_size) {
		sk_lun_off(l, true, "its block size has changed");
		return;
	}
	l->facts = l->probe.now;
	l->disk.blocks = now.blocks;
	l->disk.read_only = now.read_only;
	l->disk.write_cache = now.write_cache;
	l->disk.sync16 = l->disk.no_sync = false;	/* refused then; what answers now may know it */
	info = disk_info(l);
	if (now.blocks != was.blocks || now.read_only != was.read_only || now.write_cache != was.write_cache ||
	    l->state == SK_LUN_OFF) {	/* the front end too must know that flushes count from now on */
		sk_notice(SK_ROOM_DATAPATH, "lun %" PRIu64 ": %" PRIu64 " blocks of %u bytes%s", l->number, now.blocks,
			  now.block_size, now.read_only ? ", read-only" : "");
		l->s->front->ops->change(l->s->front, l->unit, &info);
		l->s->front->ops->state(l->s->front, l->unit, SK_DISK_RUNNING);
		l->state = SK_LUN_UP;
		tell_lun(l);
	}
}
