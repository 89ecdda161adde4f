/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/mem.h"

#include "iscsiadm/daemon.h"
#include "iscsiadm/node_make.h"
#include "iscsiadm/node_record.h"
#include "iscsiadm/say.h"
#include "iscsiadm/values.h"
#include "record/iface.h"

static int take_key(struct sk_record *r, const char *target, const struct sk_portal *portal, struct sk_err *err)
{
	struct sk_iname name;
	char port[16], tag[16];
	const char *set[][2] = {
		{ "node.name", name.s },
		{ "node.conn[0].address", portal->host },
		{ "node.conn[0].port", port },
		{ "node.tpgt", tag },
		{ "node.discovery_type", "static" },
		{ "node.discovery_address", "" },
		{ "node.discovery_port", "0" },
	};

	if (sk_iname_parse(sk_span_str(target), &name, err) < 0)
		return sk_in(err, "Invalid target name '%.100s'", sk_adm_printable(target).s);
	snprintf(port, sizeof(port), "%u", portal->port);
	snprintf(tag, sizeof(tag), "%d", portal->tpgt);
	for (size_t i = 0; i < SK_ARRAY_LEN(set); i++)
		if (sk_record_set(r, set[i][0], set[i][1], err) < 0)
			return -1;
	return 0;
}

struct sk_record *sk_node_record_new(struct sk_adm *adm, const char *target, const struct sk_portal *portal,
				     const struct sk_record *iface, struct sk_err *err)
{
	struct sk_record *r = sk_record_new(SK_REC_NODE, err);

	if (!r)
		return NULL;
	if (sk_conf_apply(sk_daemon_conf(adm), r, sk_conf_told, adm, err) < 0 ||
	    sk_node_bind_iface(r, iface, err) < 0 || take_key(r, target, portal, err) < 0) {
		sk_record_free(r);
		return NULL;
	}
	return r;
}

void sk_node_record_says(struct sk_buf *out, const struct sk_record *r)
{
	sk_buf_printf(out, "[%s:[hw=%s,ip=%s,net_if=%s,iscsi_if=%s] %s,%s,%s %s]",
		      sk_record_get(r, "iface.transport_name"), sk_record_get(r, "iface.hwaddress"),
		      sk_record_get(r, "iface.ipaddress"), sk_record_get(r, "iface.net_ifacename"),
		      sk_record_get(r, "iface.iscsi_ifacename"), sk_record_get(r, "node.conn[0].address"),
		      sk_record_get(r, "node.conn[0].port"), sk_record_get(r, "node.tpgt"),
		      sk_record_get(r, "node.name"));
}

struct json_object *sk_node_record_json(const struct sk_record *r)
{
	return sk_jrecord(r, true);
}
