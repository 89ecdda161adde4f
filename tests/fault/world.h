/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_TESTS_FAULT_WORLD_H
#define SK_TESTS_FAULT_WORLD_H

/**
 * A whole session in memory and on virtual time: session machine, login machine, engine and iscsi-session's logic on one
 * side, target.h on the other, an application that reads and writes, and a checker that knows what each block may hold:
 *
 *	what was acknowledged is there; what failed may be there or not; nothing else is ever read; a flush that succeeded
 *	survives a power failure; every request ends once; a buffer is written inside, and only by a read.
 *
 * A broken promise ends the program with words (world_broken).
 */

#include "datapath/disk.h"
#include "fault/dice.h"
#include "fault/target.h"
#include "iscsi-session/serve.h"
#include "proto/framer.h"
#include "proto/login.h"
#include "session/machine.h"

#define WORLD_REQS 12U
#define WORLD_MAYBE 8U

struct world_req {
	struct sk_disk_req req;	/* first */
	bool busy;
	uint8_t *buf;		/* as long as the request, not a byte more */
	uint32_t stamp;		/* WRITE; 0: zeroes */
	uint64_t began_ms;
	unsigned powers;	/* how often the target's power had failed by then */
};

struct world_block {
	uint32_t maybe[WORLD_MAYBE];
	unsigned n;		/* 0: anything */
	bool busy;
};

struct world_cfg {
	struct tg_cfg target;
	bool liar;		/* the target may lie: what it says about data proves nothing */
	bool may_fail;		/* requests may fail */
	int32_t replacement_s;
	uint32_t chunk;		/* bytes per receive; 0: all */
};

struct world {
	struct world_cfg cfg;
	struct dice *dice;
	uint64_t now;
	struct target t;
	/* the session */
	struct sk_sm m;
	struct sk_sm_event posts[32];
	struct sk_err post_why[32];
	unsigned n_posts;
	struct sk_login *login;
	struct sk_framer framer;
	struct sk_engine *e;
	struct sk_serve *s;
	struct sk_disk_front front;
	bool attached;		/* the engine has the connection */
	uint64_t engine_next;
	bool has_disk, disk_gone;
	uint32_t unit, n_units;	/* of LUN 1, the last time it became a disk; of all */
	uint64_t logins, attempts, lost;
	struct sk_err why;	/* of the last loss or failed attempt */
	char log[400];		/* the last warning or error */
	char told[2000];	/* all of them, cut */
	/* the application */
	struct world_req reqs[WORLD_REQS];
	uint32_t stamp;
	struct world_block blocks[TG_BLOCKS];
	uint64_t acked, failed, max_ms;
	int last_error;
	bool flush_must_fail;
	unsigned powers;
	bool going;		/* the end was asked for */
	uint64_t steps;
	void (*starve)(bool on);	/* famine.c: off while the target or the application works; else NULL */
	bool trace;
};

void world_open(struct world *w, const struct world_cfg *cfg, struct dice *d);
/** world_close - logs out (or gives up), checks that nothing is left */
void world_close(struct world *w);
/** world_logout - asks for the end and waits for it */
void world_logout(struct world *w);
/** world_step - what can be done now; false when only time can bring more */
bool world_step(struct world *w);
/** world_wait - to the next deadline, at most @ms; false when there is none by then (the time has passed all the same) */
bool world_wait(struct world *w, uint64_t ms);
/** world_settle - until every request is over, at most @ms; false when one is not */
bool world_settle(struct world *w, uint64_t ms);
/** world_up - until the session has its disk, at most @ms */
bool world_up(struct world *w, uint64_t ms);
/** world_ask - a request on blocks that no other one uses; NULL when it cannot be now. @stamp is given by the world. */
struct world_req *world_ask(struct world *w, enum sk_disk_op op, uint32_t block, uint32_t blocks, bool fua);
void world_power(struct world *w);
bool world_busy(const struct world *w);
/** world_verify - what the medium holds is what may be there */
void world_verify(struct world *w);
_Noreturn void world_broken(const struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
