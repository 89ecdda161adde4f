/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_SESSION_SESSION_H
#define SK_SESSION_SESSION_H

/**
 * sk_sessions - every session this daemon knows: joins the pure machine of each with the resolver, a transport and the login
 * conversation. Logins run side by side; one that hangs delays no other. A session is known by (target, portal, iface,
 * slot), so that requests for the same one join the login under way.
 */

#include "base/rng.h"
#include "loop/loop.h"
#include "mgmt/result.h"
#include "session/machine.h"
#include "transport/transport.h"

struct sk_sessions;
struct sk_session;

struct sk_sessions_cfg {
	struct sk_loop *loop;
	struct sk_transport *transport;		/* of logins that name no other */
	struct sk_transport *also;		/* another whose sessions are adopted; NULL = none */
	struct sk_rng *rng;
	char machine[64];	/* of this machine alone: goes into the ISIDs */
	char alias[256];	/* InitiatorAlias */
	bool any_group;		/* a lost session may be logged in again at another target portal group */
	unsigned max_logins;	/* under way at once; 0 = 64 */
	unsigned max_relogins;	/* of those, of sessions that were up before; 0 = 32 */
};

struct sk_sessions *sk_sessions_new(const struct sk_sessions_cfg *cfg, struct sk_err *err);
/** sk_sessions_free - forget everything; sessions live on in their data paths, logins under way are dropped */
void sk_sessions_free(struct sk_sessions *all);
/** sk_sessions_adopt - take over what runs: healthy ones untouched, broken ones relogin. @over is called once when all that
 * runs is known, perhaps from inside the call; until then a login could double a session, and a logout miss it */
int sk_sessions_adopt(struct sk_sessions *all, void (*over)(void *ctx), void *ctx, struct sk_err *err);

/* --- asking -------------------------------------------------------------------------------------------------- */

/** How a login, a logout or a rescan ended. */
struct sk_outcome {
	enum sk_result code;
	const struct sk_err *why;	/* when code is not 0 */
	const struct sk_err *scan;	/* login, rescan: the scan's failure, NULL = fine */
	const struct sk_session *s;	/* NULL when it is gone */
	bool existing;			/* login: it was there already */
};
typedef void sk_outcome_fn(void *ctx, const struct sk_outcome *o);

enum sk_step_kind { SK_STEP_ATTEMPT, SK_STEP_REDIRECT };
/** What happens while a login goes on: a failed attempt, a redirect */
struct sk_step {
	enum sk_step_kind kind;
	unsigned attempt;
	char portal[300];		/* "host,port" tried, or redirected to */
	const struct sk_err *why;
	uint32_t retry_ms;		/* until the next attempt */
	bool permanent;
};
typedef void sk_step_fn(void *ctx, const struct sk_step *p);

struct sk_ask_login {
	struct sk_transport *transport;	/* NULL = cfg.transport */
	const char *initiator;		/* lent */
	unsigned slot;
	bool multiple, ensure, fail_fast, login_only;
	unsigned timeout_s;		/* 0 = the record's */
	sk_step_fn *step;		/* may be NULL */
	sk_outcome_fn *done;		/* exactly once, from the loop or from inside the call when it exists already */
	void *ctx;
};
/** sk_sessions_login - 0: done will be or was called. -1: it will not: SK_EINVAL (record), SK_EEXIST, SK_ENOMEM */
int sk_sessions_login(struct sk_sessions *all, struct sk_record *taken_node, const struct sk_ask_login *ask,
		      struct sk_err *err);
/** sk_sessions_logout - -1: SK_ENOENT no such session, SK_EBUSY in its first login or being logged out */
int sk_sessions_logout(struct sk_sessions *all, uint32_t sid, bool force, sk_outcome_fn *done, void *ctx, struct sk_err *err);
/** sk_sessions_rescan - -1: SK_ENOENT, SK_ENOTCONN */
int sk_sessions_rescan(struct sk_sessions *all, uint32_t sid, sk_outcome_fn *done, void *ctx, struct sk_err *err);
/** sk_sessions_stats - the transport's own counters; -1: SK_ENOENT, SK_ENOTCONN, SK_ENOTSUP */
int sk_sessions_stats(struct sk_sessions *all, uint32_t sid, sk_stats_fn *done, void *ctx, struct sk_err *err);
/** A record key and its new value; lent. */
struct sk_change {
	const char *key, *value;
};
/** sk_sessions_timers - change times of a running session at once (rows of the schema with SK_ROW_LIVE). 0: @done is called
 * once, perhaps after the session is gone. -1 and nothing is changed: SK_ENOENT, SK_EINVAL (key or value), SK_ENOTCONN,
 * SK_EBUSY, SK_ENOTSUP */
int sk_sessions_timers(struct sk_sessions *all, uint32_t sid, const struct sk_change *changes, unsigned n, sk_timers_fn *done,
		       void *ctx, struct sk_err *err);
/** sk_sessions_kick - do not wait any longer: addresses or links changed, or a person asks */
void sk_sessions_kick(struct sk_sessions *all);

/* --- looking ------------------------------------------------------------------------------------------------- */

struct sk_session_info {
	uint32_t sid;
	const char *target, *iface;
	const char *path;		/* who carries it: "user", "kernel" */
	const char *host;		/* the record's portal */
	uint16_t port;
	struct sk_portal current;	/* where it is connected, or was; host "" = nowhere yet */
	int32_t tpgt;
	unsigned slot, attempts, recoveries;
	const char *connection, *health, *internal;
	const struct sk_err *error;	/* NULL: nothing to tell */
	uint64_t next_attempt_ms;	/* from now; 0 = none */
};
typedef bool sk_session_visit(void *ctx, const struct sk_session_info *info);
unsigned sk_sessions_list(struct sk_sessions *all, sk_session_visit *visit, void *ctx);
int sk_sessions_info(struct sk_sessions *all, uint32_t sid, struct sk_session_info *ret, struct sk_err *err);
void sk_session_info(const struct sk_session *s, struct sk_session_info *ret);
/** sk_sessions_missed - deadlines that did not come by themselves and were brought by the watchdog; a fault of ours if not 0 */
unsigned sk_sessions_missed(const struct sk_sessions *all);
unsigned sk_sessions_count(const struct sk_sessions *all);

#endif
