/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "proto/text.h"

#include <stdio.h>
#include <string.h>

#include "base/num.h"

struct sk_quote sk_text_quote(struct sk_span value)
{
	struct sk_quote q;
	size_t n = 0;

	for (; n < value.n && n < 40; n++)
		q.s[n] = value.p[n] >= 0x20 && value.p[n] < 0x7f ? (char)value.p[n] : '?';
	if (n < value.n) {
		memcpy(q.s + n, "...", 3);
		n += 3;
	}
	q.s[n] = '\0';
	return q;
}

static bool key_char(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr(".-+@_#", c));
}

static bool key_ok(struct sk_span key)
{
	if (key.n == 0 || key.n > SK_TEXT_KEY_MAX)
		return false;
	for (size_t i = 0; i < key.n; i++)
		if (!key_char(key.p[i]))
			return false;
	return true;
}

static const struct sk_text_pair *find(const struct sk_text *t, struct sk_span key)
{
	for (unsigned i = 0; i < t->n; i++)
		if (t->pair[i].key.n == key.n && memcmp(t->pair[i].key.p, key.p, key.n) == 0)
			return &t->pair[i];
	return NULL;
}

const struct sk_text_pair *sk_text_find(const struct sk_text *t, const char *key)
{
	return find(t, sk_span_str(key));
}

static int add_pair(struct sk_text *t, struct sk_span line, struct sk_err *err)
{
	const uint8_t *eq = memchr(line.p, '=', line.n);
	struct sk_text_pair pair;

	if (!eq)
		return sk_fail(err, SK_EPROTO, "text without '=': \"%s\" (RFC 7143, 6.1)", sk_text_quote(line).s);
	pair.key = sk_span(line.p, (size_t)(eq - line.p));
	pair.value = sk_span(eq + 1, line.n - pair.key.n - 1);
	if (!key_ok(pair.key))
		return sk_fail(err, SK_EPROTO, "text with \"%s\" for a key (RFC 7143, 6.1)",
			       sk_text_quote(pair.key).s);
	if (find(t, pair.key))
		return sk_fail(err, SK_EPROTO, "key %s comes twice (RFC 7143, 6.2)", sk_text_quote(pair.key).s);
	if (t->n == SK_TEXT_KEYS)
		return sk_fail(err, SK_EPROTO, "text with more than %d keys", SK_TEXT_KEYS);
	t->pair[t->n++] = pair;
	return 0;
}

int sk_text_parse(struct sk_span bytes, struct sk_text *ret, struct sk_err *err)
{
	struct sk_text t;

	if (bytes.n > SK_TEXT_MAX)
		return sk_fail(err, SK_EPROTO, "text of %zu bytes, %d are allowed", bytes.n, SK_TEXT_MAX);
	t.n = 0;
	while (bytes.n) {
		const uint8_t *nul = memchr(bytes.p, '\0', bytes.n);
		struct sk_span line = { bytes.p, nul ? (size_t)(nul - bytes.p) : bytes.n };
		size_t used = line.n + (nul ? 1 : 0);

		if (line.n && add_pair(&t, line, err) < 0)
			return -1;
		bytes.p += used;
		bytes.n -= used;
	}
	ret->n = t.n;
	memcpy(ret->pair, t.pair, t.n * sizeof(t.pair[0]));
	return 0;
}

int sk_text_in_add(struct sk_text_in *in, struct sk_span part, struct sk_err *err)
{
	if (!sk_fits(in->buf.n, part.n, SK_TEXT_MAX))
		return sk_fail(err, SK_EPROTO, "text of more than %d bytes", SK_TEXT_MAX);
	sk_buf_add(&in->buf, part.p, part.n);
	return in->buf.nomem ? sk_fail(err, SK_ENOMEM, "no memory for the peer's text") : 0;
}

void sk_text_in_reset(struct sk_text_in *in)
{
	sk_buf_wipe(&in->buf);
}

struct sk_span sk_text_out_next(struct sk_text_out *out, size_t limit, bool *more)
{
	struct sk_span part = sk_buf_span(&out->buf);

	part.p += out->sent;
	part.n -= out->sent;
	*more = part.n > limit;
	if (*more)
		part.n = limit;
	out->sent += part.n;
	return part;
}

