/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "record/iface.h"

#include <string.h>

#include "base/mem.h"
#include "record/impl.h"
#include "record/store.h"

static const struct builtin {
	const char *name, *transport;
} builtins[] = {
	{ "default", "tcp" },
	{ "iser", "iser" },
};

static const struct builtin *builtin(const char *name)
{
	for (size_t i = 0; i < SK_ARRAY_LEN(builtins); i++) {
		if (strcmp(builtins[i].name, name) == 0)
			return &builtins[i];
	}
	return NULL;
}

bool sk_iface_is_builtin(const char *name)
{
	return builtin(name) != NULL;
}

bool sk_iface_name_ok(const char *name)
{
	size_t n = strlen(name);

	if (n < 1 || n > 64 || name[0] == '.')
		return false;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)name[i];

		if (c < 0x20 || c == 0x7f || c == '/')
			return false;
	}
	return true;
}

struct sk_record *sk_iface_new(const char *name, struct sk_err *err)
{
	const struct builtin *b = builtin(name);
	struct sk_record *r;

	if (!sk_iface_name_ok(name)) {
		sk_fail(err, SK_EINVAL,
			"not a name for an iface (1..64 bytes, no '/', no control character, no '.' in front)");
		return NULL;
	}
	r = sk_record_new(SK_REC_IFACE, err);
	if (r && sk_record_set(r, "iface.iscsi_ifacename", name, err) == 0 &&
	    sk_record_set(r, "iface.transport_name", b ? b->transport : "tcp", err) == 0)
		return r;
	sk_record_free(r);
	return NULL;
}

bool sk_iface_is_v6(const struct sk_record *iface)
{
	const char *address = sk_record_get(iface, "iface.ipaddress");
	const char *proto = sk_record_get(iface, "iface.bootproto");

	if (!*address || strcmp(address, "<empty>") == 0)
		return sk_record_family_show(iface) == 6;
	return strcmp(proto, "dhcp") != 0 && !strchr(address, '.');
}

const char *sk_iface_binding(const struct sk_record *r, const char *key)
{
	static const char *const open[] = { "default", "0.0.0.0", "::" };
	const char *v = r ? sk_record_get(r, key) : NULL;

	for (size_t i = 0; v && i < SK_ARRAY_LEN(open); i++)
		if (!strcmp(v, open[i]))
			return "";
	return v ? v : "";
}

int sk_node_bind_iface(struct sk_record *node, const struct sk_record *iface, struct sk_err *err)
{
	for (size_t i = 0; i < sk_schema_count; i++) {
		const char *text = sk_value_text(iface, i);

		if (!(sk_schema[i].kinds & SK_IN(SK_REC_IFACE)) || strcmp(text, "") == 0 || strcmp(text, "0") == 0 ||
		    strcmp(sk_schema[i].key, "iface.prefix_len") == 0)	/* the incumbent leaves it in the iface */
			continue;
		if (sk_value_put(node, i, text, SK_FROM_PROGRAM, err) < 0)
			return -1;
	}
	return 0;
}
