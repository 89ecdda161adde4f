/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/keys.h"
#include "proto/negotiate.h"

static void every_row_is_whole(void **st)
{
	(void)st;
	for (unsigned i = 0; i < SK_KEY_COUNT; i++) {
		const struct sk_key *k = sk_key_row(i);

		assert_non_null(k->name);
		assert_int_equal(k->id, i);
		assert_ptr_equal(sk_key_find(k->name), k);
		assert_true(k->min <= k->max);
		assert_true(strlen(k->name) <= SK_TEXT_KEY_MAX);
		assert_true(k->from && k->stages);
		assert_non_null(k->rfc);
		if (k->type == SK_KEY_NUM)
			assert_int_equal(
				sk_key_check(k, k->rule == SK_RULE_DECLARE && !k->def ? k->min : k->def, NULL), 0);
		if (k->type == SK_KEY_LIST)
			for (uint32_t w = 0; w <= k->max; w++)
				assert_non_null(k->words[w]);
	}
	assert_null(sk_key_find("MaxBurst"));
	assert_null(sk_key_find("maxburstlength"));
}

static void a_key_out_of_range_is_the_targets_error(void **st)
{
	struct sk_err err = { 0 };
	uint32_t v = 7;

	(void)st;
	assert_int_equal(sk_key_settle(sk_key_find("MaxRecvDataSegmentLength"), 65536, 0, &v, &err), -1);
	assert_string_equal(err.msg, "MaxRecvDataSegmentLength=0 is outside 512..16777215 (RFC 7143, 13.12)");
	assert_int_equal(v, 7);
}

static void both_ends_of_each_range_are_taken_and_their_neighbours_not(void **st)
{
	(void)st;
	for (unsigned i = 0; i < SK_KEY_COUNT; i++) {
		const struct sk_key *k = sk_key_row(i);
		struct sk_err err = { 0 };
		uint32_t v;

		if (k->type != SK_KEY_NUM)
			continue;
		assert_int_equal(sk_key_settle(k, k->max, k->min, &v, NULL), 0);
		assert_int_equal(sk_key_settle(k, k->max, k->max, &v, NULL), 0);
		v = 7;
		assert_int_equal(sk_key_settle(k, k->max, (uint64_t)k->max + 1, &v, &err), -1);
		assert_int_equal(err.code, SK_EPROTO);
		assert_non_null(strstr(err.msg, k->rfc));
		if (k->min)
			assert_int_equal(sk_key_settle(k, k->max, k->min - 1, &v, NULL), -1);
		assert_int_equal(v, 7);
	}
}

static void the_rules_are_those_of_the_rfc(void **st)
{
	static const struct {
		const char *key;
		uint64_t ours, theirs;
		uint32_t result;
	} cases[] = {
		{ "MaxBurstLength", 1000, 2000, 1000 },
		{ "MaxBurstLength", 2000, 1000, 1000 },
		{ "DefaultTime2Wait", 2, 5, 5 },
		{ "DefaultTime2Wait", 5, 0, 5 },
		{ "DefaultTime2Retain", 20, 5, 5 },
		{ "ErrorRecoveryLevel", 0, 2, 0 },
		{ "InitialR2T", 0, 0, 0 },
		{ "InitialR2T", 0, 1, 1 },
		{ "InitialR2T", 1, 0, 1 },
		{ "ImmediateData", 1, 1, 1 },
		{ "ImmediateData", 1, 0, 0 },
		{ "ImmediateData", 0, 1, 0 },
		{ "MaxRecvDataSegmentLength", 9, 512, 512 },
		{ "HeaderDigest", 3, 1, 1 },
		{ "HeaderDigest", 3, 0, 0 },
		{ "HeaderDigest", 1, 0, 0 },
	};
	uint32_t v = 7;

	(void)st;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(sk_key_settle(sk_key_find(cases[i].key), cases[i].ours, cases[i].theirs, &v, NULL),
				 0);
		assert_int_equal(v, cases[i].result);
	}
	v = 7;
	assert_int_equal(sk_key_settle(sk_key_find("HeaderDigest"), 1, 1, &v, NULL), -1);
	assert_int_equal(sk_key_settle(sk_key_find("HeaderDigest"), 2, 0, &v, NULL), -1);
	assert_int_equal(v, 7);
}

