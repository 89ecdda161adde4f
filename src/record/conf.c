/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* iscsid.conf and initiatorname.iscsi: record defaults, and the keys of the programs. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "record/impl.h"
#include "record/store.h"
#include "record/store_impl.h"

#define CONF_MAX (1u << 20)

static int read_conf(const char *path, struct sk_buf *ret, struct sk_err *err)
{
	SK_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0) {
		sk_fail_sys(err, errno, "open %s", path);
		if (err && errno == ENOENT)
			err->code = SK_ENOENT;
		return -1;
	}
	if (sk_file_slurp(fd, CONF_MAX, ret, err) < 0)
		return sk_in(err, "read %s", path);
	return 0;
}

int sk_conf_apply(const char *conf_file, struct sk_record *r, sk_record_warn *warn, void *ctx, struct sk_err *err)
{
	struct sk_buf text = { 0 };
	struct sk_err why = { 0 };
	int rc = read_conf(conf_file, &text, &why);

	if (rc == 0)
		rc = sk_record_apply(r, sk_buf_span(&text), SK_FROM_CONF, warn, ctx, err);
	else if (why.code == SK_ENOENT)
		rc = 0;	/* no file is an empty file */
	else if (err)
		*err = why;
	sk_buf_wipe(&text);
	return rc;
}

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The value of @key in one line of n bytes: "key = value", blanks optional; false when the line is another's. */
static bool conf_line(const char *p, size_t n, const char *key, struct sk_span *ret)
{
	size_t k = strlen(key);

	while (n && is_blank(*p)) {
		p++;
		n--;
	}
	if (n <= k || memcmp(p, key, k) != 0)
		return false;
	for (p += k, n -= k; n && is_blank(*p); n--)
		p++;
	if (n == 0 || *p != '=')
		return false;
	for (p++, n--; n && is_blank(*p); n--)
		p++;
	while (n && is_blank(p[n - 1]))
		n--;
	*ret = sk_span(p, n);
	return n != 0 && !memchr(p, '\0', n);
}

bool sk_conf_scan(struct sk_span text, const char *key, struct sk_span *ret)
{
	const char *p = (const char *)text.p;
	size_t left = text.n;

	while (left) {
		const char *nl = memchr(p, '\n', left);
		size_t n = nl ? (size_t)(nl - p) : left;

		if (conf_line(p, n, key, ret))
			return true;
		n += nl != NULL;
		p += n;
		left -= n;
	}
	return false;
}

char *sk_conf_get(const char *file, const char *key, struct sk_err *err)
{
	struct sk_buf text = { 0 };
	struct sk_span v;
	char *value = NULL;

	if (read_conf(file, &text, err) == 0) {
		if (!sk_conf_scan(sk_buf_span(&text), key, &v))
			sk_fail(err, SK_ENOENT, "no %s in %s", key, file);
		else if (!(value = strndup((const char *)v.p, v.n)))
			sk_fail(err, SK_ENOMEM, "no memory");
	}
	sk_buf_wipe(&text);
	return value;
}

int sk_initiator_name(const char *name_file, struct sk_iname *ret, struct sk_err *err)
{
	SK_MEM char *text = sk_conf_get(name_file, "InitiatorName", err);
	struct sk_iname checked;

	if (!text)
		return -1;
	if (sk_iname_parse(sk_span_str(text), &checked, err) < 0)
		return sk_in(err, "InitiatorName in %s", name_file);
	/* Sent as it is spelled: a target's access list may hold it that way. */
	sk_iname_spelled(text, ret);
	return 0;
}
