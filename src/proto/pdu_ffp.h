/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_PROTO_PDU_FFP_H
#define SK_PROTO_PDU_FFP_H

/**
 * The PDUs of the full-feature phase (RFC 7143, 11.2-11.9, 11.14-11.19), one struct each. This half is what an
 * initiator needs: encoders of what it sends, decoders of what it receives; the target's half is pdu_ffp_peer.h.
 *
 * sk_…_put fills all 48 bytes. sk_…_get reads a complete header (the framing guarantees 48 bytes) and refuses what
 * no target may send, naming PDU and field; *ret is written only on success. All inline: the engine's hot path is
 * made of them. Numbers every target PDU carries at the same place are read with sk_bhs_*.
 */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "base/num.h"
#include "base/span.h"
#include "proto/pdu.h"

#define SK_BHS_FINAL 0x80

/* -1 in sight of the compiler: it then knows that *ret is written whenever an inline decoder returns 0 */
#define SK_REFUSE(err, ...) (sk_fail(err, __VA_ARGS__), -1)

/* --- what every header has --- */

static inline uint32_t sk_bhs_ahs_len(const uint8_t *bhs)	/* bytes */
{
	return (uint32_t)bhs[4] * 4;
}

static inline uint32_t sk_bhs_data_len(const uint8_t *bhs)	/* bytes, without padding */
{
	return sk_be24(bhs + 5);
}

static inline uint64_t sk_bhs_lun(const uint8_t *bhs)
{
	return sk_be64(bhs + 8);
}

static inline uint32_t sk_bhs_itt(const uint8_t *bhs)
{
	return sk_be32(bhs + 16);
}

static inline uint32_t sk_bhs_ttt(const uint8_t *bhs)
{
	return sk_be32(bhs + 20);
}

static inline uint32_t sk_bhs_stat_sn(const uint8_t *bhs)	/* target's PDUs */
{
	return sk_be32(bhs + 24);
}

static inline uint32_t sk_bhs_exp_cmd_sn(const uint8_t *bhs)
{
	return sk_be32(bhs + 28);
}

static inline uint32_t sk_bhs_max_cmd_sn(const uint8_t *bhs)
{
	return sk_be32(bhs + 32);
}

static inline void sk_bhs_start(uint8_t *bhs, uint8_t op, uint8_t flags, uint32_t data_len)
{
	memset(bhs, 0, SK_BHS_LEN);
	bhs[0] = op;
	bhs[1] = flags;
	sk_set_be24(bhs + 5, data_len);
}

/* --- SCSI Command (11.3) --- */

enum { SK_CMD_READ = 0x40, SK_CMD_WRITE = 0x20, SK_CMD_ATTR = 0x07 };

struct sk_scsi_cmd {
	uint8_t flags;		/* SK_BHS_FINAL, SK_CMD_READ, SK_CMD_WRITE, task attribute */
	uint8_t prio;		/* RFC 7144, 0..15; 0 at protocol level 1 */
	bool immediate;
	uint64_t lun;
	uint32_t itt, edtl, cmd_sn, exp_stat_sn;
	uint32_t data_len;	/* immediate data */
	uint32_t ahs_len;	/* multiple of 4, 0..1020; follows the header */
	const uint8_t *cdb;	/* 16 bytes, lent */
};

static inline void sk_scsi_cmd_put(uint8_t *bhs, const struct sk_scsi_cmd *c)
{
	bhs[0] = (uint8_t)(SK_OP_SCSI_CMD | (c->immediate ? SK_OP_IMMEDIATE : 0));
	bhs[1] = c->flags;
	bhs[2] = (uint8_t)(c->prio << 4);
	bhs[3] = 0;
	bhs[4] = (uint8_t)(c->ahs_len / 4);
	sk_set_be24(bhs + 5, c->data_len);
	sk_set_be64(bhs + 8, c->lun);
	sk_set_be32(bhs + 16, c->itt);
	sk_set_be32(bhs + 20, c->edtl);
	sk_set_be32(bhs + 24, c->cmd_sn);
	sk_set_be32(bhs + 28, c->exp_stat_sn);
	memcpy(bhs + 32, c->cdb, 16);
}

/* --- additional header segments (11.2.2) --- */

enum { SK_AHS_EXT_CDB = 1, SK_AHS_BIDI_READ_LEN = 2 };

struct sk_ahs {
	uint8_t type;
	struct sk_span spec;	/* the AHS-specific part without its first byte, which is reserved in types 1 and 2 */
};

void sk_ahs_put_ext_cdb(struct sk_wr *out, struct sk_span cdb_from_16);
void sk_ahs_put_bidi_read_len(struct sk_wr *out, uint32_t len);
/** sk_ahs_get - the next segment of @in; 1 and *ret, 0 at the end, -1 SK_EPROTO when lengths do not add up */
int sk_ahs_get(struct sk_rd *in, struct sk_ahs *ret, struct sk_err *err);

