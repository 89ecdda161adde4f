/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_SCSI_CDB_H
#define SK_SCSI_CDB_H

/**
 * Command descriptor blocks (SPC-4, SBC-3), always written whole: 16 bytes, unused ones zero, as an iSCSI SCSI
 * Command carries them (RFC 7143, 11.3.5). Nothing here checks a range against a disk; that is scsi/blk.h.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SK_CDB_LEN 16

enum sk_scsi_op {
	SK_SCSI_TEST_UNIT_READY = 0x00,
	SK_SCSI_INQUIRY = 0x12,
	SK_SCSI_MODE_SENSE_6 = 0x1a,
	SK_SCSI_READ_CAPACITY_10 = 0x25,
	SK_SCSI_READ_10 = 0x28,
	SK_SCSI_WRITE_10 = 0x2a,
	SK_SCSI_SYNCHRONIZE_CACHE_10 = 0x35,
	SK_SCSI_WRITE_SAME_10 = 0x41,
	SK_SCSI_UNMAP = 0x42,
	SK_SCSI_MODE_SENSE_10 = 0x5a,
	SK_SCSI_READ_16 = 0x88,
	SK_SCSI_WRITE_16 = 0x8a,
	SK_SCSI_SYNCHRONIZE_CACHE_16 = 0x91,
	SK_SCSI_WRITE_SAME_16 = 0x93,
	SK_SCSI_SERVICE_ACTION_IN_16 = 0x9e, /* READ CAPACITY(16) is service action 0x10 */
	SK_SCSI_REPORT_LUNS = 0xa0,
};

#define SK_SA_READ_CAPACITY_16 0x10

/* bits of the WRITE SAME commands, for @flags */
#define SK_WS_UNMAP 0x08 /* the device may deallocate instead of writing */
#define SK_WS_NDOB  0x01 /* no data-out buffer: zeroes are meant (16-byte form only) */

/** sk_cdb_name - "READ(10)", … ; "opcode 0x.." is not made up: NULL for an opcode that is not in the table */
const char *sk_cdb_name(uint8_t op);

void sk_cdb_test_unit_ready(uint8_t cdb[SK_CDB_LEN]);
/** sk_cdb_inquiry - standard data; @alloc bytes are asked for */
void sk_cdb_inquiry(uint8_t cdb[SK_CDB_LEN], uint16_t alloc);
void sk_cdb_inquiry_vpd(uint8_t cdb[SK_CDB_LEN], uint8_t page, uint16_t alloc);
/** sk_cdb_report_luns - SELECT REPORT 0: the logical units without well known ones; @alloc should be >= 16 */
void sk_cdb_report_luns(uint8_t cdb[SK_CDB_LEN], uint32_t alloc);
void sk_cdb_read_capacity10(uint8_t cdb[SK_CDB_LEN]);
void sk_cdb_read_capacity16(uint8_t cdb[SK_CDB_LEN], uint32_t alloc);
/** sk_cdb_mode_sense6 - current values of @page (0x3f all); @dbd: without block descriptors */
void sk_cdb_mode_sense6(uint8_t cdb[SK_CDB_LEN], uint8_t page, bool dbd, uint8_t alloc);
void sk_cdb_mode_sense10(uint8_t cdb[SK_CDB_LEN], uint8_t page, bool dbd, uint16_t alloc);

/** The 10-byte forms hold a 32-bit address and 16-bit count; the caller has chosen (sk_cdb_fits10). @lba and
 * @blocks count logical blocks. */
void sk_cdb_read10(uint8_t cdb[SK_CDB_LEN], uint32_t lba, uint16_t blocks, bool fua);
void sk_cdb_write10(uint8_t cdb[SK_CDB_LEN], uint32_t lba, uint16_t blocks, bool fua);
void sk_cdb_read16(uint8_t cdb[SK_CDB_LEN], uint64_t lba, uint32_t blocks, bool fua);
void sk_cdb_write16(uint8_t cdb[SK_CDB_LEN], uint64_t lba, uint32_t blocks, bool fua);

/** sk_cdb_sync10 - @blocks 0: to the end of the medium */
void sk_cdb_sync10(uint8_t cdb[SK_CDB_LEN], uint32_t lba, uint16_t blocks);
void sk_cdb_sync16(uint8_t cdb[SK_CDB_LEN], uint64_t lba, uint32_t blocks);

/** sk_cdb_write_same10 - @flags: SK_WS_UNMAP; NDOB does not exist in this form and is left out */
void sk_cdb_write_same10(uint8_t cdb[SK_CDB_LEN], uint32_t lba, uint16_t blocks, uint8_t flags);
void sk_cdb_write_same16(uint8_t cdb[SK_CDB_LEN], uint64_t lba, uint32_t blocks, uint8_t flags);

/** sk_cdb_unmap - @list_len: bytes of the parameter list (sk_unmap_list) */
void sk_cdb_unmap(uint8_t cdb[SK_CDB_LEN], uint16_t list_len);

struct sk_extent {
	uint64_t lba;
	uint32_t blocks;
};

#define SK_UNMAP_HEAD	  8
#define SK_UNMAP_DESC	  16
#define SK_UNMAP_MAX_DESC ((65535 - SK_UNMAP_HEAD) / SK_UNMAP_DESC)

/** sk_unmap_list - the UNMAP parameter list for @n extents (SBC-3, 5.28.2)
 * Returns its length in bytes, or 0 when it does not fit into @cap or @n is over SK_UNMAP_MAX_DESC. */
size_t sk_unmap_list(uint8_t *buf, size_t cap, const struct sk_extent *e, size_t n);

/** sk_cdb_fits10 - can the 10-byte forms say this range? */
static inline bool sk_cdb_fits10(uint64_t lba, uint64_t blocks)
{
	return lba <= UINT32_MAX && blocks <= UINT16_MAX && lba + blocks <= (uint64_t)UINT32_MAX + 1;
}

#endif
