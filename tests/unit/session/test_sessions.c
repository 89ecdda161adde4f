/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "fake.h"
#include "base/log.h"
#include "loop/virtual.h"
#include "session/isid.h"
#include "session/inner.h"

#define T "iqn.2026-11.x:t"

/** The runner on a fake transport and virtual time: no network, no process, no waiting. */

struct world {
	struct sk_loop *l;
	struct fake f;
	struct sk_rng rng;
	struct sk_sessions *all;
	unsigned done, steps, redirects;
	enum sk_result code[64];
	bool existing;
	uint32_t sid;
	char why[240];
	bool scan_failed;
};

static int fill(void *ctx, void *p, size_t n)
{
	(void)ctx;
	memset(p, 0x5a, n);
	return 0;
}

static void open_with(struct world *w, unsigned max_logins)
{
	struct sk_sessions_cfg cfg = { .machine = "machine", .alias = "here", .max_logins = max_logins };

	memset(w, 0, sizeof(*w));
	w->l = sk_loop_new(NULL);
	sk_loop_virtual(w->l, 1000000);
	fake_init(&w->f, w->l);
	w->rng.fill = fill;
	cfg.loop = w->l;
	cfg.transport = &w->f.t;
	cfg.rng = &w->rng;
	w->all = sk_sessions_new(&cfg, NULL);
	assert_non_null(w->all);
}

static void open_world(struct world *w)
{
	open_with(w, 0);
}

static void close_world(struct world *w)
{
	sk_sessions_free(w->all);
	assert_null(w->f.first);
	sk_loop_free(w->l);
}

static void turn(struct world *w)
{
	for (int i = 0; i < 60; i++) {
		sk_loop_turn(w->l, false);
		sk_loop_advance(w->l, 0);
	}
}

static void pass(struct world *w, uint64_t ms)
{
	for (uint64_t t = 0; t < ms; t += 100) {
		sk_loop_advance(w->l, 100);
		turn(w);
	}
}

static void on_done(void *ctx, const struct sk_outcome *o)
{
	struct world *w = ctx;
	struct sk_session_info info;

	w->code[w->done++ % 64] = o->code;
	w->existing = o->existing;
	w->scan_failed = o->scan;
	snprintf(w->why, sizeof(w->why), "%s", o->why ? o->why->msg : "");
	if (o->s) {
		sk_session_info(o->s, &info);
		w->sid = info.sid;
	}
}

static void on_step(void *ctx, const struct sk_step *p)
{
	struct world *w = ctx;

	if (p->kind == SK_STEP_REDIRECT)
		w->redirects++;
	else
		w->steps++;
}

static struct sk_record *node(const char *target, const char *host)
{
	struct sk_record *r = sk_record_new(SK_REC_NODE, NULL);

	assert_int_equal(sk_record_set(r, "node.name", target, NULL), 0);
	assert_int_equal(sk_record_set(r, "node.conn[0].address", host, NULL), 0);
	assert_int_equal(sk_record_set(r, "node.conn[0].timeo.login_timeout", "10", NULL), 0);
	assert_int_equal(sk_record_set(r, "node.session.initial_login_retry_max", "3", NULL), 0);
	return r;
}

static int login_as(struct world *w, const char *target, struct sk_ask_login ask)
{
	ask.initiator = "iqn.2026-11.x:i";
	ask.step = on_step;
	ask.done = on_done;
	ask.ctx = w;
	return sk_sessions_login(w->all, node(target, "192.0.2.1"), &ask, NULL);
}

static int login(struct world *w)
{
	return login_as(w, T, (struct sk_ask_login){ 0 });
}

static struct sk_session_info info(struct world *w, uint32_t sid)
{
	struct sk_session_info i = { 0 };

	assert_int_equal(sk_sessions_info(w->all, sid, &i, NULL), 0);
	return i;
}

/* --- tests --------------------------------------------------------------------------------------------------- */

