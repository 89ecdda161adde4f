/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_ISCSIADM_FIRMWARE_H
#define SK_ISCSIADM_FIRMWARE_H

/** Targets that the boot firmware names. */

#include "iscsiadm/adm.h"

/** sk_firmware_discover - discovery -t fw */
int sk_firmware_discover(struct sk_adm *adm);

#endif
