/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "iscsiadm/explain.h"

/** What could be better about a session's times (docs/timers.md says why). Pure. */

#define INTERVAL    "node.conn[0].timeo.noop_out_interval"
#define TIMEOUT	    "node.conn[0].timeo.noop_out_timeout"
#define REPLACEMENT "node.session.timeo.replacement_timeout"
#define REOPEN_MAX  "node.session.reopen_max"
#define MULTIPATH_S 30 /* more than this before another path is tried is felt */

const struct sk_adm_timer *sk_adm_timer_of(const struct sk_adm_facts *f, const char *key)
{
	for (size_t i = 0; i < SK_ADM_TIMERS; i++)
		if (f->timers[i].key && !strcmp(f->timers[i].key, key))
			return &f->timers[i];
	return NULL;
}

static bool running(const struct sk_adm_facts *f, const char *key, int64_t *ret)
{
	const struct sk_adm_timer *t = sk_adm_timer_of(f, key);

	if (!t || !t->running.known)
		return false;
	*ret = t->running.v;
	return true;
}

void sk_adm_outage_of(const struct sk_adm_facts *f, struct sk_adm_outage *ret)
{
	int64_t interval, timeout, replacement;

	*ret = (struct sk_adm_outage){ -2, -2 };
	if (!running(f, INTERVAL, &interval) || !running(f, TIMEOUT, &timeout))
		return;
	ret->noticed_s = interval > 0 ? interval + timeout : -1;
	if (!running(f, REPLACEMENT, &replacement))
		return;
	ret->io_error_s = ret->noticed_s < 0 || replacement < 0 ? -1 : ret->noticed_s + replacement;
}

static void multipath(const struct sk_adm_facts *f, struct sk_buf *out)
{
	int64_t s;

	if (!f->multipath || !running(f, REPLACEMENT, &s))
		return;
	if (s < 0)
		sk_buf_str(out, "dm-multipath uses its disks, and replacement_timeout = -1 keeps requests on a "
				"dead path for ever: "
				"5 to 15 s let the other paths take over\n");
	else if (s > MULTIPATH_S)
		sk_buf_printf(out,
			      "dm-multipath uses its disks, and no other path is tried before replacement_timeout "
			      "= %" PRId64 " s has passed: 5 to 15 s suit\n",
			      s);
}

static void single_path(const struct sk_adm_facts *f, struct sk_buf *out)
{
	int64_t s;

	if (f->multipath || !f->disks || !running(f, REPLACEMENT, &s) || s < 0)
		return;
	if (s == 0)
		sk_buf_str(out, "replacement_timeout = 0 fails requests at the first loss of the connection, and "
				"no other path takes "
				"them: file systems go read-only\n");
	else if (s < MULTIPATH_S)
		sk_buf_printf(out,
			      "its disks have one path only: after %" PRId64
			      " s without a connection requests fail and file systems "
			      "go read-only; 120 s or -1 (wait for ever) suit without dm-multipath\n",
			      s);
}

static void pings(const struct sk_adm_facts *f, struct sk_buf *out)
{
	int64_t s;

	if (running(f, INTERVAL, &s) && s == 0)
		sk_buf_str(out, "there are no pings (noop_out_interval = 0): a target that dies without a word is "
				"noticed by TCP "
				"alone, after a quarter of an hour\n");
}

static void gives_up(const struct sk_adm_facts *f, struct sk_buf *out)
{
	int64_t n;

	if (f->disks && running(f, REOPEN_MAX, &n) && n > 0)
		sk_buf_printf(out,
			      "reopen_max = %" PRId64
			      " ends the session and takes its disks away after so many failed attempts: 0 "
			      "tries for ever\n",
			      n);
}

static void differences(const struct sk_adm_facts *f, struct sk_buf *out)
{
	unsigned live = 0, later = 0;

	for (size_t i = 0; i < SK_ADM_TIMERS; i++) {
		const struct sk_adm_timer *t = &f->timers[i];
		bool differs = t->key && t->record.known && t->running.known && t->record.v != t->running.v;

		live += differs && t->live;
		later += differs && !t->live;
	}
	if (live)
		sk_buf_str(out, "the record says other times than the session runs with: they hold from the next "
				"login on, or at once with "
				"-o update -n KEY -v VALUE --live\n");
	else if (later)
		sk_buf_str(out, "the record says other times than the session runs with: they hold from the next "
				"login on\n");
}

void sk_adm_advise(const struct sk_adm_facts *f, struct sk_buf *out)
{
	multipath(f, out);
	single_path(f, out);
	pings(f, out);
	gives_up(f, out);
	differences(f, out);
}