static void login_logout(void **st)
{
	struct world w;

	(void)st;
	open_world(&w);
	assert_int_equal(login(&w), 0);
	turn(&w);
	assert_int_equal(w.done, 1);
	assert_int_equal(w.code[0], 0);
	assert_int_equal(w.sid, 1);
	assert_non_null(strstr(w.f.peer.names, "TargetName=" T "\n"));
	assert_non_null(strstr(w.f.peer.names, "InitiatorAlias=here\n"));
	assert_string_equal(info(&w, 1).connection, "LOGGED IN");
	assert_string_equal(info(&w, 1).health, "LOGGED_IN");
	assert_string_equal(info(&w, 1).current.host, "192.0.2.1");
	assert_int_equal(sk_sessions_logout(w.all, 1, false, on_done, &w, NULL), 0);
	turn(&w);
	assert_int_equal(w.done, 2);
	assert_int_equal(w.code[1], 0);
	assert_int_equal(sk_sessions_count(w.all), 0);
	assert_int_equal(w.f.forgets, 2 - 1);
	close_world(&w);
}

static void requests_for_one_session_join(void **st)
{
	struct world w;

	(void)st;
	open_world(&w);
	for (int i = 0; i < 20; i++)
		assert_int_equal(login(&w), 0);
	turn(&w);
	assert_int_equal(w.done, 20);
	assert_int_equal(w.f.handoffs, 1);
	assert_int_equal(sk_sessions_count(w.all), 1);
	assert_int_equal(login(&w), -1);	/* it is there now: 15 for who does not say ensure */
	assert_int_equal(login_as(&w, T, (struct sk_ask_login){ .ensure = true }), 0);
	assert_int_equal(w.done, 21);
	assert_true(w.existing);
	close_world(&w);
}

static void slots_and_multiple(void **st)
{
	struct world w;
	struct sk_isid a, b;

	(void)st;
	open_world(&w);
	for (int caller = 0; caller < 2; caller++)	/* two callers who want two sessions each get two together */
		for (unsigned slot = 0; slot < 2; slot++)
			assert_int_equal(login_as(&w, T, (struct sk_ask_login){ .slot = slot }), 0);
	turn(&w);
	assert_int_equal(w.done, 4);
	assert_int_equal(sk_sessions_count(w.all), 2);
	assert_int_equal(login_as(&w, T, (struct sk_ask_login){ .multiple = true }), 0);
	turn(&w);
	assert_int_equal(sk_sessions_count(w.all), 3);
	assert_true(sk_isid_parse(strstr(w.f.first->tag, "isid=") + 5, &a));
	assert_true(sk_isid_parse(strstr(w.f.first->next->tag, "isid=") + 5, &b));
	assert_memory_not_equal(&a, &b, sizeof(a));
	close_world(&w);
}

static void failures_have_their_codes(void **st)
{
	static const struct {
		uint16_t status;
		enum sk_result code;
	} rows[] = {
		{ 0x0201, SK_RES_LOGIN_AUTH_FAILED }, { 0x0202, SK_RES_LOGIN_AUTH_FAILED }, { 0x0203, SK_RES_FATAL_LOGIN },
		{ 0x0200, SK_RES_FATAL_LOGIN },
	};

	(void)st;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world w;

		open_world(&w);
		w.f.peer.status = rows[i].status;
		assert_int_equal(login(&w), 0);
		turn(&w);
		assert_int_equal(w.done, 1);
		assert_int_equal(w.code[0], rows[i].code);
		assert_int_equal(w.f.peer.logins, 1);
		assert_int_equal(sk_sessions_count(w.all), 0);
		close_world(&w);
	}
}

static void a_target_that_is_not_able_is_asked_again(void **st)
{
	struct world w;

	(void)st;
	open_world(&w);
	w.f.peer.status = 0x0301;
	assert_int_equal(login(&w), 0);
	pass(&w, 3000);
	assert_int_equal(w.done, 0);
	assert_true(w.steps >= 1);
	w.f.peer.status = 0;
	pass(&w, 8000);
	assert_int_equal(w.done, 1);
	assert_int_equal(w.code[0], 0);
	close_world(&w);
}

