/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "loop/loop.h"
#include "loop/rng.h"
#include "loop/virtual.h"

struct world {
	struct sk_loop *l;
	struct sk_timer *t[4];
	struct sk_watch *w[2];
	int fd[2];
	char trace[64];
	unsigned n;
	int signum;
};

static void note(struct world *w, char c)
{
	if (w->n < sizeof(w->trace) - 1)
		w->trace[w->n++] = c;
}

static int setup(void **st)
{
	struct world *w = calloc(1, sizeof(*w));

	w->l = sk_loop_new(NULL);
	*st = w;
	return w->l && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, w->fd) == 0 ? 0 : -1;
}

static int teardown(void **st)
{
	struct world *w = *st;

	sk_loop_free(w->l);
	sk_fd_close(&w->fd[0]);
	sk_fd_close(&w->fd[1]);
	free(w);
	return 0;
}

static void say_a(void *ctx)
{
	note(ctx, 'a');
}
static void say_b(void *ctx)
{
	note(ctx, 'b');
}
static void say_c(void *ctx)
{
	note(ctx, 'c');
}

static void timers_fire_in_the_order_of_deadline_then_arming(void **st)
{
	struct world *w = *st;

	sk_loop_virtual(w->l, 1000);
	w->t[0] = sk_timer_new(w->l, say_a, w, NULL);
	w->t[1] = sk_timer_new(w->l, say_b, w, NULL);
	w->t[2] = sk_timer_new(w->l, say_c, w, NULL);
	sk_timer_at(w->t[0], 1500);
	sk_timer_at(w->t[1], 1200);
	sk_timer_at(w->t[2], 1200);
	sk_loop_advance(w->l, 199);
	assert_string_equal(w->trace, "");
	sk_loop_advance(w->l, 1);
	assert_string_equal(w->trace, "bc");
	assert_int_equal(sk_loop_now(w->l), 1200);
	sk_timer_at(w->t[1], 1600);
	sk_timer_at(w->t[1], UINT64_MAX); /* disarmed */
	sk_timer_at(w->t[2], 10);	  /* long past: due now */
	sk_loop_advance(w->l, 1000);
	assert_string_equal(w->trace, "bcca");
}

static void free_a_and_self(void *ctx)
{
	struct world *w = ctx;

	note(w, 'f');
	sk_timer_free(w->t[0]);
	sk_timer_free(w->t[3]);
	w->t[0] = w->t[3] = NULL;
}

static void a_timer_may_free_itself_and_another_that_is_due(void **st)
{
	struct world *w = *st;

	sk_loop_virtual(w->l, 0);
	w->t[0] = sk_timer_new(w->l, say_a, w, NULL);
	w->t[3] = sk_timer_new(w->l, free_a_and_self, w, NULL);
	sk_timer_at(w->t[3], 5);
	sk_timer_at(w->t[0], 5);
	sk_loop_advance(w->l, 10);
	assert_string_equal(w->trace, "f");
}

static void again(void *ctx)
{
	struct world *w = ctx;

	note(w, 'r');
	if (w->n < 40)
		sk_timer_at(w->t[3], 0);
	else
		sk_loop_stop(w->l);
}

static void a_timer_that_rearms_for_now_does_not_starve_others(void **st)
{
	struct world *w = *st;

	w->t[3] = sk_timer_new(w->l, again, w, NULL);
	w->t[0] = sk_timer_new(w->l, say_a, w, NULL);
	sk_timer_at(w->t[3], 0);
	sk_timer_at(w->t[0], 0);
	sk_loop_run(w->l);
	assert_memory_equal(w->trace, "rar", 3);
}

static void many_timers_keep_the_heap_in_order(void **st)
{
	struct world *w = *st;
	struct sk_timer *t[500];
	uint32_t x = 12345;

	sk_loop_virtual(w->l, 0);
	for (unsigned i = 0; i < SK_ARRAY_LEN(t); i++) {
		t[i] = sk_timer_new(w->l, say_a, w, NULL);
		x = x * 1664525U + 1013904223U;
		sk_timer_at(t[i], 1 + x % 1000);
	}
	for (unsigned i = 0; i < SK_ARRAY_LEN(t); i += 3)
		sk_timer_free(t[i]);
	w->t[1] = sk_timer_new(w->l, say_b, w, NULL);
	sk_timer_at(w->t[1], 1001); /* behind all others */
	sk_loop_advance(w->l, 1000);
	assert_int_equal(w->n, 63);
	assert_null(strchr(w->trace, 'b'));
	w->n = 0;
	sk_loop_advance(w->l, 1);
	assert_int_equal(w->trace[0], 'b');
}

