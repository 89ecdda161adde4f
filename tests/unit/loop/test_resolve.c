/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <netdb.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "loop/loop.h"
#include "loop/virtual.h"

/** Name servers that do not answer. getaddrinfo is ours (linked with --wrap): a name that begins with "hang" waits
 * until the test lets it go, every other one is 127.0.0.1. */

int __real_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **ret);
int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **ret);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t let_go = PTHREAD_COND_INITIALIZER;
static bool hanging;
static unsigned asked; /* threads that asked for a name */

int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **ret)
{
	if (hints->ai_flags & AI_NUMERICHOST)
		return __real_getaddrinfo(host, port, hints, ret);
	pthread_mutex_lock(&lock);
	asked++;
	while (hanging && !strncmp(host, "hang", 4))
		pthread_cond_wait(&let_go, &lock);
	pthread_mutex_unlock(&lock);
	return __real_getaddrinfo("127.0.0.1", port, hints, ret);
}

static unsigned asked_so_far(void)
{
	unsigned n;

	pthread_mutex_lock(&lock);
	n = asked;
	pthread_mutex_unlock(&lock);
	return n;
}

static void release(void)
{
	pthread_mutex_lock(&lock);
	hanging = false;
	pthread_cond_broadcast(&let_go);
	pthread_mutex_unlock(&lock);
}

struct world {
	struct sk_loop *l;
	unsigned hung, quick, worked;
};

static void on_hung(void *ctx, const struct sk_addrs *addrs, const struct sk_err *err)
{
	struct world *w = ctx;

	assert_null(err);
	assert_int_equal(addrs->n, 1);
	w->hung++;
}

static void on_quick(void *ctx, const struct sk_addrs *addrs, const struct sk_err *err)
{
	struct world *w = ctx;

	(void)addrs;
	assert_null(err);
	w->quick++;
}

static void work(void *ctx)
{
	(void)ctx;
}

static void worked(void *ctx)
{
	((struct world *)ctx)->worked++;
}

static void open_world(struct world *w)
{
	*w = (struct world){ .l = sk_loop_new(NULL) };
	assert_non_null(w->l);
	sk_loop_virtual(w->l, 1000);
	hanging = true;
	asked = 0;
}

/* More names that hang than libuv has threads, and many who want each of them: others are served all the same. */
static void names_that_hang_delay_nobody_else(void **st)
{
	struct world w;
	char name[32];

	(void)st;
	open_world(&w);
	for (int i = 0; i < 600; i++) {
		snprintf(name, sizeof(name), "hang%d.example", i % 20);
		assert_non_null(sk_loop_resolve(w.l, name, 3260, on_hung, &w, NULL));
	}
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "quick%d.example", i);
		assert_non_null(sk_loop_resolve(w.l, name, 3260, on_quick, &w, NULL));
		assert_non_null(sk_loop_work(w.l, work, worked, &w, NULL));
	}
	while (w.quick < 20 || w.worked < 20)
		sk_loop_turn(w.l, true);
	assert_int_equal(w.hung, 0);
	assert_true(asked_so_far() <= 40); /* one thread a name, not one a question */
	release();
	while (w.hung < 600)
		sk_loop_turn(w.l, true);
	sk_loop_free(w.l);
}

static void who_asks_later_asks_anew(void **st)
{
	struct world w;

	(void)st;
	open_world(&w);
	assert_non_null(sk_loop_resolve(w.l, "hang.example", 1, on_hung, &w, NULL));
	while (asked_so_far() < 1)
		sk_loop_turn(w.l, false);
	sk_loop_advance(w.l, 2001);
	assert_non_null(sk_loop_resolve(w.l, "hang.example", 1, on_hung, &w, NULL));
	while (asked_so_far() < 2)
		sk_loop_turn(w.l, false);
	release();
	while (w.hung < 2)
		sk_loop_turn(w.l, true);
	sk_loop_free(w.l);
}

static void one_of_many_may_go(void **st)
{
	struct sk_job *j[3];
	struct world w;

	(void)st;
	open_world(&w);
	for (int i = 0; i < 3; i++)
		j[i] = sk_loop_resolve(w.l, "hang.example", 1, on_hung, &w, NULL);
	while (asked_so_far() < 1)
		sk_loop_turn(w.l, false);
	j[2] = sk_loop_resolve(w.l, "hang.example", 1, on_hung, &w, NULL);
	sk_job_cancel(j[0]); /* the one whose thread it is */
	sk_job_cancel(j[2]); /* one that joined */
	release();
	while (w.hung < 2)
		sk_loop_turn(w.l, true);
	for (int i = 0; i < 10; i++)
		sk_loop_turn(w.l, false);
	assert_int_equal(w.hung, 2);
	assert_int_equal(asked, 1);
	sk_loop_free(w.l);
}

static void the_loop_ends_while_names_hang(void **st)
{
	struct world w;

	(void)st;
	open_world(&w);
	for (int i = 0; i < 5; i++)
		assert_non_null(sk_loop_resolve(w.l, "hang.example", 1, on_hung, &w, NULL));
	while (asked_so_far() < 1)
		sk_loop_turn(w.l, false);
	assert_non_null(sk_loop_resolve(w.l, "hang.example", 1, on_hung, &w, NULL));
	sk_loop_free(w.l); /* does not wait for them */
	assert_int_equal(w.hung, 0);
	release();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_that_hang_delay_nobody_else),
		cmocka_unit_test(who_asks_later_asks_anew),
		cmocka_unit_test(one_of_many_may_go),
		cmocka_unit_test(the_loop_ends_while_names_hang),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
