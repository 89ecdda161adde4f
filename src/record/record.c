/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "record/iface.h"
#include "record/impl.h"

static void forget(char **text)
{
	if (*text)
		sk_wipe_free(*text, strlen(*text));
	*text = NULL;
}

/* Most values of most records are the default: those have no copy of their own. */
static char *own_text(size_t i, const char *text)
{
	return strcmp(text, sk_schema[i].def) == 0 ? (char *)(uintptr_t)sk_schema[i].def : strdup(text);
}

static void forget_value(struct sk_value *v, size_t i)
{
	if (v->text == sk_schema[i].def)
		v->text = NULL;
	forget(&v->text);
	forget(&v->raw);
}

struct sk_record *sk_record_new(enum sk_record_kind kind, struct sk_err *err)
{
	struct sk_record *r = calloc(1, sizeof(*r) + sk_schema_count * sizeof(r->v[0]));

	if (!r) {
		sk_fail(err, SK_ENOMEM, "no memory");
		return NULL;
	}
	r->kind = kind;
	return r;
}

static bool copy_value(struct sk_value *to, const struct sk_value *from, size_t i)
{
	to->origin = from->origin;
	if (from->text)
		to->text = own_text(i, from->text);
	if (from->raw)
		to->raw = strdup(from->raw);
	return (!from->text || to->text) && (!from->raw || to->raw);
}

struct sk_record *sk_record_copy(const struct sk_record *r, struct sk_err *err)
{
	struct sk_record *n = sk_record_new(r->kind, err);

	if (!n)
		return NULL;
	sk_buf_add(&n->extra, r->extra.p, r->extra.n);
	for (size_t i = 0; i < sk_schema_count; i++) {
		if (!copy_value(&n->v[i], &r->v[i], i))
			goto undo;
	}
	if (!n->extra.nomem)
		return n;
undo:
	sk_fail(err, SK_ENOMEM, "no memory");
	sk_record_free(n);
	return NULL;
}

struct sk_record *sk_record_share(const struct sk_record *r)
{
	struct sk_record *same = (struct sk_record *)(uintptr_t)r;

	same->shared++;
	return same;
}

void sk_record_free(struct sk_record *r)
{
	if (!r || r->shared) {
		if (r)
			r->shared--;
		return;
	}
	for (size_t i = 0; i < sk_schema_count; i++)
		forget_value(&r->v[i], i);
	sk_buf_wipe(&r->extra);
	free(r);
}

enum sk_record_kind sk_record_kind(const struct sk_record *r)
{
	return r->kind;
}

static const struct sk_schema_row *find(const struct sk_record *r, const char *key)
{
	return sk_schema_find(r->kind, sk_span_str(key), NULL);
}

const char *sk_record_get(const struct sk_record *r, const char *key)
{
	const struct sk_schema_row *row = find(r, key);

	return row ? sk_value_text(r, sk_schema_index(row)) : NULL;
}

enum sk_origin sk_record_origin(const struct sk_record *r, const char *key)
{
	const struct sk_schema_row *row = find(r, key);

	return row ? r->v[sk_schema_index(row)].origin : SK_FROM_DEFAULT;
}

int64_t sk_record_int(const struct sk_record *r, const char *key)
{
	const char *text = sk_record_get(r, key);
	int64_t n = 0;
	bool ok = text && sk_num_i64(text, strlen(text), INT64_MIN, INT64_MAX, &n);

	assert(ok);
	return ok ? n : 0;
}

bool sk_record_bool(const struct sk_record *r, const char *key)
{
	const char *text = sk_record_get(r, key);

	assert(text);
	return text && strcmp(text, "Yes") == 0;
}

int sk_value_put(struct sk_record *r, size_t i, const char *text, enum sk_origin origin, struct sk_err *err)
{
	char *copy = own_text(i, text);

	assert(!r->shared);
	if (!copy)
		return sk_fail(err, SK_ENOMEM, "no memory");
	forget_value(&r->v[i], i);
	r->v[i].text = copy;
	r->v[i].origin = origin;
	return 0;
}

bool sk_record_unset(struct sk_record *r, const char *key)
{
	const struct sk_schema_row *row = find(r, key);
	struct sk_value *v;

	if (!row)
		return false;
	assert(!r->shared);
	v = &r->v[sk_schema_index(row)];
	forget_value(v, sk_schema_index(row));
	v->origin = SK_FROM_DEFAULT;
	return true;
}

static int set_row(struct sk_record *r, const struct sk_schema_row *row, const char *value, enum sk_origin origin,
		   struct sk_err *err)
{
	struct sk_buf text = { 0 };
	int rc = sk_value_check(row, sk_span_str(value), SK_EXACT, &text, err);

	if (rc == 0)
		rc = sk_value_put(r, sk_schema_index(row), sk_buf_cstr(&text), origin, err);
	sk_buf_wipe(&text);
	return rc;
}

int sk_record_set(struct sk_record *r, const char *key, const char *value, struct sk_err *err)
{
	const struct sk_schema_row *row = find(r, key);

	if (!row)
		return sk_fail(err, SK_ENOENT, "no such key: %s", key);
	return set_row(r, row, value, SK_FROM_PROGRAM, err);
}

/* May a user change this row in this kind of record? */
static enum sk_set_refusal refusal_of(const struct sk_record *r, const struct sk_schema_row *row)
{
	if (!row)
		return SK_SET_UNKNOWN_KEY;
	if (row->flags & SK_ROW_KEY)
		return SK_SET_KEY_FIELD;
	if (r->kind == SK_REC_NODE && row->flags & SK_ROW_IFACE)
		return SK_SET_KEY_FIELD;
	if (r->kind == SK_REC_IFACE && row->flags & (SK_ROW_V4 | SK_ROW_V6)) {
		unsigned other = sk_iface_is_v6(r) ? SK_ROW_V4 : SK_ROW_V6;

		if (row->flags & other)
			return SK_SET_UNKNOWN_KEY;
	}
	return SK_SET_OK;
}

enum sk_set_refusal sk_record_user_set(struct sk_record *r, const char *key, const char *value, struct sk_err *err)
{
	const struct sk_schema_row *row;
	enum sk_set_refusal why;

	if (r->kind == SK_REC_NODE && strcmp(key, "node.transport_name") == 0)
		key = "iface.transport_name";
	row = find(r, key);
	why = refusal_of(r, row);
	if (why == SK_SET_UNKNOWN_KEY) {
		sk_fail(err, SK_EINVAL, "no such key: %s", key);
		return why;
	}
	if (why == SK_SET_KEY_FIELD) {
		sk_fail(err, SK_EINVAL, "%s cannot be changed in this kind of record", key);
		return why;
	}
	if (set_row(r, row, value, SK_FROM_USER, err) == 0)
		return SK_SET_OK;
	return row->type == SK_T_WORD || row->type == SK_T_LIST ? SK_SET_BAD_WORD : SK_SET_BAD_VALUE;
}
