/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One node record: get, put, delete. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "record/store_impl.h"

/* The record at a path computed from @key, in one of the two layouts. */
static struct sk_record *get_at(struct sk_store *s, struct sk_node_key *key, bool single, struct sk_err *err)
{
	struct sk_path path;
	char *base;
	SK_FD int dir = -1;
	struct sk_record *r = NULL;

	if (single)
		sk_path_single(key, &path);
	else
		sk_path_node(key, &path);
	base = strrchr(path.s, '/');
	*base = '\0';
	dir = sk_beneath(s->root, path.s, O_RDONLY | O_DIRECTORY, 0);
	*base = '/';
	if (dir < 0)
		sk_fail(err, SK_ENOENT, "no such record");
	else
		r = sk_record_load_node(s, dir, base + 1, key, single, path.s, err);
	if (!r)
		sk_in(err, "%s/%s", s->root_path, path.s);
	return r;
}

struct sk_record *sk_store_node_get(struct sk_store *s, const struct sk_node_key *key, struct sk_err *err)
{
	struct sk_node_key k = *key;
	struct sk_err why = { 0 };
	struct sk_record *r;
	int64_t tpgt;

	if (sk_node_key_check(key, err) < 0)
		return NULL;
	sk_store_settle(s);
	if (k.portal.tpgt == SK_TPGT_NONE)
		return get_at(s, &k, true, err);
	r = get_at(s, &k, false, &why);
	if (!r && why.code == SK_ENOENT) {
		/* a portal whose tag nobody knew when it was stored */
		r = get_at(s, &k, true, NULL);
		tpgt = r ? sk_record_int(r, "node.tpgt") : 0;
		if (r && ((tpgt != SK_TPGT_NONE && tpgt != key->portal.tpgt) || strcmp(k.iface, key->iface) != 0)) {
			sk_record_free(r);
			r = NULL;
		}
	}
	if (!r && err)
		*err = why;
	return r;
}

/* Make the directory of a path. An old layout keeps the discovery record where the directory should be. */
static int make_parent(struct sk_store *s, const struct sk_path *path, struct sk_err *err)
{
	struct sk_path dir = *path;
	char *slash = strrchr(dir.s, '/');

	*slash = '\0';
	if (strncmp(dir.s, "send_targets/", 13) == 0 && sk_store_exists(s, dir.s) && !sk_store_is_dir(s, dir.s) &&
	    sk_file_to_dir(s, dir.s, "st_config", err) < 0)
		return -1;
	return sk_stage_dirs(s, dir.s, err);
}

static int put_link(struct sk_store *s, const struct sk_node_key *key, const struct sk_path *link,
		    struct sk_err *err)
{
	char target[sizeof(struct sk_path) + 300];
	struct sk_path portal;

	if (!*link->s)
		return 0;
	sk_path_portal(key, &portal);
	snprintf(target, sizeof(target), "%s/%s", s->root_path, portal.s);
	if (make_parent(s, link, err) < 0)
		return -1;
	return sk_stage_link(s, link->s, target, err);
}

enum put_how {
	PUT,	/* changed */
	RENEW,	/* made anew */
	FOUND,	/* by a discovery */
};

/* The record with its link and marks, and away with what it supersedes. */
static int put_locked(struct sk_store *s, const struct sk_record *r, struct sk_node_key *key, enum put_how how,
		      struct sk_err *err)
{
	struct sk_record *old = get_at(s, key, key->portal.tpgt == SK_TPGT_NONE, NULL);
	struct sk_path path, single, link, old_link = { "" };
	bool removed;
	int rc = -1;

