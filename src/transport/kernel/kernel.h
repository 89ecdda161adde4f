/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_TRANSPORT_KERNEL_KERNEL_H
#define SK_TRANSPORT_KERNEL_KERNEL_H

/** The kernel transport: iscsi_tcp ("tcp") over NETLINK_ISCSI and sysfs. The kernel carries the data; logins are ours,
 * their PDUs go through it. */

#include "transport/transport.h"

struct sk_kernel_cfg {
	bool safe_logout; /* iscsid.safe_logout: a session in use is not logged out without force */
};

/** sk_kernel_transport_new - @loop and @places are lent for the transport's life. Touches nothing of the kernel yet */
struct sk_transport *sk_kernel_transport_new(struct sk_loop *loop, const struct sk_places *places,
					     const struct sk_kernel_cfg *cfg, struct sk_err *err);
void sk_kernel_transport_free(struct sk_transport *t); /* its sessions must be forgotten or gone */

/**
 * sk_kernel_prepare - can the kernel carry sessions? Opens its sockets, loads its module (a child with a deadline).
 * Exactly one call of @fn, never from inside this one: why NULL = yes; else SK_ENOTSUP (no iSCSI here, another network
 * namespace), SK_EACCES (privileges), SK_ETIME, SK_ENOTCONN (the transport is going down), with words for people.
 */
typedef void sk_kernel_ready_fn(void *ctx, const struct sk_err *why);
int sk_kernel_prepare(struct sk_transport *t, sk_kernel_ready_fn *fn, void *ctx, struct sk_err *err);

#endif
