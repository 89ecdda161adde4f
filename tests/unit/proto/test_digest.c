/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "proto/digest.h"

struct vector {
	uint32_t value;
	uint8_t wire[4];
	size_t n;
	uint8_t bytes[48];
};

/* RFC 7143, appendix A.4, two of a capture, and the usual check value */
static const struct vector vectors[] = {
	{ 0x8a9136aa, { 0xaa, 0x36, 0x91, 0x8a }, 32, { 0 } },
	{ 0x46dd794e, { 0x4e, 0x79, 0xdd, 0x46 }, 32,
	  { 0,	1,  2,	3,  4,	5,  6,	7,  8,	9,  10, 11, 12, 13, 14, 15,
	    16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31 } },
	{ 0x113fdb5c, { 0x5c, 0xdb, 0x3f, 0x11 }, 32,
	  { 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16,
	    15, 14, 13, 12, 11, 10, 9,	8,  7,	6,  5,	4,  3,	2,  1,	0 } },
	{ 0xd9963a56, { 0x56, 0x3a, 0x96, 0xd9 }, 48,
	  { 0x01, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 4, 0,
	    0, 0, 0, 0x14, 0, 0, 0, 0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0 } },
	{ 0xe3069283, { 0x83, 0x92, 0x06, 0xe3 }, 9, { '1', '2', '3', '4', '5', '6', '7', '8', '9' } },
	{ 0xe2dfb1e6, { 0xe6, 0xb1, 0xdf, 0xe2 }, 48,
	  { 0x01, 0xc1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0, 0, 0, 0, 0, 0, 0x24,
	    0, 0, 0, 0, 0, 0, 0, 0x04, 0x12, 0, 0, 0, 0x24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 } },
};

static void every_way_gives_the_rfcs_values(void **st)
{
	sk_crc32c_fn *ways[] = { sk_crc32c, sk_crc32c_portable, sk_crc32c_small_best() };

	(void)st;
	for (size_t w = 0; w < SK_ARRAY_LEN(ways); w++)
		for (size_t i = 0; i < SK_ARRAY_LEN(vectors); i++) {
			const struct vector *v = &vectors[i];
			uint32_t crc = ways[w](SK_CRC32C_INIT, v->bytes, v->n);
			uint8_t wire[4];

			assert_int_equal(sk_crc32c_value(crc), v->value);
			sk_digest_put(wire, crc);
			assert_memory_equal(wire, v->wire, 4);
			assert_true(sk_digest_ok(v->wire, crc));
		}
}

static void all_ones(void **st)
{
	uint8_t b[32];

	(void)st;
	memset(b, 0xff, sizeof(b));
	assert_int_equal(sk_crc32c_value(sk_crc32c(SK_CRC32C_INIT, b, sizeof(b))), 0x62a8ab43);
}

static void pieces_give_the_same_as_the_whole(void **st)
{
	sk_crc32c_fn *small = sk_crc32c_small_best();
	uint8_t b[3001];
	uint32_t whole;

	(void)st;
	for (size_t i = 0; i < sizeof(b); i++)
		b[i] = (uint8_t)(i * 31 + (i >> 8));
	whole = sk_crc32c_portable(SK_CRC32C_INIT, b, sizeof(b));
	for (size_t cut = 0; cut <= sizeof(b); cut += 7) {
		uint32_t crc = sk_crc32c(SK_CRC32C_INIT, b, cut);

		assert_int_equal(small(crc, b + cut, sizeof(b) - cut), whole);
		crc = small(SK_CRC32C_INIT, b, cut);
		assert_int_equal(sk_crc32c(crc, b + cut, sizeof(b) - cut), whole);
	}
}

static void each_flipped_bit_is_noticed(void **st)
{
	uint8_t b[48], wire[4];

	(void)st;
	memcpy(b, vectors[3].bytes, sizeof(b));
	sk_digest_put(wire, sk_crc32c_small_best()(SK_CRC32C_INIT, b, sizeof(b)));
	for (size_t i = 0; i < sizeof(b) * 8; i++) {
		b[i / 8] ^= (uint8_t)(1U << i % 8);
		assert_false(sk_digest_ok(wire, sk_crc32c_small_best()(SK_CRC32C_INIT, b, sizeof(b))));
		b[i / 8] ^= (uint8_t)(1U << i % 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_way_gives_the_rfcs_values),
		cmocka_unit_test(all_ones),
		cmocka_unit_test(pieces_give_the_same_as_the_whole),
		cmocka_unit_test(each_flipped_bit_is_noticed),
	};

	return cmocka_run_group_tests_name("proto/digest", tests, NULL, NULL);
}