	sk_path_node(key, &path);
	if (how == FOUND)
		sk_disc_link_due(s, r, key, &link);
	else
		sk_disc_link_path(s, r, key, &link);
	if (old)
		sk_disc_link_path(s, old, key, &old_link);
	if (sk_marks_save(s, path.s, old, r, how == RENEW, err) == 0 && make_parent(s, &path, err) == 0 &&
	    put_link(s, key, &link, err) == 0)
		rc = sk_record_save(s, path.s, r, err);
	sk_record_free(old);
	if (rc < 0)
		return -1;
	if (*old_link.s && strcmp(old_link.s, link.s) != 0 && sk_stage_unlink(s, old_link.s, NULL, err) < 0)
		return -1;
	if (key->portal.tpgt == SK_TPGT_NONE)
		return 0;
	sk_path_single(key, &single);
	if (sk_stage_unlink(s, single.s, &removed, err) < 0)
		return -1;
	return removed ? sk_marks_drop(s, single.s, err) : 0;
}

static int put(struct sk_store *s, const struct sk_record *r, enum put_how how, struct sk_err *err)
{
	struct sk_node_key key;
	int rc;

	if (sk_node_key_of(r, &key, err) < 0)
		return sk_in(err, "store a node record");
	if (sk_store_lock(s, SK_LOCK_MS, err) < 0)
		return -1;
	rc = sk_store_begin(s, err);
	if (rc == 0)
		rc = sk_store_end(s, put_locked(s, r, &key, how, err), err);
	sk_store_unlock(s);
	return rc;
}

int sk_store_node_put(struct sk_store *s, const struct sk_record *r, struct sk_err *err)
{
	return put(s, r, PUT, err);
}

int sk_store_node_renew(struct sk_store *s, const struct sk_record *r, struct sk_err *err)
{
	return put(s, r, RENEW, err);
}

int sk_store_node_found(struct sk_store *s, const struct sk_record *r, struct sk_err *err)
{
	return put(s, r, FOUND, err);
}

/* All links this record may have: the one its source says, or any when the record cannot be read. */
static int drop_links(struct sk_store *s, const struct sk_record *r, const struct sk_node_key *key,
		      struct sk_err *err)
{
	static const char *const tops[] = { "static", "fw", "isns" };
	struct sk_path path;
	char link[256];

	if (r) {
		sk_disc_link_path(s, r, key, &path);
		return *path.s ? sk_stage_unlink(s, path.s, NULL, err) : 0;
	}
	for (size_t i = 0;
	     i < SK_ARRAY_LEN(tops) && key->portal.tpgt != SK_TPGT_NONE && sk_disc_link_name(key, link); i++) {
		snprintf(path.s, sizeof(path.s), "%s/%s", tops[i], link);
		if (sk_stage_unlink(s, path.s, NULL, err) < 0)
			return -1;
	}
	return 0;
}

static int delete_at(struct sk_store *s, const struct sk_node_key *key, bool *removed, struct sk_err *err)
{
	struct sk_node_key k = *key;
	struct sk_record *r = get_at(s, &k, key->portal.tpgt == SK_TPGT_NONE, NULL);
	struct sk_path path;
	char *slash;
	int rc;

	sk_path_node(key, &path);
	rc = drop_links(s, r, key, err);
	sk_record_free(r);
	if (rc < 0 || sk_stage_unlink(s, path.s, removed, err) < 0)
		return -1;
	if (sk_marks_drop(s, path.s, err) < 0)
		return -1;
	while ((slash = strrchr(path.s, '/')) && slash != strchr(path.s, '/')) {
		*slash = '\0';
		if (sk_stage_rmdir(s, path.s, err) < 0)
			return -1;
	}
	return 0;
}

int sk_store_node_delete(struct sk_store *s, const struct sk_node_key *key, struct sk_err *err)
{
	bool removed = false;
	int rc;

	if (sk_node_key_check(key, err) < 0)
		return -1;
	if (sk_store_lock(s, SK_LOCK_MS, err) < 0)
		return -1;
	rc = sk_store_begin(s, err);
	if (rc == 0)
		rc = sk_store_end(s, delete_at(s, key, &removed, err), err);
	sk_store_unlock(s);
	if (rc == 0 && !removed)
		return sk_fail(err, SK_ENOENT, "no such record");
	return rc;
}
