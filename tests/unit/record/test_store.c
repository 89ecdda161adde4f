/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "record/iface.h"
#include "record/store_impl.h"

static const char *const trees[] = { "basic", "static", "ifaces", "chap", "isns", "fw" };

#define DISK1 "iqn.2026-11.com.example:disk1"
#define DISK2 "iqn.2026-11.com.example:disk2"

static void no_skip(void *ctx, const char *path, const char *why)
{
	(void)ctx;
	fail_msg("%s: %s", path, why);
}

struct copies {
	struct sk_record *v[32];
	size_t n;
};

static bool collect(void *ctx, const struct sk_node_key *key, const struct sk_record *r)
{
	struct copies *c = ctx;

	(void)key;
	c->v[c->n] = sk_record_copy(r, NULL);
	assert_non_null(c->v[c->n]);
	c->n++;
	return true;
}

static bool collect_disc(void *ctx, enum sk_disc_type type, const char *host, uint16_t port,
			 const struct sk_record *r)
{
	struct sk_node_key none = { 0 };

	(void)type;
	assert_true(*host && port);
	return collect(ctx, &none, r);
}

static bool collect_iface(void *ctx, const struct sk_record *r)
{
	struct sk_node_key none = { 0 };

	return collect(ctx, &none, r);
}

/* Every record of the incumbent's trees is read and written again: nothing changes, not a byte, a mode or a link.
 */
static void trees_survive_a_round_trip(void **st)
{
	const struct sk_node_selector all = { .port = -1 };

	(void)st;
	for (size_t t = 0; t < SK_ARRAY_LEN(trees); t++) {
		struct copies nodes = { 0 }, discs = { 0 }, ifaces = { 0 };
		struct room r;
		char *before, *after;

		room_open(&r, trees[t]);
		before = snapshot(&r);
		assert_true(sk_store_nodes(r.s, &all, collect, &nodes, no_skip, NULL, NULL) >= 1);
		assert_true(sk_store_discs(r.s, SK_DISC_SENDTARGETS, collect_disc, &discs, no_skip, NULL, NULL) >=
			    0);
		assert_true(sk_store_discs(r.s, SK_DISC_ISNS, collect_disc, &discs, no_skip, NULL, NULL) >= 0);
		assert_true(sk_store_ifaces(r.s, false, collect_iface, &ifaces, no_skip, NULL, NULL) >= 0);
		for (size_t i = 0; i < nodes.n; i++) {
			assert_int_equal(sk_store_node_put(r.s, nodes.v[i], NULL), 0);
			sk_record_free(nodes.v[i]);
		}
		for (size_t i = 0; i < discs.n; i++) {
			assert_int_equal(sk_store_disc_put(r.s, discs.v[i], NULL), 0);
			sk_record_free(discs.v[i]);
		}
		for (size_t i = 0; i < ifaces.n; i++) {
			assert_int_equal(sk_store_iface_put(r.s, ifaces.v[i], NULL), 0);
			sk_record_free(ifaces.v[i]);
		}
		after = snapshot(&r);
		assert_string_equal(before, after);
		free(before);
		free(after);
		room_close(&r);
	}
}

static struct sk_record *get_disk1(struct room *r)
{
	struct sk_node_key key = { .target = { DISK1 }, .portal = { "127.0.0.1", 3260, 1 }, .iface = "default" };

	return sk_store_node_get(r->s, &key, NULL);
}

static void show_is_the_incumbents(void **st)
{
	char *want_node = slurp(TEST_DATA "/show-node.txt", NULL);
	char *want_disc = slurp(TEST_DATA "/show-discoverydb.txt", NULL);
	SK_BUF struct sk_buf got = { 0 };
	struct sk_record *rec;
	struct room r;

	(void)st;
	room_open(&r, "basic");
	rec = get_disk1(&r);
	assert_non_null(rec);
	sk_record_print(&got, rec, SK_FORM_SHOW);
	assert_string_equal(sk_buf_cstr(&got), want_node);
	sk_record_free(rec);
	sk_buf_reset(&got);
	rec = sk_store_disc_get(r.s, SK_DISC_SENDTARGETS, "127.0.0.1", 3260, NULL);
	assert_non_null(rec);
	sk_record_print(&got, rec, SK_FORM_SHOW);
	assert_string_equal(sk_buf_cstr(&got), want_disc);
	sk_record_free(rec);
	room_close(&r);
	free(want_node);
	free(want_disc);
}

