/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_BASE_NUM_H
#define SK_BASE_NUM_H

/** Numbers from text, and arithmetic that cannot wrap unnoticed. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** sk_num_u64 - the whole of @s (n bytes) as an unsigned decimal within min..max; false otherwise.
 * No sign, no blanks, no trailing text, at least one digit. */
bool sk_num_u64(const char *s, size_t n, uint64_t min, uint64_t max, uint64_t *ret);

/** sk_num_i64 - the same with an optional leading '-' */
bool sk_num_i64(const char *s, size_t n, int64_t min, int64_t max, int64_t *ret);

/** sk_num_hex - hexadecimal digits, 1..16 of them, without "0x" */
bool sk_num_hex(const char *s, size_t n, uint64_t *ret);

/** sk_fits - true if offset + length <= limit, whatever the values */
static inline bool sk_fits(uint64_t off, uint64_t len, uint64_t limit)
{
	return off <= limit && len <= limit - off;
}

/** sk_sn_lt - serial number order modulo 2^32 (RFC 1982, RFC 7143 4.2.2.1) */
static inline bool sk_sn_lt(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

/** sk_backoff - ms before attempt n+1 after @n (>= 1) failures: @min_ms doubled up to @max_ms, and up to a quarter of it to
 * either side by @seed, so that many do not come back at once; never over @max_ms. Equal arguments give equal times. */
uint32_t sk_backoff(unsigned n, uint32_t min_ms, uint32_t max_ms, uint32_t seed);

/** sk_hash - FNV-1a over a string and its end, so that ("ab", "c") and ("a", "bc") differ; begin with SK_HASH_START.
 * Spreads names of files and tables; no secret is safe in it. */
#define SK_HASH_START 0xcbf29ce484222325U
#define SK_HASH_PRIME 0x100000001b3U
uint64_t sk_hash(uint64_t so_far, const char *s);

#define SK_MIN(a, b) ({ __typeof__(a) a_ = (a); __typeof__(b) b_ = (b); a_ < b_ ? a_ : b_; })
#define SK_MAX(a, b) ({ __typeof__(a) a_ = (a); __typeof__(b) b_ = (b); a_ > b_ ? a_ : b_; })

#endif
