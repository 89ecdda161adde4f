/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "iscsistart/jobs.h"
#include "iscsistart/options.h"
#include "mgmt/result.h"

/* The words of one command line, where the parser may write; and what became of them. */
static char words[24][300], *argv_of[25];

static struct sk_start_opts parse(const char *first, ...)
{
	struct sk_start_opts o;
	const char *word;
	va_list ap;
	int n = 1;

	strcpy(words[0], "iscsistart");
	argv_of[0] = words[0];
	va_start(ap, first);
	for (word = first; word; word = va_arg(ap, const char *)) {
		assert_true(n < 24 && strlen(word) < sizeof(words[0]));
		strcpy(words[n], word);
		argv_of[n] = words[n];
		n++;
	}
	va_end(ap);
	argv_of[n] = NULL;
	optind = 0; /* getopt begins anew */
	sk_start_parse(n, argv_of, &o);
	return o;
}

#define TARGET "-t", "iqn.2026-11.x:t", "-g", "2", "-a", "10.0.0.1"
#define WHOLE  "-i", "iqn.2026-11.x:i", TARGET

static void a_whole_line_is_taken(void **st)
{
	struct sk_start_opts o = parse("--initiatorname=iqn.2026-11.x:i", "--port=3261", "--username", "alice",
				       TARGET, "-c", "/x", "-d", "3", NULL);

	(void)st;
	assert_int_equal(o.what, SK_START_LOGIN);
	assert_string_equal(o.initiator, "iqn.2026-11.x:i");
	assert_string_equal(o.target, "iqn.2026-11.x:t");
	assert_string_equal(o.address, "10.0.0.1");
	assert_string_equal(o.username, "alice");
	assert_string_equal(o.conf, "/x");
	assert_int_equal(o.tpgt, 2);
	assert_int_equal(o.port, 3261);
	assert_true(o.debug);
	sk_start_opts_free(&o);
}

static void secrets_leave_the_process_list(void **st)
{
	struct sk_start_opts o = parse(WHOLE, "-w", "topsecret1234", "--password_in=othersecret12", "-P",
				       "node.session.auth.password=third secret", NULL);

	(void)st;
	assert_int_equal(o.what, SK_START_LOGIN);
	assert_string_equal(o.password, "topsecret1234");
	assert_string_equal(o.password_in, "othersecret12");
	assert_string_equal(o.params[0].value, "third secret");
	for (int i = 0; argv_of[i]; i++)
		assert_null(strstr(argv_of[i], "secret"));
	sk_start_opts_free(&o);
}

static void secrets_come_from_files_and_descriptors(void **st)
{
	char path[] = "/tmp/sk-secret-XXXXXX", arg[40];
	int fd = mkstemp(path), fds[2];
	struct sk_start_opts o;

	(void)st;
	assert_true(fd >= 0 && write(fd, "of a file\n", 10) == 10);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "of a pipe", 9), 9);
	close(fds[1]);
	snprintf(arg, sizeof(arg), "@%s", path);
	o = parse(WHOLE, "-w", arg, "-W", "@@literal", NULL);
	assert_string_equal(o.password, "of a file");
	assert_string_equal(o.password_in, "@literal");
	sk_start_opts_free(&o);

	snprintf(arg, sizeof(arg), "@fd:%d", fds[0]);
	o = parse(WHOLE, "-w", arg, NULL);
	assert_string_equal(o.password, "of a pipe");
	sk_start_opts_free(&o);

	assert_int_equal(fchmod(fd, 0644), 0); /* others may read it */
	snprintf(arg, sizeof(arg), "@%s", path);
	o = parse(WHOLE, "-w", arg, NULL);
	assert_int_equal(o.what, SK_START_OVER);
	assert_int_equal(o.status, SK_RES_INVAL);
	sk_start_opts_free(&o);
	close(fds[0]);
	close(fd);
	unlink(path);
}

static void the_first_action_ends_the_line(void **st)
{
	struct sk_start_opts o = parse("-f", "--nonsense", NULL);

	(void)st;
	assert_int_equal(o.what, SK_START_PRINT);
	sk_start_opts_free(&o);
	o = parse("-b", "-N", "-f", NULL);
	assert_int_equal(o.what, SK_START_NETWORK);
	sk_start_opts_free(&o);
	o = parse("-b", NULL); /* needs no names */
	assert_int_equal(o.what, SK_START_FIRMWARE);
	sk_start_opts_free(&o);
}

