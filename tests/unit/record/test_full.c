/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A full or read-only disk: an error with its reason, and the old file as it was. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "record/store_impl.h"

#define DISK1 "iqn.2026-11.com.example:disk1"
#define RECORD "nodes/" DISK1 "/127.0.0.1,3260,1/default"

static struct sk_record *changed(struct room *r)
{
	struct sk_node_key k = { .target = { DISK1 }, .portal = { "127.0.0.1", 3260, 1 }, .iface = "default" };
	struct sk_record *rec = sk_store_node_get(r->s, &k, NULL);

	assert_non_null(rec);
	assert_int_equal(sk_record_set(rec, "node.startup", "automatic", NULL), 0);
	return rec;
}

/* The update fails with @sys and nothing is different. */
static void expect_refusal(struct room *r, int sys)
{
	char *before = snapshot(r), *after;
	struct sk_record *rec = changed(r);
	struct sk_err err = { 0 };

	assert_int_equal(sk_store_node_put(r->s, rec, &err), -1);
	assert_int_equal(err.code, SK_EDB);
	assert_int_equal(err.sys, sys);
	assert_non_null(strstr(err.msg, strerror(sys)));
	assert_false(exists(r, ".siskin/new-0"));
	after = snapshot(r);
	assert_string_equal(before, after);
	free(before);
	free(after);
	sk_record_free(rec);
}

static void a_file_size_limit_is_an_error(void **st)
{
	struct rlimit old, small;
	struct sk_record *rec;
	struct room r;

	(void)st;
	room_open(&r, "basic");
	rec = changed(&r);	/* makes .siskin first */
	assert_int_equal(sk_store_lock(r.s, 0, NULL), 0);
	sk_store_unlock(r.s);
	sk_record_free(rec);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 1024;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	expect_refusal(&r, EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	rec = changed(&r);
	assert_int_equal(sk_store_node_put(r.s, rec, NULL), 0);
	sk_record_free(rec);
	room_close(&r);
}

static void fill_up(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	char page[4096] = { 0 };
	ssize_t n;

	assert_true(fd >= 0);
	while ((n = write(fd, page, sizeof(page))) > 0)
		;
	assert_true(n < 0 && errno == ENOSPC);
	close(fd);
}

/* In a mount namespace of its own: whatever happens, nothing stays mounted. */
static int in_a_small_disk(void (*body)(struct room *r))
{
	char disk[] = "/tmp/siskin-disk-XXXXXX";
	pid_t pid;
	int status;

	assert_non_null(mkdtemp(disk));
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct room r;

		if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		    mount("none", disk, "tmpfs", 0, "size=256k") < 0)
			_exit(77);
		room_open_in(&r, disk, "basic");
		body(&r);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(rmdir(disk), 0);
	return status;
}

/* The same inside a change: refused where it is staged, and what was staged before is forgotten. */
static void expect_staged_refusal(struct room *r)
{
	char *before = snapshot(r), *after;
	struct sk_record *rec = changed(r);
	struct sk_err err = { 0 };

	assert_int_equal(sk_store_begin(r->s, NULL), 0);
	assert_int_equal(sk_store_node_put(r->s, rec, &err), -1);
	assert_int_equal(err.code, SK_EDB);
	assert_int_equal(err.sys, ENOSPC);
	sk_store_abandon(r->s);
	after = snapshot(r);
	assert_string_equal(before, after);
	free(before);
	free(after);
	sk_record_free(rec);
}

static void full(struct room *r)
{
	char filler[128];
	struct sk_record *rec;

	assert_int_equal(sk_store_lock(r->s, 0, NULL), 0);	/* .siskin is there */
	sk_store_unlock(r->s);
	snprintf(filler, sizeof(filler), "%s/filler", r->dir);
	fill_up(filler);
	expect_refusal(r, ENOSPC);
	assert_int_equal(sk_store_lock(r->s, 0, NULL), 0);
	expect_staged_refusal(r);
	sk_store_unlock(r->s);
	assert_int_equal(unlink(filler), 0);
	rec = changed(r);
	assert_int_equal(sk_store_node_put(r->s, rec, NULL), 0);
	sk_record_free(rec);
}

static void read_only(struct room *r)
{
	char *disk = r->dir;

	*strrchr(disk, '/') = '\0';
	assert_int_equal(mount(NULL, disk, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	expect_refusal(r, EROFS);
}

static void a_full_disk_is_an_error(void **st)
{
	int status = in_a_small_disk(full);

	(void)st;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

static void a_read_only_disk_is_an_error(void **st)
{
	int status = in_a_small_disk(read_only);

	(void)st;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_size_limit_is_an_error),
		cmocka_unit_test(a_full_disk_is_an_error),
		cmocka_unit_test(a_read_only_disk_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
