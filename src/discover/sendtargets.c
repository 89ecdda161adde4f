/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "discover/sendtargets.h"

#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/num.h"
#include "discover/inner.h"
#include "record/iface.h"

#define REDIRECTS_MAX 16
#define DATA_MAX      (256U << 10)

/* --- attempts and pauses ------------------------------------------------------------------------------------- */

uint32_t sk_disc_pause(unsigned failures)
{
	static const struct {
		unsigned up_to;
		uint32_t ms;
	} rows[] = { { 0, 0 }, { 9, 1000 }, { 20, 2000 }, { 26, 5000 }, { 34, 15000 } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (failures <= rows[i].up_to)
			return rows[i].ms;
	return 60000;
}

void sk_disc_say(struct sk_disc *d, const char *fmt, ...)
{
	char line[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (d->ev.say)
		d->ev.say(d->ctx, line);
}

static void drop_attempt(struct sk_disc *d)
{
	sk_job_cancel(d->resolving);
	d->resolving = NULL;
	sk_disc_talk_end(d);
	sk_wire_close(d->wire);
	d->wire = NULL;
}

/* The owner may free us from done: nothing of d is touched behind it. */
void sk_disc_finish(struct sk_disc *d, const struct sk_err *err)
{
	drop_attempt(d);
	sk_timer_at(d->timer, UINT64_MAX);
	d->state = SK_DISC_OVER;
	if (err)
		d->ev.done(d->ctx, NULL, 0, err);
	else
		d->ev.done(d->ctx, d->found, d->n_found, NULL);
}

static void arm(struct sk_disc *d, uint64_t at)
{
	d->attempt_end = at;
	sk_timer_at(d->timer, SK_MIN(at, d->cfg_deadline));
}

void sk_disc_retry(struct sk_disc *d, const struct sk_err *why)
{
	struct sk_err err = *why;

	drop_attempt(d);
	d->n_found = 0;
	d->failures++;
	if (d->failures > d->reopen_max) {
		sk_disc_say(d, "connection login retries (reopen_max) %u exceeded", d->reopen_max);
		if (err.code != SK_ETIME)
			err.code = SK_ECONN;
		sk_disc_finish(d, &err);
		return;
	}
	d->last = err;
	d->state = SK_DISC_PAUSE;
	arm(d, sk_loop_now(d->loop) + sk_disc_pause(d->failures));
}

/* --- connecting ---------------------------------------------------------------------------------------------- */

static void wire_up(void *ctx)
{
	struct sk_disc *d = ctx;

	d->state = SK_DISC_LOGIN;
	arm(d, sk_loop_now(d->loop) + d->login_ms);
	sk_disc_talk_begin(d);
}

static void wire_pdu(void *ctx, const struct sk_pdu *lent)
{
	sk_disc_talk_feed(ctx, lent);
}

static void wire_down(void *ctx, const struct sk_err *why)
{
	struct sk_disc *d = ctx;

	if (d->state == SK_DISC_CONNECT) {
		sk_disc_say(d, "cannot make connection to %s: %s", d->ip, why->sys ? strerror(why->sys) : why->msg);
	} else if (sk_disc_talk_complete(d)) { /* only the logout was missing */
		sk_disc_finish(d, NULL);
		return;
	} else {
		sk_disc_say(d, "Connection to Discovery Address %s %s", d->ip, why->sys ? "failed" : "closed");
		sk_disc_say(d, "retrying discovery login to %s", d->ip);
	}
	sk_disc_retry(d, why);
}

/* Link-local addresses that the target tells of are on the link we reach it by: that of the iface, else of its address. */
static void find_link(struct sk_disc *d, const struct sockaddr_storage *a, const char *netdev)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)a;
	char name[IF_NAMESIZE] = "";

	if (!netdev[0] && a->ss_family == AF_INET6 && six->sin6_scope_id && if_indextoname(six->sin6_scope_id, name))
		netdev = name;
	snprintf(d->netdev, sizeof(d->netdev), "%s", netdev);
}

