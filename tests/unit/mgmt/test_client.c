/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "loop/loop.h"
#include "mgmt/activation.h"
#include "mgmt/address.h"
#include "mgmt/client.h"
#include "mgmt/message.h"
#include "mgmt/server.h"

/* A server in a thread of its own, the blocking client in the test's. */
struct world {
	struct sk_loop *l;
	struct sk_mgmt_server *s;
	pthread_t thread;
	bool running;
	char dir[64], path[80];
	struct sk_mgmt_req *held, *last;
	unsigned events;
	char trace[64];
};

static void handler(void *ctx, struct sk_mgmt_req *req, const char *method, struct json_object *params)
{
	struct world *w = ctx;
	struct sk_err err = { 0 };

	if (!strcmp(method, "echo")) {
		sk_mgmt_answer(req, json_object_get(params));
	} else if (!strcmp(method, "steps")) {
		for (int i = 0; i < 3; i++)
			sk_mgmt_progress(req, i == 2 ? "last" : "step", NULL);
		sk_mgmt_answer(req, NULL);
	} else if (!strcmp(method, "hold")) {
		w->held = req;
	} else if (!strcmp(method, "release")) { /* the older request is answered after the younger */
		sk_mgmt_answer(req, NULL);
		if (w->held)
			sk_mgmt_answer(sk_give(w->held), NULL);
	} else if (!strcmp(method, "stop")) {
		sk_loop_stop(w->l); /* no answer: the daemon dies */
		w->last = req;
	} else {
		sk_fail(&err, SK_EAUTH, "no");
		err.login = 0x0201;
		sk_mgmt_refuse(req, sk_result_of_login(&err), &err);
	}
}

static void *serve(void *ctx)
{
	struct world *w = ctx;

	sk_loop_run(w->l);
	sk_mgmt_server_free(w->s);
	if (w->held)
		sk_mgmt_answer(w->held, NULL);
	if (w->last)
		sk_mgmt_answer(w->last, NULL);
	sk_loop_free(w->l);
	return NULL;
}

static int setup(void **st)
{
	struct world *w = calloc(1, sizeof(*w));

	*st = w;
	snprintf(w->dir, sizeof(w->dir), "/tmp/sk-mgmt-XXXXXX");
	if (!mkdtemp(w->dir))
		return -1;
	snprintf(w->path, sizeof(w->path), "%s/sock", w->dir);
	return 0;
}

static void start(struct world *w, int fd)
{
	w->l = sk_loop_new(NULL);
	w->s = sk_mgmt_server_new(w->l, handler, w, NULL);
	assert_true(fd >= 0);
	assert_int_equal(sk_mgmt_server_add(w->s, fd, NULL), 0);
	w->running = pthread_create(&w->thread, NULL, serve, w) == 0;
	assert_true(w->running);
}

static int teardown(void **st)
{
	struct world *w = *st;
	struct sk_mgmt_client *c = w->running ? sk_mgmt_connect_path(w->path, NULL) : NULL;

	if (c)
		(void)sk_mgmt_send(c, "stop", NULL, NULL);
	if (w->running)
		pthread_join(w->thread, NULL);
	sk_mgmt_client_free(c);
	unlink(w->path);
	rmdir(w->dir);
	free(w);
	return 0;
}

static void on_event(void *ctx, int id, const char *event, struct json_object *params)
{
	struct world *w = ctx;

	(void)params;
	snprintf(w->trace + strlen(w->trace), sizeof(w->trace) - strlen(w->trace), "%d%c", id, event[0]);
}

static struct sk_mgmt_client *dial(struct world *w)
{
	struct sk_err err = { 0 };
	struct sk_mgmt_client *c = sk_mgmt_connect_path(w->path, &err);

	if (!c)
		fail_msg("%s", err.msg);
	return c;
}

