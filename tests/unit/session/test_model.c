/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "session/machine.h"

/**
 * The session machine against a model of what surrounds it: a resolver, a connection, a login, a data path. A
 * million steps on virtual time; some events are what the surroundings would say next, some come late or out of
 * place. Whatever comes, the machine asks only for what makes sense, always knows what happens next, and holds
 * nothing at the end.
 */

#define STEPS		 1000000
#define WALK		 400 /* steps of one session's life at most */
#define MODEL_MAX_T2W_MS 65535000U

struct model {
	struct sk_sm m;
	uint64_t now;
	uint32_t x; /* state of the generator */
	/* what surrounds it holds at the moment */
	bool resolving, conn, talking, handing, attached, ending;
	/* what was seen, for the end of the test */
	unsigned seen[SK_ST_COUNT][SK_SM_KINDS], logins, kicks;
};

static uint32_t rnd(struct model *w)
{
	w->x ^= w->x << 13;
	w->x ^= w->x >> 17;
	w->x ^= w->x << 5;
	return w->x;
}

static void let_go(struct model *w)
{
	w->resolving = w->conn = w->talking = w->handing = w->attached = false;
}

/* What the machine asks for, in its order: each makes sense only in a certain situation. */
static void do_acts(struct model *w)
{
	unsigned a = w->m.acts;

	if (a & SK_ACT_HALT)
		let_go(w);
	if (a & SK_ACT_LOST)
		assert_false(w->conn || w->talking || w->handing);
	if (a & SK_ACT_ATTEMPT_FAILED)
		assert_false(w->resolving || w->conn || w->talking || w->handing);
	if (a & SK_ACT_RESOLVE) {
		assert_false(w->resolving || w->conn || w->talking || w->handing || w->attached || w->ending);
		w->resolving = true;
	}
	if (a & SK_ACT_CONNECT) {
		assert_false(w->resolving || w->conn || w->talking || w->handing || w->attached || w->ending);
		w->conn = true;
	}
	if (a & SK_ACT_LOGIN) { /* never two logins for one session */
		assert_true(w->conn);
		assert_false(w->talking || w->handing || w->attached || w->ending);
		w->talking = true;
		w->logins++;
	}
	if (a & SK_ACT_HANDOFF) {
		assert_true(w->conn && w->talking);
		assert_false(w->attached);
		w->conn = w->talking = false;
		w->handing = true;
	}
	if (a & SK_ACT_UP) {
		assert_true(w->handing);
		w->handing = false;
		w->attached = true;
	}
	if (a & SK_ACT_END) {
		assert_false(w->ending || w->resolving || w->conn || w->talking || w->handing);
		w->ending = true;
	}
	if (a & SK_ACT_GONE)
		assert_false(w->resolving || w->conn || w->talking || w->handing || w->ending);
}