static void connect_to(struct sk_disc *d)
{
	static const struct sk_wire_events ev = { wire_up, wire_pdu, wire_down };
	const struct sockaddr_storage *a = &d->addrs.a[d->failures % d->addrs.n];
	socklen_t len = a->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	struct sk_wire_cfg cfg = { .max_data = DATA_MAX };
	struct sk_err err = { 0 };

	d->ip[0] = '\0';
	(void)getnameinfo((const struct sockaddr *)a, len, d->ip, sizeof(d->ip), NULL, 0, NI_NUMERICHOST);
	snprintf(cfg.hwaddress, sizeof(cfg.hwaddress), "%s", sk_iface_binding(d->iface, "iface.hwaddress"));
	if (!cfg.hwaddress[0])
		snprintf(cfg.netdev, sizeof(cfg.netdev), "%s", sk_iface_binding(d->iface, "iface.net_ifacename"));
	snprintf(cfg.ipaddress, sizeof(cfg.ipaddress), "%s", sk_iface_binding(d->iface, "iface.ipaddress"));
	find_link(d, a, cfg.netdev);
	d->state = SK_DISC_CONNECT;
	arm(d, sk_loop_now(d->loop) + d->login_ms);
	d->wire = sk_wire_open(d->loop, a, &cfg, &ev, d, &err);
	if (!d->wire)
		wire_down(d, &err);
}

/* The text alone of a resolver's failure: the incumbent puts it in brackets. */
static const char *reason(const struct sk_err *err)
{
	const char *colon = strrchr(err->msg, ':');

	return colon && colon[1] == ' ' ? colon + 2 : err->msg;
}

static void on_resolved(void *ctx, const struct sk_addrs *addrs, const struct sk_err *err)
{
	struct sk_disc *d = ctx;
	struct sk_err why = { 0 };

	d->resolving = NULL;
	if (!err && addrs->n) {
		d->addrs = *addrs;
		connect_to(d);
		return;
	}
	if (err)
		why = *err;
	else
		sk_fail(&why, SK_ERESOLVE, "%s has no address", d->at.host);
	sk_disc_say(d, "Cannot resolve host %s. getaddrinfo error: [%s]", d->at.host, reason(&why));
	sk_disc_say(d, "cannot resolve host name %s", d->at.host);
	sk_disc_say(d, "cannot resolve host name %s", d->at.host);
	why.code = SK_ERESOLVE;
	sk_disc_finish(d, &why);
}

static void resolve(struct sk_disc *d)
{
	struct sk_err err = { 0 };

	d->state = SK_DISC_RESOLVE;
	arm(d, sk_loop_now(d->loop) + d->login_ms);
	d->resolving = sk_loop_resolve(d->loop, d->at.host, d->at.port, on_resolved, d, &err);
	if (!d->resolving)
		sk_disc_finish(d, &err);
}

void sk_disc_redirect(struct sk_disc *d, const struct sk_portal *to)
{
	struct sk_err err = { 0 };

	drop_attempt(d);
	if (++d->redirects > REDIRECTS_MAX) {
		sk_fail(&err, SK_EPROTO, "redirected more than %d times", REDIRECTS_MAX);
		sk_disc_finish(d, &err);
		return;
	}
	d->at = *to;
	resolve(d);
}

void sk_disc_asking(struct sk_disc *d)
{
	d->state = SK_DISC_TEXT;
	arm(d, sk_loop_now(d->loop) + d->text_ms);
}

static void begin(struct sk_disc *d)
{
	d->at = d->home;
	d->redirects = 0;
	resolve(d);
}

static void timed_out(struct sk_disc *d)
{
	struct sk_err err = { 0 };

	if (sk_disc_talk_complete(d)) {
		sk_disc_finish(d, NULL);
		return;
	}
	if (d->state == SK_DISC_RESOLVE)
		sk_fail(&err, SK_ERESOLVE, "%s: the resolver does not answer", d->at.host);
	else
		sk_fail(&err, SK_ETIME, "%s does not answer", d->ip);
	if (d->state == SK_DISC_CONNECT)
		sk_disc_say(d, "connect to %s timed out", d->ip);
	else if (d->state == SK_DISC_TEXT)
		sk_disc_say(d, "Discovery session to %s:%u timed out.", d->at.host, d->at.port);
	else if (d->state == SK_DISC_LOGIN)
		sk_disc_say(d, "retrying discovery login to %s", d->ip);
	sk_disc_retry(d, &err);
}

