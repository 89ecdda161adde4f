/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "fuzz/fuzz.h"

#include "scsi/inquiry.h"

typedef int parse_fn(struct sk_span d, void *ret, struct sk_err *err);

#define WRAP(name, fn, type)                                                                                       \
	static int name(struct sk_span d, void *ret, struct sk_err *err)                                           \
	{                                                                                                          \
		return fn(d, (type *)ret, err);                                                                    \
	}

WRAP(inquiry, sk_inquiry_parse, struct sk_inquiry)
WRAP(pages, sk_vpd_pages_parse, struct sk_vpd_pages)
WRAP(serial, sk_vpd_serial_parse, char)
WRAP(ident, sk_vpd_ident_parse, struct sk_ident)
WRAP(limits, sk_vpd_limits_parse, struct sk_vpd_limits)
WRAP(character, sk_vpd_character_parse, struct sk_vpd_character)
WRAP(provision, sk_vpd_provision_parse, struct sk_vpd_provision)

/* Every parser of INQUIRY answers gets the same bytes, whichever page they claim to be. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static parse_fn *const parsers[] = { inquiry, pages, serial, ident, limits, character, provision };
	union {
		struct sk_inquiry inquiry;
		struct sk_ident ident;
		char serial[SK_SERIAL_MAX];
		uint8_t b[1024];
	} ret, before;

	memset(&before, 0x5a, sizeof(before));
	for (size_t i = 0; i < sizeof(parsers) / sizeof(parsers[0]); i++) {
		struct sk_err err = { 0 };

		ret = before;
		if (parsers[i](sk_span(p, n), &ret, &err) < 0) {
			if (memcmp(&ret, &before, sizeof(ret)) != 0 || !err.msg[0])
				__builtin_trap(); /* an output was written on failure, or no reason given */
			continue;
		}
		if (parsers[i] == ident && strlen(ret.ident.text) >= sizeof(ret.ident.text))
			__builtin_trap();
		if (parsers[i] == serial && !memchr(ret.serial, 0, SK_SERIAL_MAX))
			__builtin_trap();
	}
	return 0;
}
