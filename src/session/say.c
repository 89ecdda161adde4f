/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "session/inner.h"

/** What the log says about sessions. Programs match the first lines of each (spec: cli.md 12). */

#define ERR_CONN_FAILED 1011	/* of the incumbent's table of connection errors */

static uint32_t sid(const struct sk_session *s)
{
	return s->t->ops->sid(s->x);
}

void sk_say_up(const struct sk_session *s)
{
	if (s->m.recovered)
		sk_notice(SK_ROOM_SESSION, "connection%u:0 is operational after recovery (%u attempts)", sid(s), s->m.attempts);
	else
		sk_notice(SK_ROOM_SESSION, "Connection%u:0 to [target: %s, portal: %s,%u] through [iface: %s] is operational now",
			  sid(s), s->target.s, s->host, s->port, s->iface);
}

void sk_say_lost(const struct sk_session *s)
{
	if (s->m.err.sys >= 1001) { /* the kernel's own number, its words in the message */
		sk_warning(SK_ROOM_SESSION, "Kernel reported iSCSI connection %u:0 error (%d - %s) state (3); target %s, portal %s,%u: "
			   "login again in %llu ms", sid(s), s->m.err.sys, s->m.err.msg, s->target.s, s->host, s->port,
			   (unsigned long long)(s->m.next_attempt - sk_loop_now(s->all->cfg.loop)));
		return;
	}
	sk_warning(SK_ROOM_SESSION, "Data path reported iSCSI connection %u:0 error (%d - ISCSI_ERR_CONN_FAILED: %s) state (3); "
		   "target %s, portal %s,%u: login again in %llu ms", sid(s), ERR_CONN_FAILED, s->m.err.msg, s->target.s, s->host,
		   s->port, (unsigned long long)(s->m.next_attempt - sk_loop_now(s->all->cfg.loop)));
}

/* What went wrong; of a connect in the words that programs look for in the log. */
static const char *story(const struct sk_session *s, char *buf, size_t n)
{
	if (s->m.cause != SK_CAUSE_CONNECT || !s->m.err.sys || strncmp(s->m.err.msg, "connect to ", 11) != 0)
		return s->m.err.msg;
	snprintf(buf, n, "connect to %s:%u failed (%s)", s->current.host, s->current.port, strerror(s->m.err.sys));
	return buf;
}

/* The first failure, each change of its cause, then attempts 2, 4, 8 …: an outage of a day fills no log. */
void sk_say_failed(struct sk_session *s)
{
	unsigned n = s->m.attempts;
	bool rare = n <= 1 || (n & (n - 1)) == 0;
	uint64_t now = sk_loop_now(s->all->cfg.loop);
	char buf[400];
	uint64_t in = s->m.next_attempt > now ? s->m.next_attempt - now : 0;

	if (!rare && s->m.cause == s->logged_cause)
		return;
	s->logged_cause = s->m.cause;
	sk_warning(SK_ROOM_SESSION, "%s; target %s, portal %s,%u, iface %s: attempt %u, next in %llu ms", story(s, buf, sizeof(buf)), s->target.s,
		   s->host, s->port, s->iface, n, (unsigned long long)in);
}

void sk_say_gone(const struct sk_session *s)
{
	if (s->m.established)
		sk_notice(SK_ROOM_SESSION, "Connection%u:0 to [target: %s, portal: %s,%u] through [iface: %s] is shutdown.", sid(s),
			  s->target.s, s->host, s->port, s->iface);
	else
		sk_warning(SK_ROOM_SESSION, "login to target %s, portal %s,%u, iface %s failed: %s", s->target.s, s->host, s->port,
			   s->iface, s->m.err.msg);
}

void sk_say_redirect(const struct sk_session *s, bool permanent)
{
	sk_notice(SK_ROOM_SESSION, "target %s: redirected %s,%u -> %s,%u (%s)", s->target.s, s->current.host, s->current.port,
		  s->redirect.host, s->redirect.port, permanent ? "permanent" : "temporary");
}
