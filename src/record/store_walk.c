/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Listing node records: only what the selector can match is opened, and nothing stops at a bad entry. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/num.h"
#include "record/store_impl.h"

#define SURVEY 1024	/* targets looked at before the first of them is told */

struct walk {
	struct sk_store *s;
	const struct sk_node_selector *sel;
	sk_node_visit *visit;
	void *ctx;
	sk_store_skip *skip;
	void *skip_ctx;
	struct sk_err *err;
	struct sk_node_key key;	/* of the entry at hand */
	const char *at[3];	/* names of the target, portal and iface at hand; NULL from where there is none */
	int visited;
	bool stop;
};

/* Of the entry at hand; made only when somebody must be told. */
static struct sk_path path_at(const struct walk *w)
{
	struct sk_path p = { "nodes" };
	size_t n = strlen(p.s);

	for (size_t i = 0; i < SK_ARRAY_LEN(w->at) && w->at[i] && n < sizeof(p.s); i++)
		n += (size_t)snprintf(p.s + n, sizeof(p.s) - n, "/%s", w->at[i]);
	return p;
}

static void skipped(struct walk *w, const char *why)
{
	char path[sizeof(struct sk_path) + sizeof(w->s->root_path) + 1];

	if (!w->skip)
		return;
	snprintf(path, sizeof(path), "%s/%s", w->s->root_path, path_at(w).s);
	w->skip(w->skip_ctx, path, why);
}

static void skipped_sys(struct walk *w, int sys)
{
	struct sk_err why = { 0 };

	sk_db_fail(&why, sys, "cannot be opened");
	skipped(w, why.msg);
}

static bool same_host(const char *a, const char *b)
{
	static const int families[] = { AF_INET, AF_INET6 };
	uint8_t x[16], y[16];

	if (strcmp(a, b) == 0)
		return true;
	for (size_t i = 0; i < SK_ARRAY_LEN(families); i++) {
		if (inet_pton(families[i], a, x) == 1 && inet_pton(families[i], b, y) == 1)
			return memcmp(x, y, families[i] == AF_INET ? 4 : 16) == 0;
	}
	return false;
}

static bool portal_wanted(const struct walk *w, const struct sk_portal *p)
{
	if (w->sel->host && !same_host(w->sel->host, p->host))
		return false;
	return w->sel->port < 0 || w->sel->port == p->port;
}

static bool iface_wanted(const struct walk *w, const char *name)
{
	return !w->sel->iface || strcmp(w->sel->iface, name) == 0;
}

static void deliver(struct walk *w, const struct sk_record *r)
{
	w->visited++;
	w->stop = !w->visit(w->ctx, &w->key, r);
}

/* Without opening the file: is there a record at all? */
static bool looks_sound(struct walk *w, int dir, const char *name)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			skipped_sys(w, errno);
		return false;
	}
	if (!S_ISREG(st.st_mode))
		skipped(w, "not a regular file");
	else if (st.st_size == 0)
		skipped(w, "the file is empty");
	else
		return true;
	return false;
}

static void visit_file(struct walk *w, int dir, const char *name, bool single)
{
	struct sk_err why = { 0 };
	struct sk_record *r;

	if (w->sel->keys_only && !(single && w->sel->iface)) {
		if (single)
			w->key.iface[0] = '\0';
		if (looks_sound(w, dir, name))
			deliver(w, NULL);
		return;
	}
	if (w->sel->identity_only && !single && sk_identity_sure(dir, name, &w->key)) {
		deliver(w, NULL);
		return;
	}
	r = sk_record_load_node(w->s, dir, name, &w->key, single, path_at(w).s, &why);
	if (!r) {
		if (why.sys != ENOENT)	/* removed while we looked, or never there */
			skipped(w, why.msg);
		return;
	}
	if (iface_wanted(w, w->key.iface))
		deliver(w, w->sel->keys_only || w->sel->identity_only ? NULL : r);
	sk_record_free(r);
}

static void visit_iface(struct walk *w, int dir, const char *name)
{
	w->at[2] = name;
	if (sk_iface_name_ok(name)) {
		memcpy(w->key.iface, name, strlen(name) + 1);	/* it fits: at most 64 bytes */
		visit_file(w, dir, name, false);
	} else {
		skipped(w, "not the name of an iface");
	}
	w->at[2] = NULL;
}

