/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_SCSI_INQUIRY_H
#define SK_SCSI_INQUIRY_H

/**
 * What a logical unit says about itself: INQUIRY data and VPD pages (SPC-4, 6.6, 7.8; SBC-3, 6.6), capacity, mode
 * parameters. Every parser takes what arrived, of any length; a field that was cut off keeps its "not reported"
 * value unless the answer is useless without it. Outputs are written on success only.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

struct sk_inquiry {
	uint8_t qualifier; /* 0 a device is there, 1 could be, 3 cannot be */
	uint8_t type;	   /* 0 disk, 12 array controller, 31 none … */
	bool removable;
	bool cmd_queue;
	uint8_t version;			  /* SPC version byte, 0 = none claimed */
	uint16_t length;			  /* bytes of data the device has (5 + additional length) */
	char vendor[9], product[17], revision[5]; /* trailing blanks cut, unprintable bytes are '?' */
};

int sk_inquiry_parse(struct sk_span data, struct sk_inquiry *ret, struct sk_err *err);
/** sk_inquiry_type_name - "disk", "array controller", …; never NULL */
const char *sk_inquiry_type_name(uint8_t type);

#define SK_VPD_SUPPORTED 0x00
#define SK_VPD_SERIAL	 0x80
#define SK_VPD_IDENT	 0x83
#define SK_VPD_LIMITS	 0xb0
#define SK_VPD_CHARACTER 0xb1
#define SK_VPD_PROVISION 0xb2

/** The pages a device lists (page 0x00). */
struct sk_vpd_pages {
	uint8_t bit[32];
};

int sk_vpd_pages_parse(struct sk_span data, struct sk_vpd_pages *ret, struct sk_err *err);
static inline bool sk_vpd_has(const struct sk_vpd_pages *p, uint8_t page)
{
	return p->bit[page / 8] >> (page % 8) & 1;
}

/** sk_vpd_need - how long a page says it is (header included), 0 when not even the header is there: the caller asks
 * again with this allocation length when it got less */
uint32_t sk_vpd_need(struct sk_span data);

#define SK_SERIAL_MAX 256

/** sk_vpd_serial_parse - unit serial number (0x80) as text: blanks around it cut, unprintable bytes '?' */
int sk_vpd_serial_parse(struct sk_span data, char ret[SK_SERIAL_MAX], struct sk_err *err);

/** How a logical unit is told apart from every other, best first. */
enum sk_ident_kind {
	SK_IDENT_NONE,
	SK_IDENT_SERIAL,
	SK_IDENT_T10,
	SK_IDENT_NAME,
	SK_IDENT_UUID,
	SK_IDENT_EUI,
	SK_IDENT_NAA
};

struct sk_ident {
	enum sk_ident_kind kind;
	char text[528]; /* "naa.6001405…", "eui.…", "uuid.…", "t10.…", an iSCSI name; "" for NONE */
};

/**
 * sk_vpd_ident_parse - the best designator of the logical unit on page 0x83: NAA, then EUI-64, UUID, SCSI name
 * string, T10 vendor ID; a longer NAA or EUI wins over a shorter one. Designators of ports and targets are not
 * considered. A designator cut off or with a length that its type does not allow is passed over; that none
 * is left is success with kind NONE.
 */
int sk_vpd_ident_parse(struct sk_span data, struct sk_ident *ret, struct sk_err *err);
/** sk_ident_from_serial - the fall-back: vendor, product and serial number; kind NONE when @serial is "" */
void sk_ident_from_serial(const struct sk_inquiry *inq, const char *serial, struct sk_ident *ret);

/** Block limits (0xB0); everything in logical blocks, 0 = not reported. */
struct sk_vpd_limits {
	uint16_t opt_granularity;
	uint32_t max_transfer, opt_transfer;
	uint32_t max_unmap_blocks, max_unmap_descs;
	uint32_t unmap_granularity, unmap_alignment;
	uint64_t max_write_same;
	bool wsnz; /* WRITE SAME with 0 blocks is not accepted */
};

int sk_vpd_limits_parse(struct sk_span data, struct sk_vpd_limits *ret, struct sk_err *err);

/** Block device characteristics (0xB1). */
struct sk_vpd_character {
	uint16_t rotation; /* 0 not reported, 1 does not rotate, else rounds per minute */
	uint8_t form;	   /* nominal form factor, 0 not reported */
};

int sk_vpd_character_parse(struct sk_span data, struct sk_vpd_character *ret, struct sk_err *err);

/** Logical block provisioning (0xB2). */
struct sk_vpd_provision {
	bool lbpu;     /* UNMAP works */
	bool lbpws;    /* WRITE SAME(16) with UNMAP works */
	bool lbpws10;  /* WRITE SAME(10) with UNMAP works */
	uint8_t lbprz; /* 0 unknown, bit 0: unmapped blocks read as zeroes */
	uint8_t type;  /* 0 not reported, 1 resource, 2 thin */
	uint8_t threshold_exp;
};

int sk_vpd_provision_parse(struct sk_span data, struct sk_vpd_provision *ret, struct sk_err *err);

struct sk_capacity {
	uint64_t blocks;     /* >= 1 */
	uint32_t block_size; /* bytes, 256..65536, a power of two; anything else is refused with SK_ENOTSUP */
	uint32_t phys_size;  /* bytes of a physical block, >= block_size */
	bool protection;     /* formatted with protection information */
	bool lbpme, lbprz;   /* logical block provisioning is enabled; unmapped blocks read as zeroes */
};

/** sk_capacity10_parse - *ret_more is set when the answer is "too large for this command" (then *ret is untouched)
 */
int sk_capacity10_parse(struct sk_span data, struct sk_capacity *ret, bool *ret_more, struct sk_err *err);
int sk_capacity16_parse(struct sk_span data, struct sk_capacity *ret, struct sk_err *err);

struct sk_mode {
	bool write_protect; /* WP: writes will be refused */
	bool dpofua;	    /* FUA is understood */
	bool cache_page;    /* the caching page was in the data: write_cache is valid */
	bool write_cache;   /* WCE: completed writes may be volatile until SYNCHRONIZE CACHE */
};

int sk_mode6_parse(struct sk_span data, struct sk_mode *ret, struct sk_err *err);
int sk_mode10_parse(struct sk_span data, struct sk_mode *ret, struct sk_err *err);

#endif
