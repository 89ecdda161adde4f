/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "sys/tree.h"
#include "tmp.h"

#define IPV6_FULL "2001:0db8:0000:0000:0000:0000:0000:0010"

static struct sk_sys_session sample(uint32_t sid)
{
	struct sk_sys_session s = {
		.sid = sid,
		.host = sid,
		.user = true,
		.transport = "tcp",
		.target = "iqn.2026-11.com.example:disk1",
		.initiator = "iqn.2026-11.com.example:me",
		.iface = "default",
		.addr = "2001:db8::10",
		.persistent_addr = "san.example.com",
		.local_addr = "192.0.2.7",
		.port = 3260,
		.persistent_port = 3261,
		.tpgt = 1,
		.netdev = "eth0",
		.hwaddress = "00:11:22:33:44:55",
		.state = "LOGGED_IN",
		.username = "u",
		.password = "secret",
		.recovery_tmo = 120,
		.abort_tmo = 15,
		.lu_reset_tmo = 30,
		.tgt_reset_tmo = 30,
		.header_digest = 0,
		.data_digest = 1,
		.max_recv_dlength = 262144,
		.max_xmit_dlength = 8192,
		.first_burst_len = 65536,
		.max_burst_len = 262144,
		.immediate_data = 1,
		.initial_r2t = 0,
		.max_outstanding_r2t = 1,
	};

	return s;
}

static void same_session(const struct sk_sys_session *a, const struct sk_sys_session *b)
{
#define TEXT(f) assert_string_equal(a->f, b->f)
#define NUM(f)	assert_int_equal(a->f, b->f)
	NUM(sid);
	NUM(host);
	NUM(user);
	NUM(flash);
	NUM(port);
	NUM(persistent_port);
	NUM(tpgt);
	TEXT(transport);
	TEXT(target);
	TEXT(initiator);
	TEXT(iface);
	TEXT(addr);
	TEXT(persistent_addr);
	TEXT(local_addr);
	TEXT(netdev);
	TEXT(hwaddress);
	TEXT(state);
	TEXT(username);
	TEXT(password);
	TEXT(username_in);
	TEXT(password_in);
	NUM(recovery_tmo);
	NUM(abort_tmo);
	NUM(lu_reset_tmo);
	NUM(tgt_reset_tmo);
	NUM(header_digest);
	NUM(data_digest);
	NUM(max_recv_dlength);
	NUM(max_xmit_dlength);
	NUM(first_burst_len);
	NUM(max_burst_len);
	NUM(immediate_data);
	NUM(initial_r2t);
	NUM(max_outstanding_r2t);
#undef TEXT
#undef NUM
}

static void what_is_published_is_read_back(void **st)
{
	struct tmp *t = *st;
	struct sk_sys_session s = sample(3), r;
	struct sk_err err = { 0 };

	assert_int_equal(sk_tree_create(t->places.rundir, &s, &err), 0);
	assert_int_equal(sk_sys_session(&t->places, 3, SK_SYS_SECRETS, &r, &err), 0);
	snprintf(s.addr, sizeof(s.addr), IPV6_FULL); /* as the kernel spells it */
	same_session(&s, &r);

	s.recovery_tmo = s.tgt_reset_tmo = -1;
	s.max_xmit_dlength = 65536;
	s.username[0] = s.password[0] = '\0';
	snprintf(s.addr, sizeof(s.addr), "192.0.2.9");
	snprintf(s.transport, sizeof(s.transport), "bnx2i");
	assert_int_equal(sk_tree_create(t->places.rundir, &s, &err), 0); /* in place of the first */
	assert_int_equal(sk_sys_session(&t->places, 3, SK_SYS_SECRETS, &r, &err), 0);
	same_session(&s, &r);

	s.tgt_reset_tmo = 7;
	s.port = 99;
	assert_int_equal(sk_tree_update(t->places.rundir, &s, &err), 0);
	assert_int_equal(sk_sys_session(&t->places, 3, SK_SYS_SECRETS, &r, &err), 0);
	same_session(&s, &r);
}

static void secrets_are_for_root_and_unset_ones_read_null(void **st)
{
	struct tmp *t = *st;
	struct sk_sys_session s = sample(1);
	char path[400], text[32] = "";
	struct stat sb;
	FILE *f;

	assert_int_equal(sk_tree_create(t->places.rundir, &s, NULL), 0);
	snprintf(path, sizeof(path), "%s/sys/class/iscsi_session/session1/password", t->places.rundir);
	assert_int_equal(stat(path, &sb), 0);
	assert_int_equal(sb.st_mode & 07777, 0600);
	snprintf(path, sizeof(path), "%s/sys/class/iscsi_session/session1/password_in", t->places.rundir);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	assert_string_equal(text, "(null)\n");
}

