/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_TEST_SYS_TMP_H
#define SK_TEST_SYS_TMP_H

/** A private directory per test, and small helpers to fill it. */

#include <stdbool.h>

#include "record/places.h"

struct tmp {
	char dir[64];
	struct sk_places places; /* sysfs = dir/kernel, rundir = dir/run, devdir = dir/dev, all there */
};

int tmp_setup(void **state);
int tmp_teardown(void **state);

/** put - a file with this content (and the directories that lead to it), below t->dir */
void put(const struct tmp *t, const char *path, const char *text);
/** link_to - a symbolic link, and the directories that lead to it */
void link_to(const struct tmp *t, const char *path, const char *to);
bool exists(const struct tmp *t, const char *path);

#endif
