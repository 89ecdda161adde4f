/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_MGMT_MESSAGE_H
#define SK_MGMT_MESSAGE_H

/**
 * The management protocol's form (docs/management-protocol.md): frames of
 *
 *	"SKM1" | length u32 big-endian | that many bytes of one JSON object (UTF-8)
 *
 * Requests: {"v":1,"id":7,"method":"node.login","params":{…}}
 * Answers:  {"v":1,"id":7,"result":{…}}  or  {"v":1,"id":7,"error":{"code":8,"name":"…","text":"…", …}}
 * Progress: {"v":1,"id":7,"event":"…","params":{…}}  any number before the answer
 *
 * Unknown fields are ignored. "code" is the incumbent's result number (spec: cli.md 10), also iscsiadm's exit
 *status. Frames over SK_MSG_MAX are refused. The same form carries iscsid's conversation with iscsi-session.
 */

#include <json-c/json.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

#define SK_MSG_MAX  (4U << 20)
#define SK_MSG_HEAD 8

/** sk_msg_frame - append one framed object to @out */
int sk_msg_frame(struct sk_buf *out, struct json_object *msg, struct sk_err *err);

/** sk_msg_next - take one whole frame off the front of @in.
 * Returns 1 and an owned object, 0 when more bytes are needed, -1 on a malformed or over-long frame (SK_EPROTO:
 * the connection is to be closed). Nesting is limited to 16, duplicate keys: the last wins. */
int sk_msg_next(struct sk_buf *in, struct json_object **ret, struct sk_err *err);

/* Checked access; NULL or the default when absent or of another type. */
/** sk_msg_put - @taken_value under @key of @o, where json-c itself would stop the program for want of memory: with a NULL
 * object the value is freed, and one that cannot be added is left out. For programs that others' I/O depends on. */
void sk_msg_put(struct json_object *o, const char *key, struct json_object *taken_value);
const char *sk_msg_str(struct json_object *o, const char *key);
int64_t sk_msg_int(struct json_object *o, const char *key, int64_t dflt);
bool sk_msg_bool(struct json_object *o, const char *key, bool dflt);
struct json_object *sk_msg_obj(struct json_object *o, const char *key); /* object or NULL */
struct json_object *sk_msg_arr(struct json_object *o, const char *key); /* array or NULL */

#endif
