/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_TRANSPORT_USER_FORM_H
#define SK_TRANSPORT_USER_FORM_H

/** The structs that travel between iscsid and iscsi-session as JSON (docs/session-process.md): one table for both sides. */

#include <json-c/json.h>

#include "base/err.h"
#include "proto/params.h"

/** sk_params_to_json - an object with the fields' names; numbers, booleans, "isid" as 12 hex digits. NULL: no memory */
struct json_object *sk_params_to_json(const struct sk_params *p);
/** sk_params_from_json - every field must be there and in the range its key has in RFC 7143, 13; SK_EPROTO names the
 * field. *ret is written only on success. */
int sk_params_from_json(struct json_object *o, struct sk_params *ret, struct sk_err *err);

#endif
