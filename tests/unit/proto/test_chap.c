/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "proto/chap.h"
#include "proto/chap_auth.h"

/* Identifier 1, secret "secretsecret1", challenge 00..0f */
static void responses_are_those_of_the_vectors(void **st)
{
	static const struct {
		enum sk_chap_alg alg;
		const char *hex;
	} cases[] = {
		{ SK_CHAP_MD5, "0x71133038ef3394e5d0284e40a4a27ea2" },
		{ SK_CHAP_SHA1, "0xea5b66af7eece92299344aad7f4da31056df780d" },
		{ SK_CHAP_SHA256, "0x1983c36891cb7d20f775a0af7c558e45722a8dd973aa6e723a0509a63f21b13e" },
		{ SK_CHAP_SHA3_256, "0x1f8442c9bad12ca28c69f03a08daf6ab104f71c56ba618dcf6cd226055a1853d" },
	};
	uint8_t challenge[16], expect[32], out[SK_CHAP_DIGEST_MAX];
	size_t n = 0;

	(void)st;
	for (int i = 0; i < 16; i++)
		challenge[i] = (uint8_t)i;
	for (size_t i = 0; i < SK_CHAP_ALG_COUNT; i++) {
		assert_true(sk_text_bin(sk_span_str(cases[i].hex), expect, sizeof(expect), &n));
		assert_int_equal(n, sk_chap_digest_len(cases[i].alg));
		assert_true(sk_chap_alg_usable(cases[i].alg));
		assert_int_equal(sk_chap_response(cases[i].alg, 1, sk_span_str("secretsecret1"),
						  sk_span(challenge, sizeof(challenge)), out, NULL),
				 0);
		assert_memory_equal(out, expect, n);
	}
}

static void challenges_are_bounded(void **st)
{
	static uint8_t big[SK_CHAP_CHALLENGE_MAX + 1];
	uint8_t out[SK_CHAP_DIGEST_MAX] = { 0x5a };
	struct sk_err err = { 0 };

	(void)st;
	assert_int_equal(sk_chap_response(SK_CHAP_MD5, 1, sk_span_str("s"), sk_span(big, 1024), out, NULL), 0);
	out[0] = 0x5a;
	assert_int_equal(sk_chap_response(SK_CHAP_MD5, 1, sk_span_str("s"), sk_span(big, 1025), out, &err), -1);
	assert_int_equal(sk_chap_response(SK_CHAP_MD5, 1, sk_span_str("s"), sk_span(big, 0), out, &err), -1);
	assert_int_equal(sk_chap_response((enum sk_chap_alg)9, 1, sk_span_str("s"), sk_span(big, 1), out, &err),
			 -1);
	assert_int_equal(out[0], 0x5a);
	assert_false(sk_chap_alg_usable((enum sk_chap_alg)4));
	assert_int_equal(sk_chap_digest_len((enum sk_chap_alg)4), 0);
}

static void record_words_name_algorithms(void **st)
{
	enum sk_chap_alg alg = SK_CHAP_MD5;

	(void)st;
	assert_true(sk_chap_alg_find(sk_span_str("SHA3-256"), &alg) && alg == SK_CHAP_SHA3_256);
	assert_true(sk_chap_alg_find(sk_span_str("SHA1"), &alg) && alg == SK_CHAP_SHA1);
	assert_false(sk_chap_alg_find(sk_span_str("sha1"), &alg));
	assert_false(sk_chap_alg_find(sk_span_str("SHA"), &alg));
	assert_int_equal(alg, SK_CHAP_SHA1);
	assert_string_equal(sk_chap_alg_name(SK_CHAP_SHA256), "SHA256");
}

static int fill(void *ctx, void *p, size_t n)
{
	if (ctx)
		return -1;
	memset(p, 0x11, n);
	return 0;
}

static int start(struct sk_chap_auth *a, const struct sk_chap_cfg *cfg, bool no_random, struct sk_err *err)
{
	struct sk_rng rng = { fill, no_random ? a : NULL };

	return sk_chap_auth_init(a, cfg, "iqn.2026-01.org.example:i", &rng, err);
}

static void unsafe_credentials_are_refused(void **st)
{
	struct sk_chap_cfg cfg = { .password = "secretsecret1", .password_in = "secretsecret1" };
	struct sk_chap_auth a;
	struct sk_err err = { 0 };

	(void)st;
	assert_int_equal(start(&a, &cfg, false, &err), -1);
	assert_int_equal(err.code, SK_EAUTH);
	assert_non_null(strstr(err.msg, "must differ (RFC 7143, 9.2.1)"));
	cfg.password[0] = '\0';
	assert_int_equal(start(&a, &cfg, false, &err), -1);
	assert_int_equal(err.code, SK_EAUTH);
	snprintf(cfg.password, sizeof(cfg.password), "another secret");
	assert_int_equal(start(&a, &cfg, false, &err), 0);
	assert_int_equal(start(&a, &cfg, true, &err), -1);
	assert_int_equal(err.code, SK_EIO);
	cfg.n_algs = 1;
	cfg.algs[0] = (enum sk_chap_alg)99;
	assert_int_equal(start(&a, &cfg, false, &err), -1);
	assert_int_equal(err.code, SK_ENOTSUP);
}

