/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_SESSION_POLICY_H
#define SK_SESSION_POLICY_H

/** What the session machine decides by rule, kept apart so that each rule can be read and tested alone. Pure. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "mgmt/result.h"

#define SK_REDIRECTS_MAX    16
#define SK_BACKOFF_MIN_MS   1000
#define SK_BACKOFF_MAX_MS   60000
#define SK_STABLE_MS	    30000  /* a connection that lived shorter counts as one more failure in a row */
#define SK_TIME2WAIT_MAX_MS 300000 /* what a target may ask for beyond the record's own value */

/** How an attempt to log in ended, other than well. */
enum sk_cause {
	SK_CAUSE_NONE,
	SK_CAUSE_RESOLVE,   /* the name has no address */
	SK_CAUSE_CONNECT,   /* every address refused or could not be reached */
	SK_CAUSE_TIMEOUT,   /* login_timeout passed */
	SK_CAUSE_LOST,	    /* the connection went away while logging in */
	SK_CAUSE_REFUSED,   /* Status-Class 3: the target is not able just now */
	SK_CAUSE_FOR_GOOD,  /* Status-Class 2 */
	SK_CAUSE_AUTH,	    /* either side failed to prove itself, or is not allowed */
	SK_CAUSE_PROTO,	    /* the target broke the protocol, or negotiation failed */
	SK_CAUSE_REDIRECTS, /* more than SK_REDIRECTS_MAX, or to a place we do not go */
	SK_CAUSE_HANDOFF,   /* the data path would not take it */
	SK_CAUSE_COUNT
};

const char *sk_cause_name(enum sk_cause c);

/** sk_policy_retry - is it worth another attempt? A session that was up once is never given up for a refusal: its
 * disks may hold unwritten data, and an administrator's mistake on the target is not a reason to lose them. */
bool sk_policy_retry(enum sk_cause c, bool established, bool fail_fast);
/** sk_policy_result - the code an initial login that ends with @c is answered with (spec: cli.md 5.7) */
enum sk_result sk_policy_result(enum sk_cause c);

/** sk_policy_backoff - ms before attempt n+1 after @n (>= 1) failures: 1 s doubled up to 60 s, but not over @cap_ms
 * (0 = no other cap); a quarter of it to either side by @seed, so that many sessions do not come back at once */
uint32_t sk_policy_backoff(unsigned n, uint32_t seed, uint32_t cap_ms);

/** sk_policy_time2wait - ms to stay away after a lost connection when the target asked for @asked_ms (negotiated,
 * or in an async message: up to 18 hours) and the record for @own_ms: not longer than SK_TIME2WAIT_MAX_MS, unless
 * the record says so itself. At ErrorRecoveryLevel 0 the target keeps nothing that a longer wait could save (RFC
 * 7143, 13.15). */
uint32_t sk_policy_time2wait(uint32_t asked_ms, uint32_t own_ms);

/** sk_policy_hold - ms before a lost session is logged in again: @time2wait_ms, and from the second connection in a
 * row that did not live for SK_STABLE_MS (@brief of them) at least the backoff of so many failures. A target that
 * takes every login and then breaks the protocol is asked once a minute, not every two seconds. */
uint32_t sk_policy_hold(uint32_t time2wait_ms, unsigned brief, uint32_t seed);

/** What the log is told of one outage: the first failure, each change of its cause (up to SK_TELL_CHANGES), then a
 * summary after 1, 2, 4 … and from then on every 60 minutes. A day is some 40 lines, however often it was tried.
 * All 0: a new outage. */
struct sk_outage {
	uint64_t next_ms; /* when the next summary is due; 0 = nothing was told yet */
	uint32_t gap_ms;
	enum sk_cause last;
	unsigned changes;
	unsigned quiet; /* failures since the last line */
};
#define SK_TELL_FIRST_MS 60000
#define SK_TELL_MOST_MS	 3600000
#define SK_TELL_CHANGES	 8
#define SK_TELL_CALM_MS	 600000 /* up for so long: the next loss is a new outage */
/** sk_policy_tell - a failure: shall it be told? When so, ret_quiet (may be NULL) is how many were not since the
 * last line */
bool sk_policy_tell(struct sk_outage *o, enum sk_cause c, uint64_t now_ms, unsigned *ret_quiet);

/** sk_policy_redirect_ok - may a target at @from send us to @to? Never to an unspecified, multicast or broadcast
 * address; to a loopback or link-local address only from one of the same kind. */
int sk_policy_redirect_ok(const struct sockaddr_storage *from, const struct sockaddr_storage *to,
			  struct sk_err *err);

#endif
