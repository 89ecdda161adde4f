/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "datapath/fuse/mount.h"
#include "iscsi-session/keeper_inner.h"
#include "sys/mounts.h"

/* The end of a session, step by step; what can block runs in a worker:
 *
 *	WAIT	for disks that are just being made or taken away
 *	CHECK	is a disk in use? then it is refused unless forced, and so it is when that cannot be found out in time
 *	DISKS	every disk is flushed, its loop device and link go. When the time is over a forced end has the engine fail
 *		what still waits; one that is not forced is refused. Without a connection nothing is flushed
 *	UNMOUNT	the FUSE mount; in use means refused again, and the disks come back
 *	LOGOUT	Logout Request, until the answer or the time is over
 *	EXIT	the engine ends; then the files go, the controller is answered, and so do we
 */

#define EXIT_MS 3000U
#define ABANDON_MS 3000U	/* for the engine to fail what waits; then it is killed, which does the same */
#define OPENERS_TRIES 20	/* whoever looks at new devices closes them soon */
#define OPENERS_PAUSE_US 50000
#define UNMOUNT_TRIES 20	/* a loop device lets go of its file a moment after its last user */
#define UNMOUNT_PAUSE_US 50000
#define UNMOUNT_MS 10000U	/* for all of those; then the engine goes, and the mount with it */

static void finish(struct sk_keeper *k)
{
	k->ending = SK_END_EXIT;
	sk_watch_free(k->boundary_watch);
	k->boundary_watch = NULL;
	sk_fd_close(&k->boundary);	/* the engine ends with it */
	if (!k->engine || k->engine_gone)
		sk_keeper_stop(k, k->rc, NULL);
	else
		sk_timer_at(k->timer, sk_loop_now(k->loop) + EXIT_MS);
}

static void refuse(struct sk_keeper *k, enum sk_result code, const char *text)
{
	int64_t id = k->end_id;

	sk_notice(SK_ROOM_DOOR, "session %u stays: %s", k->cfg.sid, text);
	k->ending = SK_END_NOT;
	k->state = SK_KEEPER_SERVING;
	k->end_id = 0;
	sk_timer_at(k->timer, UINT64_MAX);
	for (struct sk_kdisk *d = k->disks; d; d = d->next)
		if (d->state == SK_KDISK_IDLE && !d->attached && !d->off)
			sk_kdisk_go(d, SK_KWORK_ATTACH);
	if (id)
		sk_conn_refuse(k, id, code, text);
}

static void logout(struct sk_keeper *k)
{
	struct sk_b_msg m = { .type = SK_B_LOGOUT };

	k->ending = SK_END_LOGOUT;
	if (k->engine_gone || sk_keeper_tell_engine(k, &m, NULL, NULL) < 0)
		finish(k);
	else
		sk_timer_at(k->timer, sk_loop_now(k->loop) + (uint64_t)k->timeout_s * 1000);
}

static void unmount_work(void *ctx)
{
	struct sk_keeper *k = ctx;
	struct sk_err *err = &k->why;

	k->check_rc = k->mounted ? sk_fuse_unmount(k->disk_dir, false, err) : 0;
	for (int i = 0; i < UNMOUNT_TRIES && k->check_rc < 0 && err->code == SK_EBUSY; i++) {
		usleep(UNMOUNT_PAUSE_US);
		k->check_rc = sk_fuse_unmount(k->disk_dir, false, err);
	}
	if (k->check_rc < 0 && k->force)
		k->check_rc = sk_fuse_unmount(k->disk_dir, true, err);
}

static void unmount_over(void *ctx)
{
	struct sk_keeper *k = ctx;

	if (k->check_rc < 0 && !k->force) {
		refuse(k, SK_RES_BUSY, k->why.msg);
		return;
	}
	k->mounted = false;
	logout(k);
}

static void go(struct sk_keeper *k, enum sk_ending step, sk_work_fn *work, sk_work_fn *over)
{
	k->ending = step;
	if (!sk_loop_work(k->loop, work, over, k, NULL)) {
		work(k);
		over(k);
	}
}

/* Every disk has had its try. */
static void disks_over(struct sk_keeper *k)
{
	for (struct sk_kdisk *d = k->disks; d; d = d->next) {
		bool lost = d->flush && k->health != SK_B_LOGGED_IN;	/* again, without a flush */

		if (!d->attached || k->force)
			continue;
		if (d->work != SK_KWORK_DETACH || lost) {	/* an attach came in between */
			sk_kdisk_go(d, SK_KWORK_DETACH);
			return;
		}
		refuse(k, SK_RES_BUSY, d->err.msg);
		return;
	}
	sk_timer_at(k->timer, sk_loop_now(k->loop) + UNMOUNT_MS);
	go(k, SK_END_UNMOUNT, unmount_work, unmount_over);
}

