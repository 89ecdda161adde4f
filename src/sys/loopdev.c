/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/loopdev.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"
#include "sys/attr.h"

#define TRIES	       64 /* how often another process may be faster */
#define LOOP_MAJOR     7
#define BACKING_MAX    1024
#define DETACH_WAIT_US 20000
#define DETACH_TRIES   25 /* half a second for a prober that looks at a changed device */

/* The node of a loop device; made where no udev does it and sysfs knows the device. */
static int make_node(int number, struct sk_loopdev *d, struct sk_err *err)
{
	char path[64], dev[32];
	unsigned major_no = LOOP_MAJOR, minor_no = 0;
	struct stat st;
	char *colon;
	uint64_t v;

	snprintf(d->name, sizeof(d->name), "loop%d", number);
	snprintf(d->node, sizeof(d->node), "/dev/loop%d", number);
	d->number = number;
	if (stat(d->node, &st) == 0 && S_ISBLK(st.st_mode))
		return 0;
	snprintf(path, sizeof(path), "/sys/block/%s/dev", d->name);
	if (!sk_attr_read(AT_FDCWD, path, dev, sizeof(dev)) || !(colon = strchr(dev, ':')))
		return sk_fail(err, SK_ENOENT, "%s: no such device", d->node);
	if (sk_num_u64(dev, (size_t)(colon - dev), 0, 4095, &v))
		major_no = (unsigned)v;
	if (sk_num_u64(colon + 1, strlen(colon + 1), 0, 1048575, &v))
		minor_no = (unsigned)v;
	if (mknod(d->node, S_IFBLK | 0660, makedev(major_no, minor_no)) < 0 && errno != EEXIST)
		return sk_fail_sys(err, errno, "make %s", d->node);
	return 0;
}

