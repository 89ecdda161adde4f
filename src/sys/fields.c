/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/fields.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "sys/attr.h"

#define F(field) offsetof(struct sk_sys_session, field), sizeof(((struct sk_sys_session *)0)->field)

const struct sk_field sk_fields[] = {
	{ "targetname", SK_OF_SESSION, SK_FIELD_TEXT, SK_SYS_FLAT, F(target) },
	{ "tpgt", SK_OF_SESSION, SK_FIELD_I32, SK_SYS_FLAT, F(tpgt) },
	{ "state", SK_OF_SESSION, SK_FIELD_TEXT, SK_SYS_FLAT, F(state) },
	{ "ifacename", SK_OF_SESSION, SK_FIELD_TEXT, SK_SYS_FLAT, F(iface) },
	{ "persistent_address", SK_OF_CONN, SK_FIELD_TEXT, SK_SYS_FLAT, F(persistent_addr) },
	{ "persistent_port", SK_OF_CONN, SK_FIELD_I32, SK_SYS_FLAT, F(persistent_port) },
	{ "proc_name", SK_OF_SCSI_HOST, SK_FIELD_DRIVER, SK_SYS_FLAT, F(transport) },

	{ "initiatorname", SK_OF_SESSION, SK_FIELD_TEXT, SK_SYS_FULL, F(initiator) },
	{ "username", SK_OF_SESSION, SK_FIELD_CHAP, SK_SYS_FULL, F(username) },
	{ "password", SK_OF_SESSION, SK_FIELD_CHAP, SK_SYS_SECRETS, F(password) },
	{ "username_in", SK_OF_SESSION, SK_FIELD_CHAP, SK_SYS_FULL, F(username_in) },
	{ "password_in", SK_OF_SESSION, SK_FIELD_CHAP, SK_SYS_SECRETS, F(password_in) },
	{ "recovery_tmo", SK_OF_SESSION, SK_FIELD_TMO, SK_SYS_FULL, F(recovery_tmo) },
	{ "abort_tmo", SK_OF_SESSION, SK_FIELD_NUM, SK_SYS_FULL, F(abort_tmo) },
	{ "lu_reset_tmo", SK_OF_SESSION, SK_FIELD_NUM, SK_SYS_FULL, F(lu_reset_tmo) },
	{ "tgt_reset_tmo", SK_OF_SESSION, SK_FIELD_NUM, SK_SYS_FULL, F(tgt_reset_tmo) },
	{ "first_burst_len", SK_OF_SESSION, SK_FIELD_NUM, SK_SYS_FULL, F(first_burst_len) },
	{ "max_burst_len", SK_OF_SESSION, SK_FIELD_NUM, SK_SYS_FULL, F(max_burst_len) },
	{ "immediate_data", SK_OF_SESSION, SK_FIELD_NUM, SK_SYS_FULL, F(immediate_data) },
	{ "initial_r2t", SK_OF_SESSION, SK_FIELD_NUM, SK_SYS_FULL, F(initial_r2t) },
	{ "max_outstanding_r2t", SK_OF_SESSION, SK_FIELD_NUM, SK_SYS_FULL, F(max_outstanding_r2t) },
	{ "address", SK_OF_CONN, SK_FIELD_ADDR, SK_SYS_CURRENT, F(addr) },
	{ "port", SK_OF_CONN, SK_FIELD_I32, SK_SYS_CURRENT, F(port) },
	{ "header_digest", SK_OF_CONN, SK_FIELD_NUM, SK_SYS_FULL, F(header_digest) },
	{ "data_digest", SK_OF_CONN, SK_FIELD_NUM, SK_SYS_FULL, F(data_digest) },
	{ "max_recv_dlength", SK_OF_CONN, SK_FIELD_NUM, SK_SYS_FULL, F(max_recv_dlength) },
	{ "max_xmit_dlength", SK_OF_CONN, SK_FIELD_NUM, SK_SYS_FULL, F(max_xmit_dlength) },
	{ "ipaddress", SK_OF_HOST, SK_FIELD_ADDR, SK_SYS_FULL, F(local_addr) },
	{ "netdev", SK_OF_HOST, SK_FIELD_TEXT, SK_SYS_FULL, F(netdev) },
	{ "hwaddress", SK_OF_HOST, SK_FIELD_TEXT, SK_SYS_FULL, F(hwaddress) },
};
const size_t sk_n_fields = SK_ARRAY_LEN(sk_fields);

