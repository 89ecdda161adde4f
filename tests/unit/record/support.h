/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_TEST_RECORD_SUPPORT_H
#define SK_TEST_RECORD_SUPPORT_H

/** A private directory per test, with a database tree of tests/data/db when asked for. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "record/record.h"
#include "record/store.h"

struct room {
	char dir[64];
	char db[80];
	char far[64];	/* where its nodes are, when not below db; "" = they are */
	struct sk_places places;
	struct sk_store *s;
};

/** room_open - a fresh directory; @tree (may be NULL) names a folder of tests/data/db to fill it with */
void room_open(struct room *r, const char *tree);
void room_open_in(struct room *r, const char *base, const char *tree);	/* below @base instead of /tmp */
/** room_link_nodes - nodes becomes a link to a directory of another file system, with what was in it */
void room_link_nodes(struct room *r);
void room_close(struct room *r);

/** slurp - a whole file, malloc'ed and terminated; fails the test when it cannot be read. *n may be NULL */
char *slurp(const char *path, size_t *n);
void spill(const char *path, const void *p, size_t n);
/** below - "<db>/<path>", in one of four static buffers */
const char *below(const struct room *r, const char *path);
bool exists(const struct room *r, const char *path);
/** snapshot - every entry below the database but .siskin: path, mode, link target or content, in byte order. Owned */
char *snapshot(const struct room *r);

/** node - a node record with a name, an address, and the rest as given by key, value, …, NULL */
struct sk_record *node(const char *name, const char *host, const char *tpgt, ...);

#endif
