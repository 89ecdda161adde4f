/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_SESSION_EXPLAIN_H
#define SK_SESSION_EXPLAIN_H

/** What a session is doing, why, and what comes next, in words a person can act on. */

#include "session/session.h"

#define SK_EXPLAIN_ADVICE 4

struct sk_explain {
	const char *state; /* of the machine: "UP", "BACKOFF" … */
	uint64_t since_ms; /* in this state for so long */
	uint64_t up_ms;	   /* connected for so long; 0 = it is not */
	uint64_t lost_ms;  /* without a connection for so long; 0 = it is connected, or was never */
	char why[420];	   /* one sentence */
	char next[320];	   /* one sentence */
	uint64_t next_ms;  /* until then, if nothing happens before; UINT64_MAX = nothing is due */
	const char *cause; /* of the last failure, while it matters; NULL */
	unsigned brief;	   /* connections in a row that were lost soon after the login */
	unsigned missed;   /* deadlines the watchdog had to bring */
	char isid[13];
	int32_t group; /* target portal group it is held to; -1 = none known */
	const char *advice[SK_EXPLAIN_ADVICE];
	unsigned n_advice;
	const struct sk_record *node; /* in force; lent until the session changes. May hold secrets */
};

/** sk_sessions_explain - -1: SK_ENOENT */
int sk_sessions_explain(struct sk_sessions *all, uint32_t sid, struct sk_explain *ret, struct sk_err *err);

/** sk_explain_span - "5 s", "3 min 20 s", "2 h 3 min", "4 d 1 h"; @ret has 32 bytes */
void sk_explain_span(uint64_t ms, char ret[32]);

#endif
