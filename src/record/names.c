/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keys, paths and link names: pure text. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "record/store_impl.h"

bool sk_path_component_ok(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n > 255 || strcmp(s, ".") == 0 || strcmp(s, "..") == 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c < 0x20 || c == 0x7f || c == '/')
			return false;
	}
	return true;
}

void sk_iname_spelled(const char *text, struct sk_iname *ret)
{
	snprintf(ret->s, sizeof(ret->s), "%s", text);
}

static int check_target(const char *name, struct sk_iname *ret, struct sk_err *err)
{
	struct sk_iname normal;

	if (sk_iname_parse(sk_span_str(name), &normal, err) < 0)
		return -1;
	if (!sk_path_component_ok(name) || strchr(name, ',') || strlen(name) > SK_INAME_MAX)
		return sk_fail(err, SK_EINVAL, "the target's name cannot stand in a path");
	sk_iname_spelled(name, ret);
	return 0;
}

static int check_portal(const struct sk_portal *p, struct sk_err *err)
{
	if (!sk_portal_host_ok(sk_span_str(p->host)) || !sk_path_component_ok(p->host) || strchr(p->host, ','))
		return sk_fail(err, SK_EINVAL, "the portal's address is not acceptable");
	if (strlen(p->host) > 255 - strlen(",65535,65535"))
		return sk_fail(err, SK_EINVAL, "the portal's address is too long for a file name");
	if (p->port == 0)
		return sk_fail(err, SK_EINVAL, "port 0 is not acceptable");
	if (p->tpgt < SK_TPGT_NONE || p->tpgt > 65535)
		return sk_fail(err, SK_EINVAL, "portal group tag %" PRId32 " is outside 0..65535", p->tpgt);
	return 0;
}

int sk_node_key_check(const struct sk_node_key *key, struct sk_err *err)
{
	struct sk_iname spelled;

	if (check_target(key->target.s, &spelled, err) < 0 || check_portal(&key->portal, err) < 0)
		return -1;
	if (key->portal.tpgt != SK_TPGT_NONE && !sk_iface_name_ok(key->iface))
		return sk_fail(err, SK_EINVAL, "the iface's name is not acceptable");
	return 0;
}

int sk_node_key_of(const struct sk_record *r, struct sk_node_key *ret, struct sk_err *err)
{
	struct sk_node_key key = { 0 };
	const char *iface = sk_record_get(r, "iface.iscsi_ifacename");

	if (check_target(sk_record_get(r, "node.name"), &key.target, err) < 0)
		return sk_in(err, "node.name");
	snprintf(key.portal.host, sizeof(key.portal.host), "%s", sk_record_get(r, "node.conn[0].address"));
	{
		int64_t port = sk_record_int(r, "node.conn[0].port");
		int64_t tpgt = sk_record_int(r, "node.tpgt");

		if (port < 1 || port > 65535)
			return sk_fail(err, SK_EINVAL, "node.conn[0].port=%" PRId64 " is outside 1..65535", port);
		if (tpgt < SK_TPGT_NONE || tpgt > 65535)
			return sk_fail(err, SK_EINVAL, "node.tpgt=%" PRId64 " is outside -1..65535", tpgt);
		key.portal.port = (uint16_t)port;
		key.portal.tpgt = (int32_t)tpgt;
	}
	snprintf(key.iface, sizeof(key.iface), "%s", *iface ? iface : "default");
	if (sk_node_key_check(&key, err) < 0)
		return -1;
	*ret = key;
	return 0;
}

void sk_path_single(const struct sk_node_key *key, struct sk_path *ret)
{
	snprintf(ret->s, sizeof(ret->s), "nodes/%s/%s,%u", key->target.s, key->portal.host, key->portal.port);
}

void sk_path_portal(const struct sk_node_key *key, struct sk_path *ret)
{
	snprintf(ret->s, sizeof(ret->s), "nodes/%s/%s,%u,%" PRId32, key->target.s, key->portal.host,
		 key->portal.port, key->portal.tpgt);
}

void sk_path_node(const struct sk_node_key *key, struct sk_path *ret)
{
	size_t n;

	if (key->portal.tpgt == SK_TPGT_NONE) {
		sk_path_single(key, ret);
		return;
	}
	sk_path_portal(key, ret);
	n = strlen(ret->s);
	snprintf(ret->s + n, sizeof(ret->s) - n, "/%s", key->iface);
}

bool sk_disc_link_name(const struct sk_node_key *key, char ret[256])
{
	int n = snprintf(ret, 256, "%s,%s,%u,%" PRId32 ",%s", key->target.s, key->portal.host, key->portal.port,
			 key->portal.tpgt, key->iface);

	return n > 0 && n < 256;
}

/* A number spelled the one way a path computed from a key spells it. */
static bool canonical(const char *s, size_t n, uint64_t max, uint64_t *ret)
{
	return sk_num_u64(s, n, 0, max, ret) && (n == 1 || s[0] != '0');
}

/* Copy the part up to the next comma (or the end) and step behind it; false when it does not fit or is empty. */
static bool part(const char **p, char *ret, size_t size)
{
	size_t n = strcspn(*p, ",");

	if (n == 0 || n >= size)
		return false;
	memcpy(ret, *p, n);
	ret[n] = '\0';
	*p += n;
	*p += **p == ',';
	return true;
}

bool sk_portal_dir_parse(const char *name, struct sk_portal *ret)
{
	struct sk_portal p = { .tpgt = SK_TPGT_NONE };
	uint64_t n;
	char num[8];

	if (!part(&name, p.host, sizeof(p.host)) || !sk_portal_host_ok(sk_span_str(p.host)))
		return false;
	if (!part(&name, num, sizeof(num)) || !canonical(num, strlen(num), 65535, &n) || n == 0)
		return false;
	p.port = (uint16_t)n;
	if (name[-1] == ',') {
		if (!part(&name, num, sizeof(num)) || !canonical(num, strlen(num), 65535, &n) || *name ||
		    name[-1] == ',')
			return false;
		p.tpgt = (int32_t)n;
	}
	*ret = p;
	return true;
}

bool sk_disc_link_parse(const char *name, struct sk_node_key *ret)
{
	struct sk_node_key key = { 0 };
	char text[256], portal[256];
	const char *p = name;
	size_t rest;

	if (!part(&p, text, sizeof(text)) || !*p || check_target(text, &key.target, NULL) < 0)
		return false;
	for (int commas = 0; *p && commas < 3; p++)
		commas += *p == ',';
	rest = (size_t)(p - name) - strlen(text) - 1;
	if (rest < 2 || rest >= sizeof(portal))
		return false;
	memcpy(portal, name + strlen(text) + 1, rest);
	portal[rest - 1] = '\0';	/* the comma before the iface */
	if (!sk_portal_dir_parse(portal, &key.portal) || key.portal.tpgt == SK_TPGT_NONE || !sk_iface_name_ok(p))
		return false;
	snprintf(key.iface, sizeof(key.iface), "%s", p);
	*ret = key;
	return true;
}
