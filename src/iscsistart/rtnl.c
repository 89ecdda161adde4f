/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "iscsistart/rtnl.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

#define ANSWER_S 10

/** A request: the header, a fixed part, attributes. Everything there is fits. */
struct request {
	union {
		struct nlmsghdr h;
		uint8_t bytes[256];
	} u;
};

static void *begin(struct request *q, uint16_t type, uint16_t flags, size_t fixed)
{
	*q = (struct request){ 0 };
	q->u.h.nlmsg_type = type;
	q->u.h.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	q->u.h.nlmsg_len = (uint32_t)NLMSG_LENGTH(fixed);
	return NLMSG_DATA(&q->u.h);
}

static void attr(struct request *q, uint16_t type, const void *data, size_t n)
{
	size_t at = NLMSG_ALIGN(q->u.h.nlmsg_len);
	struct rtattr a = { .rta_len = (uint16_t)RTA_LENGTH(n), .rta_type = type };

	memcpy(q->u.bytes + at, &a, sizeof(a));
	memcpy(q->u.bytes + at + RTA_LENGTH(0), data, n);
	q->u.h.nlmsg_len = (uint32_t)(at + RTA_ALIGN(a.rta_len));
}

static void attr_ip(struct request *q, uint16_t type, const struct sk_ip *ip)
{
	attr(q, type, ip->addr, ip->n);
}

/* The kernel's word: 0 or an errno. */
static int answer(int fd, struct sk_err *err)
{
	union {
		struct nlmsghdr h;
		uint8_t bytes[4096];
	} in;
	struct nlmsgerr e;
	ssize_t n = recv(fd, &in, sizeof(in), 0);

	if (n < 0)
		return sk_fail_sys(err, errno, "rtnetlink");
	if ((size_t)n < NLMSG_LENGTH(sizeof(e)) || in.h.nlmsg_type != NLMSG_ERROR)
		return sk_fail(err, SK_EIO, "rtnetlink: an answer of %zd bytes makes no sense", n);
	memcpy(&e, NLMSG_DATA(&in.h), sizeof(e));
	if (e.error == 0 || e.error == -EEXIST)
		return 0;
	return sk_fail_sys(err, -e.error, "rtnetlink");
}

static int ask(int fd, struct request *q, struct sk_err *err)
{
	if (send(fd, &q->u, q->u.h.nlmsg_len, 0) != (ssize_t)q->u.h.nlmsg_len)
		return sk_fail_sys(err, errno, "rtnetlink");
	return answer(fd, err);
}

static int open_socket(uint32_t groups, struct sk_err *err)
{
	struct sockaddr_nl me = { .nl_family = AF_NETLINK, .nl_groups = groups };
	struct timeval wait = { .tv_sec = ANSWER_S };
	SK_FD int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0 || bind(fd, (struct sockaddr *)&me, sizeof(me)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) < 0)
		return sk_fail_sys(err, errno, "rtnetlink socket");
	return sk_give_fd(&fd);
}

int sk_rtnl_open(struct sk_err *err)
{
	return open_socket(0, err);
}

int sk_rtnl_up(int fd, unsigned ifindex, struct sk_err *err)
{
	struct request q;
	struct ifinfomsg *m = begin(&q, RTM_NEWLINK, 0, sizeof(*m));

	m->ifi_index = (int)ifindex;
	m->ifi_flags = IFF_UP;
	m->ifi_change = IFF_UP;
	return ask(fd, &q, err);
}

int sk_rtnl_address(int fd, unsigned ifindex, const struct sk_ip *ip, unsigned prefix, struct sk_err *err)
{
	struct request q;
	struct ifaddrmsg *m = begin(&q, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof(*m));

	m->ifa_family = ip->family;
	m->ifa_prefixlen = (uint8_t)prefix;
	m->ifa_flags = ip->n == 16 ? IFA_F_NODAD : 0;
	m->ifa_index = ifindex;
	attr_ip(&q, IFA_LOCAL, ip);
	attr_ip(&q, IFA_ADDRESS, ip);
	return ask(fd, &q, err);
}

int sk_rtnl_host_route(int fd, unsigned ifindex, const struct sk_ip *to, const struct sk_ip *gateway,
		       struct sk_err *err)
{
	struct request q;
	struct rtmsg *m = begin(&q, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, sizeof(*m));

	m->rtm_family = to->family;
	m->rtm_dst_len = (uint8_t)(to->n * 8);
	m->rtm_table = RT_TABLE_MAIN;
	m->rtm_protocol = RTPROT_BOOT;
	m->rtm_scope = gateway || to->n == 16 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	m->rtm_type = RTN_UNICAST;
	attr_ip(&q, RTA_DST, to);
	attr(&q, RTA_OIF, &ifindex, sizeof(ifindex));
	if (gateway)
		attr_ip(&q, RTA_GATEWAY, gateway);
	return ask(fd, &q, err);
}

/* --- the link ------------------------------------------------------------------------------------------------ */

static bool running(int fd, const char *netdev)
{
	struct ifreq r = { 0 };

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", netdev);
	return ioctl(fd, SIOCGIFFLAGS, &r) == 0 && r.ifr_flags & IFF_RUNNING;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool sk_rtnl_wait_link(const char *netdev, unsigned ms)
{
	SK_FD int news = open_socket(RTMGRP_LINK, NULL); /* before the look: no change is missed */
	SK_FD int flags = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct pollfd p = { .fd = news, .events = POLLIN };
	int64_t end = now_ms() + ms, left;
	char drop[4096];

	if (news < 0 || flags < 0)
		return false;
	while (!running(flags, netdev)) {
		left = end - now_ms();
		if (left <= 0 || (poll(&p, 1, (int)left) < 0 && errno != EINTR))
			return false;
		while (recv(news, drop, sizeof(drop), MSG_DONTWAIT) > 0)
			continue;
	}
	return true;
}
