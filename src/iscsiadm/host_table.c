/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "iscsiadm/host_table.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "config.h"
#include "iscsiadm/values.h"
#include "sys/control.h"
#include "sys/host.h"
#include "transport/kernel/nl_host.h"
#include "transport/kernel/nl_sock.h"

struct table {
	struct sk_adm *adm;
	uint32_t host;
	char transport[64];
	uint64_t handle;
	int fd; /* -1: the kernel has no such transport, or may not be driven */
	struct sk_err err;
};

static int fail(struct sk_adm *adm, int code, const struct sk_err *err)
{
	sk_doc_error(adm, code, err, NULL);
	return code;
}

static int fail_text(struct sk_adm *adm, int code, const char *text)
{
	sk_warn(adm, "%s", text);
	return fail(adm, code, NULL);
}

/** the host's transport; with it, a socket that hears what is answered to everybody */
static int open_table(struct sk_adm *adm, struct table *t)
{
	*t = (struct table){ .adm = adm, .host = adm->args.host, .fd = -1 };
	if (sk_sys_host_transport(&adm->places, t->host, t->transport, &t->err) < 0) {
		sk_warn(adm, "Could not read proc_name for host%u rc 5.", t->host);
		sk_warn(adm, "Could not match hostno %u to transport.", t->host);
		return fail(adm, SK_RES_TRANS_NOT_FOUND, &t->err);
	}
	if (sk_sys_handle(&adm->places, t->transport, &t->handle, &t->err) == 0)
		(void)sk_nl_open(true, &t->fd, &t->err);
	return 0;
}

static void close_table(struct table *t)
{
	sk_fd_close(&t->fd);
}

/** 0, or -1 with why in t->err */
static int call(struct table *t, const struct sk_buf *request, struct sk_nl_msg *ret)
{
	return t->fd < 0 ? -1 : sk_nl_call(t->fd, request, ret, &t->err);
}

/* --- CHAP ---------------------------------------------------------------------------------------------- */

static void print_chap(struct sk_adm *adm, const struct sk_nl_chap *c)
{
	const char *in = c->incoming ? "_in" : "";
	struct json_object *o = adm->doc ? json_object_new_object() : NULL;

	sk_say(adm, "# BEGIN RECORD %s\nhost.auth.tbl_idx = %u\nhost.auth.username%s = %s\nhost.auth.password%s = %s\n# END RECORD\n",
	       SK_COMPAT_VERSION, c->index, in, sk_adm_printable(c->username).s, in, sk_adm_printable(c->password).s);
	if (!o)
		return;
	sk_jput_int(o, "index", c->index);
	sk_jput_bool(o, "incoming", c->incoming);
	sk_jput_str(o, "username", c->username);
	sk_jput_str(o, "password", c->password); /* as the text does: a table's secret can be seen in no other way */
	sk_doc_add(adm, "chap", o);
}

/** one answer's entries; the index to go on from, or 0 when the table is at its end */
static uint32_t print_batch(struct sk_adm *adm, const struct sk_nl_msg *m)
{
	struct sk_nl_chap c = { 0 };
	uint32_t n = SK_MIN(m->index, (uint32_t)SK_NL_CHAP_BATCH);

	for (uint32_t i = 0; i < n && sk_nl_chap(m->table, i, &c); i++)
		print_chap(adm, &c);
	explicit_bzero(c.password, sizeof(c.password));
	return n == SK_NL_CHAP_BATCH && c.index < SK_NL_CHAP_MAX ? c.index + 1U : 0;
}

