/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transport/kernel/nl_sock.h"

#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/mem.h"

#define NETLINK_ISCSI_PROTO 8
#define GROUP_EVENTS	    1 /* bit 0 of the mask */
#define RCVBUF_COMMANDS	    (256 << 10)
#define RCVBUF_EVENTS	    (8 << 20) /* about 10,000 events: a thousand sessions lost at once, and PDUs of all */
#define ANSWER_LEN	    256	      /* of an answer's 72 bytes, and more */
#define ANSWER_MS	    2000      /* the answer is there when the send returns; this is for one that was lost */

static void set_rcvbuf(int fd, int bytes)
{
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

/* The layout of the messages is the kernel's: a process of half its word size would read the wrong places on some
 * machines and block in compatibility calls on others. */
static int check_abi(struct sk_err *err)
{
	struct utsname u;

	if (sizeof(void *) != 4)
		return 0;
	if (uname(&u) == 0 && !strstr(u.machine, "64") && strcmp(u.machine, "i686") != 0 && strcmp(u.machine, "i586") != 0)
		return 0;
	return sk_fail(err, SK_ENOTSUP, "a 32-bit iscsid cannot drive the kernel's iSCSI here: install the 64-bit one");
}

int sk_nl_open(bool events, int *ret_fd, struct sk_err *err)
{
	struct sockaddr_nl own = { .nl_family = AF_NETLINK, .nl_groups = events ? GROUP_EVENTS : 0 };
	SK_FD int fd = -1;

	if (check_abi(err) < 0)
		return -1;
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | (events ? SOCK_NONBLOCK : 0), NETLINK_ISCSI_PROTO);
	if (fd < 0 && (errno == EPROTONOSUPPORT || errno == EAFNOSUPPORT))
		return sk_fail(err, SK_ENOTSUP, "this kernel has no iSCSI");
	if (fd < 0)
		return sk_fail_sys(err, errno, "open a NETLINK_ISCSI socket");
	set_rcvbuf(fd, events ? RCVBUF_EVENTS : RCVBUF_COMMANDS);
	if (bind(fd, (const struct sockaddr *)&own, sizeof(own)) < 0) {
		if (errno == EPERM || errno == EACCES)
			return sk_fail(err, SK_EACCES,
				       "not permitted to hear the kernel's iSCSI events: iscsid needs CAP_NET_ADMIN");
		return sk_fail_sys(err, errno, "bind the NETLINK_ISCSI socket");
	}
	*ret_fd = sk_give_fd(&fd);
	return 0;
}

static int transmit(int fd, const struct sk_buf *request, struct sk_err *err)
{
	ssize_t n;

	if (request->nomem || request->n < SK_NL_HEAD)
		return sk_fail(err, SK_ENOMEM, "no memory");
	do
		n = send(fd, request->p, request->n, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == ECONNREFUSED)
		return sk_fail_sys(err, errno, "the kernel's iSCSI answers in the initial network namespace only");
	if (n < 0)
		return sk_fail_sys(err, errno, "send to the kernel");
	return 0;
}

/* One datagram from the kernel itself: its length, 0 when there is none now, -1. */
static ssize_t receive(int fd, uint8_t *buf, int flags, struct sk_err *err)
{
	for (;;) {
		struct sockaddr_nl from = { 0 };
		struct iovec io = { buf, SK_NL_DATAGRAM };
		struct msghdr m = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &io, .msg_iovlen = 1 };
		ssize_t n = recvmsg(fd, &m, flags);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		if (n < 0 && errno == ENOBUFS)
			return sk_fail(err, SK_EAGAIN, "messages of the kernel were lost");
		if (n < 0)
			return sk_fail_sys(err, errno, "receive from the kernel");
		if (n == 0)
			return sk_fail(err, SK_ECONN, "the other end hung up");
		if (m.msg_namelen >= sizeof(from) && from.nl_family == AF_NETLINK && from.nl_pid != 0)
			continue; /* another process plays kernel */
		if (m.msg_flags & MSG_TRUNC)
			return sk_fail(err, SK_EPROTO, "a message of the kernel is longer than %d bytes", SK_NL_DATAGRAM);
		return n;
	}
}

/* The answers are queued when the send returns: the look before the wait finds them. */
static int wait_answer(int fd, uint16_t command, struct sk_err *err)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (poll(&p, 1, ANSWER_MS) == 0)
		return sk_fail(err, SK_EAGAIN, "%s: the kernel's answer is lost", sk_nl_type_name(command));
	return 0;
}

/* The answer to a command, in @buf: the reply, or with @event what group 1 is told. Others' messages are passed over. */
static int answer(int fd, uint16_t command, bool event, uint8_t *buf, struct sk_nl_msg *ret, struct sk_err *err)
{
	for (;;) {
		struct sk_nl_msg m;
		ssize_t n = receive(fd, buf, MSG_DONTWAIT, err);

		if (n < 0 || (n == 0 && wait_answer(fd, command, err) < 0))
			return -1;
		if (n == 0 || sk_nl_get(sk_span(buf, (size_t)n), &m, NULL) < 0)
			continue;
		if (m.reply_to == command && m.error)
			return sk_fail_sys(err, m.error, "%s", sk_nl_type_name(command));
		if (event ? m.reply_to || m.type != command : m.reply_to != command)
			continue;
		*ret = m;
		return 0;
	}
}

