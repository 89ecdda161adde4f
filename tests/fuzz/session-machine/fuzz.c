/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"
#include "session/machine.h"

/** Any events at any times: the session machine answers once, never gives up disks unasked, never waits for ever.
 */

static void must(bool ok)
{
	if (!ok)
		__builtin_trap();
}

static bool waits(enum sk_sm_state st)
{
	return st == SK_ST_NEW || st == SK_ST_SCAN || st == SK_ST_UP || st == SK_ST_GONE;
}

static void step(struct sk_sm *m, const uint8_t b[4], uint64_t *now)
{
	struct sk_err why = { .code = SK_ECONN, .msg = "lost" };
	struct sk_sm was = *m;
	struct sk_sm_event ev = {
		.kind = (enum sk_sm_kind)(b[0] % SK_SM_KINDS),
		.n_addrs = 1 + b[1] % 16,
		.time2wait_ms = b[2] * 100U,
		.cause = (enum sk_cause)(b[1] % SK_CAUSE_COUNT),
		.force = b[1] & 0x80,
		.why = b[2] & 1 ? &why : NULL,
	};

	*now += b[3] * 50U;
	if (b[3] == 0xff && m->deadline_ms != UINT64_MAX && m->deadline_ms > *now)
		*now = m->deadline_ms;
	if (sk_sm_step(m, &ev, *now, NULL) < 0) {
		must(m->st == was.st && m->acts == 0);
		return;
	}
	must(waits(m->st) || m->deadline_ms != UINT64_MAX);
	must(!(m->acts & SK_ACT_ANSWER) || !was.answered);
	must(m->st != SK_ST_GONE || m->answered);
	must(!was.established || m->established);
	must(m->established || m->st == SK_ST_NEW || m->st == SK_ST_GONE || m->deadline_ms <= m->window_end);
	must(!m->established || m->st != SK_ST_GONE || was.st == SK_ST_LOGOUT || ev.kind == SK_SM_VANISHED);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct sk_sm_cfg cfg = {
		.login_timeout_ms = 15000, .window_ms = 120000, .scan_ms = 60000, .logout_timeout_ms = 15000
	};
	uint64_t now = 1000;
	struct sk_sm m;

	if (n < 4)
		return 0;
	cfg.reopen_max = p[0] % 8;
	cfg.fail_fast = p[1] & 1;
	cfg.hard_window = p[1] & 2;
	cfg.seed = p[2];
	cfg.window_ms = p[3] & 1 ? 5000 : 120000;
	sk_sm_init(&m, &cfg);
	for (p += 4, n -= 4; n >= 4; p += 4, n -= 4)
		step(&m, p, &now);
	return 0;
}
