/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transport/user/ctl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "mgmt/message.h"
#include "mgmt/result.h"

#define RETRY_MS 20
#define RX_CHUNK 16384

struct frame {			/* waits to be sent */
	struct frame *next;
	struct sk_buf bytes;
	size_t sent;
	int fd;			/* rides on the first byte; -1 = none or gone */
};

struct call {			/* waits for its answer */
	struct call *next;
	int id;
	uint64_t deadline;
	sk_ctl_answer_fn *fn;
	void *ctx;
};

struct sk_ctl {
	struct sk_loop *loop;
	struct sk_ctl_events ev;
	void *ctx;
	char path[108];
	uint64_t patience_end;
	int fd;
	bool up, dead, inside;		/* inside: a callback is running */
	bool freed;			/* ... and freed us */
	struct sk_watch *watch;
	struct sk_timer *timer;
	struct sk_buf in;
	struct frame *out, **out_end;
	struct call *calls;
	int last_id;
};

static void on_timer(void *ctx);
static void on_ready(void *ctx, unsigned events);

static void frame_free(struct frame *f)
{
	sk_fd_close(&f->fd);
	sk_buf_wipe(&f->bytes);
	free(f);
}

static void destroy(struct sk_ctl *c)
{
	sk_watch_free(c->watch);
	sk_timer_free(c->timer);
	sk_fd_close(&c->fd);
	sk_buf_free(&c->in);
	for (struct frame *f = c->out, *next; f; f = next) {
		next = f->next;
		frame_free(f);
	}
	for (struct call *k = c->calls, *next; k; k = next) {
		next = k->next;
		free(k);
	}
	free(c);
}

void sk_ctl_free(struct sk_ctl *c)
{
	if (!c)
		return;
	if (c->inside)
		c->freed = true;
	else
		destroy(c);
}

static void arm(struct sk_ctl *c)
{
	uint64_t at = UINT64_MAX;

	for (const struct call *k = c->calls; k; k = k->next)
		at = SK_MIN(at, k->deadline);
	sk_timer_at(c->timer, c->fd < 0 ? sk_loop_now(c->loop) + RETRY_MS : at);
}

/* Everything below runs between enter and leave: a callback may free us. */
static void enter(struct sk_ctl *c)
{
	c->inside = true;
}

static void leave(struct sk_ctl *c)
{
	c->inside = false;
	if (c->freed)
		destroy(c);
	else if (!c->dead)
		arm(c);
}

static void finish(struct sk_ctl *c, struct call *k, struct json_object *result, const struct sk_err *err)
{
	for (struct call **at = &c->calls; *at; at = &(*at)->next) {
		if (*at == k) {
			*at = k->next;
			break;
		}
	}
	if (!c->freed)
		k->fn(k->ctx, result, err);
	free(k);
}

static void die(struct sk_ctl *c, const struct sk_err *why)
{
	if (c->dead)
		return;
	c->dead = true;
	sk_watch_free(c->watch);
	c->watch = NULL;
	sk_timer_at(c->timer, UINT64_MAX);
	sk_fd_close(&c->fd);
	while (c->calls && !c->freed)
		finish(c, c->calls, NULL, why);
	if (!c->freed)
		c->ev.down(c->ctx, why);
}

/* --- connecting ---------------------------------------------------------------------------------------------- */

static int peer_ok(int fd, struct sk_err *err)
{
	struct ucred cred;
	socklen_t n = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) < 0)
		return sk_fail_sys(err, errno, "credentials of the session's process");
	if (cred.uid != 0 && cred.uid != geteuid())
		return sk_fail(err, SK_EACCES, "the session's socket belongs to uid %u", (unsigned)cred.uid);
	return 0;
}

static int try_connect(struct sk_ctl *c, struct sk_err *err)	/* 1 connected, 0 not yet */
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	SK_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return sk_fail_sys(err, errno, "socket");
	memcpy(un.sun_path, c->path, sizeof(un.sun_path));
	if (connect(fd, (const struct sockaddr *)&un, sizeof(un)) < 0) {
		bool later = errno == ENOENT || errno == ECONNREFUSED || errno == EAGAIN || errno == EINTR;

		if (later && sk_loop_now(c->loop) < c->patience_end)
			return 0;
		sk_fail_sys(err, errno, "connect to %s", c->path);
		err->code = SK_ENOTCONN;
		return -1;
	}
	if (peer_ok(fd, err) < 0)
		return -1;
	c->watch = sk_watch_new(c->loop, fd, on_ready, c, err);
	if (!c->watch)
		return -1;
	c->fd = sk_give_fd(&fd);
	return 1;
}

