/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "peer.h"

#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "proto/pdu_ffp.h"

#define TTT 0x1234U

static bool declared(const char *key, size_t n)
{
	static const char *const keys[] = { "InitiatorName", "InitiatorAlias", "TargetName", "SessionType",
					    "MaxRecvDataSegmentLength" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strlen(keys[i]) == n && !memcmp(keys[i], key, n))
			return true;
	return false;
}

/* Every proposal comes back as it was, of a list its first word. */
static void agree(const struct sk_buf *in, struct sk_buf *out)
{
	for (size_t at = 0; at < in->n;) {
		const char *pair = in->p + at;
		size_t len = strnlen(pair, in->n - at), key = strcspn(pair, "=");

		if (key < len && !declared(pair, key))
			sk_buf_add(out, pair, key + 1 + strcspn(pair + key + 1, ","));
		if (key < len && !declared(pair, key))
			sk_buf_ch(out, '\0');
		at += len + 1;
	}
}

static int login(struct peer *p, const struct sk_pdu *req, struct sk_pdu *rsp)
{
	struct sk_login_req q;
	struct sk_login_rsp r;

	if (sk_login_req_get(sk_span(req->bhs, SK_BHS_LEN), &q, NULL) < 0)
		return 0;
	p->logins++;
	p->isid = q.isid;
	snprintf(p->names, sizeof(p->names), "%s", "");
	for (size_t i = 0; i < req->data.n && i + 1 < sizeof(p->names); i++) {
		p->names[i] = req->data.p[i] ? req->data.p[i] : '\n';
		p->names[i + 1] = '\0';
	}
	if (p->silent)
		return 0;
	r = (struct sk_login_rsp){ .transit = q.transit && !p->status, .csg = q.csg, .nsg = p->status ? 0 : q.nsg, .isid = q.isid,
				   .tsih = 1, .itt = q.itt, .stat_sn = p->stat_sn++, .exp_cmd_sn = q.cmd_sn,
				   .max_cmd_sn = q.cmd_sn + 31, .status = p->status };
	sk_login_rsp_put(rsp->bhs, &r);
	if (p->status >> 8 == 1)
		sk_buf_printf(&rsp->data, "TargetAddress=%s", p->redirect);
	if (p->status >> 8 == 1)
		sk_buf_ch(&rsp->data, '\0');
	if (!p->status) {
		sk_buf_printf(&rsp->data, "TargetPortalGroupTag=%u", p->tpgt_less_1 + 1U);
		sk_buf_ch(&rsp->data, '\0');
		agree(&req->data, &rsp->data);
	}
	return 1;
}

static int text(struct peer *p, const struct sk_pdu *req, struct sk_pdu *rsp)
{
	struct sk_text_req q;
	struct sk_text_rsp r;
	size_t left, now;

	if (sk_text_req_get(sk_span(req->bhs, SK_BHS_LEN), &q, NULL) < 0)
		return 0;
	p->texts++;
	if (p->silent)
		return 0;
	if (q.ttt == SK_TAG_NONE)
		p->sent = 0;
	left = p->targets_n - p->sent;
	now = p->cut && left > p->cut ? p->cut : left;
	r = (struct sk_text_rsp){ .final = now == left, .cont = now != left, .itt = q.itt,
				  .ttt = now == left ? SK_TAG_NONE : TTT, .stat_sn = p->stat_sn++, .exp_cmd_sn = q.cmd_sn + 1,
				  .max_cmd_sn = q.cmd_sn + 31 };
	sk_text_rsp_put(rsp->bhs, &r);
	sk_buf_add(&rsp->data, p->targets + p->sent, now);
	p->sent += now;
	return 1;
}

static int logout(struct peer *p, const struct sk_pdu *req, struct sk_pdu *rsp)
{
	p->logouts++;
	if (p->silent)
		return 0;
	rsp->bhs[0] = SK_OP_LOGOUT_RSP;
	rsp->bhs[1] = 0x80;
	memcpy(rsp->bhs + 16, req->bhs + 16, 4);	/* ITT */
	sk_set_be32(rsp->bhs + 24, p->stat_sn++);
	memcpy(rsp->bhs + 28, req->bhs + 24, 4);	/* ExpCmdSN */
	sk_set_be32(rsp->bhs + 32, sk_be32(req->bhs + 24) + 31);
	return 1;
}

int peer_answer(struct peer *p, const struct sk_pdu *req, struct sk_pdu *rsp)
{
	memset(rsp, 0, sizeof(*rsp));
	switch (sk_bhs_op(req->bhs)) {
	case SK_OP_LOGIN_REQ:
		return login(p, req, rsp);
	case SK_OP_TEXT_REQ:
		return text(p, req, rsp);
	case SK_OP_LOGOUT_REQ:
		return logout(p, req, rsp);
	default:
		return 0;
	}
}