static void answers_are_kept_for_their_own_wait(void **st)
{
	struct world *w = *st;
	struct sk_mgmt_answer a;
	struct sk_mgmt_client *c;
	int held, steps, release, bad;

	start(w, sk_mgmt_listen_path(w->path, NULL));
	c = dial(w);
	held = sk_mgmt_send(c, "hold", NULL, NULL);
	steps = sk_mgmt_send(c, "steps", NULL, NULL);
	bad = sk_mgmt_send(c, "login", NULL, NULL);
	release = sk_mgmt_send(c, "release", NULL, NULL);
	assert_true(held > 0 && steps > held && release > steps);
	assert_int_equal(sk_mgmt_wait(c, held, 5000, on_event, w, &a, NULL), 0);
	assert_int_equal(a.code, 0);
	assert_non_null(a.result);
	sk_mgmt_answer_free(&a);
	assert_string_equal(w->trace, "2s2s2l");
	assert_int_equal(sk_mgmt_wait(c, bad, 5000, on_event, w, &a, NULL), 0);
	assert_int_equal(a.code, SK_RES_LOGIN_AUTH_FAILED);
	assert_string_equal(a.text, "no");
	assert_int_equal(sk_msg_int(a.error, "login", 0), 0x0201);
	assert_null(a.result);
	sk_mgmt_answer_free(&a);
	assert_int_equal(sk_mgmt_wait(c, steps, 5000, NULL, NULL, &a, NULL), 0);
	sk_mgmt_answer_free(&a);
	assert_int_equal(sk_mgmt_wait(c, release, 5000, NULL, NULL, &a, NULL), 0);
	sk_mgmt_answer_free(&a);
	sk_mgmt_client_free(c);
}

static void thousands_of_requests_do_not_lock_up(void **st)
{
	struct world *w = *st;
	struct sk_mgmt_answer a;
	struct sk_mgmt_client *c;
	char text[1001];
	int first = 0, last = 0;

	memset(text, 'x', 1000);
	text[1000] = '\0';
	start(w, sk_mgmt_listen_path(w->path, NULL));
	c = dial(w);
	for (int i = 0; i < 5000; i++) { /* 5 MB each way, before the first answer is awaited */
		struct json_object *o = json_object_new_object();

		json_object_object_add(o, "t", json_object_new_string(text));
		last = sk_mgmt_send(c, "echo", o, NULL);
		assert_true(last > 0);
		if (!first)
			first = last;
	}
	assert_int_equal(sk_mgmt_wait(c, last, 20000, NULL, NULL, &a, NULL), 0);
	assert_string_equal(sk_msg_str(a.result, "t"), text);
	sk_mgmt_answer_free(&a);
	assert_int_equal(sk_mgmt_wait(c, first, 0, NULL, NULL, &a, NULL), 0);
	sk_mgmt_answer_free(&a);
	sk_mgmt_client_free(c);
}

static void a_wait_ends_at_its_deadline_and_can_be_repeated(void **st)
{
	struct world *w = *st;
	struct sk_mgmt_answer a;
	struct sk_err err = { 0 };
	struct sk_mgmt_client *c;
	int id;

	start(w, sk_mgmt_listen_path(w->path, NULL));
	c = dial(w);
	id = sk_mgmt_send(c, "hold", NULL, NULL);
	assert_int_equal(sk_mgmt_wait(c, id, 1, NULL, NULL, &a, &err), -1);
	assert_int_equal(err.code, SK_ETIME);
	assert_int_equal(sk_result_of(&err), SK_RES_REQ_TIMEDOUT);
	sk_mgmt_send(c, "release", NULL, NULL);
	assert_int_equal(sk_mgmt_wait(c, id, 5000, NULL, NULL, &a, &err), 0);
	sk_mgmt_answer_free(&a);
	sk_mgmt_client_free(c);
}

static void a_daemon_that_dies_is_told_apart_from_none(void **st)
{
	struct world *w = *st;
	struct sk_mgmt_answer a;
	struct sk_err err = { 0 };
	struct sk_mgmt_client *c;
	int id;

	assert_null(sk_mgmt_connect_path(w->path, &err));
	assert_int_equal(err.code, SK_ENOTCONN);
	assert_int_equal(err.sys, ENOENT);
	assert_int_equal(sk_result_of(&err), SK_RES_ISCSID_NOTCONN);
	assert_null(sk_mgmt_connect_path("/no/such/dir/sock", &err));
	assert_int_equal(err.code, SK_ENOTCONN);
	start(w, sk_mgmt_listen_path(w->path, NULL));
	c = dial(w);
	id = sk_mgmt_send(c, "hold", NULL, NULL);
	sk_mgmt_send(c, "stop", NULL, NULL);
	assert_int_equal(sk_mgmt_wait(c, id, 5000, NULL, NULL, &a, &err), -1);
	assert_int_equal(err.code, SK_ENOTCONN);
	assert_int_equal(sk_result_of(&err), SK_RES_ISCSID_COMM_ERR);
	pthread_join(w->thread, NULL);
	w->running = false;
	assert_null(sk_mgmt_connect_path(w->path, &err)); /* the file is still there */
	assert_int_equal(err.sys, ECONNREFUSED);
	sk_mgmt_client_free(c);
}

