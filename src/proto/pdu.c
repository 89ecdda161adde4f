/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "proto/pdu.h"

#include "base/mem.h"

#define FLAG_FINAL 0x80 /* T of login PDUs */
#define FLAG_CONT  0x40

void sk_pdu_free(struct sk_pdu *pdu)
{
	sk_buf_wipe(&pdu->data); /* login text may hold CHAP responses */
}

int sk_pdu_put_len(struct sk_pdu *pdu, struct sk_err *err)
{
	if (pdu->data.n > 0xffffff)
		return sk_fail(err, SK_EINVAL, "a data segment of %zu bytes", pdu->data.n);
	pdu->bhs[4] = 0;
	sk_set_be24(pdu->bhs + 5, (uint32_t)pdu->data.n);
	return 0;
}

int sk_pdu_put_wire(struct sk_buf *out, struct sk_pdu *pdu, struct sk_err *err)
{
	static const uint8_t zero[4];

	if (sk_pdu_put_len(pdu, err) < 0)
		return -1;
	sk_buf_add(out, pdu->bhs, SK_BHS_LEN);
	sk_buf_add(out, sk_buf_cstr(&pdu->data), pdu->data.n);
	sk_buf_add(out, zero, sk_pad4((uint32_t)pdu->data.n));
	return out->nomem ? sk_fail(err, SK_ENOMEM, "no memory") : 0;
}

const char *sk_op_name(uint8_t op)
{
	static const char *const names[SK_OP_MASK + 1] = {
		[SK_OP_NOP_OUT] = "NOP-Out",
		[SK_OP_SCSI_CMD] = "SCSI Command",
		[SK_OP_TMF_REQ] = "Task Management Request",
		[SK_OP_LOGIN_REQ] = "Login Request",
		[SK_OP_TEXT_REQ] = "Text Request",
		[SK_OP_DATA_OUT] = "SCSI Data-Out",
		[SK_OP_LOGOUT_REQ] = "Logout Request",
		[SK_OP_SNACK_REQ] = "SNACK Request",
		[SK_OP_NOP_IN] = "NOP-In",
		[SK_OP_SCSI_RSP] = "SCSI Response",
		[SK_OP_TMF_RSP] = "Task Management Response",
		[SK_OP_LOGIN_RSP] = "Login Response",
		[SK_OP_TEXT_RSP] = "Text Response",
		[SK_OP_DATA_IN] = "SCSI Data-In",
		[SK_OP_LOGOUT_RSP] = "Logout Response",
		[SK_OP_R2T] = "R2T",
		[SK_OP_ASYNC] = "Async Message",
		[SK_OP_REJECT] = "Reject",
	};

	return names[op & SK_OP_MASK] ? names[op & SK_OP_MASK] : "PDU of an unknown kind";
}

const char *sk_reject_text(uint8_t reason)
{
	static const char *const words[] = {
		[0x02] = "data digest error",
		[0x03] = "SNACK reject",
		[0x04] = "protocol error",
		[0x05] = "command not supported",
		[0x06] = "too many immediate commands",
		[0x07] = "task in progress",
		[0x08] = "invalid data acknowledgement",
		[0x09] = "invalid PDU field",
		[0x0a] = "out of resources for a long operation",
		[0x0b] = "negotiation reset",
		[0x0c] = "waiting for logout",
	};

	return reason < SK_ARRAY_LEN(words) && words[reason] ? words[reason] : "unknown reason";
}

static struct sk_wr writer(uint8_t bhs[SK_BHS_LEN])
{
	memset(bhs, 0, SK_BHS_LEN);
	return (struct sk_wr){ .p = bhs, .left = SK_BHS_LEN };
}

static uint8_t flags_of(bool final, bool cont)
{
	return (uint8_t)((final ? FLAG_FINAL : 0) | (cont ? FLAG_CONT : 0));
}

/* The first four bytes of a decoded header and its data length; the rest is left in the reader. */
struct head {
	uint8_t op, flags, b2, b3;
	uint32_t data_len;
};

static int head_get(struct sk_rd *in, uint8_t op, struct head *h, struct sk_err *err)
{
	if (in->left.n != SK_BHS_LEN)
		return sk_fail(err, SK_EPROTO, "%s of %zu bytes", sk_op_name(op), in->left.n);
	h->op = (uint8_t)sk_get_be(in, 1);
	h->flags = (uint8_t)sk_get_be(in, 1);
	h->b2 = (uint8_t)sk_get_be(in, 1);
	h->b3 = (uint8_t)sk_get_be(in, 1);
	sk_get(in, 1); /* TotalAHSLength: none of these has one, the framer sees to it */
	h->data_len = (uint32_t)sk_get_be(in, 3);
	if ((h->op & SK_OP_MASK) != op)
		return sk_fail(err, SK_EPROTO, "%s (opcode 0x%02x) where a %s is due", sk_op_name(h->op),
			       h->op & SK_OP_MASK, sk_op_name(op));
	return 0;
}

