/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The values in force at a login (records.md 3.1 and 11), and names as paths. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "record/iface.h"
#include "record/node.h"
#include "record/store_impl.h"

#define NAME "iqn.2026-11.com.example:Disk1"

static const struct sk_iname host = { "iqn.2026-11.com.example:host" };

/* A node as a file gives it: also with numbers no user may set. */
static struct sk_record *with(const char *lines)
{
	struct sk_record *r = node(NAME, "127.0.0.1", "1", NULL);

	assert_int_equal(sk_record_parse(r, sk_span_str(lines), true, NULL, NULL, NULL), 0);
	return r;
}

static struct sk_login_cfg login(const char *lines)
{
	struct sk_record *r = with(lines);
	struct sk_login_cfg c;

	assert_int_equal(sk_node_login_cfg(r, &host, &c, NULL), 0);
	sk_record_free(r);
	return c;
}

static void the_defaults_make_an_offer(void **st)
{
	struct sk_login_cfg c = login("");

	(void)st;
	assert_false(c.discovery);
	assert_string_equal(c.initiator.s, host.s);
	assert_string_equal(c.target.s, NAME);	/* as it is spelled */
	assert_int_equal(c.expect_tpgt, 1);
	assert_false(c.initial_r2t);
	assert_true(c.immediate_data);
	assert_int_equal(c.first_burst, 262144);
	assert_int_equal(c.max_burst, 16776192);
	assert_int_equal(c.max_recv_dsl, 262144);
	assert_int_equal(c.max_xmit_dsl, 0);
	assert_int_equal(c.max_outstanding_r2t, 1);
	assert_int_equal(c.time2wait, 2);
	assert_int_equal(c.header_digest, SK_DIGEST_NONE);
	assert_string_equal(c.chap.password, "");
}

static void lengths_are_brought_into_force(void **st)
{
	static const struct {
		const char *lines;
		uint32_t first, max, recv, xmit;
	} cases[] = {
		{ "node.session.iscsi.FirstBurstLength = 65539\n", 65536, 16776192, 262144, 0 },
		{ "node.session.iscsi.FirstBurstLength = 511\n", 262144, 16776192, 262144, 0 },
		{ "node.session.iscsi.FirstBurstLength = 16777216\n", 262144, 16776192, 262144, 0 },
		{ "node.session.iscsi.MaxBurstLength = 8192\n", 8192, 8192, 262144, 0 },
		{ "node.session.iscsi.MaxBurstLength = 1\n", 262144, 16776192, 262144, 0 },
		{ "node.conn[0].iscsi.MaxRecvDataSegmentLength = 0\n", 262144, 16776192, 262144, 0 },
		{ "node.conn[0].iscsi.MaxRecvDataSegmentLength = 8192\n", 262144, 16776192, 8192, 0 },
		{ "node.conn[0].iscsi.MaxXmitDataSegmentLength = 8192\n", 262144, 16776192, 262144, 8192 },
		{ "node.conn[0].iscsi.MaxXmitDataSegmentLength = -1\n", 262144, 16776192, 262144, 262144 },
	};

	(void)st;
	for (size_t i = 0; i < SK_ARRAY_LEN(cases); i++) {
		struct sk_login_cfg c = login(cases[i].lines);

		assert_int_equal(c.first_burst, cases[i].first);
		assert_int_equal(c.max_burst, cases[i].max);
		assert_int_equal(c.max_recv_dsl, cases[i].recv);
		assert_int_equal(c.max_xmit_dsl, cases[i].xmit);
	}
}

static void digests_have_four_spellings(void **st)
{
	(void)st;
	assert_int_equal(login("node.conn[0].iscsi.HeaderDigest = CRC32C\n").header_digest, SK_DIGEST_CRC32C);
	assert_int_equal(login("node.conn[0].iscsi.HeaderDigest = CRC32C,None\n").header_digest,
			 SK_DIGEST_CRC32C_NONE);
	assert_int_equal(login("node.conn[0].iscsi.DataDigest = None,CRC32C\n").data_digest, SK_DIGEST_NONE_CRC32C);
	assert_int_equal(login("node.conn[0].iscsi.DataDigest = None, CRC32C\n").data_digest, SK_DIGEST_NONE);
}

/* authmethod is not consulted. */
static void chap_is_used_when_a_password_is_set(void **st)
{
	struct sk_login_cfg c = login("node.session.auth.username = me\nnode.session.auth.password = a secret = b\n"
				      "node.session.auth.username_in = it\nnode.session.auth.password_in = c\n"
				      "node.session.auth.chap_algs = SHA3-256,SHA256 SHA1,MD5\n");
	struct sk_record *r = with("node.session.auth.password_in = c\n");
	struct sk_err err = { 0 };

	(void)st;
	assert_string_equal(c.chap.username, "me");
	assert_string_equal(c.chap.password, "a secret = b");
	assert_string_equal(c.chap.username_in, "it");
	assert_string_equal(c.chap.password_in, "c");
	assert_int_equal(c.chap.n_algs, 4);
	assert_int_equal(c.chap.algs[0], SK_CHAP_SHA3_256);
	assert_int_equal(c.chap.algs[3], SK_CHAP_MD5);
	assert_int_equal(sk_node_login_cfg(r, &host, &c, &err), -1);
	assert_int_equal(err.code, SK_EINVAL);
	sk_record_free(r);
}

