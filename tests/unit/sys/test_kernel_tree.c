/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sys/kernel.h"
#include "sys/session.h"
#include "tmp.h"

/* The kernel's tree as it looks with iscsi_tcp: formats and links are those of a running kernel. */

#define HOST "kernel/devices/platform/host%u"

struct attr {
	const char *where, *name, *value;
};

static const struct attr attrs[] = {
	{ "session", "targetname", "iqn.2026-11.com.example:disk1\n" },
	{ "session", "initiatorname", "iqn.2026-11.com.example:me\n" },
	{ "session", "ifacename", "default\n" },
	{ "session", "tpgt", "1\n" },
	{ "session", "state", "LOGGED_IN\n" },
	{ "session", "creator", "812\n" },
	{ "session", "recovery_tmo", "120\n" },
	{ "session", "abort_tmo", "15\n" },
	{ "session", "lu_reset_tmo", "30\n" },
	{ "session", "tgt_reset_tmo", "30\n" },
	{ "session", "username", "(null)\n" },
	{ "session", "password", "(null)\n" },
	{ "session", "first_burst_len", "65536\n" },
	{ "session", "max_burst_len", "262144\n" },
	{ "session", "immediate_data", "1\n" },
	{ "session", "initial_r2t", "0\n" },
	{ "session", "max_outstanding_r2t", "1\n" },
	{ "conn", "address", "0000:0000:0000:0000:0000:0000:0000:0001\n" },
	{ "conn", "port", "3260\n" },
	{ "conn", "persistent_address", "::1\n" },
	{ "conn", "persistent_port", "3260\n" },
	{ "conn", "header_digest", "0\n" },
	{ "conn", "data_digest", "1\n" },
	{ "conn", "max_recv_dlength", "262144\n" },
	{ "conn", "max_xmit_dlength", "8192\n" },
	{ "host", "ipaddress", "0000:0000:0000:0000:0000:0000:0000:0001\n" },
	{ "host", "netdev", "<NULL>\n" },
	{ "host", "hwaddress", "(null)\n" },
	{ "scsi_host", "proc_name", "iscsi_tcp\n" },
};

static void dir_of(const char *where, unsigned host, unsigned sid, char *ret, size_t n)
{
	if (strcmp(where, "session") == 0)
		snprintf(ret, n, HOST "/session%u/iscsi_session/session%u", host, sid, sid);
	else if (strcmp(where, "conn") == 0)
		snprintf(ret, n, HOST "/session%u/connection%u:0/iscsi_connection/connection%u:0", host, sid, sid,
			 sid);
	else if (strcmp(where, "host") == 0)
		snprintf(ret, n, HOST "/iscsi_host/host%u", host, host);
	else
		snprintf(ret, n, HOST "/scsi_host/host%u", host, host);
}

static void attr(const struct tmp *t, const char *where, unsigned host, unsigned sid, const char *name,
		 const char *v)
{
	char dir[200], path[300];

	dir_of(where, host, sid, dir, sizeof(dir));
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	put(t, path, v);
}

static void class_link(const struct tmp *t, const char *where, unsigned host, unsigned sid, const char *link)
{
	char dir[200], to[300];

	dir_of(where, host, sid, dir, sizeof(dir));
	snprintf(to, sizeof(to), "../..%s", dir + strlen("kernel"));
	link_to(t, link, to);
}

static void session(const struct tmp *t, unsigned host, unsigned sid)
{
	char link[200];

	for (size_t i = 0; i < sizeof(attrs) / sizeof(attrs[0]); i++)
		attr(t, attrs[i].where, host, sid, attrs[i].name, attrs[i].value);
	snprintf(link, sizeof(link), "kernel/class/iscsi_session/session%u", sid);
	class_link(t, "session", host, sid, link);
	snprintf(link, sizeof(link), "kernel/class/iscsi_connection/connection%u:0", sid);
	class_link(t, "conn", host, sid, link);
	snprintf(link, sizeof(link), "kernel/class/iscsi_host/host%u", host);
	class_link(t, "host", host, sid, link);
	snprintf(link, sizeof(link), "kernel/class/scsi_host/host%u", host);
	class_link(t, "scsi_host", host, sid, link);
	snprintf(link, sizeof(link), HOST "/session%u/iscsi_session/session%u/device", host, sid, sid);
	link_to(t, link, "../../../session1");
}

