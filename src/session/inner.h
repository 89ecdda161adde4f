/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_SESSION_INNER_H
#define SK_SESSION_INNER_H

/** What the files of the room share. */

#include "proto/login.h"
#include "record/node.h"
#include "session/isid.h"
#include "session/session.h"

struct waiter {			/* somebody who asked for this session's login */
	struct waiter *next;
	bool login_only, existing;
	sk_step_fn *step;
	sk_outcome_fn *done;
	void *ctx;
};

struct asker {			/* somebody who asked for its end, or for a rescan */
	sk_outcome_fn *done;
	void *ctx;
};

/* What a resolver found. Almost always one: a struct sk_addrs would be most of a session's memory. */
struct addrs {
	unsigned n;
	struct sockaddr_storage *a;	/* owned */
};

#define EVENTS_MAX 8

/* Events to be dealt with, one after another; those of the acts of one wait for their turn. */
struct queue {
	unsigned n;
	struct sk_sm_event events[EVENTS_MAX];
	struct sk_err whys[EVENTS_MAX];
};

struct sk_session {
	struct sk_sessions *all;
	struct sk_session *next;
	struct sk_record *node;
	struct sk_transport *t;	/* who carries it */
	struct sk_xsess *x;
	struct sk_sm m;
	struct sk_timer *timer;
	struct sk_timer *patience;	/* with name servers, while there are addresses that worked */

	/* the key */
	struct sk_iname target, initiator;
	char host[256], iface[80];
	uint16_t port;
	unsigned slot;
	struct sk_isid isid;

	struct addrs addrs;		/* of the portal being tried */
	unsigned won;			/* ... which of them took the connection, when all were tried at once */
	struct addrs good;		/* of the persistent portal, when it last worked */
	struct addrs hint;		/* of an adopted session: where it was connected; for want of anything better */
	struct sk_portal redirect;	/* where the target sent us */
	struct sk_portal current;	/* the numeric address of the last connection */
	struct sockaddr_storage from;	/* who redirected us */
	struct sk_job *resolving;
	struct sk_login *login;

	struct queue *running;		/* NULL: no event is being dealt with */

	bool slot_held;			/* counted in all->under_way */
	bool slot_relogin;		/* ... and in all->relogins */
	bool start_due, dead;
	enum sk_sm_kind start_with;
	enum sk_xsess_health health;
	int32_t tpgt;			/* as shown: the target's, else the record's */
	int32_t group;			/* the portal group the session is with; SK_TPGT_NONE: the target never told one */
	unsigned missed;		/* deadlines that the watchdog had to bring */
	struct waiter *waiters;
	struct asker logout, rescan;
	struct sk_outage outage;	/* what the log was told of it */
	bool clone_told;
	bool loss_told;			/* so its end is told too */
};

struct adoption {
	struct sk_sessions *all;
	struct sk_transport *t;
};

struct sk_sessions {
	struct sk_sessions_cfg cfg;
	struct sk_session *first;
	struct sk_chap_pending pending;	/* the challenges of every login under way */
	struct sk_timer *reaper;	/* frees dead sessions outside of their callbacks */
	struct sk_timer *watchdog;
	uint64_t look_at;		/* when it looks next */
	unsigned missed;		/* deadlines it had to bring */
	unsigned under_way, relogins;	/* attempts that hold a slot */
	bool freeing;
	void (*adopted)(void *ctx);	/* who waits for the end of the adoption */
	void *adopted_ctx;
	unsigned adopting;		/* transports that have not said over() yet */
	struct adoption adoptions[2];
};

/* session.c: one session */
void sk_session_post(struct sk_session *s, struct sk_sm_event ev);
void sk_session_start(struct sk_session *s, enum sk_sm_kind with);	/* when a slot is free */
extern const struct sk_transport_events sk_session_events;
void sk_session_wake(struct sk_session *s);	/* as its timer does */
int sk_session_arm(struct sk_session *s, struct sk_err *err);	/* its timer */
void sk_session_free(struct sk_session *s);
void sk_session_answer(struct sk_session *s, enum sk_result code, bool only_login);
const struct sockaddr_storage *sk_session_addr(const struct sk_session *s);

/* talk.c: the login conversation */
void sk_talk_begin(struct sk_session *s);
void sk_talk_feed(struct sk_session *s, const struct sk_pdu *pdu);
void sk_talk_end(struct sk_session *s);

/* act.c: what the machine asks for */
void sk_session_do(struct sk_session *s, unsigned acts);
void sk_session_connected(struct sk_session *s);	/* sees which address it was */
void sk_session_no_answer(void *s);	/* the patience with name servers is over */
bool sk_addrs_keep(struct addrs *to, unsigned n, const struct sockaddr_storage *a);	/* false: no memory */
void sk_session_give_up(struct sk_session *s);	/* answers whoever asked for a logout or a rescan */

/* say.c: the log */
void sk_say_up(struct sk_session *s);
void sk_say_lost(struct sk_session *s);
void sk_say_failed(struct sk_session *s);
void sk_say_gone(const struct sk_session *s);
void sk_say_redirect(const struct sk_session *s, bool permanent);

/* clone.c: does another host use our name? */
#define SK_CLONE_ADVICE "another host may use this InitiatorName (a cloned machine): give each its own with iscsi-iname, and clones a " \
			"machine-id of their own (systemd-machine-id-setup)"
bool sk_session_clone_suspected(const struct sk_session *s);
void sk_session_watch_clones(struct sk_session *s);	/* after a loss: says so once */

/* watch.c: sees that every deadline is kept; @ctx is a struct sk_sessions */
void sk_sessions_watch(void *ctx);

/* sessions.c: all of them */
struct sk_session *sk_sessions_by_sid(const struct sk_sessions *all, uint32_t sid);	/* NULL: none */
bool sk_sessions_take_slot(struct sk_session *s);
void sk_sessions_give_slot(struct sk_session *s);
void sk_sessions_next(struct sk_sessions *all);

#endif
