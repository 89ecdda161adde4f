/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "session/policy.h"

#include <netinet/in.h>

#include "base/num.h"

/* clang-format off */
static const struct cause {
	const char *name;
	bool retry;		/* an initial login tries again until its time is over */
	bool fast;		/* ... but not with fail_fast */
	enum sk_result result;
} causes[SK_CAUSE_COUNT] = {
	[SK_CAUSE_NONE]      = { "none",		     true,  false, SK_RES_SUCCESS },
	[SK_CAUSE_RESOLVE]   = { "name does not resolve",    false, false, SK_RES_TRANS },
	[SK_CAUSE_CONNECT]   = { "cannot connect",	     true,  true,  SK_RES_TRANS_TIMEOUT },
	[SK_CAUSE_TIMEOUT]   = { "no answer in time",	     true,  false, SK_RES_TRANS_TIMEOUT },
	[SK_CAUSE_LOST]      = { "connection lost in login", true,  false, SK_RES_TRANS_TIMEOUT },
	[SK_CAUSE_REFUSED]   = { "target not able now",	     true,  false, SK_RES_TRANS_TIMEOUT },
	[SK_CAUSE_FOR_GOOD]  = { "login refused",	     false, false, SK_RES_FATAL_LOGIN },
	[SK_CAUSE_AUTH]      = { "authorization failure",    false, false, SK_RES_LOGIN_AUTH_FAILED },
	[SK_CAUSE_PROTO]     = { "negotiation failed",	     false, false, SK_RES_FATAL_LOGIN },
	[SK_CAUSE_REDIRECTS] = { "redirect not followed",    false, false, SK_RES_FATAL_LOGIN },
	[SK_CAUSE_HANDOFF]   = { "data path refused",	     false, false, SK_RES_INTERNAL },
};
/* clang-format on */

const char *sk_cause_name(enum sk_cause c)
{
	return c < SK_CAUSE_COUNT ? causes[c].name : "unknown";
}

bool sk_policy_retry(enum sk_cause c, bool established, bool fail_fast)
{
	if (established)
		return true;
	if (c >= SK_CAUSE_COUNT)
		return false;
	return causes[c].retry && !(fail_fast && causes[c].fast);
}

enum sk_result sk_policy_result(enum sk_cause c)
{
	return c < SK_CAUSE_COUNT ? causes[c].result : SK_RES_INTERNAL;
}

uint32_t sk_policy_backoff(unsigned n, uint32_t seed, uint32_t cap_ms)
{
	uint32_t ms = sk_backoff(n, SK_BACKOFF_MIN_MS, SK_BACKOFF_MAX_MS, seed);

	return cap_ms ? SK_MIN(ms, cap_ms) : ms;
}

uint32_t sk_policy_time2wait(uint32_t asked_ms, uint32_t own_ms)
{
	uint32_t most = own_ms > SK_TIME2WAIT_MAX_MS ? own_ms : SK_TIME2WAIT_MAX_MS;

	return asked_ms < most ? asked_ms : most;
}

uint32_t sk_policy_hold(uint32_t time2wait_ms, unsigned brief, uint32_t seed)
{
	uint32_t ms = brief > 1 ? sk_policy_backoff(brief - 1, seed, 0) : 0;

	return ms > time2wait_ms ? ms : time2wait_ms;
}

bool sk_policy_tell(struct sk_outage *o, enum sk_cause c, uint64_t now_ms, unsigned *ret_quiet)
{
	bool first = o->gap_ms == 0, changed = !first && c != o->last && o->changes < SK_TELL_CHANGES;
	bool due = !first && now_ms >= o->next_ms;

	o->last = c;
	if (!first && !changed && !due) {
		o->quiet++;
		return false;
	}
	if (first)
		o->gap_ms = SK_TELL_FIRST_MS;
	else if (due)
		o->gap_ms = o->gap_ms * 2 < SK_TELL_MOST_MS ? o->gap_ms * 2 : SK_TELL_MOST_MS;
	if (first || due)
		o->next_ms = now_ms + o->gap_ms;
	o->changes += changed;
	if (ret_quiet)
		*ret_quiet = o->quiet;
	o->quiet = 0;
	return true;
}

enum reach { ANYWHERE, LINK, HOST, NOWHERE };

static enum reach reach4(uint32_t a)
{
	if ((a >> 24) == 127)
		return HOST;
	if ((a >> 16) == 0xa9fe)
		return LINK;
	if ((a >> 24) == 0 || (a >> 28) >= 0xe) /* "this" network, multicast, reserved, broadcast */
		return NOWHERE;
	return ANYWHERE;
}

static enum reach reach_of(const struct sockaddr_storage *ss)
{
	const struct in6_addr *a6;

	if (ss->ss_family == AF_INET)
		return reach4(ntohl(((const struct sockaddr_in *)(const void *)ss)->sin_addr.s_addr));
	if (ss->ss_family != AF_INET6)
		return NOWHERE;
	a6 = &((const struct sockaddr_in6 *)(const void *)ss)->sin6_addr;
	if (IN6_IS_ADDR_V4MAPPED(a6))
		return reach4((uint32_t)a6->s6_addr[12] << 24 | (uint32_t)a6->s6_addr[13] << 16 |
			      (uint32_t)a6->s6_addr[14] << 8 | a6->s6_addr[15]);
	if (IN6_IS_ADDR_LOOPBACK(a6))
		return HOST;
	if (IN6_IS_ADDR_LINKLOCAL(a6))
		return LINK;
	return IN6_IS_ADDR_UNSPECIFIED(a6) || IN6_IS_ADDR_MULTICAST(a6) ? NOWHERE : ANYWHERE;
}

int sk_policy_redirect_ok(const struct sockaddr_storage *from, const struct sockaddr_storage *to,
			  struct sk_err *err)
{
	enum reach there = reach_of(to);

	if (there == NOWHERE)
		return sk_fail(err, SK_EPROTO, "redirected to an address nobody can have");
	if (there == HOST && reach_of(from) != HOST)
		return sk_fail(err, SK_EPROTO, "redirected to this machine itself by a target elsewhere");
	if (there == LINK && reach_of(from) == ANYWHERE)
		return sk_fail(err, SK_EPROTO, "redirected to a link-local address by a target elsewhere");
	return 0;
}
