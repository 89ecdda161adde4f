/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_BASE_BUF_H
#define SK_BASE_BUF_H

/**
 * A growing byte buffer for text of any size. Adding never fails visibly in the middle: a failed allocation is
 * remembered in `nomem`, later additions do nothing, and the user checks once at the end. The content is always
 * followed by a NUL that is not counted.
 */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

struct sk_buf {
	char *p;	/* NULL while empty */
	size_t n;	/* bytes used, without the final NUL */
	size_t cap;
	bool nomem;
};

#define SK_BUF __attribute__((cleanup(sk_buf_free)))

void sk_buf_add(struct sk_buf *b, const void *p, size_t n);
void sk_buf_str(struct sk_buf *b, const char *s);
void sk_buf_ch(struct sk_buf *b, char c);
void sk_buf_printf(struct sk_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sk_buf_vprintf(struct sk_buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
/** sk_buf_drop - remove the first @n bytes */
void sk_buf_drop(struct sk_buf *b, size_t n);
void sk_buf_reset(struct sk_buf *b);		/* length 0, memory kept */
void sk_buf_free(struct sk_buf *b);
void sk_buf_wipe(struct sk_buf *b);		/* for secrets: zero, then free */

/** sk_buf_cstr - the content as a string, "" when empty; lent until the next change */
static inline const char *sk_buf_cstr(const struct sk_buf *b)
{
	return b->p ? b->p : "";
}

static inline struct sk_span sk_buf_span(const struct sk_buf *b)
{
	return sk_span(sk_buf_cstr(b), b->n);
}

#endif