static void visit_portal_dir(struct walk *w, int parent, const char *name)
{
	SK_FD int dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	SK_NAMES struct sk_names names = { 0 };
	struct sk_err why = { 0 };

	if (dir < 0) {
		if (errno != ENOENT)
			skipped_sys(w, errno);
		return;
	}
	if (w->sel->iface) {
		visit_iface(w, dir, w->sel->iface);
		return;
	}
	if (sk_names_read(dir, &names, &why) < 0) {
		skipped(w, why.msg);
		return;
	}
	for (size_t i = 0; i < names.n && !w->stop; i++)
		visit_iface(w, dir, names.v[i]);
}

static void visit_portal(struct walk *w, int dir, const char *name)
{
	w->at[1] = name;
	if (!sk_portal_dir_parse(name, &w->key.portal))
		skipped(w, "not the name of a portal");
	else if (!portal_wanted(w, &w->key.portal) ||
		 (w->sel->untagged_only && w->key.portal.tpgt != SK_TPGT_NONE))
		;
	else if (w->key.portal.tpgt == SK_TPGT_NONE)
		visit_file(w, dir, name, true);
	else
		visit_portal_dir(w, dir, name);
	w->at[1] = NULL;
}

static void visit_target(struct walk *w, int nodes, const char *name)
{
	SK_FD int dir = openat(nodes, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	SK_NAMES struct sk_names names = { 0 };
	struct sk_iname normal;
	struct sk_err why = { 0 };

	if (name[0] == '.')
		return; /* no target's: others leave marks of their own */
	w->at[0] = name;
	if (dir < 0) {
		if (errno != ENOENT)
			skipped_sys(w, errno);
		return;
	}
	if (sk_iname_parse(sk_span_str(name), &normal, &why) < 0 || sk_names_read(dir, &names, &why) < 0) {
		skipped(w, why.msg);
		return;
	}
	sk_iname_spelled(name, &w->key.target);
	for (size_t i = 0; i < names.n && !w->stop; i++)
		visit_portal(w, dir, names.v[i]);
}

static void visit_surveyed(struct walk *w, const char *name, const struct sk_survey *found)
{
	sk_iname_spelled(name, &w->key.target);
	for (size_t i = 0; i < found->n && !w->stop; i++) {
		w->key.portal = found->v[i].portal;
		memcpy(w->key.iface, found->v[i].iface, sizeof(w->key.iface));
		deliver(w, NULL);
	}
}

/* Every target, when only names are asked for: looked at in parallel, told in order. */
static void visit_all_names(struct walk *w, int nodes, const struct sk_names *names)
{
	struct sk_survey found[SURVEY] = { 0 };

	for (size_t at = 0; at < names->n && !w->stop; at += SURVEY) {
		size_t n = SK_MIN(names->n - at, (size_t)SURVEY);

		sk_survey(nodes, names->v + at, n, found);
		for (size_t i = 0; i < n && !w->stop; i++) {
			if (found[i].sure)
				visit_surveyed(w, names->v[at + i], &found[i]);
			else
				visit_target(w, nodes, names->v[at + i]);
		}
		sk_survey_drop(found, n);
	}
}

int sk_store_nodes(struct sk_store *s, const struct sk_node_selector *sel, sk_node_visit *visit, void *ctx,
		   sk_store_skip *skip, void *skip_ctx, struct sk_err *err)
{
	struct walk w = { .s = s, .sel = sel, .visit = visit, .ctx = ctx, .skip = skip, .skip_ctx = skip_ctx };
	SK_NAMES struct sk_names names = { 0 };
	SK_FD int dir = -1;

	sk_store_settle(s);
	dir = sk_beneath(s->root, "nodes", O_RDONLY | O_DIRECTORY, 0);
	if ((sel->target && !sk_path_component_ok(sel->target)) ||
	    (sel->iface && !sk_path_component_ok(sel->iface)))
		return 0;	/* nothing can be stored under such a name */
	if (dir < 0) {
		if (errno == ENOENT)
			return 0;
		return sk_db_fail(err, errno, "open %s/nodes", s->root_path);
	}
	if (sel->target) {
		visit_target(&w, dir, sel->target);
		return w.visited;
	}
	if (sk_names_read(dir, &names, err) < 0)
		return sk_in(err, "%s/nodes", s->root_path);
	if (sel->identity_only && !sel->host && sel->port < 0 && !sel->iface && !sel->untagged_only) {
		visit_all_names(&w, dir, &names);
		return w.visited;
	}
	for (size_t i = 0; i < names.n && !w.stop; i++)
		visit_target(&w, dir, names.v[i]);
	return w.visited;
}
