/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "transport/user/user.h"

/** The user transport with a keeper of the test in iscsi-session's place (keeper/keeper.c), real sockets and processes. */

struct world {
	char dir[64];
	struct sk_places places;
	struct sk_loop *l;
	struct sk_transport *t;
	struct sk_record *node;
	struct sk_xsess *x;
	struct sockaddr_storage to;
	int listener, conn;
	unsigned ups, downs, readies, endeds, gones, logged_in, founds, founds_then, adopted;
	struct sk_err why;
	enum sk_xsess_health found_health;
	bool stats;
	struct sk_timer *limit;
};

static void on_up(void *ctx)
{
	((struct world *)ctx)->ups++;
}

static void on_pdu(void *ctx, const struct sk_pdu *lent)
{
	(void)ctx;
	(void)lent;
}

static void keep(struct world *w, const struct sk_err *why)
{
	memset(&w->why, 0, sizeof(w->why));
	if (why)
		w->why = *why;
}

static void on_down(void *ctx, const struct sk_err *why)
{
	struct world *w = ctx;

	w->downs++;
	keep(w, why);
}

static void on_health(void *ctx, enum sk_xsess_health h)
{
	struct world *w = ctx;

	w->logged_in += h == SK_HEALTH_LOGGED_IN;
	w->gones += h == SK_HEALTH_GONE;
}

static void on_ready(void *ctx, const struct sk_err *why)
{
	struct world *w = ctx;

	w->readies++;
	keep(w, why);
}

static void on_async(void *ctx, uint8_t event, uint16_t p1, uint16_t p2, uint16_t p3)
{
	(void)ctx;
	(void)event;
	(void)p1;
	(void)p2;
	(void)p3;
}

static void on_ended(void *ctx, const struct sk_err *why)
{
	struct world *w = ctx;

	w->endeds++;
	keep(w, why);
}

static const struct sk_transport_events events = { on_up, on_pdu, on_down, on_health, on_ready, on_async, on_ended };

static void on_limit(void *ctx)
{
	sk_loop_stop(((struct world *)ctx)->l);
}

/* Run until the counter moves from where it was, at most 10 s. */
static void until(struct world *w, const unsigned *counter, unsigned value)
{
	uint64_t end = sk_loop_now(w->l) + 10000;

	while (*counter < value && sk_loop_now(w->l) < end) {
		sk_timer_at(w->limit, sk_loop_now(w->l) + 10);
		sk_loop_run(w->l);
	}
	assert_int_equal(*counter, value);
}

static void a_while(struct world *w, uint64_t ms)
{
	sk_timer_at(w->limit, sk_loop_now(w->l) + ms);
	sk_loop_run(w->l);
}

