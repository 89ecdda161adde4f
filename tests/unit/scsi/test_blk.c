/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "scsi/blk.h"

static const struct sk_capacity gib = { .blocks = 2097152, .block_size = 512, .phys_size = 4096 };
static const struct sk_mode cached = { .dpofua = true, .cache_page = true, .write_cache = true };
static const struct sk_vpd_provision thin = { .lbpu = true, .lbpws = true, .lbpws10 = true, .lbprz = 1 };

static struct sk_disk disk(const struct sk_disk_facts *f)
{
	struct sk_disk d;
	struct sk_err err = { 0 };

	assert_int_equal(sk_disk_init(&d, f, &err), 0);
	return d;
}

static void what_is_not_on_the_disk_is_refused_by_name(void **st)
{
	struct sk_disk_facts f = { .capacity = &gib };
	struct sk_disk d = disk(&f);
	struct sk_err err = { 0 };
	static const struct {
		struct sk_blk r;
		int sys;
		const char *msg;
	} c[] = {
		{ { SK_BLK_READ, 1, 512, false, false },
		  EINVAL,
		  "read of 512 bytes at 1: the offset is no multiple of 512" },
		{ { SK_BLK_WRITE, 512, 100, false, false },
		  EINVAL,
		  "write of 100 bytes at 512: the length is no multiple of 512" },
		{ { SK_BLK_READ, 1073741824, 512, false, false },
		  EIO,
		  "read of 512 bytes at 1073741824: past the end at 1073741824" },
		{ { SK_BLK_READ, UINT64_MAX - 511, 1024, false, false },
		  EIO,
		  "read of 1024 bytes at 18446744073709551104: past the end at 1073741824" },
		{ { SK_BLK_DISCARD, 0, 512, false, false },
		  EOPNOTSUPP,
		  "discard of 512 bytes at 0: the disk cannot give blocks back; bytes: 1073741824" },
	};

	(void)st;
	for (size_t i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
		assert_int_equal(sk_blk_check(&d, &c[i].r, &err), -1);
		assert_int_equal(err.sys, c[i].sys);
		assert_string_equal(err.msg, c[i].msg);
		assert_int_equal(sk_blk_check(&d, &c[i].r, NULL), -1);
	}
	f.read_only = true;
	d = disk(&f);
	assert_int_equal(sk_blk_check(&d, &(struct sk_blk){ .op = SK_BLK_ZERO, .len = 512 }, &err), -1);
	assert_int_equal(err.code, SK_EACCES);
	assert_int_equal(sk_blk_check(&d, &(struct sk_blk){ .op = SK_BLK_READ, .len = 512 }, &err), 0);
	assert_int_equal(sk_blk_check(&d, &(struct sk_blk){ .op = SK_BLK_READ, .off = sk_disk_bytes(&d) }, &err),
			 0);
	assert_int_equal(sk_blk_check(&d, &(struct sk_blk){ .op = SK_BLK_FLUSH, .off = 3 }, &err), 0);
}

static void impossible_disks_are_refused(void **st)
{
	struct sk_capacity c = { .blocks = 0, .block_size = 512 };
	struct sk_disk d;

	(void)st;
	assert_int_equal(sk_disk_init(&d, &(struct sk_disk_facts){ .capacity = &c }, NULL), -1);
	c = (struct sk_capacity){ .blocks = 1, .block_size = 0 };
	assert_int_equal(sk_disk_init(&d, &(struct sk_disk_facts){ .capacity = &c }, NULL), -1);
	c = (struct sk_capacity){ .blocks = UINT64_MAX, .block_size = 512 };
	assert_int_equal(sk_disk_init(&d, &(struct sk_disk_facts){ .capacity = &c }, NULL), -1);
}

/* Walks a request and checks that its parts follow each other without gap; returns how many commands it took. */
static unsigned walk(const struct sk_disk *d, const struct sk_blk *r, struct sk_blk_cmd *last)
{
	struct sk_blk_cmd c;
	uint64_t pos = 0, at = r->off;
	unsigned n = 0;

	while (sk_blk_next(d, r, &pos, &c)) {
		assert_true(c.part_off == at);
		assert_true(c.part_len > 0);
		at += c.part_len;
		if (c.data == SK_BLK_CALLERS)
			assert_int_equal(c.data_len, c.part_len);
		if (c.data == SK_BLK_ZEROES)
			assert_true(c.data_len <= SK_BLK_ZEROES_MAX);
		n++;
		*last = c;
	}
	if (r->op != SK_BLK_FLUSH)
		assert_true(at == r->off + r->len);
	return n;
}

