/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "iscsi-session/keeper_inner.h"
#include "mgmt/message.h"
#include "mgmt/server.h"

#define OUT_MAX (4U << 20)	/* a controller that does not read its events is dropped */
#define END_DEFAULT_S 15

/** The controller's connection. */
struct sk_conn {
	int fd;
	struct sk_watch *watch;
	struct sk_buf in, out;
	int passed_fd;		/* came with the frame being read */
};

const char *sk_health_word(enum sk_b_health health)
{
	static const char *const words[] = { "LOGGED_IN", "FAILED", "FREE" };

	return words[health];
}

void sk_conn_close(struct sk_keeper *k)
{
	struct sk_conn *c = k->conn;

	if (!c)
		return;
	k->conn = NULL;
	k->attach_id = k->stats_id = k->hello_id = 0;
	if (k->end_id > 0)
		k->end_id = 0;
	sk_watch_free(c->watch);
	close(c->fd);
	sk_fd_close(&c->passed_fd);
	sk_buf_free(&c->in);
	sk_buf_free(&c->out);
	free(c);
}

static int push(struct sk_conn *c)
{
	while (c->out.n) {
		ssize_t put = send(c->fd, c->out.p, c->out.n, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (put > 0)
			sk_buf_drop(&c->out, (size_t)put);
		else if (put < 0 && errno == EAGAIN)
			break;
		else if (put < 0 && errno != EINTR)
			return -1;
	}
	sk_watch_set(c->watch, SK_READABLE | (c->out.n ? SK_WRITABLE : 0));
	return 0;
}

void sk_conn_flush(struct sk_keeper *k, int ms)
{
	struct pollfd p;

	while (k->conn && k->conn->out.n) {
		p = (struct pollfd){ .fd = k->conn->fd, .events = POLLOUT };
		if (poll(&p, 1, ms) != 1 || push(k->conn) < 0)
			return;
	}
}

static void put_msg(struct sk_keeper *k, struct json_object *msg)
{
	struct sk_conn *c = k->conn;

	if (c) {	/* a message that cannot be made must not be waited for */
		sk_msg_put(msg, "v", json_object_new_int(1));
		if (!msg || sk_msg_frame(&c->out, msg, NULL) < 0 || c->out.n > OUT_MAX || push(c) < 0) {
			sk_warning(SK_ROOM_DOOR, "session %u: the controller is dropped", k->cfg.sid);
			sk_conn_close(k);
		}
	}
	json_object_put(msg);
}

void sk_conn_answer(struct sk_keeper *k, int64_t id, struct json_object *taken_result)
{
	struct json_object *msg = json_object_new_object();

	sk_msg_put(msg, "id", json_object_new_int64(id));
	sk_msg_put(msg, "result", taken_result ? taken_result : json_object_new_object());
	put_msg(k, msg);
}

void sk_conn_refuse(struct sk_keeper *k, int64_t id, enum sk_result code, const char *text)
{
	struct json_object *msg = json_object_new_object(), *error = json_object_new_object();

	sk_msg_put(error, "code", json_object_new_int((int)code));
	sk_msg_put(error, "name", json_object_new_string(sk_result_name((int)code)));
	sk_msg_put(error, "text", json_object_new_string(text));
	sk_msg_put(msg, "id", json_object_new_int64(id));
	sk_msg_put(msg, "error", error);
	put_msg(k, msg);
}

void sk_conn_event(struct sk_keeper *k, const char *event, struct json_object *taken_params)
{
	struct json_object *msg = json_object_new_object();

	sk_msg_put(msg, "event", json_object_new_string(event));
	sk_msg_put(msg, "params", taken_params ? taken_params : json_object_new_object());
	put_msg(k, msg);
}

/* The methods. Each answers now, or leaves an id behind and answers when the engine has. */

void sk_conn_hello(struct sk_keeper *k)
{
	struct json_object *o;
	char path[340];
	int64_t id = k->hello_id;

	if (!id)
		return;
	k->hello_id = 0;
	o = json_object_new_object();
	snprintf(path, sizeof(path), "%s/record", k->dir);
	sk_msg_put(o, "version", json_object_new_int(1));
	sk_msg_put(o, "sid", json_object_new_int64(k->cfg.sid));
	sk_msg_put(o, "health", json_object_new_string(sk_health_word(k->health)));
	sk_msg_put(o, "record", json_object_new_boolean(access(path, R_OK) == 0));
	sk_msg_put(o, "target", json_object_new_string(k->pub.target));
	sk_msg_put(o, "attached", json_object_new_boolean(k->published));
	sk_msg_put(o, "ready", json_object_new_boolean(k->ready));
	sk_conn_answer(k, id, o);
}

/* Whoever handed the connection over may have died a moment ago: his successor must hear what became of it. */
static void do_hello(struct sk_keeper *k, int64_t id, struct json_object *params)
{
	(void)params;
	k->hello_id = id;
	if (k->state != SK_KEEPER_STARTING)
		sk_conn_hello(k);
}

static void do_attach(struct sk_keeper *k, int64_t id, struct json_object *params)
{
	struct sk_b_start start;
	struct sk_err err;
	SK_FD int fd = sk_give_fd(&k->conn->passed_fd);

	if (k->state != SK_KEEPER_WAITING) {
		sk_conn_refuse(k, id, SK_RES_SESS_EXISTS, "attached already");
		return;
	}
	if (fd < 0) {
		sk_conn_refuse(k, id, SK_RES_INVAL, "no socket came along");
		return;
	}
	if (sk_attach_read(params, &start, &k->next_pub, &err) < 0 || sk_keeper_start_engine(k, &start, fd, &err) < 0) {
		sk_conn_refuse(k, id, sk_result_of(&err), err.msg);
		return;
	}
	k->state = SK_KEEPER_STARTING;
	k->attach_id = id;
}

static bool not_serving(struct sk_keeper *k, int64_t id)
{
	if (k->state == SK_KEEPER_SERVING)
		return false;
	sk_conn_refuse(k, id, SK_RES_SESSION_NOT_CONNECTED, k->state == SK_KEEPER_ENDING ? "the session ends" : "not attached");
	return true;
}

static void do_reattach(struct sk_keeper *k, int64_t id, struct json_object *params)
{
	struct sk_b_msg m = { .type = SK_B_REATTACH };
	struct sk_err err;
	SK_FD int fd = sk_give_fd(&k->conn->passed_fd);

	if (not_serving(k, id))
		return;
	if (fd < 0 || k->attach_id) {
		sk_conn_refuse(k, id, SK_RES_INVAL, fd < 0 ? "no socket came along" : "one reattach at a time");
		return;
	}
	k->next_pub = k->pub;
	if (sk_reattach_read(params, &m.params, &k->next_pub, &err) < 0 || sk_keeper_tell_engine(k, &m, &fd, &err) < 0) {
		sk_conn_refuse(k, id, sk_result_of(&err), err.msg);
		return;
	}
	k->attach_id = id;
}

static void simple(struct sk_keeper *k, int64_t id, enum sk_b_type type)
{
	struct sk_b_msg m = { .type = type };
	struct sk_err err;

	if (sk_keeper_tell_engine(k, &m, NULL, &err) < 0)
		sk_conn_refuse(k, id, sk_result_of(&err), err.msg);
	else
		sk_conn_answer(k, id, NULL);
}

static void do_rescan(struct sk_keeper *k, int64_t id, struct json_object *params)
{
	(void)params;
	if (not_serving(k, id))
		return;
	k->ready_due = true;
	sk_kdisks_retry(k);
	simple(k, id, SK_B_RESCAN);
}

static void do_halt(struct sk_keeper *k, int64_t id, struct json_object *params)
{
	(void)params;
	if (!not_serving(k, id))
		simple(k, id, SK_B_HALT);
}

static void do_timers(struct sk_keeper *k, int64_t id, struct json_object *params)
{
	struct sk_b_msg m = { .type = SK_B_TIMERS, .timers = k->timers };
	struct sk_err err;

	if (not_serving(k, id))
		return;
	if (sk_timers_read(params, &m.timers, &k->pub, &err) < 0 || sk_keeper_tell_engine(k, &m, NULL, &err) < 0) {
		sk_conn_refuse(k, id, sk_result_of(&err), err.msg);
		return;
	}
	k->timers = m.timers;
	if (sk_tree_update(k->cfg.rundir, &k->pub, &err) < 0)
		sk_warning(SK_ROOM_DOOR, "session %u: %s", k->cfg.sid, err.msg);
	sk_conn_answer(k, id, NULL);
}

static void do_end(struct sk_keeper *k, int64_t id, struct json_object *params)
{
	int64_t timeout = sk_msg_int(params, "timeout_s", END_DEFAULT_S);

	if (k->state == SK_KEEPER_ENDING) {
		sk_conn_refuse(k, id, SK_RES_AGAIN, "the session ends already");
		return;
	}
	if (timeout < 0 || timeout > 3600)
		timeout = END_DEFAULT_S;
	sk_end_begin(k, id, sk_msg_bool(params, "force", false), (uint32_t)timeout);
}

static void do_stats(struct sk_keeper *k, int64_t id, struct json_object *params)
{
	struct sk_b_msg m = { .type = SK_B_ASK_STATS };
	struct sk_err err;

	(void)params;
	if (not_serving(k, id))
		return;
	if (sk_keeper_tell_engine(k, &m, NULL, &err) < 0)
		sk_conn_refuse(k, id, sk_result_of(&err), err.msg);
	else
		k->stats_id = id;
}

static const struct {
	const char *name;
	void (*fn)(struct sk_keeper *k, int64_t id, struct json_object *params);
} methods[] = {
	{ "hello", do_hello },	 { "attach", do_attach }, { "reattach", do_reattach }, { "rescan", do_rescan },
	{ "halt", do_halt },	 { "end", do_end },	  { "timers", do_timers },     { "stats", do_stats },
};

static void request(struct sk_keeper *k, struct json_object *msg)
{
	const char *method = sk_msg_str(msg, "method");
	int64_t id = sk_msg_int(msg, "id", 0);

	for (size_t i = 0; method && i < SK_ARRAY_LEN(methods); i++) {
		if (strcmp(methods[i].name, method) != 0)
			continue;
		sk_debug(SK_ROOM_DOOR, "session %u: %s", k->cfg.sid, method);
		methods[i].fn(k, id, sk_msg_obj(msg, "params"));
		return;
	}
	sk_conn_refuse(k, id, SK_RES_INVALID_MGMT_REQ, "no such method");
}

/* One descriptor travels with a frame. A second one that nobody asked for replaces it. */
static void keep_fds(struct sk_conn *c, struct msghdr *h)
{
	for (struct cmsghdr *m = CMSG_FIRSTHDR(h); m; m = CMSG_NXTHDR(h, m)) {
		if (m->cmsg_level != SOL_SOCKET || m->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = CMSG_LEN(0); at + sizeof(int) <= m->cmsg_len; at += sizeof(int)) {
			sk_fd_close(&c->passed_fd);
			memcpy(&c->passed_fd, (uint8_t *)m + at, sizeof(int));
		}
	}
}

static int pull(struct sk_conn *c)
{
	union {
		char room[CMSG_SPACE(4 * sizeof(int))];
		struct cmsghdr align;
	} control;
	char buf[16384];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	ssize_t got = recvmsg(c->fd, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	keep_fds(c, &h);
	if (got == 0)
		return -1;
	sk_buf_add(&c->in, buf, (size_t)got);
	return c->in.nomem ? -1 : 0;
}

static void conn_ready(void *ctx, unsigned events)
{
	struct sk_keeper *k = ctx;
	struct sk_conn *c = k->conn;
	struct json_object *msg;
	struct sk_err err;
	int rc = 0;

	if ((events & SK_WRITABLE && push(c) < 0) || (events & SK_READABLE && pull(c) < 0)) {
		sk_conn_close(k);	/* costs nothing: the session goes on */
		return;
	}
	while (k->conn == c && (rc = sk_msg_next(&c->in, &msg, &err)) == 1) {
		request(k, msg);
		json_object_put(msg);
	}
	if (k->conn == c && rc < 0) {
		sk_warning(SK_ROOM_DOOR, "session %u: the controller sent nonsense: %s", k->cfg.sid, err.msg);
		sk_conn_close(k);
	}
}

static bool peer_ok(int fd)
{
	struct ucred cred;
	socklen_t n = sizeof(cred);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) == 0 && (cred.uid == 0 || cred.uid == geteuid());
}

static void accepted(void *ctx, unsigned events)
{
	struct sk_keeper *k = ctx;
	SK_FD int fd = accept4(k->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct sk_conn *c;

	(void)events;
	if (fd < 0 || !peer_ok(fd))
		return;
	c = calloc(1, sizeof(*c));
	if (!c)
		return;
	sk_conn_close(k);		/* one controller: the newest */
	c->passed_fd = -1;
	c->watch = sk_watch_new(k->loop, fd, conn_ready, k, NULL);
	if (!c->watch) {
		free(c);
		return;
	}
	c->fd = sk_give_fd(&fd);
	k->conn = c;
	sk_watch_set(c->watch, SK_READABLE);
}

int sk_conn_listen(struct sk_keeper *k, struct sk_err *err)
{
	char path[340];

	snprintf(path, sizeof(path), "%s/ctl", k->dir);
	k->listen_fd = sk_mgmt_listen_path(path, err);
	if (k->listen_fd < 0)
		return -1;
	k->listen_watch = sk_watch_new(k->loop, k->listen_fd, accepted, k, err);
	if (!k->listen_watch)
		return -1;
	sk_watch_set(k->listen_watch, SK_READABLE);
	return 0;
}
