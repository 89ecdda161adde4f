/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "proto/pdu_ffp.h"

/* AHSLength counts the specific part without padding, which starts at the segment's fourth byte (11.2.2.1). */
#define AHS_FIXED 3

void sk_ahs_put_ext_cdb(struct sk_wr *out, struct sk_span cdb_from_16)
{
	static const uint8_t zero[3];

	if (cdb_from_16.n > 1020 - AHS_FIXED - 1) { /* TotalAHSLength is one byte of words */
		out->full = true;
		return;
	}
	sk_put_be(out, cdb_from_16.n + 1, 2);
	sk_put_be(out, SK_AHS_EXT_CDB, 1);
	sk_put_be(out, 0, 1);
	sk_put(out, cdb_from_16.p, cdb_from_16.n);
	sk_put(out, zero, sk_pad4((uint32_t)cdb_from_16.n));
}

void sk_ahs_put_bidi_read_len(struct sk_wr *out, uint32_t len)
{
	sk_put_be(out, 5, 2);
	sk_put_be(out, SK_AHS_BIDI_READ_LEN, 1);
	sk_put_be(out, 0, 1);
	sk_put_be(out, len, 4);
}

int sk_ahs_get(struct sk_rd *in, struct sk_ahs *ret, struct sk_err *err)
{
	struct sk_ahs a;
	uint32_t len;

	if (in->left.n == 0 && !in->short_)
		return 0;
	len = (uint32_t)sk_get_be(in, 2);
	a.type = (uint8_t)sk_get_be(in, 1);
	sk_get_be(in, 1); /* reserved in both types, and the first byte of the specific part */
	if (!in->short_ && len < 1)
		return sk_fail(err, SK_EPROTO, "AHS: AHSLength is 0");
	a.spec = sk_get(in, len - 1);
	sk_get(in, sk_pad4(AHS_FIXED + len));
	if (in->short_)
		return sk_fail(err, SK_EPROTO, "AHS: AHSLength %u is more than TotalAHSLength allows", len);
	*ret = a;
	return 1;
}

int sk_sense_get(struct sk_span data, uint32_t data_len, struct sk_span *ret, struct sk_err *err)
{
	struct sk_rd in = { data, false };
	uint32_t len;

	if (data_len < 2) { /* a segment of one byte can hold no SenseLength: there is no sense (11.4.7) */
		*ret = sk_span(NULL, 0);
		return 0;
	}
	len = (uint32_t)sk_get_be(&in, 2);
	if (in.short_ || !sk_fits(2, len, data_len))
		return sk_fail(err, SK_EPROTO, "SenseLength %u is more than the data segment of %u bytes holds",
			       len, data_len);
	*ret = sk_get(&in, SK_MIN((size_t)len, in.left.n));
	return 0;
}
