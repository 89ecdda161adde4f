/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "session/machine.h"

static const struct sk_sm_cfg cfg = {
	.login_timeout_ms = 15000,
	.window_ms = 120000,
	.scan_ms = 60000,
	.logout_timeout_ms = 15000,
	.time2wait_ms = 2000,
	.seed = 7,
};

static int step(struct sk_sm *m, enum sk_sm_kind k, uint64_t now)
{
	struct sk_err err = { 0 }, why = { .code = SK_ECONN,
					   .sys = 111,
					   .msg = "connect to 192.0.2.1:3260: Connection refused" };
	bool bad = k == SK_SM_RESOLVE_FAILED || k == SK_SM_REFUSED || k == SK_SM_HANDOFF_FAILED ||
		   k == SK_SM_DOWN || k == SK_SM_END_REFUSED || k == SK_SM_VANISHED;
	struct sk_sm_event ev = {
		.kind = k, .n_addrs = 1, .time2wait_ms = 2000, .cause = SK_CAUSE_REFUSED, .why = bad ? &why : NULL
	};

	return sk_sm_step(m, &ev, now, &err);
}

static void refuse(struct sk_sm *m, enum sk_cause c, uint64_t now)
{
	struct sk_err err = { 0 };
	struct sk_sm_event ev = { .kind = SK_SM_REFUSED, .cause = c };

	assert_int_equal(sk_sm_step(m, &ev, now, &err), 0);
}

/* Bring a machine to a state, at time 1000. */
static struct sk_sm in(enum sk_sm_state st, const struct sk_sm_cfg *c)
{
	static const struct {
		enum sk_sm_state st;
		enum sk_sm_kind path[9];
		unsigned n;
	} ways[] = {
		{ SK_ST_NEW, { 0 }, 0 },
		{ SK_ST_RESOLVE, { SK_SM_START }, 1 },
		{ SK_ST_CONNECT, { SK_SM_START, SK_SM_RESOLVED }, 2 },
		{ SK_ST_LOGIN, { SK_SM_START, SK_SM_RESOLVED, SK_SM_CONNECTED }, 3 },
		{ SK_ST_ATTACH, { SK_SM_START, SK_SM_RESOLVED, SK_SM_CONNECTED, SK_SM_LOGIN_DONE }, 4 },
		{ SK_ST_SCAN,
		  { SK_SM_START, SK_SM_RESOLVED, SK_SM_CONNECTED, SK_SM_LOGIN_DONE, SK_SM_ATTACHED },
		  5 },
		{ SK_ST_UP, { SK_SM_ADOPT_UP }, 1 },
		{ SK_ST_BACKOFF, { SK_SM_ADOPT_UP, SK_SM_DOWN }, 2 },
		{ SK_ST_LOGOUT, { SK_SM_ADOPT_UP, SK_SM_LOGOUT }, 2 },
		{ SK_ST_GONE, { SK_SM_ADOPT_UP, SK_SM_LOGOUT, SK_SM_ENDED }, 3 },
	};
	struct sk_sm m;

	sk_sm_init(&m, c);
	for (unsigned i = 0; i < ways[st].n; i++)
		assert_int_equal(step(&m, ways[st].path[i], 1000), 0);
	assert_int_equal(m.st, st);
	return m;
}

