/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_TEST_PEER_H
#define SK_TEST_PEER_H

/**
 * A target for tests: takes the PDUs of a login and of a discovery one by one, says what a target would. No I/O. It agrees
 * to everything that is proposed, unless told otherwise.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/pdu.h"

struct peer {
	uint16_t status;		/* Status-Class << 8 | Detail of the next answers */
	const char *redirect;		/* TargetAddress to go with class 1 */
	uint16_t tpgt_less_1;		/* TargetPortalGroupTag - 1 */
	bool silent;			/* takes everything, says nothing */
	const char *targets;		/* answer to SendTargets: pairs, each ended by NUL */
	size_t targets_n;
	size_t cut;			/* bytes of it per Text Response; 0 = all in one */
	unsigned logins, texts, logouts;	/* seen */
	struct sk_isid isid;		/* of the last login */
	char names[512];		/* the text of the last login's first PDU, NULs as newlines */
	uint32_t stat_sn;
	size_t sent;
};

/** peer_answer - what the target says to @req: 1 and *rsp (owned by the caller), or 0 for nothing */
int peer_answer(struct peer *p, const struct sk_pdu *req, struct sk_pdu *rsp);

#endif