static void want(struct sk_ctl *c)
{
	if (c->watch)
		sk_watch_set(c->watch, SK_READABLE | (c->out ? (unsigned)SK_WRITABLE : 0U));
}

static void expire(struct sk_ctl *c)
{
	uint64_t now = sk_loop_now(c->loop);
	struct sk_err err = { 0 };
	struct call *k = c->calls;

	sk_fail(&err, SK_ETIME, "the session's process did not answer in time");
	while (k && !c->freed) {
		struct call *next = k->next;

		if (k->deadline <= now) {
			finish(c, k, NULL, &err);
			next = c->calls;	/* the callback may have changed the list */
		}
		k = next;
	}
}

static void on_timer(void *ctx)
{
	struct sk_ctl *c = ctx;
	struct sk_err err = { 0 };
	int got = 0;

	enter(c);
	if (c->fd < 0 && !c->dead)
		got = try_connect(c, &err);
	if (got < 0) {
		die(c, &err);
	} else if (got > 0) {
		c->up = true;
		want(c);
		c->ev.up(c->ctx);
	}
	if (!c->freed && !c->dead)
		expire(c);
	leave(c);
}

struct sk_ctl *sk_ctl_open(struct sk_loop *l, const char *path, uint32_t patience_ms, const struct sk_ctl_events *ev,
			   void *ctx, struct sk_err *err)
{
	struct sk_ctl *c = calloc(1, sizeof(*c));

	if (!c) {
		sk_fail(err, SK_ENOMEM, "no memory");
		return NULL;
	}
	c->fd = -1;
	c->loop = l;
	c->ev = *ev;
	c->ctx = ctx;
	c->out_end = &c->out;
	c->patience_end = sk_loop_now(l) + patience_ms;
	if (strlen(path) >= sizeof(c->path)) {
		sk_fail(err, SK_EINVAL, "socket path %s is too long", path);
		destroy(c);
		return NULL;
	}
	memcpy(c->path, path, strlen(path));
	c->timer = sk_timer_new(l, on_timer, c, err);
	if (!c->timer) {
		destroy(c);
		return NULL;
	}
	sk_timer_at(c->timer, sk_loop_now(l));
	return c;
}

/* --- sending ------------------------------------------------------------------------------------------------- */

static int send_some(struct sk_ctl *c, struct frame *f, struct sk_err *err)	/* 1 all, 0 later */
{
	while (f->sent < f->bytes.n) {
		union {
			char room[CMSG_SPACE(sizeof(int))];
			struct cmsghdr align;
		} u = { 0 };
		struct iovec iov = { f->bytes.p + f->sent, f->bytes.n - f->sent };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
		ssize_t put;

		if (f->fd >= 0) {
			struct cmsghdr *cm;

			msg.msg_control = u.room;
			msg.msg_controllen = sizeof(u.room);
			cm = CMSG_FIRSTHDR(&msg);
			cm->cmsg_level = SOL_SOCKET;
			cm->cmsg_type = SCM_RIGHTS;
			cm->cmsg_len = CMSG_LEN(sizeof(int));
			memcpy(CMSG_DATA(cm), &f->fd, sizeof(int));
		}
		put = sendmsg(c->fd, &msg, MSG_NOSIGNAL);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0 && errno == EAGAIN)
			return 0;
		if (put < 0) {
			sk_fail_sys(err, errno, "send to the session's process");
			err->code = SK_ENOTCONN;
			return -1;
		}
		f->sent += (size_t)put;
		sk_fd_close(&f->fd);
	}
	return 1;
}

static int flush(struct sk_ctl *c, struct sk_err *err)
{
	while (c->out) {
		struct frame *f = c->out;
		int got = send_some(c, f, err);

		if (got <= 0)
			return got;
		c->out = f->next;
		if (!c->out)
			c->out_end = &c->out;
		frame_free(f);
	}
	return 0;
}

