/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_RECORD_SCHEMA_H
#define SK_RECORD_SCHEMA_H

/**
 * The one table of every key a record can hold: type, unit, range, default, words, who may see and change it, and
 * when a change takes effect. Reader, writer, show, update checks and the manual page all read it. Rows stand in the
 * order of `show`; a kind's rows are those with its bit set.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "record/record.h"

enum sk_type {
	SK_T_INT,	/* 32-bit signed decimal */
	SK_T_U8,
	SK_T_U16,
	SK_T_U32,
	SK_T_TEXT,	/* bytes without control characters */
	SK_T_WORD,	/* one of .words */
	SK_T_LIST,	/* words of .words separated by commas, each once, in order of preference */
};

enum sk_effect {
	SK_AT_LOGIN,		/* at the next login */
	SK_AT_START,		/* when sessions are started by class (loginall, boot) */
	SK_AT_DISCOVERY,	/* at the next discovery through this record */
	SK_AT_KEY,		/* names the record; fixed when it is created */
	SK_AT_OFFLOAD,		/* used by offload transports alone */
	SK_STORED,		/* kept for other tools, without effect here */
};

enum {
	SK_ROW_KEY = 1 << 0,	/* part of what names the record: a user cannot change it */
	SK_ROW_MASKED = 1 << 1,	/* a secret: eight stars in show */
	SK_ROW_HIDDEN = 1 << 2,	/* neither written nor shown */
	SK_ROW_V4 = 1 << 3,	/* only in ifaces of the IPv4 kind */
	SK_ROW_V6 = 1 << 4,	/* only in ifaces of the IPv6 kind */
	SK_ROW_RARE = 1 << 5,	/* newer or older releases only: written and shown only when it was there */
	SK_ROW_ZERO = 1 << 6,	/* 0 is legal besides min..max */
	SK_ROW_IFACE = 1 << 7,	/* belongs to the iface: in a node record only iface mode changes it */
	SK_ROW_LIVE = 1 << 9,	/* a running session can take it over at once (iscsiadm --live) */
	SK_ROW_EARLY = 1 << 8,	/* in node files it stands before the other iface rows (sk_schema_early) */
};

#define SK_IN(kind) (1u << (kind))

struct sk_schema_row {
	const char *key;
	const char *def;	/* the built-in default as text */
	const char *words;	/* separated by blanks; NULL for other types */
	const char *doc;	/* one line for manual pages */
	const char *unit;	/* "s", "bytes", or NULL */
	int64_t min, max;	/* of the number, or of the length in bytes */
	enum sk_type type;
	enum sk_effect effect;
	unsigned kinds;		/* SK_IN(SK_REC_NODE) | … */
	unsigned flags;
};

extern const struct sk_schema_row sk_schema[];
extern const size_t sk_schema_count;

/** The order in which the SK_ROW_EARLY rows stand in node files; ends with NULL. */
extern const char *const sk_schema_early[];

/** sk_schema_find - the row of a key in a kind, or NULL. @hint (may be NULL) is where to look first; a reader that
 * passes the same variable again finds keys in file order at once. */
const struct sk_schema_row *sk_schema_find(enum sk_record_kind kind, struct sk_span key, size_t *hint);

static inline size_t sk_schema_index(const struct sk_schema_row *row)
{
	return (size_t)(row - sk_schema);
}

/** How exact a value must be: what a user types, or what stands in a file that another tool may have written. */
enum sk_exactness {
	SK_EXACT,	/* in range; unknown or repeated list words and blanks at the ends are refused */
	SK_TOLERANT,	/* a number need only fit its width; unknown list words are left out */
};

/** sk_value_check - is @value one of @row's? Appends its canonical spelling to @ret.
 * Errors: SK_EINVAL, naming key, value and what is legal; a secret's value is not repeated. */
int sk_value_check(const struct sk_schema_row *row, struct sk_span value, enum sk_exactness how, struct sk_buf *ret,
		   struct sk_err *err);

/** sk_schema_legal - what values are legal, in words: "0 or 512..16777215 bytes", "one of: No, Yes" */
void sk_schema_legal(struct sk_buf *out, const struct sk_schema_row *row);

#endif
