/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>

#include "record/node.h"
#include "transport/user/form.h"
#include "transport/user/inner.h"

/** What iscsi-session is told of its session, from the record and the login. */

static void put_str(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, json_object_new_string(value ? value : ""));
}

static void put_int(struct json_object *o, const char *key, int64_t value)
{
	json_object_object_add(o, key, json_object_new_int64(value));
}

static void put_local(struct json_object *o, int fd)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t n = sizeof(ss);
	char text[128] = "";

	if (getsockname(fd, (struct sockaddr *)&ss, &n) == 0)
		(void)getnameinfo((const struct sockaddr *)&ss, n, text, sizeof(text), NULL, 0, NI_NUMERICHOST);
	put_str(o, "local_address", text);
}

static int64_t seconds(int64_t ms)
{
	return ms < 0 ? -1 : (ms + 999) / 1000;
}

struct json_object *sk_user_timers_params(const struct sk_record *r)
{
	struct json_object *o = json_object_new_object();
	struct sk_node_timers t;

	sk_node_timers_of(r, &t);
	put_int(o, "replacement", seconds(t.replacement_ms));
	put_int(o, "noop_interval", seconds(t.noop_interval_ms));
	put_int(o, "noop_timeout", seconds(t.noop_timeout_ms));
	put_int(o, "abort", seconds(t.abort_ms));
	put_int(o, "lu_reset", seconds(t.lu_reset_ms));
	put_int(o, "tgt_reset", seconds(t.tgt_reset_ms));
	return o;
}

struct json_object *sk_user_reattach_params(const struct sk_params *p, const struct sk_portal *current, int fd)
{
	struct json_object *o = json_object_new_object();

	if (!o)
		return NULL;
	put_str(o, "address", current->host);
	put_int(o, "port", current->port);
	put_local(o, fd);
	json_object_object_add(o, "params", sk_params_to_json(p));
	return o;
}

struct json_object *sk_user_attach_params(const struct sk_xsess *x, const struct sk_params *p, const struct sk_portal *current,
					  int fd)
{
	struct json_object *o = sk_user_reattach_params(p, current, fd);
	const struct sk_record *r = x->node;
	struct sk_node_limits limits;
	const char *transport = sk_record_get(r, "iface.transport_name");

	if (!o)
		return NULL;
	sk_node_limits_of(r, &limits);
	put_str(o, "target", sk_record_get(r, "node.name"));
	put_str(o, "initiator", x->initiator);
	put_str(o, "iface", x->iface);
	put_str(o, "transport", transport && *transport ? transport : "tcp");
	put_str(o, "netdev", sk_record_get(r, "iface.net_ifacename"));
	put_str(o, "hwaddress", sk_record_get(r, "iface.hwaddress"));
	put_str(o, "persistent_address", sk_record_get(r, "node.conn[0].address"));
	put_int(o, "persistent_port", sk_record_int(r, "node.conn[0].port"));
	put_int(o, "tpgt", p->tpgt >= 0 ? p->tpgt : sk_record_int(r, "node.tpgt"));
	put_int(o, "cmds_max", limits.cmds_max);
	put_int(o, "queue_depth", limits.queue_depth);
	json_object_object_add(o, "timers", sk_user_timers_params(r));
	json_object_object_add(o, "scan", json_object_new_boolean(!x->scan_by_hand));
	json_object_object_add(o, "fast_abort", json_object_new_boolean(limits.fast_abort));
	json_object_object_add(o, "read_only", json_object_new_boolean(false));
	return o;
}
