/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What iscsid says of a session becomes what the engine process is started with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <json-c/json.h>

#include "iscsi-session/keeper_inner.h"
#include "transport/user/form.h"

static struct json_object *attach(const char *timers)
{
	static const struct sk_params p = {
		.max_recv_dsl = 262144, .max_xmit_dsl = 8192, .max_burst = 262144, .first_burst = 65536,
		.max_outstanding_r2t = 1, .protocol_level = 1, .tpgt = 1, .tsih = 1, .data_pdu_in_order = true,
		.data_sequence_in_order = true,
	};
	struct json_object *o = json_tokener_parse(
		"{\"target\":\"iqn.2026-11.com.example:a\",\"initiator\":\"iqn.2026-11.com.example:i\",\"iface\":\"default\","
		"\"transport\":\"tcp\",\"persistent_address\":\"192.0.2.1\",\"persistent_port\":3260,\"address\":\"192.0.2.1\","
		"\"port\":3260,\"local_address\":\"192.0.2.9\",\"tpgt\":1,\"cmds_max\":64,\"queue_depth\":16}");

	assert_non_null(o);
	json_object_object_add(o, "params", sk_params_to_json(&p));
	json_object_object_add(o, "timers", json_tokener_parse(timers));
	return o;
}

static void timers_of_the_record_reach_the_engine(void **st)
{
	struct json_object *o = attach("{\"replacement\":7,\"noop_interval\":3,\"noop_timeout\":4,\"abort\":11,\"lu_reset\":22,"
				       "\"tgt_reset\":33}");
	struct sk_sys_session pub;
	struct sk_b_start start;
	struct sk_err err = { 0 };

	(void)st;
	if (sk_attach_read(o, &start, &pub, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(start.timers.replacement_s, 7);
	assert_int_equal(start.timers.noop_interval_s, 3);
	assert_int_equal(start.timers.noop_timeout_s, 4);
	assert_int_equal(start.timers.abort_s, 11);
	assert_int_equal(start.timers.lu_reset_s, 22);
	assert_int_equal(start.timers.tgt_reset_s, 33);
	assert_int_equal(pub.tgt_reset_tmo, 33);
	assert_int_equal(start.queue_depth, 16);
	json_object_put(o);
}

static void senseless_timers_are_left_to_the_engine(void **st)
{
	struct json_object *o = attach("{\"abort\":-5,\"lu_reset\":0,\"tgt_reset\":99999999999}");
	struct sk_sys_session pub;
	struct sk_b_start start;

	(void)st;
	assert_int_equal(sk_attach_read(o, &start, &pub, NULL), 0);
	assert_int_equal(start.timers.abort_s, 0);
	assert_int_equal(start.timers.lu_reset_s, 0);
	assert_int_equal(start.timers.tgt_reset_s, 3600);
	json_object_put(o);
}

static void a_missing_part_is_named_and_nothing_written(void **st)
{
	struct json_object *o = attach("{}");
	struct sk_sys_session pub;
	struct sk_b_start start, before;
	struct sk_err err = { 0 };

	(void)st;
	memset(&start, 0x5a, sizeof(start));
	before = start;
	json_object_object_del(o, "params");
	assert_int_equal(sk_attach_read(o, &start, &pub, &err), -1);
	assert_non_null(strstr(err.msg, "params"));
	assert_memory_equal(&start, &before, sizeof(start));
	json_object_put(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_of_the_record_reach_the_engine),
		cmocka_unit_test(senseless_timers_are_left_to_the_engine),
		cmocka_unit_test(a_missing_part_is_named_and_nothing_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
