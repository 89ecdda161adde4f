/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_ISCSIADM_DISC_SHOW_H
#define SK_ISCSIADM_DISC_SHOW_H

/** Discovery records: the list with what was found through each, one whole record, changes. */

#include "iscsiadm/adm.h"

/** Which discovery record a command means */
struct sk_disc_ref {
	enum sk_disc_type type;
	const char *host;
	uint16_t port;
};

/** sk_disc_list - all records at a print level; 21 when there is nothing */
int sk_disc_list(struct sk_adm *adm);
/** sk_disc_new_record - with the configuration's values; owned by the caller */
struct sk_record *sk_disc_new_record(struct sk_adm *adm, const struct sk_disc_ref *ref, struct sk_err *err);

/** sk_disc_fresh_record - the same for a plain discovery: what a user set in the stored record stays */
struct sk_record *sk_disc_fresh_record(struct sk_adm *adm, const struct sk_disc_ref *ref, struct sk_err *err);
/** sk_disc_preserves - discovery.preserve_node_settings of iscsid.conf: unless it is No, discoveries keep what users set */
bool sk_disc_preserves(struct sk_adm *adm);

int sk_disc_new(struct sk_adm *adm, const struct sk_disc_ref *ref);
int sk_disc_show(struct sk_adm *adm, const struct sk_disc_ref *ref);
int sk_disc_update(struct sk_adm *adm, const struct sk_disc_ref *ref);
int sk_disc_delete(struct sk_adm *adm, const struct sk_disc_ref *ref);

#endif
