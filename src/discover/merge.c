/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "discover/merge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "record/iface.h"

#define LOCK_MS 30000

struct run {
	struct sk_store *store;
	const struct sk_merge_cfg *cfg;
	const struct sk_merge_item *
		*sorted; /* by target, host, port, iface: looked up for each record of the source */
	unsigned n;
	struct sk_node_key *stale;
	unsigned n_stale, cap_stale;
	bool nomem;
	struct sk_err broken;	/* the store itself: nothing is changed then */
	int failed;
};

static const char *iface_name(const struct sk_record *iface)
{
	const char *name = iface ? sk_record_get(iface, "iface.iscsi_ifacename") : NULL;

	return name && *name ? name : "default";
}

static void news(struct run *r, enum sk_merge_news what, const struct sk_node_key *key, const struct sk_err *why)
{
	if (what == SK_MERGE_FAILED)
		r->failed++;
	if (what == SK_MERGE_FAILED && why && why->sys && r->broken.code == SK_OK)
		r->broken = *why;
	if (r->cfg->news)
		r->cfg->news(r->cfg->ctx, what, key, why);
}

/* --- fresh records ------------------------------------------------------------------------------------------- */

static int set_num(struct sk_record *r, const char *key, int64_t v, struct sk_err *err)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)v);
	return sk_record_set(r, key, text, err);
}

static int name_record(struct sk_record *r, const struct sk_merge_cfg *cfg, const struct sk_merge_item *item,
		       struct sk_err *err)
{
	static const char *const types[] = { "send_targets", "isns", "static", "fw" };

	if (sk_record_set(r, "node.name", item->target->s, err) < 0 ||
	    set_num(r, "node.tpgt", item->portal->tpgt, err) < 0 ||
	    sk_record_set(r, "node.conn[0].address", item->portal->host, err) < 0 ||
	    set_num(r, "node.conn[0].port", item->portal->port, err) < 0 ||
	    sk_record_set(r, "node.discovery_type", types[cfg->type], err) < 0 ||
	    sk_record_set(r, "node.discovery_address", cfg->host ? cfg->host : "", err) < 0)
		return -1;
	return set_num(r, "node.discovery_port", cfg->port, err);
}

struct sk_record *sk_merge_fresh(const struct sk_merge_cfg *cfg, const struct sk_merge_item *item,
				 struct sk_err *err)
{
	struct sk_record *r = sk_record_new(SK_REC_NODE, err);

	if (!r)
		return NULL;
	if (cfg->conf_file && sk_conf_apply(cfg->conf_file, r, NULL, NULL, err) < 0 && err &&
	    err->code == SK_ENOMEM)
		goto undo; /* a missing file is as good as an empty one */
	if (name_record(r, cfg, item, err) < 0)
		goto undo;
	if (item->iface ? sk_node_bind_iface(r, item->iface, err) < 0
			: sk_record_set(r, "iface.iscsi_ifacename", "default", err) < 0)
		goto undo;
	if (cfg->dress && cfg->dress(cfg->ctx, item, r, err) < 0)
		goto undo;
	return r;
undo:
	sk_record_free(r);
	return NULL;
}

/* --- adding, replacing --------------------------------------------------------------------------------------- */

static void item_key(const struct sk_merge_item *item, struct sk_node_key *ret)
{
	*ret = (struct sk_node_key){ .target = *item->target, .portal = *item->portal };
	snprintf(ret->iface, sizeof(ret->iface), "%s", iface_name(item->iface));
}

/* A running session's record is not weakened: what stands there stays, whoever wrote it. Of others what a user set. */
static int keep_settings(struct run *r, const struct sk_node_key *key, const struct sk_record *old,
			 struct sk_record *fresh, struct sk_err *err)
{
	bool spare_conf = r->cfg->keep == SK_KEEP_UNLESS_CONF;

	if (r->cfg->keep == SK_KEEP_NOTHING)
		return 0;
	if (r->cfg->in_use && r->cfg->in_use(r->cfg->ctx, key) &&
	    sk_store_keep_all(old, fresh, spare_conf, err) < 0)
		return -1;
	return sk_store_keep_user(r->store, old, fresh, spare_conf, err);
}

/* --- the same portal under another tag: what was set there holds for it too */

struct other_tag {
	const struct sk_node_key *key;
	struct sk_record *found;
};

static bool is_other_tag(void *ctx, const struct sk_node_key *key, const struct sk_record *r)
{
	struct other_tag *o = ctx;

	if (strcmp(key->portal.host, o->key->portal.host) == 0 && key->portal.tpgt != o->key->portal.tpgt)
		o->found = sk_record_copy(r, NULL);
	return !o->found;
}

static struct sk_record *other_tag(struct run *r, const struct sk_node_key *key)
{
	const struct sk_node_selector sel = { .target = key->target.s, .host = key->portal.host,
					      .port = key->portal.port, .iface = key->iface };
	struct other_tag o = { .key = key };

	if (r->cfg->keep != SK_KEEP_NOTHING)
		(void)sk_store_nodes(r->store, &sel, is_other_tag, &o, NULL, NULL, NULL);
	return o.found;
}

/* Found by another way as well, a boot record would lose its credentials and its exemption from logouts. */
static bool is_the_firmwares(const struct run *r, const struct sk_record *old)
{
	return r->cfg->keep != SK_KEEP_NOTHING && r->cfg->type != SK_DISC_FW &&
	       strcmp(sk_record_get(old, "node.discovery_type"), "fw") == 0;
}

