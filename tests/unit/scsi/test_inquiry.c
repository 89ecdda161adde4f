/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "cut.h"
#include "scsi/inquiry.h"

static const uint8_t tgt_inquiry[66] = {
	0x00, 0x00, 0x05, 0x02, 0x3d, 0x00, 0x00, 0x02, 'I', 'E', 'T', ' ', ' ', ' ', ' ', ' ', 'V', 'I',
	'R',  'T',  'U',  'A',	'L',  '-',  'D',  'I',	'S', 'K', ' ', ' ', ' ', ' ', '0', '0', '0', '1',
};

#define WRAP(name, fn, type)                                                                                       \
	static int name(struct sk_span d, void *ret, struct sk_err *err)                                           \
	{                                                                                                          \
		return fn(d, (type *)ret, err);                                                                    \
	}

WRAP(inquiry, sk_inquiry_parse, struct sk_inquiry)
WRAP(pages, sk_vpd_pages_parse, struct sk_vpd_pages)
WRAP(ident, sk_vpd_ident_parse, struct sk_ident)
WRAP(limits, sk_vpd_limits_parse, struct sk_vpd_limits)
WRAP(character, sk_vpd_character_parse, struct sk_vpd_character)
WRAP(provision, sk_vpd_provision_parse, struct sk_vpd_provision)
WRAP(serial, sk_vpd_serial_parse, char)

static void standard_data(void **st)
{
	uint8_t p[66];
	struct sk_inquiry q;

	(void)st;
	cut_all(inquiry, tgt_inquiry, sizeof(tgt_inquiry), 5, sizeof(q));
	assert_int_equal(sk_inquiry_parse(sk_span(tgt_inquiry, sizeof(tgt_inquiry)), &q, NULL), 0);
	assert_int_equal(q.type, 0);
	assert_int_equal(q.version, 5);
	assert_int_equal(q.length, 66);
	assert_true(q.cmd_queue);
	assert_string_equal(q.vendor, "IET");
	assert_string_equal(q.product, "VIRTUAL-DISK");
	assert_string_equal(q.revision, "0001");
	assert_int_equal(sk_inquiry_parse(sk_span(tgt_inquiry, 20), &q, NULL), 0);
	assert_string_equal(q.vendor, "IET");
	assert_string_equal(q.product, ""); /* not half of it */
	memcpy(p, tgt_inquiry, sizeof(p));
	p[0] = 0x7f;
	p[9] = 0x1b;
	p[4] = 11; /* the device has 16 bytes: what follows is not its own */
	assert_int_equal(sk_inquiry_parse(sk_span(p, sizeof(p)), &q, NULL), 0);
	assert_int_equal(q.qualifier, 3);
	assert_int_equal(q.type, 31);
	assert_string_equal(q.vendor, "I?T");
	assert_string_equal(q.product, "");
	assert_string_equal(sk_inquiry_type_name(q.type), "no device");
	assert_string_equal(sk_inquiry_type_name(0x0c), "array controller");
	assert_string_equal(sk_inquiry_type_name(0x15), "unknown device");
	assert_string_equal(sk_inquiry_type_name(0xff), "unknown device");
}

static void lists_of_pages(void **st)
{
	static const uint8_t p[] = { 0, 0x00, 0, 5, 0x00, 0x80, 0x83, 0xb0, 0xff };
	static const uint8_t other[] = { 0, 0x80, 0, 0 };
	struct sk_vpd_pages v;

	(void)st;
	cut_all(pages, p, sizeof(p), 4, sizeof(v));
	assert_int_equal(sk_vpd_pages_parse(sk_span(p, sizeof(p)), &v, NULL), 0);
	assert_true(sk_vpd_has(&v, 0x83));
	assert_true(sk_vpd_has(&v, 0xff));
	assert_false(sk_vpd_has(&v, 0xb2));
	assert_int_equal(sk_vpd_pages_parse(sk_span(other, 4), &v, NULL), -1);
	assert_int_equal(sk_vpd_need(sk_span(p, sizeof(p))), 9);
	assert_int_equal(sk_vpd_need(sk_span(p, 3)), 0);
}