/* With C=1 neither T nor F may be set (RFC 7143, 11.10.2, 11.11.2, 11.12.2, 11.13.7). */
static int check_cont(const struct head *h, const char *rfc, struct sk_err *err)
{
	if ((h->flags & FLAG_FINAL) && (h->flags & FLAG_CONT))
		return sk_fail(err, SK_EPROTO, "%s with both %s and C set (RFC 7143, %s)", sk_op_name(h->op),
			       sk_bhs_op(&h->op) == SK_OP_TEXT_RSP || sk_bhs_op(&h->op) == SK_OP_TEXT_REQ ? "F"
													  : "T",
			       rfc);
	return 0;
}

void sk_login_req_put(uint8_t bhs[SK_BHS_LEN], const struct sk_login_req *r)
{
	struct sk_wr out = writer(bhs);

	sk_put_be(&out, SK_OP_LOGIN_REQ | SK_OP_IMMEDIATE, 1); /* Login Request, RFC 7143, 11.12 */
	sk_put_be(&out, (uint64_t)(flags_of(r->transit, r->cont) | (r->csg & 3) << 2 | (r->nsg & 3)), 1);
	sk_put_be(&out, r->version_max, 1);
	sk_put_be(&out, r->version_min, 1);
	sk_put_be(&out, 0, 4);
	sk_put(&out, r->isid.b, sizeof(r->isid.b));
	sk_put_be(&out, r->tsih, 2);
	sk_put_be(&out, r->itt, 4);
	sk_put_be(&out, r->cid, 2);
	sk_put_be(&out, 0, 2);
	sk_put_be(&out, r->cmd_sn, 4);
	sk_put_be(&out, r->exp_stat_sn, 4);
}

int sk_login_req_get(struct sk_span bhs, struct sk_login_req *ret, struct sk_err *err)
{
	struct sk_rd in = { bhs, false };
	struct sk_login_req r = { 0 };
	struct sk_span isid;
	struct head h;

	if (head_get(&in, SK_OP_LOGIN_REQ, &h, err) < 0 || check_cont(&h, "11.12.2", err) < 0)
		return -1;
	isid = sk_get(&in, sizeof(r.isid.b));
	r.tsih = (uint16_t)sk_get_be(&in, 2);
	r.itt = (uint32_t)sk_get_be(&in, 4);
	r.cid = (uint16_t)sk_get_be(&in, 2);
	sk_get(&in, 2);
	r.cmd_sn = (uint32_t)sk_get_be(&in, 4);
	r.exp_stat_sn = (uint32_t)sk_get_be(&in, 4);
	if (in.short_)
		return sk_fail(err, SK_EPROTO, "login request of %zu bytes", bhs.n);
	memcpy(r.isid.b, isid.p, sizeof(r.isid.b));
	r.transit = h.flags & FLAG_FINAL;
	r.cont = h.flags & FLAG_CONT;
	r.csg = h.flags >> 2 & 3;
	r.nsg = h.flags & 3;
	r.version_max = h.b2;
	r.version_min = h.b3;
	r.data_len = h.data_len;
	*ret = r;
	return 0;
}

void sk_login_rsp_put(uint8_t bhs[SK_BHS_LEN], const struct sk_login_rsp *r)
{
	struct sk_wr out = writer(bhs);

	sk_put_be(&out, SK_OP_LOGIN_RSP, 1); /* Login Response, RFC 7143, 11.13 */
	sk_put_be(&out, (uint64_t)(flags_of(r->transit, r->cont) | (r->csg & 3) << 2 | (r->nsg & 3)), 1);
	sk_put_be(&out, r->version_max, 1);
	sk_put_be(&out, r->version_active, 1);
	sk_put_be(&out, 0, 4);
	sk_put(&out, r->isid.b, sizeof(r->isid.b));
	sk_put_be(&out, r->tsih, 2);
	sk_put_be(&out, r->itt, 4);
	sk_put_be(&out, 0, 4);
	sk_put_be(&out, r->stat_sn, 4);
	sk_put_be(&out, r->exp_cmd_sn, 4);
	sk_put_be(&out, r->max_cmd_sn, 4);
	sk_put_be(&out, r->status, 2);
}