static void values_are_read_by_type(void **st)
{
	uint32_t v = 7;

	(void)st;
	assert_int_equal(sk_key_read(sk_key_find("InitialR2T"), sk_span_str("yes"), &v, NULL), -1);
	assert_int_equal(sk_key_read(sk_key_find("HeaderDigest"), sk_span_str("crc32c"), &v, NULL), -1);
	assert_int_equal(sk_key_read(sk_key_find("MaxBurstLength"), sk_span_str("511"), &v, NULL), -1);
	assert_int_equal(v, 7);
	assert_int_equal(sk_key_read(sk_key_find("InitialR2T"), sk_span_str("No"), &v, NULL), 0);
	assert_int_equal(v, 0);
	assert_int_equal(sk_key_read(sk_key_find("HeaderDigest"), sk_span_str("CRC32C"), &v, NULL), 0);
	assert_int_equal(v, 1);
	assert_int_equal(sk_key_read(sk_key_find("MaxBurstLength"), sk_span_str("0x200"), &v, NULL), 0);
	assert_int_equal(v, 512);
}

static struct sk_login_cfg sound_cfg(void)
{
	return (struct sk_login_cfg){ .expect_tpgt = SK_TPGT_NONE,
				      .max_recv_dsl = 8192,
				      .max_burst = 262144,
				      .first_burst = 65536,
				      .max_outstanding_r2t = 1 };
}

static void an_offer_of_ours_out_of_range_is_our_error(void **st)
{
	static const struct {
		size_t at;
		uint32_t bad;
	} cases[] = {
		{ offsetof(struct sk_login_cfg, max_recv_dsl), 511 },
		{ offsetof(struct sk_login_cfg, max_recv_dsl), 16777216 },
		{ offsetof(struct sk_login_cfg, max_burst), 0 },
		{ offsetof(struct sk_login_cfg, first_burst), 16777216 },
		{ offsetof(struct sk_login_cfg, max_outstanding_r2t), 0 },
		{ offsetof(struct sk_login_cfg, time2wait), 3601 },
		{ offsetof(struct sk_login_cfg, time2retain), 3601 },
		{ offsetof(struct sk_login_cfg, max_xmit_dsl), 511 },
	};
	struct sk_negotiate n;

	(void)st;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sk_login_cfg cfg = sound_cfg();
		struct sk_err err = { 0 };

		assert_int_equal(sk_negotiate_init(&n, &cfg, NULL), 0);
		memcpy((char *)&cfg + cases[i].at, &cases[i].bad, sizeof(cases[i].bad));
		assert_int_equal(sk_negotiate_init(&n, &cfg, &err), -1);
		assert_int_equal(err.code, SK_EINVAL);
	}
}

/* Each key from a target, in each stage, with a value of its own and with nonsense: never a value out of range. */
static void every_key_in_every_stage_keeps_to_its_range(void **st)
{
	static const char *const values[] = { "0",	 "1",	   "Yes",	 "No",
					      "None",	 "CRC32C", "65536",	 "4294967296",
					      "Reject",	 "",	   "Irrelevant", "NotUnderstood",
					      "RFC3720", "-1" };
	struct sk_login_cfg cfg = sound_cfg();

	(void)st;
	for (unsigned i = 0; i < SK_KEY_COUNT; i++) {
		for (size_t v = 0; v < sizeof(values) / sizeof(values[0]) * 4; v++) {
			const struct sk_key *k = sk_key_row(i);
			struct sk_text_pair pair = { sk_span_str(k->name), sk_span_str(values[v / 4]) };
			struct sk_buf answers = { 0 };
			struct sk_negotiate n;
			struct sk_params p = { 0 };

			cfg.discovery = v & 1;
			assert_int_equal(sk_negotiate_init(&n, &cfg, NULL), 0);
			if (v & 2)
				sk_negotiate_offer(&n, &answers);
			(void)sk_negotiate_hear(&n, SK_IN_OPERATIONAL, &pair, &answers, NULL);
			(void)sk_negotiate_hear(&n, SK_IN_SECURITY, &pair, &answers, NULL);
			assert_int_equal(sk_negotiate_finish(&n, &p, NULL), 0);
			assert_in_range(p.max_xmit_dsl, 512, 16777215);
			assert_in_range(p.max_burst, 512, 262144);
			assert_in_range(p.first_burst, 512, 65536);
			assert_int_equal(p.max_outstanding_r2t, 1);
			assert_int_equal(p.erl, 0);
			assert_false(p.header_digest || p.data_digest);
			assert_true(p.data_pdu_in_order && p.data_sequence_in_order);
			sk_buf_free(&answers);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_whole),
		cmocka_unit_test(a_key_out_of_range_is_the_targets_error),
		cmocka_unit_test(both_ends_of_each_range_are_taken_and_their_neighbours_not),
		cmocka_unit_test(the_rules_are_those_of_the_rfc),
		cmocka_unit_test(values_are_read_by_type),
		cmocka_unit_test(an_offer_of_ours_out_of_range_is_our_error),
		cmocka_unit_test(every_key_in_every_stage_keeps_to_its_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
