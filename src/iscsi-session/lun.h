/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_SESSION_LUN_H
#define SK_SESSION_LUN_H

/** The inside of sk_serve, shared by serve.c (session), scan.c (inventory), probe.c and settle.c (what a LUN is), lun.c (its
 * block requests), errand.c and events.c. */

#include "iscsi-session/ping.h"
#include "iscsi-session/serve.h"
#include "scsi/blk.h"
#include "scsi/inquiry.h"
#include "scsi/sense.h"

#define SK_PROBE_BUF 4096U
#define SK_LOOK_FIRST_MS 15000U	/* until what could not be found out is asked again; doubles */
#define SK_LOOK_LAST_MS 240000U
#define SK_IO_MS 30000U		/* a command unanswered that long is aborted */
#define SK_IO_PATIENCE_MS 180000U	/* BUSY and the like are put up with that long */
#define SK_PROBE_PATIENCE_MS 60000U	/* so long may a LUN stay unidentified while its I/O waits */

/** What a probe learns. */
struct sk_lun_facts {
	struct sk_inquiry inq;
	struct sk_vpd_pages pages;
	char serial[SK_SERIAL_MAX];
	struct sk_ident ident;
	struct sk_capacity cap;
	struct sk_mode mode;
	struct sk_vpd_limits limits;
	struct sk_vpd_provision provision;
	bool has_pages, has_cap, has_mode, has_limits, has_provision;
};

enum sk_probe_kind {
	SK_PROBE_NONE = 0,
	SK_PROBE_CAPACITY = 1,	/* capacity and mode only */
	SK_PROBE_ALL = 2,	/* everything; block requests wait meanwhile */
};

struct sk_probe {
	enum sk_probe_kind kind, again;	/* what runs; what is to run after it */
	unsigned step;
	unsigned tries;
	uint64_t since_ms, retry_ms;	/* retry_ms: when to send; 0 = a command is under way */
	struct sk_lun_facts now;
	uint8_t *buf;			/* SK_PROBE_BUF */
};

enum sk_lun_state {
	SK_LUN_NEW,	/* being probed for the first time */
	SK_LUN_UP,
	SK_LUN_OFF,	/* gone, or another volume: block requests fail */
	SK_LUN_NODISK,	/* no disk, or one that cannot be served */
};

struct sk_reqs {
	struct sk_disk_req *first, *last;
};

struct sk_lun {
	struct sk_serve *s;
	uint64_t wire, number;
	enum sk_lun_state state;
	bool listed;			/* looked at by the scan under way */
	bool lost_write;		/* a write that was reported as done is lost: the next flush must say so */
	uint32_t epoch;			/* of its volatile cache: one more whenever it may have been lost */
	uint64_t written, flushed;	/* bytes reported as done into a volatile cache, ever; how many of them a flush covers */
	uint64_t look_ms;		/* it could not be identified: when to ask again; 0 = not needed */
	uint32_t look_delay_ms;
	uint32_t unit;
	struct sk_lun_facts facts;
	struct sk_disk disk;
	struct sk_probe probe;
	struct sk_reqs waiting;		/* to be sent, in order */
	struct sk_reqs delayed;		/* to be sent again at their retry_ms */
	uint32_t inflight, depth, good;	/* depth: limit in force, grows back after `good` successes */
};

enum sk_errand_kind { SK_ERRAND_BLOCK, SK_ERRAND_PROBE, SK_ERRAND_REPORT };

/** One task of ours: what it is for. As many as the engine has tasks. */
struct sk_errand {
	enum sk_errand_kind kind;
	struct sk_lun *lun;
	struct sk_disk_req *req;
	struct sk_blk_cmd cmd;
	uint64_t covers;	/* FLUSH: the LUN's `written` when it was sent */
	uint64_t seq;		/* order of submission */
	struct sk_task *task;	/* NULL: idle */
	struct sk_errand *next;
};

enum sk_serve_state { SK_SERVE_DOWN, SK_SERVE_UP, SK_SERVE_FREE, SK_SERVE_LEAVING };