static void open_world(struct world *w, const char *target)
{
	struct sockaddr_in *a = (struct sockaddr_in *)(void *)&w->to;
	socklen_t len = sizeof(*a);

	memset(w, 0, sizeof(*w));
	snprintf(w->dir, sizeof(w->dir), "%s", "/tmp/sk-user.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->places.rundir, sizeof(w->places.rundir), "%s/run", w->dir);
	snprintf(w->places.sysfs, sizeof(w->places.sysfs), "%s/sysfs", w->dir);
	snprintf(w->places.devdir, sizeof(w->places.devdir), "%s/dev", w->dir);
	snprintf(w->places.libexecdir, sizeof(w->places.libexecdir), "%s", FAKE_KEEPER_DIR);
	w->l = sk_loop_new(NULL);
	w->limit = sk_timer_new(w->l, on_limit, w, NULL);
	w->t = sk_user_transport_new(w->l, &w->places, NULL, NULL);
	w->node = sk_record_new(SK_REC_NODE, NULL);
	assert_int_equal(sk_record_set(w->node, "node.name", target, NULL), 0);
	assert_int_equal(sk_record_set(w->node, "node.conn[0].address", "127.0.0.1", NULL), 0);
	a->sin_family = AF_INET;
	a->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	w->conn = -1;
	w->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(w->listener, (const struct sockaddr *)a, sizeof(*a)), 0);
	assert_int_equal(listen(w->listener, 4), 0);
	assert_int_equal(getsockname(w->listener, (struct sockaddr *)a, &len), 0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void close_world(struct world *w)
{
	if (w->x)
		w->t->ops->forget(w->x);
	sk_user_transport_free(w->t);
	sk_record_free(w->node);
	sk_timer_free(w->limit);
	sk_fd_close(&w->conn);
	sk_fd_close(&w->listener);
	sk_loop_free(w->l);
	(void)nftw(w->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void create(struct world *w)
{
	struct sk_xsess_cfg cfg = { .node = w->node, .initiator = "iqn.2026-11.x:i", .iface = "default", .tag = "slot=0" };

	w->x = w->t->ops->create(w->t, &cfg, &events, w, NULL);
	assert_non_null(w->x);
	assert_int_equal(w->t->ops->sid(w->x), 0);
}

static void hand_over(struct world *w)
{
	static const struct sk_params params = { .max_recv_dsl = 8192, .max_xmit_dsl = 8192, .max_burst = 65536,
						 .first_burst = 65536, .max_outstanding_r2t = 1, .tpgt = 1 };
	struct sk_portal current = { .host = "127.0.0.1", .port = 3260, .tpgt = 1 };
	struct sk_err err = { 0 };

	assert_int_equal(w->t->ops->open(w->x, &w->to, NULL), 0);
	until(w, &w->ups, w->ups + 1);
	sk_fd_close(&w->conn);
	w->conn = accept4(w->listener, NULL, NULL, SOCK_CLOEXEC);
	assert_int_equal(w->t->ops->handoff(w->x, &params, &current, &err), 0);
}

static void expect_word(struct world *w)
{
	char got[9] = "";

	assert_int_equal(recv(w->conn, got, 8, MSG_WAITALL), 8);	/* written by the keeper on our socket */
	assert_string_equal(got, "attached");
}

static bool session_left(const struct world *w, uint32_t sid)
{
	char path[400];

	snprintf(path, sizeof(path), "%s/session/%u", w->places.rundir, sid);
	return access(path, F_OK) == 0;
}

static void on_stats(void *ctx, const struct sk_stat *stats, unsigned n, const struct sk_err *err)
{
	struct world *w = ctx;

	assert_null(err);
	assert_int_equal(n, 1);
	assert_string_equal(stats[0].name, "scsicmd_pdus");
	assert_int_equal(stats[0].value, 42);
	w->stats = true;
	w->ups++;
}

static void from_handoff_to_end(void **st)
{
	struct world w;
	uint32_t sid;

	(void)st;
	open_world(&w, "iqn.2026-11.x:t");
	create(&w);
	hand_over(&w);
	until(&w, &w.logged_in, 1);
	until(&w, &w.readies, 1);
	assert_int_equal(w.why.code, SK_OK);
	expect_word(&w);
	sid = w.t->ops->sid(w.x);
	assert_int_equal(sid, 1);
	assert_int_equal(w.t->ops->rescan(w.x, NULL), 0);
	until(&w, &w.readies, 2);
	assert_string_equal(w.why.msg, "LUN 3 does not answer");
	assert_int_equal(w.t->ops->stats(w.x, on_stats, &w, NULL), 0);
	until(&w, &w.ups, 2);
	w.t->ops->halt(w.x);
	until(&w, &w.downs, 1);
	hand_over(&w);			/* a relogin: the same process, the new socket */
	until(&w, &w.logged_in, 2);
	expect_word(&w);
	assert_int_equal(w.t->ops->sid(w.x), sid);
	assert_int_equal(w.t->ops->end(w.x, false, NULL), 0);
	until(&w, &w.endeds, 1);
	assert_int_equal(w.why.code, SK_OK);
	assert_false(session_left(&w, sid));
	assert_int_equal(w.gones, 0);
	close_world(&w);
}

static void a_process_that_refuses_leaves_nothing(void **st)
{
	struct world w;

	(void)st;
	open_world(&w, "iqn.2026-11.x:refuse");
	create(&w);
	hand_over(&w);
	until(&w, &w.downs, 1);
	assert_int_equal(w.why.code, SK_ENOTCONN);
	assert_string_equal(w.why.msg, "not this one");
	assert_int_equal(w.t->ops->sid(w.x), 0);
	assert_int_equal(w.gones, 0);
	close_world(&w);
}

static void a_program_that_is_not_there(void **st)
{
	struct world w;
	struct sk_params params = { 0 };
	struct sk_portal current = { .host = "127.0.0.1", .port = 3260 };
	struct sk_err err = { 0 };

	(void)st;
	open_world(&w, "iqn.2026-11.x:t");
	snprintf(w.places.libexecdir, sizeof(w.places.libexecdir), "%s", "/nonexistent");
	create(&w);
	assert_int_equal(w.t->ops->open(w.x, &w.to, NULL), 0);
	until(&w, &w.ups, 1);
	assert_int_equal(w.t->ops->handoff(w.x, &params, &current, &err), -1);
	assert_non_null(strstr(err.msg, "iscsi-session"));
	a_while(&w, 100);
	assert_int_equal(w.downs, 0);
	assert_false(session_left(&w, 1));
	close_world(&w);
}

static void a_disk_in_use_keeps_the_session(void **st)
{
	struct world w;

	(void)st;
	open_world(&w, "iqn.2026-11.x:busy");
	create(&w);
	hand_over(&w);
	until(&w, &w.readies, 1);
	assert_int_equal(w.t->ops->end(w.x, false, NULL), 0);
	until(&w, &w.endeds, 1);
	assert_int_equal(w.why.code, SK_EBUSY);
	assert_string_equal(w.why.msg, "lun 1 is mounted on /mnt");
	assert_int_equal(w.t->ops->end(w.x, true, NULL), 0);
	until(&w, &w.endeds, 2);
	assert_int_equal(w.why.code, SK_OK);
	close_world(&w);
}

static void a_process_that_dies_is_told_and_swept(void **st)
{
	struct world w;

	(void)st;
	open_world(&w, "iqn.2026-11.x:die");
	create(&w);
	hand_over(&w);
	until(&w, &w.gones, 1);
	for (int i = 0; i < 100 && session_left(&w, 1); i++)
		a_while(&w, 10);
	assert_false(session_left(&w, 1));
	close_world(&w);
}

static void a_hang_up_is_not_a_death(void **st)
{
	struct world w;

	(void)st;
	open_world(&w, "iqn.2026-11.x:hangup");
	create(&w);
	hand_over(&w);
	until(&w, &w.logged_in, 1);
	a_while(&w, 200);
	assert_int_equal(w.gones, 0);
	assert_int_equal(w.t->ops->end(w.x, false, NULL), 0);
	until(&w, &w.endeds, 1);
	assert_int_equal(w.why.code, SK_OK);
	close_world(&w);
}

static void a_loss_that_nobody_heard_of_is_asked_for(void **st)
{
	struct world w;

	(void)st;
	open_world(&w, "iqn.2026-11.x:deaf");
	create(&w);
	hand_over(&w);
	until(&w, &w.logged_in, 1);
	until(&w, &w.downs, 1);
	assert_int_equal(w.gones, 0);
	assert_int_equal(w.t->ops->end(w.x, false, NULL), 0);
	until(&w, &w.endeds, 1);
	close_world(&w);
}

static void on_found(void *ctx, struct sk_xsess *x, struct sk_record *taken_node, enum sk_xsess_health health)
{
	struct world *w = ctx;

	assert_string_equal(sk_record_get(taken_node, "node.name"), "iqn.2026-11.x:t");
	sk_record_free(taken_node);
	w->x = x;
	w->t->ops->bind(x, w);
	w->founds++;
	w->found_health = health;
}

/* Nobody may be answered from half of the truth: the end of the adoption comes behind the last that was found. */
static void on_adopted(void *ctx)
{
	struct world *w = ctx;

	w->adopted++;
	w->founds_then = w->founds;
}

static void nothing_to_adopt(void **st)
{
	struct world w;

	(void)st;
	open_world(&w, "iqn.2026-11.x:t");
	assert_int_equal(w.t->ops->adopt(w.t, on_found, on_adopted, &events, &w, NULL), 0);
	assert_int_equal(w.adopted, 1);
	close_world(&w);
}

static void the_next_daemon_adopts(void **st)
{
	struct world w;
	char path[400];

	(void)st;
	open_world(&w, "iqn.2026-11.x:t");
	create(&w);
	hand_over(&w);
	until(&w, &w.readies, 1);
	w.t->ops->forget(w.x);			/* this daemon goes; the session does not */
	w.x = NULL;
	snprintf(path, sizeof(path), "%s/session/77", w.places.rundir);	/* somebody died long ago */
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(w.t->ops->adopt(w.t, on_found, on_adopted, &events, &w, NULL), 0);
	assert_int_equal(w.founds + w.adopted, 0);	/* not from inside the call */
	until(&w, &w.founds, 1);
	until(&w, &w.adopted, 1);
	assert_int_equal(w.founds_then, 1);
	assert_int_equal(w.found_health, SK_HEALTH_LOGGED_IN);
	assert_int_equal(w.t->ops->sid(w.x), 1);
	assert_string_equal(w.t->ops->tag(w.x), "slot=0");
	assert_string_equal(w.t->ops->initiator(w.x), "iqn.2026-11.x:i");
	for (int i = 0; i < 100 && session_left(&w, 77); i++)
		a_while(&w, 10);
	assert_false(session_left(&w, 77));
	assert_int_equal(w.t->ops->end(w.x, false, NULL), 0);
	until(&w, &w.endeds, 1);
	close_world(&w);
}

static void ended_before_it_began(void **st)
{
	struct world w;

	(void)st;
	open_world(&w, "iqn.2026-11.x:t");
	create(&w);
	assert_int_equal(w.t->ops->end(w.x, false, NULL), 0);
	assert_int_equal(w.endeds, 0);
	until(&w, &w.endeds, 1);
	close_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_handoff_to_end),
		cmocka_unit_test(nothing_to_adopt),
		cmocka_unit_test(a_process_that_refuses_leaves_nothing),
		cmocka_unit_test(a_program_that_is_not_there),
		cmocka_unit_test(a_disk_in_use_keeps_the_session),
		cmocka_unit_test(a_process_that_dies_is_told_and_swept),
		cmocka_unit_test(a_hang_up_is_not_a_death),
		cmocka_unit_test(a_loss_that_nobody_heard_of_is_asked_for),
		cmocka_unit_test(the_next_daemon_adopts),
		cmocka_unit_test(ended_before_it_began),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
