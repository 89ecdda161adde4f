/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "discover/isns.h"
#include "discover/merge.h"
#include "discover/sendtargets.h"
#include "iscsiadm/daemon.h"
#include "iscsiadm/disc_iface.h"
#include "iscsiadm/disc_run.h"
#include "iscsiadm/disc_show.h"
#include "iscsiadm/login.h"
#include "iscsiadm/node_make.h"
#include "iscsiadm/node_show.h"
#include "loop/loop.h"
#include "loop/rng.h"
#include "mgmt/message.h"

/** one portal found through one iface */
struct item {
	struct sk_found found;
	const struct sk_record *iface;
};

struct run {
	struct sk_rng rng;	/* lent to the discovery as long as it runs */
	struct sk_adm *adm;
	const struct sk_disc_ref *ref;
	const struct sk_record *record;
	struct sk_disc_ifaces ifaces;
	struct item *items;
	unsigned n;
	/* of the iface whose turn it is */
	struct sk_loop *loop;
	const struct sk_record *iface;
	int code;
	struct sk_err err;
	struct sk_sessions running; /* while records change */
	const struct sk_disc_result *known; /* found without asking; NULL otherwise */
};

/* --- asking ------------------------------------------------------------------------------------------ */

static void told(void *ctx, const char *line)
{
	struct run *r = ctx;

	sk_warn(r->adm, "%s", line);
}

static void keep(struct run *r, const struct sk_found *found, unsigned n)
{
	struct item *items;

	items = reallocarray(r->items, (size_t)r->n + n + 1, sizeof(*items));
	if (!items) {
		r->code = SK_RES_NOMEM;
		return;
	}
	r->items = items;
	for (unsigned i = 0; i < n; i++)
		r->items[r->n++] = (struct item){ found[i], r->iface };
}

static void st_done(void *ctx, const struct sk_found *found, unsigned n, const struct sk_err *err)
{
	struct run *r = ctx;

	sk_loop_stop(r->loop);
	if (err) {
		r->err = *err;
		r->code = (int)sk_result_of_discovery(err);
		return;
	}
	keep(r, found, n);
}

/** an iSNS server that cannot be reached is a query that failed, for the incumbent too (spec: cli.md 4.7) */
static void isns_done(void *ctx, const struct sk_found *found, unsigned n, enum sk_isns_stage stage, const struct sk_err *err)
{
	struct run *r = ctx;

	sk_loop_stop(r->loop);
	if (err) {
		r->err = *err;
		r->code = err->code == SK_ENOMEM	 ? SK_RES_NOMEM
			  : stage == SK_ISNS_REGISTER ? SK_RES_ISNS_REG_FAILED
						      : SK_RES_ISNS_QUERY;
		sk_warn(r->adm, "iSNS discovery failed: %s", err->msg);
		return;
	}
	keep(r, found, n);
}

/** the initiator name: of the iface, else the daemon knows it; tells what is missing */
static int need_initiator(struct run *r, struct sk_iname *ret)
{
	struct sk_mgmt_answer a = { 0 };
	const char *name = sk_record_get(r->iface, "iface.initiatorname");
	int code = 0;

	*ret = (struct sk_iname){ { 0 } };
	if (*name)
		return 0;
	code = sk_daemon_reach(r->adm, SK_DAEMON_START);
	if (!code)
		code = sk_daemon_call(r->adm, "config", NULL, 10000, &a, &r->err);
	if (code) {
		sk_warn(r->adm, "Cannot perform discovery. Initiatorname required.");
	} else {
		name = sk_msg_str(a.result, "initiator");
		if (!name || sk_iname_parse(sk_span_str(name), ret, &r->err) < 0) {
			code = SK_RES_INVAL;
			sk_warn(r->adm, "Cannot perform discovery. Invalid Initiatorname.");
			name = sk_msg_str(a.result, "initiator_error");
			if (name)
				sk_warn(r->adm, "%s", name);
		}
	}
	sk_mgmt_answer_free(&a);
	return code;
}

