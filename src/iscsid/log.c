/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <syslog.h>

#include "base/log.h"
#include "iscsid/daemon.h"

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

static void to_syslog(void *ctx, enum sk_level level, enum sk_room room, const char *text)
{
	static const int prio[] = { LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_DEBUG };

	(void)ctx;
	(void)room;
	syslog(LOG_DAEMON | prio[level], "%s", text);
}

void sk_daemon_log_open(const struct sk_iscsid_opts *o)
{
	enum sk_level level = o->debug ? SK_LOG_DEBUG : SK_LOG_NOTICE;

	if (!o->foreground)
		openlog("iscsid", LOG_PID | LOG_NDELAY, LOG_DAEMON);
	sk_log_to(o->foreground ? to_terminal : to_syslog, NULL, level, o->rooms);
}
