/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "datapath/reactor.h"
#include "proto/pdu_ffp_peer.h"

/* The reactor over a socket pair with a small target in a thread; each test runs on epoll and on io_uring. */

/* --- the target: reads give the offset's pattern, writes are checked, and it may hang up or talk nonsense --- */

struct target {
	int fd;
	pthread_t thread;
	unsigned hang_up_after, nonsense_after;	/* commands; 0 = never */
	unsigned cmds;
	bool early;		/* answers a write before it has read the data */
	bool wrong_data;
	struct sk_peer_sn sn;
};

static uint8_t byte_at(uint32_t i)
{
	return (uint8_t)(i * 5 + (i >> 7) + 3);
}

static bool get_all(int fd, void *p, size_t n)
{
	return n == 0 || recv(fd, p, n, MSG_WAITALL) == (ssize_t)n;
}

static bool put_all(int fd, const void *p, size_t n)
{
	return n == 0 || send(fd, p, n, MSG_NOSIGNAL) == (ssize_t)n;
}

static bool answer_read(struct target *t, const struct sk_scsi_cmd *c)
{
	uint8_t bhs[SK_BHS_LEN], *data = malloc(c->edtl + 4);
	bool good;

	assert_non_null(data);
	for (uint32_t i = 0; i < c->edtl; i++)
		data[i] = byte_at(i);
	sk_data_in_put(bhs, &(struct sk_data_in){ .flags = SK_BHS_FINAL | SK_DATA_IN_STATUS, .itt = c->itt,
						  .ttt = SK_TAG_NONE, .data_len = c->edtl }, &t->sn);
	t->sn.stat_sn++;
	good = put_all(t->fd, bhs, sizeof(bhs)) && put_all(t->fd, data, c->edtl + sk_pad4(c->edtl));
	free(data);
	return good;
}

/* All data is immediate here, so that commands can be taken one after the other. */
static bool answer_write(struct target *t, const struct sk_scsi_cmd *c)
{
	uint8_t bhs[SK_BHS_LEN], *data = malloc(c->edtl + 4UL);
	bool good = data && c->data_len == c->edtl;

	sk_scsi_rsp_put(bhs, &(struct sk_scsi_rsp){ .itt = c->itt }, &t->sn);
	t->sn.stat_sn++;
	if (t->early)
		good = good && put_all(t->fd, bhs, sizeof(bhs));
	good = good && get_all(t->fd, data, c->edtl + sk_pad4(c->edtl));
	for (uint32_t i = 0; good && i < c->edtl; i++)
		t->wrong_data |= data[i] != byte_at(i);
	free(data);
	return good && (t->early || put_all(t->fd, bhs, sizeof(bhs)));
}

static void *target_main(void *arg)
{
	struct target *t = arg;
	uint8_t bhs[SK_BHS_LEN];
	struct sk_scsi_cmd c;
	bool good = true;

	while (good && get_all(t->fd, bhs, sizeof(bhs))) {
		sk_scsi_cmd_get(bhs, &c);
		t->cmds++;
		if (t->hang_up_after && t->cmds > t->hang_up_after)
			break;
		if (t->nonsense_after && t->cmds > t->nonsense_after) {
			memset(bhs, 0x3b, sizeof(bhs));
			good = put_all(t->fd, bhs, sizeof(bhs));
			continue;
		}
		t->sn.exp_cmd_sn++;
		t->sn.max_cmd_sn++;
		good = c.flags & SK_CMD_WRITE ? answer_write(t, &c) : answer_read(t, &c);
	}
	shutdown(t->fd, SHUT_RDWR);
	return NULL;
}

/* --- the user --- */

struct user {
	struct target t;
	struct sk_reactor *r;
	struct sk_engine *e;
	struct sk_params par;
	struct sk_err err, why;
	unsigned to_send, done, lost, turns, calls, watched;
	unsigned same_calls;		/* of the other watch */
	unsigned ticks, deadline_turns;
	uint64_t deadline_ms;
	bool reconnect, stop_when_lost, failed;
	int event_fd;
};