static bool list(void *ctx, const struct sk_node_key *key, const struct sk_record *r)
{
	struct sk_buf *out = ctx;

	(void)r;
	sk_buf_printf(out, "%s %s,%u,%d %s\n", key->target.s, key->portal.host, key->portal.port, key->portal.tpgt,
		      key->iface);
	return true;
}

static void expect_list(struct room *r, const struct sk_node_selector *sel, const char *want)
{
	SK_BUF struct sk_buf got = { 0 };

	assert_true(sk_store_nodes(r->s, sel, list, &got, no_skip, NULL, NULL) >= 0);
	assert_string_equal(sk_buf_cstr(&got), want);
}

static void a_walk_selects(void **st)
{
	const struct sk_node_selector all = { .port = -1 }, keys = { .port = -1, .keys_only = true };
	const struct sk_node_selector v6 = { .host = "2001:DB8:0::10", .port = 3260 };
	const struct sk_node_selector one = { .target = DISK1, .port = 3261, .iface = "default" };
	const struct sk_node_selector none = { .target = "../nodes", .port = -1 };
	const struct sk_node_selector single = {
		.port = -1, .iface = "default", .keys_only = true, .target = DISK2
	};
	struct room r;

	(void)st;
	room_open(&r, "static");
	expect_list(&r, &all, DISK1 " 2001:db8::10,3260,1 default\n" DISK1 " san.example.com,3261,2 default\n" DISK2
			      " 192.0.2.10,3260,-1 default\n");
	expect_list(&r, &keys,
		    DISK1 " 2001:db8::10,3260,1 default\n" DISK1 " san.example.com,3261,2 default\n" DISK2
			  " 192.0.2.10,3260,-1 \n");
	expect_list(&r, &v6, DISK1 " 2001:db8::10,3260,1 default\n");
	expect_list(&r, &one, DISK1 " san.example.com,3261,2 default\n");
	expect_list(&r, &none, "");
	expect_list(&r, &single, DISK2 " 192.0.2.10,3260,-1 default\n");
	room_close(&r);
}

static void put_and_delete_leave_nothing(void **st)
{
	struct sk_record *rec = node("iqn.2026-11.com.example:new", "::1", "3", NULL);
	struct sk_node_key key;
	struct stat sb;
	struct room r;
	char *before, *after;

	(void)st;
	room_open(&r, "basic");
	before = snapshot(&r);
	assert_int_equal(sk_store_node_put(r.s, rec, NULL), 0);
	assert_true(exists(&r, "nodes/iqn.2026-11.com.example:new/::1,3260,3/default"));
	assert_true(exists(&r, "static/iqn.2026-11.com.example:new,::1,3260,3,default"));
	assert_int_equal(stat(below(&r, "nodes/iqn.2026-11.com.example:new/::1,3260,3/default"), &sb), 0);
	assert_int_equal(sb.st_mode & 07777, 0600);
	assert_int_equal(stat(below(&r, "nodes/iqn.2026-11.com.example:new/::1,3260,3"), &sb), 0);
	assert_int_equal(sb.st_mode & 07777, 0700);
	assert_int_equal(sk_node_key_of(rec, &key, NULL), 0);
	assert_int_equal(sk_store_node_delete(r.s, &key, NULL), 0);
	assert_int_equal(sk_store_node_delete(r.s, &key, NULL), -1);
	assert_int_equal(rmdir(below(&r, "static")), 0);	/* stays, as with the incumbent, but empty */
	after = snapshot(&r);
	assert_string_equal(before, after);
	free(before);
	free(after);
	sk_record_free(rec);
	room_close(&r);
}

