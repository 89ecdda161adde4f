/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "base/log.h"
#include "iscsid/daemon.h"
#include "sys/logger.h"

/* Foreground: what happened bare on stdout, what is wrong on stderr with our name (spec: cli.md 12). */
static void to_terminal(void *ctx, enum sk_level level, enum sk_room room, const char *text)
{
	(void)ctx;
	(void)room;
	if (level == SK_LOG_NOTICE)
		fprintf(stdout, "%s\n", text);
	else
		fprintf(stderr, "iscsid: %s\n", text);
	fflush(stdout);
}

static void to_system(void *ctx, enum sk_level level, enum sk_room room, const char *text)
{
	(void)room;
	sk_logger_line(ctx, level, text);
}

void sk_daemon_log_open(struct sk_daemon *d)
{
	enum sk_level level = d->opts.debug ? SK_LOG_DEBUG : SK_LOG_NOTICE;

	if (d->opts.foreground) {
		sk_log_to(to_terminal, NULL, level, d->opts.rooms);
		return;
	}
	sk_logger_open(&d->log, "iscsid", SK_LOGGER_JOURNAL, SK_LOGGER_DEV);
	sk_log_to(to_system, &d->log, level, d->opts.rooms);
}