static void target_start(struct user *u)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	u->t.fd = pair[1];
	u->t.cmds = 0;
	u->t.sn = (struct sk_peer_sn){ u->par.exp_stat_sn, u->par.cmd_sn, u->par.max_cmd_sn };
	assert_int_equal(pthread_create(&u->t.thread, NULL, target_main, &u->t), 0);
	if (sk_reactor_attach(u->r, u->e, pair[0], &u->err) < 0)
		fail_msg("%s", u->err.msg);
}

static void target_stop(struct user *u)
{
	pthread_join(u->t.thread, NULL);
	close(u->t.fd);
}

static void submit(struct user *u)
{
	static const uint32_t sizes[] = { 512, 4096, 65536, 300001, 12 };
	struct sk_task *t = sk_engine_task(u->e);
	uint8_t *p;

	assert_non_null(t);
	t->len = sizes[u->to_send % SK_ARRAY_LEN(sizes)];
	t->dir = u->to_send % 2 ? SK_DIR_WRITE : SK_DIR_READ;
	p = malloc(t->len);
	assert_non_null(p);
	for (uint32_t i = 0; i < t->len; i++)
		p[i] = t->dir == SK_DIR_WRITE ? byte_at(i) : 0;
	t->iov1 = (struct iovec){ p, t->len };
	t->iov = &t->iov1;
	t->n_iov = 1;
	u->to_send--;
	sk_engine_submit(u->e, t);
}

static void turn(void *ctx, uint64_t now_ms)
{
	struct user *u = ctx;
	struct sk_task *t;

	u->turns++;
	while ((t = sk_engine_next_done(u->e))) {
		const uint8_t *p = t->iov1.iov_base;

		u->failed |= t->end != SK_END_STATUS || t->scsi_status != 0;
		for (uint32_t i = 0; t->dir == SK_DIR_READ && i < t->len; i++)
			u->failed |= p[i] != byte_at(i);
		free(t->iov1.iov_base);
		sk_engine_task_put(u->e, t);
		u->done++;
		if (u->to_send)
			submit(u);
	}
	if (u->deadline_ms && now_ms >= u->deadline_ms) {
		u->deadline_turns++;
		u->deadline_ms = 0;
		sk_reactor_stop(u->r);
	}
	if (!u->to_send && !sk_engine_inflight(u->e) && !u->deadline_ms && !u->watched)
		sk_reactor_stop(u->r);
}

static uint64_t next_ms(void *ctx)
{
	const struct user *u = ctx;

	return u->deadline_ms ? u->deadline_ms : UINT64_MAX;
}

static void lost(void *ctx, const struct sk_err *why)
{
	struct user *u = ctx;

	u->lost++;
	u->why = *why;
	assert_false(sk_reactor_attached(u->r));
	assert_true(sk_engine_halted(u->e));
	if (u->stop_when_lost)
		sk_reactor_stop(u->r);
	if (!u->reconnect)
		return;
	target_stop(u);
	u->t.hang_up_after = 0;
	assert_int_equal(sk_engine_resume(u->e, &u->par, &u->err), 0);
	target_start(u);
}

static void user_open(struct user *u, enum sk_reactor_kind kind, uint32_t busy_us)
{
	struct sk_reactor_cfg rc = { .kind = kind, .busy_poll_us = busy_us, .ctx = u, .turn = turn, .next_ms = next_ms,
				     .lost = lost };
	struct sk_engine_cfg ec = { .max_tasks = 16 };

	*u = (struct user){ .event_fd = -1 };
	u->par = (struct sk_params){
		.initial_r2t = true, .immediate_data = true, .data_pdu_in_order = true, .data_sequence_in_order = true,
		.max_recv_dsl = 1U << 20, .max_xmit_dsl = 1U << 20, .max_burst = 1U << 20, .first_burst = 1U << 20,
		.max_outstanding_r2t = 1, .cmd_sn = 1, .exp_cmd_sn = 1, .max_cmd_sn = 20, .exp_stat_sn = 5,
	};
	u->e = sk_engine_new(&ec, &u->par, &u->err);
	u->r = sk_reactor_new(&rc, &u->err);
	assert_true(u->e && u->r);
}

