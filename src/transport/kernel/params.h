/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_TRANSPORT_KERNEL_PARAMS_H
#define SK_TRANSPORT_KERNEL_PARAMS_H

/** Lists of parameters for SET_PARAM and SET_HOST_PARAM, in the order they are set. Pure. */

#include "proto/params.h"
#include "record/record.h"

#define SK_KPARAMS_MAX 32

struct sk_kparam {
	uint32_t number;	/* enum sk_nl_param, or sk_nl_host_param */
	bool host;
	char text[260];
};

struct sk_kparams {
	unsigned n;
	struct sk_kparam p[SK_KPARAMS_MAX];
};

/** sk_kparams_login - what is set once the socket is bound and before the first login PDU */
void sk_kparams_login(struct sk_kparams *ret, const struct sk_record *node, const char *initiator, const char *iface);
/** sk_kparams_timers - the times alone, which a running session takes over at once */
void sk_kparams_timers(struct sk_kparams *ret, const struct sk_record *node);
/** sk_kparams_negotiated - what the login settled; set after it and before the start */
void sk_kparams_negotiated(struct sk_kparams *ret, const struct sk_params *p);
void sk_kparams_free(struct sk_kparams *p); /* NULL is fine; wipes secrets */

#endif
