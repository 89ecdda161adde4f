/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * matrix EXPECTED: every fault of wrong.c at every moment it fits, once in a session of its own on virtual time. A cell's
 * line says what the application saw and how long it waited at most, how often the connection was lost and logged in to,
 * what was left at the end, and the first thing the log said. The lines must be those of the file EXPECTED (matrix.txt,
 * read and approved by people). matrix --list prints them; --only TEXT runs those that contain it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "fault/world.h"
#include "fault/wrong.h"

static const char *const moments[TG_MOMENTS] = {
	"security", "chap", "operational", "scan", "read", "read-end", "r2t", "write-end", "flush", "ping", "tmf", "logout",
};

enum when { FIRST, SERVICE, AGAIN };	/* the first login; I/O and idling; the login after a lost connection */
static const char *const whens[] = { "first", "service", "again" };

struct cell {
	struct world w;
	struct dice d;
	const struct wrong *wrong;
	enum tg_moment moment;
	bool armed, done;
	unsigned losses_before;
	uint64_t attempts_before;
};

static void spoil(void *ctx, struct target *t, struct tg_pdu *p)
{
	struct cell *c = ctx;

	if (!c->armed || c->done)
		return;
	if (c->moment == TG_TMF && p->moment == TG_READ_END) {	/* so that there is something to abort */
		p->drop = true;
		c->w.t.spoilt = true;
	}
	if (p->moment != c->moment)
		return;
	if (!strcmp(c->wrong->name, "power"))
		world_power(&c->w);
	c->w.told[0] = '\0';
	wrong_do(c->wrong, t, p, &c->d);
	c->done = true;
}

static void work(struct world *w, uint32_t salt)
{
	world_ask(w, SK_DISK_WRITE, salt, 40, false);
	world_settle(w, 900000);
	world_ask(w, SK_DISK_READ, salt, 40, false);
	world_settle(w, 900000);
	world_ask(w, SK_DISK_FLUSH, 0, 0, false);
	world_settle(w, 900000);
}

static void idle(struct world *w, uint64_t ms)
{
	uint64_t end = w->now + ms;

	while (w->now < end) {
		while (world_step(w))
			continue;
		world_wait(w, end - w->now);
	}
}

static const struct world_cfg config = {
	.may_fail = true,
	.replacement_s = 120,
	.target = {
		.chap = true, .mutual = true, .window = 8,
		.offer = { .header_digest = true, .data_digest = true, .initial_r2t = true, .immediate_data = true,
			   .max_burst = 4096, .first_burst = 4096, .max_outstanding_r2t = 1, .time2wait = 2,
			   .max_xmit_dsl = 2048 },
	},
};

static void arm(struct cell *c)
{
	c->armed = true;
	c->w.acked = c->w.failed = c->w.max_ms = 0;
	c->w.last_error = 0;
	c->losses_before = (unsigned)c->w.lost;
	c->attempts_before = c->w.attempts;
}

/* Numbers that depend on how many PDUs went before are of no interest. */
static void mask(char *s)
{
	char *to = s;

	while (*s) {
		size_t n = !strncmp(s, "0x", 2) ? 2 + strspn(s + 2, "0123456789abcdef") : strspn(s, "0123456789");

		if (n >= 9) {
			*to++ = '#';
			s += n;
		} else {
			*to++ = *s++;
			for (; n > 1; n--)
				*to++ = *s++;
		}
	}
	*to = '\0';
}

/* The first thing that was said, without what only repeats it */
static const char *said(struct world *w)
{
	char *end = strstr(w->told, "; ");

	if (end)
		*end = '\0';
	mask(w->told);
	if (!w->told[0] && !w->m.established)
		return w->m.err.msg;
	return w->told[0] ? w->told : "-";
}

static void print(struct cell *c, enum when when, bool up, bool whole, char *out, size_t n)
{
	struct world *w = &c->w;
	char app[64];

	if (!w->failed)
		snprintf(app, sizeof(app), "ok");
	else
		snprintf(app, sizeof(app), "%llu x %s", (unsigned long long)w->failed, strerrorname_np(w->last_error) ?: "mixed");
	snprintf(out, n, "%-32s %-11s %-7s | %-11s %6llu ms | lost %u logins %llu | %-10s | %.240s", c->wrong->name,
		 moments[c->moment], whens[when], app, (unsigned long long)w->max_ms, (unsigned)w->lost - c->losses_before,
		 (unsigned long long)(w->attempts - c->attempts_before), !up ? "no session" : whole ? "whole" : "disk gone",
		 said(w));
}

static void run_cell(const struct wrong *wrong, enum tg_moment moment, enum when when, char *out, size_t n)
{
	struct cell *c = calloc(1, sizeof(*c));
	bool up, whole;

	if (!c)
		exit(2);
	c->wrong = wrong;
	c->moment = moment;
	c->d = dice_seed(1);
	world_open(&c->w, &config, &c->d);
	c->w.t.ctx = c;
	c->w.t.spoil = spoil;
	if (when == FIRST)
		arm(c);
	up = world_up(&c->w, 120000);
	if (up) {
		work(&c->w, 0);
		if (when != FIRST)
			arm(c);
		if (when == AGAIN)
			c->w.t.open = false;
		work(&c->w, 20);
		idle(&c->w, 12000);
		if (moment == TG_LOGOUT) {
			world_logout(&c->w);
		} else {
			tg_thaw(&c->w.t);
			work(&c->w, 40);
			up = world_up(&c->w, 300000);
		}
	}
	whole = c->w.has_disk && !c->w.disk_gone;
	if (!c->done)
		snprintf(out, n, "%s", "");
	else
		print(c, when, up, whole, out, n);
	c->armed = false;
	c->w.cfg.may_fail = true;
	world_close(&c->w);
	free(c);
}

static bool fits(const struct wrong *w, enum tg_moment m, enum when when)
{
	bool login = AT(m) & (AT_LOGIN | AT(TG_SCAN));

	return !w->lie && w->at & AT(m) && login == (when != SERVICE);
}

int main(int argc, char **argv)
{
	bool list = argc > 1 && !strcmp(argv[1], "--list");
	const char *only = argc > 2 && !strcmp(argv[1], "--only") ? argv[2] : NULL;
	FILE *expected = list || only || argc < 2 ? NULL : fopen(argv[1], "r");
	unsigned cells = 0, other = 0;

	if (!list && !only && !expected) {
		perror("matrix: the file of what is expected");
		return 2;
	}
	for (unsigned i = 0; i < n_wrongs; i++)
		for (enum tg_moment m = 0; m < TG_MOMENTS; m++)
			for (enum when when = FIRST; when <= AGAIN; when++) {
				char is[700], want[700] = "";

				if (!fits(&wrongs[i], m, when))
					continue;
				run_cell(&wrongs[i], m, when, is, sizeof(is));
				if (!is[0] || (only && !strstr(is, only)))
					continue;
				cells++;
				if (!expected) {
					puts(is);
					continue;
				}
				if (!fgets(want, sizeof(want), expected))
					want[0] = '\0';
				want[strcspn(want, "\n")] = '\0';
				if (strcmp(is, want)) {
					other++;
					printf("want %s\nis   %s\n", want, is);
				}
			}
	if (expected) {
		char rest[8];

		other += fgets(rest, sizeof(rest), expected) != NULL;
		fclose(expected);
		printf("%u cells, %u not as expected\n", cells, other);
	}
	return other || !cells;
}
