/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "loop/loop.h"

struct world {
	struct sk_loop *l;
	struct sk_job *job;
	struct sk_addrs addrs;
	struct sk_err err;
	bool failed;
	unsigned told, released, exits;
	atomic_uint worked;
	int status[2];
	int go[2]; /* a worker waits for a byte here */
};

static int setup(void **st)
{
	struct world *w = calloc(1, sizeof(*w));

	w->l = sk_loop_new(NULL);
	*st = w;
	return w->l && pipe2(w->go, O_CLOEXEC) == 0 ? 0 : -1;
}

static int teardown(void **st)
{
	struct world *w = *st;

	sk_loop_free(w->l);
	sk_fd_close(&w->go[0]);
	sk_fd_close(&w->go[1]);
	free(w);
	return 0;
}

static void on_addrs(void *ctx, const struct sk_addrs *addrs, const struct sk_err *err)
{
	struct world *w = ctx;

	w->told++;
	w->failed = err != NULL;
	if (err)
		w->err = *err;
	else
		w->addrs = *addrs;
	sk_job_cancel(w->job); /* from its own callback: nothing to cancel */
	sk_loop_stop(w->l);
}

static void a_numeric_host_is_told_later_too(void **st)
{
	struct world *w = *st;
	struct sockaddr_in6 *six;

	w->job = sk_loop_resolve(w->l, "::1", 3260, on_addrs, w, NULL);
	assert_non_null(w->job);
	assert_int_equal(w->told, 0);
	sk_loop_run(w->l);
	assert_int_equal(w->told, 1);
	assert_int_equal(w->addrs.n, 1);
	six = (struct sockaddr_in6 *)&w->addrs.a[0];
	assert_int_equal(six->sin6_family, AF_INET6);
	assert_int_equal(ntohs(six->sin6_port), 3260);
}

static void a_name_is_looked_up_in_a_thread(void **st)
{
	struct world *w = *st;

	w->job = sk_loop_resolve(w->l, "localhost", 1, on_addrs, w, NULL);
	assert_non_null(w->job);
	sk_loop_run(w->l);
	assert_int_equal(w->told, 1);
	assert_false(w->failed);
	assert_true(w->addrs.n >= 1);
}

static void a_name_that_is_none_fails_with_the_resolvers_words(void **st)
{
	struct world *w = *st;

	w->job = sk_loop_resolve(w->l, "no..such..name", 1, on_addrs, w,
				 NULL); /* empty label: no question is sent */
	assert_non_null(w->job);
	sk_loop_run(w->l);
	assert_true(w->failed);
	assert_int_equal(w->err.code, SK_ERESOLVE);
	assert_non_null(strstr(w->err.msg, "cannot resolve host name no..such..name: "));
}

static void an_overlong_or_empty_name_is_refused(void **st)
{
	struct world *w = *st;
	char host[400];
	struct sk_err err = { 0 };

	memset(host, 'a', sizeof(host) - 1);
	host[sizeof(host) - 1] = '\0';
	assert_null(sk_loop_resolve(w->l, host, 1, on_addrs, w, &err));
	assert_int_equal(err.code, SK_EINVAL);
	assert_null(sk_loop_resolve(w->l, "", 1, on_addrs, w, &err));
}

static void cancelled_lookups_are_not_told(void **st)
{
	struct world *w = *st;
	struct sk_job *j;

	sk_job_cancel(NULL);
	sk_job_cancel(sk_loop_resolve(w->l, "127.0.0.1", 1, on_addrs, w, NULL));
	for (int i = 0; i < 100; i++) { /* more than there are threads */
		j = sk_loop_resolve(w->l, "localhost", 1, on_addrs, w, NULL);
		assert_non_null(j);
		sk_job_cancel(j);
	}
	w->job = NULL;
	assert_non_null(sk_loop_resolve(w->l, "localhost", 1, on_addrs, w, NULL));
	sk_loop_run(w->l);
	assert_int_equal(w->told, 1);
}

static void a_loop_ends_with_lookups_under_way(void **st)
{
	struct world *w = *st;

	for (int i = 0; i < 80; i++)
		assert_non_null(sk_loop_resolve(w->l, i % 2 ? "localhost" : "127.0.0.1", 1, on_addrs, w, NULL));
	sk_loop_free(w->l);
	w->l = NULL;
	assert_int_equal(w->told, 0);
}

static void work(void *ctx)
{
	struct world *w = ctx;
	char c;

	if (read(w->go[0], &c, 1) == 1)
		w->worked++;
}

static void done(void *ctx)
{
	struct world *w = ctx;

	w->told++;
	sk_loop_stop(w->l);
}

static void release(void *ctx)
{
	struct world *w = ctx;

	w->released++;
	sk_loop_stop(w->l);
}

static void work_runs_elsewhere_and_is_told_here(void **st)
{
	struct world *w = *st;

	assert_non_null(sk_loop_work(w->l, work, done, w, NULL));
	assert_int_equal(write(w->go[1], "x", 1), 1);
	sk_loop_run(w->l);
	assert_int_equal(w->told, 1);
	assert_int_equal(w->worked, 1);
}

static void abandoned_work_releases_its_context_when_over(void **st)
{
	struct world *w = *st;
	struct sk_job *j = sk_loop_work(w->l, work, done, w, NULL);

	assert_non_null(j);
	sk_job_abandon(j, release);
	assert_int_equal(w->released, 0);
	assert_int_equal(write(w->go[1], "x", 1), 1);
	sk_loop_run(w->l);
	assert_int_equal(w->told, 0);
	assert_int_equal(w->released, 1);
}

