/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_MGMT_CLIENT_H
#define SK_MGMT_CLIENT_H

/**
 * The tools' side: blocking for the caller, with a deadline inside. Several requests may be sent before the first
 * answer is awaited (logins of many records run concurrently in the daemon). The client checks that the peer is uid
 * 0 or its own uid before it sends a byte.
 */

#include <json-c/json.h>

#include "base/err.h"

struct sk_mgmt_client;

/** sk_mgmt_connect_path / _abstract - SK_ENOTCONN when nobody listens (.sys = ECONNREFUSED or ENOENT) */
struct sk_mgmt_client *sk_mgmt_connect_path(const char *path, struct sk_err *err);
struct sk_mgmt_client *sk_mgmt_connect_abstract(const char *name, struct sk_err *err);
void sk_mgmt_client_free(struct sk_mgmt_client *c); /* NULL is fine; what was sent goes on without us */

/** sk_mgmt_send - returns the request id (> 0) or -1 */
int sk_mgmt_send(struct sk_mgmt_client *c, const char *method, struct json_object *taken_params,
		 struct sk_err *err);

struct sk_mgmt_answer {
	int code;		    /* 0 or the daemon's result code */
	char text[256];		    /* of an error */
	struct json_object *result; /* owned by the receiver of the struct; NULL on error */
	struct json_object *error;  /* the whole error object; NULL on success */
};
typedef void sk_mgmt_event_fn(void *ctx, int id, const char *event, struct json_object *params);
/** sk_mgmt_wait - the answer to @id; answers to others are kept for their own wait. @timeout_ms < 0 waits for ever.
 * @on_event (may be NULL) is called for the progress of every request, as it comes. A daemon that refuses the whole
 * connection (code 13, 29) is an answer to whatever is awaited. One wait sees the answer once.
 * -1: SK_ETIME, SK_ENOTCONN (the daemon closed, .sys ECONNRESET), SK_EPROTO */
int sk_mgmt_wait(struct sk_mgmt_client *c, int id, int timeout_ms, sk_mgmt_event_fn *on_event, void *ctx,
		 struct sk_mgmt_answer *ret, struct sk_err *err);
int sk_mgmt_client_fd(const struct sk_mgmt_client *c); /* for a caller that polls on its own */
void sk_mgmt_answer_free(struct sk_mgmt_answer *a);

#endif
