/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "loop/rng.h"

#include <errno.h>
#include <stdint.h>
#include <sys/random.h>

static int fill(void *ctx, void *p, size_t n)
{
	uint8_t *at = p;

	(void)ctx;
	while (n) {
		ssize_t got = getrandom(at, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return -1;
		at += got;
		n -= (size_t)got;
	}
	return 0;
}

struct sk_rng sk_rng_system(void)
{
	return (struct sk_rng){ .fill = fill };
}
