/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_DISCOVER_ROUNDS_H
#define SK_DISCOVER_ROUNDS_H

/**
 * sk_rounds - when one source is asked again, as a pure machine: what happened and what time it is go in, what to do and
 * the next deadline come out. A round is one discovery of the source; an ear is a registration at an iSNS server that tells of
 * changes, so that nobody has to ask.
 *
 *	sk_rounds_init(&m, &cfg);
 *	sk_rounds_step(&m, &event, now_ms, err)		then do m.acts, lowest bit first, and come back at m.deadline_ms with
 *							SK_RD_TIMEOUT
 *
 * Every state has a deadline, or an ear that is certain to end, or is the end. An event without a place in the present
 * state is refused with SK_EINVAL and changes nothing.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define SK_RD_SETTLE_MS	  300	   /* what changes together is asked for once */
#define SK_RD_GAP_MS	  1000	   /* rounds begin no closer than this, whatever is heard */
#define SK_RD_CONFIRM_MS  2000	   /* what is missing is asked for again before it counts as gone */
#define SK_RD_BACKOFF_MIN 1000	   /* after a failure, doubled … */
#define SK_RD_BACKOFF_MAX 60000	   /* … to this */
#define SK_RD_DEAF_MS	  300000   /* without an ear and without polling: asked all the same */
#define SK_RD_PROVEN_MS	  60000	   /* an ear that lasted so long was a good one */
#define SK_RD_TELL_MS	  600000   /* a failure that lasts is told this often */

enum sk_rounds_state {
	SK_RD_NEW,
	SK_RD_ASKING,
	SK_RD_RESTING,	/* until the next round is due, or something is heard */
	SK_RD_BACKOFF,	/* the last round failed */
	SK_RD_DONE,	/* it was to be asked once, and was; nothing leads on */
	SK_RD_STOPPED,	/* the end */
	SK_RD_STATES
};

enum sk_rounds_ear { SK_EAR_NONE, SK_EAR_STARTING, SK_EAR_UP, SK_EAR_BACKOFF, SK_EARS };

enum sk_rounds_kind {
	SK_RD_START,
	SK_RD_FOUND,	/* the round is over; missing: something known was not in it */
	SK_RD_FAILED,	/* the round is over, and found out nothing */
	SK_RD_WISH,	/* another look is wanted within wish_ms */
	SK_RD_HEARD,	/* the server says that something changed */
	SK_RD_EAR_UP,	/* registered, or registered still */
	SK_RD_EAR_DOWN,
	SK_RD_KICK,	/* the network changed: do not wait for a backoff */
	SK_RD_TIMEOUT,	/* the deadline */
	SK_RD_STOP,
	SK_RD_KINDS
};

struct sk_rounds_event {
	enum sk_rounds_kind kind;
	bool missing;
	uint32_t wish_ms;
};

/** What to do, in this order. */
enum sk_rounds_act {
	SK_RD_ACT_CANCEL = 1 << 0,	 /* give the round up */
	SK_RD_ACT_DEAFEN = 1 << 1,	 /* end the ear */
	SK_RD_ACT_TELL_FAILED = 1 << 2,	 /* tell: the source cannot be asked */
	SK_RD_ACT_TELL_DEAF = 1 << 3,	 /* tell: no notifications */
	SK_RD_ACT_TELL_WELL = 1 << 4,	 /* tell: after what was told it works again */
	SK_RD_ACT_APPLY = 1 << 5,	 /* log in to what is new, out of what is gone */
	SK_RD_ACT_ASK = 1 << 6,		 /* begin a round */
	SK_RD_ACT_LISTEN = 1 << 7,	 /* begin an ear */
	SK_RD_ACT_ALL = (1 << 8) - 1
};

struct sk_rounds_cfg {
	uint32_t poll_ms;	/* between rounds; 0 = only when something is heard */
	bool once;		/* one round that works is enough; no ear, no polling */
	bool listen;		/* there can be an ear */
	uint32_t round_ms;	/* what a round may take; at least 1 */
	uint32_t seed;		/* of the jitter */
};

struct sk_rounds {
	struct sk_rounds_cfg cfg;
	enum sk_rounds_state st;
	enum sk_rounds_ear ear;
	unsigned acts;			/* enum sk_rounds_act, of the last step */
	uint64_t deadline_ms;		/* UINT64_MAX = none */

	uint64_t began, round_end, next_round, next_ear, ear_since;
	unsigned rounds, failures, ear_failures;
	bool again;			/* heard while asking: one more round after this */
	bool told, deaf_told;		/* a failure was, and that it is over was not */
	uint64_t tell_at, tell_deaf_at;	/* no sooner again */
};

void sk_rounds_init(struct sk_rounds *m, const struct sk_rounds_cfg *cfg);
/** sk_rounds_step - 0, or -1 with SK_EINVAL when the event has no place in the present state (m->acts is 0 then) */
int sk_rounds_step(struct sk_rounds *m, const struct sk_rounds_event *ev, uint64_t now_ms, struct sk_err *err);

const char *sk_rounds_state_name(enum sk_rounds_state st);

#endif
