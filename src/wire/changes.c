/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/changes.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

#define RX_MAX	   32768
#define TURN_READS 16 /* datagrams of one turn of the loop */

struct sk_net_changes {
	struct sk_loop *loop;
	int fd;
	struct sk_watch *watch;
	struct sk_timer *timer;
	uint64_t told; /* when we last told; 0 = never */
	bool due;
	sk_net_changes_fn *fn;
	void *ctx;
	struct sk_net_links links;
};

/* --- what a datagram says (pure) ----------------------------------------------------------------------------- */

static bool link_news(struct sk_net_links *links, int32_t index, bool up)
{
	unsigned at = 0;
	bool was;

	while (at < SK_ARRAY_LEN(links->a) && links->a[at].index != index)
		at++;
	if (at == SK_ARRAY_LEN(links->a)) {
		at = links->next++ % SK_ARRAY_LEN(links->a);
		links->a[at].up = false;
	}
	was = links->a[at].up;
	links->a[at].index = index;
	links->a[at].up = up;
	return up && !was;
}

static bool link_msg(struct sk_net_links *links, const uint8_t *body, size_t n, bool gone)
{
	struct ifinfomsg ifi;

	if (n < sizeof(ifi))
		return false;
	memcpy(&ifi, body, sizeof(ifi));
	return link_news(links, ifi.ifi_index, !gone && (ifi.ifi_flags & IFF_UP) && (ifi.ifi_flags & IFF_RUNNING));
}

/* An IPv6 address is told of twice: first while it is being tried whether somebody else has it. */
static bool addr_msg(const uint8_t *body, size_t n)
{
	struct ifaddrmsg ifa;

	if (n < sizeof(ifa))
		return false;
	memcpy(&ifa, body, sizeof(ifa));
	return !(ifa.ifa_flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED));
}

bool sk_net_better(struct sk_net_links *links, const uint8_t *p, size_t n)
{
	struct nlmsghdr h;
	bool better = false;

	while (n >= sizeof(h)) {
		size_t whole;

		memcpy(&h, p, sizeof(h));
		if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > n)
			break;
		if (h.nlmsg_type == RTM_NEWLINK || h.nlmsg_type == RTM_DELLINK)
			better |= link_msg(links, p + sizeof(h), h.nlmsg_len - sizeof(h),
					   h.nlmsg_type == RTM_DELLINK);
		else if (h.nlmsg_type == RTM_NEWADDR)
			better |= addr_msg(p + sizeof(h), h.nlmsg_len - sizeof(h));
		whole = NLMSG_ALIGN((size_t)h.nlmsg_len);
		if (whole >= n)
			break;
		p += whole;
		n -= whole;
	}
	return better;
}

/* --- the socket ---------------------------------------------------------------------------------------------- */

static void note(struct sk_net_changes *c)
{
	uint64_t at = sk_loop_now(c->loop) + SK_NET_SETTLE_MS;

	if (c->due)
		return;
	c->due = true;
	if (c->told && at < c->told + SK_NET_PAUSE_MS)
		at = c->told + SK_NET_PAUSE_MS;
	sk_timer_at(c->timer, at);
}

static void on_timer(void *ctx)
{
	struct sk_net_changes *c = ctx;

	c->due = false;
	c->told = sk_loop_now(c->loop);
	c->fn(c->ctx);
}

static void on_readable(void *ctx, unsigned events)
{
	struct sk_net_changes *c = ctx;
	uint8_t buf[RX_MAX];

	(void)events;
	for (int i = 0; i < TURN_READS; i++) {
		struct sockaddr_nl from = { 0 };
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(c->fd, buf, sizeof(buf), MSG_DONTWAIT, (struct sockaddr *)&from, &len);

		if (n < 0 && errno == ENOBUFS) { /* some were lost: there may have been a good one */
			note(c);
			continue;
		}
		if (n < 0)
			return;
		if (from.nl_pid == 0 && sk_net_better(&c->links, buf, (size_t)n))
			note(c);
	}
}

struct sk_net_changes *sk_net_changes_new(struct sk_loop *l, sk_net_changes_fn *fn, void *ctx, struct sk_err *err)
{
	struct sockaddr_nl own = { .nl_family = AF_NETLINK,
				   .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR };
	struct sk_net_changes *c = calloc(1, sizeof(*c));

	if (!c) {
		sk_fail(err, SK_ENOMEM, "no memory");
		return NULL;
	}
	*c = (struct sk_net_changes){ .loop = l, .fd = -1, .fn = fn, .ctx = ctx };
	c->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (c->fd < 0 || bind(c->fd, (const struct sockaddr *)&own, sizeof(own)) < 0) {
		sk_fail_sys(err, errno, "listen for changes of the network");
		goto undo;
	}
	c->timer = sk_timer_new(l, on_timer, c, err);
	c->watch = c->timer ? sk_watch_new(l, c->fd, on_readable, c, err) : NULL;
	if (!c->watch)
		goto undo;
	sk_watch_set(c->watch, SK_READABLE);
	return c;
undo:
	sk_net_changes_free(c);
	return NULL;
}

void sk_net_changes_free(struct sk_net_changes *c)
{
	if (!c)
		return;
	sk_watch_free(c->watch);
	sk_timer_free(c->timer);
	sk_fd_close(&c->fd);
	free(c);
}
