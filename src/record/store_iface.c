/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Iface files, and the two ifaces that exist without one. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "record/iface.h"
#include "record/store_impl.h"

/* The iface stored in ifaces/@name. */
static struct sk_record *load_iface(struct sk_store *s, int dir, const char *name, struct sk_err *err)
{
	struct sk_record *r;
	char path[300];
	const char *inside;

	if (!sk_iface_name_ok(name)) {
		sk_fail(err, SK_EINVAL, "not the name of an iface");
		return NULL;
	}
	snprintf(path, sizeof(path), "ifaces/%s", name);
	r = sk_record_load(s, dir, name, SK_REC_IFACE, path, err);
	if (!r)
		return NULL;
	inside = sk_record_get(r, "iface.iscsi_ifacename");
	if (*inside && strcmp(inside, name) != 0)
		sk_fail(err, SK_EDB, "iface.iscsi_ifacename disagrees with the file's name");
	else if (!*sk_record_get(r, "iface.transport_name"))
		sk_fail(err, SK_EDB, "the iface has no iface.transport_name");
	else if (*inside || sk_record_set(r, "iface.iscsi_ifacename", name, err) == 0)
		return r;
	sk_record_free(r);
	return NULL;
}

struct iface_walk {
	struct sk_store *s;
	sk_iface_visit *visit;
	void *ctx;
	sk_store_skip *skip;
	void *skip_ctx;
	int visited;
	bool stop;
};

static void deliver(struct iface_walk *w, struct sk_record *r)
{
	if (!r)
		return;
	w->visited++;
	w->stop = !w->visit(w->ctx, r);
	sk_record_free(r);
}

static void visit_file(struct iface_walk *w, int dir, const char *name)
{
	char path[sizeof(w->s->root_path) + 300];
	struct sk_err why = { 0 };
	struct sk_record *r;

	if (strcmp(name, "iface.example") == 0 || sk_iface_is_builtin(name))
		return;
	r = load_iface(w->s, dir, name, &why);
	if (!r && w->skip && why.sys != ENOENT) {
		snprintf(path, sizeof(path), "%s/ifaces/%s", w->s->root_path, name);
		w->skip(w->skip_ctx, path, why.msg);
	}
	deliver(w, r);
}

int sk_store_ifaces(struct sk_store *s, bool builtins, sk_iface_visit *visit, void *ctx, sk_store_skip *skip,
		    void *skip_ctx, struct sk_err *err)
{
	static const char *const names_built_in[] = { "default", "iser" };
	struct iface_walk w = { .s = s, .visit = visit, .ctx = ctx, .skip = skip, .skip_ctx = skip_ctx };
	SK_NAMES struct sk_names names = { 0 };
	SK_FD int dir = -1;

	sk_store_settle(s);
	dir = sk_beneath(s->root, "ifaces", O_RDONLY | O_DIRECTORY, 0);
	if (dir < 0 && errno != ENOENT)
		return sk_db_fail(err, errno, "open %s/ifaces", s->root_path);
	if (dir >= 0 && sk_names_read(dir, &names, err) < 0)
		return sk_in(err, "%s/ifaces", s->root_path);
	for (size_t i = 0; i < names.n && !w.stop; i++)
		visit_file(&w, dir, names.v[i]);
	for (size_t i = 0; builtins && i < SK_ARRAY_LEN(names_built_in) && !w.stop; i++)
		deliver(&w, sk_iface_new(names_built_in[i], err));
	return w.visited;
}

struct sk_record *sk_store_iface_get(struct sk_store *s, const char *name, struct sk_err *err)
{
	SK_FD int dir = -1;
	struct sk_record *r;

	if (sk_iface_is_builtin(name))
		return sk_iface_new(name, err);
	sk_store_settle(s);
	dir = sk_beneath(s->root, "ifaces", O_RDONLY | O_DIRECTORY, 0);
	if (dir < 0) {
		sk_db_fail(err, errno, "open %s/ifaces", s->root_path);
		return NULL;
	}
	r = load_iface(s, dir, name, err);
	if (!r)
		sk_in(err, "iface %s", sk_iface_name_ok(name) ? name : "");
	return r;
}

/* The name of an iface that may be written or removed. */
static int check_own(const char *name, struct sk_path *ret, struct sk_err *err)
{
	if (!sk_iface_name_ok(name))
		return sk_fail(err, SK_EINVAL, "not the name of an iface");
	if (sk_iface_is_builtin(name))
		return sk_fail(err, SK_EINVAL, "iface %s is built in and has no file", name);
	snprintf(ret->s, sizeof(ret->s), "ifaces/%s", name);
	return 0;
}

int sk_store_iface_put(struct sk_store *s, const struct sk_record *r, struct sk_err *err)
{
	struct sk_path path;
	int rc = -1;

	if (check_own(sk_record_get(r, "iface.iscsi_ifacename"), &path, err) < 0)
		return -1;
	if (sk_store_lock(s, SK_LOCK_MS, err) < 0)
		return -1;
	if (sk_store_begin(s, err) == 0) {
		rc = sk_stage_dirs(s, "ifaces", err);
		if (rc == 0)
			rc = sk_record_save(s, path.s, r, err);
		rc = sk_store_end(s, rc, err);
	}
	sk_store_unlock(s);
	return rc;
}

int sk_store_iface_delete(struct sk_store *s, const char *name, struct sk_err *err)
{
	struct sk_path path;
	bool removed = false;
	int rc;

	if (check_own(name, &path, err) < 0)
		return -1;
	if (sk_store_lock(s, SK_LOCK_MS, err) < 0)
		return -1;
	rc = sk_store_begin(s, err);
	if (rc == 0)
		rc = sk_store_end(s, sk_stage_unlink(s, path.s, &removed, err), err);
	sk_store_unlock(s);
	if (rc == 0 && !removed)
		return sk_fail(err, SK_ENOENT, "no iface %s", name);
	return rc;
}
