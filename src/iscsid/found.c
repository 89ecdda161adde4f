/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "iscsid/rediscover.h"
#include "sys/mounts.h"
#include "sys/session.h"

/**
 * What a source offers is logged in, each portal through each iface it was found through; what it has not offered twice in a row
 * is logged out, if we logged it in and nobody uses its disks.
 */

#define RETRY_MIN_MS 5000
#define RETRY_MAX_MS 600000
#define IN_USE_MS    5000	/* between looks at disks that keep a session */
#define GONE_AFTER   2		/* answers without it: one may come from a server that has just started */

const char *sk_source_word(const struct sk_source *s)
{
	return s->type == SK_DISC_ISNS ? "isns" : "sendtargets";
}

struct name {
	char s[600];
};

static struct name name_of(const struct sk_offer *o)
{
	struct name ret;

	snprintf(ret.s, sizeof(ret.s), "%s %s:%u [iface %s]", o->key.target.s, o->key.portal.host, o->key.portal.port, o->key.iface);
	return ret;
}

/* --- the list ------------------------------------------------------------------------------------------------ */

static struct sk_offer **bucket(struct sk_source *s, const struct sk_node_key *k)
{
	uint64_t h = sk_hash(sk_hash(sk_hash(SK_HASH_START, k->target.s), k->portal.host), k->iface) + k->portal.port;

	return &s->table[(h ^ h >> 32) % SK_OFFERS_TABLE];
}

static struct sk_offer *find(struct sk_source *s, const struct sk_node_key *k)
{
	struct sk_offer *o = *bucket(s, k);

	while (o && !sk_offer_same(&o->key, k))
		o = o->alike;
	return o;
}

static struct sk_offer *add(struct sk_source *s, unsigned iface, const struct sk_node_key *k)
{
	struct sk_offer *o = calloc(1, sizeof(*o));
	struct sk_offer **at = bucket(s, k);

	if (!o)
		return NULL;
	o->src = s;
	o->iface = iface;
	o->key = *k;
	o->alike = *at;
	*at = o;
	o->next = s->offers;
	o->link = &s->offers;
	if (o->next)
		o->next->link = &o->next;
	s->offers = o;
	return o;
}

static void drop(struct sk_offer *o)
{
	struct sk_offer **at = bucket(o->src, &o->key);

	while (*at != o)
		at = &(*at)->alike;
	*at = o->alike;
	*o->link = o->next;
	if (o->next)
		o->next->link = o->link;
	free(o);
}

bool sk_offer_same(const struct sk_node_key *a, const struct sk_node_key *b)
{
	return !strcmp(a->target.s, b->target.s) && !strcmp(a->portal.host, b->portal.host) &&
	       a->portal.port == b->portal.port && !strcmp(a->iface, b->iface);
}

void sk_offer_seen(struct sk_source *s, unsigned iface, const struct sk_found *found)
{
	struct sk_node_key k = { .target = found->target, .portal = found->portal };
	struct sk_offer *o;

	snprintf(k.iface, sizeof(k.iface), "%s", sk_record_get(s->ifaces[iface], "iface.iscsi_ifacename"));
	o = find(s, &k);
	if (!o)
		o = add(s, iface, &k);
	if (!o)
		return;		/* no memory: it is found again in the next round */
	o->key.portal.tpgt = found->portal.tpgt;
	o->iface = iface;
	o->present = true;
}

bool sk_offers_counted(struct sk_source *s)
{
	bool missing = false;

	for (struct sk_offer *o = s->offers; o; o = o->next) {
		if (!s->asking[o->iface].good)
			continue;	/* nobody could say */
		o->missed = o->present ? 0 : o->missed + (o->missed < GONE_AFTER);
		missing = missing || (o->owned && o->missed > 0 && o->missed < GONE_AFTER);
	}
	return missing;
}

