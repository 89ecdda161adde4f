/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_ISCSIADM_NODE_SHOW_H
#define SK_ISCSIADM_NODE_SHOW_H

/** Node records as text and JSON: the flat list, the tree, whole records. */

#include "iscsiadm/select.h"

/** sk_portal_line - "host:port,tag" by the incumbent's bracket rule */
void sk_portal_line(struct sk_buf *out, const struct sk_portal *p, const char *tag_unknown);

/** What the tree printed last; start with zeros */
struct sk_tree {
	char target[SK_INAME_MAX + 1];
	struct sk_portal portal;
	bool any;
};
/** How the tree decides on the Portal line: for every record (node mode), or when it differs (discovery) */
enum sk_tree_form { SK_TREE_EVERY, SK_TREE_CHANGED };
void sk_tree_line(struct sk_buf *out, struct sk_tree *t, enum sk_tree_form form, const struct sk_node_key *key);

/** sk_node_flat_line - "host:port,tag target\n" */
void sk_node_flat_line(struct sk_buf *out, const struct sk_node_key *key);
struct json_object *sk_node_json(const struct sk_node_key *key, const struct sk_record *r, bool whole,
				 bool secrets);

/** sk_node_list - all records at a print level */
int sk_node_list(struct sk_adm *adm, const struct sk_sel *sel, int level);
/** sk_node_show - whole records */
int sk_node_show(struct sk_adm *adm, const struct sk_sel *sel);

#endif
