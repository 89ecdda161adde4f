/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mgmt/peer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/mem.h"
#include "mgmt/message.h"

#define READ_MAX (64U << 10) /* bytes read from one client before the others have their turn */

void sk_peer_unlink(struct sk_mgmt_req *r)
{
	struct sk_mgmt_peer *c = r->client;

	if (!c)
		return;
	if (r->prev)
		r->prev->next = r->next;
	else
		c->reqs = r->next;
	if (r->next)
		r->next->prev = r->prev;
	c->n_reqs--;
	r->client = NULL;
}

void sk_peer_drop(struct sk_mgmt_peer *c)
{
	while (c->reqs)
		sk_peer_unlink(c->reqs); /* answered into the void, later */
	if (c->prev)
		c->prev->next = c->next;
	else
		c->server->clients = c->next;
	if (c->next)
		c->next->prev = c->prev;
	sk_watch_free(c->watch);
	sk_timer_free(c->timer);
	sk_fd_close(&c->fd);
	sk_buf_wipe(&c->in); /* records with secrets pass here */
	sk_buf_wipe(&c->out);
	free(c);
}

bool sk_peer_paused(const struct sk_mgmt_peer *c)
{
	return c->closing || c->n_reqs >= c->server->limits.pending;
}

/* What to watch and when to lose patience, after anything changed. */
static void settle(struct sk_mgmt_peer *c)
{
	const struct sk_mgmt_limits *lim = &c->server->limits;
	bool unsent = c->out.n > c->out_sent;
	uint64_t deadline = UINT64_MAX;

	if (c->dead) {
		sk_watch_set(c->watch, 0);
		sk_timer_at(c->timer, 0);
		return;
	}
	sk_watch_set(c->watch, (sk_peer_paused(c) ? 0 : SK_READABLE) | (unsent ? SK_WRITABLE : 0U));
	if (c->closing)
		deadline = c->moved + lim->frame_ms;
	else if (c->partial && !sk_peer_paused(c))
		deadline = c->partial + lim->frame_ms;
	else if (unsent || c->n_reqs == 0)
		deadline = c->moved + lim->idle_ms;
	sk_timer_at(c->timer, deadline);
}

static void kill_client(struct sk_mgmt_peer *c, const char *why)
{
	if (!c->dead)
		sk_debug(SK_ROOM_MGMT, "client pid %ld: %s", (long)c->pid, why);
	c->dead = true;
	settle(c);
}

struct json_object *sk_mgmt_new_answer(int64_t id)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "v", json_object_new_int(1));
	json_object_object_add(o, "id", json_object_new_int64(id));
	return o;
}

struct json_object *sk_mgmt_new_error(int64_t id, enum sk_result code, const struct sk_err *why)
{
	struct json_object *o = sk_mgmt_new_answer(id), *e = json_object_new_object();
	const char *text = sk_result_text((int)code);

	json_object_object_add(e, "code", json_object_new_int((int)code));
	json_object_object_add(e, "name", json_object_new_string(sk_result_name((int)code)));
	json_object_object_add(e, "text", json_object_new_string(why && why->msg[0] ? why->msg : text ? text : ""));
	if (why && why->code)
		json_object_object_add(e, "cause", json_object_new_string(sk_code_name(why->code)));
	if (why && why->sys)
		json_object_object_add(e, "errno", json_object_new_int(why->sys));
	if (why && why->login)
		json_object_object_add(e, "login", json_object_new_int(why->login));
	json_object_object_add(o, "error", e);
	return o;
}

void sk_peer_queue(struct sk_mgmt_peer *c, struct json_object *taken, int64_t id)
{
	struct sk_err err = { 0 };
	struct json_object *e;

	if (c->dead)
		goto out;
	if (c->out_sent == c->out.n) {
		sk_buf_reset(&c->out);
		c->out_sent = 0;
		c->moved = sk_loop_now(c->server->loop); /* patience with a reader begins here */
	}
	if (sk_msg_frame(&c->out, taken, &err) < 0 && err.code == SK_EINVAL) {
		e = sk_mgmt_new_error(id, SK_RES_INTERNAL, &err);
		(void)sk_msg_frame(&c->out, e, NULL);
		json_object_put(e);
	}
	if (c->out.nomem || c->out.n - c->out_sent > c->server->limits.out_max)
		kill_client(c, "does not read its answers");
	else
		settle(c);
out:
	json_object_put(taken);
}

/* The last words to a client: answer 0 belongs to no request. */
static void dismiss(struct sk_mgmt_peer *c, enum sk_result code, const struct sk_err *why)
{
	sk_debug(SK_ROOM_MGMT, "client pid %ld: %s", (long)c->pid, why->msg);
	c->closing = true;
	sk_peer_queue(c, sk_mgmt_new_error(0, code, why), 0);
}