static void refused_until_the_time_is_over(void **st)
{
	struct world w;

	(void)st;
	open_world(&w);
	w.f.connect_errno = ECONNREFUSED;
	assert_int_equal(login(&w), 0);
	pass(&w, 29500);
	assert_int_equal(w.done, 0);
	pass(&w, 1000);			/* 3 x 10 s */
	assert_int_equal(w.done, 1);
	assert_int_equal(w.code[0], SK_RES_TRANS_TIMEOUT);
	assert_non_null(strstr(w.why, "Connection refused"));
	assert_int_equal(login_as(&w, T, (struct sk_ask_login){ .fail_fast = true }), 0);
	turn(&w);
	assert_int_equal(w.done, 2);
	assert_int_equal(w.code[1], SK_RES_TRANS_TIMEOUT);
	close_world(&w);
}

static void a_silent_target_ends_with_the_callers_limit(void **st)
{
	struct world w;

	(void)st;
	open_world(&w);
	w.f.hang = true;
	assert_int_equal(login_as(&w, T, (struct sk_ask_login){ .timeout_s = 5 }), 0);
	pass(&w, 4900);
	assert_int_equal(w.done, 0);
	pass(&w, 200);
	assert_int_equal(w.done, 1);
	assert_int_equal(w.code[0], SK_RES_TRANS_TIMEOUT);
	assert_non_null(strstr(w.why, "192.0.2.1"));
	close_world(&w);
}

static void one_that_hangs_delays_no_other(void **st)
{
	struct world w;
	char name[40];

	(void)st;
	open_world(&w);
	w.f.hang = true;
	assert_int_equal(login(&w), 0);
	turn(&w);
	w.f.hang = false;
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "iqn.2026-11.x:t%d", i);
		assert_int_equal(login_as(&w, name, (struct sk_ask_login){ 0 }), 0);
	}
	turn(&w);
	assert_int_equal(w.done, 50);
	close_world(&w);
}

static void no_more_at_once_than_allowed(void **st)
{
	struct world w;
	char name[40];

	(void)st;
	open_with(&w, 4);
	w.f.hang = true;
	for (int i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "iqn.2026-11.x:t%d", i);
		assert_int_equal(login_as(&w, name, (struct sk_ask_login){ 0 }), 0);
	}
	turn(&w);
	assert_int_equal(w.f.opens, 4);
	w.f.hang = false;
	pass(&w, 30000);		/* the four give up their slots when they time out; all come through in the end */
	assert_int_equal(w.done, 10);
	for (int i = 0; i < 10; i++)
		assert_int_equal(w.code[i], 0);
	close_world(&w);
}

static void redirects_are_followed_within_reason(void **st)
{
	struct world w;
	const struct sockaddr_in *to = (const struct sockaddr_in *)(const void *)&w.f.to;

	(void)st;
	open_world(&w);
	w.f.peer.status = 0x0101;
	w.f.peer.redirect = "192.0.2.77:3999,1";
	assert_int_equal(login(&w), 0);
	for (int i = 0; i < 6 && !w.redirects; i++)
		sk_loop_turn(w.l, false);
	turn(&w);
	assert_int_equal(to->sin_addr.s_addr, inet_addr("192.0.2.77"));
	assert_int_equal(ntohs(to->sin_port), 3999);
	assert_int_equal(w.done, 1);		/* it sends us round and round */
	assert_int_equal(w.code[0], SK_RES_FATAL_LOGIN);
	assert_int_equal(w.redirects, 17);
	w.f.peer.redirect = "127.0.0.1:22";
	w.redirects = 0;
	assert_int_equal(login(&w), 0);
	turn(&w);
	assert_int_equal(w.redirects, 1);
	assert_int_equal(w.done, 2);
	assert_int_equal(w.code[1], SK_RES_FATAL_LOGIN);
	assert_non_null(strstr(w.why, "this machine"));
	close_world(&w);
}