static int show_chap(struct table *t)
{
	SK_BUF struct sk_buf out = { 0 };
	uint8_t buf[SK_NL_DATAGRAM];
	struct sk_nl_msg m;
	uint32_t start = 0, next;
	int rc;

	sk_doc_list(t->adm, "chap");
	for (;; start = next) {
		sk_nl_put_get_chap(&out, t->handle, t->host, (uint16_t)start);
		rc = t->fd < 0 ? -1 : sk_nl_ask(t->fd, &out, buf, &m, &t->err);
		if (rc < 0)
			break;
		next = print_batch(t->adm, &m);
		explicit_bzero(buf, sizeof(buf));
		if (next <= start) /* the end, or a driver that does not go on */
			return 0;
	}
	if (t->err.sys)
		sk_warn(t->adm, "Received iferror -%d: %s.", t->err.sys, strerror(t->err.sys));
	sk_warn(t->adm, "get_chap_info failed. errno=0");
	return fail(t->adm, SK_RES_ERR, &t->err);
}

/** the entry that the pairs describe: a name and a secret of one direction. False: not a pair */
static bool chap_of_pairs(const struct sk_adm_args *a, struct sk_nl_chap *ret)
{
	static const char *const names[2][2] = { { "host.auth.username", "host.auth.password" },
						 { "host.auth.username_in", "host.auth.password_in" } };

	for (int in = 0; in < 2; in++) {
		const char *name = NULL, *secret = NULL;

		for (unsigned i = 0; i < a->n_pairs; i++) {
			if (strcmp(a->pairs[i].name, names[in][0]) == 0)
				name = a->pairs[i].value;
			else if (strcmp(a->pairs[i].name, names[in][1]) == 0)
				secret = a->pairs[i].value;
		}
		if (!name || !secret)
			continue;
		ret->incoming = in;
		snprintf(ret->username, sizeof(ret->username), "%s", name);
		snprintf(ret->password, sizeof(ret->password), "%s", secret);
		return a->n_pairs == 2 && strlen(name) < sizeof(ret->username) && strlen(secret) < sizeof(ret->password);
	}
	return false;
}

static int set_chap(struct table *t)
{
	const struct sk_adm_args *a = &t->adm->args;
	struct sk_nl_chap c = { .index = a->has_index ? (uint16_t)SK_MIN(a->index, (uint64_t)UINT16_MAX) : UINT16_MAX };
	struct sk_buf out = { 0 };
	struct sk_nl_msg m;
	int rc;

	if (!chap_of_pairs(a, &c))
		return fail_text(t->adm, SK_RES_INVAL,
				 "Invalid username/password pair passed. Unable to determine the type of chap entry");
	rc = sk_nl_put_set_chap(&out, t->handle, t->host, &c, &t->err);
	if (!rc)
		rc = call(t, &out, &m);
	sk_buf_wipe(&out);
	explicit_bzero(c.password, sizeof(c.password));
	return rc ? (sk_warn(t->adm, "CHAP setting failed"), fail(t->adm, SK_RES_ERR, &t->err)) : 0;
}

static int delete_chap(struct table *t)
{
	SK_BUF struct sk_buf out = { 0 };
	uint64_t index = t->adm->args.index;
	struct sk_nl_msg m;

	sk_say(t->adm, "Deleting CHAP index: %" PRIu64 "\n", index);
	sk_nl_put_delete_chap(&out, t->handle, t->host, (uint16_t)index);
	if (call(t, &out, &m) == 0)
		return 0;
	if (t->err.sys == EBUSY) {
		sk_warn(t->adm, "CHAP index %" PRIu64 " is in use.", index);
		return fail(t->adm, SK_RES_BUSY, &t->err);
	}
	sk_warn(t->adm, "CHAP Delete failed.");
	return fail(t->adm, SK_RES_ERR, &t->err);
}

static int with_table(struct sk_adm *adm, int (*run)(struct table *))
{
	struct table t;
	int code = open_table(adm, &t);

	if (!code)
		code = run(&t);
	close_table(&t);
	return code;
}

