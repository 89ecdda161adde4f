/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_PROTO_TEXT_H
#define SK_PROTO_TEXT_H

/**
 * key=value text (RFC 7143, 6.1): a complete text into pairs, a text cut over PDUs by the C bit in both directions
 * (6.2), and the encodings of values. A SendTargets answer is not parsed here but in proto/targets.h: it repeats
 * keys and has no useful size limit of this kind.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

#define SK_TEXT_MAX	65536 /* bytes of one text, joined over all its PDUs */
#define SK_TEXT_KEYS	256   /* pairs in it */
#define SK_TEXT_KEY_MAX 63    /* bytes of a key (RFC 7143, 6.1) */

struct sk_text_pair {
	struct sk_span key, value; /* lent from the parsed bytes */
};

struct sk_text {
	unsigned n;
	struct sk_text_pair pair[SK_TEXT_KEYS];
};

/**
 * sk_text_parse - all pairs of a complete text; *ret borrows from @bytes and is written only on success
 * Refuses with SK_EPROTO: a pair without '=', a key over 63 bytes or with a character that cannot be in one, a key
 * that comes twice (6.2), more than SK_TEXT_KEYS pairs or SK_TEXT_MAX bytes. Empty pairs (several NULs) are
 * skipped; the NUL of the last pair may be missing.
 */
int sk_text_parse(struct sk_span bytes, struct sk_text *ret, struct sk_err *err);
const struct sk_text_pair *sk_text_find(const struct sk_text *t, const char *key); /* NULL if absent */

/** Receiving: parts with C=1 and a last one with C=0 become one text. */
struct sk_text_in {
	struct sk_buf buf;
};
/** sk_text_in_add - join a part; SK_EPROTO past SK_TEXT_MAX, SK_ENOMEM */
int sk_text_in_add(struct sk_text_in *in, struct sk_span part, struct sk_err *err);
void sk_text_in_reset(struct sk_text_in *in); /* wipes */

/** Sending: a text that is longer than one PDU may be goes out in parts. */
struct sk_text_out {
	struct sk_buf buf; /* fill with sk_text_put… */
	size_t sent;	   /* bytes handed out already */
};
/** sk_text_out_next - the next part, at most @limit bytes; *more: C=1, further parts follow */
struct sk_span sk_text_out_next(struct sk_text_out *out, size_t limit, bool *more);
void sk_text_out_reset(struct sk_text_out *out); /* wipes */

void sk_text_put(struct sk_buf *out, const char *key, const char *value);
void sk_text_put_num(struct sk_buf *out, const char *key, uint64_t value);	 /* decimal */
void sk_text_put_bin(struct sk_buf *out, const char *key, struct sk_span value); /* 0x… */

bool sk_text_is(struct sk_span value, const char *word);
/** sk_text_list_has - is @word an item of the comma-separated list? */
bool sk_text_list_has(struct sk_span list, const char *word);
/** sk_text_num - a number, decimal or 0x…, up to 64 bits; false for anything else (*ret untouched) */
bool sk_text_num(struct sk_span value, uint64_t *ret);
/** sk_text_bin - a binary value, 0x… or 0b… (base64, with or without its '='); false if it is neither, has no
 * bytes, or decodes to more than @max bytes. On success ret[0..*n) is filled. */
bool sk_text_bin(struct sk_span value, uint8_t *ret, size_t max, size_t *n);

/** sk_text_quote - value as it may appear in a message: at most 40 bytes, unprintable ones as '?' */
struct sk_quote {
	char s[48];
};
struct sk_quote sk_text_quote(struct sk_span value);

#endif
