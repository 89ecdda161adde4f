/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "iscsiadm/node_show.h"
#include "iscsiadm/say.h"

void sk_portal_line(struct sk_buf *out, const struct sk_portal *p, const char *tag_unknown)
{
	char tag[16];

	snprintf(tag, sizeof(tag), "%d", p->tpgt);
	sk_portal_print(out, p, p->tpgt == SK_TPGT_NONE ? tag_unknown : tag);
}

void sk_node_flat_line(struct sk_buf *out, const struct sk_node_key *key)
{
	sk_portal_line(out, &key->portal, "4294967295");
	sk_buf_printf(out, " %s\n", key->target.s);
}

void sk_tree_line(struct sk_buf *out, struct sk_tree *t, enum sk_tree_form form, const struct sk_node_key *key)
{
	bool same_target = t->any && strcmp(t->target, key->target.s) == 0;
	bool same_portal =
		same_target && strcmp(t->portal.host, key->portal.host) == 0 && t->portal.port == key->portal.port;

	if (!same_target)
		sk_buf_printf(out, "Target: %s\n", key->target.s);
	if (!same_portal || form == SK_TREE_EVERY) {
		sk_buf_str(out, "\tPortal: ");
		sk_portal_line(out, &key->portal, "-1");
		sk_buf_ch(out, '\n');
	}
	sk_buf_printf(out, "\t\tIface Name: %s\n", key->iface);
	memcpy(t->target, key->target.s, sizeof(t->target));
	t->portal = key->portal;
	t->any = true;
}

struct json_object *sk_node_json(const struct sk_node_key *key, const struct sk_record *r, bool whole, bool secrets)
{
	struct json_object *o = json_object_new_object();

	sk_jput_str(o, "target", key->target.s);
	sk_jput_str(o, "address", key->portal.host);
	sk_jput_int(o, "port", key->portal.port);
	sk_jput_known(o, "tpgt", key->portal.tpgt);
	sk_jput_str(o, "iface", key->iface);
	if (!r)
		return o;
	sk_jput_str(o, "transport", sk_record_get(r, "iface.transport_name"));
	sk_jput_str(o, "startup", sk_record_get(r, "node.startup"));
	if (whole)
		json_object_object_add(o, "record", sk_jrecord(r, secrets));
	return o;
}

/* --- walks ------------------------------------------------------------------------------------------- */

struct show {
	struct sk_adm *adm;
	int level;
	struct sk_tree tree;
};

static bool list_one(void *ctx, const struct sk_node_key *key, const struct sk_record *r)
{
	struct show *s = ctx;
	SK_BUF struct sk_buf b = { 0 };

	if (s->adm->doc) {
		sk_doc_add(s->adm, "nodes", sk_node_json(key, r, false, false));
		return true;
	}
	if (s->level == 1)
		sk_tree_line(&b, &s->tree, SK_TREE_EVERY, key);
	else
		sk_node_flat_line(&b, key);
	sk_say_buf(s->adm, &b);
	return true;
}

static bool show_one(void *ctx, const struct sk_node_key *key, const struct sk_record *r)
{
	struct show *s = ctx;
	bool secrets = s->adm->args.show_secrets;
	struct sk_buf b = { 0 };

	if (s->adm->doc) {
		sk_doc_add(s->adm, "nodes", sk_node_json(key, r, true, secrets));
		return true;
	}
	sk_record_print(&b, r, secrets ? SK_FORM_SHOW_SECRETS : SK_FORM_SHOW);
	sk_say_buf(s->adm, &b);
	sk_buf_wipe(&b);
	return true;
}

static int walk(struct sk_adm *adm, const struct sk_sel *sel, sk_node_visit *visit, int level)
{
	struct show s = { .adm = adm, .level = level };
	size_t n;
	int code;

	sk_doc_list(adm, "nodes");
	code = sk_nodes_each(adm, sel, false, visit, &s, &n);
	if (code || n)
		return code;
	sk_warn(adm, "No records found");
	return SK_RES_NO_OBJS_FOUND;
}

int sk_node_list(struct sk_adm *adm, const struct sk_sel *sel, int level)
{
	struct sk_sel names = *sel;

	sk_doc_action(adm, "list");
	if (level > 1) {
		sk_warn(adm, "Invalid info level %d. Try 0 or 1.", level);
		return SK_RES_INVAL;
	}
	names.names_only = !adm->doc; /* the document tells more than names */
	return walk(adm, &names, list_one, level);
}

int sk_node_show(struct sk_adm *adm, const struct sk_sel *sel)
{
	sk_doc_action(adm, "show");
	return walk(adm, sel, show_one, 0);
}
