/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "iscsi-session/serve.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/num.h"
#include "iscsi-session/lun.h"

void sk_serve_say(struct sk_serve *s, enum sk_b_type type, const struct sk_err *why, uint32_t n)
{
	struct sk_b_msg m = sk_b_result(type, why, n);

	s->cfg.tell(s->cfg.ctx, &m);
}

static void say_health(struct sk_serve *s, enum sk_b_health health, const struct sk_err *why)
{
	struct sk_b_msg m = sk_b_result(SK_B_HEALTH, why, 0);

	m.result.code = health;
	s->cfg.tell(s->cfg.ctx, &m);
}

struct sk_lun *sk_serve_lun(const struct sk_serve *s, uint64_t wire)
{
	for (uint32_t i = 0; i < s->n_luns; i++)
		if (s->luns[i]->wire == wire)
			return s->luns[i];
	return NULL;
}

/* Life */

struct sk_serve *sk_serve_new(const struct sk_serve_cfg *cfg, struct sk_engine *e, struct sk_disk_front *front,
			      struct sk_err *err)
{
	struct sk_serve *s = calloc(1, sizeof(*s));
	uint32_t n = cfg->cmds_max + SK_SERVE_SPARE;

	if (s)
		s->jobs = calloc(n, sizeof(*s->jobs));
	if (s && s->jobs)
		s->zeroes = calloc(1, SK_BLK_ZEROES_MAX);
	if (!s || !s->zeroes) {
		sk_serve_free(s);
		sk_fail(err, SK_ENOMEM, "no memory for %u commands", n);
		return NULL;
	}
	for (uint32_t i = n; i > 0; i--) {
		s->jobs[i - 1].next = s->idle;
		s->idle = &s->jobs[i - 1];
	}
	s->cfg = *cfg;
	s->e = e;
	s->front = front;
	s->house_ms = UINT64_MAX;
	sk_serve_timers(s, &cfg->timers);
	return s;
}

void sk_serve_free(struct sk_serve *s)
{
	if (!s)
		return;
	for (uint32_t i = 0; i < s->n_luns; i++) {
		free(s->luns[i]->probe.buf);
		free(s->luns[i]);
	}
	free(s->luns);
	free(s->by_unit);
	free(s->scan.buf);
	free(s->zeroes);
	free(s->jobs);
	free(s);
}

void sk_serve_timers(struct sk_serve *s, const struct sk_b_timers *t)
{
	s->cfg.timers = *t;
	s->ping.interval_ms = (uint64_t)t->noop_interval_s * 1000;
	s->ping.timeout_ms = (uint64_t)t->noop_timeout_s * 1000;
}

/* Requests and what becomes of them */

void sk_serve_clock(struct sk_serve *s, uint64_t now_ms)
{
	s->now_ms = now_ms;
}

void sk_serve_request(struct sk_serve *s, struct sk_disk_req *req)
{
	struct sk_lun *l = req->unit < s->n_units ? s->by_unit[req->unit] : NULL;

	s->requests++;
	if (!l || l->state != SK_LUN_UP || s->state == SK_SERVE_FREE || s->state == SK_SERVE_LEAVING) {
		s->failed++;
		s->front->ops->complete(s->front, req, EIO);
		return;
	}
	sk_reqs_add(&l->waiting, req);
	sk_lun_pump(l);
}

static void errand_over(struct sk_serve *s, struct sk_errand *j)
{
	struct sk_lun *l = j->lun;

	switch (j->kind) {
	case SK_ERRAND_BLOCK:
		sk_lun_done(l, j);
		sk_errand_put(s, j);
		sk_lun_pump(l);
		return;
	case SK_ERRAND_PROBE:
		sk_probe_done(l, j);
		sk_errand_put(s, j);
		sk_scan_check(s);
		return;
	case SK_ERRAND_REPORT:
		sk_scan_done(s, j);
		sk_errand_put(s, j);
		return;
	}
}

/* What was lost goes back to the front of its queue one by one, so the youngest first. */
static void collect_lost(struct sk_serve *s, struct sk_errand *lost)
{
	struct sk_errand *sorted = NULL;

	while (lost) {
		struct sk_errand *j = lost, **at = &sorted;

		lost = j->next;
		while (*at && (*at)->seq > j->seq)
			at = &(*at)->next;
		j->next = *at;
		*at = j;
	}
	while (sorted) {
		struct sk_errand *j = sorted;

		sorted = j->next;
		errand_over(s, j);
	}
}

