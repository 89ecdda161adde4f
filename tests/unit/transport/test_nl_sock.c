/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "loop/loop.h"
#include "transport/kernel/crew.h"
#include "transport/kernel/nl_sock.h"

/** Commands and their answers against a kernel played on a pair of sockets; the crew's order. */

struct peer {
	int ours, theirs;
};

static int setup(void **st)
{
	static struct peer p;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds), 0);
	p = (struct peer){ fds[0], fds[1] };
	*st = &p;
	return 0;
}

static int teardown(void **st)
{
	struct peer *p = *st;

	sk_fd_close(&p->ours);
	sk_fd_close(&p->theirs);
	return 0;
}

/* A message as the kernel sends it: @nl is 0 for an event. */
static void say(const struct peer *p, uint16_t nl, uint32_t type, int32_t iferror, uint32_t r0, uint32_t r1)
{
	uint8_t b[SK_NL_HEAD] = { 0 };
	uint32_t len = sizeof(b);

	memcpy(b, &len, 4);
	memcpy(b + 4, &nl, 2);
	memcpy(b + 16, &type, 4);
	memcpy(b + 20, &iferror, 4);
	memcpy(b + 56, &r0, 4);
	memcpy(b + 60, &r1, 4);
	assert_int_equal(send(p->theirs, b, sizeof(b), 0), sizeof(b));
}

static int create(const struct peer *p, struct sk_nl_msg *m, struct sk_err *err)
{
	SK_BUF struct sk_buf out = { 0 };

	sk_nl_put_create(&out, 7, 1, 128, 32);
	return sk_nl_call(p->ours, &out, m, err);
}

static void the_answer_is_found_behind_events_and_others_answers(void **st)
{
	struct peer *p = *st;
	struct sk_nl_msg m;
	struct sk_err err = { 0 };

	say(p, 0, SK_NL_EV_CREATE_SESSION, 0, 3, 7);
	say(p, SK_NL_SET_PARAM, SK_NL_SET_PARAM, 0, 0, 0);
	assert_int_equal(send(p->theirs, "rubbish", 7, 0), 7);
	say(p, SK_NL_CREATE_SESSION, SK_NL_CREATE_SESSION, 0, 3, 7);
	assert_int_equal(create(p, &m, &err), 0);
	assert_int_equal(m.sid, 3);
	assert_int_equal(m.host, 7);
}

static void a_refusal_carries_its_errno(void **st)
{
	struct peer *p = *st;
	struct sk_nl_msg m = { .sid = 99 };
	struct sk_err err = { 0 };

	say(p, SK_NL_CREATE_SESSION, SK_NL_EV_IF_ERROR, -ENOMEM, 3, 7);
	assert_int_equal(create(p, &m, &err), -1);
	assert_int_equal(err.sys, ENOMEM);
	assert_non_null(strstr(err.msg, "create session"));
	assert_int_equal(m.sid, 99);
}

static void a_lost_answer_is_told_in_time(void **st)
{
	struct sk_nl_msg m;
	struct sk_err err = { 0 };

	assert_int_equal(create(*st, &m, &err), -1);
	assert_int_equal(err.code, SK_EAGAIN);
}

static void add(struct sk_buf *batch, uint32_t param)
{
	SK_BUF struct sk_buf one = { 0 };

	assert_int_equal(sk_nl_put_param(&one, 7, 1, 0, param, "12345", NULL), 0); /* 78 bytes: not a multiple of four */
	sk_nl_add(batch, &one);
}

static void commands_in_one_message_have_an_answer_each(void **st)
{
	struct peer *p = *st;
	SK_BUF struct sk_buf batch = { 0 };
	uint8_t sent[1024];
	int sys[SK_NL_CALLS] = { 0 };
	struct sk_err err = { 0 };
	uint32_t word;

	for (uint32_t i = 0; i < 3; i++)
		add(&batch, i);
	say(p, 0, SK_NL_EV_CREATE_SESSION, 0, 3, 7);
	say(p, SK_NL_SET_PARAM, SK_NL_SET_PARAM, 0, 0, 0);
	say(p, SK_NL_SET_PARAM, SK_NL_EV_IF_ERROR, -ENOSYS, 0, 0);
	say(p, SK_NL_SET_PARAM, SK_NL_SET_PARAM, 0, 0, 0);
	assert_int_equal(sk_nl_call_all(p->ours, &batch, sys, &err), 0);
	assert_int_equal(sys[0], 0);
	assert_int_equal(sys[1], ENOSYS);
	assert_int_equal(sys[2], 0);
	assert_int_equal(recv(p->theirs, sent, sizeof(sent), MSG_DONTWAIT), 80 + 80 + 78);
	for (uint32_t i = 0; i < 3; i++) { /* netlink: each message at a multiple of four, its length without the padding */
		memcpy(&word, sent + 80 * i, 4);
		assert_int_equal(word, 78);
		memcpy(&word, sent + 80 * i + 16 + 24, 4);
		assert_int_equal(word, i);
	}
	assert_int_equal(recv(p->theirs, sent, sizeof(sent), MSG_DONTWAIT), -1);
	say(p, SK_NL_SET_PARAM, SK_NL_SET_PARAM, 0, 0, 0);
	assert_int_equal(sk_nl_call_all(p->ours, &batch, sys, &err), -1);
	assert_int_equal(err.code, SK_EAGAIN);
}

static void too_many_commands_are_not_sent(void **st)
{
	struct peer *p = *st;
	SK_BUF struct sk_buf batch = { 0 };
	int sys[SK_NL_CALLS];
	struct sk_err err = { 0 };

	for (uint32_t i = 0; i <= SK_NL_CALLS; i++)
		add(&batch, i);
	assert_int_equal(sk_nl_call_all(p->ours, &batch, sys, &err), -1);
	assert_int_equal(err.code, SK_EINVAL);
	assert_int_equal(recv(p->theirs, &err, sizeof(err), MSG_DONTWAIT), -1);
}

