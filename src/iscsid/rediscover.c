/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "iscsid/rediscover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"

/** The sources, each with a life of its own: one that does not answer delays nobody. */

#define ROUND_MS  150000	/* a round that takes longer is given up */
#define SPARE_MS  5000		/* so much sooner a SendTargets run gives up by itself, and says why */
#define POLL_S	  30		/* of SendTargets when the record says less than 0 */
#define POLL_MAX_S (7U * 86400)

static void feed(struct sk_source *s, const struct sk_rounds_event *ev);

static void post(struct sk_source *s, enum sk_rounds_kind kind)
{
	feed(s, &(struct sk_rounds_event){ .kind = kind });
}

/* --- a round ------------------------------------------------------------------------------------------------- */

static void end_asking(struct sk_asking *a)
{
	sk_disc_free(a->st);
	sk_isns_free(a->isns);
	a->st = NULL;
	a->isns = NULL;
}

static void cancel_round(struct sk_source *s)
{
	for (unsigned i = 0; i < s->n_ifaces; i++)
		end_asking(&s->asking[i]);
	s->left = 0;
}

static void round_over(struct sk_source *s)
{
	struct sk_rounds_event ev = { .kind = SK_RD_FAILED };

	for (unsigned i = 0; i < s->n_ifaces; i++)
		if (s->asking[i].good)
			ev.kind = SK_RD_FOUND;
	if (ev.kind == SK_RD_FOUND)
		ev.missing = sk_offers_counted(s);
	feed(s, &ev);
}

static void answered(struct sk_asking *a, const struct sk_found *found, unsigned n, const struct sk_err *err)
{
	struct sk_source *s = a->src;

	a->over = true;
	a->good = !err;
	if (err)
		s->err = *err;
	for (unsigned i = 0; !err && i < n; i++)
		sk_offer_seen(s, a->iface, &found[i]);
	end_asking(a);		/* with what was found */
	if (--s->left == 0)
		round_over(s);
}

static void said(void *ctx, const char *line)
{
	const struct sk_asking *a = ctx;

	sk_debug(SK_ROOM_DISCOVER, "%s %s:%u: %s", sk_source_word(a->src), a->src->host, a->src->port, line);
}

static void st_done(void *ctx, const struct sk_found *found, unsigned n, const struct sk_err *err)
{
	answered(ctx, found, n, err);
}

static void isns_done(void *ctx, const struct sk_found *found, unsigned n, enum sk_isns_stage stage, const struct sk_err *err)
{
	(void)stage;
	answered(ctx, found, n, err);
}

static int isns_cfg(struct sk_source *s, char *worker, size_t n, struct sk_isns_cfg *ret, struct sk_err *err)
{
	if (sk_places_helper(&s->d->places, "isns-worker", worker, n, err) < 0)
		return -1;
	*ret = (struct sk_isns_cfg){ .worker = worker, .host = s->host, .port = s->port };
	return 0;
}

/* Once known it is kept: its file may lie on a disk that is away. */
static int name_of(struct sk_source *s, unsigned iface, struct sk_iname *ret, struct sk_err *err)
{
	if (!s->names[iface].s[0] && sk_daemon_initiator(s->d, &s->names[iface], err) < 0)
		return -1;
	*ret = s->names[iface];
	return 0;
}

static int begin_asking(struct sk_asking *a, struct sk_err *err)
{
	static const struct sk_disc_events st_events = { said, st_done };
	static const struct sk_isns_ask_events isns_events = { said, isns_done };
	struct sk_source *s = a->src;
	struct sk_disc_cfg st = { .disc = s->record, .iface = s->ifaces[a->iface] };
	struct sk_isns_cfg isns;
	struct sk_iname name;
	char worker[600];

	if (name_of(s, a->iface, &name, err) < 0)
		return -1;
	if (s->type == SK_DISC_ISNS) {
		if (isns_cfg(s, worker, sizeof(worker), &isns, err) < 0)
			return -1;
		isns.names = &name;
		isns.n_names = 1;
		a->isns = sk_isns_ask(s->d->loop, &isns, &isns_events, a, err);
	} else {
		st.initiator = &name;
		st.deadline_ms = sk_loop_now(s->d->loop) + ROUND_MS - SPARE_MS;
		a->st = sk_disc_start(s->d->loop, &s->d->rng, &st, &st_events, a, err);
	}
	return a->isns || a->st ? 0 : -1;
}

