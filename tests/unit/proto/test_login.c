/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the replayed conversations (tests/replay/) do not show: every state against every event, and the limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "proto/login.h"

static int fill(void *ctx, void *p, size_t n)
{
	(void)ctx;
	memset(p, 0xa5, n);
	return 0;
}

static struct sk_rng rng = { fill, NULL };

static struct sk_login_cfg cfg_of(bool chap, bool mutual)
{
	struct sk_login_cfg c = { .initiator = { "iqn.2026-01.org.example:i" },
				  .target = { "iqn.2026-01.org.example:t" },
				  .expect_tpgt = SK_TPGT_NONE,
				  .cmd_sn = 1,
				  .max_recv_dsl = 8192,
				  .max_burst = 262144,
				  .first_burst = 65536,
				  .max_outstanding_r2t = 1 };

	if (chap)
		snprintf(c.chap.password, sizeof(c.chap.password), "secretsecret1");
	if (mutual)
		snprintf(c.chap.password_in, sizeof(c.chap.password_in), "targetsecret2");
	return c;
}

/* A response that fits the last request. */
static struct sk_pdu answer(const struct sk_pdu *req, uint8_t flags, uint16_t status, const char *text, size_t n)
{
	struct sk_login_req q = { 0 };
	struct sk_login_rsp r;
	struct sk_pdu pdu = { 0 };

	assert_int_equal(sk_login_req_get(sk_span(req->bhs, SK_BHS_LEN), &q, NULL), 0);
	r = (struct sk_login_rsp){ .transit = flags & 0x80,
				   .cont = flags & 0x40,
				   .csg = q.csg,
				   .nsg = q.nsg,
				   .isid = q.isid,
				   .tsih = 1,
				   .itt = q.itt,
				   .stat_sn = q.exp_stat_sn,
				   .exp_cmd_sn = 1,
				   .max_cmd_sn = 1,
				   .status = status };
	sk_login_rsp_put(pdu.bhs, &r);
	sk_buf_add(&pdu.data, text, n);
	return pdu;
}

#define TEXT(s) s, sizeof(s) - 1

/* The points of a login at which events are tried. */
enum point {
	P_NEW,
	P_METHOD_SENT,
	P_ALGS,
	P_ALGS_SENT,
	P_PROOF,
	P_PROOF_SENT,
	P_OFFER,
	P_OFFER_SENT,
	P_END,
	P_END_SENT,
	P_DONE,
	P_REDIRECT,
	P_GIVE_UP,
	P_COUNT
};

static struct sk_login *at(enum point to, struct sk_pdu *req)
{
	static const struct {
		uint8_t flags;
		const char *text;
		size_t n;
	} answers[] = {
		{ 0, TEXT("AuthMethod=CHAP\0") },
		{ 0, TEXT("CHAP_A=5\0CHAP_I=1\0CHAP_C=0x00\0") },
		{ 0x80, TEXT("") },
		{ 0, TEXT("MaxBurstLength=512\0X-a=1\0") },
		{ 0x80, TEXT("") },
	};
	struct sk_login_cfg cfg = cfg_of(true, false);
	struct sk_login *l = sk_login_new(&cfg, &rng, NULL);
	struct sk_pdu rsp;

	assert_non_null(l);
	for (unsigned i = 0; i < (unsigned)to && i < P_DONE; i++) {
		if (i % 2 == 0) {
			sk_pdu_free(req);
			assert_int_equal(sk_login_take(l, req, NULL), 0);
			continue;
		}
		if (to == P_REDIRECT)
			rsp = answer(req, 0, 0x0101, TEXT("TargetAddress=192.0.2.1"));
		else if (to == P_GIVE_UP)
			rsp = answer(req, 0, 0x0301, TEXT(""));
		else
			rsp = answer(req, answers[i / 2].flags, 0, answers[i / 2].text, answers[i / 2].n);
		assert_int_equal(sk_login_feed(l, &rsp, NULL), to == P_GIVE_UP ? -1 : 0);
		sk_pdu_free(&rsp);
		if (to == P_REDIRECT || to == P_GIVE_UP)
			break;
	}
	return l;
}

static enum sk_login_want want_at(enum point p)
{
	return p == P_DONE	 ? SK_WANT_DONE
	       : p == P_REDIRECT ? SK_WANT_REDIRECT
	       : p == P_GIVE_UP	 ? SK_WANT_GIVE_UP
	       : p % 2		 ? SK_WANT_RECV
				 : SK_WANT_SEND;
}

static void taking_works_where_it_is_wanted_and_changes_nothing_elsewhere(void **st)
{
	(void)st;
	for (unsigned p = 0; p < P_COUNT; p++) {
		struct sk_pdu req = { 0 }, out = { .bhs = { 0x77 } };
		struct sk_login *l = at(p, &req);
		struct sk_err err = { 0 };
		bool ok = want_at(p) == SK_WANT_SEND;

		assert_int_equal(sk_login_want(l), want_at(p));
		assert_int_equal(sk_login_take(l, &out, &err), ok ? 0 : -1);
		if (!ok) {
			assert_int_equal(err.code, SK_EINVAL);
			assert_int_equal(out.bhs[0], 0x77);
			assert_int_equal(sk_login_want(l), want_at(p));
		} else {
			assert_int_equal(out.bhs[0], 0x43);
			sk_pdu_free(&out);
		}
		sk_pdu_free(&req);
		sk_login_free(l);
	}
}

/* All 64 opcodes at all points: only a Login Response to a request is heard; a login that is over stays as it was.
 */
