/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/portal.h"

static void every_form_is_read(void **st)
{
	static const struct {
		const char *text, *host;
		uint16_t port;
		int32_t tpgt;
	} cases[] = {
		{ "192.0.2.1", "192.0.2.1", 3260, -1 },
		{ "192.0.2.1:3261", "192.0.2.1", 3261, -1 },
		{ "192.0.2.1,7", "192.0.2.1", 3260, 7 },
		{ "192.0.2.1:3261,0", "192.0.2.1", 3261, 0 },
		{ "localhost", "localhost", 3260, -1 },
		{ "san.example.org:1,65535", "san.example.org", 1, 65535 },
		{ "san_1", "san_1", 3260, -1 },
		{ "[2001:db8::1]", "2001:db8::1", 3260, -1 },
		{ "[2001:db8::1]:65535", "2001:db8::1", 65535, -1 },
		{ "[2001:db8::1],1", "2001:db8::1", 3260, 1 },
		{ "[2001:db8::1]:3261,1", "2001:db8::1", 3261, 1 },
		{ "2001:db8::1", "2001:db8::1", 3260, -1 },
		{ "2001:db8::1,2", "2001:db8::1", 3260, 2 },
		{ "::1", "::1", 3260, -1 },
		{ "fe80::1%eth0.5,1", "fe80::1%eth0.5", 3260, 1 },
		{ "[fe80::1%2]:3260", "fe80::1%2", 3260, -1 },
		{ "::ffff:192.0.2.1", "::ffff:192.0.2.1", 3260, -1 },
		{ "[::ffff:192.0.2.1]:99,1", "::ffff:192.0.2.1", 99, 1 },
		{ "[localhost]:3260,1", "localhost", 3260, 1 },
	};

	(void)st;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sk_portal p;
		struct sk_err err = { 0 };

		if (sk_portal_parse(sk_span_str(cases[i].text), SK_PORTAL_PORT, &p, &err) < 0)
			fail_msg("%s", err.msg);
		assert_string_equal(p.host, cases[i].host);
		assert_int_equal(p.port, cases[i].port);
		assert_int_equal(p.tpgt, cases[i].tpgt);
	}
}

static void nonsense_is_refused(void **st)
{
	static const char *const cases[] = {
		"",
		":3260",
		",1",
		"[",
		"[]",
		"[::1",
		"::1]",
		"[::1]x",
		"[::1]:",
		"[::1],",
		"[::1]3260",
		"host:",
		"host:0",
		"host:65536",
		"host:abc",
		"host:-1",
		"host: 1",
		"host,",
		"host,65536",
		"host,-1",
		"host,1,2",
		"host:1:2",
		"a/b",
		"../x",
		"a..b",
		".a",
		"-a",
		"a b",
		"a\nb",
		"a\x7f",
		"a\xc3\xbc",
		"12345::1::2",
		"fe80::1%",
		"fe80::1%a/b",
		"fe80::1%..",
		"fe80::1%-x",
		"fe80::1%a%b",
		"host%eth0",
		"host:99999999999999999999",
	};

	(void)st;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sk_portal p = { "before", 1, 2 };
		struct sk_err err = { 0 };

		if (sk_portal_parse(sk_span_str(cases[i]), SK_PORTAL_PORT, &p, &err) == 0)
			fail_msg("\"%s\" is accepted", cases[i]);
		assert_int_equal(err.code, SK_EINVAL);
		assert_string_equal(p.host, "before");
	}
	assert_false(sk_portal_host_ok(sk_span("a\0b", 3)));
	assert_false(sk_portal_host_ok(sk_span("::1\0", 4)));
}

static void a_host_has_at_most_255_bytes(void **st)
{
	char text[300];
	struct sk_portal p;

	(void)st;
	memset(text, 'a', sizeof(text));
	assert_int_equal(sk_portal_parse(sk_span(text, 255), 1, &p, NULL), 0);
	assert_int_equal(strlen(p.host), 255);
	assert_int_equal(sk_portal_parse(sk_span(text, 256), 1, &p, NULL), -1);
}

