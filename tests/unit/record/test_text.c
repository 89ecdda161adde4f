/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "record/iface.h"

struct warnings {
	unsigned n, last_line;
	char last[400];
};

static void note(void *ctx, unsigned line, const char *text)
{
	struct warnings *w = ctx;

	w->n++;
	w->last_line = line;
	snprintf(w->last, sizeof(w->last), "%s", text);
}

static struct sk_record *parse(enum sk_record_kind kind, const char *text, struct warnings *w)
{
	struct sk_record *r = sk_record_new(kind, NULL);

	memset(w, 0, sizeof(*w));
	assert_int_equal(sk_record_parse(r, sk_span_str(text), true, note, w, NULL), 0);
	return r;
}

/* One line, the startup it leads to, and how many oddities are told (records.md 1.1). */
static void lines_are_read_as_the_table_says(void **st)
{
	static const struct {
		const char *text, *startup;
		unsigned warnings;
	} cases[] = {
		{ "node.startup = automatic\n", "automatic", 0 },
		{ "node.startup =automatic\n", "automatic", 0 },
		{ "node.startup=automatic\n", "automatic", 0 },
		{ "node.startup= automatic\n", "automatic", 0 },
		{ "node.startup = automatic", "automatic", 0 },
		{ "  \t node.startup = automatic \t\r\n", "automatic", 0 },
		{ "\v\fnode.startup\t=\tautomatic\r", "automatic", 0 },
		{ "# node.startup = automatic\n", "manual", 0 },
		{ "node.startup = automatic # yes\n", "manual", 1 },
		{ "; node.startup = automatic\n", "manual", 1 },
		{ "node.startup\n", "manual", 1 },
		{ "node.startup =\n", "manual", 1 },
		{ "node.startup = \n", "manual", 1 },
		{ "node.startup automatic\n", "manual", 1 },
		{ "= automatic\n", "manual", 1 },
		{ "[node]\nnode.startup = automatic\n", "automatic", 1 },
		{ "\xef\xbb\xbfnode.startup = automatic\n", "manual", 1 },
		{ "node.startup = automatic\nnode.startup = onboot\n", "onboot", 0 },
		{ "node.startup = automatic\nnode.startup = never\n", "automatic", 1 },
		{ "Node.startup = automatic\n", "manual", 1 },
		{ "node.startup = Automatic\n", "manual", 1 },
		{ "node.startup = \"automatic\"\n", "manual", 1 },
		{ "\n\n   \n\t\n", "manual", 0 },
		{ "", "manual", 0 },
	};
	struct warnings w;

	(void)st;
	for (size_t i = 0; i < SK_ARRAY_LEN(cases); i++) {
		struct sk_record *r = parse(SK_REC_NODE, cases[i].text, &w);

		if (strcmp(sk_record_get(r, "node.startup"), cases[i].startup) != 0 || w.n != cases[i].warnings)
			fail_msg("%s: %s, %u warnings (%s)", cases[i].text, sk_record_get(r, "node.startup"), w.n,
				 w.last);
		sk_record_free(r);
	}
}

static void a_huge_line_and_a_nul_are_stepped_over(void **st)
{
	char *text = calloc(1, 10000);
	struct sk_record *r = sk_record_new(SK_REC_NODE, NULL);
	struct warnings w = { 0 };

	(void)st;
	snprintf(text, 10000, "node.name = ");
	memset(text + 12, 'x', 4000);
	snprintf(text + 4012, 100, "\nnode.tpgt = 7\nnode.startup = auto");
	assert_int_equal(sk_record_parse(r, sk_span(text, strlen(text) + 1), true, note, &w, NULL), 0);
	assert_int_equal(w.n, 2);
	assert_string_equal(sk_record_get(r, "node.name"), "");
	assert_int_equal(sk_record_int(r, "node.tpgt"), 7);
	assert_int_equal(w.last_line, 3);
	sk_record_free(r);
	free(text);
}

static void print_file(const struct sk_record *r, struct sk_buf *out)
{
	sk_buf_reset(out);
	sk_record_print(out, r, SK_FORM_FILE);
}

