/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "iscsiadm/rescan.h"

/** Rescans through a sysfs made of files: every host is written to, and one that hangs holds nobody up. */

#define HOSTS 40 /* more than work at once */

static void path_of(const struct sk_places *p, unsigned host, const char *name, char *ret, size_t n)
{
	snprintf(ret, n, "%s/class/scsi_host/host%u%s", p->sysfs, host, name);
}

static void make(const char *path)
{
	char text[400];

	snprintf(text, sizeof(text), "%s", path);
	for (char *c = text + 1; *c; c++) {
		if (*c != '/')
			continue;
		*c = '\0';
		mkdir(text, 0700);
		*c = '/';
	}
	assert_int_equal(mkdir(text, 0700), 0);
}

static void expect_scanned(const struct sk_places *p, unsigned host)
{
	char path[400], text[16] = "";
	SK_FD int fd = -1;

	path_of(p, host, "/scan", path, sizeof(path));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, text, sizeof(text) - 1), 6);
	assert_string_equal(text, "- - -\n");
}

static void all_are_scanned_and_one_that_hangs_is_left_behind(void **st)
{
	static struct sk_sys_session v[HOSTS];
	struct sk_sessions s = { v, HOSTS };
	struct sk_places p = { 0 };
	int codes[HOSTS];
	char dir[] = "/tmp/siskin-rescan-XXXXXX", path[400];

	(void)st;
	assert_non_null(mkdtemp(dir));
	snprintf(p.sysfs, sizeof(p.sysfs), "%s", dir);
	for (unsigned i = 0; i < HOSTS; i++) {
		SK_FD int fd = -1;

		v[i].sid = v[i].host = i;
		path_of(&p, i, "", path, sizeof(path));
		make(path);
		path_of(&p, i, "/scan", path, sizeof(path));
		if (i == 3)
			assert_int_equal(mkfifo(path, 0600), 0); /* whoever opens it waits for a reader */
		else if (i != 5)
			fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	}
	sk_rescan_kernel(&p, &s, 2000, codes);
	for (unsigned i = 0; i < HOSTS; i++) {
		assert_int_equal(codes[i], i == 3 ? SK_RES_AGAIN : i == 5 ? SK_RES_ERR : 0);
		if (codes[i] == 0)
			expect_scanned(&p, i);
	}
	for (unsigned i = 0; i < HOSTS; i++) {
		path_of(&p, i, "/scan", path, sizeof(path));
		unlink(path);
		path_of(&p, i, "", path, sizeof(path));
		rmdir(path);
	}
	snprintf(path, sizeof(path), "%s/class/scsi_host", dir);
	rmdir(path);
	snprintf(path, sizeof(path), "%s/class", dir);
	rmdir(path);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_are_scanned_and_one_that_hangs_is_left_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
