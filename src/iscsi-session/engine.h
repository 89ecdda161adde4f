/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_SESSION_ENGINE_H
#define SK_SESSION_ENGINE_H

/** The engine process: everything that reads what the target sends. Runs unprivileged between the TCP socket, the
 * FUSE descriptor and the boundary to the keeper; ends when the keeper is gone. */

#include <stdint.h>

#include "base/err.h"
#include "datapath/reactor.h"

struct sk_session_engine_cfg {
	int boundary_fd;
	const char *user;
	enum sk_reactor_kind reactor;
	uint32_t busy_poll_us;		/* 0..SK_REACTOR_BUSY_MAX */
};

/** sk_session_engine - drops privileges, then serves until the keeper goes. 0 when that was orderly */
int sk_session_engine(const struct sk_session_engine_cfg *cfg, struct sk_err *err);

#endif