static int count_up(void *ctx, void *p, size_t n)
{
	memset(p, ++*(int *)ctx, n);
	return 0;
}

/* RFC 7143, 9.2.1: what one login has asked a target must not come back as a question in any other one. */
static void a_challenge_of_another_login_under_way_is_not_answered(void **st)
{
	struct sk_chap_cfg cfg = { .password = "secretsecret1", .password_in = "targetsecret2" };
	struct sk_chap_pending pending = { NULL };
	static struct sk_text text;
	struct sk_chap_auth a[3];
	struct sk_buf in = { 0 };
	int drawn = 0;
	struct sk_rng rng = { count_up, &drawn };

	(void)st;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(sk_chap_auth_init(&a[i], &cfg, "iqn.2026-01.org.example:i", &rng, NULL), 0);
		sk_chap_auth_enter(&a[i], &pending);
	}
	for (int whose = 0; whose < 4; whose++) {	/* the 4th is nobody's; the 2nd ends before the last round */
		struct sk_buf out = { 0 };
		struct sk_err err = { 0 };

		sk_buf_reset(&in);
		sk_text_put(&in, "CHAP_A", "5");
		sk_text_put_num(&in, "CHAP_I", 1);
		sk_text_put_bin(&in, "CHAP_C", sk_span(whose < 3 ? a[whose].challenge : (const uint8_t *)"0123456789abcdef", 16));
		assert_int_equal(sk_text_parse(sk_buf_span(&in), &text, NULL), 0);
		assert_int_equal(sk_chap_auth_answer(&a[0], &text, &out, &err), whose < 3 ? -1 : 0);
		if (whose < 3)
			assert_string_equal(err.msg, "the target sends our own challenge back (RFC 7143, 9.2.1)");
		if (whose == 1) {
			struct sk_buf late = { 0 };

			sk_chap_auth_wipe(&a[1]);
			sk_chap_auth_wipe(&a[1]);
			assert_int_equal(sk_chap_auth_answer(&a[0], &text, &late, NULL), 0);
			sk_buf_wipe(&late);
		}
		sk_buf_wipe(&out);
	}
	sk_chap_auth_wipe(&a[0]);
	sk_chap_auth_wipe(&a[2]);
	assert_null(pending.first);
	sk_buf_free(&in);
}

static void an_empty_username_is_the_initiators_name(void **st)
{
	static const char in[] = "CHAP_A=5\0CHAP_I=1\0CHAP_C=0x00\0";
	struct sk_chap_cfg cfg = { .password = "secretsecret1" };
	static struct sk_text text;
	struct sk_chap_auth a;
	struct sk_buf out = { 0 };

	(void)st;
	assert_int_equal(start(&a, &cfg, false, NULL), 0);
	sk_chap_auth_offer(&a, &out);
	assert_string_equal(sk_buf_cstr(&out), "CHAP_A=5");
	sk_buf_reset(&out);
	assert_int_equal(sk_text_parse(sk_span(in, sizeof(in) - 1), &text, NULL), 0);
	assert_int_equal(sk_chap_auth_answer(&a, &text, &out, NULL), 0);
	assert_string_equal(sk_buf_cstr(&out), "CHAP_N=iqn.2026-01.org.example:i");
	assert_int_equal(sk_chap_auth_verify(&a, &text, NULL), 0); /* one-way: nothing to verify */
	sk_buf_wipe(&out);
	sk_chap_auth_wipe(&a);
}

static void comparing_tells_equal_from_different(void **st)
{
	(void)st;
	assert_true(sk_chap_equal((const uint8_t *)"abc", (const uint8_t *)"abc", 3));
	assert_false(sk_chap_equal((const uint8_t *)"abc", (const uint8_t *)"abd", 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(responses_are_those_of_the_vectors),
		cmocka_unit_test(challenges_are_bounded),
		cmocka_unit_test(record_words_name_algorithms),
		cmocka_unit_test(unsafe_credentials_are_refused),
		cmocka_unit_test(a_challenge_of_another_login_under_way_is_not_answered),
		cmocka_unit_test(an_empty_username_is_the_initiators_name),
		cmocka_unit_test(comparing_tells_equal_from_different),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
