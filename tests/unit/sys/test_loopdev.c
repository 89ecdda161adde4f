/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "sys/loopdev.h"
#include "tmp.h"

/* Real loop devices over files of our own: only as root, and where the kernel has them. */
static bool can(void)
{
	return geteuid() == 0 && access("/dev/loop-control", R_OK | W_OK) == 0;
}

static void backing(struct tmp *t, char *path, size_t n, off_t size)
{
	put(t, "disk", "");
	snprintf(path, n, "%s/disk", t->dir);
	assert_int_equal(truncate(path, size), 0);
}

static uint64_t size_of(const char *node, int *block_size)
{
	int fd = open(node, O_RDONLY | O_CLOEXEC);
	uint64_t size = 0;

	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, BLKGETSIZE64, &size), 0);
	assert_int_equal(ioctl(fd, BLKSSZGET, block_size), 0);
	close(fd);
	return size;
}

static void attach_resize_detach(void **st)
{
	struct tmp *t = *st;
	static const uint32_t sizes[] = { 512, 4096 };
	char file[128], node[64];
	struct sk_err err = { 0 };

	if (!can())
		skip();
	for (size_t i = 0; i < 2; i++) {
		struct sk_loopdev_cfg cfg = { .file = file, .block_size = sizes[i], .direct_io = i == 0 };
		struct sk_loopdev d;
		int block = 0;

		backing(t, file, sizeof(file), 1 << 20);
		if (sk_loopdev_attach(&cfg, &d, &err) < 0)
			fail_msg("%s", err.msg);
		assert_int_equal(d.fd, -1);
		assert_int_equal(size_of(d.node, &block), 1 << 20);
		assert_int_equal(block, sizes[i]);
		assert_int_equal(sk_loopdev_find(file, node, sizeof(node), &err), 0);
		assert_string_equal(node, d.node);
		assert_int_equal(truncate(file, 2 << 20), 0);
		assert_int_equal(sk_loopdev_resize(d.node, &err), 0);
		assert_int_equal(size_of(d.node, &block), 2 << 20);
		assert_int_equal(sk_loopdev_detach(d.node, "/etc/passwd", true, &err), 0); /* not that file's */
		assert_int_equal(sk_loopdev_find(file, node, sizeof(node), &err), 0);
		if (sk_loopdev_detach(d.node, file, false, &err) < 0)
			fail_msg("%s", err.msg);
		assert_int_equal(sk_loopdev_find(file, node, sizeof(node), &err), -1);
		assert_int_equal(err.code, SK_ENOENT);
		assert_int_equal(sk_loopdev_detach(d.node, file, false, &err), 0); /* nothing to do */
	}
}

static void a_claimed_device_is_busy_and_stays(void **st)
{
	struct tmp *t = *st;
	char file[128], node[64];
	struct sk_loopdev_cfg cfg = { .file = file, .block_size = 512, .read_only = true };
	struct sk_err err = { 0 };
	struct sk_loopdev d;
	int claim, ro = 0;

	if (!can())
		skip();
	backing(t, file, sizeof(file), 1 << 20);
	if (sk_loopdev_attach(&cfg, &d, &err) < 0)
		fail_msg("%s", err.msg);
	claim = open(d.node, O_RDONLY | O_EXCL | O_CLOEXEC);
	assert_true(claim >= 0);
	assert_int_equal(ioctl(claim, BLKROGET, &ro), 0);
	assert_int_equal(ro, 1);
	assert_true(sk_loopdev_busy(d.node));
	assert_int_equal(sk_loopdev_detach(d.node, file, false, &err), -1);
	assert_int_equal(err.code, SK_EBUSY);
	assert_int_equal(sk_loopdev_find(file, node, sizeof(node), &err), 0);
	assert_int_equal(sk_loopdev_detach(d.node, file, true, &err), -1); /* goes with its last user */
	assert_int_equal(err.code, SK_EBUSY);
	close(claim);
	for (int i = 0; i < 100 && sk_loopdev_find(file, node, sizeof(node), &err) == 0; i++)
		usleep(10000);
	assert_int_equal(sk_loopdev_find(file, node, sizeof(node), &err), -1);
}

