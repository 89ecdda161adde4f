/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "sys/mounts.h"
#include "transport/kernel/inner.h"

/** What waits for disks: scans and flushes, each on a thread of its own. */

#define DISKS_MS 10000 /* after the scan, for sd to make block devices of what it found */
#define LOOK_MS	 250   /* at the latest, should a uevent not reach us */
#define PREFIX_MAX 96

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* -------------------------------------------------------------------------------------------------------------- scan */

struct looking {
	const struct sk_places *p;
	bool reread;
	unsigned missing;
	uint64_t first_missing;
};

static bool look(void *ctx, const struct sk_sys_lun *l)
{
	struct looking *w = ctx;
	bool there;

	if (w->reread)
		(void)sk_sys_reread(w->p, l, NULL);
	if (sk_sys_is_disk(w->p, l, &there) && !there && !strcmp(l->state, "running")) {
		if (!w->missing)
			w->first_missing = l->lun;
		w->missing++;
	}
	return true;
}

/* Let only messages pass that begin with @text: with hundreds of scans at once each would else wake up all. */
static int only(int fd, const char *text)
{
	struct sock_filter f[PREFIX_MAX / 4 * 2 + 2];
	struct sock_fprog prog = { .filter = f };
	size_t words = strlen(text) / 4;

	if (words * 4 > PREFIX_MAX)
		words = PREFIX_MAX / 4;
	for (size_t i = 0; i < words; i++) {
		uint8_t away = (uint8_t)((words - i) * 2 - 1); /* to the last line, which drops */

		f[i * 2] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)i * 4);
		f[i * 2 + 1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
							    sk_be32((const uint8_t *)text + i * 4), 0, away);
	}
	f[words * 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
	f[words * 2 + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
	prog.len = (unsigned short)(words * 2 + 2);
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog));
}

/* The kernel tells of each block device it makes; where that cannot be heard, we look now and then. */
static int uevents(uint32_t host, uint32_t sid)
{
	struct sockaddr_nl own = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
	char prefix[PREFIX_MAX];

	snprintf(prefix, sizeof(prefix), "add@/devices/platform/host%u/session%u/", host, sid);
	if (fd >= 0 && (only(fd, prefix) < 0 || bind(fd, (const struct sockaddr *)&own, sizeof(own)) < 0))
		sk_fd_close(&fd);
	return fd;
}

static void wait_uevent(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char drop[8192];

	(void)poll(&p, 1, LOOK_MS);
	while (fd >= 0 && recv(fd, drop, sizeof(drop), MSG_DONTWAIT) > 0)
		continue;
}

int sk_kerrand_scan(struct sk_kcmd *c, struct sk_err *err)
{
	const struct sk_places *p = c->k->t.places;
	uint64_t until;
	SK_FD int fd = uevents(c->host, c->sid);
	struct looking w = { .p = p, .reread = c->flag };
	struct sk_sys_session s = { .sid = c->sid, .host = c->host };

	if (c->nice)
		(void)sk_sys_xmit_priority(p, c->host, c->nice, NULL); /* newer kernels have no such queue to set */
	if (w.reread)
		(void)sk_sys_luns(p, &s, look, &w);
	if (sk_sys_scan(p, c->host, err) < 0)
		return sk_in(err, "scan");
	until = now_ms() + DISKS_MS;
	for (;;) {
		w = (struct looking){ .p = p };
		(void)sk_sys_luns(p, &s, look, &w);
		if (!w.missing)
			return 0;
		if (now_ms() >= until)
			return sk_fail(err, SK_ETIME, "LUN %" PRIu64 " did not become a disk within %u s", w.first_missing,
				       DISKS_MS / 1000);
		wait_uevent(fd);
	}
}

/* -------------------------------------------------------------------------------------------------------------- flush */

struct flushing {
	const struct sk_places *p;
	struct sk_buf *users;
	bool check, only_check;
	struct sk_err err;
	int rc;
};

static bool flush(void *ctx, const struct sk_sys_lun *l)
{
	struct flushing *f = ctx;
	char node[300];
	SK_FD int fd = -1;

	if (!l->disk[0])
		return true;
	snprintf(node, sizeof(node), "%s/%s", f->p->devdir, l->disk);
	if (f->check && sk_device_users(node, f->p->sysfs, "/proc", SK_USE_CLAIMED, f->users, NULL) > 0) {
		f->rc = sk_fail(&f->err, SK_EBUSY, "lun %" PRIu64 " (%s) is in use: %s", l->lun, l->disk,
				sk_buf_cstr(f->users));
		return false;
	}
	if (f->only_check)
		return true;
	fd = open(node, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0 && fsync(fd) < 0 && errno != EINVAL && f->rc == 0)
		f->rc = sk_fail_sys(&f->err, errno, "lun %" PRIu64 " (%s) could not be flushed", l->lun, l->disk);
	return true; /* without a node the kernel flushes when it takes the device away */
}

int sk_kerrand_flush(struct sk_kcmd *c, struct sk_err *err)
{
	struct flushing f = { .p = c->k->t.places, .users = &c->text, .check = c->flag, .only_check = c->fresh };
	struct sk_sys_session s = { .sid = c->sid, .host = c->host };

	(void)sk_sys_luns(f.p, &s, flush, &f);
	if (f.rc < 0)
		*err = f.err;
	return f.rc;
}
