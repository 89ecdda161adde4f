/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/mem.h"
#include "iscsiadm/iface_change.h"
#include "iscsiadm/node_make.h"
#include "iscsiadm/node_show.h"
#include "iscsiadm/select.h"
#include "iscsiadm/values.h"
#include "sys/kernel.h"

static const char *name_of(const struct sk_adm *adm)
{
	return adm->args.n_ifaces ? adm->args.ifaces[0] : NULL;
}

/* --- list, show -------------------------------------------------------------------------------------- */

static const char *or_empty(const struct sk_record *r, const char *key)
{
	const char *v = sk_record_get(r, key);

	return v && *v ? v : "<empty>";
}

static struct json_object *json_iface(const struct sk_record *r)
{
	struct json_object *o = json_object_new_object();

	sk_jput_str(o, "iface", sk_record_get(r, "iface.iscsi_ifacename"));
	sk_jput_str(o, "transport", sk_record_get(r, "iface.transport_name"));
	sk_jput_str(o, "hwaddress", sk_record_get(r, "iface.hwaddress"));
	sk_jput_str(o, "ipaddress", sk_record_get(r, "iface.ipaddress"));
	sk_jput_str(o, "netdev", sk_record_get(r, "iface.net_ifacename"));
	sk_jput_str(o, "initiator", sk_record_get(r, "iface.initiatorname"));
	return o;
}

static bool list_one(void *ctx, const struct sk_record *r)
{
	struct sk_adm *adm = ctx;

	if (adm->doc)
		sk_doc_add(adm, "ifaces", json_iface(r));
	sk_say(adm, "%s %s,%s,%s,%s,%s\n", or_empty(r, "iface.iscsi_ifacename"),
	       or_empty(r, "iface.transport_name"), or_empty(r, "iface.hwaddress"), or_empty(r, "iface.ipaddress"),
	       or_empty(r, "iface.net_ifacename"), or_empty(r, "iface.initiatorname"));
	return true;
}

static int list(struct sk_adm *adm)
{
	struct sk_err err = { 0 };

	sk_doc_action(adm, "list");
	sk_doc_list(adm, "ifaces");
	if (sk_store_ifaces(adm->store, true, list_one, adm, sk_skip_told, adm, &err) >= 0)
		return 0;
	sk_warn(adm, "%s", err.msg);
	sk_doc_error(adm, SK_RES_IDBM, &err, NULL);
	return SK_RES_IDBM;
}

/** the named iface; a failure is told in the form of the library */
static struct sk_record *must_read(struct sk_adm *adm, const char *name)
{
	struct sk_err err = { 0 };
	struct sk_record *r = sk_store_iface_get(adm->store, name, &err);

	if (r)
		return r;
	if (err.code == SK_ENOENT)
		sk_lib_say(adm, 'E', "Failed to open %s/ifaces/%s using read mode: 2 No such file or directory",
			   adm->places.dbroot, sk_adm_printable(name).s);
	else
		sk_lib_say(adm, 'E', "%s", err.msg);
	sk_doc_error(adm, SK_RES_IDBM, &err, &(struct sk_about){ .iface = name });
	return NULL;
}

static int show(struct sk_adm *adm)
{
	struct sk_record *r;
	struct json_object *o;
	SK_BUF struct sk_buf out = { 0 };

	sk_doc_action(adm, "show");
	sk_doc_list(adm, "ifaces");
	r = must_read(adm, name_of(adm));
	if (!r)
		return SK_RES_IDBM;
	if (adm->doc) {
		o = json_iface(r);
		json_object_object_add(o, "record", sk_jrecord(r, false));
		sk_doc_add(adm, "ifaces", o);
	}
	sk_record_print(&out, r, SK_FORM_SHOW);
	sk_say_buf(adm, &out);
	sk_record_free(r);
	return 0;
}

/* --- the tree ---------------------------------------------------------------------------------------- */

struct tree {
	struct sk_adm *adm;
	const struct sk_nodes *nodes;
};

