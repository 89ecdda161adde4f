/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_TESTS_DICE_H
#define SK_TESTS_DICE_H

/** Choices, from a seed (the same every time) or from a fuzzer's bytes (0 for ever when they are used up). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dice {
	const uint8_t *p;	/* NULL: from the seed */
	size_t n;
	uint64_t state;
};

static inline struct dice dice_seed(uint64_t seed)
{
	return (struct dice){ .state = seed };
}

static inline struct dice dice_bytes(const uint8_t *p, size_t n)
{
	return (struct dice){ .p = p, .n = n };
}

/* splitmix64 */
static inline uint64_t dice_next(struct dice *d)
{
	uint64_t z = d->state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

/** dice - 0..n-1, n >= 1 */
static inline uint32_t dice(struct dice *d, uint32_t n)
{
	uint32_t v = 0;

	if (!d->p)
		return (uint32_t)(dice_next(d) % n);
	for (uint32_t most = n - 1; most && d->n; most >>= 8, d->p++, d->n--)
		v = v << 8 | *d->p;
	return v % n;
}

static inline bool dice_used_up(const struct dice *d)
{
	return d->p && !d->n;
}

#endif