static void key_of(const struct sk_session_info *i, struct sk_node_key *ret)
{
	*ret = (struct sk_node_key){ .portal = { .port = i->port, .tpgt = i->tpgt } };
	snprintf(ret->target.s, sizeof(ret->target.s), "%s", i->target);
	snprintf(ret->portal.host, sizeof(ret->portal.host), "%s", i->host);
	snprintf(ret->iface, sizeof(ret->iface), "%s", i->iface);
}

int sk_offer_adopt(struct sk_source *s, const struct sk_session_info *info)
{
	struct sk_node_key k;
	struct sk_offer *o;
	unsigned i = 0;

	key_of(info, &k);
	while (i < s->n_ifaces && strcmp(sk_record_get(s->ifaces[i], "iface.iscsi_ifacename"), info->iface) != 0)
		i++;
	o = i < s->n_ifaces && !find(s, &k) ? add(s, i, &k) : NULL;
	if (!o)
		return -1;
	o->owned = true;
	o->sid = info->sid;
	return 0;
}

/* --- sessions ------------------------------------------------------------------------------------------------ */

/* What runs, sorted: looked into once for each offer. */
struct running {
	struct session {
		struct sk_node_key key;
		uint32_t sid;
	} *v;
	size_t n, cap;
};

static int by_key(const void *pa, const void *pb)
{
	const struct sk_node_key *a = pa, *b = pb;	/* the first member */
	int c = strcmp(a->target.s, b->target.s);

	if (!c)
		c = strcmp(a->portal.host, b->portal.host);
	if (!c)
		c = (a->portal.port > b->portal.port) - (a->portal.port < b->portal.port);
	return c ? c : strcmp(a->iface, b->iface);
}

static bool keep_session(void *ctx, const struct sk_session_info *i)
{
	struct running *r = ctx;

	if (r->n == r->cap)
		return false;
	key_of(i, &r->v[r->n].key);
	r->v[r->n++].sid = i->sid;
	return true;
}

static int list_running(struct sk_sessions *all, struct running *ret)
{
	*ret = (struct running){ .cap = sk_sessions_count(all) };
	ret->v = calloc(ret->cap + 1, sizeof(*ret->v));
	if (!ret->v)
		return -1;
	(void)sk_sessions_list(all, keep_session, ret);
	qsort(ret->v, ret->n, sizeof(*ret->v), by_key);
	return 0;
}

/* Is there a session, or one in its first login (then its id may be 0)? */
static const struct session *session_of(const struct running *r, const struct sk_offer *o)
{
	return r->n ? bsearch(&o->key, r->v, r->n, sizeof(*r->v), by_key) : NULL;
}

static void disown(struct sk_offer *o)
{
	if (o->owned)
		sk_owned_drop(o);
	o->owned = false;
	o->sid = 0;
}

/* --- logging in ---------------------------------------------------------------------------------------------- */

/* The record is read in a worker: its file may lie on a disk that is away. */
struct arrival {
	struct sk_offer *offer;
	struct sk_places places;
	enum sk_disc_type type;
	char host[256];
	uint16_t port;
	struct sk_node_key key;
	struct sk_record *iface;
	struct sk_record *node;
	struct sk_err err;
};

static void arrival_free(void *ctx)
{
	struct arrival *a = ctx;

	sk_record_free(a->iface);
	sk_record_free(a->node);
	free(a);
}

/* The stored record, else one as a discovery would make it; nothing is written. */
static void read_node(void *ctx)
{
	struct arrival *a = ctx;
	struct sk_merge_cfg cfg = { .type = a->type, .host = a->host, .port = a->port, .conf_file = a->places.conf_file };
	struct sk_merge_item item = { &a->key.target, &a->key.portal, a->iface };
	struct sk_store *store = sk_store_open(&a->places, &a->err);

	if (store)
		a->node = sk_store_node_get(store, &a->key, &a->err);
	sk_store_free(store);
	if (!a->node)
		a->node = sk_merge_fresh(&cfg, &item, &a->err);
}

static void not_in(struct sk_offer *o)
{
	uint32_t wait = sk_backoff(++o->fails, RETRY_MIN_MS, RETRY_MAX_MS, o->src->m.cfg.seed);

	o->busy = false;
	o->next_try = sk_loop_now(o->src->d->loop) + wait;
	disown(o);
	sk_source_wish(o->src);
}

