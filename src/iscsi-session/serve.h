/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_SESSION_SERVE_H
#define SK_SESSION_SERVE_H

/**
 * sk_serve - what the engine process does with a session, without I/O and without a clock: finds the LUNs, turns block
 * requests into SCSI commands within the limits of queue depth and window, tries again what may be tried again, holds
 * I/O while the connection is lost or a LUN's identity is in doubt, and fails it when replacement_timeout has passed.
 *
 * Who drives it (engine.c; tests: a script) calls
 *
 *	sk_serve_up         a connection is there (the engine was made or resumed)
 *	sk_serve_lost       it is gone (the engine is halted)
 *	sk_serve_request    a block request came from the front end
 *	sk_serve_turn       after everything received was parsed: collects what the engine finished, then time
 *	sk_serve_next_ms    when to call sk_serve_turn at the latest
 *
 * and passes on what tell() says to the keeper.
 */

#include <stdbool.h>
#include <stdint.h>

#include "datapath/disk.h"
#include "iscsi-session/boundary.h"
#include "proto/engine.h"

struct sk_serve;

struct sk_serve_cfg {
	struct sk_b_timers timers;
	uint32_t cmds_max;	/* block requests at once in the whole session, 1..4094 */
	uint32_t queue_depth;	/* per LUN, 1..cmds_max */
	uint32_t max_io;	/* most bytes per READ or WRITE */
	bool scan;		/* look for LUNs at the first login; else only when told */
	bool read_only;		/* the record asks for it: every LUN */
	void *ctx;
	void (*tell)(void *ctx, const struct sk_b_msg *m);	/* lent */
	/* close the connection (a ping was not answered, the target asked for a logout) and call sk_serve_lost */
	void (*drop)(void *ctx, const struct sk_err *why);
};

/* Commands of our own (scans, identity) that must get through while block requests fill cmds_max */
#define SK_SERVE_SPARE 2

/** sk_serve_new - @e (of cmds_max + SK_SERVE_SPARE tasks) and @front are lent for its life */
struct sk_serve *sk_serve_new(const struct sk_serve_cfg *cfg, struct sk_engine *e, struct sk_disk_front *front,
			      struct sk_err *err);
void sk_serve_free(struct sk_serve *s);		/* requests in flight must be over: sk_serve_fail_all */

void sk_serve_up(struct sk_serve *s, uint64_t now_ms);
void sk_serve_lost(struct sk_serve *s, const struct sk_err *why, uint64_t now_ms);
/** sk_serve_clock - the time, before sk_serve_request is called in a wake-up */
void sk_serve_clock(struct sk_serve *s, uint64_t now_ms);
void sk_serve_request(struct sk_serve *s, struct sk_disk_req *req);
void sk_serve_turn(struct sk_serve *s, uint64_t now_ms);
uint64_t sk_serve_next_ms(const struct sk_serve *s);

void sk_serve_timers(struct sk_serve *s, const struct sk_b_timers *t);
/** sk_serve_rescan - ends with SCANNED */
void sk_serve_rescan(struct sk_serve *s);
/** sk_serve_forget - the keeper has taken the unit's disk away: the LUN may come back as a new one. FORGOTTEN */
void sk_serve_forget(struct sk_serve *s, uint32_t unit);
/** sk_serve_logout - block requests fail from here on; ends with OUT when the target answered or closed */
void sk_serve_logout(struct sk_serve *s);
/** sk_serve_fail_all - every request is completed with EIO; the engine must be halted */
void sk_serve_fail_all(struct sk_serve *s);
void sk_serve_stats(const struct sk_serve *s, struct sk_b_stats *ret);

#endif
