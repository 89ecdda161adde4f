/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>

#include "base/mem.h"
#include "transport/kernel/inner.h"

/** Chores of the crew with an owner who may be gone when they are done. */

struct sk_kobj *sk_kobj_get(struct sk_kobj *o)
{
	if (o)
		o->refs++;
	return o;
}

void sk_kobj_put(struct sk_kobj *o)
{
	if (o && --o->refs == 0)
		free(o);
}

static void work(struct sk_chore *chore)
{
	struct sk_kcmd *c = (struct sk_kcmd *)(void *)chore;

	c->rc = c->run(c, &c->err);
}

void sk_kcmd_drop(struct sk_kcmd *c)
{
	*(c->prev ? &c->prev->next : &c->k->cmds) = c->next;
	if (c->next)
		c->next->prev = c->prev;
	sk_fd_close(&c->fd);
	sk_pdu_free(&c->pdu);
	sk_kparams_free(c->params);
	sk_buf_free(&c->text);
	sk_kobj_put(c->o);
	free(c);
}

static void done(struct sk_chore *chore)
{
	struct sk_kcmd *c = (struct sk_kcmd *)(void *)chore;

	if (c->after)
		c->after(c);
	sk_kcmd_drop(c);
}

struct sk_kcmd *sk_kcmd_new(struct sk_kernel *k, struct sk_xsess *x, int (*run)(struct sk_kcmd *, struct sk_err *),
			    void (*after)(struct sk_kcmd *), struct sk_err *err)
{
	struct sk_kcmd *c = k->crew ? calloc(1, sizeof(*c)) : NULL;

	if (!c) {
		sk_fail(err, k->crew ? SK_ENOMEM : SK_ENOTCONN, k->crew ? "no memory" : "the kernel's iSCSI is not in use");
		return NULL;
	}
	c->chore = (struct sk_chore){ .work = work, .done = done };
	c->k = k;
	c->fd = -1;
	c->run = run;
	c->after = after;
	c->x = x;
	if (x) {
		c->epoch = x->epoch;
		c->sid = x->sid;
		c->host = x->host;
		c->o = sk_kobj_get(x->o);
	}
	c->next = k->cmds;
	if (c->next)
		c->next->prev = c;
	k->cmds = c;
	return c;
}

struct sk_kcmd *sk_kcmd_with_params(struct sk_xsess *x, int (*run)(struct sk_kcmd *, struct sk_err *),
				    void (*after)(struct sk_kcmd *), struct sk_err *err)
{
	struct sk_kcmd *c = sk_kcmd_new(x->k, x, run, after, err);

	if (!c)
		return NULL;
	c->params = malloc(sizeof(*c->params));
	if (c->params)
		return c;
	sk_kcmd_drop(c);
	sk_fail(err, SK_ENOMEM, "no memory");
	return NULL;
}

void sk_kcmd_order(struct sk_kcmd *taken)
{
	sk_crew_order(taken->k->crew, &taken->chore);
}

void sk_kcmd_errand(struct sk_kcmd *taken)
{
	sk_crew_errand(taken->k->crew, &taken->chore);
}

bool sk_kcmd_current(const struct sk_kcmd *c)
{
	return c->x && c->epoch == c->x->epoch;
}

void sk_kcmd_orphan(struct sk_xsess *x)
{
	for (struct sk_kcmd *c = x->k->cmds; c; c = c->next)
		if (c->x == x)
			c->x = NULL;
}