/* What is true between any two steps. */
static void check(const struct model *w, const struct sk_sm *was)
{
	const struct sk_sm *m = &w->m;
	uint32_t longest = SK_BACKOFF_MAX_MS;

	assert_true(m->st < SK_ST_COUNT);
	/* a next deadline, an end, or a session that is up and whose data path speaks when something happens */
	if (m->st == SK_ST_GONE)
		assert_true(m->deadline_ms == UINT64_MAX);
	else if (m->st != SK_ST_UP && m->st != SK_ST_SCAN && m->st != SK_ST_NEW)
		assert_true(m->deadline_ms != UINT64_MAX);
	if (m->st == SK_ST_SCAN && !m->answered)
		assert_true(m->deadline_ms != UINT64_MAX);
	/* one thing at a time, and only what the state stands for */
	assert_int_equal(w->resolving, m->st == SK_ST_RESOLVE);
	assert_int_equal(w->talking, m->st == SK_ST_LOGIN);
	assert_int_equal(w->conn, m->st == SK_ST_CONNECT || m->st == SK_ST_LOGIN);
	assert_int_equal(w->handing, m->st == SK_ST_ATTACH);
	assert_int_equal(w->ending, m->st == SK_ST_LOGOUT);
	if (m->st == SK_ST_UP || m->st == SK_ST_SCAN)
		assert_true(w->attached);
	if (m->st == SK_ST_BACKOFF || m->st == SK_ST_GONE)
		assert_false(w->attached);
	/* waiting has a bound */
	if (longest < m->cfg.time2wait_ms)
		longest = m->cfg.time2wait_ms;
	if (longest < SK_TIME2WAIT_MAX_MS)
		longest = SK_TIME2WAIT_MAX_MS;
	if (m->st == SK_ST_BACKOFF)
		assert_true(m->next_attempt <= w->now + longest);
	if (m->acts & SK_ACT_ATTEMPT_FAILED && m->st == SK_ST_BACKOFF)
		assert_true(m->next_attempt > w->now && m->next_attempt <= w->now + SK_BACKOFF_MAX_MS);
	if (!m->established && m->st != SK_ST_NEW && m->st != SK_ST_GONE)
		assert_true(m->deadline_ms <= m->window_end);
	/* exactly one answer, and never to nobody's end */
	if (m->acts & SK_ACT_ANSWER)
		assert_false(was->answered);
	if (m->st == SK_ST_GONE)
		assert_true(m->answered);
	assert_true(m->redirects <= SK_REDIRECTS_MAX + 1);
	if (was->established)
		assert_true(m->established);
	if (was->st == SK_ST_UP && m->st == SK_ST_BACKOFF)
		assert_true(m->not_before >= w->now);
}

/* What the surroundings could say next; now and then what they could not. */
static enum sk_sm_kind pick(struct model *w)
{
	static const struct {
		enum sk_sm_kind kind[6];
		unsigned n;
	} usual[SK_ST_COUNT] = {
		[SK_ST_RESOLVE] = { { SK_SM_RESOLVED, SK_SM_RESOLVED, SK_SM_RESOLVE_FAILED }, 3 },
		[SK_ST_CONNECT] = { { SK_SM_CONNECTED, SK_SM_CONNECTED, SK_SM_DOWN }, 3 },
		[SK_ST_LOGIN] = { { SK_SM_LOGIN_DONE, SK_SM_LOGIN_DONE, SK_SM_REDIRECT, SK_SM_REFUSED, SK_SM_DOWN },
				  5 },
		[SK_ST_ATTACH] = { { SK_SM_ATTACHED, SK_SM_ATTACHED, SK_SM_READY, SK_SM_HANDOFF_FAILED,
				     SK_SM_DOWN },
				   5 },
		[SK_ST_SCAN] = { { SK_SM_READY, SK_SM_READY, SK_SM_DOWN, SK_SM_ASYNC_DROP }, 4 },
		[SK_ST_UP] = { { SK_SM_DOWN, SK_SM_ASYNC_LOGOUT, SK_SM_ASYNC_DROP, SK_SM_READY, SK_SM_LOGOUT }, 5 },
		[SK_ST_BACKOFF] = { { SK_SM_KICK, SK_SM_DOWN, SK_SM_READY, SK_SM_LOGOUT }, 4 },
		[SK_ST_LOGOUT] = { { SK_SM_ENDED, SK_SM_END_REFUSED, SK_SM_DOWN }, 3 },
	};
	unsigned n = usual[w->m.st].n;

	if (n && rnd(w) % 4 != 0)
		return usual[w->m.st].kind[rnd(w) % n];
	return (enum sk_sm_kind)(rnd(w) % SK_SM_KINDS);
}

/* The deadline came and nobody spoke: something must move. */
static void check_progress(const struct model *w, const struct sk_sm *was)
{
	assert_true(w->m.st != was->st || w->m.deadline_ms > w->now || w->m.addr != was->addr);
}

