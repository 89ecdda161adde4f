/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "sys/attr.h"
#include "sys/fields.h"
#include "sys/treedir.h"

#define DEVICES "devices/platform"

/* The objects of a session: where each lies in its host's directory, and how its class names it. The order is that
 * of publishing; it goes away in the opposite order, so that a session is seen only with all of its parts. */
static const struct object {
	enum sk_field_of of;
	const char *class, *name, *below, *device; /* %u: the session's id, which is the host's number */
} objects[] = {
	{ SK_OF_HOST, "iscsi_host", "host%u", "iscsi_host/host%u", "../.." },
	{ SK_OF_SCSI_HOST, "scsi_host", "host%u", "scsi_host/host%u", "../.." },
	{ SK_OF_CONN, "iscsi_connection", "connection%u:0",
	  "session%u/connection%u:0/iscsi_connection/connection%u:0", "../.." },
	{ SK_OF_SESSION, "iscsi_session", "session%u", "session%u/iscsi_session/session%u", "../.." },
};

/* What the kernel shows and struct sk_sys_session does not hold. */
static const struct constant {
	enum sk_field_of of;
	const char *name, *value;
} constants[] = {
	{ SK_OF_SESSION, "erl", "0" },
	{ SK_OF_SESSION, "data_pdu_in_order", "1" },
	{ SK_OF_SESSION, "data_seq_in_order", "1" },
	{ SK_OF_SESSION, "target_id", "0" },
	{ SK_OF_SESSION, "target_state", "ALLOCATED" },
	{ SK_OF_CONN, "state", "up" },
	{ SK_OF_SCSI_HOST, "state", "running" },
};

/* The kernel's words for a session's state on its connection and its devices. */
static const struct {
	const char *session, *conn, *lun;
} states[] = {
	{ "LOGGED_IN", "up", "running" },
	{ "FAILED", "failed", "blocked" },
	{ "FREE", "failed", "transport-offline" },
};

/* A pattern with up to three %u, all the same number */
static void spell(char *ret, size_t n, const char *pattern, uint32_t sid)
{
	size_t at = 0;

	for (; *pattern && at + 11 < n; pattern++) {
		if (pattern[0] == '%' && pattern[1] == 'u') {
			at += (size_t)snprintf(ret + at, n - at, "%u", sid);
			pattern++;
		} else {
			ret[at++] = *pattern;
		}
	}
	ret[at] = '\0';
}

