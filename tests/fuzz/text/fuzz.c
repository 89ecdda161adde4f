/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"

#include "proto/keys.h"
#include "proto/text.h"

/* Pairs lie within the input; binary values decode within their room and encode back. */

static void check_value(const struct sk_text_pair *pair)
{
	const struct sk_key *k = sk_key_find_span(pair->key);
	SK_BUF struct sk_buf back = { 0 };
	uint8_t bin[64], bin2[64];
	size_t len = 0, len2 = 0;
	uint32_t v = 7;
	uint64_t num;

	(void)sk_text_num(pair->value, &num);
	(void)sk_text_list_has(pair->value, "None");
	if (k && k->type != SK_KEY_TEXT && k->type != SK_KEY_BIN && sk_key_read(k, pair->value, &v, NULL) == 0 &&
	    sk_key_check(k, v, NULL) < 0)
		__builtin_trap();
	if (!sk_text_bin(pair->value, bin, sizeof(bin), &len))
		return;
	if (len == 0 || len > sizeof(bin))
		__builtin_trap();
	sk_text_put_bin(&back, "", sk_span(bin, len));
	if (!sk_text_bin(sk_span(back.p + 1, back.n - 2), bin2, sizeof(bin2), &len2) || len2 != len ||
	    memcmp(bin, bin2, len) != 0)
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct sk_text t;

	if (sk_text_parse(sk_span(p, n), &t, NULL) < 0)
		return 0;
	for (unsigned i = 0; i < t.n; i++) {
		const struct sk_text_pair *pair = &t.pair[i];

		if (pair->key.p < p || pair->value.p + pair->value.n > p + n || memchr(pair->value.p, 0, pair->value.n))
			__builtin_trap();
		check_value(pair);
	}
	return 0;
}