int sk_ctl_call(struct sk_ctl *c, const char *method, struct json_object *taken_params, int taken_fd, uint32_t timeout_ms,
		sk_ctl_answer_fn *fn, void *ctx, struct sk_err *err)
{
	struct json_object *msg = json_object_new_object();
	struct frame *f = calloc(1, sizeof(*f));
	struct call *k = calloc(1, sizeof(*k));
	int got;

	if (!msg || !f || !k || c->dead) {
		json_object_put(taken_params);
		json_object_put(msg);
		sk_fd_close(&taken_fd);
		free(f);
		free(k);
		return c->dead ? sk_fail(err, SK_ENOTCONN, "the session's process is gone") :
				 sk_fail(err, SK_ENOMEM, "no memory");
	}
	*k = (struct call){ .id = ++c->last_id, .deadline = sk_loop_now(c->loop) + timeout_ms, .fn = fn, .ctx = ctx };
	f->fd = taken_fd;
	json_object_object_add(msg, "v", json_object_new_int(1));
	json_object_object_add(msg, "id", json_object_new_int(k->id));
	json_object_object_add(msg, "method", json_object_new_string(method));
	json_object_object_add(msg, "params", taken_params ? taken_params : json_object_new_object());
	got = sk_msg_frame(&f->bytes, msg, err);
	json_object_put(msg);
	if (got < 0) {
		frame_free(f);
		free(k);
		return -1;
	}
	*c->out_end = f;
	c->out_end = &f->next;
	k->next = c->calls;
	c->calls = k;
	want(c);
	if (!c->inside)
		arm(c);
	return 0;
}

/* --- receiving ----------------------------------------------------------------------------------------------- */

static void answered(struct sk_ctl *c, struct json_object *msg)
{
	int64_t id = sk_msg_int(msg, "id", -1);
	struct json_object *error = sk_msg_obj(msg, "error");
	struct sk_err err = { 0 };
	struct call *k = c->calls;

	while (k && k->id != id)
		k = k->next;
	if (!k)
		return;		/* late: it has expired here */
	if (error) {
		const char *text = sk_msg_str(error, "text");
		int64_t code = sk_msg_int(error, "code", SK_RES_ERR);

		sk_fail(&err, code == SK_RES_BUSY ? SK_EBUSY : code == SK_RES_INVALID_MGMT_REQ ? SK_ENOTSUP : SK_EIO,
			"%s", text ? text : "the session's process refused");
	}
	finish(c, k, error ? NULL : sk_msg_obj(msg, "result"), error ? &err : NULL);
}

static void take_messages(struct sk_ctl *c)
{
	struct sk_err err = { 0 };

	while (!c->freed && !c->dead) {
		struct json_object *msg = NULL;
		int got = sk_msg_next(&c->in, &msg, &err);
		const char *event;

		if (got < 0)
			die(c, &err);
		if (got <= 0)
			return;
		event = sk_msg_str(msg, "event");
		if (event)
			c->ev.event(c->ctx, event, sk_msg_obj(msg, "params"));
		else
			answered(c, msg);
		json_object_put(msg);
	}
}

static void receive(struct sk_ctl *c)
{
	char chunk[RX_CHUNK];
	struct sk_err err = { 0 };
	ssize_t got = recv(c->fd, chunk, sizeof(chunk), 0);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		if (got < 0)
			sk_fail_sys(&err, errno, "read from the session's process");
		else
			sk_fail(&err, SK_ENOTCONN, "the session's process closed its socket");
		err.code = SK_ENOTCONN;
		die(c, &err);
		return;
	}
	sk_buf_add(&c->in, chunk, (size_t)got);
	take_messages(c);
}

static void on_ready(void *ctx, unsigned events)
{
	struct sk_ctl *c = ctx;
	struct sk_err err = { 0 };

	enter(c);
	if ((events & SK_READABLE) && !c->dead)
		receive(c);
	if ((events & SK_WRITABLE) && !c->dead && !c->freed && flush(c, &err) < 0)
		die(c, &err);
	if (!c->freed)
		want(c);
	leave(c);
}
