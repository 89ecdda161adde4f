/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_PROTO_CHAP_AUTH_H
#define SK_PROTO_CHAP_AUTH_H

/**
 * sk_chap_auth - the initiator's side of one CHAP exchange (RFC 7143, 12.1.3 and 9.2.1), one-way or mutual.
 *
 *	init       draws our identifier and challenge; refuses unsafe credentials
 *	offer      CHAP_A=<algorithms>              to be sent
 *	answer     CHAP_A, CHAP_I, CHAP_C came      CHAP_N, CHAP_R (mutual: CHAP_I, CHAP_C) to be sent
 *	verify     mutual: CHAP_N, CHAP_R came and must be right; one-way: nothing may come
 *
 * There is no way down: an algorithm that was not offered, a challenge of ours that comes back, a response of ours
 * that comes back, a missing or wrong response of the target each end the exchange with SK_EAUTH.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/rng.h"
#include "proto/chap.h"
#include "proto/login.h"
#include "proto/text.h"

struct sk_chap_auth {
	const struct sk_chap_cfg *cfg; /* lent */
	struct sk_chap_pending *pending; /* lent, or NULL */
	struct sk_chap_auth *next;	 /* of those in it */
	const char *name;	       /* our CHAP_N, lent */
	bool mutual;
	enum sk_chap_alg algs[SK_CHAP_ALG_COUNT]; /* offered, usable */
	unsigned n_algs;
	enum sk_chap_alg alg;			   /* chosen by the target */
	uint8_t id, challenge[SK_CHAP_DIGEST_MAX]; /* ours; as many bytes as the digest has */
	uint8_t response[SK_CHAP_DIGEST_MAX];	   /* ours */
	uint8_t expected[SK_CHAP_DIGEST_MAX];	   /* the target's, mutual only */
};

/**
 * sk_chap_auth_init - @initiator_name stands in for an empty username. Fails with SK_EAUTH: credentials for the
 * target but none of our own, both secrets equal (9.2.1); SK_ENOTSUP: the crypto library allows none of the
 * algorithms; SK_EIO: no random bytes. Secrets are lent, sk_chap_auth_wipe forgets what was derived from them.
 */
int sk_chap_auth_init(struct sk_chap_auth *a, const struct sk_chap_cfg *cfg, const char *initiator_name,
		      struct sk_rng *rng, struct sk_err *err);
/** sk_chap_auth_enter - among those whose challenges a target must not send; @a stays where it is until sk_chap_auth_wipe */
void sk_chap_auth_enter(struct sk_chap_auth *a, struct sk_chap_pending *pending);
void sk_chap_auth_offer(const struct sk_chap_auth *a, struct sk_buf *out);
int sk_chap_auth_answer(struct sk_chap_auth *a, const struct sk_text *in, struct sk_buf *out, struct sk_err *err);
int sk_chap_auth_verify(const struct sk_chap_auth *a, const struct sk_text *in, struct sk_err *err);
void sk_chap_auth_wipe(struct sk_chap_auth *a);

#endif