static void one_step(struct model *w)
{
	static const struct sk_err why = { .code = SK_ECONN, .msg = "it is gone" };
	struct sk_sm was = w->m;
	struct sk_sm_event ev = { .n_addrs = 1 + rnd(w) % 4,
				  .time2wait_ms = rnd(w) % MODEL_MAX_T2W_MS,
				  .cause = (enum sk_cause)(SK_CAUSE_REFUSED + rnd(w) % 4),
				  .force = rnd(w) % 2,
				  .why = rnd(w) % 3 ? &why : NULL };
	bool silent = w->m.deadline_ms != UINT64_MAX && rnd(w) % 4 == 0;

	ev.kind = silent ? SK_SM_TIMEOUT : pick(w);
	if (silent && w->m.deadline_ms > w->now)
		w->now = w->m.deadline_ms;
	else if (!silent)
		w->now += rnd(w) % 2000;
	if (ev.kind == SK_SM_TIMEOUT && !silent)
		ev.why = NULL;
	if (sk_sm_step(&w->m, &ev, w->now, NULL) < 0) {
		was.acts = 0;
		assert_memory_equal(&was, &w->m, sizeof(was));
		return;
	}
	w->seen[was.st][ev.kind]++;
	/* what the event itself says about the surroundings */
	if (ev.kind == SK_SM_RESOLVED || ev.kind == SK_SM_RESOLVE_FAILED)
		w->resolving = false;
	if (ev.kind == SK_SM_DOWN || ev.kind == SK_SM_VANISHED)
		w->attached = false;
	if (ev.kind == SK_SM_DOWN && was.st == SK_ST_CONNECT)
		w->conn = false;
	if (was.st == SK_ST_LOGOUT &&
	    (ev.kind == SK_SM_ENDED || ev.kind == SK_SM_VANISHED || ev.kind == SK_SM_END_REFUSED ||
	     (w->m.st != SK_ST_LOGOUT && ev.kind == SK_SM_TIMEOUT))) {
		w->ending = false;
		if (ev.kind == SK_SM_ENDED || ev.kind == SK_SM_VANISHED || w->m.lost)
			w->attached = false;
	}
	w->kicks += ev.kind == SK_SM_KICK && was.st == SK_ST_BACKOFF && w->m.st == SK_ST_RESOLVE;
	do_acts(w);
	check(w, &was);
	if (silent)
		check_progress(w, &was);
}

static void begin(struct model *w, unsigned life)
{
	static const enum sk_sm_kind first[] = { SK_SM_START, SK_SM_START, SK_SM_ADOPT_UP, SK_SM_ADOPT_DOWN };
	struct sk_sm_cfg c = {
		.login_timeout_ms = 1 + rnd(w) % 60000,
		.window_ms = rnd(w) % 240000,
		.scan_ms = rnd(w) % 60000,
		.logout_timeout_ms = 1 + rnd(w) % 30000,
		.time2wait_ms = rnd(w) % 8 ? rnd(w) % 5000 : rnd(w) % 3600000,
		.reopen_max = life % 3 ? 0 : rnd(w) % 9,
		.seed = rnd(w),
		.fail_fast = rnd(w) % 5 == 0,
		.hard_window = rnd(w) % 2,
	};
	struct sk_sm_event ev = { .kind = first[rnd(w) % 4] };
	struct sk_sm was;

	let_go(w);
	w->ending = false;
	sk_sm_init(&w->m, &c);
	was = w->m;
	assert_int_equal(sk_sm_step(&w->m, &ev, w->now, NULL), 0);
	w->seen[SK_ST_NEW][ev.kind]++;
	w->attached = ev.kind == SK_SM_ADOPT_UP;
	do_acts(w);
	check(w, &was);
}

/* Nobody says anything any more. It ends, or it is a session with disks that is tried for ever, at a bounded pace.
 */
