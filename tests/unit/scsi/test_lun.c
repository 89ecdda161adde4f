/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "cut.h"
#include "scsi/lun.h"

static void the_kernels_spelling_is_a_bijection(void **st)
{
	static const struct {
		uint64_t wire, kernel;
	} c[] = {
		{ 0, 0 },
		{ 0x0001000000000000, 1 },
		{ 0x00ff000000000000, 255 },
		{ 0x012c000000000000, 300 },
		{ 0x412c000000000000, 0x412c },
		{ 0x0001000200030004, 0x0004000300020001 },
		{ 0xd200012c00000000, 0x012cd200 },
		{ UINT64_MAX, UINT64_MAX },
	};

	(void)st;
	for (size_t i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		assert_true(sk_lun_kernel(c[i].wire) == c[i].kernel);
		assert_true(sk_lun_wire(c[i].kernel) == c[i].wire);
	}
}

static void plain_numbers(void **st)
{
	static const uint64_t numbers[] = { 0, 1, 255, 256, 16383, 16384, 0xffffff };
	static const uint64_t odd[] = { 0x0101000000000000, 0x8001000000000000, 0xc101000000000000,
					0x0001000100000000, 0xd200000100000001, 0xe200000000000100 };
	uint64_t wire, n;

	(void)st;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		assert_true(sk_lun_from_plain(numbers[i], &wire));
		assert_true(sk_lun_plain(wire, &n));
		assert_int_equal(n, numbers[i]);
	}
	assert_true(sk_lun_from_plain(300, &wire));
	assert_true(wire == 0x412c000000000000);
	assert_false(sk_lun_from_plain(0x1000000, &wire));
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		n = 77;
		assert_false(sk_lun_plain(odd[i], &n));
		assert_int_equal(n, 77);
	}
	assert_true(sk_lun_well_known(0xc101000000000000));
	assert_false(sk_lun_well_known(0x0001000000000000));
}

struct found {
	uint64_t lun[8];
	size_t n;
	uint32_t need;
};

static int parse(struct sk_span d, void *ret, struct sk_err *err)
{
	struct found *f = ret;

	return sk_luns_parse(d, f->lun, 8, &f->n, &f->need, err);
}

static void reports_of_any_length(void **st)
{
	uint8_t p[8 + 8 * 4] = { 0, 0, 0, 32, [8] = 0, 0, [17] = 1, [25] = 2, [33] = 1 };
	struct found f;

	(void)st;
	cut_all(parse, p, sizeof(p), 8, sizeof(struct found));
	assert_int_equal(parse(sk_span(p, sizeof(p)), &f, NULL), 0);
	assert_int_equal(f.n, 3); /* the second LUN 1 is one too many */
	assert_int_equal(f.need, 40);
	assert_true(f.lun[1] == 0x0001000000000000);
	assert_int_equal(parse(sk_span(p, 8 + 15), &f, NULL), 0);
	assert_int_equal(f.n, 1);
	assert_int_equal(f.need, 40);
	memset(p, 0xff, 4); /* claims 4 GiB */
	assert_int_equal(parse(sk_span(p, sizeof(p)), &f, NULL), 0);
	assert_int_equal(f.n, 3);
	assert_int_equal(f.need, 8 + 8 * 65535);
	memset(p, 0, 4); /* claims nothing, sends something */
	assert_int_equal(parse(sk_span(p, sizeof(p)), &f, NULL), 0);
	assert_int_equal(f.n, 0);
	p[3] = 13; /* no multiple of 8 */
	assert_int_equal(parse(sk_span(p, sizeof(p)), &f, NULL), 0);
	assert_int_equal(f.n, 1);
}

static void no_more_than_there_is_room_for(void **st)
{
	uint8_t p[8 + 8 * 4] = { 0, 0, 0, 32, [9] = 1, [17] = 2, [25] = 3, [33] = 4 };
	uint64_t lun[3] = { 0, 0, 99 };
	uint32_t need;
	size_t n;

	(void)st;
	assert_int_equal(sk_luns_parse(sk_span(p, sizeof(p)), lun, 2, &n, &need, NULL), 0);
	assert_int_equal(n, 2);
	assert_int_equal(lun[2], 99);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_kernels_spelling_is_a_bijection),
		cmocka_unit_test(plain_numbers),
		cmocka_unit_test(reports_of_any_length),
		cmocka_unit_test(no_more_than_there_is_room_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
