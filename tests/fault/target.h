/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_TESTS_FAULT_TARGET_H
#define SK_TESTS_FAULT_TARGET_H

/**
 * A target in memory: one connection, login with or without CHAP, a RAM disk with a volatile write cache at LUN 1. It is
 * honest; what is wrong with an answer is done to it on its way out, by spoil().
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "proto/params.h"
#include "proto/pdu_ffp_peer.h"

#define TG_BLOCKS 128U
#define TG_BLOCK 512U
#define TG_BYTES (TG_BLOCKS * TG_BLOCK)
#define TG_DATA 16384U	/* most bytes in a PDU */
#define TG_TASKS 64U

/** What an answer belongs to. */
enum tg_moment {
	TG_SECURITY,	/* AuthMethod */
	TG_CHAP,	/* CHAP_A, CHAP_C; the target's own proof */
	TG_OPERATIONAL,
	TG_SCAN,	/* INQUIRY, REPORT LUNS, capacity, mode */
	TG_READ,	/* data */
	TG_READ_END,	/* status of a read */
	TG_R2T,
	TG_WRITE_END,
	TG_FLUSH,
	TG_PING,
	TG_TMF,
	TG_LOGOUT,
	TG_EXTRA,	/* nothing asked for it */
	TG_MOMENTS
};

struct tg_pdu {
	enum tg_moment moment;
	uint8_t bhs[SK_BHS_LEN];
	uint32_t n;		/* bytes of data */
	uint64_t lun;		/* of the command answered */
	/* for spoil(): what is to happen on the wire */
	bool drop;		/* not sent at all */
	unsigned copies;	/* sent so often besides */
	bool bad_header_digest, bad_data_digest;
	bool raw_len;		/* DataSegmentLength stays as it is in bhs, whatever n says */
	uint32_t cut;		/* close after so many bytes of it; UINT32_MAX: all */
	bool close;		/* close behind it */
	uint8_t data[TG_DATA];	/* last: what is not used is not cleared */
};

struct tg_task {
	bool used;
	uint64_t lun;
	uint32_t itt, edtl, have, asked, ttt, r2t_sn;
	uint8_t cdb[16];
	uint8_t *buf;
};

struct tg_cfg {
	bool chap, mutual, no_cache;
	uint32_t window;	/* commands; 1.. */
	struct sk_params offer;	/* what it settles on, of initial_r2t, immediate_data, max_burst, … */
};

struct target {
	struct tg_cfg cfg;
	void *ctx;
	void (*spoil)(void *ctx, struct target *t, struct tg_pdu *p);	/* may call tg_extra */
	/* the connection */
	bool open, ffp;		/* open: false as soon as either side closed */
	bool mute;		/* takes everything in, says nothing */
	bool spoilt;		/* something was done to an answer on this connection */
	bool frozen;		/* MaxCmdSN stays where it is */
	struct sk_params par;	/* in force, told by tg_ffp */
	struct sk_peer_sn sn;
	uint32_t ttt;
	uint64_t n_pdus;	/* sent, ever */
	struct sk_buf in, out;
	size_t out_at;		/* what was taken from out already */
	struct tg_task tasks[TG_TASKS];
	uint8_t chap_id, chap_challenge[16];
	uint8_t last_cmd[SK_BHS_LEN];	/* header of the last SCSI Command, for a Reject */
	/* the disk */
	uint8_t disk[TG_BYTES], durable[TG_BYTES];
	uint8_t queued_sense[18];	/* a unit attention for the next command; [0] == 0: none */
	bool attention_sent;		/* it was, on this connection, … */
	uint32_t attention_sn;		/* … and is over when the initiator has this StatSN */
	uint32_t read_asked;		/* commands that reached the disk */
	bool broke;		/* the initiator broke the protocol */
	char complaint[160];
};

/** tg_pdu_new - all zeroes but its data; free() it. Never NULL */
struct tg_pdu *tg_pdu_new(void);
/** tg_out - what is to be received next, and taking @n bytes of it */
struct sk_span tg_out(const struct target *t);
void tg_taken(struct target *t, size_t n);
void tg_connect(struct target *t);
void tg_close(struct target *t);
/** tg_ffp - the login is through; @p is what the initiator understood */
void tg_ffp(struct target *t, const struct sk_params *p);
/** tg_feed - bytes from the initiator */
void tg_feed(struct target *t, const void *p, size_t n);
/** tg_send - a PDU of its own: numbered, spoilt (TG_EXTRA too), put on the wire */
void tg_send(struct target *t, struct tg_pdu *p, bool stat_sn);
/** tg_extra - a PDU that nobody asked for, put on the wire as it is, with current numbers */
void tg_extra(struct target *t, struct tg_pdu *p, bool stat_sn);
/** tg_power - the power fails and comes back: what was not flushed is gone; "power on occurred" follows */
void tg_power(struct target *t);
void tg_attention(struct target *t, uint8_t key, uint8_t asc, uint8_t ascq);
/** tg_thaw - a window that was closed opens, and the initiator is told by a NOP-In */
void tg_thaw(struct target *t);
void tg_free(struct target *t);

#endif
