/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "iscsi-session/keeper_inner.h"
#include "mgmt/message.h"
#include "sys/links.h"

#define MOST_DISKS 4096		/* as many as the engine finds LUNs; it is not trusted to keep to that */

/* The workers: everything here opens, reads or flushes files that the engine serves, so it can take as long as the target
 * likes. It runs beside the loop and touches only its disk. */

static int make_link(struct sk_kdisk *d, struct sk_err *err)
{
	const struct sk_keeper *k = d->k;

	if (sk_link_name(k->pub.persistent_addr, k->pub.persistent_port, k->pub.target, d->wanted.lun, d->link,
			 sizeof(d->link), err) < 0)
		return -1;
	return sk_link_make(k->cfg.devdir, d->link, d->dev.node, err);
}

static int attach(struct sk_kdisk *d, struct sk_err *err)
{
	const struct sk_loopdev_cfg cfg = { .file = d->file, .block_size = d->wanted.block_size,
					    .read_only = d->wanted.read_only, .direct_io = true, .partscan = true };
	struct sk_err link_err;

	d->no_loop = geteuid() != 0;
	if (d->no_loop || d->attached)
		return 0;
	if (sk_loopdev_attach(&cfg, &d->dev, err) < 0) {
		d->no_loop = err->code == SK_ENOTSUP;
		return d->no_loop ? 0 : -1;
	}
	d->attached = true;
	if (make_link(d, &link_err) < 0) {	/* the disk works without its link */
		sk_warning(SK_ROOM_DOOR, "%s: %s", d->dev.node, link_err.msg);
		d->link[0] = '\0';
	}
	return 0;
}

static int resize(struct sk_kdisk *d, struct sk_err *err)
{
	return d->attached ? sk_loopdev_resize(d->dev.node, err) : 0;
}

static int flush_file(const char *path)
{
	SK_FD int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? 0 : fsync(fd);
}

int sk_kdisk_detach(struct sk_kdisk *d, bool force, struct sk_err *err)
{
	if (!d->attached)
		return 0;
	/* Without a connection a flush would wait for one, and a disk that nobody uses has nothing left to flush. */
	if (d->flush && flush_file(d->dev.node) < 0 && !force)
		return sk_fail_sys(err, errno, "flush %s", d->dev.node);
	if (sk_loopdev_detach(d->dev.node, d->file, force, err) < 0 && !force)
		return -1;
	d->attached = false;
	if (d->link[0])
		(void)sk_link_remove(d->k->cfg.devdir, d->link, d->dev.node, NULL);
	return 0;
}

static void work(void *ctx)
{
	struct sk_kdisk *d = ctx;

	switch (d->work) {
	case SK_KWORK_ATTACH:
		d->rc = attach(d, &d->err);
		break;
	case SK_KWORK_RESIZE:
		d->rc = resize(d, &d->err);
		break;
	case SK_KWORK_DETACH:
		d->rc = sk_kdisk_detach(d, d->force, &d->err);
		break;
	}
}

/* The loop's side */

static struct sk_kdisk *find(struct sk_keeper *k, uint32_t unit)
{
	struct sk_kdisk *d = k->disks;

	while (d && d->unit != unit)
		d = d->next;
	return d;
}

static void publish(struct sk_keeper *k, const struct sk_b_lun *l, const struct sk_kdisk *d)
{
	struct sk_tree_lun t = { .type = l->type, .read_only = l->read_only };
	struct sk_err err;

	t.l.lun = l->lun;
	t.l.blocks = l->blocks;
	t.l.block_size = l->block_size;
	snprintf(t.l.state, sizeof(t.l.state), "running");
	snprintf(t.vendor, sizeof(t.vendor), "%s", l->vendor);
	snprintf(t.model, sizeof(t.model), "%s", l->model);
	snprintf(t.rev, sizeof(t.rev), "%s", l->rev);
	snprintf(t.wwid, sizeof(t.wwid), "%s", l->wwid);
	if (d) {
		snprintf(t.l.path, sizeof(t.l.path), "%s", d->file);
		if (d->attached)
			snprintf(t.l.disk, sizeof(t.l.disk), "%s", d->dev.name);
	}
	if (sk_tree_add_lun(k->cfg.rundir, k->cfg.sid, &t, &err) < 0)
		sk_warning(SK_ROOM_DOOR, "session %u: publish lun %" PRIu64 ": %s", k->cfg.sid, l->lun, err.msg);
}

