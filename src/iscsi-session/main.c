/* SPDX-License-Identifier: LGPL-2.1-or-later */
/** iscsi-session: the data path of one session (docs/session-process.md). iscsid starts it; people do not. */

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "config.h"
#include "iscsi-session/engine.h"
#include "iscsi-session/keeper.h"
#include "iscsi-session/logline.h"

#define BOUNDARY_FD 3	/* the engine's end of the pair, as sk_loop_spawn passes it */

struct options {
	struct sk_keeper_cfg k;
	bool engine;
	uint32_t busy_poll_us;
};

enum { OPT_SID = 256, OPT_RUNDIR, OPT_DEVDIR, OPT_USER, OPT_DEBUG, OPT_ENGINE, OPT_REACTOR, OPT_BUSY, OPT_STDERR };

static const struct option long_options[] = {
	{ "sid", required_argument, NULL, OPT_SID },	   { "rundir", required_argument, NULL, OPT_RUNDIR },
	{ "devdir", required_argument, NULL, OPT_DEVDIR }, { "user", required_argument, NULL, OPT_USER },
	{ "debug", required_argument, NULL, OPT_DEBUG },   { "engine", no_argument, NULL, OPT_ENGINE },
	{ "reactor", required_argument, NULL, OPT_REACTOR }, { "busy-poll", required_argument, NULL, OPT_BUSY },
	{ "log-stderr", no_argument, NULL, OPT_STDERR },
	{ "help", no_argument, NULL, 'h' },		   { "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static void usage(FILE *to)
{
	fputs("usage: iscsi-session --sid N [--rundir DIR] [--devdir DIR] [--user NAME] [--debug ROOMS]\n"
	      "                     [--reactor auto|epoll|io_uring] [--busy-poll US] [--log-stderr]\n"
	      "The data path of one iSCSI session; started by iscsid.\n", to);
}

static bool path_ok(const char *p)
{
	return p[0] == '/' && strlen(p) < 256;
}

/* 0 to go on, 1 to end well, -1 */
static int option(struct options *o, int c)
{
	uint64_t v;

	switch (c) {
	case OPT_SID:
		if (!sk_num_u64(optarg, strlen(optarg), 1, INT32_MAX, &v))
			return -1;
		o->k.sid = (uint32_t)v;
		return 0;
	case OPT_RUNDIR:
		o->k.rundir = optarg;
		return path_ok(optarg) ? 0 : -1;
	case OPT_DEVDIR:
		o->k.devdir = optarg;
		return path_ok(optarg) ? 0 : -1;
	case OPT_USER:
		o->k.user = optarg;
		return 0;
	case OPT_DEBUG:
		o->k.debug = optarg;
		return sk_log_rooms(optarg) ? 0 : -1;
	case OPT_ENGINE:
		o->engine = true;
		return 0;
	case OPT_REACTOR:
		o->k.reactor = optarg;
		return 0;
	case OPT_BUSY:
		if (!sk_num_u64(optarg, strlen(optarg), 0, SK_REACTOR_BUSY_MAX, &v))
			return -1;
		o->k.busy_poll = optarg;
		o->busy_poll_us = (uint32_t)v;
		return 0;
	case OPT_STDERR:
		o->k.log_stderr = true;
		return 0;
	case 'V':
		puts("iscsi-session " SK_VERSION);
		return 1;
	case 'h':
		usage(stdout);
		return 1;
	default:
		return -1;
	}
}

static int reactor_kind(const char *name, enum sk_reactor_kind *ret)
{
	static const char *const names[] = { [SK_REACTOR_AUTO] = "auto", [SK_REACTOR_EPOLL] = "epoll",
					     [SK_REACTOR_URING] = "io_uring" };

	for (size_t i = 0; i < SK_ARRAY_LEN(names); i++)
		if (!name || strcmp(name, names[i]) == 0) {
			*ret = (enum sk_reactor_kind)i;
			return 0;
		}
	return -1;
}

static void set_log(const struct options *o)
{
	unsigned rooms = o->k.debug ? sk_log_rooms(o->k.debug) : 0;

	sk_logline_start(o->k.log_stderr, o->k.sid, o->engine ? " engine" : "", rooms ? SK_LOG_DEBUG : SK_LOG_NOTICE, rooms);
}

static int run(struct options *o)
{
	struct sk_session_engine_cfg ec = { .boundary_fd = BOUNDARY_FD, .user = o->k.user, .busy_poll_us = o->busy_poll_us };
	struct sk_err err = { .msg = "" };
	int rc;

	if (reactor_kind(o->k.reactor, &ec.reactor) < 0) {
		usage(stderr);
		return EXIT_FAILURE;
	}
	set_log(o);
	rc = o->engine ? sk_session_engine(&ec, &err) : sk_keeper(&o->k, &err);
	if (rc < 0)
		sk_error(SK_ROOM_DOOR, "session %u: %s", o->k.sid, err.msg[0] ? err.msg : "ended after a failure");
	return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct options o = { .k = { .rundir = SK_RUNDIR, .devdir = "/dev", .user = "nobody" } };
	int c, rc;

	while ((c = getopt_long(argc, argv, "hV", long_options, NULL)) != -1) {
		rc = option(&o, c);
		if (rc > 0)
			return EXIT_SUCCESS;
		if (rc < 0) {
			usage(stderr);
			return EXIT_FAILURE;
		}
	}
	if (optind != argc || !o.k.sid) {
		usage(stderr);
		return EXIT_FAILURE;
	}
	return run(&o);
}
