/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_TRANSPORT_WIRECFG_H
#define SK_TRANSPORT_WIRECFG_H

#include "record/record.h"
#include "wire/tcp.h"

/** sk_transport_wire_cfg - how a node record's sockets are made: device, window, TOS, congestion control */
void sk_transport_wire_cfg(const struct sk_record *r, uint32_t max_data, struct sk_wire_cfg *ret);

#endif
