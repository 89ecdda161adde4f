/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_SCSI_TEXT_H
#define SK_SCSI_TEXT_H

/** Text fields of SCSI data, for the parsers of this room. */

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

/** sk_scsi_trim - without blanks and NULs at the end, and blanks at the beginning */
static inline struct sk_span sk_scsi_trim(struct sk_span s)
{
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\0'))
		s.n--;
	while (s.n && s.p[0] == ' ') {
		s.p++;
		s.n--;
	}
	return s;
}

static inline bool sk_scsi_printable(struct sk_span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x20 || s.p[i] > 0x7e)
			return false;
	return true;
}

/** sk_scsi_text - trimmed, unprintable bytes as '?', cut to fit @cap with its NUL */
static inline void sk_scsi_text(struct sk_span s, char *ret, size_t cap)
{
	size_t i;

	s = sk_scsi_trim(s);
	for (i = 0; i < s.n && i + 1 < cap; i++)
		ret[i] = s.p[i] < 0x20 || s.p[i] > 0x7e ? '?' : (char)s.p[i];
	ret[i] = '\0';
}

#endif
