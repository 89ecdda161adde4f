/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "discover/isns_form.h"
#include "iscsiadm/daemon.h"
#include "iscsiadm/disc_iface.h"
#include "iscsiadm/disc_run.h"
#include "iscsiadm/disc_show.h"
#include "iscsiadm/firmware.h"
#include "iscsiadm/say.h"
#include "iscsiadm/node_make.h"

/** what -t and -p name; without a type it is a SendTargets record */
static struct sk_disc_ref ref_of(struct sk_adm *adm)
{
	bool isns = adm->args.type == SK_TYPE_ISNS;
	struct sk_disc_ref ref = {
		.type = isns ? SK_DISC_ISNS : SK_DISC_SENDTARGETS,
		.host = adm->args.portal.host,
		.port = adm->args.portal.port,
	};
	struct sk_portal p;

	if (isns && sk_portal_parse(sk_span_str(adm->args.portal_text), SK_ISNS_PORT, &p, NULL) == 0)
		ref.port = p.port;
	return ref;
}

static int fail(struct sk_adm *adm, int code, const char *text)
{
	sk_warn(adm, "%s", text);
	sk_doc_error(adm, code, NULL, NULL);
	return code;
}

/* --- conditions -------------------------------------------------------------------------------------- */

/* clang-format off */
static bool is(const struct sk_adm *adm, enum sk_adm_type type) { return adm->args.type == type; }
static bool no_portal(const struct sk_adm *adm) { return !adm->args.portal_text; }
static bool plain_op(const struct sk_adm *adm) { return !adm->args.ops || adm->args.ops == SK_OP_SHOW; }

static bool st_alone(const struct sk_adm *adm) { return is(adm, SK_TYPE_SENDTARGETS) && no_portal(adm); }
static bool isns_alone(const struct sk_adm *adm) { return is(adm, SK_TYPE_ISNS) && no_portal(adm); }
static bool st(const struct sk_adm *adm) { return is(adm, SK_TYPE_SENDTARGETS); }
static bool isns(const struct sk_adm *adm) { return is(adm, SK_TYPE_ISNS); }
static bool fw(const struct sk_adm *adm) { return is(adm, SK_TYPE_FW); }
static bool fw_discover(const struct sk_adm *adm) { return fw(adm) && adm->args.discover; }
static bool slp(const struct sk_adm *adm) { return is(adm, SK_TYPE_SLP); }
static bool list_wanted(const struct sk_adm *adm) { return no_portal(adm) && plain_op(adm); }
static bool discover_stored(const struct sk_adm *adm) { return adm->args.discover || adm->args.login; }
static bool typed_discover(const struct sk_adm *adm) { return !is(adm, SK_TYPE_NONE) && adm->args.discover; }
static bool untyped_portal(const struct sk_adm *adm) { return is(adm, SK_TYPE_NONE) && !no_portal(adm); }
static bool untyped_portal_op(const struct sk_adm *adm) { return untyped_portal(adm) && adm->args.ops; }
static bool untyped_op(const struct sk_adm *adm) { return is(adm, SK_TYPE_NONE) && !plain_op(adm); }
static bool untyped(const struct sk_adm *adm) { return is(adm, SK_TYPE_NONE); }
static bool op_new(const struct sk_adm *adm) { return adm->args.ops == SK_OP_NEW; }
static bool op_update(const struct sk_adm *adm) { return adm->args.ops == SK_OP_UPDATE; }
static bool op_new_update(const struct sk_adm *adm) { return op_new(adm) || op_update(adm); }
static bool op_delete(const struct sk_adm *adm) { return adm->args.ops == SK_OP_DELETE; }
/* clang-format on */

/* --- handlers that only say something ---------------------------------------------------------------- */

static int ask_portal(struct sk_adm *adm)
{
	return fail(adm, SK_RES_INVAL, "Please specify portal as <ipaddr>[:<ipport>]");
}

static int ask_isns_portal(struct sk_adm *adm)
{
	return fail(adm, SK_RES_INVAL, "Please specify portal as <ipaddr>:[<ipport>]");
}

/* clang-format off */
#define SLP "SLP discovery is not fully implemented yet."
static int no_slp(struct sk_adm *adm) { return fail(adm, SK_RES_INVAL, SLP); }
static int bad_op(struct sk_adm *adm) { return fail(adm, SK_RES_INVAL, "Invalid operation."); }
/* clang-format on */

/** the record is looked for before the operation is judged */
static int db_bad_op(struct sk_adm *adm)
{
	struct sk_disc_ref ref = ref_of(adm);
	struct sk_err err = { 0 };
	struct sk_record *r = sk_store_disc_get(adm->store, ref.type, ref.host, ref.port, &err);

	sk_record_free(r);
	return r ? fail(adm, SK_RES_INVAL, "Operation is not supported.") : sk_disc_show(adm, &ref);
}

static int use_discoverydb(struct sk_adm *adm)
{
	return fail(adm, SK_RES_INVAL,
		    "Operations new and update for discovery mode is not supported. Use discoverydb mode.");
}

static int fw_needs_discover(struct sk_adm *adm)
{
	return fail(adm, SK_RES_INVAL, "Invalid command. Possibly missing --discover argument.");
}

static int type_missing(struct sk_adm *adm)
{
	return fail(adm, SK_RES_INVAL, "Invalid command. Possibly missing discovery --type.");
}

static int portal_not_needed(struct sk_adm *adm)
{
	return fail(adm, SK_RES_INVAL, "Invalid command. Portal not needed or Possibly missing discovery --type.");
}