static void forget(struct sk_kdisk *d)
{
	struct sk_b_msg m = { .type = SK_B_FORGET };

	m.unit = d->unit;
	d->state = SK_KDISK_FORGETTING;
	if (sk_keeper_tell_engine(d->k, &m, NULL, NULL) < 0)
		sk_kdisks_forgotten(d->k, d->unit);
}

static void attached(struct sk_kdisk *d)
{
	if (d->rc < 0)
		sk_error(SK_ROOM_DOOR, "session %u: lun %" PRIu64 " has no block device: %s", d->k->cfg.sid, d->wanted.lun,
			 d->err.msg);
	else if (d->attached)
		sk_notice(SK_ROOM_DOOR, "session %u: lun %" PRIu64 " is %s", d->k->cfg.sid, d->wanted.lun, d->dev.node);
	publish(d->k, &d->wanted, d);
}

static void resized(struct sk_kdisk *d)
{
	struct sk_err err;

	if (d->rc < 0)
		sk_error(SK_ROOM_DOOR, "session %u: resize %s: %s", d->k->cfg.sid, d->dev.node, d->err.msg);
	if (sk_tree_lun_size(d->k->cfg.rundir, d->k->cfg.sid, d->wanted.lun, d->wanted.blocks,
			     d->wanted.block_size, &err) < 0)
		sk_warning(SK_ROOM_DOOR, "session %u: %s", d->k->cfg.sid, err.msg);
}

static void detached(struct sk_kdisk *d)
{
	if (d->rc == 0 && d->k->ending == SK_END_NOT && d->off)
		forget(d);
	else if (d->rc == 0 && d->k->ending == SK_END_NOT)	/* the end it was for did not come about */
		sk_kdisk_go(d, SK_KWORK_ATTACH);
	else if (d->rc < 0 && d->off)
		sk_notice(SK_ROOM_DOOR, "session %u: %s stays while it is in use, its I/O fails: %s", d->k->cfg.sid,
			  d->dev.node, d->err.msg);
}

static void work_over(void *ctx)
{
	struct sk_kdisk *d = ctx;
	struct sk_keeper *k = d->k;

	d->state = SK_KDISK_IDLE;
	switch (d->work) {
	case SK_KWORK_ATTACH:
		attached(d);
		break;
	case SK_KWORK_RESIZE:
		resized(d);
		break;
	case SK_KWORK_DETACH:
		detached(d);
		break;
	}
	if (k->ending != SK_END_NOT) {
		sk_end_disk_done(k);
		return;
	}
	if (d->state == SK_KDISK_IDLE && d->again) {
		d->again = false;
		sk_kdisk_go(d, d->off ? SK_KWORK_DETACH : SK_KWORK_RESIZE);
	}
	sk_kdisks_settled(k);
}

void sk_kdisk_go(struct sk_kdisk *d, enum sk_kdisk_work what)
{
	struct sk_err err;

	if (d->state != SK_KDISK_IDLE) {
		d->again = true;
		return;
	}
	d->state = SK_KDISK_BUSY;
	d->work = what;
	d->wanted = d->info;
	d->flush = !d->off && d->k->health == SK_B_LOGGED_IN;
	d->rc = 0;
	if (!sk_loop_work(d->k->loop, work, work_over, d, &err)) {
		d->state = SK_KDISK_IDLE;
		sk_error(SK_ROOM_DOOR, "session %u: lun %" PRIu64 ": %s", d->k->cfg.sid, d->info.lun, err.msg);
	}
}

static unsigned count(const struct sk_keeper *k)
{
	unsigned n = 0;

	for (const struct sk_kdisk *d = k->disks; d; d = d->next)
		n++;
	return n;
}

