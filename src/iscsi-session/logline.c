/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "iscsi-session/logline.h"

#include <stdio.h>

#include "sys/logger.h"

static struct { /* the log's sink is one for the process */
	struct sk_logger to;
	uint32_t sid;
	const char *role;
} out = { .role = "" };

static void to_logger(void *ctx, enum sk_level level, enum sk_room room, const char *text)
{
	(void)room;
	sk_logger_line(ctx, level, text);
}

static void to_stderr_line(void *ctx, enum sk_level level, enum sk_room room, const char *text)
{
	static const char *const words[] = { [SK_LOG_ERROR] = "error",
					     [SK_LOG_WARNING] = "warning",
					     [SK_LOG_NOTICE] = "notice",
					     [SK_LOG_DEBUG] = "debug" };

	(void)ctx;
	(void)room;
	fprintf(stderr, "iscsi-session[%u]%s %s: %s\n", out.sid, out.role, words[level], text);
}

void sk_logline_start(bool to_stderr, uint32_t sid, const char *role, enum sk_level level, unsigned rooms)
{
	out.sid = sid;
	out.role = role;
	if (!to_stderr)
		sk_logger_open(&out.to, "iscsi-session", SK_LOGGER_JOURNAL, SK_LOGGER_DEV);
	sk_log_to(to_stderr ? to_stderr_line : to_logger, &out.to, level, rooms);
}