static void reads_and_writes_are_split(void **st)
{
	struct sk_vpd_limits l = { .max_transfer = 256 };
	struct sk_disk_facts f = { .capacity = &gib, .mode = &cached, .max_bytes = 1 << 20 };
	struct sk_disk d = disk(&f);
	struct sk_blk r = { .op = SK_BLK_READ, .off = 4096, .len = (1 << 20) + 512 };
	struct sk_blk_cmd c;

	(void)st;
	assert_int_equal(walk(&d, &r, &c), 2);
	assert_int_equal(c.data_len, 512);
	assert_int_equal(c.cdb[0], SK_SCSI_READ_10);
	assert_false(c.to_device);
	f.limits = &l;
	d = disk(&f);
	r = (struct sk_blk){ .op = SK_BLK_WRITE, .off = 0, .len = 1 << 20, .fua = true };
	assert_int_equal(walk(&d, &r, &c), 8);
	assert_int_equal(c.cdb[0], SK_SCSI_WRITE_10);
	assert_int_equal(c.cdb[1], 0x08);
	assert_true(c.to_device);
	r.len = 0;
	assert_int_equal(walk(&d, &r, &c), 0);
}

static void the_long_form_is_taken_where_it_is_needed(void **st)
{
	static const struct sk_capacity huge = { .blocks = 0x100000010, .block_size = 4096, .phys_size = 4096 };
	struct sk_disk_facts f = { .capacity = &huge, .max_bytes = 1 << 30 };
	struct sk_disk d = disk(&f);
	struct sk_blk r = { .op = SK_BLK_READ, .off = 0xfffffff0ull * 4096, .len = 16 * 4096 };
	struct sk_blk_cmd c;

	(void)st;
	assert_int_equal(walk(&d, &r, &c), 1);
	assert_int_equal(c.cdb[0], SK_SCSI_READ_10);
	r.len += 4096;
	assert_int_equal(walk(&d, &r, &c), 1);
	assert_int_equal(c.cdb[0], SK_SCSI_READ_16);
	r.off = 0;
	r.len = 65536ull * 4096;
	assert_int_equal(walk(&d, &r, &c), 1);
	assert_int_equal(c.cdb[0], SK_SCSI_READ_16);
}

static void flush_and_forced_writes(void **st)
{
	struct sk_mode m = cached;
	struct sk_disk_facts f = { .capacity = &gib, .mode = &m };
	struct sk_disk d = disk(&f);
	struct sk_blk flush = { .op = SK_BLK_FLUSH }, forced = { .op = SK_BLK_WRITE, .len = 512, .fua = true };
	struct sk_blk_cmd c;

	(void)st;
	assert_int_equal(walk(&d, &flush, &c), 1);
	assert_int_equal(c.cdb[0], SK_SCSI_SYNCHRONIZE_CACHE_10);
	assert_false(sk_blk_needs_flush(&d, &forced));
	assert_true(sk_blk_degrade(&d, &c));
	assert_int_equal(walk(&d, &flush, &c), 1);
	assert_int_equal(c.cdb[0], SK_SCSI_SYNCHRONIZE_CACHE_16);
	assert_false(sk_blk_degrade(&d, &c)); /* no cache to flush */
	assert_int_equal(walk(&d, &flush, &c), 0);

	d = disk(&f);
	walk(&d, &forced, &c);
	assert_true(sk_blk_degrade(&d, &c)); /* FUA refused: the same without, then a flush */
	assert_true(sk_blk_needs_flush(&d, &forced));
	walk(&d, &forced, &c);
	assert_int_equal(c.cdb[1], 0);
	assert_false(sk_blk_degrade(&d, &c));

	m.write_cache = false; /* write through: everything is stable */
	d = disk(&f);
	assert_int_equal(walk(&d, &flush, &c), 0);
	assert_false(sk_blk_needs_flush(&d, &forced));
	f.mode = NULL; /* not known: be careful */
	d = disk(&f);
	assert_int_equal(walk(&d, &flush, &c), 1);
	assert_true(sk_blk_needs_flush(&d, &forced));
}

