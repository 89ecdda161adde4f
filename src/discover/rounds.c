/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "discover/rounds.h"

#include "base/mem.h"
#include "base/num.h"

static const char *const state_names[SK_RD_STATES] = {
	[SK_RD_NEW] = "new",	     [SK_RD_ASKING] = "asking", [SK_RD_RESTING] = "resting",
	[SK_RD_BACKOFF] = "backoff", [SK_RD_DONE] = "done",	[SK_RD_STOPPED] = "stopped",
};

const char *sk_rounds_state_name(enum sk_rounds_state st)
{
	return (unsigned)st < SK_RD_STATES ? state_names[st] : "unknown";
}

void sk_rounds_init(struct sk_rounds *m, const struct sk_rounds_cfg *cfg)
{
	*m = (struct sk_rounds){ .cfg = *cfg, .deadline_ms = UINT64_MAX, .next_round = UINT64_MAX };
	if (m->cfg.once)
		m->cfg.listen = false;
	m->cfg.round_ms = SK_MAX(m->cfg.round_ms, 1U);
}

static uint64_t after(uint64_t now, uint64_t ms)
{
	return now > UINT64_MAX - ms ? UINT64_MAX : now + ms;
}

/* --- rounds -------------------------------------------------------------------------------------------------- */

static void ask(struct sk_rounds *m, uint64_t now)
{
	m->st = SK_RD_ASKING;
	m->began = now;
	m->round_end = after(now, m->cfg.round_ms);
	m->again = false;
	m->rounds++;
	m->acts |= SK_RD_ACT_ASK;
}

/* No later than in @ms, but no closer to the last round than SK_RD_GAP_MS. */
static void sooner(struct sk_rounds *m, uint64_t now, uint64_t ms)
{
	uint64_t at = SK_MAX(after(now, ms), after(m->began, SK_RD_GAP_MS));

	m->next_round = SK_MIN(m->next_round, at);
}

/* A tenth of the interval to either side, so that many sources are not asked all at once for ever. */
static uint64_t poll_at(const struct sk_rounds *m, uint64_t now)
{
	uint32_t ms = m->cfg.poll_ms;

	if (!ms && m->cfg.listen && m->ear != SK_EAR_UP)
		ms = SK_RD_DEAF_MS;
	if (!ms)
		return UINT64_MAX;
	return after(now, ms - ms / 10 + (m->cfg.seed ^ m->rounds * 2654435761U) % (ms / 5 + 1));
}

static void rest(struct sk_rounds *m, uint64_t now)
{
	m->st = SK_RD_RESTING;
	m->next_round = poll_at(m, now);
}

static int on_start(struct sk_rounds *m, const struct sk_rounds_event *ev, uint64_t now)
{
	(void)ev;
	ask(m, now);
	if (m->cfg.listen) {
		m->ear = SK_EAR_STARTING;
		m->acts |= SK_RD_ACT_LISTEN;
	}
	return 0;
}

static int on_found(struct sk_rounds *m, const struct sk_rounds_event *ev, uint64_t now)
{
	m->acts |= SK_RD_ACT_APPLY | (m->told ? SK_RD_ACT_TELL_WELL : 0);
	m->told = false;
	m->failures = 0;
	if (m->cfg.once && !ev->missing) {
		m->st = SK_RD_DONE;
		m->next_round = UINT64_MAX;
		return 0;
	}
	rest(m, now);
	if (m->again)
		sooner(m, now, SK_RD_SETTLE_MS);
	if (ev->missing)
		sooner(m, now, SK_RD_CONFIRM_MS);
	return 0;
}

static int on_failed(struct sk_rounds *m, const struct sk_rounds_event *ev, uint64_t now)
{
	(void)ev;
	m->failures += m->failures < UINT32_MAX;
	m->st = SK_RD_BACKOFF;
	m->next_round = after(now, sk_backoff(m->failures, SK_RD_BACKOFF_MIN, SK_RD_BACKOFF_MAX, m->cfg.seed));
	if (!m->told || now >= m->tell_at) {
		m->acts |= SK_RD_ACT_TELL_FAILED;
		m->tell_at = after(now, SK_RD_TELL_MS);
	}
	m->told = true;
	return 0;
}

static int on_wish(struct sk_rounds *m, const struct sk_rounds_event *ev, uint64_t now)
{
	if (m->st == SK_RD_RESTING)
		sooner(m, now, ev->wish_ms);
	return 0;
}

static int on_heard(struct sk_rounds *m, const struct sk_rounds_event *ev, uint64_t now)
{
	(void)ev;
	if (m->st == SK_RD_ASKING)
		m->again = true;
	else
		sooner(m, now, SK_RD_SETTLE_MS);
	return 0;
}

static int on_kick(struct sk_rounds *m, const struct sk_rounds_event *ev, uint64_t now)
{
	(void)ev;
	if (m->st == SK_RD_BACKOFF) {
		m->failures = 0;
		sooner(m, now, 0);
	}
	if (m->ear == SK_EAR_BACKOFF)
		m->next_ear = SK_MIN(m->next_ear, after(now, SK_RD_GAP_MS));
	return 0;
}

