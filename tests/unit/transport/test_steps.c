/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "transport/kernel/inner.h"

/** The sequences of commands, against a kernel played on a pair of sockets: old ones and unwilling ones too. */

#define HANDLE 42
#define SEEN_MAX 128

struct fake {
	int ours, theirs;
	pthread_t thread;
	struct sk_places places;
	char dir[64];
	/* how it is */
	bool no_async;
	int refuse_bind;	/* so often: the connection waits for STOP_CONN */
	uint32_t bad_param;	/* this one is EINVAL; 0: none */
	uint32_t unknown_param; /* this one is ENOSYS; 0: none */
	/* what it saw */
	uint16_t seen[SEEN_MAX];
	unsigned n_seen, datagrams;
	uint32_t sids;
};

static uint32_t word(const uint8_t *msg, unsigned at)
{
	uint32_t v;

	memcpy(&v, msg + at, 4);
	return v;
}

/* errno of the answer to one command; what else it says goes to r[] */
static int act(struct fake *f, const uint8_t *msg, uint16_t command, uint32_t r[4])
{
	uint64_t handle;

	memcpy(&handle, msg + 24, 8);
	if (handle != HANDLE)
		return EINVAL;
	if (command == SK_NL_CREATE_SESSION) {
		r[0] = ++f->sids;
		r[1] = 7;
	}
	if (command == SK_NL_DESTROY_SESSION_ASYNC && f->no_async)
		return ENOSYS;
	if (command == SK_NL_STOP_CONN)
		f->refuse_bind = 0;
	if (command == SK_NL_BIND_CONN && f->refuse_bind) {
		r[0] = (uint32_t)-ENOTCONN;
		return 0;
	}
	if (command == SK_NL_SET_PARAM && f->refuse_bind)
		return ENOTCONN;
	if (command == SK_NL_SET_PARAM && f->bad_param && word(msg, 40) == f->bad_param)
		return EINVAL;
	if (command == SK_NL_SET_PARAM && f->unknown_param && word(msg, 40) == f->unknown_param)
		return ENOSYS;
	return 0;
}

static void answer(struct fake *f, const uint8_t *msg, uint16_t command)
{
	uint8_t out[SK_NL_HEAD] = { 0 };
	uint32_t r[4] = { 0 }, len = sizeof(out), type = command;
	int32_t refused = -act(f, msg, command, r);

	if (refused)
		type = SK_NL_EV_IF_ERROR;
	memcpy(out, &len, 4);
	memcpy(out + 4, &command, 2);
	memcpy(out + 16, &type, 4);
	memcpy(out + 20, &refused, 4);
	memcpy(out + 56, r, sizeof(r));
	if (send(f->theirs, out, sizeof(out), MSG_NOSIGNAL) < 0)
		abort();
}

static void *kernel(void *ctx)
{
	struct fake *f = ctx;
	static _Alignas(8) uint8_t buf[1 << 16];
	ssize_t n;

	while ((n = recv(f->theirs, buf, sizeof(buf), 0)) > 0) {
		size_t at = 0, begin = 0;
		uint16_t command;

		f->datagrams++;
		while ((command = sk_nl_command(sk_span(buf, (size_t)n), &at)) != 0) {
			if (f->n_seen < SEEN_MAX)
				f->seen[f->n_seen++] = command;
			answer(f, buf + begin, command);
			begin = (at + 3) & ~(size_t)3;
		}
	}
	return NULL;
}