static void discards_keep_to_limits_and_granularity(void **st)
{
	struct sk_vpd_limits l = {
		.max_unmap_blocks = 100, .max_unmap_descs = 1, .unmap_granularity = 8, .unmap_alignment = 3
	};
	struct sk_disk_facts f = { .capacity = &gib, .limits = &l, .provision = &thin };
	struct sk_disk d = disk(&f);
	struct sk_blk r = { .op = SK_BLK_DISCARD, .off = 512, .len = 300 * 512 };
	struct sk_blk_cmd c;
	uint64_t pos = 0;

	(void)st;
	assert_true(sk_blk_next(&d, &r, &pos, &c));
	assert_int_equal(c.cdb[0], SK_SCSI_UNMAP);
	assert_int_equal(c.data, SK_BLK_PARAM);
	assert_int_equal(c.data_len, 24);
	assert_int_equal((c.part_off + c.part_len) / 512 % 8, 3); /* ends where a granule ends */
	assert_int_equal(c.param[15], 1);
	assert_int_equal(walk(&d, &r, &c), 4);
	assert_true(d.reads_zero);

	assert_true(sk_blk_degrade(&d, &c)); /* UNMAP refused */
	assert_int_equal(walk(&d, &r, &c), 1);
	assert_int_equal(c.cdb[0], SK_SCSI_WRITE_SAME_16);
	assert_int_equal(c.cdb[1], SK_WS_UNMAP);
	assert_int_equal(c.data, SK_BLK_ZEROES);
	assert_int_equal(c.data_len, 512);
	assert_true(sk_blk_degrade(&d, &c));
	assert_int_equal(walk(&d, &r, &c), 1);
	assert_int_equal(c.cdb[0], SK_SCSI_WRITE_SAME_10);
	assert_false(sk_blk_degrade(&d, &c));
	assert_int_equal(sk_blk_check(&d, &r, NULL), -1);
	{
		uint64_t from = 0;

		assert_false(sk_blk_next(&d, &r, &from, &c));
	}
}

static void unmap_needs_limits_that_allow_it(void **st)
{
	struct sk_vpd_limits none = { .max_transfer = 8 };
	struct sk_capacity lbpme = gib;
	struct sk_disk_facts f = { .capacity = &gib, .limits = &none, .provision = &thin };

	(void)st;
	assert_int_equal(disk(&f).discard, SK_DISCARD_WS16);
	f.limits = NULL;
	assert_int_equal(disk(&f).discard, SK_DISCARD_UNMAP);
	f.provision = NULL;
	assert_int_equal(disk(&f).discard, SK_DISCARD_NONE);
	lbpme.lbpme = true;
	f.capacity = &lbpme;
	assert_int_equal(disk(&f).discard, SK_DISCARD_NONE);
	none.max_unmap_blocks = none.max_unmap_descs = 1;
	f.limits = &none;
	assert_int_equal(disk(&f).discard, SK_DISCARD_UNMAP);
}

static void zeroes_have_three_ways(void **st)
{
	struct sk_disk_facts f = { .capacity = &gib, .mode = &cached, .provision = &thin };
	struct sk_disk d = disk(&f);
	struct sk_blk r = { .op = SK_BLK_ZERO, .len = 512 * 70000, .may_unmap = true, .fua = true };
	struct sk_blk_cmd c;

	(void)st;
	assert_int_equal(walk(&d, &r, &c), 2);
	assert_int_equal(c.cdb[0], SK_SCSI_WRITE_SAME_16);
	assert_int_equal(c.cdb[1], SK_WS_UNMAP);
	assert_true(sk_blk_needs_flush(&d, &r));
	assert_true(sk_blk_degrade(&d, &c)); /* perhaps only the bit */
	walk(&d, &r, &c);
	assert_int_equal(c.cdb[0], SK_SCSI_WRITE_SAME_16);
	assert_int_equal(c.cdb[1], 0);
	assert_true(sk_blk_degrade(&d, &c));
	assert_true(sk_blk_degrade(&d, &c)); /* a second command that was refused as well */
	walk(&d, &r, &c);
	assert_int_equal(c.cdb[0], SK_SCSI_WRITE_SAME_10);
	d.ws10_unmap = false;
	walk(&d, &r, &c);
	assert_true(sk_blk_degrade(&d, &c));
	assert_int_equal(walk(&d, &r, &c), (512 * 70000 + 65535) / 65536);
	assert_int_equal(c.cdb[0], SK_SCSI_WRITE_10);
	assert_int_equal(c.cdb[1], 0x08);
	assert_int_equal(c.data, SK_BLK_ZEROES);
	assert_false(sk_blk_needs_flush(&d, &r));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_on_the_disk_is_refused_by_name),
		cmocka_unit_test(impossible_disks_are_refused),
		cmocka_unit_test(reads_and_writes_are_split),
		cmocka_unit_test(the_long_form_is_taken_where_it_is_needed),
		cmocka_unit_test(flush_and_forced_writes),
		cmocka_unit_test(discards_keep_to_limits_and_granularity),
		cmocka_unit_test(unmap_needs_limits_that_allow_it),
		cmocka_unit_test(zeroes_have_three_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
