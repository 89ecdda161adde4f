/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "iscsiadm/explain.h"
#include "iscsiadm/login.h"
#include "iscsiadm/logout.h"
#include "iscsiadm/node_make.h"
#include "iscsiadm/node_show.h"
#include "iscsiadm/session_show.h"

/* --- conditions -------------------------------------------------------------------------------------- */

/* clang-format off */
static bool has_sid(const struct sk_adm *adm) { return adm->sid; }
static bool has_explain(const struct sk_adm *adm) { return adm->args.explain; }
static bool has_logout(const struct sk_adm *adm) { return adm->args.logout; }
static bool has_rescan(const struct sk_adm *adm) { return adm->args.rescan; }
static bool has_stats(const struct sk_adm *adm) { return adm->args.stats; }
static bool op_new(const struct sk_adm *adm) { return adm->args.ops == SK_OP_NEW; }
static bool op_update(const struct sk_adm *adm) { return adm->args.ops == SK_OP_UPDATE; }
static bool op_delete(const struct sk_adm *adm) { return adm->args.ops == SK_OP_DELETE; }
static bool op_show(const struct sk_adm *adm) { return !adm->args.ops || adm->args.ops == SK_OP_SHOW; }
static bool logout_and_op(const struct sk_adm *adm) { return adm->args.logout && adm->args.ops; }
/* clang-format on */

static bool wants_print(const struct sk_adm *adm)
{
	const struct sk_adm_args *a = &adm->args;

	return a->level >= 1 && !a->logout && !a->rescan && !a->stats && !a->ops;
}

/* --- all sessions ------------------------------------------------------------------------------------ */

static const struct sk_sel all = { .port = -1 };

/* clang-format off */
static int explain_all(struct sk_adm *adm) { return sk_explain_selected(adm, &all); }
static int logout_all(struct sk_adm *adm) { return sk_logout_selected(adm, &all); }
static int rescan_all(struct sk_adm *adm) { return sk_rescan_selected(adm, &all); }
static int stats_all(struct sk_adm *adm) { return sk_stats_selected(adm, &all); }
/* clang-format on */

static int all_both(struct sk_adm *adm)
{
	sk_warn(adm, "Invalid parameters. Login/logout and op passed in");
	return SK_RES_INVAL;
}

static int new_without_sid(struct sk_adm *adm)
{
	sk_warn(adm, "session mode: Operation 'new' only allowed with specific session IDs");
	return SK_RES_INVAL;
}

static enum sk_sys_depth depth_for(const struct sk_adm *adm)
{
	if (adm->args.level < 1)
		return SK_SYS_FLAT;
	return adm->args.show_secrets ? SK_SYS_SECRETS : SK_SYS_FULL;
}

static int list(struct sk_adm *adm)
{
	struct sk_sessions s;
	int code = sk_sessions_find(adm, &all, depth_for(adm), &s);

	if (!code && !s.n) {
		sk_doc_action(adm, "list");
		sk_doc_list(adm, "sessions");
		sk_warn(adm, "No active sessions.");
		code = SK_RES_NO_OBJS_FOUND;
	} else if (!code) {
		code = sk_session_print(adm, &s, adm->args.level);
	}
	sk_sessions_free(&s);
	return code;
}

/* --- one session ------------------------------------------------------------------------------------- */

/** what a session selects: itself, and the records of its target, portal and iface */
static struct sk_sel sel_of_session(const struct sk_sys_session *s)
{
	struct sk_sel sel = {
		.target = s->target,
		.host = s->persistent_addr,
		.port = s->persistent_port,
		.iface = s->iface[0] ? s->iface : NULL,
		.sid = s->sid,
	};

	snprintf(sel.transport, sizeof(sel.transport), "%s", s->transport);
	return sel;
}

static int with_session(struct sk_adm *adm, int (*run)(struct sk_adm *, const struct sk_sel *))
{
	struct sk_sys_session s;
	struct sk_err err = { 0 };
	struct sk_sel sel;
	int code;

	if (sk_sys_session(&adm->places, adm->sid, SK_SYS_FLAT, &s, &err) < 0) {
		sk_warn(adm, "could not read session targetname: 5");
		sk_warn(adm, "Could not get session info for sid %u", adm->sid);
		sk_doc_error(adm, SK_RES_SYSFS_LOOKUP, &err, &(struct sk_about){ .sid = adm->sid });
		return SK_RES_SYSFS_LOOKUP;
	}
	sel = sel_of_session(&s);
	code = run(adm, &sel);
	explicit_bzero(&s, sizeof(s));
	return code;
}

static int print_one(struct sk_adm *adm, const struct sk_sel *sel)
{
	struct sk_sessions s;
	int code = sk_sessions_find(adm, sel, depth_for(adm), &s);

	if (!code)
		code = sk_session_print(adm, &s, adm->args.level);
	sk_sessions_free(&s);
	return code;
}

static int one_more(struct sk_adm *adm, const struct sk_sel *sel)
{
	return sk_login_selected(adm, sel, SK_LOGIN_ONE_MORE);
}

static int refuse_both(struct sk_adm *adm, const struct sk_sel *sel)
{
	(void)sel;
	sk_warn(adm, "Invalid parameters. Login/logout and op passed in");
	return SK_RES_INVAL;
}

static int refuse_op(struct sk_adm *adm, const struct sk_sel *sel)
{
	(void)sel;
	sk_warn(adm, "operation is not supported.");
	return SK_RES_INVAL;
}

/* clang-format off */
static int run_print(struct sk_adm *adm) { return with_session(adm, print_one); }
static int run_explain(struct sk_adm *adm) { return with_session(adm, sk_explain_selected); }
static int run_new(struct sk_adm *adm) { return with_session(adm, one_more); }
static int run_rescan(struct sk_adm *adm) { return with_session(adm, sk_rescan_selected); }
static int run_stats(struct sk_adm *adm) { return with_session(adm, sk_stats_selected); }
static int run_both(struct sk_adm *adm) { return with_session(adm, refuse_both); }
static int run_logout(struct sk_adm *adm) { return with_session(adm, sk_logout_selected); }
static int run_show(struct sk_adm *adm) { return with_session(adm, sk_node_show); }
static int run_update(struct sk_adm *adm) { return with_session(adm, sk_node_update); }
static int run_delete(struct sk_adm *adm) { return with_session(adm, sk_node_delete); }
static int run_refuse(struct sk_adm *adm) { return with_session(adm, refuse_op); }
/* clang-format on */

static const struct sk_adm_rule one_rules[] = {
	{ has_explain, run_explain },
	{ wants_print, run_print }, { op_new, run_new },	 { has_rescan, run_rescan },
	{ has_stats, run_stats },   { logout_and_op, run_both }, { has_logout, run_logout },
	{ op_show, run_show },	    { op_update, run_update },	 { op_delete, run_delete },
	{ NULL, run_refuse },
};

static int one_session(struct sk_adm *adm)
{
	return sk_adm_dispatch(adm, one_rules);
}

static const struct sk_adm_rule rules[] = {
	{ has_sid, one_session },    { has_explain, explain_all },
	{ has_rescan, rescan_all }, { has_stats, stats_all },
	{ logout_and_op, all_both }, { has_logout, logout_all }, { op_new, new_without_sid },
	{ NULL, list },
};

int sk_mode_session(struct sk_adm *adm)
{
	return sk_adm_dispatch(adm, rules);
}
