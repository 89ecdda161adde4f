/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "scsi/lun.h"

#include "base/num.h"

/* SAM-5, 4.7.2: the two top bits of a level say how the rest is meant */
enum { PERIPHERAL, FLAT, LOGICAL_UNIT, EXTENDED };

#define MAX_LUNS	 65535
#define WELL_KNOWN_FIRST 0xc1 /* extended, length 0, well known addressing method */
#define EXTENDED_FLAT	 0xd2 /* extended, 3 bytes of LUN follow */

uint64_t sk_lun_kernel(uint64_t wire)
{
	return wire >> 48 | (wire >> 16 & 0xffff0000) | (wire << 16 & 0xffff00000000) | wire << 48;
}

uint64_t sk_lun_wire(uint64_t kernel)
{
	return sk_lun_kernel(kernel); /* turning the levels round is its own inverse */
}

bool sk_lun_plain(uint64_t wire, uint64_t *ret)
{
	uint16_t level = (uint16_t)(wire >> 48);
	bool single = (wire & 0xffffffffffff) == 0;

	if (level >> 14 == PERIPHERAL && single && level <= 255) {
		*ret = level;
		return true;
	}
	if (level >> 14 == FLAT && single) {
		*ret = level & 0x3fff;
		return true;
	}
	if (wire >> 56 == EXTENDED_FLAT && (wire & 0xffffffff) == 0) {
		*ret = wire >> 32 & 0xffffff;
		return true;
	}
	return false;
}

bool sk_lun_from_plain(uint64_t n, uint64_t *ret_wire)
{
	if (n <= 255)
		*ret_wire = n << 48;
	else if (n <= 0x3fff)
		*ret_wire = (n | (uint64_t)FLAT << 14) << 48;
	else if (n <= 0xffffff)
		*ret_wire = (uint64_t)EXTENDED_FLAT << 56 | n << 32;
	else
		return false;
	return true;
}

bool sk_lun_well_known(uint64_t wire)
{
	return wire >> 56 == WELL_KNOWN_FIRST;
}

static bool seen(const uint64_t *luns, size_t n, uint64_t lun)
{
	for (size_t i = 0; i < n; i++)
		if (luns[i] == lun)
			return true;
	return false;
}

int sk_luns_parse(struct sk_span data, uint64_t *luns, size_t max, size_t *ret_n, uint32_t *ret_need,
		  struct sk_err *err)
{
	struct sk_rd in = { data, false };
	uint32_t claim = (uint32_t)sk_get_be(&in, 4);
	size_t n = 0, count;

	sk_get(&in, 4);
	if (in.short_)
		return sk_fail(err, SK_EPROTO, "REPORT LUNS answer of %zu bytes", data.n);
	claim = SK_MIN(claim / 8, (uint32_t)MAX_LUNS);
	count = SK_MIN((size_t)claim, in.left.n / 8);
	for (size_t i = 0; i < count && n < max; i++) {
		uint64_t lun = sk_get_be(&in, 8);

		if (!seen(luns, n, lun))
			luns[n++] = lun;
	}
	*ret_n = n;
	*ret_need = SK_LUNS_HEAD + claim * 8;
	return 0;
}
