/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "mgmt/message.h"
#include "mgmt/result.h"

static void frame_raw(struct sk_buf *b, const char *text, size_t n)
{
	uint8_t head[8] = "SKM1";

	sk_set_be32(head + 4, (uint32_t)n);
	sk_buf_add(b, head, 8);
	sk_buf_add(b, text, n);
}

/* The code sk_msg_next ends with for one frame of this text. */
static enum sk_code code_of(const char *text, size_t n)
{
	SK_BUF struct sk_buf b = { 0 };
	struct json_object *o = (struct json_object *)(void *)&b, *was = o;
	struct sk_err err = { 0 };

	frame_raw(&b, text, n);
	if (sk_msg_next(&b, &o, &err) == 1) {
		json_object_put(o);
		return SK_OK;
	}
	assert_ptr_equal(o, was); /* untouched on failure */
	return err.code;
}

#define CODE(s) code_of(s, sizeof(s) - 1)

static void a_frame_comes_back_fed_byte_by_byte(void **st)
{
	SK_BUF struct sk_buf out = { 0 };
	SK_BUF struct sk_buf in = { 0 };
	struct json_object *o = json_object_new_object(), *back;
	struct sk_err err = { 0 };

	(void)st;
	json_object_object_add(o, "v", json_object_new_int(1));
	json_object_object_add(o, "s", json_object_new_string("a/b"));
	assert_int_equal(sk_msg_frame(&out, o, &err), 0);
	assert_int_equal(sk_msg_frame(&out, o, &err), 0);
	json_object_put(o);
	assert_memory_equal(out.p, "SKM1\0\0\0\x11{\"v\":1,\"s\":\"a/b\"}", 25);
	for (size_t i = 0, whole = 0; i < out.n; i++) {
		sk_buf_add(&in, out.p + i, 1);
		if ((i + 1) % 25) {
			assert_int_equal(sk_msg_next(&in, &back, &err), 0);
			continue;
		}
		assert_int_equal(sk_msg_next(&in, &back, &err), 1);
		assert_string_equal(sk_msg_str(back, "s"), "a/b");
		json_object_put(back);
		assert_int_equal(++whole, (i + 1) / 25);
		assert_int_equal(in.n, 0);
	}
}

static void what_is_no_message_is_refused_at_its_first_wrong_byte(void **st)
{
	const char *bad[] = { "x", "SKX", "GET / HTTP/1.1\r\n", "SKM2" };
	struct json_object *o;
	struct sk_err err;

	(void)st;
	for (size_t i = 0; i < SK_ARRAY_LEN(bad); i++) {
		SK_BUF struct sk_buf b = { 0 };

		sk_buf_str(&b, bad[i]);
		assert_int_equal(sk_msg_next(&b, &o, &err), -1);
		assert_int_equal(err.code, SK_EPROTO);
	}
}

static void lengths_are_checked_before_the_body_is_awaited(void **st)
{
	struct json_object *o;
	struct sk_err err;
	const uint32_t bad[] = { 0, 1, SK_MSG_MAX + 1, 0xffffffffU };

	(void)st;
	for (size_t i = 0; i < SK_ARRAY_LEN(bad); i++) {
		SK_BUF struct sk_buf b = { 0 };
		uint8_t head[8] = "SKM1";

		sk_set_be32(head + 4, bad[i]);
		sk_buf_add(&b, head, 8);
		assert_int_equal(sk_msg_next(&b, &o, &err), -1);
		assert_int_equal(err.code, SK_EPROTO);
	}
}