static void no_privilege_is_said_in_words(void **st)
{
	struct peer *p = *st;
	struct sk_err err = { 0 };

	say(p, SK_NL_UNBIND_SESSION, SK_NL_EV_IF_ERROR, -EPERM, 0, 0);
	assert_int_equal(sk_nl_probe(p->ours, &err), -1);
	assert_int_equal(err.code, SK_EACCES);
	assert_non_null(strstr(err.msg, "CAP_SYS_ADMIN"));
	say(p, SK_NL_UNBIND_SESSION, SK_NL_EV_IF_ERROR, -EINVAL, 0, 0);
	assert_int_equal(sk_nl_probe(p->ours, &err), 0);
}

static void events_come_one_by_one_and_rubbish_is_passed_over(void **st)
{
	struct peer *p = *st;
	uint8_t buf[SK_NL_DATAGRAM];
	struct sk_nl_msg m;
	struct sk_err err = { 0 };

	assert_int_equal(sk_nl_next(p->ours, buf, &m, &err), 0);
	say(p, 0, SK_NL_EV_UNBIND_SESSION, 0, 5, 1);
	assert_int_equal(send(p->theirs, "rubbish", 7, 0), 7);
	say(p, 0, SK_NL_EV_DESTROY_SESSION, 0, 1, 5);
	assert_int_equal(sk_nl_next(p->ours, buf, &m, &err), 1);
	assert_int_equal(m.sid, 5);
	assert_int_equal(sk_nl_next(p->ours, buf, &m, &err), -1);
	assert_int_equal(err.code, SK_EPROTO);
	assert_int_equal(sk_nl_next(p->ours, buf, &m, &err), 1);
	assert_int_equal(m.type, SK_NL_EV_DESTROY_SESSION);
	assert_int_equal(m.sid, 5);
}

/* --- the crew --------------------------------------------------------------------------------------------------- */

#define ORDERS 50

struct job {
	struct sk_chore chore;
	struct gang *g;
	unsigned number;
};

struct gang {
	struct sk_loop *l;
	struct sk_crew *crew;
	unsigned ran[ORDERS + 1], n_ran, told, befores;	/* ran: written by the order thread alone */
	pthread_mutex_t gate;
	struct sk_timer *limit;
};

static void order_work(struct sk_chore *c)
{
	struct job *j = (struct job *)(void *)c;

	j->g->ran[j->g->n_ran++] = j->number;
}

static void gate_work(struct sk_chore *c)
{
	struct job *j = (struct job *)(void *)c;

	pthread_mutex_lock(&j->g->gate);
	pthread_mutex_unlock(&j->g->gate);
}

static void told(struct sk_chore *c)
{
	struct job *j = (struct job *)(void *)c;

	if (++j->g->told == ORDERS)
		sk_loop_stop(j->g->l);
	free(j);
}

static void before(void *ctx)
{
	((struct gang *)ctx)->befores++;
}

static void too_long(void *ctx)
{
	sk_loop_stop(((struct gang *)ctx)->l);
}

static struct sk_chore *chore(struct gang *g, void (*work)(struct sk_chore *), unsigned number)
{
	struct job *j = calloc(1, sizeof(*j));

	*j = (struct job){ .chore = { .work = work, .done = told }, .g = g, .number = number };
	return &j->chore;
}

static void orders_keep_their_order_whatever_hangs_beside_them(void **st)
{
	struct gang g = { .gate = PTHREAD_MUTEX_INITIALIZER };

	(void)st;
	g.l = sk_loop_new(NULL);
	g.crew = sk_crew_new(g.l, before, &g, NULL);
	assert_non_null(g.crew);
	g.limit = sk_timer_new(g.l, too_long, &g, NULL);
	sk_timer_at(g.limit, sk_loop_now(g.l) + 10000);
	pthread_mutex_lock(&g.gate);
	for (unsigned i = 0; i < 70; i++) /* more than run at once */
		sk_crew_errand(g.crew, chore(&g, gate_work, 1000 + i));
	for (unsigned i = 0; i < ORDERS; i++)
		sk_crew_order(g.crew, chore(&g, order_work, i));
	assert_int_equal(g.told, 0); /* never from inside the call */
	(void)sk_loop_run(g.l);
	assert_int_equal(g.told, ORDERS);
	assert_true(g.befores > 0);
	for (unsigned i = 0; i < ORDERS; i++)
		assert_int_equal(g.ran[i], i);
	pthread_mutex_unlock(&g.gate);
	sk_crew_order(g.crew, chore(&g, order_work, 0)); /* the last one is carried out as well */
	g.n_ran = 0;
	sk_crew_free(g.crew);
	assert_int_equal(g.told, ORDERS + 71);
	sk_timer_free(g.limit);
	sk_loop_free(g.l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_answer_is_found_behind_events_and_others_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(a_refusal_carries_its_errno, setup, teardown),
		cmocka_unit_test_setup_teardown(a_lost_answer_is_told_in_time, setup, teardown),
		cmocka_unit_test_setup_teardown(commands_in_one_message_have_an_answer_each, setup, teardown),
		cmocka_unit_test_setup_teardown(too_many_commands_are_not_sent, setup, teardown),
		cmocka_unit_test_setup_teardown(no_privilege_is_said_in_words, setup, teardown),
		cmocka_unit_test_setup_teardown(events_come_one_by_one_and_rubbish_is_passed_over, setup, teardown),
		cmocka_unit_test(orders_keep_their_order_whatever_hangs_beside_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
