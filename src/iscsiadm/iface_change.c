/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "iscsiadm/change.h"
#include "iscsiadm/iface_change.h"
#include "iscsiadm/node_make.h"
#include "iscsiadm/select.h"
#include "iscsiadm/values.h"
#include "record/iface.h"

static const char *name_of(const struct sk_adm *adm)
{
	return adm->args.n_ifaces ? adm->args.ifaces[0] : NULL;
}

/** end with a code: an entry in the document, and in "errors" when it is one */
static int end(struct sk_adm *adm, const char *name, int code, const struct sk_err *err)
{
	struct sk_about about = { .iface = name };
	struct json_object *o;

	if (!adm->doc)
		return code;
	o = sk_doc_about(&about);
	sk_jput_int(o, "code", code);
	sk_jput_str(o, "name", sk_result_name(code));
	sk_doc_add(adm, "results", o);
	if (code)
		sk_doc_error(adm, code, err, &about);
	return code;
}

/** how many sessions use the iface */
static size_t in_use(struct sk_adm *adm, const char *name)
{
	struct sk_sel sel = { .port = -1, .iface = name };
	struct sk_sessions s;
	size_t n = sk_sessions_find(adm, &sel, SK_SYS_FLAT, &s) == 0 ? s.n : 0;

	sk_sessions_free(&s);
	return n;
}

/* --- fields ------------------------------------------------------------------------------------------ */

/** changing how an iface is bound from one kind to the other is refused */
static const char *binding_clash(const struct sk_record *r, const char *key)
{
	const char *hw = sk_record_get(r, "iface.hwaddress");
	const char *dev = sk_record_get(r, "iface.net_ifacename");

	if (strcmp(key, "iface.net_ifacename") == 0 && *hw && strcmp(hw, "default") != 0)
		return "Can not update interface binding from hwaddress to net_ifacename. You must delete the "
		       "interface and "
		       "create a new one";
	if (strcmp(key, "iface.hwaddress") == 0 && *dev && strcmp(dev, "default") != 0)
		return "Can not update interface binding from net_ifacename to hwaddress. You must delete the "
		       "interface and "
		       "create a new one";
	return NULL;
}

/** the pairs on an iface record; what is refused is told */
static int apply_pairs(struct sk_adm *adm, struct sk_record *r)
{
	for (unsigned i = 0; i < adm->args.n_pairs; i++) {
		const char *key = adm->args.pairs[i].name;
		const char *clash = binding_clash(r, key);

		if (strcmp(key, "iface.iscsi_ifacename") == 0)
			clash = "Can not update iface.iscsi_ifacename. Delete it, and then create a new one.";
		if (!clash)
			continue;
		sk_warn(adm, "%s", clash);
		return SK_RES_INVAL;
	}
	return sk_pairs_apply(adm, r, false);
}

/** the node records bound to the iface carry a copy of its fields: what was set goes there too */
static int update_nodes(struct sk_adm *adm, const char *name)
{
	struct sk_sel any = { .port = -1 };
	struct sk_nodes nodes;
	int code = sk_nodes_find(adm, &any, false, &nodes);

	for (size_t i = 0; i < nodes.n; i++) {
		struct sk_record *r = nodes.v[i].record;
		struct sk_err err = { 0 };

		if (strcmp(nodes.v[i].key.iface, name) != 0)
			continue;
		for (unsigned p = 0; p < adm->args.n_pairs; p++)
			(void)sk_record_set(r, adm->args.pairs[p].name, adm->args.pairs[p].value, NULL);
		if (sk_store_node_put(adm->store, r, &err) < 0)
			code = sk_adm_first(code, sk_store_code(adm, &err, NULL));
	}
	sk_nodes_free(&nodes);
	return code;
}

/* --- new --------------------------------------------------------------------------------------------- */

static int new_failed(struct sk_adm *adm, const char *name, int code, const struct sk_err *err)
{
	sk_warn(adm, "Could not create new interface %s.", sk_adm_printable(name).s);
	return end(adm, name, code, err);
}

static int new_locked(struct sk_adm *adm, const void *what)
{
	const char *name = what;
	struct sk_err err = { 0 };
	struct sk_record *r = sk_iface_new(name, &err);
	int code = 0;

	if (!r)
		code = sk_store_code(adm, &err, NULL);
	if (!code)
		code = apply_pairs(adm, r);
	if (!code && sk_store_iface_put(adm->store, r, &err) < 0)
		code = sk_store_code(adm, &err, NULL);
	if (!code && adm->args.n_pairs)
		code = update_nodes(adm, name);
	sk_record_free(r);
	if (code)
		return new_failed(adm, name, code, &err);
	sk_say(adm, "%s updated.\nNew interface %s added\n", name, name);
	return end(adm, name, 0, NULL);
}

