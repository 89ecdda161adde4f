/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transport/kernel/uevent.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/num.h"
#include "base/span.h"

#define WORDS_MAX 24U

/* Let only messages pass that begin with @text: with hundreds of listeners at once each would else wake up all. */
static int only(int fd, const char *text)
{
	struct sock_filter f[WORDS_MAX * 2 + 2];
	struct sock_fprog prog = { .filter = f };
	size_t words = SK_MIN(strlen(text) / 4, WORDS_MAX);

	for (size_t i = 0; i < words; i++) {
		uint8_t away = (uint8_t)((words - i) * 2 - 1); /* to the last line, which drops */

		f[i * 2] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)i * 4);
		f[i * 2 + 1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
							    sk_be32((const uint8_t *)text + i * 4), 0, away);
	}
	f[words * 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
	f[words * 2 + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
	prog.len = (unsigned short)(words * 2 + 2);
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog));
}

int sk_uevents_open(const char *prefix)
{
	struct sockaddr_nl own = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);

	if (fd >= 0 && (only(fd, prefix) < 0 || bind(fd, (const struct sockaddr *)&own, sizeof(own)) < 0))
		sk_fd_close(&fd);
	return fd;
}

size_t sk_uevents_next(int fd, char buf[SK_UEVENT_MAX])
{
	for (;;) {
		struct sockaddr_nl from = { 0 };
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(fd, buf, SK_UEVENT_MAX - 1, MSG_DONTWAIT, (struct sockaddr *)&from, &len);

		if (n < 0 && (errno == EINTR || errno == ENOBUFS)) /* some were lost: they come again when it matters */
			continue;
		if (n <= 0)
			return 0;
		if (len >= sizeof(from) && from.nl_pid != 0)
			continue; /* another process plays kernel */
		buf[n] = '\0';
		return (size_t)n;
	}
}

const char *sk_uevent_value(const char *msg, size_t n, const char *key)
{
	size_t len = strlen(key);

	for (const char *at = msg, *end = msg + n; at < end; at += strlen(at) + 1)
		if (!strncmp(at, key, len) && at[len] == '=')
			return at + len + 1;
	return NULL;
}
