/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_BASE_SPAN_H
#define SK_BASE_SPAN_H

/**
 * Borrowed bytes, a reader that remembers it came up short, and a writer that remembers it overflowed.
 * A decoder reads field after field and checks `short_` once; an encoder writes and checks `full` once.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct sk_span {
	const uint8_t *p;
	size_t n;
};

struct sk_rd {
	struct sk_span left;
	bool short_;
};

struct sk_wr {
	uint8_t *p;	/* next free byte */
	size_t left;	/* bytes that still fit */
	size_t done;	/* bytes written */
	bool full;	/* something did not fit; nothing past that point was written */
};

static inline struct sk_span sk_span(const void *p, size_t n)
{
	return (struct sk_span){ p, n };
}

static inline struct sk_span sk_span_str(const char *s)
{
	return (struct sk_span){ (const uint8_t *)s, strlen(s) };
}

/** sk_get - the next @n bytes, or an empty span (and short_ set) when fewer are left */
static inline struct sk_span sk_get(struct sk_rd *in, size_t n)
{
	struct sk_span got = { in->left.p, n };

	if (in->short_ || n > in->left.n) {
		in->short_ = true;
		return (struct sk_span){ NULL, 0 };
	}
	in->left.p += n;
	in->left.n -= n;
	return got;
}

/** sk_get_be - the next @n (1..8) bytes as a big-endian number, 0 when short */
static inline uint64_t sk_get_be(struct sk_rd *in, size_t n)
{
	struct sk_span s = sk_get(in, n);
	uint64_t v = 0;

	for (size_t i = 0; i < s.n; i++)
		v = v << 8 | s.p[i];
	return v;
}

static inline void sk_put(struct sk_wr *out, const void *p, size_t n)
{
	if (out->full || n > out->left) {
		out->full = true;
		return;
	}
	if (n)
		memcpy(out->p, p, n);
	out->p += n;
	out->left -= n;
	out->done += n;
}

/** sk_put_be - @v as @n (1..8) big-endian bytes */
static inline void sk_put_be(struct sk_wr *out, uint64_t v, size_t n)
{
	uint8_t b[8];

	for (size_t i = n; i > 0; i--, v >>= 8)
		b[i - 1] = (uint8_t)v;
	sk_put(out, b, n);
}

static inline uint16_t sk_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t sk_be24(const uint8_t *p)
{
	return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

static inline uint32_t sk_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t sk_be64(const uint8_t *p)
{
	return (uint64_t)sk_be32(p) << 32 | sk_be32(p + 4);
}

static inline void sk_set_be16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void sk_set_be24(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 16);
	p[1] = (uint8_t)(v >> 8);
	p[2] = (uint8_t)v;
}

static inline void sk_set_be32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

static inline void sk_set_be64(uint8_t *p, uint64_t v)
{
	sk_set_be32(p, (uint32_t)(v >> 32));
	sk_set_be32(p + 4, (uint32_t)v);
}

#endif
