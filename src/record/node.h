/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_RECORD_NODE_H
#define SK_RECORD_NODE_H

/**
 * Typed views of records for programs that log in. Here the values in force are made from the values stored: a record
 * may hold numbers another tool let pass, and each has its rule (spec: records.md 3.1 and 11).
 */

#include <stdbool.h>
#include <stdint.h>

#include "proto/login.h"
#include "record/record.h"

/** Times and limits of a node's session. Milliseconds. */
struct sk_node_timers {
	uint32_t login_ms;		/* one attempt: connect and log in */
	uint32_t auth_ms;		/* one step of a login */
	uint32_t logout_ms;
	uint32_t noop_interval_ms;	/* 0 = no pings (then noop_timeout_ms is 0 too) */
	uint32_t noop_timeout_ms;
	int64_t replacement_ms;		/* I/O of a lost session: -1 waits for ever, 0 fails at once */
	uint32_t abort_ms, lu_reset_ms, tgt_reset_ms;
	uint32_t initial_login_retry_max;	/* the first login gives up after this many times login_ms */
	uint32_t reopen_max;		/* attempts to bring back a lost session; 0 = for ever */
	uint32_t reopen_log_freq;	/* log every n-th of them; >= 1 */
};

/** What else a session takes from its record. */
struct sk_node_limits {
	uint32_t cmds_max;	/* commands in flight per session: a power of 2, 16..4096 */
	uint32_t queue_depth;	/* per disk, 1..cmds_max */
	uint32_t nr_sessions;	/* >= 1 */
	uint32_t window_size;	/* SO_RCVBUF and SO_SNDBUF, bytes; 0 = leave alone */
	bool scan;		/* attach all LUNs after login */
	bool fast_abort;
};

/** sk_node_login_cfg - the login a node record asks for, as @initiator unless its iface has a name of its own.
 * isid, tsih, cid and the alias are left for the caller. Wipe *ret after use: it holds secrets.
 * Errors: SK_EINVAL: bad target or initiator name; a secret of the target without one of ours. */
int sk_node_login_cfg(const struct sk_record *node, const struct sk_iname *initiator, struct sk_login_cfg *ret,
		      struct sk_err *err);
/** sk_disc_login_cfg - the same for the discovery session of a sendtargets record, with @iface's initiator name when
 * @iface is not NULL and has one */
int sk_disc_login_cfg(const struct sk_record *disc, const struct sk_record *iface, const struct sk_iname *initiator,
		      struct sk_login_cfg *ret, struct sk_err *err);

/** The keys of a node record that say when something happens to a session, in the order of docs/timers.md; ends with NULL */
extern const char *const sk_node_timer_keys[];

void sk_node_timers_of(const struct sk_record *node, struct sk_node_timers *ret);
void sk_node_limits_of(const struct sk_record *node, struct sk_node_limits *ret);

/** sk_node_in_class - node.startup or node.conn[0].startup says @word: manual, automatic, onboot */
bool sk_node_in_class(const struct sk_record *node, const char *word);

#endif
