/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_ISCSIADM_LOGOUT_H
#define SK_ISCSIADM_LOGOUT_H

/** Running sessions asked to do something: logout, rescan, statistics. */

#include "iscsiadm/select.h"

int sk_logout_selected(struct sk_adm *adm, const struct sk_sel *sel);
/** sk_logout_all - -U */
int sk_logout_all(struct sk_adm *adm);
int sk_rescan_selected(struct sk_adm *adm, const struct sk_sel *sel);
int sk_stats_selected(struct sk_adm *adm, const struct sk_sel *sel);

/** sk_sessions_group - the order of logouts: a session follows earlier ones of the same target, address and port */
void sk_sessions_group(struct sk_sessions *s);

#endif