static void serial_numbers(void **st)
{
	static const uint8_t p[] = { 0, 0x80, 0, 8, ' ', ' ', 'S', '1', 0x07, '2', ' ', 0 };
	uint8_t big[4 + 400] = { 0, 0x80, 400 >> 8, 400 & 0xff };
	char text[SK_SERIAL_MAX];

	(void)st;
	cut_all(serial, p, sizeof(p), 4, sizeof(text));
	assert_int_equal(sk_vpd_serial_parse(sk_span(p, sizeof(p)), text, NULL), 0);
	assert_string_equal(text, "S1?2");
	memset(big + 4, 'x', 400);
	assert_int_equal(sk_vpd_serial_parse(sk_span(big, sizeof(big)), text, NULL), 0);
	assert_int_equal(strlen(text), SK_SERIAL_MAX - 1);
}

static size_t desig(uint8_t *p, size_t at, uint8_t assoc, uint8_t type, const char *v, size_t n)
{
	p[at] = 0x01;
	p[at + 1] = (uint8_t)(assoc << 4 | type);
	p[at + 2] = 0;
	p[at + 3] = (uint8_t)n;
	memcpy(p + at + 4, v, n);
	return at + 4 + n;
}

static const char *best(const uint8_t *p, size_t end, struct sk_ident *id)
{
	uint8_t page[1024];

	memcpy(page, p, end);
	page[0] = 0;
	page[1] = 0x83;
	page[2] = (uint8_t)((end - 4) >> 8);
	page[3] = (uint8_t)(end - 4);
	assert_int_equal(sk_vpd_ident_parse(sk_span(page, end), id, NULL), 0);
	return id->text;
}

static void the_best_identity_wins(void **st)
{
	uint8_t p[1024];
	struct sk_ident id;
	size_t at = 4;

	(void)st;
	assert_string_equal(best(p, 4, &id), "");
	assert_int_equal(id.kind, SK_IDENT_NONE);
	at = desig(p, at, 1, 3, "\x60\x01\x02\x03\x04\x05\x06\x07", 8); /* of the port: not the unit's */
	at = desig(p, at, 0, 3, "\x60\x01", 2);				/* no length an NAA has */
	at = desig(p, at, 0, 1, "IET     0001 ", 13);
	assert_string_equal(best(p, at, &id), "t10.IET     0001");
	at = desig(p, at, 0, 8, "iqn.2026-11.com.example:d,L,0x1\0\0", 33);
	assert_string_equal(best(p, at, &id), "iqn.2026-11.com.example:d,L,0x1");
	at = desig(p, at, 0, 2, "\x01\x02\x03\x04\x05\x06\x07\x08", 8);
	assert_string_equal(best(p, at, &id), "eui.0102030405060708");
	at = desig(p, at, 0, 3, "\x50\x01\x02\x03\x04\x05\x06\x07", 8);
	assert_string_equal(best(p, at, &id), "naa.5001020304050607");
	at = desig(p, at, 0, 3, "\x60\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f", 16);
	assert_string_equal(best(p, at, &id), "naa.600102030405060708090a0b0c0d0e0f");
	assert_int_equal(id.kind, SK_IDENT_NAA);
	assert_string_equal(best(p, at - 1, &id), "naa.5001020304050607"); /* the last one is cut off */
	p[0] = 0;
	p[1] = 0x83;
	p[2] = 0;
	p[3] = (uint8_t)(at - 4);
	cut_all(ident, p, at, 4, sizeof(id));
}

static void identities_never_collide_or_overflow(void **st)
{
	uint8_t p[1024];
	char long_text[255];
	struct sk_ident id;

	(void)st;
	assert_string_equal(best(p, desig(p, 4, 0, 1, "a\x01", 2), &id), "t10.6101");
	assert_string_equal(best(p, desig(p, 4, 0, 1, "    ", 4), &id), "");
	for (uint8_t type = 0; type < 16; type++)
		assert_string_equal(best(p, desig(p, 4, 0, type, "", 0), &id), "");
	memset(long_text, 0x01, sizeof(long_text));
	best(p, desig(p, 4, 0, 1, long_text, 255), &id);
	assert_int_equal(strlen(id.text), 4 + 510);
	assert_string_equal(best(p,
				 desig(p, 4, 0, 0xa,
				       "\x10\x00"
				       "0123456789abcdef",
				       18),
				 &id),
			    "uuid.30313233343536373839616263646566");
}