static void mistakes_are_told_with_7(void **st)
{
	static const char *const lines[][2] = {
		{ "-p", "0" },	   { "-p", "65536" }, { "-p", "x" },  { "-g", "65536" },
		{ "-g", "-1" },	   { "-P", "a" },     { "-P", "a=" }, { "-w", "@/nonexistent/secret" },
		{ "-w", "@fd:x" },
	};

	(void)st;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct sk_start_opts o = parse(WHOLE, lines[i][0], lines[i][1], NULL);

		assert_int_equal(o.what, SK_START_OVER);
		assert_int_equal(o.status, SK_RES_INVAL);
		sk_start_opts_free(&o);
	}
}

/* --- records ---------------------------------------------------------------------------------------------------
 */

static void options_make_a_record(void **st)
{
	struct sk_places places = { .conf_file = "/nonexistent/iscsid.conf" };
	struct sk_start_opts o =
		parse(WHOLE, "-u", "alice", "-w", "alicesecret12", "-P", "node.conn[0].timeo.noop_out_interval=9",
		      "-P", "node.session.cmds_max=64", NULL);
	struct sk_start_jobs jobs;
	const struct sk_record *r;

	(void)st;
	assert_int_equal(sk_start_jobs_make(&o, &places, NULL, &jobs), 0);
	assert_int_equal(jobs.n, 1);
	r = jobs.v[0].record;
	assert_string_equal(jobs.v[0].target, "iqn.2026-11.x:t");
	assert_int_equal(jobs.v[0].tpgt, 2);
	assert_string_equal(sk_record_get(r, "iface.initiatorname"), "iqn.2026-11.x:i");
	assert_string_equal(sk_record_get(r, "iface.transport_name"), "tcp");
	assert_string_equal(sk_record_get(r, "node.session.auth.password"), "alicesecret12");
	assert_int_equal(sk_record_int(r, "node.session.initial_login_retry_max"), 30);
	assert_int_equal(sk_record_int(r, "node.conn[0].timeo.noop_out_interval"), 9); /* a parameter wins */
	assert_int_equal(sk_record_int(r, "node.conn[0].timeo.noop_out_timeout"), 0);
	assert_int_equal(sk_record_int(r, "node.session.cmds_max"), 64);
	assert_string_equal(jobs.ping_interval, "9"); /* for who takes over: pings as configured */
	assert_string_equal(jobs.ping_timeout, "5");
	sk_start_jobs_free(&jobs);
	sk_start_opts_free(&o);
}

static void every_target_of_the_firmware_is_a_job(void **st)
{
	struct sk_places places = { .conf_file = "/nonexistent/iscsid.conf",
				    .name_file = "/nonexistent/initiatorname.iscsi" };
	struct sk_boot_target v[2] = {
		{ .host = -1,
		  .transport = "tcp",
		  .initiator = { "iqn.2026-11.x:me" },
		  .name = { "iqn.2026-11.x:a" },
		  .address = "10.0.0.1",
		  .port = 3260,
		  .username = "u",
		  .password = "secretsecret" },
		{ .host = -1,
		  .transport = "tcp",
		  .initiator = { "iqn.2026-11.x:me" },
		  .name = { "iqn.2026-11.x:b" },
		  .address = "2001:db8::1",
		  .port = 3261 },
	};
	struct sk_boot boot = { v, 2, true };
	struct sk_start_opts o = parse("-b", "-P", "node.session.cmds_max=64", NULL);
	struct sk_start_jobs jobs;

	(void)st;
	assert_int_equal(sk_start_jobs_make(&o, &places, &boot, &jobs), 0);
	assert_int_equal(jobs.n, 2);
	assert_string_equal(sk_record_get(jobs.v[0].record, "node.session.auth.password"), "secretsecret");
	assert_string_equal(sk_record_get(jobs.v[1].record, "node.session.auth.password"), "");
	assert_string_equal(jobs.v[1].address, "2001:db8::1");
	assert_int_equal(jobs.v[1].port, 3261);
	assert_int_equal(sk_record_int(jobs.v[1].record, "node.session.cmds_max"), 64);
	sk_start_jobs_free(&jobs);

	v[1].initiator.s[0] = '\0'; /* … and the machine has no name either */
	assert_int_equal(sk_start_jobs_make(&o, &places, &boot, &jobs), -1);
	sk_start_opts_free(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_line_is_taken),
		cmocka_unit_test(secrets_leave_the_process_list),
		cmocka_unit_test(secrets_come_from_files_and_descriptors),
		cmocka_unit_test(the_first_action_ends_the_line),
		cmocka_unit_test(mistakes_are_told_with_7),
		cmocka_unit_test(options_make_a_record),
		cmocka_unit_test(every_target_of_the_firmware_is_a_job),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
