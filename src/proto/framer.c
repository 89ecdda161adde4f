/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "proto/framer.h"

#include <string.h>

#include "base/num.h"

void sk_framer_init(struct sk_framer *f, uint32_t max_data)
{
	*f = (struct sk_framer){ .max_data = max_data };
}

void sk_framer_free(struct sk_framer *f)
{
	sk_buf_wipe(&f->pdu.data);
	*f = (struct sk_framer){ .max_data = f->max_data };
}

bool sk_framer_idle(const struct sk_framer *f)
{
	return f->have == 0 && !f->broken;
}

static struct sk_span take(struct sk_span *in, size_t n)
{
	struct sk_span got = { in->p, SK_MIN(n, in->n) };

	if (got.n) {
		in->p += got.n;
		in->n -= got.n;
	}
	return got;
}

/* The header is complete: how much follows (RFC 7143, 11.2.1). */
static int header(struct sk_framer *f, struct sk_err *err)
{
	const uint8_t *bhs = f->pdu.bhs;
	uint32_t n = sk_be24(bhs + 5);

	if (bhs[4] != 0) {
		f->broken = true;
		return sk_fail(err, SK_EPROTO, "PDU 0x%02x with %u words of additional header (RFC 7143, 11.2.2)",
			       sk_bhs_op(bhs), bhs[4]);
	}
	if (n > f->max_data) {
		f->broken = true;
		return sk_fail(err, SK_EPROTO,
			       "PDU 0x%02x with %u bytes of data where %u may be sent (RFC 7143, 13.12)",
			       sk_bhs_op(bhs), n, f->max_data);
	}
	f->data_left = n;
	f->pad_left = sk_pad4(n);
	return 0;
}

int sk_framer_feed(struct sk_framer *f, struct sk_span *in, struct sk_pdu *ret_pdu, struct sk_err *err)
{
	struct sk_span got;

	if (f->broken)
		return sk_fail(err, SK_EPROTO, "the stream of PDUs is lost");
	if (f->have < SK_BHS_LEN) {
		got = take(in, SK_BHS_LEN - f->have);
		if (got.n)
			memcpy(f->pdu.bhs + f->have, got.p, got.n);
		f->have += (uint32_t)got.n;
		if (f->have < SK_BHS_LEN)
			return 0;
		if (header(f, err) < 0)
			return -1;
	}
	got = take(in, f->data_left);
	sk_buf_add(&f->pdu.data, got.p, got.n);
	if (f->pdu.data.nomem) {
		f->broken = true;
		return sk_fail(err, SK_ENOMEM, "no memory for a data segment");
	}
	f->data_left -= (uint32_t)got.n;
	if (f->data_left == 0)
		f->pad_left -= (uint32_t)take(in, f->pad_left).n;
	if (f->data_left || f->pad_left)
		return 0;
	*ret_pdu = f->pdu;
	f->pdu = (struct sk_pdu){ 0 };
	f->have = 0;
	return 1;
}
