/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "discover/isns.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"

#define NAMES_MAX  16
#define BYTES_MAX  (24U << 20)	/* of one query: all portals that may be, with the longest names */
#define FIRST_ROOM 64
#define CALL_MAX   3600000	/* ms */
#define MISSED_MAX 3		/* signs of life that may fail to come */

struct sk_isns {
	struct sk_loop *loop;
	struct sk_isns_ask_events ask;
	struct sk_isns_hear_events hear;
	void *ctx;
	bool listening;
	int pidfd, fd;
	struct sk_watch *watch;
	struct sk_timer *timer;
	uint32_t call_ms, life_ms;	/* of one call; until it must have said something */
	size_t bytes;
	struct sk_isns_form form;
	struct sk_found *found;
	unsigned n, cap;
	enum sk_isns_stage stage;
	struct sk_err err;	/* code 0: nothing went wrong so far */
	bool busy, freed;	/* in a callback; to be freed after it */
};

/* --- the end ------------------------------------------------------------------------------------------------- */

static void end_process(struct sk_isns *s)
{
	sk_watch_free(s->watch);
	s->watch = NULL;
	sk_timer_free(s->timer);
	s->timer = NULL;
	if (s->pidfd >= 0)	/* fails when it has ended: the loop has reaped it, and the number may be another's by now */
		(void)syscall(SYS_pidfd_send_signal, s->pidfd, SIGKILL, NULL, 0);
	sk_fd_close(&s->pidfd);
	sk_fd_close(&s->fd);
}

static void release(struct sk_isns *s)
{
	end_process(s);
	free(s->found);
	free(s);
}

void sk_isns_free(struct sk_isns *s)
{
	if (!s)
		return;
	if (s->busy)
		s->freed = true;
	else
		release(s);
}

/* The owner may free us from done or down: release() comes after it. */
static void finish(struct sk_isns *s)
{
	const struct sk_err *err = s->err.code ? &s->err : NULL;

	end_process(s);
	s->busy = true;
	if (s->listening)
		s->hear.down(s->ctx, s->stage, &s->err);
	else
		s->ask.done(s->ctx, err ? NULL : s->found, err ? 0 : s->n, s->stage, err);
	s->busy = false;
	if (s->freed)
		release(s);
}

/* --- what it says -------------------------------------------------------------------------------------------- */

static void on_portal(void *ctx, const struct sk_iname *target, const struct sk_portal *portal)
{
	struct sk_isns *s = ctx;

	if (s->n == s->cap) {
		unsigned cap = s->cap ? s->cap * 2 : FIRST_ROOM;
		struct sk_found *more = reallocarray(s->found, cap, sizeof(*more));

		if (!more) {
			sk_fail(&s->err, SK_ENOMEM, "no memory for what was found");
			return;
		}
		s->found = more;
		s->cap = cap;
	}
	s->found[s->n++] = (struct sk_found){ *target, *portal };
}

static void on_odd(void *ctx, const char *text)
{
	struct sk_isns *s = ctx;
	char line[SK_ISNS_LINE_MAX + 64];

	if (s->listening || !s->ask.say)
		return;
	snprintf(line, sizeof(line), "iSNS target or portal invalid, ignoring: %s", text);
	s->ask.say(s->ctx, line);
}

static void on_done(void *ctx)
{
	(void)ctx;	/* the form's state says it */
}

static void on_up(void *ctx, uint32_t refresh_s)
{
	struct sk_isns *s = ctx;

	s->life_ms = s->call_ms + SK_MIN(refresh_s, 3600U) * 1000 * MISSED_MAX;
	sk_timer_at(s->timer, sk_loop_now(s->loop) + s->life_ms);
	if (s->listening && !s->freed)
		s->hear.up(s->ctx);
}

static void on_changed(void *ctx)
{
	struct sk_isns *s = ctx;

	if (s->listening && !s->freed)
		s->hear.changed(s->ctx);
}

static void on_fail(void *ctx, enum sk_isns_stage stage, const char *text)
{
	static const enum sk_code codes[SK_ISNS_STAGES] = {
		[SK_ISNS_START] = SK_EIO, [SK_ISNS_CONNECT] = SK_ECONN, [SK_ISNS_REGISTER] = SK_EPROTO, [SK_ISNS_QUERY] = SK_EPROTO,
	};
	struct sk_isns *s = ctx;

	s->stage = stage;
	sk_fail(&s->err, codes[stage], "%s", text);
}

static const struct sk_isns_form_events form_events = { on_portal, on_odd, on_done, on_up, on_changed, on_fail };

/* --- the process --------------------------------------------------------------------------------------------- */

static void fail(struct sk_isns *s, enum sk_code code, const char *text)
{
	s->stage = SK_ISNS_QUERY;
	sk_fail(&s->err, code, "%s", text);
	finish(s);
}