static void on_ready(void *ctx, unsigned events)
{
	struct world *w = ctx;
	char c;

	if (events & SK_WRITABLE)
		note(w, 'w');
	if ((events & SK_READABLE) && read(w->fd[0], &c, 1) == 1)
		note(w, c);
	else if (events & SK_READABLE)
		note(w, '$');
}

static void a_watch_tells_what_was_asked_for(void **st)
{
	struct world *w = *st;

	w->w[0] = sk_watch_new(w->l, w->fd[0], on_ready, w, NULL);
	assert_non_null(w->w[0]);
	assert_int_equal(write(w->fd[1], "xyz", 3), 3);
	sk_loop_turn(w->l, false);
	assert_string_equal(w->trace, ""); /* nothing asked yet */
	sk_watch_set(w->w[0], SK_READABLE);
	sk_loop_turn(w->l, true);
	assert_string_equal(w->trace, "x");
	sk_watch_set(w->w[0], SK_WRITABLE);
	sk_loop_turn(w->l, true);
	assert_string_equal(w->trace, "xw");
	sk_watch_set(w->w[0], 0);
	sk_loop_turn(w->l, false);
	sk_watch_set(w->w[0], SK_READABLE);
	sk_loop_turn(w->l, true);
	sk_loop_turn(w->l, true);
	sk_fd_close(&w->fd[1]);
	sk_loop_turn(w->l, true);
	assert_string_equal(w->trace, "xwyz$");
	sk_watch_free(w->w[0]);
}

static void free_both(void *ctx, unsigned events)
{
	struct world *w = ctx;

	(void)events;
	note(w, 'x');
	for (int i = 0; i < 2; i++) {
		sk_watch_free(w->w[i]);
		w->w[i] = NULL;
		sk_fd_close(&w->fd[i]);
	}
}

static void a_watch_may_free_itself_and_another_that_is_ready(void **st)
{
	struct world *w = *st;

	for (int i = 0; i < 2; i++) {
		w->w[i] = sk_watch_new(w->l, w->fd[i], free_both, w, NULL);
		sk_watch_set(w->w[i], SK_WRITABLE);
	}
	sk_loop_turn(w->l, true);
	sk_loop_turn(w->l, false);
	assert_string_equal(w->trace, "x");
}

static void on_signal(void *ctx, int signum)
{
	struct world *w = ctx;

	w->signum = signum;
	sk_loop_stop(w->l);
}

static void a_signal_arrives_in_the_loop(void **st)
{
	struct world *w = *st;

	assert_int_equal(sk_loop_signal(w->l, SIGUSR1, on_signal, w, NULL), 0);
	raise(SIGUSR1);
	assert_int_equal(w->signum, 0);
	sk_loop_run(w->l);
	assert_int_equal(w->signum, SIGUSR1);
}

static void free_the_loop_with_everything_alive(void **st)
{
	struct world *w = *st;

	w->t[0] = sk_timer_new(w->l, say_a, w, NULL);
	sk_timer_at(w->t[0], 0);
	w->w[0] = sk_watch_new(w->l, w->fd[0], on_ready, w, NULL);
	sk_watch_set(w->w[0], SK_WRITABLE);
	assert_int_equal(sk_loop_signal(w->l, SIGUSR2, on_signal, w, NULL), 0);
	sk_loop_free(w->l);
	w->l = NULL;
	assert_string_equal(w->trace, "");
}

static void random_bytes_differ(void **st)
{
	struct sk_rng rng = sk_rng_system();
	unsigned char a[600], b[600];

	(void)st;
	assert_int_equal(rng.fill(rng.ctx, a, sizeof(a)), 0);
	assert_int_equal(rng.fill(rng.ctx, b, sizeof(b)), 0);
	assert_memory_not_equal(a, b, sizeof(a));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(timers_fire_in_the_order_of_deadline_then_arming),
		T(a_timer_may_free_itself_and_another_that_is_due),
		T(a_timer_that_rearms_for_now_does_not_starve_others),
		T(many_timers_keep_the_heap_in_order),
		T(a_watch_tells_what_was_asked_for),
		T(a_watch_may_free_itself_and_another_that_is_ready),
		T(a_signal_arrives_in_the_loop),
		T(free_the_loop_with_everything_alive),
		cmocka_unit_test(random_bytes_differ),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
