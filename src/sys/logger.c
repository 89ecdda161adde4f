/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/logger.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/num.h"

#define FACILITY LOG_DAEMON

static int reach(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	SK_FD int fd = -1;

	if (!path || strlen(path) >= sizeof(un.sun_path))
		return -1;
	memcpy(un.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&un, sizeof(un)) < 0)
		return -1;
	return sk_give_fd(&fd);
}

static void reach_logger(struct sk_logger *l)
{
	sk_fd_close(&l->fd);
	l->fd = reach(l->journal);
	l->to_journal = l->fd >= 0;
	if (l->fd < 0)
		l->fd = reach(l->dev);
}

void sk_logger_open(struct sk_logger *l, const char *ident, const char *journal, const char *dev)
{
	*l = (struct sk_logger){ .ident = ident, .journal = journal, .dev = dev, .fd = -1 };
	tzset(); /* reads its file now, not when a disk may be gone */
	reach_logger(l);
}

void sk_logger_close(struct sk_logger *l)
{
	sk_fd_close(&l->fd);
}

static int priority(enum sk_level level)
{
	static const int prio[] = { [SK_LOG_ERROR] = LOG_ERR,
				    [SK_LOG_WARNING] = LOG_WARNING,
				    [SK_LOG_NOTICE] = LOG_NOTICE,
				    [SK_LOG_DEBUG] = LOG_DEBUG };

	return prio[level];
}

/* journald's own form: NAME=value lines. Values hold no newline: the log's front has taken control characters out
 * of the text, and a field that has one all the same is left out. */
static void field(struct sk_buf *b, const char *name, const char *value)
{
	if (value && *value && !strchr(value, '\n'))
		sk_buf_printf(b, "%s=%s\n", name, value);
}

static void number(struct sk_buf *b, const char *name, unsigned long value)
{
	if (value)
		sk_buf_printf(b, "%s=%lu\n", name, value);
}

static void form_journal(struct sk_buf *b, const struct sk_logger *l, enum sk_level level, const char *text)
{
	const struct sk_log_subject *s = sk_log_subject();

	sk_buf_printf(b, "MESSAGE=%s\nPRIORITY=%d\nSYSLOG_FACILITY=%d\nSYSLOG_IDENTIFIER=%s\n", text,
		      priority(level), FACILITY >> 3, l->ident);
	if (!s)
		return;
	number(b, "ISCSI_SID", s->sid);
	field(b, "ISCSI_TARGET", s->target);
	field(b, "ISCSI_PORTAL", s->portal);
	field(b, "ISCSI_IFACE", s->iface);
	field(b, "ISCSI_STATE", s->state);
	field(b, "ISCSI_CAUSE", s->cause);
	number(b, "ISCSI_LOGIN_STATUS", s->login);
	if (s->sys > 0)
		number(b, s->sys >= 1001 ? "ISCSI_ERROR" : "ERRNO", (unsigned long)s->sys);
}

/* RFC 3164, as syslog(3) sends it. */
static void form_dev(struct sk_buf *b, const struct sk_logger *l, enum sk_level level, const char *text)
{
	time_t now = time(NULL);
	char when[32] = "";
	struct tm tm;

	if (localtime_r(&now, &tm))
		(void)strftime(when, sizeof(when), "%b %e %T", &tm);
	sk_buf_printf(b, "<%d>%s %s[%d]: %s", FACILITY | priority(level), when, l->ident, (int)getpid(), text);
}

/* False: it did not get through. Nobody there, or a logger that was started anew, is looked for once. */
static bool transmit(struct sk_logger *l, enum sk_level level, const char *text)
{
	for (int i = 0; i < 2; i++) {
		SK_BUF struct sk_buf b = { 0 };
		ssize_t n;

		if (l->fd < 0 || i)
			reach_logger(l);
		if (l->fd < 0)
			return false;
		if (l->to_journal)
			form_journal(&b, l, level, text);
		else
			form_dev(&b, l, level, text);
		n = b.nomem ? -1 : send(l->fd, b.p, b.n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n >= 0)
			return true;
		if (b.nomem || errno == EAGAIN || errno == ENOBUFS || errno == EMSGSIZE)
			return false;
	}
	return false;
}

void sk_logger_line(struct sk_logger *l, enum sk_level level, const char *text)
{
	char lost[80];

	if (l->dropped) {
		snprintf(lost, sizeof(lost), "%u lines were dropped: the logger did not take them", l->dropped);
		if (!transmit(l, SK_LOG_WARNING, lost)) {
			l->dropped += l->dropped < UINT32_MAX;
			return;
		}
		l->dropped = 0;
	}
	if (!transmit(l, level, text))
		l->dropped++;
}
