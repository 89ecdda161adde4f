/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_RECORD_IMPL_H
#define SK_RECORD_IMPL_H

/** Inside of a record; for the files of this room alone. */

#include "record/record.h"
#include "record/schema.h"

struct sk_value {
	char *text;	/* owned, or the schema's own default text; NULL: nobody said, which means the default too */
	char *raw;	/* owned; what the file said when that was not acceptable; kept until someone sets the key */
	enum sk_origin origin;
};

struct sk_record {
	enum sk_record_kind kind;
	unsigned shared;	/* owners besides the first */
	struct sk_buf extra;	/* lines that were not understood, each with its newline */
	struct sk_value v[];	/* one per row of sk_schema */
};

static inline const char *sk_value_text(const struct sk_record *r, size_t i)
{
	return r->v[i].text ? r->v[i].text : sk_schema[i].def;
}

/** sk_value_put - canonical text into slot @i (copied); -1 when out of memory */
int sk_value_put(struct sk_record *r, size_t i, const char *text, enum sk_origin origin, struct sk_err *err);

/** sk_record_apply - sk_record_parse with the origin told */
int sk_record_apply(struct sk_record *r, struct sk_span text, enum sk_origin origin, sk_record_warn *warn,
		    void *ctx, struct sk_err *err);

/** sk_record_family_file, _show - 4 or 6: which of the two iface blocks a file or a listing holds */
int sk_record_family_file(const struct sk_record *r);
int sk_record_family_show(const struct sk_record *r);

#endif
