/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "iscsid/daemon.h"
#include "loop/rng.h"
#include "sys/machine.h"
#include "transport/kernel/kernel.h"
#include "transport/user/user.h"

/** iscsid - the control daemon: one thread, one loop, nothing in it blocks. */

#define STOP_MS 50	/* for the last answers to leave */
#define ADOPT_MS 5000	/* how long a session that does not answer keeps the others' users waiting */

static void on_stop(void *ctx)
{
	const struct sk_daemon *d = ctx;

	sk_loop_stop(d->loop);
}

void sk_daemon_stop(struct sk_daemon *d)
{
	sk_rediscovery_stop(d);
	if (!d->stopping)
		sk_timer_at(d->stop_timer, sk_loop_now(d->loop) + STOP_MS);
	d->stopping = true;
}

static void on_signal(void *ctx, int signum)
{
	struct sk_daemon *d = ctx;

	if (signum == SIGTERM || (signum == SIGINT && d->opts.foreground))
		sk_daemon_stop(d);
}

/* Who asks before all that runs is known would get wrong answers: their connections wait in the backlog. */
static void begin_to_serve(void *ctx)
{
	struct sk_daemon *d = ctx;
	struct sk_err err = { 0 };

	if (d->serving)
		return;
	d->serving = true;
	for (unsigned i = 0; i < d->n_listen; i++) {
		int fd = sk_give_fd(&d->listen_fds[i]);

		if (sk_mgmt_server_add(d->server, fd, &err) < 0) {
			sk_error(SK_ROOM_DOOR, "start: %s", err.msg);
			d->failed = true;
			sk_loop_stop(d->loop);
			return;
		}
	}
	sk_daemon_ready(d);
	sk_rediscovery_start(d);
}

static void on_adopt_timer(void *ctx)
{
	const struct sk_daemon *d = ctx;

	if (!d->serving)
		sk_warning(SK_ROOM_DOOR, "some running sessions do not answer; serving without them");
	begin_to_serve(ctx);
}

/* A link or an address came: nobody waits for the end of a backoff. */
static void on_network(void *ctx)
{
	struct sk_daemon *d = ctx;

	sk_debug(SK_ROOM_DOOR, "the network changed: lost sessions are tried now");
	sk_sessions_kick(d->sessions);
	sk_rediscovery_kick(d);
}

static int places(struct sk_daemon *d)
{
	struct sk_err err = { 0 };

	if (sk_places_init(&d->places, &err) < 0) {
		fprintf(stderr, "iscsid: %s\n", err.msg);
		return -1;
	}
	if (d->opts.conf)
		snprintf(d->places.conf_file, sizeof(d->places.conf_file), "%s", d->opts.conf);
	if (d->opts.names)
		snprintf(d->places.name_file, sizeof(d->places.name_file), "%s", d->opts.names);
	return 0;
}

static int build(struct sk_daemon *d, struct sk_err *err)
{
	struct sk_user_cfg user = { .debug = d->opts.rooms_text, .busy_poll_us = d->busy_poll_us };
	struct sk_kernel_cfg kernel = { .safe_logout = d->safe_logout };
	struct sk_sessions_cfg cfg;
	struct sk_err why = { 0 };

	d->loop = sk_loop_new(err);
	if (!d->loop || sk_loop_signal(d->loop, SIGTERM, on_signal, d, err) < 0 ||
	    sk_loop_signal(d->loop, SIGINT, on_signal, d, err) < 0)
		return -1;
	d->rng = sk_rng_system();
	d->stop_timer = sk_timer_new(d->loop, on_stop, d, err);
	d->user = sk_user_transport_new(d->loop, &d->places, &user, err);
	d->adopt_timer = sk_timer_new(d->loop, on_adopt_timer, d, err);
	d->kernel = sk_kernel_transport_new(d->loop, &d->places, &kernel, err);
	if (!d->stop_timer || !d->adopt_timer || !d->user || !d->kernel)
		return -1;
	cfg = (struct sk_sessions_cfg){ .loop = d->loop, .transport = d->user, .also = d->kernel, .rng = &d->rng,
					.any_group = d->any_group };
	sk_sys_machine(cfg.machine, sizeof(cfg.machine));
	memcpy(cfg.alias, d->alias, sizeof(cfg.alias));
	d->sessions = sk_sessions_new(&cfg, err);
	d->server = sk_mgmt_server_new(d->loop, sk_daemon_handle, d, err);
	if (!d->sessions || !d->server)
		return -1;
	d->changes = sk_net_changes_new(d->loop, on_network, d, &why);
	if (!d->changes)
		sk_warning(SK_ROOM_DOOR, "%s: lost sessions come back by their timers only", why.msg);
	return 0;
}

static void take_down(struct sk_daemon *d)
{
	sk_net_changes_free(d->changes);
	sk_sessions_free(d->sessions);		/* sessions go on without us */
	if (d->kernel)
		sk_kernel_transport_free(d->kernel);
	if (d->user)
		sk_user_transport_free(d->user);
	sk_rediscovery_free(d);
	sk_mgmt_server_free(d->server);
	sk_timer_free(d->stop_timer);
	sk_timer_free(d->adopt_timer);
	sk_loop_free(d->loop);
}

static int serve(struct sk_daemon *d)
{
	struct sk_err err = { 0 };

	sk_daemon_conf(d);
	sk_daemon_harden(d);
	if (sk_daemon_drop(d) < 0)
		return 1;
	if (build(d, &err) < 0) {
		sk_error(SK_ROOM_DOOR, "start: %s", err.msg);
		take_down(d);
		return 1;
	}
	sk_timer_at(d->adopt_timer, sk_loop_now(d->loop) + ADOPT_MS);
	if (sk_sessions_adopt(d->sessions, begin_to_serve, d, &err) < 0) {
		sk_error(SK_ROOM_DOOR, "take over running sessions: %s", err.msg);
		begin_to_serve(d);
	}
	if (!d->failed)
		(void)sk_loop_run(d->loop);
	sk_notice(SK_ROOM_DOOR, "iscsid shutting down.");
	take_down(d);
	return d->failed;
}

int main(int argc, char *argv[])
{
	struct sk_daemon d = { .pid_fd = -1, .lock_fd = -1, .ready_fd = -1, .listen_fds = { -1, -1 } };
	int status = sk_iscsid_parse(argc, argv, &d.opts);

	if (status >= 0)
		return status;
	sk_daemon_close_inherited();
	if (places(&d) < 0)
		return 1;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sk_daemon_log_open(&d);
	if (sk_daemon_sockets(&d) < 0)
		return 1;
	if (!d.opts.foreground && sk_daemon_background(&d) < 0)
		return 1;
	return serve(&d);
}
