/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transport/wirecfg.h"

#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "record/iface.h"

void sk_transport_wire_cfg(const struct sk_record *r, uint32_t max_data, struct sk_wire_cfg *ret)
{
	const char *cc = sk_record_get(r, "node.conn[0].tcp.congestion_control");

	*ret = (struct sk_wire_cfg){
		.window_size = (int)SK_MAX((int64_t)0, sk_record_int(r, "node.conn[0].tcp.window_size")),
		.tos = (int)sk_record_int(r, "node.conn[0].tcp.type_of_service"),
		.max_data = max_data,
	};
	snprintf(ret->hwaddress, sizeof(ret->hwaddress), "%s", sk_iface_binding(r, "iface.hwaddress"));
	if (!ret->hwaddress[0])
		snprintf(ret->netdev, sizeof(ret->netdev), "%s", sk_iface_binding(r, "iface.net_ifacename"));
	snprintf(ret->ipaddress, sizeof(ret->ipaddress), "%s", sk_iface_binding(r, "iface.ipaddress"));
	if (cc)
		snprintf(ret->congestion, sizeof(ret->congestion), "%s", cc);
}