void sk_field_dir(enum sk_field_of of, uint32_t sid, uint32_t host, char *ret, size_t n)
{
	switch (of) {
	case SK_OF_SESSION:
		snprintf(ret, n, "class/iscsi_session/session%u", sid);
		return;
	case SK_OF_CONN:
		snprintf(ret, n, "class/iscsi_connection/connection%u:0", sid);
		return;
	case SK_OF_HOST:
		snprintf(ret, n, "class/iscsi_host/host%u", host);
		return;
	case SK_OF_SCSI_HOST:
		snprintf(ret, n, "class/scsi_host/host%u", host);
		return;
	case SK_N_OBJECTS:
		break;
	}
	ret[0] = '\0';
}

bool sk_field_load(const struct sk_field *f, int dir, struct sk_sys_session *s)
{
	char *at = (char *)s + f->off;
	int64_t v;

	switch (f->kind) {
	case SK_FIELD_I32:
		v = sk_attr_num(dir, f->name, -1);
		*(int32_t *)(void *)at = v >= -1 && v <= INT32_MAX ? (int32_t)v : -1;
		return v >= 0;
	case SK_FIELD_NUM:
	case SK_FIELD_TMO:
		v = sk_attr_num(dir, f->name, -1);
		*(int64_t *)(void *)at = v < 0 ? -1 : v;
		return v >= 0;
	case SK_FIELD_DRIVER:
		if (!sk_attr_read(dir, f->name, at, f->size))
			return false;
		if (strncmp(at, "iscsi_", 6) == 0)
			memmove(at, at + 6, strlen(at + 6) + 1);
		return true;
	case SK_FIELD_TEXT:
	case SK_FIELD_ADDR:
	case SK_FIELD_CHAP:
		break;
	}
	return sk_attr_read(dir, f->name, at, f->size);
}

/* IPv6 as eight groups of four digits, anything else as it is */
static void spell_addr(const char *addr, char *ret, size_t n)
{
	struct in6_addr a;
	const uint8_t *b = a.s6_addr;

	if (inet_pton(AF_INET6, addr, &a) != 1) {
		snprintf(ret, n, "%s", addr);
		return;
	}
	snprintf(ret, n, "%02x%02x:%02x%02x:%02x%02x:%02x%02x:%02x%02x:%02x%02x:%02x%02x:%02x%02x", b[0], b[1],
		 b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

/* Drivers whose name is their transport's name; the software ones carry "iscsi_" (tcp, iser). */
static void spell_driver(const char *transport, char *ret, size_t n)
{
	bool software = strcmp(transport, "tcp") == 0 || strcmp(transport, "iser") == 0;

	snprintf(ret, n, "%s%s", software ? "iscsi_" : "", transport);
}

int sk_field_save(const struct sk_field *f, int dir, const struct sk_sys_session *s, struct sk_err *err)
{
	const char *at = (const char *)s + f->off;
	mode_t mode = f->kind == SK_FIELD_CHAP ? 0600 : f->kind == SK_FIELD_TMO ? 0644 : 0444;
	char buf[300];
	int64_t v;

	switch (f->kind) {
	case SK_FIELD_I32:
		snprintf(buf, sizeof(buf), "%d", *(const int32_t *)(const void *)at);
		break;
	case SK_FIELD_NUM:
	case SK_FIELD_TMO:
		v = *(const int64_t *)(const void *)at;
		if (v < 0 && f->kind == SK_FIELD_NUM)
			return 0;
		if (v < 0)
			snprintf(buf, sizeof(buf), "off");
		else
			snprintf(buf, sizeof(buf), "%lld", (long long)v);
		break;
	case SK_FIELD_ADDR:
		spell_addr(at, buf, sizeof(buf));
		break;
	case SK_FIELD_DRIVER:
		spell_driver(at, buf, sizeof(buf));
		break;
	case SK_FIELD_TEXT:
	case SK_FIELD_CHAP:
		snprintf(buf, sizeof(buf), "%s", at[0] ? at : "(null)");
		break;
	}
	return sk_attr_write(dir, f->name, buf[0] ? buf : "(null)", mode, err);
}
