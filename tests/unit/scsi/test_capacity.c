/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "cut.h"
#include "scsi/inquiry.h"

static int ten(struct sk_span d, void *ret, struct sk_err *err)
{
	bool more;

	return sk_capacity10_parse(d, ret, &more, err);
}

static int sixteen(struct sk_span d, void *ret, struct sk_err *err)
{
	return sk_capacity16_parse(d, ret, err);
}

static int mode6(struct sk_span d, void *ret, struct sk_err *err)
{
	return sk_mode6_parse(d, ret, err);
}

static int mode10(struct sk_span d, void *ret, struct sk_err *err)
{
	return sk_mode10_parse(d, ret, err);
}

static void capacities(void **st)
{
	static const uint8_t p10[] = { 0, 7, 0xff, 0xff, 0, 0, 2, 0 };
	static const uint8_t big[] = { 0xff, 0xff, 0xff, 0xff, 0, 0, 2, 0 };
	static const uint8_t p16[32] = { 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 2, 0, 1, 3, 0xc0, 0 };
	struct sk_capacity c;
	bool more = true;

	(void)st;
	cut_all(ten, p10, sizeof(p10), 8, sizeof(c));
	cut_all(sixteen, p16, sizeof(p16), 12, sizeof(c));
	assert_int_equal(sk_capacity10_parse(sk_span(p10, 8), &c, &more, NULL), 0);
	assert_false(more);
	assert_int_equal(c.blocks, 0x80000);
	assert_int_equal(c.block_size, 512);
	assert_int_equal(c.phys_size, 512);
	assert_int_equal(sk_capacity10_parse(sk_span(big, 8), &c, &more, NULL), 0);
	assert_true(more);
	assert_int_equal(sk_capacity16_parse(sk_span(p16, 32), &c, NULL), 0);
	assert_true(c.blocks == 0x200000001);
	assert_int_equal(c.phys_size, 4096);
	assert_true(c.protection && c.lbpme && c.lbprz);
}

static void impossible_capacities_are_refused(void **st)
{
	static const struct {
		uint8_t p[12];
		enum sk_code code;
	} c[] = {
		{ { 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0 }, SK_ENOTSUP }, /* blocks of 0 bytes */
		{ { 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 2, 8 }, SK_ENOTSUP }, /* 520 */
		{ { 0, 0, 0, 0, 0, 0, 0, 9, 0xff, 0xff, 0xff, 0xff }, SK_ENOTSUP },
		{ { 0, 0, 0, 0, 0, 0, 0, 9, 0x80, 0, 0, 0 }, SK_ENOTSUP },
		{ { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 2, 0 }, SK_EPROTO }, /* last + 1 wraps */
		{ { 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 2, 0 }, SK_EPROTO }, /* times 512 wraps */
		{ { 0x00, 0x3f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 2, 0 }, SK_EPROTO }, /* 2^63 bytes */
	};
	struct sk_capacity cap;
	struct sk_err err = { 0 };

	(void)st;
	for (size_t i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		assert_int_equal(sk_capacity16_parse(sk_span(c[i].p, 12), &cap, &err), -1);
		assert_int_equal(err.code, c[i].code);
	}
}

static void mode_data(void **st)
{
	/* header, an 8-byte block descriptor, page 0x81 (a subpage), page 0x02, the caching page with WCE */
	static const uint8_t p6[] = { 40, 0, 0x90, 8,	 1,    2, 3, 4, 5,    6,    7,	  8, 0x4a, 1,
				      0,  2, 0xff, 0xff, 0x02, 2, 0, 0, 0x08, 0x12, 0x04, 0, 0,	   0,
				      0,  0, 0,	   0,	 0,    0, 0, 0, 0,    0,    0,	  0, 0,	   0 };
	static const uint8_t p10[] = { 0, 20, 0, 0x10, 0, 0, 0, 0, 0x88, 0x12, 0x00, 0 };
	uint8_t odd[sizeof(p6)];
	struct sk_mode m;

	(void)st;
	cut_all(mode6, p6, sizeof(p6), 4, sizeof(m));
	cut_all(mode10, p10, sizeof(p10), 8, sizeof(m));
	assert_int_equal(sk_mode6_parse(sk_span(p6, sizeof(p6)), &m, NULL), 0);
	assert_true(m.write_protect && m.dpofua && m.cache_page && m.write_cache);
	assert_int_equal(sk_mode10_parse(sk_span(p10, sizeof(p10)), &m, NULL), 0);
	assert_true(!m.write_protect && m.dpofua && m.cache_page && !m.write_cache);
	assert_int_equal(sk_mode6_parse(sk_span(p6, 24), &m, NULL), 0);
	assert_false(m.cache_page); /* cut before its flags */
	memcpy(odd, p6, sizeof(odd));
	odd[3] = 255; /* descriptors past the end */
	assert_int_equal(sk_mode6_parse(sk_span(odd, sizeof(odd)), &m, NULL), 0);
	assert_false(m.cache_page);
	odd[3] = 8;
	odd[0] = 12; /* says it ends before the pages */
	assert_int_equal(sk_mode6_parse(sk_span(odd, sizeof(odd)), &m, NULL), 0);
	assert_false(m.cache_page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(capacities),
		cmocka_unit_test(impossible_capacities_are_refused),
		cmocka_unit_test(mode_data),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