static void user_close(struct user *u)
{
	struct sk_task *t;

	sk_engine_drop(u->e);
	while ((t = sk_engine_next_done(u->e))) {
		free(t->iov1.iov_base);
		sk_engine_task_put(u->e, t);
	}
	sk_reactor_free(u->r);
	sk_engine_free(u->e);
	sk_fd_close(&u->event_fd);
}

static void run(struct user *u)
{
	alarm(20); /* a test that hangs is a test that fails */
	if (sk_reactor_run(u->r, &u->err) < 0)
		fail_msg("%s", u->err.msg);
	alarm(0);
}

static const enum sk_reactor_kind kinds[] = { SK_REACTOR_EPOLL, SK_REACTOR_URING };

#define EACH_KIND(k) for (size_t k = 0; k < SK_ARRAY_LEN(kinds); k++)

static void reads_and_writes(void **st)
{
	(void)st;
	EACH_KIND(k)
		for (uint32_t busy = 0; busy <= 50; busy += 50) {
			struct user u;

			user_open(&u, kinds[k], busy);
			target_start(&u);
			u.to_send = 400;
			for (int i = 0; i < 16; i++)
				submit(&u);
			run(&u);
			sk_reactor_detach(u.r);
			target_stop(&u);
			assert_int_equal(u.done, 400);
			assert_int_equal(u.t.cmds, 400);
			assert_false(u.failed || u.t.wrong_data);
			assert_int_equal(u.lost, 0); /* detaching is not a loss */
			assert_true(sk_engine_halted(u.e));
			assert_true(sk_reactor_stats(u.r)->recv_calls > 0);
			user_close(&u);
		}
}

/* The answer is here while the socket still waits to take the rest of the data: the task ends with the last send. */
static void answers_faster_than_their_data(void **st)
{
	(void)st;
	EACH_KIND(k) {
		struct user u;

		user_open(&u, kinds[k], 0);
		u.t.early = true;
		target_start(&u);
		for (int i = 0; i < 20; i++) {
			u.to_send = 3; /* one write of 300001 bytes, more than the socket takes at once */
			submit(&u);
			u.to_send = 0;
			run(&u);
		}
		sk_reactor_detach(u.r);
		target_stop(&u);
		assert_int_equal(u.done, 20);
		assert_false(u.failed || u.t.wrong_data);
		user_close(&u);
	}
}

static void end_of_file_is_told_once_and_a_new_socket_goes_on(void **st)
{
	(void)st;
	EACH_KIND(k) {
		struct user u;

		user_open(&u, kinds[k], 0);
		u.t.hang_up_after = 21;
		u.reconnect = true;
		target_start(&u);
		u.to_send = 100;
		for (int i = 0; i < 8; i++)
			submit(&u);
		run(&u);
		sk_reactor_detach(u.r);
		target_stop(&u);
		assert_int_equal(u.lost, 1);
		assert_true(u.why.code == SK_ECONN); /* end of file, or a reset while sending */
		assert_int_equal(u.done, 100);
		assert_false(u.failed || u.t.wrong_data);
		user_close(&u);
	}
}

static void nonsense_is_a_loss_with_the_reason(void **st)
{
	(void)st;
	EACH_KIND(k) {
		struct user u;

		user_open(&u, kinds[k], 0);
		u.t.nonsense_after = 2;
		u.stop_when_lost = true;
		target_start(&u);
		u.to_send = 8;
		while (u.to_send)
			submit(&u);
		run(&u);
		target_stop(&u);
		assert_int_equal(u.lost, 1);
		assert_int_equal(u.why.code, SK_EPROTO);
		assert_int_equal(sk_engine_inflight(u.e), 6);
		user_close(&u);
	}
}

/* --- watches and deadlines --- */

