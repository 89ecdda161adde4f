/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "iscsiadm/daemon.h"
#include "iscsiadm/login.h"
#include "iscsiadm/node_record.h"
#include "mgmt/message.h"
#include "record/node.h"

struct request {
	const struct sk_node_item *item;
	int id;
	bool multiple;
};

struct batch {
	struct sk_adm *adm;
	bool announce_late; /* a request is told when its result is awaited */
	struct request *v;
	size_t n, cap;
	int send_code;	    /* first error of sending */
	int result_code;    /* first failing result */
	struct sk_buf note; /* the one that was told last, so that it is told once */
};

/** "[iface: I, target: T, portal: A,P]" */
static void say_where(struct sk_buf *b, const struct sk_node_item *item)
{
	const struct sk_node_key *k = &item->key;

	sk_buf_printf(b, "[iface: %s, target: %s, portal: %s,%u]", k->iface, k->target.s, k->portal.host,
		      k->portal.port);
}

/** one entry of "results" in the document */
static void doc_login(struct batch *b, const struct sk_node_item *item, int code, const struct sk_mgmt_answer *a,
		      const struct sk_err *err)
{
	static const char *const copied[] = { "sid",  "portal", "transport", "path",
					      "note", "disks",	"attempts",  "scan_error", NULL };
	struct sk_about about = sk_about_node(item);

	sk_doc_result(b->adm, &about, code, a ? a->result : NULL, copied, err);
}

static void tell_failure(struct batch *b, const struct sk_node_item *item, int code, const struct sk_err *err)
{
	SK_BUF struct sk_buf where = { 0 };
	char buf[64];

	say_where(&where, item);
	sk_warn(b->adm, "Could not login to %s.", sk_buf_cstr(&where));
	sk_warn_reported(b->adm, code);
	if (err && err->msg[0] && strcmp(err->msg, sk_result_words(code, buf, sizeof(buf))) != 0)
		sk_warn(b->adm, "%s,%u: %s", item->key.portal.host, item->key.portal.port, err->msg);
}

static void announce(struct batch *b, const struct sk_node_item *item, bool multiple)
{
	SK_BUF struct sk_buf where = { 0 };

	say_where(&where, item);
	sk_say(b->adm, "Logging in to %s%s\n", sk_buf_cstr(&where), multiple ? " (multiple)" : "");
	fflush(b->adm->out);
}

static bool remember(struct batch *b, const struct sk_node_item *item, int id, bool multiple)
{
	if (b->n == b->cap) {
		size_t cap = b->cap ? 2 * b->cap : 16;
		struct request *v = reallocarray(b->v, cap, sizeof(*v));

		if (!v)
			return false;
		b->v = v;
		b->cap = cap;
	}
	b->v[b->n++] = (struct request){ item, id, multiple };
	return true;
}

static void send_one(struct batch *b, const struct sk_node_item *item, size_t slot, bool multiple, bool one_more)
{
	bool late = b->announce_late && !b->adm->args.no_wait;
	struct json_object *params;
	int code, id;

	if (!late)
		announce(b, item, multiple);
	code = sk_daemon_reach(b->adm, SK_DAEMON_START);
	if (!code) {
		params = json_object_new_object();
		json_object_object_add(params, "record", sk_node_record_json(item->record));
		sk_jput_int(params, "slot", (int64_t)slot);
		sk_jput_bool(params, "multiple", one_more);
		if (b->adm->args.fail_fast)
			sk_jput_bool(params, "fail_fast", true);
		if (b->adm->args.timeout_s)
			sk_jput_int(params, "timeout_s", b->adm->args.timeout_s);
		id = sk_daemon_send(b->adm, "session.login", params);
		if (id > 0 && (b->adm->args.no_wait || remember(b, item, id, multiple)))
			return;
		code = id > 0 ? SK_RES_NOMEM : SK_RES_ISCSID_COMM_ERR;
	}
	if (late)
		announce(b, item, multiple);
	tell_failure(b, item, code, NULL);
	doc_login(b, item, code, NULL, NULL);
	b->send_code = sk_adm_first(b->send_code, code);
}

/** the requests of one record: one for each session that is missing */
static void send_record(struct batch *b, const struct sk_sessions *running, const struct sk_node_item *item,
			enum sk_login_how how)
{
	int64_t wanted = sk_record_int(item->record, "node.session.nr_sessions");
	size_t present = sk_sessions_of_record(running, item);

	if (how == SK_LOGIN_ONE_MORE) {
		send_one(b, item, present, true, true);
		return;
	}
	if (wanted < 0 || present >= (size_t)wanted) {
		sk_warn(b->adm, "%s: %lld session%s requested, but %zu already present.", item->key.iface,
			(long long)wanted, wanted == 1 ? "" : "s", present);
		b->send_code = sk_adm_first(b->send_code, SK_RES_SESS_EXISTS);
		doc_login(b, item, SK_RES_SESS_EXISTS, NULL, NULL);
		return;
	}
	for (size_t slot = present; slot < (size_t)wanted; slot++)
		send_one(b, item, slot, wanted > 1, false);
}

/** what the daemon adds to a success: another data path than asked for, a scan that failed */
static void tell_notes(struct batch *b, const struct sk_node_item *item, struct json_object *result)
{
	const char *note = sk_msg_str(result, "note");
	const char *scan = sk_msg_str(result, "scan_error");

	if (note && strcmp(note, sk_buf_cstr(&b->note)) != 0) {
		sk_warn(b->adm, "%s", note);
		sk_buf_reset(&b->note);
		sk_buf_str(&b->note, note);
	}
	if (scan)
		sk_warn(b->adm, "%s: logged in, but the scan failed: %s", item->key.target.s, scan);
}

