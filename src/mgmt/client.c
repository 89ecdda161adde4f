/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mgmt/client.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "mgmt/address.h"
#include "mgmt/message.h"
#include "mgmt/result.h"

#define CONNECT_MS 5000	 /* a daemon too busy to accept */
#define SEND_MS	   60000 /* a daemon that neither reads nor writes */

struct sk_mgmt_client {
	int fd;
	int next_id;
	struct sk_buf in;
	struct json_object *kept; /* array of messages, oldest first, that nobody has asked for yet */
	struct sk_err over;	  /* code set: nothing more can be received, for this reason */
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* poll with what is left until @deadline (< 0: for ever); returns revents, 0 when time is up */
static int wait_for(int fd, short events, int64_t deadline)
{
	for (;;) {
		int64_t left = deadline < 0 ? -1 : deadline - now_ms();
		struct pollfd p = { .fd = fd, .events = events };
		int n;

		if (deadline >= 0 && left < 0)
			left = 0;
		n = poll(&p, 1, left > INT_MAX ? INT_MAX : (int)left);
		if (n > 0)
			return p.revents;
		if (n == 0 && deadline >= 0 && now_ms() >= deadline)
			return 0;
	}
}

/* A daemon whose queue of connections is full answers EAGAIN, and nothing announces that it has room again. */
static int connect_within(int fd, const struct sk_unix *u, int64_t deadline)
{
	while (connect(fd, (const struct sockaddr *)&u->un, u->len) < 0) {
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return errno;
		if (now_ms() >= deadline)
			return ETIMEDOUT;
		poll(NULL, 0, 10);
	}
	return 0;
}

static int fail_connect(struct sk_err *err, int sys, const char *to)
{
	sk_fail_sys(err, sys, "connect to %s", to);
	if (err && (sys == ECONNREFUSED || sys == ENOENT))
		err->code = SK_ENOTCONN;
	return -1;
}

/* Whoever listens must be root or ourselves: else it is told nothing. */
static int check_peer(int fd, const char *to, struct sk_err *err)
{
	uid_t uid;

	if (sk_unix_peer(fd, &uid, NULL, err) < 0)
		return -1;
	if (!sk_unix_trusted(uid))
		return sk_fail(err, SK_EACCES, "%s is held by uid %lu, neither root nor this user", to,
			       (unsigned long)uid);
	return 0;
}

static struct sk_mgmt_client *open_client(int taken_fd, struct sk_err *err)
{
	SK_FD int fd = taken_fd;
	struct sk_mgmt_client *c = calloc(1, sizeof(*c));

	if (c)
		c->kept = json_object_new_array();
	if (!c || !c->kept) {
		free(c);
		sk_fail(err, SK_ENOMEM, "no memory");
		return NULL;
	}
	c->fd = sk_give_fd(&fd);
	c->next_id = 1;
	return c;
}

static struct sk_mgmt_client *connect_any(const struct sk_unix *u, unsigned n, const char *to, struct sk_err *err)
{
	SK_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int64_t deadline = now_ms() + CONNECT_MS;
	int sys = ECONNREFUSED;

	if (fd < 0) {
		sk_fail_sys(err, errno, "socket");
		return NULL;
	}
	for (unsigned i = 0; i < n && sys == ECONNREFUSED; i++)
		sys = connect_within(fd, &u[i], deadline);
	if (sys) {
		fail_connect(err, sys, to);
		return NULL;
	}
	if (check_peer(fd, to, err) < 0)
		return NULL;
	return open_client(sk_give_fd(&fd), err);
}

struct sk_mgmt_client *sk_mgmt_connect_path(const char *path, struct sk_err *err)
{
	struct sk_mgmt_client *c;
	struct sk_unix u;

	if (sk_unix_path(path, &u, err) < 0) {
		if (err && err->code == SK_ENOENT) /* a directory on the way is missing: nobody listens either */
			err->code = SK_ENOTCONN;
		return NULL;
	}
	c = connect_any(&u, 1, path, err);
	sk_unix_done(&u);
	return c;
}

struct sk_mgmt_client *sk_mgmt_connect_abstract(const char *name, struct sk_err *err)
{
	struct sk_unix u[2];
	char to[120];

	if (sk_unix_abstract(name, false, &u[0], err) < 0 || sk_unix_abstract(name, true, &u[1], err) < 0)
		return NULL;
	snprintf(to, sizeof(to), "@%s", name);
	return connect_any(u, 2, to, err);
}

void sk_mgmt_client_free(struct sk_mgmt_client *c)
{
	if (!c)
		return;
	sk_fd_close(&c->fd);
	sk_buf_wipe(&c->in);
	json_object_put(c->kept);
	free(c);
}

int sk_mgmt_client_fd(const struct sk_mgmt_client *c)
{
	return c->fd;
}

/* Read what is there, keep whole messages. After the end `over` tells why; what came before it stays usable. */
static void receive(struct sk_mgmt_client *c)
{
	char buf[16384];
	struct json_object *msg;
	ssize_t n;
	int rc;

	while (!c->over.code) {
		n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n <= 0) {
			sk_fail(&c->over, SK_ENOTCONN, "the daemon closed the connection");
			c->over.sys = ECONNRESET;
			return;
		}
		sk_buf_add(&c->in, buf, (size_t)n);
		if (c->in.nomem)
			sk_fail(&c->over, SK_ENOMEM, "no memory");
		while (!c->over.code && (rc = sk_msg_next(&c->in, &msg, &c->over)) > 0)
			json_object_array_add(c->kept, msg);
	}
}

