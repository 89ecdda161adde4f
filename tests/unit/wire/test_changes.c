/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop/virtual.h"
#include "wire/changes.h"

struct dgram {
	uint8_t p[1024];
	size_t n;
};

static void put(struct dgram *d, uint16_t type, const void *body, size_t n)
{
	struct nlmsghdr h = { .nlmsg_len = (uint32_t)(sizeof(h) + n), .nlmsg_type = type };

	memcpy(d->p + d->n, &h, sizeof(h));
	memcpy(d->p + d->n + sizeof(h), body, n);
	d->n += NLMSG_ALIGN(sizeof(h) + n);
}

static void put_link(struct dgram *d, uint16_t type, int index, unsigned flags)
{
	struct ifinfomsg ifi = { .ifi_index = index, .ifi_flags = flags };

	put(d, type, &ifi, sizeof(ifi));
}

static bool link_says(struct sk_net_links *l, uint16_t type, int index, unsigned flags)
{
	struct dgram d = { .n = 0 };

	put_link(&d, type, index, flags);
	return sk_net_better(l, d.p, d.n);
}

static bool addr_says(struct sk_net_links *l, uint16_t type, uint8_t flags)
{
	struct ifaddrmsg ifa = { .ifa_family = AF_INET6, .ifa_flags = flags };
	struct dgram d = { .n = 0 };

	put(&d, type, &ifa, sizeof(ifa));
	return sk_net_better(l, d.p, d.n);
}

static void a_link_is_news_when_it_comes_up(void **st)
{
	struct sk_net_links l = { 0 };

	(void)st;
	assert_false(link_says(&l, RTM_NEWLINK, 2, IFF_UP)); /* no carrier */
	assert_true(link_says(&l, RTM_NEWLINK, 2, IFF_UP | IFF_RUNNING));
	assert_false(link_says(&l, RTM_NEWLINK, 2, IFF_UP | IFF_RUNNING)); /* told of again: an MTU, a statistic */
	assert_true(link_says(&l, RTM_NEWLINK, 3, IFF_UP | IFF_RUNNING));
	assert_false(link_says(&l, RTM_NEWLINK, 2, 0));
	assert_true(link_says(&l, RTM_NEWLINK, 2, IFF_UP | IFF_RUNNING));
	assert_false(link_says(&l, RTM_DELLINK, 2, IFF_UP | IFF_RUNNING));
	assert_true(link_says(&l, RTM_NEWLINK, 2, IFF_UP | IFF_RUNNING));
}

static void more_devices_than_are_remembered(void **st)
{
	struct sk_net_links l = { 0 };

	(void)st;
	for (int round = 0; round < 3; round++)
		for (int i = 1; i <= 2000; i++)
			(void)link_says(&l, RTM_NEWLINK, i, IFF_UP | IFF_RUNNING);
	assert_false(link_says(&l, RTM_NEWLINK, 2000, IFF_UP | IFF_RUNNING));
	assert_true(link_says(&l, RTM_NEWLINK, 1,
			      IFF_UP | IFF_RUNNING)); /* forgotten: taken for news, which does no harm */
}

static void an_address_is_news_when_it_can_be_used(void **st)
{
	struct sk_net_links l = { 0 };

	(void)st;
	assert_false(addr_says(&l, RTM_NEWADDR, IFA_F_TENTATIVE));
	assert_false(addr_says(&l, RTM_NEWADDR, IFA_F_DADFAILED));
	assert_true(addr_says(&l, RTM_NEWADDR, IFA_F_PERMANENT));
	assert_false(addr_says(&l, RTM_DELADDR, IFA_F_PERMANENT));
}

static void every_length_is_read_safely(void **st)
{
	struct sk_net_links l = { 0 };
	struct dgram d = { .n = 0 };
	uint32_t len;

	(void)st;
	put_link(&d, RTM_DELLINK, 7, 0);
	put_link(&d, RTM_NEWLINK, 7, IFF_UP | IFF_RUNNING);
	assert_true(sk_net_better(&l, d.p, d.n));
	for (size_t n = 0; n < d.n; n++) {
		struct sk_net_links none = { 0 };

		assert_false(sk_net_better(&none, d.p, n)); /* the second, good one is not whole */
	}
	for (len = 0; len < 64; len++) { /* lengths that lie */
		struct sk_net_links none = { 0 };

		memcpy(d.p, &len, sizeof(len));
		(void)sk_net_better(&none, d.p, d.n);
	}
}

static void count(void *ctx)
{
	++*(unsigned *)ctx;
}

/* In a network namespace of its own, by the real kernel: the loopback device comes up. */
static int lo_comes_up(void)
{
	struct sk_loop *l = sk_loop_new(NULL);
	struct ifreq r = { .ifr_name = "lo" };
	struct sk_net_changes *c;
	unsigned told = 0;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	sk_loop_virtual(l, 1000);
	c = sk_net_changes_new(l, count, &told, NULL);
	if (!c || ioctl(fd, SIOCGIFFLAGS, &r) < 0)
		return 10;
	for (int i = 0; i < 3; i++) { /* up, down, up: one crowd */
		r.ifr_flags = (short)(i % 2 ? r.ifr_flags & ~IFF_UP : r.ifr_flags | IFF_UP);
		if (ioctl(fd, SIOCSIFFLAGS, &r) < 0)
			return 11;
	}
	for (int i = 0; i < 20; i++)
		sk_loop_turn(l, false);
	if (told)
		return 12; /* not before it has settled */
	sk_loop_advance(l, SK_NET_SETTLE_MS);
	if (told != 1)
		return 13;
	r.ifr_flags &= ~IFF_UP;
	(void)ioctl(fd, SIOCSIFFLAGS, &r);
	r.ifr_flags |= IFF_UP;
	(void)ioctl(fd, SIOCSIFFLAGS, &r);
	for (int i = 0; i < 20; i++)
		sk_loop_turn(l, false);
	sk_loop_advance(l, SK_NET_PAUSE_MS - 1);
	if (told != 1)
		return 14; /* not so soon again */
	sk_loop_advance(l, 1);
	if (told != 2)
		return 15;
	sk_net_changes_free(c);
	sk_loop_free(l);
	close(fd);
	return 0;
}

static void the_kernel_tells_of_it(void **st)
{
	int status = 0;
	pid_t pid;

	(void)st;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
			_exit(77);
		_exit(lo_comes_up());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_link_is_news_when_it_comes_up),
		cmocka_unit_test(more_devices_than_are_remembered),
		cmocka_unit_test(an_address_is_news_when_it_can_be_used),
		cmocka_unit_test(every_length_is_read_safely),
		cmocka_unit_test(the_kernel_tells_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