int sk_host_chap(struct sk_adm *adm)
{
	const struct sk_adm_args *a = &adm->args;

	sk_doc_action(adm, "chap");
	switch (a->ops) {
	case SK_OP_SHOW:
		return with_table(adm, show_chap);
	case SK_OP_NEW:
	case SK_OP_UPDATE:
		if (!a->n_pairs)
			return fail_text(adm, SK_RES_INVAL, "Chap username/password not provided.");
		return with_table(adm, set_chap);
	case SK_OP_DELETE:
		if (!a->has_index || a->index > SK_NL_CHAP_MAX)
			return fail_text(adm, SK_RES_INVAL, "Invalid chap table index.");
		return with_table(adm, delete_chap);
	default:
		return fail_text(adm, SK_RES_INVAL, "Invalid operation.");
	}
}

/* --- flash nodes --------------------------------------------------------------------------------------- */

static struct sk_adm_text value_of(const struct table *t, uint32_t index, const char *name)
{
	const struct sk_flash_field *f = sk_flash_field(name);
	char v[256];

	sk_sys_flash_attr(&t->adm->places, t->host, index, f->conn, f->attr, v);
	return sk_adm_printable(v);
}

static bool list_one(void *ctx, uint32_t index)
{
	struct table *t = ctx;
	struct sk_adm_text addr = value_of(t, index, "flashnode.conn[0].ipaddress");
	struct sk_adm_text port = value_of(t, index, "flashnode.conn[0].port");
	struct sk_adm_text tpgt = value_of(t, index, "flashnode.session.tpgt");
	struct sk_adm_text target = value_of(t, index, "flashnode.session.targetname");
	struct json_object *o;

	sk_say(t->adm, strchr(addr.s, '.') ? "%s: [%u] %s:%s,%s %s\n" : "%s: [%u] [%s]:%s,%s %s\n", t->transport, index,
	       addr.s, port.s, tpgt.s, target.s[0] ? target.s : "<empty>");
	if (!t->adm->doc)
		return true;
	o = json_object_new_object();
	sk_jput_str(o, "transport", t->transport);
	sk_jput_int(o, "index", index);
	sk_jput_str(o, "address", addr.s);
	sk_jput_str(o, "target", target.s);
	sk_doc_add(t->adm, "flashnodes", o);
	return true;
}

static int list_nodes(struct table *t)
{
	sk_doc_list(t->adm, "flashnodes");
	if (sk_sys_flashnodes(&t->adm->places, t->host, list_one, t))
		return 0;
	sk_warn(t->adm, "No flashnodes attached to host %u.", t->host);
	return SK_RES_NO_OBJS_FOUND;
}

static int show_node(struct table *t)
{
	uint32_t index = (uint32_t)t->adm->args.index;
	struct json_object *o = t->adm->doc ? json_object_new_object() : NULL;
	char v[256];

	sk_doc_list(t->adm, "flashnodes");
	if (!sk_sys_has_flashnode(&t->adm->places, t->host, index)) {
		json_object_put(o);
		sk_warn(t->adm, "Could not read info for flashnode %u of host %u, %s", index, t->host, strerror(ENOENT));
		return fail(t->adm, SK_RES_SESS_NOT_FOUND, NULL);
	}
	sk_say(t->adm, "# BEGIN RECORD %s\n", SK_COMPAT_VERSION);
	for (const struct sk_flash_field *f = sk_flash_fields; f->name; f++) {
		bool there = sk_sys_flash_attr(&t->adm->places, t->host, index, f->conn, f->attr, v);

		if (!there)
			continue;
		sk_say(t->adm, "%s = %s\n", f->name, v[0] ? sk_adm_printable(v).s : "<empty>");
		if (o)
			sk_jput_str(o, f->name, v);
	}
	sk_say(t->adm, "# END RECORD\n");
	if (o)
		sk_doc_add(t->adm, "flashnodes", o);
	explicit_bzero(v, sizeof(v));
	return 0;
}

/** an order about one flash node: what is said before, after it, and when it fails; words take index and host */
struct order {
	enum sk_nl_type type;
	const char *begin, *done, *failed;
	int code;
	int known_sys; /* errno that has words of its own, its words and code */
	const char *known;
	int known_code;
};