/* Open, but not claimed: a virtual machine's disk, say. */
static void an_open_device_that_is_not_forced_stays_as_it_is(void **st)
{
	struct tmp *t = *st;
	char file[128], node[64];
	struct sk_loopdev_cfg cfg = { .file = file, .block_size = 512 };
	struct sk_err err = { 0 };
	struct sk_loopdev d;
	int user;

	if (!can())
		skip();
	backing(t, file, sizeof(file), 1 << 20);
	if (sk_loopdev_attach(&cfg, &d, &err) < 0)
		fail_msg("%s", err.msg);
	user = open(d.node, O_RDWR | O_CLOEXEC);
	assert_true(user >= 0);
	assert_int_equal(sk_loopdev_detach(d.node, file, false, &err), -1);
	assert_int_equal(err.code, SK_EBUSY);
	close(user);
	usleep(50000);
	assert_int_equal(sk_loopdev_find(file, node, sizeof(node), &err), 0);
	assert_int_equal(sk_loopdev_detach(d.node, file, false, &err), 0);
}

static void autoclear_goes_with_its_descriptor(void **st)
{
	struct tmp *t = *st;
	char file[128], node[64];
	struct sk_loopdev_cfg cfg = { .file = file, .block_size = 512, .autoclear = true };
	struct sk_err err = { 0 };
	struct sk_loopdev d;

	if (!can())
		skip();
	backing(t, file, sizeof(file), 1 << 20);
	if (sk_loopdev_attach(&cfg, &d, &err) < 0)
		fail_msg("%s", err.msg);
	assert_true(d.fd >= 0);
	assert_int_equal(sk_loopdev_find(file, node, sizeof(node), &err), 0);
	assert_int_equal(sk_loopdev_release(&d, file, false, &err), 0);
	assert_int_equal(d.fd, -1);
	assert_int_equal(sk_loopdev_find(file, node, sizeof(node), &err), -1);

	if (sk_loopdev_attach(&cfg, &d, &err) < 0) /* the process just ends */
		fail_msg("%s", err.msg);
	close(d.fd);
	for (int i = 0; i < 100 && sk_loopdev_find(file, node, sizeof(node), &err) == 0; i++)
		usleep(10000);
	assert_int_equal(sk_loopdev_find(file, node, sizeof(node), &err), -1);
}

static void bad_requests_are_refused(void **st)
{
	struct sk_loopdev_cfg cfg = { .file = "/nonexistent/x", .block_size = 520 };
	struct sk_err err = { 0 };
	struct sk_loopdev d;

	(void)st;
	assert_int_equal(sk_loopdev_attach(&cfg, &d, &err), -1);
	assert_int_equal(err.code, SK_ENOTSUP);
	cfg.block_size = 512;
	assert_int_equal(sk_loopdev_attach(&cfg, &d, &err), -1);
	cfg.file = "relative";
	assert_int_equal(sk_loopdev_attach(&cfg, &d, &err), -1);
	assert_int_equal(err.code, SK_EINVAL);
}

/* Whatever a failed test left attached */
static int teardown(void **st)
{
	struct tmp *t = *st;
	char file[128], node[64];

	snprintf(file, sizeof(file), "%s/disk", t->dir);
	if (can() && sk_loopdev_find(file, node, sizeof(node), NULL) == 0)
		sk_loopdev_detach(node, file, true, NULL);
	return tmp_teardown(st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(attach_resize_detach, tmp_setup, teardown),
		cmocka_unit_test_setup_teardown(a_claimed_device_is_busy_and_stays, tmp_setup, teardown),
		cmocka_unit_test_setup_teardown(an_open_device_that_is_not_forced_stays_as_it_is, tmp_setup, teardown),
		cmocka_unit_test_setup_teardown(autoclear_goes_with_its_descriptor, tmp_setup, teardown),
		cmocka_unit_test(bad_requests_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
