/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <ftw.h>
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

#include "base/mem.h"
#include "sys/links.h"
#include "sys/loopdev.h"
#include "transport/user/dirs.h"

static struct sk_places places;

static int setup(void **st)
{
	char dir[] = "/tmp/sk-udir.XXXXXX";

	(void)st;
	memset(&places, 0, sizeof(places));
	assert_non_null(mkdtemp(dir));
	snprintf(places.rundir, sizeof(places.rundir), "%s/run", dir);
	snprintf(places.sysfs, sizeof(places.sysfs), "%s/sysfs", dir);
	snprintf(places.devdir, sizeof(places.devdir), "%s/dev", dir);
	snprintf(places.homedir, sizeof(places.homedir), "%s", dir);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int teardown(void **st)
{
	(void)st;
	return nftw(places.homedir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void make(const char *base, const char *rest)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/%s", base, rest);
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(path, 0700);
		*slash = '/';
	}
	(void)mkdir(path, 0700);
}

static uint32_t next(void)
{
	uint32_t sid = 0;
	struct sk_err err = { 0 };

	assert_int_equal(sk_udir_next_sid(&places, &sid, &err), 0);
	return sid;
}

static void ids_are_nobodys(void **st)
{
	char path[400];
	FILE *f;

	(void)st;
	assert_int_equal(next(), 1);
	assert_int_equal(next(), 2);
	make(places.sysfs, "class/iscsi_session/session3");
	make(places.sysfs, "class/iscsi_host/host4");
	make(places.rundir, "sys/class/iscsi_session/session5");
	make(places.rundir, "session/6");
	assert_int_equal(next(), 7);
	snprintf(path, sizeof(path), "%s/next-sid", places.rundir);
	f = fopen(path, "w");
	fputs("nonsense\n", f);
	fclose(f);
	assert_int_equal(next(), 1);		/* nobody has 1 any more */
	f = fopen(path, "w");
	fputs("2147483647\n", f);
	fclose(f);
	assert_int_equal(next(), 1);
}

static void a_record_and_its_lines_come_back(void **st)
{
	struct sk_record *r = sk_record_new(SK_REC_NODE, NULL), *back;
	char path[400], initiator[224], tag[64];
	struct sk_err err = { 0 };
	struct stat s;
	uint32_t sid = next(), list[8];

	(void)st;
	assert_int_equal(sk_record_set(r, "node.name", "iqn.2026-11.x:t", NULL), 0);
	assert_int_equal(sk_record_set(r, "node.session.auth.password", "a secret of mine", NULL), 0);
	assert_int_equal(sk_udir_create(&places, sid, r, "iqn.2026-11.x:i", "slot=0 isid=00023dabcdef", &err), 0);
	assert_int_equal(sk_udir_path(&places, sid, "record", path, sizeof(path), NULL), 0);
	assert_int_equal(stat(path, &s), 0);
	assert_int_equal(s.st_mode & 0777, 0600);
	back = sk_udir_record(&places, sid, &err);
	assert_non_null(back);
	assert_string_equal(sk_record_get(back, "node.name"), "iqn.2026-11.x:t");
	assert_string_equal(sk_record_get(back, "node.session.auth.password"), "a secret of mine");
	sk_udir_about(&places, sid, initiator, sizeof(initiator), tag, sizeof(tag));
	assert_string_equal(initiator, "iqn.2026-11.x:i");
	assert_string_equal(tag, "slot=0 isid=00023dabcdef");
	assert_int_equal(sk_udir_list(&places, list, 8), 1);
	assert_int_equal(list[0], sid);
	assert_false(sk_udir_alive(&places, sid));
	sk_udir_sweep(&places, sid);
	assert_int_equal(sk_udir_list(&places, list, 8), 0);
	sk_udir_about(&places, sid, initiator, sizeof(initiator), tag, sizeof(tag));
	assert_string_equal(initiator, "");
	assert_null(sk_udir_record(&places, sid, &err));
	assert_int_equal(err.code, SK_ENOENT);
	sk_record_free(r);
	sk_record_free(back);
}

/* A process that is killed right after it made a disk has not told of it. */
static void devices_and_links_nobody_was_told_of_are_swept(void **st)
{
	char file[400], node[64], link[400];
	struct sk_loopdev_cfg cfg = { .file = file, .block_size = 512 };
	struct sk_loopdev d;
	struct sk_err err = { 0 };
	int fd;

	(void)st;
	if (geteuid() != 0 || access("/dev/loop-control", R_OK | W_OK) < 0)
		skip();
	make(places.rundir, "session/7/disk");
	snprintf(file, sizeof(file), "%s/session/7/disk/lun-1", places.rundir);
	fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0 && ftruncate(fd, 1 << 20) == 0);
	close(fd);
	if (sk_loopdev_attach(&cfg, &d, &err) < 0)
		fail_msg("%s", err.msg);
	make(places.devdir, "disk");
	assert_int_equal(sk_link_make(places.devdir, "ip-x-lun-1", d.node, &err), 0);
	snprintf(link, sizeof(link), "%s/disk/by-path/ip-x-lun-1", places.devdir);
	assert_int_equal(readlink(link, node, sizeof(node)), strlen(d.node));
	sk_udir_sweep(&places, 7);
	assert_int_equal(sk_loopdev_find(file, node, sizeof(node), &err), -1);
	assert_int_equal(readlink(link, node, sizeof(node)), -1);
	(void)sk_loopdev_detach(d.node, file, true, &err);
	unlink(file);
}

static void who_holds_the_lock_lives(void **st)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[400];
	int fd;

	(void)st;
	make(places.rundir, "session/9");
	assert_int_equal(sk_udir_path(&places, 9, "lock", path, sizeof(path), NULL), 0);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_false(sk_udir_alive(&places, 9));
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
	assert_true(sk_udir_alive(&places, 9));
	close(fd);
	assert_false(sk_udir_alive(&places, 9));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(ids_are_nobodys, setup, teardown),
		cmocka_unit_test_setup_teardown(a_record_and_its_lines_come_back, setup, teardown),
		cmocka_unit_test_setup_teardown(who_holds_the_lock_lives, setup, teardown),
		cmocka_unit_test_setup_teardown(devices_and_links_nobody_was_told_of_are_swept, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
