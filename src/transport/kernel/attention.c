/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "sys/control.h"
#include "transport/kernel/inner.h"
#include "transport/kernel/uevent.h"

/** What a target says of its LUNs in unit attentions. The kernel passes them on as uevents and does nothing more: a disk that
 * grew is read again here, and LUNs are looked for when there are others, unless the record wants scans by hand. One look
 * at a time per session, however often it is asked for. */

#define PREFIX "change@/devices/platform/host"

static void go(struct sk_xsess *x);

static int look(struct sk_kcmd *c, struct sk_err *err)
{
	const struct sk_kattention *due = &c->due;

	for (unsigned i = 0; i < due->n; i++) {
		const struct sk_sys_lun l = { .host = c->host, .lun = due->lun[i] };

		(void)sk_sys_reread(c->k->t.places, &l, NULL); /* the LUN may be gone by now */
	}
	c->flag = due->all;
	return due->scan || due->all ? sk_kerrand_scan(c, err) : 0;
}

static void looked(struct sk_kcmd *c)
{
	if (!c->x)
		return;
	if (c->rc < 0)
		sk_warning(SK_ROOM_TRANSPORT, "session %u: %s", c->x->sid, c->err.msg);
	c->x->due.running = false;
	go(c->x);
}

static void go(struct sk_xsess *x)
{
	struct sk_kattention *due = &x->due;
	struct sk_kcmd *c;

	if (due->running || x->st != SK_K_UP || !(due->n || due->scan || due->all))
		return;
	c = sk_kcmd_new(x->k, x, look, looked, NULL);
	if (!c)
		return;
	c->due = *due;
	*due = (struct sk_kattention){ .running = true };
	sk_kcmd_errand(c);
}

void sk_kernel_luns_changed(struct sk_xsess *x)
{
	if (x->scan_by_hand) {
		sk_notice(SK_ROOM_TRANSPORT, "session %u: the target's LUNs changed (node.session.scan = manual: no scan)", x->sid);
		return;
	}
	if (!x->due.scan)
		sk_notice(SK_ROOM_TRANSPORT, "session %u: the target's LUNs changed: scanning", x->sid);
	x->due.scan = true;
	go(x);
}

static void lun_changed(struct sk_xsess *x, uint64_t lun, const char *what)
{
	struct sk_kattention *due = &x->due;

	for (unsigned i = 0; i < due->n; i++)
		if (due->lun[i] == lun)
			return;
	sk_notice(SK_ROOM_TRANSPORT, "session %u: the target says that the %s of LUN %" PRIu64 " changed: reading it again",
		  x->sid, what, lun);
	if (due->n < SK_ARRAY_LEN(due->lun))
		due->lun[due->n++] = lun;
	else
		due->all = true;
	go(x);
}

static void attention(struct sk_kernel *k, const char *path, const char *what)
{
	static const struct {
		const char *ua, *of;
	} rows[] = { { "CAPACITY_DATA_HAS_CHANGED", "capacity" }, { "INQUIRY_DATA_HAS_CHANGED", "identity" } };
	uint32_t host, sid;
	uint64_t lun;
	struct sk_xsess *x;

	if (sscanf(path, PREFIX "%" SCNu32 "/session%" SCNu32 "/target%*u:0:0/%*u:0:0:%" SCNu64, &host, &sid, &lun) != 3)
		return;
	x = sk_kernel_by_sid(k, sid);
	if (!x || x->host != host)
		return;
	if (!strcmp(what, "REPORTED_LUNS_DATA_HAS_CHANGED"))
		sk_kernel_luns_changed(x);
	for (size_t i = 0; i < SK_ARRAY_LEN(rows); i++)
		if (!strcmp(what, rows[i].ua))
			lun_changed(x, lun, rows[i].of);
}

static void on_uevents(void *ctx, unsigned events)
{
	struct sk_kernel *k = ctx;
	char buf[SK_UEVENT_MAX];
	size_t n;

	(void)events;
	for (unsigned i = 0; i < 256 && (n = sk_uevents_next(k->ua_fd, buf)) > 0; i++) {
		const char *what = sk_uevent_value(buf, n, "SDEV_UA");

		if (what)
			attention(k, buf, what);
	}
}

void sk_kernel_attend(struct sk_kernel *k)
{
	k->ua_fd = sk_uevents_open(PREFIX);
	k->ua_watch = k->ua_fd >= 0 ? sk_watch_new(k->t.loop, k->ua_fd, on_uevents, k, NULL) : NULL;
	if (k->ua_watch)
		sk_watch_set(k->ua_watch, SK_READABLE);
	else
		sk_warning(SK_ROOM_TRANSPORT, "the kernel's uevents cannot be heard: rescan when a target's LUNs change");
}
