/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "transport/kernel/inner.h"

/** Whether the kernel can carry sessions: sockets, privileges, the transport's module. */

#define MODULE	  "iscsi_tcp"
#define LOAD_MS	  10000
#define LOAD_PAUSE_MS 30000 /* a module that could not be loaded is not asked for at every login */

struct sk_kwait {
	struct sk_kwait *next;
	bool load;
	sk_kernel_ready_fn *fn;
	void *ctx;
};

struct sk_kopen {
	struct sk_kernel *k;
	const struct sk_places *places;
	struct sk_job *job;
	bool open; /* the sockets as well */
	int cmd_fd, ev_fd;
	int rc;
	struct sk_err err;
};

static void tell(struct sk_kernel *k, const struct sk_err *why, bool loaders)
{
	struct sk_kwait **at = &k->waiting, *told = NULL, **last = &told, *w;

	while ((w = *at)) { /* taken out first, in their order: whoever is told may ask again */
		if (w->load && !loaders) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		w->next = NULL;
		*last = w;
		last = &w->next;
	}
	while ((w = told)) {
		told = w->next;
		w->fn(w->ctx, why);
		free(w);
	}
}

static void open_work(void *ctx)
{
	struct sk_kopen *o = ctx;
	uint64_t handle;

	o->rc = -1;
	if (o->open && (sk_nl_open(false, &o->cmd_fd, &o->err) < 0 || sk_nl_probe(o->cmd_fd, &o->err) < 0 ||
			sk_nl_open(true, &o->ev_fd, &o->err) < 0))
		return;
	o->rc = sk_sys_handle(o->places, SK_KERNEL_NAME, &handle, &o->err);
}

static void release(void *ctx)
{
	struct sk_kopen *o = ctx;

	sk_fd_close(&o->cmd_fd);
	sk_fd_close(&o->ev_fd);
	free(o);
}

/* The sockets are good: from now on there are events and a crew. */
static int take(struct sk_kernel *k, struct sk_kopen *o, struct sk_err *err)
{
	if (k->crew || o->ev_fd < 0)
		return 0;
	k->crew = sk_crew_new(k->t.loop, sk_kernel_drain, k, err);
	if (!k->crew)
		return -1;
	k->cmd_fd = sk_give_fd(&o->cmd_fd);
	k->ev_fd = sk_give_fd(&o->ev_fd);
	return sk_kernel_listen(k, err);
}

static int start_open(struct sk_kernel *k, struct sk_err *err);

static void try_again(struct sk_kernel *k)
{
	struct sk_err err = { 0 };

	k->loading = false;
	sk_timer_at(k->mod_timer, UINT64_MAX);
	if (start_open(k, &err) < 0)
		tell(k, &err, true);
}

static void on_modprobe(void *ctx, int status)
{
	struct sk_kernel *k = ctx;

	if (status != 0)
		sk_warning(SK_ROOM_TRANSPORT, "modprobe " MODULE " failed (status 0x%x)", (unsigned)status);
	if (k->loading)
		try_again(k);
}

static void on_load_timeout(void *ctx)
{
	struct sk_kernel *k = ctx;

	if (!k->loading)
		return;
	sk_warning(SK_ROOM_TRANSPORT, "modprobe " MODULE " takes too long");
	try_again(k);
}

/* The program that the kernel itself would use. */
static void modprobe_path(char *ret, size_t n)
{
	FILE *f = fopen("/proc/sys/kernel/modprobe", "re");

	if (!f || !fgets(ret, (int)n, f))
		ret[0] = '\0';
	if (f)
		(void)fclose(f);
	ret[strcspn(ret, "\n")] = '\0';
	if (ret[0] != '/' || access(ret, X_OK) < 0)
		snprintf(ret, n, "/sbin/modprobe");
}

static bool load(struct sk_kernel *k)
{
	uint64_t now = sk_loop_now(k->t.loop);
	const char *argv[] = { NULL, "-q", MODULE, NULL };
	struct sk_err err = { 0 };
	char path[256];

	if (now < k->load_again)
		return false;
	k->load_again = now + LOAD_PAUSE_MS;
	if (!k->mod_timer)
		k->mod_timer = sk_timer_new(k->t.loop, on_load_timeout, k, &err);
	modprobe_path(path, sizeof(path));
	argv[0] = path;
	if (!k->mod_timer || sk_loop_spawn(k->t.loop, argv, NULL, 0, false, on_modprobe, k, NULL, &err) < 0) {
		sk_warning(SK_ROOM_TRANSPORT, "%s " MODULE ": %s", path, err.msg);
		return false;
	}
	k->loading = true;
	sk_timer_at(k->mod_timer, now + LOAD_MS);
	return true;
}