/* --- SCSI Response (11.4) --- */

enum {	/* residual flags of SCSI Response and Data-In */
	SK_RSP_OVERFLOW = 0x04,
	SK_RSP_UNDERFLOW = 0x02,
	SK_RSP_BIDI_OVERFLOW = 0x10,
	SK_RSP_BIDI_UNDERFLOW = 0x08,
	SK_DATA_IN_STATUS = 0x01,
	SK_DATA_IN_ACK = 0x40,
};

struct sk_scsi_rsp {
	uint8_t flags;		/* residual flags */
	uint8_t response;	/* 0: status is valid */
	uint8_t status;
	uint32_t itt, exp_data_sn, bidi_residual, residual;
	uint32_t data_len;
};

static inline int sk_scsi_rsp_get(const uint8_t *bhs, struct sk_scsi_rsp *ret, struct sk_err *err)
{
	uint8_t f = bhs[1];

	if ((f & (SK_RSP_OVERFLOW | SK_RSP_UNDERFLOW)) == (SK_RSP_OVERFLOW | SK_RSP_UNDERFLOW))
		return SK_REFUSE(err, SK_EPROTO, "SCSI Response: flags 0x%02x: overflow and underflow", f);
	*ret = (struct sk_scsi_rsp){
		.flags = f,
		.response = bhs[2],
		.status = bhs[3],
		.itt = sk_bhs_itt(bhs),
		.exp_data_sn = sk_be32(bhs + 36),
		.bidi_residual = sk_be32(bhs + 40),
		.residual = sk_be32(bhs + 44),
		.data_len = sk_bhs_data_len(bhs),
	};
	return 0;
}

/** sk_sense_get - the sense data of a SCSI Response's or Async Message's data segment (11.4.7.2): SenseLength and
 * that many bytes. @data may be just the front of a segment of @data_len bytes; *ret is cut to what is there. */
int sk_sense_get(struct sk_span data, uint32_t data_len, struct sk_span *ret, struct sk_err *err);

/* --- Task Management (11.5, 11.6) --- */

struct sk_tmf_req {
	uint8_t function;
	bool immediate;
	uint64_t lun;
	uint32_t itt, rtt, cmd_sn, exp_stat_sn, ref_cmd_sn, exp_data_sn;
};

static inline void sk_tmf_req_put(uint8_t *bhs, const struct sk_tmf_req *r)
{
	sk_bhs_start(bhs, (uint8_t)(SK_OP_TMF_REQ | (r->immediate ? SK_OP_IMMEDIATE : 0)),
		     (uint8_t)(SK_BHS_FINAL | r->function), 0);
	sk_set_be64(bhs + 8, r->lun);
	sk_set_be32(bhs + 16, r->itt);
	sk_set_be32(bhs + 20, r->rtt);
	sk_set_be32(bhs + 24, r->cmd_sn);
	sk_set_be32(bhs + 28, r->exp_stat_sn);
	sk_set_be32(bhs + 32, r->ref_cmd_sn);
	sk_set_be32(bhs + 36, r->exp_data_sn);
}

enum {	/* responses (11.6.1) */
	SK_TMF_COMPLETE = 0,
	SK_TMF_NO_TASK = 1,
	SK_TMF_NO_LUN = 2,
	SK_TMF_STILL_ALLEGIANT = 3,
	SK_TMF_NO_REASSIGN = 4,
	SK_TMF_NOT_SUPPORTED = 5,
	SK_TMF_NOT_AUTHORIZED = 6,
	SK_TMF_SUCCEEDED = 7,	/* RFC 7144 */
	SK_TMF_REJECTED = 255,
};

struct sk_tmf_rsp {
	uint8_t response;
	uint32_t itt;
};

static inline int sk_tmf_rsp_get(const uint8_t *bhs, struct sk_tmf_rsp *ret, struct sk_err *err)
{
	if (sk_bhs_data_len(bhs))
		return SK_REFUSE(err, SK_EPROTO, "Task Management Response: DataSegmentLength %u, not 0",
				 sk_bhs_data_len(bhs));
	*ret = (struct sk_tmf_rsp){ .response = bhs[2], .itt = sk_bhs_itt(bhs) };
	return 0;
}

/* --- Data-Out, Data-In (11.7) --- */

struct sk_data_out {
	bool final;
	uint64_t lun;
	uint32_t itt, ttt, exp_stat_sn, data_sn, offset;
	uint32_t data_len;
};

