/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_SESSION_PING_H
#define SK_SESSION_PING_H

/**
 * When to send a NOP-Out, and when a connection is dead. Pure: judged by received bytes, not by the ping's own answer: a
 * target that is busy sending data is alive although its answer waits behind that data.
 */

#include <stdint.h>

struct sk_ping {
	uint64_t interval_ms, timeout_ms;	/* 0: off */
	uint64_t rx_bytes;			/* as seen last */
	uint64_t rx_ms;				/* when it last grew */
	uint64_t sent_ms;			/* of the ping that waits, 0 = none */
};

enum sk_ping_do { SK_PING_NOTHING, SK_PING_SEND, SK_PING_DEAD };

/** sk_ping_reset - a new connection */
void sk_ping_reset(struct sk_ping *p, uint64_t now_ms, uint64_t rx_bytes);
/** sk_ping_tick - what to do now; after SK_PING_SEND the ping counts as sent */
enum sk_ping_do sk_ping_tick(struct sk_ping *p, uint64_t now_ms, uint64_t rx_bytes);
/** sk_ping_next - when to tick again at the latest; UINT64_MAX when off */
uint64_t sk_ping_next(const struct sk_ping *p);

#endif
