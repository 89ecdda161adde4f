/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "iscsiadm/change.h"
#include "iscsiadm/daemon.h"
#include "iscsiadm/live.h"
#include "iscsiadm/node_make.h"
#include "iscsiadm/node_record.h"
#include "iscsiadm/values.h"
#include "record/schema.h"

void sk_conf_told(void *ctx, unsigned line, const char *text)
{
	(void)line;
	sk_warn(ctx, "%s", text);
}

int sk_store_code(struct sk_adm *adm, const struct sk_err *err, const struct sk_about *about)
{
	int code = err->code == SK_ENOENT ? SK_RES_NO_OBJS_FOUND : (int)sk_result_of(err);

	if (err->code == SK_EIO || err->code == SK_EACCES)
		code = SK_RES_IDBM;
	sk_warn(adm, "%s", err->msg);
	sk_doc_error(adm, code, err, about);
	return code;
}

static void doc_result(struct sk_adm *adm, const struct sk_node_item *item, int code)
{
	struct sk_about about = sk_about_node(item);
	struct json_object *o;

	if (!adm->doc)
		return;
	o = sk_doc_about(&about);
	sk_jput_int(o, "code", code);
	sk_jput_str(o, "name", sk_result_name(code));
	sk_doc_add(adm, "results", o);
}

/* --- new --------------------------------------------------------------------------------------------- */

/** the iface of -I, or the built-in default */
static struct sk_record *chosen_iface(struct sk_adm *adm, const struct sk_sel *sel)
{
	struct sk_err err = { 0 };
	struct sk_record *r = sk_store_iface_get(adm->store, sel->iface ? sel->iface : "default", &err);

	if (!r)
		sk_store_code(adm, &err, NULL);
	return r;
}

static int add_one(struct sk_adm *adm, const char *target, const struct sk_portal *portal,
		   const struct sk_record *iface)
{
	struct sk_about about = { .target = target, .host = portal->host, .port = portal->port };
	struct sk_err err = { 0 };
	struct sk_record *r = sk_node_record_new(adm, target, portal, iface, &err);
	SK_BUF struct sk_buf line = { 0 };
	struct sk_node_item item;
	int code = 0;

	/* what stood there before is gone, with its link: a record made by hand is a static one */
	if (!r || sk_store_node_renew(adm->store, r, &err) < 0) {
		code = sk_store_code(adm, &err, &about);
		sk_record_free(r);
		return code;
	}
	sk_node_record_says(&line, r);
	sk_say(adm, "New iSCSI node %s added\n", sk_buf_cstr(&line));
	if (adm->doc && sk_node_key_of(r, &item.key, NULL) == 0)
		doc_result(adm, &item, 0);
	sk_record_free(r);
	return 0;
}

/** every stored portal that matches the rest, each target and portal once */
static int add_to_known(struct sk_adm *adm, const struct sk_sel *sel, const struct sk_record *iface)
{
	struct sk_sel known = { .target = sel->target, .host = sel->host, .port = sel->port };
	struct sk_nodes nodes;
	int code = sk_nodes_find(adm, &known, false, &nodes);

	if (code == 0 && nodes.n == 0) {
		sk_warn(adm, "Error while adding record: %s",
			!sel->target ? "no target name given and no stored record matches"
				     : "no portal given and no stored record of the target matches");
		code = SK_RES_INVAL;
		sk_doc_error(adm, code, NULL, NULL);
	}
	for (size_t i = 0; i < nodes.n; i++) {
		const struct sk_node_key *k = &nodes.v[i].key;
		const struct sk_node_key *before = i ? &nodes.v[i - 1].key : NULL;

		if (before && sk_iname_eq(&before->target, &k->target) &&
		    memcmp(&before->portal, &k->portal, sizeof(k->portal)) == 0)
			continue;
		code = sk_adm_first(code, add_one(adm, k->target.s, &k->portal, iface));
	}
	sk_nodes_free(&nodes);
	return code;
}

static int new_locked(struct sk_adm *adm, const void *what)
{
	const struct sk_sel *sel = what;
	struct sk_record *iface = chosen_iface(adm, sel);
	int code;

	if (!iface)
		return SK_RES_IDBM;
	if (sel->target && sel->host)
		code = add_one(adm, sel->target, &adm->args.portal, iface);
	else
		code = add_to_known(adm, sel, iface);
	sk_record_free(iface);
	return code;
}

int sk_node_new(struct sk_adm *adm, const struct sk_sel *sel)
{
	sk_doc_action(adm, "new");
	sk_doc_list(adm, "results");
	return sk_adm_change(adm, new_locked, sel);
}

/* --- update ------------------------------------------------------------------------------------------ */

