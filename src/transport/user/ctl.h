/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_TRANSPORT_USER_CTL_H
#define SK_TRANSPORT_USER_CTL_H

/**
 * sk_ctl - iscsid's end of the conversation with one iscsi-session (docs/session-process.md): connect with patience,
 * requests with deadlines and perhaps a descriptor, events. Nothing blocks; callbacks come from the loop only, and never
 * after sk_ctl_free.
 */

#include <json-c/json.h>

#include "base/err.h"
#include "loop/loop.h"

struct sk_ctl;

struct sk_ctl_events {
	void (*up)(void *ctx);					/* connected, and the peer may be talked to */
	void (*event)(void *ctx, const char *name, struct json_object *params);
	void (*down)(void *ctx, const struct sk_err *why);	/* the last one; open calls were answered before it */
};

/** The answer to a call: @err NULL and the result object (lent), or what went wrong (SK_EBUSY for code 28). */
typedef void sk_ctl_answer_fn(void *ctx, struct json_object *result, const struct sk_err *err);

/** sk_ctl_open - connect to the socket at @path; while nobody listens there, try again until @patience_ms are over */
struct sk_ctl *sk_ctl_open(struct sk_loop *l, const char *path, uint32_t patience_ms, const struct sk_ctl_events *ev,
			   void *ctx, struct sk_err *err);
/** sk_ctl_call - one request. @taken_fd: -1 or a descriptor to pass along, closed here in any case. Before up() it waits.
 * Exactly one call of @fn unless the ctl is freed first. */
int sk_ctl_call(struct sk_ctl *c, const char *method, struct json_object *taken_params, int taken_fd, uint32_t timeout_ms,
		sk_ctl_answer_fn *fn, void *ctx, struct sk_err *err);
void sk_ctl_free(struct sk_ctl *c);	/* NULL is fine */

#endif
