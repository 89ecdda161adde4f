/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A change of the database: everything one command does to the tree, as one.
 *
 * Between begin and commit changes are only staged: contents and links go to temporary entries in dbroot/.siskin,
 * removals to a list. What is staged shows to nobody, also not to this process. journal.c then makes all of it, or
 * nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "record/change.h"

void sk_change_temp(char what, unsigned n, char ret[24])
{
	snprintf(ret, 24, "%s-%u", what == 'n' ? "new" : "old", n);
}

/* A slot for one more; what it owns is filled in by the caller. */
static struct sk_op *stage(struct sk_store *s, enum sk_op_kind kind, const char *path, struct sk_err *err)
{
	struct sk_change *c = s->change;
	struct sk_op op = { .kind = kind, .path = strdup(path) };

	if (op.path && c->n == c->cap) {
		size_t cap = c->cap ? c->cap * 2 : 16;
		struct sk_op *more = reallocarray(c->v, cap, sizeof(*more));

		if (more) {
			c->v = more;
			c->cap = cap;
		}
	}
	if (!op.path || c->n == c->cap) {
		free(op.path);
		sk_fail(err, SK_ENOMEM, "no memory");
		return NULL;
	}
	c->v[c->n] = op;
	return &c->v[c->n++];
}

/* The last one staged did not work out. */
static int unstage(struct sk_store *s, const char *what, const char *path, struct sk_err *err)
{
	int sys = errno;
	char temp[24];

	sk_change_temp('n', (unsigned)s->change->n - 1, temp);
	(void)unlinkat(s->aux, temp, 0);
	free(s->change->v[--s->change->n].path);
	return sk_db_fail(err, sys, "%s %s/%s", what, s->root_path, path);
}

/* What stands there now. A directory is refused here, where it spoils one record, and not when all of them are made.
 * *same: it is a link with this target, unless that is NULL. */
static int look(struct sk_store *s, const char *path, const char *target, bool *there, bool *same, struct sk_err *err)
{
	char old[sizeof(struct sk_path) + 300];
	struct stat st;
	const char *base;
	SK_FD int dir = sk_parent_open(s, path, &base, NULL);
	ssize_t n;

	*there = dir >= 0 && fstatat(dir, base, &st, AT_SYMLINK_NOFOLLOW) == 0;
	*same = false;
	if (*there && S_ISDIR(st.st_mode))
		return sk_fail(err, SK_EDB, "%s/%s is a directory", s->root_path, path);
	if (!*there || !target)
		return 0;
	n = readlinkat(dir, base, old, sizeof(old));
	*same = n >= 0 && (size_t)n == strlen(target) && memcmp(old, target, (size_t)n) == 0;
	return 0;
}

/* A PLACE for the next temporary entry, whose name goes to @temp; 1 when it is there already. */
static int stage_place(struct sk_store *s, const char *path, const char *target, char temp[24], struct sk_err *err)
{
	struct sk_op *op;
	bool there, same;

	sk_change_temp('n', (unsigned)s->change->n, temp);
	if (look(s, path, target, &there, &same, err) < 0)
		return -1;
	if (same)
		return 1;
	op = stage(s, SK_OP_PLACE, path, err);
	if (!op)
		return -1;
	op->had_old = there;
	return 0;
}

int sk_stage_write(struct sk_store *s, const char *path, struct sk_span text, struct sk_err *err)
{
	char temp[24];

	if (stage_place(s, path, NULL, temp, err) < 0)
		return -1;
	if (sk_temp_write(s, temp, text, s->change->n < SK_CHANGE_BIG) < 0)
		return unstage(s, "write", path, err);
	return 0;
}

int sk_stage_link(struct sk_store *s, const char *path, const char *target, struct sk_err *err)
{
	char temp[24];
	int rc = stage_place(s, path, target, temp, err);

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	(void)unlinkat(s->aux, temp, 0);
	return symlinkat(target, s->aux, temp) < 0 ? unstage(s, "link", path, err) : 0;
}

