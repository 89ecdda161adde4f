/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_RECORD_RECORD_H
#define SK_RECORD_RECORD_H

/**
 * sk_record - one record in memory: a node, a discovery record (sendtargets, isns) or an iface.
 *
 * A record is an array of values, one per row of the schema of its kind (record/schema.h), each with its origin; plus
 * the lines it could not understand, kept so that they survive a round trip. Typed views for programs are made from
 * it (record/node.h …). Values are text in the one canonical spelling of their type; sk_record_set refuses anything
 * else and names the key, the value and the legal range.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

enum sk_record_kind { SK_REC_NODE, SK_REC_SENDTARGETS, SK_REC_ISNS, SK_REC_IFACE };

struct sk_record;
struct sk_schema_row;

/** Where a value came from. */
enum sk_origin {
	SK_FROM_DEFAULT,	/* nobody said: the schema's default */
	SK_FROM_CONF,		/* iscsid.conf */
	SK_FROM_FILE,		/* a record file */
	SK_FROM_PROGRAM,	/* sk_record_set */
	SK_FROM_USER,		/* sk_record_user_set */
};

struct sk_record *sk_record_new(enum sk_record_kind kind, struct sk_err *err);	/* built-in defaults */
struct sk_record *sk_record_copy(const struct sk_record *r, struct sk_err *err);
/** sk_record_share - one more owner of the same record, which nobody changes from now on; all of one thread. The last
 * sk_record_free frees it */
struct sk_record *sk_record_share(const struct sk_record *r);
void sk_record_free(struct sk_record *r);	/* NULL is fine; wipes secrets */
enum sk_record_kind sk_record_kind(const struct sk_record *r);

/** sk_record_get - the value's text ("" when empty), lent until the next set; NULL for a key not in the schema */
const char *sk_record_get(const struct sk_record *r, const char *key);
/** sk_record_origin - SK_FROM_DEFAULT for an unknown key */
enum sk_origin sk_record_origin(const struct sk_record *r, const char *key);
/** sk_record_int - the value of a numeric key; 0 for an unknown key is a mistake of ours (asserted) */
int64_t sk_record_int(const struct sk_record *r, const char *key);
bool sk_record_bool(const struct sk_record *r, const char *key);	/* Yes/No keys */

/** sk_record_set - check and set. SK_ENOENT: no such key in this kind; SK_EINVAL: bad value (nothing changed). */
int sk_record_set(struct sk_record *r, const char *key, const char *value, struct sk_err *err);

/** sk_record_unset - back to the built-in default; false for an unknown key */
bool sk_record_unset(struct sk_record *r, const char *key);

/** How a user's update is refused, so that iscsiadm can say the incumbent's words. */
enum sk_set_refusal { SK_SET_OK, SK_SET_UNKNOWN_KEY, SK_SET_KEY_FIELD, SK_SET_BAD_WORD, SK_SET_BAD_VALUE };
/** sk_record_user_set - as a user's -n/-v: key fields (node.name …) are refused, and so are iface.* keys of a node
 * record except the transport's name (alias: node.transport_name), and the keys of the other address family. */
enum sk_set_refusal sk_record_user_set(struct sk_record *r, const char *key, const char *value, struct sk_err *err);

/** Lines read from a file may be odd: each oddity is told here, never fatal. @line counts from 1. */
typedef void sk_record_warn(void *ctx, unsigned line, const char *text);

/** sk_record_parse - apply a file's text on top of what the record holds (spec: records.md 1).
 * Unknown keys are kept verbatim when @keep_unknown. Returns -1 only when out of memory. */
int sk_record_parse(struct sk_record *r, struct sk_span text, bool keep_unknown, sk_record_warn *warn, void *ctx,
		    struct sk_err *err);

enum sk_record_form {
	SK_FORM_FILE,		/* as the incumbent writes files: file order, empty strings left out, secrets clear */
	SK_FORM_SHOW,		/* as printed: show order, <empty>, secrets masked */
	SK_FORM_SHOW_SECRETS,	/* as printed with -S */
};
/** sk_record_print - with the "# BEGIN RECORD <version>" frame */
void sk_record_print(struct sk_buf *out, const struct sk_record *r, enum sk_record_form form);

#endif
