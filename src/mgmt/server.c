/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mgmt/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "mgmt/address.h"
#include "mgmt/message.h"
#include "mgmt/peer.h"

#define ACCEPT_MAX 32
#define RETRY_MS   200 /* pause of accepting when descriptors have run out */

static const struct sk_mgmt_limits defaults = {
	.idle_ms = SK_MGMT_IDLE_MS,
	.frame_ms = SK_MGMT_FRAME_MS,
	.per_uid = SK_MGMT_PER_UID,
	.out_max = SK_MGMT_OUT_MAX,
	.pending = SK_MGMT_PENDING,
};

/* A word to somebody who does not become a client. Its socket is new and empty: the word fits or is lost. */
static void turn_away(int fd, enum sk_result code, const struct sk_err *why)
{
	struct json_object *e = sk_mgmt_new_error(0, code, why);
	SK_BUF struct sk_buf b = { 0 };

	if (sk_msg_frame(&b, e, NULL) == 0)
		(void)!send(fd, b.p, b.n, MSG_DONTWAIT | MSG_NOSIGNAL);
	json_object_put(e);
}

static void admit(struct sk_mgmt_server *s, int taken_fd)
{
	SK_FD int fd = taken_fd;
	struct sk_err err = { 0 };
	unsigned same = 0;
	uid_t uid;
	pid_t pid;

	if (sk_unix_peer(fd, &uid, &pid, &err) < 0)
		return;
	if (!sk_unix_trusted(uid)) {
		sk_fail(&err, SK_EACCES, "%s", sk_result_text(SK_RES_ACCESS));
		sk_notice(SK_ROOM_MGMT, "a request of uid %lu, pid %ld is refused", (unsigned long)uid, (long)pid);
		turn_away(fd, SK_RES_ACCESS, &err);
		return;
	}
	for (struct sk_mgmt_peer *c = s->clients; c; c = c->next)
		same += c->uid == uid;
	if (same >= s->limits.per_uid) {
		sk_fail(&err, SK_EAGAIN, "uid %lu has %u connections already", (unsigned long)uid, same);
		turn_away(fd, SK_RES_AGAIN, &err);
		return;
	}
	if (sk_peer_new(s, fd, uid, pid))
		(void)sk_give_fd(&fd);
}

static void set_listeners(struct sk_mgmt_server *s, unsigned events)
{
	for (struct sk_mgmt_listener *i = s->listeners; i; i = i->next)
		sk_watch_set(i->watch, events);
}

static void on_retry(void *ctx)
{
	set_listeners(ctx, SK_READABLE);
}

static void on_connect(void *ctx, unsigned events)
{
	struct sk_mgmt_listener *in = ctx;
	struct sk_mgmt_server *s = in->server;

	(void)events;
	for (int i = 0; i < ACCEPT_MAX; i++) {
		int fd = accept4(in->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			admit(s, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			sk_warning(SK_ROOM_MGMT, "accept: %s", strerror(errno));
			set_listeners(s, 0);
			sk_timer_at(s->retry, sk_loop_now(s->loop) + RETRY_MS);
		}
		if (errno != EINTR && errno != ECONNABORTED)
			return;
	}
}

struct sk_mgmt_server *sk_mgmt_server_new(struct sk_loop *l, sk_mgmt_handler *handler, void *ctx,
					  struct sk_err *err)
{
	struct sk_mgmt_server *s = calloc(1, sizeof(*s));

	if (!s) {
		sk_fail(err, SK_ENOMEM, "no memory");
		return NULL;
	}
	*s = (struct sk_mgmt_server){ .loop = l, .handler = handler, .ctx = ctx, .limits = defaults };
	s->retry = sk_timer_new(l, on_retry, s, err);
	if (!s->retry) {
		free(s);
		return NULL;
	}
	return s;
}

void sk_mgmt_server_limits(struct sk_mgmt_server *s, const struct sk_mgmt_limits *limits)
{
	s->limits = *limits;
}

int sk_mgmt_server_add(struct sk_mgmt_server *s, int taken_listen_fd, struct sk_err *err)
{
	struct sk_mgmt_listener *in = calloc(1, sizeof(*in));

	if (!in) {
		(void)close(taken_listen_fd);
		return sk_fail(err, SK_ENOMEM, "no memory");
	}
	in->server = s;
	in->fd = taken_listen_fd;
	in->watch = sk_watch_new(s->loop, taken_listen_fd, on_connect, in, err);
	if (!in->watch) {
		(void)close(taken_listen_fd);
		free(in);
		return -1;
	}
	in->next = s->listeners;
	s->listeners = in;
	sk_watch_set(in->watch, SK_READABLE);
	return 0;
}

void sk_mgmt_server_free(struct sk_mgmt_server *s)
{
	if (!s)
		return;
	while (s->clients) {
		(void)sk_peer_transmit(s->clients); /* as much of the last answers as goes at once */
		sk_peer_drop(s->clients);
	}
	while (s->listeners) {
		struct sk_mgmt_listener *in = s->listeners;

		s->listeners = in->next;
		sk_watch_free(in->watch);
		sk_fd_close(&in->fd);
		free(in);
	}
	sk_timer_free(s->retry);
	free(s);
}

static void finish(struct sk_mgmt_req *req, struct json_object *taken_msg)
{
	struct sk_mgmt_peer *c = req->client;

	if (c) {
		bool held = sk_peer_paused(c);

		sk_peer_unlink(req);
		sk_peer_queue(c, taken_msg, req->id);
		if (held && !c->dead && !sk_peer_paused(c) && c->in.n)
			sk_timer_at(c->timer, 0); /* take up what was held back */
	} else {
		json_object_put(taken_msg);
	}
	free(req);
}

void sk_mgmt_answer(struct sk_mgmt_req *req, struct json_object *taken_result)
{
	struct json_object *o = sk_mgmt_new_answer(req->id);

	json_object_object_add(o, "result", taken_result ? taken_result : json_object_new_object());
	finish(req, o);
}

void sk_mgmt_refuse(struct sk_mgmt_req *req, enum sk_result code, const struct sk_err *why)
{
	finish(req, sk_mgmt_new_error(req->id, code, why));
}

void sk_mgmt_refuse_with(struct sk_mgmt_req *req, enum sk_result code, const struct sk_err *why, const char *key,
			 struct json_object *taken)
{
	struct json_object *o = sk_mgmt_new_error(req->id, code, why);

	json_object_object_add(sk_msg_obj(o, "error"), key, taken);
	finish(req, o);
}

void sk_mgmt_progress(struct sk_mgmt_req *req, const char *event, struct json_object *taken_params)
{
	struct json_object *o;

	if (!req->client) {
		json_object_put(taken_params);
		return;
	}
	o = sk_mgmt_new_answer(req->id);
	json_object_object_add(o, "event", json_object_new_string(event));
	json_object_object_add(o, "params", taken_params ? taken_params : json_object_new_object());
	sk_peer_queue(req->client, o, req->id);
}

bool sk_mgmt_req_alive(const struct sk_mgmt_req *req)
{
	return req->client != NULL && !req->client->dead;
}

uid_t sk_mgmt_req_uid(const struct sk_mgmt_req *req)
{
	return req->client ? req->client->uid : (uid_t)-1;
}
