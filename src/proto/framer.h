/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_PROTO_FRAMER_H
#define SK_PROTO_FRAMER_H

/**
 * sk_framer - a byte stream, cut anywhere, into control-plane PDUs (RFC 7143, 11.2). No digests: they belong to the
 * full-feature phase, which has its own receive path. Works for both directions, so a test's target uses it too.
 *
 *	while ((got = sk_framer_feed(&f, &in, &pdu, err)) > 0)
 *		... use pdu, sk_pdu_free(&pdu) ...
 *	got == 0: all bytes taken, more are needed    got == -1: the stream is lost, every later call says so
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "proto/pdu.h"

#define SK_FRAMER_DATA_MAX 16777215 /* what 24 bits of DataSegmentLength can say */

struct sk_framer {
	uint32_t max_data;  /* largest data segment accepted, bytes without padding */
	uint32_t have;	    /* bytes of the header collected, 0..48 */
	uint32_t data_left; /* bytes of data still to come */
	uint32_t pad_left;  /* and of padding */
	bool broken;
	struct sk_pdu pdu; /* the one being collected */
};

/** sk_framer_init - @max_data: bytes, 0..SK_FRAMER_DATA_MAX; may be changed between PDUs */
void sk_framer_init(struct sk_framer *f, uint32_t max_data);

/**
 * sk_framer_feed - take bytes from the front of *in until one PDU is complete
 * Returns 1 with *ret_pdu (owned by the caller, sk_pdu_free), 0 when *in is used up, -1 with SK_EPROTO when the
 * header announces more than max_data bytes or additional header segments, or SK_ENOMEM. Memory grows with the
 * bytes that really came, not with the length that was announced.
 */
int sk_framer_feed(struct sk_framer *f, struct sk_span *in, struct sk_pdu *ret_pdu, struct sk_err *err);

/** sk_framer_idle - no part of a PDU is waiting inside (a stream that ends here ends cleanly) */
bool sk_framer_idle(const struct sk_framer *f);

void sk_framer_free(struct sk_framer *f); /* wipes: login text may hold CHAP names and responses */

#endif