static void a_changed_source_moves_the_link(void **st)
{
	struct sk_record *rec;
	struct room r;

	(void)st;
	room_open(&r, "basic");
	rec = get_disk1(&r);
	assert_int_equal(sk_record_set(rec, "node.discovery_type", "static", NULL), 0);
	assert_int_equal(sk_store_node_put(r.s, rec, NULL), 0);
	assert_true(exists(&r, "static/" DISK1 ",127.0.0.1,3260,1,default"));
	assert_false(exists(&r, "send_targets/127.0.0.1,3260/" DISK1 ",127.0.0.1,3260,1,default"));
	assert_true(exists(&r, "send_targets/127.0.0.1,3260/" DISK2 ",127.0.0.1,3260,1,default"));
	sk_record_free(rec);
	room_close(&r);
}

static void a_tag_replaces_the_single_file(void **st)
{
	struct sk_record *rec = node(DISK2, "192.0.2.10", "7", NULL);
	struct room r;

	(void)st;
	room_open(&r, "static");
	assert_int_equal(sk_store_node_put(r.s, rec, NULL), 0);
	assert_false(exists(&r, "nodes/" DISK2 "/192.0.2.10,3260"));
	assert_true(exists(&r, "nodes/" DISK2 "/192.0.2.10,3260,7/default"));
	sk_record_free(rec);
	room_close(&r);
}

static void deleting_a_source_takes_its_nodes(void **st)
{
	struct copies nodes = { 0 };
	struct room r;

	(void)st;
	room_open(&r, "basic");
	assert_int_equal(sk_store_disc_nodes(r.s, SK_DISC_SENDTARGETS, "127.0.0.1", 3260, collect, &nodes, NULL),
			 2);
	assert_int_equal(sk_store_disc_delete(r.s, SK_DISC_SENDTARGETS, "127.0.0.1", 3260, NULL), 0);
	assert_false(exists(&r, "send_targets/127.0.0.1,3260"));
	assert_false(exists(&r, "nodes/" DISK1));
	assert_false(exists(&r, "nodes/" DISK2));
	assert_true(exists(&r, "nodes"));
	assert_int_equal(sk_store_disc_delete(r.s, SK_DISC_SENDTARGETS, "127.0.0.1", 3260, NULL), -1);
	for (size_t i = 0; i < nodes.n; i++)
		sk_record_free(nodes.v[i]);
	room_close(&r);
}

/* A record without a tag has no link, but its own words; a link whose record moved on does not count. */
static void a_source_knows_its_nodes(void **st)
{
	SK_BUF struct sk_buf got = { 0 };
	struct sk_record *rec;
	struct room r;

	(void)st;
	room_open(&r, "static");
	assert_int_equal(sk_store_disc_nodes(r.s, SK_DISC_STATIC, "", 0, list, &got, NULL), 3);
	assert_string_equal(sk_buf_cstr(&got),
			    DISK1 " 2001:db8::10,3260,1 default\n" DISK1 " san.example.com,3261,2 default\n" DISK2
				  " 192.0.2.10,3260,-1 default\n");
	rec = node("iqn.2026-11.com.example:new", "::1", "-1", "node.discovery_type", "send_targets",
		   "node.discovery_address", "192.0.2.9", "node.discovery_port", "3260", NULL);
	assert_int_equal(sk_store_node_put(r.s, rec, NULL), 0);
	sk_record_free(rec);
	assert_int_equal(symlink("x", below(&r, "static/iqn.2026-11.com.example:gone,::1,3260,3,default")), 0);
	sk_buf_reset(&got);
	assert_int_equal(sk_store_disc_nodes(r.s, SK_DISC_SENDTARGETS, "192.0.2.9", 3260, list, &got, NULL), 1);
	assert_string_equal(sk_buf_cstr(&got), "iqn.2026-11.com.example:new ::1,3260,-1 default\n");
	assert_int_equal(sk_store_disc_nodes(r.s, SK_DISC_SENDTARGETS, "192.0.2.8", 3260, list, &got, NULL), 0);
	assert_int_equal(sk_store_disc_nodes(r.s, SK_DISC_STATIC, "", 0, list, &got, NULL), 3);
	room_close(&r);
}

