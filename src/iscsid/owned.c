/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "iscsid/rediscover.h"

/**
 * Which sessions a source logged in: a file below <rundir>/rediscovered for each, written before the login begins so that no
 * end of the daemon can come between. Its name is a hash of what it says (two
 * of one name: one of them is nobody's); what cannot be read is nobody's, and then the session
 * simply stays.
 */

#define DIR_NAME "rediscovered"

struct mark {
	char name[20], text[1000];
};

static struct mark mark_of(const struct sk_source *s, const char *target, const char *host, uint16_t port, const char *iface)
{
	struct mark m;

	snprintf(m.text, sizeof(m.text), "%s %s %u\n%s %s %u %s\n", sk_source_word(s), s->host, s->port, target, host, port, iface);
	snprintf(m.name, sizeof(m.name), "%016llx", (unsigned long long)sk_hash(SK_HASH_START, m.text));
	return m;
}

static struct mark mark_of_offer(const struct sk_offer *o)
{
	return mark_of(o->src, o->key.target.s, o->key.portal.host, o->key.portal.port, o->key.iface);
}

static int open_dir(const struct sk_places *p, bool make)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/%s", p->rundir, DIR_NAME);
	if (make && mkdir(path, 0700) < 0 && errno != EEXIST)
		return -1;
	return open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

void sk_owned_put(const struct sk_offer *o)
{
	struct mark m = mark_of_offer(o);
	SK_FD int dir = open_dir(&o->src->d->places, true);
	SK_FD int fd = -1;

	if (dir >= 0)
		fd = openat(dir, m.name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, m.text, strlen(m.text)) != (ssize_t)strlen(m.text))
		sk_warning(SK_ROOM_DISCOVER, "%s: cannot be kept in mind as a discovery's: %s", o->key.target.s, strerror(errno));
}

void sk_owned_drop(const struct sk_offer *o)
{
	struct mark m = mark_of_offer(o);
	SK_FD int dir = open_dir(&o->src->d->places, false);

	if (dir >= 0)
		(void)unlinkat(dir, m.name, 0);
}

static bool is_marked(int dir, const struct mark *m)
{
	SK_FD int fd = openat(dir, m->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char got[sizeof(m->text)];
	ssize_t n = fd >= 0 ? read(fd, got, sizeof(got)) : -1;

	return n == (ssize_t)strlen(m->text) && !memcmp(m->text, got, (size_t)n);
}

struct adopting {
	struct sk_rediscovery *r;
	int dir;
};

static bool adopt(void *ctx, const struct sk_session_info *i)
{
	const struct adopting *a = ctx;

	for (struct sk_source *s = a->r->sources; s; s = s->next) {
		struct mark m = mark_of(s, i->target, i->host, i->port, i->iface);

		if (is_marked(a->dir, &m) && sk_offer_adopt(s, i) == 0)
			break;
	}
	return true;
}

static bool still_meant(const struct sk_rediscovery *r, const char *name)
{
	for (const struct sk_source *s = r->sources; s; s = s->next) {
		for (const struct sk_offer *o = s->offers; o; o = o->next) {
			struct mark m = mark_of_offer(o);

			if (!strcmp(m.name, name))
				return true;
		}
	}
	return false;
}

void sk_owned_load(struct sk_rediscovery *r)
{
	int fd = open_dir(&r->d->places, false);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct adopting a = { r, fd };
	const struct dirent *e;

	if (!dir) {
		sk_fd_close(&fd);
		return;
	}
	(void)sk_sessions_list(r->d->sessions, adopt, &a);
	while ((e = readdir(dir)))
		if (e->d_name[0] != '.' && !still_meant(r, e->d_name))
			(void)unlinkat(fd, e->d_name, 0);
	closedir(dir);
}
