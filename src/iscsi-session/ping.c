/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "iscsi-session/ping.h"

void sk_ping_reset(struct sk_ping *p, uint64_t now_ms, uint64_t rx_bytes)
{
	p->rx_bytes = rx_bytes;
	p->rx_ms = now_ms;
	p->sent_ms = 0;
}

enum sk_ping_do sk_ping_tick(struct sk_ping *p, uint64_t now_ms, uint64_t rx_bytes)
{
	if (rx_bytes != p->rx_bytes)
		sk_ping_reset(p, now_ms, rx_bytes);
	if (!p->interval_ms || now_ms < sk_ping_next(p))
		return SK_PING_NOTHING;
	if (p->sent_ms)
		return SK_PING_DEAD;
	p->sent_ms = now_ms;
	return SK_PING_SEND;
}

uint64_t sk_ping_next(const struct sk_ping *p)
{
	if (!p->interval_ms)
		return UINT64_MAX;
	if (!p->sent_ms)
		return p->rx_ms + p->interval_ms;
	return p->timeout_ms ? p->sent_ms + p->timeout_ms : UINT64_MAX;
}
