/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"

#include "proto/framer.h"

/* The same bytes in one piece and byte by byte make the same PDUs; what comes out goes in again. */

struct sum {
	unsigned pdus;
	uint32_t hash;
	bool broken;
	struct sk_buf out;
};

static void feed(struct sk_framer *f, struct sk_span in, struct sum *s)
{
	struct sk_pdu pdu;
	int rc;

	while ((rc = sk_framer_feed(f, &in, &pdu, NULL)) > 0) {
		if (pdu.data.n > f->max_data)
			__builtin_trap();
		for (size_t i = 0; i < pdu.data.n; i++)
			s->hash = s->hash * 31 + (uint8_t)pdu.data.p[i];
		s->pdus++;
		if (sk_pdu_put_wire(&s->out, &pdu, NULL) < 0)
			__builtin_trap();
		sk_pdu_free(&pdu);
	}
	s->broken |= rc < 0;
	if (rc == 0 && in.n)
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct sum whole = { 0 }, bytes = { 0 }, again = { 0 };
	struct sk_framer f;

	sk_framer_init(&f, 8192);
	feed(&f, sk_span(p, n), &whole);
	sk_framer_free(&f);
	sk_framer_init(&f, 8192);
	for (size_t i = 0; i < n && !bytes.broken; i++)
		feed(&f, sk_span(p + i, 1), &bytes);
	sk_framer_free(&f);
	if (whole.pdus != bytes.pdus || whole.hash != bytes.hash || whole.broken != bytes.broken)
		__builtin_trap();
	sk_framer_init(&f, 8192);
	feed(&f, sk_buf_span(&whole.out), &again);
	if (again.pdus != whole.pdus || again.hash != whole.hash || again.broken || !sk_framer_idle(&f))
		__builtin_trap();
	sk_framer_free(&f);
	sk_buf_free(&whole.out);
	sk_buf_free(&bytes.out);
	sk_buf_free(&again.out);
	return 0;
}
