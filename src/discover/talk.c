/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "discover/inner.h"

/** Login and SendTargets on one connection. */

#define FIRST_ROOM 64

/* --- answers ------------------------------------------------------------------------------------------------- */

/* A target that calls itself 0.0.0.0 or :: means where it was asked. */
static bool any_host(const char *host)
{
	struct in6_addr a6;
	struct in_addr a4;

	if (inet_pton(AF_INET, host, &a4) == 1)
		return a4.s_addr == 0;
	return inet_pton(AF_INET6, host, &a6) == 1 && IN6_IS_ADDR_UNSPECIFIED(&a6);
}

static void on_portal(void *ctx, const struct sk_iname *target, const struct sk_portal *portal)
{
	struct sk_disc *d = ctx;
	struct sk_found *f;

	if (d->n_found == d->cap_found) {
		unsigned cap = d->cap_found ? d->cap_found * 2 : FIRST_ROOM;
		struct sk_found *more = reallocarray(d->found, cap, sizeof(*more));

		if (!more) {
			d->nomem = true;
			return;
		}
		d->found = more;
		d->cap_found = cap;
	}
	f = &d->found[d->n_found++];
	f->target = *target;
	f->portal = *portal;
	if (any_host(f->portal.host))
		snprintf(f->portal.host, sizeof(f->portal.host), "%s", d->ip);
	(void)sk_portal_set_zone(&f->portal, d->netdev);
}

static void on_bad(void *ctx, const struct sk_err *why)
{
	sk_disc_say(ctx, "Discovery TargetName or TargetAddress invalid, ignoring: %s", why->msg);
}

/* --- how a login ends ---------------------------------------------------------------------------------------- */

static void refused(struct sk_disc *d)
{
	struct sk_err err = *sk_login_error(d->login);
	unsigned class = err.login >> 8, detail = err.login & 0xff;

	if (err.login && sk_login_retryable(d->login)) {
		sk_disc_say(d, "discovery login to %s rejected: target error (%02x/%02x)", d->ip, class, detail);
		sk_disc_retry(d, &err);
		return;
	}
	if (err.code == SK_EAUTH && err.login) {
		sk_disc_say(d, "Login failed to authenticate with target ");
		sk_disc_say(d, "discovery login to %s rejected: initiator failed authorization", d->ip);
	} else if (err.login) {
		sk_disc_say(d,
			    "discovery login to %s rejected: initiator error (%02x/%02x), non-retryable, giving up",
			    d->ip, class, detail);
	} else {
		sk_disc_say(d, "discovery login to %s failed, giving up %u: %s", d->ip, d->failures, err.msg);
	}
	sk_disc_finish(d, &err);
}

static int ask(struct sk_disc *d, struct sk_err *err)
{
	static const struct sk_targets_events ev = { on_portal, on_bad };
	struct sk_sendtargets_cfg cfg = { .portal = d->at, .cid = d->login_cfg.cid };

	snprintf(cfg.portal.host, sizeof(cfg.portal.host), "%s", d->ip);
	d->text = sk_sendtargets_new(&cfg, sk_login_result(d->login), &ev, d, err);
	if (!d->text)
		return -1;
	sk_login_free(d->login);
	d->login = NULL;
	sk_disc_asking(d);
	return 0;
}

static void text_failed(struct sk_disc *d)
{
	struct sk_err err = *sk_sendtargets_error(d->text);

	if (sk_sendtargets_complete(d->text)) {
		sk_disc_finish(d, NULL);
		return;
	}
	sk_disc_say(d, "discovery session to %s: %s", d->ip, err.msg);
	sk_disc_retry(d, &err);
}

static void text_done(struct sk_disc *d)
{
	struct sk_err err = { 0 };

	if (d->nomem)
		sk_fail(&err, SK_ENOMEM, "no memory for what was found");
	sk_disc_finish(d, d->nomem ? &err : NULL);
}

/* --- driving both -------------------------------------------------------------------------------------------- */

static enum sk_login_want want(const struct sk_disc *d)
{
	return d->text ? sk_sendtargets_want(d->text) : sk_login_want(d->login);
}

static int take(struct sk_disc *d, struct sk_pdu *pdu, struct sk_err *err)
{
	return d->text ? sk_sendtargets_take(d->text, pdu, err) : sk_login_take(d->login, pdu, err);
}

static void login_over(struct sk_disc *d, enum sk_login_want w)
{
	bool permanent;
	struct sk_portal to;

	if (w == SK_WANT_REDIRECT) {
		to = *sk_login_redirect(d->login, &permanent);
		sk_disc_redirect(d, &to);
	} else {
		refused(d);
	}
}

/* d may be gone when this returns: whoever calls touches nothing afterwards. */
static void drive(struct sk_disc *d)
{
	struct sk_err err = { 0 };
	enum sk_login_want w;

	while ((w = want(d)) == SK_WANT_SEND || (w == SK_WANT_DONE && !d->text)) {
		struct sk_pdu pdu = { 0 };

		if (w == SK_WANT_DONE && ask(d, &err) < 0) {
			sk_disc_finish(d, &err);
			return;
		}
		if (w == SK_WANT_SEND && take(d, &pdu, &err) == 0 && sk_wire_send(d->wire, &pdu, &err) < 0) {
			sk_disc_retry(d, &err);
			return;
		}
	}
	if (w == SK_WANT_RECV)
		return;
	if (!d->text)
		login_over(d, w);
	else if (w == SK_WANT_DONE)
		text_done(d);
	else
		text_failed(d);
}

void sk_disc_talk_begin(struct sk_disc *d)
{
	struct sk_err err = { 0 };
	uint8_t q[3] = { 0 };

	/* A qualifier of chance: two discoveries at once must not reinstate each other (RFC 7143, 6.3.5) */
	(void)d->rng->fill(d->rng->ctx, q, sizeof(q));
	d->login_cfg.isid = (struct sk_isid){ { 0x00, 0x02, 0x3d, q[0], q[1], q[2] } };
	d->login = sk_login_new(&d->login_cfg, d->rng, &err);
	if (d->login)
		drive(d);
	else
		sk_disc_finish(d, &err);
}

void sk_disc_talk_feed(struct sk_disc *d, const struct sk_pdu *pdu)
{
	struct sk_err err = { 0 };

	if (d->text)
		(void)sk_sendtargets_feed(d->text, pdu, &err);
	else if (d->login)
		(void)sk_login_feed(d->login, pdu, &err);
	if (d->text || d->login)
		drive(d);
}

bool sk_disc_talk_complete(const struct sk_disc *d)
{
	return d->text && sk_sendtargets_complete(d->text) && !d->nomem;
}

void sk_disc_talk_end(struct sk_disc *d)
{
	sk_login_free(d->login);
	d->login = NULL;
	sk_sendtargets_free(d->text);
	d->text = NULL;
}
