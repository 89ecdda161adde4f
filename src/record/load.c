/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Record files into memory and back. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "record/store_impl.h"

#define TOLD_MAX 64	/* different oddities worth a line in the log */

struct odd {
	struct sk_store *s;
	const char *path;
};

static void odd_line(void *ctx, unsigned line, const char *text)
{
	const struct odd *o = ctx;

	for (size_t i = 0; i < o->s->told.n; i++) {
		if (strcmp(o->s->told.v[i], text) == 0)
			return;
	}
	if (o->s->told.n >= TOLD_MAX || sk_names_add(&o->s->told, text) < 0)
		return;
	sk_warning(SK_ROOM_RECORD, "%s/%s, line %u: %s", o->s->root_path, o->path, line, text);
}

struct sk_record *sk_record_load(struct sk_store *s, int dir, const char *name, enum sk_record_kind kind,
				 const char *path, struct sk_err *err)
{
	SK_FD int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct odd odd = { s, path };
	struct sk_buf text = { 0 };
	struct sk_record *r = NULL;

	if (fd < 0) {
		sk_db_fail(err, errno, "open");
		return NULL;
	}
	if (sk_file_slurp(fd, SK_RECORD_MAX, &text, err) < 0)
		goto out;
	if (text.n == 0) {
		sk_fail(err, SK_ENOENT, "the file is empty");
		goto out;
	}
	r = sk_record_new(kind, err);
	if (r && sk_record_parse(r, sk_buf_span(&text), true, odd_line, &odd, err) < 0) {
		sk_record_free(r);
		r = NULL;
	}
out:
	sk_buf_wipe(&text);
	return r;
}

static int differs(const char *key, struct sk_err *err)
{
	return sk_fail(err, SK_EDB, "%s disagrees with the file's path", key);
}

/* Is this the record its path names? */
static int check_identity(const struct sk_record *r, const struct sk_node_key *key, bool single, struct sk_err *err)
{
	const char *iface = sk_record_get(r, "iface.iscsi_ifacename");

	if (strcmp(sk_record_get(r, "node.name"), key->target.s) != 0)
		return differs("node.name", err);
	if (strcmp(sk_record_get(r, "node.conn[0].address"), key->portal.host) != 0)
		return differs("node.conn[0].address", err);
	if (sk_record_int(r, "node.conn[0].port") != key->portal.port)
		return differs("node.conn[0].port", err);
	if (!single && sk_record_int(r, "node.tpgt") != key->portal.tpgt)
		return differs("node.tpgt", err);
	if (!single && *iface && strcmp(iface, key->iface) != 0)
		return differs("iface.iscsi_ifacename", err);
	if (single && *iface && !sk_iface_name_ok(iface))
		return sk_fail(err, SK_EDB, "the iface's name is not acceptable");
	return 0;
}

/* Some releases wrote static records as fw; the link tells what it was. */
static void repair_source(struct sk_store *s, struct sk_record *r, const struct sk_node_key *key)
{
	struct sk_path path;
	char link[256];

	if (strcmp(sk_record_get(r, "node.discovery_type"), "fw") != 0 || !sk_disc_link_name(key, link))
		return;
	snprintf(path.s, sizeof(path.s), "fw/%s", link);
	if (sk_store_exists(s, path.s))
		return;
	snprintf(path.s, sizeof(path.s), "static/%s", link);
	if (sk_store_exists(s, path.s))
		(void)sk_record_set(r, "node.discovery_type", "static", NULL);
}

struct sk_record *sk_record_load_node(struct sk_store *s, int dir, const char *name, struct sk_node_key *key,
				      bool single, const char *path, struct sk_err *err)
{
	struct sk_record *r = sk_record_load(s, dir, name, SK_REC_NODE, path, err);
	const char *iface;

	if (!r)
		return NULL;
	if (check_identity(r, key, single, err) < 0)
		goto undo;
	if (single) {
		iface = sk_record_get(r, "iface.iscsi_ifacename");
		snprintf(key->iface, sizeof(key->iface), "%s", *iface ? iface : "default");
	}
	if (!*sk_record_get(r, "iface.iscsi_ifacename") &&
	    sk_record_set(r, "iface.iscsi_ifacename", key->iface, err) < 0)
		goto undo;
	if (!*sk_record_get(r, "iface.transport_name") && sk_record_set(r, "iface.transport_name", "tcp", err) < 0)
		goto undo; /* records of few keys, by other tools */
	if (!single)
		repair_source(s, r, key);
	return r;
undo:
	sk_record_free(r);
	return NULL;
}

int sk_record_save(struct sk_store *s, const char *path, const struct sk_record *r, struct sk_err *err)
{
	struct sk_buf text = { 0 };
	int rc;

	sk_record_print(&text, r, SK_FORM_FILE);
	if (text.nomem)
		rc = sk_fail(err, SK_ENOMEM, "no memory");
	else
		rc = sk_stage_write(s, path, sk_buf_span(&text), err);
	sk_buf_wipe(&text);
	return rc;
}
