/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs a program up to its N-th system call that changes the file system below a directory, and there kills it or has
 * the call fail. Calls that change nothing need no cut: dying before one is dying before the next that does.
 *
 *	cutoff N kill|ENOSPC|EROFS|EIO|EDQUOT DIR PROGRAM ARGUMENT…
 *
 * Exit status: the program's; 137 when it was killed; 200 when it ended before its N-th such call; 201: no tracing here.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __x86_64__

static const char *root;

/* Does the descriptor lie below the directory? */
static bool below(pid_t pid, unsigned long long fd)
{
	char link[64], path[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)pid, (int)fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return false;
	path[n] = '\0';
	return strncmp(path, root, strlen(root)) == 0;
}

static bool creates(pid_t pid, const struct user_regs_struct *r)
{
	unsigned long long flags = r->rdx;

	if (r->orig_rax == SYS_openat2) {
		struct iovec mine = { &flags, sizeof(flags) }, its = { (void *)(uintptr_t)r->rdx, sizeof(flags) };

		if (process_vm_readv(pid, &mine, 1, &its, 1, 0) < 0)
			return false;
	}
	return flags & O_CREAT;
}

static bool changes(pid_t pid, const struct user_regs_struct *r)
{
	switch (r->orig_rax) {
	case SYS_openat:
	case SYS_openat2:
		return creates(pid, r) && below(pid, r->rdi);
	case SYS_write:
	case SYS_pwrite64:
	case SYS_writev:
	case SYS_ftruncate:
	case SYS_fchmod:
	case SYS_fsync:
	case SYS_fdatasync:
	case SYS_syncfs:
	case SYS_mkdirat:
	case SYS_unlinkat:
	case SYS_renameat:
	case SYS_renameat2:
	case SYS_linkat:
		return below(pid, r->rdi);
	case SYS_symlinkat:
		return below(pid, r->rsi);
	}
	return false;
}

static int error_of(const char *word)
{
	static const struct {
		const char *word;
		int sys;
	} errors[] = { { "ENOSPC", ENOSPC }, { "EROFS", EROFS }, { "EIO", EIO }, { "EDQUOT", EDQUOT } };

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (strcmp(word, errors[i].word) == 0)
			return errors[i].sys;
	return 0;
}

/* Until the next stop at a system call; the exit status, or -1 while it runs. Other signals are passed on. */
static int next_stop(pid_t pid)
{
	int status, sig = 0;

	for (;;) {
		if (ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(uintptr_t)sig) < 0 || waitpid(pid, &status, 0) != pid)
			return 201;
		if (WIFEXITED(status))
			return WEXITSTATUS(status);
		if (WIFSIGNALED(status))
			return 128 + WTERMSIG(status);
		if (WSTOPSIG(status) == (SIGTRAP | 0x80))
			return -1;
		sig = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
	}
}

static int fail_call(pid_t pid, struct user_regs_struct *r, int sys)
{
	int rc;

	r->orig_rax = (unsigned long long)-1;	/* no such call */
	if (ptrace(PTRACE_SETREGS, pid, NULL, r) < 0)
		return 201;
	rc = next_stop(pid);
	if (rc >= 0)
		return rc;
	if (ptrace(PTRACE_GETREGS, pid, NULL, r) < 0)
		return 201;
	r->rax = (unsigned long long)-sys;
	if (ptrace(PTRACE_SETREGS, pid, NULL, r) < 0 || ptrace(PTRACE_DETACH, pid, NULL, NULL) < 0 ||
	    waitpid(pid, &rc, 0) != pid)
		return 201;
	return WIFEXITED(rc) ? WEXITSTATUS(rc) : 128 + WTERMSIG(rc);
}

static int trace(pid_t pid, long nth, int sys)
{
	struct user_regs_struct r;
	long n = 0;

	for (bool entering = true;; entering = !entering) {
		int rc = next_stop(pid);

		if (rc == 201)
			return rc;
		if (rc >= 0)
			return 200;
		if (!entering || ptrace(PTRACE_GETREGS, pid, NULL, &r) < 0 || !changes(pid, &r) || n++ < nth)
			continue;
		if (sys)
			return fail_call(pid, &r, sys);
		kill(pid, SIGKILL);
		waitpid(pid, &rc, 0);
		return 137;
	}
}

int main(int argc, char **argv)
{
	int status, sys;
	pid_t pid;

	if (argc < 5)
		return 201;
	root = argv[3];
	sys = error_of(argv[2]);
	if (!sys && strcmp(argv[2], "kill") != 0)
		return 201;
	pid = fork();
	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			_exit(201);
		raise(SIGSTOP);
		execv(argv[4], argv + 4);
		_exit(201);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) < 0)
		return 201;
	return trace(pid, strtol(argv[1], NULL, 10), sys);
}

#else

int main(void)
{
	return 201;
}

#endif
