/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/log.h"
#include "session/inner.h"

/** Another machine with our InitiatorName and our ISID: to the target the two are one initiator, and each login of
 * one ends the session of the other (RFC 7143, 6.3.5). Seen from here: a connection that is closed by the target
 * soon after its login, again and again. Our ISIDs are made from the machine's own id, so it takes two clones that
 * share that too, or an initiator that numbers its sessions. The backoff of brief connections keeps the two from
 * fighting all day. */

#define IN_A_ROW 3

bool sk_session_clone_suspected(const struct sk_session *s)
{
	bool closed = s->m.err.code == SK_ECONN || s->m.err.code == SK_ENOTCONN;

	return s->m.brief >= IN_A_ROW && closed;
}

void sk_session_watch_clones(struct sk_session *s)
{
	if (s->m.brief == 0)
		s->clone_told = false;
	if (s->clone_told || !sk_session_clone_suspected(s))
		return;
	s->clone_told = true;
	sk_warning(
		SK_ROOM_SESSION,
		"target %s, portal %s,%u: closed the connection %u times in a row soon after our login as %s. %s",
		s->target.s, s->host, s->port, s->m.brief, s->initiator.s, SK_CLONE_ADVICE);
}
