/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_ISCSID_OPTIONS_H
#define SK_ISCSID_OPTIONS_H

#include <stdbool.h>
#include <sys/types.h>

/** The command line (spec: cli.md 12). Strings point into argv. */
struct sk_iscsid_opts {
	const char *conf, *names, *pid_file;
	bool foreground, no_pid_file;
	bool debug;			/* any -d but 0 */
	unsigned rooms;			/* of the debug log */
	const char *rooms_text;		/* as given, for the processes we start */
	bool set_uid, set_gid;
	uid_t uid;
	gid_t gid;
};

/** sk_iscsid_parse - returns -1 to go on, else the exit status: help and version were printed, or the mistake was */
int sk_iscsid_parse(int argc, char *argv[], struct sk_iscsid_opts *ret);

#endif