static void only_one_whole_object_is_accepted(void **st)
{
	(void)st;
	assert_int_equal(CODE("{}"), SK_OK);
	assert_int_equal(CODE(" {\"a\":[1,2,{\"b\":null}]} \n"), SK_OK);
	assert_int_equal(CODE("[]"), SK_EPROTO);
	assert_int_equal(CODE("12"), SK_EPROTO);
	assert_int_equal(CODE("null"), SK_EPROTO);
	assert_int_equal(CODE("{}{}"), SK_EPROTO);
	assert_int_equal(CODE("{} x"), SK_EPROTO);
	assert_int_equal(CODE("{\"a\":"), SK_EPROTO);
	assert_int_equal(CODE("{a:1}"), SK_EPROTO);
	assert_int_equal(CODE("{}\0"), SK_EPROTO);
	assert_int_equal(CODE("\0\0"), SK_EPROTO);
	assert_int_equal(CODE("{\"a\":\"\xff\"}"), SK_EPROTO);
	assert_int_equal(CODE("{\"a\":\"\xc3\xa4\"}"), SK_OK);
}

static void nesting_is_limited(void **st)
{
	(void)st;
	for (size_t depth = 1; depth < 40; depth++) { /* an object and depth - 1 arrays in it */
		SK_BUF struct sk_buf b = { 0 };

		sk_buf_str(&b, "{\"a\":");
		for (size_t i = 1; i < depth; i++)
			sk_buf_ch(&b, '[');
		if (depth == 1)
			sk_buf_ch(&b, '1');
		for (size_t i = 1; i < depth; i++)
			sk_buf_ch(&b, ']');
		sk_buf_ch(&b, '}');
		if (code_of(b.p, b.n) != (depth <= 16 ? SK_OK : SK_EPROTO))
			fail_msg("%zu levels", depth);
	}
}

static void fields_of_another_type_are_absent(void **st)
{
	struct json_object *o =
		json_tokener_parse("{\"s\":\"x\",\"nul\":\"a\\u0000b\",\"i\":-5,\"big\":99999999999999999999,"
				   "\"d\":1.5,\"t\":true,\"o\":{},\"a\":[],\"s\":\"y\"}");

	(void)st;
	assert_non_null(o);
	assert_string_equal(sk_msg_str(o, "s"), "y"); /* the last wins */
	assert_null(sk_msg_str(o, "nul"));
	assert_null(sk_msg_str(o, "i"));
	assert_null(sk_msg_str(o, "none"));
	assert_null(sk_msg_str(NULL, "s"));
	assert_int_equal(sk_msg_int(o, "i", 7), -5);
	assert_int_equal(sk_msg_int(o, "s", 7), 7);
	assert_int_equal(sk_msg_int(o, "d", 7), 7);
	assert_true(sk_msg_int(o, "big", 7) > 0);
	assert_true(sk_msg_bool(o, "t", false));
	assert_true(sk_msg_bool(o, "i", true));
	assert_non_null(sk_msg_obj(o, "o"));
	assert_null(sk_msg_obj(o, "a"));
	assert_non_null(sk_msg_arr(o, "a"));
	json_object_put(o);
}

static void bytes_that_are_not_utf8_leave_as_question_marks(void **st)
{
	static const struct {
		const char *in, *out;
	} row[] = {
		{ "plain", "plain" },
		{ "\xc3\xa4", "\xc3\xa4" },
		{ "a\xff"
		  "b",
		  "a?b" },
		{ "\xc0\x80", "??" },		/* overlong */
		{ "\xed\xa0\x80", "???" },	/* a surrogate */
		{ "\xf4\x90\x80\x80", "????" }, /* past U+10FFFF */
		{ "\xe2\x82", "??" },		/* cut off */
		{ "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80" },
	};

	(void)st;
	for (size_t i = 0; i < SK_ARRAY_LEN(row); i++) {
		SK_BUF struct sk_buf b = { 0 };
		struct json_object *o = json_object_new_object(), *back = NULL;
		struct sk_err err = { 0 };

		json_object_object_add(o, "k", json_object_new_string(row[i].in));
		assert_int_equal(sk_msg_frame(&b, o, &err), 0);
		json_object_put(o);
		assert_int_equal(sk_msg_next(&b, &back, &err), 1);
		assert_string_equal(sk_msg_str(back, "k"), row[i].out);
		json_object_put(back);
	}
}

