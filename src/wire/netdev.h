/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_WIRE_NETDEV_H
#define SK_WIRE_NETDEV_H

/** Network devices and addresses as the wire needs them. */

#include <sys/socket.h>

#include "base/err.h"

#define SK_ADDR_TEXT 80

/** What a connection is bound to; "" leaves that open. */
struct sk_netdev_want {
	const char *netdev;	/* the device */
	const char *hwaddress;	/* ... or the one with this address ("02:00:ab:…", any case) */
	const char *ipaddress;	/* numeric, the source address; it must be the device's, and without one chooses it */
};

/** sk_netdev_bind - let @fd use one device, and one source address, only. A link-local @to without a scope gets the
 * device's. Never another device instead.
 * Errors: SK_ENOENT (no such device or address: it may appear later), SK_EACCES, SK_EINVAL (not an address). */
int sk_netdev_bind(int fd, const struct sk_netdev_want *want, struct sockaddr_storage *to, struct sk_err *err);

/** sk_netdev_of_hwaddress - the name (IFNAMSIZ bytes) of the device with this address; one that is up is preferred
 */
int sk_netdev_of_hwaddress(const char *hwaddress, char ret[16], struct sk_err *err);

/** sk_addr_text - "10.0.0.5:3260", "[fe80::1%eth0]:3260" */
void sk_addr_text(const struct sockaddr_storage *addr, char ret[SK_ADDR_TEXT]);

#endif
