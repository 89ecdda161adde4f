/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/loopdev.h"
#include "sys/mounts.h"
#include "tmp.h"

static struct sk_loopdev dev = { .number = -1, .fd = -1 };

static int setup(void **st)
{
	struct tmp *t;
	char file[128];
	struct sk_loopdev_cfg cfg = { .file = file, .block_size = 512 };

	if (tmp_setup(st) < 0)
		return -1;
	t = *st;
	if (geteuid() != 0 || access("/dev/loop-control", R_OK | W_OK) < 0)
		return 0;
	put(t, "disk", "");
	snprintf(file, sizeof(file), "%s/disk", t->dir);
	return truncate(file, 1 << 20) < 0 || sk_loopdev_attach(&cfg, &dev, NULL) < 0 ? -1 : 0;
}

static int teardown(void **st)
{
	struct tmp *t = *st;
	char file[128];

	snprintf(file, sizeof(file), "%s/disk", t->dir);
	sk_loopdev_release(&dev, file, true, NULL);
	return tmp_teardown(st);
}

/* A /proc and a /sys of our own that say what a real machine with this device would say. */
static void recorded(struct tmp *t, const char *pid, const char *mountinfo, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "proc/%s/mountinfo", pid);
	put(t, path, mountinfo);
	snprintf(path, sizeof(path), "proc/%s/comm", pid);
	put(t, path, name);
	snprintf(path, sizeof(path), "proc/%s/ns/mnt", pid);
	put(t, path, "");
}

static void mounts_swap_partitions_and_holders_are_named(void **st)
{
	struct tmp *t = *st;
	SK_BUF struct sk_buf out = { 0 };
	struct sk_err err = { 0 };
	struct stat sb;
	char sys[100], proc[100], text[512];
	unsigned ma, mi;

	if (dev.number < 0)
		skip();
	assert_int_equal(stat(dev.node, &sb), 0);
	ma = major(sb.st_rdev);
	mi = minor(sb.st_rdev);
	snprintf(sys, sizeof(sys), "%s/kernel", t->dir);
	snprintf(proc, sizeof(proc), "%s/proc", t->dir);
	snprintf(text, sizeof(text), "kernel/devices/virtual/block/%s/holders/dm-3", dev.name);
	put(t, text, "");
	snprintf(text, sizeof(text), "kernel/devices/virtual/block/%s/%sp1/partition", dev.name, dev.name);
	put(t, text, "1\n");
	snprintf(text, sizeof(text), "kernel/devices/virtual/block/%s/%sp1/dev", dev.name, dev.name);
	put(t, text, "259:77\n");
	snprintf(text, sizeof(text), "kernel/dev/block/%u:%u", ma, mi);
	char to[200];
	snprintf(to, sizeof(to), "../../devices/virtual/block/%s", dev.name);
	link_to(t, text, to);
	snprintf(text, sizeof(text),
		 "21 1 254:0 / / rw - ext4 /dev/vda rw\n22 21 %u:%u / /mnt/a\\040b rw - ext4 %s rw\n", ma, mi,
		 dev.node);
	recorded(t, "self", text, "me\n");
	recorded(t, "812", "30 1 259:77 / /data rw - xfs /dev/x rw\n", "postgres\n");
	recorded(t, "813", "31 1 0:44 / /btr rw - btrfs /dev/nowhere rw\n", "other\n");
	snprintf(text, sizeof(text), "Filename\t\tType\t\tSize\t\tUsed\t\tPriority\n%s\tpartition\t1020\t0\t-2\n",
		 dev.node);
	put(t, "proc/swaps", text);
	assert_int_equal(sk_device_users(dev.node, sys, proc, SK_USE_CLAIMED, &out, &err), 1);
	snprintf(text, sizeof(text),
		 "mounted on /mnt/a b\nmounted on /data (mount namespace of pid 812, postgres)\n"
		 "swap on %s\n%s held by dm-3",
		 dev.node, dev.name);
	assert_string_equal(sk_buf_cstr(&out), text);
}