static void a_message_over_the_limit_is_not_framed(void **st)
{
	SK_BUF struct sk_buf b = { 0 };
	struct json_object *o = json_object_new_object();
	struct sk_err err = { 0 };
	SK_MEM char *big = malloc(SK_MSG_MAX + 1);

	(void)st;
	memset(big, 'x', SK_MSG_MAX);
	big[SK_MSG_MAX] = '\0';
	json_object_object_add(o, "k", json_object_new_string(big));
	assert_int_equal(sk_msg_frame(&b, o, &err), -1);
	assert_int_equal(err.code, SK_EINVAL);
	assert_int_equal(b.n, 0);
	json_object_put(o);
}

static int login_code(enum sk_code code, uint16_t status)
{
	struct sk_err err = { .code = code, .login = status };

	return (int)sk_result_of_login(&err);
}

static void results_are_the_incumbents(void **st)
{
	struct sk_err gone = { .code = SK_ENOTCONN, .sys = ECONNRESET },
		      none = { .code = SK_ENOTCONN, .sys = ENOENT };
	struct sk_err refused = { .code = SK_ECONN, .sys = ECONNREFUSED };
	struct sk_err busy = { .code = SK_ELOGIN, .login = 0x0301 };

	(void)st;
	assert_string_equal(sk_result_text(8), "connection timed out");
	assert_string_equal(sk_result_text(24), "iSCSI login failed due to authorization failure");
	assert_string_equal(sk_result_text(33), "iscsid request timed out");
	assert_null(sk_result_text(34));
	assert_null(sk_result_text(-1));
	assert_string_equal(sk_result_name(20), "ISCSID_NOTCONN");
	for (int i = 0; i <= 33; i++)
		assert_non_null(sk_result_text(i));
	assert_int_equal(login_code(SK_ECONN, 0), 8);
	assert_int_equal(login_code(SK_ETIME, 0), 8);
	assert_int_equal(login_code(SK_ERESOLVE, 0), 4);
	assert_int_equal(login_code(SK_EAUTH, 0x0201), 24);
	assert_int_equal(login_code(SK_EAUTH, 0x0202), 24);
	assert_int_equal(login_code(SK_EAUTH, 0), 19);
	assert_int_equal(login_code(SK_ELOGIN, 0x0203), 19);
	assert_int_equal(login_code(SK_ELOGIN, 0x0301), 8);
	assert_int_equal(login_code(SK_EPROTO, 0), 19);
	assert_int_equal(login_code(SK_ENOENT, 0), 8);
	assert_int_equal(sk_result_of_discovery(&refused), 11);
	assert_int_equal(sk_result_of_discovery(&busy), 11);
	assert_int_equal(sk_result_of(&gone), 18);
	assert_int_equal(sk_result_of(&none), 20);
}

/* json-c asserts that there is an object: a program that I/O depends on must not end there. */
static void a_field_of_an_object_that_could_not_be_made_is_dropped(void **st)
{
	struct json_object *o = json_object_new_object();

	(void)st;
	sk_msg_put(NULL, "key", json_object_new_string("freed"));
	sk_msg_put(NULL, "key", NULL);
	sk_msg_put(o, "key", json_object_new_int(7));
	assert_int_equal(sk_msg_int(o, "key", 0), 7);
	json_object_put(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_field_of_an_object_that_could_not_be_made_is_dropped),
		cmocka_unit_test(a_frame_comes_back_fed_byte_by_byte),
		cmocka_unit_test(what_is_no_message_is_refused_at_its_first_wrong_byte),
		cmocka_unit_test(lengths_are_checked_before_the_body_is_awaited),
		cmocka_unit_test(only_one_whole_object_is_accepted),
		cmocka_unit_test(nesting_is_limited),
		cmocka_unit_test(fields_of_another_type_are_absent),
		cmocka_unit_test(bytes_that_are_not_utf8_leave_as_question_marks),
		cmocka_unit_test(a_message_over_the_limit_is_not_framed),
		cmocka_unit_test(results_are_the_incumbents),
	};

	return cmocka_run_group_tests_name("mgmt messages", tests, NULL, NULL);
}