static void say_node(struct table *t, const char *format, FILE *to_err)
{
	SK_BUF struct sk_buf line = { 0 };
	uint32_t numbers[2] = { (uint32_t)t->adm->args.index, t->host };
	int n = 0;

	for (const char *c = format; *c; c++) {
		if (*c == '#' && n < 2)
			sk_buf_printf(&line, "%u", numbers[n++]);
		else
			sk_buf_ch(&line, *c);
	}
	if (to_err)
		sk_warn(t->adm, "%s", sk_buf_cstr(&line));
	else
		sk_say(t->adm, "%s\n", sk_buf_cstr(&line));
}

static int give(struct table *t, const struct order *o, const struct sk_buf *request)
{
	struct sk_nl_msg m;

	if (call(t, request, &m) == 0) {
		say_node(t, o->done, NULL);
		return 0;
	}
	if (o->known_sys && t->err.sys == o->known_sys) {
		say_node(t, o->known, stderr);
		return fail(t->adm, o->known_code, &t->err);
	}
	say_node(t, o->failed, stderr);
	return fail(t->adm, o->code, &t->err);
}

static int simple_order(struct table *t, const struct order *o)
{
	SK_BUF struct sk_buf out = { 0 };

	say_node(t, o->begin, NULL);
	sk_nl_put_host(&out, o->type, t->handle, t->host, (uint32_t)t->adm->args.index);
	return give(t, o, &out);
}

static int delete_node(struct table *t)
{
	static const struct order o = { SK_NL_DEL_FLASHNODE, "Delete flashnode #.", "Flashnode # of host # deleted.",
					"Deletion of flashnode # of host # failed.", SK_RES_ERR, 0, NULL, 0 };

	return simple_order(t, &o);
}

static int login_node(struct table *t)
{
	static const struct order o = { SK_NL_LOGIN_FLASHNODE, "Login to flashnode #.", "Login to flashnode # of host # successful.",
					"Login to flashnode # of host # failed.", SK_RES_LOGIN, EPERM,
					"Flashnode # of host # already logged in.", SK_RES_SESS_EXISTS };

	return simple_order(t, &o);
}

static int logout_node(struct table *t)
{
	static const struct order o = { SK_NL_LOGOUT_FLASHNODE, "Logout flashnode #.", "Logout of flashnode # of host # successful.",
					"Logout of flashnode # of host # failed.", SK_RES_LOGOUT, ESRCH,
					"Flashnode # of host # not logged in.", SK_RES_SESS_NOT_FOUND };

	return simple_order(t, &o);
}

static int update_node(struct table *t)
{
	static const struct order o = { SK_NL_SET_FLASHNODE, "Update flashnode #.", "Update for flashnode # of host # successful.",
					"Update for flashnode # of host # failed.", SK_RES_ERR, 0, NULL, 0 };
	const struct sk_adm_args *a = &t->adm->args;
	uint32_t index = (uint32_t)a->index;
	struct sk_flash_list list = { 0 };
	SK_BUF struct sk_buf out = { 0 };
	int code = 0;

	if (!sk_sys_has_flashnode(&t->adm->places, t->host, index)) {
		sk_warn(t->adm, "Could not read info for flashnode %u, %s", index, strerror(ENOENT));
		say_node(t, o.failed, stderr);
		return fail(t->adm, SK_RES_SESS_NOT_FOUND, NULL);
	}
	for (unsigned i = 0; i < a->n_pairs && !code; i++) {
		const struct sk_flash_field *f = sk_flash_field(a->pairs[i].name);

		if (!f) {
			sk_warn(t->adm, "Cannot modify %s. Invalid param name.", a->pairs[i].name);
			code = fail(t->adm, SK_RES_INVAL, NULL);
		} else if (sk_flash_add(&list, f, a->pairs[i].value, &t->err) < 0) {
			sk_warn(t->adm, "%s", t->err.msg);
			code = fail(t->adm, SK_RES_INVAL, &t->err);
		}
	}
	if (!code) {
		say_node(t, o.begin, NULL);
		sk_nl_put_set_flashnode(&out, t->handle, t->host, (uint32_t)a->index, &list);
		code = give(t, &o, &out);
	}
	sk_buf_wipe(&list.attrs);
	return code;
}

