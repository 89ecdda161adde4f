/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_MGMT_PEER_H
#define SK_MGMT_PEER_H

/** One connected client of the server and its requests: shared by server.c and peer.c, nobody else includes it. */

#include <json-c/json.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "loop/loop.h"
#include "mgmt/server.h"

struct sk_mgmt_listener {
	struct sk_mgmt_server *server;
	struct sk_mgmt_listener *next;
	int fd;
	struct sk_watch *watch;
};

struct sk_mgmt_server {
	struct sk_loop *loop;
	sk_mgmt_handler *handler;
	void *ctx;
	struct sk_mgmt_limits limits;
	struct sk_mgmt_listener *listeners;
	struct sk_timer *retry;
	struct sk_mgmt_peer *clients;
};

struct sk_mgmt_peer {
	struct sk_mgmt_server *server;
	struct sk_mgmt_peer *prev, *next;
	int fd;
	uid_t uid;
	pid_t pid;
	struct sk_watch *watch;
	struct sk_timer *timer;
	struct sk_buf in, out;
	size_t out_sent; /* bytes of out that have left */
	struct sk_mgmt_req *reqs;
	unsigned n_reqs;
	uint64_t moved;	  /* when bytes last went either way */
	uint64_t partial; /* when the first byte of the frame that is not whole came; 0: none */
	bool closing;	  /* reads nothing more, ends when out is sent */
	bool dead;	  /* to be dropped from the loop */
};

struct sk_mgmt_req {
	struct sk_mgmt_peer *client; /* NULL once it has gone */
	struct sk_mgmt_req *prev, *next;
	int64_t id;
};

struct sk_mgmt_peer *sk_peer_new(struct sk_mgmt_server *s, int fd, uid_t uid, pid_t pid); /* takes fd on success */
void sk_peer_drop(struct sk_mgmt_peer *c);
void sk_peer_queue(struct sk_mgmt_peer *c, struct json_object *taken, int64_t id);
void sk_peer_unlink(struct sk_mgmt_req *r);
bool sk_peer_paused(const struct sk_mgmt_peer *c); /* no further request is taken from it now */
bool sk_peer_transmit(struct sk_mgmt_peer *c);	   /* false: the connection is over */

struct json_object *sk_mgmt_new_answer(int64_t id);
struct json_object *sk_mgmt_new_error(int64_t id, enum sk_result code, const struct sk_err *why);

#endif
