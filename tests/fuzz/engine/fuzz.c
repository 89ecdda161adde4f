/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "fuzz/fuzz.h"
#include "proto/engine.h"

/*
 * Arbitrary bytes from a target while tasks are outstanding. The first byte chooses parameters, the second how the
 * stream is cut. Promises: no crash, nothing written outside the buffers of reads, nothing at all into those of
 * writes, every task comes back exactly once, and a lost connection can always be resumed.
 */

#define N_TASKS 6
#define ARENA 24576
#define PLACE(i) ((i) * 4000 + 100)	/* the writes share theirs: nobody writes there */
#define GUARD 0xa5

struct user {
	struct sk_engine *e;
	struct sk_task *t[N_TASKS];
	struct iovec iov[N_TASKS][3];
	uint8_t arena[ARENA];
};

static const struct {
	enum sk_dir dir;
	uint32_t len, n_iov;
} kinds[N_TASKS] = {
	{ SK_DIR_WRITE, 9001, 2 }, { SK_DIR_READ, 700, 3 },   { SK_DIR_NONE, 0, 1 },
	{ SK_DIR_READ, 3900, 1 },  { SK_DIR_WRITE, 64, 1 },   { SK_DIR_READ, 4000, 2 },
};

static void check(bool good)
{
	if (!good)
		__builtin_trap();
}

static void submit(struct user *u, unsigned i, uint64_t now)
{
	struct sk_task *t = sk_engine_task(u->e);
	uint32_t at = PLACE(i), n = kinds[i].n_iov;

	check(t);
	u->t[i] = t;
	t->dir = kinds[i].dir;
	t->len = kinds[i].len;
	t->lun = i & 1;
	t->deadline_ms = i & 2 ? now + 500 * i : 0;
	t->owner = u->t + i;
	for (uint32_t k = 0; k < n; k++) {
		uint32_t part = k + 1 == n ? t->len - (n - 1) * (t->len / n) : t->len / n;

		u->iov[i][k] = (struct iovec){ u->arena + at, part };
		at += part + 16;
	}
	t->iov = u->iov[i];
	t->n_iov = n;
	sk_engine_submit(u->e, t);
}

/* Outside the buffers of reads everything is as it was. */
static void check_arena(const struct user *u)
{
	uint8_t expect[ARENA];

	memset(expect, GUARD, ARENA);
	for (unsigned i = 0; i < N_TASKS; i++)
		for (uint32_t k = 0; kinds[i].dir == SK_DIR_READ && k < kinds[i].n_iov; k++) {
			const struct iovec *v = &u->iov[i][k];

			memcpy(expect + ((const uint8_t *)v->iov_base - u->arena), v->iov_base, v->iov_len);
		}
	check(!memcmp(expect, u->arena, ARENA));
}

static void reap(struct user *u, uint64_t now, bool again)
{
	struct sk_engine_event ev;
	struct sk_task *t;

	while ((t = sk_engine_next_done(u->e))) {
		struct sk_task **slot = t->owner;

		check(*slot == t && t->end != SK_END_NONE && t->transferred <= t->len &&
		      t->sense_len <= SK_SENSE_MAX);
		*slot = NULL;
		sk_engine_task_put(u->e, t);
		if (again)
			submit(u, (unsigned)(slot - u->t), now);
	}
	while (sk_engine_next_event(u->e, &ev))
		check(ev.sense_len <= SK_SENSE_MAX);
}

static void send_some(struct user *u, size_t most)
{
	struct iovec iov[8];
	size_t sum = 0;
	int n = sk_engine_tx(u->e, iov, 8);

	for (int i = 0; i < n; i++)
		sum += iov[i].iov_len;
	sk_engine_tx_done(u->e, SK_MIN(sum, most));
}

static struct sk_params params_of(uint8_t how)
{
	return (struct sk_params){
		.header_digest = (how & 0xc0) == 0xc0,
		.data_digest = (how & 0xc0) == 0x80,
		.initial_r2t = how & 1,
		.immediate_data = how & 2,
		.data_pdu_in_order = !(how & 4),
		.data_sequence_in_order = !(how & 8),
		.max_recv_dsl = 8192,
		.max_xmit_dsl = 4096,
		.max_burst = 16384,
		.first_burst = 8192,
		.max_outstanding_r2t = 1 + (how >> 4 & 3),
		.cmd_sn = 1,
		.exp_cmd_sn = 1,
		.max_cmd_sn = 64,
		.exp_stat_sn = 1,
	};
}

static void feed(struct user *u, const uint8_t **p, size_t *n, size_t most, uint64_t now,
		 const struct sk_params *par)
{
	struct iovec iov[4];
	size_t got = 0;
	int k = sk_engine_rx_space(u->e, iov, 4);

	for (int i = 0; i < k && *n && got < most; i++) {
		size_t part = SK_MIN(*n, iov[i].iov_len);

		part = SK_MIN(part, most - got);
		memcpy(iov[i].iov_base, *p, part);
		*p += part;
		*n -= part;
		got += part;
	}
	if (got && sk_engine_rx(u->e, got, now, NULL) < 0) {
		sk_engine_halt(u->e);
		reap(u, now, false);
		check(sk_engine_resume(u->e, par, NULL) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct sk_engine_cfg cfg = { .max_tasks = N_TASKS, .stage_bytes = 4096, .abort_ms = 100, .lu_reset_ms = 100,
				     .tgt_reset_ms = 100 };
	struct sk_params par;
	struct user *u;
	uint64_t now = 1000;
	size_t most;
	bool lost;

	if (n < 2)
		return 0;
	par = params_of(p[0]);
	most = p[1] ? p[1] : 65536;
	cfg.fast_abort = p[1] & 1;
	p += 2;
	n -= 2;
	u = calloc(1, sizeof(*u));
	check(u);
	memset(u->arena, GUARD, ARENA);
	u->e = sk_engine_new(&cfg, &par, NULL);
	check(u->e);
	for (unsigned i = 0; i < N_TASKS; i++)
		submit(u, i, now);
	while (n) {
		send_some(u, most * 64);
		now += most == 77 ? 300 : 1;
		feed(u, &p, &n, most, now, &par);
		sk_engine_timers(u->e, now, &lost);
		if (lost)
			sk_engine_halt(u->e);
		reap(u, now, sk_engine_inflight(u->e) > 2);
		if (sk_engine_halted(u->e))
			check(sk_engine_resume(u->e, &par, NULL) == 0);
		if (most % 3 == 0) {
			(void)sk_engine_ping(u->e, now, NULL);
			(void)sk_engine_tmf(u->e, SK_TMF_LU_RESET, NULL, 1, now, NULL);
		}
	}
	check_arena(u);
	sk_engine_drop(u->e);
	reap(u, now, false);
	check(sk_engine_inflight(u->e) == 0);
	for (unsigned i = 0; i < N_TASKS; i++)
		check(!u->t[i]);
	sk_engine_free(u->e);
	free(u);
	return 0;
}
