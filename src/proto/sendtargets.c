/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "proto/sendtargets.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/num.h"

#define TEXT_ITT   1U
#define LOGOUT_ITT 2U
#define IDLE_MAX   32 /* responses without text in a row */
#define PINGS_MAX  65536

enum phase { PHASE_ASK, PHASE_LISTEN, PHASE_LOGOUT, PHASE_OVER };

struct sk_sendtargets {
	struct sk_sendtargets_cfg cfg;
	struct sk_targets targets;
	enum sk_login_want want;
	enum phase phase;
	uint32_t cmd_sn, exp_stat_sn;
	uint32_t ttt; /* of the next Text Request */
	unsigned idle, pings;
	bool ping_due, next_due; /* to be sent: a NOP-Out; the request of the phase */
	struct sk_pdu ping;	 /* the NOP-In to answer */
	struct sk_err error;
};

struct sk_sendtargets *sk_sendtargets_new(const struct sk_sendtargets_cfg *cfg, const struct sk_params *params,
					  const struct sk_targets_events *ev, void *ctx, struct sk_err *err)
{
	struct sk_sendtargets *s = calloc(1, sizeof(*s));

	if (!s) {
		sk_fail(err, SK_ENOMEM, "no memory for a discovery");
		return NULL;
	}
	s->cfg = *cfg;
	s->want = SK_WANT_SEND;
	s->next_due = true;
	s->cmd_sn = params->cmd_sn;
	s->exp_stat_sn = params->exp_stat_sn;
	s->ttt = SK_TAG_NONE;
	sk_targets_init(&s->targets, &cfg->portal, ev, ctx);
	return s;
}

void sk_sendtargets_free(struct sk_sendtargets *s)
{
	if (!s)
		return;
	sk_pdu_free(&s->ping);
	free(s);
}

enum sk_login_want sk_sendtargets_want(const struct sk_sendtargets *s)
{
	return s->want;
}

bool sk_sendtargets_complete(const struct sk_sendtargets *s)
{
	return s->phase >= PHASE_LOGOUT;
}

const struct sk_err *sk_sendtargets_error(const struct sk_sendtargets *s)
{
	return &s->error;
}

static int give_up(struct sk_sendtargets *s, const struct sk_err *why, struct sk_err *err)
{
	s->error = *why;
	s->want = SK_WANT_GIVE_UP;
	if (err)
		*err = *why;
	return -1;
}

/* All requests here are immediate: CmdSN is not advanced and the command window is of no concern (4.2.2.1). */
static void make_text(struct sk_sendtargets *s, struct sk_pdu *pdu)
{
	struct sk_text_req r = { .immediate = true,
				 .final = true,
				 .itt = TEXT_ITT,
				 .ttt = s->ttt,
				 .cmd_sn = s->cmd_sn,
				 .exp_stat_sn = s->exp_stat_sn };

	sk_text_req_put(pdu->bhs, &r);
	if (s->phase == PHASE_ASK)
		sk_buf_add(&pdu->data, "SendTargets=All", sizeof("SendTargets=All"));
	s->phase = PHASE_LISTEN;
}

/* Logout Request, reason 0: close the session (11.14) */
static void make_logout(struct sk_sendtargets *s, struct sk_pdu *pdu)
{
	pdu->bhs[0] = SK_OP_LOGOUT_REQ | SK_OP_IMMEDIATE;
	pdu->bhs[1] = 0x80;
	sk_set_be32(pdu->bhs + 16, LOGOUT_ITT);
	sk_set_be16(pdu->bhs + 20, s->cfg.cid);
	sk_set_be32(pdu->bhs + 24, s->cmd_sn);
	sk_set_be32(pdu->bhs + 28, s->exp_stat_sn);
}

/* NOP-Out that answers a ping: its LUN, TTT and data come back (11.18) */
static void make_pong(struct sk_sendtargets *s, struct sk_pdu *pdu)
{
	pdu->bhs[0] = SK_OP_NOP_OUT | SK_OP_IMMEDIATE;
	pdu->bhs[1] = 0x80;
	memcpy(pdu->bhs + 8, s->ping.bhs + 8, 8);
	sk_set_be32(pdu->bhs + 16, SK_TAG_NONE);
	memcpy(pdu->bhs + 20, s->ping.bhs + 20, 4);
	sk_set_be32(pdu->bhs + 24, s->cmd_sn);
	sk_set_be32(pdu->bhs + 28, s->exp_stat_sn);
	pdu->data = s->ping.data;
	s->ping = (struct sk_pdu){ 0 };
}

int sk_sendtargets_take(struct sk_sendtargets *s, struct sk_pdu *ret_pdu, struct sk_err *err)
{
	struct sk_pdu pdu = { 0 };

	if (s->want != SK_WANT_SEND)
		return sk_fail(err, SK_EINVAL, "nothing is to be sent in this discovery now");
	if (s->ping_due) {
		s->ping_due = false;
		make_pong(s, &pdu);
	} else {
		s->next_due = false;
		if (s->phase == PHASE_LOGOUT)
			make_logout(s, &pdu);
		else
			make_text(s, &pdu);
	}
	if (pdu.data.nomem || sk_pdu_put_len(&pdu, NULL) < 0) {
		struct sk_err why = { 0 };

		sk_pdu_free(&pdu);
		sk_fail(&why, SK_ENOMEM, "no memory for a request");
		return give_up(s, &why, err);
	}
	s->want = s->next_due ? SK_WANT_SEND : SK_WANT_RECV;
	*ret_pdu = pdu;
	return 0;
}

