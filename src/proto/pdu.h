/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_PROTO_PDU_H
#define SK_PROTO_PDU_H

/** PDU framing shared by everything that moves PDUs: opcodes, the 48-byte header, lengths (RFC 7143, 11). */

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

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

/* The decoders and encoders of the single PDUs are declared below; each output is written only on success. */

#endif
