/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/num.h"

bool sk_num_u64(const char *s, size_t n, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;

	if (n == 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		unsigned d = (unsigned)(unsigned char)s[i] - '0';

		if (d > 9 || __builtin_mul_overflow(v, (uint64_t)10, &v) || __builtin_add_overflow(v, (uint64_t)d, &v))
			return false;
	}
	if (v < min || v > max)
		return false;
	*ret = v;
	return true;
}

bool sk_num_i64(const char *s, size_t n, int64_t min, int64_t max, int64_t *ret)
{
	bool neg = n > 0 && s[0] == '-';
	uint64_t mag;
	int64_t v;

	if (!sk_num_u64(s + neg, n - neg, 0, (uint64_t)INT64_MAX + neg, &mag))
		return false;
	v = neg ? (int64_t)(0 - mag) : (int64_t)mag;
	if (v < min || v > max)
		return false;
	*ret = v;
	return true;
}

bool sk_num_hex(const char *s, size_t n, uint64_t *ret)
{
	uint64_t v = 0;

	if (n == 0 || n > 16)
		return false;
	for (size_t i = 0; i < n; i++) {
		char c = s[i];
		unsigned d;

		if (c >= '0' && c <= '9')
			d = (unsigned)(c - '0');
		else if (c >= 'a' && c <= 'f')
			d = (unsigned)(c - 'a') + 10;
		else if (c >= 'A' && c <= 'F')
			d = (unsigned)(c - 'A') + 10;
		else
			return false;
		v = v << 4 | d;
	}
	*ret = v;
	return true;
}

/* A stateless mixer (the finalizer of a 32-bit hash): equal arguments give equal jitter, so tests can foresee it. */
static uint32_t mix(uint32_t x)
{
	x ^= x >> 16;
	x *= 0x7feb352dU;
	x ^= x >> 15;
	x *= 0x846ca68bU;
	return x ^ x >> 16;
}

uint32_t sk_backoff(unsigned n, uint32_t min_ms, uint32_t max_ms, uint32_t seed)
{
	uint64_t ms = max_ms;

	if (n >= 1 && n <= 31 && (uint64_t)min_ms << (n - 1) < max_ms)
		ms = (uint64_t)min_ms << (n - 1);
	ms = ms - ms / 4 + mix(seed ^ mix(n)) % (ms / 2 + 1);
	return (uint32_t)(ms > max_ms ? max_ms : ms);
}

uint64_t sk_hash(uint64_t so_far, const char *s)
{
	do
		so_far = (so_far ^ (unsigned char)*s) * SK_HASH_PRIME;
	while (*s++);
	return so_far;
}