int sk_adm_iface_new(struct sk_adm *adm)
{
	const char *name = name_of(adm);

	sk_doc_action(adm, "new");
	sk_doc_list(adm, "results");
	if (!name) {
		sk_warn(adm, "Could not add interface. No interface passed in.");
		return end(adm, NULL, SK_RES_INVAL, NULL);
	}
	if (!sk_iface_name_ok(name)) {
		sk_warn(adm,
			"Invalid iface name '%s': it names a file, so it must not hold '/' or control characters, "
			"nor "
			"begin with a dot.",
			sk_adm_printable(name).s);
		return new_failed(adm, name, SK_RES_INVAL, NULL);
	}
	if (sk_iface_is_builtin(name)) {
		sk_warn(adm, "iface %s is a special interface and is not stored in %s/ifaces.", name,
			adm->places.dbroot);
		return new_failed(adm, name, SK_RES_INVAL, NULL);
	}
	if (in_use(adm, name))
		return new_failed(adm, name, SK_RES_SESS_EXISTS, NULL);
	return sk_adm_change(adm, new_locked, name);
}

/* --- update ------------------------------------------------------------------------------------------ */

static int update_failed(struct sk_adm *adm, const char *name, int code, const struct sk_err *err)
{
	char buf[64];

	sk_warn(adm, "Could not update iface %s: %s", name, sk_result_words(code, buf, sizeof(buf)));
	return end(adm, name, code, err);
}

static int update_locked(struct sk_adm *adm, const void *what)
{
	const char *name = what;
	struct sk_err err = { 0 };
	struct sk_record *r = sk_store_iface_get(adm->store, name, &err);
	int code;

	if (!r) {
		sk_warn(adm, "Could not read iface info for %s.", sk_adm_printable(name).s);
		return end(adm, name, SK_RES_INVAL, &err);
	}
	if (in_use(adm, name))
		sk_warn(adm, "Updating iface while iscsi sessions are using it. You must logout the running "
			     "sessions then log "
			     "back in for the new settings to take affect.");
	code = apply_pairs(adm, r);
	if (!code && sk_store_iface_put(adm->store, r, &err) < 0)
		code = sk_store_code(adm, &err, NULL);
	if (!code)
		code = update_nodes(adm, name);
	sk_record_free(r);
	if (code)
		return update_failed(adm, name, code, &err);
	sk_say(adm, "%s updated.\n", name);
	return end(adm, name, 0, NULL);
}

int sk_adm_iface_update(struct sk_adm *adm)
{
	const char *name = name_of(adm);

	sk_doc_action(adm, "update");
	sk_doc_list(adm, "results");
	if (!name || !adm->args.n_pairs) {
		sk_warn(adm, "Update requires name, value, and iface.");
		return end(adm, name, SK_RES_INVAL, NULL);
	}
	if (sk_iface_is_builtin(name)) {
		/* programs write back what they read and count on 0 here, though nothing is changed */
		sk_warn(adm, "iface %s is a special interface and cannot be modified.", name);
		update_failed(adm, name, SK_RES_INVAL, NULL);
		return 0;
	}
	return sk_adm_change(adm, update_locked, name);
}

/* --- delete ------------------------------------------------------------------------------------------ */

static int delete_failed(struct sk_adm *adm, const char *name, int code, const struct sk_err *err)
{
	char buf[64];

	sk_warn(adm, "Could not delete iface %s: %s", sk_adm_printable(name).s,
		sk_result_words(code, buf, sizeof(buf)));
	return end(adm, name, code, err);
}

/** keep in @nodes only what is bound to the iface */
static void only_bound(struct sk_nodes *nodes, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < nodes->n; i++) {
		if (strcmp(nodes->v[i].key.iface, name) == 0)
			nodes->v[n++] = nodes->v[i];
		else
			sk_record_free(nodes->v[i].record);
	}
	nodes->n = n;
}

static int delete_locked(struct sk_adm *adm, const void *what)
{
	const char *name = what;
	struct sk_sel any = { .port = -1 };
	struct sk_nodes nodes;
	struct sk_err err = { 0 };
	int code = sk_nodes_find(adm, &any, false, &nodes);

	if (code)
		return delete_failed(adm, name, code, NULL);
	only_bound(&nodes, name);
	code = sk_node_delete_items(adm, &nodes);
	sk_nodes_free(&nodes);
	if (!code && sk_store_iface_delete(adm->store, name, &err) < 0)
		code = sk_store_code(adm, &err, NULL);
	if (code)
		return delete_failed(adm, name, code, &err);
	sk_say(adm, "%s unbound and deleted.\n", name);
	return end(adm, name, 0, NULL);
}

int sk_adm_iface_delete(struct sk_adm *adm)
{
	const char *name = name_of(adm);
	struct sk_err err = { 0 };
	struct sk_record *r;

	sk_doc_action(adm, "delete");
	if (!name) {
		sk_warn(adm, "Could not delete interface. No interface passed in.");
		return end(adm, NULL, SK_RES_INVAL, NULL);
	}
	if (sk_iface_is_builtin(name)) {
		sk_warn(adm, "iface %s is a special interface and cannot be deleted.", name);
		return delete_failed(adm, name, SK_RES_INVAL, NULL);
	}
	r = sk_store_iface_get(adm->store, name, &err);
	sk_record_free(r);
	if (r)
		return sk_adm_change(adm, delete_locked, name);
	sk_warn(adm, "Could not read iface info for %s.", sk_adm_printable(name).s);
	return delete_failed(adm, name, SK_RES_INVAL, &err);
}
