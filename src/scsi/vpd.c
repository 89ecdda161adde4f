/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>

#include "base/mem.h"
#include "base/num.h"
#include "scsi/inquiry.h"
#include "scsi/text.h"

#define VPD_HEAD 4

/* The body of a page: what arrived of what the page says it has. */
static int body(struct sk_span data, uint8_t page, struct sk_span *ret, struct sk_err *err)
{
	size_t n;

	if (data.n < VPD_HEAD)
		return sk_fail(err, SK_EPROTO, "VPD page 0x%02x of %zu bytes", page, data.n);
	if (data.p[1] != page)
		return sk_fail(err, SK_EPROTO, "VPD page 0x%02x where 0x%02x was asked for", data.p[1], page);
	n = sk_be16(data.p + 2);
	*ret = sk_span(data.p + VPD_HEAD, SK_MIN(n, data.n - VPD_HEAD));
	return 0;
}

uint32_t sk_vpd_need(struct sk_span data)
{
	return data.n < VPD_HEAD ? 0 : (uint32_t)sk_be16(data.p + 2) + VPD_HEAD;
}

int sk_vpd_pages_parse(struct sk_span data, struct sk_vpd_pages *ret, struct sk_err *err)
{
	struct sk_vpd_pages p = { { 0 } };
	struct sk_span b;

	if (body(data, SK_VPD_SUPPORTED, &b, err) < 0)
		return -1;
	for (size_t i = 0; i < b.n; i++)
		p.bit[b.p[i] / 8] |= (uint8_t)(1 << b.p[i] % 8);
	*ret = p;
	return 0;
}

int sk_vpd_serial_parse(struct sk_span data, char ret[SK_SERIAL_MAX], struct sk_err *err)
{
	struct sk_span b;

	if (body(data, SK_VPD_SERIAL, &b, err) < 0)
		return -1;
	sk_scsi_text(b, ret, SK_SERIAL_MAX);
	return 0;
}

/* Designator types of SPC-4, 7.8.6, with the lengths they may have (0: any). */
static const struct desig {
	uint8_t type;
	enum sk_ident_kind kind;
	const char *prefix;
	bool text;
	uint8_t len[3];
} desigs[] = {
	{ 0x1, SK_IDENT_T10, "t10.", true, { 0 } },	     /* T10 vendor ID */
	{ 0x2, SK_IDENT_EUI, "eui.", false, { 8, 12, 16 } }, /* EUI-64 */
	{ 0x3, SK_IDENT_NAA, "naa.", false, { 8, 16, 0 } },
	{ 0x8, SK_IDENT_NAME, "", true, { 0 } }, /* SCSI name string */
	{ 0xa, SK_IDENT_UUID, "uuid.", false, { 18, 0, 0 } },
};

static const struct desig *desig_of(uint8_t type, size_t n)
{
	for (size_t i = 0; i < SK_ARRAY_LEN(desigs); i++) {
		const struct desig *d = &desigs[i];

		if (d->type != type)
			continue;
		if (n == 0) /* and so not the 0 that ends a list of lengths */
			return NULL;
		if (d->len[0] == 0)
			return d;
		for (size_t k = 0; k < SK_ARRAY_LEN(d->len); k++)
			if (d->len[k] == n)
				return d;
	}
	return NULL;
}

static void hex(struct sk_span s, char *ret, size_t cap)
{
	size_t at = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < s.n && at + 2 < cap; i++, at += 2)
		snprintf(ret + at, cap - at, "%02x", s.p[i]);
}

/* Two different designators never read the same: what is not printable is spelt in hexadecimal as a whole. */
static void spell(const struct desig *d, struct sk_span v, struct sk_ident *ret)
{
	size_t at;

	ret->kind = d->kind;
	snprintf(ret->text, sizeof(ret->text), "%s", d->prefix);
	at = strlen(d->prefix);
	if (d->kind == SK_IDENT_UUID)
		v = sk_span(v.p + 2, v.n - 2); /* after a type and a reserved byte */
	if (d->text && sk_scsi_printable(sk_scsi_trim(v)))
		sk_scsi_text(v, ret->text + at, sizeof(ret->text) - at);
	else
		hex(v, ret->text + at, sizeof(ret->text) - at);
}