static void lost_and_found(void **st)
{
	struct world w;
	struct sk_isid first;

	(void)st;
	open_world(&w);
	assert_int_equal(login(&w), 0);
	turn(&w);
	first = w.f.peer.isid;
	w.f.connect_errno = ECONNREFUSED;
	fake_lose(w.f.first);
	turn(&w);
	assert_string_equal(info(&w, 1).internal, "REOPEN");
	assert_string_equal(info(&w, 1).health, "FAILED");
	pass(&w, 20000);
	assert_non_null(info(&w, 1).error);
	w.f.connect_errno = 0;
	sk_sessions_kick(w.all);
	turn(&w);
	assert_string_equal(info(&w, 1).connection, "LOGGED IN");
	assert_int_equal(info(&w, 1).recoveries, 1);
	assert_memory_equal(&first, &w.f.peer.isid, sizeof(first));	/* reinstatement needs the same ISID */
	assert_int_equal(w.f.handoffs, 2);
	close_world(&w);
}

static void a_refused_relogin_keeps_the_session(void **st)
{
	struct world w;

	(void)st;
	open_world(&w);
	assert_int_equal(login(&w), 0);
	turn(&w);
	w.f.peer.status = 0x0201;
	fake_lose(w.f.first);
	pass(&w, 30000);
	assert_int_equal(sk_sessions_count(w.all), 1);
	w.f.peer.status = 0;
	pass(&w, 60000);
	assert_string_equal(info(&w, 1).connection, "LOGGED IN");
	close_world(&w);
}

/* Another portal group is another SCSI target port: what the session holds there is not there (RFC 7143, 4.4.3). */
static void a_relogin_keeps_to_its_portal_group(void **st)
{
	struct world w;

	(void)st;
	for (int any = 0; any <= 1; any++) {
		open_with(&w, 0);
		w.all->cfg.any_group = any;
		assert_int_equal(login(&w), 0);
		turn(&w);
		w.f.peer.tpgt_less_1 = 1;
		fake_lose(w.f.first);
		pass(&w, 20000);
		assert_string_equal(info(&w, 1).connection, any ? "LOGGED IN" : "TRANSPORT WAIT");
		if (!any)
			assert_non_null(strstr(info(&w, 1).error->msg, "TargetPortalGroupTag=2 where 1 was expected"));
		w.f.peer.tpgt_less_1 = 0;	/* and back: nothing was given up */
		pass(&w, 60000);
		assert_string_equal(info(&w, 1).connection, "LOGGED IN");
		assert_int_equal(info(&w, 1).tpgt, any ? 2 : 1);
		close_world(&w);
	}
}

static unsigned lines;

static void count_line(void *ctx, enum sk_level level, enum sk_room room, const char *text)
{
	(void)ctx;
	(void)room;
	(void)text;
	lines += level <= SK_LOG_NOTICE;
}

/* P31: a day without its target, refused or taken in and dropped again, leaves forty lines and not thousands. */
static void a_day_of_trouble_fills_no_log(void **st)
{
	struct world w;

	(void)st;
	for (int dropped = 0; dropped <= 1; dropped++) {
		open_world(&w);
		assert_int_equal(login(&w), 0);
		turn(&w);
		lines = 0;
		sk_log_to(count_line, NULL, SK_LOG_NOTICE, 0);
		w.f.connect_errno = dropped ? 0 : ECONNREFUSED;
		for (unsigned minute = 0; minute < 1440; minute++) {
			if (w.all->first->m.st == SK_ST_UP)
				fake_lose(w.f.first);
			for (int i = 0; i < 8; i++)
				sk_loop_turn(w.l, false);
			sk_loop_advance(w.l, 60000);
		}
		sk_log_to(NULL, NULL, SK_LOG_NOTICE, 0);
		assert_in_range(lines, 10, dropped ? 80 : 40);	/* dropped: a loss has two lines, and its recovery one */
		assert_true(w.f.opens > 500);
		close_world(&w);
	}
}

