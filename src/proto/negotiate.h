/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_PROTO_NEGOTIATE_H
#define SK_PROTO_NEGOTIATE_H

/**
 * sk_negotiate - the operational keys of one login (RFC 7143, 6.2): what was offered, what was answered, what
 * holds. Built on the rows of proto/keys.h; knows nothing of PDUs.
 *
 * Where a target leaves one of our offers without an answer, or answers NotUnderstood or Irrelevant, the login goes
 * on with the value that is safe whether the target assumed our offer or the default (the lower burst, no
 * unsolicited data …); only a digest that was demanded cannot be given up.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "proto/keys.h"
#include "proto/login.h"
#include "proto/params.h"
#include "proto/text.h"

struct sk_negotiate {
	bool discovery, leading;
	int32_t expect_tpgt;
	uint32_t xmit_limit; /* the record's; 0 = none */
	struct sk_negotiate_key {
		bool offered, heard; /* we sent it; the target sent it (an answer, an offer, a declaration) */
		uint32_t ours;	     /* number, boolean; lists: set of indexes */
		uint32_t value;	     /* what holds so far */
	} key[SK_KEY_COUNT];
	enum sk_digest_offer digest[2]; /* header, data: order of preference */
	char target_alias[256];
};

/** sk_negotiate_init - from a login's offer; SK_EINVAL when a value of ours is out of its key's range */
int sk_negotiate_init(struct sk_negotiate *n, const struct sk_login_cfg *cfg, struct sk_err *err);

/** sk_negotiate_offer - add our operational keys to @out, in their order */
void sk_negotiate_offer(struct sk_negotiate *n, struct sk_buf *out);

/**
 * sk_negotiate_hear - one pair from the target, in stages @stage (SK_IN_…); not for keys of SK_RULE_SECURITY
 * An answer that is due goes to @answers. SK_EPROTO names the offence and the section; nothing is changed then.
 */
int sk_negotiate_hear(struct sk_negotiate *n, unsigned stage, const struct sk_text_pair *pair,
		      struct sk_buf *answers, struct sk_err *err);

/** sk_negotiate_finish - the operational stage is over: fill the negotiated members of *ret */
int sk_negotiate_finish(struct sk_negotiate *n, struct sk_params *ret, struct sk_err *err);

#endif
