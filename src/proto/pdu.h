/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_PROTO_PDU_H
#define SK_PROTO_PDU_H

/** PDU framing shared by everything that moves PDUs: opcodes, the 48-byte header, lengths (RFC 7143, 11). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "proto/params.h"

#define SK_BHS_LEN 48
#define SK_TAG_NONE 0xffffffffU

enum sk_op {
	SK_OP_NOP_OUT = 0x00,
	SK_OP_SCSI_CMD = 0x01,
	SK_OP_TMF_REQ = 0x02,
	SK_OP_LOGIN_REQ = 0x03,
	SK_OP_TEXT_REQ = 0x04,
	SK_OP_DATA_OUT = 0x05,
	SK_OP_LOGOUT_REQ = 0x06,
	SK_OP_SNACK_REQ = 0x10,
	SK_OP_NOP_IN = 0x20,
	SK_OP_SCSI_RSP = 0x21,
	SK_OP_TMF_RSP = 0x22,
	SK_OP_LOGIN_RSP = 0x23,
	SK_OP_TEXT_RSP = 0x24,
	SK_OP_DATA_IN = 0x25,
	SK_OP_LOGOUT_RSP = 0x26,
	SK_OP_R2T = 0x31,
	SK_OP_ASYNC = 0x32,
	SK_OP_REJECT = 0x3f,
};

#define SK_OP_MASK 0x3f
#define SK_OP_IMMEDIATE 0x40

/** A control-plane PDU: header and a data segment of its own. (The data path never builds one of these.) */
struct sk_pdu {
	uint8_t bhs[SK_BHS_LEN];	/* DataSegmentLength is filled from data.n by whoever puts it on the wire */
	struct sk_buf data;		/* without padding */
};

void sk_pdu_free(struct sk_pdu *pdu);	/* frees the data; the struct itself belongs to the caller */

static inline uint8_t sk_bhs_op(const uint8_t *bhs)
{
	return bhs[0] & SK_OP_MASK;
}

/** sk_pad4 - bytes of padding after @n bytes of data */
static inline uint32_t sk_pad4(uint32_t n)
{
	return (0U - n) & 3U;
}

/** sk_pdu_put_len - DataSegmentLength and TotalAHSLength (0) into the header from data.n, as whoever sends it must;
 * -1 with SK_EINVAL when data.n does not fit in 24 bits */
int sk_pdu_put_len(struct sk_pdu *pdu, struct sk_err *err);

/** sk_pdu_put_wire - the PDU as bytes: header with its lengths, data, padding (no digests) */
int sk_pdu_put_wire(struct sk_buf *out, struct sk_pdu *pdu, struct sk_err *err);

/** sk_op_name - "Login Response" …; never NULL */
const char *sk_op_name(uint8_t op);

/** sk_reject_text - words for a Reject's reason (RFC 7143, 11.17.1); never NULL */
const char *sk_reject_text(uint8_t reason);

/*
 * Login and Text PDUs (RFC 7143, 11.10-11.13); those of the full-feature phase are in proto/pdu_ffp.h. A `put`
 * fills all 48 bytes of the header, data length 0. A `get` takes the header (exactly 48 bytes), fails with
 * SK_EPROTO, and writes *ret only on success.
 */

/** Stages (RFC 7143, 11.12.3) */
enum sk_stage { SK_STAGE_SECURITY = 0, SK_STAGE_OPERATIONAL = 1, SK_STAGE_FULL = 3 };

struct sk_login_req {
	bool transit, cont;
	uint8_t csg, nsg;	/* enum sk_stage; nsg is 0 when transit is not set */
	uint8_t version_max, version_min;
	struct sk_isid isid;
	uint16_t tsih, cid;
	uint32_t itt, cmd_sn, exp_stat_sn;
	uint32_t data_len;	/* get only */
};

struct sk_login_rsp {
	bool transit, cont;
	uint8_t csg, nsg;
	uint8_t version_max, version_active;
	struct sk_isid isid;
	uint16_t tsih;
	uint32_t itt, stat_sn, exp_cmd_sn, max_cmd_sn;
	uint16_t status;	/* Status-Class << 8 | Status-Detail */
	uint32_t data_len;	/* get only */
};

struct sk_text_req {
	bool immediate, final, cont;
	uint64_t lun;
	uint32_t itt, ttt, cmd_sn, exp_stat_sn;
	uint32_t data_len;	/* get only */
};

struct sk_text_rsp {
	bool final, cont;
	uint64_t lun;
	uint32_t itt, ttt, stat_sn, exp_cmd_sn, max_cmd_sn;
	uint32_t data_len;	/* get only */
};

void sk_login_req_put(uint8_t bhs[SK_BHS_LEN], const struct sk_login_req *r);
int sk_login_req_get(struct sk_span bhs, struct sk_login_req *ret, struct sk_err *err);
void sk_login_rsp_put(uint8_t bhs[SK_BHS_LEN], const struct sk_login_rsp *r);
int sk_login_rsp_get(struct sk_span bhs, struct sk_login_rsp *ret, struct sk_err *err);
void sk_text_req_put(uint8_t bhs[SK_BHS_LEN], const struct sk_text_req *r);
int sk_text_req_get(struct sk_span bhs, struct sk_text_req *ret, struct sk_err *err);
void sk_text_rsp_put(uint8_t bhs[SK_BHS_LEN], const struct sk_text_rsp *r);
int sk_text_rsp_get(struct sk_span bhs, struct sk_text_rsp *ret, struct sk_err *err);

#endif