static void silence(struct model *w)
{
	static const struct sk_err why = { .code = SK_ETIME, .msg = "no answer in time" };
	uint64_t start = w->now;
	unsigned before = w->m.attempts, after;

	if (!w->m.established) {
		for (int i = 0; i < 2000 && w->m.st != SK_ST_GONE; i++) {
			struct sk_sm_event ev = { .kind = SK_SM_TIMEOUT, .why = &why };

			assert_true(w->m.deadline_ms != UINT64_MAX);
			w->now = w->m.deadline_ms > w->now ? w->m.deadline_ms : w->now;
			assert_int_equal(sk_sm_step(&w->m, &ev, w->now, NULL), 0);
			assert_true(w->now <= w->m.window_end || w->now == start);
		}
		assert_int_equal(w->m.st, SK_ST_GONE);
		return;
	}
	for (int i = 0; i < 60 && w->m.st != SK_ST_GONE && w->m.deadline_ms != UINT64_MAX; i++) {
		struct sk_sm_event ev = { .kind = SK_SM_TIMEOUT, .why = &why };

		w->now = w->m.deadline_ms > w->now ? w->m.deadline_ms : w->now;
		assert_int_equal(sk_sm_step(&w->m, &ev, w->now, NULL), 0);
	}
	after = w->m.attempts;
	if (w->m.deadline_ms != UINT64_MAX && !w->m.cfg.reopen_max)
		assert_true(after > before || w->m.st == SK_ST_LOGOUT);
}

static void a_million_steps_keep_the_invariants(void **unused)
{
	static const unsigned lively[] = { SK_ST_RESOLVE, SK_ST_CONNECT, SK_ST_LOGIN,	SK_ST_ATTACH,
					   SK_ST_SCAN,	  SK_ST_UP,	 SK_ST_BACKOFF, SK_ST_LOGOUT };
	static struct model w;
	unsigned n = 0, life = 0;

	(void)unused;
	memset(&w, 0, sizeof(w));
	w.x = 0x9e3779b9U;
	w.now = 1000;
	while (n < STEPS) {
		begin(&w, life++);
		for (int i = 0; i < WALK && w.m.st != SK_ST_GONE; i++, n++)
			one_step(&w);
		if (w.m.st != SK_ST_GONE)
			silence(&w);
	}
	/* the walks went everywhere: no state was left out, each was left by its deadline too */
	for (size_t i = 0; i < sizeof(lively) / sizeof(lively[0]); i++)
		assert_true(w.seen[lively[i]][SK_SM_TIMEOUT] > 100);
	assert_true(w.logins > 10000);
	assert_true(w.kicks > 1000);
}

/* From each state the usual news leads to a session that is up; no state is a trap. */
static void every_state_has_a_way_out(void **unused)
{
	static struct model w;
	bool reached[SK_ST_COUNT] = { false };

	(void)unused;
	for (uint32_t seed = 1; seed < 3000; seed++) {
		enum sk_sm_state from;

		memset(&w, 0, sizeof(w));
		w.x = seed * 2654435761U | 1;
		w.now = 1000;
		begin(&w, 1);
		w.m.cfg.reopen_max = 0;
		for (uint32_t i = 0; i < seed % 40 && w.m.st != SK_ST_GONE; i++)
			one_step(&w);
		from = w.m.st;
		if (from == SK_ST_GONE || !w.m.established)
			continue;
		for (int i = 0; i < 20 && w.m.st != SK_ST_UP; i++) {
			static const enum sk_sm_kind good[SK_ST_COUNT] = {
				[SK_ST_RESOLVE] = SK_SM_RESOLVED,   [SK_ST_CONNECT] = SK_SM_CONNECTED,
				[SK_ST_LOGIN] = SK_SM_LOGIN_DONE,   [SK_ST_ATTACH] = SK_SM_ATTACHED,
				[SK_ST_SCAN] = SK_SM_READY,	    [SK_ST_BACKOFF] = SK_SM_TIMEOUT,
				[SK_ST_LOGOUT] = SK_SM_END_REFUSED,
			};
			struct sk_sm_event ev = { .kind = good[w.m.st], .n_addrs = 1, .time2wait_ms = 2000 };

			if (w.m.st == SK_ST_BACKOFF)
				w.now = w.m.next_attempt;
			assert_int_equal(sk_sm_step(&w.m, &ev, w.now, NULL), 0);
		}
		assert_int_equal(w.m.st, SK_ST_UP);
		reached[from] = true;
	}
	for (unsigned st = SK_ST_RESOLVE; st < SK_ST_GONE; st++)
		assert_true(reached[st]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_million_steps_keep_the_invariants),
		cmocka_unit_test(every_state_has_a_way_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
