/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "scsi/inquiry.h"

#include "base/mem.h"
#include "scsi/text.h"

#define MIN_INQUIRY 5 /* up to and with the additional length */

static const char *const types[] = {
	[0x00] = "disk",
	[0x01] = "tape",
	[0x02] = "printer",
	[0x03] = "processor",
	[0x04] = "write-once disk",
	[0x05] = "cd/dvd",
	[0x06] = "scanner",
	[0x07] = "optical disk",
	[0x08] = "medium changer",
	[0x0c] = "array controller",
	[0x0d] = "enclosure",
	[0x0e] = "simplified disk",
	[0x11] = "object storage",
	[0x14] = "zoned disk",
	[0x1e] = "well known unit",
	[0x1f] = "no device",
};

const char *sk_inquiry_type_name(uint8_t type)
{
	return type < SK_ARRAY_LEN(types) && types[type] ? types[type] : "unknown device";
}

/* A field that was cut off is empty; one cut in the middle is not shown half. */
static void field(struct sk_span data, size_t off, size_t n, char *ret)
{
	struct sk_span f = { NULL, 0 };

	if (data.n >= off + n)
		f = sk_span(data.p + off, n);
	sk_scsi_text(f, ret, n + 1);
}

int sk_inquiry_parse(struct sk_span data, struct sk_inquiry *ret, struct sk_err *err)
{
	struct sk_inquiry q = { 0 };

	if (data.n < MIN_INQUIRY)
		return sk_fail(err, SK_EPROTO, "INQUIRY data of %zu bytes", data.n);
	q.qualifier = data.p[0] >> 5;
	q.type = data.p[0] & 0x1f;
	q.removable = data.p[1] & 0x80;
	q.version = data.p[2];
	q.length = (uint16_t)(data.p[4] + MIN_INQUIRY);
	if (data.n > q.length)
		data.n = q.length;
	q.cmd_queue = data.n > 7 && data.p[7] & 0x02;
	field(data, 8, 8, q.vendor);
	field(data, 16, 16, q.product);
	field(data, 32, 4, q.revision);
	*ret = q;
	return 0;
}
