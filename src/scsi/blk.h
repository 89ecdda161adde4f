/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_SCSI_BLK_H
#define SK_SCSI_BLK_H

/**
 * A block request in bytes, checked against what a LUN is, and turned into one SCSI command after the other.
 *
 *	if (sk_blk_check(&disk, &req, err) < 0)         refused: the reason is named, nothing was sent
 *		return …;
 *	pos = 0;
 *	while (sk_blk_next(&disk, &req, &pos, &cmd))    none at all for a request that has nothing to do
 *		… cmd.cdb, cmd.dir, cmd.data_len; the data by cmd.data
 *
 * Commands of one request are independent of each other and may run at the same time.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "scsi/cdb.h"
#include "scsi/inquiry.h"

enum sk_blk_op { SK_BLK_READ, SK_BLK_WRITE, SK_BLK_FLUSH, SK_BLK_DISCARD, SK_BLK_ZERO };

/** How zeroes are written, best first; see sk_blk_degrade. */
enum sk_zero_way { SK_ZERO_WS16, SK_ZERO_WS10, SK_ZERO_WRITE };
/** How blocks are given back. */
enum sk_discard_way { SK_DISCARD_NONE, SK_DISCARD_UNMAP, SK_DISCARD_WS16, SK_DISCARD_WS10 };

/** What the commands of a LUN must keep to. Made by sk_disk_init and changed by what is learnt on the way. */
struct sk_disk {
	uint64_t blocks;
	uint32_t block_size, phys_size;
	bool read_only;
	bool write_cache; /* completed writes may be volatile: flush is not a no-op */
	bool fua;	  /* FUA is understood; else a forced write needs a flush after it (sk_blk_needs_flush) */
	bool sync16;	  /* the 10-byte SYNCHRONIZE CACHE was refused */
	bool no_sync;	  /* so was the other one: there is nothing to flush */
	bool reads_zero;  /* unmapped blocks read as zeroes */
	bool ws16_unmap, ws10_unmap; /* this form of WRITE SAME may carry UNMAP */
	enum sk_discard_way discard;
	enum sk_zero_way zero;
	uint32_t max_blocks;			     /* per read or write, >= 1 */
	uint64_t max_ws_blocks;			     /* per WRITE SAME, >= 1 */
	uint64_t max_discard_blocks;		     /* per discard command, >= 1 unless discard is NONE */
	uint32_t unmap_granularity, unmap_alignment; /* blocks, granularity >= 1 */
};

/** The facts of a scan; what was not learnt is NULL. */
struct sk_disk_facts {
	const struct sk_capacity *capacity; /* required */
	const struct sk_mode *mode;
	const struct sk_vpd_limits *limits;
	const struct sk_vpd_provision *provision;
	uint32_t max_bytes; /* own limit per read or write (buffers, MaxBurst …); 0 = 1 MiB; rounded down to blocks
			     */
	bool read_only;	    /* asked for by the record */
};

int sk_disk_init(struct sk_disk *ret, const struct sk_disk_facts *f, struct sk_err *err);
/** sk_disk_bytes - the size; fits, sk_disk_init has checked */
uint64_t sk_disk_bytes(const struct sk_disk *d);

struct sk_blk {
	enum sk_blk_op op;
	uint64_t off, len; /* bytes; ignored for FLUSH */
	bool fua;	   /* WRITE and ZERO: on stable storage when done, by a bit or by a flush */
	bool may_unmap;	   /* ZERO: deallocating is welcome */
};

/** sk_blk_check - SK_EINVAL: not aligned, or past the end; SK_EACCES: writing on a read-only LUN; SK_ENOTSUP:
 * discard on a device without. The message names offset, length and what they should have been. err->sys is
 * the errno for whoever asked (EINVAL, EIO past the end, EROFS, EOPNOTSUPP). */
int sk_blk_check(const struct sk_disk *d, const struct sk_blk *r, struct sk_err *err);

enum sk_blk_data {
	SK_BLK_NO_DATA,
	SK_BLK_CALLERS, /* data_len bytes of the request's data, from part_off - req.off on */
	SK_BLK_PARAM,	/* the command's own .param */
	SK_BLK_ZEROES,	/* data_len zero bytes, at most SK_BLK_ZEROES_MAX */
};

#define SK_BLK_ZEROES_MAX 65536

struct sk_blk_cmd {
	uint8_t cdb[SK_CDB_LEN];
	enum sk_blk_op op;
	bool to_device; /* direction of the data */
	enum sk_blk_data data;
	uint32_t data_len;	     /* expected data transfer length, bytes */
	uint64_t part_off, part_len; /* the part of the request this command does, bytes on the disk */
	uint8_t param[SK_UNMAP_HEAD + SK_UNMAP_DESC];
};

/** sk_blk_next - the next command of a checked request; @pos starts at 0; false when there is no more.
 * A flush is one command, or none when nothing is volatile. */
bool sk_blk_next(const struct sk_disk *d, const struct sk_blk *r, uint64_t *pos, struct sk_blk_cmd *ret);

/** sk_blk_needs_flush - a forced write (fua) is only safe with a flush after it on this device */
bool sk_blk_needs_flush(const struct sk_disk *d, const struct sk_blk *r);

/**
 * sk_blk_degrade - the device refused @cmd as unsupported (SK_REACT_UNSUPPORTED): remember it in *d.
 * Returns true when there is another way: run sk_blk_next again from @cmd's part; false: the request is over (for
 * FLUSH: successfully, there is no cache).
 */
bool sk_blk_degrade(struct sk_disk *d, const struct sk_blk_cmd *cmd);

#endif