static bool tree_one(void *ctx, const struct sk_record *r)
{
	struct tree *t = ctx;
	const char *name = sk_record_get(r, "iface.iscsi_ifacename");
	struct json_object *o = t->adm->doc ? json_iface(r) : NULL;
	struct json_object *nodes = o ? json_object_new_array() : NULL;
	SK_BUF struct sk_buf out = { 0 };
	const char *target = "";

	sk_buf_printf(&out, "Iface: %s\n", name);
	for (size_t i = 0; i < t->nodes->n; i++) {
		const struct sk_node_key *k = &t->nodes->v[i].key;

		if (strcmp(k->iface, name) != 0)
			continue;
		if (nodes)
			json_object_array_add(nodes, sk_node_json(k, NULL, false, false));
		if (strcmp(target, k->target.s) != 0)
			sk_buf_printf(&out, "\tTarget: %s\n", k->target.s);
		target = k->target.s;
		sk_buf_str(&out, "\t\tPortal: ");
		sk_portal_line(&out, &k->portal, "-1");
		sk_buf_ch(&out, '\n');
	}
	sk_say_buf(t->adm, &out);
	if (o) {
		json_object_object_add(o, "nodes", nodes);
		sk_doc_add(t->adm, "ifaces", o);
	}
	return true;
}

static int tree(struct sk_adm *adm)
{
	struct sk_sel any = { .port = -1 };
	struct sk_nodes nodes;
	struct tree t = { adm, &nodes };
	struct sk_record *one = NULL;
	struct sk_err err = { 0 };
	int code;

	sk_doc_action(adm, "list");
	sk_doc_list(adm, "ifaces");
	code = sk_nodes_find(adm, &any, false, &nodes);
	if (!code && nodes.n && name_of(adm) && !(one = must_read(adm, name_of(adm))))
		code = SK_RES_IDBM;
	if (!code && nodes.n && one)
		tree_one(&t, one);
	else if (!code && nodes.n && sk_store_ifaces(adm->store, true, tree_one, &t, sk_skip_told, adm, &err) < 0)
		code = sk_store_code(adm, &err, NULL);
	sk_record_free(one);
	sk_nodes_free(&nodes);
	return code;
}

/* --- ping, network settings: for offload transports -------------------------------------------------- */

static int refuse(struct sk_adm *adm, const char *text)
{
	sk_warn(adm, "%s", text);
	sk_doc_error(adm, SK_RES_INVAL, NULL, NULL);
	return SK_RES_INVAL;
}

static int refuse_number(struct sk_adm *adm, const char *what, int n)
{
	sk_warn(adm, "Invalid %s: %d.", what, n);
	sk_doc_error(adm, SK_RES_INVAL, NULL, NULL);
	return SK_RES_INVAL;
}

/** an iface whose driver is asked; NULL with *ret_code when there is none */
static struct sk_record *need_iface(struct sk_adm *adm, int *ret_code)
{
	struct sk_record *r = sk_store_iface_get(adm->store, name_of(adm), NULL);

	if (r)
		return r;
	sk_warn(adm, "Could not read iface %s (6).", sk_adm_printable(name_of(adm)).s);
	*ret_code = SK_RES_IDBM;
	sk_doc_error(adm, *ret_code, NULL, &(struct sk_about){ .iface = name_of(adm) });
	return NULL;
}

/** the transport is loaded; without the kernel's iSCSI sessions of "tcp" are ours */
static bool has_transport(const struct sk_adm *adm, const struct sk_record *r)
{
	const char *transport = sk_record_get(r, "iface.transport_name");

	return strcmp(transport, "tcp") == 0 || sk_sys_has_transport(&adm->places, transport);
}

/** network settings are there to be given to an adapter */
static bool is_configured(const struct sk_record *r)
{
	const char *proto = sk_record_get(r, "iface.bootproto");

	return *sk_record_get(r, "iface.ipaddress") || (proto && strcmp(proto, "dhcp") == 0);
}

static int ping(struct sk_adm *adm)
{
	const struct sk_adm_args *a = &adm->args;
	struct sk_record *r;
	char buf[64];
	bool there;
	int code;

	sk_doc_action(adm, "ping");
	if (!name_of(adm))
		return refuse(adm, "Ping requires iface.");
	if (!a->ping_ip)
		return refuse(adm, "Ping requires destination ipaddress.");
	if (a->ping_size <= 0)
		return refuse_number(adm, "packet size", a->ping_size);
	if (a->ping_count <= 0)
		return refuse_number(adm, "number of packets to transmit", a->ping_count);
	if (a->ping_interval < 0)
		return refuse_number(adm, "timing interval", a->ping_interval);
	r = need_iface(adm, &code);
	if (!r)
		return code;
	there = has_transport(adm, r);
	sk_record_free(r);
	if (!there)
		return refuse(adm, "Can't find transport.");
	if (!sk_host_known(a->ping_ip))
		return refuse(adm, "Invalid IP address.");
	for (int i = 1; i <= a->ping_count; i++)
		sk_say(adm, "Ping %d failed: %s\n", i, sk_result_words(SK_RES_OP_NOT_SUPP, buf, sizeof(buf)));
	sk_doc_error(adm, SK_RES_OP_NOT_SUPP, NULL, &(struct sk_about){ .iface = name_of(adm) });
	return SK_RES_OP_NOT_SUPP;
}