static int on_stop(struct sk_rounds *m, const struct sk_rounds_event *ev, uint64_t now)
{
	(void)ev;
	(void)now;
	m->acts |= m->st == SK_RD_ASKING ? SK_RD_ACT_CANCEL : 0;
	m->acts |= m->ear == SK_EAR_STARTING || m->ear == SK_EAR_UP ? SK_RD_ACT_DEAFEN : 0;
	m->st = SK_RD_STOPPED;
	m->ear = SK_EAR_NONE;
	return 0;
}

/* --- the ear ------------------------------------------------------------------------------------------------- */

/* What happened before it heard is asked for. */
static int on_ear_up(struct sk_rounds *m, const struct sk_rounds_event *ev, uint64_t now)
{
	if (m->ear == SK_EAR_UP)
		return 0;
	m->ear = SK_EAR_UP;
	m->ear_since = now;
	m->acts |= m->deaf_told ? SK_RD_ACT_TELL_WELL : 0;
	m->deaf_told = false;
	return on_heard(m, ev, now);
}

static int on_ear_down(struct sk_rounds *m, const struct sk_rounds_event *ev, uint64_t now)
{
	(void)ev;
	if (m->ear == SK_EAR_UP && now - m->ear_since >= SK_RD_PROVEN_MS)
		m->ear_failures = 0;
	m->ear_failures += m->ear_failures < UINT32_MAX;
	m->ear = SK_EAR_BACKOFF;
	m->next_ear = after(now, sk_backoff(m->ear_failures, SK_RD_BACKOFF_MIN, SK_RD_BACKOFF_MAX, ~m->cfg.seed));
	if (m->st == SK_RD_RESTING && m->next_round == UINT64_MAX)
		m->next_round = poll_at(m, now);
	if (!m->deaf_told && now >= m->tell_deaf_at) {
		m->acts |= SK_RD_ACT_TELL_DEAF;
		m->tell_deaf_at = after(now, SK_RD_TELL_MS);
		m->deaf_told = true;
	}
	return 0;
}

/* --- time ---------------------------------------------------------------------------------------------------- */

static int on_timeout(struct sk_rounds *m, const struct sk_rounds_event *ev, uint64_t now)
{
	if (m->ear == SK_EAR_BACKOFF && now >= m->next_ear) {
		m->ear = SK_EAR_STARTING;
		m->acts |= SK_RD_ACT_LISTEN;
	}
	if (m->st == SK_RD_ASKING && now >= m->round_end) {
		m->acts |= SK_RD_ACT_CANCEL;
		return on_failed(m, ev, now);
	}
	if ((m->st == SK_RD_RESTING || m->st == SK_RD_BACKOFF) && now >= m->next_round)
		ask(m, now);
	return 0;
}

static uint64_t deadline(const struct sk_rounds *m)
{
	uint64_t at = UINT64_MAX;

	if (m->st == SK_RD_ASKING)
		at = m->round_end;
	if (m->st == SK_RD_RESTING || m->st == SK_RD_BACKOFF)
		at = m->next_round;
	return m->ear == SK_EAR_BACKOFF ? SK_MIN(at, m->next_ear) : at;
}

/* --- the table ----------------------------------------------------------------------------------------------- */

#define IN(st) (1U << (st))
#define GOING  (IN(SK_RD_ASKING) | IN(SK_RD_RESTING) | IN(SK_RD_BACKOFF))
#define ANY_EAR (IN(SK_EAR_NONE) | IN(SK_EAR_STARTING) | IN(SK_EAR_UP) | IN(SK_EAR_BACKOFF))

static const struct {
	unsigned from, ear;		/* sets of states */
	int (*act)(struct sk_rounds *m, const struct sk_rounds_event *ev, uint64_t now);
} rows[SK_RD_KINDS] = {
	[SK_RD_START] = { IN(SK_RD_NEW), ANY_EAR, on_start },
	[SK_RD_FOUND] = { IN(SK_RD_ASKING), ANY_EAR, on_found },
	[SK_RD_FAILED] = { IN(SK_RD_ASKING), ANY_EAR, on_failed },
	[SK_RD_WISH] = { GOING | IN(SK_RD_DONE), ANY_EAR, on_wish },
	[SK_RD_HEARD] = { GOING, IN(SK_EAR_UP), on_heard },
	[SK_RD_EAR_UP] = { GOING, IN(SK_EAR_STARTING) | IN(SK_EAR_UP), on_ear_up },
	[SK_RD_EAR_DOWN] = { GOING, IN(SK_EAR_STARTING) | IN(SK_EAR_UP), on_ear_down },
	[SK_RD_KICK] = { GOING | IN(SK_RD_DONE), ANY_EAR, on_kick },
	[SK_RD_TIMEOUT] = { GOING, ANY_EAR, on_timeout },
	[SK_RD_STOP] = { GOING | IN(SK_RD_NEW) | IN(SK_RD_DONE), ANY_EAR, on_stop },
};

int sk_rounds_step(struct sk_rounds *m, const struct sk_rounds_event *ev, uint64_t now_ms, struct sk_err *err)
{
	m->acts = 0;
	if ((unsigned)ev->kind >= SK_RD_KINDS || !(rows[ev->kind].from & IN(m->st)) || !(rows[ev->kind].ear & IN(m->ear)))
		return sk_fail(err, SK_EINVAL, "event %u has no place in state %s", (unsigned)ev->kind, sk_rounds_state_name(m->st));
	if (rows[ev->kind].act(m, ev, now_ms) < 0)
		return -1;
	m->deadline_ms = deadline(m);
	return 0;
}
