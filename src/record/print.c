/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "config.h"
#include "record/impl.h"

struct printer {
	struct sk_buf *out;
	const struct sk_record *r;
	enum sk_record_form form;
	unsigned absent;	/* SK_ROW_V4 or SK_ROW_V6: the family this record does not have */
};

/* Does the slot say something else than nothing? */
static bool telling(const struct sk_record *r, size_t i)
{
	return r->v[i].raw || (r->v[i].text && strcmp(r->v[i].text, sk_schema[i].def) != 0);
}

static bool has_rows(const struct sk_record *r, unsigned family, bool (*is)(const struct sk_record *, size_t))
{
	for (size_t i = 0; i < sk_schema_count; i++) {
		/* in node files these stand in the part both families have */
		if (r->kind == SK_REC_NODE && sk_schema[i].flags & SK_ROW_EARLY)
			continue;
		if (sk_schema[i].flags & family && is(r, i))
			return true;
	}
	return false;
}

static bool present(const struct sk_record *r, size_t i)
{
	return r->v[i].text || r->v[i].raw;
}

static bool named_v6(const struct sk_record *r)
{
	const char *name = sk_record_get(r, "iface.iscsi_ifacename");

	return name && strstr(name, "ipv6");
}

int sk_record_family_show(const struct sk_record *r)
{
	return named_v6(r) || has_rows(r, SK_ROW_V6, telling) ? 6 : 4;
}

int sk_record_family_file(const struct sk_record *r)
{
	if (has_rows(r, SK_ROW_V6, present))
		return 6;
	if (has_rows(r, SK_ROW_V4, present))
		return 4;
	return named_v6(r) ? 6 : 4;
}

static bool file_has(const struct printer *p, size_t i)
{
	const struct sk_schema_row *row = &sk_schema[i];

	if (row->flags & SK_ROW_HIDDEN)
		return false;
	if (row->flags & SK_ROW_RARE && !present(p->r, i))
		return false;
	if (row->flags & p->absent && !telling(p->r, i))
		return false;
	return p->r->v[i].raw || *sk_value_text(p->r, i);
}

static bool show_has(const struct printer *p, size_t i)
{
	const struct sk_schema_row *row = &sk_schema[i];

	if (row->flags & (SK_ROW_HIDDEN | p->absent))
		return false;
	return !(row->flags & SK_ROW_RARE) || present(p->r, i);
}

static void print_file_row(const struct printer *p, size_t i)
{
	if (file_has(p, i))
		sk_buf_printf(p->out, "%s = %s\n", sk_schema[i].key,
			      p->r->v[i].raw ? p->r->v[i].raw : sk_value_text(p->r, i));
}

static void print_show_row(const struct printer *p, size_t i)
{
	const char *text = sk_value_text(p->r, i);

	if (!show_has(p, i))
		return;
	if (*text == '\0')
		text = "<empty>";
	else if (sk_schema[i].flags & SK_ROW_MASKED && p->form != SK_FORM_SHOW_SECRETS)
		text = "********";
	sk_buf_printf(p->out, "%s = %s\n", sk_schema[i].key, text);
}

/* Node files begin the iface block in an order of their own. */
static void print_early(const struct printer *p)
{
	for (const char *const *key = sk_schema_early; *key; key++) {
		const struct sk_schema_row *row = sk_schema_find(p->r->kind, sk_span_str(*key), NULL);

		if (row)
			print_file_row(p, sk_schema_index(row));
	}
}

static void print_file(const struct printer *p)
{
	bool node = p->r->kind == SK_REC_NODE;
	bool early_done = false;

	for (size_t i = 0; i < sk_schema_count; i++) {
		if (!(sk_schema[i].kinds & SK_IN(p->r->kind)))
			continue;
		if (node && sk_schema[i].flags & SK_ROW_EARLY) {
			if (!early_done)
				print_early(p);
			early_done = true;
			continue;
		}
		print_file_row(p, i);
	}
	sk_buf_add(p->out, p->r->extra.p, p->r->extra.n);
}

static void print_show(const struct printer *p)
{
	for (size_t i = 0; i < sk_schema_count; i++) {
		if (sk_schema[i].kinds & SK_IN(p->r->kind))
			print_show_row(p, i);
	}
}

void sk_record_print(struct sk_buf *out, const struct sk_record *r, enum sk_record_form form)
{
	struct printer p = { .out = out, .r = r, .form = form };
	int family = form == SK_FORM_FILE ? sk_record_family_file(r) : sk_record_family_show(r);

	p.absent = family == 6 ? SK_ROW_V4 : SK_ROW_V6;
	sk_buf_str(out, "# BEGIN RECORD " SK_COMPAT_VERSION "\n");
	if (form == SK_FORM_FILE)
		print_file(&p);
	else
		print_show(&p);
	sk_buf_str(out, "# END RECORD\n");
}