static void await(struct batch *b, const struct request *r)
{
	SK_BUF struct sk_buf where = { 0 };
	struct sk_mgmt_answer a;
	struct sk_err err = { 0 };
	int code;

	if (b->announce_late)
		announce(b, r->item, r->multiple);
	code = sk_daemon_wait(b->adm, r->id, -1, &a, &err);
	say_where(&where, r->item);
	if (code)
		tell_failure(b, r->item, code, &err);
	if (code && sk_msg_str(a.error, "advice"))
		sk_warn(b->adm, "%s: %s", r->item->key.target.s, sk_msg_str(a.error, "advice"));
	if (!code)
		sk_say(b->adm, "Login to %s successful.\n", sk_buf_cstr(&where));
	doc_login(b, r->item, code, &a, &err);
	if (!code)
		tell_notes(b, r->item, a.result);
	b->result_code = sk_adm_first(b->result_code, code);
	sk_mgmt_answer_free(&a);
}

int sk_login_nodes(struct sk_adm *adm, const struct sk_nodes *nodes, enum sk_login_how how)
{
	struct batch b = { .adm = adm, .announce_late = how == SK_LOGIN_FIRMWARE };
	struct sk_sel any = { .port = -1 };
	struct sk_sessions running;
	int code;

	sk_doc_list(adm, "results");
	if (sk_sessions_find(adm, &any, SK_SYS_FLAT, &running))
		return SK_RES_NOMEM;
	for (size_t i = 0; i < nodes->n; i++)
		send_record(&b, &running, &nodes->v[i], how);
	for (size_t i = 0; i < b.n; i++)
		await(&b, &b.v[i]);
	code = sk_adm_first(b.send_code, b.result_code);
	if (code && how != SK_LOGIN_FIRMWARE)
		sk_warn(adm, "Could not log into all portals");
	sk_sessions_free(&running);
	free(b.v);
	sk_buf_free(&b.note);
	return code;
}

static int none_found(struct sk_adm *adm)
{
	sk_doc_list(adm, "results");
	sk_warn(adm, "No records found");
	return SK_RES_NO_OBJS_FOUND;
}

int sk_login_selected(struct sk_adm *adm, const struct sk_sel *sel, enum sk_login_how how)
{
	struct sk_nodes nodes;
	int code;

	sk_doc_action(adm, "login");
	code = sk_nodes_find(adm, sel, true, &nodes);
	if (code)
		return code;
	code = nodes.n ? sk_login_nodes(adm, &nodes, how) : none_found(adm);
	sk_nodes_free(&nodes);
	return code;
}

/* --- startup classes --------------------------------------------------------------------------------- */

bool sk_startup_matches(const struct sk_record *r, const char *class)
{
	return strcmp(class, "all") == 0 || sk_node_in_class(r, class);
}

/** move the records that @keep says no to behind the others; returns how many were kept in front */
static size_t part(struct sk_nodes *nodes, const char *class, bool leading)
{
	size_t n = 0;

	for (size_t i = 0; i < nodes->n; i++) {
		struct sk_node_item item = nodes->v[i];

		if (!sk_startup_matches(item.record, class) ||
		    sk_record_bool(item.record, "node.leading_login") != leading)
			continue;
		/* the order of those in front stays */
		memmove(&nodes->v[n + 1], &nodes->v[n], (i - n) * sizeof(item));
		nodes->v[n++] = item;
	}
	return n;
}

static bool has_session(struct sk_adm *adm, const char *target)
{
	struct sk_sel sel = { .target = target, .port = -1 };
	struct sk_sessions running;
	bool found = sk_sessions_find(adm, &sel, SK_SYS_FLAT, &running) == 0 && running.n;

	sk_sessions_free(&running);
	return found;
}

/** records with node.leading_login: one session for each target, over the first of its portals that works */
static int login_leading(struct sk_adm *adm, struct sk_nodes *nodes, size_t n)
{
	bool missed = false;

	for (size_t i = 0; i < n;) {
		const char *target = nodes->v[i].key.target.s;
		bool up = has_session(adm, target);

		for (; i < n && strcmp(nodes->v[i].key.target.s, target) == 0; i++) {
			struct sk_nodes one = { &nodes->v[i], 1 };

			if (!up && sk_login_nodes(adm, &one, SK_LOGIN_WANTED) == 0)
				up = true;
			else if (!up)
				sk_warn(adm, "Could not log into all portals on %s, trying next interface",
					nodes->v[i].key.iface);
		}
		missed |= !up;
	}
	if (!missed)
		return 0;
	sk_warn(adm, "Could not login all leading-login portals");
	return SK_RES_FATAL_LOGIN;
}

int sk_login_all(struct sk_adm *adm)
{
	static const char *const classes[] = { "all", "manual", "automatic", "onboot" };
	const char *class = adm->args.login_class;
	struct sk_sel any = { .port = -1 };
	struct sk_nodes nodes;
	size_t n, n_leading, i = 0;
	int code;

	sk_doc_action(adm, "login");
	while (i < SK_ARRAY_LEN(classes) && strcmp(class, classes[i]) != 0)
		i++;
	if (i == SK_ARRAY_LEN(classes)) {
		sk_warn(adm, "Invalid loginall option %s.", class);
		sk_try_help(adm);
		return SK_RES_INVAL;
	}
	code = sk_nodes_find(adm, &any, false, &nodes);
	if (code)
		return code;
	n_leading = part(&nodes, class, true);
	if (n_leading)
		code = login_leading(adm, &nodes, n_leading);
	n = part(&nodes, class, false);
	if (n)
		code = sk_adm_first(sk_login_nodes(adm, &(struct sk_nodes){ nodes.v, n }, SK_LOGIN_WANTED), code);
	else if (!n_leading)
		code = none_found(adm);
	sk_nodes_free(&nodes);
	return code;
}