static void all_states_times_all_events(void **unused)
{
	unsigned accepted = 0;

	(void)unused;
	for (int st = 0; st < SK_ST_COUNT; st++) {
		for (int ev = 0; ev < SK_SM_KINDS; ev++) {
			struct sk_sm m = in((enum sk_sm_state)st, &cfg), before = m;

			if (step(&m, (enum sk_sm_kind)ev, 5000) == 0) {
				accepted++;
				continue;
			}
			before.acts = 0;
			assert_memory_equal(&m, &before, sizeof(m));
		}
		assert_true(strlen(sk_sm_state_name((enum sk_sm_state)st)) > 1);
	}
	for (int st = SK_ST_RESOLVE; st <= SK_ST_ATTACH; st++) { /* the same on the way back up */
		for (int ev = 0; ev < SK_SM_KINDS; ev++) {
			static const enum sk_sm_kind way[] = { SK_SM_TIMEOUT, SK_SM_RESOLVED, SK_SM_CONNECTED,
							       SK_SM_LOGIN_DONE };
			struct sk_sm m = in(SK_ST_BACKOFF, &cfg), first = in((enum sk_sm_state)st, &cfg), before;
			bool fits;

			for (int i = 0; i <= st - SK_ST_RESOLVE; i++)
				assert_int_equal(step(&m, way[i], 3000), 0);
			assert_int_equal(m.st, st);
			before = m;
			fits = step(&m, (enum sk_sm_kind)ev, 5000) == 0;
			assert_int_equal(fits, step(&first, (enum sk_sm_kind)ev, 5000) == 0);
			assert_true(m.established);
			before.acts = 0;
			if (!fits)
				assert_memory_equal(&m, &before, sizeof(m));
		}
	}
	for (int ev = 0; ev < SK_SM_KINDS; ev++) { /* nothing leads out of the end */
		struct sk_sm m = in(SK_ST_GONE, &cfg);

		assert_int_equal(step(&m, (enum sk_sm_kind)ev, 5000), -1);
		assert_true(strlen(sk_sm_event_name((enum sk_sm_kind)ev)) > 1);
	}
	assert_in_range(accepted, 50, 120);
}

static uint32_t next(uint32_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 17;
	*x ^= *x << 5;
	return *x;
}

/* Whatever happened before: when faults stop, a session that was up comes back. */
static void when_faults_stop_the_session_comes_back(void **unused)
{
	(void)unused;
	for (uint32_t seed = 1; seed <= 500; seed++) {
		uint32_t x = seed;
		uint64_t now = 1000;
		struct sk_sm m;

		sk_sm_init(&m, &cfg);
		step(&m, SK_SM_ADOPT_UP, now);
		for (int i = 0; i < 60; i++) {
			enum sk_sm_kind k = (enum sk_sm_kind)(next(&x) % SK_SM_KINDS);

			now += 500;
			if (k != SK_SM_LOGOUT && k != SK_SM_ENDED && k != SK_SM_VANISHED)
				step(&m, k, now);
		}
		for (int i = 0; i < 20 && m.st != SK_ST_UP; i++) {
			if (m.deadline_ms != UINT64_MAX && m.st == SK_ST_BACKOFF)
				now = m.deadline_ms;
			step(&m,
			     m.st == SK_ST_BACKOFF   ? SK_SM_TIMEOUT
			     : m.st == SK_ST_RESOLVE ? SK_SM_RESOLVED
			     : m.st == SK_ST_CONNECT ? SK_SM_CONNECTED
			     : m.st == SK_ST_LOGIN   ? SK_SM_LOGIN_DONE
						     : SK_SM_ATTACHED,
			     now);
		}
		assert_int_equal(m.st, SK_ST_UP);
	}
}

static void a_login_from_start_to_answer(void **unused)
{
	struct sk_sm m;

	(void)unused;
	sk_sm_init(&m, &cfg);
	assert_int_equal(step(&m, SK_SM_START, 0), 0);
	assert_int_equal(m.acts, SK_ACT_RESOLVE);
	assert_string_equal(sk_sm_connection_word(&m), "TRANSPORT WAIT");
	step(&m, SK_SM_RESOLVED, 1);
	assert_int_equal(m.acts, SK_ACT_CONNECT);
	step(&m, SK_SM_CONNECTED, 2);
	assert_int_equal(m.acts, SK_ACT_LOGIN);
	assert_string_equal(sk_sm_connection_word(&m), "IN LOGIN");
	step(&m, SK_SM_LOGIN_DONE, 3);
	assert_int_equal(m.acts, SK_ACT_HANDOFF);
	step(&m, SK_SM_ATTACHED, 4);
	assert_int_equal(m.acts, SK_ACT_UP);
	assert_false(m.recovered);
	assert_string_equal(sk_sm_connection_word(&m), "LOGGED IN");
	assert_string_equal(sk_sm_internal_word(&m), "NO CHANGE");
	step(&m, SK_SM_READY, 5);
	assert_int_equal(m.acts, SK_ACT_ANSWER);
	assert_int_equal(m.result, SK_RES_SUCCESS);
	assert_int_equal(m.scan_err.code, SK_OK);
	assert_true(m.deadline_ms == UINT64_MAX);
}

