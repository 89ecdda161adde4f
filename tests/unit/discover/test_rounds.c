/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/num.h"
#include "discover/rounds.h"

/** When a source is asked again, on virtual time. */

#define POLL  30000
#define ROUND 100000
#define T0    5000

static const struct sk_rounds_cfg polling = { .poll_ms = POLL, .round_ms = ROUND, .seed = 7 };
static const struct sk_rounds_cfg hearing = { .listen = true, .round_ms = ROUND, .seed = 7 };
static const struct sk_rounds_cfg both = { .poll_ms = POLL, .listen = true, .round_ms = ROUND, .seed = 7 };
static const struct sk_rounds_cfg once = { .once = true, .listen = true, .round_ms = ROUND, .seed = 7 };

static int step_at(struct sk_rounds *m, enum sk_rounds_kind k, uint64_t now)
{
	struct sk_rounds_event ev = { .kind = k };

	return sk_rounds_step(m, &ev, now, NULL);
}

static void take(struct sk_rounds *m, enum sk_rounds_kind k, uint64_t now)
{
	assert_int_equal(step_at(m, k, now), 0);
}

static struct sk_rounds begun(const struct sk_rounds_cfg *cfg)
{
	struct sk_rounds m;

	sk_rounds_init(&m, cfg);
	take(&m, SK_RD_START, T0);
	return m;
}

static void it_is_asked_at_once_and_then_by_the_interval(void **st)
{
	struct sk_rounds m = begun(&polling);
	uint64_t now = T0;

	(void)st;
	assert_int_equal(m.acts, SK_RD_ACT_ASK);
	assert_int_equal(m.deadline_ms, T0 + ROUND);
	for (int i = 0; i < 100; i++) {
		now += 50;
		take(&m, SK_RD_FOUND, now);
		assert_int_equal(m.acts, SK_RD_ACT_APPLY);
		assert_in_range(m.deadline_ms - now, POLL - POLL / 10, POLL + POLL / 10);
		now = m.deadline_ms;
		take(&m, SK_RD_TIMEOUT, now - 1);
		assert_int_equal(m.acts, 0);
		take(&m, SK_RD_TIMEOUT, now);
		assert_int_equal(m.acts, SK_RD_ACT_ASK);
	}
}

static void two_sources_do_not_stay_in_step(void **st)
{
	struct sk_rounds_cfg other = polling;
	struct sk_rounds a = begun(&polling), b;

	(void)st;
	other.seed = 12345;
	b = begun(&other);
	take(&a, SK_RD_FOUND, T0);
	take(&b, SK_RD_FOUND, T0);
	assert_int_not_equal(a.deadline_ms, b.deadline_ms);
}

static void once_is_once(void **st)
{
	struct sk_rounds m = begun(&once);

	(void)st;
	assert_int_equal(m.acts, SK_RD_ACT_ASK);	/* and no ear */
	take(&m, SK_RD_FAILED, T0);
	assert_int_equal(m.st, SK_RD_BACKOFF);		/* a failure was no answer */
	take(&m, SK_RD_TIMEOUT, m.deadline_ms);
	take(&m, SK_RD_FOUND, m.began);
	assert_int_equal(m.st, SK_RD_DONE);
	assert_true(m.deadline_ms == UINT64_MAX);
	assert_int_equal(step_at(&m, SK_RD_TIMEOUT, UINT64_MAX), -1);
	take(&m, SK_RD_STOP, T0);
	assert_int_equal(m.acts, 0);
}

static void failures_back_off_and_are_told_now_and_then(void **st)
{
	struct sk_rounds m = begun(&polling);
	uint64_t now = T0;
	unsigned told = 0;

	(void)st;
	for (unsigned i = 1; now < T0 + 4 * 3600 * 1000; i++) {
		take(&m, SK_RD_FAILED, now);
		told += !!(m.acts & SK_RD_ACT_TELL_FAILED);
		assert_true(i > 1 || m.acts == SK_RD_ACT_TELL_FAILED);
		assert_int_equal(m.deadline_ms - now, sk_backoff(i, SK_RD_BACKOFF_MIN, SK_RD_BACKOFF_MAX, 7));
		now = m.deadline_ms;
		take(&m, SK_RD_TIMEOUT, now);
		assert_int_equal(m.acts, SK_RD_ACT_ASK);
	}
	assert_in_range(told, 20, 25);			/* four hours, one in ten minutes */
	take(&m, SK_RD_FOUND, now);
	assert_int_equal(m.acts, SK_RD_ACT_APPLY | SK_RD_ACT_TELL_WELL);
	take(&m, SK_RD_TIMEOUT, m.deadline_ms);
	take(&m, SK_RD_FOUND, now + 1);
	assert_int_equal(m.acts, SK_RD_ACT_APPLY);	/* told once */
}

