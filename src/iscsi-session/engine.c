/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "iscsi-session/engine.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "datapath/fuse/front.h"
#include "iscsi-session/boundary.h"
#include "sys/priv.h"
#include "iscsi-session/serve.h"

#define MAX_IO (1U << 20)
#define KEEPER_MS 10000		/* a keeper that does not read that long is as good as gone */

struct proc {
	int boundary;
	struct sk_reactor *r;
	struct sk_engine *e;
	struct sk_disk_front *front;
	struct sk_serve *s;
	bool front_watched, front_dead;
	bool over;		/* the session ends */
	struct sk_err why;
	int rc;
};

static void tell(void *ctx, const struct sk_b_msg *m)
{
	struct proc *p = ctx;
	struct pollfd wait = { .fd = p->boundary, .events = POLLOUT };
	struct sk_err err;

	while (sk_b_send(p->boundary, m, NULL, &err) < 0) {
		if (err.code == SK_EAGAIN && poll(&wait, 1, KEEPER_MS) > 0)
			continue;
		p->over = true;
		return;
	}
}

static void say(struct proc *p, enum sk_b_type type, const struct sk_err *why)
{
	struct sk_b_msg m = sk_b_result(type, why, 0);

	tell(p, &m);
}

static void end(struct proc *p, int rc, const struct sk_err *why)
{
	p->over = true;
	if (why && !p->rc) {
		p->rc = rc;
		p->why = *why;
	}
	sk_reactor_stop(p->r);
}

/* The front end */

static void submit(void *ctx, struct sk_disk_req *req)
{
	struct proc *p = ctx;

	sk_serve_request(p->s, req);
}

static void front_ready(void *ctx, unsigned events)
{
	struct proc *p = ctx;
	struct sk_err err;

	(void)events;
	sk_serve_clock(p->s, sk_reactor_now(p->r));
	if (p->front->ops->ready(p->front, &err) < 0) {
		/* Unmounted: nobody can use the disks any more. The keeper decides what becomes of the session. */
		sk_debug(SK_ROOM_DATAPATH, "%s", err.msg);
		sk_reactor_unwatch(p->r, p->front->ops->fd(p->front));
		p->front_watched = false;
		p->front_dead = true;
	}
}

/* With every buffer in use requests stay in the kernel's queue. */
static void watch_front(struct proc *p)
{
	bool wants = p->front->ops->wants(p->front);

	if (wants == p->front_watched || p->over || p->front_dead)
		return;
	if (sk_reactor_watch(p->r, p->front->ops->fd(p->front), wants ? SK_WATCH_IN : 0, front_ready, p, &p->why) < 0)
		end(p, -1, &p->why);
	else
		p->front_watched = wants;
}

/* The reactor's turns */

static void turn(void *ctx, uint64_t now_ms)
{
	struct proc *p = ctx;

	if (p->s) {
		sk_serve_turn(p->s, now_ms);
		watch_front(p);
	}
	if (p->over)
		sk_reactor_stop(p->r);
}

static uint64_t next_ms(void *ctx)
{
	const struct proc *p = ctx;

	return p->s ? sk_serve_next_ms(p->s) : UINT64_MAX;
}

static void lost(void *ctx, const struct sk_err *why)
{
	struct proc *p = ctx;

	if (p->s)
		sk_serve_lost(p->s, why, sk_reactor_now(p->r));
}

static void drop(void *ctx, const struct sk_err *why)
{
	struct proc *p = ctx;

	sk_reactor_detach(p->r);
	lost(p, why);
}

/* What the keeper says */

static uint32_t ms_of(uint32_t s)
{
	return SK_MIN(s, 3600U) * 1000;
}

static int make_engine(struct proc *p, const struct sk_b_start *st, int *taken_fuse, struct sk_err *err)
{
	const struct sk_engine_cfg ec = {
		.max_tasks = st->cmds_max + SK_SERVE_SPARE, .fast_abort = st->fast_abort,
		.abort_ms = ms_of(st->timers.abort_s), .lu_reset_ms = ms_of(st->timers.lu_reset_s),
		.tgt_reset_ms = ms_of(st->timers.tgt_reset_s),
	};
	const struct sk_disk_front_cfg fc = { .depth = SK_MIN(st->cmds_max, 256U), .max_io = MAX_IO };
	const struct sk_disk_events fe = { .submit = submit };
	const struct sk_serve_cfg sc = {
		.timers = st->timers, .cmds_max = st->cmds_max, .queue_depth = SK_MIN(st->queue_depth, st->cmds_max),
		.max_io = MAX_IO, .scan = st->scan, .read_only = st->read_only, .ctx = p, .tell = tell, .drop = drop,
	};

	if (!st->cmds_max || st->cmds_max > 4096 - SK_SERVE_SPARE || !st->queue_depth)
		return sk_fail(err, SK_EINVAL, "cmds_max %u, queue_depth %u", st->cmds_max, st->queue_depth);
	p->e = sk_engine_new(&ec, &st->params, err);
	if (!p->e)
		return -1;
	p->front = sk_fuse_front_open(sk_give_fd(taken_fuse), &fc, &fe, p, err);
	if (!p->front)
		return -1;
	p->s = sk_serve_new(&sc, p->e, p->front, err);
	return p->s ? 0 : -1;
}

