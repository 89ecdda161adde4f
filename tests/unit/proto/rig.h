/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_TESTS_RIG_H
#define SK_TESTS_RIG_H

/**
 * An engine and the target it talks to, both in memory: a test reads what the engine sent PDU by PDU, and feeds what
 * the target answers: whole, in chunks, or cut at one byte. Buffers of tasks have guard bytes around them.
 */

#include "proto/engine.h"
#include "proto/pdu_ffp_peer.h"

#define RIG_WIRE (4U << 20)	/* bytes under way in one direction, unless .wire says less */
#define RIG_GUARD 64

struct rig {
	struct sk_engine *e;
	struct sk_params par;
	struct sk_err err;
	uint64_t now_ms;
	/* from the engine to the target */
	uint8_t *up;
	size_t up_n, up_at;
	/* from the target to the engine */
	uint8_t *down;
	size_t down_n;
	size_t fed;		/* bytes fed since the start */
	size_t chunk;		/* feed at most that many bytes at once; 0 = all */
	size_t cut_at;		/* and never across this byte of the stream; 0 = none */
	size_t tx_max;		/* the socket takes at most that many bytes at once; 0 = all */
	size_t wire;		/* room for that many bytes under way; 0 = RIG_WIRE */
	int iov_max;		/* pieces asked of rx_space and tx; 0 = 64 */
	struct sk_peer_sn sn;
};

struct rig_pdu {
	uint8_t bhs[SK_BHS_LEN];
	const uint8_t *data;	/* lent until the next rig_pull */
	uint32_t n;
};

/** rig_params - what most tests use: no digests, immediate data, InitialR2T=Yes, bursts of 64 KiB and 256 KiB */
struct sk_params rig_params(void);
void rig_open(struct rig *r, const struct sk_params *par, const struct sk_engine_cfg *cfg);
void rig_close(struct rig *r);

/** rig_pull - take everything the engine wants to send */
void rig_pull(struct rig *r);
/** rig_next - the next PDU it sent (pulls when there is none); digests are checked; false when nothing came */
bool rig_next(struct rig *r, struct rig_pdu *ret);
/** rig_expect - the same; the test fails unless it has opcode @op */
void rig_expect(struct rig *r, uint8_t op, struct rig_pdu *ret);
/** rig_push - a PDU from the target; padding and digests are added; sent by the next rig_feed */
void rig_push(struct rig *r, const uint8_t *bhs, const void *data, uint32_t n);
int rig_feed(struct rig *r);

/* Shorthands; each pushes one PDU with the current numbers. StatSN advances where the PDU consumes it. */
void rig_data_in(struct rig *r, uint32_t itt, uint32_t sn, uint32_t off, const void *data, uint32_t n, uint8_t flags);
void rig_rsp(struct rig *r, uint32_t itt, uint8_t status);
void rig_r2t(struct rig *r, uint32_t itt, uint32_t ttt, uint32_t sn, uint32_t off, uint32_t len);
void rig_tmf_rsp(struct rig *r, uint32_t itt, uint8_t response);

/** rig_task - a task of @len bytes in @n_iov pieces with guards around each, content 0xee, submitted */
struct sk_task *rig_task(struct rig *r, enum sk_dir dir, uint32_t len, uint32_t n_iov);
/** rig_task_held - the same, not submitted yet */
struct sk_task *rig_task_held(struct rig *r, enum sk_dir dir, uint32_t len, uint32_t n_iov);
void rig_fill(struct sk_task *t);			/* the pattern into a task's buffers (writes) */
bool rig_filled(const struct sk_task *t, uint32_t n);	/* the first @n bytes are the pattern, the rest untouched */
uint8_t rig_byte(uint32_t off);				/* the pattern */
void rig_pattern(void *p, uint32_t off, uint32_t n);
/** rig_put - check the guards, free the buffers, give the task back */
void rig_put(struct rig *r, struct sk_task *t);
/** rig_done - the next finished task; the test fails when there is none */
struct sk_task *rig_done(struct rig *r);

#endif
