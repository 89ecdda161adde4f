/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "iscsi-session/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "datapath/fuse/mount.h"
#include "iscsi-session/keeper_inner.h"
#include "mgmt/message.h"
#include "sys/priv.h"

#define ATTACH_MS 60000U
#define BOUNDARY_BYTES (4 << 20)	/* room for the LUNs of a large scan */
#define STOP_LOGOUT_S 10

int sk_keeper_tell_engine(struct sk_keeper *k, const struct sk_b_msg *m, const int *fds, struct sk_err *err)
{
	if (k->boundary < 0)
		return sk_fail(err, SK_ENOTCONN, "the session's engine is gone");
	return sk_b_send(k->boundary, m, fds, err);
}

void sk_keeper_stop(struct sk_keeper *k, int rc, const struct sk_err *why)
{
	k->rc = rc;
	if (why)
		k->why = *why;
	sk_loop_stop(k->loop);
}

/* What the engine says */

static void got_started(struct sk_keeper *k, const struct sk_b_result *r)
{
	int64_t id = k->attach_id;
	struct sk_err err = { .code = (enum sk_code)r->code };

	k->attach_id = 0;
	snprintf(err.msg, sizeof(err.msg), "%s", r->why);
	if (r->code) {
		if (id)
			sk_conn_refuse(k, id, sk_result_of(&err), err.msg);
		if (k->state == SK_KEEPER_STARTING) {
			sk_conn_flush(k, 1000);
			sk_keeper_stop(k, -1, &err);
		}
		return;
	}
	k->next_pub.sid = k->next_pub.host = k->cfg.sid;
	snprintf(k->next_pub.state, sizeof(k->next_pub.state), "LOGGED_IN");
	k->pub = k->next_pub;
	k->health = SK_B_LOGGED_IN;	/* whoever asks before the engine says so must not think it down */
	if (k->state == SK_KEEPER_STARTING) {
		sk_attach_secrets(k, &k->pub);
		if (sk_tree_create(k->cfg.rundir, &k->pub, &err) < 0)
			sk_error(SK_ROOM_DOOR, "session %u: %s", k->cfg.sid, err.msg);
		k->published = true;
		k->state = SK_KEEPER_SERVING;
	} else if (sk_tree_update(k->cfg.rundir, &k->pub, &err) < 0) {
		sk_error(SK_ROOM_DOOR, "session %u: %s", k->cfg.sid, err.msg);
	}
	if (id)
		sk_conn_answer(k, id, NULL);
	sk_conn_hello(k);
}

static void got_health(struct sk_keeper *k, const struct sk_b_result *r)
{
	struct json_object *o = json_object_new_object();
	struct sk_err err;

	if (r->code > SK_B_FREE) {
		json_object_put(o);
		return;
	}
	k->health = (enum sk_b_health)r->code;
	snprintf(k->pub.state, sizeof(k->pub.state), "%s", sk_health_word(k->health));
	if (k->published && sk_tree_set_state(k->cfg.rundir, k->cfg.sid, k->pub.state, &err) < 0)
		sk_warning(SK_ROOM_DOOR, "session %u: %s", k->cfg.sid, err.msg);
	sk_notice(SK_ROOM_DOOR, "session %u %s: %s%s%s", k->cfg.sid, k->pub.target, k->pub.state, r->why[0] ? ": " : "", r->why);
	sk_msg_put(o, "health", json_object_new_string(k->pub.state));
	sk_msg_put(o, "why", json_object_new_string(r->why));
	sk_conn_event(k, "health", o);
	if (k->health != SK_B_LOGGED_IN)
		sk_end_lost(k);
}

static void got_down(struct sk_keeper *k, const struct sk_b_result *r)
{
	struct json_object *o = json_object_new_object();

	sk_msg_put(o, "why", json_object_new_string(r->why));
	sk_msg_put(o, "code", json_object_new_string(sk_code_name((enum sk_code)r->code)));
	sk_conn_event(k, "down", o);
}