/* What a login says when its record refers to credential @name. */
static int refer(const char *name, struct sk_login_cfg *ret, struct sk_err *err)
{
	struct sk_record *r;
	char line[400];
	int rc;

	snprintf(line, sizeof(line), "node.session.auth.password = @cred:%s\n", name);
	r = with(line);
	memset(err, 0, sizeof(*err));
	rc = sk_node_login_cfg(r, &host, ret, err);
	sk_record_free(r);
	return rc;
}

static void a_secret_may_be_a_credential(void **st)
{
	static const char *const bad[] = { "long", "nul", "empty", "absent", "..", "../other", "sub", "link" };
	char path[200], text[300];
	struct sk_login_cfg c;
	struct sk_err err;
	struct room r;

	(void)st;
	room_open(&r, NULL);
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", r.db, 1), 0);
	memset(text, 'x', sizeof(text));
	spill(below(&r, "good"), "a secret = b\n", 13);
	spill(below(&r, "most"), text, 255);
	spill(below(&r, "long"), text, 256);
	spill(below(&r, "nul"), "a\0b", 3);
	spill(below(&r, "empty"), "\n", 1);
	assert_int_equal(mkdir(below(&r, "sub"), 0700), 0);
	snprintf(path, sizeof(path), "%s/other", r.dir);
	spill(path, "elsewhere", 9);
	assert_int_equal(symlink(path, below(&r, "link")), 0);
	assert_int_equal(refer("good", &c, &err), 0);
	assert_string_equal(c.chap.password, "a secret = b");
	assert_int_equal(refer("most", &c, &err), 0);
	assert_int_equal(strlen(c.chap.password), 255);
	for (size_t i = 0; i < SK_ARRAY_LEN(bad); i++) {
		assert_int_equal(refer(bad[i], &c, &err), -1);
		assert_non_null(strstr(err.msg, "node.session.auth.password"));
	}
	assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
	room_close(&r);
}

static void an_iface_may_have_its_own_name(void **st)
{
	struct sk_login_cfg c = login("iface.initiatorname = iqn.2026-11.com.example:if0\n");
	struct sk_record *d = sk_record_new(SK_REC_SENDTARGETS, NULL), *i = sk_iface_new("if0", NULL);
	struct sk_record *bad = with("iface.initiatorname = nonsense\n");

	(void)st;
	assert_string_equal(c.initiator.s, "iqn.2026-11.com.example:if0");
	assert_int_equal(sk_node_login_cfg(bad, &host, &c, NULL), -1);
	assert_int_equal(sk_disc_login_cfg(d, i, &host, &c, NULL), 0);
	assert_string_equal(c.initiator.s, host.s);
	assert_true(c.discovery);
	assert_int_equal(c.max_recv_dsl, 32768);
	assert_int_equal(c.expect_tpgt, SK_TPGT_NONE);
	assert_int_equal(sk_record_set(i, "iface.initiatorname", "iqn.2026-11.com.example:if0", NULL), 0);
	assert_int_equal(sk_record_set(d, "discovery.sendtargets.auth.password", "xyz", NULL), 0);
	assert_int_equal(sk_disc_login_cfg(d, i, &host, &c, NULL), 0);
	assert_string_equal(c.initiator.s, "iqn.2026-11.com.example:if0");
	assert_string_equal(c.chap.password, "xyz");
	sk_record_free(d);
	sk_record_free(i);
	sk_record_free(bad);
}

static struct sk_node_timers timers(const char *lines)
{
	struct sk_record *r = with(lines);
	struct sk_node_timers t;

	sk_node_timers_of(r, &t);
	sk_record_free(r);
	return t;
}

