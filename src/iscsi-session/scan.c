/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/num.h"
#include "iscsi-session/lun.h"
#include "scsi/cdb.h"
#include "scsi/lun.h"

#define FIRST_LEN 4096U
#define MOST_LUNS 4096U		/* served per session */
#define SCAN_PATIENCE_MS 20000U

void sk_scan_start(struct sk_serve *s)
{
	struct sk_scan *sc = &s->scan;

	if (sc->running) {
		sc->again = true;
		return;
	}
	s->house_ms = 0;
	sc->look_ms = 0;
	sc->running = sc->ever = true;
	sc->probing = false;
	sc->tries = 0;
	sc->retry_ms = 1;
	sc->since_ms = s->now_ms;
	sc->err = (struct sk_err){ .code = SK_OK };
}

static int make_room(struct sk_scan *sc, uint32_t len)
{
	uint8_t *more;

	if (sc->buf_len >= len)
		return 0;
	more = realloc(sc->buf, len);
	if (!more)
		return sk_fail(&sc->err, SK_ENOMEM, "no memory for a list of LUNs");
	sc->buf = more;
	sc->buf_len = len;
	return 0;
}

void sk_scan_pump(struct sk_serve *s)
{
	struct sk_scan *sc = &s->scan;
	struct sk_errand *j;

	if (!sc->running || sc->probing || !sc->retry_ms || sc->retry_ms > s->now_ms || s->state != SK_SERVE_UP)
		return;
	if (make_room(sc, FIRST_LEN) < 0) {
		sk_scan_over(s, &sc->err);
		return;
	}
	j = sk_errand_get(s, SK_ERRAND_REPORT, NULL, 0);
	if (!j)
		return;
	sk_cdb_report_luns(j->task->cdb, sc->buf_len);
	sk_errand_read(j, sc->buf, sc->buf_len);
	sc->retry_ms = 0;
	sk_errand_send(s, j);
}

static struct sk_lun *new_lun(struct sk_serve *s, uint64_t wire)
{
	struct sk_lun *l;

	if (s->n_luns == s->cap_luns) {
		uint32_t cap = s->cap_luns ? s->cap_luns * 2 : 16;
		struct sk_lun **more = realloc(s->luns, cap * sizeof(struct sk_lun *));

		if (!more)
			return NULL;
		s->luns = more;
		s->cap_luns = cap;
	}
	l = calloc(1, sizeof(*l));
	if (!l)
		return NULL;
	l->probe.buf = malloc(SK_PROBE_BUF);
	if (!l->probe.buf) {
		free(l);
		return NULL;
	}
	l->s = s;
	l->wire = wire;
	l->number = sk_lun_kernel(wire);
	l->unit = SK_UNIT_NONE;
	l->depth = s->cfg.queue_depth;
	s->luns[s->n_luns++] = l;
	return l;
}

static void seen(struct sk_serve *s, uint64_t wire)
{
	struct sk_lun *l = sk_serve_lun(s, wire);

	if (sk_lun_well_known(wire))
		return;
	if (!l && s->n_luns < MOST_LUNS)
		l = new_lun(s, wire);
	if (!l) {
		sk_fail(&s->scan.err, SK_ENOMEM, "more LUNs than can be served (%u)", MOST_LUNS);
		return;
	}
	l->listed = true;
	sk_probe_start(l, SK_PROBE_ALL);
}

/* What the target names is probed. So is a disk that it no longer names: a list can be short for a moment, and I/O of a
 * disk in use fails only when the LUN itself says that it is gone. */
static void work_off(struct sk_serve *s, const uint64_t *luns, size_t n)
{
	s->scan.probing = true;
	for (uint32_t i = 0; i < s->n_luns; i++)
		s->luns[i]->listed = false;
	for (size_t i = 0; i < n; i++)
		seen(s, luns[i]);
	for (uint32_t i = 0; i < s->n_luns; i++) {
		struct sk_lun *l = s->luns[i];

		if (l->listed || l->state == SK_LUN_OFF)
			continue;
		if (l->state == SK_LUN_UP) {
			l->listed = true;
			sk_probe_start(l, SK_PROBE_ALL);
		} else if (l->state == SK_LUN_NODISK) {
			sk_lun_off(l, false, "the target does not list it any more");
		}
	}
}

