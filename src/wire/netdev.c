/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/netdev.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"

#define HW_MAX 8 /* what a packet socket's address holds */

/* "aa:bb:…" as bytes; 0 when it is not one. */
static size_t parse_hwaddress(const char *s, uint8_t ret[HW_MAX])
{
	size_t n = 0;
	uint64_t v;

	for (;; s++) {
		size_t digits = strcspn(s, ":");

		if (n == HW_MAX || digits > 2 || !sk_num_hex(s, digits, &v))
			return 0;
		ret[n++] = (uint8_t)v;
		s += digits;
		if (!*s)
			return n >= 6 ? n : 0;
	}
}

int sk_netdev_of_hwaddress(const char *hwaddress, char ret[16], struct sk_err *err)
{
	struct ifaddrs *all = NULL, *best = NULL;
	uint8_t hw[HW_MAX];
	size_t n = parse_hwaddress(hwaddress, hw);

	if (n == 0)
		return sk_fail(err, SK_EINVAL, "\"%s\" is not a hardware address", hwaddress);
	if (getifaddrs(&all) < 0)
		return sk_fail_sys(err, errno, "list of network devices");
	for (struct ifaddrs *i = all; i; i = i->ifa_next) {
		const struct sockaddr_ll *ll = (const struct sockaddr_ll *)(const void *)i->ifa_addr;

		if (!ll || ll->sll_family != AF_PACKET || ll->sll_halen != n || memcmp(ll->sll_addr, hw, n) != 0)
			continue;
		if (!best || (!(best->ifa_flags & IFF_UP) && (i->ifa_flags & IFF_UP)))
			best = i;
	}
	if (best)
		snprintf(ret, IFNAMSIZ, "%s", best->ifa_name);
	freeifaddrs(all);
	return best ? 0 : sk_fail(err, SK_ENOENT, "no network device has the address %s", hwaddress);
}

int sk_netdev_bind(int fd, const char *netdev, const char *hwaddress, struct sockaddr_storage *to,
		   struct sk_err *err)
{
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)to;
	char dev[IFNAMSIZ] = "";
	unsigned index;

	if (netdev[0] && strlen(netdev) >= sizeof(dev))
		return sk_fail(err, SK_EINVAL, "network device name of %zu bytes", strlen(netdev));
	if (netdev[0])
		snprintf(dev, sizeof(dev), "%s", netdev);
	else if (hwaddress[0] && sk_netdev_of_hwaddress(hwaddress, dev, err) < 0)
		return -1;
	if (!dev[0])
		return 0;
	index = if_nametoindex(dev);
	if (index == 0)
		return sk_fail(err, SK_ENOENT, "network device %s does not exist", dev);
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, dev, (socklen_t)strlen(dev)) < 0)
		return sk_fail_sys(err, errno, "bind to network device %s", dev);
	if (six->sin6_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&six->sin6_addr) && six->sin6_scope_id == 0)
		six->sin6_scope_id = index;
	return 0;
}

void sk_addr_text(const struct sockaddr_storage *addr, char ret[SK_ADDR_TEXT])
{
	socklen_t len = addr->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	char host[64], port[8];
	bool six = addr->ss_family == AF_INET6;

	if (getnameinfo((const struct sockaddr *)addr, len, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		snprintf(ret, SK_ADDR_TEXT, "?");
	else
		snprintf(ret, SK_ADDR_TEXT, "%s%s%s:%s", six ? "[" : "", host, six ? "]" : "", port);
}
