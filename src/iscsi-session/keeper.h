/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_SESSION_KEEPER_H
#define SK_SESSION_KEEPER_H

/** The keeper process: privileged, and never reads a byte that a target sent. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct sk_keeper_cfg {
	uint32_t sid;
	const char *rundir, *devdir;
	const char *user;		/* whom the engine becomes */
	const char *debug;		/* rooms for the engine's log, or NULL */
	const char *reactor;		/* handed on to the engine, or NULL */
	const char *busy_poll;		/* the same: microseconds */
	bool log_stderr;
};

/** sk_keeper - serve one session until its end. 0: ended as asked; -1: it could not start or broke */
int sk_keeper(const struct sk_keeper_cfg *cfg, struct sk_err *err);

#endif
