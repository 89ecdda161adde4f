/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_RECORD_PLACES_H
#define SK_RECORD_PLACES_H

/**
 * Where this instance's files are. Built-in defaults, then environment, then options of the program. A second
 * instance (a test, a container, an unprivileged user) sets its own run directory and shares nothing.
 *
 *	SISKIN_HOMEDIR   configuration: iscsid.conf, initiatorname.iscsi
 *	SISKIN_DBROOT    database: nodes/ send_targets/ isns/ static/ fw/ ifaces/ (default: SISKIN_HOMEDIR if only that
 *	                 is set)
 *	SISKIN_RUNDIR    sockets, pid file, state tree of user sessions. When it is set the abstract socket name is
 *	                 neither bound nor tried: the instance is private
 *	SISKIN_LOCKDIR   the incumbent's lock files (default: SISKIN_RUNDIR/lock when that is set)
 *	SISKIN_DEVDIR    where disk/by-path links are made (default /dev)
 *	SISKIN_SYSFS     root of the kernel's sysfs (default /sys)
 *	SISKIN_LIBEXECDIR where iscsi-session and isns-worker are found (default: beside the program when that runs from a build tree)
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct sk_places {
	char homedir[256], dbroot[256], rundir[256], lockdir[256], devdir[256], sysfs[256], libexecdir[256];
	char conf_file[300];	/* homedir/iscsid.conf unless -c */
	char name_file[300];	/* homedir/initiatorname.iscsi unless -i */
	bool private_instance;	/* SISKIN_RUNDIR was given */
};

/** sk_places_init - defaults and environment; refuses relative and over-long paths (SK_EINVAL, names the variable) */
int sk_places_init(struct sk_places *ret, struct sk_err *err);

/** sk_places_helper - the path of a program that only ours start: in libexecdir, or in a build tree in the folder beside
 * it. SK_ENOENT when it cannot be run */
int sk_places_helper(const struct sk_places *p, const char *name, char *ret, size_t n, struct sk_err *err);

#endif
