/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * famine: a login with CHAP both ways, a scan, I/O, a lost connection, a relogin and a logout, once for each allocation that
 * our code makes in it, with that one failing; then with every one from there on failing for a while. Nothing may crash, leak
 * or hang, and when memory is there again so is the session, unless its first login had to give up.
 *
 * malloc, calloc and realloc of everything linked in here are wrapped (meson.build); libraries keep their own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault/famine.h"
#include "fault/world.h"

static struct {
	bool wanted, on;
	unsigned long at, until, n;	/* which allocations fail; how many there were */
	long held;			/* of ours, not freed yet */
} famine;

static bool refused(void)
{
	unsigned long i;

	if (!famine.on)
		return false;
	i = famine.n++;
	return i >= famine.at && i < famine.until;
}

void *__wrap_malloc(size_t n)
{
	void *p = refused() ? NULL : __real_malloc(n);

	famine.held += p != NULL;
	return p;
}

void *__wrap_calloc(size_t n, size_t size)
{
	void *p = refused() ? NULL : __real_calloc(n, size);

	famine.held += p != NULL;
	return p;
}

void *__wrap_realloc(void *was, size_t n)
{
	void *p = refused() ? NULL : __real_realloc(was, n);

	famine.held += p != NULL && !was;
	return p;
}

void __wrap_free(void *p)
{
	famine.held -= p != NULL;
	__real_free(p);
}

static void starve(bool on)
{
	famine.on = on && famine.wanted;
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

static void work(struct world *w)
{
	world_ask(w, SK_DISK_WRITE, 3, 40, false);
	world_settle(w, 600000);
	world_ask(w, SK_DISK_READ, 3, 40, false);
	world_ask(w, SK_DISK_FLUSH, 0, 0, false);
	if (!world_settle(w, 600000))
		world_broken(w, "requests wait for ever");
}

/* One life of a session; returns how many allocations it made. */
static unsigned long life(unsigned long at, unsigned long until)
{
	struct dice d = dice_seed(1);
	struct world *w = __real_calloc(1, sizeof(*w));
	long held = famine.held;
	bool established;

	if (!w)
		exit(2);
	world_open(w, &config, &d);
	famine.n = 0;
	famine.at = at;
	famine.until = until;
	w->starve = starve;
	famine.wanted = true;
	starve(true);
	if (world_up(w, 60000)) {
		work(w);
		w->t.open = false;
		world_up(w, 60000);
		work(w);
	}
	famine.wanted = false;
	starve(false);
	established = w->m.established && w->has_disk;
	if (established) {
		if (!world_up(w, 600000))
			world_broken(w, "the session does not come back (allocations %lu..%lu failed)", at, until);
		w->cfg.may_fail = false;
		work(w);
		world_verify(w);
	}
	world_close(w);
	__real_free(w);
	if (famine.held != held) {
		fprintf(stderr, "%ld allocations are left behind (%lu..%lu failed)\n", famine.held - held, at, until);
		abort();
	}
	return famine.n;
}

int main(void)
{
	unsigned long n = life(~0UL, ~0UL), lives = 1;

	for (unsigned long at = 0; at < n; at++, lives++)
		life(at, at + 1);
	for (unsigned long at = 0; at < n; at += 3, lives++)
		life(at, at + 40);
	printf("%lu allocations, %lu lives\n", n, lives);
	return n > 20 ? 0 : 1;
}