static void begin_round(struct sk_source *s)
{
	for (struct sk_offer *o = s->offers; o; o = o->next)
		o->present = false;
	s->left = 0;
	for (unsigned i = 0; i < s->n_ifaces; i++) {
		struct sk_asking *a = &s->asking[i];

		*a = (struct sk_asking){ .src = s, .iface = i };
		memset(&s->err, 0, sizeof(s->err));
		a->over = begin_asking(a, &s->err) < 0;
		s->left += !a->over;
	}
	s->none_began = !s->left;
}

/* --- the ear ------------------------------------------------------------------------------------------------- */

static void ear_up(void *ctx)
{
	post(ctx, SK_RD_EAR_UP);
}

static void ear_changed(void *ctx)
{
	post(ctx, SK_RD_HEARD);
}

static void ear_down(void *ctx, enum sk_isns_stage stage, const struct sk_err *err)
{
	struct sk_source *s = ctx;

	(void)stage;
	s->deaf = *err;
	sk_isns_free(s->ear);
	s->ear = NULL;
	post(s, SK_RD_EAR_DOWN);
}

/* Every name that asks is registered, once. */
static unsigned all_names(struct sk_source *s, struct sk_iname ret[16])
{
	struct sk_err err = { 0 };
	unsigned n = 0, j;

	for (unsigned i = 0; i < s->n_ifaces && n < 16; i++) {
		if (name_of(s, i, &ret[n], &err) < 0)
			continue;
		for (j = 0; j < n && !sk_iname_eq(&ret[j], &ret[n]); j++)
			;
		n += j == n;
	}
	return n;
}

static void listen_to(struct sk_source *s)
{
	static const struct sk_isns_hear_events events = { ear_up, ear_changed, ear_down };
	struct sk_iname names[16];
	struct sk_isns_cfg cfg;
	char worker[600];

	memset(&s->deaf, 0, sizeof(s->deaf));
	if (isns_cfg(s, worker, sizeof(worker), &cfg, &s->deaf) == 0) {
		cfg.names = names;
		cfg.n_names = all_names(s, names);
		s->ear = sk_isns_hear(s->d->loop, &cfg, &events, s, &s->deaf);
	}
	if (!s->ear)
		post(s, SK_RD_EAR_DOWN);
}

/* --- what the machine asks for ------------------------------------------------------------------------------- */

static void act(struct sk_source *s, unsigned acts)
{
	const char *word = sk_source_word(s);

	if (acts & SK_RD_ACT_CANCEL) {
		cancel_round(s);
		sk_fail(&s->err, SK_ETIME, "no answer in time");
	}
	if (acts & SK_RD_ACT_DEAFEN) {
		sk_isns_free(s->ear);
		s->ear = NULL;
	}
	if (acts & SK_RD_ACT_TELL_FAILED)
		sk_warning(SK_ROOM_DISCOVER, "%s %s:%u cannot be asked: %s; it is tried again", word, s->host, s->port, s->err.msg);
	if (acts & SK_RD_ACT_TELL_DEAF)
		sk_warning(SK_ROOM_DISCOVER, "%s %s:%u does not tell of changes: %s; it is tried again", word, s->host, s->port,
			   s->deaf.msg);
	if (acts & SK_RD_ACT_TELL_WELL)
		sk_notice(SK_ROOM_DISCOVER, "%s %s:%u answers again", word, s->host, s->port);
	if (acts & SK_RD_ACT_APPLY)
		sk_offers_apply(s);
	if (acts & SK_RD_ACT_ASK)
		begin_round(s);
	if (acts & SK_RD_ACT_LISTEN)
		listen_to(s);
}

static void arm(struct sk_source *s)
{
	sk_timer_at(s->timer, s->none_began ? sk_loop_now(s->d->loop) : s->m.deadline_ms);
}

static void feed(struct sk_source *s, const struct sk_rounds_event *ev)
{
	struct sk_err err = { 0 };

	if (sk_rounds_step(&s->m, ev, sk_loop_now(s->d->loop), &err) < 0)
		sk_debug(SK_ROOM_DISCOVER, "%s %s:%u: %s", sk_source_word(s), s->host, s->port, err.msg);
	else
		act(s, s->m.acts);
	if (ev->kind == SK_RD_FOUND)
		sk_source_wish(s);
	arm(s);
}