static void both_spellings_of_an_abstract_name_are_reached(void **st)
{
	struct sk_err err = { 0 };
	struct sk_mgmt_client *c;
	struct sk_unix u;
	char name[64];
	int fd;

	(void)st;
	snprintf(name, sizeof(name), "siskin-test-%ld", (long)getpid());
	assert_null(sk_mgmt_connect_abstract(name, &err));
	assert_int_equal(err.code, SK_ENOTCONN);
	fd = sk_mgmt_listen_abstract(name, &err);
	assert_true(fd >= 0);
	assert_int_equal(sk_mgmt_listen_abstract(name, &err), -1); /* a second instance */
	assert_int_equal(err.code, SK_EBUSY);
	c = sk_mgmt_connect_abstract(name, &err);
	assert_non_null(c);
	sk_mgmt_client_free(c);
	close(fd);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); /* one that counts the NUL in */
	assert_int_equal(sk_unix_abstract(name, true, &u, NULL), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&u.un, u.len), 0);
	assert_int_equal(listen(fd, 1), 0);
	c = sk_mgmt_connect_abstract(name, &err);
	assert_non_null(c);
	sk_mgmt_client_free(c);
	close(fd);
}

static void a_foreign_daemon_is_told_nothing(void **st)
{
	struct world *w = *st;
	struct sk_err err = { 0 };
	int ready[2], over[2], fd;
	pid_t pid;
	char c;

	if (geteuid() != 0)
		skip();
	assert_int_equal(pipe2(ready, O_CLOEXEC) | pipe2(over, O_CLOEXEC), 0);
	assert_int_equal(chown(w->dir, 65534, 65534), 0);
	pid = fork();
	if (pid == 0) {
		ssize_t n;

		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(1);
		fd = sk_mgmt_listen_path(w->path, NULL);
		if (fd < 0 || write(ready[1], "x", 1) != 1 || read(over[0], &c, 1) != 1)
			_exit(2);
		fcntl(fd, F_SETFL, 0);
		fd = accept(fd, NULL, NULL);
		n = recv(fd, &c, 1, 0);
		_exit(n == 0 ? 0 : 3); /* it hears the end, and no byte before */
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_null(sk_mgmt_connect_path(w->path, &err));
	assert_int_equal(err.code, SK_EACCES);
	assert_int_equal(write(over[1], "x", 1), 1);
	int status = -1;
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	close(ready[0]), close(ready[1]), close(over[0]), close(over[1]);
}

/* What a peer without manners says, and what the client makes of it. */
static enum sk_code after(const char *bytes, size_t n, struct sk_mgmt_answer *a)
{
	char path[64] = "/tmp/sk-mgmt-XXXXXX", sock[80];
	struct sk_err err = { 0 };
	struct sk_mgmt_client *c;
	int fd, peer;

	assert_non_null(mkdtemp(path));
	snprintf(sock, sizeof(sock), "%s/s", path);
	fd = sk_mgmt_listen_path(sock, NULL);
	c = sk_mgmt_connect_path(sock, NULL);
	assert_non_null(c);
	peer = accept(fd, NULL, NULL);
	assert_int_equal(sk_mgmt_send(c, "m", NULL, NULL), 1);
	assert_int_equal(send(peer, bytes, n, MSG_NOSIGNAL), (ssize_t)n);
	close(peer);
	close(fd);
	if (sk_mgmt_wait(c, 1, 5000, NULL, NULL, a, &err) == 0)
		err.code = SK_OK;
	sk_mgmt_client_free(c);
	unlink(sock);
	rmdir(path);
	return err.code;
}

static void odd_answers_are_errors_and_nothing_worse(void **st)
{
	struct sk_mgmt_answer a;
	char frame[200];
	static const struct {
		const char *json;
		int code;
	} row[] = {
		{ "{\"id\":1,\"error\":{}}", SK_RES_INTERNAL },
		{ "{\"id\":1,\"error\":{\"code\":-3}}", SK_RES_INTERNAL },
		{ "{\"id\":1,\"error\":{\"code\":99999}}", SK_RES_INTERNAL },
		{ "{\"id\":1,\"error\":{\"code\":8}}", 8 },
		{ "{\"id\":1}", 0 },
		{ "{\"id\":1,\"result\":[],\"new\":1}", 0 },
		{ "{\"v\":1,\"id\":0,\"error\":{\"code\":13,\"text\":\"daemon access denied\"}}", 13 },
	};

	(void)st;
	for (size_t i = 0; i < SK_ARRAY_LEN(row); i++) {
		size_t n = strlen(row[i].json);

		memcpy(frame, "SKM1\0\0\0", 7);
		frame[7] = (char)n;
		memcpy(frame + 8, row[i].json, n);
		assert_int_equal(after(frame, n + 8, &a), SK_OK);
		assert_int_equal(a.code, row[i].code);
		assert_true(row[i].code ? a.result == NULL : a.result != NULL);
		sk_mgmt_answer_free(&a);
	}
	assert_int_equal(after("HTTP/1.1 400", 12, &a), SK_EPROTO);
	assert_int_equal(after("SKM1\0\0\0\x20{", 9, &a), SK_ENOTCONN);
	assert_int_equal(after("SKM1\0\0\0\x02[]", 10, &a), SK_EPROTO);
}

static void a_socket_is_inherited_only_when_meant_for_this_process(void **st)
{
	struct world *w = *st;
	int status = -1, fd = sk_mgmt_listen_path(w->path, NULL);
	pid_t pid = fork();

	if (pid == 0) {
		struct sk_err err = { 0 };
		char self[20];

		snprintf(self, sizeof(self), "%ld", (long)getpid());
		setenv("LISTEN_PID", "1", 1);
		setenv("LISTEN_FDS", "1", 1);
		if (sk_mgmt_listen_inherited(&err) != -1 || err.code != SK_ENOENT || getenv("LISTEN_FDS"))
			_exit(1);
		setenv("LISTEN_PID", self, 1);
		setenv("LISTEN_FDS", "2", 1);
		if (sk_mgmt_listen_inherited(&err) != -1 || err.code != SK_ENOENT)
			_exit(2);
		setenv("LISTEN_PID", self, 1);
		setenv("LISTEN_FDS", "1", 1);
		if (dup2(open("/dev/null", O_RDONLY), 3) != 3 || sk_mgmt_listen_inherited(&err) != -1 ||
		    err.code != SK_EINVAL)
			_exit(3);
		setenv("LISTEN_PID", self, 1);
		setenv("LISTEN_FDS", "1", 1);
		if (fd == 3)
			fd = sk_mgmt_listen_abstract(self, NULL);
		if (dup2(fd, 3) != 3 || sk_mgmt_listen_inherited(&err) != 3 || !(fcntl(3, F_GETFD) & FD_CLOEXEC))
			_exit(4);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	close(fd);
}

static void the_service_manager_is_told(void **st)
{
	struct world *w = *st;
	struct sk_unix u;
	char got[40] = "";
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(sk_mgmt_notify("READY=1", NULL), 0);
	assert_int_equal(sk_unix_path(w->path, &u, NULL), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&u.un, u.len), 0);
	setenv("NOTIFY_SOCKET", w->path, 1);
	assert_int_equal(sk_mgmt_notify("READY=1\nSTATUS=x", NULL), 0);
	assert_int_equal(recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT), 16);
	assert_string_equal(got, "READY=1\nSTATUS=x");
	close(fd);
	assert_int_equal(sk_mgmt_notify("READY=1", NULL), -1);
	unsetenv("NOTIFY_SOCKET");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(answers_are_kept_for_their_own_wait),
		T(thousands_of_requests_do_not_lock_up),
		T(a_wait_ends_at_its_deadline_and_can_be_repeated),
		T(a_daemon_that_dies_is_told_apart_from_none),
		cmocka_unit_test(both_spellings_of_an_abstract_name_are_reached),
		T(a_foreign_daemon_is_told_nothing),
		cmocka_unit_test(odd_answers_are_errors_and_nothing_worse),
		T(a_socket_is_inherited_only_when_meant_for_this_process),
		T(the_service_manager_is_told),
	};

	return cmocka_run_group_tests_name("mgmt client", tests, NULL, NULL);
}
