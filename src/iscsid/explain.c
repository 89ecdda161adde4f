/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <json-c/json.h>
#include <string.h>

#include "iscsid/daemon.h"
#include "mgmt/message.h"
#include "record/node.h"
#include "session/explain.h"

/** session.explain (docs/management-protocol.md). */

static void put_str(struct json_object *o, const char *key, const char *value)
{
	if (value)
		json_object_object_add(o, key, json_object_new_string(value));
}

static void put_int(struct json_object *o, const char *key, uint64_t value)
{
	json_object_object_add(o, key, json_object_new_int64(value > INT64_MAX ? INT64_MAX : (int64_t)value));
}

static struct json_object *error_json(const struct sk_err *e)
{
	struct json_object *o = json_object_new_object();

	put_str(o, "text", e->msg);
	if (e->sys)
		put_int(o, "errno", (uint64_t)e->sys);
	if (e->login)
		put_int(o, "login", e->login);
	return o;
}

/* The record the session runs with, as far as time is concerned; the rest of it holds secrets and is not told. */
static struct json_object *timers_json(const struct sk_record *node)
{
	struct json_object *o = json_object_new_object();

	for (unsigned i = 0; sk_node_timer_keys[i]; i++)
		put_str(o, sk_node_timer_keys[i], sk_record_get(node, sk_node_timer_keys[i]));
	return o;
}

static struct json_object *explain_json(const struct sk_session_info *i, const struct sk_explain *e)
{
	struct json_object *o = json_object_new_object(), *advice = json_object_new_array();

	put_int(o, "sid", i->sid);
	put_str(o, "state", e->state);
	put_int(o, "since_ms", e->since_ms);
	put_int(o, "up_ms", e->up_ms);
	put_int(o, "lost_ms", e->lost_ms);
	put_str(o, "why", e->why);
	put_str(o, "next", e->next);
	if (e->next_ms != UINT64_MAX)
		put_int(o, "next_ms", e->next_ms);
	put_str(o, "cause", e->cause);
	if (i->error)
		json_object_object_add(o, "error", error_json(i->error));
	put_int(o, "attempts", i->attempts);
	put_int(o, "recoveries", i->recoveries);
	put_int(o, "brief", e->brief);
	put_int(o, "slot", i->slot);
	put_str(o, "isid", e->isid);
	if (e->group >= 0)
		put_int(o, "portal_group", (uint64_t)e->group);
	put_str(o, "connection_state", i->connection);
	put_str(o, "session_state", i->health);
	put_str(o, "internal_state", i->internal);
	json_object_object_add(o, "timers", timers_json(e->node));
	for (unsigned n = 0; n < e->n_advice; n++)
		json_object_array_add(advice, json_object_new_string(e->advice[n]));
	json_object_object_add(o, "advice", advice);
	return o;
}

void sk_method_explain(struct sk_daemon *d, struct sk_mgmt_req *req, struct json_object *params)
{
	int64_t sid = sk_msg_int(params, "sid", 0);
	struct sk_session_info info;
	struct sk_explain e;
	struct sk_err err = { 0 };

	if (sid < 1 || sid > UINT32_MAX) {
		sk_fail(&err, SK_EINVAL, "the request has no session id");
		sk_mgmt_refuse(req, SK_RES_INVAL, &err);
	} else if (sk_sessions_info(d->sessions, (uint32_t)sid, &info, &err) < 0 ||
		   sk_sessions_explain(d->sessions, (uint32_t)sid, &e, &err) < 0) {
		sk_mgmt_refuse(req, SK_RES_SESS_NOT_FOUND, &err);
	} else {
		sk_mgmt_answer(req, explain_json(&info, &e));
	}
}
