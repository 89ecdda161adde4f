/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Mode fw: what the firmware says, and logins with it; and the discovery that stores it. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "discover/firmware.h"
#include "iscsiadm/daemon.h"
#include "iscsiadm/disc_run.h"
#include "iscsiadm/firmware.h"
#include "iscsiadm/login.h"
#include "iscsiadm/node_make.h"
#include "iscsiadm/values.h"

static void out_line(void *ctx, const char *text)
{
	sk_say(ctx, "%s", text);
}

/** all targets of the firmware; none is 21 */
static int read_boot(struct sk_adm *adm, struct sk_boot *ret)
{
	struct sk_err err = { 0 };

	if (sk_firmware_read(&adm->places, out_line, adm, ret, &err) < 0 || !ret->n) {
		sk_warn(adm, "Could not get list of targets from firmware. (err 21)");
		if (err.code)
			sk_warn(adm, "%s", err.msg);
		return SK_RES_NO_OBJS_FOUND;
	}
	return 0;
}

/* --- show ---------------------------------------------------------------------------------------------------- */

static void json_line(void *ctx, const char *key, const char *value)
{
	sk_jput_str(ctx, key, sk_adm_key_is_secret(key) ? NULL : value);
}

static struct json_object *target_json(const struct sk_boot_target *t)
{
	struct json_object *o = json_object_new_object(), *record = json_object_new_object();

	sk_jput_str(o, "source", t->source);
	sk_jput_str(o, "target", t->name.s);
	sk_jput_str(o, "address", t->address);
	sk_jput_int(o, "port", t->port);
	sk_jput_str(o, "initiator", t->initiator.s[0] ? t->initiator.s : NULL);
	sk_jput_str(o, "netdev", t->nic.netdev[0] ? t->nic.netdev : NULL);
	sk_jput_bool(o, "booted", t->selected);
	sk_firmware_each(t, json_line, record);
	json_object_object_add(o, "record", record);
	return o;
}

static int show(struct sk_adm *adm, const struct sk_boot *boot)
{
	struct sk_buf out = { 0 };

	sk_doc_list(adm, "firmware");
	for (size_t i = 0; i < boot->n; i++) {
		if (adm->doc)
			sk_doc_add(adm, "firmware", target_json(&boot->v[i]));
		sk_firmware_print(&out, &boot->v[i]);
	}
	sk_say_buf(adm, &out);
	sk_buf_wipe(&out);
	return 0;
}

/* --- login --------------------------------------------------------------------------------------------------- */

/** how a session is bound is the firmware's to say */
static bool binds(const char *key)
{
	static const char *const keys[] = { "iface.net_ifacename", "iface.hwaddress", "iface.transport_name" };

	for (size_t i = 0; i < SK_ARRAY_LEN(keys); i++)
		if (strcmp(key, keys[i]) == 0)
			return true;
	return false;
}

static int refuse_pair(struct sk_adm *adm, const struct sk_adm_pair *p, const struct sk_err *err)
{
	bool secret = sk_adm_key_is_secret(p->name);

	if (err->code == SK_EINVAL && secret)
		sk_warn(adm, "the value of a secret is too long or holds a control character");
	else if (err->code == SK_EINVAL)
		sk_warn(adm, "%s", err->msg);
	if (!binds(p->name))
		sk_warn(adm, "Unknown parameter %s.", sk_adm_printable(p->name).s);
	else
		sk_warn(adm, "Cannot override interface parameters for firmware logins");
	sk_warn(adm, "Could not merge user params");
	sk_doc_error(adm, SK_RES_INVAL, secret ? NULL : err, NULL);
	return SK_RES_INVAL;
}

/** every other key can be set, those that name the record as well */
static int apply_pairs(struct sk_adm *adm, struct sk_record *r)
{
	for (unsigned i = 0; i < adm->args.n_pairs; i++) {
		const struct sk_adm_pair *p = &adm->args.pairs[i];
		struct sk_err err = { 0 };

		if (binds(p->name) || sk_record_set(r, p->name, p->value, &err) < 0)
			return refuse_pair(adm, p, &err);
	}
	return 0;
}

