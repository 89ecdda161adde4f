/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "record/store_impl.h"

/* dbroot itself may lie behind links; what is below it may not. */
static int make_root(const char *path, struct sk_err *err)
{
	char part[sizeof(((struct sk_store *)0)->root_path)];

	for (const char *p = path + 1;; p++) {
		p += strcspn(p, "/");
		snprintf(part, sizeof(part), "%.*s", (int)(p - path), path);
		if (mkdir(part, 0700) < 0 && errno != EEXIST && errno != EROFS && errno != EACCES)
			return sk_db_fail(err, errno, "create %s", part);
		if (!*p)
			return 0;
	}
}

struct sk_store *sk_store_open(const struct sk_places *places, struct sk_err *err)
{
	struct sk_store *s = calloc(1, sizeof(*s));

	if (!s) {
		sk_fail(err, SK_ENOMEM, "no memory");
		return NULL;
	}
	s->proc = "/proc";
	s->root = s->aux = s->lock_fd = s->link_fd = -1;
	snprintf(s->root_path, sizeof(s->root_path), "%s", places->dbroot);
	snprintf(s->lockdir, sizeof(s->lockdir), "%s", places->lockdir);
	s->root = open(s->root_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->root < 0 && errno == ENOENT) {
		if (make_root(s->root_path, err) < 0)
			goto undo;
		s->root = open(s->root_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (s->root >= 0)
		return s;
	sk_db_fail(err, errno, "open the database %s", s->root_path);
	if (err)
		err->code = SK_EDB;
undo:
	sk_store_free(s);
	return NULL;
}

void sk_store_free(struct sk_store *s)
{
	if (!s)
		return;
	while (s->change)
		sk_store_abandon(s);
	if (s->depth) {
		s->depth = 1;
		sk_store_unlock(s);
	}
	sk_fd_close(&s->lock_fd);
	sk_fd_close(&s->link_fd);
	sk_fd_close(&s->aux);
	sk_fd_close(&s->root);
	sk_names_free(&s->told);
	free(s);
}