/** tell one refused pair with the incumbent's words */
static void tell_refusal(struct sk_adm *adm, const struct sk_adm_pair *p, enum sk_set_refusal why,
			 const struct sk_err *err, bool after_word)
{
	bool secret = sk_adm_key_is_secret(p->name);

	switch (why) {
	case SK_SET_UNKNOWN_KEY:
		sk_warn(adm, "Cannot modify %s. Invalid param name.", sk_adm_printable(p->name).s);
		break;
	case SK_SET_KEY_FIELD:
		sk_warn(adm, "Cannot modify %s. It is used to look up the record and cannot be changed.", p->name);
		break;
	case SK_SET_BAD_WORD:
		sk_warn(adm, "unknown value format '%s' for parameter name '%s'",
			secret ? "********" : sk_adm_printable(p->value).s, p->name);
		if (after_word)
			sk_warn(adm, "Unknown parameter %s.", p->name);
		break;
	default:
		sk_warn(adm, "%s", err->msg);	/* which does not repeat a secret */
	}
	sk_doc_error(adm, SK_RES_INVAL, err, NULL);
}

/** one word of a list onto @kept, or why not on stderr */
static void keep_word(struct sk_adm *adm, const struct sk_schema_row *row, const char *word, struct sk_buf *kept)
{
	SK_BUF struct sk_buf in = { 0 }, want = { 0 }, checked = { 0 };

	sk_buf_printf(&in, ",%s,", sk_buf_cstr(kept));
	sk_buf_printf(&want, ",%s,", word);
	if (sk_value_check(row, sk_span_str(word), SK_EXACT, &checked, NULL) < 0)
		sk_warn(adm, "Ignoring unknown value '%s' for '%s'", sk_adm_printable(word).s, row->key);
	else if (strstr(sk_buf_cstr(&in), sk_buf_cstr(&want)))
		sk_warn(adm, "Ignoring repeated value '%s' for '%s'", word, row->key);
	else
		sk_buf_printf(kept, "%s%s", kept->n ? "," : "", word);
}

/** of a list the words that are known, each once; a list without any stays as it is and is refused */
static void keep_known_words(struct sk_adm *adm, const struct sk_record *r, struct sk_adm_pair *p)
{
	const struct sk_schema_row *row = sk_schema_find(sk_record_kind(r), sk_span_str(p->name), NULL);
	SK_MEM char *words = row && row->type == SK_T_LIST ? strdup(p->value) : NULL;
	SK_BUF struct sk_buf kept = { 0 };
	char *save = NULL, *list;

	for (char *w = words ? strtok_r(words, ", \t", &save) : NULL; w; w = strtok_r(NULL, ", \t", &save))
		keep_word(adm, row, w, &kept);
	list = kept.n && !kept.nomem ? strdup(sk_buf_cstr(&kept)) : NULL;
	if (!list)
		return;
	free(p->value);
	p->value = list;
}

int sk_pairs_apply(struct sk_adm *adm, struct sk_record *r, bool after_word)
{
	struct sk_record *scratch = sk_record_copy(r, NULL);
	enum sk_set_refusal worst = SK_SET_OK;
	struct sk_err worst_err = { 0 };
	unsigned at = 0;

	for (unsigned i = 0; scratch && i < adm->args.n_pairs; i++) {
		struct sk_adm_pair *p = &adm->args.pairs[i];
		struct sk_err err = { 0 };
		enum sk_set_refusal why;

		keep_known_words(adm, r, p);
		why = sk_record_user_set(scratch, p->name, p->value, &err);

		/* a bad name counts before a bad value, then the first counts */
		if (why == SK_SET_OK ||
		    (worst != SK_SET_OK && (worst <= SK_SET_KEY_FIELD || why > SK_SET_KEY_FIELD)))
			continue;
		worst = why;
		worst_err = err;
		at = i;
	}
	sk_record_free(scratch);
	if (!scratch)
		return SK_RES_NOMEM;
	if (worst != SK_SET_OK) {
		tell_refusal(adm, &adm->args.pairs[at], worst, &worst_err, after_word);
		return SK_RES_INVAL;
	}
	for (unsigned i = 0; i < adm->args.n_pairs; i++)
		sk_record_user_set(r, adm->args.pairs[i].name, adm->args.pairs[i].value, NULL);
	return 0;
}

/** names that node mode refuses as a whole, and the alias of the transport's name */
static int check_names(struct sk_adm *adm)
{
	for (unsigned i = 0; i < adm->args.n_pairs; i++) {
		struct sk_adm_pair *p = &adm->args.pairs[i];
		char *real;

		if (strcmp(p->name, "node.transport_name") == 0) {
			real = strdup("iface.transport_name");
			if (!real)
				return SK_RES_NOMEM;
			free(p->name);
			p->name = real;
		}
		if (strncmp(p->name, "iface.", 6) != 0 || strcmp(p->name, "iface.transport_name") == 0)
			continue;
		sk_warn(adm, "Cannot modify %s. Use iface mode to update this value.", sk_adm_printable(p->name).s);
		sk_doc_error(adm, SK_RES_INVAL, NULL, NULL);
		return SK_RES_INVAL;
	}
	return 0;
}