/* On a machine that is too busy to take the connection over in time, the login is tried again, as with a slow target. */
static void a_slow_handoff_is_not_a_refusal(void **unused)
{
	struct sk_sm m;

	(void)unused;
	sk_sm_init(&m, &cfg);
	step(&m, SK_SM_START, 0);
	step(&m, SK_SM_RESOLVED, 1);
	step(&m, SK_SM_CONNECTED, 2);
	step(&m, SK_SM_LOGIN_DONE, 3);
	assert_int_equal(m.st, SK_ST_ATTACH);
	step(&m, SK_SM_TIMEOUT, m.deadline_ms);
	assert_int_equal(m.st, SK_ST_BACKOFF);
	assert_int_equal(m.acts & (SK_ACT_HALT | SK_ACT_ATTEMPT_FAILED | SK_ACT_ANSWER), SK_ACT_HALT | SK_ACT_ATTEMPT_FAILED);
	step(&m, SK_SM_TIMEOUT, m.deadline_ms);
	assert_int_equal(m.st, SK_ST_RESOLVE);
}

/* Refused at every attempt: 8 after initial_login_retry_max x login_timeout, not sooner and not later. */
static void refused_until_the_window_is_over(void **unused)
{
	uint64_t now = 0;
	struct sk_sm m;

	(void)unused;
	sk_sm_init(&m, &cfg);
	step(&m, SK_SM_START, now);
	while (m.st != SK_ST_GONE) {
		if (m.st == SK_ST_RESOLVE) {
			step(&m, SK_SM_RESOLVED, now);
			step(&m, SK_SM_DOWN, now + 1);
			assert_true(m.st == SK_ST_GONE || m.acts & SK_ACT_ATTEMPT_FAILED);
			continue;
		}
		now = m.deadline_ms;
		step(&m, SK_SM_TIMEOUT, now);
	}
	assert_true(now == 120000);
	assert_int_equal(m.acts, SK_ACT_ANSWER | SK_ACT_GONE);
	assert_int_equal(m.result, SK_RES_TRANS_TIMEOUT);
	assert_int_equal(m.err.sys, 111); /* the words say why, not "timed out" (P11) */
	assert_in_range(m.attempts, 9, 16);
}

static void a_silent_portal_ends_with_the_window_too(void **unused)
{
	uint64_t now = 0;
	struct sk_sm_cfg c = cfg;
	struct sk_sm m;

	(void)unused;
	c.window_ms = 5000;
	sk_sm_init(&m, &c);
	step(&m, SK_SM_START, now);
	step(&m, SK_SM_RESOLVED, now);
	assert_true(m.deadline_ms == 5000);
	step(&m, SK_SM_TIMEOUT, 5000);
	assert_int_equal(m.st, SK_ST_GONE);
	assert_int_equal(m.result, SK_RES_TRANS_TIMEOUT);
}

static void fail_fast_tries_every_address_once(void **unused)
{
	struct sk_sm_cfg c = cfg;
	struct sk_sm_event three = { .kind = SK_SM_RESOLVED, .n_addrs = 3 };
	struct sk_sm m;

	(void)unused;
	c.fail_fast = true;
	sk_sm_init(&m, &c);
	step(&m, SK_SM_START, 0);
	assert_int_equal(sk_sm_step(&m, &three, 0, NULL), 0);
	step(&m, SK_SM_DOWN, 1);
	assert_int_equal(m.acts, SK_ACT_HALT | SK_ACT_CONNECT);
	assert_int_equal(m.addr, 1);
	assert_true(m.deadline_ms == 5001); /* a third of login_timeout for each */
	step(&m, SK_SM_TIMEOUT, 5001);	    /* silent: the next one */
	assert_int_equal(m.addr, 2);
	step(&m, SK_SM_DOWN, 5002);
	assert_int_equal(m.st, SK_ST_GONE);
	assert_int_equal(m.result, SK_RES_TRANS_TIMEOUT);
}

