/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "iscsiadm/select.h"
#include "iscsiadm/values.h"

/* --- the selector ------------------------------------------------------------------------------------ */

static int take_target(struct sk_adm *adm, struct sk_sel *ret)
{
	struct sk_err err = { 0 };

	if (!adm->args.target || !*adm->args.target)
		return 0;
	if (sk_adm_target_safe(adm->args.target, &err) < 0) {
		sk_warn(adm, "%s", err.msg);
		sk_doc_error(adm, SK_RES_INVAL, &err, NULL);
		return SK_RES_INVAL;
	}
	snprintf(ret->target_name, sizeof(ret->target_name), "%s", adm->args.target);
	ret->target = ret->target_name;
	return 0;
}

static int take_iface(struct sk_adm *adm, struct sk_sel *ret)
{
	const char *name = adm->args.n_ifaces ? adm->args.ifaces[0] : NULL;
	struct sk_record *iface;
	struct sk_err err = { 0 };

	if (!name)
		return 0;
	iface = sk_store_iface_get(adm->store, name, &err);
	if (!iface) {
		sk_warn(adm, "Could not read iface info for %s.", sk_adm_printable(name).s);
		sk_doc_error(adm, SK_RES_NOMEM, &err, &(struct sk_about){ .iface = name });
		return SK_RES_NOMEM;
	}
	if (adm->args.n_ifaces > 1)
		sk_warn(adm,
			"NODE mode only accepts one interface. Using the first one driver %s hwaddress %s "
			"ipaddress %s.",
			sk_record_get(iface, "iface.transport_name"), sk_record_get(iface, "iface.hwaddress"),
			sk_record_get(iface, "iface.ipaddress"));
	snprintf(ret->transport, sizeof(ret->transport), "%s", sk_record_get(iface, "iface.transport_name"));
	ret->iface = name;
	sk_record_free(iface);
	return 0;
}

int sk_sel_from_args(struct sk_adm *adm, struct sk_sel *ret)
{
	int code;

	*ret = (struct sk_sel){ .port = -1 };
	code = take_target(adm, ret);
	if (code)
		return code;
	if (adm->args.portal_text) {
		ret->host = adm->args.portal.host;
		ret->port = adm->args.portal.port;
	}
	return take_iface(adm, ret);
}

bool sk_sel_is_empty(const struct sk_sel *s)
{
	return !s->target && !s->host && !s->iface;
}

/* --- hosts ------------------------------------------------------------------------------------------- */

static bool numeric(const char *host, struct in6_addr *ret)
{
	struct in_addr v4;

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET6, host, ret) == 1)
		return true;
	if (inet_pton(AF_INET, host, &v4) != 1)
		return false;
	ret->s6_addr[10] = ret->s6_addr[11] = 0xff;
	memcpy(&ret->s6_addr[12], &v4, sizeof(v4));
	return true;
}

/** the first address of a name */
static bool first_address(const char *host, struct in6_addr *ret)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;
	bool ok = false;

	if (numeric(host, ret))
		return true;
	if (getaddrinfo(host, NULL, &hints, &list) != 0)
		return false;
	memset(ret, 0, sizeof(*ret));
	if (list->ai_family == AF_INET6) {
		*ret = ((struct sockaddr_in6 *)(void *)list->ai_addr)->sin6_addr;
		ok = true;
	} else if (list->ai_family == AF_INET) {
		ret->s6_addr[10] = ret->s6_addr[11] = 0xff;
		memcpy(&ret->s6_addr[12], &((struct sockaddr_in *)(void *)list->ai_addr)->sin_addr, 4);
		ok = true;
	}
	freeaddrinfo(list);
	return ok;
}

bool sk_host_known(const char *host)
{
	struct in6_addr addr;

	return first_address(host, &addr);
}

bool sk_host_same(const char *a, const char *b, bool resolve)
{
	struct in6_addr x, y;

	if (strcmp(a, b) == 0)
		return true;
	if (numeric(a, &x) && numeric(b, &y))
		return memcmp(&x, &y, sizeof(x)) == 0;
	return resolve && first_address(a, &x) && first_address(b, &y) && memcmp(&x, &y, sizeof(x)) == 0;
}

/* --- records ----------------------------------------------------------------------------------------- */

struct walk {
	const struct sk_sel *sel;
	bool resolve;
	sk_node_visit *visit;
	void *ctx;
	size_t n;
};

static bool node_matches(const struct walk *w, const struct sk_node_key *key, const struct sk_record *r)
{
	const struct sk_sel *s = w->sel;

	if (s->target && strcmp(s->target, key->target.s) != 0)
		return false;
	if (s->port >= 0 && s->port != key->portal.port)
		return false;
	if (s->iface && strcmp(s->iface, key->iface) != 0)
		return false;
	if (s->iface && strcmp(s->iface, "default") != 0 &&
	    strcmp(s->transport, sk_record_get(r, "iface.transport_name")) != 0)
		return false;
	return !s->host || sk_host_same(s->host, key->portal.host, w->resolve);
}

static bool visit_matching(void *ctx, const struct sk_node_key *key, const struct sk_record *r)
{
	struct walk *w = ctx;

	if (!node_matches(w, key, r))
		return true;
	w->n++;
	return w->visit(w->ctx, key, r);
}