static void got_async(struct sk_keeper *k, const struct sk_b_async *a)
{
	struct json_object *o = json_object_new_object();

	sk_msg_put(o, "event", json_object_new_int(a->event));
	sk_msg_put(o, "p1", json_object_new_int(a->p1));
	sk_msg_put(o, "p2", json_object_new_int(a->p2));
	sk_msg_put(o, "p3", json_object_new_int(a->p3));
	sk_conn_event(k, "async", o);
}

static void got_scanned(struct sk_keeper *k, const struct sk_b_result *r)
{
	k->scan = *r;
	k->scanned = true;
	sk_kdisks_settled(k);
}

/* The kernel's names where it counts the same (iscsiadm -s prints them), else our own. */
static const struct {
	const char *name;
	size_t off;
} counters[] = {
#define ROW(n, f) { n, offsetof(struct sk_b_stats, f) }
	ROW("txdata_octets", tx_bytes), ROW("rxdata_octets", rx_bytes), ROW("scsicmd_pdus", cmds),
	ROW("dataout_pdus", data_out),	ROW("datain_pdus", data_in),	ROW("r2t_pdus", r2t),
	ROW("digest_err", digest_errors), ROW("timeout_err", timeouts),	ROW("tx_pdus", tx_pdus),
	ROW("rx_pdus", rx_pdus),	ROW("tx_calls", tx_calls),	ROW("rx_calls", rx_calls),
	ROW("requests", requests),	ROW("retries", retries),	ROW("failed", failed),
#undef ROW
};

static void got_stats(struct sk_keeper *k, const struct sk_b_stats *s)
{
	struct json_object *o;

	if (!k->stats_id)
		return;
	o = json_object_new_object();
	for (size_t i = 0; i < SK_ARRAY_LEN(counters); i++) {
		uint64_t v;

		memcpy(&v, (const uint8_t *)s + counters[i].off, sizeof(v));
		sk_msg_put(o, counters[i].name, json_object_new_uint64(v));
	}
	sk_msg_put(o, "inflight", json_object_new_uint64(s->inflight));
	sk_conn_answer(k, k->stats_id, o);
	k->stats_id = 0;
}

static bool handle(struct sk_keeper *k, const struct sk_b_msg *m)
{
	switch (m->type) {
	case SK_B_STARTED:
		got_started(k, &m->result);
		return true;
	case SK_B_HEALTH:
		got_health(k, &m->result);
		return true;
	case SK_B_DOWN:
		got_down(k, &m->result);
		return true;
	case SK_B_ASYNC:
		got_async(k, &m->async);
		return true;
	case SK_B_LUN:
		sk_kdisks_lun(k, &m->lun);
		return true;
	case SK_B_LUN_OFF:
		sk_kdisks_off(k, &m->off);
		return true;
	case SK_B_SCANNED:
		got_scanned(k, &m->result);
		return true;
	case SK_B_FORGOTTEN:
		sk_kdisks_forgotten(k, m->result.n);
		return true;
	case SK_B_OUT:
		sk_end_logged_out(k);
		return true;
	case SK_B_STATS:
		got_stats(k, &m->stats);
		return true;
	default:
		return false;
	}
}

static void boundary_ready(void *ctx, unsigned events)
{
	struct sk_keeper *k = ctx;
	int fds[SK_B_FDS], rc = 0;
	struct sk_b_msg m;
	struct sk_err err;

	(void)events;
	while (k->boundary >= 0 && (rc = sk_b_recv(k->boundary, &m, fds, &err)) == 1)
		if (!handle(k, &m)) {
			sk_fail(&err, SK_EPROTO, "message %d is not for the keeper", (int)m.type);
			rc = -1;
			break;
		}
	if (rc == 0 || k->boundary < 0)
		return;
	/* gone: its exit is told too. Nonsense: it is not to be trusted with anything any more. */
	if (err.code != SK_ENOTCONN)
		sk_error(SK_ROOM_DOOR, "session %u: the engine: %s", k->cfg.sid, err.msg);
	sk_watch_free(k->boundary_watch);
	k->boundary_watch = NULL;
	sk_fd_close(&k->boundary);
	if (k->engine && !k->engine_gone)
		kill(k->engine, SIGKILL);
}

