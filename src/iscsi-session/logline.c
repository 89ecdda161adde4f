/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "iscsi-session/logline.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/num.h"

static struct {		/* the log's sink is one for the process */
	int fd;
	uint32_t sid;
	const char *role;
} out = { .fd = -1, .role = "" };

static void reach_logger(void)
{
	const struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };

	if (out.fd >= 0)
		close(out.fd);
	out.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (out.fd >= 0 && connect(out.fd, (const struct sockaddr *)&un, sizeof(un)) < 0) {
		close(out.fd);
		out.fd = -1;
	}
}

/* RFC 3164, as syslog(3) sends it */
static void to_logger(void *ctx, enum sk_level level, enum sk_room room, const char *text)
{
	static const int prio[] = { [SK_LOG_ERROR] = LOG_ERR, [SK_LOG_WARNING] = LOG_WARNING,
				    [SK_LOG_NOTICE] = LOG_NOTICE, [SK_LOG_DEBUG] = LOG_DEBUG };
	char line[1024], when[32] = "";
	time_t now = time(NULL);
	struct tm tm;
	int n;

	(void)ctx;
	(void)room;
	if (localtime_r(&now, &tm))
		(void)strftime(when, sizeof(when), "%b %e %T", &tm);
	n = snprintf(line, sizeof(line), "<%d>%s iscsi-session[%d]: %s", LOG_DAEMON | prio[level], when, (int)getpid(), text);
	if (n < 0)
		return;
	n = SK_MIN(n, (int)sizeof(line) - 1);
	if (out.fd < 0)
		reach_logger();
	if (out.fd >= 0 && send(out.fd, line, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN) {
		reach_logger();		/* it was started anew */
		if (out.fd >= 0)
			(void)send(out.fd, line, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
}

static void to_stderr_line(void *ctx, enum sk_level level, enum sk_room room, const char *text)
{
	static const char *const words[] = { [SK_LOG_ERROR] = "error", [SK_LOG_WARNING] = "warning",
					     [SK_LOG_NOTICE] = "notice", [SK_LOG_DEBUG] = "debug" };

	(void)ctx;
	(void)room;
	fprintf(stderr, "iscsi-session[%u]%s %s: %s\n", out.sid, out.role, words[level], text);
}

void sk_logline_start(bool to_stderr, uint32_t sid, const char *role, enum sk_level level, unsigned rooms)
{
	out.sid = sid;
	out.role = role;
	if (!to_stderr) {
		tzset();		/* reads its file now, not when a disk may be gone */
		reach_logger();
	}
	sk_log_to(to_stderr ? to_stderr_line : to_logger, NULL, level, rooms);
}
