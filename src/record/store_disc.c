/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Discovery records, and the nodes linked to them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "record/store_impl.h"

#define HOST "discovery.sendtargets.address"	/* in isns records too */
#define PORT "discovery.sendtargets.port"

static const struct source {
	const char *top, *config;
	enum sk_record_kind kind;
} sources[] = {
	[SK_DISC_SENDTARGETS] = { "send_targets", "st_config", SK_REC_SENDTARGETS },
	[SK_DISC_ISNS] = { "isns", "isns_config", SK_REC_ISNS },
	[SK_DISC_STATIC] = { "static", NULL, SK_REC_NODE },
	[SK_DISC_FW] = { "fw", NULL, SK_REC_NODE },
};

static int dir_path(enum sk_disc_type type, const char *host, uint16_t port, struct sk_path *ret,
		    struct sk_err *err)
{
	if (!sources[type].config || !*host) {
		snprintf(ret->s, sizeof(ret->s), "%s", sources[type].top);
		return 0;
	}
	if (!sk_path_component_ok(host) || !sk_portal_host_ok(sk_span_str(host)) || port == 0)
		return sk_fail(err, SK_EINVAL, "the discovery address is not acceptable");
	snprintf(ret->s, sizeof(ret->s), "%s/%s,%u", sources[type].top, host, port);
	return 0;
}

/* From "A,P" below @top: the record inside the directory, or the file itself in the oldest layout. */
static struct sk_record *load_disc(struct sk_store *s, int top, enum sk_disc_type type, const char *name,
				   struct sk_err *err)
{
	SK_FD int dir = openat(top, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct sk_path path;
	struct sk_portal at;
	struct sk_record *r;

	snprintf(path.s, sizeof(path.s), "%s/%s", sources[type].top, name);
	if (!sk_portal_dir_parse(name, &at) || at.tpgt != SK_TPGT_NONE) {
		sk_fail(err, SK_EDB, "not the name of a discovery record");
		return NULL;
	}
	if (dir >= 0)
		r = sk_record_load(s, dir, sources[type].config, sources[type].kind, path.s, err);
	else if (errno == ENOTDIR && type == SK_DISC_SENDTARGETS)
		r = sk_record_load(s, top, name, sources[type].kind, path.s, err);
	else
		r = NULL, sk_db_fail(err, errno, "open");
	if (r && (strcmp(sk_record_get(r, HOST), at.host) != 0 || sk_record_int(r, PORT) != at.port)) {
		sk_fail(err, SK_EDB, "address or port disagrees with the path");
		sk_record_free(r);
		r = NULL;
	}
	return r;
}

int sk_store_discs(struct sk_store *s, enum sk_disc_type type, sk_disc_visit *visit, void *ctx, sk_store_skip *skip,
		   void *skip_ctx, struct sk_err *err)
{
	const char *top = sources[type].top;
	SK_FD int dir = -1;
	SK_NAMES struct sk_names names = { 0 };
	int visited = 0;
	bool more = true;

	if (!sources[type].config)
		return 0;
	sk_store_settle(s);
	dir = sk_beneath(s->root, top, O_RDONLY | O_DIRECTORY, 0);
	if (dir < 0 && errno == ENOENT)
		return 0;
	if (dir < 0)
		return sk_db_fail(err, errno, "open %s/%s", s->root_path, top);
	if (sk_names_read(dir, &names, err) < 0)
		return sk_in(err, "%s/%s", s->root_path, top);
	for (size_t i = 0; i < names.n && more; i++) {
		char path[sizeof(s->root_path) + 300];
		struct sk_node_key link;
		struct sk_err why = { 0 };
		struct sk_record *r;

		if (sk_disc_link_parse(names.v[i], &link))
			continue;	/* a link of the old isns layout */
		r = load_disc(s, dir, type, names.v[i], &why);
		if (r) {
			visited++;
			more = visit(ctx, type, sk_record_get(r, HOST), (uint16_t)sk_record_int(r, PORT), r);
		} else if (skip) {
			snprintf(path, sizeof(path), "%s/%s/%s", s->root_path, top, names.v[i]);
			skip(skip_ctx, path, why.msg);
		}
		sk_record_free(r);
	}
	return visited;
}

struct sk_record *sk_store_disc_get(struct sk_store *s, enum sk_disc_type type, const char *host, uint16_t port,
				    struct sk_err *err)
{
	struct sk_path path;
	SK_FD int top = -1;
	struct sk_record *r;

