/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One bad record never changes what is said of the others. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "record/store_impl.h"

#define RECORDS 200

static uint32_t seed = 20261122;

static uint32_t rnd(uint32_t below_n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % below_n;
}

static void fill(struct room *r)
{
	for (int i = 0; i < RECORDS; i++) {
		char name[64], host[32], tag[8];
		struct sk_record *rec;

		snprintf(name, sizeof(name), "iqn.2026-11.com.example:disk%03d", i);
		snprintf(host, sizeof(host), i % 3 ? "192.0.2.%d" : "2001:db8::%d", i % 250 + 1);
		snprintf(tag, sizeof(tag), "%d", i % 7 ? i % 5 : -1);
		rec = node(name, host, tag, NULL);
		assert_int_equal(sk_store_node_put(r->s, rec, NULL), 0);
		sk_record_free(rec);
	}
}

struct listing {
	struct sk_buf text;
	const char *without;	/* this target is left out */
	bool keys;
};

static bool add(void *ctx, const struct sk_node_key *key, const struct sk_record *r)
{
	struct listing *l = ctx;

	if (strcmp(key->target.s, l->without) == 0)
		return true;
	sk_buf_printf(&l->text, "%s %s,%u,%d\n", key->target.s, key->portal.host, key->portal.port,
		      key->portal.tpgt);
	if (r)
		sk_record_print(&l->text, r, SK_FORM_SHOW_SECRETS);
	return true;
}

static void count_skips(void *ctx, const char *path, const char *why)
{
	assert_true(*path == '/' && *why);
	(*(unsigned *)ctx)++;
}

static char *listing(struct room *r, const char *without, bool keys, unsigned *skips)
{
	struct sk_node_selector sel = { .port = -1, .keys_only = keys };
	struct listing l = { .without = without };

	*skips = 0;
	assert_true(sk_store_nodes(r->s, &sel, add, &l, count_skips, skips, NULL) >= RECORDS - 1);
	return l.text.p;
}

/* The path of the record of target number @i, below the database. */
static void record_path(int i, char ret[256])
{
	struct sk_node_key key = { .portal = { .port = 3260, .tpgt = i % 7 ? i % 5 : -1 }, .iface = "default" };
	struct sk_path p;

	snprintf(key.target.s, sizeof(key.target.s), "iqn.2026-11.com.example:disk%03d", i);
	snprintf(key.portal.host, sizeof(key.portal.host), i % 3 ? "192.0.2.%d" : "2001:db8::%d", i % 250 + 1);
	sk_path_node(&key, &p);
	assert_true(strlen(p.s) < 256);
	memcpy(ret, p.s, strlen(p.s) + 1);
}

struct file {
	const char *path;
	char *text;
	size_t n;
};

static void cut(struct file *f)
{
	spill(f->path, f->text, rnd((uint32_t)f->n));
}

static void empty(struct file *f)
{
	spill(f->path, "", 0);
}

static void random_bytes(struct file *f)
{
	char junk[512];

	for (size_t i = 0; i < sizeof(junk); i++)
		junk[i] = (char)rnd(256);
	spill(f->path, junk, sizeof(junk));
}

static void flip_bytes(struct file *f)
{
	for (int i = 0; i < 8; i++)
		f->text[rnd((uint32_t)f->n)] = (char)rnd(256);
	spill(f->path, f->text, f->n);
}

static void with_line(struct file *f, const char *line, size_t n)
{
	struct sk_buf b = { 0 };

	sk_buf_add(&b, f->text, f->n);
	sk_buf_add(&b, line, n);
	spill(f->path, b.p, b.n);
	sk_buf_free(&b);
}

static void unknown_key(struct file *f)
{
	with_line(f, "node.of.tomorrow = 1\n", 21);
}

static void huge_line(struct file *f)
{
	char line[9000];

	memset(line, 'k', sizeof(line));
	with_line(f, line, sizeof(line));
}

static void nul(struct file *f)
{
	with_line(f, "node.tpgt\0 = 1\n", 15);
}

