/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/mem.h"
#include "iscsiadm/daemon.h"
#include "iscsiadm/change.h"
#include "iscsiadm/disc_show.h"
#include "iscsiadm/node_make.h"
#include "iscsiadm/node_show.h"

static const struct kind {
	const char *title; /* of the section in the tree */
	const char *via;   /* in the flat list; NULL: no records of its own */
	const char *json;
} kinds[] = {
	[SK_DISC_SENDTARGETS] = { "SENDTARGETS", "sendtargets", "sendtargets" },
	[SK_DISC_ISNS] = { "iSNS", "isns", "isns" },
	[SK_DISC_STATIC] = { "STATIC", NULL, "static" },
	[SK_DISC_FW] = { "FIRMWARE", NULL, "fw" },
};

static struct json_object *json_disc(enum sk_disc_type type, const char *host, uint16_t port)
{
	struct json_object *o = json_object_new_object();

	sk_jput_str(o, "type", kinds[type].json);
	sk_jput_str(o, "address", host);
	json_object_object_add(o, "port", host ? json_object_new_int(port) : NULL);
	return o;
}

/* --- the list ---------------------------------------------------------------------------------------- */

struct walk {
	struct sk_adm *adm;
	size_t n; /* entries seen */
	struct sk_tree tree;
	struct json_object *nodes;
	enum sk_disc_type type;
};

static bool tree_node(void *ctx, const struct sk_node_key *key, const struct sk_record *r)
{
	struct walk *w = ctx;
	SK_BUF struct sk_buf out = { 0 };

	if (w->nodes)
		json_object_array_add(w->nodes, sk_node_json(key, r, false, false));
	sk_tree_line(&out, &w->tree, SK_TREE_CHANGED, key);
	sk_say_buf(w->adm, &out);
	w->n++;
	return true;
}

/** the nodes found through one source, as a tree; with --json as an entry of "discovery_records" */
static void tree_of(struct walk *w, const char *host, uint16_t port)
{
	struct json_object *o = w->adm->doc ? json_disc(w->type, host, port) : NULL;
	struct sk_err err = { 0 };

	w->tree = (struct sk_tree){ 0 };
	w->nodes = o ? json_object_new_array() : NULL;
	if (sk_store_disc_nodes(w->adm->store, w->type, host ? host : "", port, tree_node, w, &err) < 0)
		sk_store_code(w->adm, &err, NULL);
	if (!o)
		return;
	if (!host && !json_object_array_length(w->nodes)) {
		json_object_put(w->nodes);
		json_object_put(o);
		return;
	}
	json_object_object_add(o, "nodes", w->nodes);
	sk_doc_add(w->adm, "discovery_records", o);
}

static bool tree_disc(void *ctx, enum sk_disc_type type, const char *host, uint16_t port, const struct sk_record *r)
{
	struct walk *w = ctx;

	(void)type;
	(void)r;
	sk_say(w->adm, "DiscoveryAddress: %s,%u\n", host, port);
	w->n++;
	tree_of(w, host, port);
	return true;
}

static bool flat_disc(void *ctx, enum sk_disc_type type, const char *host, uint16_t port, const struct sk_record *r)
{
	struct walk *w = ctx;

	(void)r;
	sk_say(w->adm, "%s:%u via %s\n", host, port, kinds[type].via);
	if (w->adm->doc)
		sk_doc_add(w->adm, "discovery_records", json_disc(type, host, port));
	w->n++;
	return true;
}

static int each_disc(struct walk *w, sk_disc_visit *visit)
{
	struct sk_err err = { 0 };

	if (sk_store_discs(w->adm->store, w->type, visit, w, sk_skip_told, w->adm, &err) >= 0)
		return 0;
	return sk_store_code(w->adm, &err, NULL);
}

static int list_flat(struct sk_adm *adm)
{
	struct walk w = { .adm = adm };
	int code = 0;

	for (w.type = SK_DISC_SENDTARGETS; w.type <= SK_DISC_ISNS; w.type++)
		code = sk_adm_first(code, each_disc(&w, flat_disc));
	return code || w.n ? code : SK_RES_NO_OBJS_FOUND;
}

static int list_tree(struct sk_adm *adm)
{
	struct walk w = { .adm = adm };
	size_t n_all = 0;
	int code = 0;

	for (w.type = SK_DISC_SENDTARGETS; w.type <= SK_DISC_FW; w.type++) {
		w.n = 0;
		sk_say(adm, "%s:\n", kinds[w.type].title);
		if (kinds[w.type].via)
			code = sk_adm_first(code, each_disc(&w, tree_disc));
		if (!kinds[w.type].via || (w.type == SK_DISC_ISNS && !w.n))
			tree_of(&w, NULL, 0);
		if (!w.n)
			sk_say(adm, "No targets found.\n");
		n_all += w.n;
	}
	return code || n_all ? code : SK_RES_NO_OBJS_FOUND;
}

int sk_disc_list(struct sk_adm *adm)
{
	sk_doc_action(adm, "list");
	sk_doc_list(adm, "discovery_records");
	return adm->args.level < 1 ? list_flat(adm) : list_tree(adm);
}

/* --- one record -------------------------------------------------------------------------------------- */

struct sk_record *sk_disc_new_record(struct sk_adm *adm, const struct sk_disc_ref *ref, struct sk_err *err)
{
	bool isns = ref->type == SK_DISC_ISNS;
	struct sk_record *r = sk_record_new(isns ? SK_REC_ISNS : SK_REC_SENDTARGETS, err);
	char port[16];
	const char *set[][2] = {
		{ "discovery.startup", "manual" },
		{ "discovery.type", isns ? "isns" : "sendtargets" },
		{ "discovery.sendtargets.address", ref->host },
		{ "discovery.sendtargets.port", port },
	};

