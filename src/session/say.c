/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "session/inner.h"

/** What the log says about sessions. Programs match the first lines of each (spec: cli.md 12). */

#define ERR_CONN_FAILED 1011 /* of the incumbent's table of connection errors */

static uint32_t sid(const struct sk_session *s)
{
	return s->x ? s->t->ops->sid(s->x) : 0;
}

struct about {
	struct sk_log_subject s;
	char portal[300];
};

static const struct sk_log_subject *about(const struct sk_session *s, struct about *a)
{
	bool trouble = s->m.cause != SK_CAUSE_NONE;

	snprintf(a->portal, sizeof(a->portal), "%s,%u", s->host, s->port);
	a->s = (struct sk_log_subject){
		.sid = sid(s),
		.target = s->target.s,
		.portal = a->portal,
		.iface = s->iface,
		.state = sk_sm_state_name(s->m.st),
		.cause = trouble ? sk_cause_name(s->m.cause) : NULL,
		.sys = trouble ? s->m.err.sys : 0,
		.login = trouble ? s->m.err.login : 0,
	};
	return &a->s;
}

static unsigned long long ms_to_next(const struct sk_session *s)
{
	uint64_t now = sk_loop_now(s->all->cfg.loop);

	return s->m.next_attempt > now ? s->m.next_attempt - now : 0;
}

void sk_say_up(struct sk_session *s)
{
	struct about a;

	if (!s->m.recovered)
		sk_log_of(about(s, &a), SK_LOG_NOTICE, SK_ROOM_SESSION,
			  "Connection%u:0 to [target: %s, portal: %s,%u] through [iface: %s] is operational now",
			  sid(s), s->target.s, s->host, s->port, s->iface);
	else if (s->loss_told)
		sk_log_of(about(s, &a), SK_LOG_NOTICE, SK_ROOM_SESSION,
			  "connection%u:0 is operational after recovery (%u attempts)", sid(s), s->m.attempts);
}

/* Connections that are lost again and again are one long outage to the log, until one has lived for
 * SK_TELL_CALM_MS. */
void sk_say_lost(struct sk_session *s)
{
	struct about a;
	unsigned quiet;

	if (sk_loop_now(s->all->cfg.loop) - s->m.up_since >= SK_TELL_CALM_MS)
		s->outage = (struct sk_outage){ 0 };
	s->loss_told = sk_policy_tell(&s->outage, SK_CAUSE_LOST, sk_loop_now(s->all->cfg.loop), &quiet);
	if (!s->loss_told)
		return;
	if (s->m.brief > 1)
		sk_log_of(about(s, &a), SK_LOG_WARNING, SK_ROOM_SESSION,
			  "session %u to target %s, portal %s,%u: lost %u times in a row soon "
			  "after its login (%s); backing off, %u such losses were not logged",
			  sid(s), s->target.s, s->host, s->port, s->m.brief, s->m.err.msg, quiet);
	if (s->m.err.sys >= 1001) /* the kernel's own number, its words in the message */
		sk_log_of(about(s, &a), SK_LOG_WARNING, SK_ROOM_SESSION,
			  "Kernel reported iSCSI connection %u:0 error (%d - %s) state (3); "
			  "target %s, portal %s,%u: login again in %llu ms",
			  sid(s), s->m.err.sys, s->m.err.msg, s->target.s, s->host, s->port, ms_to_next(s));
	else
		sk_log_of(about(s, &a), SK_LOG_WARNING, SK_ROOM_SESSION,
			  "Data path reported iSCSI connection %u:0 error (%d - "
			  "ISCSI_ERR_CONN_FAILED: %s) state (3); target %s, portal %s,%u: login again in %llu ms",
			  sid(s), ERR_CONN_FAILED, s->m.err.msg, s->target.s, s->host, s->port, ms_to_next(s));
}

/* What went wrong; of a connect in the words that programs look for in the log. */
static const char *story(const struct sk_session *s, char *buf, size_t n)
{
	if (s->m.cause != SK_CAUSE_CONNECT || !s->m.err.sys || strncmp(s->m.err.msg, "connect to ", 11) != 0)
		return s->m.err.msg;
	snprintf(buf, n, "connect to %s:%u failed (%s)", s->current.host, s->current.port, strerror(s->m.err.sys));
	return buf;
}

/* An outage of a day fills no log: sk_policy_tell. */
void sk_say_failed(struct sk_session *s)
{
	char buf[400], missing[64] = "";
	unsigned quiet = 0;
	struct about a;

	if (!sk_policy_tell(&s->outage, s->m.cause, sk_loop_now(s->all->cfg.loop), &quiet))
		return;
	if (quiet)
		snprintf(missing, sizeof(missing), "; %u failures were not logged", quiet);
	sk_log_of(about(s, &a), SK_LOG_WARNING, SK_ROOM_SESSION,
		  "%s; session %u, target %s, portal %s,%u, iface %s: %s, attempt %u, "
		  "next in %llu ms%s",
		  story(s, buf, sizeof(buf)), sid(s), s->target.s, s->host, s->port, s->iface,
		  sk_cause_name(s->m.cause), s->m.attempts, ms_to_next(s), missing);
}

void sk_say_gone(const struct sk_session *s)
{
	struct about a;

	if (s->m.established)
		sk_log_of(about(s, &a), SK_LOG_NOTICE, SK_ROOM_SESSION,
			  "Connection%u:0 to [target: %s, portal: %s,%u] through [iface: %s] is shutdown.", sid(s),
			  s->target.s, s->host, s->port, s->iface);
	else
		sk_log_of(about(s, &a), SK_LOG_WARNING, SK_ROOM_SESSION,
			  "login to target %s, portal %s,%u, iface %s failed: %s", s->target.s, s->host, s->port,
			  s->iface, s->m.err.msg);
}

void sk_say_redirect(const struct sk_session *s, bool permanent)
{
	struct about a;

	sk_log_of(about(s, &a), SK_LOG_NOTICE, SK_ROOM_SESSION, "target %s: redirected %s,%u -> %s,%u (%s)",
		  s->target.s, s->current.host, s->current.port, s->redirect.host, s->redirect.port,
		  permanent ? "permanent" : "temporary");
}