static struct sk_disc *start_st(struct run *r, const struct sk_iname *initiator)
{
	static const struct sk_disc_events events = { .say = told, .done = st_done };
	struct sk_disc_cfg cfg = { .disc = r->record, .iface = r->iface, .initiator = initiator, .deadline_ms = UINT64_MAX };

	r->rng = sk_rng_system();
	return sk_disc_start(r->loop, &r->rng, &cfg, &events, r, &r->err);
}

static struct sk_isns *start_isns(struct run *r, const struct sk_iname *initiator)
{
	static const struct sk_isns_ask_events events = { .say = told, .done = isns_done };
	const char *own = sk_record_get(r->iface, "iface.initiatorname");
	struct sk_isns_cfg cfg = { .host = r->ref->host, .port = r->ref->port, .n_names = 1 };
	struct sk_iname name = *initiator;
	char worker[600];

	if ((*own && sk_iname_parse(sk_span_str(own), &name, &r->err) < 0) ||
	    sk_places_helper(&r->adm->places, "isns-worker", worker, sizeof(worker), &r->err) < 0)
		return NULL;
	cfg.worker = worker;
	cfg.names = &name;
	return sk_isns_ask(r->loop, &cfg, &events, r, &r->err);
}

/** what a discovery that could not even begin ends with */
static int not_begun(const struct run *r)
{
	if (r->ref->type == SK_DISC_ISNS && r->err.code == SK_ENOENT)
		return SK_RES_ISNS_UNAVAILABLE;
	return (int)sk_result_of_discovery(&r->err);
}

/** one discovery through r->iface; r->code says how it ended */
static void ask(struct run *r)
{
	struct sk_iname initiator;
	struct sk_isns *isns = NULL;
	struct sk_disc *st = NULL;

	r->code = need_initiator(r, &initiator);
	if (r->code)
		return;
	r->loop = sk_loop_new(&r->err);
	if (r->loop && r->ref->type == SK_DISC_ISNS)
		isns = start_isns(r, &initiator);
	else if (r->loop)
		st = start_st(r, &initiator);
	if (st || isns) {
		sk_loop_run(r->loop);
	} else {
		r->code = not_begun(r);
		sk_warn(r->adm, "%s", r->err.msg);
	}
	sk_disc_free(st);
	sk_isns_free(isns);
	sk_loop_free(r->loop);
	r->loop = NULL;
}

/** through every iface in turn; what one of several cannot reach another may */
static int ask_all(struct run *r)
{
	char buf[64];

	for (unsigned i = 0; i < r->ifaces.n; i++) {
		r->iface = r->ifaces.v[i];
		ask(r);
		if (!r->code || (r->ifaces.chosen && (r->code == SK_RES_TRANS || r->code == SK_RES_TRANS_TIMEOUT)))
			continue;
		sk_warn(r->adm, "Could not perform %s discovery: %s", r->ref->type == SK_DISC_ISNS ? "iSNS" : "SendTargets",
			sk_result_words(r->code, buf, sizeof(buf)));
		sk_doc_error(r->adm, r->code, &r->err,
			     &(struct sk_about){ .host = r->ref->host, .port = r->ref->port });
		return r->code;
	}
	if (r->n)
		return 0;
	sk_warn(r->adm, "No portals found");
	return SK_RES_NO_OBJS_FOUND;
}

/* --- records ----------------------------------------------------------------------------------------- */

static bool in_use(void *ctx, const struct sk_node_key *key)
{
	struct run *r = ctx;
	struct sk_node_item item = { .key = *key };

	return sk_sessions_of_record(&r->running, &item) > 0;
}

static void tell_failed(struct run *r, const struct sk_node_key *k, const struct sk_err *why)
{
	const struct sk_record *f = NULL;

	for (unsigned i = 0; i < r->ifaces.n; i++)
		if (strcmp(sk_record_get(r->ifaces.v[i], "iface.iscsi_ifacename"), k->iface) == 0)
			f = r->ifaces.v[i];
	if (f)
		sk_warn(r->adm, "Could not add/update [%s:[hw=%s,ip=%s,net_if=%s,iscsi_if=%s] %s,%u,%d %s]",
			sk_record_get(f, "iface.transport_name"), sk_record_get(f, "iface.hwaddress"),
			sk_record_get(f, "iface.ipaddress"), sk_record_get(f, "iface.net_ifacename"), k->iface,
			k->portal.host, k->portal.port, k->portal.tpgt, k->target.s);
	if (why)
		sk_warn(r->adm, "%s", why->msg);
}