static void an_unused_device_is_free_and_a_claimed_one_is_not(void **st)
{
	SK_BUF struct sk_buf out = { 0 };
	struct sk_err err = { 0 };
	int claim;

	(void)st;
	if (dev.number < 0)
		skip();
	assert_int_equal(sk_device_users(dev.node, "/sys", "/proc", SK_USE_CLAIMED, &out, &err), 0);
	assert_int_equal(out.n, 0);
	claim = open(dev.node, O_RDONLY | O_EXCL | O_CLOEXEC);
	assert_true(claim >= 0);
	assert_int_equal(sk_device_users(dev.node, "/sys", "/proc", SK_USE_CLAIMED, &out, &err), 1);
	assert_string_equal(sk_buf_cstr(&out), "claimed by another user of the kernel");
	close(claim);
	assert_int_equal(sk_device_users("/dev/null", "/sys", "/proc", SK_USE_CLAIMED, &out, &err), -1);
	assert_int_equal(err.code, SK_EINVAL);
	assert_int_equal(sk_device_users("/nonexistent", "/sys", "/proc", SK_USE_CLAIMED, &out, &err), -1);
}

static void an_opener_is_named_when_asked_for(void **st)
{
	SK_BUF struct sk_buf out = { 0 };
	struct sk_err err = { 0 };
	int to_child[2], from_child[2];
	char c = 0, want[64];
	pid_t pid;

	(void)st;
	if (dev.number < 0)
		skip();
	assert_int_equal(pipe(to_child), 0);
	assert_int_equal(pipe(from_child), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int fd = open(dev.node, O_RDONLY);

		close(to_child[1]);
		if (fd < 0 || write(from_child[1], "x", 1) != 1)
			_exit(1);
		_exit(read(to_child[0], &c, 1) == 1);
	}
	assert_int_equal(read(from_child[0], &c, 1), 1);
	assert_int_equal(sk_device_users(dev.node, "/sys", "/proc", SK_USE_CLAIMED, &out, &err), 0);
	assert_int_equal(sk_device_users(dev.node, "/sys", "/proc", SK_USE_OPENERS, &out, &err), 1);
	snprintf(want, sizeof(want), "open by pid %d (test-sys-users)", (int)pid);
	assert_string_equal(sk_buf_cstr(&out), want);
	close(to_child[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(to_child[0]);
	close(from_child[0]);
	close(from_child[1]);
}

static bool make_fs(const char *node)
{
	pid_t pid = fork();
	int status = 1;

	if (pid == 0) {
		execl("/sbin/mkfs.ext4", "mkfs.ext4", "-q", "-F", "-O", "^has_journal", node, (char *)NULL);
		_exit(127);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/* A file system mounted where only another mount namespace sees it */
static void a_mount_in_another_namespace_is_found(void **st)
{
	struct tmp *t = *st;
	SK_BUF struct sk_buf out = { 0 };
	struct sk_err err = { 0 };
	int to_child[2], from_child[2];
	char dir[100], want[300], c = 0;
	pid_t pid;

	if (dev.number < 0 || access("/sbin/mkfs.ext4", X_OK) < 0)
		skip();
	assert_true(make_fs(dev.node));
	put(t, "mnt/x", "");
	snprintf(dir, sizeof(dir), "%s/mnt", t->dir);
	assert_int_equal(pipe(to_child), 0);
	assert_int_equal(pipe(from_child), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		bool up = unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
			  mount(dev.node, dir, "ext4", 0, NULL) == 0;

		close(to_child[1]);
		if (write(from_child[1], up ? "y" : "n", 1) != 1)
			_exit(1);
		_exit(read(to_child[0], &c, 1) == 1);
	}
	assert_int_equal(read(from_child[0], &c, 1), 1);
	if (c == 'y') {
		assert_int_equal(sk_device_users(dev.node, "/sys", "/proc", SK_USE_CLAIMED, &out, &err), 1);
		snprintf(want, sizeof(want), "mounted on %s (mount namespace of pid %d, test-sys-users)", dir,
			 (int)pid);
		assert_string_equal(sk_buf_cstr(&out), want);
		assert_true(sk_loopdev_busy(dev.node));
	}
	close(to_child[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(to_child[0]);
	close(from_child[0]);
	close(from_child[1]);
	if (c != 'y')
		skip();
	assert_int_equal(sk_device_users(dev.node, "/sys", "/proc", SK_USE_CLAIMED, &out, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(mounts_swap_partitions_and_holders_are_named, setup, teardown),
		cmocka_unit_test_setup_teardown(an_unused_device_is_free_and_a_claimed_one_is_not, setup, teardown),
		cmocka_unit_test_setup_teardown(an_opener_is_named_when_asked_for, setup, teardown),
		cmocka_unit_test_setup_teardown(a_mount_in_another_namespace_is_found, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