static void permanent_refusals_end_at_once(void **unused)
{
	static const struct {
		enum sk_cause c;
		enum sk_result r;
	} t[] = {
		{ SK_CAUSE_AUTH, SK_RES_LOGIN_AUTH_FAILED },
		{ SK_CAUSE_FOR_GOOD, SK_RES_FATAL_LOGIN },
		{ SK_CAUSE_PROTO, SK_RES_FATAL_LOGIN },
		{ SK_CAUSE_REDIRECTS, SK_RES_FATAL_LOGIN },
	};
	struct sk_sm m;

	(void)unused;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		m = in(SK_ST_LOGIN, &cfg);
		refuse(&m, t[i].c, 1100);
		assert_int_equal(m.st, SK_ST_GONE);
		assert_int_equal(m.result, t[i].r);
		m = in(SK_ST_BACKOFF, &cfg); /* a session with disks is never lost for it */
		step(&m, SK_SM_KICK, 3100);
		step(&m, SK_SM_RESOLVED, 3100);
		step(&m, SK_SM_CONNECTED, 3100);
		refuse(&m, t[i].c, 3100);
		assert_int_equal(m.st, SK_ST_BACKOFF);
	}
	m = in(SK_ST_LOGIN, &cfg);
	refuse(&m, SK_CAUSE_REFUSED, 1100);
	assert_int_equal(m.st, SK_ST_BACKOFF);
	m = in(SK_ST_RESOLVE, &cfg);
	step(&m, SK_SM_RESOLVE_FAILED, 1100);
	assert_int_equal(m.st, SK_ST_GONE);
	assert_int_equal(m.result, SK_RES_TRANS);
}

static void time2wait_then_backoff_after_a_loss(void **unused)
{
	struct sk_sm m = in(SK_ST_UP, &cfg);
	uint64_t now = 5000;

	(void)unused;
	step(&m, SK_SM_DOWN, now);
	assert_int_equal(m.acts, SK_ACT_LOST);
	assert_string_equal(sk_sm_connection_word(&m), "TRANSPORT WAIT");
	assert_string_equal(sk_sm_internal_word(&m), "REOPEN");
	assert_true(m.deadline_ms == 7000);
	for (unsigned n = 1; n <= 50; n++) {
		now = m.deadline_ms;
		step(&m, SK_SM_TIMEOUT, now);
		step(&m, SK_SM_RESOLVED, now);
		step(&m, SK_SM_DOWN, now);
		assert_true(m.deadline_ms == now + sk_policy_backoff(n, cfg.seed, 0));
	}
	now = m.deadline_ms;
	step(&m, SK_SM_TIMEOUT, now);
	step(&m, SK_SM_RESOLVED, now);
	step(&m, SK_SM_CONNECTED, now);
	step(&m, SK_SM_LOGIN_DONE, now);
	step(&m, SK_SM_ATTACHED, now);
	assert_int_equal(m.st, SK_ST_UP);
	assert_true(m.recovered);
	assert_int_equal(m.attempts, 51);
	assert_int_equal(m.recoveries, 1);
}

static void async_events_wait_as_the_target_says(void **unused)
{
	struct sk_sm m = in(SK_ST_UP, &cfg);
	struct sk_sm_event drop = { .kind = SK_SM_ASYNC_DROP, .time2wait_ms = 9000 };

	(void)unused;
	assert_int_equal(sk_sm_step(&m, &drop, 2000, NULL), 0);
	assert_int_equal(m.acts, SK_ACT_HALT | SK_ACT_LOST);
	assert_true(m.deadline_ms == 11000);
	m = in(SK_ST_UP, &cfg);
	step(&m, SK_SM_ASYNC_LOGOUT, 2000);
	assert_int_equal(m.acts, SK_ACT_HALT | SK_ACT_LOST);
	assert_true(m.deadline_ms == 4000);
}