static void crlf(struct file *f)
{
	struct sk_buf b = { 0 };

	for (size_t i = 0; i < f->n; i++) {
		if (f->text[i] == '\n')
			sk_buf_ch(&b, '\r');
		sk_buf_ch(&b, f->text[i]);
	}
	spill(f->path, b.p, b.n);
	sk_buf_free(&b);
}

static void no_newline(struct file *f)
{
	spill(f->path, f->text, f->n - 1);
}

static void too_large(struct file *f)
{
	assert_int_equal(truncate(f->path, 1 << 30), 0);
}

static void other_name(struct file *f)
{
	char *p = strstr(f->text, "disk");

	memcpy(p, "evil", 4);
	spill(f->path, f->text, f->n);
}

static void replace_by(struct file *f, int (*make)(const char *path))
{
	assert_int_equal(unlink(f->path), 0);
	assert_int_equal(make(f->path), 0);
}

static int make_dir(const char *path)
{
	return mkdir(path, 0700);
}

static int make_fifo(const char *path)
{
	return mkfifo(path, 0600);
}

static int make_link(const char *path)
{
	return symlink("/etc/passwd", path);
}

static int make_loop(const char *path)
{
	return symlink(path, path);
}

static void directory(struct file *f)
{
	replace_by(f, make_dir);
}

static void fifo(struct file *f)
{
	replace_by(f, make_fifo);
}

static void link_away(struct file *f)
{
	replace_by(f, make_link);
}

static void link_loop(struct file *f)
{
	replace_by(f, make_loop);
}

static void (*const harms[])(struct file *f) = {
	cut,	    empty, random_bytes, flip_bytes, unknown_key, huge_line, nul,	crlf,
	no_newline, fifo,  too_large,	 other_name, directory,	  link_away, link_loop,
};

static void the_other_199_are_listed_the_same(void **st)
{
	struct room r;

	(void)st;
	room_open(&r, NULL);
	fill(&r);
	for (size_t round = 0; round < 2 * SK_ARRAY_LEN(harms); round++) {
		int victim = (int)rnd(RECORDS);
		char path[256], full[512], name[64];
		char *good[2], *now[2], *saved;
		unsigned skips;
		struct file f;

		snprintf(name, sizeof(name), "iqn.2026-11.com.example:disk%03d", victim);
		record_path(victim, path);
		snprintf(full, sizeof(full), "%s/%s", r.db, path);
		f.path = full;
		f.text = slurp(full, &f.n);
		saved = strdup(f.text);
		for (int keys = 0; keys < 2; keys++) {
			good[keys] = listing(&r, name, keys, &skips);
			assert_int_equal(skips, 0);
		}
		harms[round % SK_ARRAY_LEN(harms)](&f);
		for (int keys = 0; keys < 2; keys++) {
			now[keys] = listing(&r, name, keys, &skips);
			assert_true(skips <= 1);
			assert_string_equal(good[keys], now[keys]);
			free(good[keys]);
			free(now[keys]);
		}
		assert_int_equal(remove(full), 0);
		spill(full, saved, f.n);
		free(f.text);
		free(saved);
	}
	room_close(&r);
}

static void strange_entries_are_told_and_passed(void **st)
{
	static const char *const files[] = { "nodes/stray",
					     "nodes/iqn.2026-11.com.example:disk001/stray",
					     "nodes/iqn.2026-11.com.example:disk001/192.0.2.2,3260,1/default~",
					     "nodes/iqn.2026-11.com.example:disk001/192.0.2.2,3260,1/.swp",
					     "nodes/iqn.2026-11.com.example:disk001/a,0",
					     "nodes/iqn.2026-11.com.example:disk001/,1,1",
					     "nodes/iqn.2026-11.com.example:disk001/a,03260,1" };
	unsigned skips;
	struct room r;
	char *good, *now;

	(void)st;
	room_open(&r, NULL);
	fill(&r);
	good = listing(&r, "", false, &skips);
	assert_int_equal(skips, 0);
	for (size_t i = 0; i < SK_ARRAY_LEN(files); i++)
		spill(below(&r, files[i]), "x", 1);
	assert_int_equal(mkdir(below(&r, "nodes/not a name"), 0700), 0);
	assert_int_equal(mkdir(below(&r, "nodes/iqn.2026-11.com.example:empty"), 0700), 0);
	now = listing(&r, "", false, &skips);
	assert_string_equal(good, now);
	assert_int_equal(skips, SK_ARRAY_LEN(files) + 1);
	free(good);
	free(now);
	room_close(&r);
}

