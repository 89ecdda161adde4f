/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "iscsiadm/logout.h"
#include "iscsiadm/node_record.h"
#include "iscsiadm/node_show.h"
#include "iscsiadm/session_show.h"
#include "iscsiadm/values.h"

/** What is printed, from values: no file, no daemon. */

static struct sk_node_key key(const char *target, const char *host, uint16_t port, int tag, const char *iface)
{
	struct sk_node_key k = { .portal = { .port = port, .tpgt = tag } };

	snprintf(k.target.s, sizeof(k.target.s), "%s", target);
	snprintf(k.portal.host, sizeof(k.portal.host), "%s", host);
	snprintf(k.iface, sizeof(k.iface), "%s", iface);
	return k;
}

static void flat_lines(void **st)
{
	SK_BUF struct sk_buf b = { 0 };
	struct sk_node_key k[] = {
		key("iqn.a", "192.0.2.1", 3260, 1, "default"),
		key("iqn.a", "::1", 3261, 2, "default"),
		key("iqn.b", "localhost", 3260, -1, "default"),
		key("iqn.b", "san.example", 3260, 0, "default"),
	};

	(void)st;
	for (size_t i = 0; i < SK_ARRAY_LEN(k); i++)
		sk_node_flat_line(&b, &k[i]);
	assert_string_equal(sk_buf_cstr(&b), "192.0.2.1:3260,1 iqn.a\n[::1]:3261,2 iqn.a\n"
					     "[localhost]:3260,4294967295 iqn.b\nsan.example:3260,0 iqn.b\n");
}

static void trees(void **st)
{
	struct sk_node_key k[] = {
		key("iqn.a", "192.0.2.1", 3260, 1, "default"),
		key("iqn.a", "192.0.2.1", 3260, 1, "if0"),
		key("iqn.a", "::1", 3260, -1, "default"),
		key("iqn.b", "::1", 3260, 1, "default"),
	};
	static const char *const want[] = {
		[SK_TREE_EVERY] = "Target: iqn.a\n\tPortal: 192.0.2.1:3260,1\n\t\tIface Name: default\n"
				  "\tPortal: 192.0.2.1:3260,1\n\t\tIface Name: if0\n"
				  "\tPortal: [::1]:3260,-1\n\t\tIface Name: default\n"
				  "Target: iqn.b\n\tPortal: [::1]:3260,1\n\t\tIface Name: default\n",
		[SK_TREE_CHANGED] = "Target: iqn.a\n\tPortal: 192.0.2.1:3260,1\n\t\tIface Name: default\n"
				    "\t\tIface Name: if0\n"
				    "\tPortal: [::1]:3260,-1\n\t\tIface Name: default\n"
				    "Target: iqn.b\n\tPortal: [::1]:3260,1\n\t\tIface Name: default\n",
	};

	(void)st;
	for (unsigned form = SK_TREE_EVERY; form <= SK_TREE_CHANGED; form++) {
		SK_BUF struct sk_buf b = { 0 };
		struct sk_tree t = { 0 };

		for (size_t i = 0; i < SK_ARRAY_LEN(k); i++)
			sk_tree_line(&b, &t, (enum sk_tree_form)form, &k[i]);
		assert_string_equal(sk_buf_cstr(&b), want[form]);
	}
}

/* --- sessions ---------------------------------------------------------------------------------------- */

static struct sk_sys_session session(uint32_t sid, const char *target, const char *addr, int port)
{
	struct sk_sys_session s = { .sid = sid, .port = port, .persistent_port = port, .tpgt = 1 };

	snprintf(s.target, sizeof(s.target), "%s", target);
	snprintf(s.addr, sizeof(s.addr), "%s", addr);
	snprintf(s.persistent_addr, sizeof(s.persistent_addr), "%s", addr);
	snprintf(s.transport, sizeof(s.transport), "tcp");
	s.recovery_tmo = s.abort_tmo = s.lu_reset_tmo = s.tgt_reset_tmo = -1;
	s.header_digest = s.data_digest = s.max_recv_dlength = s.max_xmit_dlength = -1;
	s.first_burst_len = s.max_burst_len = s.immediate_data = s.initial_r2t = s.max_outstanding_r2t = -1;
	return s;
}

static void logouts_are_grouped(void **st)
{
	struct sk_sys_session v[] = {
		session(1, "a", "192.0.2.1", 3260), session(2, "b", "192.0.2.1", 3260),
		session(3, "a", "192.0.2.2", 3260), session(4, "a", "192.0.2.1", 3260),
		session(5, "a", "192.0.2.1", 3261), session(6, "b", "192.0.2.1", 3260),
	};
	static const uint32_t want[] = { 1, 4, 5, 3, 2, 6 };
	struct sk_sessions s = { v, SK_ARRAY_LEN(v) };

	(void)st;
	sk_sessions_group(&s);
	for (size_t i = 0; i < s.n; i++)
		assert_int_equal(s.v[i].sid, want[i]);
}