static void news(void *ctx, enum sk_merge_news what, const struct sk_node_key *key, const struct sk_err *why)
{
	static const char *const words[] = {
		[SK_MERGE_ADDED] = "added",   [SK_MERGE_UPDATED] = "updated", [SK_MERGE_DELETED] = "deleted",
		[SK_MERGE_IN_USE] = "in use", [SK_MERGE_FAILED] = "failed",
	};
	struct run *r = ctx;
	struct json_object *o;

	if (what == SK_MERGE_IN_USE)
		sk_warn(r->adm,
			"This command will remove the record [iface: %s, target: %s, portal: %s,%u], but a session "
			"is "
			"using it. Logout session then rerun command to remove record.",
			key->iface, key->target.s, key->portal.host, key->portal.port);
	if (what == SK_MERGE_FAILED)
		tell_failed(r, key, why);
	if (!r->adm->doc)
		return;
	o = sk_node_json(key, NULL, false, false);
	sk_jput_str(o, "change", words[what]);
	sk_jput_str(o, "text", why ? why->msg : NULL);
	sk_doc_add(r->adm, "changes", o);
}

static int dress(void *ctx, const struct sk_merge_item *item, struct sk_record *rec, struct sk_err *err)
{
	const struct run *r = ctx;

	for (unsigned i = 0; r->known && i < r->known->n; i++)
		if (item->target == &r->items[i].found.target)
			return r->known->dress(r->known->ctx, &r->known->v[i], rec, err);
	return 0;
}

static struct sk_merge_cfg merge_cfg(struct run *r)
{
	unsigned ops = r->adm->args.ops;

	return (struct sk_merge_cfg){
		.type = r->ref->type,
		.host = r->ref->host,
		.port = r->ref->port,
		.ops = ops ? (ops & SK_OP_NEW ? SK_MERGE_NEW : 0) | (ops & SK_OP_DELETE ? SK_MERGE_DELETE : 0) |
				       (ops & SK_OP_UPDATE ? SK_MERGE_UPDATE : 0)
			   : SK_MERGE_ALL,
		.conf_file = sk_daemon_conf(r->adm),
		.keep = !sk_disc_preserves(r->adm) ? SK_KEEP_NOTHING
			: ops & SK_OP_UPDATE	   ? SK_KEEP_UNLESS_CONF
						   : SK_KEEP_USER,
		.in_use = in_use,
		.news = news,
		.dress = dress,
		.ctx = r,
	};
}

static struct sk_merge_item merge_item(const struct item *i)
{
	return (struct sk_merge_item){ &i->found.target, &i->found.portal, i->iface };
}

/** what was found goes into the records, as one change; a record that cannot be named does not change the exit status,
 * a database that cannot be written does */
static int change_records(struct run *r)
{
	struct sk_merge_cfg cfg = merge_cfg(r);
	struct sk_merge_item *items;
	struct sk_sel any = { .port = -1 };
	struct sk_err err = { 0 };
	int code = 0;

	if (!cfg.ops || r->adm->args.ops & SK_OP_NONPERSISTENT)
		return 0;
	items = calloc(r->n, sizeof(*items));
	if (!items || sk_sessions_find(r->adm, &any, SK_SYS_FLAT, &r->running)) {
		free(items);
		sk_warn(r->adm, "no memory");
		return SK_RES_NOMEM;
	}
	for (unsigned i = 0; i < r->n; i++)
		items[i] = merge_item(&r->items[i]);
	if (sk_merge(r->adm->store, &cfg, items, r->n, &err) < 0) {
		code = sk_store_code(r->adm, &err, NULL);
		if (r->adm->doc)
			json_object_object_del(r->adm->doc, "changes");	/* nothing came of them */
	}
	sk_sessions_free(&r->running);
	free(items);
	return code;
}