/* A deadline that does not come is a fault of ours; it costs seconds then, not the session. */
static void the_watchdog_brings_a_lost_deadline(void **st)
{
	struct world w;
	struct sk_session *s;

	(void)st;
	open_world(&w);
	assert_int_equal(login(&w), 0);
	turn(&w);
	w.f.connect_errno = ECONNREFUSED;
	fake_lose(w.f.first);
	turn(&w);
	pass(&w, 40000);
	assert_int_equal(sk_sessions_missed(w.all), 0);		/* none is late by itself */
	s = w.all->first;
	assert_int_equal(s->m.st, SK_ST_BACKOFF);
	sk_timer_at(s->timer, UINT64_MAX);			/* the fault */
	w.f.connect_errno = 0;
	pass(&w, 90000);
	assert_int_equal(sk_sessions_missed(w.all), 1);
	assert_string_equal(info(&w, 1).connection, "LOGGED IN");
	sk_loop_advance(w.l, 3600000);
	assert_int_equal(sk_sessions_missed(w.all), 1);
	close_world(&w);
}

/* Name servers fell silent: what worked last is used after a second, and so it is by a daemon that was started meanwhile. */
static void silent_name_servers_do_not_keep_a_session_away(void **st)
{
	struct world w;

	(void)st;
	open_world(&w);
	assert_int_equal(login(&w), 0);		/* a numeric address: it stands for the name that worked once */
	turn(&w);
	snprintf(w.all->first->host, sizeof(w.all->first->host), "%s", "hangs.invalid");
	fake_lose(w.f.first);
	turn(&w);
	w.all->first->m.attempts = 2;		/* the next attempt asks the name servers again */
	sk_loop_advance(w.l, 2000);
	assert_int_equal(w.all->first->m.st, SK_ST_RESOLVE);
	assert_non_null(w.all->first->resolving);
	sk_session_no_answer(w.all->first);	/* as its timer says after a second */
	turn(&w);
	assert_string_equal(info(&w, 1).connection, "LOGGED IN");
	close_world(&w);
}

/* Several addresses: one open for all of them, and the one that took it is shown and comes first from then on. */
static void addresses_of_a_name_race(void **st)
{
	struct world w;
	struct sk_session *s;
	struct sockaddr_storage three[3];

	(void)st;
	open_world(&w);
	assert_int_equal(login(&w), 0);
	turn(&w);
	assert_int_equal(w.f.raced, 0);		/* one address is no race */
	s = w.all->first;
	for (unsigned i = 0; i < 3; i++) {
		three[i] = s->good.a[0];
		((struct sockaddr_in *)(void *)&three[i])->sin_addr.s_addr = htonl(0xc0000201 + i);
	}
	assert_true(sk_addrs_keep(&s->good, 3, three));
	w.f.win = 2;
	fake_lose(w.f.first);
	pass(&w, 5000);
	assert_int_equal(w.f.raced, 3);
	assert_int_equal(w.f.opens, 2);
	assert_string_equal(info(&w, 1).connection, "LOGGED IN");
	assert_string_equal(info(&w, 1).current.host, "192.0.2.3");
	assert_int_equal(((struct sockaddr_in *)(void *)&s->good.a[0])->sin_addr.s_addr, htonl(0xc0000203));
	assert_int_equal(((struct sockaddr_in *)(void *)&s->good.a[2])->sin_addr.s_addr, htonl(0xc0000202));
	close_world(&w);
}

