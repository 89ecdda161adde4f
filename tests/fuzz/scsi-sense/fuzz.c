/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "fuzz/fuzz.h"

#include "scsi/sense.h"

/* A status, a number of tries, then the sense data. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct sk_sense s;
	struct sk_verdict v;
	char text[100];

	if (n < 2)
		return 0;
	s = sk_sense_parse(sk_span(p + 2, n - 2));
	if (s.key > 15 || (!s.valid && s.asc))
		__builtin_trap();
	if (strlen(sk_sense_text(&s, text, sizeof(text))) >= sizeof(text))
		__builtin_trap();
	v = sk_verdict(p[0], sk_span(p + 2, n - 2), p[1]);
	if ((v.sys == 0) != (v.react == SK_REACT_DONE) || v.delay_ms > SK_RETRY_LATER_MS)
		__builtin_trap();
	if (p[1] >= SK_RETRY_ATTENTION && sk_react_retries(v.react) && v.react != SK_REACT_LATER)
		__builtin_trap(); /* for ever */
	return 0;
}