void sk_source_wish(struct sk_source *s)
{
	uint32_t ms = sk_offers_wish(s);

	if (ms && s->m.st == SK_RD_RESTING)
		feed(s, &(struct sk_rounds_event){ .kind = SK_RD_WISH, .wish_ms = ms });
}

static void on_timer(void *ctx)
{
	struct sk_source *s = ctx;

	if (s->none_began) {	/* told from here, not from inside of its beginning */
		s->none_began = false;
		round_over(s);
	} else {
		post(s, SK_RD_TIMEOUT);
	}
}

struct sk_offer *sk_source_other(const struct sk_offer *o)
{
	for (struct sk_source *s = o->src->d->rediscovery->sources; s; s = s->next)
		for (struct sk_offer *p = s->offers; p; p = p->next)
			if (p != o && p->present && sk_offer_same(&p->key, &o->key))
				return p;
	return NULL;
}

/* --- sources from records ------------------------------------------------------------------------------------ */

struct ifaces {
	struct sk_record *v[SK_SOURCE_IFACES];
	unsigned n;
};

static bool keep_iface(void *ctx, const struct sk_record *r)
{
	struct ifaces *f = ctx;

	if (strcmp(sk_record_get(r, "iface.transport_name"), "tcp") == 0 &&
	    strcmp(sk_record_get(r, "iface.iscsi_ifacename"), "default") != 0 && f->n < SK_SOURCE_IFACES)
		f->v[f->n] = sk_record_copy(r, NULL);
	f->n += f->n < SK_SOURCE_IFACES && f->v[f->n];
	return true;
}

/* As a discovery without -I: every file of transport tcp, else the built-in default. */
static void read_ifaces(struct sk_store *store, struct ifaces *ret)
{
	*ret = (struct ifaces){ .n = 0 };
	(void)sk_store_ifaces(store, false, keep_iface, ret, NULL, NULL, NULL);
	if (!ret->n)
		ret->v[0] = sk_store_iface_get(store, "default", NULL);
	ret->n += !ret->n && ret->v[0];
}

static struct sk_rounds_cfg rounds_cfg(struct sk_daemon *d, enum sk_disc_type type, const struct sk_record *r)
{
	bool isns = type == SK_DISC_ISNS;
	int64_t s = sk_record_int(r, isns ? "discovery.isns.discoveryd_poll_inval" : "discovery.sendtargets.discoveryd_poll_inval");
	struct sk_rounds_cfg cfg = { .once = s == 0, .listen = isns, .round_ms = ROUND_MS };

	if (s < 0)
		s = isns ? 0 : POLL_S;
	cfg.poll_ms = (uint32_t)SK_MIN(s, (int64_t)POLL_MAX_S) * 1000;
	(void)d->rng.fill(d->rng.ctx, (uint8_t *)&cfg.seed, sizeof(cfg.seed));
	return cfg;
}

static void source_free(struct sk_source *s)
{
	if (!s)
		return;
	cancel_round(s);
	sk_isns_free(s->ear);
	sk_offers_free(s);
	sk_timer_free(s->timer);
	for (unsigned i = 0; i < s->n_ifaces; i++)
		sk_record_free(s->ifaces[i]);
	sk_record_free(s->record);
	free(s);
}

static int take_ifaces(struct sk_source *s, const struct ifaces *f, struct sk_err *err)
{
	for (unsigned i = 0; i < f->n; i++) {
		const char *own = sk_record_get(f->v[i], "iface.initiatorname");
		struct sk_err why = { 0 };

		if (*own && sk_iname_parse(sk_span_str(own), &s->names[s->n_ifaces], &why) < 0) {
			sk_warning(SK_ROOM_DISCOVER, "an iface is left out: %s", why.msg);
			continue;
		}
		s->ifaces[s->n_ifaces] = sk_record_copy(f->v[i], err);
		if (!s->ifaces[s->n_ifaces])
			return -1;
		s->n_ifaces++;
	}
	return s->n_ifaces ? 0 : sk_fail(err, SK_EINVAL, "no iface to ask through");
}

