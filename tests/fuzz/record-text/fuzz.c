/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "fuzz/fuzz.h"
#include "record/record.h"

static void warn(void *ctx, unsigned line, const char *text)
{
	if (line == 0 || strlen(text) == 0)
		__builtin_trap();
	(*(unsigned *)ctx)++;
}

/* What was read and written is read to the same again, whatever the text was; and no value makes a second line. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	enum sk_record_kind kind = n ? (enum sk_record_kind)(p[0] % 4) : SK_REC_NODE;
	struct sk_record *a = sk_record_new(kind, NULL), *b = sk_record_new(kind, NULL);
	struct sk_buf one = { 0 }, two = { 0 }, show = { 0 };
	unsigned warnings = 0;

	if (!a || !b || sk_record_parse(a, sk_span(p + (n > 0), n - (n > 0)), true, warn, &warnings, NULL) < 0)
		__builtin_trap();
	sk_record_print(&one, a, SK_FORM_FILE);
	if (sk_record_parse(b, sk_buf_span(&one), true, NULL, NULL, NULL) < 0)
		__builtin_trap();
	sk_record_print(&two, b, SK_FORM_FILE);
	if (one.n != two.n || memcmp(one.p, two.p, one.n) != 0)
		__builtin_trap();
	sk_record_print(&show, a, SK_FORM_SHOW);
	sk_buf_wipe(&one);
	sk_buf_wipe(&two);
	sk_buf_wipe(&show);
	sk_record_free(a);
	sk_record_free(b);
	return 0;
}