static int db_op_alone(struct sk_adm *adm)
{
	return fail(adm, SK_RES_INVAL, "Invalid operation. Operation not supported.");
}

/* --- handlers that do something ---------------------------------------------------------------------- */

/** the record of a plain discovery, in the database; read and written under one lock */
static struct sk_record *renew_record(struct sk_adm *adm, const struct sk_disc_ref *ref, struct sk_err *err)
{
	struct sk_record *r;

	(void)sk_daemon_conf(adm); /* asks the daemon: not while others wait for the lock */
	if (sk_store_lock(adm->store, SK_ADM_LOCK_MS, err) < 0)
		return NULL;
	r = sk_disc_fresh_record(adm, ref, err);
	if (r && sk_store_disc_put(adm->store, r, err) < 0) {
		sk_record_free(r);
		r = NULL;
	}
	sk_store_unlock(adm->store);
	return r;
}

/** discovery with a fresh record, written before anything is asked; with nonpersistent nothing is written */
static int discover_fresh(struct sk_adm *adm)
{
	struct sk_disc_ref ref = ref_of(adm);
	struct sk_err err = { 0 };
	bool write = !(adm->args.ops & SK_OP_NONPERSISTENT) && sk_disc_has_iface(adm);
	struct sk_record *r = write ? renew_record(adm, &ref, &err) : sk_disc_fresh_record(adm, &ref, &err);
	int code = r ? sk_disc_run(adm, &ref, r) : sk_store_code(adm, &err, NULL);

	sk_record_free(r);
	return code;
}

/** an iSNS discovery: no record is kept of it */
static int discover_isns(struct sk_adm *adm)
{
	struct sk_disc_ref ref = ref_of(adm);

	return sk_disc_run(adm, &ref, NULL);
}

/** discovery with the stored record; a missing one is made when @make */
static int discover_with_stored(struct sk_adm *adm, bool make)
{
	struct sk_disc_ref ref = ref_of(adm);
	struct sk_err err = { 0 };
	struct sk_record *r = sk_store_disc_get(adm->store, ref.type, ref.host, ref.port, &err);
	int code;

	if (!r && make && err.code == SK_ENOENT)
		return discover_fresh(adm);
	if (!r)
		return sk_store_code(adm, &err, NULL);
	code = sk_disc_run(adm, &ref, r);
	sk_record_free(r);
	return code;
}

/* clang-format off */
static int run_stored(struct sk_adm *adm) { return discover_with_stored(adm, false); }
static int run_db_discover(struct sk_adm *adm) { return discover_with_stored(adm, true); }
/* clang-format on */

static int with_ref(struct sk_adm *adm, int (*run)(struct sk_adm *, const struct sk_disc_ref *))
{
	struct sk_disc_ref ref = ref_of(adm);

	return run(adm, &ref);
}

/* clang-format off */
static int run_new(struct sk_adm *adm) { return with_ref(adm, sk_disc_new); }
static int run_show(struct sk_adm *adm) { return with_ref(adm, sk_disc_show); }
static int run_update(struct sk_adm *adm) { return with_ref(adm, sk_disc_update); }
static int run_delete(struct sk_adm *adm) { return with_ref(adm, sk_disc_delete); }
/* clang-format on */

/* --- the tables -------------------------------------------------------------------------------------- */

static const struct sk_adm_rule stored_rules[] = {
	{ discover_stored, run_stored },    { plain_op, run_show }, { op_delete, run_delete },
	{ op_new_update, use_discoverydb }, { NULL, bad_op },
};

/** without a type the record must be there; discovery mode calls that an invalid argument */
static int stored(struct sk_adm *adm)
{
	struct sk_disc_ref ref = ref_of(adm);
	struct sk_err err = { 0 };
	struct sk_record *r = sk_store_disc_get(adm->store, ref.type, ref.host, ref.port, &err);

	sk_record_free(r);
	if (r)
		return sk_adm_dispatch(adm, stored_rules);
	sk_warn(adm, "Discovery record [%s,%u] not found!", ref.host, ref.port);
	sk_doc_error(adm, SK_RES_INVAL, &err, &(struct sk_about){ .host = ref.host, .port = ref.port });
	return SK_RES_INVAL;
}

static const struct sk_adm_rule rules[] = {
	{ slp, no_slp },
	{ st_alone, ask_portal },
	{ isns_alone, ask_isns_portal },
	{ st, discover_fresh },
	{ isns, discover_isns },
	{ fw, sk_firmware_discover },
	{ list_wanted, sk_disc_list },
	{ untyped_portal, stored },
	{ NULL, bad_op },
};

static const struct sk_adm_rule db_rules[] = {
	{ slp, no_slp },
	{ fw_discover, sk_firmware_discover },
	{ fw, fw_needs_discover },
	{ untyped_portal_op, type_missing },
	{ untyped_portal, portal_not_needed },
	{ untyped_op, db_op_alone },
	{ untyped, sk_disc_list },
	{ no_portal, ask_portal },
	{ typed_discover, run_db_discover },
	{ op_new, run_new },
	{ plain_op, run_show },
	{ op_update, run_update },
	{ op_delete, run_delete },
	{ NULL, db_bad_op },
};

int sk_mode_discovery(struct sk_adm *adm)
{
	return sk_adm_dispatch(adm, rules);
}

int sk_mode_discoverydb(struct sk_adm *adm)
{
	return sk_adm_dispatch(adm, db_rules);
}
