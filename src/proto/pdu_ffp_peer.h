/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_PROTO_PDU_FFP_PEER_H
#define SK_PROTO_PDU_FFP_PEER_H

/**
 * The target's half of pdu_ffp.h: decoders of what an initiator sends, encoders of what a target answers. For the
 * targets of tests and benchmarks; no program of ours is one.
 */

#include "proto/pdu_ffp.h"

/** The three numbers a target puts into every PDU */
struct sk_peer_sn {
	uint32_t stat_sn, exp_cmd_sn, max_cmd_sn;
};

static inline void sk_peer_sn_put(uint8_t *bhs, const struct sk_peer_sn *sn)
{
	sk_set_be32(bhs + 24, sn->stat_sn);
	sk_set_be32(bhs + 28, sn->exp_cmd_sn);
	sk_set_be32(bhs + 32, sn->max_cmd_sn);
}

static inline void sk_scsi_cmd_get(const uint8_t *bhs, struct sk_scsi_cmd *ret)
{
	*ret = (struct sk_scsi_cmd){
		.flags = bhs[1],
		.prio = bhs[2] >> 4,
		.immediate = bhs[0] & SK_OP_IMMEDIATE,
		.lun = sk_bhs_lun(bhs),
		.itt = sk_bhs_itt(bhs),
		.edtl = sk_be32(bhs + 20),
		.cmd_sn = sk_be32(bhs + 24),
		.exp_stat_sn = sk_be32(bhs + 28),
		.data_len = sk_bhs_data_len(bhs),
		.ahs_len = sk_bhs_ahs_len(bhs),
		.cdb = bhs + 32,
	};
}

static inline void sk_scsi_rsp_put(uint8_t *bhs, const struct sk_scsi_rsp *r, const struct sk_peer_sn *sn)
{
	sk_bhs_start(bhs, SK_OP_SCSI_RSP, (uint8_t)(SK_BHS_FINAL | r->flags), r->data_len);
	bhs[2] = r->response;
	bhs[3] = r->status;
	sk_set_be32(bhs + 16, r->itt);
	sk_peer_sn_put(bhs, sn);
	sk_set_be32(bhs + 36, r->exp_data_sn);
	sk_set_be32(bhs + 40, r->bidi_residual);
	sk_set_be32(bhs + 44, r->residual);
}

static inline void sk_tmf_req_get(const uint8_t *bhs, struct sk_tmf_req *ret)
{
	*ret = (struct sk_tmf_req){
		.function = bhs[1] & 0x7f,
		.immediate = bhs[0] & SK_OP_IMMEDIATE,
		.lun = sk_bhs_lun(bhs),
		.itt = sk_bhs_itt(bhs),
		.rtt = sk_be32(bhs + 20),
		.cmd_sn = sk_be32(bhs + 24),
		.exp_stat_sn = sk_be32(bhs + 28),
		.ref_cmd_sn = sk_be32(bhs + 32),
		.exp_data_sn = sk_be32(bhs + 36),
	};
}

static inline void sk_tmf_rsp_put(uint8_t *bhs, const struct sk_tmf_rsp *r, const struct sk_peer_sn *sn)
{
	sk_bhs_start(bhs, SK_OP_TMF_RSP, SK_BHS_FINAL, 0);
	bhs[2] = r->response;
	sk_set_be32(bhs + 16, r->itt);
	sk_peer_sn_put(bhs, sn);
}

static inline void sk_data_out_get(const uint8_t *bhs, struct sk_data_out *ret)
{
	*ret = (struct sk_data_out){
		.final = bhs[1] & SK_BHS_FINAL,
		.lun = sk_bhs_lun(bhs),
		.itt = sk_bhs_itt(bhs),
		.ttt = sk_bhs_ttt(bhs),
		.exp_stat_sn = sk_be32(bhs + 28),
		.data_sn = sk_be32(bhs + 36),
		.offset = sk_be32(bhs + 40),
		.data_len = sk_bhs_data_len(bhs),
	};
}

static inline void sk_data_in_put(uint8_t *bhs, const struct sk_data_in *d, const struct sk_peer_sn *sn)
{
	sk_bhs_start(bhs, SK_OP_DATA_IN, d->flags, d->data_len);
	bhs[3] = d->status;
	sk_set_be32(bhs + 16, d->itt);
	sk_set_be32(bhs + 20, d->ttt);
	sk_peer_sn_put(bhs, sn);
	sk_set_be32(bhs + 36, d->data_sn);
	sk_set_be32(bhs + 40, d->offset);
	sk_set_be32(bhs + 44, d->residual);
}

