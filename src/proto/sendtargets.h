/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_PROTO_SENDTARGETS_H
#define SK_PROTO_SENDTARGETS_H

/**
 * sk_sendtargets - what a discovery session says after its login (RFC 7143, 4.3, 11.10-11, Appendix C), without
 *I/O: SendTargets=All, as many Text Responses as the target likes, then a logout. Driven as the login is:
 *
 *	s = sk_sendtargets_new(&cfg, &events, ctx, err);
 *	while ((want = sk_sendtargets_want(s)) == SK_WANT_SEND || want == SK_WANT_RECV)
 *		SEND: sk_sendtargets_take(s, &pdu, err)		RECV: sk_sendtargets_feed(s, &pdu, err)
 *
 * Portals are told while they come in. Once sk_sendtargets_complete() says so the answer is all there, and a
 * connection lost before DONE only cost the logout. The target's pings are answered in between: want may turn from
 *RECV to SEND and back.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/login.h"
#include "proto/params.h"
#include "proto/pdu.h"
#include "proto/targets.h"

struct sk_sendtargets;

struct sk_sendtargets_cfg {
	struct sk_portal portal; /* where the session is connected */
	uint16_t cid;		 /* as in the login */
};

/** sk_sendtargets_new - @params: the discovery login's result (its sequence numbers are used), lent for the call;
 * @ev and @ctx live as long as the machine */
struct sk_sendtargets *sk_sendtargets_new(const struct sk_sendtargets_cfg *cfg, const struct sk_params *params,
					  const struct sk_targets_events *ev, void *ctx, struct sk_err *err);
enum sk_login_want sk_sendtargets_want(const struct sk_sendtargets *s); /* SEND, RECV, DONE or GIVE_UP */
int sk_sendtargets_take(struct sk_sendtargets *s, struct sk_pdu *ret_pdu, struct sk_err *err);
/** sk_sendtargets_feed - a received PDU, lent. -1 and GIVE_UP: SK_EPROTO (the target broke the protocol or the
 * limits of proto/targets.h), SK_ECONN (it announced to drop the connection) */
int sk_sendtargets_feed(struct sk_sendtargets *s, const struct sk_pdu *pdu, struct sk_err *err);
bool sk_sendtargets_complete(const struct sk_sendtargets *s);
const struct sk_err *sk_sendtargets_error(const struct sk_sendtargets *s); /* after GIVE_UP */
void sk_sendtargets_free(struct sk_sendtargets *s);			   /* NULL is fine */

#endif