static void a_round_that_hangs_is_given_up(void **st)
{
	struct sk_rounds m = begun(&polling);

	(void)st;
	take(&m, SK_RD_TIMEOUT, T0 + ROUND);
	assert_int_equal(m.acts, SK_RD_ACT_CANCEL | SK_RD_ACT_TELL_FAILED);
	assert_int_equal(m.st, SK_RD_BACKOFF);
}

static void what_is_missing_is_asked_for_again_soon(void **st)
{
	const struct sk_rounds_event missing = { .kind = SK_RD_FOUND, .missing = true };
	struct sk_rounds m = begun(&polling);

	(void)st;
	assert_int_equal(sk_rounds_step(&m, &missing, T0 + 10, NULL), 0);
	assert_int_equal(m.deadline_ms, T0 + 10 + SK_RD_CONFIRM_MS);
}

static void a_notice_brings_a_round_and_many_bring_one(void **st)
{
	struct sk_rounds m = begun(&hearing);
	uint64_t now = T0 + 10000;

	(void)st;
	assert_int_equal(m.acts, SK_RD_ACT_ASK | SK_RD_ACT_LISTEN);
	take(&m, SK_RD_EAR_UP, T0 + 5);			/* while asking: what changed before is asked for */
	take(&m, SK_RD_FOUND, T0 + 10);
	assert_int_equal(m.deadline_ms, T0 + SK_RD_GAP_MS);
	take(&m, SK_RD_TIMEOUT, m.deadline_ms);
	take(&m, SK_RD_FOUND, m.began);
	assert_true(m.deadline_ms == UINT64_MAX);	/* it hears: nobody needs to ask */
	take(&m, SK_RD_HEARD, now);
	for (unsigned i = 1; i < SK_RD_SETTLE_MS; i++) {
		take(&m, SK_RD_HEARD, now + i);
		assert_int_equal(m.deadline_ms, now + SK_RD_SETTLE_MS);
	}
	take(&m, SK_RD_TIMEOUT, m.deadline_ms);
	assert_int_equal(m.acts, SK_RD_ACT_ASK);
}

static void a_flood_of_notices_brings_a_round_a_second(void **st)
{
	struct sk_rounds m = begun(&hearing);
	uint64_t now = T0;

	(void)st;
	take(&m, SK_RD_EAR_UP, now);
	for (unsigned i = 0; i < 60000; i++, now++) {
		take(&m, SK_RD_HEARD, now);
		if (m.st == SK_RD_ASKING)
			take(&m, SK_RD_FOUND, now);
		if (now >= m.deadline_ms)
			take(&m, SK_RD_TIMEOUT, now);
	}
	assert_in_range(m.rounds, 40, 62);
}

static void without_an_ear_it_is_asked_now_and_then(void **st)
{
	struct sk_rounds m = begun(&hearing);

	(void)st;
	take(&m, SK_RD_EAR_DOWN, T0);
	assert_true(m.acts & SK_RD_ACT_TELL_DEAF);
	take(&m, SK_RD_FOUND, T0);
	assert_in_range(m.next_round, T0 + SK_RD_DEAF_MS - SK_RD_DEAF_MS / 10, T0 + SK_RD_DEAF_MS + SK_RD_DEAF_MS / 10);
	assert_true(m.deadline_ms == m.next_ear);
	take(&m, SK_RD_TIMEOUT, m.next_ear);
	assert_int_equal(m.acts, SK_RD_ACT_LISTEN);
	take(&m, SK_RD_EAR_UP, m.next_ear + 1);
	assert_int_equal(m.acts, SK_RD_ACT_TELL_WELL);
	assert_int_equal(m.deadline_ms, m.next_ear + 1 + SK_RD_SETTLE_MS);
	take(&m, SK_RD_TIMEOUT, m.deadline_ms);
	take(&m, SK_RD_FOUND, m.began);
	take(&m, SK_RD_EAR_DOWN, m.began);		/* lost while nothing else was due */
	assert_true(m.deadline_ms != UINT64_MAX && m.next_round != UINT64_MAX);
}