static void put(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void run(const char *what, const struct fake *f, const char *below)
{
	char cmd[300];

	snprintf(cmd, sizeof(cmd), "%s %s%s", what, f->dir, below);
	assert_int_equal(system(cmd), 0);
}

static int setup(void **st)
{
	struct fake *f = calloc(1, sizeof(*f));
	char path[200];
	int fds[2];

	snprintf(f->dir, sizeof(f->dir), "/tmp/siskin-steps-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->places.rundir, sizeof(f->places.rundir), "%s/run", f->dir);
	snprintf(f->places.sysfs, sizeof(f->places.sysfs), "%s/sys", f->dir);
	run("mkdir -p", f, "/run/session");
	run("mkdir -p", f, "/sys/class/iscsi_transport/tcp");
	snprintf(path, sizeof(path), "%s/sys/class/iscsi_transport/tcp/handle", f->dir);
	put(path, "42\n");
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	f->ours = fds[0];
	f->theirs = fds[1];
	assert_int_equal(pthread_create(&f->thread, NULL, kernel, f), 0);
	*st = f;
	return 0;
}

static int teardown(void **st)
{
	struct fake *f = *st;

	close(f->ours);
	pthread_join(f->thread, NULL);
	close(f->theirs);
	run("rm -r", f, "");
	free(f);
	return 0;
}

/* --- one session ------------------------------------------------------------------------------------------------- */

struct world {
	struct sk_kernel k;
	struct sk_kobj o;
	struct sk_kcmd c;
	struct sk_kparams params;
};

static void begin(struct world *w, struct fake *f)
{
	memset(w, 0, sizeof(*w));
	w->k.t.places = &f->places;
	w->k.cmd_fd = f->ours;
	w->c = (struct sk_kcmd){ .k = &w->k, .o = &w->o, .params = &w->params, .fd = 9, .fresh = true, .cmds_max = 128 };
	w->params.n = 2;
	w->params.p[0] = (struct sk_kparam){ .number = SK_NLP_TARGET_NAME, .text = "iqn.2026-01.x:t" };
	w->params.p[1] = (struct sk_kparam){ .number = SK_NLP_ABORT_TMO, .text = "15" };
}

static void saw(const struct fake *f, const uint16_t *commands, unsigned n)
{
	assert_int_equal(f->n_seen, n);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(f->seen[i], commands[i]);
}
#define SAW(f, ...)                                                                                                          \
	do {                                                                                                                 \
		const uint16_t saw_[] = { __VA_ARGS__ };                                                                     \
		saw(f, saw_, SK_ARRAY_LEN(saw_));                                                                            \
	} while (0)

static void a_session_is_made_with_two_messages(void **st)
{
	struct fake *f = *st;
	struct sk_err err = { 0 };
	struct world w;

	begin(&w, f);
	assert_int_equal(sk_kstep_attach(&w.c, &err), 0);
	SAW(f, SK_NL_CREATE_SESSION, SK_NL_CREATE_CONN, SK_NL_BIND_CONN, SK_NL_SET_PARAM, SK_NL_SET_PARAM);
	assert_int_equal(f->datagrams, 2);
	assert_true(w.o.session && w.o.conn);
	assert_int_equal(w.o.sid, 1);
	assert_int_equal(w.o.host, 7);
	assert_true(w.k.handle == HANDLE);
}

static void a_handle_of_before_the_module_was_loaded_anew_is_looked_up(void **st)
{
	struct fake *f = *st;
	struct sk_err err = { 0 };
	struct world w;

	begin(&w, f);
	w.k.handle = 41;
	assert_int_equal(sk_kstep_attach(&w.c, &err), 0);
	SAW(f, SK_NL_CREATE_SESSION, SK_NL_CREATE_SESSION, SK_NL_CREATE_CONN, SK_NL_BIND_CONN, SK_NL_SET_PARAM, SK_NL_SET_PARAM);
	assert_true(w.o.handle == HANDLE);
}

static void an_id_of_a_user_session_is_given_back(void **st)
{
	struct fake *f = *st;
	struct sk_err err = { 0 };
	struct world w;

	begin(&w, f);
	run("mkdir", f, "/run/session/1");
	assert_int_equal(sk_kstep_attach(&w.c, &err), 0);
	assert_int_equal(w.o.sid, 2);
	assert_int_equal(f->seen[1], SK_NL_DESTROY_SESSION);
}

static void a_connection_the_kernel_cleaned_up_is_stopped_first(void **st)
{
	struct fake *f = *st;
	struct sk_err err = { 0 };
	struct world w;

	begin(&w, f);
	w.c.fresh = false;
	w.o = (struct sk_kobj){ .handle = HANDLE, .sid = 5, .session = true, .conn = true };
	f->refuse_bind = 1;
	assert_int_equal(sk_kstep_attach(&w.c, &err), 0);
	SAW(f, SK_NL_BIND_CONN, SK_NL_SET_PARAM, SK_NL_SET_PARAM, SK_NL_STOP_CONN, SK_NL_BIND_CONN, SK_NL_SET_PARAM,
	    SK_NL_SET_PARAM);
}

static void a_parameter_a_kernel_does_not_know_is_done_without(void **st)
{
	struct fake *f = *st;
	struct sk_err err = { 0 };
	struct world w;

	begin(&w, f);
	f->unknown_param = SK_NLP_ABORT_TMO;
	assert_int_equal(sk_kstep_attach(&w.c, &err), 0);
	f->bad_param = SK_NLP_TARGET_NAME;
	assert_int_equal(sk_kstep_start(&w.c, &err), -1);
	assert_non_null(strstr(err.msg, "parameter 15"));
	assert_int_equal(f->seen[f->n_seen - 1], SK_NL_SET_PARAM); /* nothing is started with half of what was agreed */
	f->bad_param = 0;
	assert_int_equal(sk_kstep_start(&w.c, &err), 0);
	assert_int_equal(f->seen[f->n_seen - 1], SK_NL_START_CONN);
}

static void a_session_ends_with_one_message(void **st)
{
	struct fake *f = *st;
	struct sk_err err = { 0 };
	struct world w;

	begin(&w, f);
	w.o = (struct sk_kobj){ .handle = HANDLE, .sid = 5, .session = true, .conn = true };
	assert_int_equal(sk_kstep_destroy(&w.c, &err), 0);
	SAW(f, SK_NL_STOP_CONN, SK_NL_DESTROY_CONN, SK_NL_DESTROY_SESSION_ASYNC);
	assert_int_equal(f->datagrams, 1);
	assert_true(w.c.flag); /* an event will tell when it is gone */
	assert_false(w.o.session || w.o.conn);
}

static void a_kernel_that_cannot_destroy_in_the_background_is_asked_once(void **st)
{
	struct fake *f = *st;
	struct sk_err err = { 0 };
	struct world w;

	begin(&w, f);
	f->no_async = true;
	for (int i = 0; i < 2; i++) {
		w.o = (struct sk_kobj){ .handle = HANDLE, .sid = 5, .session = true, .conn = true };
		assert_int_equal(sk_kstep_destroy(&w.c, &err), 0);
		assert_false(w.c.flag); /* it is gone already */
		assert_false(w.o.session || w.o.conn);
	}
	SAW(f, SK_NL_STOP_CONN, SK_NL_DESTROY_CONN, SK_NL_DESTROY_SESSION_ASYNC, SK_NL_DESTROY_SESSION, SK_NL_STOP_CONN,
	    SK_NL_DESTROY_CONN, SK_NL_DESTROY_SESSION);
}

/* --- what is found ----------------------------------------------------------------------------------------------- */

static void a_session_is_judged_with_and_without_a_state_of_its_connection(void **st)
{
	static const struct {
		struct sk_sys_life life;
		bool failed_meanwhile;
		enum sk_xsess_health health;
	} rows[] = {
		{ { .session = "LOGGED_IN", .conn = "up" }, false, SK_HEALTH_LOGGED_IN },
		{ { .session = "LOGGED_IN" }, false, SK_HEALTH_LOGGED_IN }, /* kernels before 5.10 have no such attribute */
		{ { .session = "LOGGED_IN", .conn = "failed" }, false, SK_HEALTH_FAILED },
		{ { .session = "LOGGED_IN", .conn = "down" }, false, SK_HEALTH_FAILED },
		{ { .session = "LOGGED_IN" }, true, SK_HEALTH_FAILED },
		{ { .session = "FAILED" }, false, SK_HEALTH_FAILED },
		{ { .session = "FREE" }, false, SK_HEALTH_FREE },
	};

	(void)st;
	for (size_t i = 0; i < SK_ARRAY_LEN(rows); i++)
		assert_int_equal(sk_kernel_health(&rows[i].life, rows[i].failed_meanwhile), rows[i].health);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_session_is_made_with_two_messages, setup, teardown),
		cmocka_unit_test_setup_teardown(a_handle_of_before_the_module_was_loaded_anew_is_looked_up, setup, teardown),
		cmocka_unit_test_setup_teardown(an_id_of_a_user_session_is_given_back, setup, teardown),
		cmocka_unit_test_setup_teardown(a_connection_the_kernel_cleaned_up_is_stopped_first, setup, teardown),
		cmocka_unit_test_setup_teardown(a_parameter_a_kernel_does_not_know_is_done_without, setup, teardown),
		cmocka_unit_test_setup_teardown(a_session_ends_with_one_message, setup, teardown),
		cmocka_unit_test_setup_teardown(a_kernel_that_cannot_destroy_in_the_background_is_asked_once, setup, teardown),
		cmocka_unit_test(a_session_is_judged_with_and_without_a_state_of_its_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
