/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fault/storm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "fault/world.h"
#include "fault/wrong.h"

#define FAULTS_MOST 12U

struct weather {
	struct world w;
	struct dice *d;
	struct storm_report *rep;
	unsigned rate;		/* one answer in so many goes wrong; 0: none any more */
	unsigned faults;
	bool lies;
};

static void spoil(void *ctx, struct target *t, struct tg_pdu *p)
{
	struct weather *s = ctx;
	const struct wrong *x;
	unsigned i;

	if (!s->rate || s->faults == FAULTS_MOST || dice(s->d, s->rate))
		return;
	if (!s->lies && sk_bhs_op(p->bhs) == SK_OP_SCSI_RSP && p->bhs[3] == 0x02)
		return;		/* an attention that does not arrive is a lie */
	i = dice(s->d, n_wrongs);
	x = &wrongs[i];
	if (!(x->at & AT(p->moment)) || (x->lie && !s->lies))
		return;
	s->faults++;
	s->rep->faults++;
	s->rep->by_wrong[i]++;
	if (!strcmp(x->name, "power"))
		world_power(&s->w);
	if (s->w.trace)
		fprintf(stderr, "%8llu wrong: %s at %u\n", (unsigned long long)s->w.now, x->name, p->moment);
	wrong_do(x, t, p, s->d);
}

static void application(struct weather *s)
{
	static const enum sk_disk_op ops[] = { SK_DISK_READ, SK_DISK_WRITE, SK_DISK_WRITE, SK_DISK_READ, SK_DISK_FLUSH,
					       SK_DISK_ZERO };
	enum sk_disk_op op = ops[dice(s->d, 6)];
	uint32_t n = 1 + dice(s->d, 40), at = dice(s->d, TG_BLOCKS - n);

	if (op == SK_DISK_FLUSH)
		at = n = 0;
	world_ask(&s->w, op, at, n, dice(s->d, 8) == 0);
}

static struct world_cfg weather_of(struct dice *d, bool lies)
{
	static const uint32_t chunks[] = { 0, 0, 1, 7, 48, 511, 4096 };
	struct world_cfg c = { .liar = lies, .may_fail = true, .chunk = chunks[dice(d, 7)] };

	c.replacement_s = dice(d, 3) ? 120 : dice(d, 2) ? 0 : 10;
	c.target.chap = dice(d, 3) == 0;
	c.target.mutual = c.target.chap && dice(d, 2);
	c.target.no_cache = dice(d, 4) == 0;
	c.target.window = 1 + dice(d, 16);
	c.target.offer = (struct sk_params){
		.header_digest = dice(d, 2), .data_digest = dice(d, 2), .initial_r2t = dice(d, 2), .immediate_data = dice(d, 2),
		.max_burst = 4096U << dice(d, 3), .first_burst = 512U << dice(d, 4), .max_outstanding_r2t = 1,
		.time2wait = dice(d, 3), .max_xmit_dsl = 512U << dice(d, 4),
	};
	return c;
}

/* An honest target from here on: everything that waits ends, and the session is there again, if it ever was. */
static void calm(struct weather *s)
{
	struct world *w = &s->w;
	bool established = w->m.established;

	s->rate = 0;
	tg_thaw(&w->t);
	if (!world_settle(w, 3600000))
		world_broken(w, "requests are still waiting after an hour");
	if (established && !world_up(w, 600000))
		world_broken(w, "the session does not come back");
	if (s->lies || !w->has_disk || w->disk_gone)
		return;
	world_ask(w, SK_DISK_FLUSH, 0, 0, false);
	world_settle(w, 600000);	/* it may have to tell of data lost before */
	w->cfg.may_fail = false;
	for (uint32_t i = 0; i < TG_BLOCKS; i += 16)
		world_ask(w, SK_DISK_READ, i, 16, false);
	if (!world_settle(w, 600000))
		world_broken(w, "the disk does not answer");
	world_verify(w);
}

void storm(struct dice *d, bool lies, struct storm_report *rep)
{
	struct weather *s = calloc(1, sizeof(*s));
	struct world_cfg cfg;

	if (!s)
		return;
	cfg = weather_of(d, lies);
	s->d = d;
	s->rep = rep;
	s->lies = lies;
	s->rate = 1 + dice(d, 24);
	world_open(&s->w, &cfg, d);
	s->w.t.ctx = s;
	s->w.t.spoil = spoil;
	for (unsigned turns = 20 + dice(d, 60); turns && !dice_used_up(d); turns--) {
		for (unsigned n = dice(d, 4); n; n--)
			application(s);
		for (unsigned n = 1 + dice(d, 40); n && world_step(&s->w); n--)
			continue;
		if (dice(d, 3) == 0)
			world_wait(&s->w, 1 + dice(d, 20000));
	}
	calm(s);
	world_close(&s->w);
	rep->conversations++;
	rep->pdus += s->w.t.n_pdus;
	rep->acked += s->w.acked;
	rep->failed += s->w.failed;
	rep->logins += s->w.logins;
	rep->losses += s->w.lost;
	free(s);
}