/* The engine's life */

static void engine_exit(void *ctx, int status)
{
	struct sk_keeper *k = ctx;

	if (k->ending != SK_END_EXIT)
		sk_error(SK_ROOM_DOOR, "session %u: the engine ended (%s %d); its disks fail", k->cfg.sid,
			 WIFSIGNALED(status) ? "signal" : "status", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	sk_end_engine_gone(k);
}

static int spawn(struct sk_keeper *k, struct sk_err *err)
{
	const int size = BOUNDARY_BYTES;
	char sid[16];
	const char *argv[16];
	int pair[2], rc, n = 0;

	snprintf(sid, sizeof(sid), "%" PRIu32, k->cfg.sid);
	argv[n++] = "/proc/self/exe";
	argv[n++] = "--engine";
	argv[n++] = "--sid";
	argv[n++] = sid;
	argv[n++] = "--user";
	argv[n++] = k->cfg.user;
	if (k->cfg.debug) {
		argv[n++] = "--debug";
		argv[n++] = k->cfg.debug;
	}
	if (k->cfg.reactor) {
		argv[n++] = "--reactor";
		argv[n++] = k->cfg.reactor;
	}
	if (k->cfg.busy_poll) {
		argv[n++] = "--busy-poll";
		argv[n++] = k->cfg.busy_poll;
	}
	if (k->cfg.log_stderr)
		argv[n++] = "--log-stderr";
	argv[n] = NULL;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return sk_fail_sys(err, errno, "socketpair");
	for (int i = 0; i < 2; i++)
		if (setsockopt(pair[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
			(void)setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	rc = sk_loop_spawn(k->loop, argv, &pair[1], 1, false, engine_exit, k, &k->engine, err);
	close(pair[1]);
	if (rc < 0) {
		close(pair[0]);
		return -1;
	}
	k->boundary = pair[0];
	k->boundary_watch = sk_watch_new(k->loop, k->boundary, boundary_ready, k, err);
	if (!k->boundary_watch)
		return -1;
	sk_watch_set(k->boundary_watch, SK_READABLE);
	return 0;
}

int sk_keeper_start_engine(struct sk_keeper *k, const struct sk_b_start *start, int tcp_fd, struct sk_err *err)
{
	struct sk_b_msg m;
	SK_FD int fuse_fd = -1;
	int fds[2];

	if (k->engine)
		return sk_fail(err, SK_EBUSY, "an engine was started before");
	if (mkdir(k->disk_dir, 0700) < 0 && errno != EEXIST)
		return sk_fail_sys(err, errno, "create %s", k->disk_dir);
	if (sk_fuse_mount(k->disk_dir, SK_KEEPER_MAX_IO, &fuse_fd, err) < 0)
		return -1;
	k->mounted = true;
	if (spawn(k, err) < 0)
		return -1;
	memset(&m, 0, sizeof(m));
	m.type = SK_B_START;
	m.start = *start;
	k->timers = start->timers;
	fds[0] = tcp_fd;
	fds[1] = fuse_fd;
	sk_timer_at(k->timer, UINT64_MAX);
	return sk_keeper_tell_engine(k, &m, fds, err);	/* our copies close: the engine's death must end the mount */
}

/* Our own life */

static void no_attach(void *ctx)
{
	struct sk_keeper *k = ctx;
	struct sk_err err;

	sk_fail(&err, SK_ETIME, "no attach within %u s", ATTACH_MS / 1000);
	sk_keeper_stop(k, -1, &err);
}

/* The machine stops: log out cleanly if nobody uses a disk, else leave everything as it is. */
static void asked_to_stop(void *ctx, int signum)
{
	struct sk_keeper *k = ctx;

	(void)signum;
	if (k->state == SK_KEEPER_ENDING)
		return;
	if (k->state == SK_KEEPER_SERVING)
		sk_end_begin(k, 0, false, STOP_LOGOUT_S);
	else
		sk_keeper_stop(k, 0, NULL);
}

static int take_lock(struct sk_keeper *k, struct sk_err *err)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[340], text[32];
	int n;

	snprintf(path, sizeof(path), "%s/lock", k->dir);
	k->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (k->lock_fd < 0)
		return sk_fail_sys(err, errno, "open %s", path);
	if (fcntl(k->lock_fd, F_OFD_SETLK, &fl) < 0)
		return sk_fail(err, SK_EEXIST, "session %u has a process already", k->cfg.sid);
	n = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (ftruncate(k->lock_fd, 0) < 0 || pwrite(k->lock_fd, text, (size_t)n, 0) != n)
		return sk_fail_sys(err, errno, "write %s", path);
	return 0;
}

static int make_places(struct sk_keeper *k, struct sk_err *err)
{
	if ((size_t)snprintf(k->dir, sizeof(k->dir), "%s/session/%" PRIu32, k->cfg.rundir, k->cfg.sid) >= sizeof(k->dir))
		return sk_fail(err, SK_EINVAL, "the run directory's path is too long");
	snprintf(k->disk_dir, sizeof(k->disk_dir), "%s/disk", k->dir);
	if (mkdir(k->dir, 0700) < 0 && errno != EEXIST)
		return sk_fail_sys(err, errno, "create %s", k->dir);
	return take_lock(k, err);
}

static int set_up(struct sk_keeper *k, struct sk_err *err)
{
	k->loop = sk_loop_new(err);
	if (!k->loop)
		return -1;
	k->timer = sk_timer_new(k->loop, no_attach, k, err);
	if (!k->timer || sk_conn_listen(k, err) < 0 || sk_loop_signal(k->loop, SIGTERM, asked_to_stop, k, err) < 0 ||
	    sk_loop_signal(k->loop, SIGINT, asked_to_stop, k, err) < 0)
		return -1;
	sk_timer_at(k->timer, sk_loop_now(k->loop) + ATTACH_MS);
	return 0;
}

static void tear_down(struct sk_keeper *k)
{
	sk_conn_close(k);
	sk_watch_free(k->listen_watch);
	sk_watch_free(k->boundary_watch);
	sk_timer_free(k->timer);
	sk_loop_free(k->loop);
	sk_fd_close(&k->listen_fd);
	sk_fd_close(&k->boundary);
	sk_fd_close(&k->lock_fd);
	sk_kdisks_free(k);
	explicit_bzero(&k->pub, sizeof(k->pub));
	explicit_bzero(&k->next_pub, sizeof(k->next_pub));
}

int sk_keeper(const struct sk_keeper_cfg *cfg, struct sk_err *err)
{
	struct sk_keeper k = { .cfg = *cfg, .lock_fd = -1, .boundary = -1, .listen_fd = -1, .health = SK_B_FAILED };
	bool mine;

	umask(022);		/* what is private says so itself; links are for everybody */
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	sk_priv_steel();	/* every relogin passes through here: that must not wait for our own disks */
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);	/* the record's secrets pass through here */
	mine = make_places(&k, err) == 0;
	if (!mine || set_up(&k, err) < 0 || sk_loop_run(k.loop) < 0) {
		k.rc = -1;
	} else if (k.rc && err) {
		*err = k.why;
	}
	if (mine)		/* another process's session is not ours to clean */
		sk_end_clean(&k);
	tear_down(&k);
	return k.rc;
}
