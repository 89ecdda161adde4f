/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_ISCSIADM_CHANGE_H
#define SK_ISCSIADM_CHANGE_H

#include "iscsiadm/adm.h"

/** sk_adm_change - run @run with the database locked; what it does to records is one change, made when it returns and
 * not at all when it returns SK_RES_IDBM. What it says on stdout is said when the change is made. Returns the exit status. */
int sk_adm_change(struct sk_adm *adm, int (*run)(struct sk_adm *adm, const void *what), const void *what);

#endif
