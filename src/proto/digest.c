/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "proto/digest.h"

#include <isa-l/crc.h>
#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <arm_acle.h>
#include <sys/auxv.h>
#ifndef HWCAP_CRC32
#define HWCAP_CRC32 (1 << 7)
#endif
#endif

uint32_t sk_crc32c(uint32_t running, const void *p, size_t n)
{
	uint8_t *at = (uint8_t *)(uintptr_t)p; /* the library's prototype lacks the const it keeps */

	while (n > 0) { /* its length is an int */
		int step = n > (1U << 30) ? 1 << 30 : (int)n;

		running = crc32_iscsi(at, step, running);
		at += step;
		n -= (size_t)step;
	}
	return running;
}

/* Half a byte at a time: 64 bytes of table, computed nowhere else. Only for CPUs without an instruction for it. */
static const uint32_t nibbles[16] = {
	0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
	0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

uint32_t sk_crc32c_portable(uint32_t running, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++) {
		running ^= b[i];
		running = running >> 4 ^ nibbles[running & 15];
		running = running >> 4 ^ nibbles[running & 15];
	}
	return running;
}

#if defined(__x86_64__)

__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(uint32_t running, const void *p, size_t n)
{
	const uint8_t *b = p;
	uint64_t crc = running;

	for (; n >= 8; n -= 8, b += 8) {
		uint64_t word;

		memcpy(&word, b, sizeof(word));
		crc = _mm_crc32_u64(crc, word);
	}
	for (; n > 0; n--, b++)
		crc = _mm_crc32_u8((uint32_t)crc, *b);
	return (uint32_t)crc;
}

sk_crc32c_fn *sk_crc32c_small_best(void)
{
	return __builtin_cpu_supports("sse4.2") ? crc32c_sse42 : sk_crc32c_portable;
}

#elif defined(__aarch64__) && defined(__linux__)

__attribute__((target("+crc"))) static uint32_t crc32c_armv8(uint32_t running, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (; n >= 8; n -= 8, b += 8) {
		uint64_t word;

		memcpy(&word, b, sizeof(word));
		running = __crc32cd(running, word);
	}
	for (; n > 0; n--, b++)
		running = __crc32cb(running, *b);
	return running;
}

sk_crc32c_fn *sk_crc32c_small_best(void)
{
	return getauxval(AT_HWCAP) & HWCAP_CRC32 ? crc32c_armv8 : sk_crc32c_portable;
}

#else

sk_crc32c_fn *sk_crc32c_small_best(void)
{
	return sk_crc32c_portable;
}

#endif
