/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/span.h"

static void errors_grow_to_the_left(void **st)
{
	struct sk_err err = { 0 };

	(void)st;
	assert_int_equal(sk_fail_sys(&err, ENOENT, "open %s", "default"), -1);
	assert_int_equal(sk_in(&err, "login to %s", "iqn.x"), -1);
	assert_string_equal(err.msg, "login to iqn.x: open default: No such file or directory");
	assert_int_equal(err.code, SK_ENOENT);
	assert_int_equal(err.sys, ENOENT);
	assert_int_equal(sk_fail(NULL, SK_EIO, "nobody asks"), -1);
	assert_int_equal(sk_in(NULL, "nobody asks"), -1);
}

static void a_long_context_cuts_the_message_not_the_memory(void **st)
{
	struct sk_err err = { 0 };
	char longer[1000];

	(void)st;
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	sk_fail(&err, SK_EPROTO, "end");
	sk_in(&err, "%s", longer);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	sk_fail_sys(&err, EIO, "%s", longer);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
}

static void every_code_has_a_name(void **st)
{
	(void)st;
	for (int c = SK_OK; c <= SK_EDOMAIN; c++)
		assert_string_not_equal(sk_code_name((enum sk_code)c), "EUNKNOWN");
	assert_string_equal(sk_code_name((enum sk_code)(SK_EDOMAIN + 1)), "EUNKNOWN");
}

static void a_reader_remembers_it_came_up_short(void **st)
{
	const uint8_t bytes[] = { 1, 2, 3, 4, 5 };
	struct sk_rd in = { sk_span(bytes, sizeof(bytes)), false };

	(void)st;
	assert_int_equal(sk_get_be(&in, 3), 0x010203);
	assert_false(in.short_);
	assert_int_equal(sk_get_be(&in, 3), 0);
	assert_true(in.short_);
	assert_int_equal(sk_get_be(&in, 1), 0); /* stays short: a later field is not read from a wrong place */
	assert_int_equal(in.left.n, 2);
}

static void a_writer_remembers_it_overflowed(void **st)
{
	uint8_t bytes[4] = { 0 };
	struct sk_wr out = { bytes, sizeof(bytes), 0, false };

	(void)st;
	sk_put_be(&out, 0xaabb, 2);
	sk_put_be(&out, 0xccddee, 3);
	assert_true(out.full);
	assert_int_equal(out.done, 2);
	assert_memory_equal(bytes, "\xaa\xbb\0\0", 4);
	sk_put_be(&out, 1, 1);
	assert_int_equal(out.done, 2);
}

static void big_endian_both_ways(void **st)
{
	uint8_t b[8];

	(void)st;
	sk_set_be64(b, 0x0102030405060708);
	assert_int_equal(sk_be64(b), 0x0102030405060708);
	assert_int_equal(sk_be32(b + 4), 0x05060708);
	assert_int_equal(sk_be24(b + 1), 0x020304);
	assert_int_equal(sk_be16(b), 0x0102);
}

static void numbers_are_whole_and_in_range(void **st)
{
	static const struct {
		const char *text;
		bool ok;
		uint64_t value;
	} cases[] = {
		{ "0", true, 0 },      { "120", true, 120 },	{ "4294967295", true, 4294967295 },
		{ "", false, 0 },      { "abc", false, 0 },	{ "12x", false, 0 },
		{ " 1", false, 0 },    { "+1", false, 0 },	{ "-1", false, 0 },
		{ "0x10", false, 0 },  { "4294967296", false, 0 }, { "99999999999999999999999", false, 0 },
	};

	(void)st;
	for (size_t i = 0; i < SK_ARRAY_LEN(cases); i++) {
		uint64_t v = 77;
		bool ok = sk_num_u64(cases[i].text, strlen(cases[i].text), 0, 4294967295, &v);

		assert_int_equal(ok, cases[i].ok);
		assert_int_equal(v, ok ? cases[i].value : 77);
	}
}

static void signed_numbers_reach_both_ends(void **st)
{
	int64_t v = 0;

	(void)st;
	assert_true(sk_num_i64("-9223372036854775808", 20, INT64_MIN, INT64_MAX, &v));
	assert_true(v == INT64_MIN);
	assert_false(sk_num_i64("-9223372036854775809", 20, INT64_MIN, INT64_MAX, &v));
	assert_false(sk_num_i64("9223372036854775808", 19, INT64_MIN, INT64_MAX, &v));
	assert_false(sk_num_i64("-", 1, INT64_MIN, INT64_MAX, &v));
	assert_true(sk_num_i64("-1", 2, -1, 5, &v));
	assert_int_equal(v, -1);
}

static void hexadecimal(void **st)
{
	uint64_t v = 0;

	(void)st;
	assert_true(sk_num_hex("fFfFfFfFfFfFfFfF", 16, &v));
	assert_true(v == UINT64_MAX);
	assert_false(sk_num_hex("12345678901234567", 17, &v));
	assert_false(sk_num_hex("0x1", 3, &v));
	assert_false(sk_num_hex("", 0, &v));
}

static void ranges_do_not_wrap(void **st)
{
	(void)st;
	assert_true(sk_fits(0, 10, 10));
	assert_true(sk_fits(10, 0, 10));
	assert_false(sk_fits(1, 10, 10));
	assert_false(sk_fits(UINT64_MAX, 2, 10));
	assert_false(sk_fits(2, UINT64_MAX, UINT64_MAX));
	assert_true(sk_sn_lt(0xffffffff, 0));
	assert_false(sk_sn_lt(0, 0xffffffff));
}