static inline void sk_data_out_put(uint8_t *bhs, const struct sk_data_out *d)
{
	sk_bhs_start(bhs, SK_OP_DATA_OUT, d->final ? SK_BHS_FINAL : 0, d->data_len);
	sk_set_be64(bhs + 8, d->lun);
	sk_set_be32(bhs + 16, d->itt);
	sk_set_be32(bhs + 20, d->ttt);
	sk_set_be32(bhs + 28, d->exp_stat_sn);
	sk_set_be32(bhs + 36, d->data_sn);
	sk_set_be32(bhs + 40, d->offset);
}

struct sk_data_in {
	uint8_t flags;		/* SK_BHS_FINAL, SK_DATA_IN_STATUS, SK_DATA_IN_ACK, residual flags */
	uint8_t status;		/* valid with SK_DATA_IN_STATUS */
	uint32_t itt, ttt, data_sn, offset, residual;
	uint32_t data_len;
};

static inline int sk_data_in_get(const uint8_t *bhs, struct sk_data_in *ret, struct sk_err *err)
{
	uint8_t f = bhs[1];

	if (f & SK_DATA_IN_STATUS) { /* status only with the last PDU of a sequence (11.7.3) */
		if (!(f & SK_BHS_FINAL))
			return SK_REFUSE(err, SK_EPROTO, "Data-In: flags 0x%02x: status without the final bit", f);
		if ((f & (SK_RSP_OVERFLOW | SK_RSP_UNDERFLOW)) == (SK_RSP_OVERFLOW | SK_RSP_UNDERFLOW))
			return SK_REFUSE(err, SK_EPROTO, "Data-In: flags 0x%02x: overflow and underflow", f);
	}
	*ret = (struct sk_data_in){
		.flags = f,
		.status = bhs[3],
		.itt = sk_bhs_itt(bhs),
		.ttt = sk_bhs_ttt(bhs),
		.data_sn = sk_be32(bhs + 36),
		.offset = sk_be32(bhs + 40),
		.residual = sk_be32(bhs + 44),
		.data_len = sk_bhs_data_len(bhs),
	};
	return 0;
}

/* --- R2T (11.8) --- */

struct sk_r2t {
	uint64_t lun;
	uint32_t itt, ttt, r2t_sn, offset, len;
};

static inline int sk_r2t_get(const uint8_t *bhs, struct sk_r2t *ret, struct sk_err *err)
{
	if (sk_bhs_data_len(bhs))
		return SK_REFUSE(err, SK_EPROTO, "R2T: DataSegmentLength %u, not 0", sk_bhs_data_len(bhs));
	if (sk_bhs_ttt(bhs) == SK_TAG_NONE)
		return SK_REFUSE(err, SK_EPROTO, "R2T: Target Transfer Tag is the reserved value");
	if (sk_be32(bhs + 44) == 0)
		return SK_REFUSE(err, SK_EPROTO, "R2T: Desired Data Transfer Length is 0");
	*ret = (struct sk_r2t){
		.lun = sk_bhs_lun(bhs),
		.itt = sk_bhs_itt(bhs),
		.ttt = sk_bhs_ttt(bhs),
		.r2t_sn = sk_be32(bhs + 36),
		.offset = sk_be32(bhs + 40),
		.len = sk_be32(bhs + 44),
	};
	return 0;
}

/* --- NOP-Out, NOP-In (11.18, 11.19) --- */

struct sk_nop {
	uint64_t lun;
	uint32_t itt, ttt, cmd_sn, exp_stat_sn;	/* cmd_sn and exp_stat_sn: NOP-Out only */
	uint32_t data_len;
};

static inline void sk_nop_out_put(uint8_t *bhs, const struct sk_nop *n)	/* always immediate */
{
	sk_bhs_start(bhs, SK_OP_NOP_OUT | SK_OP_IMMEDIATE, SK_BHS_FINAL, n->data_len);
	sk_set_be64(bhs + 8, n->lun);
	sk_set_be32(bhs + 16, n->itt);
	sk_set_be32(bhs + 20, n->ttt);
	sk_set_be32(bhs + 24, n->cmd_sn);
	sk_set_be32(bhs + 28, n->exp_stat_sn);
}

static inline void sk_nop_in_get(const uint8_t *bhs, struct sk_nop *ret)
{
	*ret = (struct sk_nop){
		.lun = sk_bhs_lun(bhs),
		.itt = sk_bhs_itt(bhs),
		.ttt = sk_bhs_ttt(bhs),
		.data_len = sk_bhs_data_len(bhs),
	};
}

/* --- Logout (11.14, 11.15) --- */

enum { SK_LOGOUT_SESSION = 0, SK_LOGOUT_CONNECTION = 1, SK_LOGOUT_RECOVERY = 2 };

struct sk_logout_req {
	uint8_t reason;
	bool immediate;
	uint16_t cid;
	uint32_t itt, cmd_sn, exp_stat_sn;
};