/* The longest wait a target may ask for is 18 hours; only the record's own value may be longer than ours. */
static void time2wait_has_a_bound(void **unused)
{
	struct sk_sm_event drop = { .kind = SK_SM_ASYNC_DROP, .time2wait_ms = 65535000 };
	struct sk_sm m = in(SK_ST_UP, &cfg);
	struct sk_sm_cfg patient = cfg;

	(void)unused;
	assert_int_equal(sk_sm_step(&m, &drop, 2000, NULL), 0);
	assert_true(m.deadline_ms == 2000 + SK_TIME2WAIT_MAX_MS);
	patient.time2wait_ms = 3600000;
	m = in(SK_ST_UP, &patient);
	assert_int_equal(sk_sm_step(&m, &drop, 2000, NULL), 0);
	assert_true(m.deadline_ms == 2000 + 3600000);
}

static void login_again(struct sk_sm *m, uint64_t now)
{
	static const enum sk_sm_kind way[] = { SK_SM_TIMEOUT, SK_SM_RESOLVED, SK_SM_CONNECTED, SK_SM_LOGIN_DONE,
					       SK_SM_ATTACHED };

	for (size_t i = 0; i < sizeof(way) / sizeof(way[0]); i++)
		assert_int_equal(step(m, way[i], now), 0);
	assert_int_equal(m->st, SK_ST_UP);
}

/* It takes the login and breaks the protocol at once, for ever: asked less and less often, down to once a minute.
 */
static void a_target_that_breaks_every_connection_is_backed_off_from(void **unused)
{
	struct sk_sm m = in(SK_ST_UP, &cfg);
	uint64_t now = 1000, hour = 3600000;
	unsigned logins = 0;

	(void)unused;
	for (; now < 2 * hour; logins++) {
		now += 10;
		step(&m, SK_SM_DOWN, now);
		assert_true(m.deadline_ms >= now + 2000); /* Time2Wait in any case */
		assert_true(m.deadline_ms <= now + SK_BACKOFF_MAX_MS);
		now = m.deadline_ms;
		login_again(&m, now);
	}
	assert_in_range(logins, 120, 180);
	now += SK_STABLE_MS; /* it has come to its senses: the next loss is an ordinary one */
	step(&m, SK_SM_DOWN, now);
	assert_true(m.deadline_ms == now + 2000);
}

static void a_kick_begins_the_backoff_anew_but_keeps_time2wait(void **unused)
{
	struct sk_sm m = in(SK_ST_UP, &cfg);
	uint64_t now = 100000;

	(void)unused;
	step(&m, SK_SM_DOWN, now);
	step(&m, SK_SM_KICK, now + 500);
	assert_int_equal(m.st, SK_ST_BACKOFF);
	assert_true(m.deadline_ms == now + 2000);
	for (unsigned n = 1; n <= 9; n++) {
		now = m.deadline_ms;
		step(&m, SK_SM_TIMEOUT, now);
		step(&m, SK_SM_RESOLVED, now);
		step(&m, SK_SM_DOWN, now);
	}
	assert_true(m.deadline_ms > now + 40000);
	step(&m, SK_SM_KICK, now + 1);
	assert_int_equal(m.acts, SK_ACT_RESOLVE);
	step(&m, SK_SM_RESOLVED, now + 1);
	step(&m, SK_SM_DOWN, now + 1);
	assert_true(m.deadline_ms == now + 1 + sk_policy_backoff(1, cfg.seed, 0));
	assert_int_equal(m.attempts, 10); /* reopen_max and people count every one */
}

static void reopen_max_ends_the_session(void **unused)
{
	struct sk_sm_cfg c = cfg;
	struct sk_sm m;

	(void)unused;
	c.reopen_max = 3;
	m = in(SK_ST_BACKOFF, &c);
	for (unsigned n = 1; n <= 3; n++) {
		assert_int_equal(m.st, SK_ST_BACKOFF);
		step(&m, SK_SM_TIMEOUT, m.deadline_ms);
		step(&m, SK_SM_RESOLVED, m.deadline_ms);
		step(&m, SK_SM_DOWN, m.deadline_ms);
	}
	assert_int_equal(m.st, SK_ST_LOGOUT);
	assert_true(m.acts & SK_ACT_END && m.force);
	assert_int_equal(step(&m, SK_SM_END_REFUSED, m.deadline_ms - 1),
			 0); /* then it is still without a connection */
	assert_int_equal(m.st, SK_ST_BACKOFF);
}