static int send_all(struct sk_mgmt_client *c, const struct sk_buf *b, struct sk_err *err)
{
	int64_t deadline = now_ms() + SEND_MS;
	size_t done = 0;

	while (done < b->n) {
		ssize_t n = send(c->fd, b->p + done, b->n - done, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0) {
			done += (size_t)n;
			deadline = now_ms() + SEND_MS;
			continue;
		}
		if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
			receive(c); /* it may have said why */
			if (json_object_array_length(c->kept))
				return 0; /* sk_mgmt_wait tells */
			sk_fail(err, SK_ENOTCONN, "the daemon closed the connection");
			if (err)
				err->sys = ECONNRESET;
			return -1;
		}
		if (!wait_for(c->fd, POLLIN | POLLOUT, deadline))
			return sk_fail(err, SK_ETIME, "the daemon takes no request");
		receive(c); /* both sides may have much to say: reading meanwhile, neither waits for the other */
	}
	return 0;
}

int sk_mgmt_send(struct sk_mgmt_client *c, const char *method, struct json_object *taken_params, struct sk_err *err)
{
	SK_BUF struct sk_buf b = { 0 };
	struct json_object *o = json_object_new_object();
	int id = c->next_id++, rc;

	json_object_object_add(o, "v", json_object_new_int(1));
	json_object_object_add(o, "id", json_object_new_int(id));
	json_object_object_add(o, "method", json_object_new_string(method));
	json_object_object_add(o, "params", taken_params ? taken_params : json_object_new_object());
	rc = sk_msg_frame(&b, o, err);
	json_object_put(o);
	if (rc == 0)
		rc = send_all(c, &b, err);
	if (b.p)
		explicit_bzero(b.p, b.n);
	return rc < 0 ? -1 : id;
}

static void fill_answer(struct json_object *msg, struct sk_mgmt_answer *ret)
{
	struct json_object *error = sk_msg_obj(msg, "error"), *result = sk_msg_obj(msg, "result");
	const char *text = sk_msg_str(error, "text");
	int64_t code = sk_msg_int(error, "code", 0);

	*ret = (struct sk_mgmt_answer){ 0 };
	if (!error) {
		ret->result = result ? json_object_get(result) : json_object_new_object();
		return;
	}
	ret->code = code > 0 && code < 256 ? (int)code : SK_RES_INTERNAL;
	if (!text || !text[0])
		text = sk_result_text(ret->code);
	snprintf(ret->text, sizeof(ret->text), "%s", text ? text : "");
	ret->error = json_object_get(error);
}

/* Tell the events, oldest first, and find the answer to @id: true when *ret is filled. */
static bool look_through(struct sk_mgmt_client *c, int id, sk_mgmt_event_fn *on_event, void *ctx,
			 struct sk_mgmt_answer *ret)
{
	for (size_t i = 0; i < json_object_array_length(c->kept);) {
		struct json_object *msg = json_object_array_get_idx(c->kept, i);
		int64_t of = sk_msg_int(msg, "id", 0);
		const char *event = sk_msg_str(msg, "event");

		if (event) {
			json_object_get(msg);
			json_object_array_del_idx(c->kept, i, 1);
			if (on_event)
				on_event(ctx, (int)of, event, sk_msg_obj(msg, "params"));
			json_object_put(msg);
			continue;
		}
		if (of == id || of == 0) { /* 0: the last words of the daemon, they concern every request */
			fill_answer(msg, ret);
			if (of == id)
				json_object_array_del_idx(c->kept, i, 1);
			return true;
		}
		i++;
	}
	return false;
}

int sk_mgmt_wait(struct sk_mgmt_client *c, int id, int timeout_ms, sk_mgmt_event_fn *on_event, void *ctx,
		 struct sk_mgmt_answer *ret, struct sk_err *err)
{
	int64_t deadline = timeout_ms < 0 ? -1 : now_ms() + timeout_ms;

	for (;;) {
		receive(c);
		if (look_through(c, id, on_event, ctx, ret))
			return 0;
		if (c->over.code) {
			if (err)
				*err = c->over;
			return -1;
		}
		if ((deadline >= 0 && now_ms() > deadline) || !wait_for(c->fd, POLLIN, deadline))
			return sk_fail(err, SK_ETIME, "no answer from the daemon within %d ms", timeout_ms);
	}
}

void sk_mgmt_answer_free(struct sk_mgmt_answer *a)
{
	json_object_put(a->result);
	json_object_put(a->error);
	*a = (struct sk_mgmt_answer){ 0 };
}
