/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_TRANSPORT_KERNEL_NL_SOCK_H
#define SK_TRANSPORT_KERNEL_NL_SOCK_H

/** Sockets of NETLINK_ISCSI: one without groups for commands, one in group 1 for events. */

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "transport/kernel/nl_msg.h"

#define SK_NL_DATAGRAM 16384 /* the longest is a PDU with 8 KiB of data */
#define SK_NL_CALLS    48

/** sk_nl_open - @events: a member of group 1, non-blocking; else for commands. SK_ENOTSUP: this kernel has no iSCSI;
 * SK_EACCES: not permitted (the text says which capability is missing) */
int sk_nl_open(bool events, int *ret_fd, struct sk_err *err);

/** sk_nl_call - send a command, wait for its answer. The kernel executes it inside the send, which may block.
 * SK_EAGAIN: the command was executed but its answer is lost. Else the kernel's errno in err->sys. */
int sk_nl_call(int fd, const struct sk_buf *request, struct sk_nl_msg *ret, struct sk_err *err);

/** sk_nl_call_all - the commands of @batch (sk_nl_add), at most SK_NL_CALLS, in one message. Each is executed, whatever
 * became of those before it: ret_sys[i] is the errno of the i-th, 0 when it was done. -1: nothing was sent, or answers are
 * lost (SK_EAGAIN) */
int sk_nl_call_all(int fd, const struct sk_buf *batch, int *ret_sys, struct sk_err *err);

/** sk_nl_ask - as sk_nl_call, for commands that are answered to group 1 (statistics, the CHAP table): @fd is a member, of
 * the caller alone. @buf (SK_NL_DATAGRAM bytes) holds what *ret lends. */
int sk_nl_ask(int fd, const struct sk_buf *request, uint8_t *buf, struct sk_nl_msg *ret, struct sk_err *err);

/** sk_nl_next - the next event, without waiting: 1, 0 when there is none, -1 with SK_EAGAIN when events were lost
 * (ENOBUFS) or SK_EPROTO for a message to pass over. @buf (SK_NL_DATAGRAM bytes) holds what *ret lends. */
int sk_nl_next(int fd, uint8_t *buf, struct sk_nl_msg *ret, struct sk_err *err);

/** sk_nl_probe - may we drive the kernel with this command socket? Sends what no kernel acts upon. SK_EACCES,
 * SK_ENOTSUP; the text says what is wrong and what to do */
int sk_nl_probe(int fd, struct sk_err *err);

#endif
