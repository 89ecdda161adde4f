/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "sys/logger.h"

static char dir[64], journal[96], dev[96];

static int listen_at(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	(void)unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	return fd;
}

static const char *heard(int fd)
{
	static char buf[4096];
	ssize_t n = recv(fd, buf, sizeof(buf) - 1, 0);

	buf[n < 0 ? 0 : n] = '\0';
	return buf;
}

static int setup(void **st)
{
	(void)st;
	snprintf(dir, sizeof(dir), "/tmp/sk-syslog-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(journal, sizeof(journal), "%s/journal", dir);
	snprintf(dev, sizeof(dev), "%s/log", dir);
	return 0;
}

static int teardown(void **st)
{
	(void)st;
	(void)unlink(journal);
	(void)unlink(dev);
	return rmdir(dir);
}

static void sink(void *ctx, enum sk_level level, enum sk_room room, const char *text)
{
	(void)room;
	sk_logger_line(ctx, level, text);
}

static void journald_gets_fields(void **st)
{
	const struct sk_log_subject about = { .sid = 7,
					      .target = "iqn.2026-11.x:t",
					      .portal = "192.0.2.1,3260",
					      .state = "BACKOFF",
					      .cause = "cannot connect",
					      .sys = 111 };
	struct sk_logger l;
	const char *got;
	int fd = listen_at(journal);

	(void)st;
	sk_logger_open(&l, "iscsid", journal, dev);
	sk_log_to(sink, &l, SK_LOG_NOTICE, 0);
	sk_log_of(&about, SK_LOG_WARNING, SK_ROOM_SESSION, "a line\nof two");
	got = heard(fd);
	assert_string_equal(
		got, "MESSAGE=a line?of two\nPRIORITY=4\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=iscsid\nISCSI_SID=7\n"
		     "ISCSI_TARGET=iqn.2026-11.x:t\nISCSI_PORTAL=192.0.2.1,3260\nISCSI_STATE=BACKOFF\n"
		     "ISCSI_CAUSE=cannot connect\nERRNO=111\n");
	sk_notice(SK_ROOM_SESSION, "another");
	assert_null(strstr(heard(fd), "ISCSI_")); /* the subject was of its own line only */
	sk_log_to(NULL, NULL, SK_LOG_NOTICE, 0);
	sk_logger_close(&l);
	close(fd);
}

static void without_journald_as_syslog_does(void **st)
{
	struct sk_logger l;
	char end[64];
	const char *got;
	int fd = listen_at(dev);

	(void)st;
	sk_logger_open(&l, "iscsid", journal, dev);
	sk_logger_line(&l, SK_LOG_ERROR, "it broke");
	got = heard(fd);
	snprintf(end, sizeof(end), " iscsid[%d]: it broke", (int)getpid());
	assert_int_equal(strncmp(got, "<27>", 4), 0);
	assert_string_equal(got + strlen(got) - strlen(end), end);
	sk_logger_close(&l);
	close(fd);
}

/* Nobody reads: each call returns, lines are dropped, and the next that gets through says how many. */
static void a_stuck_logger_holds_nobody_up(void **st)
{
	struct sk_logger l;
	int fd = listen_at(dev);
	unsigned dropped, n = 0;
	char want[80];

	(void)st;
	sk_logger_open(&l, "iscsid", NULL, dev);
	for (unsigned i = 0; i < 20000; i++) /* a call that waited would never return: nobody reads */
		sk_logger_line(&l, SK_LOG_NOTICE, "one of many");
	dropped = l.dropped;
	assert_true(dropped > 1000);
	while (heard(fd)[0])
		n++;
	assert_int_equal(n + dropped, 20000);
	sk_logger_line(&l, SK_LOG_NOTICE, "afterwards");
	snprintf(want, sizeof(want), "%u lines were dropped", dropped);
	assert_non_null(strstr(heard(fd), want));
	assert_non_null(strstr(heard(fd), "afterwards"));
	assert_int_equal(l.dropped, 0);
	sk_logger_close(&l);
	close(fd);
}

static void a_logger_that_was_started_anew_is_found(void **st)
{
	struct sk_logger l;
	int fd = listen_at(dev);

	(void)st;
	sk_logger_open(&l, "iscsid", NULL, dev);
	close(fd);
	fd = listen_at(dev);
	sk_logger_line(&l, SK_LOG_NOTICE, "after its restart");
	assert_non_null(strstr(heard(fd), "after its restart"));
	close(fd);
	(void)unlink(dev);
	sk_logger_line(&l, SK_LOG_NOTICE, "to nobody"); /* no logger at all */
	sk_logger_line(&l, SK_LOG_NOTICE, "to nobody");
	assert_int_equal(l.dropped, 2);
	fd = listen_at(dev);
	sk_logger_line(&l, SK_LOG_NOTICE, "back");
	assert_non_null(strstr(heard(fd), "2 lines were dropped"));
	assert_non_null(strstr(heard(fd), "back"));
	sk_logger_close(&l);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(journald_gets_fields, setup, teardown),
		cmocka_unit_test_setup_teardown(without_journald_as_syslog_does, setup, teardown),
		cmocka_unit_test_setup_teardown(a_stuck_logger_holds_nobody_up, setup, teardown),
		cmocka_unit_test_setup_teardown(a_logger_that_was_started_anew_is_found, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