int sk_nodes_each(struct sk_adm *adm, const struct sk_sel *sel, bool resolve, sk_node_visit *visit, void *ctx,
		  size_t *ret_n)
{
	struct walk w = { .sel = sel, .resolve = resolve, .visit = visit, .ctx = ctx };
	struct sk_node_selector narrow = { .target = sel->target,
					   .port = sel->port,
					   .iface = sel->iface,
					   .identity_only = sel->names_only && !sel->iface };
	struct sk_err err = { 0 };
	int code;

	*ret_n = 0;
	if (sel->host && !resolve)
		narrow.host = sel->host;
	if (sk_store_nodes(adm->store, &narrow, visit_matching, &w, sk_skip_told, adm, &err) < 0) {
		code = err.code == SK_ENOMEM ? SK_RES_NOMEM : SK_RES_IDBM;
		sk_warn(adm, "%s", err.msg);
		sk_doc_error(adm, code, &err, NULL);
		return code;
	}
	*ret_n = w.n;
	return 0;
}

struct find {
	struct sk_nodes *ret;
	size_t cap;
	bool nomem;
};

static bool visit_keep(void *ctx, const struct sk_node_key *key, const struct sk_record *r)
{
	struct find *f = ctx;
	struct sk_node_item item = { .key = *key };

	if (f->ret->n == f->cap) {
		size_t cap = f->cap ? 2 * f->cap : 16;
		struct sk_node_item *v = reallocarray(f->ret->v, cap, sizeof(*v));

		f->nomem = !v;
		if (!v)
			return false;
		f->ret->v = v;
		f->cap = cap;
	}
	item.record = sk_record_copy(r, NULL);
	f->nomem = !item.record;
	if (f->nomem)
		return false;
	f->ret->v[f->ret->n++] = item;
	return true;
}

int sk_nodes_find(struct sk_adm *adm, const struct sk_sel *sel, bool resolve, struct sk_nodes *ret)
{
	struct find f = { .ret = ret };
	size_t n;
	int code;

	*ret = (struct sk_nodes){ 0 };
	code = sk_nodes_each(adm, sel, resolve, visit_keep, &f, &n);
	if (f.nomem) {
		sk_warn(adm, "no memory");
		code = SK_RES_NOMEM;
	}
	if (code)
		sk_nodes_free(ret);
	return code;
}

void sk_nodes_free(struct sk_nodes *nodes)
{
	for (size_t i = 0; i < nodes->n; i++)
		sk_record_free(nodes->v[i].record);
	free(nodes->v);
	*nodes = (struct sk_nodes){ 0 };
}

/* --- sessions ---------------------------------------------------------------------------------------- */

static bool session_matches(const struct sk_sel *sel, const struct sk_sys_session *s, bool resolve)
{
	if (sel->sid && sel->sid != s->sid)
		return false;
	if (sel->target && strcmp(sel->target, s->target) != 0)
		return false;
	if (sel->port >= 0 && sel->port != s->persistent_port)
		return false;
	if (sel->iface && strcmp(sel->iface, s->iface) != 0)
		return false;
	return !sel->host || sk_host_same(sel->host, s->persistent_addr, resolve);
}

struct find_session {
	const struct sk_sel *sel;
	struct sk_sessions *ret;
	size_t cap;
	bool nomem;
};

static bool visit_session(void *ctx, const struct sk_sys_session *s)
{
	struct find_session *f = ctx;

	if (!session_matches(f->sel, s, true))
		return true;
	if (f->ret->n == f->cap) {
		size_t cap = f->cap ? 2 * f->cap : 8;
		struct sk_sys_session *v = reallocarray(f->ret->v, cap, sizeof(*v));

		f->nomem = !v;
		if (!v)
			return false;
		f->ret->v = v;
		f->cap = cap;
	}
	f->ret->v[f->ret->n++] = *s;
	return true;
}

int sk_sessions_find(struct sk_adm *adm, const struct sk_sel *sel, enum sk_sys_depth depth, struct sk_sessions *ret)
{
	struct find_session f = { .sel = sel, .ret = ret };
	struct sk_sys_session one = { 0 };

	*ret = (struct sk_sessions){ 0 };
	if (!sel->sid)
		sk_sys_sessions(&adm->places, depth, visit_session, &f);
	else if (sk_sys_session(&adm->places, sel->sid, depth, &one, NULL) == 0)
		(void)visit_session(&f, &one);
	explicit_bzero(&one, sizeof(one));
	return f.nomem ? SK_RES_NOMEM : 0;
}

void sk_sessions_free(struct sk_sessions *s)
{
	if (s->v)
		explicit_bzero(s->v, s->n * sizeof(*s->v));
	free(s->v);
	*s = (struct sk_sessions){ 0 };
}

struct sk_sel sk_sel_of_record(const struct sk_node_item *item)
{
	return (struct sk_sel){
		.target = item->key.target.s,
		.host = item->key.portal.host,
		.port = item->key.portal.port,
		.iface = item->key.iface,
	};
}

size_t sk_sessions_of_record(const struct sk_sessions *all, const struct sk_node_item *item)
{
	struct sk_sel sel = sk_sel_of_record(item);
	size_t n = 0;

	for (size_t i = 0; i < all->n; i++)
		n += session_matches(&sel, &all->v[i], true);
	return n;
}

struct sk_about sk_about_node(const struct sk_node_item *item)
{
	return (struct sk_about){
		.target = item->key.target.s,
		.host = item->key.portal.host,
		.port = item->key.portal.port,
		.iface = item->key.iface,
	};
}

struct sk_about sk_about_session(const struct sk_sys_session *s)
{
	return (struct sk_about){
		.target = s->target,
		.host = s->persistent_addr,
		.port = s->persistent_port,
		.iface = s->iface,
		.sid = s->sid,
	};
}
