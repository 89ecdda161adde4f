/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_SESSION_MACHINE_H
#define SK_SESSION_MACHINE_H

/**
 * sk_sm - the life of one session, as a pure machine: what happened and what time it is go in, what to do and the
 *next deadline come out (RFC 7143, 8.1 and 8.3, as seen by an initiator with one connection and ErrorRecoveryLevel
 *0).
 *
 *	sk_sm_init(&m, &cfg);
 *	sk_sm_step(&m, &event, now_ms, err)	then do m.acts, lowest bit first, and wake up at m.deadline_ms with
 *						SK_SM_TIMEOUT
 *
 * Every state has a deadline or is left only by an event that is certain to come. An event that has no edge from
 *the present state is refused with SK_EINVAL and changes nothing: a target cannot stop the daemon with it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "session/policy.h"

enum sk_sm_state {
	SK_ST_NEW,     /* nothing happened yet */
	SK_ST_RESOLVE, /* name to addresses */
	SK_ST_CONNECT, /* XPT_WAIT: TCP */
	SK_ST_LOGIN,   /* IN_LOGIN: Login PDUs */
	SK_ST_ATTACH,  /* the data path takes the connection */
	SK_ST_SCAN,    /* LOGGED_IN, the first scan is under way */
	SK_ST_UP,      /* LOGGED_IN */
	SK_ST_BACKOFF, /* waiting for the next attempt */
	SK_ST_LOGOUT,  /* IN_LOGOUT: the data path is ending the session */
	SK_ST_GONE,    /* the end; nothing leads out */
	SK_ST_COUNT
};

enum sk_sm_kind {
	SK_SM_START,	  /* log in */
	SK_SM_ADOPT_UP,	  /* a running session was found, healthy */
	SK_SM_ADOPT_DOWN, /* ... without a connection */
	SK_SM_RESOLVED,	  /* n_addrs >= 1 */
	SK_SM_RESOLVE_FAILED,
	SK_SM_CONNECTED,
	SK_SM_LOGIN_DONE, /* time2wait_ms: as negotiated */
	SK_SM_REDIRECT,	  /* the runner holds the new portal */
	SK_SM_REFUSED,	  /* cause: SK_CAUSE_REFUSED, _FOR_GOOD, _AUTH, _PROTO, _REDIRECTS */
	SK_SM_HANDOFF_FAILED,
	SK_SM_ATTACHED,	    /* the data path has it: I/O flows */
	SK_SM_READY,	    /* the scan is over, well or not (why) */
	SK_SM_DOWN,	    /* the connection is lost or could not be made */
	SK_SM_ASYNC_LOGOUT, /* the target asks us to log out (RFC 7143, 11.9, event 1) */
	SK_SM_ASYNC_DROP,   /* the target drops the connection or all (events 2, 3); time2wait_ms */
	SK_SM_LOGOUT,	    /* we are asked to log out; force */
	SK_SM_ENDED,	    /* the data path has ended the session */
	SK_SM_END_REFUSED,  /* ... or would not */
	SK_SM_VANISHED,	    /* the session no longer exists in the data path */
	SK_SM_KICK,	    /* something changed (address, link, user): the backoff is over, Time2Wait is not */
	SK_SM_TIMEOUT,	    /* the deadline; why: who did not answer */
	SK_SM_KINDS
};

struct sk_sm_event {
	enum sk_sm_kind kind;
	unsigned n_addrs;
	uint32_t time2wait_ms;
	enum sk_cause cause;
	bool force;
	const struct sk_err *why; /* lent; NULL where nothing went wrong */
};

/** What to do, in this order. */
enum sk_sm_act {
	SK_ACT_HALT = 1 << 0,		/* drop the connection or the attempt; the session stays */
	SK_ACT_LOST = 1 << 1,		/* tell: the connection was lost */
	SK_ACT_ATTEMPT_FAILED = 1 << 2, /* tell: m.err, next try at m.deadline_ms */
	SK_ACT_RESOLVE = 1 << 3,	/* the persistent portal, or after a redirect the new one */
	SK_ACT_CONNECT = 1 << 4,	/* to address m.addr */
	SK_ACT_LOGIN = 1 << 5,		/* start the login conversation */
	SK_ACT_HANDOFF = 1 << 6,
	SK_ACT_UP = 1 << 7,		/* tell: operational (m.recovered: after recovery) */
	SK_ACT_ANSWER = 1 << 8,		/* the login's requesters: m.result, m.err */
	SK_ACT_END = 1 << 9,		/* ask the data path to end it; m.force */
	SK_ACT_LOGOUT_ANSWER = 1 << 10, /* the logout's requester: m.logout_result, m.err */
	SK_ACT_GONE = 1 << 11,		/* tell, and release everything */
};

struct sk_sm_cfg {
	uint32_t login_timeout_ms; /* one attempt */
	uint32_t window_ms;	   /* the whole initial login, 0 = one attempt's time */
	uint32_t scan_ms;	   /* how long the answer waits for the scan */
	uint32_t logout_timeout_ms;
	uint32_t time2wait_ms; /* until a login negotiated another */
	uint32_t reopen_max;   /* attempts after a lost connection; 0 = for ever */
	uint32_t seed;	       /* of the jitter */
	bool fail_fast;
	bool hard_window; /* window_ms includes the scan (a time limit of the requester) */
};

struct sk_sm {
	struct sk_sm_cfg cfg;
	enum sk_sm_state st;
	unsigned acts;	      /* enum sk_sm_act, of the last step */
	uint64_t deadline_ms; /* UINT64_MAX = none */

	bool established; /* was up once: has disks */
	bool scanned;	  /* the first scan is over */
	bool answered;	  /* the login's requesters have their answer */
	bool recovered;	  /* the last SK_ACT_UP was not the first */
	bool redirected;  /* this attempt follows a redirect */
	bool force;
	bool lost; /* while logging out: the connection is away */
	unsigned addr, n_addrs; /* one at a time; 1 where the transport tries all of them at once */
	unsigned redirects;
	unsigned attempts; /* in this login or recovery */
	unsigned tries;	   /* ... of them, those that the backoff counts: a kick begins anew */
	unsigned brief;	   /* connections in a row that did not live for SK_STABLE_MS */
	unsigned recoveries;
	uint32_t t2w_ms;     /* to wait before the next reconnect */
	enum sk_cause cause; /* of the last failure */
	enum sk_result result, logout_result;
	struct sk_err err;	/* the last failure's words */
	struct sk_err scan_err; /* code SK_OK: the scan went well */

	uint64_t window_end, attempt_end, answer_by, next_attempt;
	uint64_t up_since;   /* when the data path last got a connection */
	uint64_t lost_at;    /* when the last one was lost */
	uint64_t not_before; /* Time2Wait of the last loss: not even a kick comes earlier */
	uint64_t entered;    /* when the present state began */
};

void sk_sm_init(struct sk_sm *m, const struct sk_sm_cfg *cfg);
/** sk_sm_step - 0, or -1 with SK_EINVAL when the event has no place in the present state (m->acts is 0 then) */
int sk_sm_step(struct sk_sm *m, const struct sk_sm_event *ev, uint64_t now_ms, struct sk_err *err);

const char *sk_sm_state_name(enum sk_sm_state st);
const char *sk_sm_event_name(enum sk_sm_kind k);
/** The incumbent's words for states (spec: cli.md 6.4) */
const char *sk_sm_connection_word(const struct sk_sm *m);
const char *sk_sm_internal_word(const struct sk_sm *m);

#endif