struct seen {
	uint32_t sid[64];
	struct sk_sys_lun lun[64];
	int n;
};

static bool see_session(void *ctx, const struct sk_sys_session *s)
{
	struct seen *x = ctx;

	x->sid[x->n++] = s->sid;
	return x->n < 64;
}

static bool see_lun(void *ctx, const struct sk_sys_lun *l)
{
	struct seen *x = ctx;

	x->lun[x->n++] = *l;
	return x->n < 64;
}

static void the_order_is_that_of_names(void **st)
{
	struct tmp *t = *st;
	static const uint32_t sids[] = { 2, 10, 1, 11, 3 };
	static const uint32_t want[] = { 1, 10, 11, 2, 3 };
	struct seen x = { 0 };

	for (size_t i = 0; i < 5; i++) {
		struct sk_sys_session s = sample(sids[i]);

		assert_int_equal(sk_tree_create(t->places.rundir, &s, NULL), 0);
	}
	assert_int_equal(sk_sys_sessions(&t->places, SK_SYS_FLAT, see_session, &x), 5);
	assert_memory_equal(x.sid, want, sizeof(want));
	assert_int_equal(sk_tree_remove(t->places.rundir, 10, NULL), 0);
	assert_int_equal(sk_tree_remove(t->places.rundir, 10, NULL), 0);
	x.n = 0;
	assert_int_equal(sk_sys_sessions(&t->places, SK_SYS_FLAT, see_session, &x), 4);
	assert_false(exists(t, "run/sys/devices/platform/host10"));
	assert_false(exists(t, "run/sys/class/iscsi_host/host10"));
	assert_false(exists(t, "run/sys/class/scsi_host/host10"));
	assert_false(exists(t, "run/sys/class/iscsi_connection/connection10:0"));
}

static void luns_come_change_and_go(void **st)
{
	struct tmp *t = *st;
	const char *run = t->places.rundir;
	struct sk_sys_session s = sample(4);
	struct sk_tree_lun a = { .l = { .lun = 1,
					.state = "running",
					.disk = "loop7",
					.blocks = 2048,
					.block_size = 512,
					.path = "/run/x/disk/lun-1" },
				 .vendor = "IET",
				 .model = "VIRTUAL-DISK",
				 .rev = "0001",
				 .wwid = "naa.6001405" };
	struct sk_tree_lun b = { .l = { .lun = 10, .state = "running", .blocks = 100, .block_size = 4096 } };
	struct sk_tree_lun c = { .l = { .lun = 0, .state = "running" }, .type = 12 };
	struct seen x = { 0 };

	assert_int_equal(sk_tree_create(run, &s, NULL), 0);
	assert_int_equal(sk_tree_add_lun(run, 4, &a, NULL), 0);
	assert_int_equal(sk_tree_add_lun(run, 4, &b, NULL), 0);
	assert_int_equal(sk_tree_add_lun(run, 4, &c, NULL), 0);
	assert_int_equal(sk_sys_luns(&t->places, &s, SK_SYS_FULL, see_lun, &x), 3);
	assert_int_equal(x.lun[0].lun, 0);
	assert_string_equal(x.lun[0].disk, "");
	assert_int_equal(x.lun[1].lun, 1);
	assert_int_equal(x.lun[1].host, 4);
	assert_string_equal(x.lun[1].disk, "loop7");
	assert_string_equal(x.lun[1].disk_state, "running");
	assert_string_equal(x.lun[1].path, "/run/x/disk/lun-1");
	assert_int_equal(x.lun[1].blocks, 2048);
	assert_int_equal(x.lun[1].block_size, 512);
	assert_int_equal(x.lun[2].lun, 10);
	assert_int_equal(x.lun[2].blocks, 100);
	assert_int_equal(x.lun[2].block_size, 4096);

	assert_int_equal(sk_tree_lun_size(run, 4, 1, 4096, 512, NULL), 0);
	assert_int_equal(sk_tree_set_state(run, 4, "FAILED", NULL), 0);
	assert_int_equal(sk_tree_remove_lun(run, 4, 0, NULL), 0);
	assert_int_equal(sk_tree_remove_lun(run, 4, 0, NULL), 0);
	x.n = 0;
	assert_int_equal(sk_sys_luns(&t->places, &s, SK_SYS_FULL, see_lun, &x), 2);
	assert_int_equal(x.lun[0].blocks, 4096);
	assert_string_equal(x.lun[0].state, "blocked");
	assert_int_equal(sk_tree_set_state(run, 4, "LOGGED_OUT", NULL), -1);
	assert_int_equal(sk_tree_lun_size(run, 4, 77, 1, 512, NULL), -1);

	snprintf(a.l.disk, sizeof(a.l.disk), "../x");
	assert_int_equal(sk_tree_add_lun(run, 4, &a, NULL), -1);
}

