/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <linux/netlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "transport/kernel/inner.h"

/** Events that got lost (ENOBUFS, of a real netlink socket with a small buffer): every session is judged by a sysfs of ours. */

enum { GONE, FAILED, FREE, HEALTHY, IN_LOGIN, N };

struct world {
	char dir[32];
	struct sk_places places;
	struct sk_loop *loop;
	struct sk_transport *t;
	struct sk_xsess *x[N];
	unsigned downs[N], healths[N], told;
	enum sk_xsess_health health[N];
	char why[N][240];
};

struct seat {
	struct world *w;
	unsigned n;
};
static struct seat seats[N];

static void news(struct world *w)
{
	if (++w->told == 4) /* all but the healthy one */
		sk_loop_stop(w->loop);
}

static void on_down(void *ctx, const struct sk_err *why)
{
	const struct seat *s = ctx;

	s->w->downs[s->n]++;
	snprintf(s->w->why[s->n], sizeof(s->w->why[s->n]), "%s", why->msg);
	news(s->w);
}

static void on_health(void *ctx, enum sk_xsess_health health)
{
	const struct seat *s = ctx;

	s->w->healths[s->n]++;
	s->w->health[s->n] = health;
	news(s->w);
}

static void put(const struct world *w, const char *below, const char *text)
{
	char path[300];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", w->dir, below);
	for (char *slash = strchr(path + strlen(w->dir) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(path, 0700);
		*slash = '/';
	}
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void session(const struct world *w, unsigned n, const char *state, const char *conn)
{
	char path[120];

	snprintf(path, sizeof(path), "class/iscsi_session/session%u/state", n + 1);
	put(w, path, state);
	snprintf(path, sizeof(path), "class/iscsi_connection/connection%u:0/state", n + 1);
	put(w, path, conn);
}

static int netlink(unsigned groups)
{
	struct sockaddr_nl own = { .nl_family = AF_NETLINK, .nl_groups = groups };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_USERSOCK), small = 1;

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&own, sizeof(own)), 0);
	return fd;
}

/* More than the socket's buffer takes. */
static void flood(void)
{
	struct sockaddr_nl to = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	uint8_t event[SK_NL_HEAD] = { SK_NL_HEAD };
	SK_FD int fd = netlink(0);

	for (int i = 0; i < 1000; i++)
		(void)sendto(fd, event, sizeof(event), 0, (const struct sockaddr *)&to, sizeof(to));
}

static int setup(void **st)
{
	static const struct sk_transport_events ev = { .down = on_down, .health = on_health };
	static struct world world;
	struct world *w = &world;
	struct sk_record *node = sk_record_new(SK_REC_NODE, NULL);
	struct sk_kernel *k;

	*w = (struct world){ .dir = "/tmp/sk-lost-XXXXXX" };
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->places.sysfs, sizeof(w->places.sysfs), "%s", w->dir);
	snprintf(w->places.rundir, sizeof(w->places.rundir), "%s/run", w->dir);
	w->loop = sk_loop_new(NULL);
	w->t = sk_kernel_transport_new(w->loop, &w->places, NULL, NULL);
	k = (struct sk_kernel *)(void *)w->t;
	k->crew = sk_crew_new(w->loop, sk_kernel_drain, k, NULL);
	k->ev_fd = netlink(1);
	assert_int_equal(sk_kernel_listen(k, NULL), 0);
	for (unsigned n = 0; n < N; n++) {
		struct sk_xsess_cfg cfg = { .node = node, .initiator = "iqn.2026-11.org.example:i", .iface = "default" };

		seats[n] = (struct seat){ w, n };
		w->x[n] = w->t->ops->create(w->t, &cfg, &ev, &seats[n], NULL);
		w->x[n]->sid = n + 1;
		w->x[n]->st = n == IN_LOGIN ? SK_K_LOGIN : SK_K_UP;
		w->x[n]->up_once = n != IN_LOGIN;
	}
	sk_record_free(node);
	session(w, FAILED, "FAILED\n", "failed\n");
	session(w, FREE, "FREE\n", "failed\n");
	session(w, HEALTHY, "LOGGED_IN\n", "up\n");
	session(w, IN_LOGIN, "FREE\n", "bound\n");
	*st = w;
	return 0;
}

static int drop(const char *path, const struct stat *sb, int flag, struct FTW *at)
{
	(void)sb;
	(void)flag;
	(void)at;
	return remove(path);
}

static int teardown(void **st)
{
	struct world *w = *st;

	for (unsigned n = 0; n < N; n++)
		w->t->ops->forget(w->x[n]);
	sk_kernel_transport_free(w->t);
	sk_loop_free(w->loop);
	return nftw(w->dir, drop, 8, FTW_DEPTH | FTW_PHYS);
}

static void after_lost_events_every_session_is_judged_by_sysfs(void **st)
{
	struct world *w = *st;

	flood();
	assert_int_equal(sk_loop_run(w->loop), 0);
	assert_int_equal(w->healths[GONE], 1);
	assert_int_equal(w->health[GONE], SK_HEALTH_GONE);
	assert_int_equal(w->downs[FAILED], 1);
	assert_int_equal(w->downs[FREE], 1);
	assert_int_equal(w->downs[IN_LOGIN], 1); /* its answer may be among the lost */
	assert_non_null(strstr(w->why[FAILED], "messages of the kernel were lost"));
	assert_int_equal(w->downs[HEALTHY] + w->healths[HEALTHY], 0);
	assert_int_equal(w->x[HEALTHY]->st, SK_K_UP);
}

static void a_session_past_its_replacement_timeout_says_so_when_looked_at(void **st)
{
	struct world *w = *st;

	assert_int_equal(w->t->ops->look(w->x[FREE], SK_HEALTH_FAILED), SK_HEALTH_FREE);
	assert_int_equal(w->t->ops->look(w->x[FAILED], SK_HEALTH_FAILED), SK_HEALTH_FAILED);
	assert_int_equal(w->t->ops->look(w->x[GONE], SK_HEALTH_FAILED), SK_HEALTH_FAILED);
	assert_int_equal(w->t->ops->look(w->x[FREE], SK_HEALTH_LOGGED_IN), SK_HEALTH_LOGGED_IN); /* told: it was logged in */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(after_lost_events_every_session_is_judged_by_sysfs, setup, teardown),
		cmocka_unit_test_setup_teardown(a_session_past_its_replacement_timeout_says_so_when_looked_at, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
