/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_TRANSPORT_USER_INNER_H
#define SK_TRANSPORT_USER_INNER_H

/** What the files of the user transport share. */

#include "transport/user/ctl.h"
#include "transport/user/dirs.h"
#include "transport/user/user.h"
#include "wire/race.h"
#include "wire/tcp.h"

#define SK_USER_START_MS 10000		/* for a new process to listen */
#define SK_USER_ANSWER_MS 10000		/* for requests that only change state */

struct user {
	struct sk_transport t;		/* first: a struct sk_transport * is a struct user * */
	char run_as[64], debug[128];
	uint32_t busy_poll_us;
	struct sweep *sweeps;		/* under way */
	unsigned adopting;		/* who has not answered yet */
	void (*adopted)(void *ctx);	/* ... and who waits for them */
	void *adopted_ctx;
	struct sk_xsess *unheard;	/* being handed over; NULL again when its owner would not have it */
};

struct sk_xsess {
	struct user *u;
	const struct sk_transport_events *ev;
	void *ctx;
	uint32_t sid;			/* 0 until the first handoff */
	struct sk_record *node;
	char initiator[224], iface[80], tag[64];
	struct sk_wire *wire;
	struct sk_race *race;		/* for it, among several addresses */
	unsigned won;
	struct sk_ctl *ctl;
	struct sk_timer *later;		/* ended() must not come from inside end() */
	int process;			/* pidfd of the process we started, until it has the session; else -1 */
	bool attached;			/* the process has the session */
	bool scan_by_hand;
	bool gone;
	bool silent;			/* it was taken over without having said a word */
	sk_timers_fn *timers_fn;	/* who waits for an answer to timers; NULL: nobody */
	void *timers_ctx;
	void (*found)(void *ctx, struct sk_xsess *x, struct sk_record *taken_node, enum sk_xsess_health health);
	void *found_ctx;		/* while it is being adopted */
	const struct sk_transport_events *found_ev;	/* ... and what its events will go to */
};

static inline struct user *sk_user(struct sk_transport *t)
{
	return (struct user *)(void *)t;
}

extern const struct sk_transport_events sk_user_no_events;

/** sk_user_connect_ctl - open x->ctl; its events go to the session */
int sk_user_connect_ctl(struct sk_xsess *x, uint32_t patience_ms, struct sk_err *err);
void sk_user_free(struct sk_xsess *x);

/** sk_user_sweep - take away what these sessions left, if they are dead; _stop lets go of those under way */
void sk_user_sweep(struct user *u, const uint32_t *sids, unsigned n);
void sk_user_sweep_stop(struct user *u);

/** sk_user_attach_params / _reattach_params - the params object of attach and reattach; @fd tells the local address */
struct json_object *sk_user_attach_params(const struct sk_xsess *x, const struct sk_params *p, const struct sk_portal *current,
					  int fd);
struct json_object *sk_user_reattach_params(const struct sk_params *p, const struct sk_portal *current, int fd);

/** sk_user_timers_params - the params object of timers */
struct json_object *sk_user_timers_params(const struct sk_record *r);

/** sk_user_hang_up - close the login's connection, or the race for one */
void sk_user_hang_up(struct sk_xsess *x);

/** sk_user_handoff - transport_ops.handoff */
int sk_user_handoff(struct sk_xsess *x, const struct sk_params *params, const struct sk_portal *current, struct sk_err *err);

/** sk_user_adopt - transport_ops.adopt */
int sk_user_adopt(struct sk_transport *t,
		  void (*found)(void *ctx, struct sk_xsess *x, struct sk_record *taken_node, enum sk_xsess_health health),
		  void (*over)(void *ctx), const struct sk_transport_events *ev, void *ctx, struct sk_err *err);

/** sk_user_ask - how does the process of a running session fare? A loss it tells of goes to the owner; silence is asked again */
void sk_user_ask(struct sk_xsess *x);

/** sk_user_stop_process - SIGTERM to the process we started, if it still is that one */
void sk_user_stop_process(struct sk_xsess *x);

enum sk_xsess_health sk_user_health_word(const char *word);

#endif
