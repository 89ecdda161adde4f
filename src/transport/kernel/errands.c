/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "sys/mounts.h"
#include "transport/kernel/inner.h"
#include "transport/kernel/uevent.h"

/** What waits for disks: scans and flushes, each on a thread of its own. */

#define DISKS_MS 10000 /* after the scan, for sd to make block devices of what it found */
#define LOOK_MS	 250   /* at the latest, should a uevent not reach us */

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

	if (w->reread)
		(void)sk_sys_reread(w->p, l, NULL);
	if (!l->disk[0] && !strcmp(l->state, "running") && sk_sys_is_disk(w->p, l)) {
		if (!w->missing)
			w->first_missing = l->lun;
		w->missing++;
	}
	return true;
}

/* The kernel tells of each block device it makes; where that cannot be heard, we look now and then. */
static int block_devices_of(uint32_t host, uint32_t sid)
{
	char prefix[100];

	snprintf(prefix, sizeof(prefix), "add@/devices/platform/host%u/session%u/", host, sid);
	return sk_uevents_open(prefix);
}

/* Until the kernel has told of a block device; of what it tells on the way to one there is nothing to see yet. */
static void wait_uevent(int fd)
{
	uint64_t until = now_ms() + LOOK_MS, now = until - LOOK_MS;
	bool block = false;
	char text[8192];

	for (; !block && now < until; now = now_ms()) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t n;

		if (poll(&p, 1, (int)(until - now)) <= 0)
			continue;
		while ((n = recv(fd, text, sizeof(text), MSG_DONTWAIT)) > 0)
			block |= memmem(text, strnlen(text, (size_t)n), "/block/", 7) != NULL;
	}
}

int sk_kerrand_scan(struct sk_kcmd *c, struct sk_err *err)
{
	const struct sk_places *p = c->k->t.places;
	uint64_t until;
	SK_FD int fd = block_devices_of(c->host, c->sid);
	struct looking w = { .p = p, .reread = c->flag };
	struct sk_sys_session s = { .sid = c->sid, .host = c->host };

	if (c->nice)
		(void)sk_sys_xmit_priority(p, c->host, c->nice, NULL); /* newer kernels have no such queue to set */
	if (w.reread)
		(void)sk_sys_luns(p, &s, SK_SYS_FLAT, look, &w);
	if (sk_sys_scan(p, c->host, err) < 0)
		return sk_in(err, "scan");
	until = now_ms() + DISKS_MS;
	for (;;) {
		w = (struct looking){ .p = p };
		(void)sk_sys_luns(p, &s, SK_SYS_FLAT, look, &w);
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

	(void)sk_sys_luns(f.p, &s, SK_SYS_FLAT, flush, &f);
	if (f.rc < 0)
		*err = f.err;
	return f.rc;
}