static void new_disk(struct sk_keeper *k, const struct sk_b_lun *l)
{
	struct sk_kdisk *d = count(k) < MOST_DISKS ? calloc(1, sizeof(*d)) : NULL;

	if (!d) {
		sk_error(SK_ROOM_DOOR, "session %u: no room for lun %" PRIu64, k->cfg.sid, l->lun);
		return;
	}
	d->k = k;
	d->unit = l->unit;
	d->info = *l;
	d->dev.number = -1;
	d->dev.fd = -1;
	snprintf(d->file, sizeof(d->file), "%s/lun-%" PRIu64, k->disk_dir, l->lun);
	d->next = k->disks;
	k->disks = d;
	sk_kdisk_go(d, SK_KWORK_ATTACH);
}

void sk_kdisks_lun(struct sk_keeper *k, const struct sk_b_lun *l)
{
	struct sk_kdisk *d = l->unit == SK_UNIT_NONE ? NULL : find(k, l->unit);

	if (k->ending != SK_END_NOT)
		return;
	if (l->unit == SK_UNIT_NONE) {
		publish(k, l, NULL);
	} else if (!d) {
		new_disk(k, l);
	} else {
		d->info = *l;
		d->off = d->stranger = false;
		(void)sk_tree_lun_state(k->cfg.rundir, k->cfg.sid, l->lun, "running", NULL);
		sk_kdisk_go(d, SK_KWORK_RESIZE);
	}
}

void sk_kdisks_off(struct sk_keeper *k, const struct sk_b_off *o)
{
	struct sk_kdisk *d = o->unit == SK_UNIT_NONE ? NULL : find(k, o->unit);

	if (k->ending != SK_END_NOT)
		return;
	if (!d) {
		(void)sk_tree_remove_lun(k->cfg.rundir, k->cfg.sid, o->lun, NULL);
		return;
	}
	d->off = true;
	d->stranger = o->stranger;
	(void)sk_tree_lun_state(k->cfg.rundir, k->cfg.sid, d->info.lun, "offline", NULL);
	sk_kdisk_go(d, SK_KWORK_DETACH);
}

void sk_kdisks_forgotten(struct sk_keeper *k, uint32_t unit)
{
	struct sk_b_msg rescan = { .type = SK_B_RESCAN };
	struct sk_kdisk **at = &k->disks, *d;

	while (*at && (*at)->unit != unit)
		at = &(*at)->next;
	d = *at;
	if (!d || d->state != SK_KDISK_FORGETTING)
		return;
	*at = d->next;
	(void)sk_tree_remove_lun(k->cfg.rundir, k->cfg.sid, d->info.lun, NULL);
	sk_notice(SK_ROOM_DOOR, "session %u: lun %" PRIu64 " is gone%s", k->cfg.sid, d->info.lun,
		  d->stranger ? "; another volume answers there and is looked at" : "");
	if (d->stranger || !d->off)	/* not off: it came back while the engine was being told to forget it */
		(void)sk_keeper_tell_engine(k, &rescan, NULL, NULL);
	free(d);
	sk_kdisks_settled(k);
}

void sk_kdisks_retry(struct sk_keeper *k)
{
	for (struct sk_kdisk *d = k->disks; d; d = d->next)
		if (d->off && d->state == SK_KDISK_IDLE)
			sk_kdisk_go(d, SK_KWORK_DETACH);
}

bool sk_kdisks_busy(const struct sk_keeper *k)
{
	for (const struct sk_kdisk *d = k->disks; d; d = d->next)
		if (d->state != SK_KDISK_IDLE)
			return true;
	return false;
}

/* The scan is over for the world when the disks it brought are in their places. */
void sk_kdisks_settled(struct sk_keeper *k)
{
	struct json_object *o;

	if (!k->scanned || sk_kdisks_busy(k))
		return;
	k->scanned = false;
	(void)sk_tree_set_target_state(k->cfg.rundir, k->cfg.sid, "SCANNED", NULL);
	o = json_object_new_object();
	sk_msg_put(o, "error", k->scan.code ? json_object_new_string(k->scan.why) : NULL);
	sk_msg_put(o, "luns", json_object_new_int64(k->scan.n));
	sk_conn_event(k, k->ready_due || !k->ready ? "ready" : "luns", o);
	k->ready = true;
	k->ready_due = false;
}

void sk_kdisks_free(struct sk_keeper *k)
{
	while (k->disks) {
		struct sk_kdisk *d = k->disks;

		k->disks = d->next;
		free(d);
	}
}