/* The first scan never ended: who waits for it is told all the same. */
static void reopen_max_during_the_scan_answers(void **unused)
{
	struct sk_sm_cfg c = cfg;
	struct sk_sm m;

	(void)unused;
	c.reopen_max = 1;
	m = in(SK_ST_SCAN, &c);
	step(&m, SK_SM_DOWN, 2000);
	step(&m, SK_SM_TIMEOUT, m.deadline_ms);
	step(&m, SK_SM_RESOLVED, 4000);
	step(&m, SK_SM_DOWN, 4000);
	assert_int_equal(m.st, SK_ST_LOGOUT);
	assert_true(m.acts & SK_ACT_ANSWER);
	assert_int_equal(m.result, SK_RES_TRANS_TIMEOUT);
}

static void seventeen_redirects_are_a_loop(void **unused)
{
	struct sk_sm m = in(SK_ST_LOGIN, &cfg);

	(void)unused;
	for (int i = 0; i < 16; i++) {
		step(&m, SK_SM_REDIRECT, 1000);
		assert_int_equal(m.acts, SK_ACT_HALT | SK_ACT_RESOLVE);
		assert_true(m.redirected);
		assert_string_equal(sk_sm_internal_word(&m), "REDIRECT");
		step(&m, SK_SM_RESOLVED, 1000);
		step(&m, SK_SM_CONNECTED, 1000);
	}
	step(&m, SK_SM_REDIRECT, 1000);
	assert_int_equal(m.st, SK_ST_GONE);
	assert_int_equal(m.result, SK_RES_FATAL_LOGIN);
}

static void a_failed_redirect_starts_over_at_the_persistent_portal(void **unused)
{
	struct sk_sm m = in(SK_ST_LOGIN, &cfg);

	(void)unused;
	step(&m, SK_SM_REDIRECT, 1000);
	step(&m, SK_SM_RESOLVE_FAILED, 1000); /* the new name, not ours: worth another try */
	assert_int_equal(m.st, SK_ST_BACKOFF);
	step(&m, SK_SM_TIMEOUT, m.deadline_ms);
	assert_false(m.redirected);
	assert_int_equal(m.redirects, 0);
}

static void logout_in_every_state(void **unused)
{
	struct sk_sm m = in(SK_ST_LOGIN, &cfg);

	(void)unused;
	step(&m, SK_SM_LOGOUT, 1000);
	assert_int_equal(m.st, SK_ST_LOGIN);
	assert_int_equal(m.acts, SK_ACT_LOGOUT_ANSWER);
	assert_int_equal(m.logout_result, SK_RES_INTERNAL);
	m = in(SK_ST_BACKOFF, &cfg); /* its target is gone: logs out all the same */
	step(&m, SK_SM_LOGOUT, 1000);
	assert_int_equal(m.acts, SK_ACT_HALT | SK_ACT_END);
	assert_string_equal(sk_sm_connection_word(&m), "IN LOGOUT");
	step(&m, SK_SM_ENDED, 1000);
	assert_int_equal(m.acts, SK_ACT_LOGOUT_ANSWER | SK_ACT_GONE);
	assert_int_equal(m.logout_result, SK_RES_SUCCESS);
	m = in(SK_ST_LOGOUT, &cfg);
	assert_int_equal(step(&m, SK_SM_LOGOUT, 1000), -1);
	step(&m, SK_SM_END_REFUSED, 1000);
	assert_int_equal(m.st, SK_ST_UP);
	assert_int_equal(m.logout_result, SK_RES_LOGOUT);
	m = in(SK_ST_LOGOUT, &cfg);
	step(&m, SK_SM_DOWN, 1000);
	step(&m, SK_SM_TIMEOUT, m.deadline_ms);
	assert_int_equal(m.st, SK_ST_BACKOFF);
	assert_int_equal(m.logout_result, SK_RES_LOGOUT);
}

