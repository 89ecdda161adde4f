/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/mem.h"
#include "isns-worker/worker.h"

/** Calls to the server, through libisns (RFC 4171). */

#define WALK_MAX SK_ISNS_PORTALS_MAX

static int connect_again(struct sk_worker *w)
{
	isns_portal_info_t at;

	isns_portal_init(&at, (const struct sockaddr *)&w->server, IPPROTO_TCP);
	w->client.ic_socket = isns_connect_to_portal(&at);
	if (!w->client.ic_socket)
		return sk_fail(&w->err, SK_ENOMEM, "no memory");
	isns_socket_set_disconnect_fatal(w->client.ic_socket);	/* the library would try again for ever */
	return 0;
}

int sk_worker_open(struct sk_worker *w)
{
	isns_config.ic_security = 0;
	isns_config.ic_network.call_timeout = w->seconds;
	isns_config.ic_network.connect_timeout = w->seconds;
	for (unsigned i = 0; i < w->n_names; i++) {
		w->sources[i] = isns_source_create_iscsi(w->names[i].s);
		if (!w->sources[i])
			return sk_fail(&w->err, SK_ENOMEM, "no memory");
	}
	w->client.ic_source = w->sources[0];
	return connect_again(w);
}

int sk_worker_call(struct sk_worker *w, isns_simple_t **inout)
{
	int status = *inout ? isns_simple_call(w->client.ic_socket, inout) : ISNS_INTERNAL_ERROR;

	w->why = isns_strerror((enum isns_status)status);
	return status;
}

/* DevAttrQry with a key of one attribute: the targets it fits, with their portal groups (RFC 4171, 5.6.5.2). */
static int query(struct sk_worker *w, unsigned name, const isns_attr_list_t *key, isns_object_list_t *ret)
{
	static const uint32_t wanted[] = {
		ISNS_TAG_ISCSI_NAME, ISNS_TAG_ISCSI_NODE_TYPE, ISNS_TAG_PORTAL_IP_ADDRESS, ISNS_TAG_PORTAL_TCP_UDP_PORT,
		ISNS_TAG_PG_ISCSI_NAME, ISNS_TAG_PG_PORTAL_IP_ADDR, ISNS_TAG_PG_PORTAL_TCP_UDP_PORT, ISNS_TAG_PG_TAG,
	};
	isns_simple_t *q = isns_create_query2(&w->client, key, w->sources[name]);
	int status;

	for (size_t i = 0; q && i < SK_ARRAY_LEN(wanted); i++)
		isns_query_request_attr_tag(q, wanted[i]);
	status = sk_worker_call(w, &q);
	if (status == ISNS_SUCCESS && ret) {
		status = isns_query_response_get_objects(q, ret);
		w->why = isns_strerror((enum isns_status)status);
	}
	isns_simple_free(q);
	return status;
}

int sk_worker_query(struct sk_worker *w, unsigned name, isns_object_list_t *ret)
{
	isns_attr_list_t key;
	int status;

	isns_attr_list_init(&key);
	isns_attr_list_append_uint32(&key, ISNS_TAG_ISCSI_NODE_TYPE, ISNS_ISCSI_TARGET_MASK);
	status = query(w, name, &key, ret);
	isns_attr_list_destroy(&key);
	return status;
}

/* DevGetNext (RFC 4171, 5.6.5.3): the target after the one in @at, or the first when that is NULL; into @at again. */
static int next_target(struct sk_worker *w, const isns_attr_list_t *scope, isns_simple_t **at, isns_object_t **ret)
{
	isns_simple_t *was = *at;
	int status;

	*at = was ? isns_create_getnext_followup(&w->client, was, scope)
		  : isns_create_getnext(&w->client, &isns_iscsi_node_template, scope);
	isns_simple_free(was);
	status = sk_worker_call(w, at);
	if (status == ISNS_SUCCESS)
		status = isns_getnext_response_get_object(*at, ret);
	return status;
}

static int add_target(struct sk_worker *w, unsigned name, const isns_object_t *node, isns_object_list_t *ret)
{
	const char *target = isns_storage_node_name(node);
	isns_attr_list_t key;
	int status;

	if (!target)
		return ISNS_INTERNAL_ERROR;
	isns_attr_list_init(&key);
	isns_attr_list_append_string(&key, ISNS_TAG_ISCSI_NAME, target);
	status = query(w, name, &key, ret);
	isns_attr_list_destroy(&key);
	return status;
}

int sk_worker_walk(struct sk_worker *w, unsigned name, isns_object_list_t *ret)
{
	isns_simple_t *at = NULL;
	isns_object_t *node = NULL;
	isns_attr_list_t scope;
	int status = ISNS_INTERNAL_ERROR;

	if (connect_again(w) < 0)
		return status;
	isns_attr_list_init(&scope);
	isns_attr_list_append_uint32(&scope, ISNS_TAG_ISCSI_NODE_TYPE, ISNS_ISCSI_TARGET_MASK);
	for (unsigned n = 0; n < WALK_MAX; n++) {
		status = next_target(w, &scope, &at, &node);
		if (status != ISNS_SUCCESS)
			break;
		status = add_target(w, name, node, ret);
		isns_object_release(node);
		if (status != ISNS_SUCCESS)
			break;
	}
	isns_attr_list_destroy(&scope);
	isns_simple_free(at);
	return status == ISNS_NO_SUCH_ENTRY ? ISNS_SUCCESS : status;
}

int sk_worker_known(struct sk_worker *w, const char *entity)
{
	isns_object_list_t found = ISNS_OBJECT_LIST_INIT;
	isns_attr_list_t key;
	isns_simple_t *q;
	int status;

	isns_attr_list_init(&key);
	isns_attr_list_append_string(&key, ISNS_TAG_ENTITY_IDENTIFIER, entity);
	q = isns_create_query2(&w->client, &key, w->sources[0]);
	isns_attr_list_destroy(&key);
	if (q)
		isns_query_request_attr_tag(q, ISNS_TAG_ENTITY_IDENTIFIER);
	status = sk_worker_call(w, &q);
	if (status == ISNS_SUCCESS)
		status = isns_query_response_get_objects(q, &found);
	if (status == ISNS_SUCCESS && !found.iol_count)
		status = ISNS_NO_SUCH_ENTRY;
	w->why = status == ISNS_NO_SUCH_ENTRY ? "the registration is gone" : isns_strerror((enum isns_status)status);
	isns_simple_free(q);
	isns_object_list_destroy(&found);
	return status;
}