/* The oldest layout: the discovery record is a file where its directory should be. */
static void an_old_discovery_file_becomes_a_directory(void **st)
{
	struct sk_record *disc, *rec;
	struct room r;
	char *text, *now;

	(void)st;
	room_open(&r, "basic");
	text = slurp(below(&r, "send_targets/127.0.0.1,3260/st_config"), NULL);
	spill(below(&r, "send_targets/192.0.2.9,3260"), text, strlen(text));
	disc = sk_store_disc_get(r.s, SK_DISC_SENDTARGETS, "192.0.2.9", 3260, NULL);
	assert_null(disc);	/* says another address */
	free(text);
	disc = sk_store_disc_get(r.s, SK_DISC_SENDTARGETS, "127.0.0.1", 3260, NULL);
	assert_int_equal(sk_record_set(disc, "discovery.sendtargets.address", "192.0.2.9", NULL), 0);
	{
		SK_BUF struct sk_buf b = { 0 };

		sk_record_print(&b, disc, SK_FORM_FILE);
		spill(below(&r, "send_targets/192.0.2.9,3260"), b.p, b.n);
	}
	text = slurp(below(&r, "send_targets/192.0.2.9,3260"), NULL);
	rec = node("iqn.2026-11.com.example:new", "192.0.2.9", "1", "node.discovery_type", "send_targets",
		   "node.discovery_address", "192.0.2.9", "node.discovery_port", "3260", NULL);
	assert_int_equal(sk_store_node_put(r.s, rec, NULL), 0);
	now = slurp(below(&r, "send_targets/192.0.2.9,3260/st_config"), NULL);
	assert_string_equal(now, text);
	assert_true(exists(&r, "send_targets/192.0.2.9,3260/iqn.2026-11.com.example:new,192.0.2.9,3260,1,default"));
	assert_false(exists(&r, ".siskin/dir"));
	assert_false(exists(&r, ".siskin/new"));
	free(text);
	free(now);
	sk_record_free(disc);
	sk_record_free(rec);
	room_close(&r);
}

static void nothing_leaves_the_tree(void **st)
{
	static const char *const names[] = { "..", ".", "", "../evil", "iqn.2026-11.com.example:a/b", "/etc/passwd",
					     "iqn.2026-11.com.example:a\nb", "iqn.2026-11.com.example:a,b" };
	static const char *const hosts[] = { "..", ".", "", "../x", "a/b", "a b", "1.2.3.4,5", "a\nb" };
	struct room r;
	char *before, *after;

	(void)st;
	room_open(&r, "basic");
	before = snapshot(&r);
	for (size_t i = 0; i < SK_ARRAY_LEN(names) + SK_ARRAY_LEN(hosts); i++) {
		struct sk_node_key key = { .target = { DISK1 },
					   .portal = { "127.0.0.1", 3260, 1 },
					   .iface = "default" };
		struct sk_record *rec = node(DISK1, "127.0.0.1", "1", NULL);
		bool is_name = i < SK_ARRAY_LEN(names);
		const char *text = is_name ? names[i] : hosts[i - SK_ARRAY_LEN(names)];

		snprintf(is_name ? key.target.s : key.portal.host, SK_INAME_MAX, "%s", text);
		if (sk_record_set(rec, is_name ? "node.name" : "node.conn[0].address", text, NULL) == 0)
			assert_int_equal(sk_store_node_put(r.s, rec, NULL), -1);
		assert_null(sk_store_node_get(r.s, &key, NULL));
		assert_int_equal(sk_store_node_delete(r.s, &key, NULL), -1);
		sk_record_free(rec);
	}
	for (size_t i = 0; i < SK_ARRAY_LEN(hosts); i++) {
		if (*hosts[i])
			assert_int_equal(sk_store_disc_delete(r.s, SK_DISC_SENDTARGETS, hosts[i], 3260, NULL), -1);
		if (strchr(hosts[i], '/') || hosts[i][0] == '.') {
			assert_int_equal(sk_store_iface_delete(r.s, hosts[i], NULL), -1);
			assert_null(sk_store_iface_get(r.s, hosts[i], NULL));
			assert_null(sk_iface_new(hosts[i], NULL));
		}
	}
	after = snapshot(&r);
	assert_string_equal(before, after);
	free(before);
	free(after);
	room_close(&r);
}

