/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool reserve(struct sk_buf *b, size_t more)
{
	size_t need, cap;
	char *p;

	if (b->nomem)
		return false;
	if (__builtin_add_overflow(b->n, more, &need) || __builtin_add_overflow(need, (size_t)1, &need)) {
		b->nomem = true;
		return false;
	}
	if (need <= b->cap)
		return true;
	cap = b->cap ? b->cap : 64;
	while (cap < need) {
		if (cap > SIZE_MAX / 2) {
			cap = need;
			break;
		}
		cap *= 2;
	}
	p = realloc(b->p, cap);
	if (!p) {
		b->nomem = true;
		return false;
	}
	b->p = p;
	b->cap = cap;
	return true;
}

void sk_buf_add(struct sk_buf *b, const void *p, size_t n)
{
	if (!reserve(b, n))
		return;
	if (n)
		memcpy(b->p + b->n, p, n);
	b->n += n;
	b->p[b->n] = '\0';
}

void sk_buf_str(struct sk_buf *b, const char *s)
{
	sk_buf_add(b, s, strlen(s));
}

void sk_buf_ch(struct sk_buf *b, char c)
{
	sk_buf_add(b, &c, 1);
}

void sk_buf_vprintf(struct sk_buf *b, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	if (n >= 0 && reserve(b, (size_t)n)) {
		vsnprintf(b->p + b->n, (size_t)n + 1, fmt, again);
		b->n += (size_t)n;
	}
	va_end(again);
}

void sk_buf_printf(struct sk_buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	sk_buf_vprintf(b, fmt, ap);
	va_end(ap);
}

void sk_buf_drop(struct sk_buf *b, size_t n)
{
	if (n > b->n)
		n = b->n;
	if (n == 0)
		return;
	memmove(b->p, b->p + n, b->n - n + 1);
	b->n -= n;
}

void sk_buf_reset(struct sk_buf *b)
{
	b->n = 0;
	b->nomem = false;
	if (b->p)
		b->p[0] = '\0';
}

void sk_buf_free(struct sk_buf *b)
{
	free(b->p);
	*b = (struct sk_buf){ 0 };
}

void sk_buf_wipe(struct sk_buf *b)
{
	if (b->p)
		explicit_bzero(b->p, b->cap);
	sk_buf_free(b);
}
