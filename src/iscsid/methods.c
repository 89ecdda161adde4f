/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "config.h"
#include "iscsid/daemon.h"
#include "mgmt/message.h"

/** What the daemon is asked, one row a method (docs/management-protocol.md). */

struct asked {
	struct sk_daemon *d;
	struct sk_mgmt_req *req;
	uint32_t sid;
};

static void put_str(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, value ? json_object_new_string(value) : NULL);
}

static void put_int(struct json_object *o, const char *key, int64_t value)
{
	json_object_object_add(o, key, json_object_new_int64(value));
}

static void hello(struct sk_daemon *d, struct sk_mgmt_req *req, struct json_object *params)
{
	struct json_object *o = json_object_new_object();

	(void)params;
	put_int(o, "protocol", 1);
	put_str(o, "version", SK_VERSION);
	put_str(o, "compat", SK_COMPAT_VERSION);
	put_int(o, "pid", getpid());
	put_str(o, "state", d->stopping ? "stopping" : "ready");
	put_int(o, "sessions", sk_sessions_count(d->sessions));
	put_int(o, "missed_deadlines", sk_sessions_missed(d->sessions));
	sk_mgmt_answer(req, o);
}

static void config(struct sk_daemon *d, struct sk_mgmt_req *req, struct json_object *params)
{
	struct json_object *o = json_object_new_object();
	struct sk_err err = { 0 };
	struct sk_iname name;
	bool named = sk_daemon_initiator(d, &name, &err) == 0;

	(void)params;
	put_str(o, "conf_file", d->places.conf_file);
	put_str(o, "name_file", d->places.name_file);
	put_str(o, "initiator", named ? name.s : NULL);
	if (!named)
		put_str(o, "initiator_error", err.msg);
	put_str(o, "alias", d->alias);
	json_object_object_add(o, "safe_logout", json_object_new_boolean(d->safe_logout));
	json_object_object_add(o, "busy_poll_us", json_object_new_int64(d->busy_poll_us));
	put_str(o, "fallback", d->fallback ? "user" : "none");
	put_str(o, "rundir", d->places.rundir);
	sk_mgmt_answer(req, o);
}

/* --- logout, rescan, statistics ------------------------------------------------------------------------------ */

static struct asked *asked_new(struct sk_daemon *d, struct sk_mgmt_req *req, struct json_object *params, struct sk_err *err)
{
	int64_t sid = sk_msg_int(params, "sid", 0);
	struct asked *a;

	if (sid < 1 || sid > UINT32_MAX) {
		sk_fail(err, SK_EINVAL, "the request has no session id");
		return NULL;
	}
	a = calloc(1, sizeof(*a));
	if (!a)
		sk_fail(err, SK_ENOMEM, "no memory");
	else
		*a = (struct asked){ d, req, (uint32_t)sid };
	return a;
}

/* A request about a session that cannot even begin. */
static void refuse(struct sk_mgmt_req *req, const struct sk_err *err)
{
	static const struct {
		enum sk_code code;
		enum sk_result result;
	} rows[] = {
		{ SK_ENOENT, SK_RES_SESS_NOT_FOUND },	    { SK_EBUSY, SK_RES_INTERNAL },
		{ SK_ENOTCONN, SK_RES_SESSION_NOT_CONNECTED }, { SK_ENOTSUP, SK_RES_OP_NOT_SUPP },
		{ SK_ENOMEM, SK_RES_NOMEM },
	};
	enum sk_result result = SK_RES_INVAL;

	for (size_t i = 0; i < SK_ARRAY_LEN(rows); i++)
		if (rows[i].code == err->code)
			result = rows[i].result;
	sk_mgmt_refuse(req, result, err);
}

static void logout_done(void *ctx, const struct sk_outcome *out)
{
	struct asked *a = ctx;
	struct json_object *o;

	if (out->code) {
		sk_mgmt_refuse(a->req, out->code, out->why);
	} else {
		o = json_object_new_object();
		put_int(o, "sid", a->sid);
		sk_mgmt_answer(a->req, o);
	}
	free(a);
}

static void logout(struct sk_daemon *d, struct sk_mgmt_req *req, struct json_object *params)
{
	struct sk_err err = { 0 };
	struct asked *a = asked_new(d, req, params, &err);

	if (a && sk_sessions_logout(d->sessions, a->sid, sk_msg_bool(params, "force", false), logout_done, a, &err) == 0)
		return;
	free(a);
	refuse(req, &err);
}

static void rescan_done(void *ctx, const struct sk_outcome *out)
{
	struct asked *a = ctx;
	const struct sk_err *why = out->code ? out->why : out->scan;
	struct sk_session_info info;
	struct json_object *o;

	if (why) {
		sk_mgmt_refuse(a->req, out->code ? out->code : SK_RES_ERR, why);
	} else {
		sk_session_info(out->s, &info);
		o = json_object_new_object();
		put_int(o, "sid", a->sid);
		json_object_object_add(o, "disks", sk_daemon_disks(a->d, &info));
		sk_mgmt_answer(a->req, o);
	}
	free(a);
}

static void rescan(struct sk_daemon *d, struct sk_mgmt_req *req, struct json_object *params)
{
	struct sk_err err = { 0 };
	struct asked *a = asked_new(d, req, params, &err);

	if (a && sk_sessions_rescan(d->sessions, a->sid, rescan_done, a, &err) == 0)
		return;
	free(a);
	refuse(req, &err);
}