static inline void sk_r2t_put(uint8_t *bhs, const struct sk_r2t *r, const struct sk_peer_sn *sn)
{
	sk_bhs_start(bhs, SK_OP_R2T, SK_BHS_FINAL, 0);
	sk_set_be64(bhs + 8, r->lun);
	sk_set_be32(bhs + 16, r->itt);
	sk_set_be32(bhs + 20, r->ttt);
	sk_peer_sn_put(bhs, sn);
	sk_set_be32(bhs + 36, r->r2t_sn);
	sk_set_be32(bhs + 40, r->offset);
	sk_set_be32(bhs + 44, r->len);
}

static inline void sk_nop_out_get(const uint8_t *bhs, struct sk_nop *ret)
{
	*ret = (struct sk_nop){
		.lun = sk_bhs_lun(bhs),
		.itt = sk_bhs_itt(bhs),
		.ttt = sk_bhs_ttt(bhs),
		.cmd_sn = sk_be32(bhs + 24),
		.exp_stat_sn = sk_be32(bhs + 28),
		.data_len = sk_bhs_data_len(bhs),
	};
}

static inline void sk_nop_in_put(uint8_t *bhs, const struct sk_nop *n, const struct sk_peer_sn *sn)
{
	sk_bhs_start(bhs, SK_OP_NOP_IN, SK_BHS_FINAL, n->data_len);
	sk_set_be64(bhs + 8, n->lun);
	sk_set_be32(bhs + 16, n->itt);
	sk_set_be32(bhs + 20, n->ttt);
	sk_peer_sn_put(bhs, sn);
}

static inline void sk_logout_req_get(const uint8_t *bhs, struct sk_logout_req *ret)
{
	*ret = (struct sk_logout_req){
		.reason = bhs[1] & 0x7f,
		.immediate = bhs[0] & SK_OP_IMMEDIATE,
		.cid = sk_be16(bhs + 20),
		.itt = sk_bhs_itt(bhs),
		.cmd_sn = sk_be32(bhs + 24),
		.exp_stat_sn = sk_be32(bhs + 28),
	};
}

static inline void sk_logout_rsp_put(uint8_t *bhs, const struct sk_logout_rsp *r, const struct sk_peer_sn *sn)
{
	sk_bhs_start(bhs, SK_OP_LOGOUT_RSP, SK_BHS_FINAL, 0);
	bhs[2] = r->response;
	sk_set_be32(bhs + 16, r->itt);
	sk_peer_sn_put(bhs, sn);
	sk_set_be16(bhs + 40, r->time2wait);
	sk_set_be16(bhs + 42, r->time2retain);
}

static inline void sk_snack_get(const uint8_t *bhs, struct sk_snack *ret)
{
	*ret = (struct sk_snack){
		.type = (enum sk_snack_type)(bhs[1] & 0x0f),
		.lun = sk_bhs_lun(bhs),
		.itt = sk_bhs_itt(bhs),
		.ttt = sk_bhs_ttt(bhs),
		.exp_stat_sn = sk_be32(bhs + 28),
		.beg_run = sk_be32(bhs + 40),
		.run_length = sk_be32(bhs + 44),
	};
}

static inline void sk_async_put(uint8_t *bhs, const struct sk_async *a, const struct sk_peer_sn *sn)
{
	sk_bhs_start(bhs, SK_OP_ASYNC, SK_BHS_FINAL, a->data_len);
	sk_set_be64(bhs + 8, a->lun);
	sk_set_be32(bhs + 16, SK_TAG_NONE);
	sk_peer_sn_put(bhs, sn);
	bhs[36] = a->event;
	bhs[37] = a->vcode;
	sk_set_be16(bhs + 38, a->param1);
	sk_set_be16(bhs + 40, a->param2);
	sk_set_be16(bhs + 42, a->param3);
}

static inline void sk_reject_put(uint8_t *bhs, const struct sk_reject *r, const struct sk_peer_sn *sn)
{
	sk_bhs_start(bhs, SK_OP_REJECT, SK_BHS_FINAL, r->data_len);
	bhs[2] = r->reason;
	sk_set_be32(bhs + 16, SK_TAG_NONE);
	sk_peer_sn_put(bhs, sn);
	sk_set_be32(bhs + 36, r->data_sn);
}

#endif