struct sk_serve {
	struct sk_serve_cfg cfg;
	struct sk_engine *e;
	struct sk_disk_front *front;
	enum sk_serve_state state;
	uint64_t now_ms, down_ms;
	struct sk_ping ping;
	struct sk_errand *jobs, *idle;
	uint64_t seq;
	uint32_t n_block;		/* block jobs under way */
	struct sk_lun **luns;
	uint32_t n_luns, cap_luns, next_lun;	/* next_lun: where the round goes on when the session's limit was hit */
	struct sk_lun **by_unit;	/* index: unit */
	uint32_t n_units;
	uint8_t *zeroes;		/* SK_BLK_ZEROES_MAX */
	uint64_t requests, retries, failed;
	struct sk_scan {
		bool running, again, ever;
		bool probing;		/* the list is there, its LUNs are being looked at */
		unsigned tries;
		uint64_t retry_ms, since_ms;
		uint64_t look_ms;	/* it failed: when it begins anew by itself; 0 = not needed */
		uint32_t look_delay_ms;
		uint8_t *buf;
		uint32_t buf_len;
		struct sk_err err;
	} scan;
	uint64_t house_ms;		/* when every LUN is to be looked at again; 0: in this turn */
	bool starved;			/* something waits for a task */
	bool asked_out;			/* the target asked for a logout */
	bool broken;			/* the connection ended because the target broke the protocol */
	bool want_drop;
	struct sk_err drop_why;
};

/* errand.c: commands of ours on their way */
/** sk_errand_get - a job with a task of the engine, filled with kind, lun and defaults; NULL when there is none now */
struct sk_errand *sk_errand_get(struct sk_serve *s, enum sk_errand_kind kind, struct sk_lun *lun, uint64_t wire);
/** sk_errand_read - @len bytes into @buf */
void sk_errand_read(struct sk_errand *j, void *buf, uint32_t len);
void sk_errand_send(struct sk_serve *s, struct sk_errand *j);
void sk_errand_put(struct sk_serve *s, struct sk_errand *j);
/** sk_errand_verdict - how it ended, in one vocabulary */
struct sk_verdict sk_errand_verdict(const struct sk_task *t, unsigned tries);

/* events.c: what the target does unasked */
void sk_serve_events(struct sk_serve *s);
/** sk_serve_want_drop - close the connection at the end of this turn */
void sk_serve_want_drop(struct sk_serve *s, enum sk_code code, const char *why);

/* serve.c */
void sk_serve_say(struct sk_serve *s, enum sk_b_type type, const struct sk_err *why, uint32_t n);
struct sk_lun *sk_serve_lun(const struct sk_serve *s, uint64_t wire);

/* lun.c: block requests */
void sk_reqs_add(struct sk_reqs *q, struct sk_disk_req *req);
struct sk_disk_req *sk_reqs_take(struct sk_reqs *q);
void sk_lun_pump(struct sk_lun *l);
void sk_lun_done(struct sk_lun *l, struct sk_errand *j);
/** sk_lun_note - what an answer to any command tells of earlier ones */
void sk_lun_note(struct sk_lun *l, const struct sk_task *t, const struct sk_verdict *v);
void sk_lun_due(struct sk_lun *l);		/* delayed requests whose time has come */
uint64_t sk_lun_next_ms(const struct sk_lun *l);
void sk_lun_fail(struct sk_lun *l, int error);	/* everything that waits */
/** sk_lun_requeue - put a request back in front */
void sk_lun_requeue(struct sk_lun *l, struct sk_disk_req *req);

/* probe.c: what a LUN is */
void sk_probe_start(struct sk_lun *l, enum sk_probe_kind kind);
void sk_probe_pump(struct sk_lun *l);
void sk_probe_done(struct sk_lun *l, struct sk_errand *j);
void sk_probe_lost(struct sk_lun *l);		/* its command is gone with the connection */
/** sk_probe_due - a LUN that could not be identified is asked again when its time has come */
void sk_probe_due(struct sk_lun *l);
/** sk_probe_look_again - later, and ever more seldom */
void sk_probe_look_again(struct sk_lun *l);
/** sk_probe_holds - block requests of this LUN must wait */
bool sk_probe_holds(const struct sk_lun *l);

/* settle.c: what follows from a probe */
bool sk_lun_is_disk(const struct sk_lun_facts *f);
void sk_lun_settle_new(struct sk_lun *l);
void sk_lun_settle_known(struct sk_lun *l);
void sk_lun_off(struct sk_lun *l, bool stranger, const char *why);

/* scan.c: which LUNs there are */
void sk_scan_start(struct sk_serve *s);
void sk_scan_pump(struct sk_serve *s);
void sk_scan_done(struct sk_serve *s, struct sk_errand *j);
/** sk_scan_check - has every LUN of the scan settled? Then SCANNED */
void sk_scan_check(struct sk_serve *s);
void sk_scan_over(struct sk_serve *s, const struct sk_err *why);

#endif
