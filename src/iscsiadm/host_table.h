/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_ISCSIADM_HOST_TABLE_H
#define SK_ISCSIADM_HOST_TABLE_H

/** What an adapter keeps for itself: the submodes chap, flashnode and stats of host mode. Each asks the kernel directly,
 * without iscsid, and returns an exit status; what fails is told. -H must have been given. */

#include "iscsiadm/say.h"

int sk_host_chap(struct sk_adm *adm);
int sk_host_flashnode(struct sk_adm *adm);
int sk_host_stats(struct sk_adm *adm);

#endif