/* --- the result -------------------------------------------------------------------------------------- */

static struct sk_node_key key_of(const struct item *i)
{
	struct sk_node_key key = { .target = i->found.target, .portal = i->found.portal };

	snprintf(key.iface, sizeof(key.iface), "%s", sk_record_get(i->iface, "iface.iscsi_ifacename"));
	return key;
}

static void print_found(struct run *r)
{
	SK_BUF struct sk_buf out = { 0 };
	struct sk_tree tree = { 0 };

	for (unsigned i = 0; i < r->n; i++) {
		struct sk_node_key key = key_of(&r->items[i]);

		if (r->adm->doc)
			sk_doc_add(r->adm, "targets", sk_node_json(&key, NULL, false, false));
		if (r->adm->args.level < 1)
			sk_node_flat_line(&out, &key);
		else if (r->adm->args.level == 1)
			sk_tree_line(&out, &tree, SK_TREE_CHANGED, &key);
	}
	sk_say_buf(r->adm, &out);
	fflush(r->adm->out);
}

static bool same_key(const struct sk_node_key *a, const struct sk_node_key *b)
{
	return sk_iname_eq(&a->target, &b->target) && strcmp(a->portal.host, b->portal.host) == 0 &&
	       a->portal.port == b->portal.port && strcmp(a->iface, b->iface) == 0;
}

/** -l: with the stored record of each portal, or a fresh one where none was stored */
static int login_found(struct run *r)
{
	struct sk_merge_cfg cfg = merge_cfg(r);
	struct sk_nodes nodes = { .v = calloc(r->n, sizeof(*nodes.v)) };
	int code = nodes.v ? 0 : SK_RES_NOMEM;

	for (unsigned i = 0; !code && i < r->n; i++) {
		struct sk_merge_item m = merge_item(&r->items[i]);
		struct sk_node_item item = { .key = key_of(&r->items[i]) };
		struct sk_err err = { 0 };
		bool seen = false;

		for (size_t j = 0; j < nodes.n && !seen; j++)
			seen = same_key(&nodes.v[j].key, &item.key);
		if (seen)
			continue;
		item.record = sk_store_node_get(r->adm->store, &item.key, &err);
		if (!item.record)
			item.record = sk_merge_fresh(&cfg, &m, &err);
		if (item.record)
			nodes.v[nodes.n++] = item;
		else
			code = sk_store_code(r->adm, &err, NULL);
	}
	if (!code)
		code = sk_login_nodes(r->adm, &nodes, SK_LOGIN_WANTED);
	sk_nodes_free(&nodes);
	return code;
}

static int conclude(struct run *r)
{
	int code = change_records(r);

	print_found(r);
	return r->adm->args.login ? sk_adm_first(code, login_found(r)) : code;
}

int sk_disc_conclude(struct sk_adm *adm, const struct sk_disc_ref *ref, const struct sk_disc_result *result)
{
	struct run r = { .adm = adm, .ref = ref, .known = result, .n = result->n };
	int code = SK_RES_NOMEM;

	r.items = calloc(result->n ? result->n : 1, sizeof(*r.items));
	for (unsigned i = 0; r.items && i < result->n; i++)
		r.items[i] = (struct item){ { *result->v[i].target, *result->v[i].portal }, result->v[i].iface };
	if (r.items)
		code = conclude(&r);
	free(r.items);
	return code;
}

int sk_disc_run(struct sk_adm *adm, const struct sk_disc_ref *ref, const struct sk_record *record)
{
	struct run r = { .adm = adm, .ref = ref, .record = record };
	int code;

	sk_doc_action(adm, "discover");
	sk_doc_list(adm, "targets");
	code = sk_disc_ifaces_find(adm, &r.ifaces);
	if (!code)
		code = ask_all(&r);
	if (!code)
		code = conclude(&r);
	sk_disc_ifaces_free(&r.ifaces);
	free(r.items);
	return code;
}