static void logout_is_refused_while_in_use(void **st)
{
	struct world w;

	(void)st;
	open_world(&w);
	assert_int_equal(login(&w), 0);
	turn(&w);
	w.f.end_busy = true;
	assert_int_equal(sk_sessions_logout(w.all, 1, false, on_done, &w, NULL), 0);
	assert_int_equal(sk_sessions_logout(w.all, 1, false, on_done, &w, NULL), -1);	/* one at a time */
	turn(&w);
	assert_int_equal(w.done, 2);
	assert_int_equal(w.code[1], SK_RES_BUSY);
	assert_string_equal(w.why, "mounted on /mnt");
	assert_string_equal(info(&w, 1).connection, "LOGGED IN");
	assert_int_equal(sk_sessions_logout(w.all, 9, false, on_done, &w, NULL), -1);
	close_world(&w);
}

static void a_data_path_that_refuses(void **st)
{
	struct world w;

	(void)st;
	open_world(&w);
	w.f.attach_fails = true;
	assert_int_equal(login(&w), 0);
	turn(&w);
	assert_int_equal(w.done, 1);
	assert_int_equal(w.code[0], SK_RES_INTERNAL);
	assert_string_equal(w.why, "no data path today");
	close_world(&w);
}

static void the_answer_waits_for_the_scan_or_not(void **st)
{
	struct world w;

	(void)st;
	open_world(&w);
	w.f.no_ready = true;
	assert_int_equal(login_as(&w, T, (struct sk_ask_login){ .login_only = true }), 0);
	assert_int_equal(login(&w), 0);
	turn(&w);
	assert_int_equal(w.done, 1);
	pass(&w, 61000);
	assert_int_equal(w.done, 2);
	assert_int_equal(w.code[1], 0);
	assert_true(w.scan_failed);
	close_world(&w);
}

static void rescan(void **st)
{
	struct world w;

	(void)st;
	open_world(&w);
	assert_int_equal(sk_sessions_rescan(w.all, 1, on_done, &w, NULL), -1);
	assert_int_equal(login(&w), 0);
	turn(&w);
	assert_int_equal(sk_sessions_rescan(w.all, 1, on_done, &w, NULL), 0);
	turn(&w);
	assert_int_equal(w.done, 2);
	assert_int_equal(w.code[1], 0);
	assert_int_equal(sk_sessions_rescan(w.all, 1, on_done, &w, NULL), 0);
	fake_lose(w.f.first);
	w.f.first->ready_due = false;
	turn(&w);
	assert_int_equal(w.done, 3);
	assert_int_equal(w.code[2], SK_RES_SESSION_NOT_CONNECTED);
	close_world(&w);
}

static void count_one(void *ctx)
{
	++*(unsigned *)ctx;
}

/* A process that did not answer in time, whose session was logged in once more meanwhile: with one ISID the two would
 * take the target from each other for ever (RFC 7143, 6.3.5). */
static void one_isid_is_adopted_once(void **st)
{
	unsigned over = 0;
	struct world w;
	struct sk_record *a;

	(void)st;
	open_world(&w);
	a = node(T, "192.0.2.1");
	for (unsigned i = 0; i < 2; i++) {
		w.f.adopt[i].node = a;
		w.f.adopt[i].tag = "slot=0 isid=00023dabcdef";
		w.f.adopt[i].health = i ? SK_HEALTH_FAILED : SK_HEALTH_LOGGED_IN;
	}
	w.f.n_adopt = 2;
	assert_int_equal(sk_sessions_adopt(w.all, count_one, &over, NULL), 0);
	turn(&w);
	assert_int_equal(over, 1);
	assert_int_equal(sk_sessions_count(w.all), 1);
	assert_int_equal(w.f.opens, 0);
	sk_record_free(a);
	close_world(&w);
}

