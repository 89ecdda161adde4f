/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "scsi/sense.h"

static struct sk_sense cut(const uint8_t *p, size_t n)
{
	uint8_t *exact = malloc(n ? n : 1);
	struct sk_sense s;

	assert_non_null(exact);
	memcpy(exact, p, n);
	s = sk_sense_parse(sk_span(exact, n));
	free(exact);
	return s;
}

static const uint8_t fixed[18] = { 0xf0, 0, 0x03, 0, 0, 0x12, 0x67, 10, 0, 0, 0, 0, 0x11, 0x00 };
static const uint8_t desc[20] = { 0x72, 0x06, 0x2a, 0x09, 0, 0, 0, 12, 0, 10, 0x80, 0, 0, 0, 0, 1, 0, 0, 0, 2 };

static void fixed_format_at_any_length(void **st)
{
	struct sk_sense s;

	(void)st;
	for (size_t n = 0; n <= sizeof(fixed); n++) {
		s = cut(fixed, n);
		assert_int_equal(s.valid, n >= 3);
		assert_int_equal(s.key, n >= 3 ? 3 : 0);
		assert_int_equal(s.asc, n >= 13 ? 0x11 : 0);
		assert_int_equal(s.has_info, n >= 7);
		assert_int_equal(s.info, n >= 7 ? 0x1267 : 0);
	}
}

static void descriptor_format_at_any_length(void **st)
{
	struct sk_sense s;

	(void)st;
	for (size_t n = 0; n <= sizeof(desc); n++) {
		s = cut(desc, n);
		assert_int_equal(s.valid, n >= 2);
		assert_int_equal(s.asc, n >= 3 ? 0x2a : 0);
		assert_int_equal(s.ascq, n >= 4 ? 9 : 0);
		assert_int_equal(s.has_info, n >= 20);
	}
	assert_true(s.info == 0x100000002);
}

static void strange_sense(void **st)
{
	uint8_t p[300];
	struct sk_sense s;

	(void)st;
	memset(p, 0xff, sizeof(p)); /* every length field claims the most */
	for (unsigned code = 0; code < 256; code++) {
		p[0] = (uint8_t)code;
		s = cut(p, sizeof(p));
		assert_int_equal(s.valid, (code & 0x7f) >= 0x70 && (code & 0x7f) <= 0x73);
	}
	memset(p, 0, sizeof(p)); /* descriptors of length 0 to the end */
	p[0] = 0x72;
	p[7] = 255;
	assert_false(cut(p, sizeof(p)).has_info);
	memcpy(p, fixed, sizeof(fixed));
	p[7] = 2; /* additional length ends before the codes */
	assert_int_equal(cut(p, sizeof(p)).asc, 0);
}

static struct sk_verdict ask(uint8_t key, uint8_t asc, uint8_t ascq, unsigned tries)
{
	uint8_t p[18] = { 0x70, 0, key, [7] = 10, [12] = asc, ascq };

	return sk_verdict(SK_ST_CHECK_CONDITION, sk_span(p, sizeof(p)), tries);
}

static void what_to_do(void **st)
{
	static const struct {
		uint8_t key, asc, ascq;
		enum sk_react react;
		int sys;
	} c[] = {
		{ 0x0, 0x00, 0x00, SK_REACT_DONE, 0 },
		{ 0x1, 0x17, 0x01, SK_REACT_DONE, 0 },
		{ 0x2, 0x04, 0x01, SK_REACT_LATER, EIO },
		{ 0x2, 0x04, 0x03, SK_REACT_FAIL, EIO },
		{ 0x2, 0x3a, 0x01, SK_REACT_FAIL, ENOMEDIUM },
		{ 0x2, 0x55, 0x55, SK_REACT_FAIL, EIO },
		{ 0x3, 0x11, 0x00, SK_REACT_MEDIA, EIO },
		{ 0x3, 0x99, 0x99, SK_REACT_MEDIA, EIO },
		{ 0x4, 0x44, 0x00, SK_REACT_FAIL, EIO },
		{ 0x5, 0x20, 0x00, SK_REACT_UNSUPPORTED, EOPNOTSUPP },
		{ 0x5, 0x24, 0x00, SK_REACT_UNSUPPORTED, EOPNOTSUPP },
		{ 0x5, 0x21, 0x00, SK_REACT_RANGE, EIO },
		{ 0x5, 0x25, 0x00, SK_REACT_GONE, ENXIO },
		{ 0x6, 0x29, 0x00, SK_REACT_RETRY, EIO },
		{ 0x6, 0x2a, 0x09, SK_REACT_CAPACITY, EIO },
		{ 0x6, 0x3f, 0x0e, SK_REACT_LUNS, EIO },
		{ 0x6, 0x3f, 0x03, SK_REACT_IDENTIFY, EIO },
		{ 0x6, 0x77, 0x77, SK_REACT_RETRY, EIO },
		{ 0x6, 0x38, 0x07, SK_REACT_RETRY, EIO },
		{ 0x7, 0x27, 0x00, SK_REACT_PROTECT, EROFS },
		{ 0x7, 0x27, 0x07, SK_REACT_SPACE, ENOSPC },
		{ 0xb, 0x47, 0x03, SK_REACT_RETRY, EIO },
		{ 0xb, 0x10, 0x01, SK_REACT_FAIL, EILSEQ },
		{ 0xd, 0x00, 0x00, SK_REACT_SPACE, ENOSPC },
		{ 0xe, 0x1d, 0x00, SK_REACT_FAIL, EIO },
		{ 0xc, 0x00, 0x00, SK_REACT_FAIL, EIO },
	};

	(void)st;
	for (size_t i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		struct sk_verdict v = ask(c[i].key, c[i].asc, c[i].ascq, 0);

		assert_int_equal(v.react, c[i].react);
		assert_int_equal(v.sys, c[i].sys);
	}
}

