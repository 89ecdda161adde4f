/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "loop/inner.h"

/** Signals, and children: started without a shell, reaped one by one, never with waitpid(-1). */

#define FDS_MAX 16

struct sk_sig {
	uv_signal_t uv;
	struct sk_sig *next;
	sk_signal_fn *fn;
	void *ctx;
};

struct sk_child {
	struct sk_child *next;
	pid_t pid;
	int status;
	sk_exit_fn *fn; /* NULL: reaped without a word */
	void *ctx;
};

static void on_signal(uv_signal_t *uv, int signum)
{
	struct sk_sig *s = uv->data;

	s->fn(s->ctx, signum);
}

int sk_loop_signal(struct sk_loop *l, int signum, sk_signal_fn *fn, void *ctx, struct sk_err *err)
{
	struct sk_sig *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return sk_fail(err, SK_ENOMEM, "no memory");
	rc = uv_signal_init(&l->uv, &s->uv);
	if (rc < 0) {
		free(s);
		return sk_fail_uv(err, rc, "signal");
	}
	s->uv.data = s;
	s->fn = fn;
	s->ctx = ctx;
	s->next = l->signals;
	l->signals = s; /* owned by the loop from here on, started or not */
	rc = uv_signal_start(&s->uv, on_signal, signum);
	if (rc < 0)
		return sk_fail_uv(err, rc, "signal");
	return 0;
}

static void free_signal(uv_handle_t *h)
{
	free(h->data);
}

void sk_signals_release(struct sk_loop *l)
{
	for (struct sk_sig *s = l->signals, *next; s; s = next) {
		next = s->next;
		uv_close((uv_handle_t *)&s->uv, free_signal);
	}
	l->signals = NULL;
}

static void reap(void *ctx, int signum)
{
	struct sk_loop *l = ctx;
	struct sk_child **at = &l->children, *over = NULL, **end = &over;

	(void)signum;
	while (*at) { /* first collect: a callback may start another child */
		struct sk_child *c = *at;

		if (waitpid(c->pid, &c->status, WNOHANG) == 0) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		c->next = NULL;
		*end = c;
		end = &c->next;
	}
	while (over) {
		struct sk_child *c = over;

		over = c->next;
		if (c->fn)
			c->fn(c->ctx, c->status);
		free(c);
	}
}

void sk_children_release(struct sk_loop *l)
{
	for (struct sk_child *c = l->children, *next; c; c = next) {
		next = c->next;
		free(c);
	}
	l->children = NULL;
}

/* Between fork and exec: async-signal-safe calls only. */
static void become(const char *const argv[], const int *fds, unsigned n_fds, bool detach, int say)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	int high = 3 + (int)n_fds, tmp[FDS_MAX], null, moved;
	sigset_t none;

	if (detach && setsid() < 0)
		goto fail;
	moved = fcntl(say, F_DUPFD_CLOEXEC, high);
	if (moved < 0)
		goto fail;
	say = moved;
	for (unsigned i = 0; i < n_fds; i++) { /* first out of the way, so that no target is overwritten */
		tmp[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, high);
		if (tmp[i] < 0)
			goto fail;
	}
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null < 0 || dup2(null, 0) < 0)
		goto fail;
	for (unsigned i = 0; i < n_fds; i++)
		if (dup2(tmp[i], 3 + (int)i) < 0)
			goto fail;
	if (close_range((unsigned)high, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		goto fail;
	if (null == 0 && fcntl(0, F_SETFD, 0) < 0)
		goto fail;
	for (int s = 1; s < NSIG; s++)
		(void)sigaction(s, &dfl, NULL); /* refused for the few that cannot be caught */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(argv[0], (char *const *)(uintptr_t)argv);
fail:;
	int sys = errno;

	if (write(say, &sys, sizeof(sys)) < 0)
		_exit(126);
	_exit(127);
}

/* The child's errno, or 0 when it became the program (its end of the pipe closed on exec). */
static int listen_to(int pipe_fd)
{
	int sys = 0;
	ssize_t n;

	do
		n = read(pipe_fd, &sys, sizeof(sys));
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(sys) ? sys : 0;
}

int sk_loop_spawn(struct sk_loop *l, const char *const argv[], const int *fds, unsigned n_fds, bool detach,
		  sk_exit_fn *fn, void *ctx, pid_t *ret_pid, struct sk_err *err)
{
	SK_MEM struct sk_child *c = calloc(1, sizeof(*c));
	SK_FD int hear = -1;
	SK_FD int say = -1;
	sigset_t all, was;
	int sys, ends[2];
	pid_t pid;

	if (!c)
		return sk_fail(err, SK_ENOMEM, "no memory");
	if (n_fds > FDS_MAX)
		return sk_fail(err, SK_EINVAL, "%u descriptors for a child", n_fds);
	if (!l->reaping) {
		if (sk_loop_signal(l, SIGCHLD, reap, l, err) < 0)
			return -1;
		l->reaping = true;
	}
	if (pipe2(ends, O_CLOEXEC) < 0)
		return sk_fail_sys(err, errno, "start %s", argv[0]);
	hear = ends[0];
	say = ends[1];
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &was); /* the loop's handlers must not run in the child */
	pid = fork();
	if (pid == 0)
		become(argv, fds, n_fds, detach, say);
	sys = errno;
	pthread_sigmask(SIG_SETMASK, &was, NULL);
	if (pid < 0)
		return sk_fail_sys(err, sys, "start %s", argv[0]);
	sk_fd_close(&say);
	sys = listen_to(hear);
	if (sys) {
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		return sk_fail_sys(err, sys, "start %s", argv[0]);
	}
	c->pid = pid;
	c->fn = detach ? NULL : fn;
	c->ctx = ctx;
	c->next = l->children;
	l->children = sk_give(c);
	if (ret_pid)
		*ret_pid = pid;
	return 0;
}
