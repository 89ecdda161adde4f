/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_BASE_RNG_H
#define SK_BASE_RNG_H

/** Random bytes come in as an argument: getrandom in programs (loop/rng.h), a fixed sequence in tests. */

#include <stddef.h>

struct sk_rng {
	int (*fill)(void *ctx, void *p, size_t n);	/* 0, or -1 when no randomness can be had */
	void *ctx;
};

#endif
