/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "iscsiadm/login.h"
#include "iscsiadm/logout.h"
#include "iscsiadm/node_make.h"
#include "iscsiadm/node_show.h"
#include "iscsiadm/select.h"

/** run with the selector of the arguments */
static int with_sel(struct sk_adm *adm, int (*run)(struct sk_adm *, const struct sk_sel *))
{
	struct sk_sel sel;
	int code = sk_sel_from_args(adm, &sel);

	return code ? code : run(adm, &sel);
}

/** the selector is wrong before the rest is */
static int fail(struct sk_adm *adm, const char *text)
{
	struct sk_sel sel;
	int code = sk_sel_from_args(adm, &sel);

	if (code)
		return code;
	sk_warn(adm, "%s", text);
	sk_doc_error(adm, SK_RES_INVAL, NULL, NULL);
	return SK_RES_INVAL;
}

static int login(struct sk_adm *adm, const struct sk_sel *sel)
{
	return sk_login_selected(adm, sel, SK_LOGIN_WANTED);
}

static int list(struct sk_adm *adm, const struct sk_sel *sel)
{
	return sk_node_list(adm, sel, adm->args.level);
}

/* conditions */
/* clang-format off */
static bool has_loginall(const struct sk_adm *adm) { return adm->args.login_class; }
static bool has_logoutall(const struct sk_adm *adm) { return adm->args.logout_class; }
static bool op_new(const struct sk_adm *adm) { return adm->args.ops == SK_OP_NEW; }
static bool op_update(const struct sk_adm *adm) { return adm->args.ops == SK_OP_UPDATE; }
static bool op_delete(const struct sk_adm *adm) { return adm->args.ops == SK_OP_DELETE; }
static bool op_show(const struct sk_adm *adm) { return !adm->args.ops || adm->args.ops == SK_OP_SHOW; }
static bool has_rescan(const struct sk_adm *adm) { return adm->args.rescan; }
static bool has_stats(const struct sk_adm *adm) { return adm->args.stats; }
static bool has_both(const struct sk_adm *adm) { return adm->args.login && adm->args.logout; }
static bool has_either(const struct sk_adm *adm) { return adm->args.login || adm->args.logout; }
static bool has_login_and_op(const struct sk_adm *adm) { return has_either(adm) && adm->args.ops; }
static bool has_login(const struct sk_adm *adm) { return adm->args.login; }
static bool has_logout(const struct sk_adm *adm) { return adm->args.logout; }
/* clang-format on */

static bool nothing_asked(const struct sk_adm *adm)
{
	const struct sk_adm_args *a = &adm->args;

	return !a->ops && !a->login && !a->logout && !(a->target && *a->target) && !a->portal_text && !a->n_ifaces;
}

/* handlers */
/* clang-format off */
static int run_new(struct sk_adm *adm) { return with_sel(adm, sk_node_new); }
static int run_rescan(struct sk_adm *adm) { return with_sel(adm, sk_rescan_selected); }
static int run_stats(struct sk_adm *adm) { return with_sel(adm, sk_stats_selected); }
static int run_list(struct sk_adm *adm) { return with_sel(adm, list); }
static int run_login(struct sk_adm *adm) { return with_sel(adm, login); }
static int run_logout(struct sk_adm *adm) { return with_sel(adm, sk_logout_selected); }
static int run_show(struct sk_adm *adm) { return with_sel(adm, sk_node_show); }
static int run_update(struct sk_adm *adm) { return with_sel(adm, sk_node_update); }
static int run_delete(struct sk_adm *adm) { return with_sel(adm, sk_node_delete); }
static int both(struct sk_adm *adm) { return fail(adm, "Invalid parameters. Both login and logout passed in"); }
static int login_op(struct sk_adm *adm) { return fail(adm, "Invalid parameters. Login/logout and op passed in"); }
static int unsupported(struct sk_adm *adm) { return fail(adm, "operation is not supported."); }
/* clang-format on */

static const struct sk_adm_rule rules[] = {
	{ has_loginall, sk_login_all },
	{ has_logoutall, sk_logout_all },
	{ op_new, run_new },
	{ has_rescan, run_rescan },
	{ has_stats, run_stats },
	{ has_both, both },
	{ has_login_and_op, login_op },
	{ nothing_asked, run_list },
	{ has_login, run_login },
	{ has_logout, run_logout },
	{ op_show, run_show },
	{ op_update, run_update },
	{ op_delete, run_delete },
	{ NULL, unsupported },
};

int sk_mode_node(struct sk_adm *adm)
{
	return sk_adm_dispatch(adm, rules);
}