static void timers_have_their_special_values(void **st)
{
	struct sk_node_timers t = timers("");

	(void)st;
	assert_int_equal(t.login_ms, 30000);
	assert_int_equal(t.replacement_ms, 120000);
	assert_int_equal(t.noop_interval_ms, 5000);
	assert_int_equal(t.initial_login_retry_max, 4);
	assert_int_equal(t.reopen_log_freq, 1);
	assert_int_equal(timers("node.session.timeo.replacement_timeout = 0\n").replacement_ms, 0);
	assert_int_equal(timers("node.session.timeo.replacement_timeout = -7\n").replacement_ms, -1);
	assert_int_equal(timers("node.conn[0].timeo.login_timeout = 0\n").login_ms, 30000);
	assert_int_equal(timers("node.conn[0].timeo.logout_timeout = 0\n").logout_ms, 15000);
	assert_int_equal(timers("node.session.conn_reopen_log_freq = 9\n").reopen_log_freq, 9);
	t = timers("node.conn[0].timeo.noop_out_interval = 0\n");
	assert_int_equal(t.noop_interval_ms, 5000);
	t = timers("node.conn[0].timeo.noop_out_interval = 0\nnode.conn[0].timeo.noop_out_timeout = 0\n");
	assert_int_equal(t.noop_interval_ms, 0);
	assert_int_equal(t.noop_timeout_ms, 0);
	t = timers("node.conn[0].timeo.noop_out_timeout = 0\nnode.conn[0].timeo.noop_out_interval = 7\n");
	assert_int_equal(t.noop_interval_ms, 7000);
	assert_int_equal(t.noop_timeout_ms, 5000);
}

static void queues_are_brought_into_force(void **st)
{
	static const struct {
		const char *lines;
		uint32_t cmds, depth;
	} cases[] = {
		{ "", 128, 32 },
		{ "node.session.cmds_max = 0\n", 128, 32 },
		{ "node.session.cmds_max = 1000\n", 512, 32 },
		{ "node.session.cmds_max = 100000\n", 4096, 32 },
		{ "node.session.cmds_max = 3\n", 16, 16 },
		{ "node.session.queue_depth = -5\n", 128, 32 },
		{ "node.session.queue_depth = 2000\n", 128, 128 },
	};

	(void)st;
	for (size_t i = 0; i < SK_ARRAY_LEN(cases); i++) {
		struct sk_record *r = with(cases[i].lines);
		struct sk_node_limits l;

		sk_node_limits_of(r, &l);
		assert_int_equal(l.cmds_max, cases[i].cmds);
		assert_int_equal(l.queue_depth, cases[i].depth);
		assert_int_equal(l.nr_sessions, 1);
		assert_true(l.scan && l.fast_abort);
		sk_record_free(r);
	}
}

static void either_startup_makes_the_class(void **st)
{
	struct sk_record *r = with("node.startup = automatic\n");

	(void)st;
	assert_true(sk_node_in_class(r, "automatic"));
	assert_true(sk_node_in_class(r, "manual"));
	assert_false(sk_node_in_class(r, "onboot"));
	sk_record_free(r);
}

static void link_names_are_parsed_and_made(void **st)
{
	static const char *const good[] = { "iqn.2026-11.com.example:a,127.0.0.1,3260,1,default",
					    "iqn.2026-11.com.example:a,2001:db8::1,3260,0,if0",
					    "iqn.2026-11.com.example:A,san.example.com,1,65535,a,b",
					    "iqn.2026-11.com.example:a,fe80::1%eth0,65535,1,default" };
	static const char *const bad[] = { "",
					   "a",
					   ",,,,",
					   "iqn.2026-11.com.example:a",
					   "iqn.2026-11.com.example:a,",
					   "iqn.2026-11.com.example:a,1.2.3.4,3260,1",
					   "iqn.2026-11.com.example:a,1.2.3.4,3260,1,",
					   "iqn.2026-11.com.example:a,1.2.3.4,0,1,d",
					   "iqn.2026-11.com.example:a,1.2.3.4,03260,1,d",
					   "iqn.2026-11.com.example:a,1.2.3.4,3260,-1,d",
					   "iqn.2026-11.com.example:a,1.2.3.4,3260,65536,d",
					   "..,1.2.3.4,3260,1,d",
					   "iqn.2026-11.com.example:a,..,3260,1,d",
					   "iqn.2026-11.com.example:a,1.2.3.4,3260,1,..",
					   "iqn.2026-11.com.example:a,1.2.3.4,3260,1,a/b",
					   "st_config",
					   "127.0.0.1,3260" };
	struct sk_node_key key;
	char name[256];

	(void)st;
	for (size_t i = 0; i < SK_ARRAY_LEN(good); i++) {
		assert_true(sk_disc_link_parse(good[i], &key));
		assert_true(sk_disc_link_name(&key, name));
		assert_string_equal(name, good[i]);
	}
	for (size_t i = 0; i < SK_ARRAY_LEN(bad); i++)
		if (sk_disc_link_parse(bad[i], &key))
			fail_msg("%s was parsed", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_defaults_make_an_offer),
		cmocka_unit_test(lengths_are_brought_into_force),
		cmocka_unit_test(digests_have_four_spellings),
		cmocka_unit_test(chap_is_used_when_a_password_is_set),
		cmocka_unit_test(a_secret_may_be_a_credential),
		cmocka_unit_test(an_iface_may_have_its_own_name),
		cmocka_unit_test(timers_have_their_special_values),
		cmocka_unit_test(queues_are_brought_into_force),
		cmocka_unit_test(either_startup_makes_the_class),
		cmocka_unit_test(link_names_are_parsed_and_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
