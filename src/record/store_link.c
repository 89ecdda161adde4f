/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the discovery link of a node record lies. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "record/store_impl.h"

/* The directory of the discovery record, "top/A,P"; "" when the record's fields cannot name one. */
static void source_dir(const char *top, const struct sk_record *r, struct sk_path *ret)
{
	const char *host = sk_record_get(r, "node.discovery_address");
	int64_t port = sk_record_int(r, "node.discovery_port");

	ret->s[0] = '\0';
	if (sk_path_component_ok(host) && sk_portal_host_ok(sk_span_str(host)) && port > 0 && port <= 65535)
		snprintf(ret->s, sizeof(ret->s), "%s/%s,%" PRId64, top, host, port);
}

static void below(const struct sk_path *dir, const char *link, struct sk_path *ret)
{
	struct sk_path p = *dir;
	size_t n = strlen(p.s);

	if (n)
		snprintf(p.s + n, sizeof(p.s) - n, "/%s", link);
	*ret = p;
}

/* isns/<link> if it is there (and may stay) or if the server has no directory, else isns/<server>/<link> */
static void isns_link(struct sk_store *s, const struct sk_record *r, const char *link, bool stay, struct sk_path *ret)
{
	struct sk_path dir, old;

	snprintf(old.s, sizeof(old.s), "isns/%s", link);
	source_dir("isns", r, &dir);
	if (*dir.s && !(stay && sk_store_exists(s, old.s)) && sk_store_is_dir(s, dir.s))
		below(&dir, link, ret);
	else
		*ret = old;
}

static void link_path(struct sk_store *s, const struct sk_record *r, const struct sk_node_key *key, bool stay,
		      struct sk_path *ret)
{
	const char *type = sk_record_get(r, "node.discovery_type");
	struct sk_path dir = { "" };
	char link[256];

	ret->s[0] = '\0';
	if (key->portal.tpgt == SK_TPGT_NONE || !sk_disc_link_name(key, link))
		return;
	if (strcmp(type, "isns") == 0) {
		isns_link(s, r, link, stay, ret);
		return;
	}
	if (strcmp(type, "send_targets") == 0)
		source_dir("send_targets", r, &dir);
	else if (strcmp(type, "static") == 0 || strcmp(type, "fw") == 0)
		snprintf(dir.s, sizeof(dir.s), "%s", type);
	below(&dir, link, ret);
}

void sk_disc_link_path(struct sk_store *s, const struct sk_record *r, const struct sk_node_key *key, struct sk_path *ret)
{
	link_path(s, r, key, true, ret);
}

void sk_disc_link_due(struct sk_store *s, const struct sk_record *r, const struct sk_node_key *key, struct sk_path *ret)
{
	link_path(s, r, key, false, ret);
}
