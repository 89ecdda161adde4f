/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_PROTO_DIGEST_H
#define SK_PROTO_DIGEST_H

/**
 * CRC32C, iSCSI's header and data digest (RFC 7143, 13.1; polynomial 0x11EDC6F41, reflected, initial value all
 * ones, complemented, sent least significant byte first).
 *
 *	uint32_t crc = SK_CRC32C_INIT;
 *	crc = sk_crc32c(crc, p, n);  …			any number of pieces
 *	sk_digest_put(wire, crc);   or   sk_digest_ok(wire, crc)
 *
 * The running value is not complemented; only put, ok and value do that.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SK_DIGEST_LEN 4
#define SK_CRC32C_INIT 0xffffffffU

/** sk_crc32c_fn - go on with a running CRC over @n bytes */
typedef uint32_t sk_crc32c_fn(uint32_t running, const void *p, size_t n);

/** For data of any size: several lanes at once, best from a few hundred bytes on */
sk_crc32c_fn sk_crc32c;

/** For headers: the CPU's instruction where there is one. Ask sk_crc32c_small_best once and keep the answer */
sk_crc32c_fn sk_crc32c_portable;
sk_crc32c_fn *sk_crc32c_small_best(void);

static inline uint32_t sk_crc32c_value(uint32_t running)
{
	return ~running;
}

static inline void sk_digest_put(uint8_t wire[SK_DIGEST_LEN], uint32_t running)
{
	uint32_t v = ~running;

	wire[0] = (uint8_t)v;
	wire[1] = (uint8_t)(v >> 8);
	wire[2] = (uint8_t)(v >> 16);
	wire[3] = (uint8_t)(v >> 24);
}

static inline bool sk_digest_ok(const uint8_t wire[SK_DIGEST_LEN], uint32_t running)
{
	uint32_t v = (uint32_t)wire[0] | (uint32_t)wire[1] << 8 | (uint32_t)wire[2] << 16 | (uint32_t)wire[3] << 24;

	return v == ~running;
}

#endif