static inline void sk_logout_req_put(uint8_t *bhs, const struct sk_logout_req *r)
{
	sk_bhs_start(bhs, (uint8_t)(SK_OP_LOGOUT_REQ | (r->immediate ? SK_OP_IMMEDIATE : 0)),
		     (uint8_t)(SK_BHS_FINAL | r->reason), 0);
	sk_set_be32(bhs + 16, r->itt);
	sk_set_be16(bhs + 20, r->cid);
	sk_set_be32(bhs + 24, r->cmd_sn);
	sk_set_be32(bhs + 28, r->exp_stat_sn);
}

struct sk_logout_rsp {
	uint8_t response;
	uint32_t itt;
	uint16_t time2wait, time2retain;	/* seconds */
};

static inline int sk_logout_rsp_get(const uint8_t *bhs, struct sk_logout_rsp *ret, struct sk_err *err)
{
	if (sk_bhs_data_len(bhs))
		return SK_REFUSE(err, SK_EPROTO, "Logout Response: DataSegmentLength %u, not 0",
				 sk_bhs_data_len(bhs));
	*ret = (struct sk_logout_rsp){
		.response = bhs[2],
		.itt = sk_bhs_itt(bhs),
		.time2wait = sk_be16(bhs + 40),
		.time2retain = sk_be16(bhs + 42),
	};
	return 0;
}

/* --- SNACK (11.16), only at ErrorRecoveryLevel 1 and up --- */

enum sk_snack_type { SK_SNACK_DATA_R2T, SK_SNACK_STATUS, SK_SNACK_DATA_ACK, SK_SNACK_R_DATA };

struct sk_snack {
	enum sk_snack_type type;
	uint64_t lun;
	uint32_t itt, ttt, exp_stat_sn, beg_run, run_length;
};

static inline void sk_snack_put(uint8_t *bhs, const struct sk_snack *s)
{
	sk_bhs_start(bhs, SK_OP_SNACK_REQ, (uint8_t)(SK_BHS_FINAL | (uint8_t)s->type), 0);
	sk_set_be64(bhs + 8, s->lun);
	sk_set_be32(bhs + 16, s->itt);
	sk_set_be32(bhs + 20, s->ttt);
	sk_set_be32(bhs + 28, s->exp_stat_sn);
	sk_set_be32(bhs + 40, s->beg_run);
	sk_set_be32(bhs + 44, s->run_length);
}

/* --- Async Message (11.9) --- */

enum {
	SK_ASYNC_SCSI = 0,
	SK_ASYNC_LOGOUT = 1,
	SK_ASYNC_DROP_CONN = 2,
	SK_ASYNC_DROP_ALL = 3,
	SK_ASYNC_NEGOTIATE = 4,
	SK_ASYNC_TASKS_TERMINATED = 5,
};

struct sk_async {
	uint64_t lun;
	uint8_t event, vcode;
	uint16_t param1, param2, param3;
	uint32_t data_len;
};

static inline void sk_async_get(const uint8_t *bhs, struct sk_async *ret)
{
	*ret = (struct sk_async){
		.lun = sk_bhs_lun(bhs),
		.event = bhs[36],
		.vcode = bhs[37],
		.param1 = sk_be16(bhs + 38),
		.param2 = sk_be16(bhs + 40),
		.param3 = sk_be16(bhs + 42),
		.data_len = sk_bhs_data_len(bhs),
	};
}

/* --- Reject (11.17) --- */

enum {
	SK_REJECT_DATA_DIGEST = 0x02,
	SK_REJECT_SNACK = 0x03,
	SK_REJECT_PROTOCOL = 0x04,
	SK_REJECT_NOT_SUPPORTED = 0x05,
	SK_REJECT_IMMEDIATE = 0x06,
	SK_REJECT_IN_PROGRESS = 0x07,
	SK_REJECT_DATA_ACK = 0x08,
	SK_REJECT_FIELD = 0x09,
	SK_REJECT_LONG_OPERATION = 0x0a,
	SK_REJECT_WAIT_LOGOUT = 0x0c,
};

struct sk_reject {
	uint8_t reason;
	uint32_t data_sn;
	uint32_t data_len;	/* the refused PDU's header, at least 48 bytes */
};

static inline int sk_reject_get(const uint8_t *bhs, struct sk_reject *ret, struct sk_err *err)
{
	if (sk_bhs_data_len(bhs) < SK_BHS_LEN)
		return SK_REFUSE(err, SK_EPROTO, "Reject: %u bytes where a header of 48 is due",
				 sk_bhs_data_len(bhs));
	*ret = (struct sk_reject){ .reason = bhs[2],
				   .data_sn = sk_be32(bhs + 36),
				   .data_len = sk_bhs_data_len(bhs) };
	return 0;
}

#endif