static void take_disks(struct sk_keeper *k)
{
	k->ending = SK_END_DISKS;
	sk_timer_at(k->timer, sk_loop_now(k->loop) + (uint64_t)k->timeout_s * 1000);
	for (struct sk_kdisk *d = k->disks; d; d = d->next) {
		d->force = k->force;
		sk_kdisk_go(d, SK_KWORK_DETACH);
	}
	if (!sk_kdisks_busy(k))
		disks_over(k);
}

/* Who uses the disks. It looks at every process of the machine, and any of those files may hang: so the worker has a copy of
 * all it needs, and when the time is over it is left to itself. */
struct sk_check {
	struct sk_keeper *k;
	unsigned n;
	struct {
		uint64_t lun;
		char node[sizeof(((struct sk_loopdev *)NULL)->node)];
	} *disks;
	struct sk_buf users;
	bool in_use;
};

static void check_free(void *ctx)
{
	struct sk_check *c = ctx;

	free(c->disks);
	sk_buf_free(&c->users);
	free(c);
}

/* A process that has the disk open (a virtual machine, a database) uses it as much as a file system does; who only looks at
 * devices, as udev does, is gone a moment later. */
static bool users_of(const char *node, struct sk_buf *ret)
{
	struct sk_err err;
	int n = sk_device_users(node, "/sys", "/proc", SK_USE_CLAIMED, ret, &err);

	for (int i = 0; n <= 0 && i < OPENERS_TRIES; i++) {
		if (i)
			usleep(OPENERS_PAUSE_US);
		if (sk_device_users(node, "/sys", "/proc", SK_USE_OPENERS, ret, &err) <= 0)
			return false;
	}
	return true;
}

static void check_work(void *ctx)
{
	struct sk_check *c = ctx;
	SK_BUF struct sk_buf one = { 0 };

	for (unsigned i = 0; i < c->n; i++) {
		if (!users_of(c->disks[i].node, &one))
			continue;
		c->in_use = true;
		sk_buf_printf(&c->users, "%slun %" PRIu64 " (%s) is in use: %s", c->users.n ? "; " : "", c->disks[i].lun,
			      c->disks[i].node, sk_buf_cstr(&one));
	}
}

static void check_over(void *ctx)
{
	struct sk_check *c = ctx;
	struct sk_keeper *k = c->k;

	k->checking = NULL;
	for (char *p = c->users.p; p && *p; p++)
		if (*p == '\n')
			*p = ',';
	if (c->in_use && !k->force)
		refuse(k, SK_RES_BUSY, sk_buf_cstr(&c->users));
	else
		take_disks(k);
	check_free(c);
}

static struct sk_check *check_new(struct sk_keeper *k)
{
	struct sk_check *c = calloc(1, sizeof(*c));
	unsigned n = 1;

	for (const struct sk_kdisk *d = k->disks; d; d = d->next)
		n++;
	if (c)
		c->disks = calloc(n, sizeof(*c->disks));
	if (!c || !c->disks) {
		free(c);
		return NULL;
	}
	c->k = k;
	for (const struct sk_kdisk *d = k->disks; d; d = d->next) {
		if (!d->attached)
			continue;
		c->disks[c->n].lun = d->info.lun;
		snprintf(c->disks[c->n].node, sizeof(c->disks[c->n].node), "%s", d->dev.node);
		c->n++;
	}
	return c;
}

static void begin(struct sk_keeper *k)
{
	struct sk_check *c;

	if (k->force) {
		take_disks(k);
		return;
	}
	k->ending = SK_END_CHECK;
	c = check_new(k);
	k->checking = c ? sk_loop_work(k->loop, check_work, check_over, c, NULL) : NULL;
	if (k->checking)
		return;
	if (c)
		check_free(c);
	refuse(k, SK_RES_NOMEM, "no memory to look who uses the disks");
}

/* Who uses the disks could not be found out in time. */
static void check_late(struct sk_keeper *k)
{
	sk_job_abandon(k->checking, check_free);
	k->checking = NULL;
	if (k->force)	/* the engine is gone: there is nothing left to keep */
		take_disks(k);
	else
		refuse(k, SK_RES_REQ_TIMEDOUT, "it could not be found out in time who uses the disks");
}

void sk_end_disk_done(struct sk_keeper *k)
{
	if (sk_kdisks_busy(k))
		return;
	if (k->ending == SK_END_WAIT)
		begin(k);
	if (k->ending == SK_END_DISKS && !sk_kdisks_busy(k))
		disks_over(k);
}

