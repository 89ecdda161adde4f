/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Many changes at once: nothing shows before the commit, everything after it. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "record/store_impl.h"

#define DISK1 "iqn.2026-11.com.example:disk1"

static struct sk_record *numbered(unsigned n)
{
	char name[64];

	snprintf(name, sizeof(name), "iqn.2026-11.com.example:bulk%u", n);
	return node(name, "192.0.2.1", "1", "node.startup", "automatic", NULL);
}

static bool count(void *ctx, const struct sk_node_key *key, const struct sk_record *r)
{
	(void)r;
	*(unsigned *)ctx += strstr(key->target.s, ":bulk") != NULL;
	return true;
}

static unsigned bulks(struct room *r)
{
	const struct sk_node_selector all = { .port = -1 };
	unsigned n = 0;

	assert_true(sk_store_nodes(r->s, &all, count, &n, NULL, NULL, NULL) >= 0);
	return n;
}

static void stage(struct room *r, unsigned n)
{
	assert_int_equal(sk_store_lock(r->s, 0, NULL), 0);
	assert_int_equal(sk_store_begin(r->s, NULL), 0);
	for (unsigned i = 0; i < n; i++) {
		struct sk_record *rec = numbered(i);

		assert_int_equal(sk_store_node_put(r->s, rec, NULL), 0);
		sk_record_free(rec);
	}
}

static void nothing_shows_before_the_commit(void **st)
{
	struct sk_node_key k = { .target = { DISK1 }, .portal = { "127.0.0.1", 3260, 1 }, .iface = "default" };
	struct room r;
	char *before, *after;

	(void)st;
	room_open(&r, "basic");
	before = snapshot(&r);
	stage(&r, 500);
	assert_int_equal(sk_store_node_delete(r.s, &k, NULL), 0);
	after = snapshot(&r);
	assert_string_equal(before, after);
	assert_int_equal(sk_store_commit(r.s, NULL), 0);
	sk_store_unlock(r.s);
	assert_int_equal(bulks(&r), 500);
	assert_null(sk_store_node_get(r.s, &k, NULL));
	assert_true(exists(&r, "static/iqn.2026-11.com.example:bulk7,192.0.2.1,3260,1,default"));
	assert_false(exists(&r, ".siskin/new-0"));
	free(before);
	free(after);
	room_close(&r);
}

static void what_is_abandoned_leaves_nothing(void **st)
{
	struct room r;
	char *before, *after;

	(void)st;
	room_open(&r, "basic");
	before = snapshot(&r);
	stage(&r, 10);
	assert_true(exists(&r, ".siskin/new-2"));
	sk_store_abandon(r.s);
	sk_store_unlock(r.s);
	assert_false(exists(&r, ".siskin/new-0"));
	assert_false(exists(&r, ".siskin/new-2"));
	after = snapshot(&r);
	assert_string_equal(before, after);
	free(before);
	free(after);
	room_close(&r);
}

static void leftovers_of_a_crash_are_swept_by_the_next(void **st)
{
	struct room r;

	(void)st;
	room_open(&r, "basic");
	assert_int_equal(sk_store_lock(r.s, 0, NULL), 0);
	spill(below(&r, ".siskin/new-2"), "half", 4);
	assert_int_equal(sk_store_begin(r.s, NULL), 0);
	assert_false(exists(&r, ".siskin/new-2"));
	assert_int_equal(sk_store_commit(r.s, NULL), 0);
	sk_store_unlock(r.s);
	assert_int_equal(bulks(&r), 0);
	room_close(&r);
}

/* Nobody may write until somebody has looked at it; reading goes on. */
static void a_damaged_journal_is_named(void **st)
{
	static const struct {
		const char *text;
		size_t n;
	} bad[] = {
		{ "", 0 }, { "junk", 4 }, { "siskin journal 1\n", 17 }, { "siskin journal 1\nplace x old a\nend\n", 36 },
		{ "siskin journal 1\nplace 1 old\nend\n", 34 }, { "siskin journal 1\nplace 1 old nodes/a\n", 37 },
		{ "siskin journal 1\nplace 99999999999 old nodes/a\nend\n", 52 },
		{ "siskin journal 1\nplace 1\0old nodes/a\nend\n", 42 },
	};

	(void)st;
	for (size_t i = 0; i < SK_ARRAY_LEN(bad); i++) {
		struct sk_err err = { 0 };
		char *before, *after;
		struct room r;

		room_open(&r, "basic");
		assert_int_equal(sk_store_lock(r.s, 0, NULL), 0);
		sk_store_unlock(r.s);
		before = snapshot(&r);
		spill(below(&r, ".siskin/journal"), bad[i].text, bad[i].n);
		assert_int_equal(bulks(&r), 0);
		assert_int_equal(sk_store_lock(r.s, 0, &err), -1);
		assert_int_equal(err.code, SK_EDB);
		assert_non_null(strstr(err.msg, ".siskin/journal"));
		after = snapshot(&r);
		assert_string_equal(before, after);
		free(before);
		free(after);
		room_close(&r);
	}
}

/* Programs remove nodes/ behind our back. */
static void a_journal_outlives_its_directories(void **st)
{
	static const char text[] = "siskin journal 1\nplace 1 old nodes/" DISK1 "/127.0.0.1,3260,1/default\n"
				   "unlink 2 old send_targets/a,1/x\nend\n";
	struct sk_node_key k = { .target = { DISK1 }, .portal = { "127.0.0.1", 3260, 1 }, .iface = "default" };
	struct sk_record *rec;
	char *record;
	struct room r;
	size_t n;

	(void)st;
	room_open(&r, "basic");
	assert_int_equal(sk_store_lock(r.s, 0, NULL), 0);
	sk_store_unlock(r.s);
	record = slurp(below(&r, "nodes/" DISK1 "/127.0.0.1,3260,1/default"), &n);
	spill(below(&r, ".siskin/new-1"), record, n);
	free(record);
	spill(below(&r, ".siskin/journal"), text, sizeof(text) - 1);
	assert_int_equal(rename(below(&r, "nodes"), below(&r, "gone")), 0);
	rec = sk_store_node_get(r.s, &k, NULL);	/* looking is enough */
	assert_non_null(rec);
	sk_record_free(rec);
	assert_false(exists(&r, ".siskin/journal"));
	assert_false(exists(&r, ".siskin/new-1"));
	room_close(&r);
}

/* A path that leads out of the tree is not followed, whoever wrote the journal. */
static void a_journal_stays_in_the_tree(void **st)
{
	static const char text[] = "siskin journal 1\nunlink 0 old ../outside\nend\n";
	char outside[200];
	struct room r;

	(void)st;
	room_open(&r, "basic");
	assert_int_equal(sk_store_lock(r.s, 0, NULL), 0);
	sk_store_unlock(r.s);
	snprintf(outside, sizeof(outside), "%s/outside", r.dir);
	spill(outside, "x", 1);
	spill(below(&r, ".siskin/journal"), text, sizeof(text) - 1);
	(void)sk_store_lock(r.s, 0, NULL);
	sk_store_unlock(r.s);
	assert_int_equal(access(outside, F_OK), 0);
	room_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_shows_before_the_commit),
		cmocka_unit_test(what_is_abandoned_leaves_nothing),
		cmocka_unit_test(a_damaged_journal_is_named),
		cmocka_unit_test(a_journal_outlives_its_directories),
		cmocka_unit_test(a_journal_stays_in_the_tree),
		cmocka_unit_test(leftovers_of_a_crash_are_swept_by_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
