/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_TEST_SERVE_FAKE_H
#define SK_TEST_SERVE_FAKE_H

/** sk_serve between a fake engine with a scripted target behind it (in place of proto/engine.c) and a fake front end.
 * Time stands still unless a test moves it. */

#include <stdbool.h>
#include <stdint.h>

#include "iscsi-session/serve.h"
#include "scsi/cdb.h"
#include "scsi/sense.h"

#define FAKE_LUNS 4
#define FAKE_REQS 64

/** What answers at a LUN. */
struct fake_lun {
	bool there;
	uint8_t type;
	const char *naa;	/* 16 hex digits */
	uint64_t blocks;
	bool read_only, write_cache, dpofua, lbpws, lbprz;
};

struct fake_req {
	struct sk_disk_req req;
	bool done;
	int error;
	uint8_t data[4096];
};

struct rig {
	struct sk_serve *s;
	uint64_t now;
	struct fake_lun luns[FAKE_LUNS];
	/* what sk_serve sent and nobody answered yet, oldest first */
	struct sk_task *sent[256];
	unsigned n_sent;
	/* a test's own answer to block commands and others: true = answered in *t */
	bool (*answer)(struct rig *r, struct sk_task *t);
	unsigned answered;	/* by it */
	unsigned hold;		/* leave READ and WRITE unanswered */
	/* what it said */
	struct sk_b_msg said[256];
	unsigned n_said;
	unsigned dropped, pings, logouts;
	struct sk_disk_info disks[FAKE_LUNS];
	enum sk_disk_state states[FAKE_LUNS];
	unsigned n_disks;
	struct fake_req reqs[FAKE_REQS];
	unsigned order[FAKE_REQS], n_order;	/* completions */
};

struct rig *rig_new(const struct sk_serve_cfg *cfg);
void rig_free(struct rig *r);
/** rig_run - answer and turn until nothing moves */
void rig_run(struct rig *r);
/** rig_pass - let @ms go by, running at every deadline */
void rig_pass(struct rig *r, uint64_t ms);
void rig_up(struct rig *r);
void rig_lost(struct rig *r);
/** rig_req - submit request number @i */
struct fake_req *rig_req(struct rig *r, unsigned i, uint32_t unit, enum sk_disk_op op, uint64_t off, uint32_t len);
/** rig_said - the last message of that type, NULL if none */
const struct sk_b_msg *rig_said(const struct rig *r, enum sk_b_type type);
unsigned rig_count(const struct rig *r, enum sk_b_type type);
void fake_event(const struct sk_engine_event *ev);
void fake_rx(uint64_t bytes);

/** Answers. */
void task_good(struct sk_task *t);
void task_status(struct sk_task *t, uint8_t status);
void task_sense(struct sk_task *t, uint8_t key, uint8_t asc, uint8_t ascq);

#endif