	snprintf(port, sizeof(port), "%u", ref->port);
	if (!r)
		return NULL;
	if (sk_conf_apply(sk_daemon_conf(adm), r, sk_conf_told, adm, err) < 0)
		goto undo;
	for (size_t i = 0; i < SK_ARRAY_LEN(set); i++)
		if (sk_record_set(r, set[i][0], set[i][1], err) < 0)
			goto undo;
	return r;
undo:
	sk_record_free(r);
	return NULL;
}

bool sk_disc_preserves(struct sk_adm *adm)
{
	SK_MEM char *word = sk_conf_get(sk_daemon_conf(adm), "discovery.preserve_node_settings", NULL);

	return !word || strcmp(word, "No") != 0;
}

struct sk_record *sk_disc_fresh_record(struct sk_adm *adm, const struct sk_disc_ref *ref, struct sk_err *err)
{
	struct sk_record *r = sk_disc_new_record(adm, ref, err);
	struct sk_record *old = NULL;

	if (r && sk_disc_preserves(adm))
		old = sk_store_disc_get(adm->store, ref->type, ref->host, ref->port, NULL);
	if (old && sk_store_keep_user(adm->store, old, r, false, err) < 0) {
		sk_record_free(r);
		r = NULL;
	}
	sk_record_free(old);
	return r;
}

static int done(struct sk_adm *adm, const struct sk_disc_ref *ref, int code, const struct sk_err *err)
{
	struct sk_about about = { .host = ref->host, .port = ref->port };
	struct json_object *o;

	if (!adm->doc)
		return code;
	o = json_disc(ref->type, ref->host, ref->port);
	sk_jput_int(o, "code", code);
	sk_jput_str(o, "name", sk_result_name(code));
	sk_doc_add(adm, "results", o);
	if (code)
		sk_doc_error(adm, code, err, &about);
	return code;
}

int sk_disc_new(struct sk_adm *adm, const struct sk_disc_ref *ref)
{
	struct sk_err err = { 0 };
	struct sk_record *r = sk_disc_new_record(adm, ref, &err);
	int code = 0;

	sk_doc_action(adm, "new");
	if (!r || sk_store_disc_renew(adm->store, r, &err) < 0)
		code = sk_store_code(adm, &err, NULL);
	else
		sk_say(adm, "New discovery record for [%s,%u] added.\n", ref->host, ref->port);
	sk_record_free(r);
	return done(adm, ref, code, &err);
}

/** the stored record, or what discoverydb mode says when it is not there */
static struct sk_record *must_get(struct sk_adm *adm, const struct sk_disc_ref *ref, int *ret_code)
{
	struct sk_err err = { 0 };
	struct sk_record *r = sk_store_disc_get(adm->store, ref->type, ref->host, ref->port, &err);

	if (r)
		return r;
	*ret_code = SK_RES_IDBM;
	if (err.code == SK_ENOENT)
		sk_warn(adm, "Discovery record [%s,%u] not found.", ref->host, ref->port);
	else
		sk_warn(adm, "%s", err.msg);
	done(adm, ref, *ret_code, &err);
	return NULL;
}

int sk_disc_show(struct sk_adm *adm, const struct sk_disc_ref *ref)
{
	bool secrets = adm->args.show_secrets;
	struct sk_buf out = { 0 };
	struct json_object *o;
	struct sk_record *r;
	int code = 0;

	sk_doc_action(adm, "show");
	r = must_get(adm, ref, &code);
	if (!r)
		return code;
	sk_record_print(&out, r, secrets ? SK_FORM_SHOW_SECRETS : SK_FORM_SHOW);
	sk_say_buf(adm, &out);
	sk_buf_wipe(&out);
	if (adm->doc) {
		o = json_disc(ref->type, ref->host, ref->port);
		json_object_object_add(o, "record", sk_jrecord(r, secrets));
		sk_doc_add(adm, "discovery_records", o);
	}
	sk_record_free(r);
	return 0;
}

static int update_locked(struct sk_adm *adm, const void *what)
{
	const struct sk_disc_ref *ref = what;
	struct sk_err err = { 0 };
	int code = 0;
	struct sk_record *r = must_get(adm, ref, &code);

	if (!r)
		return code;
	if (!adm->args.n_pairs) {
		sk_warn(adm, "Update requires name and value.");
		code = SK_RES_INVAL;
	} else {
		code = sk_pairs_apply(adm, r, false);
	}
	if (!code && sk_store_disc_put(adm->store, r, &err) < 0)
		code = sk_store_code(adm, &err, NULL);
	sk_record_free(r);
	return done(adm, ref, code, &err);
}

int sk_disc_update(struct sk_adm *adm, const struct sk_disc_ref *ref)
{
	sk_doc_action(adm, "update");
	return sk_adm_change(adm, update_locked, ref);
}

static int delete_locked(struct sk_adm *adm, const void *what)
{
	const struct sk_disc_ref *ref = what;
	struct sk_err err = { 0 };
	int code = 0;
	struct sk_record *r = must_get(adm, ref, &code);

	if (!r)
		return code;
	sk_record_free(r);
	if (sk_store_disc_delete(adm->store, ref->type, ref->host, ref->port, &err) < 0)
		code = sk_store_code(adm, &err, NULL);
	return done(adm, ref, code, &err);
}

int sk_disc_delete(struct sk_adm *adm, const struct sk_disc_ref *ref)
{
	sk_doc_action(adm, "delete");
	return sk_adm_change(adm, delete_locked, ref);
}