int sk_vpd_ident_parse(struct sk_span data, struct sk_ident *ret, struct sk_err *err)
{
	struct sk_span best = { NULL, 0 };
	const struct desig *best_d = NULL;
	struct sk_rd in = { { NULL, 0 }, false };

	if (body(data, SK_VPD_IDENT, &in.left, err) < 0)
		return -1;
	while (in.left.n >= 4) {
		struct sk_span head = sk_get(&in, 4);
		struct sk_span v = sk_get(&in, head.p[3]);
		uint8_t assoc = head.p[1] >> 4 & 3;
		const struct desig *d;

		if (in.short_)
			break;
		d = assoc == 0 ? desig_of(head.p[1] & 0x0f, v.n) : NULL;
		if (!d || (d->text && sk_scsi_trim(v).n == 0))
			continue;
		if (best_d && (d->kind < best_d->kind || (d->kind == best_d->kind && v.n <= best.n)))
			continue;
		best_d = d;
		best = v;
	}
	*ret = (struct sk_ident){ 0 };
	if (best_d)
		spell(best_d, best, ret);
	return 0;
}

void sk_ident_from_serial(const struct sk_inquiry *inq, const char *serial, struct sk_ident *ret)
{
	*ret = (struct sk_ident){ 0 };
	if (!serial[0])
		return;
	ret->kind = SK_IDENT_SERIAL;
	snprintf(ret->text, sizeof(ret->text), "serial.%s.%s.%s", inq->vendor, inq->product, serial);
}

/* Fields of a page that may be cut anywhere: what is not there is 0. */
static uint64_t at(struct sk_span b, size_t off, size_t n)
{
	struct sk_rd in = { b, false };

	sk_get(&in, off);
	return sk_get_be(&in, n);
}

int sk_vpd_limits_parse(struct sk_span data, struct sk_vpd_limits *ret, struct sk_err *err)
{
	struct sk_vpd_limits l = { 0 };
	struct sk_span b;

	if (body(data, SK_VPD_LIMITS, &b, err) < 0)
		return -1;
	l.wsnz = at(b, 0, 1) & 1;
	l.opt_granularity = (uint16_t)at(b, 2, 2);
	l.max_transfer = (uint32_t)at(b, 4, 4);
	l.opt_transfer = (uint32_t)at(b, 8, 4);
	l.max_unmap_blocks = (uint32_t)at(b, 16, 4);
	l.max_unmap_descs = (uint32_t)at(b, 20, 4);
	l.unmap_granularity = (uint32_t)at(b, 24, 4);
	if (at(b, 28, 4) & 0x80000000) /* UGAVALID */
		l.unmap_alignment = (uint32_t)at(b, 28, 4) & 0x7fffffff;
	l.max_write_same = at(b, 32, 8);
	*ret = l;
	return 0;
}

int sk_vpd_character_parse(struct sk_span data, struct sk_vpd_character *ret, struct sk_err *err)
{
	struct sk_span b;

	if (body(data, SK_VPD_CHARACTER, &b, err) < 0)
		return -1;
	*ret = (struct sk_vpd_character){ .rotation = (uint16_t)at(b, 0, 2), .form = at(b, 3, 1) & 0x0f };
	return 0;
}

int sk_vpd_provision_parse(struct sk_span data, struct sk_vpd_provision *ret, struct sk_err *err)
{
	struct sk_vpd_provision p = { 0 };
	struct sk_span b;
	uint8_t flags;

	if (body(data, SK_VPD_PROVISION, &b, err) < 0)
		return -1;
	p.threshold_exp = (uint8_t)at(b, 0, 1);
	flags = (uint8_t)at(b, 1, 1);
	p.lbpu = flags & 0x80;
	p.lbpws = flags & 0x40;
	p.lbpws10 = flags & 0x20;
	p.lbprz = flags >> 2 & 7;
	p.type = at(b, 2, 1) & 7;
	*ret = p;
	return 0;
}
