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

static int parse_source(const char *text, int family, struct sockaddr_storage *ret, socklen_t *ret_len, struct sk_err *err)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	int rc = 0;

	if (getaddrinfo(text, NULL, &hints, &found) != 0)
		return sk_fail(err, SK_EINVAL, "iface.ipaddress %s is not an address", text);
	if (found->ai_family != family) {
		rc = sk_fail(err, SK_EINVAL, "iface.ipaddress %s and the portal are of different families", text);
	} else {
		memcpy(ret, found->ai_addr, found->ai_addrlen);
		*ret_len = found->ai_addrlen;
	}
	freeaddrinfo(found);
	return rc;
}

static bool same_address(const struct sockaddr *a, const struct sockaddr_storage *b)
{
	if (!a || a->sa_family != b->ss_family)
		return false;
	if (a->sa_family == AF_INET)
		return ((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr ==
		       ((const struct sockaddr_in *)(const void *)b)->sin_addr.s_addr;
	return IN6_ARE_ADDR_EQUAL(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr,
				  &((const struct sockaddr_in6 *)(const void *)b)->sin6_addr);
}

/* The device that has the address; @dev names the one that must, or is "". */
static int find_source(const struct sockaddr_storage *source, const char *text, char dev[IFNAMSIZ], struct sk_err *err)
{
	struct ifaddrs *all = NULL;
	bool found = false;

	if (getifaddrs(&all) < 0)
		return sk_fail_sys(err, errno, "list of network addresses");
	for (const struct ifaddrs *i = all; i && !found; i = i->ifa_next) {
		if (!same_address(i->ifa_addr, source) || (dev[0] && strcmp(dev, i->ifa_name) != 0))
			continue;
		snprintf(dev, IFNAMSIZ, "%s", i->ifa_name);
		found = true;
	}
	freeifaddrs(all);
	if (found)
		return 0;
	return sk_fail(err, SK_ENOENT, "no network device%s%s has the address %s", dev[0] ? " called " : "", dev, text);
}

static int bind_source(int fd, const char *text, struct sockaddr_storage *source, socklen_t len, unsigned index,
		       struct sk_err *err)
{
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)source;
	int on = 1;

	if (source->ss_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&six->sin6_addr))
		six->sin6_scope_id = index;
	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)); /* the port is chosen by the connect */
	if (bind(fd, (const struct sockaddr *)source, len) < 0)
		return sk_fail_sys(err, errno, "bind to address %s", text);
	return 0;
}

int sk_netdev_bind(int fd, const struct sk_netdev_want *want, struct sockaddr_storage *to, struct sk_err *err)
{
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)to;
	struct sockaddr_storage source = { 0 };
	socklen_t len = 0;
	char dev[IFNAMSIZ] = "";
	unsigned index;

	if (strlen(want->netdev) >= sizeof(dev))
		return sk_fail(err, SK_EINVAL, "network device name of %zu bytes", strlen(want->netdev));
	snprintf(dev, sizeof(dev), "%s", want->netdev);
	if (!dev[0] && want->hwaddress[0] && sk_netdev_of_hwaddress(want->hwaddress, dev, err) < 0)
		return -1;
	if (want->ipaddress[0] && (parse_source(want->ipaddress, to->ss_family, &source, &len, err) < 0 ||
				   find_source(&source, want->ipaddress, dev, err) < 0))
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
	return len ? bind_source(fd, want->ipaddress, &source, len, index, err) : 0;
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