static int not_applied(struct sk_adm *adm)
{
	char buf[64];

	sk_warn(adm, "Could not apply net configuration: %s", sk_result_words(SK_RES_ERR, buf, sizeof(buf)));
	sk_doc_error(adm, SK_RES_ERR, NULL, NULL);
	return SK_RES_ERR;
}

static int apply(struct sk_adm *adm)
{
	struct sk_record *r;
	bool configured;
	int code = 0;

	sk_doc_action(adm, "apply");
	if (!name_of(adm))
		return refuse(adm, "Apply requires iface.");
	r = need_iface(adm, &code);
	if (!r)
		return code;
	configured = is_configured(r);
	sk_record_free(r);
	if (configured) {
		sk_warn(adm, "Set net_config failed. errno=0");
		return not_applied(adm);
	}
	sk_warn(adm, "Nothing to configure.");
	sk_say(adm, "%s applied.\n", name_of(adm));
	return 0;
}

static bool stop_at_configured(void *ctx, const struct sk_record *r)
{
	bool *found = ctx;

	*found = is_configured(r);
	return !*found;
}

static int applyall(struct sk_adm *adm)
{
	struct sk_err err = { 0 };
	bool found = false;

	sk_doc_action(adm, "apply");
	if (!adm->args.has_host)
		return refuse(adm, "Apply all requires host.");
	if (sk_store_ifaces(adm->store, false, stop_at_configured, &found, sk_skip_told, adm, &err) < 0)
		return sk_store_code(adm, &err, NULL);
	if (found)
		return not_applied(adm);
	sk_warn(adm, "Nothing to configure.");
	sk_say(adm, "Applied settings to ifaces attached to host%u.\n", adm->args.host);
	return 0;
}

static int bad_level(struct sk_adm *adm)
{
	sk_warn(adm, "Invalid info level %d. Try 0 - 1.", adm->args.level);
	return SK_RES_INVAL;
}

static int bad_op(struct sk_adm *adm)
{
	return refuse(adm, "operation is not supported.");
}

/* --- the table --------------------------------------------------------------------------------------- */

/* clang-format off */
static bool is_ping(const struct sk_adm *adm) { return adm->args.submode == SK_SUB_PING; }
static bool op_new(const struct sk_adm *adm) { return adm->args.ops == SK_OP_NEW; }
static bool op_update(const struct sk_adm *adm) { return adm->args.ops == SK_OP_UPDATE; }
static bool op_delete(const struct sk_adm *adm) { return adm->args.ops == SK_OP_DELETE; }
static bool op_apply(const struct sk_adm *adm) { return adm->args.ops == SK_OP_APPLY; }
static bool op_applyall(const struct sk_adm *adm) { return adm->args.ops == SK_OP_APPLYALL; }
static bool other_op(const struct sk_adm *adm) { return adm->args.ops && adm->args.ops != SK_OP_SHOW; }
static bool high_level(const struct sk_adm *adm) { return adm->args.level > 1; }
static bool level_one(const struct sk_adm *adm) { return adm->args.level == 1; }
static bool named(const struct sk_adm *adm) { return name_of(adm); }
/* clang-format on */

static const struct sk_adm_rule rules[] = {
	{ is_ping, ping },
	{ op_new, sk_adm_iface_new },
	{ op_update, sk_adm_iface_update },
	{ op_delete, sk_adm_iface_delete },
	{ op_apply, apply },
	{ op_applyall, applyall },
	{ other_op, bad_op },
	{ high_level, bad_level },
	{ level_one, tree },
	{ named, show },
	{ NULL, list },
};

int sk_mode_iface(struct sk_adm *adm)
{
	if (adm->args.n_ifaces > 1)
		sk_warn(adm, "iface mode only accepts one interface. Using the first one %s.", name_of(adm));
	return sk_adm_dispatch(adm, rules);
}
