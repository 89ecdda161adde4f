/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_ISCSIADM_NODE_MAKE_H
#define SK_ISCSIADM_NODE_MAKE_H

/** Changing records: new, update, delete; and what they share with the other modes. */

#include "iscsiadm/select.h"

/** sk_conf_told - a callback for odd lines of iscsid.conf; ctx is the struct sk_adm */
void sk_conf_told(void *ctx, unsigned line, const char *text);

int sk_node_new(struct sk_adm *adm, const struct sk_sel *sel);
int sk_node_update(struct sk_adm *adm, const struct sk_sel *sel);
int sk_node_delete(struct sk_adm *adm, const struct sk_sel *sel);

/** sk_pairs_apply - the -n/-v pairs on a record, names first; nothing is changed when one is refused. What is
 * refused is told with the incumbent's words, @after_word adds its "Unknown parameter" line. Returns 0 or
 * SK_RES_INVAL */
int sk_pairs_apply(struct sk_adm *adm, struct sk_record *r, bool after_word);
/** sk_node_delete_items - delete these records, those in use stay. Tells; returns the first error */
int sk_node_delete_items(struct sk_adm *adm, const struct sk_nodes *nodes);
/** sk_store_code - the exit status of a failure of the store, told on stderr and in the document */
int sk_store_code(struct sk_adm *adm, const struct sk_err *err, const struct sk_about *about);

#endif
