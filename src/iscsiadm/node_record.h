/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_ISCSIADM_NODE_RECORD_H
#define SK_ISCSIADM_NODE_RECORD_H

/** Node records as they are made new: configuration, iface, key. */

#include "iscsiadm/adm.h"

/** sk_node_record_new - a record of a target's portal, bound to @iface, with the configuration's values; static.
 * Owned by the caller; NULL with SK_EINVAL for a name or portal that cannot be stored */
struct sk_record *sk_node_record_new(struct sk_adm *adm, const char *target, const struct sk_portal *portal,
				     const struct sk_record *iface, struct sk_err *err);
/** sk_node_record_says - "[tcp:[hw=,ip=,net_if=,iscsi_if=default] host,port,tag target]" */
void sk_node_record_says(struct sk_buf *out, const struct sk_record *r);
/** sk_node_record_json - the record for the daemon: every key with its text, secrets clear */
struct json_object *sk_node_record_json(const struct sk_record *r);

#endif