static void lun(const struct tmp *t, const char *name, const char *disk)
{
	char path[300];

	snprintf(path, sizeof(path), HOST "/session1/target7:0:0/%s/state", 7u, name);
	put(t, path, "running\n");
	if (!disk[0])
		return;
	snprintf(path, sizeof(path), HOST "/session1/target7:0:0/%s/block/%s/size", 7u, name, disk);
	put(t, path, "2097152\n");
	snprintf(path, sizeof(path), HOST "/session1/target7:0:0/%s/block/%s/queue/logical_block_size", 7u, name,
		 disk);
	put(t, path, "4096\n");
}

static void a_session_of_the_kernel_is_read(void **st)
{
	struct tmp *t = *st;
	struct sk_sys_session s;
	struct sk_err err = { 0 };

	session(t, 7, 1);
	assert_int_equal(sk_sys_session(&t->places, 1, SK_SYS_FULL, &s, &err), 0);
	assert_int_equal(s.sid, 1);
	assert_int_equal(s.host, 7);
	assert_false(s.user);
	assert_false(s.flash);
	assert_string_equal(s.transport, "tcp");
	assert_string_equal(s.target, "iqn.2026-11.com.example:disk1");
	assert_string_equal(s.addr, "0000:0000:0000:0000:0000:0000:0000:0001");
	assert_string_equal(s.persistent_addr, "::1");
	assert_string_equal(s.local_addr, s.addr);
	assert_string_equal(s.netdev, "");
	assert_string_equal(s.hwaddress, "");
	assert_string_equal(s.username, "");
	assert_int_equal(s.tpgt, 1);
	assert_int_equal(s.recovery_tmo, 120);
	assert_int_equal(s.data_digest, 1);
	assert_int_equal(sk_sys_session(&t->places, 2, SK_SYS_FULL, &s, &err), -1);
	assert_int_equal(err.code, SK_ENOENT);
}

static void odd_values_are_unknown_values(void **st)
{
	struct tmp *t = *st;
	struct sk_sys_session s;
	char big[6000];

	session(t, 7, 1);
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	attr(t, "session", 7, 1, "creator", "-1\n");
	attr(t, "session", 7, 1, "recovery_tmo", "off\n");
	attr(t, "session", 7, 1, "abort_tmo", "-1\n");
	attr(t, "session", 7, 1, "lu_reset_tmo", "garbage\n");
	attr(t, "session", 7, 1, "tgt_reset_tmo", "");
	attr(t, "session", 7, 1, "max_burst_len", "99999999999999999999999\n");
	attr(t, "session", 7, 1, "initiatorname", big);
	attr(t, "session", 7, 1, "ifacename", "a\x1b[31mb\n");
	attr(t, "session", 7, 1, "tpgt", "99999999999\n");
	attr(t, "conn", 7, 1, "persistent_address", "(null)\n");
	attr(t, "scsi_host", 7, 1, "proc_name", "qla4xxx\n");
	assert_int_equal(sk_sys_session(&t->places, 1, SK_SYS_FULL, &s, NULL), 0);
	assert_true(s.flash);
	assert_int_equal(s.recovery_tmo, -1);
	assert_int_equal(s.abort_tmo, -1);
	assert_int_equal(s.lu_reset_tmo, -1);
	assert_int_equal(s.tgt_reset_tmo, -1);
	assert_int_equal(s.max_burst_len, -1);
	assert_string_equal(s.initiator, "");
	assert_string_equal(s.iface, "a?[31mb");
	assert_int_equal(s.tpgt, -1);
	assert_string_equal(s.persistent_addr, s.addr);
	assert_int_equal(s.persistent_port, 3260);
	assert_string_equal(s.transport, "qla4xxx");
	assert_int_equal(sk_sys_session(&t->places, 1, SK_SYS_FLAT, &s, NULL), 0);
	assert_string_equal(s.persistent_addr, "0000:0000:0000:0000:0000:0000:0000:0001");
}

/* Each attribute in turn: gone, a directory (EISDIR), a dangling link. Nothing but the target name is needed. */
static void any_attribute_may_be_missing(void **st)
{
	struct tmp *t = *st;
	struct sk_sys_session s;
	char dir[200], path[600];

	session(t, 7, 1);
	for (size_t i = 0; i < sizeof(attrs) / sizeof(attrs[0]); i++) {
		bool needed = i == 0;

		dir_of(attrs[i].where, 7, 1, dir, sizeof(dir));
		snprintf(path, sizeof(path), "%s/%s/%s", t->dir, dir, attrs[i].name);
		assert_int_equal(unlink(path), 0);
		assert_int_equal(sk_sys_session(&t->places, 1, SK_SYS_FULL, &s, NULL), needed ? -1 : 0);
		assert_int_equal(symlink("nowhere", path), 0);
		assert_int_equal(sk_sys_session(&t->places, 1, SK_SYS_FULL, &s, NULL), needed ? -1 : 0);
		assert_int_equal(unlink(path), 0);
		assert_int_equal(symlink("/", path), 0);
		assert_int_equal(sk_sys_session(&t->places, 1, SK_SYS_FULL, &s, NULL), needed ? -1 : 0);
		assert_int_equal(unlink(path), 0);
		attr(t, attrs[i].where, 7, 1, attrs[i].name, attrs[i].value);
	}
	assert_int_equal(sk_sys_session(&t->places, 1, SK_SYS_FULL, &s, NULL), 0);
}

