/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "transport/user/inner.h"

/** What dead sessions left behind is taken away by a worker: unmounting and detaching may take their time. */

struct sweep {
	struct user *u;
	struct sweep *next;
	struct sk_job *job;
	struct sk_places places;
	unsigned n;
	uint32_t sid[];
};

static void work(void *ctx)
{
	const struct sweep *s = ctx;

	for (unsigned i = 0; i < s->n; i++)
		if (!sk_udir_alive(&s->places, s->sid[i]))
			sk_udir_sweep(&s->places, s->sid[i]);
}

static void swept(void *ctx)
{
	struct sweep *s = ctx, **at = &s->u->sweeps;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	free(s);
}

void sk_user_sweep(struct user *u, const uint32_t *sids, unsigned n)
{
	struct sweep *s = calloc(1, sizeof(*s) + n * sizeof(*sids));

	if (!s)
		return;		/* the next daemon sweeps as well */
	s->u = u;
	s->places = *u->t.places;
	s->n = n;
	memcpy(s->sid, sids, n * sizeof(*sids));
	s->job = sk_loop_work(u->t.loop, work, swept, s, NULL);
	if (!s->job) {
		free(s);
		return;
	}
	s->next = u->sweeps;
	u->sweeps = s;
}

void sk_user_sweep_stop(struct user *u)
{
	while (u->sweeps) {
		struct sweep *s = u->sweeps;

		u->sweeps = s->next;
		sk_job_abandon(s->job, free);
	}
}