static void on_eof(struct sk_isns *s)
{
	if (!sk_isns_form_over(&s->form) || (s->listening && !s->err.code)) {
		fail(s, SK_EPROTO, "isns-worker ended before it had answered");
		return;
	}
	finish(s);
}

static void on_bytes(struct sk_isns *s, const char *p, size_t n)
{
	struct sk_err err = { 0 };
	int got;

	s->bytes = s->listening ? 0 : s->bytes + n;
	s->busy = true;
	got = sk_isns_form_feed(&s->form, p, n, &err);
	s->busy = false;
	if (s->freed)
		release(s);
	else if (got < 0 || s->bytes > BYTES_MAX)
		fail(s, SK_EPROTO, got < 0 ? err.msg : "the answer is too long");
}

static void readable(void *ctx, unsigned events)
{
	struct sk_isns *s = ctx;
	char buf[8192];
	ssize_t n = read(s->fd, buf, sizeof(buf));

	(void)events;
	if (n > 0)
		on_bytes(s, buf, (size_t)n);
	else if (n == 0)
		on_eof(s);
	else if (errno != EAGAIN && errno != EINTR)
		fail(s, SK_EIO, "cannot hear isns-worker");
}

static void too_late(void *ctx)
{
	fail(ctx, SK_ETIME, "the iSNS server does not answer");
}

static int spawn(struct sk_isns *s, const struct sk_isns_cfg *cfg, struct sk_err *err)
{
	char port[8], seconds[16];
	const char *argv[8 + 2 * NAMES_MAX + 1];
	SK_FD int hear = -1;
	SK_FD int say = -1;
	unsigned n = 0;
	int ends[2];
	pid_t pid;

	if (cfg->n_names < 1 || cfg->n_names > NAMES_MAX)
		return sk_fail(err, SK_EINVAL, "%u initiator names for an iSNS server", cfg->n_names);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return sk_fail_sys(err, errno, "pipe");
	hear = ends[0];
	say = ends[1];
	if (fcntl(hear, F_SETFL, O_NONBLOCK) < 0)
		return sk_fail_sys(err, errno, "pipe");
	snprintf(port, sizeof(port), "%u", cfg->port);
	snprintf(seconds, sizeof(seconds), "%u", (s->call_ms + 999) / 1000);
	argv[n++] = cfg->worker;
	argv[n++] = "--server";
	argv[n++] = cfg->host;
	argv[n++] = "--port";
	argv[n++] = port;
	argv[n++] = "--seconds";
	argv[n++] = seconds;
	for (unsigned i = 0; i < cfg->n_names; i++) {
		argv[n++] = "--name";
		argv[n++] = cfg->names[i].s;
	}
	argv[n++] = s->listening ? "listen" : "discover";
	argv[n] = NULL;
	if (sk_loop_spawn(s->loop, argv, &say, 1, false, NULL, NULL, &pid, err) < 0)
		return -1;
	s->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);	/* without one the worker's own deadline must do */
	s->fd = sk_give_fd(&hear);
	return 0;
}

static struct sk_isns *start(struct sk_isns *s, const struct sk_isns_cfg *cfg, struct sk_err *err)
{
	s->call_ms = SK_MIN(cfg->call_ms ? cfg->call_ms : (uint32_t)SK_ISNS_CALL_MS, (uint32_t)CALL_MAX);
	s->life_ms = s->call_ms * MISSED_MAX;
	sk_isns_form_init(&s->form, &form_events, s);
	s->timer = sk_timer_new(s->loop, too_late, s, err);
	if (!s->timer || spawn(s, cfg, err) < 0)
		goto undo;
	s->watch = sk_watch_new(s->loop, s->fd, readable, s, err);
	if (!s->watch)
		goto undo;
	sk_watch_set(s->watch, SK_READABLE);
	sk_timer_at(s->timer, sk_loop_now(s->loop) + s->life_ms);
	return s;
undo:
	release(s);
	return NULL;
}

static struct sk_isns *make(struct sk_loop *l, void *ctx, struct sk_err *err)
{
	struct sk_isns *s = calloc(1, sizeof(*s));

	if (!s) {
		sk_fail(err, SK_ENOMEM, "no memory");
		return NULL;
	}
	s->loop = l;
	s->ctx = ctx;
	s->fd = s->pidfd = -1;
	return s;
}

struct sk_isns *sk_isns_ask(struct sk_loop *l, const struct sk_isns_cfg *cfg, const struct sk_isns_ask_events *ev, void *ctx,
			    struct sk_err *err)
{
	struct sk_isns *s = make(l, ctx, err);

	if (!s)
		return NULL;
	s->ask = *ev;
	return start(s, cfg, err);
}

struct sk_isns *sk_isns_hear(struct sk_loop *l, const struct sk_isns_cfg *cfg, const struct sk_isns_hear_events *ev, void *ctx,
			     struct sk_err *err)
{
	struct sk_isns *s = make(l, ctx, err);

	if (!s)
		return NULL;
	s->hear = *ev;
	s->listening = true;
	return start(s, cfg, err);
}
