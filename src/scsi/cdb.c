/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "scsi/cdb.h"

#include <string.h>

#include "base/mem.h"
#include "base/span.h"

static const struct {
	uint8_t op;
	const char *name;
} names[] = {
	{ SK_SCSI_TEST_UNIT_READY, "TEST UNIT READY" },
	{ SK_SCSI_INQUIRY, "INQUIRY" },
	{ SK_SCSI_MODE_SENSE_6, "MODE SENSE(6)" },
	{ SK_SCSI_READ_CAPACITY_10, "READ CAPACITY(10)" },
	{ SK_SCSI_READ_10, "READ(10)" },
	{ SK_SCSI_WRITE_10, "WRITE(10)" },
	{ SK_SCSI_SYNCHRONIZE_CACHE_10, "SYNCHRONIZE CACHE(10)" },
	{ SK_SCSI_WRITE_SAME_10, "WRITE SAME(10)" },
	{ SK_SCSI_UNMAP, "UNMAP" },
	{ SK_SCSI_MODE_SENSE_10, "MODE SENSE(10)" },
	{ SK_SCSI_READ_16, "READ(16)" },
	{ SK_SCSI_WRITE_16, "WRITE(16)" },
	{ SK_SCSI_SYNCHRONIZE_CACHE_16, "SYNCHRONIZE CACHE(16)" },
	{ SK_SCSI_WRITE_SAME_16, "WRITE SAME(16)" },
	{ SK_SCSI_SERVICE_ACTION_IN_16, "READ CAPACITY(16)" },
	{ SK_SCSI_REPORT_LUNS, "REPORT LUNS" },
};

#define BIT_EVPD 0x01
#define BIT_DBD	 0x08
#define BIT_FUA	 0x08

const char *sk_cdb_name(uint8_t op)
{
	for (size_t i = 0; i < SK_ARRAY_LEN(names); i++)
		if (names[i].op == op)
			return names[i].name;
	return NULL;
}

static void start(uint8_t *cdb, uint8_t op)
{
	memset(cdb, 0, SK_CDB_LEN);
	cdb[0] = op;
}

void sk_cdb_test_unit_ready(uint8_t cdb[SK_CDB_LEN])
{
	start(cdb, SK_SCSI_TEST_UNIT_READY);
}

void sk_cdb_inquiry(uint8_t cdb[SK_CDB_LEN], uint16_t alloc)
{
	start(cdb, SK_SCSI_INQUIRY);
	sk_set_be16(cdb + 3, alloc);
}

void sk_cdb_inquiry_vpd(uint8_t cdb[SK_CDB_LEN], uint8_t page, uint16_t alloc)
{
	sk_cdb_inquiry(cdb, alloc);
	cdb[1] = BIT_EVPD;
	cdb[2] = page;
}

void sk_cdb_report_luns(uint8_t cdb[SK_CDB_LEN], uint32_t alloc)
{
	start(cdb, SK_SCSI_REPORT_LUNS);
	sk_set_be32(cdb + 6, alloc);
}

void sk_cdb_read_capacity10(uint8_t cdb[SK_CDB_LEN])
{
	start(cdb, SK_SCSI_READ_CAPACITY_10);
}

void sk_cdb_read_capacity16(uint8_t cdb[SK_CDB_LEN], uint32_t alloc)
{
	start(cdb, SK_SCSI_SERVICE_ACTION_IN_16);
	cdb[1] = SK_SA_READ_CAPACITY_16;
	sk_set_be32(cdb + 10, alloc);
}

void sk_cdb_mode_sense6(uint8_t cdb[SK_CDB_LEN], uint8_t page, bool dbd, uint8_t alloc)
{
	start(cdb, SK_SCSI_MODE_SENSE_6);
	cdb[1] = dbd ? BIT_DBD : 0;
	cdb[2] = page & 0x3f; /* page control 0: current values */
	cdb[4] = alloc;
}