static void backoff_doubles_and_stays_below_its_end(void **st)
{
	(void)st;
	for (uint32_t seed = 0; seed < 200; seed++) {
		for (unsigned n = 0; n < 80; n++) {
			uint64_t mid = n >= 1 && n <= 20 ? 100ULL << (n - 1) : 60000;
			uint32_t ms = sk_backoff(n, 100, 60000, seed);

			mid = SK_MIN(mid, (uint64_t)60000);
			assert_in_range(ms, mid - mid / 4, SK_MIN(mid + mid / 4, (uint64_t)60000));
			assert_int_equal(ms, sk_backoff(n, 100, 60000, seed));
		}
	}
	assert_int_not_equal(sk_backoff(5, 100, 60000, 1), sk_backoff(5, 100, 60000, 2));
	assert_true(sk_backoff(31, UINT32_MAX, UINT32_MAX, 3) >= UINT32_MAX / 4 * 3);
}

static void hashes_know_where_a_string_ends(void **st)
{
	(void)st;
	assert_true(sk_hash(SK_HASH_START, "a") == (0xaf63dc4c8601ec8cU * 0x100000001b3U));	/* FNV-1a of "a", then of the end */
	assert_true(sk_hash(sk_hash(SK_HASH_START, "ab"), "c") != sk_hash(sk_hash(SK_HASH_START, "a"), "bc"));
}

static void buffers_grow_and_shrink(void **st)
{
	SK_BUF struct sk_buf b = { 0 };

	(void)st;
	assert_string_equal(sk_buf_cstr(&b), "");
	for (int i = 0; i < 1000; i++)
		sk_buf_printf(&b, "%d,", i % 10);
	assert_int_equal(b.n, 2000);
	assert_false(b.nomem);
	sk_buf_drop(&b, 1996);
	assert_string_equal(sk_buf_cstr(&b), "8,9,");
	sk_buf_drop(&b, 99);
	assert_int_equal(b.n, 0);
	sk_buf_ch(&b, 'x');
	sk_buf_str(&b, "yz");
	assert_string_equal(sk_buf_cstr(&b), "xyz");
	sk_buf_reset(&b);
	assert_string_equal(sk_buf_cstr(&b), "");
}

static void an_impossible_size_is_remembered(void **st)
{
	SK_BUF struct sk_buf b = { 0 };

	(void)st;
	sk_buf_str(&b, "kept");
	sk_buf_add(&b, "x", SIZE_MAX - 2);
	assert_true(b.nomem);
	sk_buf_str(&b, "more");
	assert_string_equal(sk_buf_cstr(&b), "kept");
}

struct sink {
	int lines;
	char last[64];
};

static void sink(void *ctx, enum sk_level level, enum sk_room room, const char *text)
{
	struct sink *s = ctx;

	(void)level;
	(void)room;
	s->lines++;
	snprintf(s->last, sizeof(s->last), "%s", text);
}

static void log_lines_pass_by_level_and_room(void **st)
{
	struct sink s = { 0 };

	(void)st;
	sk_log_to(sink, &s, SK_LOG_DEBUG, SK_ROOM_WIRE);
	sk_debug(SK_ROOM_WIRE, "one");
	sk_debug(SK_ROOM_MGMT, "not this room");
	sk_error(SK_ROOM_MGMT, "a name with\na newline and \x1b[31m");
	assert_int_equal(s.lines, 2);
	assert_string_equal(s.last, "a name with?a newline and ?[31m");
	sk_log_to(sink, &s, SK_LOG_WARNING, SK_ROOM_ALL);
	sk_notice(SK_ROOM_WIRE, "too low");
	assert_int_equal(s.lines, 2);
	sk_log_to(NULL, NULL, SK_LOG_DEBUG, SK_ROOM_ALL);
	sk_error(SK_ROOM_WIRE, "nobody listens");
	assert_int_equal(sk_log_rooms("session,wire"), SK_ROOM_SESSION | SK_ROOM_WIRE);
	assert_int_equal(sk_log_rooms("all"), SK_ROOM_ALL);
	assert_int_equal(sk_log_rooms("session,nowhere"), 0);
}

static void scope_ends_release(void **st)
{
	char *given;

	(void)st;
	{
		SK_MEM char *p = strdup("x");
		SK_MEM char *kept = strdup("y");

		(void)p;
		given = sk_give(kept);
		assert_null(kept);
	}
	assert_string_equal(given, "y");
	sk_wipe_free(given, 2);
	sk_wipe_free(NULL, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_grow_to_the_left),
		cmocka_unit_test(a_long_context_cuts_the_message_not_the_memory),
		cmocka_unit_test(every_code_has_a_name),
		cmocka_unit_test(a_reader_remembers_it_came_up_short),
		cmocka_unit_test(a_writer_remembers_it_overflowed),
		cmocka_unit_test(big_endian_both_ways),
		cmocka_unit_test(numbers_are_whole_and_in_range),
		cmocka_unit_test(signed_numbers_reach_both_ends),
		cmocka_unit_test(hexadecimal),
		cmocka_unit_test(ranges_do_not_wrap),
		cmocka_unit_test(backoff_doubles_and_stays_below_its_end),
		cmocka_unit_test(hashes_know_where_a_string_ends),
		cmocka_unit_test(buffers_grow_and_shrink),
		cmocka_unit_test(an_impossible_size_is_remembered),
		cmocka_unit_test(log_lines_pass_by_level_and_room),
		cmocka_unit_test(scope_ends_release),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
