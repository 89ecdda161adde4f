/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/log.h"
#include "session/inner.h"

/** The watchdog. Every state of the machine but the quiet ones has a deadline, and a timer that brings it. Should
 * one not come (a fault of ours), the session would wait for ever and nobody would know: it is told in the log,
 * counted, and woken up. */

#define LOOK_MS 10000
#define LATE_MS 5000 /* past its deadline, or we ourselves past ours */

static bool overdue(const struct sk_session *s, uint64_t now)
{
	if (s->dead || s->running || s->m.deadline_ms == UINT64_MAX || now < LATE_MS)
		return false;
	if (s->start_due && (s->m.established || now < s->m.window_end))
		return false; /* it waits for its turn (max_logins), as it should */
	return s->m.deadline_ms < now - LATE_MS;
}

void sk_sessions_watch(void *ctx)
{
	struct sk_sessions *all = ctx;
	uint64_t now = sk_loop_now(all->cfg.loop);
	bool slept = now > all->look_at + LATE_MS; /* the whole process did: its timers are just about to come */

	for (struct sk_session *s = all->first, *next; s && !slept; s = next) {
		next = s->next; /* nobody is freed before the reaper runs */
		if (!overdue(s, now))
			continue;
		all->missed++;
		s->missed++;
		sk_error(SK_ROOM_SESSION,
			 "session %u to [target: %s, portal: %s,%u]: state %s should have ended %llu s ago; woken "
			 "up now "
			 "(please report this)",
			 s->t->ops->sid(s->x), s->target.s, s->host, s->port, sk_sm_state_name(s->m.st),
			 (unsigned long long)((now - s->m.deadline_ms) / 1000));
		sk_session_wake(s);
	}
	all->look_at = now + LOOK_MS;
	sk_timer_at(all->watchdog, all->look_at);
}
