/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_ISCSIADM_DISC_RUN_H
#define SK_ISCSIADM_DISC_RUN_H

/** A discovery: ask through each iface, change the records, print what was found, log in. */

#include "iscsiadm/disc_show.h"

/** sk_disc_run - @record holds the settings of SendTargets; it is lent. An iSNS server needs none: NULL */
int sk_disc_run(struct sk_adm *adm, const struct sk_disc_ref *ref, const struct sk_record *record);

/** What was found without asking anybody. */
struct sk_disc_known {
	const struct sk_iname *target;
	const struct sk_portal *portal;
	const struct sk_record *iface;
};
struct sk_disc_result {
	const struct sk_disc_known *v;
	unsigned n;
	/** as that of struct sk_merge_cfg; @known is the item of @v meant */
	int (*dress)(void *ctx, const struct sk_disc_known *known, struct sk_record *r, struct sk_err *err);
	void *ctx;
};
/** sk_disc_conclude - the second half of a discovery: records, output, logins. Everything is lent */
int sk_disc_conclude(struct sk_adm *adm, const struct sk_disc_ref *ref, const struct sk_disc_result *result);

#endif
