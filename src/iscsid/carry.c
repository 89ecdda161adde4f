/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "iscsid/daemon.h"
#include "transport/kernel/kernel.h"

/** Who carries a session that is to be. */

struct carrying {
	struct sk_daemon *d;
	struct sk_record *node;
	struct sk_carry c;
};

static void over(struct carrying *w)
{
	sk_record_free(w->node);
	free(w);
}

static void refuse(struct carrying *w, enum sk_result code, const struct sk_err *err)
{
	w->c.refused(w->c.ask.ctx, code, err);
	over(w);
}

static void begin(struct carrying *w, struct sk_transport *t)
{
	struct sk_err err = { 0 };
	struct sk_ask_login ask = w->c.ask;

	ask.initiator = w->c.initiator.s;
	ask.transport = t;
	if (sk_sessions_login(w->d->sessions, sk_give(w->node), &ask, &err) < 0)
		refuse(w, sk_result_of(&err), &err);
	else
		over(w);
}

/* The kernel cannot: the user transport stands in for it, unless the configuration forbids that. */
static void fall_back(struct carrying *w, const struct sk_err *why)
{
	struct sk_daemon *d = w->d;
	struct sk_err err = { 0 };
	char note[320];

	if (!d->fallback) {
		sk_fail(&err, SK_ENOTSUP, "no kernel transport for tcp (%s), and iscsid.transport.fallback is not \"user\"",
			why->msg);
		refuse(w, SK_RES_TRANS_NOT_FOUND, &err);
		return;
	}
	snprintf(note, sizeof(note), "%s: the user transport carries the session", why->msg);
	if (!d->note_logged)
		sk_notice(SK_ROOM_DOOR, "iface.transport_name = tcp: %s", note);
	d->note_logged = true;
	if (w->c.noted)
		w->c.noted(w->c.ask.ctx, note);
	begin(w, d->user);
}

static void on_prepared(void *ctx, const struct sk_err *why)
{
	struct carrying *w = ctx;

	if (!why)
		begin(w, w->d->kernel);
	else if (w->d->stopping || why->code == SK_ENOTCONN)
		refuse(w, SK_RES_ISCSID_COMM_ERR, why);
	else
		fall_back(w, why);
}

static void choose(struct carrying *w)
{
	const char *t = sk_record_get(w->node, "iface.transport_name");
	struct sk_err err = { 0 };

	if (t && !strcmp(t, "user")) {
		begin(w, w->d->user);
	} else if (t && *t && strcmp(t, "tcp") != 0) {
		sk_fail(&err, SK_ENOTSUP, "transport %s is not available: this iscsid knows tcp (the kernel's) and user", t);
		refuse(w, SK_RES_TRANS_NOT_FOUND, &err);
	} else if (sk_kernel_prepare(w->d->kernel, on_prepared, w, &err) < 0) {
		refuse(w, SK_RES_TRANS_NOT_FOUND, &err);
	}
}

void sk_daemon_login(struct sk_daemon *d, struct sk_record *taken_node, const struct sk_carry *carry)
{
	struct carrying *w = calloc(1, sizeof(*w));
	struct sk_err err = { 0 };

	if (!w) {
		sk_fail(&err, SK_ENOMEM, "no memory");
		sk_record_free(taken_node);
		carry->refused(carry->ask.ctx, SK_RES_NOMEM, &err);
		return;
	}
	*w = (struct carrying){ d, taken_node, *carry };
	choose(w);
}
