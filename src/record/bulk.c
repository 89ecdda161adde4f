/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Many changes made durable together: thousands of records of one discovery would otherwise wait for several fsyncs each.
 *
 * Between begin and commit changes are only staged: contents go to temporary files in dbroot/.siskin, everything else
 * to a list. Commit syncs the file system once, so that every content is on disk before any name points to it, then
 * makes the changes in the order they were asked for, then syncs once more. A crash at any point leaves each record old
 * or new.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "record/store_impl.h"

enum kind { PLACE, LINK, UNLINK, DIRS, RMDIR };

struct op {
	enum kind kind;
	unsigned temp;	/* PLACE */
	char *path;
	char *target;	/* LINK */
};

struct sk_bulk {
	struct op *v;
	size_t n, cap;
	unsigned temps;
};

static void temp_name(unsigned n, char ret[24])
{
	snprintf(ret, 24, "bulk-%u", n);
}

static int stage(struct sk_store *s, enum kind kind, const char *path, const char *target, struct sk_err *err)
{
	struct sk_bulk *b = s->bulk;
	struct op op = { .kind = kind, .temp = b->temps };

	if (b->n == b->cap) {
		size_t cap = b->cap ? b->cap * 2 : 256;
		struct op *more = reallocarray(b->v, cap, sizeof(*more));

		if (!more)
			return sk_fail(err, SK_ENOMEM, "no memory");
		b->v = more;
		b->cap = cap;
	}
	op.path = strdup(path);
	op.target = target ? strdup(target) : NULL;
	if (!op.path || (target && !op.target)) {
		free(op.path);
		free(op.target);
		return sk_fail(err, SK_ENOMEM, "no memory");
	}
	b->v[b->n++] = op;
	return 0;
}

int sk_bulk_write(struct sk_store *s, const char *path, struct sk_span text, struct sk_err *err)
{
	char temp[24];

	temp_name(s->bulk->temps, temp);
	if (sk_temp_write(s, temp, text, false) < 0) {
		int sys = errno;

		(void)unlinkat(s->aux, temp, 0);
		return sk_db_fail(err, sys, "write %s/%s", s->root_path, path);
	}
	if (stage(s, PLACE, path, NULL, err) < 0) {
		(void)unlinkat(s->aux, temp, 0);
		return -1;
	}
	s->bulk->temps++;
	return 0;
}

int sk_bulk_link(struct sk_store *s, const char *path, const char *target, struct sk_err *err)
{
	return stage(s, LINK, path, target, err);
}

int sk_bulk_unlink(struct sk_store *s, const char *path, bool *removed, struct sk_err *err)
{
	bool there = sk_store_exists(s, path);

	if (removed)
		*removed = there;
	return there ? stage(s, UNLINK, path, NULL, err) : 0;
}

int sk_bulk_dirs(struct sk_store *s, const char *path, struct sk_err *err)
{
	return stage(s, DIRS, path, NULL, err);
}

void sk_bulk_rmdir(struct sk_store *s, const char *path)
{
	(void)stage(s, RMDIR, path, NULL, NULL);
}

/* What a commit left that never came to its end. */
static int sweep(struct sk_store *s, struct sk_err *err)
{
	SK_NAMES struct sk_names names = { 0 };

	if (sk_names_read(s->aux, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++)
		if (strncmp(names.v[i], "bulk-", 5) == 0)
			(void)unlinkat(s->aux, names.v[i], 0);
	return 0;
}

int sk_store_bulk_begin(struct sk_store *s, struct sk_err *err)
{
	if (sk_store_aux(s, err) < 0 || sweep(s, err) < 0)
		return -1;
	s->bulk = calloc(1, sizeof(*s->bulk));
	if (!s->bulk)
		return sk_fail(err, SK_ENOMEM, "no memory");
	return 0;
}

static int make(struct sk_store *s, const struct op *op, struct sk_err *err)
{
	char temp[24];

	switch (op->kind) {
	case PLACE:
		temp_name(op->temp, temp);
		return sk_temp_place(s, temp, op->path, err);
	case LINK:
		return sk_atomic_link(s, op->path, op->target, err);
	case UNLINK:
		return sk_atomic_unlink(s, op->path, NULL, err);
	case DIRS:
		return sk_atomic_dirs(s, op->path, err);
	case RMDIR:
		sk_store_rmdir(s, op->path);
		return 0;
	}
	return 0;
}

static void drop(struct sk_store *s, struct sk_bulk *b, bool temps)
{
	char temp[24];

	for (unsigned i = 0; temps && i < b->temps; i++) {
		temp_name(i, temp);
		(void)unlinkat(s->aux, temp, 0);
	}
	for (size_t i = 0; i < b->n; i++) {
		free(b->v[i].path);
		free(b->v[i].target);
	}
	free(b->v);
	free(b);
}

int sk_store_bulk_commit(struct sk_store *s, struct sk_err *err)
{
	struct sk_bulk *b = s->bulk;
	struct sk_err why = { 0 };

	s->bulk = NULL;
	if (b->n && syncfs(s->aux) < 0) {
		sk_db_fail(err, errno, "write the database %s", s->root_path);
		drop(s, b, true);
		return -1;
	}
	s->unsynced = true;
	for (size_t i = 0; i < b->n; i++) {	/* one that fails does not hold up the others; the first is told */
		struct sk_err one = { 0 };

		if (make(s, &b->v[i], &one) < 0 && why.code == SK_OK)
			why = one;
	}
	s->unsynced = false;
	if (b->n && syncfs(s->aux) < 0 && why.code == SK_OK)
		sk_db_fail(&why, errno, "sync the database %s", s->root_path);
	drop(s, b, why.code != SK_OK);
	if (why.code == SK_OK)
		return 0;
	if (err)
		*err = why;
	return -1;
}

void sk_store_bulk_abandon(struct sk_store *s)
{
	if (s->bulk)
		drop(s, s->bulk, true);
	s->bulk = NULL;
}
