/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "record/places.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "config.h"

#define DIR_MAX sizeof(((struct sk_places *)0)->homedir)

static int take(char *ret, const char *what, const char *path, struct sk_err *err)
{
	size_t n = strlen(path);

	if (path[0] != '/')
		return sk_fail(err, SK_EINVAL, "%s=%s is not an absolute path", what, path);
	while (n > 1 && path[n - 1] == '/')
		n--;
	/* file names of up to 40 bytes are put behind a directory in places of fixed size */
	if (n >= DIR_MAX - 16)
		return sk_fail(err, SK_EINVAL, "%s is longer than %zu bytes", what, (size_t)DIR_MAX - 17);
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)path[i] < 0x20 || path[i] == 0x7f)
			return sk_fail(err, SK_EINVAL, "%s holds a control character", what);
	}
	memcpy(ret, path, n);
	ret[n] = '\0';
	return 0;
}

/* Run from a build tree iscsi-session lies beside the other programs' directories. */
static void beside_program(char ret[static DIR_MAX])
{
	char exe[DIR_MAX], path[DIR_MAX + 32];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char *slash;

	if (n <= 0)
		return;
	exe[n] = '\0';
	for (int up = 0; up < 2; up++) {
		slash = strrchr(exe, '/');
		if (!slash)
			return;
		*slash = '\0';
		if (snprintf(path, sizeof(path), "%s%s/iscsi-session", exe, up ? "/iscsi-session" : "") >=
		    (int)DIR_MAX)
			return;
		if (access(path, X_OK) == 0) {
			path[strlen(path) - strlen("/iscsi-session")] = '\0';
			snprintf(ret, DIR_MAX, "%s", path);
			return;
		}
	}
}

static const struct place {
	const char *var;
	const char *def;	/* built in */
	size_t off;
} places[] = {
	{ "SISKIN_HOMEDIR", SK_HOMEDIR, offsetof(struct sk_places, homedir) },
	{ "SISKIN_DBROOT", SK_DBROOT, offsetof(struct sk_places, dbroot) },
	{ "SISKIN_RUNDIR", SK_RUNDIR, offsetof(struct sk_places, rundir) },
	{ "SISKIN_LOCKDIR", SK_LOCKDIR, offsetof(struct sk_places, lockdir) },
	{ "SISKIN_DEVDIR", "/dev", offsetof(struct sk_places, devdir) },
	{ "SISKIN_SYSFS", "/sys", offsetof(struct sk_places, sysfs) },
	{ "SISKIN_LIBEXECDIR", SK_LIBEXECDIR, offsetof(struct sk_places, libexecdir) },
};

static const char *given(const char *var)
{
	const char *v = getenv(var);

	return v && *v ? v : NULL;
}

/* What follows from other variables when a place itself was not given. */
static int derive(struct sk_places *p, struct sk_err *err)
{
	char path[DIR_MAX + 8];

	if (!given("SISKIN_DBROOT") && given("SISKIN_HOMEDIR"))
		memcpy(p->dbroot, p->homedir, sizeof(p->dbroot));
	if (!given("SISKIN_LOCKDIR") && given("SISKIN_RUNDIR")) {
		snprintf(path, sizeof(path), "%s/lock", p->rundir);
		if (take(p->lockdir, "SISKIN_RUNDIR", path, err) < 0)
			return -1;
	}
	if (!given("SISKIN_LIBEXECDIR"))
		beside_program(p->libexecdir);
	snprintf(p->conf_file, sizeof(p->conf_file), "%s/iscsid.conf", p->homedir);
	snprintf(p->name_file, sizeof(p->name_file), "%s/initiatorname.iscsi", p->homedir);
	p->private_instance = given("SISKIN_RUNDIR") != NULL;
	return 0;
}

int sk_places_init(struct sk_places *ret, struct sk_err *err)
{
	struct sk_places p = { 0 };

	for (size_t i = 0; i < SK_ARRAY_LEN(places); i++) {
		const char *v = given(places[i].var);

		if (take((char *)&p + places[i].off, places[i].var, v ? v : places[i].def, err) < 0)
			return -1;
	}
	if (derive(&p, err) < 0)
		return -1;
	*ret = p;
	return 0;
}

int sk_places_helper(const struct sk_places *p, const char *name, char *ret, size_t n, struct sk_err *err)
{
	if ((size_t)snprintf(ret, n, "%s/%s", p->libexecdir, name) >= n)
		return sk_fail(err, SK_EINVAL, "the path of %s is too long", name);
	if (access(ret, X_OK) == 0)
		return 0;
	if ((size_t)snprintf(ret, n, "%s/../%s/%s", p->libexecdir, name, name) < n && access(ret, X_OK) == 0)
		return 0;
	return sk_fail(err, SK_ENOENT, "%s is not in %s", name, p->libexecdir);
}