static void an_empty_record_is_absent(void **st)
{
	struct sk_record *rec = node("iqn.2026-11.com.example:a", "::1", "1", NULL);
	struct sk_err err = { 0 };
	struct sk_node_key key;
	struct room r;

	(void)st;
	room_open(&r, NULL);
	assert_int_equal(sk_store_node_put(r.s, rec, NULL), 0);
	assert_int_equal(sk_node_key_of(rec, &key, NULL), 0);
	spill(below(&r, "nodes/iqn.2026-11.com.example:a/::1,3260,1/default"), "", 0);
	assert_null(sk_store_node_get(r.s, &key, &err));
	assert_int_equal(err.code, SK_ENOENT);
	assert_non_null(strstr(err.msg, "empty"));
	assert_int_equal(sk_store_node_put(r.s, rec, NULL), 0);	/* and can be stored again */
	sk_record_free(rec);
	rec = sk_store_node_get(r.s, &key, NULL);
	assert_non_null(rec);
	sk_record_free(rec);
	spill(below(&r, "nodes/iqn.2026-11.com.example:a/::1,3260,1/default"), "", 0);
	assert_int_equal(sk_store_node_delete(r.s, &key, NULL), 0);	/* and removed, link and all */
	assert_false(exists(&r, "static/iqn.2026-11.com.example:a,::1,3260,1,default"));
	assert_false(exists(&r, "nodes/iqn.2026-11.com.example:a"));
	room_close(&r);
}

static void count_lines(void *ctx, enum sk_level level, enum sk_room room, const char *text)
{
	assert_int_equal(level, SK_LOG_WARNING);
	assert_int_equal(room, SK_ROOM_RECORD);
	assert_non_null(strstr(text, "node.of.tomorrow"));
	(*(unsigned *)ctx)++;
}

static void an_unknown_key_is_told_once_and_survives(void **st)
{
	unsigned lines = 0, skips;
	struct room r;
	char *all;

	(void)st;
	room_open(&r, NULL);
	fill(&r);
	for (int i = 0; i < RECORDS; i++) {
		char path[256];
		struct file f;

		record_path(i, path);
		f.path = below(&r, path);
		f.text = slurp(f.path, &f.n);
		unknown_key(&f);
		free(f.text);
	}
	sk_log_to(count_lines, &lines, SK_LOG_WARNING, 0);
	for (int i = 0; i < 2; i++) {
		all = listing(&r, "", false, &skips);
		assert_int_equal(skips, 0);
		free(all);
	}
	sk_log_to(NULL, NULL, SK_LOG_WARNING, 0);
	assert_int_equal(lines, 1);
	{
		struct sk_node_key key = { .target = { "iqn.2026-11.com.example:disk001" },
					   .portal = { "192.0.2.2", 3260, 1 }, .iface = "default" };
		struct sk_record *rec = sk_store_node_get(r.s, &key, NULL);
		char *text;

		assert_non_null(rec);
		assert_int_equal(sk_store_node_put(r.s, rec, NULL), 0);
		text = slurp(below(&r, "nodes/iqn.2026-11.com.example:disk001/192.0.2.2,3260,1/default"), NULL);
		assert_non_null(strstr(text, "\nnode.of.tomorrow = 1\n# END RECORD\n"));
		free(text);
		sk_record_free(rec);
	}
	room_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_other_199_are_listed_the_same),
		cmocka_unit_test(strange_entries_are_told_and_passed),
		cmocka_unit_test(an_empty_record_is_absent),
		cmocka_unit_test(an_unknown_key_is_told_once_and_survives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
