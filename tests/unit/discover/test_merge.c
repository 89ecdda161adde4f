/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "discover/merge.h"
#include "record/iface.h"

/** Semantics of records.md 8.3, on a real store in a private directory. */

struct world {
	char dir[64];
	struct sk_places places;
	struct sk_store *store;
	unsigned count[SK_MERGE_FAILED + 1];
	const char *busy;		/* a target with a running session */
	enum sk_merge_keep keep;
	const char *portal;		/* of every target; NULL: 192.0.2.9:3260,1 */
};

static void open_world(struct world *w)
{
	memset(w, 0, sizeof(*w));
	snprintf(w->dir, sizeof(w->dir), "%s", "/tmp/sk-merge.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->places.dbroot, sizeof(w->places.dbroot), "%s/db", w->dir);
	snprintf(w->places.lockdir, sizeof(w->places.lockdir), "%s/lock", w->dir);
	snprintf(w->places.conf_file, sizeof(w->places.conf_file), "%s/iscsid.conf", w->dir);
	w->store = sk_store_open(&w->places, NULL);
	assert_non_null(w->store);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void close_world(struct world *w)
{
	sk_store_free(w->store);
	(void)nftw(w->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static bool in_use(void *ctx, const struct sk_node_key *key)
{
	const struct world *w = ctx;

	return w->busy && !strcmp(key->target.s, w->busy);
}

static void news(void *ctx, enum sk_merge_news what, const struct sk_node_key *key, const struct sk_err *why)
{
	struct world *w = ctx;

	(void)key;
	if (why)
		print_message("%s\n", why->msg);
	w->count[what]++;
}

static const char *portal_of(const struct world *w)
{
	return w->portal ? w->portal : "192.0.2.9:3260,1";
}

static int merge(struct world *w, unsigned ops, const char *const *names, const char *iface)
{
	struct sk_merge_cfg cfg = { .type = SK_DISC_SENDTARGETS, .host = "192.0.2.1", .port = 3260, .ops = ops, .in_use = in_use,
				    .news = news, .ctx = w, .conf_file = w->places.conf_file,
				    .keep = w->keep };
	struct sk_iname target[8];
	struct sk_portal portal[8];
	struct sk_merge_item items[8];
	struct sk_record *bound = sk_iface_new(iface, NULL);
	unsigned n = 0;
	int got;

	memset(w->count, 0, sizeof(w->count));
	for (; names[n]; n++) {
		assert_int_equal(sk_iname_parse(sk_span_str(names[n]), &target[n], NULL), 0);
		assert_int_equal(sk_portal_parse(sk_span_str(portal_of(w)), 3260, &portal[n], NULL), 0);
		items[n] = (struct sk_merge_item){ &target[n], &portal[n], bound };
	}
	got = sk_merge(w->store, &cfg, items, n, NULL);
	sk_record_free(bound);
	return got;
}

static bool one(void *ctx, const struct sk_node_key *key, const struct sk_record *r)
{
	(void)key;
	(void)r;
	++*(unsigned *)ctx;
	return true;
}

static unsigned nodes(struct world *w)
{
	struct sk_node_selector sel = { .port = -1 };
	unsigned n = 0;

	assert_true(sk_store_nodes(w->store, &sel, one, &n, NULL, NULL, NULL) >= 0);
	return n;
}

static struct sk_record *get(struct world *w, const char *target)
{
	struct sk_node_key key = { .iface = "default" };

	snprintf(key.target.s, sizeof(key.target.s), "%s", target);
	assert_int_equal(sk_portal_parse(sk_span_str(portal_of(w)), 3260, &key.portal, NULL), 0);
	return sk_store_node_get(w->store, &key, NULL);
}

static void set_startup(struct world *w, const char *target)
{
	struct sk_record *r = get(w, target);

	assert_non_null(r);
	assert_int_equal(sk_record_set(r, "node.startup", "automatic", NULL), 0);
	assert_int_equal(sk_store_node_put(w->store, r, NULL), 0);
	sk_record_free(r);
}

static bool is_automatic(struct world *w, const char *target)
{
	struct sk_record *r = get(w, target);
	bool yes;

	assert_non_null(r);
	yes = !strcmp(sk_record_get(r, "node.startup"), "automatic");
	sk_record_free(r);
	return yes;
}

#define A "iqn.2026-11.x:a"
#define B "iqn.2026-11.x:b"
#define C "iqn.2026-11.x:c"

static const char *const ab[] = { A, B, NULL }, *const bc[] = { B, C, NULL }, *const none[] = { NULL };

static int dress(void *ctx, const struct sk_merge_item *item, struct sk_record *r, struct sk_err *err)
{
	(void)ctx;
	assert_string_equal(item->target->s, A);
	return sk_record_set(r, "node.startup", "onboot", err);
}

static void new_records_have_names_source_and_defaults(void **st)
{
	struct world w;
	struct sk_record *r;
	FILE *f;

	(void)st;
	open_world(&w);
	f = fopen(w.places.conf_file, "w");
	assert_non_null(f);
	fputs("node.session.timeo.replacement_timeout = 77\n", f);
	fclose(f);
	assert_int_equal(merge(&w, SK_MERGE_ALL, ab, "default"), 0);
	assert_int_equal(w.count[SK_MERGE_ADDED], 2);
	r = get(&w, A);
	assert_non_null(r);
	assert_string_equal(sk_record_get(r, "node.discovery_type"), "send_targets");
	assert_string_equal(sk_record_get(r, "node.discovery_address"), "192.0.2.1");
	assert_int_equal(sk_record_int(r, "node.discovery_port"), 3260);
	assert_int_equal(sk_record_int(r, "node.tpgt"), 1);
	assert_int_equal(sk_record_int(r, "node.session.timeo.replacement_timeout"), 77);
	assert_string_equal(sk_record_get(r, "iface.iscsi_ifacename"), "default");
	sk_record_free(r);
	close_world(&w);
}

static void new_leaves_what_is_there(void **st)
{
	struct world w;

	(void)st;
	open_world(&w);
	assert_int_equal(merge(&w, SK_MERGE_NEW, ab, "default"), 0);
	set_startup(&w, A);
	assert_int_equal(merge(&w, SK_MERGE_NEW, ab, "default"), 0);
	assert_int_equal(w.count[SK_MERGE_ADDED] + w.count[SK_MERGE_UPDATED], 0);
	assert_true(is_automatic(&w, A));
	assert_int_equal(merge(&w, SK_MERGE_NEW, bc, "default"), 0);
	assert_int_equal(nodes(&w), 3);		/* nothing is removed */
	close_world(&w);
}

static void update_writes_afresh_and_removes_nothing(void **st)
{
	struct world w;

	(void)st;
	open_world(&w);
	assert_int_equal(merge(&w, SK_MERGE_UPDATE, ab, "default"), 0);
	set_startup(&w, B);
	assert_int_equal(merge(&w, SK_MERGE_UPDATE, bc, "default"), 0);
	assert_int_equal(w.count[SK_MERGE_UPDATED], 1);
	assert_int_equal(w.count[SK_MERGE_ADDED], 1);
	assert_false(is_automatic(&w, B));
	assert_int_equal(nodes(&w), 3);
	close_world(&w);
}

static void delete_removes_only_what_is_stale_here(void **st)
{
	struct world w;

	(void)st;
	open_world(&w);
	assert_int_equal(merge(&w, SK_MERGE_NEW, ab, "default"), 0);
	assert_int_equal(merge(&w, SK_MERGE_DELETE, bc, "default"), 0);
	assert_int_equal(w.count[SK_MERGE_DELETED], 1);
	assert_int_equal(nodes(&w), 1);		/* C is told, not stored */
	assert_int_equal(merge(&w, SK_MERGE_ALL, none, "default"), 0);
	assert_int_equal(nodes(&w), 0);
	close_world(&w);
}

static void records_in_use_stay(void **st)
{
	struct world w;

	(void)st;
	open_world(&w);
	assert_int_equal(merge(&w, SK_MERGE_ALL, ab, "default"), 0);
	w.busy = A;
	assert_int_equal(merge(&w, SK_MERGE_ALL, bc, "default"), 0);
	assert_int_equal(w.count[SK_MERGE_IN_USE], 1);
	assert_int_equal(nodes(&w), 3);
	close_world(&w);
}

static void user_sets(struct world *w, const char *target, const char *key, const char *value)
{
	struct sk_record *r = get(w, target);

	assert_non_null(r);
	assert_int_equal(sk_record_user_set(r, key, value, NULL), SK_SET_OK);
	assert_int_equal(sk_store_node_put(w->store, r, NULL), 0);
	sk_record_free(r);
}

static void holds(struct world *w, const char *target, const char *key, const char *value)
{
	struct sk_record *r = get(w, target);

	assert_non_null(r);
	assert_string_equal(sk_record_get(r, key), value);
	sk_record_free(r);
}

/* What one step of a portal's life is called: its tag may be unknown at first, and may change. */
static void what_was_set_follows_to_another_tag(void **st)
{
	static const char *const tags[] = { "192.0.2.9:3260", "192.0.2.9:3260,1", "192.0.2.9:3260,7" };
	struct world w;

	(void)st;
	open_world(&w);
	w.keep = SK_KEEP_USER;
	w.portal = tags[0];
	assert_int_equal(merge(&w, SK_MERGE_ALL, ab, "default"), 0);
	user_sets(&w, A, "node.session.nr_sessions", "2");
	for (size_t i = 1; i < SK_ARRAY_LEN(tags); i++) {
		w.portal = tags[i];
		assert_int_equal(merge(&w, SK_MERGE_ALL, ab, "default"), 0);
		holds(&w, A, "node.session.nr_sessions", "2");
		holds(&w, B, "node.session.nr_sessions", "1");
		assert_int_equal(merge(&w, SK_MERGE_ALL, ab, "default"), 0);	/* it is the user's there too */
		holds(&w, A, "node.session.nr_sessions", "2");
	}
	close_world(&w);
}

/* Values that nobody marked, as another tool writes them. */
static void a_running_sessions_record_is_not_weakened(void **st)
{
	struct world w;

	(void)st;
	open_world(&w);
	assert_int_equal(merge(&w, SK_MERGE_ALL, ab, "default"), 0);
	set_startup(&w, A);
	set_startup(&w, B);
	w.busy = A;
	w.keep = SK_KEEP_USER;
	assert_int_equal(merge(&w, SK_MERGE_ALL, ab, "default"), 0);
	assert_true(is_automatic(&w, A));
	assert_false(is_automatic(&w, B));
	w.keep = SK_KEEP_UNLESS_CONF;	/* -o update, and iscsid.conf does not name it */
	assert_int_equal(merge(&w, SK_MERGE_UPDATE, ab, "default"), 0);
	assert_true(is_automatic(&w, A));
	w.keep = SK_KEEP_NOTHING;
	assert_int_equal(merge(&w, SK_MERGE_ALL, ab, "default"), 0);
	assert_false(is_automatic(&w, A));
	close_world(&w);
}

static void append_line(struct world *w, const char *target, const char *line)
{
	char path[400];
	FILE *f;

	snprintf(path, sizeof(path), "%s/db/nodes/%s/192.0.2.9,3260,1/default", w->dir, target);
	f = fopen(path, "a");
	assert_non_null(f);
	fputs(line, f);
	assert_int_equal(fclose(f), 0);
}

static void unknown_keys_survive_a_discovery(void **st)
{
	struct world w;
	struct sk_record *r;
	SK_BUF struct sk_buf text = { 0 };

	(void)st;
	open_world(&w);
	w.keep = SK_KEEP_USER;
	assert_int_equal(merge(&w, SK_MERGE_ALL, ab, "default"), 0);
	append_line(&w, A, "node.session.from_the_future = 7\n");
	assert_int_equal(merge(&w, SK_MERGE_ALL, ab, "default"), 0);
	assert_int_equal(merge(&w, SK_MERGE_ALL, ab, "default"), 0);
	r = get(&w, A);
	sk_record_print(&text, r, SK_FORM_FILE);
	assert_non_null(strstr(sk_buf_cstr(&text), "node.session.from_the_future = 7\n"));
	sk_record_free(r);
	close_world(&w);
}

static unsigned marks(struct world *w)
{
	char path[200];
	unsigned n = 0;
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "%s/db/.siskin/set", w->dir);
	d = opendir(path);
	assert_non_null(d);
	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static void what_was_set_in_records_that_are_gone_is_forgotten(void **st)
{
	char path[400];
	struct world w;

	(void)st;
	open_world(&w);
	w.keep = SK_KEEP_USER;
	assert_int_equal(merge(&w, SK_MERGE_ALL, ab, "default"), 0);
	user_sets(&w, A, "node.session.nr_sessions", "2");
	user_sets(&w, B, "node.session.nr_sessions", "2");
	assert_int_equal(marks(&w), 2);
	snprintf(path, sizeof(path), "%s/db/nodes/%s/192.0.2.9,3260,1/default", w.dir, A);
	assert_int_equal(unlink(path), 0);	/* another tool did that */
	assert_int_equal(merge(&w, SK_MERGE_ALL, bc, "default"), 0);
	assert_int_equal(marks(&w), 1);
	holds(&w, B, "node.session.nr_sessions", "2");
	close_world(&w);
}

static void another_iface_is_another_record(void **st)
{
	struct world w;

	(void)st;
	open_world(&w);
	assert_int_equal(merge(&w, SK_MERGE_ALL, ab, "default"), 0);
	assert_int_equal(merge(&w, SK_MERGE_NEW, ab, "eth7"), 0);
	assert_int_equal(nodes(&w), 4);
	assert_int_equal(merge(&w, SK_MERGE_ALL, ab, "eth7"), 0);	/* records of other ifaces are stale */
	assert_int_equal(nodes(&w), 2);
	close_world(&w);
}

static void the_same_portal_twice_is_stored_once(void **st)
{
	static const char *const twice[] = { A, A, B, NULL };
	struct world w;

	(void)st;
	open_world(&w);
	assert_int_equal(merge(&w, SK_MERGE_ALL, twice, "default"), 0);
	assert_int_equal(nodes(&w), 2);
	close_world(&w);
}

/* What one target's record says after it was found by @type; its startup is onboot when the firmware found it. */
static void find(struct world *w, enum sk_disc_type type, enum sk_merge_keep keep, const char *source, const char *startup)
{
	struct sk_merge_cfg cfg = { .type = type, .host = type == SK_DISC_FW ? "" : "192.0.2.1", .ops = SK_MERGE_ALL, .keep = keep,
				    .port = type == SK_DISC_FW ? 0 : 3260, .news = news, .ctx = w,
				    .dress = type == SK_DISC_FW ? dress : NULL };
	struct sk_iname target;
	struct sk_portal portal;
	struct sk_record *bound = sk_iface_new("default", NULL), *r;
	struct sk_merge_item item = { &target, &portal, bound };

	memset(w->count, 0, sizeof(w->count));
	assert_int_equal(sk_iname_parse(sk_span_str(A), &target, NULL), 0);
	assert_int_equal(sk_portal_parse(sk_span_str("192.0.2.9:3260,1"), 3260, &portal, NULL), 0);
	assert_int_equal(sk_merge(w->store, &cfg, &item, 1, NULL), 0);
	sk_record_free(bound);
	assert_int_equal(nodes(w), 1);
	r = get(w, A);
	assert_non_null(r);
	assert_string_equal(sk_record_get(r, "node.discovery_type"), source);
	assert_string_equal(sk_record_get(r, "node.startup"), startup);
	sk_record_free(r);
}

static void records_of_the_firmware_are_its_own(void **st)
{
	struct world w;

	(void)st;
	open_world(&w);
	find(&w, SK_DISC_SENDTARGETS, SK_KEEP_USER, "send_targets", "manual");
	find(&w, SK_DISC_FW, SK_KEEP_USER, "fw", "onboot");
	assert_int_equal(w.count[SK_MERGE_UPDATED], 1);
	find(&w, SK_DISC_SENDTARGETS, SK_KEEP_USER, "fw", "onboot");
	find(&w, SK_DISC_SENDTARGETS, SK_KEEP_UNLESS_CONF, "fw", "onboot");
	assert_int_equal(w.count[SK_MERGE_UPDATED], 0);
	find(&w, SK_DISC_FW, SK_KEEP_USER, "fw", "onboot");
	assert_int_equal(w.count[SK_MERGE_UPDATED], 1);
	find(&w, SK_DISC_SENDTARGETS, SK_KEEP_NOTHING, "send_targets", "manual");
	close_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_records_have_names_source_and_defaults),
		cmocka_unit_test(new_leaves_what_is_there),
		cmocka_unit_test(update_writes_afresh_and_removes_nothing),
		cmocka_unit_test(delete_removes_only_what_is_stale_here),
		cmocka_unit_test(records_in_use_stay),
		cmocka_unit_test(what_was_set_follows_to_another_tag),
		cmocka_unit_test(a_running_sessions_record_is_not_weakened),
		cmocka_unit_test(unknown_keys_survive_a_discovery),
		cmocka_unit_test(what_was_set_in_records_that_are_gone_is_forgotten),
		cmocka_unit_test(another_iface_is_another_record),
		cmocka_unit_test(the_same_portal_twice_is_stored_once),
		cmocka_unit_test(records_of_the_firmware_are_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
