/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_ISCSIADM_DISC_RUN_H
#define SK_ISCSIADM_DISC_RUN_H

/** A discovery: ask through each iface, change the records, print what was found, log in. */

#include "iscsiadm/disc_show.h"

/** sk_disc_run - @record holds the settings (SendTargets); it is lent */
int sk_disc_run(struct sk_adm *adm, const struct sk_disc_ref *ref, const struct sk_record *record);

#endif
