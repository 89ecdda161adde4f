/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_SYS_LOGGER_H
#define SK_SYS_LOGGER_H

/**
 * Lines to the system's log that never wait. syslog(3) does when the logger is stuck, and the logger may be stuck
 * because its file lies on one of our own disks. A line that does not fit now is dropped; the next one that gets
 * through says how many were. Where journald listens, lines go there with fields (ISCSI_SID=, ISCSI_TARGET= …),
 * else to /dev/log.
 */

#include "base/log.h"

#define SK_LOGGER_JOURNAL "/run/systemd/journal/socket"
#define SK_LOGGER_DEV	  "/dev/log"

struct sk_logger {
	const char *ident;	   /* lent: the program's name */
	const char *journal, *dev; /* lent: paths of the sockets; NULL = there is none */
	int fd;			   /* -1: nobody listens */
	bool to_journal;
	unsigned dropped; /* lines since the last that got through */
};

/** sk_logger_open - connect now, while everything is allowed; nobody there is no error, each line tries again */
void sk_logger_open(struct sk_logger *l, const char *ident, const char *journal, const char *dev);
/** sk_logger_line - send one line; what it is about comes from sk_log_subject(). Never waits */
void sk_logger_line(struct sk_logger *l, enum sk_level level, const char *text);
void sk_logger_close(struct sk_logger *l);

#endif