static void links_inside_the_tree_are_not_followed(void **st)
{
	struct sk_record *rec = node("iqn.2026-11.com.example:new", "::1", "3", NULL);
	char outside[128];
	struct room r;

	(void)st;
	room_open(&r, "basic");
	snprintf(outside, sizeof(outside), "%s/outside", r.dir);
	assert_int_equal(mkdir(outside, 0700), 0);
	assert_int_equal(symlink(outside, below(&r, "nodes/iqn.2026-11.com.example:new")), 0);
	assert_int_equal(sk_store_node_put(r.s, rec, NULL), -1);
	assert_int_equal(rmdir(outside), 0);	/* empty: nothing was written through the link */
	sk_record_free(rec);
	room_close(&r);
}

static void ifaces_are_listed_and_the_built_in_ones_kept(void **st)
{
	struct copies c = { 0 };
	static const char *const want[] = { "if0", "if1", "default", "iser" };
	struct sk_record *rec;
	struct room r;

	(void)st;
	room_open(&r, "ifaces");
	assert_int_equal(sk_store_ifaces(r.s, true, collect_iface, &c, no_skip, NULL, NULL), 4);
	for (size_t i = 0; i < c.n; i++) {
		assert_string_equal(sk_record_get(c.v[i], "iface.iscsi_ifacename"), want[i]);
		assert_int_equal(sk_store_iface_put(r.s, c.v[i], NULL), i < 2 ? 0 : -1);
		sk_record_free(c.v[i]);
	}
	rec = sk_iface_new("if2", NULL);
	assert_int_equal(sk_store_iface_put(r.s, rec, NULL), 0);
	sk_record_free(rec);
	assert_int_equal(sk_store_iface_delete(r.s, "if2", NULL), 0);
	assert_int_equal(sk_store_iface_delete(r.s, "if2", NULL), -1);
	assert_int_equal(sk_store_iface_delete(r.s, "default", NULL), -1);
	assert_null(sk_store_iface_get(r.s, "nosuch", NULL));
	room_close(&r);
}

/* Some releases wrote static records as fw. */
static void a_static_record_called_fw_is_repaired(void **st)
{
	struct sk_record *rec = node("iqn.2026-11.com.example:new", "::1", "3", NULL);
	struct sk_node_key key;
	struct room r;
	char *text, *word;

	(void)st;
	room_open(&r, NULL);
	assert_int_equal(sk_store_node_put(r.s, rec, NULL), 0);
	sk_record_free(rec);
	text = slurp(below(&r, "nodes/iqn.2026-11.com.example:new/::1,3260,3/default"), NULL);
	word = strstr(text, "discovery_type = static");
	assert_non_null(word);
	memcpy(word, "discovery_type = fw    ", 23);
	spill(below(&r, "nodes/iqn.2026-11.com.example:new/::1,3260,3/default"), text, strlen(text));
	free(text);
	assert_true(sk_disc_link_parse("iqn.2026-11.com.example:new,::1,3260,3,default", &key));
	rec = sk_store_node_get(r.s, &key, NULL);
	assert_string_equal(sk_record_get(rec, "node.discovery_type"), "static");
	sk_record_free(rec);
	assert_int_equal(sk_store_node_delete(r.s, &key, NULL), 0);
	assert_false(exists(&r, "static/iqn.2026-11.com.example:new,::1,3260,3,default"));
	room_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trees_survive_a_round_trip),
		cmocka_unit_test(show_is_the_incumbents),
		cmocka_unit_test(a_walk_selects),
		cmocka_unit_test(put_and_delete_leave_nothing),
		cmocka_unit_test(a_changed_source_moves_the_link),
		cmocka_unit_test(a_tag_replaces_the_single_file),
		cmocka_unit_test(deleting_a_source_takes_its_nodes),
		cmocka_unit_test(a_source_knows_its_nodes),
		cmocka_unit_test(an_old_discovery_file_becomes_a_directory),
		cmocka_unit_test(nothing_leaves_the_tree),
		cmocka_unit_test(links_inside_the_tree_are_not_followed),
		cmocka_unit_test(ifaces_are_listed_and_the_built_in_ones_kept),
		cmocka_unit_test(a_static_record_called_fw_is_repaired),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
