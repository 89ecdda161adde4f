/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a user set by hand, remembered beside the records, so that a discovery can refresh a record and keep that.
 *
 * dbroot/.siskin/set/<hash of the record's path> names the path, then each such key with a checksum of its value. No
 * other tool looks there, so a record rewritten by one keeps its marks; and a mark counts only while the record still
 * holds the value it was made for, so a mark never speaks for what another tool wrote. Losing a mark loses no setting.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "record/impl.h"
#include "record/schema.h"
#include "record/store_impl.h"

#define DIR_NAME ".siskin/set"
#define MARKS_MAX (64u << 10)

/* FNV-1a: tells values and paths apart; not meant to withstand anybody, who could read the record as well. */
static uint64_t fnv(uint64_t h, const char *s)
{
	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * UINT64_C(0x100000001b3);
	return h;
}

#define FNV_START UINT64_C(0xcbf29ce484222325)

static void file_of(const char *path, struct sk_path *ret)
{
	snprintf(ret->s, sizeof(ret->s), DIR_NAME "/%016" PRIx64, fnv(FNV_START, path));
}

static void head_line(struct sk_buf *out, const char *path)
{
	sk_buf_printf(out, "record %s\n", path);
}

/* 32 bits of it: enough to notice another value, little to tell of a secret. */
static void mark_line(struct sk_buf *out, const char *key, const char *value)
{
	uint32_t sum = (uint32_t)(fnv(fnv(FNV_START, key), value) >> 16);

	sk_buf_printf(out, "%s %08" PRIx32 "\n", key, sum);
}

