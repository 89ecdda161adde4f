/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_TRANSPORT_TRANSPORT_H
#define SK_TRANSPORT_TRANSPORT_H

/**
 * A transport carries a session: the PDUs of its logins, and after the handoff its data path. No call blocks and none
 * calls back before it returns. "tcp" (and the kernel's others) drive the kernel over netlink and sysfs; "user"
 * runs the login on a socket of our own and hands it to an iscsi-session process.
 *
 * The data path (kernel or iscsi-session) keeps its own pings and its own replacement_timeout, because both must work
 * while no daemon runs; the control plane hears of them as down() and health().
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "loop/loop.h"
#include "proto/params.h"
#include "proto/pdu.h"
#include "proto/portal.h"
#include "record/places.h"
#include "record/record.h"

struct sk_transport;	/* one per kind and process */
struct sk_xsess;	/* one session in it */

/** What a session is, known before the first connect and unchanged by relogins. */
struct sk_xsess_cfg {
	uint32_t sid;			/* chosen by the transport when 0 */
	const struct sk_record *node;	/* lent: the transport copies what it needs */
	const char *initiator;		/* name in force for this session */
	const char *iface;
	const char *tag;		/* one short line kept with the session for whoever adopts it; NULL = none */
};

enum sk_xsess_health {	/* what the data path says of itself */
	SK_HEALTH_LOGGED_IN,	/* I/O flows */
	SK_HEALTH_FAILED,	/* no connection; I/O waits */
	SK_HEALTH_FREE,		/* replacement_timeout passed: I/O fails */
	SK_HEALTH_GONE,		/* the session no longer exists */
};

struct sk_transport_events {	/* After open(): exactly one up, or one down. After down: no pdu until the next open. */
	void (*up)(void *ctx);
	void (*pdu)(void *ctx, const struct sk_pdu *lent);	/* login phase only */
	/** before or after the handoff; why->sys may be one of the kernel's own connection errors (1001…) */
	void (*down)(void *ctx, const struct sk_err *why);
	/** health(LOGGED_IN) also answers handoff(): the data path has the connection and I/O flows */
	void (*health)(void *ctx, enum sk_xsess_health health);
	void (*ready)(void *ctx, const struct sk_err *why);	/* after handoff: the scan is over; why NULL or its failure */
	void (*async_msg)(void *ctx, uint8_t event, uint16_t p1, uint16_t p2, uint16_t p3);	/* RFC 7143, 11.9 */
	void (*ended)(void *ctx, const struct sk_err *why);	/* answer to end(): logged out, disks gone; why NULL = clean */
};

/** Counters of the data path, or why there are none. @stats is lent: names and numbers. */
struct sk_stat {
	const char *name;
	uint64_t value;
};
typedef void sk_stats_fn(void *ctx, const struct sk_stat *stats, unsigned n, const struct sk_err *err);

typedef void sk_timers_fn(void *ctx, const struct sk_err *err);	/* err NULL: done */

struct sk_transport_ops {
	const char *name;
	struct sk_xsess *(*create)(struct sk_transport *t, const struct sk_xsess_cfg *cfg,
				   const struct sk_transport_events *ev, void *ctx, struct sk_err *err);
	uint32_t (*sid)(const struct sk_xsess *x);
	/** connect for a login; numeric address in @addr, bound as the record's iface says */
	int (*open)(struct sk_xsess *x, const struct sockaddr_storage *addr, struct sk_err *err);
	/** the same with several addresses at once, staggered: the first that is connected is it, and won() says which. Both
	 * NULL: one at a time */
	int (*open_any)(struct sk_xsess *x, const struct sk_addrs *addrs, struct sk_err *err);
	unsigned (*won)(const struct sk_xsess *x);
	int (*send)(struct sk_xsess *x, struct sk_pdu *taken, struct sk_err *err);	/* owns it even on failure */
	int (*handoff)(struct sk_xsess *x, const struct sk_params *params, const struct sk_portal *current,
		       struct sk_err *err);
	void (*halt)(struct sk_xsess *x);	/* drop the connection, keep the session and its disks; I/O waits */
	int (*rescan)(struct sk_xsess *x, struct sk_err *err);		/* answers with ready() */
	int (*end)(struct sk_xsess *x, bool force, struct sk_err *err);	/* log out, remove disks; SK_EBUSY when in use */
	void (*forget)(struct sk_xsess *x);	/* release our memory only: the session lives on (daemon shutdown) */
	/** adopt - sessions that exist already: calls found() for each, with a copy of its record and its health, and
	 * over() once when each has answered or had its time; both perhaps from inside the call, not when it fails */
	int (*adopt)(struct sk_transport *t,
		     void (*found)(void *ctx, struct sk_xsess *x, struct sk_record *taken_node, enum sk_xsess_health health),
		     void (*over)(void *ctx), const struct sk_transport_events *ev, void *ctx, struct sk_err *err);
	void (*bind)(struct sk_xsess *x, void *event_ctx);	/* after adopt: where its events go */
	const char *(*tag)(const struct sk_xsess *x);		/* as given to create, also after adopt; "" = none */
	const char *(*initiator)(const struct sk_xsess *x);
	/** look - what the data path is in now, where that changes without health() being told (replacement_timeout in the
	 * kernel); @told is the last word of it. NULL: everything is told */
	enum sk_xsess_health (*look)(const struct sk_xsess *x, enum sk_xsess_health told);
	int (*stats)(struct sk_xsess *x, sk_stats_fn *fn, void *ctx, struct sk_err *err);
	/** timers - @node, whose times differ from those of the record before, is the session's record from now on (copied), also
	 * for who adopts it. The answer says whether the data path has them; without a connection they wait for the next one */
	int (*timers)(struct sk_xsess *x, const struct sk_record *node, sk_timers_fn *fn, void *ctx, struct sk_err *err);
};

struct sk_transport {
	const struct sk_transport_ops *ops;
	struct sk_loop *loop;
	const struct sk_places *places;
};

#endif