static bool count(void *ctx, const struct sk_sys_session *s)
{
	(void)s;
	++*(int *)ctx;
	return true;
}

static void half_made_and_strange_entries_are_passed_over(void **st)
{
	struct tmp *t = *st;
	int n = 0;

	assert_int_equal(sk_sys_sessions(&t->places, SK_SYS_FULL, count, &n), 0); /* no tree at all */
	session(t, 7, 1);
	link_to(t, "kernel/class/iscsi_session/session2",
		"../../devices/platform/host8/session2/iscsi_session/session2");
	put(t, "kernel/class/iscsi_session/session3/tpgt", "1\n");
	put(t, "kernel/class/iscsi_session/sessionx/targetname", "x\n");
	put(t, "kernel/class/iscsi_session/session99999999999/targetname", "x\n");
	put(t, "kernel/class/iscsi_session/other", "");
	assert_int_equal(sk_sys_sessions(&t->places, SK_SYS_FULL, count, &n), 1);
	assert_int_equal(n, 1);
}

struct luns {
	struct sk_sys_lun l[8];
	int n;
};

static bool keep(void *ctx, const struct sk_sys_lun *l)
{
	struct luns *x = ctx;

	x->l[x->n++] = *l;
	return x->n < 8;
}

static void luns_and_disks(void **st)
{
	struct tmp *t = *st;
	struct sk_sys_session s = { 0 };
	struct luns x = { 0 };

	session(t, 7, 1);
	lun(t, "7:0:0:10", "sdb");
	lun(t, "7:0:0:2", "sdc");
	lun(t, "7:0:0:0", "");
	lun(t, "7:0:0:16640", "");
	put(t, "kernel/devices/platform/host7/session1/target7:0:0/power/control", "auto\n");
	put(t, "kernel/devices/platform/host7/session1/target7:0:0/7:0:0/state", "running\n");
	put(t, "kernel/devices/platform/host7/session1/target7:0:0/7:0:0:99/vendor", "gone\n");
	assert_int_equal(sk_sys_session(&t->places, 1, SK_SYS_FLAT, &s, NULL), 0);
	assert_int_equal(sk_sys_luns(&t->places, &s, SK_SYS_FULL, keep, &x), 4);
	assert_int_equal(x.l[0].lun, 0);
	assert_string_equal(x.l[0].disk, "");
	assert_int_equal(x.l[0].blocks, 0);
	assert_int_equal(x.l[1].lun, 10);
	assert_string_equal(x.l[1].disk, "sdb");
	assert_int_equal(x.l[1].block_size, 4096);
	assert_int_equal(x.l[1].blocks, 262144);
	assert_string_equal(x.l[1].disk_state, "running");
	assert_int_equal(x.l[2].lun, 16640);
	assert_string_equal(x.l[2].disk, "");
	assert_int_equal(x.l[3].lun, 2);
	assert_int_equal(x.l[3].host, 7);
}

static void is_kernel_iscsi_there(void **st)
{
	struct tmp *t = *st;

	assert_false(sk_sys_has_kernel_iscsi(&t->places));
	put(t, "kernel/class/iscsi_transport/tcp/caps", "0x39\n");
	assert_true(sk_sys_has_kernel_iscsi(&t->places));
	assert_true(sk_sys_has_transport(&t->places, "tcp"));
	assert_false(sk_sys_has_transport(&t->places, "iser"));
	assert_false(sk_sys_has_transport(&t->places, ".."));
	assert_false(sk_sys_has_transport(&t->places, ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_session_of_the_kernel_is_read, tmp_setup, tmp_teardown),
		cmocka_unit_test_setup_teardown(odd_values_are_unknown_values, tmp_setup, tmp_teardown),
		cmocka_unit_test_setup_teardown(any_attribute_may_be_missing, tmp_setup, tmp_teardown),
		cmocka_unit_test_setup_teardown(half_made_and_strange_entries_are_passed_over, tmp_setup,
						tmp_teardown),
		cmocka_unit_test_setup_teardown(luns_and_disks, tmp_setup, tmp_teardown),
		cmocka_unit_test_setup_teardown(is_kernel_iscsi_there, tmp_setup, tmp_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