int sk_nl_call(int fd, const struct sk_buf *request, struct sk_nl_msg *ret, struct sk_err *err)
{
	uint8_t buf[SK_NL_DATAGRAM];
	uint16_t command;

	if (transmit(fd, request, err) < 0)
		return -1;
	memcpy(&command, request->p + 4, sizeof(command));
	if (answer(fd, command, false, buf, ret, err) < 0)
		return -1;
	ret->bhs = ret->data = ret->stats = ret->table = sk_span(NULL, 0);
	return 0;
}

int sk_nl_ask(int fd, const struct sk_buf *request, uint8_t *buf, struct sk_nl_msg *ret, struct sk_err *err)
{
	uint16_t command;

	if (transmit(fd, request, err) < 0)
		return -1;
	memcpy(&command, request->p + 4, sizeof(command));
	return answer(fd, command, true, buf, ret, err);
}

struct answers {
	uint8_t text[SK_NL_CALLS][ANSWER_LEN];
	struct sockaddr_nl from[SK_NL_CALLS];
	struct iovec io[SK_NL_CALLS];
	struct mmsghdr m[SK_NL_CALLS];
};

/* As many answers as there are, at most @max: their number, 0 when there is none now, -1. */
static int receive_some(int fd, struct answers *a, unsigned max, struct sk_err *err)
{
	int n;

	for (unsigned i = 0; i < max; i++) {
		a->io[i] = (struct iovec){ a->text[i], sizeof(a->text[i]) };
		a->from[i] = (struct sockaddr_nl){ .nl_pid = 0 };
		a->m[i] = (struct mmsghdr){ .msg_hdr = { .msg_name = &a->from[i], .msg_namelen = sizeof(a->from[i]),
							 .msg_iov = &a->io[i], .msg_iovlen = 1 } };
	}
	do
		n = recvmmsg(fd, a->m, max, MSG_DONTWAIT, NULL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	if (n < 0 && errno == ENOBUFS)
		return sk_fail(err, SK_EAGAIN, "messages of the kernel were lost");
	return n < 0 ? sk_fail_sys(err, errno, "receive from the kernel") : n;
}

/* Is it the kernel's answer to @command? */
static bool answers(const struct answers *a, unsigned i, uint16_t command, struct sk_nl_msg *ret)
{
	const struct msghdr *m = &a->m[i].msg_hdr;

	if (m->msg_namelen >= sizeof(a->from[i]) && a->from[i].nl_family == AF_NETLINK && a->from[i].nl_pid != 0)
		return false; /* another process plays kernel */
	if (m->msg_flags & MSG_TRUNC)
		return false;
	return sk_nl_get(sk_span(a->text[i], a->m[i].msg_len), ret, NULL) == 0 && ret->reply_to == command;
}

int sk_nl_call_all(int fd, const struct sk_buf *batch, int *ret_sys, struct sk_err *err)
{
	uint16_t commands[SK_NL_CALLS + 1];
	struct answers a;
	unsigned n = 0, done = 0;
	size_t at = 0;

	while (n <= SK_NL_CALLS && (commands[n] = sk_nl_command(sk_buf_span(batch), &at)) != 0)
		n++;
	if (n > SK_NL_CALLS)
		return sk_fail(err, SK_EINVAL, "too many commands for the kernel at once");
	if (transmit(fd, batch, err) < 0)
		return -1;
	while (done < n) {
		int got = receive_some(fd, &a, n - done, err);

		if (got < 0 || (got == 0 && wait_answer(fd, commands[done], err) < 0))
			return -1;
		for (int i = 0; i < got && done < n; i++) {
			struct sk_nl_msg m;

			if (answers(&a, (unsigned)i, commands[done], &m))
				ret_sys[done++] = m.error;
		}
	}
	return 0;
}

int sk_nl_next(int fd, uint8_t *buf, struct sk_nl_msg *ret, struct sk_err *err)
{
	ssize_t n = receive(fd, buf, MSG_DONTWAIT, err);

	if (n <= 0)
		return (int)n;
	return sk_nl_get(sk_span(buf, (size_t)n), ret, err) < 0 ? -1 : 1;
}

int sk_nl_probe(int fd, struct sk_err *err)
{
	SK_BUF struct sk_buf out = { 0 };
	struct sk_nl_msg m;
	struct sk_err why = { 0 };

	sk_nl_put_session(&out, SK_NL_UNBIND_SESSION, 0, 0); /* no transport has the handle 0 */
	if (sk_nl_call(fd, &out, &m, &why) == 0 || why.sys == EINVAL)
		return 0;
	if (why.sys == ECONNREFUSED)
		return sk_fail(err, SK_ENOTSUP,
			       "the kernel's iSCSI cannot be reached from this network namespace: run iscsid in the initial one");
	if (why.sys == EPERM || why.sys == EACCES)
		return sk_fail(err, SK_EACCES,
			       "not permitted to drive the kernel's iSCSI: iscsid needs CAP_SYS_ADMIN in the initial user namespace");
	*err = why;
	return -1;
}