static bool want_load(const struct sk_kernel *k)
{
	for (const struct sk_kwait *w = k->waiting; w; w = w->next)
		if (w->load)
			return true;
	return false;
}

static void open_done(void *ctx)
{
	struct sk_kopen *o = ctx;
	struct sk_kernel *k = o->k;
	struct sk_err err = o->err;
	bool missing = o->rc < 0 && o->err.code == SK_ENOENT;
	int rc = o->rc;

	k->opening = NULL;
	if (o->open && o->ev_fd >= 0 && take(k, o, &err) < 0)
		rc = -1;
	release(o);
	if (rc == 0) {
		tell(k, NULL, true);
		return;
	}
	if (missing && want_load(k)) {
		tell(k, &err, false);
		if (load(k))
			return;
		sk_fail(&err, SK_ENOTSUP, "this kernel has no iSCSI over TCP: its module " MODULE " cannot be loaded");
	}
	tell(k, &err, true);
}

static int start_open(struct sk_kernel *k, struct sk_err *err)
{
	struct sk_kopen *o = calloc(1, sizeof(*o));

	if (!o)
		return sk_fail(err, SK_ENOMEM, "no memory");
	*o = (struct sk_kopen){ .k = k, .places = k->t.places, .open = !k->crew, .cmd_fd = -1, .ev_fd = -1 };
	o->job = sk_loop_work(k->t.loop, open_work, open_done, o, err);
	if (!o->job) {
		free(o);
		return -1;
	}
	k->opening = o;
	return 0;
}

/* A session in the kernel holds the transport's module: there is nothing to look for. */
static bool in_use(const struct sk_kernel *k)
{
	for (const struct sk_xsess *x = k->first; k->crew && x; x = x->next)
		if (x->sid && x->st != SK_K_GONE)
			return true;
	return false;
}

static void on_yes(void *ctx)
{
	struct sk_kernel *k = ctx;

	if (!k->opening && !k->loading)
		tell(k, NULL, true);
}

/* How the waiting come to an end: a look at the kernel, or without one in the next turn of the loop. */
static int start(struct sk_kernel *k, struct sk_err *err)
{
	if (k->opening || k->loading)
		return 0;
	if (!in_use(k))
		return start_open(k, err);
	if (!k->yes_timer)
		k->yes_timer = sk_timer_new(k->t.loop, on_yes, k, err);
	if (!k->yes_timer)
		return -1;
	sk_timer_at(k->yes_timer, sk_loop_now(k->t.loop));
	return 0;
}

int sk_kernel_wait(struct sk_kernel *k, bool load_too, sk_kernel_ready_fn *fn, void *ctx, struct sk_err *err)
{
	struct sk_kwait *w = calloc(1, sizeof(*w)), **at = &k->waiting;

	if (!w)
		return sk_fail(err, SK_ENOMEM, "no memory");
	if (start(k, err) < 0) {
		free(w);
		return -1;
	}
	*w = (struct sk_kwait){ .load = load_too, .fn = fn, .ctx = ctx };
	while (*at)
		at = &(*at)->next;
	*at = w;
	return 0;
}

int sk_kernel_prepare(struct sk_transport *t, sk_kernel_ready_fn *fn, void *ctx, struct sk_err *err)
{
	return sk_kernel_wait(sk_kernel(t), true, fn, ctx, err);
}

void sk_kernel_prepare_stop(struct sk_kernel *k)
{
	struct sk_err err = { 0 };

	if (k->opening)
		sk_job_abandon(k->opening->job, release);
	k->opening = NULL;
	k->loading = false;
	sk_timer_free(k->mod_timer);
	sk_timer_free(k->yes_timer);
	k->mod_timer = k->yes_timer = NULL;
	sk_fail(&err, SK_ENOTCONN, "the daemon is going down");
	tell(k, &err, true);
}