/* Unknown keys, comments and values this build does not know survive; setting a key ends its old value's life. */
static void what_is_not_understood_is_written_back(void **st)
{
	static const char text[] =
		"# BEGIN RECORD 2.9\nnode.startup = whenever\nnode.session.cmds_max = 12k\n"
		"node.future.key = a = b\n# siskin: a note\nnode.session.auth.chap_algs = SHA512,MD5\n"
		"# END RECORD\n";
	SK_BUF struct sk_buf out = { 0 };
	SK_BUF struct sk_buf show = { 0 };
	struct warnings w;
	struct sk_record *r = parse(SK_REC_NODE, text, &w), *again;

	(void)st;
	assert_int_equal(w.n, 3);
	assert_string_equal(sk_record_get(r, "node.startup"), "manual");
	assert_int_equal(sk_record_int(r, "node.session.cmds_max"), 128);
	assert_string_equal(sk_record_get(r, "node.session.auth.chap_algs"), "MD5");
	print_file(r, &out);
	assert_non_null(strstr(sk_buf_cstr(&out), "\nnode.startup = whenever\n"));
	assert_non_null(strstr(sk_buf_cstr(&out), "\nnode.session.cmds_max = 12k\n"));
	assert_non_null(strstr(sk_buf_cstr(&out), "\nnode.session.auth.chap_algs = SHA512,MD5\n"));
	assert_non_null(strstr(sk_buf_cstr(&out), "\nnode.future.key = a = b\n# siskin: a note\n# END RECORD\n"));
	again = parse(SK_REC_NODE, sk_buf_cstr(&out), &w);
	sk_record_print(&show, again, SK_FORM_FILE);
	assert_string_equal(sk_buf_cstr(&show), sk_buf_cstr(&out));
	sk_buf_reset(&show);
	sk_record_print(&show, r, SK_FORM_SHOW);
	assert_null(strstr(sk_buf_cstr(&show), "future"));
	assert_non_null(strstr(sk_buf_cstr(&show), "\nnode.startup = manual\n"));
	assert_int_equal(sk_record_set(r, "node.startup", "onboot", NULL), 0);
	print_file(r, &out);
	assert_null(strstr(sk_buf_cstr(&out), "whenever"));
	sk_record_free(r);
	sk_record_free(again);
}

static void keys_of_other_releases_are_kept_but_not_invented(void **st)
{
	static const char *const lines[] = { "node.session.sess_reopen_log_freq = 5\n",
					     "node.session.conn_reopen_log_freq = 5\n",
					     "node.conn[0].tcp.congestion_control = bbr\n" };
	SK_BUF struct sk_buf out = { 0 };
	struct warnings w;
	struct sk_record *r = parse(SK_REC_NODE, "node.tpgt = 1\n", &w);

	(void)st;
	print_file(r, &out);
	assert_null(strstr(sk_buf_cstr(&out), "reopen_log_freq"));
	sk_record_print(&out, r, SK_FORM_SHOW);
	assert_null(strstr(sk_buf_cstr(&out), "congestion_control"));
	sk_record_free(r);
	for (size_t i = 0; i < SK_ARRAY_LEN(lines); i++) {
		r = parse(SK_REC_NODE, lines[i], &w);
		assert_int_equal(w.n, 0);
		print_file(r, &out);
		assert_non_null(strstr(sk_buf_cstr(&out), lines[i]));
		sk_buf_reset(&out);
		sk_record_print(&out, r, SK_FORM_SHOW);
		assert_non_null(strstr(sk_buf_cstr(&out), lines[i]));
		sk_record_free(r);
	}
}

/* Numbers another tool let pass are read as they are; only what is no number at all is refused. */
static void numbers_of_files_may_be_out_of_range(void **st)
{
	static const struct {
		const char *text;
		int64_t want;
		unsigned warnings;
	} cases[] = {
		{ "node.session.queue_depth = 70000\n", 70000, 0 },  { "node.session.queue_depth = -5\n", -5, 0 },
		{ "node.session.queue_depth = 010\n", 10, 0 },	     { "node.session.queue_depth = 0x20\n", 32, 1 },
		{ "node.session.queue_depth = 4294967303\n", 32, 1 }, { "node.session.queue_depth = 7 8\n", 32, 1 },
	};
	struct warnings w;

	(void)st;
	for (size_t i = 0; i < SK_ARRAY_LEN(cases); i++) {
		struct sk_record *r = parse(SK_REC_NODE, cases[i].text, &w);

		assert_int_equal(sk_record_int(r, "node.session.queue_depth"), cases[i].want);
		assert_int_equal(w.n, cases[i].warnings);
		sk_record_free(r);
	}
}