static void a_server_that_takes_us_in_and_throws_us_out_is_not_run_down(void **st)
{
	struct sk_rounds m = begun(&both);
	uint64_t now = T0;
	unsigned tries = 0, told = 0;

	(void)st;
	while (now < T0 + 3600 * 1000) {
		if (m.acts & SK_RD_ACT_LISTEN) {
			tries++;
			take(&m, SK_RD_EAR_UP, now);
			take(&m, SK_RD_EAR_DOWN, now);
			told += !!(m.acts & SK_RD_ACT_TELL_DEAF);
		}
		if (m.st == SK_RD_ASKING)
			take(&m, SK_RD_FOUND, now);
		now = m.deadline_ms;
		take(&m, SK_RD_TIMEOUT, now);
	}
	assert_in_range(tries, 60, 80);
	assert_in_range(told, 1, 7);
}

static void a_change_of_the_network_ends_a_backoff(void **st)
{
	struct sk_rounds m = begun(&polling);
	uint64_t now = T0;

	(void)st;
	for (int i = 0; i < 10; i++) {
		take(&m, SK_RD_FAILED, now);
		now = m.deadline_ms;
		take(&m, SK_RD_TIMEOUT, now);
	}
	take(&m, SK_RD_FAILED, now);
	assert_true(m.deadline_ms > now + 20000);
	take(&m, SK_RD_KICK, now + 1500);
	assert_int_equal(m.deadline_ms, now + 1500);
}

static void a_wish_is_for_those_who_rest(void **st)
{
	const struct sk_rounds_event wish = { .kind = SK_RD_WISH, .wish_ms = 5000 };
	struct sk_rounds m = begun(&polling);

	(void)st;
	assert_int_equal(sk_rounds_step(&m, &wish, T0, NULL), 0);
	assert_int_equal(m.deadline_ms, T0 + ROUND);
	take(&m, SK_RD_FOUND, T0);
	assert_int_equal(sk_rounds_step(&m, &wish, T0, NULL), 0);
	assert_int_equal(m.deadline_ms, T0 + 5000);
	take(&m, SK_RD_TIMEOUT, T0 + 5000);
	take(&m, SK_RD_FAILED, T0 + 5000);
	assert_int_equal(sk_rounds_step(&m, &wish, T0 + 5000, NULL), 0);
	assert_true(m.deadline_ms < T0 + 7000);		/* the backoff's, not the wish's */
}

/* --- every state against every event ---------------------------------------------------------------------------------- */

static void must_hold(const struct sk_rounds *m, const struct sk_rounds *was, enum sk_rounds_kind k, uint64_t now)
{
	bool running = m->st == SK_RD_ASKING || m->st == SK_RD_RESTING || m->st == SK_RD_BACKOFF;

	assert_true(!(m->acts & ~(unsigned)SK_RD_ACT_ALL));
	assert_true(!running || m->deadline_ms != UINT64_MAX || m->ear == SK_EAR_UP || m->ear == SK_EAR_STARTING);
	assert_true(running || m->deadline_ms == UINT64_MAX);
	assert_true(!!(m->acts & SK_RD_ACT_ASK) == (m->st == SK_RD_ASKING && (was->st != SK_RD_ASKING || m->rounds != was->rounds)));
	assert_true(!(m->acts & SK_RD_ACT_LISTEN) || m->ear == SK_EAR_STARTING);
	assert_true(!(m->acts & SK_RD_ACT_APPLY) || k == SK_RD_FOUND);
	assert_true(!(m->acts & SK_RD_ACT_CANCEL) || was->st == SK_RD_ASKING);
	assert_true(!(m->acts & SK_RD_ACT_DEAFEN) || was->ear == SK_EAR_STARTING || was->ear == SK_EAR_UP);
	assert_true(m->ear != SK_EAR_NONE || !m->cfg.listen || m->st == SK_RD_NEW || m->st == SK_RD_STOPPED);
	assert_true(m->cfg.listen || m->ear == SK_EAR_NONE);
	assert_true(m->st != SK_RD_DONE || m->cfg.once);
	/* an event never makes a deadline that has passed, unless it is due now */
	assert_true(k == SK_RD_TIMEOUT || !running || m->deadline_ms >= SK_MIN(now, was->deadline_ms));
	/* nothing is asked twice within the gap, but after a failure within its backoff */
	assert_true(!(m->acts & SK_RD_ACT_ASK) || was->st == SK_RD_NEW || now - was->began >= SK_RD_BACKOFF_MIN * 3U / 4);
}