static void retries_end(void **st)
{
	(void)st;
	for (unsigned n = 0; n < 12; n++) {
		assert_int_equal(ask(6, 0x29, 0, n).react, n < SK_RETRY_ATTENTION ? SK_REACT_RETRY : SK_REACT_FAIL);
		assert_int_equal(ask(6, 0x2a, 9, n).react,
				 n < SK_RETRY_ATTENTION ? SK_REACT_CAPACITY : SK_REACT_FAIL);
		assert_int_equal(ask(2, 4, 1, n).react, SK_REACT_LATER);
	}
	assert_int_equal(sk_verdict(SK_ST_CHECK_CONDITION, sk_span("", 0), 0).react, SK_REACT_RETRY);
	assert_int_equal(sk_verdict(SK_ST_CHECK_CONDITION, sk_span("", 0), 1).react, SK_REACT_FAIL);
}

static void delays_grow_and_stop_growing(void **st)
{
	uint32_t last = 0;

	(void)st;
	for (unsigned n = 0; n < 40; n++) {
		struct sk_verdict v = sk_verdict(SK_ST_TASK_SET_FULL, sk_span("", 0), n);

		assert_int_equal(v.react, SK_REACT_LATER);
		assert_true(v.shrink);
		assert_true(v.delay_ms >= last && v.delay_ms <= SK_RETRY_LATER_MS);
		last = v.delay_ms;
	}
	assert_int_equal(last, SK_RETRY_LATER_MS);
	assert_false(sk_verdict(SK_ST_BUSY, sk_span("", 0), 0).shrink);
}

/* Every key, code and qualifier there can be has a verdict with an errno that suits it. */
static void every_code_has_a_verdict(void **st)
{
	(void)st;
	for (unsigned i = 0; i < 16 * 65536; i++) {
		struct sk_verdict v = ask((uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i, 0);

		assert_true((v.sys == 0) == (v.react == SK_REACT_DONE));
		assert_true((v.delay_ms > 0) == (v.react == SK_REACT_LATER));
	}
	for (unsigned s = 0; s < 256; s++) {
		struct sk_verdict v = sk_verdict((uint8_t)s, sk_span("", 0), 9);

		assert_int_equal(v.react == SK_REACT_DONE, s == SK_ST_GOOD || s == SK_ST_CONDITION_MET);
		assert_non_null(sk_status_words((uint8_t)s));
	}
}

static void words(void **st)
{
	struct sk_sense s = sk_sense_parse(sk_span(fixed, sizeof(fixed)));
	char buf[160], small[8];

	(void)st;
	assert_string_equal(sk_sense_text(&s, buf, sizeof(buf)),
			    "medium error: unrecovered read error (3/11/00) at block 4711");
	s = sk_sense_parse(sk_span(desc, sizeof(desc)));
	assert_string_equal(sk_sense_text(&s, buf, sizeof(buf)),
			    "unit attention: capacity data has changed (6/2a/09)");
	s = (struct sk_sense){ .valid = true, .deferred = true, .key = 4, .asc = 0x99, .ascq = 0x98 };
	assert_string_equal(sk_sense_text(&s, buf, sizeof(buf)), "deferred hardware error (4/99/98)");
	assert_string_equal(sk_sense_text(&s, small, sizeof(small)), "deferre");
	s.valid = false;
	assert_string_equal(sk_sense_text(&s, buf, sizeof(buf)), "no usable sense data");
	assert_string_equal(sk_status_words(0x18), "reservation conflict");
	assert_string_equal(sk_status_words(0x77), "unknown status");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fixed_format_at_any_length),
		cmocka_unit_test(descriptor_format_at_any_length),
		cmocka_unit_test(strange_sense),
		cmocka_unit_test(what_to_do),
		cmocka_unit_test(retries_end),
		cmocka_unit_test(delays_grow_and_stop_growing),
		cmocka_unit_test(every_code_has_a_verdict),
		cmocka_unit_test(words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
