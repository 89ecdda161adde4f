/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_SESSION_BOUNDARY_H
#define SK_SESSION_BOUNDARY_H

/**
 * The boundary between keeper and engine: messages of a fixed form over a SOCK_SEQPACKET pair, each packet one message,
 * descriptors beside it. The engine reads what a target sends, so the keeper believes nothing it says: every field is
 * decoded by a table that knows its size, booleans are 0 or 1, texts end and hold printable bytes only, and a
 * packet that is a byte too long or too short ends the session.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "proto/params.h"

enum sk_b_type {
	SK_B_NONE,
	/* keeper to engine */
	SK_B_START,		/* fds: TCP socket, FUSE descriptor; answered by STARTED */
	SK_B_REATTACH,		/* fd: TCP socket; answered by STARTED */
	SK_B_TIMERS,
	SK_B_HALT,		/* drop the connection */
	SK_B_RESCAN,		/* answered by SCANNED */
	SK_B_FORGET,		/* unit: the keeper has taken the disk away; answered by FORGOTTEN */
	SK_B_LOGOUT,		/* answered by OUT; nothing else is served after it */
	SK_B_ABANDON,		/* drop the connection, fail every request now and from here on */
	SK_B_ASK_STATS,		/* answered by STATS */
	/* engine to keeper */
	SK_B_STARTED,
	SK_B_HEALTH,
	SK_B_DOWN,
	SK_B_ASYNC,
	SK_B_LUN,		/* a LUN came or changed */
	SK_B_LUN_OFF,		/* a LUN is gone or is another volume now: its I/O fails */
	SK_B_SCANNED,
	SK_B_FORGOTTEN,
	SK_B_OUT,
	SK_B_STATS,
	SK_B_TYPES,
};

enum sk_b_health { SK_B_LOGGED_IN, SK_B_FAILED, SK_B_FREE };

#define SK_UNIT_NONE UINT32_MAX
#define SK_B_WHY 240
#define SK_B_WWID 528

struct sk_b_timers {
	int32_t replacement_s;		/* < 0: wait for ever; 0: fail at once */
	uint32_t noop_interval_s;	/* 0: no pings */
	uint32_t noop_timeout_s;
	uint32_t abort_s, lu_reset_s, tgt_reset_s;	/* 0: the engine's own */
};

struct sk_b_start {
	struct sk_params params;
	struct sk_b_timers timers;
	uint32_t cmds_max, queue_depth;
	bool scan, fast_abort, read_only;
};

struct sk_b_result {		/* STARTED, DOWN, SCANNED, OUT, FORGOTTEN, HEALTH */
	uint32_t code;		/* enum sk_code, SK_OK for success; HEALTH: enum sk_b_health */
	uint32_t n;		/* SCANNED: LUNs; FORGOTTEN: unit */
	char why[SK_B_WHY];
};

struct sk_b_async {
	uint8_t event;
	uint16_t p1, p2, p3;
};

struct sk_b_lun {
	uint64_t lun;			/* kernel's spelling */
	uint32_t unit;			/* SK_UNIT_NONE: not a disk */
	uint8_t type;
	bool read_only;
	uint64_t blocks;
	uint32_t block_size;
	uint32_t discard_granularity;	/* 0: none */
	uint32_t max_io;		/* bytes */
	char vendor[9], model[17], rev[5];
	char wwid[SK_B_WWID];
};

struct sk_b_off {
	uint64_t lun;
	uint32_t unit;
	bool stranger;			/* another volume answers there */
};

struct sk_b_stats {
	uint64_t tx_bytes, rx_bytes, tx_pdus, rx_pdus, cmds, data_out, data_in, r2t, digest_errors, timeouts;
	uint64_t tx_calls, rx_calls, requests, retries, failed;
	uint32_t inflight;
};

struct sk_b_msg {
	enum sk_b_type type;
	union {
		struct sk_b_start start;
		struct sk_params params;	/* REATTACH */
		struct sk_b_timers timers;
		uint32_t unit;			/* FORGET */
		struct sk_b_result result;
		struct sk_b_async async;
		struct sk_b_lun lun;
		struct sk_b_off off;
		struct sk_b_stats stats;
	};
};

#define SK_B_MAX 2048		/* bytes of an encoded message */
#define SK_B_FDS 2

/** sk_b_encode - returns the length; messages of our own always fit */
size_t sk_b_encode(const struct sk_b_msg *m, uint8_t out[SK_B_MAX]);
/** sk_b_decode - SK_EPROTO; *ret is written on success only */
int sk_b_decode(struct sk_span packet, struct sk_b_msg *ret, struct sk_err *err);
/** sk_b_fds - descriptors that travel with a type: 0..SK_B_FDS */
unsigned sk_b_fds(enum sk_b_type type);
/** sk_b_result - a RESULT-shaped message from an error; NULL is success */
struct sk_b_msg sk_b_result(enum sk_b_type type, const struct sk_err *why, uint32_t n);

/** sk_b_send - one message; @fds: sk_b_fds(type) of them, lent. SK_EAGAIN when the other side does not read. */
int sk_b_send(int sock, const struct sk_b_msg *m, const int *fds, struct sk_err *err);
/** sk_b_recv - one message without waiting. Returns 1, 0 when there is none now, -1: SK_ENOTCONN (the other side is gone)
 * or SK_EPROTO. @ret_fds: owned by the caller, -1 where none. */
int sk_b_recv(int sock, struct sk_b_msg *ret, int ret_fds[SK_B_FDS], struct sk_err *err);

#endif