int sk_stage_unlink(struct sk_store *s, const char *path, bool *removed, struct sk_err *err)
{
	bool there, same;

	if (look(s, path, NULL, &there, &same, err) < 0)
		return -1;
	if (removed)
		*removed = there;
	return !there || stage(s, SK_OP_UNLINK, path, err) ? 0 : -1;
}

void sk_stage_aside(struct sk_store *s)
{
	s->change->v[s->change->n - 1].aside = true;
}

int sk_stage_dirs(struct sk_store *s, const char *path, struct sk_err *err)
{
	struct sk_path part;

	if (sk_store_is_dir(s, path))
		return 0;
	for (const char *p = path; *p; p += *p == '/') {
		p += strcspn(p, "/");
		snprintf(part.s, sizeof(part.s), "%.*s", (int)(p - path), path);
		if (!sk_store_exists(s, part.s))
			break;
		if (!sk_store_is_dir(s, part.s))
			return sk_fail(err, SK_EDB, "%s/%s is not a directory", s->root_path, part.s);
	}
	return stage(s, SK_OP_DIRS, path, err) ? 0 : -1;
}

int sk_stage_rmdir(struct sk_store *s, const char *path, struct sk_err *err)
{
	return stage(s, SK_OP_RMDIR, path, err) ? 0 : -1;
}

/* Forget everything from the @from-th on; temporary entries that a journal still needs stay. */
static void forget(struct sk_store *s, size_t from)
{
	struct sk_change *c = s->change;
	bool needed = sk_change_pending(s);
	char temp[24];

	while (c->n > from) {
		c->n--;
		sk_change_temp('n', (unsigned)c->n, temp);
		if (c->v[c->n].kind == SK_OP_PLACE && !needed)
			(void)unlinkat(s->aux, temp, 0);
		free(c->v[c->n].path);
	}
}

static void drop(struct sk_store *s)
{
	forget(s, 0);
	free(s->change->v);
	free(s->change);
	s->change = NULL;
}

/* What a change left that never came to its end. The journal of one that was made is gone by now: journal.c has seen
 * to it when the lock was taken. An old-N that stays would be taken for a step that is done. */
int sk_change_sweep(struct sk_store *s, struct sk_err *err)
{
	SK_NAMES struct sk_names names = { 0 };

	if (lseek(s->aux, 0, SEEK_SET) < 0)	/* it was read before */
		return sk_db_fail(err, errno, "read %s/.siskin", s->root_path);
	if (sk_names_read(s->aux, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		if (strncmp(names.v[i], "new-", 4) != 0 && strncmp(names.v[i], "old-", 4) != 0 &&
		    strcmp(names.v[i], "journal.new") != 0)
			continue;
		if (unlinkat(s->aux, names.v[i], 0) < 0 && errno != ENOENT)
			return sk_db_fail(err, errno, "remove %s/.siskin/%s", s->root_path, names.v[i]);
	}
	return 0;
}

int sk_store_begin(struct sk_store *s, struct sk_err *err)
{
	struct sk_change *c = s->change;

	if (!c) {
		if (sk_store_aux(s, err) < 0 || sk_change_sweep(s, err) < 0)
			return -1;
		c = calloc(1, sizeof(*c));
		if (!c)
			return sk_fail(err, SK_ENOMEM, "no memory");
		s->change = c;
	}
	if (c->depth == SK_ARRAY_LEN(c->marks))
		return sk_fail(err, SK_EDB, "changes nest too deep");
	c->marks[c->depth++] = c->n;
	return 0;
}

int sk_store_commit(struct sk_store *s, struct sk_err *err)
{
	int rc;

	if (--s->change->depth > 0)
		return 0;
	rc = sk_change_make(s, err);
	drop(s);
	return rc;
}

void sk_store_abandon(struct sk_store *s)
{
	if (!s->change)
		return;
	forget(s, s->change->marks[--s->change->depth]);
	if (s->change->depth == 0)
		drop(s);
}

int sk_store_end(struct sk_store *s, int rc, struct sk_err *err)
{
	if (rc == 0)
		return sk_store_commit(s, err);
	sk_store_abandon(s);
	return rc;
}
