/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "scsi/cdb.h"

#define IS(...)                                                                                                    \
	do {                                                                                                       \
		static const uint8_t want_[SK_CDB_LEN] = { __VA_ARGS__ };                                          \
		assert_memory_equal(cdb, want_, SK_CDB_LEN);                                                       \
		memset(cdb, 0xee, SK_CDB_LEN);                                                                     \
	} while (0)

static void every_builder_writes_all_sixteen_bytes(void **st)
{
	uint8_t cdb[SK_CDB_LEN];

	(void)st;
	memset(cdb, 0xee, sizeof(cdb));
	sk_cdb_test_unit_ready(cdb);
	IS(0);
	sk_cdb_inquiry(cdb, 0x1234);
	IS(0x12, 0, 0, 0x12, 0x34);
	sk_cdb_inquiry_vpd(cdb, 0x83, 255);
	IS(0x12, 1, 0x83, 0, 255);
	sk_cdb_report_luns(cdb, 0x01020304);
	IS(0xa0, 0, 0, 0, 0, 0, 1, 2, 3, 4);
	sk_cdb_read_capacity10(cdb);
	IS(0x25);
	sk_cdb_read_capacity16(cdb, 32);
	IS(0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32);
	sk_cdb_mode_sense6(cdb, 0x3f, true, 192);
	IS(0x1a, 8, 0x3f, 0, 192);
	sk_cdb_mode_sense10(cdb, 0x08, false, 0x0102);
	IS(0x5a, 0, 8, 0, 0, 0, 0, 1, 2);
	sk_cdb_read10(cdb, 0x01020304, 0x0506, false);
	IS(0x28, 0, 1, 2, 3, 4, 0, 5, 6);
	sk_cdb_write10(cdb, 0x01020304, 0x0506, true);
	IS(0x2a, 8, 1, 2, 3, 4, 0, 5, 6);
	sk_cdb_read16(cdb, 0x0102030405060708, 0x090a0b0c, true);
	IS(0x88, 8, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
	sk_cdb_write16(cdb, 0x0102030405060708, 0x090a0b0c, false);
	IS(0x8a, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
	sk_cdb_sync10(cdb, 1, 2);
	IS(0x35, 0, 0, 0, 0, 1, 0, 0, 2);
	sk_cdb_sync16(cdb, 1, 2);
	IS(0x91, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2);
	sk_cdb_write_same10(cdb, 1, 2, SK_WS_UNMAP | SK_WS_NDOB);
	IS(0x41, 8, 0, 0, 0, 1, 0, 0, 2);
	sk_cdb_write_same16(cdb, 1, 2, SK_WS_UNMAP | SK_WS_NDOB);
	IS(0x93, 9, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2);
	sk_cdb_unmap(cdb, 24);
	IS(0x42, 0, 0, 0, 0, 0, 0, 0, 24);
}

static void the_unmap_list_is_counted_and_bounded(void **st)
{
	static const struct sk_extent e[2] = { { 0x0102030405060708, 0x0a0b0c0d }, { 5, 6 } };
	static const uint8_t want[40] = { 0,  38, 0, 32, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11,
					  12, 13, 0, 0,	 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0,	 6 };
	uint8_t buf[40];

	(void)st;
	assert_int_equal(sk_unmap_list(buf, sizeof(buf), e, 2), 40);
	assert_memory_equal(buf, want, 40);
	assert_int_equal(sk_unmap_list(buf, 39, e, 2), 0);
	assert_int_equal(sk_unmap_list(buf, sizeof(buf), e, 0), 8);
	assert_int_equal(sk_unmap_list(buf, sizeof(buf), e, SK_UNMAP_MAX_DESC + 1), 0);
}

static void what_fits_ten_bytes(void **st)
{
	(void)st;
	assert_true(sk_cdb_fits10(0, 65535));
	assert_false(sk_cdb_fits10(0, 65536));
	assert_true(sk_cdb_fits10(UINT32_MAX, 1));
	assert_false(sk_cdb_fits10(UINT32_MAX, 2));
	assert_false(sk_cdb_fits10(UINT64_MAX, 1));
	assert_false(sk_cdb_fits10(1, UINT64_MAX));
	assert_string_equal(sk_cdb_name(0x28), "READ(10)");
	assert_null(sk_cdb_name(0xff));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_builder_writes_all_sixteen_bytes),
		cmocka_unit_test(the_unmap_list_is_counted_and_bounded),
		cmocka_unit_test(what_fits_ten_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