int sk_tree_open(const char *rundir, bool make, struct sk_err *err)
{
	char path[300];
	SK_FD int fd = -1;

	snprintf(path, sizeof(path), "%s/sys", rundir);
	if (make && mkdir(path, 0755) < 0 && errno != EEXIST)
		return sk_fail_sys(err, errno, "mkdir %s", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return sk_fail_sys(err, errno, "open %s", path);
	return sk_give_fd(&fd);
}

int sk_tree_session(const char *rundir, uint32_t sid, const char *below, struct sk_err *err)
{
	SK_FD int root = sk_tree_open(rundir, false, err);
	char path[SK_ATTR_PATH];
	int fd;

	if (root < 0)
		return -1;
	snprintf(path, sizeof(path), DEVICES "/host%u/%s", sid, below);
	fd = openat(root, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return sk_fail_sys(err, errno, "session %u in the state tree", sid);
	return fd;
}

/* Directory of an object below the host's, opened; made when @make */
static int object_dir(int host, const struct object *o, uint32_t sid, bool make, struct sk_err *err)
{
	char path[SK_ATTR_PATH];
	int fd;

	spell(path, sizeof(path), o->below, sid);
	if (make && sk_attr_mkdirs(host, path, err) < 0)
		return -1;
	fd = openat(host, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return sk_fail_sys(err, errno, "open %s", path);
	return fd;
}

static int save_fields(int dir, enum sk_field_of which, const struct sk_sys_session *s, struct sk_err *err)
{
	for (size_t i = 0; i < sk_n_fields; i++)
		if (sk_fields[i].of == which && sk_field_save(&sk_fields[i], dir, s, err) < 0)
			return -1;
	return 0;
}

static int save_constants(int dir, enum sk_field_of which, const struct sk_sys_session *s, struct sk_err *err)
{
	char creator[16];

	for (size_t i = 0; i < SK_ARRAY_LEN(constants); i++)
		if (constants[i].of == which &&
		    sk_attr_write(dir, constants[i].name, constants[i].value, 0444, err) < 0)
			return -1;
	if (which == SK_OF_HOST)
		return sk_attr_write(dir, "initiatorname", s->initiator[0] ? s->initiator : "(null)", 0444, err);
	if (which != SK_OF_SESSION)
		return 0;
	snprintf(creator, sizeof(creator), "%d", s->flash ? -1 : (int)getpid());
	return sk_attr_write(dir, "creator", creator, 0444, err);
}

static int build(int host, const struct sk_sys_session *s, struct sk_err *err)
{
	char path[SK_ATTR_PATH];

	snprintf(path, sizeof(path), "session%u/siskin", s->sid);
	if (sk_attr_mkdirs(host, path, err) < 0)
		return -1;
	snprintf(path, sizeof(path), "session%u/target%u:0:0", s->sid, s->sid);
	if (sk_attr_mkdirs(host, path, err) < 0)
		return -1;
	for (size_t i = 0; i < SK_ARRAY_LEN(objects); i++) {
		SK_FD int dir = object_dir(host, &objects[i], s->sid, true, err);

		if (dir < 0 || save_constants(dir, objects[i].of, s, err) < 0 ||
		    save_fields(dir, objects[i].of, s, err) < 0)
			return -1;
		if (symlinkat(objects[i].device, dir, "device") < 0)
			return sk_fail_sys(err, errno, "link device");
	}
	return 0;
}

static int publish(int root, uint32_t sid, struct sk_err *err)
{
	char link[SK_ATTR_PATH], to[SK_ATTR_PATH * 2], class[64], below[SK_ATTR_PATH];

	for (size_t i = 0; i < SK_ARRAY_LEN(objects); i++) {
		snprintf(class, sizeof(class), "class/%s", objects[i].class);
		if (sk_attr_mkdirs(root, class, err) < 0)
			return -1;
		spell(below, sizeof(below), objects[i].name, sid);
		snprintf(link, sizeof(link), "%s/%.100s", class, below);
		spell(below, sizeof(below), objects[i].below, sid);
		snprintf(to, sizeof(to), "../../" DEVICES "/host%u/%s", sid, below);
		if (symlinkat(to, root, link) < 0)
			return sk_fail_sys(err, errno, "link %s", link);
	}
	return 0;
}

static int remove_all(int root, uint32_t sid, struct sk_err *err)
{
	char path[SK_ATTR_PATH], name[100], gone[SK_ATTR_PATH];
	int bad = 0;

	for (size_t i = SK_ARRAY_LEN(objects); i-- > 0;) {
		spell(name, sizeof(name), objects[i].name, sid);
		snprintf(path, sizeof(path), "class/%s/%s", objects[i].class, name);
		if (unlinkat(root, path, 0) < 0 && errno != ENOENT)
			bad = sk_fail_sys(err, errno, "remove %s", path);
	}
	snprintf(path, sizeof(path), DEVICES "/host%u", sid);
	snprintf(gone, sizeof(gone), DEVICES "/.host%u.gone", sid);
	if (sk_attr_rmtree(root, gone, err) < 0)
		return -1;
	if (renameat(root, path, root, gone) < 0)
		return errno == ENOENT ? bad : sk_fail_sys(err, errno, "remove %s", path);
	return sk_attr_rmtree(root, gone, err) < 0 ? -1 : bad;
}

int sk_tree_create(const char *rundir, const struct sk_sys_session *s, struct sk_err *err)
{
	SK_FD int root = sk_tree_open(rundir, true, err);
	SK_FD int host = -1;
	char tmp[SK_ATTR_PATH], path[SK_ATTR_PATH];

	if (root < 0)
		return sk_in(err, "publish session %u", s->sid);
	snprintf(tmp, sizeof(tmp), DEVICES "/.host%u.new", s->sid);
	snprintf(path, sizeof(path), DEVICES "/host%u", s->sid);
	if (remove_all(root, s->sid, err) < 0 || sk_attr_rmtree(root, tmp, err) < 0 ||
	    sk_attr_mkdirs(root, tmp, err) < 0)
		return sk_in(err, "publish session %u", s->sid);
	host = openat(root, tmp, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (host < 0) {
		sk_fail_sys(err, errno, "open %s", tmp);
		goto undo;
	}
	if (build(host, s, err) < 0)
		goto undo;
	if (renameat(root, tmp, root, path) < 0) {
		sk_fail_sys(err, errno, "rename %s", tmp);
		goto undo;
	}
	if (publish(root, s->sid, err) == 0)
		return 0;
	remove_all(root, s->sid, NULL);
undo:
	sk_attr_rmtree(root, tmp, NULL);
	return sk_in(err, "publish session %u", s->sid);
}

int sk_tree_update(const char *rundir, const struct sk_sys_session *s, struct sk_err *err)
{
	SK_FD int host = sk_tree_session(rundir, s->sid, "", err);

	if (host < 0)
		return -1;
	for (size_t i = 0; i < SK_ARRAY_LEN(objects); i++) {
		SK_FD int dir = object_dir(host, &objects[i], s->sid, false, err);

		if (dir < 0 || save_fields(dir, objects[i].of, s, err) < 0)
			return sk_in(err, "update session %u", s->sid);
	}
	return 0;
}

static int set_attr(const char *rundir, uint32_t sid, const char *name, const char *value, struct sk_err *err)
{
	SK_FD int host = sk_tree_session(rundir, sid, "", err);
	char path[SK_ATTR_PATH];

	if (host < 0)
		return -1;
	spell(path, sizeof(path) - 64, name, sid);
	return sk_attr_write(host, path, value, 0444, err);
}

#define SESSION_ATTR "session%u/iscsi_session/session%u/"
#define CONN_ATTR    "session%u/connection%u:0/iscsi_connection/connection%u:0/"

int sk_tree_set_state(const char *rundir, uint32_t sid, const char *state, struct sk_err *err)
{
	for (size_t i = 0; i < SK_ARRAY_LEN(states); i++) {
		if (strcmp(states[i].session, state) != 0)
			continue;
		if (set_attr(rundir, sid, SESSION_ATTR "state", state, err) < 0 ||
		    set_attr(rundir, sid, CONN_ATTR "state", states[i].conn, err) < 0)
			return -1;
		return sk_tree_lun_states(rundir, sid, states[i].lun, err);
	}
	return sk_fail(err, SK_EINVAL, "unknown session state %s", state);
}

int sk_tree_set_target_state(const char *rundir, uint32_t sid, const char *state, struct sk_err *err)
{
	return set_attr(rundir, sid, SESSION_ATTR "target_state", state, err);
}

static bool one_component(const char *name)
{
	return name[0] && name[0] != '.' && !strchr(name, '/') && strlen(name) < 64;
}

int sk_tree_set(const char *rundir, uint32_t sid, const char *name, const char *value, struct sk_err *err)
{
	char path[32];
	SK_FD int dir = -1;

	if (!one_component(name))
		return sk_fail(err, SK_EINVAL, "no name for an attribute: %s", name);
	snprintf(path, sizeof(path), "session%u/siskin", sid);
	dir = sk_tree_session(rundir, sid, path, err);
	return dir < 0 ? -1 : sk_attr_write(dir, name, value, 0444, err);
}

void sk_tree_get(const char *rundir, uint32_t sid, const char *name, char *ret, size_t n)
{
	char path[32];
	SK_FD int dir = -1;

	ret[0] = '\0';
	snprintf(path, sizeof(path), "session%u/siskin", sid);
	dir = one_component(name) ? sk_tree_session(rundir, sid, path, NULL) : -1;
	if (dir >= 0)
		sk_attr_read(dir, name, ret, n);
}

int sk_tree_remove(const char *rundir, uint32_t sid, struct sk_err *err)
{
	SK_FD int root = sk_tree_open(rundir, false, NULL);

	if (root < 0)
		return 0; /* no tree at all */
	return remove_all(root, sid, err);
}
