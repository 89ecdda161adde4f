/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BENCH_NULL_H
#define BENCH_NULL_H

/**
 * The null target: reads give zeroes, writes go nowhere, and many PDUs move per system call, so that the target is
 * never what a benchmark measures. It trusts its peer and serves benchmarks on loopback only.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "proto/pdu_ffp_peer.h"

#define NULL_STAGE (1U << 20)
#define NULL_IOV 1024U
#define NULL_HEADERS (256U << 10)
#define NULL_ZEROES (1U << 20)
#define NULL_SLOTS 1024U
#define NULL_BLOCK 512U
#define NULL_LUNS 256U
#define NULL_BACKLOG 4096 /* connections that come at once; the kernel lowers it to net.core.somaxconn */

struct null_cfg {
	uint16_t port;
	bool initial_r2t, immediate_data;
	bool one_pdu_per_send;	/* be as slow as targets that send each PDU alone */
	bool verify;		/* check the digests of what comes in */
	uint32_t mrdsl, max_burst, first_burst;
	uint64_t blocks;
	uint32_t luns;		/* 0 … luns - 1 are reported, 1..256 */
};

/** A write whose data is not all here yet. */
struct null_write {
	bool used;
	uint32_t itt, edtl, got;	/* bytes of data received */
	uint32_t asked;			/* bytes covered by immediate data, unsolicited data and R2Ts */
	uint32_t r2t_sn;
	uint64_t lun;
};

struct null_conn {
	const struct null_cfg *cfg;
	int fd;
	bool full_feature, header_digest, data_digest, initial_r2t, immediate_data;
	uint32_t peer_mrdsl, max_burst, first_burst;
	struct sk_peer_sn sn;
	bool closing;		/* after the answers are out */
	struct null_conn *prev, *next;
	uint32_t events;	/* what epoll watches for */
	/* in */
	uint8_t *stage;
	uint32_t head, tail;
	/* out */
	struct iovec iov[NULL_IOV];
	unsigned n_iov, at_iov;
	uint8_t *headers;
	uint32_t n_headers;
	struct null_write writes[NULL_SLOTS];
	uint32_t n_writes;
	uint64_t cmds;
};

/** null_out_room - may another command be answered (with up to @pdus PDUs) before a flush? */
bool null_out_room(const struct null_conn *c, uint32_t pdus);
/** null_out - queue a PDU; @data is copied when @n <= 4096 and not NULL; NULL means zeroes */
void null_out(struct null_conn *c, uint8_t *bhs, const void *data, uint32_t n);

/** null_logins - how many logins there were, of all connections */
extern unsigned null_logins;

/** null_login - answer a Login Request (header and text of @n bytes) */
void null_login(struct null_conn *c, const uint8_t *bhs, const char *text, uint32_t n);
/** null_command - answer a SCSI Command; @imm bytes of immediate data came with it */
void null_command(struct null_conn *c, const uint8_t *bhs, uint32_t imm);
void null_data_out(struct null_conn *c, const uint8_t *bhs, uint32_t n);

#endif