static void adoption(void **st)
{
	unsigned over = 0;
	struct world w;
	struct sk_record *a, *b;

	(void)st;
	open_world(&w);
	a = node(T, "192.0.2.1");
	b = node("iqn.2026-11.x:u", "192.0.2.1");
	w.f.adopt[0].node = a;
	w.f.adopt[0].tag = "slot=1 isid=00023dabcdef";
	w.f.adopt[0].health = SK_HEALTH_LOGGED_IN;
	w.f.adopt[1].node = b;
	w.f.adopt[1].tag = "slot=0 isid=00023d123456";
	w.f.adopt[1].health = SK_HEALTH_FAILED;
	w.f.n_adopt = 2;
	assert_int_equal(sk_sessions_adopt(w.all, count_one, &over, NULL), 0);
	assert_int_equal(over, 1);
	assert_string_equal(info(&w, 1).connection, "LOGGED IN");
	turn(&w);
	assert_int_equal(w.f.opens, 1);			/* the healthy one was not touched */
	assert_int_equal(w.f.peer.logins, 1);
	assert_int_equal(w.f.peer.isid.b[5], 0x56);	/* as it had before */
	assert_string_equal(info(&w, 2).connection, "LOGGED IN");
	assert_int_equal(info(&w, 1).slot, 1);
	assert_int_equal(login(&w), -1);		/* it is known */
	sk_record_free(a);
	sk_record_free(b);
	close_world(&w);
}

static void going_down_answers_everybody_and_touches_nothing(void **st)
{
	struct world w;

	(void)st;
	open_world(&w);
	assert_int_equal(login(&w), 0);
	turn(&w);
	w.f.hang = true;
	assert_int_equal(login_as(&w, "iqn.2026-11.x:u", (struct sk_ask_login){ 0 }), 0);
	turn(&w);
	assert_int_equal(w.done, 1);
	close_world(&w);
	assert_int_equal(w.done, 2);
	assert_int_equal(w.code[1], SK_RES_ISCSID_COMM_ERR);
	assert_int_equal(w.f.ends, 0);
	assert_int_equal(w.f.forgets, 2);
}

static void bad_records_are_refused(void **st)
{
	struct world w;
	struct sk_ask_login ask = { .initiator = "iqn.2026-11.x:i", .done = on_done, .ctx = &w };
	struct sk_err err = { 0 };

	(void)st;
	open_world(&w);
	assert_int_equal(sk_sessions_login(w.all, sk_record_new(SK_REC_NODE, NULL), &ask, &err), -1);
	assert_int_equal(err.code, SK_EINVAL);
	ask.initiator = "not a name";
	assert_int_equal(sk_sessions_login(w.all, node(T, "192.0.2.1"), &ask, &err), -1);
	assert_int_equal(err.code, SK_EINVAL);
	assert_int_equal(sk_sessions_count(w.all), 0);
	close_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(login_logout),
		cmocka_unit_test(requests_for_one_session_join),
		cmocka_unit_test(slots_and_multiple),
		cmocka_unit_test(failures_have_their_codes),
		cmocka_unit_test(a_target_that_is_not_able_is_asked_again),
		cmocka_unit_test(refused_until_the_time_is_over),
		cmocka_unit_test(a_silent_target_ends_with_the_callers_limit),
		cmocka_unit_test(one_that_hangs_delays_no_other),
		cmocka_unit_test(no_more_at_once_than_allowed),
		cmocka_unit_test(redirects_are_followed_within_reason),
		cmocka_unit_test(lost_and_found),
		cmocka_unit_test(a_refused_relogin_keeps_the_session),
		cmocka_unit_test(a_relogin_keeps_to_its_portal_group),
		cmocka_unit_test(a_day_of_trouble_fills_no_log),
		cmocka_unit_test(the_watchdog_brings_a_lost_deadline),
		cmocka_unit_test(silent_name_servers_do_not_keep_a_session_away),
		cmocka_unit_test(addresses_of_a_name_race),
		cmocka_unit_test(logout_is_refused_while_in_use),
		cmocka_unit_test(a_data_path_that_refuses),
		cmocka_unit_test(the_answer_waits_for_the_scan_or_not),
		cmocka_unit_test(rescan),
		cmocka_unit_test(adoption),
		cmocka_unit_test(one_isid_is_adopted_once),
		cmocka_unit_test(going_down_answers_everybody_and_touches_nothing),
		cmocka_unit_test(bad_records_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