/* It did not come to a login, which would have said so itself. */
static void not_begun(struct sk_offer *o, const struct sk_err *why)
{
	if (!o->fails)
		sk_warning(SK_ROOM_DISCOVER, "%s, offered by %s %s:%u: %s; it is tried again", name_of(o).s, sk_source_word(o->src),
			   o->src->host, o->src->port, why->msg);
	not_in(o);
}

static void login_refused(void *ctx, enum sk_result code, const struct sk_err *err)
{
	(void)code;
	not_begun(ctx, err);
}

static void login_done(void *ctx, const struct sk_outcome *out)
{
	struct sk_offer *o = ctx;
	struct sk_session_info info;

	if (out->code) {
		not_in(o);
		return;
	}
	o->busy = false;
	o->fails = 0;
	sk_session_info(out->s, &info);
	o->sid = info.sid;
	if (out->existing)
		disown(o);
}

static void node_read(void *ctx)
{
	struct arrival *a = ctx;
	struct sk_offer *o = a->offer;
	struct sk_daemon *d = o->src->d;
	struct sk_carry carry = { .ask = { .ensure = true, .login_only = true, .done = login_done, .ctx = o }, .refused = login_refused };
	struct sk_err err = { 0 };

	o->job = NULL;
	if (!a->node)
		not_begun(o, &a->err);
	else if (!*sk_record_get(a->node, "iface.initiatorname") && sk_daemon_initiator(d, &carry.initiator, &err) < 0)
		not_begun(o, &err);
	else
		sk_daemon_login(d, sk_give(a->node), &carry);
	arrival_free(a);
}

static void log_in(struct sk_offer *o)
{
	struct sk_source *s = o->src;
	struct arrival *a = calloc(1, sizeof(*a));
	struct sk_err err = { 0 };

	o->busy = true;
	o->owned = true;
	sk_owned_put(o);
	if (a) {
		a->offer = o;
		a->places = s->d->places;
		a->type = s->type;
		a->port = s->port;
		memcpy(a->host, s->host, sizeof(a->host));
		a->key = o->key;
		a->iface = sk_record_copy(s->ifaces[o->iface], &err);
	}
	o->job = a && a->iface ? sk_loop_work(s->d->loop, read_node, node_read, a, &err) : NULL;
	o->job_release = arrival_free;
	if (o->job)
		return;
	if (a)
		arrival_free(a);
	not_begun(o, &err);
}

/* --- logging out --------------------------------------------------------------------------------------------- */

struct leaving {
	struct sk_offer *offer;
	struct sk_places places;
	uint32_t sid;
	bool in_use;
	struct sk_buf users;
};

static void leaving_free(void *ctx)
{
	struct leaving *w = ctx;

	sk_buf_free(&w->users);
	free(w);
}

static bool is_free(void *ctx, const struct sk_sys_lun *lun)
{
	struct leaving *w = ctx;
	char node[64];

	if (!lun->disk[0])
		return true;
	snprintf(node, sizeof(node), "/dev/%s", lun->disk);
	w->in_use = sk_device_users(node, w->places.sysfs, "/proc", SK_USE_CLAIMED, &w->users, NULL) > 0;
	return !w->in_use;
}

static void look_for_users(void *ctx)
{
	struct leaving *w = ctx;
	struct sk_sys_session s = { 0 };

	if (sk_sys_session(&w->places, w->sid, SK_SYS_FLAT, &s, NULL) == 0)
		(void)sk_sys_luns(&w->places, &s, SK_SYS_FLAT, is_free, w);
}

static void stays(struct sk_offer *o, const char *why)
{

	o->busy = false;
	if (!o->told_in_use)
		sk_warning(SK_ROOM_DISCOVER, "session %u %s is offered no longer by %s %s:%u, but stays: %s", o->sid,
			   name_of(o).s, sk_source_word(o->src), o->src->host, o->src->port, why);
	o->told_in_use = true;
	o->next_try = sk_loop_now(o->src->d->loop) + IN_USE_MS;
	sk_source_wish(o->src);
}