static bool collect(struct sk_serve *s)
{
	struct sk_errand *lost = NULL;
	struct sk_task *t;
	bool any = false;

	while ((t = sk_engine_next_done(s->e)) != NULL) {
		struct sk_errand *j = t->owner;

		any = true;
		if (t->end == SK_END_LOST) {
			j->next = lost;
			lost = j;
		} else {
			errand_over(s, j);
		}
	}
	collect_lost(s, lost);
	return any;
}

/* Look at every LUN: time, probes, requests that wait for a task. Starts where the last round ended early. */
static void keep_house(struct sk_serve *s)
{
	uint64_t next = UINT64_MAX;

	s->house_ms = UINT64_MAX;
	s->starved = false;
	if (s->scan.look_ms && s->scan.look_ms <= s->now_ms && s->state == SK_SERVE_UP)
		sk_scan_start(s);
	sk_scan_pump(s);
	if (s->scan.look_ms > s->now_ms)
		next = s->scan.look_ms;
	if (s->scan.running && !s->scan.probing && s->scan.retry_ms > s->now_ms)
		next = SK_MIN(next, s->scan.retry_ms);
	for (uint32_t i = 0; i < s->n_luns; i++) {
		struct sk_lun *l = s->luns[(s->next_lun + i) % s->n_luns];

		sk_lun_due(l);
		sk_probe_due(l);
		sk_probe_pump(l);
		sk_lun_pump(l);
		next = SK_MIN(next, sk_lun_next_ms(l));
		if (l->probe.kind != SK_PROBE_NONE && l->probe.retry_ms > s->now_ms)
			next = SK_MIN(next, l->probe.retry_ms);
		if (l->look_ms)
			next = SK_MIN(next, l->look_ms);
	}
	if (s->starved && s->n_luns)
		s->next_lun = (s->next_lun + 1) % s->n_luns;
	s->house_ms = SK_MIN(s->house_ms, next);
}

static uint64_t free_ms(const struct sk_serve *s)
{
	if (s->state != SK_SERVE_DOWN || s->cfg.timers.replacement_s < 0)
		return UINT64_MAX;
	return s->down_ms + (uint64_t)s->cfg.timers.replacement_s * 1000;
}

static void set_free(struct sk_serve *s)
{
	struct sk_err why;

	s->state = SK_SERVE_FREE;
	sk_fail(&why, SK_ETIME, "no connection for %d s (replacement_timeout): I/O fails", s->cfg.timers.replacement_s);
	sk_error(SK_ROOM_DATAPATH, "%s", why.msg);
	for (uint32_t i = 0; i < s->n_luns; i++)
		sk_lun_fail(s->luns[i], EIO);
	if (s->scan.running) {		/* nobody waits for it any longer; the next connection begins anew */
		sk_scan_over(s, &why);
		s->scan.running = s->scan.again = s->scan.ever = false;
		s->scan.look_ms = 0;
	}
	say_health(s, SK_B_FREE, &why);
}

static void ping(struct sk_serve *s)
{
	if (s->state != SK_SERVE_UP)
		return;
	switch (sk_ping_tick(&s->ping, s->now_ms, sk_engine_stats(s->e)->rx_bytes)) {
	case SK_PING_SEND:
		(void)sk_engine_ping(s->e, 0, NULL);	/* one outstanding already is as good */
		break;
	case SK_PING_DEAD:
		sk_serve_want_drop(s, SK_ETIME, "a ping was not answered and nothing else came");
		break;
	case SK_PING_NOTHING:
		break;
	}
}

void sk_serve_turn(struct sk_serve *s, uint64_t now_ms)
{
	bool any;

	s->now_ms = now_ms;
	any = collect(s);
	sk_serve_events(s);
	if ((any && s->starved) || s->house_ms <= now_ms)
		keep_house(s);
	ping(s);
	if (free_ms(s) <= now_ms)
		set_free(s);
	if (s->want_drop) {
		s->want_drop = false;
		s->cfg.drop(s->cfg.ctx, &s->drop_why);
	}
}

uint64_t sk_serve_next_ms(const struct sk_serve *s)
{
	uint64_t next = SK_MIN(s->house_ms, free_ms(s));

	return s->state == SK_SERVE_UP ? SK_MIN(next, sk_ping_next(&s->ping)) : next;
}