static void every_state_meets_every_event(void **st)
{
	static const struct sk_rounds_cfg *const cfgs[] = { &polling, &hearing, &both, &once };
	unsigned refused = 0, taken = 0;

	(void)st;
	for (unsigned c = 0; c < 4; c++)
		for (unsigned s = 0; s < SK_RD_STATES; s++)
			for (unsigned e = 0; e < SK_EARS; e++)
				for (unsigned k = 0; k <= SK_RD_KINDS; k++) {
					struct sk_rounds m, was;

					sk_rounds_init(&m, cfgs[c]);
					m.st = (enum sk_rounds_state)s;
					m.ear = (enum sk_rounds_ear)e;
					m.began = T0;
					m.round_end = T0 + ROUND;
					m.next_round = m.next_ear = m.deadline_ms = T0 + 2000;
					was = m;
					if (step_at(&m, (enum sk_rounds_kind)k, T0 + 2000) == 0) {
						taken++;
						continue;
					}
					refused++;
					assert_int_equal(m.acts, 0);
					assert_memory_equal(&m, &was, sizeof(m));
				}
	assert_true(taken > 200 && refused > 200);
	for (unsigned k = 0; k < SK_RD_KINDS; k++) {
		struct sk_rounds m = begun(&both);

		take(&m, SK_RD_STOP, T0);
		assert_int_equal(m.acts, SK_RD_ACT_CANCEL | SK_RD_ACT_DEAFEN);
		assert_int_equal(step_at(&m, (enum sk_rounds_kind)k, T0), -1);
	}
}

static uint32_t next(uint32_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 17;
	*x ^= *x << 5;
	return *x;
}

/* A million steps: events as they come, time that passes anyhow, stops now and then. */
static void a_long_walk_keeps_every_promise(void **st)
{
	static const struct sk_rounds_cfg *const cfgs[] = { &polling, &hearing, &both, &once };
	unsigned seen[SK_RD_STATES] = { 0 }, steps = 0;
	uint32_t x = 2463534242U;

	(void)st;
	while (steps < 1000000) {
		struct sk_rounds_cfg cfg = *cfgs[next(&x) % 4];
		uint64_t now = next(&x);
		struct sk_rounds m;

		cfg.seed = next(&x);
		sk_rounds_init(&m, &cfg);
		for (unsigned n = 0; n < 400 && m.st != SK_RD_STOPPED; n++, steps++) {
			struct sk_rounds_event ev = { .kind = (enum sk_rounds_kind)(next(&x) % SK_RD_KINDS),
						      .missing = next(&x) & 1, .wish_ms = next(&x) % 100000 };
			struct sk_rounds was = m;

			if (ev.kind == SK_RD_STOP && next(&x) % 100)
				ev.kind = SK_RD_TIMEOUT;
			now += next(&x) % 3 ? next(&x) % 500 : 0;
			if (ev.kind == SK_RD_TIMEOUT && m.deadline_ms != UINT64_MAX)
				now = SK_MAX(now, m.deadline_ms);
			if (sk_rounds_step(&m, &ev, now, NULL) < 0) {
				assert_int_equal(m.acts, 0);
				continue;
			}
			seen[m.st]++;
			must_hold(&m, &was, ev.kind, now);
			/* a deadline that came brings something, or was not there */
			assert_true(ev.kind != SK_RD_TIMEOUT || was.deadline_ms == UINT64_MAX || m.acts);
		}
	}
	for (unsigned s = SK_RD_ASKING; s < SK_RD_STATES; s++)
		assert_true(seen[s] > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_asked_at_once_and_then_by_the_interval),
		cmocka_unit_test(two_sources_do_not_stay_in_step),
		cmocka_unit_test(once_is_once),
		cmocka_unit_test(failures_back_off_and_are_told_now_and_then),
		cmocka_unit_test(a_round_that_hangs_is_given_up),
		cmocka_unit_test(what_is_missing_is_asked_for_again_soon),
		cmocka_unit_test(a_notice_brings_a_round_and_many_bring_one),
		cmocka_unit_test(a_flood_of_notices_brings_a_round_a_second),
		cmocka_unit_test(without_an_ear_it_is_asked_now_and_then),
		cmocka_unit_test(a_server_that_takes_us_in_and_throws_us_out_is_not_run_down),
		cmocka_unit_test(a_change_of_the_network_ends_a_backoff),
		cmocka_unit_test(a_wish_is_for_those_who_rest),
		cmocka_unit_test(every_state_meets_every_event),
		cmocka_unit_test(a_long_walk_keeps_every_promise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
