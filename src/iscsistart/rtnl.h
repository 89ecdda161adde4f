/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_ISCSISTART_RTNL_H
#define SK_ISCSISTART_RTNL_H

/** Links, addresses and routes over rtnetlink: one request, one answer. What exists already is no error. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct sk_ip {
	uint8_t family; /* AF_INET, AF_INET6 */
	uint8_t n;	/* bytes of .addr: 4, 16 */
	uint8_t addr[16];
};

/** sk_rtnl_open - a descriptor for the requests below; -1: SK_EACCES and others */
int sk_rtnl_open(struct sk_err *err);
/** sk_rtnl_up - administratively up */
int sk_rtnl_up(int fd, unsigned ifindex, struct sk_err *err);
/** sk_rtnl_address - @prefix in bits. An IPv6 address can be used at once: the firmware used it a moment ago */
int sk_rtnl_address(int fd, unsigned ifindex, const struct sk_ip *ip, unsigned prefix, struct sk_err *err);
/** sk_rtnl_host_route - to one host through this device, by @gateway unless NULL */
int sk_rtnl_host_route(int fd, unsigned ifindex, const struct sk_ip *to, const struct sk_ip *gateway,
		       struct sk_err *err);
/** sk_rtnl_wait_link - until the device has a carrier; false after @ms milliseconds without */
bool sk_rtnl_wait_link(const char *netdev, unsigned ms);

#endif
