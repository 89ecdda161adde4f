/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_ISCSIADM_LIVE_H
#define SK_ISCSIADM_LIVE_H

/** --live: a change of records that holds for running sessions too. */

#include "iscsiadm/select.h"

/** sk_live_check - before anything is written: can running sessions take over all of the -n/-v pairs? 0, or told
 * and SK_RES_INVAL; always 0 without --live */
int sk_live_check(struct sk_adm *adm);
/** sk_live_apply - the pairs go to every running session of @sel; the first failure's code, each is told */
int sk_live_apply(struct sk_adm *adm, const struct sk_sel *sel);

#endif
