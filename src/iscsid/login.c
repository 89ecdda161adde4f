/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "iscsid/daemon.h"
#include "mgmt/message.h"
#include "record/record.h"
#include "session/advice.h"
#include "sys/links.h"
#include "sys/session.h"

/** session.login (docs/management-protocol.md). */

struct asked {
	struct sk_daemon *d;
	struct sk_mgmt_req *req;
	char note[320];
	struct sk_record *node;		/* until the login begins */
	struct sk_carry carry;
};

static void asked_free(struct asked *a)
{
	if (a)
		sk_record_free(a->node);
	free(a);
}

static void refuse(struct asked *a, enum sk_result code, const struct sk_err *err)
{
	sk_mgmt_refuse(a->req, code, err);
	asked_free(a);
}

static void put_str(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, json_object_new_string(value));
}

static void put_int(struct json_object *o, const char *key, int64_t value)
{
	json_object_object_add(o, key, json_object_new_int64(value));
}

/* --- disks --------------------------------------------------------------------------------------------------- */

struct listing {
	const struct sk_daemon *d;
	const struct sk_session_info *info;
	struct json_object *disks;
};

static void put_by_path(const struct listing *l, struct json_object *o, uint64_t lun)
{
	char name[300], path[700];

	if (sk_link_name(l->info->host, l->info->port, l->info->target, lun, name, sizeof(name), NULL) < 0)
		return;
	snprintf(path, sizeof(path), "%s/disk/by-path/%s", l->d->places.devdir, name);
	if (access(path, F_OK) == 0)
		put_str(o, "by_path", path);
}

static bool add_disk(void *ctx, const struct sk_sys_lun *lun)
{
	const struct listing *l = ctx;
	struct json_object *o;
	char dev[64];

	if (!lun->disk[0] && !lun->path[0])
		return true;		/* a LUN, but no disk: a target's controller */
	o = json_object_new_object();
	if (!o)
		return false;
	put_int(o, "lun", (int64_t)lun->lun);
	if (lun->disk[0]) {
		snprintf(dev, sizeof(dev), "/dev/%s", lun->disk);
		put_str(o, "dev", dev);
		put_by_path(l, o, lun->lun);
	}
	if (lun->path[0])
		put_str(o, "path", lun->path);
	put_int(o, "size", (int64_t)(lun->blocks * lun->block_size));
	put_int(o, "block_size", lun->block_size);
	json_object_array_add(l->disks, o);
	return true;
}

struct json_object *sk_daemon_disks(const struct sk_daemon *d, const struct sk_session_info *info)
{
	struct sk_sys_session s = { .sid = info->sid, .user = !strcmp(info->path, "user") };
	struct listing l = { d, info, json_object_new_array() };

	if (l.disks)
		(void)sk_sys_luns(&d->places, &s, SK_SYS_FULL, add_disk, &l);
	return l.disks;
}

/* --- the answer ---------------------------------------------------------------------------------------------- */

static struct json_object *success(const struct asked *a, const struct sk_outcome *out)
{
	struct json_object *o = json_object_new_object();
	struct sk_session_info info;
	char portal[300];

	sk_session_info(out->s, &info);
	put_int(o, "sid", info.sid);
	json_object_object_add(o, "existing", json_object_new_boolean(out->existing));
	put_int(o, "attempts", info.attempts);
	snprintf(portal, sizeof(portal), "%s,%u", info.current.host[0] ? info.current.host : info.host,
		 info.current.host[0] ? info.current.port : info.port);
	put_str(o, "portal", portal);
	put_str(o, "transport", "tcp");
	put_str(o, "path", info.path);
	if (a->note[0])
		put_str(o, "note", a->note);
	if (out->scan)
		put_str(o, "scan_error", out->scan->msg);
	json_object_object_add(o, "disks", sk_daemon_disks(a->d, &info));
	return o;
}

static void done(void *ctx, const struct sk_outcome *out)
{
	struct asked *a = ctx;

	const char *advice = out->code && out->why ? sk_advice(out->why, SK_CAUSE_NONE) : NULL;

	if (advice)
		sk_mgmt_refuse_with(a->req, out->code, out->why, "advice", json_object_new_string(advice));
	else if (out->code)
		sk_mgmt_refuse(a->req, out->code, out->why);
	else
		sk_mgmt_answer(a->req, success(a, out));
	asked_free(a);
}

