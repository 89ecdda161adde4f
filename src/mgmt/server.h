/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_MGMT_SERVER_H
#define SK_MGMT_SERVER_H

/**
 * The daemon's side: listens, checks who calls (SO_PEERCRED on the accepted descriptor: uid 0, or the daemon's own
 * uid), reads frames without ever blocking, gives each request to one handler. A request may be answered later,
 * from any callback; a client that goes away only makes the answer fall on the floor. Idle clients are closed after
 * SK_MGMT_IDLE_MS, half-sent frames after SK_MGMT_FRAME_MS, and one uid may hold SK_MGMT_PER_UID connections.
 */

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "loop/loop.h"
#include "mgmt/result.h"

#define SK_MGMT_IDLE_MS	 600000
#define SK_MGMT_FRAME_MS 5000
#define SK_MGMT_PER_UID	 1024
#define SK_MGMT_OUT_MAX	 (8U << 20) /* bytes of unread answers a client may have; more and it is dropped */
#define SK_MGMT_PENDING	 4096	    /* requests of one client under way; further ones wait in its socket */

struct sk_mgmt_server;
struct sk_mgmt_req; /* owned by the server until answered */

struct sk_mgmt_limits {
	uint64_t idle_ms, frame_ms;
	unsigned per_uid, pending;
	size_t out_max;
};

/** @params is lent until the call returns (json_object_get keeps it) and may be NULL */
typedef void sk_mgmt_handler(void *ctx, struct sk_mgmt_req *req, const char *method, struct json_object *params);

/** sk_mgmt_listen_abstract / _path - descriptors to listen on; a path socket is made 0600, a dead one of the
 * same path is replaced. SK_EBUSY: somebody listens there. (A socket of the service manager: mgmt/activation.h) */
int sk_mgmt_listen_abstract(const char *name, struct sk_err *err);
int sk_mgmt_listen_path(const char *path, struct sk_err *err);

struct sk_mgmt_server *sk_mgmt_server_new(struct sk_loop *l, sk_mgmt_handler *handler, void *ctx,
					  struct sk_err *err);
int sk_mgmt_server_add(struct sk_mgmt_server *s, int taken_listen_fd, struct sk_err *err);
void sk_mgmt_server_limits(struct sk_mgmt_server *s,
			   const struct sk_mgmt_limits *limits); /* before the first client */
/** sk_mgmt_server_free - NULL is fine; not from the handler. Requests that are still out must be answered all the
 * same */
void sk_mgmt_server_free(struct sk_mgmt_server *s);

/** Exactly one of these ends a request; params/result objects are taken. */
void sk_mgmt_answer(struct sk_mgmt_req *req, struct json_object *taken_result);
void sk_mgmt_refuse(struct sk_mgmt_req *req, enum sk_result code, const struct sk_err *why);
/** sk_mgmt_refuse_with - as sk_mgmt_refuse, and error.<key> is added */
void sk_mgmt_refuse_with(struct sk_mgmt_req *req, enum sk_result code, const struct sk_err *why, const char *key,
			 struct json_object *taken);

/** sk_mgmt_progress - any number before the answer */
void sk_mgmt_progress(struct sk_mgmt_req *req, const char *event, struct json_object *taken_params);
bool sk_mgmt_req_alive(const struct sk_mgmt_req *req); /* does anybody still wait for it? */
uid_t sk_mgmt_req_uid(const struct sk_mgmt_req *req);

#endif