static void send_next(struct sk_sendtargets *s)
{
	s->next_due = true;
	s->want = SK_WANT_SEND;
}

static int hear_text(struct sk_sendtargets *s, const struct sk_pdu *pdu, struct sk_err *err)
{
	struct sk_text_rsp r;

	if (sk_text_rsp_get(sk_span(pdu->bhs, SK_BHS_LEN), &r, err) < 0)
		return -1;
	if (s->phase != PHASE_LISTEN || s->next_due || r.itt != TEXT_ITT)
		return sk_fail(err, SK_EPROTO,
			       "text response (task tag 0x%08x) that answers no request (RFC 7143, 11.11)", r.itt);
	s->exp_stat_sn = r.stat_sn + 1;
	if (!r.final && r.ttt == SK_TAG_NONE)
		return sk_fail(err, SK_EPROTO,
			       "text response to be continued without a tag to do it (RFC 7143, 11.11.4)");
	s->idle = pdu->data.n ? 0 : s->idle + 1;
	if (s->idle > IDLE_MAX)
		return sk_fail(err, SK_EPROTO, "the SendTargets answer does not end: %d responses without text",
			       IDLE_MAX);
	if (sk_targets_feed(&s->targets, sk_buf_span(&pdu->data), err) < 0)
		return -1;
	s->ttt = r.ttt;
	if (r.final) {
		if (sk_targets_end(&s->targets, err) < 0)
			return -1;
		s->phase = PHASE_LOGOUT;
	}
	send_next(s);
	return 0;
}

/* RFC 7143, 11.19: a valid TTT wants an answer; the number is consumed only when it answers one of ours. */
static int hear_nop(struct sk_sendtargets *s, const struct sk_pdu *pdu, struct sk_err *err)
{
	bool wants = sk_be32(pdu->bhs + 20) != SK_TAG_NONE;

	if (!wants || s->ping_due) /* one answer at a time */
		return 0;
	if (++s->pings > PINGS_MAX)
		return sk_fail(err, SK_EPROTO, "the target sends pings without end");
	sk_pdu_free(&s->ping);
	memcpy(s->ping.bhs, pdu->bhs, SK_BHS_LEN);
	sk_buf_add(&s->ping.data, pdu->data.p, SK_MIN(pdu->data.n, (size_t)8192));
	if (s->ping.data.nomem)
		return sk_fail(err, SK_ENOMEM, "no memory for the answer to a ping");
	s->ping_due = true;
	s->want = SK_WANT_SEND;
	return 0;
}

/* RFC 7143, 11.9.1: only the announced end of the connection matters here. */
static int hear_async(struct sk_sendtargets *s, const struct sk_pdu *pdu, struct sk_err *err)
{
	uint8_t event = pdu->bhs[36];

	s->exp_stat_sn = sk_be32(pdu->bhs + 24) + 1;
	if (event == 2 || event == 3)
		return sk_fail(err, SK_ECONN, "the target drops the connection (async event %u)", event);
	return 0;
}

static int hear_logout(struct sk_sendtargets *s, const struct sk_pdu *pdu, struct sk_err *err)
{
	if (s->phase != PHASE_LOGOUT || s->next_due || sk_be32(pdu->bhs + 16) != LOGOUT_ITT)
		return sk_fail(err, SK_EPROTO, "logout response that answers no request (RFC 7143, 11.15)");
	s->phase = PHASE_OVER; /* whatever it says: the connection is closed next */
	s->want = SK_WANT_DONE;
	return 0;
}

static int hear_reject(struct sk_sendtargets *s, const struct sk_pdu *pdu, struct sk_err *err)
{
	(void)s;
	return sk_fail(err, SK_EPROTO, "the target rejects our request: %s (0x%02x) (RFC 7143, 11.17)",
		       sk_reject_text(pdu->bhs[2]), pdu->bhs[2]);
}

static const struct {
	uint8_t op;
	int (*hear)(struct sk_sendtargets *s, const struct sk_pdu *pdu, struct sk_err *err);
} hears[] = {
	{ SK_OP_TEXT_RSP, hear_text },	   { SK_OP_NOP_IN, hear_nop },	  { SK_OP_ASYNC, hear_async },
	{ SK_OP_LOGOUT_RSP, hear_logout }, { SK_OP_REJECT, hear_reject },
};

int sk_sendtargets_feed(struct sk_sendtargets *s, const struct sk_pdu *pdu, struct sk_err *err)
{
	uint8_t op = sk_bhs_op(pdu->bhs);
	struct sk_err why = { 0 };

	if (s->want != SK_WANT_SEND && s->want != SK_WANT_RECV)
		return sk_fail(err, SK_EINVAL, "this discovery is over");
	for (size_t i = 0; i < SK_ARRAY_LEN(hears); i++)
		if (hears[i].op == op)
			return hears[i].hear(s, pdu, &why) < 0 ? give_up(s, &why, err) : 0;
	sk_fail(&why, SK_EPROTO, "%s (opcode 0x%02x) in a discovery session (RFC 7143, 4.3)", sk_op_name(op), op);
	return give_up(s, &why, err);
}