static void start(struct proc *p, const struct sk_b_msg *m, int *fds)
{
	struct sk_err err;

	if (p->s) {
		sk_fail(&err, SK_EEXIST, "started already");
		say(p, SK_B_STARTED, &err);
		return;
	}
	if (make_engine(p, &m->start, &fds[1], &err) < 0 ||
	    sk_reactor_attach(p->r, p->e, sk_give_fd(&fds[0]), &err) < 0) {
		say(p, SK_B_STARTED, &err);
		end(p, -1, &err);
		return;
	}
	say(p, SK_B_STARTED, NULL);
	sk_serve_up(p->s, sk_reactor_now(p->r));
	watch_front(p);
}

static void reattach(struct proc *p, const struct sk_b_msg *m, int *fds)
{
	struct sk_err err;

	if (sk_reactor_attached(p->r)) {	/* the daemon knows better: the old one is dead */
		sk_fail(&err, SK_ECONN, "replaced by a new connection");
		drop(p, &err);
	}
	if (sk_engine_resume(p->e, &m->params, &err) < 0 || sk_reactor_attach(p->r, p->e, sk_give_fd(&fds[0]), &err) < 0) {
		say(p, SK_B_STARTED, &err);
		return;
	}
	say(p, SK_B_STARTED, NULL);
	sk_serve_up(p->s, sk_reactor_now(p->r));
}

static void halt(struct proc *p)
{
	struct sk_err why;

	if (!sk_reactor_attached(p->r))
		return;
	sk_fail(&why, SK_ECONN, "dropped as asked");
	drop(p, &why);
}

static void stats(struct proc *p)
{
	struct sk_b_msg m = { .type = SK_B_STATS };

	sk_serve_stats(p->s, &m.stats);
	tell(p, &m);
}

static void handle(struct proc *p, const struct sk_b_msg *m, int *fds)
{
	struct sk_err err;

	if (!p->s && m->type != SK_B_START) {
		sk_fail(&err, SK_EPROTO, "message %d before the start", (int)m->type);
		end(p, -1, &err);
		return;
	}
	if (p->s)
		sk_serve_clock(p->s, sk_reactor_now(p->r));
	switch (m->type) {
	case SK_B_START:
		start(p, m, fds);
		break;
	case SK_B_REATTACH:
		reattach(p, m, fds);
		break;
	case SK_B_TIMERS:
		sk_serve_timers(p->s, &m->timers);
		sk_engine_patience(p->e, ms_of(m->timers.abort_s), ms_of(m->timers.lu_reset_s), ms_of(m->timers.tgt_reset_s));
		break;
	case SK_B_HALT:
		halt(p);
		break;
	case SK_B_RESCAN:
		sk_serve_rescan(p->s);
		break;
	case SK_B_FORGET:
		sk_serve_forget(p->s, m->unit);
		break;
	case SK_B_LOGOUT:
		sk_serve_logout(p->s);
		break;
	case SK_B_ABANDON:
		sk_reactor_detach(p->r);
		sk_serve_fail_all(p->s);
		break;
	case SK_B_ASK_STATS:
		stats(p);
		break;
	default:
		sk_fail(&err, SK_EPROTO, "message %d is not for the engine", (int)m->type);
		end(p, -1, &err);
		break;
	}
}

static void boundary_ready(void *ctx, unsigned events)
{
	struct proc *p = ctx;
	int fds[SK_B_FDS] = { -1, -1 }, rc;
	struct sk_b_msg m;
	struct sk_err err;

	(void)events;
	while (!p->over && (rc = sk_b_recv(p->boundary, &m, fds, &err)) != 0) {
		if (rc < 0) {
			end(p, -1, err.code == SK_ENOTCONN ? NULL : &err);
			return;
		}
		handle(p, &m, fds);
		sk_fd_close(&fds[0]);
		sk_fd_close(&fds[1]);
	}
}

static void clean_up(struct proc *p)
{
	if (p->r && p->boundary >= 0)
		sk_reactor_unwatch(p->r, p->boundary);
	if (p->r && p->front && p->front_watched)
		sk_reactor_unwatch(p->r, p->front->ops->fd(p->front));
	if (p->r)
		sk_reactor_detach(p->r);
	if (p->s)
		sk_serve_fail_all(p->s);
	if (p->front)
		p->front->ops->close(p->front);
	sk_serve_free(p->s);
	sk_reactor_free(p->r);
	sk_engine_free(p->e);
}

int sk_session_engine(const struct sk_session_engine_cfg *cfg, struct sk_err *err)
{
	struct proc p = { .boundary = cfg->boundary_fd };
	const struct sk_reactor_cfg rc = { .kind = cfg->reactor, .busy_poll_us = cfg->busy_poll_us, .ctx = &p, .turn = turn,
					   .next_ms = next_ms, .lost = lost };

	sk_priv_steel();
	if (sk_priv_drop(cfg->user, err) < 0)
		return -1;
	p.r = sk_reactor_new(&rc, err);
	if (!p.r)
		return -1;
	if (sk_reactor_watch(p.r, p.boundary, SK_WATCH_IN, boundary_ready, &p, err) < 0 || sk_reactor_run(p.r, err) < 0)
		p.rc = -1;
	else if (p.rc && err)
		*err = p.why;
	clean_up(&p);
	return p.rc;
}
