/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "transport/user/form.h"

static const struct sk_params sample = {
	.header_digest = true, .initial_r2t = true, .data_pdu_in_order = true, .data_sequence_in_order = true,
	.max_recv_dsl = 262144, .max_xmit_dsl = 8192, .max_burst = 16776192, .first_burst = 65536, .max_outstanding_r2t = 1,
	.time2wait = 2, .time2retain = 20, .protocol_level = 1, .tpgt = -1, .tsih = 65535, .isid = { { 0, 2, 0x3d, 1, 2, 0xff } },
	.cmd_sn = 4294967295U, .exp_cmd_sn = 1, .max_cmd_sn = 32, .exp_stat_sn = 2147483648U, .target_alias = "a b",
};

static void there_and_back(void **st)
{
	struct json_object *o = sk_params_to_json(&sample);
	struct sk_params back = { 0 };
	struct sk_err err = { 0 };

	(void)st;
	assert_non_null(o);
	assert_int_equal(sk_params_from_json(o, &back, &err), 0);
	assert_memory_equal(&back, &sample, sizeof(sample));
	json_object_put(o);
}

static void every_field_is_needed(void **st)
{
	struct json_object *all = sk_params_to_json(&sample);
	unsigned n = 0;

	(void)st;
	json_object_object_foreach(all, key, value) {
		struct json_object *o = sk_params_to_json(&sample);
		struct sk_params back = sample;
		struct sk_err err = { 0 };

		(void)value;
		json_object_object_del(o, key);
		if (strcmp(key, "target_alias") != 0) {
			assert_int_equal(sk_params_from_json(o, &back, &err), -1);
			assert_int_equal(err.code, SK_EPROTO);
			assert_non_null(strstr(err.msg, key));
			assert_memory_equal(&back, &sample, sizeof(back));
			n++;
		}
		json_object_put(o);
	}
	json_object_put(all);
	assert_int_equal(n, 22);
}

static void ranges_are_checked(void **st)
{
	static const struct {
		const char *key;
		int64_t bad;
	} rows[] = {
		{ "max_recv_dsl", 511 },       { "max_recv_dsl", 16777216 }, { "max_burst", 0 },   { "first_burst", 16777215 },
		{ "max_outstanding_r2t", 0 },  { "tpgt", -2 },		     { "tsih", 65536 },	   { "cmd_sn", 4294967296 },
		{ "time2wait", 3601 },	       { "erl", 3 },
	};

	(void)st;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct json_object *o = sk_params_to_json(&sample);
		struct sk_params back = sample;

		json_object_object_add(o, rows[i].key, json_object_new_int64(rows[i].bad));
		assert_int_equal(sk_params_from_json(o, &back, NULL), -1);
		json_object_object_add(o, rows[i].key, json_object_new_string("x"));
		assert_int_equal(sk_params_from_json(o, &back, NULL), -1);
		json_object_put(o);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(every_field_is_needed),
		cmocka_unit_test(ranges_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
