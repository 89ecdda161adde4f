/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_PROTO_INAME_H
#define SK_PROTO_INAME_H

/** An iSCSI name that has been checked (RFC 7143, 4.2.7; RFC 3722): the only way a name travels inside siskin. */

#include <stdbool.h>

#include "base/err.h"
#include "base/span.h"

#define SK_INAME_MAX 223 /* bytes of UTF-8 (RFC 7143, 4.2.7.2) */

struct sk_iname {
	char s[SK_INAME_MAX + 1]; /* normalised: ASCII in lower case; NUL-terminated; never "", "." or ".." */
};

/**
 * sk_iname_parse - check and normalise a name that came from anywhere
 * Accepts iqn., eui. and naa. names. Refuses: empty, over 223 bytes, control characters, blanks, '/', ',', and the
 * other characters RFC 3722 prohibits, invalid UTF-8, a broken date or naming authority. Upper-case ASCII is
 * lowered. Errors: SK_EINVAL, the message quotes the offending part with unprintable bytes shown as \xNN.
 */
int sk_iname_parse(struct sk_span text, struct sk_iname *ret, struct sk_err *err);

bool sk_iname_eq(const struct sk_iname *a, const struct sk_iname *b);

#endif