static void extra_attributes_are_one_component(void **st)
{
	struct tmp *t = *st;
	struct sk_sys_session s = sample(5);
	char text[64];

	assert_int_equal(sk_tree_create(t->places.rundir, &s, NULL), 0);
	assert_int_equal(sk_tree_set(t->places.rundir, 5, "data_path", "epoll", NULL), 0);
	sk_tree_get(t->places.rundir, 5, "data_path", text, sizeof(text));
	assert_string_equal(text, "epoll");
	sk_tree_get(t->places.rundir, 5, "other", text, sizeof(text));
	assert_string_equal(text, "");
	assert_int_equal(sk_tree_set(t->places.rundir, 5, "../targetname", "x", NULL), -1);
	assert_int_equal(sk_tree_set(t->places.rundir, 5, "..", "x", NULL), -1);
	assert_int_equal(sk_tree_set(t->places.rundir, 6, "data_path", "x", NULL), -1);
}

struct churn {
	struct tmp *t;
	atomic_bool stop;
};

static void *come_and_go(void *arg)
{
	struct churn *c = arg;
	struct sk_sys_session s = sample(8);
	struct sk_tree_lun l = {
		.l = { .lun = 1, .disk = "loop1", .state = "running", .block_size = 512, .blocks = 8 }
	};

	for (int i = 0; i < 60; i++) {
		s = sample(8);
		if (i % 3 == 0)
			s.tpgt = 2, s.max_outstanding_r2t = 7, s.port = 5, s.hwaddress[0] = 'x';
		sk_tree_create(c->t->places.rundir, &s, NULL);
		sk_tree_add_lun(c->t->places.rundir, 8, &l, NULL);
		sk_tree_set_state(c->t->places.rundir, 8, i % 2 ? "FAILED" : "LOGGED_IN", NULL);
		sk_tree_remove(c->t->places.rundir, 8, NULL);
	}
	c->stop = true;
	return NULL;
}

/* Values of two lives, so that a mixture shows */
static bool whole(void *ctx, const struct sk_sys_session *s)
{
	struct sk_sys_session want = sample(8);
	int *n = ctx;

	(*n)++;
	if (s->tpgt == 2)
		want.tpgt = 2, want.max_outstanding_r2t = 7, want.port = 5, want.hwaddress[0] = 'x';
	snprintf(want.addr, sizeof(want.addr), IPV6_FULL);
	snprintf(want.state, sizeof(want.state), "%s", s->state);
	same_session(s, &want);
	return true;
}

static void a_reader_sees_whole_sessions_while_they_come_and_go(void **st)
{
	struct churn c = { .t = *st };
	pthread_t th;
	int n = 0;

	assert_int_equal(pthread_create(&th, NULL, come_and_go, &c), 0);
	while (!c.stop)
		sk_sys_sessions(&c.t->places, SK_SYS_SECRETS, whole, &n);
	pthread_join(th, NULL);
	assert_false(exists(c.t, "run/sys/devices/platform/host8"));
	assert_false(exists(c.t, "run/sys/devices/platform/.host8.gone"));
	assert_false(exists(c.t, "run/sys/devices/platform/.host8.new"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_published_is_read_back, tmp_setup, tmp_teardown),
		cmocka_unit_test_setup_teardown(secrets_are_for_root_and_unset_ones_read_null, tmp_setup,
						tmp_teardown),
		cmocka_unit_test_setup_teardown(the_order_is_that_of_names, tmp_setup, tmp_teardown),
		cmocka_unit_test_setup_teardown(luns_come_change_and_go, tmp_setup, tmp_teardown),
		cmocka_unit_test_setup_teardown(extra_attributes_are_one_component, tmp_setup, tmp_teardown),
		cmocka_unit_test_setup_teardown(a_reader_sees_whole_sessions_while_they_come_and_go, tmp_setup,
						tmp_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