/* The connection */

void sk_serve_up(struct sk_serve *s, uint64_t now_ms)
{
	s->now_ms = now_ms;
	s->state = SK_SERVE_UP;
	s->asked_out = s->want_drop = false;
	s->house_ms = 0;
	sk_ping_reset(&s->ping, now_ms, sk_engine_stats(s->e)->rx_bytes);
	say_health(s, SK_B_LOGGED_IN, NULL);
	if (s->cfg.scan && !s->scan.ever)
		sk_scan_start(s);
	/* Nobody knows what happened at the target meanwhile: each LUN says who it is before I/O goes on. */
	for (uint32_t i = 0; i < s->n_luns; i++)
		sk_probe_start(s->luns[i], SK_PROBE_ALL);
}

/* The engine gives every command back; requests wait in their queues and are sent again, in their order, by the next
 * connection, once the LUN has shown that it is the same. */
void sk_serve_lost(struct sk_serve *s, const struct sk_err *why, uint64_t now_ms)
{
	s->now_ms = now_ms;
	if (s->state == SK_SERVE_LEAVING) {
		sk_engine_drop(s->e);
		collect(s);
		sk_serve_say(s, SK_B_OUT, NULL, 0);
		return;
	}
	if (s->state != SK_SERVE_UP)
		return;
	sk_warning(SK_ROOM_DATAPATH, "connection lost: %s", why->msg);
	s->state = SK_SERVE_DOWN;
	s->broken = why->code == SK_EPROTO;
	s->down_ms = now_ms;
	s->want_drop = false;
	sk_engine_drop(s->e);
	collect(s);
	sk_serve_say(s, SK_B_DOWN, why, 0);
	say_health(s, SK_B_FAILED, why);
	if (free_ms(s) <= now_ms)
		set_free(s);
}

void sk_serve_rescan(struct sk_serve *s)
{
	struct sk_err why;

	if (s->state == SK_SERVE_UP) {
		sk_scan_start(s);
		return;
	}
	sk_fail(&why, SK_ENOTCONN, "no connection to the target");
	sk_serve_say(s, SK_B_SCANNED, &why, 0);
}

static void forget_lun(struct sk_serve *s, struct sk_lun *l)
{
	if (l->state == SK_LUN_UP)
		l->s->front->ops->state(s->front, l->unit, SK_DISK_GONE);
	l->state = SK_LUN_NODISK;
	s->by_unit[l->unit] = NULL;
	l->unit = SK_UNIT_NONE;
	l->facts = (struct sk_lun_facts){ 0 };
	sk_lun_fail(l, EIO);
}

void sk_serve_forget(struct sk_serve *s, uint32_t unit)
{
	if (unit < s->n_units && s->by_unit[unit])
		forget_lun(s, s->by_unit[unit]);
	sk_serve_say(s, SK_B_FORGOTTEN, NULL, unit);
}

void sk_serve_logout(struct sk_serve *s)
{
	bool up = s->state == SK_SERVE_UP;

	s->state = SK_SERVE_LEAVING;
	for (uint32_t i = 0; i < s->n_luns; i++)
		sk_lun_fail(s->luns[i], EIO);
	if (!up || sk_engine_logout(s->e, NULL) < 0)
		sk_serve_say(s, SK_B_OUT, NULL, 0);
}

void sk_serve_fail_all(struct sk_serve *s)
{
	s->state = SK_SERVE_LEAVING;
	sk_engine_drop(s->e);
	collect(s);
	for (uint32_t i = 0; i < s->n_luns; i++)
		sk_lun_fail(s->luns[i], EIO);
}

void sk_serve_stats(const struct sk_serve *s, struct sk_b_stats *ret)
{
	const struct sk_engine_stats *e = sk_engine_stats(s->e);

	*ret = (struct sk_b_stats){
		.tx_bytes = e->tx_bytes, .rx_bytes = e->rx_bytes, .tx_pdus = e->tx_pdus, .rx_pdus = e->rx_pdus,
		.cmds = e->cmds, .data_out = e->data_out, .data_in = e->data_in, .r2t = e->r2t,
		.digest_errors = e->digest_errors, .timeouts = e->timeouts, .tx_calls = e->tx_calls,
		.rx_calls = e->rx_calls, .requests = s->requests, .retries = s->retries, .failed = s->failed,
		.inflight = sk_engine_inflight(s->e),
	};
}