static void every_pdu_at_every_point_has_an_answer(void **st)
{
	(void)st;
	for (unsigned p = 0; p < P_COUNT; p++) {
		for (unsigned op = 0; op < 64; op++) {
			struct sk_pdu req = { 0 };
			struct sk_login *l = at(p, &req);
			struct sk_pdu pdu =
				want_at(p) == SK_WANT_RECV ? answer(&req, 0, 0x0203, "", 0) : (struct sk_pdu){ 0 };
			struct sk_err err = { 0 };
			bool over = p >= P_DONE;

			pdu.bhs[0] = (uint8_t)op;
			assert_int_equal(sk_login_feed(l, &pdu, &err), -1);
			if (over) {
				assert_int_equal(err.code, SK_EINVAL);
				assert_int_equal(sk_login_want(l), want_at(p));
			} else {
				assert_int_equal(sk_login_want(l), SK_WANT_GIVE_UP);
				assert_int_equal(err.code, want_at(p) == SK_WANT_RECV && op == SK_OP_LOGIN_RSP
								   ? SK_ELOGIN
								   : SK_EPROTO);
				assert_string_equal(sk_login_error(l)->msg, err.msg);
			}
			sk_pdu_free(&pdu);
			sk_pdu_free(&req);
			sk_login_free(l);
		}
	}
}

/* Each flag pair, stage pair and status class in answer to each request. */
static void every_header_in_answer_to_every_request_is_judged(void **st)
{
	(void)st;
	for (unsigned p = P_METHOD_SENT; p < P_DONE; p += 2) {
		for (unsigned b1 = 0; b1 < 256; b1++) {
			for (unsigned cls = 0; cls < 4; cls++) {
				struct sk_pdu req = { 0 };
				struct sk_login *l = at(p, &req);
				struct sk_pdu pdu = answer(&req, 0, (uint16_t)(cls << 8), "", 0);
				struct sk_err err = { 0 };
				int rc;

				pdu.bhs[1] = (uint8_t)b1;
				rc = sk_login_feed(l, &pdu, &err);
				if (rc < 0)
					assert_int_equal(sk_login_want(l), SK_WANT_GIVE_UP);
				if (cls || (b1 & 0xc0) == 0xc0 || (b1 >> 2 & 3) != (p >= P_OFFER ? 1 : 0))
					assert_int_equal(rc, -1);
				if ((b1 & 0xc0) == 0x80 && (p < P_PROOF || (b1 & 3) != (p >= P_OFFER ? 3 : 1)))
					assert_int_equal(rc, -1);
				assert_int_equal(sk_login_want(l) == SK_WANT_DONE,
						 p >= P_OFFER && cls == 0 && (b1 & ~0x30u) == 0x87);
				sk_pdu_free(&pdu);
				sk_pdu_free(&req);
				sk_login_free(l);
			}
		}
	}
}

static void results_are_told_only_at_their_end(void **st)
{
	(void)st;
	for (unsigned p = 0; p < P_COUNT; p++) {
		struct sk_pdu req = { 0 };
		struct sk_login *l = at(p, &req);
		bool permanent = true;

		assert_int_equal(sk_login_result(l) != NULL, p == P_DONE);
		assert_int_equal(sk_login_redirect(l, &permanent) != NULL, p == P_REDIRECT);
		assert_int_equal(sk_login_retryable(l), p == P_GIVE_UP);
		assert_int_equal(sk_login_error(l)->login, p == P_GIVE_UP ? 0x0301 : 0);
		sk_pdu_free(&req);
		sk_login_free(l);
	}
}

static void every_status_has_words(void **st)
{
	(void)st;
	for (unsigned s = 0; s < 65536; s++)
		assert_non_null(sk_login_status_text((uint16_t)s));
	assert_string_equal(sk_login_status_text(0x0202), "authorization failure");
	assert_string_equal(sk_login_status_text(0x0277), "initiator error");
	assert_string_equal(sk_login_status_text(0x0377), "target error");
	assert_string_equal(sk_login_status_text(0x7700), "unknown login status");
}

static void a_login_that_makes_no_sense_is_not_begun(void **st)
{
	struct sk_login_cfg cfg = cfg_of(false, false);
	struct sk_err err = { 0 };

	(void)st;
	cfg.target.s[0] = '\0';
	assert_null(sk_login_new(&cfg, &rng, &err));
	assert_int_equal(err.code, SK_EINVAL);
	cfg = cfg_of(false, false);
	cfg.initiator.s[0] = '\0';
	assert_null(sk_login_new(&cfg, &rng, &err));
	cfg = cfg_of(false, false);
	cfg.max_burst = 0;
	assert_null(sk_login_new(&cfg, &rng, &err));
	assert_int_equal(err.code, SK_EINVAL);
	cfg = cfg_of(false, true); /* the target shall prove itself and we do not */
	assert_null(sk_login_new(&cfg, &rng, &err));
	assert_int_equal(err.code, SK_EAUTH);
	cfg = cfg_of(true, true);
	memcpy(cfg.chap.password_in, cfg.chap.password, sizeof(cfg.chap.password));
	assert_null(sk_login_new(&cfg, &rng, &err));
	assert_int_equal(err.code, SK_EAUTH);
	sk_login_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(taking_works_where_it_is_wanted_and_changes_nothing_elsewhere),
		cmocka_unit_test(every_pdu_at_every_point_has_an_answer),
		cmocka_unit_test(every_header_in_answer_to_every_request_is_judged),
		cmocka_unit_test(results_are_told_only_at_their_end),
		cmocka_unit_test(every_status_has_words),
		cmocka_unit_test(a_login_that_makes_no_sense_is_not_begun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