static void printed(const char *text, const char *tag, const char *expect)
{
	struct sk_buf out = { 0 };
	struct sk_portal p;

	assert_int_equal(sk_portal_parse(sk_span_str(text), SK_PORTAL_PORT, &p, NULL), 0);
	sk_portal_print(&out, &p, tag);
	assert_string_equal(sk_buf_cstr(&out), expect);
	sk_buf_free(&out);
}

static void printing_puts_brackets_where_there_is_no_dot(void **st)
{
	(void)st;
	printed("192.0.2.1", "1", "192.0.2.1:3260,1");
	printed("192.0.2.1", NULL, "192.0.2.1:3260");
	printed("::1", "-1", "[::1]:3260,-1");
	printed("localhost:1", "4294967295", "[localhost]:1,4294967295");
	printed("san.example.org", "0", "san.example.org:3260,0");
	printed("::ffff:192.0.2.1", "1", "[::ffff:192.0.2.1]:3260,1");
}

static void equal_addresses_are_equal_in_any_spelling(void **st)
{
	(void)st;
	assert_true(sk_portal_host_eq("2001:db8::1", "2001:0DB8:0:0::0001"));
	assert_true(sk_portal_host_eq("fe80::1%eth0", "FE80:0::1%eth0"));
	assert_false(sk_portal_host_eq("fe80::1%eth0", "fe80::1%eth1"));
	assert_false(sk_portal_host_eq("fe80::1%eth0", "fe80::1"));
	assert_true(sk_portal_host_eq("San.Example.org", "san.example.org"));
	assert_false(sk_portal_host_eq("192.0.2.1", "192.0.2.10"));
	assert_false(sk_portal_host_eq("::ffff:192.0.2.1", "192.0.2.1"));
}

static void hosts_are_classified(void **st)
{
	struct sk_host h;

	(void)st;
	assert_true(sk_host_parse(sk_span_str("0.0.0.0"), &h) && h.kind == SK_HOST_V4 && h.any);
	assert_true(sk_host_parse(sk_span_str("::"), &h) && h.kind == SK_HOST_V6 && h.any);
	assert_true(sk_host_parse(sk_span_str("127.9.9.9"), &h) && h.loopback);
	assert_true(sk_host_parse(sk_span_str("::1"), &h) && h.loopback && !h.any);
	assert_true(sk_host_parse(sk_span_str("169.254.1.1"), &h) && h.link_local);
	assert_true(sk_host_parse(sk_span_str("febf::1%eth0"), &h) && h.link_local);
	assert_string_equal(h.zone, "eth0");
	assert_true(sk_host_parse(sk_span_str("fec0::1"), &h) && !h.link_local);
	assert_true(sk_host_parse(sk_span_str("300.1.1.1"), &h) && h.kind == SK_HOST_NAME);
}

static void a_learned_link_local_address_gets_our_zone(void **st)
{
	struct sk_portal p;

	(void)st;
	assert_int_equal(sk_portal_parse(sk_span_str("[fe80::2%bogus]:3260,1"), 1, &p, NULL), 0);
	assert_true(sk_portal_set_zone(&p, "veth0"));
	assert_string_equal(p.host, "fe80::2%veth0");
	assert_false(sk_portal_set_zone(&p, "a/b"));
	assert_string_equal(p.host, "fe80::2%veth0");
	assert_true(sk_portal_set_zone(&p, NULL));
	assert_string_equal(p.host, "fe80::2");
	assert_int_equal(sk_portal_parse(sk_span_str("192.0.2.1"), 1, &p, NULL), 0);
	assert_true(sk_portal_set_zone(&p, "veth0"));
	assert_string_equal(p.host, "192.0.2.1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_is_read),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(a_host_has_at_most_255_bytes),
		cmocka_unit_test(printing_puts_brackets_where_there_is_no_dot),
		cmocka_unit_test(equal_addresses_are_equal_in_any_spelling),
		cmocka_unit_test(hosts_are_classified),
		cmocka_unit_test(a_learned_link_local_address_gets_our_zone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
