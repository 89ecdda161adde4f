/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tmp.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/attr.h"

int tmp_setup(void **state)
{
	struct tmp *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	snprintf(t->dir, sizeof(t->dir), "/tmp/sk-sys-XXXXXX");
	assert_non_null(mkdtemp(t->dir));
	snprintf(t->places.sysfs, sizeof(t->places.sysfs), "%s/kernel", t->dir);
	snprintf(t->places.rundir, sizeof(t->places.rundir), "%s/run", t->dir);
	snprintf(t->places.devdir, sizeof(t->places.devdir), "%s/dev", t->dir);
	assert_int_equal(mkdir(t->places.sysfs, 0755), 0);
	assert_int_equal(mkdir(t->places.rundir, 0755), 0);
	assert_int_equal(mkdir(t->places.devdir, 0755), 0);
	*state = t;
	return 0;
}

int tmp_teardown(void **state)
{
	struct tmp *t = *state;
	int rc = sk_attr_rmtree(AT_FDCWD, t->dir, NULL);

	free(t);
	return rc;
}

static void parents(const char *full)
{
	char dir[512];
	char *slash;

	snprintf(dir, sizeof(dir), "%s", full);
	slash = strrchr(dir, '/');
	*slash = '\0';
	for (char *p = dir + 1;; p++) {
		char c = *p;

		if (c != '/' && c != '\0')
			continue;
		*p = '\0';
		mkdir(dir, 0755);
		*p = c;
		if (!c)
			break;
	}
}

void put(const struct tmp *t, const char *path, const char *text)
{
	char full[512];
	FILE *f;

	snprintf(full, sizeof(full), "%s/%s", t->dir, path);
	parents(full);
	f = fopen(full, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

void link_to(const struct tmp *t, const char *path, const char *to)
{
	char full[512];

	snprintf(full, sizeof(full), "%s/%s", t->dir, path);
	parents(full);
	assert_int_equal(symlink(to, full), 0);
}

bool exists(const struct tmp *t, const char *path)
{
	char full[512];
	struct stat st;

	snprintf(full, sizeof(full), "%s/%s", t->dir, path);
	return lstat(full, &st) == 0;
}
