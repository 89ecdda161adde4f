/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef BENCH_LOGIN_H
#define BENCH_LOGIN_H

/** A blocking login for benchmark programs: connect, log in, hand over the socket and what was settled. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/params.h"

struct bench_login {
	const char *host;	/* IPv4 address */
	uint16_t port;
	const char *target;
	bool digests;		/* both, or neither */
	bool unsolicited;	/* offer InitialR2T=No */
};

/** Returns the connected descriptor, or -1 */
int bench_login(const struct bench_login *cfg, struct sk_params *ret, struct sk_err *err);

#endif
