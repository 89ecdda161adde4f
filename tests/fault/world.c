/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fault/world.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/span.h"
#include "fault/secret.h"

#define STEPS_MAX 2000000U	/* of one world: past it something spins */

void world_broken(const struct world *w, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "BROKEN at %llu ms: ", (unsigned long long)w->now);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n  state %s, logins %llu, lost %llu, last reason: %s\n  log: %s\n", sk_sm_state_name(w->m.st),
		(unsigned long long)w->logins, (unsigned long long)w->lost, w->why.msg, w->told);
	abort();
}

/* WORLD_TRACE=1: what happens, on stderr */
static void trace(const struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void trace(const struct world *w, const char *fmt, ...)
{
	va_list ap;

	if (!w->trace)
		return;
	fprintf(stderr, "%8llu ", (unsigned long long)w->now);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static void starve(const struct world *w, bool on)
{
	if (w->starve)
		w->starve(on);
}

static void to_target(struct world *w, const void *p, size_t n)
{
	starve(w, false);
	tg_feed(&w->t, p, n);
	starve(w, true);
}

/* --- the log: what is said must be fit to be printed --- */

static void sink(void *ctx, enum sk_level level, enum sk_room room, const char *text)
{
	struct world *w = ctx;
	size_t n = strlen(w->told);

	(void)room;
	for (const char *p = text; *p; p++)
		if ((uint8_t)*p < 0x20 || (uint8_t)*p == 0x7f)
			world_broken(w, "a control character in the log");
	if (strstr(text, FAULT_SECRET) || strstr(text, FAULT_SECRET_IN))
		world_broken(w, "a secret in the log");
	trace(w, "log: %s", text);
	if (level > SK_LOG_WARNING)
		return;
	snprintf(w->log, sizeof(w->log), "%s", text);
	if (n < sizeof(w->told))
		snprintf(w->told + n, sizeof(w->told) - n, "%s; ", text);
}

static void note_why(struct world *w, const struct sk_err *why)
{
	if (!why || !why->code || !why->msg[0])
		world_broken(w, "a failure without words");
	w->why = *why;
	sink(w, SK_LOG_WARNING, SK_ROOM_SESSION, why->msg);
}

/* --- events of the session machine, one after the other --- */

static void post(struct world *w, struct sk_sm_event ev)
{
	if (w->n_posts == SK_ARRAY_LEN(w->posts))
		world_broken(w, "too many events at once");
	if (ev.why) {
		w->post_why[w->n_posts] = *ev.why;
		ev.why = &w->post_why[w->n_posts];
	}
	w->posts[w->n_posts++] = ev;
}

static void post_kind(struct world *w, enum sk_sm_kind kind)
{
	post(w, (struct sk_sm_event){ .kind = kind });
}

/* --- the checker --- */

static void fill(uint8_t *p, uint32_t block, uint32_t stamp)
{
	for (uint32_t i = 0; i < TG_BLOCK; i += 8) {
		sk_set_be32(p + i, stamp);
		sk_set_be32(p + i + 4, stamp ? stamp * 2654435761U ^ (block << 16 | i) : 0);
	}
}

static bool is(const uint8_t *p, uint32_t block, uint32_t stamp)
{
	uint8_t want[TG_BLOCK];

	fill(want, block, stamp);
	return !memcmp(p, want, TG_BLOCK);
}

static void now_is(struct world_block *b, uint32_t stamp)
{
	b->maybe[0] = stamp;
	b->n = 1;
}

static void may_be(struct world_block *b, uint32_t stamp)
{
	if (b->n == WORLD_MAYBE)
		b->n = 0;
	else if (b->n)
		b->maybe[b->n++] = stamp;
}

/* What is at @p must be one of what block @i may hold; now it is known (@learn). */
static void found(struct world *w, uint32_t i, const uint8_t *p, bool learn, const char *where)
{
	struct world_block *b = &w->blocks[i];

	if (!b->n || w->cfg.liar)
		return;
	for (unsigned k = 0; k < b->n; k++)
		if (is(p, i, b->maybe[k])) {
			if (learn)
				now_is(b, b->maybe[k]);
			return;
		}
	world_broken(w, "block %u %s holds 0x%08x, not %u of %u possible ones", i, where, sk_be32(p), b->maybe[0], b->n);
}

void world_verify(struct world *w)
{
	for (uint32_t i = 0; i < TG_BLOCKS; i++)
		if (!w->blocks[i].busy)
			found(w, i, w->t.disk + i * TG_BLOCK, true, "on the medium");
}

/* What was not flushed may be gone; if it is, a flush must say so. */
void world_power(struct world *w)
{
	for (uint32_t i = 0; i < TG_BLOCKS; i++) {
		const uint8_t *kept = w->t.durable + i * TG_BLOCK;

		if (!memcmp(kept, w->t.disk + i * TG_BLOCK, TG_BLOCK))
			continue;
		if (w->blocks[i].n == 1 && !w->blocks[i].busy)
			w->flush_must_fail = true;
		may_be(&w->blocks[i], sk_be32(kept));
	}
	trace(w, "power");
	w->powers++;
	tg_power(&w->t);
}

/* --- the front end: requests and their ends --- */

bool world_busy(const struct world *w)
{
	for (unsigned i = 0; i < WORLD_REQS; i++)
		if (w->reqs[i].busy)
			return true;
	return false;
}

/* The word that a write is done may have been under way when the power failed. */
static void acknowledged(struct world *w, const struct world_req *q, uint32_t at)
{
	const uint8_t *there = w->t.disk + at * TG_BLOCK;

	now_is(&w->blocks[at], q->stamp);
	if (q->powers == w->powers || is(there, at, q->stamp))
		return;
	w->flush_must_fail = true;
	may_be(&w->blocks[at], sk_be32(there));
}

static void ended_write(struct world *w, const struct world_req *q, int error)
{
	for (uint32_t i = 0; i < q->req.len / TG_BLOCK; i++) {
		uint32_t at = (uint32_t)(q->req.off / TG_BLOCK) + i;

		if (q->buf && !is(q->buf + i * TG_BLOCK, at, q->stamp))
			world_broken(w, "the buffer of a write was changed");
		if (error)
			may_be(&w->blocks[at], q->stamp);
		else
			acknowledged(w, q, at);
		w->blocks[at].busy = false;
	}
}

static void ended(struct world *w, struct world_req *q, int error)
{
	uint32_t first = (uint32_t)(q->req.off / TG_BLOCK), n = (uint32_t)(q->req.len / TG_BLOCK);

	switch (q->req.op) {
	case SK_DISK_READ:
		for (uint32_t i = 0; i < n; i++) {
			w->blocks[first + i].busy = false;
			if (!error)
				found(w, first + i, q->buf + i * TG_BLOCK, q->powers == w->powers, "as read");
		}
		break;
	case SK_DISK_FLUSH:
		if (!error && w->flush_must_fail && !w->cfg.liar)
			world_broken(w, "a flush vouches for data that the device has lost");
		if (error)
			w->flush_must_fail = false;
		break;
	default:
		ended_write(w, q, error);
		break;
	}
}

static void complete(struct sk_disk_front *f, struct sk_disk_req *req, int error)
{
	struct world *w = (struct world *)((uint8_t *)f - offsetof(struct world, front));
	struct world_req *q = (struct world_req *)req;

	if (!q->busy)
		world_broken(w, "a request ended twice");
	if (error < 0)
		world_broken(w, "error %d", error);
	trace(w, "ended: op %d block %llu+%llu stamp %u error %d, begun at %llu", q->req.op,
	      (unsigned long long)q->req.off / TG_BLOCK, (unsigned long long)q->req.len / TG_BLOCK, q->stamp, error,
	      (unsigned long long)q->began_ms);
	ended(w, q, error);
	w->last_error = error ? error : w->last_error;
	w->max_ms = SK_MAX(w->max_ms, w->now - q->began_ms);
	if (error) {
		w->failed++;
		if (!w->cfg.may_fail && !w->cfg.liar)
			world_broken(w, "a request failed with %d (%s)", error, strerror(error));
	} else {
		w->acked++;
	}
	free(q->buf);
	q->buf = NULL;
	q->busy = false;
}

static int add(struct sk_disk_front *f, const struct sk_disk_info *info, uint32_t *ret_unit, struct sk_err *err)
{
	struct world *w = (struct world *)((uint8_t *)f - offsetof(struct world, front));

	(void)err;
	if (!w->cfg.liar && info->size != TG_BYTES)
		world_broken(w, "a disk of %llu bytes", (unsigned long long)info->size);
	*ret_unit = w->n_units++;
	if (info->lun != 1)
		return 0;
	w->unit = *ret_unit;
	w->has_disk = true;
	w->disk_gone = false;
	return 0;
}

static void change(struct sk_disk_front *f, uint32_t unit, const struct sk_disk_info *info)
{
	(void)f;
	(void)unit;
	(void)info;
}

static void state(struct sk_disk_front *f, uint32_t unit, enum sk_disk_state st)
{
	struct world *w = (struct world *)((uint8_t *)f - offsetof(struct world, front));

	if (unit == w->unit)
		w->disk_gone = st == SK_DISK_GONE;
}

static const struct sk_disk_ops ops = { .name = "world", .add = add, .change = change, .state = state,
					.complete = complete };

struct world_req *world_ask(struct world *w, enum sk_disk_op op, uint32_t block, uint32_t blocks, bool fua)
{
	struct world_req *q = NULL;

	for (unsigned i = 0; i < WORLD_REQS && !q; i++)
		q = w->reqs[i].busy ? NULL : &w->reqs[i];
	for (uint32_t i = 0; i < blocks && q; i++)
		if (w->blocks[block + i].busy)
			q = NULL;
	if (!q || !w->s)
		return NULL;
	*q = (struct world_req){ .busy = true, .began_ms = w->now, .powers = w->powers };
	q->req = (struct sk_disk_req){ .op = op, .unit = w->unit, .off = block * TG_BLOCK, .len = blocks * TG_BLOCK, .fua = fua };
	if (op == SK_DISK_READ || op == SK_DISK_WRITE) {
		starve(w, false);
		q->buf = malloc(blocks * TG_BLOCK);
		starve(w, true);
		if (!q->buf) {
			q->busy = false;
			return NULL;
		}
		memset(q->buf, 0xee, blocks * TG_BLOCK);
		q->req.data = q->buf;
	}
	if (op == SK_DISK_WRITE)
		q->stamp = ++w->stamp;
	for (uint32_t i = 0; i < blocks; i++) {
		w->blocks[block + i].busy = true;
		if (op == SK_DISK_WRITE)
			fill(q->buf + i * TG_BLOCK, block + i, q->stamp);
	}
	sk_serve_clock(w->s, w->now);
	sk_serve_request(w->s, &q->req);
	return q;
}

/* --- the data path --- */

static void tell(void *ctx, const struct sk_b_msg *m)
{
	struct world *w = ctx;
	struct sk_err why = { .code = SK_ECONN };

	snprintf(why.msg, sizeof(why.msg), "%s", "the target says so");
	switch (m->type) {
	case SK_B_DOWN:
		w->lost++;
		why.code = (enum sk_code)m->result.code;
		snprintf(why.msg, sizeof(why.msg), "%s", m->result.why);
		note_why(w, &why);
		post(w, (struct sk_sm_event){ .kind = SK_SM_DOWN, .why = &why });
		break;
	case SK_B_ASYNC:
		if (m->async.event == 1)
			post(w, (struct sk_sm_event){ .kind = SK_SM_ASYNC_LOGOUT, .why = &why });
		else if (m->async.event == 2 || m->async.event == 3)
			post(w, (struct sk_sm_event){ .kind = SK_SM_ASYNC_DROP, .time2wait_ms = m->async.p2 * 1000U,
						      .why = &why });
		break;
	case SK_B_SCANNED:
		post_kind(w, SK_SM_READY);
		break;
	case SK_B_OUT:
		post_kind(w, SK_SM_ENDED);
		break;
	default:
		break;
	}
}

static void detach(struct world *w)
{
	if (!w->attached)
		return;
	w->attached = false;
	tg_close(&w->t);
	sk_engine_halt(w->e);
}

static void lose(struct world *w, const struct sk_err *why)
{
	if (!why->msg[0])
		world_broken(w, "a connection lost without words");
	detach(w);
	sk_serve_lost(w->s, why, w->now);
}

static void drop(void *ctx, const struct sk_err *why)
{
	lose(ctx, why);
}

static bool hand_over(struct world *w, const struct sk_params *p, struct sk_err *err)
{
	const struct sk_engine_cfg ec = { .max_tasks = 8 + SK_SERVE_SPARE, .stage_bytes = 4096, .abort_ms = 15000,
					  .lu_reset_ms = 30000, .tgt_reset_ms = 30000 };
	const struct sk_serve_cfg sc = {
		.timers = { .replacement_s = w->cfg.replacement_s, .noop_interval_s = 5, .noop_timeout_s = 5 },
		.cmds_max = 8, .queue_depth = 6, .max_io = 8192, .scan = true, .ctx = w, .tell = tell, .drop = drop,
	};

	if (!w->e) {
		w->e = sk_engine_new(&ec, p, err);
		if (!w->e)
			return false;
	} else if (sk_engine_resume(w->e, p, err) < 0) {
		return false;
	}
	if (!w->s) {
		w->s = sk_serve_new(&sc, w->e, &w->front, err);
		if (!w->s) {
			sk_engine_free(w->e);
			w->e = NULL;
			return false;
		}
	}
	tg_ffp(&w->t, p);
	w->attached = true;
	w->logins++;
	sk_serve_up(w->s, w->now);
	return true;
}

/* One receive; false when there was nothing to receive. */
static bool receive(struct world *w)
{
	struct sk_err err = { 0 };
	struct iovec iov[8];
	struct sk_span out = tg_out(&w->t);
	size_t want = out.n, got = 0;
	int n;

	if (!want && w->t.open)
		return false;
	if (!want) {
		sk_fail(&err, SK_ECONN, "the target closed the connection");
		lose(w, &err);
		return true;
	}
	if (w->cfg.chunk)
		want = SK_MIN(want, (size_t)w->cfg.chunk);
	n = sk_engine_rx_space(w->e, iov, 8);
	for (int i = 0; i < n && got < want; i++) {
		size_t k = SK_MIN(iov[i].iov_len, want - got);

		memcpy(iov[i].iov_base, out.p + got, k);
		got += k;
	}
	if (!got)
		world_broken(w, "the engine takes nothing");
	tg_taken(&w->t, got);
	if (sk_engine_rx(w->e, got, w->now, &err) < 0)
		lose(w, &err);
	return true;
}

static bool transmit(struct world *w)
{
	struct iovec iov[16];
	size_t sum = 0;
	int n = sk_engine_tx(w->e, iov, 16);

	for (int i = 0; i < n; i++) {
		to_target(w, iov[i].iov_base, iov[i].iov_len);
		sum += iov[i].iov_len;
	}
	if (n > 0)
		sk_engine_tx_done(w->e, sum);
	if (w->t.broke)
		world_broken(w, "the target complains: %s", w->t.complaint);
	return n > 0;
}

static void timers(struct world *w)
{
	struct sk_err why = { 0 };
	bool is_lost = false;

	w->engine_next = UINT64_MAX;
	if (!w->attached)
		return;
	w->engine_next = sk_engine_timers(w->e, w->now, &is_lost);
	if (!is_lost)
		return;
	w->engine_next = UINT64_MAX;
	sk_fail(&why, SK_ETIME, "a command timed out, and neither abort nor resets were answered");
	lose(w, &why);
}

/* A turn of the reactor */
static bool data_path(struct world *w)
{
	bool moved = w->attached && receive(w);

	timers(w);
	sk_serve_turn(w->s, w->now);
	if (w->attached)
		moved |= transmit(w);
	if (w->attached && sk_engine_pending(w->e))
		moved = true;
	timers(w);
	return moved || sk_serve_next_ms(w->s) <= w->now;
}

/* --- the login --- */

static int no_random(void *ctx, void *p, size_t n)
{
	struct world *w = ctx;

	memset(p, 0x40 + (int)(w->attempts & 31), n);
	return 0;
}

static void begin_login(struct world *w)
{
	struct sk_rng rng = { no_random, w };
	struct sk_err err = { 0 };
	struct sk_login_cfg c = {
		.initiator = { "iqn.2026-11.org.siskin:i" }, .target = { "iqn.2026-11.org.siskin:t" },
		.expect_tpgt = SK_TPGT_NONE, .cmd_sn = 1, .header_digest = SK_DIGEST_NONE_CRC32C,
		.data_digest = SK_DIGEST_NONE_CRC32C, .initial_r2t = false, .immediate_data = true, .max_recv_dsl = 4096,
		.max_burst = 16384, .first_burst = 8192, .max_outstanding_r2t = 1, .time2wait = 2, .time2retain = 0,
	};

	w->attempts++;
	if (w->cfg.target.chap) {
		snprintf(c.chap.username, sizeof(c.chap.username), "user");
		snprintf(c.chap.password, sizeof(c.chap.password), FAULT_SECRET);
	}
	if (w->cfg.target.mutual)
		snprintf(c.chap.password_in, sizeof(c.chap.password_in), FAULT_SECRET_IN);
	sk_framer_free(&w->framer);
	sk_framer_init(&w->framer, 65536);
	sk_login_free(w->login);
	w->login = sk_login_new(&c, &rng, &err);
	if (!w->login)
		post(w, (struct sk_sm_event){ .kind = SK_SM_REFUSED, .cause = SK_CAUSE_FOR_GOOD, .why = &err });
}

static void login_over(struct world *w)
{
	const struct sk_err *err;
	enum sk_cause cause = SK_CAUSE_PROTO;

	switch (sk_login_want(w->login)) {
	case SK_WANT_DONE:
		post(w, (struct sk_sm_event){ .kind = SK_SM_LOGIN_DONE,
					      .time2wait_ms = sk_login_result(w->login)->time2wait * 1000 });
		break;
	case SK_WANT_REDIRECT:
		post_kind(w, SK_SM_REDIRECT);
		break;
	case SK_WANT_GIVE_UP:
		err = sk_login_error(w->login);
		note_why(w, err);
		if (err->code == SK_EAUTH)
			cause = err->login ? SK_CAUSE_AUTH : SK_CAUSE_FOR_GOOD;
		else if (err->code == SK_ELOGIN)
			cause = sk_login_retryable(w->login) ? SK_CAUSE_REFUSED : SK_CAUSE_FOR_GOOD;
		post(w, (struct sk_sm_event){ .kind = SK_SM_REFUSED, .cause = cause, .why = err });
		break;
	default:
		break;
	}
}

static bool login_send(struct world *w)
{
	SK_BUF struct sk_buf wire = { 0 };
	struct sk_pdu pdu = { 0 };

	if (sk_login_take(w->login, &pdu, NULL) < 0)
		return true;
	if (sk_pdu_put_wire(&wire, &pdu, NULL) == 0)
		to_target(w, wire.p, wire.n);
	sk_pdu_free(&pdu);
	if (w->t.broke)
		world_broken(w, "the target complains: %s", w->t.complaint);
	return true;
}

/* The next PDU of what the target sent, as wire/ reads it: nothing behind a login response before the next request. */
static bool login_recv(struct world *w)
{
	struct sk_span out = tg_out(&w->t), in = out;
	struct sk_pdu pdu = { 0 };
	struct sk_err err = { 0 };
	int got = sk_framer_feed(&w->framer, &in, &pdu, &err);
	size_t used = out.n - in.n;

	tg_taken(&w->t, used);
	if (got > 0) {
		(void)sk_login_feed(w->login, &pdu, &err);
		sk_pdu_free(&pdu);
		return true;
	}
	if (got == 0 && w->t.open)
		return used;
	if (got == 0)
		sk_fail(&err, SK_ECONN, "the target closed the connection during the login");
	note_why(w, &err);
	post(w, (struct sk_sm_event){ .kind = SK_SM_DOWN, .why = &err });
	return true;
}

static bool login_path(struct world *w)
{
	enum sk_login_want want;
	bool moved = false;

	if (w->m.st != SK_ST_LOGIN)
		return false;
	want = sk_login_want(w->login);
	if (want == SK_WANT_SEND)
		moved = login_send(w);
	else if (want == SK_WANT_RECV)
		moved = login_recv(w);
	if (!w->n_posts)
		login_over(w);
	return moved;
}

/* --- what the machine wants done --- */

static void act(struct world *w, enum sk_sm_act a)
{
	struct sk_err err = { 0 };

	switch (a) {
	case SK_ACT_HALT:
		if (w->attached) {
			sk_fail(&err, SK_ECONN, "dropped as asked");
			lose(w, &err);
		}
		tg_close(&w->t);
		break;
	case SK_ACT_RESOLVE:
		post(w, (struct sk_sm_event){ .kind = SK_SM_RESOLVED, .n_addrs = 1 });
		break;
	case SK_ACT_CONNECT:
		tg_connect(&w->t);
		post_kind(w, SK_SM_CONNECTED);
		break;
	case SK_ACT_LOGIN:
		begin_login(w);
		break;
	case SK_ACT_HANDOFF:
		if (hand_over(w, sk_login_result(w->login), &err))
			post_kind(w, SK_SM_ATTACHED);
		else
			post(w, (struct sk_sm_event){ .kind = SK_SM_HANDOFF_FAILED, .why = &err });
		break;
	case SK_ACT_END:
		if (w->s)
			sk_serve_logout(w->s);
		break;
	default:
		break;
	}
}

static bool events(struct world *w)
{
	struct sk_sm_event ev;
	struct sk_err why;
	bool any = w->n_posts;

	while (w->n_posts) {
		unsigned acts;

		ev = w->posts[0];
		if (ev.why) {
			why = *ev.why;
			ev.why = &why;
		}
		w->n_posts--;
		for (unsigned i = 0; i < w->n_posts; i++) {
			w->posts[i] = w->posts[i + 1];
			w->post_why[i] = w->post_why[i + 1];
			if (w->posts[i].why)
				w->posts[i].why = &w->post_why[i];
		}
		if (sk_sm_step(&w->m, &ev, w->now, NULL) < 0)
			continue;
		acts = w->m.acts;
		for (unsigned bit = 1; bit && bit <= acts; bit <<= 1)
			if (acts & bit)
				act(w, (enum sk_sm_act)bit);
	}
	return any;
}

bool world_step(struct world *w)
{
	bool moved = events(w);

	if (++w->steps > STEPS_MAX)
		world_broken(w, "this does not end");
	if (w->m.deadline_ms <= w->now && w->m.st != SK_ST_GONE) {
		struct sk_err why = { 0 };

		sk_fail(&why, SK_ETIME, "no answer in time");
		post(w, (struct sk_sm_event){ .kind = SK_SM_TIMEOUT, .why = &why });
		events(w);
		moved = true;
	}
	moved |= login_path(w);
	moved |= events(w);
	if (w->s)
		moved |= data_path(w);
	return moved | events(w);
}

bool world_wait(struct world *w, uint64_t ms)
{
	uint64_t next = w->m.st == SK_ST_GONE ? UINT64_MAX : w->m.deadline_ms, end = w->now + ms;

	if (w->s)
		next = SK_MIN(next, sk_serve_next_ms(w->s));
	if (w->attached)
		next = SK_MIN(next, w->engine_next);
	if (next > end) {
		w->now = end;
		return false;
	}
	w->now = SK_MAX(w->now, next);
	return true;
}

bool world_settle(struct world *w, uint64_t ms)
{
	uint64_t end = w->now + ms;

	for (;;) {
		while (world_step(w))
			continue;
		if (!world_busy(w))
			return true;
		if (w->now >= end)
			return false;
		world_wait(w, end - w->now);
	}
}

bool world_up(struct world *w, uint64_t ms)
{
	uint64_t end = w->now + ms;

	for (;;) {
		while (world_step(w))
			continue;
		if (w->m.st == SK_ST_UP && ((w->has_disk && !w->disk_gone) || w->cfg.liar) && w->attached)
			return true;
		if (w->now >= end || w->m.st == SK_ST_GONE)
			return false;
		world_wait(w, end - w->now);
	}
}

void world_open(struct world *w, const struct world_cfg *cfg, struct dice *d)
{
	const struct sk_sm_cfg sm = { .login_timeout_ms = 15000, .window_ms = 0, .scan_ms = 30000,
				      .logout_timeout_ms = 15000, .time2wait_ms = 2000, .seed = 7 };

	memset(w, 0, sizeof(*w));
	w->cfg = *cfg;
	w->dice = d;
	w->now = 1000;
	w->engine_next = UINT64_MAX;
	w->front.ops = &ops;
	w->trace = getenv("WORLD_TRACE");
	w->t.cfg = cfg->target;
	for (uint32_t i = 0; i < TG_BLOCKS; i++)
		now_is(&w->blocks[i], 0);
	sk_log_to(sink, w, SK_LOG_NOTICE, 0);
	sk_sm_init(&w->m, &sm);
	post_kind(w, SK_SM_START);
}

void world_logout(struct world *w)
{
	w->going = true;
	w->cfg.may_fail = true;
	if (w->m.st != SK_ST_GONE) {
		for (int i = 0; i < 100 && w->m.st != SK_ST_GONE; i++) {
			if (w->m.st != SK_ST_LOGOUT)	/* refused as long as it is in its first login */
				post(w, (struct sk_sm_event){ .kind = SK_SM_LOGOUT, .force = true });
			while (world_step(w))
				continue;
			world_wait(w, 20000);
		}
		if (w->m.st != SK_ST_GONE)
			world_broken(w, "the session does not end");
	}
}

void world_close(struct world *w)
{
	world_logout(w);
	if (w->s) {
		detach(w);
		sk_serve_fail_all(w->s);
	}
	if (world_busy(w))
		world_broken(w, "a request never ended");
	sk_serve_free(w->s);
	sk_engine_free(w->e);
	sk_login_free(w->login);
	sk_framer_free(&w->framer);
	tg_free(&w->t);
	sk_log_to(NULL, NULL, SK_LOG_ERROR, 0);
}
