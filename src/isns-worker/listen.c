/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"
#include "isns-worker/worker.h"

/**
 * Registered for state change notifications (RFC 4171, 2.2.3 and 5.6.5): every one is told as "changed" and nothing in it is
 * believed. The registration is kept alive by asking for it at half its period: one that is gone is made anew by who starts the next.
 */

#define SCN_WANTED                                                                                          \
	(ISNS_SCN_TARGET_AND_SELF_ONLY_MASK | ISNS_SCN_OBJECT_REMOVED_MASK | ISNS_SCN_OBJECT_ADDED_MASK |   \
	 ISNS_SCN_OBJECT_UPDATED_MASK)
#define REFRESH_MIN_S 2
#define REFRESH_MAX_S 60	/* a server that lost its database is noticed within this */
#define QUIET_NS      200000000	/* notifications that come together are told once */

/* What it says is not looked at; without a callback the library would refuse the message. */
static void on_scn(isns_db_t *db, uint32_t bits, isns_object_template_t *type, const char *node, const char *recipient)
{
	(void)db;
	(void)bits;
	(void)type;
	(void)node;
	(void)recipient;
}

/* A port that is free: left to itself the library would want a privileged one. */
static int free_port(const struct sockaddr_storage *local, socklen_t len, char *ret, socklen_t n)
{
	SK_FD int fd = socket(local->ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_storage at = *local;

	isns_addr_set_port((struct sockaddr *)&at, 0);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&at, len) < 0 || getsockname(fd, (struct sockaddr *)&at, &len) < 0)
		return -1;
	return getnameinfo((const struct sockaddr *)&at, len, NULL, 0, ret, n, NI_NUMERICSERV);
}

/* A datagram socket at the address by which the server sees us. */
static isns_socket_t *hear(struct sk_worker *w, isns_portal_info_t *ret)
{
	bool v6 = w->local.ss_family == AF_INET6;
	socklen_t len = v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	char addr[NI_MAXHOST], host[NI_MAXHOST + 2], port[8];
	isns_socket_t *s;

	if (getnameinfo((const struct sockaddr *)&w->local, len, addr, sizeof(addr), NULL, 0, NI_NUMERICHOST) ||
	    free_port(&w->local, len, port, sizeof(port)))
		return NULL;
	snprintf(host, sizeof(host), v6 ? "[%s]" : "%s", addr);
	s = isns_create_server_socket(host, port, w->local.ss_family, SOCK_DGRAM);
	if (s && !isns_socket_get_portal_info(s, ret)) {
		isns_socket_free(s);
		s = NULL;
	}
	return s;
}

static uint32_t period_of(isns_simple_t *answer)
{
	isns_object_list_t objects = ISNS_OBJECT_LIST_INIT;
	uint32_t s = 0;

	if (isns_registration_response_get_objects(answer, &objects) == ISNS_SUCCESS)
		for (unsigned i = 0; !s && i < objects.iol_count; i++)
			(void)isns_object_get_uint32(objects.iol_data[i], ISNS_TAG_REGISTRATION_PERIOD, &s);
	isns_object_list_destroy(&objects);
	return s;
}

/* The entity is called as the initiator, so that it is nobody else's; a former registration of it is replaced. */
static int register_us(struct sk_worker *w, const isns_portal_info_t *at, uint32_t *ret_period)
{
	isns_object_t *entity = isns_create_entity(ISNS_ENTITY_PROTOCOL_ISCSI, w->names[0].s);
	isns_object_t *portal = entity ? isns_create_portal(at, entity) : NULL;
	isns_simple_t *reg = portal ? isns_create_registration2(&w->client, entity, w->sources[0]) : NULL;
	int status;

	if (!reg)
		return ISNS_INTERNAL_ERROR;
	isns_object_set_uint32(portal, ISNS_TAG_SCN_PORT, isns_portal_tcpudp_port(at));
	isns_registration_set_replace(reg, 1);
	isns_registration_add_object(reg, entity);
	isns_registration_add_object(reg, portal);
	for (unsigned i = 0; i < w->n_names; i++) {
		isns_object_t *node = isns_create_storage_node2(w->sources[i], ISNS_ISCSI_INITIATOR_MASK, entity);

		if (node)
			isns_registration_add_object(reg, node);
		isns_object_release(node);
	}
	status = sk_worker_call(w, &reg);
	if (status == ISNS_SUCCESS)
		*ret_period = period_of(reg);
	isns_simple_free(reg);
	isns_object_release(portal);
	isns_object_release(entity);
	return status;
}

static int ask_for_notice(struct sk_worker *w)
{
	int status = ISNS_SUCCESS;

	for (unsigned i = 0; status == ISNS_SUCCESS && i < w->n_names; i++) {
		isns_simple_t *call = isns_create_scn_registration2(&w->client, SCN_WANTED, w->sources[i]);

		status = sk_worker_call(w, &call);
		isns_simple_free(call);
	}
	return status;
}

/* Answers a message, which is taken; true if it was a notification. */
static bool answer(isns_server_t *server, isns_message_t *msg)
{
	bool notice = isns_message_function(msg) == ISNS_STATE_CHANGE_NOTIFICATION;
	isns_message_t *reply = isns_process_message(server, msg);

	if (reply) {
		isns_socket_send(isns_message_socket(msg), reply);
		isns_message_release(reply);
	}
	isns_message_release(msg);
	return notice;
}

static void tell_change(void)
{
	const struct timespec quiet = { .tv_nsec = QUIET_NS };
	SK_BUF struct sk_buf out = { 0 };

	sk_isns_put_changed(&out);
	sk_worker_say(&out);
	nanosleep(&quiet, NULL);
}

static time_t now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

static void tell_up(unsigned refresh_s)
{
	SK_BUF struct sk_buf out = { 0 };

	sk_isns_put_number(&out, "up", refresh_s);
	sk_worker_say(&out);
}

static int serve(struct sk_worker *w, isns_server_t *server, unsigned refresh_s)
{
	time_t due = now_s() + refresh_s;

	for (;;) {
		struct timeval wait = { .tv_sec = 1 };
		isns_message_t *msg = isns_recv_message(&wait);

		if (msg && answer(server, msg))
			tell_change();
		if (now_s() < due)
			continue;
		if (sk_worker_known(w, w->names[0].s) != ISNS_SUCCESS)
			return sk_worker_fail(SK_ISNS_QUERY, w->why);
		tell_up(refresh_s);
		due = now_s() + refresh_s;
	}
}

int sk_worker_listen(struct sk_worker *w)
{
	isns_portal_info_t at;
	isns_socket_t *ear = hear(w, &at);
	isns_db_t *db = isns_db_open(NULL);
	isns_server_t *server = db ? isns_create_server(w->sources[0], db, &isns_callback_service_ops) : NULL;
	uint32_t period = 0;
	unsigned refresh_s;

	if (!ear || !server)
		return sk_worker_fail(SK_ISNS_START, "no socket for notifications");
	isns_server_set_scn_callback(server, on_scn);
	if (register_us(w, &at, &period) != ISNS_SUCCESS || ask_for_notice(w) != ISNS_SUCCESS)
		return sk_worker_fail(SK_ISNS_REGISTER, w->why);
	refresh_s = period ? SK_MIN(period / 2, (uint32_t)REFRESH_MAX_S) : REFRESH_MAX_S;
	refresh_s = SK_MAX(refresh_s, (unsigned)REFRESH_MIN_S);
	tell_up(refresh_s);
	return serve(w, server, refresh_s);
}