void sk_text_out_reset(struct sk_text_out *out)
{
	sk_buf_wipe(&out->buf);
	out->sent = 0;
}

void sk_text_put(struct sk_buf *out, const char *key, const char *value)
{
	sk_buf_printf(out, "%s=%s", key, value);
	sk_buf_ch(out, '\0');
}

void sk_text_put_num(struct sk_buf *out, const char *key, uint64_t value)
{
	sk_buf_printf(out, "%s=%llu", key, (unsigned long long)value);
	sk_buf_ch(out, '\0');
}

void sk_text_put_bin(struct sk_buf *out, const char *key, struct sk_span value)
{
	static const char hex[] = "0123456789abcdef";

	sk_buf_printf(out, "%s=0x", key);
	for (size_t i = 0; i < value.n; i++) {
		sk_buf_ch(out, hex[value.p[i] >> 4]);
		sk_buf_ch(out, hex[value.p[i] & 15]);
	}
	sk_buf_ch(out, '\0');
}

bool sk_text_is(struct sk_span value, const char *word)
{
	size_t n = strlen(word);

	return value.n == n && (n == 0 || memcmp(value.p, word, n) == 0);
}

bool sk_text_list_has(struct sk_span list, const char *word)
{
	while (list.n) {
		const uint8_t *comma = memchr(list.p, ',', list.n);
		size_t n = comma ? (size_t)(comma - list.p) : list.n;

		if (sk_text_is(sk_span(list.p, n), word))
			return true;
		n += comma ? 1 : 0;
		list.p += n;
		list.n -= n;
	}
	return false;
}

static bool has_prefix(struct sk_span value, char letter)
{
	return value.n > 2 && value.p[0] == '0' && (value.p[1] | 0x20) == letter;
}

bool sk_text_num(struct sk_span value, uint64_t *ret)
{
	const char *s = (const char *)value.p;

	if (has_prefix(value, 'x'))
		return sk_num_hex(s + 2, value.n - 2, ret);
	return sk_num_u64(s, value.n, 0, UINT64_MAX, ret);
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* An odd count of digits has a leading zero left out. */
static bool hex_bin(struct sk_span digits, uint8_t *ret, size_t max, size_t *n)
{
	size_t len = digits.n / 2 + digits.n % 2;
	uint8_t byte = 0;

	if (len == 0 || len > max)
		return false;
	for (size_t i = 0, odd = digits.n % 2; i < digits.n; i++) {
		int d = hex_digit(digits.p[i]);

		if (d < 0)
			return false;
		byte = (uint8_t)(byte << 4 | d);
		if ((i + odd) % 2)
			ret[(i + odd) / 2] = byte;
	}
	*n = len;
	return true;
}

static int base64_digit(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static bool base64_bin(struct sk_span digits, uint8_t *ret, size_t max, size_t *n)
{
	uint32_t acc = 0;
	unsigned bits = 0;
	size_t len, out = 0;

	if (digits.n % 4 == 0) /* up to two '=' fill the last group */
		for (unsigned pad = 0; pad < 2 && digits.n && digits.p[digits.n - 1] == '='; pad++)
			digits.n--;
	len = digits.n / 4 * 3 + (digits.n % 4 ? digits.n % 4 - 1 : 0);
	if (len == 0 || len > max || digits.n % 4 == 1)
		return false;
	for (size_t i = 0; i < digits.n; i++) {
		int d = base64_digit(digits.p[i]);

		if (d < 0)
			return false;
		acc = acc << 6 | (uint32_t)d;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			ret[out++] = (uint8_t)(acc >> bits);
			acc &= (1U << bits) - 1;
		}
	}
	if (acc) /* bits beyond the last byte are zero (RFC 4648, 3.5) */
		return false;
	*n = len;
	return true;
}

bool sk_text_bin(struct sk_span value, uint8_t *ret, size_t max, size_t *n)
{
	if (has_prefix(value, 'x'))
		return hex_bin(sk_span(value.p + 2, value.n - 2), ret, max, n);
	if (has_prefix(value, 'b'))
		return base64_bin(sk_span(value.p + 2, value.n - 2), ret, max, n);
	return false;
}