static void on_timer(void *ctx)
{
	struct sk_disc *d = ctx;
	uint64_t now = sk_loop_now(d->loop);
	struct sk_err err = { 0 };

	if (now >= d->cfg_deadline) {
		if (d->last.code)
			err = d->last;
		else
			sk_fail(&err, SK_ETIME, "no answer in the time allowed");
		err.code = SK_ETIME;
		sk_disc_finish(d, &err);
	} else if (now < d->attempt_end) {
		sk_timer_at(d->timer, SK_MIN(d->attempt_end, d->cfg_deadline));
	} else if (d->state == SK_DISC_START || d->state == SK_DISC_PAUSE) {
		begin(d);
	} else {
		timed_out(d);
	}
}

/* --- made and freed ------------------------------------------------------------------------------------------ */

static uint32_t setting(const struct sk_record *r, const char *key, int64_t dflt, int64_t max)
{
	int64_t v = sk_record_int(r, key);

	return (uint32_t)(v < 0 || (v == 0 && dflt > 0) ? dflt : SK_MIN(v, max));
}

static int read_cfg(struct sk_disc *d, const struct sk_disc_cfg *cfg, struct sk_err *err)
{
	const char *host = sk_record_get(cfg->disc, "discovery.sendtargets.address");
	int64_t port = sk_record_int(cfg->disc, "discovery.sendtargets.port");

	if (!host || !sk_portal_host_ok(sk_span_str(host)) || strlen(host) >= sizeof(d->home.host))
		return sk_fail(err, SK_EINVAL, "the discovery address is not an address or a host name");
	if (port < 1 || port > 65535)
		return sk_fail(err, SK_EINVAL, "the discovery port %lld is outside 1..65535", (long long)port);
	snprintf(d->home.host, sizeof(d->home.host), "%s", host);
	d->home.port = (uint16_t)port;
	d->home.tpgt = SK_TPGT_NONE;
	d->login_ms = setting(cfg->disc, "discovery.sendtargets.timeo.login_timeout", 15, 3600) * 1000;
	d->text_ms = setting(cfg->disc, "discovery.sendtargets.timeo.active_timeout", 30, 3600) * 1000;
	d->reopen_max = setting(cfg->disc, "discovery.sendtargets.reopen_max", 0, 1000000);
	if (sk_disc_login_cfg(cfg->disc, cfg->iface, cfg->initiator, &d->login_cfg, err) < 0)
		return -1;
	return d->login_cfg.initiator.s[0] ? 0 : sk_fail(err, SK_EINVAL, "no initiator name is known");
}

struct sk_disc *sk_disc_start(struct sk_loop *l, struct sk_rng *rng, const struct sk_disc_cfg *cfg,
			      const struct sk_disc_events *ev, void *ctx, struct sk_err *err)
{
	struct sk_disc *d = calloc(1, sizeof(*d));

	if (!d) {
		sk_fail(err, SK_ENOMEM, "no memory");
		return NULL;
	}
	d->loop = l;
	d->rng = rng;
	d->iface = cfg->iface;
	d->ev = *ev;
	d->ctx = ctx;
	d->cfg_deadline = cfg->deadline_ms;
	d->timer = sk_timer_new(l, on_timer, d, err);
	if (!d->timer || read_cfg(d, cfg, err) < 0) {
		sk_disc_free(d);
		return NULL;
	}
	arm(d, sk_loop_now(l));
	return d;
}

void sk_disc_free(struct sk_disc *d)
{
	if (!d)
		return;
	drop_attempt(d);
	sk_timer_free(d->timer);
	explicit_bzero(&d->login_cfg, sizeof(d->login_cfg));
	free(d->found);
	free(d);
}
