/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_RECORD_CHANGE_H
#define SK_RECORD_CHANGE_H

/** Inside of changes: what stage.c collects and journal.c makes. */

#include "record/store_impl.h"

/** From so many steps on a change syncs the file system, a smaller one each of its files and directories. */
#define SK_CHANGE_BIG 32

enum sk_op_kind {
	SK_OP_PLACE,	/* .siskin/new-N becomes the path; what was there becomes .siskin/old-N */
	SK_OP_UNLINK,	/* the path becomes .siskin/old-N */
	SK_OP_DIRS,	/* every directory of the path; made before anything else */
	SK_OP_RMDIR,	/* the directory, when it is empty; after everything else */
};

/** One step; N is its place in the list. */
struct sk_op {
	enum sk_op_kind kind;
	bool aside;	/* means nothing without the others: see sk_stage_aside */
	bool had_old;	/* PLACE: something was there before the change */
	char *path;
};

struct sk_change {
	struct sk_op *v;
	size_t n, cap;
	size_t marks[8];	/* where the nested ones began */
	unsigned depth;
};

/** sk_change_temp - the name of temporary entry @n in .siskin; @what: 'n'ew or 'o'ld */
void sk_change_temp(char what, unsigned n, char ret[24]);
/** sk_change_make - all of s->change, or nothing. -1: nothing was changed (or err says what could not be undone) */
int sk_change_make(struct sk_store *s, struct sk_err *err);
/** sk_change_pending - is there a journal, because a change could neither be made nor taken back? */
bool sk_change_pending(struct sk_store *s);
/** sk_change_sweep - remove temporary entries that belong to no journal; the lock is held */
int sk_change_sweep(struct sk_store *s, struct sk_err *err);

#endif
