/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop/virtual.h"
#include "wire/race.h"

/** Real sockets of the loopback device, virtual time: whoever is silent stays silent until the clock is moved. */

struct world {
	struct sk_loop *l;
	struct sk_race *race;
	struct sk_wire *wire;
	struct sk_addrs addrs;
	unsigned which, won, ups, downs;
	bool free_in_down;
	struct sk_err why;
	int fds[16];
	unsigned n_fds;
};

static struct sockaddr_storage *add(struct world *w, int fd)
{
	struct sockaddr_storage *ss = &w->addrs.a[w->addrs.n++];
	socklen_t len = sizeof(*ss);

	assert_int_equal(getsockname(fd, (struct sockaddr *)ss, &len), 0);
	return ss;
}

static int bound(struct world *w)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	w->fds[w->n_fds++] = fd;
	return fd;
}

static int alive(struct world *w)
{
	int fd = bound(w);

	assert_int_equal(listen(fd, 16), 0);
	(void)add(w, fd);
	return fd;
}

static void refusing(struct world *w)
{
	(void)add(w, bound(w));
}

/* A listener whose backlog is full: further SYNs are dropped. */
static void silent(struct world *w)
{
	int fd = bound(w);
	const struct sockaddr_storage *to;

	assert_int_equal(listen(fd, 0), 0);
	to = add(w, fd);
	for (int i = 0; i < 6; i++) {
		int c = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		struct pollfd p = { c, POLLOUT, 0 };

		w->fds[w->n_fds++] = c;
		(void)connect(c, (const struct sockaddr *)to, sizeof(struct sockaddr_in));
		if (poll(&p, 1, 100) == 0)
			return;
	}
	fail_msg("the backlog does not fill");
}

static void on_won(void *ctx, struct sk_wire *taken, unsigned which)
{
	struct world *w = ctx;

	w->race = NULL;
	w->wire = taken;
	w->which = which;
	w->won++;
}

static void on_up(void *ctx)
{
	struct world *w = ctx;

	assert_int_equal(w->won, 1);
	w->ups++;
}

static void on_pdu(void *ctx, const struct sk_pdu *lent)
{
	(void)ctx;
	(void)lent;
}

static void on_down(void *ctx, const struct sk_err *why)
{
	struct world *w = ctx;

	w->why = *why;
	w->downs++;
	if (w->free_in_down) {
		sk_race_free(w->race);
		w->race = NULL;
	}
}

static void open_world(struct world *w)
{
	*w = (struct world){ .l = sk_loop_new(NULL) };
	sk_loop_virtual(w->l, 1000);
}

static void go(struct world *w)
{
	static const struct sk_wire_events ev = { on_up, on_pdu, on_down };
	struct sk_wire_cfg cfg = { .max_data = 8192 };

	w->race = sk_race_new(w->l, &w->addrs, &cfg, &ev, on_won, w, &w->why);
}

/* Until somebody has said something; at most five seconds of real time, for a loaded machine. */
static void until_told(struct world *w)
{
	for (int i = 0; i < 5000 && !w->ups && !w->downs; i++) {
		sk_loop_turn(w->l, false);
		sk_loop_advance(w->l, 0);
		if (!w->ups && !w->downs)
			(void)poll(NULL, 0, 1);
	}
}

static void close_world(struct world *w)
{
	sk_race_free(w->race);
	sk_wire_close(w->wire);
	sk_loop_free(w->l);
	for (unsigned i = 0; i < w->n_fds; i++)
		close(w->fds[i]);
}

static void the_first_wins_and_no_other_is_tried(void **st)
{
	struct world w;
	int other;

	(void)st;
	open_world(&w);
	(void)alive(&w);
	other = alive(&w);
	go(&w);
	until_told(&w);
	assert_int_equal(w.ups, 1);
	assert_int_equal(w.which, 0);
	sk_loop_advance(w.l, 10000);
	for (int i = 0; i < 10; i++)
		sk_loop_turn(w.l, false);
	assert_int_equal(accept(other, NULL, NULL), -1);
	assert_int_equal(w.downs, 0);
	close_world(&w);
}

static void a_silent_one_costs_its_head_start(void **st)
{
	struct world w;

	(void)st;
	open_world(&w);
	silent(&w);
	(void)alive(&w);
	go(&w);
	for (int i = 0; i < 20; i++)
		sk_loop_turn(w.l, false);
	sk_loop_advance(w.l, SK_RACE_STEP_MS - 1);
	for (int i = 0; i < 20; i++)
		sk_loop_turn(w.l, false);
	assert_int_equal(w.ups, 0);
	sk_loop_advance(w.l, 1);
	until_told(&w);
	assert_int_equal(w.ups, 1);
	assert_int_equal(w.which, 1);
	close_world(&w);
}

static void one_that_fails_makes_room_at_once(void **st)
{
	struct world w;

	(void)st;
	open_world(&w);
	w.addrs.n = 1; /* an address of no family: wrong on this side, and stepped over */
	refusing(&w);
	refusing(&w);
	(void)alive(&w);
	go(&w);
	assert_non_null(w.race);
	until_told(&w);
	assert_int_equal(w.ups, 1);
	assert_int_equal(w.which, 3);
	close_world(&w);
}

static void all_that_fail_are_one_failure(void **st)
{
	struct world w;

	(void)st;
	for (int freed = 0; freed <= 1; freed++) {
		open_world(&w);
		w.free_in_down = freed;
		refusing(&w);
		refusing(&w);
		refusing(&w);
		go(&w);
		until_told(&w);
		assert_int_equal(w.downs, 1);
		assert_int_equal(w.won, 0);
		assert_int_equal(w.why.sys, ECONNREFUSED);
		close_world(&w);
	}
	open_world(&w);
	w.addrs.n = 2;
	go(&w);
	assert_null(w.race);
	assert_int_equal(w.why.code, SK_EINVAL);
	close_world(&w);
}

static void a_race_may_be_called_off(void **st)
{
	struct world w;

	(void)st;
	open_world(&w);
	silent(&w);
	(void)alive(&w);
	go(&w);
	sk_loop_advance(w.l, SK_RACE_STEP_MS);
	sk_race_free(w.race);
	w.race = NULL;
	for (int i = 0; i < 20; i++)
		sk_loop_turn(w.l, false);
	assert_int_equal(w.ups + w.downs, 0);
	close_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_wins_and_no_other_is_tried),
		cmocka_unit_test(a_silent_one_costs_its_head_start),
		cmocka_unit_test(one_that_fails_makes_room_at_once),
		cmocka_unit_test(all_that_fail_are_one_failure),
		cmocka_unit_test(a_race_may_be_called_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