void sk_cdb_mode_sense10(uint8_t cdb[SK_CDB_LEN], uint8_t page, bool dbd, uint16_t alloc)
{
	start(cdb, SK_SCSI_MODE_SENSE_10);
	cdb[1] = dbd ? BIT_DBD : 0;
	cdb[2] = page & 0x3f;
	sk_set_be16(cdb + 7, alloc);
}

static void form10(uint8_t *cdb, uint8_t op, uint8_t flags, uint32_t lba, uint16_t blocks)
{
	start(cdb, op);
	cdb[1] = flags;
	sk_set_be32(cdb + 2, lba);
	sk_set_be16(cdb + 7, blocks);
}

static void form16(uint8_t *cdb, uint8_t op, uint8_t flags, uint64_t lba, uint32_t blocks)
{
	start(cdb, op);
	cdb[1] = flags;
	sk_set_be64(cdb + 2, lba);
	sk_set_be32(cdb + 10, blocks);
}

void sk_cdb_read10(uint8_t cdb[SK_CDB_LEN], uint32_t lba, uint16_t blocks, bool fua)
{
	form10(cdb, SK_SCSI_READ_10, fua ? BIT_FUA : 0, lba, blocks);
}

void sk_cdb_write10(uint8_t cdb[SK_CDB_LEN], uint32_t lba, uint16_t blocks, bool fua)
{
	form10(cdb, SK_SCSI_WRITE_10, fua ? BIT_FUA : 0, lba, blocks);
}

void sk_cdb_read16(uint8_t cdb[SK_CDB_LEN], uint64_t lba, uint32_t blocks, bool fua)
{
	form16(cdb, SK_SCSI_READ_16, fua ? BIT_FUA : 0, lba, blocks);
}

void sk_cdb_write16(uint8_t cdb[SK_CDB_LEN], uint64_t lba, uint32_t blocks, bool fua)
{
	form16(cdb, SK_SCSI_WRITE_16, fua ? BIT_FUA : 0, lba, blocks);
}

void sk_cdb_sync10(uint8_t cdb[SK_CDB_LEN], uint32_t lba, uint16_t blocks)
{
	form10(cdb, SK_SCSI_SYNCHRONIZE_CACHE_10, 0, lba, blocks);
}

void sk_cdb_sync16(uint8_t cdb[SK_CDB_LEN], uint64_t lba, uint32_t blocks)
{
	form16(cdb, SK_SCSI_SYNCHRONIZE_CACHE_16, 0, lba, blocks);
}

void sk_cdb_write_same10(uint8_t cdb[SK_CDB_LEN], uint32_t lba, uint16_t blocks, uint8_t flags)
{
	form10(cdb, SK_SCSI_WRITE_SAME_10, flags & SK_WS_UNMAP, lba, blocks);
}

void sk_cdb_write_same16(uint8_t cdb[SK_CDB_LEN], uint64_t lba, uint32_t blocks, uint8_t flags)
{
	form16(cdb, SK_SCSI_WRITE_SAME_16, flags & (SK_WS_UNMAP | SK_WS_NDOB), lba, blocks);
}

void sk_cdb_unmap(uint8_t cdb[SK_CDB_LEN], uint16_t list_len)
{
	start(cdb, SK_SCSI_UNMAP);
	sk_set_be16(cdb + 7, list_len);
}

size_t sk_unmap_list(uint8_t *buf, size_t cap, const struct sk_extent *e, size_t n)
{
	struct sk_wr out = { .p = buf, .left = cap };
	size_t descs = n * SK_UNMAP_DESC;

	if (n > SK_UNMAP_MAX_DESC)
		return 0;
	sk_put_be(&out, SK_UNMAP_HEAD - 2 + descs, 2); /* UNMAP DATA LENGTH: what follows it */
	sk_put_be(&out, descs, 2);
	sk_put_be(&out, 0, 4);
	for (size_t i = 0; i < n; i++) {
		sk_put_be(&out, e[i].lba, 8);
		sk_put_be(&out, e[i].blocks, 4);
		sk_put_be(&out, 0, 4);
	}
	return out.full ? 0 : out.done;
}