static void secrets_are_masked_unless_asked_for(void **st)
{
	SK_BUF struct sk_buf out = { 0 };
	struct warnings w;
	struct sk_record *r = parse(SK_REC_NODE, "node.session.auth.password = xyzzy plugh\n", &w);

	(void)st;
	sk_record_print(&out, r, SK_FORM_SHOW);
	assert_non_null(strstr(sk_buf_cstr(&out), "\nnode.session.auth.password = ********\n"));
	assert_non_null(strstr(sk_buf_cstr(&out), "\nnode.session.auth.password_in = <empty>\n"));
	assert_null(strstr(sk_buf_cstr(&out), "password_length"));
	sk_buf_reset(&out);
	sk_record_print(&out, r, SK_FORM_SHOW_SECRETS);
	assert_non_null(strstr(sk_buf_cstr(&out), "\nnode.session.auth.password = xyzzy plugh\n"));
	sk_record_free(r);
	r = parse(SK_REC_SENDTARGETS, "discovery.sendtargets.auth.password = bad\x01secret\n", &w);
	assert_int_equal(w.n, 1);
	assert_null(strstr(w.last, "secret"));
	sk_record_free(r);
}

static void an_ipv6_iface_shows_and_keeps_its_own_block(void **st)
{
	SK_BUF struct sk_buf out = { 0 };
	struct sk_record *i = sk_iface_new("qla.00:11:22:33:44:55.ipv6.0", NULL);
	struct sk_record *n = node("iqn.2026-11.com.example:a", "::1", "1", NULL), *again;
	struct warnings w;

	(void)st;
	assert_int_equal(sk_record_user_set(i, "iface.ipv6_autocfg", "nd", NULL), SK_SET_OK);
	assert_int_equal(sk_record_user_set(i, "iface.hop_limit", "64", NULL), SK_SET_OK);
	sk_record_print(&out, i, SK_FORM_SHOW);
	assert_non_null(
		strstr(sk_buf_cstr(&out), "\niface.port = 0\niface.ipv6_autocfg = nd\niface.linklocal_autocfg = "));
	assert_null(strstr(sk_buf_cstr(&out), "iface.ttl"));
	assert_int_equal(sk_node_bind_iface(n, i, NULL), 0);
	print_file(n, &out);
	assert_non_null(strstr(sk_buf_cstr(&out), "\niface.ipv6_autocfg = nd\niface.dup_addr_detect_cnt = 0\n"));
	assert_non_null(strstr(sk_buf_cstr(&out), "\niface.hop_limit = 64\n"));
	assert_null(strstr(sk_buf_cstr(&out), "iface.ttl"));
	again = parse(SK_REC_NODE, sk_buf_cstr(&out), &w);
	assert_int_equal(w.n, 0);
	assert_string_equal(sk_record_get(again, "iface.hop_limit"), "64");
	sk_record_free(i);
	sk_record_free(n);
	sk_record_free(again);
}

static void node_files_begin_the_iface_block_their_own_way(void **st)
{
	struct sk_record *n = node("iqn.2026-11.com.example:a", "::1", "1", "iface.hwaddress", "02:00:00:00:00:01",
				   "iface.net_ifacename", "d0", "iface.gateway", "192.0.2.1", "iface.subnet_mask",
				   "255.255.255.0", "iface.ipaddress", "192.0.2.2", NULL);
	SK_BUF struct sk_buf out = { 0 };

	(void)st;
	print_file(n, &out);
	assert_non_null(strstr(sk_buf_cstr(&out), "node.leading_login = No\niface.hwaddress = 02:00:00:00:00:01\n"
						  "iface.ipaddress = 192.0.2.2\niface.iscsi_ifacename = default\n"
						  "iface.net_ifacename = d0\niface.gateway = 192.0.2.1\n"
						  "iface.subnet_mask = 255.255.255.0\niface.prefix_len = 0\n"
						  "iface.transport_name = tcp\niface.vlan_id = 0\n"));
	sk_record_free(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_read_as_the_table_says),
		cmocka_unit_test(a_huge_line_and_a_nul_are_stepped_over),
		cmocka_unit_test(what_is_not_understood_is_written_back),
		cmocka_unit_test(keys_of_other_releases_are_kept_but_not_invented),
		cmocka_unit_test(numbers_of_files_may_be_out_of_range),
		cmocka_unit_test(secrets_are_masked_unless_asked_for),
		cmocka_unit_test(an_ipv6_iface_shows_and_keeps_its_own_block),
		cmocka_unit_test(node_files_begin_the_iface_block_their_own_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
