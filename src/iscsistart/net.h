/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_ISCSISTART_NET_H
#define SK_ISCSISTART_NET_H

#include "sys/boot.h"

/** sk_start_network - links up, addresses and a route to each target, as the firmware says (spec: boot.md 5.5).
 * DHCP is not asked again: the firmware's address is used. No default route, no name servers. Tells; returns 0, or
 * 1 when one failed */
int sk_start_network(const struct sk_boot *boot);

#endif