	if (!sources[type].config) {
		sk_fail(err, SK_EINVAL, "%s has no discovery records", sources[type].top);
		return NULL;
	}
	if (dir_path(type, host, port, &path, err) < 0)
		return NULL;
	sk_store_settle(s);
	top = sk_beneath(s->root, sources[type].top, O_RDONLY | O_DIRECTORY, 0);
	if (top < 0) {
		sk_db_fail(err, errno, "open %s/%s", s->root_path, sources[type].top);
		return NULL;
	}
	r = *host ? load_disc(s, top, type, path.s + strlen(sources[type].top) + 1, err) : NULL;
	if (!r)
		sk_in(err, "discovery record %s,%u", host, port);
	return r;
}

static int put_locked(struct sk_store *s, enum sk_disc_type type, const struct sk_path *dir,
		      const struct sk_record *r, bool anew, struct sk_err *err)
{
	struct sk_path path = *dir;
	size_t n = strlen(path.s);
	struct sk_record *old;
	int rc;

	if (sk_store_exists(s, dir->s) && !sk_store_is_dir(s, dir->s) &&
	    sk_file_to_dir(s, dir->s, sources[type].config, err) < 0)
		return -1;
	if (sk_stage_dirs(s, dir->s, err) < 0)
		return -1;
	snprintf(path.s + n, sizeof(path.s) - n, "/%s", sources[type].config);
	old = sk_store_disc_get(s, type, sk_record_get(r, HOST), (uint16_t)sk_record_int(r, PORT), NULL);
	rc = sk_marks_save(s, path.s, old, r, anew, err);
	sk_record_free(old);
	return rc < 0 ? -1 : sk_record_save(s, path.s, r, err);
}

/* The directory of a discovery record. */
static int place_of(const struct sk_record *r, enum sk_disc_type *ret_type, struct sk_path *ret, struct sk_err *err)
{
	const char *host = sk_record_get(r, HOST);
	int64_t port = sk_record_int(r, PORT);

	*ret_type = sk_record_kind(r) == SK_REC_ISNS ? SK_DISC_ISNS : SK_DISC_SENDTARGETS;
	if (!*host || port < 1 || port > 65535)
		return sk_fail(err, SK_EINVAL, "a discovery record needs an address and a port");
	return dir_path(*ret_type, host, (uint16_t)port, ret, err);
}

int sk_disc_record_path(const struct sk_record *r, struct sk_path *ret, struct sk_err *err)
{
	enum sk_disc_type type;
	size_t n;

	if (place_of(r, &type, ret, err) < 0)
		return -1;
	n = strlen(ret->s);
	snprintf(ret->s + n, sizeof(ret->s) - n, "/%s", sources[type].config);
	return 0;
}

static int put(struct sk_store *s, const struct sk_record *r, bool anew, struct sk_err *err)
{
	enum sk_disc_type type;
	struct sk_path dir;
	int rc;

	if (place_of(r, &type, &dir, err) < 0)
		return -1;
	if (sk_store_lock(s, SK_LOCK_MS, err) < 0)
		return -1;
	rc = sk_store_begin(s, err);
	if (rc == 0)
		rc = sk_store_end(s, put_locked(s, type, &dir, r, anew, err), err);
	sk_store_unlock(s);
	return rc;
}

int sk_store_disc_put(struct sk_store *s, const struct sk_record *r, struct sk_err *err)
{
	return put(s, r, false, err);
}

int sk_store_disc_renew(struct sk_store *s, const struct sk_record *r, struct sk_err *err)
{
	return put(s, r, true, err);
}

/* A discovery source, and who asks for its nodes. */
struct of_source {
	enum sk_disc_type type;
	const char *host;	/* "": any */
	uint16_t port;
	sk_node_visit *visit;
	void *ctx;
	int visited;
	bool stop;
};

/* Is @r a record of this source, by its own words? */
static bool belongs(const struct sk_record *r, const struct of_source *of)
{
	static const char *const words[] = { "send_targets", "isns", "static", "fw" };

	if (strcmp(sk_record_get(r, "node.discovery_type"), words[of->type]) != 0)
		return false;
	return !*of->host || (strcmp(sk_record_get(r, "node.discovery_address"), of->host) == 0 &&
			      sk_record_int(r, "node.discovery_port") == of->port);
}

static bool visit_own(void *ctx, const struct sk_node_key *key, const struct sk_record *r)
{
	struct of_source *of = ctx;

	if (!belongs(r, of))
		return true;
	of->visited++;
	of->stop = !of->visit(of->ctx, key, r);
	return !of->stop;
}

static int visit_linked(struct sk_store *s, const char *path, struct of_source *of, struct sk_err *err)
{
	SK_FD int dir = sk_beneath(s->root, path, O_RDONLY | O_DIRECTORY, 0);
	SK_NAMES struct sk_names names = { 0 };

	if (dir < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (dir < 0)
		return sk_db_fail(err, errno, "open %s/%s", s->root_path, path);
	if (sk_names_read(dir, &names, err) < 0)
		return sk_in(err, "%s/%s", s->root_path, path);
	for (size_t i = 0; i < names.n && !of->stop; i++) {
		struct sk_node_key key;
		struct sk_record *r;

		if (!sk_disc_link_parse(names.v[i], &key))
			continue;
		r = sk_store_node_get(s, &key, NULL);
		if (r)
			visit_own(of, &key, r);
		sk_record_free(r);
	}
	return 0;
}

int sk_store_disc_nodes(struct sk_store *s, enum sk_disc_type type, const char *host, uint16_t port,
			sk_node_visit *visit, void *ctx, struct sk_err *err)
{
	const struct sk_node_selector untagged = { .port = -1, .untagged_only = true };
	struct of_source of = { .type = type, .port = port, .visit = visit, .ctx = ctx };
	struct sk_path path;

	sk_store_settle(s);
	of.host = sources[type].config ? host : "";
	if (dir_path(type, host, port, &path, err) < 0 || visit_linked(s, path.s, &of, err) < 0)
		return -1;
	/* a portal whose tag nobody knows has no link */
	if (!of.stop && (*of.host || !sources[type].config) &&
	    sk_store_nodes(s, &untagged, visit_own, &of, NULL, NULL, err) < 0)
		return -1;
	return of.visited;
}

static int delete_linked(struct sk_store *s, enum sk_disc_type type, const char *host, uint16_t port,
			 const struct sk_path *dir, const char *name, struct sk_err *err)
{
	struct sk_node_key key;
	const struct of_source of = { .type = type, .host = host, .port = port };
	struct sk_path path = *dir;
	size_t n = strlen(path.s);
	struct sk_record *r;
	bool ours;

	if (!sk_disc_link_parse(name, &key))
		return 0;
	r = sk_store_node_get(s, &key, NULL);
	ours = r && belongs(r, &of);
	sk_record_free(r);
	if (ours && sk_store_node_delete(s, &key, err) < 0)
		return -1;
	snprintf(path.s + n, sizeof(path.s) - n, "/%s", name);
	return sk_stage_unlink(s, path.s, NULL, err);
}

static int delete_locked(struct sk_store *s, enum sk_disc_type type, const char *host, uint16_t port,
			 const struct sk_path *path, bool *removed, struct sk_err *err)
{
	SK_FD int dir = sk_beneath(s->root, path->s, O_RDONLY | O_DIRECTORY, 0);
	SK_NAMES struct sk_names names = { 0 };
	struct sk_path config = *path;
	size_t n = strlen(config.s);

	if (dir < 0 && errno == ENOTDIR)	/* the oldest layout */
		return sk_stage_unlink(s, path->s, removed, err);
	if (dir < 0 && errno == ENOENT)
		return 0;
	if (dir < 0)
		return sk_db_fail(err, errno, "open %s/%s", s->root_path, path->s);
	if (sk_names_read(dir, &names, err) < 0)
		return sk_in(err, "%s/%s", s->root_path, path->s);
	for (size_t i = 0; i < names.n; i++) {
		if (delete_linked(s, type, host, port, path, names.v[i], err) < 0)
			return -1;
	}
	snprintf(config.s + n, sizeof(config.s) - n, "/%s", sources[type].config);
	if (sk_stage_unlink(s, config.s, removed, err) < 0)
		return -1;
	if (sk_marks_drop(s, config.s, err) < 0)
		return -1;
	return sk_stage_rmdir(s, path->s, err);
}

int sk_store_disc_delete(struct sk_store *s, enum sk_disc_type type, const char *host, uint16_t port,
			 struct sk_err *err)
{
	struct sk_path path;
	bool removed = false;
	int rc;

	if (!sources[type].config || !*host)
		return sk_fail(err, SK_EINVAL, "%s has no discovery records", sources[type].top);
	if (dir_path(type, host, port, &path, err) < 0)
		return -1;
	if (sk_store_lock(s, SK_LOCK_MS, err) < 0)
		return -1;
	rc = sk_store_begin(s, err);
	if (rc == 0)
		rc = sk_store_end(s, delete_locked(s, type, host, port, &path, &removed, err), err);
	sk_store_unlock(s);
	if (rc == 0 && !removed)
		return sk_fail(err, SK_ENOENT, "no discovery record %s,%u", host, port);
	return rc;
}