static struct sk_source *source_new(struct sk_daemon *d, enum sk_disc_type type, const struct sk_record *r,
				    const struct ifaces *f, struct sk_err *err)
{
	struct sk_source *s = calloc(1, sizeof(*s));
	struct sk_rounds_cfg cfg = rounds_cfg(d, type, r);

	if (!s) {
		sk_fail(err, SK_ENOMEM, "no memory");
		return NULL;
	}
	s->d = d;
	s->type = type;
	s->port = (uint16_t)sk_record_int(r, "discovery.sendtargets.port");
	snprintf(s->host, sizeof(s->host), "%s", sk_record_get(r, "discovery.sendtargets.address"));
	sk_rounds_init(&s->m, &cfg);
	s->timer = sk_timer_new(d->loop, on_timer, s, err);
	s->record = sk_record_copy(r, err);
	/* one attempt a round: the rounds have their own backoff */
	if (s->timer && s->record && take_ifaces(s, f, err) == 0 &&
	    (type == SK_DISC_ISNS || sk_record_set(s->record, "discovery.sendtargets.reopen_max", "0", err) == 0))
		return s;
	source_free(s);
	return NULL;
}

struct reading {
	struct sk_rediscovery *r;
	struct ifaces ifaces;
};

static bool take_record(void *ctx, enum sk_disc_type type, const char *host, uint16_t port, const struct sk_record *rec)
{
	struct reading *w = ctx;
	struct sk_err err = { 0 };
	struct sk_source *s;

	if (!sk_record_bool(rec, type == SK_DISC_ISNS ? "discovery.isns.use_discoveryd" : "discovery.sendtargets.use_discoveryd"))
		return true;
	s = source_new(w->r->d, type, rec, &w->ifaces, &err);
	if (!s) {
		sk_error(SK_ROOM_DISCOVER, "discovery at %s:%u: %s", host, port, err.msg);
		return true;
	}
	s->next = w->r->sources;
	w->r->sources = s;
	return true;
}

static void skipped(void *ctx, const char *path, const char *why)
{
	(void)ctx;
	sk_warning(SK_ROOM_DISCOVER, "%s: %s: left out", path, why);
}

static void read_sources(struct sk_rediscovery *r)
{
	struct reading w = { .r = r };
	struct sk_err err = { 0 };
	struct sk_store *store = access(r->d->places.dbroot, F_OK) == 0 ? sk_store_open(&r->d->places, &err) : NULL;

	if (!store) {
		if (err.code)
			sk_warning(SK_ROOM_DISCOVER, "no discoveries: %s", err.msg);
		return;
	}
	read_ifaces(store, &w.ifaces);
	for (enum sk_disc_type t = SK_DISC_SENDTARGETS; t <= SK_DISC_ISNS; t++)
		if (sk_store_discs(store, t, take_record, &w, skipped, NULL, &err) < 0)
			sk_warning(SK_ROOM_DISCOVER, "%s", err.msg);
	for (unsigned i = 0; i < w.ifaces.n; i++)
		sk_record_free(w.ifaces.v[i]);
	sk_store_free(store);
}

/* --- for the daemon ------------------------------------------------------------------------------------------ */

void sk_rediscovery_start(struct sk_daemon *d)
{
	struct sk_rediscovery *r = calloc(1, sizeof(*r));

	if (!r) {
		sk_error(SK_ROOM_DISCOVER, "no discoveries: no memory");
		return;
	}
	r->d = d;
	d->rediscovery = r;
	read_sources(r);
	sk_owned_load(r);
	for (struct sk_source *s = r->sources; s; s = s->next) {
		sk_notice(SK_ROOM_DISCOVER, "%s %s:%u is asked for targets", sk_source_word(s), s->host, s->port);
		post(s, SK_RD_START);
	}
}

void sk_rediscovery_kick(struct sk_daemon *d)
{
	for (struct sk_source *s = d->rediscovery ? d->rediscovery->sources : NULL; s; s = s->next)
		post(s, SK_RD_KICK);
}

void sk_rediscovery_stop(struct sk_daemon *d)
{
	for (struct sk_source *s = d->rediscovery ? d->rediscovery->sources : NULL; s; s = s->next)
		if (s->m.st != SK_RD_STOPPED)
			post(s, SK_RD_STOP);
}

void sk_rediscovery_free(struct sk_daemon *d)
{
	for (struct sk_source *s = d->rediscovery ? d->rediscovery->sources : NULL, *next; s; s = next) {
		next = s->next;
		source_free(s);
	}
	free(d->rediscovery);
	d->rediscovery = NULL;
}