/* A forced end cannot be kept waiting: the engine fails every request, or dies, which fails them too. */
static void abandon(struct sk_keeper *k)
{
	const struct sk_b_msg m = { .type = SK_B_ABANDON };

	if (!k->abandoned && sk_keeper_tell_engine(k, &m, NULL, NULL) == 0)
		sk_timer_at(k->timer, sk_loop_now(k->loop) + ABANDON_MS);
	else if (k->engine && !k->engine_gone)
		kill(k->engine, SIGKILL);
	k->abandoned = true;
}

static void late(void *ctx)
{
	struct sk_keeper *k = ctx;

	switch (k->ending) {
	case SK_END_WAIT:
	case SK_END_DISKS:
		if (k->force)
			abandon(k);
		else
			refuse(k, SK_RES_REQ_TIMEDOUT, "the disks could not be flushed in time");
		break;
	case SK_END_CHECK:
		check_late(k);
		break;
	case SK_END_UNMOUNT:	/* every disk is flushed and gone already */
		abandon(k);
		break;
	case SK_END_LOGOUT:
		sk_warning(SK_ROOM_DOOR, "session %u: no answer to the logout within %u s", k->cfg.sid, k->timeout_s);
		finish(k);
		break;
	case SK_END_EXIT:
		if (k->engine && !k->engine_gone)
			kill(k->engine, SIGKILL);
		break;
	default:
		break;
	}
}

void sk_end_begin(struct sk_keeper *k, int64_t id, bool force, uint32_t timeout_s)
{
	sk_timer_free(k->timer);
	k->timer = sk_timer_new(k->loop, late, k, NULL);
	k->end_id = id;
	k->abandoned = false;
	k->force = force;
	k->timeout_s = timeout_s;
	if (!k->timer || !k->published) {
		finish(k);
		return;
	}
	k->state = SK_KEEPER_ENDING;
	k->ending = SK_END_WAIT;
	sk_timer_at(k->timer, sk_loop_now(k->loop) + (uint64_t)timeout_s * 1000);
	for (struct sk_kdisk *d = k->disks; d; d = d->next)
		if (d->state == SK_KDISK_FORGETTING)	/* the engine's word is not waited for any more */
			d->state = SK_KDISK_IDLE;
	sk_end_disk_done(k);
}

/* Nobody uses the disks, so nothing is left that a flush could save; it would wait for a relogin that never comes. */
void sk_end_lost(struct sk_keeper *k)
{
	const struct sk_b_msg abandon = { .type = SK_B_ABANDON };

	if (k->ending == SK_END_DISKS)
		(void)sk_keeper_tell_engine(k, &abandon, NULL, NULL);
}

void sk_end_logged_out(struct sk_keeper *k)
{
	if (k->ending == SK_END_LOGOUT)
		finish(k);
}

/* Orderly at the end, or it broke: then every disk is dead already, and all there is to do is to take them away. */
void sk_end_engine_gone(struct sk_keeper *k)
{
	k->engine_gone = true;
	if (k->attach_id) {
		sk_conn_refuse(k, k->attach_id, SK_RES_INTERNAL, "the session's engine ended, see the system's log");
		sk_conn_flush(k, 1000);
	}
	switch (k->ending) {
	case SK_END_EXIT:
		sk_keeper_stop(k, k->rc, NULL);
		return;
	case SK_END_NOT:
		k->rc = -1;
		for (struct sk_kdisk *d = k->disks; d; d = d->next)
			d->off = true;
		sk_end_begin(k, 0, true, 0);
		return;
	case SK_END_LOGOUT:
		finish(k);
		return;
	default:
		k->force = true;	/* the step under way comes back by itself */
		return;
	}
}

static void remove_file(const struct sk_keeper *k, const char *name)
{
	char path[360];

	snprintf(path, sizeof(path), "%s/%s", k->dir, name);
	(void)unlink(path);
}

void sk_end_clean(struct sk_keeper *k)
{
	struct sk_err err;

	if (k->engine && !k->engine_gone) {
		kill(k->engine, SIGKILL);
		while (waitpid(k->engine, NULL, 0) < 0 && errno == EINTR)
			;
	}
	if (k->mounted && sk_fuse_unmount(k->disk_dir, true, &err) < 0)
		sk_warning(SK_ROOM_DOOR, "session %u: %s", k->cfg.sid, err.msg);
	if (k->published && sk_tree_remove(k->cfg.rundir, k->cfg.sid, &err) < 0)
		sk_warning(SK_ROOM_DOOR, "session %u: %s", k->cfg.sid, err.msg);
	(void)rmdir(k->disk_dir);
	remove_file(k, "record");
	remove_file(k, "record.new");
	remove_file(k, "about");
	remove_file(k, "ctl");
	remove_file(k, "lock");
	(void)rmdir(k->dir);
	if (k->end_id) {
		sk_conn_answer(k, k->end_id, NULL);
		sk_conn_flush(k, 1000);
	}
}