static int open_backing(const struct sk_loopdev_cfg *cfg, bool *direct, struct sk_err *err)
{
	int flags = (cfg->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC;
	int fd = *direct ? open(cfg->file, flags | O_DIRECT) : -1;

	if (fd >= 0)
		return fd;
	*direct = false;
	fd = open(cfg->file, flags);
	if (fd < 0)
		return sk_fail_sys(err, errno, "open %s", cfg->file);
	return fd;
}

static struct loop_info64 info_of(const struct sk_loopdev_cfg *cfg, bool direct)
{
	struct loop_info64 info = { 0 };

	info.lo_flags = (cfg->read_only ? LO_FLAGS_READ_ONLY : 0u) | (cfg->autoclear ? LO_FLAGS_AUTOCLEAR : 0u) |
			(cfg->partscan ? LO_FLAGS_PARTSCAN : 0u) | (direct ? LO_FLAGS_DIRECT_IO : 0u);
	snprintf((char *)info.lo_file_name, sizeof(info.lo_file_name), "%.*s", (int)sizeof(info.lo_file_name) - 1,
		 cfg->file);
	return info;
}

/* Kernels before 5.8, step by step. Nobody else may use the device before it is complete, but nobody can be kept
 * out. */
static int configure_old(int dev, int file, const struct sk_loopdev_cfg *cfg, bool direct)
{
	struct loop_info64 info = info_of(cfg, false);
	int saved;

	if (ioctl(dev, LOOP_SET_FD, file) < 0)
		return -1;
	if ((cfg->block_size == 512 || ioctl(dev, LOOP_SET_BLOCK_SIZE, (unsigned long)cfg->block_size) == 0) &&
	    ioctl(dev, LOOP_SET_STATUS64, &info) == 0) {
		if (direct)
			(void)ioctl(dev, LOOP_SET_DIRECT_IO, 1UL); /* a wish */
		return 0;
	}
	saved = errno;
	ioctl(dev, LOOP_CLR_FD, 0);
	errno = saved == EBUSY ? EIO : saved; /* EBUSY would mean: take another device */
	return -1;
}

static int configure(int dev, int file, const struct sk_loopdev_cfg *cfg, bool direct)
{
	struct loop_config c = { .fd = (uint32_t)file,
				 .block_size = cfg->block_size,
				 .info = info_of(cfg, direct) };

	if (ioctl(dev, LOOP_CONFIGURE, &c) == 0)
		return 0;
	if (errno == EINVAL && direct) { /* the file's alignment does not suit */
		c.info.lo_flags &= ~(uint32_t)LO_FLAGS_DIRECT_IO;
		if (ioctl(dev, LOOP_CONFIGURE, &c) == 0)
			return 0;
	}
	if (errno != ENOTTY && errno != EINVAL && errno != ENOSYS)
		return -1;
	return configure_old(dev, file, cfg, direct);
}

static int check_cfg(const struct sk_loopdev_cfg *cfg, struct sk_err *err)
{
	uint32_t b = cfg->block_size;

	if (b < 512 || b > 4096 || (b & (b - 1)))
		return sk_fail(err, SK_ENOTSUP, "a loop device with blocks of %u bytes", b);
	if (cfg->file[0] != '/')
		return sk_fail(err, SK_EINVAL, "backing file %s is no absolute path", cfg->file);
	return 0;
}

/* 1: taken by somebody else meanwhile */
static int try_one(int number, int file, const struct sk_loopdev_cfg *cfg, bool direct, struct sk_loopdev *d,
		   struct sk_err *err)
{
	SK_FD int dev = -1;
	struct loop_info64 info;

	if (make_node(number, d, err) < 0)
		return -1;
	dev = open(d->node, (cfg->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	if (dev < 0)
		return errno == EBUSY ? 1 : sk_fail_sys(err, errno, "open %s", d->node);
	if (configure(dev, file, cfg, direct) < 0)
		return errno == EBUSY ? 1 : sk_fail_sys(err, errno, "%s over %s", d->node, cfg->file);
	d->direct_io = ioctl(dev, LOOP_GET_STATUS64, &info) == 0 && info.lo_flags & LO_FLAGS_DIRECT_IO;
	d->fd = cfg->autoclear ? sk_give_fd(&dev) : -1;
	return 0;
}

int sk_loopdev_attach(const struct sk_loopdev_cfg *cfg, struct sk_loopdev *ret, struct sk_err *err)
{
	SK_FD int control = -1;
	SK_FD int file = -1;
	bool direct = cfg->direct_io;

	if (check_cfg(cfg, err) < 0)
		return -1;
	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0) {
		sk_fail_sys(err, errno, "open /dev/loop-control");
		if (err && (errno == ENOENT || errno == ENODEV || errno == ENXIO))
			err->code = SK_ENOTSUP;
		return -1;
	}
	file = open_backing(cfg, &direct, err);
	if (file < 0)
		return -1;
	for (int i = 0; i < TRIES; i++) {
		struct sk_loopdev d = { .number = -1, .fd = -1 };
		int number = ioctl(control, LOOP_CTL_GET_FREE);
		int rc;

		if (number < 0)
			return sk_fail_sys(err, errno, "find a free loop device");
		rc = try_one(number, file, cfg, direct, &d, err);
		if (rc < 0)
			return -1;
		if (rc == 0) {
			*ret = d;
			return 0;
		}
	}
	return sk_fail(err, SK_EAGAIN, "no free loop device in %d tries", TRIES);
}

int sk_loopdev_resize(const char *node, struct sk_err *err)
{
	SK_FD int dev = open(node, O_RDONLY | O_CLOEXEC);

	if (dev < 0)
		return sk_fail_sys(err, errno, "open %s", node);
	if (ioctl(dev, LOOP_SET_CAPACITY, 0) < 0)
		return sk_fail_sys(err, errno, "resize %s", node);
	return 0;
}

bool sk_loopdev_busy(const char *node)
{
	SK_FD int dev = open(node, O_RDONLY | O_EXCL | O_CLOEXEC);

	return dev < 0 && errno == EBUSY;
}

/* Is the device over @file? By name first: that asks no one, and the file's server may be dead or stuck. @st: the
 * file's, NULL if it could not be asked */
static bool is_over(const char *name, const char *file, const struct loop_info64 *info, const struct stat *st)
{
	char path[96], backing[BACKING_MAX];

	snprintf(path, sizeof(path), "/sys/block/%s/loop/backing_file", name);
	if (sk_attr_read(AT_FDCWD, path, backing, sizeof(backing)) && strcmp(backing, file) == 0)
		return true;
	return st && info->lo_device == st->st_dev && info->lo_inode == st->st_ino;
}

static const char *base_of(const char *node)
{
	const char *slash = strrchr(node, '/');

	return slash ? slash + 1 : node;
}

/* Not to go at its last close after all */
static void keep(int dev)
{
	struct loop_info64 info;

	if (ioctl(dev, LOOP_GET_STATUS64, &info) < 0)
		return;
	info.lo_flags &= ~(uint32_t)LO_FLAGS_AUTOCLEAR;
	(void)ioctl(dev, LOOP_SET_STATUS64, &info);
}

/* Clearing a device that others have open only marks it: it goes at the last close. Unless that is wanted the mark is taken
 * back: then nothing has changed. */
static int clear(int *dev, const char *node, bool force, struct sk_err *err)
{
	struct loop_info64 info;

	if (ioctl(*dev, LOOP_CLR_FD, 0) < 0)
		return errno == ENXIO ? 0 : sk_fail_sys(err, errno, "detach %s", node);
	sk_fd_close(dev);
	for (int i = 0; i < DETACH_TRIES; i++) {
		SK_FD int again = open(node, O_RDONLY | O_CLOEXEC);

		if (again < 0 || (ioctl(again, LOOP_GET_STATUS64, &info) < 0 && errno == ENXIO))
			return 0;
		sk_fd_close(&again);
		usleep(DETACH_WAIT_US);
	}
	if (!force) {
		SK_FD int again = open(node, O_RDONLY | O_CLOEXEC);

		if (again >= 0)
			keep(again);
	}
	return sk_fail(err, SK_EBUSY, "%s is still open%s", node,
		       force ? "; it is detached at its last close" : "");
}

int sk_loopdev_detach(const char *node, const char *file, bool force, struct sk_err *err)
{
	SK_FD int dev = open(node, O_RDONLY | O_CLOEXEC);
	struct loop_info64 info = { 0 };
	struct stat st;

	if (dev < 0)
		return errno == ENOENT || errno == ENXIO ? 0 : sk_fail_sys(err, errno, "open %s", node);
	if (ioctl(dev, LOOP_GET_STATUS64, &info) < 0 && errno != EOVERFLOW) {
		if (errno == ENXIO)
			return 0;
		/* the backing file's server does not answer: the name has to do */
		info = (struct loop_info64){ 0 };
	}
	if (file && !is_over(base_of(node), file, &info, NULL) &&
	    !(stat(file, &st) == 0 && is_over(base_of(node), file, &info, &st)))
		return 0;
	if (!force && sk_loopdev_busy(node))
		return sk_fail(err, SK_EBUSY, "%s is in use", node);
	return clear(&dev, node, force, err);
}

int sk_loopdev_release(struct sk_loopdev *d, const char *file, bool force, struct sk_err *err)
{
	if (d->number < 0)
		return 0;
	if (!force && sk_loopdev_busy(d->node))
		return sk_fail(err, SK_EBUSY, "%s is in use", d->node);
	sk_fd_close(&d->fd);
	if (sk_loopdev_detach(d->node, file, force, err) < 0)
		return -1;
	d->number = -1;
	return 0;
}

static bool is_loop(const char *name)
{
	uint64_t v;

	return sk_name_number(name, "loop", 1048575, &v);
}

void sk_loopdev_below(const char *dir, void (*fn)(void *ctx, const char *node, const char *file), void *ctx)
{
	SK_NAMES struct sk_names names = { 0 };
	char path[128], file[BACKING_MAX];
	size_t n = strlen(dir);

	sk_attr_names(AT_FDCWD, "/sys/block", is_loop, &names);
	for (size_t i = 0; i < names.n; i++) {
		snprintf(path, sizeof(path), "/sys/block/%s/loop/backing_file", names.name[i]);
		if (!sk_attr_read(AT_FDCWD, path, file, sizeof(file)) || strncmp(file, dir, n) != 0 || file[n] != '/')
			continue;
		snprintf(path, sizeof(path), "/dev/%s", names.name[i]);
		fn(ctx, path, file);
	}
}

int sk_loopdev_find(const char *file, char *ret_node, size_t n, struct sk_err *err)
{
	SK_NAMES struct sk_names names = { 0 };
	struct stat st;
	bool known = stat(file, &st) == 0;
	char path[128];

	sk_attr_names(AT_FDCWD, "/sys/block", is_loop, &names);
	for (size_t i = 0; i < names.n; i++) {
		struct loop_info64 info = { 0 };
		SK_FD int dev = -1;

		snprintf(path, sizeof(path), "/sys/block/%s/loop/backing_file", names.name[i]);
		if (access(path, F_OK) < 0) /* not attached */
			continue;
		snprintf(path, sizeof(path), "/dev/%s", names.name[i]);
		dev = open(path, O_RDONLY | O_CLOEXEC);
		if (dev >= 0 && ioctl(dev, LOOP_GET_STATUS64, &info) < 0)
			info = (struct loop_info64){ 0 };
		if (is_over(names.name[i], file, &info, known ? &st : NULL)) {
			snprintf(ret_node, n, "%s", path);
			return 0;
		}
	}
	return sk_fail(err, SK_ENOENT, "no loop device over %s", file);
}