static void on_exit_of(void *ctx, int status)
{
	struct world *w = ctx;

	w->status[w->exits++ % 2] = status;
	sk_loop_stop(w->l);
}

static void a_child_gets_exactly_its_descriptors(void **st)
{
	struct world *w = *st;
	int out[2], extra = open("/dev/zero", O_RDONLY); /* not close-on-exec, and yet not passed on */
	char got[200] = "";
	size_t n = 0;
	ssize_t r;
	/* 4 is our pipe; 3 reads from go; whatever else is open would be listed */
	const char *argv[] = {
		"/bin/sh", "-c",
		"read x <&3; cd /proc/$$/fd; for f in *; do case $f in 0|1|2) ;; *) echo $f $x >&4;; esac; done; "
		"readlink 0 >&4; exit 7",
		NULL
	};

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	int fds[] = { w->go[0], out[1] };
	assert_int_equal(sk_loop_spawn(w->l, argv, fds, 2, false, on_exit_of, w, NULL, NULL), 0);
	close(out[1]);
	assert_int_equal(write(w->go[1], "hi\n", 3), 3);
	while ((r = read(out[0], got + n, sizeof(got) - 1 - n)) > 0)
		n += (size_t)r;
	close(out[0]);
	close(extra);
	sk_loop_run(w->l);
	assert_int_equal(w->exits, 1);
	assert_true(WIFEXITED(w->status[0]));
	assert_int_equal(WEXITSTATUS(w->status[0]), 7);
	/* the shell may hold one of its own (10 and up) while it works */
	assert_true(!strncmp(got, "3 hi\n4 hi\n", 10) || !strncmp(got, "10 hi\n3 hi\n4 hi\n", 16));
	assert_non_null(strstr(got, "/dev/null\n"));
}

static void descriptors_may_be_crossed(void **st)
{
	struct world *w = *st;
	int a[2], b[2], lo, hi;
	char got[3] = "";
	const char *argv[] = { "/bin/sh", "-c", "printf A >&3; printf B >&4", NULL };

	assert_int_equal(pipe2(a, O_CLOEXEC), 0);
	assert_int_equal(pipe2(b, O_CLOEXEC), 0);
	lo = a[1] < b[1] ? a[1] : b[1];
	hi = a[1] < b[1] ? b[1] : a[1];
	int fds[] = { hi, lo }; /* the order of the numbers turned round */
	assert_int_equal(sk_loop_spawn(w->l, argv, fds, 2, false, on_exit_of, w, NULL, NULL), 0);
	sk_loop_run(w->l);
	assert_int_equal(read(hi == a[1] ? a[0] : b[0], got, 1), 1);
	assert_int_equal(read(lo == a[1] ? a[0] : b[0], got + 1, 1), 1);
	assert_string_equal(got, "AB");
	close(a[0]), close(a[1]), close(b[0]), close(b[1]);
}

static void a_program_that_is_not_there_is_an_error_at_once(void **st)
{
	struct world *w = *st;
	const char *argv[] = { "/no/such/program", NULL };
	struct sk_err err = { 0 };

	assert_int_equal(sk_loop_spawn(w->l, argv, NULL, 0, false, on_exit_of, w, NULL, &err), -1);
	assert_int_equal(err.sys, ENOENT);
	assert_string_equal(err.msg, "start /no/such/program: No such file or directory");
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nothing left to reap */
}

static void a_detached_child_leads_its_session_and_is_reaped_silently(void **st)
{
	struct world *w = *st;
	const char *argv[] = { "/bin/sh", "-c", "read x <&3", NULL };
	const char *quick[] = { "/bin/true", NULL };
	pid_t pid = 0, mine;

	assert_int_equal(sk_loop_spawn(w->l, argv, w->go, 1, true, on_exit_of, w, &pid, NULL), 0);
	assert_int_equal(getsid(pid), pid);
	assert_int_equal(write(w->go[1], "\n", 1), 1);
	mine = fork(); /* a child somebody else started is not touched */
	if (mine == 0)
		_exit(3);
	do {
		assert_int_equal(sk_loop_spawn(w->l, quick, NULL, 0, false, on_exit_of, w, NULL, NULL), 0);
		sk_loop_run(w->l);
	} while (kill(pid, 0) == 0);
	assert_true(WIFEXITED(w->status[0]) && WEXITSTATUS(w->status[0]) == 0);
	int status = 0;
	assert_int_equal(waitpid(mine, &status, 0), mine);
	assert_int_equal(WEXITSTATUS(status), 3);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_numeric_host_is_told_later_too),
		T(a_name_is_looked_up_in_a_thread),
		T(a_name_that_is_none_fails_with_the_resolvers_words),
		T(an_overlong_or_empty_name_is_refused),
		T(cancelled_lookups_are_not_told),
		T(a_loop_ends_with_lookups_under_way),
		T(work_runs_elsewhere_and_is_told_here),
		T(abandoned_work_releases_its_context_when_over),
		T(a_child_gets_exactly_its_descriptors),
		T(descriptors_may_be_crossed),
		T(a_program_that_is_not_there_is_an_error_at_once),
		T(a_detached_child_leads_its_session_and_is_reaped_silently),
	};

	return cmocka_run_group_tests_name("loop jobs", tests, NULL, NULL);
}
