/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_TRANSPORT_USER_USER_H
#define SK_TRANSPORT_USER_USER_H

/** The user transport: logins on a socket of ours, the data path in an iscsi-session process of its own per session. */

#include "transport/transport.h"

struct sk_user_cfg {
	const char *run_as;	/* user the engines run as; NULL = iscsi-session's own choice */
	const char *debug;	/* rooms, handed on to iscsi-session; NULL = none */
	uint32_t busy_poll_us;	/* engines look that long before they sleep; 0 = off; at most SK_REACTOR_BUSY_MAX */
};

/** sk_user_transport_new - @loop and @places are lent for the transport's life */
struct sk_transport *sk_user_transport_new(struct sk_loop *loop, const struct sk_places *places,
					   const struct sk_user_cfg *cfg, struct sk_err *err);
void sk_user_transport_free(struct sk_transport *t);	/* its sessions must be forgotten or gone */

#endif