static bool sets_transport(const struct sk_adm *adm)
{
	for (unsigned i = 0; i < adm->args.n_pairs; i++)
		if (strcmp(adm->args.pairs[i].name, "iface.transport_name") == 0)
			return true;
	return false;
}

static int check_transport_free(struct sk_adm *adm, const struct sk_sel *sel)
{
	struct sk_sessions running;
	size_t n;

	if (!sets_transport(adm))
		return 0;
	if (sk_sessions_find(adm, sel, SK_SYS_FLAT, &running))
		return SK_RES_NOMEM;
	n = running.n;
	sk_sessions_free(&running);
	if (!n)
		return 0;
	sk_warn(adm, "Cannot modify node/iface transport name while a session is using it. Log out the session "
		     "then update "
		     "record.");
	sk_doc_error(adm, SK_RES_SESS_EXISTS, NULL, NULL);
	return SK_RES_SESS_EXISTS;
}

/** the end of a command over records: the summary line */
static int conclude(struct sk_adm *adm, const struct sk_nodes *nodes, int code)
{
	char buf[64];

	if (code) {
		sk_warn(adm, "Could not execute operation on all records: %s",
			sk_result_words(code, buf, sizeof(buf)));
		return code;
	}
	if (nodes->n)
		return 0;
	sk_warn(adm, "No records found");
	return SK_RES_NO_OBJS_FOUND;
}

static int update_locked(struct sk_adm *adm, const void *sel)
{
	struct sk_nodes nodes;
	int code = sk_nodes_find(adm, sel, true, &nodes);

	if (code)
		return code;
	for (size_t i = 0; i < nodes.n; i++) {
		struct sk_about about = sk_about_node(&nodes.v[i]);
		struct sk_err err = { 0 };
		int one = sk_pairs_apply(adm, nodes.v[i].record, true);

		if (!one && sk_store_node_put(adm->store, nodes.v[i].record, &err) < 0)
			one = sk_store_code(adm, &err, &about);
		doc_result(adm, &nodes.v[i], one);
		code = sk_adm_first(code, one);
	}
	code = conclude(adm, &nodes, code);
	sk_nodes_free(&nodes);
	return code;
}

int sk_node_update(struct sk_adm *adm, const struct sk_sel *sel)
{
	int code;

	sk_doc_action(adm, "update");
	sk_doc_list(adm, "results");
	if (!adm->args.n_pairs) {
		sk_warn(adm, "update requires name and value");
		return SK_RES_INVAL;
	}
	code = check_names(adm);
	if (!code)
		code = sk_live_check(adm);
	if (!code)
		code = check_transport_free(adm, sel);
	if (!code)
		code = sk_adm_change(adm, update_locked, sel);
	return code || !adm->args.live ? code : sk_live_apply(adm, sel);
}

/* --- delete ------------------------------------------------------------------------------------------ */

int sk_node_delete_items(struct sk_adm *adm, const struct sk_nodes *nodes)
{
	struct sk_sel any = { .port = -1 };
	struct sk_sessions running;
	int code = 0;

	if (sk_sessions_find(adm, &any, SK_SYS_FLAT, &running))
		return SK_RES_NOMEM;
	for (size_t i = 0; i < nodes->n; i++) {
		const struct sk_node_key *k = &nodes->v[i].key;
		struct sk_about about = sk_about_node(&nodes->v[i]);
		struct sk_err err = { 0 };
		int one = 0;

		if (sk_sessions_of_record(&running, &nodes->v[i])) {
			sk_warn(adm,
				"This command will remove the record [iface: %s, target: %s, portal: %s,%u], but a "
				"session "
				"is using it. Logout session then rerun command to remove record.",
				k->iface, k->target.s, k->portal.host, k->portal.port);
			one = SK_RES_SESS_EXISTS;
			sk_doc_error(adm, one, NULL, &about);
		} else if (sk_store_node_delete(adm->store, k, &err) < 0 && err.code != SK_ENOENT) {
			one = sk_store_code(adm, &err, &about);
		}
		doc_result(adm, &nodes->v[i], one);
		code = sk_adm_first(code, one);
	}
	sk_sessions_free(&running);
	return code;
}

static int delete_locked(struct sk_adm *adm, const void *sel)
{
	struct sk_nodes nodes;
	int code = sk_nodes_find(adm, sel, true, &nodes);

	if (code)
		return code;
	code = conclude(adm, &nodes, sk_node_delete_items(adm, &nodes));
	sk_nodes_free(&nodes);
	return code;
}

int sk_node_delete(struct sk_adm *adm, const struct sk_sel *sel)
{
	sk_doc_action(adm, "delete");
	sk_doc_list(adm, "results");
	return sk_adm_change(adm, delete_locked, sel);
}