static void what_is_not_reported_is_left_out_or_empty(void **st)
{
	SK_BUF struct sk_buf b = { 0 };
	struct sk_sys_session s = session(7, "iqn.a", "192.0.2.1", 3260);
	struct sk_states states = { "Unknown", "Unknown" };

	(void)st;
	s.flash = true;
	s.max_burst_len = 262144;
	s.immediate_data = 0;
	sk_session_tree(&b, &s, NULL, &states, SK_SHOW_TIMEOUTS | SK_SHOW_PARAMS, "\t");
	assert_non_null(strstr(sk_buf_cstr(&b), "\tTarget: iqn.a (flash)\n\t\tCurrent Portal: 192.0.2.1:3260,1\n"));
	assert_non_null(strstr(sk_buf_cstr(&b), "\t\t\tRecovery Timeout: <empty>\n"));
	assert_non_null(
		strstr(sk_buf_cstr(&b), "\t\t\tIface IPaddress: <empty>\n\t\t\tIface HWaddress: default\n"));
	assert_non_null(strstr(sk_buf_cstr(&b), "\t\t\tMaxBurstLength: 262144\n\t\t\tImmediateData: No\n"));
	assert_null(strstr(sk_buf_cstr(&b), "HeaderDigest"));
}

/* --- records ----------------------------------------------------------------------------------------- */

static void records_as_json_keep_their_secrets(void **st)
{
	struct sk_record *r = sk_record_new(SK_REC_NODE, NULL);
	struct json_object *hidden, *shown, *v;

	(void)st;
	assert_int_equal(sk_record_set(r, "node.session.auth.password", "secret12charsX", NULL), 0);
	assert_int_equal(sk_record_set(r, "node.session.auth.username", "a = b", NULL), 0);
	hidden = sk_jrecord(r, false);
	assert_null(strstr(json_object_to_json_string(hidden), "secret"));
	assert_true(json_object_object_get_ex(hidden, "node.session.auth.password", &v));
	assert_null(v);
	assert_true(json_object_object_get_ex(hidden, "node.session.auth.password_in", &v));
	assert_string_equal(json_object_get_string(v), "");
	assert_true(json_object_object_get_ex(hidden, "node.session.auth.username", &v));
	assert_string_equal(json_object_get_string(v), "a = b");
	shown = sk_jrecord(r, true);
	assert_true(json_object_object_get_ex(shown, "node.session.auth.password", &v));
	assert_string_equal(json_object_get_string(v), "secret12charsX");
	json_object_put(hidden);
	json_object_put(shown);
	sk_record_free(r);
}

/* --- values ------------------------------------------------------------------------------------------ */

static void hosts_compare_by_address(void **st)
{
	(void)st;
	assert_true(sk_host_same("192.0.2.1", "192.0.2.1", false));
	assert_true(sk_host_same("::1", "0:0:0:0:0:0:0:1", false));
	assert_true(sk_host_same("2001:DB8::1", "2001:db8::1", false));
	assert_false(sk_host_same("192.0.2.1", "192.0.2.10", false));
	assert_true(sk_host_same("san", "san", false));
	assert_false(sk_host_same("localhost", "127.0.0.1", false));
}

static void hostile_targets(void **st)
{
	static const char *const bad[] = { "", ".", "..", "a/b", "/", "a\nb", "a\x7f", "\x1b[0m" };
	struct sk_err err = { 0 };
	char longest[SK_INAME_MAX + 2];

	(void)st;
	for (size_t i = 0; i < SK_ARRAY_LEN(bad); i++) {
		err.msg[0] = '\0';
		assert_int_equal(sk_adm_target_safe(bad[i], &err), -1);
		assert_true(err.msg[0]);
		for (const char *p = err.msg; *p; p++)
			assert_true((unsigned char)*p >= 0x20 && *p != 0x7f);
	}
	memset(longest, 'x', sizeof(longest));
	longest[SK_INAME_MAX + 1] = '\0';
	assert_int_equal(sk_adm_target_safe(longest, &err), -1);
	longest[SK_INAME_MAX] = '\0';
	assert_int_equal(sk_adm_target_safe(longest, &err), 0);
	assert_int_equal(sk_adm_target_safe("iqn.2026-11.lab.test:disk1", &err), 0);
}

static void printable_text_never_overflows(void **st)
{
	char big[4096];

	(void)st;
	memset(big, 1, sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	assert_true(strlen(sk_adm_printable(big).s) < sizeof(struct sk_adm_text));
	assert_string_equal(sk_adm_printable("a\tb").s, "a\\x09b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flat_lines),
		cmocka_unit_test(trees),
		cmocka_unit_test(logouts_are_grouped),
		cmocka_unit_test(what_is_not_reported_is_left_out_or_empty),
		cmocka_unit_test(records_as_json_keep_their_secrets),
		cmocka_unit_test(hosts_compare_by_address),
		cmocka_unit_test(hostile_targets),
		cmocka_unit_test(printable_text_never_overflows),
	};

	return cmocka_run_group_tests_name("iscsiadm/show", tests, NULL, NULL);
}