static void stats_done(void *ctx, const struct sk_stat *stats, unsigned n, const struct sk_err *err)
{
	struct asked *a = ctx;
	struct json_object *o, *counters;

	if (err) {
		sk_mgmt_refuse(a->req, SK_RES_SESSION_NOT_CONNECTED, err);
		free(a);
		return;
	}
	o = json_object_new_object();
	counters = json_object_new_object();
	for (unsigned i = 0; i < n; i++)
		json_object_object_add(counters, stats[i].name, json_object_new_uint64(stats[i].value));
	put_int(o, "sid", a->sid);
	json_object_object_add(o, "counters", counters);
	sk_mgmt_answer(a->req, o);
	free(a);
}

static void stats(struct sk_daemon *d, struct sk_mgmt_req *req, struct json_object *params)
{
	struct sk_err err = { 0 };
	struct asked *a = asked_new(d, req, params, &err);

	if (a && sk_sessions_stats(d->sessions, a->sid, stats_done, a, &err) == 0)
		return;
	free(a);
	refuse(req, &err);
}

static void timers_done(void *ctx, const struct sk_err *err)
{
	struct asked *a = ctx;
	struct json_object *o;

	if (err) {
		sk_mgmt_refuse(a->req, SK_RES_INTERNAL, err);
	} else {
		o = json_object_new_object();
		put_int(o, "sid", a->sid);
		sk_mgmt_answer(a->req, o);
	}
	free(a);
}

#define CHANGES_MAX 32

static void timers(struct sk_daemon *d, struct sk_mgmt_req *req, struct json_object *params)
{
	struct json_object *values = sk_msg_obj(params, "values");
	struct sk_change changes[CHANGES_MAX];
	struct sk_err err = { 0 };
	struct asked *a = asked_new(d, req, params, &err);
	unsigned n = 0;

	if (a && (!values || json_object_object_length(values) < 1 || json_object_object_length(values) > CHANGES_MAX)) {
		sk_fail(&err, SK_EINVAL, "the request has no values, or more than %d", CHANGES_MAX);
	} else if (a) {
		json_object_object_foreach(values, key, value)
			changes[n++] = (struct sk_change){ key, json_object_get_string(value) };
		if (sk_sessions_timers(d->sessions, a->sid, changes, n, timers_done, a, &err) == 0)
			return;
	}
	free(a);
	refuse(req, &err);
}

/* --- looking ------------------------------------------------------------------------------------------------- */

static struct json_object *portal_text(const char *host, uint16_t port)
{
	char text[300];

	snprintf(text, sizeof(text), "%s,%u", host, port);
	return json_object_new_string(text);
}

static struct json_object *info_json(const struct sk_session_info *i)
{
	struct json_object *o = json_object_new_object();

	put_int(o, "sid", i->sid);
	put_str(o, "target", i->target);
	json_object_object_add(o, "portal", portal_text(i->host, i->port));
	if (i->current.host[0])
		json_object_object_add(o, "current_portal", portal_text(i->current.host, i->current.port));
	put_int(o, "tpgt", i->tpgt);
	put_str(o, "iface", i->iface);
	put_int(o, "slot", i->slot);
	put_str(o, "connection_state", i->connection);
	put_str(o, "session_state", i->health);
	put_str(o, "internal_state", i->internal);
	put_str(o, "path", i->path);
	put_int(o, "attempts", i->attempts);
	put_int(o, "recoveries", i->recoveries);
	if (i->error)
		put_str(o, "error", i->error->msg);
	if (i->next_attempt_ms)
		put_int(o, "next_attempt_ms", (int64_t)i->next_attempt_ms);
	return o;
}

static bool add_info(void *ctx, const struct sk_session_info *info)
{
	json_object_array_add(ctx, info_json(info));
	return true;
}

static void list(struct sk_daemon *d, struct sk_mgmt_req *req, struct json_object *params)
{
	struct json_object *o = json_object_new_object(), *all = json_object_new_array();

	(void)params;
	(void)sk_sessions_list(d->sessions, add_info, all);
	json_object_object_add(o, "sessions", all);
	sk_mgmt_answer(req, o);
}

static void state(struct sk_daemon *d, struct sk_mgmt_req *req, struct json_object *params)
{
	int64_t sid = sk_msg_int(params, "sid", 0);
	struct sk_session_info info;
	struct sk_err err = { 0 };

	if (sid < 1 || sid > UINT32_MAX)
		sk_fail(&err, SK_EINVAL, "the request has no session id");
	else if (sk_sessions_info(d->sessions, (uint32_t)sid, &info, &err) == 0) {
		sk_mgmt_answer(req, info_json(&info));
		return;
	}
	refuse(req, &err);
}

static void shut_down(struct sk_daemon *d, struct sk_mgmt_req *req, struct json_object *params)
{
	(void)params;
	sk_mgmt_answer(req, json_object_new_object());
	sk_daemon_stop(d);
}

void sk_daemon_handle(void *ctx, struct sk_mgmt_req *req, const char *method, struct json_object *params)
{
	static const struct {
		const char *name;
		void (*fn)(struct sk_daemon *d, struct sk_mgmt_req *req, struct json_object *params);
	} rows[] = {
		{ "hello", hello },
		{ "config", config },
		{ "session.login", sk_method_login },
		{ "session.logout", logout },
		{ "session.explain", sk_method_explain },
		{ "session.list", list },
		{ "session.state", state },
		{ "session.rescan", rescan },
		{ "session.stats", stats },
		{ "session.timers", timers },
		{ "shutdown", shut_down },
	};
	struct sk_daemon *d = ctx;
	struct sk_err err = { 0 };

	for (size_t i = 0; i < SK_ARRAY_LEN(rows); i++) {
		if (!strcmp(method, rows[i].name)) {
			rows[i].fn(d, req, params);
			return;
		}
	}
	sk_fail(&err, SK_ENOTSUP, "no method %.64s", method);
	sk_mgmt_refuse(req, SK_RES_INVALID_MGMT_REQ, &err);
}
