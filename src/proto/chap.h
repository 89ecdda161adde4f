/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_PROTO_CHAP_H
#define SK_PROTO_CHAP_H

/** CHAP (RFC 1994; RFC 7143, 12.1.3): algorithms and responses. The exchange of a login is proto/chap_auth.h. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

enum sk_chap_alg { SK_CHAP_MD5 = 5, SK_CHAP_SHA1 = 6, SK_CHAP_SHA256 = 7, SK_CHAP_SHA3_256 = 8 };

#define SK_CHAP_ALG_COUNT     4
#define SK_CHAP_DIGEST_MAX    32
#define SK_CHAP_CHALLENGE_MAX 1024

/** sk_chap_alg_usable - does this build's crypto provider allow it (FIPS builds refuse MD5)? */
bool sk_chap_alg_usable(enum sk_chap_alg alg);
/** sk_chap_alg_find - by record word: MD5, SHA1, SHA256, SHA3-256 */
bool sk_chap_alg_find(struct sk_span word, enum sk_chap_alg *ret);
const char *sk_chap_alg_name(enum sk_chap_alg alg);
size_t sk_chap_digest_len(enum sk_chap_alg alg);

/** sk_chap_response - H(id || secret || challenge) into ret (sk_chap_digest_len bytes) */
int sk_chap_response(enum sk_chap_alg alg, uint8_t id, struct sk_span secret, struct sk_span challenge,
		     uint8_t ret[SK_CHAP_DIGEST_MAX], struct sk_err *err);

/** sk_chap_equal - compare @n bytes in a time that does not depend on them */
bool sk_chap_equal(const uint8_t *a, const uint8_t *b, size_t n);

#endif