static bool known_type(const char *type)
{
	return type && (strcmp(type, "ipv4") == 0 || strcmp(type, "ipv6") == 0);
}

static int new_node(struct table *t)
{
	SK_BUF struct sk_buf out = { 0 };
	struct sk_nl_msg m;

	if (!known_type(t->adm->args.portal_type))
		return fail_text(t->adm, SK_RES_INVAL, "Invalid type mentioned for flashnode");
	sk_say(t->adm, "Create new flashnode for host %u.\n", t->host);
	sk_nl_put_new_flashnode(&out, t->handle, t->host, strcmp(t->adm->args.portal_type, "ipv6") == 0);
	if (call(t, &out, &m) < 0) {
		sk_warn(t->adm, "Creation of flashnode for host %u failed.", t->host);
		return fail(t->adm, SK_RES_ERR, &t->err);
	}
	sk_say(t->adm, "New flashnode for host %u added at index %u.\n", t->host, m.index);
	return 0;
}

/** the host is wrong before the operation is */
static int no_such_order(struct table *t)
{
	return fail_text(t->adm, SK_RES_INVAL, "Invalid operation");
}

int sk_host_flashnode(struct sk_adm *adm)
{
	static const struct {
		unsigned op;
		int (*run)(struct table *);
	} by_index[] = {
		{ SK_OP_DELETE, delete_node }, { SK_OP_UPDATE, update_node },
		{ SK_OP_LOGIN, login_node },   { SK_OP_LOGOUT, logout_node },
	};
	const struct sk_adm_args *a = &adm->args;

	sk_doc_action(adm, "flashnode");
	if (!a->ops || a->ops == SK_OP_SHOW)
		return with_table(adm, a->has_index ? show_node : list_nodes);
	if (a->ops == SK_OP_NEW)
		return with_table(adm, new_node);
	if (!a->has_index || a->index > UINT32_MAX)
		return fail_text(adm, SK_RES_INVAL, "Invalid flashnode index");
	for (size_t i = 0; i < SK_ARRAY_LEN(by_index); i++)
		if (by_index[i].op == a->ops)
			return with_table(adm, by_index[i].run);
	return with_table(adm, no_such_order);
}

/* --- counters ------------------------------------------------------------------------------------------ */

static int show_stats(struct table *t)
{
	SK_BUF struct sk_buf out = { 0 };
	uint8_t buf[SK_NL_DATAGRAM];
	struct json_object *o = NULL;
	struct sk_nl_msg m;
	const char *name;
	uint64_t v;

	sk_nl_put_host(&out, SK_NL_GET_HOST_STATS, t->handle, t->host, 0);
	if (t->fd < 0 || sk_nl_ask(t->fd, &out, buf, &m, &t->err) < 0 || !sk_nl_host_stat(m.table, 0, &name, &v)) {
		sk_warn(t->adm, "get_host_stats failed. errno=0");
		return fail(t->adm, SK_RES_ERR, &t->err);
	}
	sk_say(t->adm, "Host Statistics:\n");
	if (t->adm->doc)
		o = json_object_new_object();
	for (unsigned i = 0; sk_nl_host_stat(m.table, i, &name, &v); i++) {
		sk_say(t->adm, "\t%s: %" PRIu64 "\n", name, v);
		if (o)
			sk_jput_int(o, name, (int64_t)v);
	}
	if (o)
		sk_doc_add(t->adm, "counters", o);
	return 0;
}

int sk_host_stats(struct sk_adm *adm)
{
	sk_doc_action(adm, "stats");
	return with_table(adm, show_stats);
}
