/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_ISCSIADM_IFACE_CHANGE_H
#define SK_ISCSIADM_IFACE_CHANGE_H

/** Changing ifaces: new, update (with the node records bound to them), delete. */

#include "iscsiadm/adm.h"

int sk_adm_iface_new(struct sk_adm *adm);
int sk_adm_iface_update(struct sk_adm *adm);
int sk_adm_iface_delete(struct sk_adm *adm);

#endif
