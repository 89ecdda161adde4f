/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/priv.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

static void oom_score(const char *text)
{
	SK_FD int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	ssize_t put;

	if (fd >= 0) {
		put = write(fd, text, strlen(text));
		(void)put;
	}
}

void sk_priv_steel(void)
{
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	(void)prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
	/* Only without a limit: every later mapping counts against it, and fails when it is used up. What is mapped now comes
	 * in at once, with the code of paths never taken yet: its file may lie on the very disk that a recovery is to bring
	 * back. What comes later is locked as it is touched. */
	if (setrlimit(RLIMIT_MEMLOCK, &all) == 0 && geteuid() == 0 && mlockall(MCL_CURRENT) == 0)
		(void)mlockall(MCL_FUTURE | MCL_ONFAULT);
	oom_score("-1000");
}

void sk_priv_soften(void)
{
	(void)prctl(PR_SET_IO_FLUSHER, 0, 0, 0, 0);
	(void)setpriority(PRIO_PROCESS, 0, 0);
	oom_score("0");
}

static int check(uid_t uid, gid_t gid, struct sk_err *err)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2];
	uid_t r, e, s;
	gid_t rg, eg, sg;

	memset(caps, 0, sizeof(caps));
	if (getresuid(&r, &e, &s) < 0 || r != uid || e != uid || s != uid || getresgid(&rg, &eg, &sg) < 0 || rg != gid ||
	    eg != gid || sg != gid)
		return sk_fail(err, SK_EACCES, "the user did not change");
	if (syscall(SYS_capget, &head, caps) < 0)
		return sk_fail_sys(err, errno, "capget");
	if (caps[0].effective | caps[0].permitted | caps[0].inheritable | caps[1].effective | caps[1].permitted |
	    caps[1].inheritable)
		return sk_fail(err, SK_EACCES, "capabilities are left");
	return 0;
}

static int drop_caps(struct sk_err *err)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const struct __user_cap_data_struct none[2] = { { 0, 0, 0 }, { 0, 0, 0 } };

	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &head, none) < 0)
		return sk_fail_sys(err, errno, "capset");
	return 0;
}

int sk_priv_drop(const char *user, struct sk_err *err)
{
	const struct passwd *pw;
	uid_t uid;
	gid_t gid;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return sk_fail_sys(err, errno, "no_new_privs");
	if (geteuid() != 0)
		return 0;
	errno = 0;
	pw = getpwnam(user);
	if (!pw)
		return sk_fail(err, SK_EINVAL, "no user \"%s\" on this machine", user);
	uid = pw->pw_uid;
	gid = pw->pw_gid;
	if (uid == 0)
		return sk_fail(err, SK_EINVAL, "what reads from the network does not run as \"%s\"", user);
	if (chdir("/") < 0 || setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return sk_fail_sys(err, errno, "become %s", user);
	if (drop_caps(err) < 0 || check(uid, gid, err) < 0)
		return sk_in(err, "become %s", user);
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)	/* users' data: no core files, no ptrace by that user's other processes */
		return sk_fail_sys(err, errno, "dumpable");
	return 0;
}