static void on_event(void *ctx, unsigned events)
{
	struct user *u = ctx;
	uint64_t v;

	assert_int_equal(events, SK_WATCH_IN);
	u->calls++;
	if (u->calls < 3)
		return; /* level-triggered: not read, so it comes again */
	assert_int_equal(read(u->event_fd, &v, sizeof(v)), sizeof(v));
	sk_reactor_unwatch(u->r, u->event_fd);
	u->watched--;
}

static void on_writable(void *ctx, unsigned events)
{
	struct user *u = ctx;

	assert_int_equal(events, SK_WATCH_OUT);
	if (++u->same_calls == 2) { /* pause it, then let the other one have something */
		uint64_t one = 1;

		assert_int_equal(sk_reactor_watch(u->r, u->t.fd, 0, on_writable, u, &u->err), 0);
		assert_int_equal(write(u->event_fd, &one, sizeof(one)), sizeof(one));
		u->watched--;
	}
}

static void watched_descriptors(void **st)
{
	(void)st;
	EACH_KIND(k) {
		struct user u;
		int pair[2];

		user_open(&u, kinds[k], 0);
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
		u.t.fd = pair[0];
		u.event_fd = eventfd(0, EFD_CLOEXEC);
		u.watched = 2;
		assert_int_equal(sk_reactor_watch(u.r, u.event_fd, SK_WATCH_IN, on_event, &u, &u.err), 0);
		assert_int_equal(sk_reactor_watch(u.r, u.t.fd, SK_WATCH_OUT, on_writable, &u, &u.err), 0);
		run(&u);
		assert_int_equal(u.calls, 3);
		assert_int_equal(u.same_calls, 2);
		sk_reactor_unwatch(u.r, u.t.fd);
		sk_reactor_unwatch(u.r, u.t.fd); /* unknown: ignored */
		close(pair[0]);
		close(pair[1]);
		user_close(&u);
	}
}

static void a_deadline_wakes_the_loop(void **st)
{
	(void)st;
	EACH_KIND(k) {
		struct user u;

		user_open(&u, kinds[k], 0);
		u.deadline_ms = sk_reactor_now(u.r) + 30;
		run(&u);
		assert_int_equal(u.deadline_turns, 1);
		assert_in_range(u.turns, 1, 40); /* it slept */
		user_close(&u);
	}
}

static void one_connection_at_a_time(void **st)
{
	struct sk_reactor_cfg bad = { .ctx = NULL };
	struct user u;
	int pair[2];

	(void)st;
	assert_null(sk_reactor_new(&bad, NULL));
	user_open(&u, SK_REACTOR_AUTO, 0);
	assert_string_equal(sk_reactor_name(u.r), "epoll");
	target_start(&u);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(sk_reactor_attach(u.r, u.e, pair[0], &u.err), -1);
	assert_int_equal(u.err.code, SK_EBUSY);
	assert_int_equal(close(pair[0]), -1); /* taken, even so */
	close(pair[1]);
	sk_reactor_detach(u.r);
	target_stop(&u);
	user_close(&u);
}

/* In a child where io_uring_setup is refused, as containers do. */
static void without_io_uring_it_is_epoll(void **st)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { SK_ARRAY_LEN(code), code };
	int status;
	pid_t pid = fork();

	(void)st;
	if (pid == 0) {
		struct user u;

		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0)
			_exit(77);
		user_open(&u, SK_REACTOR_URING, 0);
		_exit(strcmp(sk_reactor_name(u.r), "epoll") ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_and_writes),
		cmocka_unit_test(answers_faster_than_their_data),
		cmocka_unit_test(end_of_file_is_told_once_and_a_new_socket_goes_on),
		cmocka_unit_test(nonsense_is_a_loss_with_the_reason),
		cmocka_unit_test(watched_descriptors),
		cmocka_unit_test(a_deadline_wakes_the_loop),
		cmocka_unit_test(one_connection_at_a_time),
		cmocka_unit_test(without_io_uring_it_is_epoll),
	};

	return cmocka_run_group_tests_name("datapath/reactor", tests, NULL, NULL);
}