static void handle(struct sk_mgmt_peer *c, struct json_object *msg)
{
	const char *method = sk_msg_str(msg, "method");
	int64_t id = sk_msg_int(msg, "id", 0), v = sk_msg_int(msg, "v", 0);
	struct json_object *params = sk_msg_obj(msg, "params");
	struct sk_mgmt_req *r;
	struct sk_err err = { 0 };

	if (v != 1)
		sk_fail(&err, SK_EPROTO, "version %lld of the management protocol is not known here", (long long)v);
	else if (id <= 0)
		sk_fail(&err, SK_EPROTO, "a request without an id");
	else if (!method)
		sk_fail(&err, SK_EPROTO, "a request without a method");
	if (err.code) {
		sk_peer_queue(c, sk_mgmt_new_error(id > 0 ? id : 0, SK_RES_INVALID_MGMT_REQ, &err), id);
		return;
	}
	r = calloc(1, sizeof(*r));
	if (!r) {
		sk_peer_queue(c, sk_mgmt_new_error(id, SK_RES_NOMEM, NULL), id);
		return;
	}
	*r = (struct sk_mgmt_req){ .client = c, .next = c->reqs, .id = id };
	if (r->next)
		r->next->prev = r;
	c->reqs = r;
	c->n_reqs++;
	c->server->handler(c->server->ctx, r, method, params); /* may answer, which never frees the client */
}

static void take_frames(struct sk_mgmt_peer *c)
{
	struct json_object *msg;
	struct sk_err err = { 0 };
	int rc = 0;

	while (!c->dead && !sk_peer_paused(c) && (rc = sk_msg_next(&c->in, &msg, &err)) > 0) {
		c->partial = 0;
		handle(c, msg);
		json_object_put(msg);
	}
	if (rc < 0)
		dismiss(c, SK_RES_INVALID_MGMT_REQ, &err);
	else if (c->in.n == 0)
		c->partial = 0;
	else if (!c->partial)
		c->partial = sk_loop_now(c->server->loop) | 1; /* never 0 */
}

/* Returns false when the client has gone. */
static bool receive(struct sk_mgmt_peer *c)
{
	char buf[16384];
	size_t total = 0;
	ssize_t n;

	while (total < READ_MAX && !c->dead && !sk_peer_paused(c)) {
		n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return true;
		if (n <= 0)
			return false;
		total += (size_t)n;
		c->moved = sk_loop_now(c->server->loop);
		sk_buf_add(&c->in, buf, (size_t)n);
		if (c->in.nomem)
			return false;
		take_frames(c);
	}
	return true;
}

bool sk_peer_transmit(struct sk_mgmt_peer *c)
{
	while (c->out_sent < c->out.n) {
		ssize_t n =
			send(c->fd, c->out.p + c->out_sent, c->out.n - c->out_sent, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK;
		c->out_sent += (size_t)n;
		c->moved = sk_loop_now(c->server->loop);
	}
	if (c->out.cap > READ_MAX)
		sk_buf_wipe(&c->out);
	sk_buf_reset(&c->out);
	c->out_sent = 0;
	return !c->closing;
}

static void on_ready(void *ctx, unsigned events)
{
	struct sk_mgmt_peer *c = ctx;

	if (((events & SK_WRITABLE) && !sk_peer_transmit(c)) || ((events & SK_READABLE) && !receive(c))) {
		sk_peer_drop(c);
		return;
	}
	settle(c);
}

static void on_timer(void *ctx)
{
	struct sk_mgmt_peer *c = ctx;
	const struct sk_mgmt_limits *lim = &c->server->limits;
	uint64_t now = sk_loop_now(c->server->loop);

	if (!c->dead && !sk_peer_paused(c) && c->in.n)
		take_frames(c); /* what was held back while too much was pending */
	if (c->dead || (c->closing && now >= c->moved + lim->frame_ms)) {
		sk_peer_drop(c);
	} else if (c->partial && !sk_peer_paused(c) && now >= c->partial + lim->frame_ms) {
		sk_debug(SK_ROOM_MGMT, "client pid %ld: half a message", (long)c->pid);
		sk_peer_drop(c);
	} else if ((c->out.n > c->out_sent || c->n_reqs == 0) && now >= c->moved + lim->idle_ms) {
		sk_debug(SK_ROOM_MGMT, "client pid %ld: idle", (long)c->pid);
		sk_peer_drop(c);
	} else {
		settle(c);
	}
}

struct sk_mgmt_peer *sk_peer_new(struct sk_mgmt_server *s, int fd, uid_t uid, pid_t pid)
{
	struct sk_mgmt_peer *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	*c = (struct sk_mgmt_peer){ .server = s, .fd = -1, .uid = uid, .pid = pid, .moved = sk_loop_now(s->loop) };
	c->watch = sk_watch_new(s->loop, fd, on_ready, c, NULL);
	c->timer = sk_timer_new(s->loop, on_timer, c, NULL);
	if (!c->watch || !c->timer) {
		sk_watch_free(c->watch);
		sk_timer_free(c->timer);
		free(c);
		return NULL;
	}
	c->fd = fd;
	c->next = s->clients;
	if (c->next)
		c->next->prev = c;
	s->clients = c;
	settle(c);
	return c;
}