int sk_login_rsp_get(struct sk_span bhs, struct sk_login_rsp *ret, struct sk_err *err)
{
	struct sk_rd in = { bhs, false };
	struct sk_login_rsp r = { 0 };
	struct sk_span isid;
	struct head h;

	if (head_get(&in, SK_OP_LOGIN_RSP, &h, err) < 0 || check_cont(&h, "11.13.7", err) < 0)
		return -1;
	isid = sk_get(&in, sizeof(r.isid.b));
	r.tsih = (uint16_t)sk_get_be(&in, 2);
	r.itt = (uint32_t)sk_get_be(&in, 4);
	sk_get(&in, 4);
	r.stat_sn = (uint32_t)sk_get_be(&in, 4);
	r.exp_cmd_sn = (uint32_t)sk_get_be(&in, 4);
	r.max_cmd_sn = (uint32_t)sk_get_be(&in, 4);
	r.status = (uint16_t)sk_get_be(&in, 2);
	if (in.short_)
		return sk_fail(err, SK_EPROTO, "login response of %zu bytes", bhs.n);
	memcpy(r.isid.b, isid.p, sizeof(r.isid.b));
	r.transit = h.flags & FLAG_FINAL;
	r.cont = h.flags & FLAG_CONT;
	r.csg = h.flags >> 2 & 3;
	r.nsg = h.flags & 3;
	r.version_max = h.b2;
	r.version_active = h.b3;
	r.data_len = h.data_len;
	*ret = r;
	return 0;
}

void sk_text_req_put(uint8_t bhs[SK_BHS_LEN], const struct sk_text_req *r)
{
	struct sk_wr out = writer(bhs);

	sk_put_be(&out, SK_OP_TEXT_REQ | (r->immediate ? SK_OP_IMMEDIATE : 0),
		  1); /* Text Request, RFC 7143, 11.10 */
	sk_put_be(&out, flags_of(r->final, r->cont), 1);
	sk_put_be(&out, 0, 6);
	sk_put_be(&out, r->lun, 8);
	sk_put_be(&out, r->itt, 4);
	sk_put_be(&out, r->ttt, 4);
	sk_put_be(&out, r->cmd_sn, 4);
	sk_put_be(&out, r->exp_stat_sn, 4);
}

int sk_text_req_get(struct sk_span bhs, struct sk_text_req *ret, struct sk_err *err)
{
	struct sk_rd in = { bhs, false };
	struct sk_text_req r = { 0 };
	struct head h;

	if (head_get(&in, SK_OP_TEXT_REQ, &h, err) < 0 || check_cont(&h, "11.10.2", err) < 0)
		return -1;
	r.immediate = h.op & SK_OP_IMMEDIATE;
	r.final = h.flags & FLAG_FINAL;
	r.cont = h.flags & FLAG_CONT;
	r.lun = sk_get_be(&in, 8);
	r.itt = (uint32_t)sk_get_be(&in, 4);
	r.ttt = (uint32_t)sk_get_be(&in, 4);
	r.cmd_sn = (uint32_t)sk_get_be(&in, 4);
	r.exp_stat_sn = (uint32_t)sk_get_be(&in, 4);
	r.data_len = h.data_len;
	*ret = r;
	return 0;
}

void sk_text_rsp_put(uint8_t bhs[SK_BHS_LEN], const struct sk_text_rsp *r)
{
	struct sk_wr out = writer(bhs);

	sk_put_be(&out, SK_OP_TEXT_RSP, 1); /* Text Response, RFC 7143, 11.11 */
	sk_put_be(&out, flags_of(r->final, r->cont), 1);
	sk_put_be(&out, 0, 6);
	sk_put_be(&out, r->lun, 8);
	sk_put_be(&out, r->itt, 4);
	sk_put_be(&out, r->ttt, 4);
	sk_put_be(&out, r->stat_sn, 4);
	sk_put_be(&out, r->exp_cmd_sn, 4);
	sk_put_be(&out, r->max_cmd_sn, 4);
}

int sk_text_rsp_get(struct sk_span bhs, struct sk_text_rsp *ret, struct sk_err *err)
{
	struct sk_rd in = { bhs, false };
	struct sk_text_rsp r = { 0 };
	struct head h;

	if (head_get(&in, SK_OP_TEXT_RSP, &h, err) < 0 || check_cont(&h, "11.11.2", err) < 0)
		return -1;
	r.final = h.flags & FLAG_FINAL;
	r.cont = h.flags & FLAG_CONT;
	r.lun = sk_get_be(&in, 8);
	r.itt = (uint32_t)sk_get_be(&in, 4);
	r.ttt = (uint32_t)sk_get_be(&in, 4);
	r.stat_sn = (uint32_t)sk_get_be(&in, 4);
	r.exp_cmd_sn = (uint32_t)sk_get_be(&in, 4);
	r.max_cmd_sn = (uint32_t)sk_get_be(&in, 4);
	r.data_len = h.data_len;
	*ret = r;
	return 0;
}
