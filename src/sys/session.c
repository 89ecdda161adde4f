/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/session.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"
#include "sys/attr.h"
#include "sys/fields.h"
#include "sys/root.h"

int sk_sys_root(const struct sk_places *p, bool user)
{
	char path[300];

	snprintf(path, sizeof(path), "%s%s", user ? p->rundir : p->sysfs, user ? "/sys" : "");
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static bool is_session(const char *name)
{
	uint64_t v;

	return sk_name_number(name, "session", UINT32_MAX, &v);
}

/* The class link leads through …/host<H>/session<S>/…: the last component of that form before the session's. */
static void host_of(int root, uint32_t sid, uint32_t *ret)
{
	char path[SK_ATTR_PATH], to[1024], want[32], *save = NULL;
	uint64_t host = UINT64_MAX, v;
	ssize_t n;

	snprintf(want, sizeof(want), "session%u", sid);
	snprintf(path, sizeof(path), "class/iscsi_session/%s", want);
	n = readlinkat(root, path, to, sizeof(to) - 1);
	if (n < 0)
		return;
	to[n] = '\0';
	for (char *c = strtok_r(to, "/", &save); c && strcmp(c, want) != 0; c = strtok_r(NULL, "/", &save))
		if (sk_name_number(c, "host", UINT32_MAX, &v))
			host = v;
	if (host != UINT64_MAX)
		*ret = (uint32_t)host;
}

static void unknown(struct sk_sys_session *s)
{
	*s = (struct sk_sys_session){ .port = -1, .persistent_port = -1, .tpgt = -1, .host = UINT32_MAX };
	s->recovery_tmo = s->abort_tmo = s->lu_reset_tmo = s->tgt_reset_tmo = -1;
	s->header_digest = s->data_digest = s->max_recv_dlength = s->max_xmit_dlength = -1;
	s->first_burst_len = s->max_burst_len = s->immediate_data = s->initial_r2t = s->max_outstanding_r2t = -1;
}

/* The directories of one session. They are opened once: what is read through them is of one life of the session,
 * even if it goes and another of the same number comes. */
struct objects {
	int root;
	int fd[SK_N_OBJECTS]; /* -1 not opened yet, -2 not there */
};

static int object(struct objects *o, enum sk_field_of of, const struct sk_sys_session *s)
{
	char path[SK_ATTR_PATH];
	bool on_host = of == SK_OF_HOST || of == SK_OF_SCSI_HOST;

	if (o->fd[of] == -1) {
		sk_field_dir(of, s->sid, s->host, path, sizeof(path));
		o->fd[of] = on_host && s->host == UINT32_MAX
				    ? -1
				    : openat(o->root, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (o->fd[of] < 0)
			o->fd[of] = -2;
	}
	return o->fd[of];
}

static void objects_close(struct objects *o)
{
	for (size_t i = 0; i < SK_ARRAY_LEN(o->fd); i++)
		if (o->fd[i] >= 0)
			close(o->fd[i]);
}

static bool load(struct objects *o, const struct sk_field *f, struct sk_sys_session *s)
{
	int dir = object(o, f->of, s);

	return dir >= 0 && sk_field_load(f, dir, s);
}

static void load_named(struct objects *o, enum sk_field_of of, const char *name, struct sk_sys_session *s)
{
	for (size_t i = 0; i < sk_n_fields; i++)
		if (sk_fields[i].of == of && strcmp(sk_fields[i].name, name) == 0)
			load(o, &sk_fields[i], s);
}

/* What a driver does not report stands in for its counterpart, as long as either is there. */
static void complete(struct objects *o, enum sk_sys_depth depth, struct sk_sys_session *s)
{
	if (!s->persistent_addr[0] && depth == SK_SYS_FLAT) {
		load_named(o, SK_OF_CONN, "address", s);
		load_named(o, SK_OF_CONN, "port", s);
	}
	if (!s->persistent_addr[0]) {
		snprintf(s->persistent_addr, sizeof(s->persistent_addr), "%s", s->addr);
		s->persistent_port = s->port;
	}
	if (depth == SK_SYS_FLAT)
		return;
	if (!s->addr[0] && strlen(s->persistent_addr) < sizeof(s->addr)) {
		snprintf(s->addr, sizeof(s->addr), "%.127s", s->persistent_addr);
		s->port = s->persistent_port;
	}
	if (depth >= SK_SYS_FULL && !s->local_addr[0] && object(o, SK_OF_CONN, s) >= 0)
		sk_attr_read(object(o, SK_OF_CONN, s), "local_ipaddr", s->local_addr, sizeof(s->local_addr));
}

/* Is the session that was read still the one that its class names? */
static bool still_there(struct objects *o, const struct sk_sys_session *s)
{
	char path[SK_ATTR_PATH];
	struct stat now, then;

	sk_field_dir(SK_OF_SESSION, s->sid, s->host, path, sizeof(path));
	return fstatat(o->root, path, &now, 0) == 0 && fstat(object(o, SK_OF_SESSION, s), &then) == 0 &&
	       now.st_ino == then.st_ino && now.st_dev == then.st_dev;
}

/* False when it is not there, half made, or went away while it was read. */
static bool read_one(int root, bool user, uint32_t sid, enum sk_sys_depth depth, struct sk_sys_session *s)
{
	struct objects o = { .root = root, .fd = { -1, -1, -1, -1 } };
	bool ok = false;

	unknown(s);
	s->sid = sid;
	s->user = user;
	host_of(root, sid, &s->host);
	if (object(&o, SK_OF_SESSION, s) < 0)
		return false;
	for (size_t i = 0; i < sk_n_fields; i++) {
		const struct sk_field *f = &sk_fields[i];

		if (f->depth <= depth && !load(&o, f, s) && i == 0)
			goto out; /* no target name: not a session (yet, any more) */
	}
	s->flash = sk_attr_num(object(&o, SK_OF_SESSION, s), "creator", 0) == -1;
	complete(&o, depth, s);
	ok = still_there(&o, s);
out:
	objects_close(&o);
	return ok;
}

int sk_sys_sessions(const struct sk_places *p, enum sk_sys_depth depth, sk_sys_visit *visit, void *ctx)
{
	SK_FD int kernel = sk_sys_root(p, false);
	SK_FD int user = sk_sys_root(p, true);
	SK_NAMES struct sk_names k = { 0 };
	SK_NAMES struct sk_names u = { 0 };
	size_t ik = 0, iu = 0;
	int count = 0;

	if (kernel >= 0)
		sk_attr_names(kernel, "class/iscsi_session", is_session, &k);
	if (user >= 0)
		sk_attr_names(user, "class/iscsi_session", is_session, &u);
	while (ik < k.n || iu < u.n) {
		bool from_user = ik == k.n || (iu < u.n && strcmp(u.name[iu], k.name[ik]) < 0);
		const char *name = from_user ? u.name[iu++] : k.name[ik++];
		struct sk_sys_session s;
		uint64_t sid;

		if (!sk_name_number(name, "session", UINT32_MAX, &sid) ||
		    !read_one(from_user ? user : kernel, from_user, (uint32_t)sid, depth, &s))
			continue;
		count++;
		if (!visit(ctx, &s))
			break;
	}
	return count;
}

int sk_sys_session(const struct sk_places *p, uint32_t sid, enum sk_sys_depth depth, struct sk_sys_session *ret,
		   struct sk_err *err)
{
	for (int user = 0; user < 2; user++) {
		SK_FD int root = sk_sys_root(p, user);
		struct sk_sys_session s;

		if (root >= 0 && read_one(root, user, sid, depth, &s)) {
			*ret = s;
			return 0;
		}
	}
	return sk_fail(err, SK_ENOENT, "there is no session %u", sid);
}
