/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Listing thousands of targets is nearly all system calls, two directories and a file for each: several threads
 * look at them. A thread only ever says "these are the records of this target, beyond doubt" or "something is odd";
 * odd targets are walked again by the caller, who tells what is wrong. So the threads share nothing and report
 * nothing.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "record/store_impl.h"

#define THREADS_MAX 4
#define CHUNK	    32 /* targets a thread takes at a time */

struct job {
	int nodes;
	char *const *names;
	size_t n;
	struct sk_survey *found;
	atomic_size_t next;
};

static bool add(struct sk_survey *s, const struct sk_portal *portal, const char *iface)
{
	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 1;
		struct sk_survey_key *more = reallocarray(s->v, cap, sizeof(*more));

		if (!more)
			return false;
		s->v = more;
		s->cap = cap;
	}
	s->v[s->n].portal = *portal;
	memcpy(s->v[s->n].iface, iface, strlen(iface) + 1);
	s->n++;
	return true;
}

static bool look_at_portal(int parent, const char *name, struct sk_node_key *key, struct sk_survey *ret)
{
	SK_FD int dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	SK_NAMES struct sk_names ifaces = { 0 };

	if (dir < 0 || sk_names_read(dir, &ifaces, NULL) < 0)
		return false;
	for (size_t i = 0; i < ifaces.n; i++) {
		if (!sk_iface_name_ok(ifaces.v[i]))
			return false;
		memcpy(key->iface, ifaces.v[i], strlen(ifaces.v[i]) + 1); /* at most 64 bytes */
		if (!sk_identity_sure(dir, ifaces.v[i], key) || !add(ret, &key->portal, key->iface))
			return false;
	}
	return true;
}

static bool look_at_target(int nodes, const char *name, struct sk_survey *ret)
{
	SK_FD int dir = openat(nodes, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	SK_NAMES struct sk_names portals = { 0 };
	struct sk_node_key key = { .iface = "" };
	struct sk_iname normal;

	if (dir < 0 || sk_iname_parse(sk_span_str(name), &normal, NULL) < 0 ||
	    sk_names_read(dir, &portals, NULL) < 0)
		return false;
	sk_iname_spelled(name, &key.target);
	for (size_t i = 0; i < portals.n; i++) {
		if (!sk_portal_dir_parse(portals.v[i], &key.portal) || key.portal.tpgt == SK_TPGT_NONE ||
		    !look_at_portal(dir, portals.v[i], &key, ret))
			return false;
	}
	return true;
}

static void *work(void *ctx)
{
	struct job *j = ctx;
	size_t at;

	while ((at = atomic_fetch_add(&j->next, CHUNK)) < j->n) {
		for (size_t i = at; i < SK_MIN(at + CHUNK, j->n); i++)
			j->found[i].sure = look_at_target(j->nodes, j->names[i], &j->found[i]);
	}
	return NULL;
}

void sk_survey(int nodes, char *const *names, size_t n, struct sk_survey *ret)
{
	struct job j = { .nodes = nodes, .names = names, .n = n, .found = ret };
	pthread_t threads[THREADS_MAX];
	cpu_set_t cpus;
	int wanted = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
	int started = 0;

	while (started + 1 < SK_MIN(wanted, THREADS_MAX) && (size_t)started < n / CHUNK &&
	       pthread_create(&threads[started], NULL, work, &j) == 0)
		started++;
	work(&j);
	for (int i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
}

void sk_survey_drop(struct sk_survey *found, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(found[i].v);
		found[i] = (struct sk_survey){ 0 };
	}
}
