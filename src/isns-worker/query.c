/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <stdio.h>
#include <time.h>

#include "isns-worker/worker.h"

/** Ask for all targets, tell their portals. */

#define UDP_PORT 0x10000	/* RFC 4171, 6.3.2: bit 15 (of 0..31) says UDP */

/* IPv4 comes as ::ffff:a.b.c.d, or as ::a.b.c.d from some (RFC 4171, 6.3.1). */
static bool address_text(const struct in6_addr *a, char *ret, socklen_t n)
{
	const uint8_t *b = a->s6_addr;

	if (IN6_IS_ADDR_V4MAPPED(a) || IN6_IS_ADDR_V4COMPAT(a))
		return inet_ntop(AF_INET, b + 12, ret, n) != NULL;
	return inet_ntop(AF_INET6, a, ret, n) != NULL;
}

static bool usable(const struct sk_portal *p)
{
	struct sk_host h;

	return sk_host_parse(sk_span_str(p->host), &h) && !h.any;
}

struct telling {
	struct sk_buf out;
	unsigned told, odd;
};

static void tell_odd(struct telling *t, const char *text)
{
	if (++t->odd < SK_ISNS_ODD_MAX)
		sk_isns_put_odd(&t->out, text);
}

static void tell(struct telling *t, isns_object_t *o)
{
	struct sk_portal p = { .tpgt = SK_TPGT_NONE };
	struct sk_iname target;
	struct in6_addr addr;
	const char *name = NULL;
	uint32_t port = 0, tag = 0;
	struct sk_err err = { 0 };

	if (!isns_object_get_string(o, ISNS_TAG_PG_ISCSI_NAME, &name) || !name ||
	    !isns_object_get_ipaddr(o, ISNS_TAG_PG_PORTAL_IP_ADDR, &addr) ||
	    !isns_object_get_uint32(o, ISNS_TAG_PG_PORTAL_TCP_UDP_PORT, &port) ||
	    !isns_object_get_uint32(o, ISNS_TAG_PG_TAG, &tag))
		return;	/* a portal through which the target is not to be used (RFC 4171, 6.5.3) */
	if (sk_iname_parse(sk_span_str(name), &target, &err) < 0) {
		tell_odd(t, err.msg);
		return;
	}
	if (port & UDP_PORT || port == 0 || port > 65535 || tag > 65535 || !address_text(&addr, p.host, sizeof(p.host)) ||
	    !usable(&p)) {
		sk_fail(&err, SK_EPROTO, "%s: address %s, port 0x%x, tag %u", target.s, p.host, port, tag);
		tell_odd(t, err.msg);
		return;
	}
	p.port = (uint16_t)port;
	p.tpgt = (int32_t)tag;
	sk_isns_put_portal(&t->out, &target, &p);
	t->told++;
}

/* Unknown to the server: it wants to know who asks before it tells. */
static int introduce(struct sk_worker *w)
{
	isns_object_t *node = isns_create_storage_node2(w->sources[0], ISNS_ISCSI_INITIATOR_MASK, NULL);
	isns_simple_t *reg = node ? isns_create_registration2(&w->client, node, w->sources[0]) : NULL;
	int status;

	if (reg)
		isns_registration_add_object(reg, node);
	status = sk_worker_call(w, &reg);
	isns_simple_free(reg);
	isns_object_release(node);
	return status;
}

static void take_leave(struct sk_worker *w)
{
	isns_attr_list_t key;
	isns_simple_t *dereg;

	isns_attr_list_init(&key);
	isns_attr_list_append_string(&key, ISNS_TAG_ISCSI_NAME, w->names[0].s);
	dereg = isns_create_deregistration(&w->client, &key);
	isns_attr_list_destroy(&key);
	(void)sk_worker_call(w, &dereg);	/* what stays expires there */
	isns_simple_free(dereg);
}

/* One long answer, or, where the library will not have it, many short ones. */
static int all_targets(struct sk_worker *w, isns_object_list_t *ret)
{
	time_t began = time(NULL);
	int status = sk_worker_query(w, 0, ret);

	if (status == ISNS_INTERNAL_ERROR && (time(NULL) - began) * 2 < (time_t)w->seconds)
		status = sk_worker_walk(w, 0, ret);	/* not the silence of a server */
	return status;
}

static int find(struct sk_worker *w, isns_object_list_t *ret, enum sk_isns_stage *stage)
{
	int status = all_targets(w, ret);

	*stage = SK_ISNS_QUERY;
	if (status != ISNS_SOURCE_UNKNOWN)
		return status;
	status = introduce(w);
	if (status != ISNS_SUCCESS) {
		*stage = SK_ISNS_REGISTER;
		return status;
	}
	status = all_targets(w, ret);
	take_leave(w);
	w->why = isns_strerror((enum isns_status)status);
	return status;
}

int sk_worker_discover(struct sk_worker *w)
{
	isns_object_list_t found = ISNS_OBJECT_LIST_INIT;
	struct telling t = { .told = 0 };
	enum sk_isns_stage stage;
	int status = find(w, &found, &stage);

	if (status != ISNS_SUCCESS)
		return sk_worker_fail(stage, w->why);
	for (unsigned i = 0; i < found.iol_count; i++)
		if (isns_object_is_pg(found.iol_data[i]))
			tell(&t, found.iol_data[i]);
	sk_isns_put_number(&t.out, "done", t.told);
	sk_worker_say(&t.out);
	return 0;
}