static void logged_out(void *ctx, const struct sk_outcome *out)
{
	struct sk_offer *o = ctx;

	if (out->code) {
		stays(o, out->why ? out->why->msg : "the logout failed");
		return;
	}
	o->busy = false;
	sk_notice(SK_ROOM_DISCOVER, "session %u %s is logged out: %s %s:%u offers it no longer", o->sid,
		  name_of(o).s, sk_source_word(o->src), o->src->host, o->src->port);
	disown(o);
	if (!o->present)
		drop(o);
}

static void users_known(void *ctx)
{
	struct leaving *w = ctx;
	struct sk_offer *o = w->offer;
	struct sk_err err = { 0 };

	o->job = NULL;
	if (o->present)		/* it came back meanwhile */
		o->busy = false;
	else if (w->in_use)
		stays(o, w->users.n ? sk_buf_cstr(&w->users) : "a disk is in use");
	else if (sk_sessions_logout(o->src->d->sessions, w->sid, false, logged_out, o, &err) < 0)
		stays(o, err.msg);
	leaving_free(w);
}

static void log_out(struct sk_offer *o)
{
	struct leaving *w = calloc(1, sizeof(*w));
	struct sk_err err = { 0 };

	if (!w)
		return;
	*w = (struct leaving){ .offer = o, .places = o->src->d->places, .sid = o->sid };
	o->busy = true;
	o->job = sk_loop_work(o->src->d->loop, look_for_users, users_known, w, &err);
	o->job_release = leaving_free;
	if (o->job)
		return;
	o->busy = false;
	leaving_free(w);
}

/* --- a round's outcome --------------------------------------------------------------------------------------- */

static void apply_present(struct sk_offer *o, const struct session *there)
{
	o->told_in_use = false;
	if (there) {
		if (o->owned && there->sid && there->sid != o->sid)	/* ended and made anew by somebody else */
			disown(o);
		o->fails = 0;
		return;
	}
	disown(o);
	if (!o->fails || sk_loop_now(o->src->d->loop) >= o->next_try)
		log_in(o);
}

/* The offer may be gone afterwards. */
static void apply_gone(struct sk_offer *o, const struct session *there)
{
	bool ours = o->owned && there && there->sid == o->sid;
	struct sk_offer *other = ours ? sk_source_other(o) : NULL;

	if (ours && !other) {
		if (!o->told_in_use || sk_loop_now(o->src->d->loop) >= o->next_try)
			log_out(o);
		return;
	}
	if (other) {
		other->owned = true;
		other->sid = there->sid;
		sk_owned_put(other);
	}
	disown(o);
	drop(o);
}

void sk_offers_apply(struct sk_source *s)
{
	struct running r;

	if (list_running(s->d->sessions, &r) < 0)
		return;		/* no memory: the next round will do it */
	for (struct sk_offer *o = s->offers, *next; o; o = next) {
		next = o->next;
		if (o->busy)
			continue;
		if (o->present)
			apply_present(o, session_of(&r, o));
		else if (o->missed >= GONE_AFTER)
			apply_gone(o, session_of(&r, o));
		else if (o->missed && !o->owned)
			drop(o);
	}
	free(r.v);
}

uint32_t sk_offers_wish(const struct sk_source *s)
{
	uint64_t now = sk_loop_now(s->d->loop), at = UINT64_MAX;

	for (const struct sk_offer *o = s->offers; o; o = o->next)
		if (!o->busy && ((o->fails && o->present) || o->told_in_use))
			at = SK_MIN(at, o->next_try);
	if (at == UINT64_MAX)
		return 0;
	return at > now ? (uint32_t)SK_MIN(at - now, (uint64_t)RETRY_MAX_MS) : 1;
}

void sk_offers_free(struct sk_source *s)
{
	for (struct sk_offer *o = s->offers, *next; o; o = next) {
		next = o->next;
		sk_job_abandon(o->job, o->job_release);
		free(o);
	}
	s->offers = NULL;
}
