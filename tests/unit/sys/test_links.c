/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sys/links.h"
#include "tmp.h"

#define IQN "iqn.2026-11.com.example:disk1"

static void names_follow_udev(void **st)
{
	static const struct {
		const char *addr, *target;
		uint64_t lun;
		const char *want;
	} c[] = {
		{ "192.0.2.1", IQN, 1, "ip-192.0.2.1:3260-iscsi-" IQN "-lun-1" },
		{ "2001:db8::1", IQN, 0, "ip-2001:db8::1:3260-iscsi-" IQN "-lun-0" },
		{ "[2001:db8::1]", IQN, 255, "ip-2001:db8::1:3260-iscsi-" IQN "-lun-255" },
		{ "san.example.com", IQN, 0x4100, "ip-san.example.com:3260-iscsi-" IQN "-lun-0x4100000000000000" },
		{ "192.0.2.1", IQN, 0x24001, "ip-192.0.2.1:3260-iscsi-" IQN "-lun-0x4001000200000000" },
		{ "192.0.2.1", "iqn.x:a/b c$", 2, "ip-192.0.2.1:3260-iscsi-iqn.x:a_b_c_-lun-2" },
		{ "192.0.2.1", "iqn.x:gr\xc3\xbc\xc3", 2, "ip-192.0.2.1:3260-iscsi-iqn.x:gr\xc3\xbc_-lun-2" },
	};
	char name[300], small_[20];
	struct sk_err err = { 0 };
	char longname[400];

	(void)st;
	for (size_t i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		assert_int_equal(sk_link_name(c[i].addr, 3260, c[i].target, c[i].lun, name, sizeof(name), &err), 0);
		assert_string_equal(name, c[i].want);
	}
	assert_int_equal(sk_link_name("192.0.2.1", 3260, IQN, 1, small_, sizeof(small_), &err), -1);
	memset(longname, 'x', sizeof(longname) - 1);
	longname[sizeof(longname) - 1] = '\0';
	assert_int_equal(sk_link_name("192.0.2.1", 3260, longname, 1, name, sizeof(name), &err), -1);
}

static void links_are_made_and_only_ours_are_removed(void **st)
{
	struct tmp *t = *st;
	char loop0[300], loop1[300], sda[300], text[300], to[300];
	struct sk_err err = { 0 };
	ssize_t n;

	put(t, "dev/loop0", "");
	put(t, "dev/loop1", "");
	put(t, "dev/sda", "");
	snprintf(loop0, sizeof(loop0), "%s/loop0", t->places.devdir);
	snprintf(loop1, sizeof(loop1), "%s/loop1", t->places.devdir);
	snprintf(sda, sizeof(sda), "%s/sda", t->places.devdir);
	assert_int_equal(sk_link_make(t->places.devdir, "ip-x", loop0, &err), 0);
	assert_int_equal(sk_link_make(t->places.devdir, "ip-x", loop0, &err), 0);
	snprintf(text, sizeof(text), "%s/disk/by-path/ip-x", t->places.devdir);
	n = readlink(text, to, sizeof(to) - 1);
	assert_true(n > 0);
	to[n] = '\0';
	assert_string_equal(to, "../../loop0");

	assert_int_equal(sk_link_remove(t->places.devdir, "ip-x", loop1, &err), 0);
	assert_true(exists(t, "dev/disk/by-path/ip-x"));
	assert_int_equal(sk_link_make(t->places.devdir, "ip-x", loop1, &err), 0); /* the newest wins */
	assert_int_equal(sk_link_remove(t->places.devdir, "ip-x", loop0, &err), 0);
	assert_true(exists(t, "dev/disk/by-path/ip-x"));
	assert_int_equal(sk_link_remove(t->places.devdir, "ip-x", loop1, &err), 0);
	assert_false(exists(t, "dev/disk/by-path/ip-x"));
	assert_int_equal(sk_link_remove(t->places.devdir, "ip-x", loop1, &err), 0);

	link_to(t, "dev/disk/by-path/ip-kernel", "../../sda");
	assert_int_equal(sk_link_make(t->places.devdir, "ip-kernel", loop0, &err), -1);
	assert_int_equal(err.code, SK_EEXIST);
	link_to(t, "dev/disk/by-path/ip-dangling", "../../sdz");
	assert_int_equal(sk_link_make(t->places.devdir, "ip-dangling", loop0, &err), 0);
	put(t, "dev/disk/by-path/file", "");
	assert_int_equal(sk_link_make(t->places.devdir, "file", loop0, &err), -1);
	assert_int_equal(err.code, SK_EEXIST);
	assert_int_equal(sk_link_make(t->places.devdir, "../x", loop0, &err), -1);
	assert_int_equal(err.code, SK_EINVAL);
	assert_int_equal(sk_link_make(t->places.devdir, "ip-far", "/elsewhere/loop0", &err), 0);
	assert_int_equal(sk_link_remove(t->places.devdir, "ip-far", "/elsewhere/loop0", &err), 0);
	assert_false(exists(t, "dev/disk/by-path/ip-far"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_follow_udev),
		cmocka_unit_test_setup_teardown(links_are_made_and_only_ours_are_removed, tmp_setup, tmp_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
