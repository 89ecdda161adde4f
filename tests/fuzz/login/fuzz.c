/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"

#include <stdio.h>

#include "base/num.h"
#include "proto/login.h"

/*
 * A target that is played by the input. Byte 0 chooses the login; then per response: flags, status, two bytes of
 * length, text. Bit 0x10 of flags leaves the header as the machine expects it, so that the text is reached; without it the
 * next 8 bytes are mixed into the header.
 */

static int fill(void *ctx, void *p, size_t n)
{
	(void)ctx;
	memset(p, 0x3c, n);
	return 0;
}

static void configure(struct sk_login_cfg *c, uint8_t how)
{
	*c = (struct sk_login_cfg){ .discovery = how & 1, .expect_tpgt = how & 8 ? 1 : SK_TPGT_NONE, .cmd_sn = 1,
				    .initiator = { "iqn.2026-01.org.example:i" }, .target = { "iqn.2026-01.org.example:t" },
				    .header_digest = (enum sk_digest_offer)(how >> 6), .max_recv_dsl = 65536,
				    .max_burst = 262144, .first_burst = 65536, .max_outstanding_r2t = 1, .time2wait = 2,
				    .max_text = how & 32 ? 64 : 0 };
	if (how & 2)
		snprintf(c->chap.password, sizeof(c->chap.password), "secretsecret1");
	if (how & 4)
		snprintf(c->chap.password_in, sizeof(c->chap.password_in), "targetsecret2");
}

static void respond(struct sk_rd *in, const struct sk_login_req *req, struct sk_pdu *pdu)
{
	uint8_t flags = (uint8_t)sk_get_be(in, 1), status = (uint8_t)sk_get_be(in, 1);
	size_t n = (size_t)sk_get_be(in, 2) % 20000;
	struct sk_login_rsp r = { .transit = flags & 0x80, .cont = flags & 0x40, .csg = req->csg, .nsg = req->nsg,
				  .isid = req->isid, .tsih = 1, .stat_sn = req->exp_stat_sn, .exp_cmd_sn = 1,
				  .max_cmd_sn = 1, .status = status < 0xf0 ? 0 : (uint16_t)((status & 3) << 8 | (status & 12)) };
	struct sk_span text;

	sk_login_rsp_put(pdu->bhs, &r);
	if (!(flags & 0x10))
		for (int i = 0; i < 8; i++)
			pdu->bhs[i * 6 % SK_BHS_LEN] ^= (uint8_t)sk_get_be(in, 1);
	text = sk_get(in, n < in->left.n ? n : in->left.n);
	sk_buf_add(&pdu->data, text.p, text.n);
}

static void check_result(const struct sk_login *l)
{
	const struct sk_params *p = sk_login_result(l);

	if (!p || p->max_xmit_dsl < 512 || p->max_xmit_dsl > 16777215 || p->max_burst < 512 || p->first_burst < 512 ||
	    p->first_burst > p->max_burst || p->max_outstanding_r2t < 1 || p->max_outstanding_r2t > 65535 || p->erl > 2 ||
	    p->time2wait > 3600 || p->time2retain > 3600 || sk_sn_lt(p->max_cmd_sn, p->exp_cmd_sn - 1))
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct sk_rng rng = { fill, NULL };
	struct sk_rd in = { { p, n }, false };
	struct sk_login_req req = { 0 };
	struct sk_login_cfg cfg;
	struct sk_login *l;
	unsigned steps = 0;

	configure(&cfg, (uint8_t)sk_get_be(&in, 1));
	l = sk_login_new(&cfg, &rng, NULL);
	if (!l)
		return 0;
	while (!in.short_ && (sk_login_want(l) == SK_WANT_SEND || sk_login_want(l) == SK_WANT_RECV)) {
		struct sk_pdu pdu = { 0 };
		struct sk_err err = { 0 };

		if (++steps > 100)
			__builtin_trap(); /* 32 requests are the limit */
		if (sk_login_want(l) == SK_WANT_SEND) {
			if (sk_login_take(l, &pdu, &err) < 0 ||
			    sk_login_req_get(sk_span(pdu.bhs, SK_BHS_LEN), &req, &err) < 0)
				__builtin_trap();
		} else {
			respond(&in, &req, &pdu);
			if (sk_login_feed(l, &pdu, &err) < 0 &&
			    (sk_login_want(l) != SK_WANT_GIVE_UP || !err.code || !sk_login_error(l)->code))
				__builtin_trap();
		}
		sk_pdu_free(&pdu);
	}
	if (sk_login_want(l) == SK_WANT_DONE)
		check_result(l);
	if (sk_login_want(l) == SK_WANT_DONE && (cfg.chap.password_in[0]))
		__builtin_trap(); /* nobody here knows the secret */
	sk_login_free(l);
	return 0;
}