static int add_node(struct sk_adm *adm, const struct sk_boot_target *t, struct sk_nodes *nodes)
{
	struct sk_node_item *item = &nodes->v[nodes->n];
	struct sk_err err = { 0 };
	int code;

	item->record = sk_firmware_login_record(t, sk_daemon_conf(adm), &err);
	if (!item->record)
		return sk_store_code(adm, &err, NULL);
	nodes->n++;
	code = apply_pairs(adm, item->record);
	if (!code && sk_node_key_of(item->record, &item->key, &err) < 0)
		code = sk_store_code(adm, &err, NULL);
	return code;
}

/** the exit status says whether the logins were tried; how each went is told (and is in the document) */
static int login(struct sk_adm *adm, const struct sk_boot *boot)
{
	struct sk_nodes nodes = { .v = calloc(boot->n, sizeof(*nodes.v)) };
	int code = nodes.v ? 0 : SK_RES_NOMEM;

	sk_doc_list(adm, "results");
	for (size_t i = 0; i < boot->n && !code; i++)
		code = add_node(adm, &boot->v[i], &nodes);
	if (!code)
		(void)sk_login_nodes(adm, &nodes, SK_LOGIN_FIRMWARE);
	sk_nodes_free(&nodes);
	return code;
}

int sk_mode_fw(struct sk_adm *adm)
{
	SK_BOOT struct sk_boot boot = { 0 };
	int code;

	sk_doc_action(adm, adm->args.login ? "login" : "show");
	code = read_boot(adm, &boot);
	if (code)
		return code;
	return adm->args.login ? login(adm, &boot) : show(adm, &boot);
}

/* --- discovery ----------------------------------------------------------------------------------------------- */

struct found {
	const struct sk_boot *boot;
	struct sk_disc_known *known; /* one for each target */
	struct sk_portal *portals;
	struct sk_record **ifaces;
};

static int dress(void *ctx, const struct sk_disc_known *known, struct sk_record *r, struct sk_err *err)
{
	const struct found *f = ctx;

	return sk_firmware_dress(&f->boot->v[known - f->known], r, err);
}

/** an adapter's iface is a file, so that its record can be used without the firmware */
static int prepare(struct sk_adm *adm, struct found *f, size_t i, struct sk_err *err)
{
	const struct sk_boot_target *t = &f->boot->v[i];
	struct sk_portal *p = &f->portals[i];

	f->ifaces[i] = sk_firmware_iface(t, err);
	if (!f->ifaces[i])
		return -1;
	snprintf(p->host, sizeof(p->host), "%s", t->address);
	p->port = t->port;
	p->tpgt = SK_FIRMWARE_TPGT;
	f->known[i] = (struct sk_disc_known){ &t->name, p, f->ifaces[i] };
	if (strcmp(t->transport, "tcp") == 0 || adm->args.ops & SK_OP_NONPERSISTENT)
		return 0;
	return sk_store_iface_put(adm->store, f->ifaces[i], err);
}

static int conclude(struct sk_adm *adm, struct found *f)
{
	struct sk_disc_ref ref = { .type = SK_DISC_FW, .host = "" };
	struct sk_disc_result result = { f->known, (unsigned)f->boot->n, dress, f };
	struct sk_err err = { 0 };

	for (size_t i = 0; i < f->boot->n; i++)
		if (prepare(adm, f, i, &err) < 0)
			return sk_store_code(adm, &err, NULL);
	return sk_disc_conclude(adm, &ref, &result);
}

int sk_firmware_discover(struct sk_adm *adm)
{
	SK_BOOT struct sk_boot boot = { 0 };
	struct found f = { .boot = &boot };
	int code;

	sk_doc_action(adm, "discover");
	sk_doc_list(adm, "targets");
	code = read_boot(adm, &boot);
	if (code)
		return code;
	f.known = calloc(boot.n, sizeof(*f.known));
	f.portals = calloc(boot.n, sizeof(*f.portals));
	f.ifaces = calloc(boot.n, sizeof(*f.ifaces));
	code = f.known && f.portals && f.ifaces ? conclude(adm, &f) : SK_RES_NOMEM;
	for (size_t i = 0; f.ifaces && i < boot.n; i++)
		sk_record_free(f.ifaces[i]);
	free(f.known);
	free(f.portals);
	free(f.ifaces);
	return code;
}