static void step(void *ctx, const struct sk_step *p)
{
	const struct asked *a = ctx;
	struct json_object *o = json_object_new_object();

	if (!o)
		return;
	if (p->kind == SK_STEP_REDIRECT) {
		put_str(o, "to", p->portal);
		json_object_object_add(o, "permanent", json_object_new_boolean(p->permanent));
		sk_mgmt_progress(a->req, "redirect", o);
		return;
	}
	put_int(o, "attempt", p->attempt);
	put_str(o, "portal", p->portal);
	put_str(o, "text", p->why->msg);
	put_int(o, "errno", p->why->sys < 1001 ? p->why->sys : 0);	/* above: the kernel's own numbers */
	put_int(o, "retry_ms", p->retry_ms);
	sk_mgmt_progress(a->req, "attempt", o);
}

/* --- the request --------------------------------------------------------------------------------------------- */

static int read_record(struct json_object *o, struct sk_record **ret, struct sk_err *err)
{
	struct sk_record *r;

	if (!o)
		return sk_fail(err, SK_EINVAL, "the request has no record");
	r = sk_record_new(SK_REC_NODE, err);
	if (!r)
		return -1;
	json_object_object_foreach(o, key, value) {
		struct sk_err why = { 0 };

		if (json_object_is_type(value, json_type_string) &&
		    sk_record_set(r, key, json_object_get_string(value), &why) < 0 && why.code != SK_ENOENT) {
			*err = why;
			sk_record_free(r);
			return -1;
		}
	}
	*ret = r;
	return 0;
}

static void refused(void *ctx, enum sk_result code, const struct sk_err *err)
{
	refuse(ctx, code, err);
}

static void noted(void *ctx, const char *text)
{
	struct asked *a = ctx;

	snprintf(a->note, sizeof(a->note), "%s", text);
}

static struct asked *read_asked(struct sk_daemon *d, struct sk_mgmt_req *req, struct json_object *params,
				enum sk_result *code, struct sk_err *err)
{
	int64_t timeout_s = sk_msg_int(params, "timeout_s", 0), slot = sk_msg_int(params, "slot", 0);
	const char *wait = sk_msg_str(params, "wait"), *own;
	struct asked *a = calloc(1, sizeof(*a));

	*code = SK_RES_INVAL;
	if (!a)
		sk_fail(err, SK_ENOMEM, "no memory");
	else if (timeout_s < 0 || timeout_s > 86400 || slot < 0 || slot > 4096)
		sk_fail(err, SK_EINVAL, "timeout_s or slot is out of range");
	else if (read_record(sk_msg_obj(params, "record"), &a->node, err) == 0)
		*code = SK_RES_SUCCESS;
	if (*code == SK_RES_SUCCESS) {
		own = sk_record_get(a->node, "iface.initiatorname");
		if (!(own && *own) && sk_daemon_initiator(d, &a->carry.initiator, err) < 0)
			*code = SK_RES_LOGIN;
	}
	if (*code != SK_RES_SUCCESS) {
		asked_free(a);
		return NULL;
	}
	a->d = d;
	a->req = req;
	a->carry.ask = (struct sk_ask_login){
		.slot = (unsigned)slot, .timeout_s = (unsigned)timeout_s, .multiple = sk_msg_bool(params, "multiple", false),
		.ensure = sk_msg_bool(params, "ensure", false), .fail_fast = sk_msg_bool(params, "fail_fast", false),
		.login_only = wait && !strcmp(wait, "login"), .step = step, .done = done, .ctx = a,
	};
	a->carry.refused = refused;
	a->carry.noted = noted;
	return a;
}

void sk_method_login(struct sk_daemon *d, struct sk_mgmt_req *req, struct json_object *params)
{
	enum sk_result code;
	struct sk_err err = { 0 };
	struct asked *a = read_asked(d, req, params, &code, &err);

	if (a)
		sk_daemon_login(d, sk_give(a->node), &a->carry);
	else
		sk_mgmt_refuse(req, code, &err);
}
