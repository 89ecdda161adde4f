/* SPDX-License-Identifier: LGPL-2.1-or-later */
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

#include "transport/kernel/keep.h"

static struct sk_places places;

static int setup(void **st)
{
	(void)st;
	snprintf(places.rundir, sizeof(places.rundir), "/tmp/siskin-keep-XXXXXX");
	return mkdtemp(places.rundir) ? 0 : -1;
}

static int teardown(void **st)
{
	char path[300];

	(void)st;
	snprintf(path, sizeof(path), "%s/kernel", places.rundir);
	(void)rmdir(path);
	return rmdir(places.rundir);
}

static void what_is_kept_comes_back_and_is_nobodys_elses_to_read(void **st)
{
	struct sk_keep k = { .handle = 18446744073709551615ULL, .initiator = "iqn.x:i", .tag = "slot=1 isid=00023d000001" };
	struct sk_record *r = sk_record_new(SK_REC_NODE, NULL), *back;
	struct sk_keep got;
	struct sk_err err = { 0 };
	struct stat s;
	char path[300];

	(void)st;
	assert_int_equal(sk_record_set(r, "node.name", "iqn.x:t", NULL), 0);
	assert_int_equal(sk_record_set(r, "node.session.auth.password", "secret", NULL), 0);
	assert_int_equal(sk_keep_put(&places, 5, &k, r, &err), 0);
	snprintf(path, sizeof(path), "%s/kernel/5.login", places.rundir);
	assert_int_equal(stat(path, &s), 0);
	assert_int_equal(s.st_mode & 0777, 0600);
	back = sk_keep_get(&places, 5, &got, &err);
	assert_non_null(back);
	assert_false(got.up);
	sk_record_free(back);
	assert_int_equal(sk_keep_up(&places, 5, &err), 0);
	back = sk_keep_get(&places, 5, &got, &err);
	assert_non_null(back);
	assert_true(got.handle == k.handle);
	assert_true(got.up);
	assert_string_equal(got.initiator, k.initiator);
	assert_string_equal(got.tag, k.tag);
	assert_string_equal(sk_record_get(back, "node.name"), "iqn.x:t");
	assert_string_equal(sk_record_get(back, "node.session.auth.password"), "secret");
	sk_record_free(back);
	assert_int_equal(sk_record_set(r, "node.session.timeo.replacement_timeout", "33", NULL), 0);
	assert_int_equal(sk_keep_replace(&places, 5, &k, r, &err), 0);
	back = sk_keep_get(&places, 5, &got, &err);
	assert_true(back && got.up);	/* it stays one that was up */
	assert_int_equal(sk_record_int(back, "node.session.timeo.replacement_timeout"), 33);
	sk_record_free(back);
	assert_null(sk_keep_get(&places, 6, &got, &err));
	assert_int_equal(err.code, SK_ENOENT);
	sk_keep_drop(&places, 5);
	assert_null(sk_keep_get(&places, 5, &got, &err));
	sk_record_free(r);
}

/* A module loaded anew counts from 1 again: an older file of the same id is of another session. */
static void a_session_in_its_login_hides_an_older_one_of_its_id(void **st)
{
	struct sk_keep old = { .handle = 1, .tag = "old" }, new = { .handle = 2, .tag = "new" }, got;
	struct sk_record *r = sk_record_new(SK_REC_NODE, NULL), *back;

	(void)st;
	assert_int_equal(sk_keep_put(&places, 1, &old, r, NULL), 0);
	assert_int_equal(sk_keep_up(&places, 1, NULL), 0);
	assert_int_equal(sk_keep_put(&places, 1, &new, r, NULL), 0);
	back = sk_keep_get(&places, 1, &got, NULL);
	assert_string_equal(got.tag, "new");
	assert_false(got.up);
	sk_record_free(back);
	assert_int_equal(sk_keep_up(&places, 1, NULL), 0);
	back = sk_keep_get(&places, 1, &got, NULL);
	assert_string_equal(got.tag, "new");
	assert_true(got.up);
	sk_record_free(back);
	sk_record_free(r);
	sk_keep_drop(&places, 1);
}

static bool is_two(void *ctx, uint32_t sid)
{
	(void)ctx;
	return sid == 2;
}

static void files_of_sessions_that_are_gone_are_swept(void **st)
{
	struct sk_keep k = { .handle = 1 };
	struct sk_record *r = sk_record_new(SK_REC_NODE, NULL), *back;
	struct sk_keep got;

	(void)st;
	for (uint32_t sid = 1; sid <= 3; sid++)
		assert_int_equal(sk_keep_put(&places, sid, &k, r, NULL), 0);
	sk_keep_sweep(&places, is_two, NULL);
	assert_null(sk_keep_get(&places, 1, &got, NULL));
	assert_null(sk_keep_get(&places, 3, &got, NULL));
	back = sk_keep_get(&places, 2, &got, NULL);
	assert_non_null(back);
	assert_false(got.up);
	sk_record_free(back);
	sk_record_free(r);
	sk_keep_drop(&places, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_kept_comes_back_and_is_nobodys_elses_to_read, setup, teardown),
		cmocka_unit_test_setup_teardown(a_session_in_its_login_hides_an_older_one_of_its_id, setup, teardown),
		cmocka_unit_test_setup_teardown(files_of_sessions_that_are_gone_are_swept, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