/* The marks of the record at @path as text; empty when there are none. */
static void read_marks(struct sk_store *s, const char *path, struct sk_buf *ret)
{
	SK_BUF struct sk_buf head = { 0 };
	struct sk_path file;
	SK_FD int fd = -1;

	file_of(path, &file);
	fd = sk_beneath(s->root, file.s, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	if (fd < 0 || sk_file_slurp(fd, MARKS_MAX, ret, NULL) < 0) {
		sk_buf_reset(ret);
		return;
	}
	head_line(&head, path);
	if (head.nomem || ret->n < head.n || memcmp(ret->p, head.p, head.n) != 0)
		sk_buf_reset(ret);
}

static bool has_line(const struct sk_buf *text, const struct sk_buf *line)
{
	const char *p = (const char *)text->p;

	for (size_t left = text->n; left;) {
		const char *nl = memchr(p, '\n', left);
		size_t n = nl ? (size_t)(nl - p) + 1 : left;

		if (n == line->n && memcmp(p, line->p, n) == 0)
			return true;
		p += n;
		left -= n;
	}
	return false;
}

/* Keys of the iface come from the iface, and names are no settings. Of a discovery record secrets and times alone are
 * kept: a plain discovery is known to set the rest, the number of attempts for one, back to iscsid.conf. */
static bool can_be_marked(const struct sk_record *r, const struct sk_schema_row *row)
{
	if (!(row->kinds & SK_IN(r->kind)) || row->flags & (SK_ROW_KEY | SK_ROW_HIDDEN | SK_ROW_IFACE))
		return false;
	return r->kind == SK_REC_NODE || strstr(row->key, ".auth.") || strstr(row->key, ".timeo.");
}

static bool is_marked(const struct sk_record *r, size_t i, const struct sk_buf *marks)
{
	SK_BUF struct sk_buf line = { 0 };

	if (!marks->n || !can_be_marked(r, &sk_schema[i]))
		return false;
	mark_line(&line, sk_schema[i].key, sk_value_text(r, i));
	return !line.nomem && has_line(marks, &line);
}

/* The marks of @r and, until that is written, of @old: then either record finds its own. */
int sk_marks_save(struct sk_store *s, const char *path, const struct sk_record *old, const struct sk_record *r,
		  bool anew, struct sk_err *err)
{
	SK_BUF struct sk_buf text = { 0 };
	SK_BUF struct sk_buf now = { 0 };
	struct sk_path file;
	size_t head;

	read_marks(s, path, &text);
	head_line(&now, path);
	head = now.n;
	for (size_t i = 0; i < sk_schema_count; i++) {
		bool set = can_be_marked(r, &sk_schema[i]) && r->v[i].origin == SK_FROM_USER;

		if (set || (!anew && is_marked(r, i, &text)))
			mark_line(&now, sk_schema[i].key, sk_value_text(r, i));
		if (!anew && old && is_marked(old, i, &text) &&
		    strcmp(sk_value_text(old, i), sk_value_text(r, i)) != 0)
			mark_line(&now, sk_schema[i].key, sk_value_text(old, i));
	}
	if (now.nomem)
		return sk_fail(err, SK_ENOMEM, "no memory");
	if (now.n == text.n && memcmp(now.p, text.p, now.n) == 0)
		return 0;
	file_of(path, &file);
	if (now.n == head)
		return sk_marks_drop(s, path, err);
	if (sk_stage_dirs(s, DIR_NAME, err) < 0 || sk_stage_write(s, file.s, sk_buf_span(&now), err) < 0)
		return -1;
	sk_stage_aside(s);
	return 0;
}

int sk_marks_drop(struct sk_store *s, const char *path, struct sk_err *err)
{
	struct sk_path file;
	bool there;

	file_of(path, &file);
	if (sk_stage_unlink(s, file.s, &there, err) < 0)
		return -1;
	if (there)
		sk_stage_aside(s);
	return 0;
}

static int path_of(const struct sk_record *r, struct sk_path *ret, struct sk_err *err)
{
	struct sk_node_key key;

	if (r->kind != SK_REC_NODE)
		return sk_disc_record_path(r, ret, err);
	if (sk_node_key_of(r, &key, err) < 0)
		return -1;
	sk_path_node(&key, ret);
	return 0;
}

/* Keys this release does not know: nobody else can bring them back. */
static int keep_unknown(const struct sk_record *old, struct sk_record *fresh, struct sk_err *err)
{
	if (fresh->extra.n == 0)
		sk_buf_add(&fresh->extra, old->extra.p, old->extra.n);
	return fresh->extra.nomem ? sk_fail(err, SK_ENOMEM, "no memory") : 0;
}

int sk_store_keep_user(struct sk_store *s, const struct sk_record *old, struct sk_record *fresh, bool spare_conf,
		       struct sk_err *err)
{
	SK_BUF struct sk_buf marks = { 0 };
	struct sk_path path;

	if (old->kind != fresh->kind || path_of(old, &path, err) < 0)
		return old->kind != fresh->kind ? sk_fail(err, SK_EINVAL, "records of two kinds") : -1;
	read_marks(s, path.s, &marks);
	for (size_t i = 0; i < sk_schema_count; i++) {
		if (!is_marked(old, i, &marks) || (spare_conf && fresh->v[i].origin == SK_FROM_CONF))
			continue;
		if (sk_value_put(fresh, i, sk_value_text(old, i), SK_FROM_USER, err) < 0)
			return -1;
	}
	return keep_unknown(old, fresh, err);
}

int sk_store_keep_all(const struct sk_record *old, struct sk_record *fresh, bool spare_conf, struct sk_err *err)
{
	for (size_t i = 0; i < sk_schema_count; i++) {
		if (!can_be_marked(old, &sk_schema[i]) || !old->v[i].text ||
		    (spare_conf && fresh->v[i].origin == SK_FROM_CONF))
			continue;
		if (sk_value_put(fresh, i, sk_value_text(old, i), SK_FROM_FILE, err) < 0)
			return -1;
	}
	return keep_unknown(old, fresh, err);
}

/* The record that a file of marks names in its first line; false when it names none. */
static bool marked_path(struct sk_store *s, const char *file, struct sk_path *ret)
{
	static const char head[] = "record ";
	SK_BUF struct sk_buf text = { 0 };
	SK_FD int fd = sk_beneath(s->root, file, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	const char *line;
	size_t n;

	if (fd < 0 || sk_file_slurp(fd, MARKS_MAX, &text, NULL) < 0 || !text.n)
		return false;
	line = sk_buf_cstr(&text);
	if (strncmp(line, head, strlen(head)) != 0)
		return false;
	line += strlen(head);
	n = strcspn(line, "\n");
	if (n == 0 || n >= sizeof(ret->s))
		return false;
	memcpy(ret->s, line, n);
	ret->s[n] = '\0';
	return true;
}

int sk_store_sweep_marks(struct sk_store *s, struct sk_err *err)
{
	SK_FD int dir = sk_beneath(s->root, DIR_NAME, O_RDONLY | O_DIRECTORY, 0);
	SK_NAMES struct sk_names names = { 0 };

	if (dir < 0)
		return 0;
	if (sk_names_read(dir, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		struct sk_path file, record;

		snprintf(file.s, sizeof(file.s), DIR_NAME "/%s", names.v[i]);
		if (marked_path(s, file.s, &record) && sk_store_exists(s, record.s))
			continue;
		if (sk_stage_unlink(s, file.s, NULL, err) < 0)
			return -1;
	}
	return 0;
}