static void write_one(struct run *r, const struct sk_merge_item *item)
{
	struct sk_node_key key;
	struct sk_err err = { 0 }, none = { 0 };
	struct sk_record *old, *before, *fresh;

	item_key(item, &key);
	old = sk_store_node_get(r->store, &key, &none);
	if (old && (!(r->cfg->ops & SK_MERGE_UPDATE) || is_the_firmwares(r, old))) {
		sk_record_free(old);
		return;
	}
	before = old ? NULL : other_tag(r, &key);
	fresh = sk_merge_fresh(r->cfg, item, &err);
	if (!fresh || (old && keep_settings(r, &key, old, fresh, &err) < 0) ||
	    (before && sk_store_keep_user(r->store, before, fresh, false, &err) < 0) ||
	    sk_store_node_found(r->store, fresh, &err) < 0)
		news(r, SK_MERGE_FAILED, &key, &err);
	else
		news(r, old ? SK_MERGE_UPDATED : SK_MERGE_ADDED, &key, NULL);
	sk_record_free(fresh);
	sk_record_free(before);
	sk_record_free(old);
}

/* --- removing ------------------------------------------------------------------------------------------------ */

static int order(const char *target, const char *host, uint16_t port, const char *iface,
		 const struct sk_merge_item *b)
{
	int c = strcmp(target, b->target->s);

	if (!c)
		c = strcmp(host, b->portal->host);
	if (!c)
		c = (port > b->portal->port) - (port < b->portal->port);
	return c ? c : strcmp(iface, iface_name(b->iface));
}

static int by_order(const void *pa, const void *pb)
{
	const struct sk_merge_item *a = *(const struct sk_merge_item *const *)pa;

	return order(a->target->s, a->portal->host, a->portal->port, iface_name(a->iface),
		     *(const struct sk_merge_item *const *)pb);
}

static int key_order(const void *key, const void *item)
{
	const struct sk_node_key *k = key;

	return order(k->target.s, k->portal.host, k->portal.port, k->iface,
		     *(const struct sk_merge_item *const *)item);
}

static bool is_stale(void *ctx, const struct sk_node_key *key, const struct sk_record *rec)
{
	struct run *r = ctx;

	(void)rec;
	if (r->n && bsearch(key, r->sorted, r->n, sizeof(*r->sorted), key_order))
		return true;
	if (r->n_stale == r->cap_stale) {
		unsigned cap = r->cap_stale ? r->cap_stale * 2 : 64;
		struct sk_node_key *more = reallocarray(r->stale, cap, sizeof(*more));

		if (!more) {
			r->nomem = true;
			return false;
		}
		r->stale = more;
		r->cap_stale = cap;
	}
	r->stale[r->n_stale++] = *key;
	return true;
}

/* Among links that do not say which iSNS server they came from. */
static bool is_stale_here(void *ctx, const struct sk_node_key *key, const struct sk_record *rec)
{
	struct run *r = ctx;

	if (strcmp(sk_record_get(rec, "node.discovery_address"), r->cfg->host) != 0 ||
	    sk_record_int(rec, "node.discovery_port") != r->cfg->port)
		return true;
	return is_stale(ctx, key, rec);
}

static int find_stale(struct run *r, struct sk_err *err)
{
	int got = sk_store_disc_nodes(r->store, r->cfg->type, r->cfg->host, r->cfg->port, is_stale, r, err);

	if (got >= 0 && r->cfg->type == SK_DISC_ISNS)
		got = sk_store_disc_nodes(r->store, SK_DISC_ISNS, "", 0, is_stale_here, r, err);
	return got >= 0 && r->nomem ? sk_fail(err, SK_ENOMEM, "no memory") : got;
}

static void remove_stale(struct run *r)
{
	for (unsigned i = 0; i < r->n_stale; i++) {
		const struct sk_node_key *key = &r->stale[i];
		struct sk_err err = { 0 };

		if (r->cfg->in_use && r->cfg->in_use(r->cfg->ctx, key))
			news(r, SK_MERGE_IN_USE, key, NULL);
		else if (sk_store_node_delete(r->store, key, &err) < 0)
			news(r, SK_MERGE_FAILED, key, &err);
		else
			news(r, SK_MERGE_DELETED, key, NULL);
	}
}

int sk_merge(struct sk_store *store, const struct sk_merge_cfg *cfg, const struct sk_merge_item *items, unsigned n,
	     struct sk_err *err)
{
	SK_MEM const struct sk_merge_item **sorted = calloc(n ? n : 1, sizeof(*sorted));
	struct run r = { .store = store, .cfg = cfg, .sorted = sorted, .n = n };
	int got = 0;

	if (!sorted)
		return sk_fail(err, SK_ENOMEM, "no memory");
	if (sk_store_lock(store, LOCK_MS, err) < 0)
		return -1;
	for (unsigned i = 0; i < n; i++)
		sorted[i] = &items[i];
	qsort(sorted, n, sizeof(*sorted), by_order);
	if (cfg->ops & SK_MERGE_DELETE)
		got = find_stale(&r, err);
	if (got >= 0)
		got = sk_store_begin(store, err);
	if (got >= 0 && cfg->ops & SK_MERGE_DELETE && (got = sk_store_sweep_marks(store, err)) < 0)
		sk_store_abandon(store);
	if (got >= 0) {
		remove_stale(&r);
		for (unsigned i = 0; (cfg->ops & (SK_MERGE_NEW | SK_MERGE_UPDATE)) && i < n; i++)
			write_one(&r, &items[i]);
		if (r.broken.code != SK_OK) {
			sk_store_abandon(store);
			if (err)
				*err = r.broken;
			got = -1;
		} else {
			got = sk_store_commit(store, err);
		}
	}
	sk_store_unlock(store);
	free(r.stale);
	return got < 0 ? -1 : r.failed;
}
