/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Making a change whole. Once everything it needs is on disk under temporary names a journal is: the list of renames
 * that make the change. From the moment dbroot/.siskin/journal exists the change will be made, by this process or, if that
 * dies, by the next that takes the lock or looks at the tree; before that moment it never was. If a rename fails (a
 * directory that cannot grow on a full disk) the journal becomes "undo" and what was renamed goes back.
 *
 * Every step can be repeated: a PLACE whose temporary entry is gone was made, an UNLINK whose old-N is there was made.
 * A change of one step is one rename and needs no journal, nor one whose other steps mean nothing without that one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "record/change.h"

#define JOURNAL "journal"
#define UNDO "undo"
#define FIRST_LINE "siskin journal 1\n"
#define LAST_LINE "end\n"
#define JOURNAL_MAX (64u << 20)
#define SETTLE_MS 2000		/* how long a reader waits for somebody else's journal */

static bool is_step(const struct sk_op *op)
{
	return op->kind == SK_OP_PLACE || op->kind == SK_OP_UNLINK;
}

static bool aux_has(struct sk_store *s, const char *name)
{
	return faccessat(s->aux, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

bool sk_change_pending(struct sk_store *s)
{
	return aux_has(s, JOURNAL) || aux_has(s, UNDO);
}

static int lost(struct sk_store *s, int sys, const char *what, const char *path, struct sk_err *err)
{
	return sk_db_fail(err, sys, "%s %s/%s", what, s->root_path, path);
}

/* --- directories ------------------------------------------------------------------------------------------------- */

/* Before the journal: an empty directory is no record. Those made are noted in @made. */
static int make_dirs(struct sk_store *s, struct sk_names *made, struct sk_err *err)
{
	for (size_t i = 0; i < s->change->n; i++) {
		if (s->change->v[i].kind == SK_OP_DIRS && sk_dirs_make(s, s->change->v[i].path, made, err) < 0)
			return -1;
	}
	return 0;
}

static void remove_dirs(struct sk_store *s, const struct sk_names *made)
{
	for (size_t i = made->n; i > 0; i--)
		sk_dir_remove(s, made->v[i - 1]);
}

static void remove_emptied(struct sk_store *s)
{
	for (size_t i = 0; i < s->change->n; i++) {
		if (s->change->v[i].kind == SK_OP_RMDIR)
			sk_dir_remove(s, s->change->v[i].path);
	}
}

/* --- durable ------------------------------------------------------------------------------------------------------ */

/* From so many steps on the file system is synced, not each file and directory. */
static bool is_big(const struct sk_change *c)
{
	return c->n >= SK_CHANGE_BIG;
}

/* The steps that mean something alone. */
static size_t steps(const struct sk_change *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		n += is_step(&c->v[i]) && !c->v[i].aside;
	return n;
}

static int sync_all(struct sk_store *s, struct sk_err *err)
{
	return syncfs(s->aux) < 0 ? sk_db_fail(err, errno, "sync the database %s", s->root_path) : 0;
}

/* --- steps ---------------------------------------------------------------------------------------------------------- */

static int place(struct sk_store *s, unsigned n, int dir, const char *base)
{
	char new[24], old[24];
	int rc;

	sk_change_temp('n', n, new);
	sk_change_temp('o', n, old);
	if (!aux_has(s, new))
		return 0;	/* made already */
	rc = aux_has(s, old) ? 0 : sk_entry_keep(s, dir, base, old);
	/* A file system without hard links: there this step cannot be taken back. */
	if (rc < 0 && rc != -ENOENT && rc != -EPERM && rc != -EOPNOTSUPP)
		return rc;
	return sk_entry_move(s, s->aux, new, dir, base);
}

static int take_away(struct sk_store *s, unsigned n, int dir, const char *base)
{
	char old[24];
	int rc;

	sk_change_temp('o', n, old);
	if (aux_has(s, old))
		return sk_entry_moved(s, dir, base);
	rc = sk_entry_move(s, dir, base, s->aux, old);
	return rc == -ENOENT ? 0 : rc;
}

static int make_step(struct sk_store *s, const struct sk_op *op, unsigned n, bool sync, struct sk_err *err)
{
	struct sk_err why = { 0 };
	const char *base;
	SK_FD int dir = sk_parent_open(s, op->path, &base, &why);
	int rc;

	if (dir < 0 && op->kind == SK_OP_UNLINK && (why.sys == ENOENT || why.sys == ENOTDIR))
		return 0;	/* gone with its directory */
	if (dir < 0) {
		if (err)
			*err = why;
		return -1;
	}
	rc = op->kind == SK_OP_PLACE ? place(s, n, dir, base) : take_away(s, n, dir, base);
	if (rc < 0)
		return lost(s, -rc, op->kind == SK_OP_PLACE ? "write" : "remove", op->path, err);
	return sync && fsync(dir) < 0 ? lost(s, errno, "sync the directory of", op->path, err) : 0;
}

static int undo_step(struct sk_store *s, const struct sk_op *op, unsigned n, bool sync, struct sk_err *err)
{
	char new[24], old[24];
	const char *base;
	SK_FD int dir = sk_parent_open(s, op->path, &base, err);
	int rc = 0;

	if (dir < 0)
		return -1;
	sk_change_temp('n', n, new);
	sk_change_temp('o', n, old);
	if (aux_has(s, old) && (op->kind == SK_OP_UNLINK || !aux_has(s, new)))
		rc = sk_entry_move(s, s->aux, old, dir, base);
	else if (op->kind == SK_OP_PLACE && !op->had_old && !aux_has(s, new) && unlinkat(dir, base, 0) < 0)
		rc = errno == ENOENT ? 0 : -errno;
	if (rc < 0)
		return lost(s, -rc, "restore", op->path, err);
	return sync && fsync(dir) < 0 ? lost(s, errno, "sync the directory of", op->path, err) : 0;
}

static int make_steps(struct sk_store *s, const struct sk_change *c, struct sk_err *err)
{
	for (size_t i = 0; i < c->n; i++) {
		if (is_step(&c->v[i]) && make_step(s, &c->v[i], (unsigned)i, !is_big(c), err) < 0)
			return -1;
	}
	return is_big(c) ? sync_all(s, err) : 0;
}

static int undo_steps(struct sk_store *s, const struct sk_change *c, struct sk_err *err)
{
	for (size_t i = c->n; i > 0; i--) {
		if (is_step(&c->v[i - 1]) && undo_step(s, &c->v[i - 1], (unsigned)i - 1, !is_big(c), err) < 0)
			return -1;
	}
	return is_big(c) ? sync_all(s, err) : 0;
}

/* --- the journal ------------------------------------------------------------------------------------------------- */

/* It is done. If the journal comes back after a loss of power it finds every step made. */
static void close_journal(struct sk_store *s, const char *name)
{
	struct sk_err why = { 0 };

	if (unlinkat(s->aux, name, 0) < 0 || fsync(s->aux) < 0)
		sk_warning(SK_ROOM_RECORD, "%s/.siskin/%s: %s", s->root_path, name, strerror(errno));
	else if (sk_change_sweep(s, &why) < 0)
		sk_warning(SK_ROOM_RECORD, "%s", why.msg);
}

static int write_journal(struct sk_store *s, const struct sk_change *c, struct sk_err *err)
{
	SK_BUF struct sk_buf text = { 0 };

	sk_buf_str(&text, FIRST_LINE);
	for (size_t i = 0; i < c->n; i++) {
		const struct sk_op *op = &c->v[i];

		if (!is_step(op))
			continue;
		sk_buf_printf(&text, "%s %zu %s %s\n", op->kind == SK_OP_PLACE ? "place" : "unlink", i,
			      op->had_old ? "old" : "new", op->path);
	}
	sk_buf_str(&text, LAST_LINE);
	if (text.nomem)
		return sk_fail(err, SK_ENOMEM, "no memory");
	if (sk_temp_write(s, JOURNAL ".new", sk_buf_span(&text), true) < 0 ||
	    renameat(s->aux, JOURNAL ".new", s->aux, JOURNAL) < 0)
		return lost(s, errno, "write", ".siskin/" JOURNAL, err);
	if (fsync(s->aux) < 0) {	/* nothing was made yet */
		int sys = errno;

		(void)unlinkat(s->aux, JOURNAL, 0);
		return lost(s, sys, "write", ".siskin/" JOURNAL, err);
	}
	return 0;
}

/* "place 3 old nodes/…": one step of somebody's journal into its place of the list. */
static bool read_line(struct sk_change *c, char *line)
{
	char *word[3], *path = line;
	struct sk_op op = { 0 };
	uint64_t n;

	for (size_t i = 0; i < SK_ARRAY_LEN(word); i++) {
		word[i] = path;
		path += strcspn(path, " ");
		if (!*path)
			return false;
		*path++ = '\0';
	}
	if (!sk_num_u64(word[1], strlen(word[1]), c->n, c->cap - 1, &n))
		return false;
	op.kind = strcmp(word[0], "place") == 0 ? SK_OP_PLACE : SK_OP_UNLINK;
	op.had_old = strcmp(word[2], "old") == 0;
	op.path = strdup(path);
	for (; c->n < n; c->n++)
		c->v[c->n] = (struct sk_op){ .kind = SK_OP_RMDIR };	/* no step: was needed before */
	c->v[c->n++] = op;
	return op.path;
}

static int read_journal(struct sk_store *s, const char *name, struct sk_change *ret, struct sk_err *err)
{
	SK_FD int fd = openat(s->aux, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	SK_BUF struct sk_buf text = { 0 };
	char *line, *next;

	if (fd < 0)
		return lost(s, errno, "open", ".siskin/" JOURNAL, err);
	if (sk_file_slurp(fd, JOURNAL_MAX, &text, err) < 0)
		return -1;
	line = text.n ? (char *)(uintptr_t)sk_buf_cstr(&text) : NULL;
	if (!line || strncmp(line, FIRST_LINE, strlen(FIRST_LINE)) != 0)
		goto damaged;
	ret->cap = text.n;	/* a step's line has more bytes than there are entries staged for it */
	ret->v = calloc(ret->cap, sizeof(*ret->v));
	if (!ret->v)
		return sk_fail(err, SK_ENOMEM, "no memory");
	for (line += strlen(FIRST_LINE); strcmp(line, LAST_LINE) != 0; line = next) {
		next = strchr(line, '\n');
		if (!next)
			goto damaged;
		*next++ = '\0';
		if (!read_line(ret, line))
			goto damaged;
	}
	return 0;
damaged:
	return sk_fail(err, SK_EDB, "it is damaged; remove it to go on with the records as they are");
}

static void free_change(struct sk_change *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->v[i].path);
	free(c->v);
}

/* Somebody may have removed directories since. */
static int make_parents(struct sk_store *s, const struct sk_change *c, struct sk_err *err)
{
	SK_NAMES struct sk_names made = { 0 };
	struct sk_path dir;

	for (size_t i = 0; i < c->n; i++) {
		const char *slash = is_step(&c->v[i]) ? strrchr(c->v[i].path, '/') : NULL;

		if (!slash)
			continue;
		snprintf(dir.s, sizeof(dir.s), "%.*s", (int)(slash - c->v[i].path), c->v[i].path);
		if (sk_dirs_make(s, dir.s, &made, err) < 0)
			return -1;
	}
	return 0;
}

static int recover(struct sk_store *s, const char *name, struct sk_err *err)
{
	struct sk_change c = { 0 };
	int rc = read_journal(s, name, &c, err);

	if (rc == 0)
		rc = make_parents(s, &c, err);
	if (rc == 0)
		rc = strcmp(name, UNDO) == 0 ? undo_steps(s, &c, err) : make_steps(s, &c, err);
	free_change(&c);
	if (rc < 0)
		return sk_in(err, "go on with the change in %s/.siskin/%s", s->root_path, name);
	close_journal(s, name);
	sk_notice(SK_ROOM_RECORD, "%s: a change that was interrupted is %s", s->root_path,
		  strcmp(name, UNDO) == 0 ? "taken back" : "complete now");
	return 0;
}

int sk_change_recover(struct sk_store *s, struct sk_err *err)
{
	if (aux_has(s, UNDO) && recover(s, UNDO, err) < 0)
		return -1;
	if (aux_has(s, JOURNAL) && recover(s, JOURNAL, err) < 0)
		return -1;
	return 0;
}

void sk_store_settle(struct sk_store *s)
{
	if (s->depth > 0 || (faccessat(s->root, ".siskin/" JOURNAL, F_OK, 0) < 0 &&
			     faccessat(s->root, ".siskin/" UNDO, F_OK, 0) < 0))
		return;
	if (sk_store_lock(s, SETTLE_MS, NULL) == 0)	/* which recovers */
		sk_store_unlock(s);
}

/* --- making ---------------------------------------------------------------------------------------------------------- */

static int take_back(struct sk_store *s, const struct sk_change *c, struct sk_err *err)
{
	struct sk_err why = { 0 };

	if (renameat(s->aux, JOURNAL, s->aux, UNDO) < 0) {
		sk_fail_sys(&why, errno, "rename the journal");
	} else if (undo_steps(s, c, &why) == 0) {
		close_journal(s, UNDO);
		return -1;
	}
	return sk_in(err, "the database is left half changed, the next command goes on with it: %s", why.msg);
}

/* One step by itself: done or not done, whenever we die. What it replaced stays as old-N. */
static int make_alone(struct sk_store *s, const struct sk_op *op, unsigned n, struct sk_err *err)
{
	struct sk_err none = { 0 };

	if (make_step(s, op, n, !op->aside, err) == 0)
		return 0;
	if (undo_step(s, op, n, true, &none) < 0)
		return sk_in(err, "not undone: %s", none.msg);
	return -1;
}

static int make_asides(struct sk_store *s, const struct sk_change *c, enum sk_op_kind kind, struct sk_err *err)
{
	for (size_t i = 0; i < c->n; i++) {
		if (c->v[i].aside && c->v[i].kind == kind && make_alone(s, &c->v[i], (unsigned)i, err) < 0)
			return -1;
	}
	return 0;
}

/* At most one step that means something: what is placed beside it goes first, what is removed last. */
static int make_few(struct sk_store *s, const struct sk_change *c, struct sk_err *err)
{
	struct sk_err none = { 0 };
	int rc = make_asides(s, c, SK_OP_PLACE, err);

	for (size_t i = 0; i < c->n && rc == 0; i++) {
		if (is_step(&c->v[i]) && !c->v[i].aside)
			rc = make_alone(s, &c->v[i], (unsigned)i, err);
	}
	if (rc == 0) {
		(void)make_asides(s, c, SK_OP_UNLINK, NULL);
		(void)sk_change_sweep(s, NULL);
		return 0;
	}
	for (size_t i = c->n; i > 0; i--) {
		if (c->v[i - 1].aside)
			(void)undo_step(s, &c->v[i - 1], (unsigned)i - 1, false, &none);
	}
	return -1;
}

static int make_many(struct sk_store *s, const struct sk_change *c, struct sk_err *err)
{
	if (write_journal(s, c, err) < 0)
		return -1;
	if (make_steps(s, c, err) < 0)
		return take_back(s, c, err);
	close_journal(s, JOURNAL);
	return 0;
}

int sk_change_make(struct sk_store *s, struct sk_err *err)
{
	SK_NAMES struct sk_names made = { 0 };
	const struct sk_change *c = s->change;
	int rc = 0;

	if (make_dirs(s, &made, err) < 0 || (is_big(c) && sync_all(s, err) < 0))
		rc = -1;
	if (rc == 0)
		rc = steps(c) > 1 ? make_many(s, c, err) : make_few(s, c, err);
	if (rc == 0)
		remove_emptied(s);
	else
		remove_dirs(s, &made);
	return rc;
}