static void got_list(struct sk_serve *s, struct sk_task *t)
{
	struct sk_scan *sc = &s->scan;
	size_t max = sc->buf_len / 8, n;
	uint64_t *luns = calloc(max, sizeof(*luns));
	uint32_t need;

	if (!luns) {
		sk_fail(&sc->err, SK_ENOMEM, "no memory for a list of LUNs");
		sk_scan_over(s, &sc->err);
		return;
	}
	if (sk_luns_parse(sk_span(sc->buf, SK_MIN(t->transferred, sc->buf_len)), luns, max, &n, &need, &sc->err) < 0) {
		sk_scan_over(s, &sc->err);
	} else if (need > sc->buf_len && make_room(sc, need) == 0) {
		s->house_ms = 0;
		sc->retry_ms = 1;	/* again with room for all */
	} else {
		work_off(s, luns, n);
		sk_scan_check(s);
	}
	free(luns);
}

void sk_scan_done(struct sk_serve *s, struct sk_errand *j)
{
	struct sk_scan *sc = &s->scan;
	struct sk_task *t = j->task;
	struct sk_verdict v = sk_errand_verdict(t, sc->tries);
	const uint64_t lun0 = 0;

	if (t->end == SK_END_LOST) {
		sc->retry_ms = 1;
		return;
	}
	if (v.react == SK_REACT_DONE) {
		got_list(s, t);
	} else if (sk_react_retries(v.react) && s->now_ms - sc->since_ms < SCAN_PATIENCE_MS) {
		sc->tries++;
		sc->retry_ms = SK_MAX(s->now_ms + v.delay_ms, 1U);
		s->house_ms = 0;
	} else if (v.react == SK_REACT_UNSUPPORTED) {	/* an old target: LUN 0 is all there is */
		work_off(s, &lun0, 1);
		sk_scan_check(s);
	} else {
		sk_fail(&sc->err, SK_EDOMAIN, "REPORT LUNS: %s",
			t->end == SK_END_STATUS ? sk_status_words(t->scsi_status) : "no answer");
		sk_scan_over(s, &sc->err);
	}
}

void sk_scan_check(struct sk_serve *s)
{
	if (!s->scan.running || !s->scan.probing)
		return;
	for (uint32_t i = 0; i < s->n_luns; i++)
		if (s->luns[i]->listed && s->luns[i]->probe.kind == SK_PROBE_ALL)
			return;
	sk_scan_over(s, s->scan.err.code ? &s->scan.err : NULL);
}

void sk_scan_over(struct sk_serve *s, const struct sk_err *why)
{
	struct sk_scan *sc = &s->scan;
	struct sk_err kept = why ? *why : (struct sk_err){ .code = SK_OK };
	uint32_t disks = 0;

	for (uint32_t i = 0; i < s->n_luns; i++)
		disks += s->luns[i]->state == SK_LUN_UP;
	sc->running = sc->probing = false;
	if (why) {
		sk_warning(SK_ROOM_DATAPATH, "scan: %s", kept.msg);
		sc->look_delay_ms = sc->look_delay_ms ? SK_MIN(2 * sc->look_delay_ms, SK_LOOK_LAST_MS) : SK_LOOK_FIRST_MS;
		sc->look_ms = s->now_ms + sc->look_delay_ms;
		s->house_ms = 0;
	} else {
		sc->look_delay_ms = 0;
	}
	if (sc->again) {
		sc->again = false;
		sk_scan_start(s);
		return;
	}
	sk_serve_say(s, SK_B_SCANNED, why ? &kept : NULL, disks);
}