static void the_serial_number_is_the_last_resort(void **st)
{
	struct sk_inquiry q = { .vendor = "IET", .product = "VIRTUAL-DISK" };
	struct sk_ident id;

	(void)st;
	sk_ident_from_serial(&q, "beaf11", &id);
	assert_string_equal(id.text, "serial.IET.VIRTUAL-DISK.beaf11");
	sk_ident_from_serial(&q, "", &id);
	assert_int_equal(id.kind, SK_IDENT_NONE);
}

static void block_limits(void **st)
{
	uint8_t p[64] = { 0, 0xb0, 0, 60, 1, 0, 0, 8,  0,    0, 0x40, 0, 0, 0, 0x10, 0, [20] = 0, 1, 0, 0,
			  0, 0,	   0, 4,  0, 0, 0, 16, 0x80, 0, 0,    3, 0, 0, 0,    1, 0,	  0, 0, 0 };
	struct sk_vpd_limits l;

	(void)st;
	cut_all(limits, p, sizeof(p), 4, sizeof(l));
	assert_int_equal(sk_vpd_limits_parse(sk_span(p, sizeof(p)), &l, NULL), 0);
	assert_true(l.wsnz);
	assert_int_equal(l.opt_granularity, 8);
	assert_int_equal(l.max_transfer, 0x4000);
	assert_int_equal(l.opt_transfer, 0x1000);
	assert_int_equal(l.max_unmap_blocks, 0x10000);
	assert_int_equal(l.max_unmap_descs, 4);
	assert_int_equal(l.unmap_granularity, 16);
	assert_int_equal(l.unmap_alignment, 3);
	assert_true(l.max_write_same == 0x100000000);
	p[3] = 0x0c; /* a page of SBC-2: no UNMAP limits, whatever follows */
	assert_int_equal(sk_vpd_limits_parse(sk_span(p, sizeof(p)), &l, NULL), 0);
	assert_int_equal(l.max_transfer, 0x4000);
	assert_int_equal(l.max_unmap_blocks, 0);
	assert_true(l.max_write_same == 0);
	p[3] = 60;
	p[32] = 0; /* UGAVALID off */
	assert_int_equal(sk_vpd_limits_parse(sk_span(p, sizeof(p)), &l, NULL), 0);
	assert_int_equal(l.unmap_alignment, 0);
}

static void characteristics_and_provisioning(void **st)
{
	static const uint8_t b1[] = { 0, 0xb1, 0, 60, 0x1c, 0x20, 0, 0xf2 };
	static const uint8_t b2[] = { 0, 0xb2, 0, 4, 7, 0xe4, 2, 0 };
	struct sk_vpd_character c;
	struct sk_vpd_provision v;

	(void)st;
	cut_all(character, b1, sizeof(b1), 4, sizeof(c));
	cut_all(provision, b2, sizeof(b2), 4, sizeof(v));
	assert_int_equal(sk_vpd_character_parse(sk_span(b1, sizeof(b1)), &c, NULL), 0);
	assert_int_equal(c.rotation, 7200);
	assert_int_equal(c.form, 2);
	assert_int_equal(sk_vpd_provision_parse(sk_span(b2, sizeof(b2)), &v, NULL), 0);
	assert_true(v.lbpu && v.lbpws && v.lbpws10);
	assert_int_equal(v.lbprz, 1);
	assert_int_equal(v.type, 2);
	assert_int_equal(v.threshold_exp, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(standard_data),
		cmocka_unit_test(lists_of_pages),
		cmocka_unit_test(serial_numbers),
		cmocka_unit_test(the_best_identity_wins),
		cmocka_unit_test(identities_never_collide_or_overflow),
		cmocka_unit_test(the_serial_number_is_the_last_resort),
		cmocka_unit_test(block_limits),
		cmocka_unit_test(characteristics_and_provisioning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