static void in_use_is_told_as_busy(void **unused)
{
	struct sk_sm m = in(SK_ST_LOGOUT, &cfg);
	struct sk_err busy = { .code = SK_EBUSY, .msg = "loop3 is mounted on /mnt" };
	struct sk_sm_event ev = { .kind = SK_SM_END_REFUSED, .why = &busy };

	(void)unused;
	assert_int_equal(sk_sm_step(&m, &ev, 1000, NULL), 0);
	assert_int_equal(m.logout_result, SK_RES_BUSY);
	assert_string_equal(m.err.msg, busy.msg);
	assert_int_equal(m.st, SK_ST_UP);
}

static void a_scan_that_hangs_does_not_hold_the_answer(void **unused)
{
	struct sk_sm m = in(SK_ST_SCAN, &cfg);

	(void)unused;
	assert_true(m.deadline_ms == 61000);
	step(&m, SK_SM_TIMEOUT, 61000);
	assert_int_equal(m.acts, SK_ACT_ANSWER);
	assert_int_equal(m.result, SK_RES_SUCCESS);
	assert_int_equal(m.scan_err.code, SK_ETIME);
	assert_int_equal(m.st, SK_ST_SCAN);
	step(&m, SK_SM_READY, 90000);
	assert_int_equal(m.st, SK_ST_UP);
	assert_int_equal(m.acts, 0);
}

static void lost_in_the_scan_recovers_and_answers(void **unused)
{
	struct sk_sm m = in(SK_ST_SCAN, &cfg);

	(void)unused;
	step(&m, SK_SM_DOWN, 2000);
	assert_false(m.answered);
	step(&m, SK_SM_TIMEOUT, m.deadline_ms);
	step(&m, SK_SM_RESOLVED, 4000);
	step(&m, SK_SM_CONNECTED, 4000);
	step(&m, SK_SM_LOGIN_DONE, 4000);
	step(&m, SK_SM_ATTACHED, 4000);
	assert_int_equal(m.st, SK_ST_SCAN);
	step(&m, SK_SM_READY, 4500);
	assert_int_equal(m.acts, SK_ACT_ANSWER);
	assert_int_equal(m.result, SK_RES_SUCCESS);
}

static void a_vanished_process(void **unused)
{
	struct sk_sm m = in(SK_ST_ATTACH, &cfg);

	(void)unused;
	step(&m, SK_SM_VANISHED, 1000);
	assert_int_equal(m.st, SK_ST_GONE);
	assert_int_equal(m.result, SK_RES_INTERNAL);
	m = in(SK_ST_UP, &cfg);
	step(&m, SK_SM_VANISHED, 1000);
	assert_int_equal(m.st, SK_ST_GONE);
	m = in(SK_ST_LOGOUT, &cfg);
	step(&m, SK_SM_VANISHED, 1000);
	assert_int_equal(m.logout_result, SK_RES_SUCCESS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_states_times_all_events),
		cmocka_unit_test(when_faults_stop_the_session_comes_back),
		cmocka_unit_test(a_login_from_start_to_answer),
		cmocka_unit_test(a_slow_handoff_is_not_a_refusal),
		cmocka_unit_test(refused_until_the_window_is_over),
		cmocka_unit_test(a_silent_portal_ends_with_the_window_too),
		cmocka_unit_test(fail_fast_tries_every_address_once),
		cmocka_unit_test(permanent_refusals_end_at_once),
		cmocka_unit_test(time2wait_then_backoff_after_a_loss),
		cmocka_unit_test(async_events_wait_as_the_target_says),
		cmocka_unit_test(time2wait_has_a_bound),
		cmocka_unit_test(a_target_that_breaks_every_connection_is_backed_off_from),
		cmocka_unit_test(a_kick_begins_the_backoff_anew_but_keeps_time2wait),
		cmocka_unit_test(reopen_max_ends_the_session),
		cmocka_unit_test(reopen_max_during_the_scan_answers),
		cmocka_unit_test(seventeen_redirects_are_a_loop),
		cmocka_unit_test(a_failed_redirect_starts_over_at_the_persistent_portal),
		cmocka_unit_test(logout_in_every_state),
		cmocka_unit_test(in_use_is_told_as_busy),
		cmocka_unit_test(a_scan_that_hangs_does_not_hold_the_answer),
		cmocka_unit_test(lost_in_the_scan_recovers_and_answers),
		cmocka_unit_test(a_vanished_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
