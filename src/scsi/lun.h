/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_SCSI_LUN_H
#define SK_SCSI_LUN_H

/**
 * Logical unit numbers. Three spellings of one thing:
 *
 *   wire     the 8 bytes of SAM-5, 4.7, as a big-endian 64-bit value: what PDUs carry (struct sk_task.lun)
 *   kernel   Linux's number: the 16-bit levels with the first one lowest. It names devices (H:C:T:L) and by-path
 * links, and every wire value has exactly one plain    what an administrator means by "LUN 300", whichever
 * addressing method the target chose
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

/** sk_lun_kernel - wire to kernel spelling; a bijection */
uint64_t sk_lun_kernel(uint64_t wire);
/** sk_lun_wire - kernel to wire spelling */
uint64_t sk_lun_wire(uint64_t kernel);

/** sk_lun_plain - the plain number of a single-level LUN: peripheral (bus 0), flat and extended flat addressing.
 * Returns false, *ret untouched, for every other form (several levels, bus numbers, well known units). */
bool sk_lun_plain(uint64_t wire, uint64_t *ret);
/** sk_lun_from_plain - @n 0..255 peripheral, ..16383 flat, ..16777215 extended flat; false above */
bool sk_lun_from_plain(uint64_t n, uint64_t *ret_wire);

/** sk_lun_well_known - a well known logical unit (REPORT LUNS and the like), which is never a disk */
bool sk_lun_well_known(uint64_t wire);

#define SK_LUNS_HEAD 8

/**
 * sk_luns_parse - REPORT LUNS parameter data (SPC-4, 6.33), cut anywhere
 * @data: what arrived; @luns: room for @max wire values, filled in the target's order without repetitions
 * @ret_n: how many were filled in
 * @ret_need: bytes the allocation length must have to get them all (the caller asks again when this is over what it
 *	asked for), at most 8 + 8 * 65535 whatever the target claims
 * Returns 0, or -1 with SK_EPROTO when not even the header is there.
 */
int sk_luns_parse(struct sk_span data, uint64_t *luns, size_t max, size_t *ret_n, uint32_t *ret_need,
		  struct sk_err *err);

#endif
