/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mgmt/message.h"

#include <string.h>

#define DEPTH_MAX 16

static const char magic[4] = { 'S', 'K', 'M', '1' };

/* Bytes of the UTF-8 sequence at the front of @s (RFC 3629), 0 when it is none. */
static size_t utf8_len(const uint8_t *s, size_t n)
{
	uint32_t c = s[0], min;
	size_t len;

	if (c < 0x80)
		return 1;
	if (c >= 0xc2 && c < 0xe0) {
		len = 2, c &= 0x1f, min = 0x80;
	} else if ((c & 0xf0) == 0xe0) {
		len = 3, c &= 0x0f, min = 0x800;
	} else if (c >= 0xf0 && c < 0xf5) {
		len = 4, c &= 0x07, min = 0x10000;
	} else {
		return 0;
	}
	if (n < len)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3fU);
	}
	return c >= min && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff) ? len : 0;
}

/* What a target calls itself may be any bytes; on this wire it is UTF-8, so that no name can break the connection.
 */
static void make_utf8(uint8_t *s, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t len = utf8_len(s + i, n - i);

		if (len == 0) {
			s[i] = '?';
			len = 1;
		}
		i += len;
	}
}

int sk_msg_frame(struct sk_buf *out, struct json_object *msg, struct sk_err *err)
{
	uint8_t head[SK_MSG_HEAD];
	size_t n = 0, start = out->n;
	const char *text;

	text = json_object_to_json_string_length(msg, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &n);
	if (!text)
		return sk_fail(err, SK_ENOMEM, "no memory");
	if (n > SK_MSG_MAX)
		return sk_fail(err, SK_EINVAL, "a message of %zu bytes, %u is the limit", n, SK_MSG_MAX);
	memcpy(head, magic, sizeof(magic));
	sk_set_be32(head + 4, (uint32_t)n);
	sk_buf_add(out, head, sizeof(head));
	sk_buf_add(out, text, n);
	if (out->nomem)
		return sk_fail(err, SK_ENOMEM, "no memory");
	make_utf8((uint8_t *)out->p + start + sizeof(head), n);
	return 0;
}

/* One JSON object that fills the span, nothing but blanks behind it. */
static struct json_object *parse(const char *p, size_t n, struct sk_err *err)
{
	struct json_tokener *tok = json_tokener_new_ex(DEPTH_MAX);
	struct json_object *o;
	enum json_tokener_error why;
	size_t end;

	if (!tok) {
		sk_fail(err, SK_ENOMEM, "no memory");
		return NULL;
	}
	while (n && p[n - 1] && strchr(" \t\r\n", p[n - 1])) /* a strict tokener takes none, but they are JSON */
		n--;
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	o = json_tokener_parse_ex(tok, p, (int)n);
	why = json_tokener_get_error(tok);
	end = json_tokener_get_parse_end(tok);
	json_tokener_free(tok);
	if (why == json_tokener_continue)
		sk_fail(err, SK_EPROTO, "a message that is not whole JSON");
	else if (why != json_tokener_success)
		sk_fail(err, SK_EPROTO, "a message that is not JSON: %s", json_tokener_error_desc(why));
	else if (end != n)
		sk_fail(err, SK_EPROTO, "bytes behind the end of a message");
	else if (!json_object_is_type(o, json_type_object))
		sk_fail(err, SK_EPROTO, "a message that is not a JSON object");
	else
		return o;
	json_object_put(o);
	return NULL;
}

int sk_msg_next(struct sk_buf *in, struct json_object **ret, struct sk_err *err)
{
	size_t seen = in->n < sizeof(magic) ? in->n : sizeof(magic);
	struct json_object *o;
	uint32_t n;

	if (seen && memcmp(in->p, magic, seen) != 0)
		return sk_fail(err, SK_EPROTO, "not a management message");
	if (in->n < SK_MSG_HEAD)
		return 0;
	n = sk_be32((const uint8_t *)in->p + 4);
	if (n < 2 || n > SK_MSG_MAX)
		return sk_fail(err, SK_EPROTO, "a message of %u bytes, 2 to %u are allowed", n, SK_MSG_MAX);
	if (in->n - SK_MSG_HEAD < n)
		return 0;
	o = parse(in->p + SK_MSG_HEAD, n, err);
	if (!o)
		return -1;
	sk_buf_drop(in, SK_MSG_HEAD + (size_t)n);
	*ret = o;
	return 1;
}

static struct json_object *get(struct json_object *o, const char *key, enum json_type type)
{
	struct json_object *v;

	if (!json_object_is_type(o, json_type_object) || !json_object_object_get_ex(o, key, &v))
		return NULL;
	return json_object_is_type(v, type) ? v : NULL;
}

void sk_msg_put(struct json_object *o, const char *key, struct json_object *taken_value)
{
	if (!o || json_object_object_add(o, key, taken_value) != 0)
		json_object_put(taken_value);
}

const char *sk_msg_str(struct json_object *o, const char *key)
{
	struct json_object *v = get(o, key, json_type_string);
	const char *s = v ? json_object_get_string(v) : NULL;

	if (!s || strlen(s) != (size_t)json_object_get_string_len(v))
		return NULL; /* with a NUL inside it would be taken for another */
	return s;
}

int64_t sk_msg_int(struct json_object *o, const char *key, int64_t dflt)
{
	struct json_object *v = get(o, key, json_type_int);

	return v ? json_object_get_int64(v) : dflt;
}

bool sk_msg_bool(struct json_object *o, const char *key, bool dflt)
{
	struct json_object *v = get(o, key, json_type_boolean);

	return v ? (bool)json_object_get_boolean(v) : dflt;
}

struct json_object *sk_msg_obj(struct json_object *o, const char *key)
{
	return get(o, key, json_type_object);
}

struct json_object *sk_msg_arr(struct json_object *o, const char *key)
{
	return get(o, key, json_type_array);
}
