/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "loop/virtual.h"
#include "mgmt/address.h"
#include "mgmt/message.h"
#include "mgmt/server.h"

/* The server on virtual time, its clients plain sockets of the same thread. */
struct world {
	struct sk_loop *l;
	struct sk_mgmt_server *s;
	char dir[64], path[80];
	struct sk_mgmt_req *late[4100];
	unsigned n_late, handled;
};

static void handler(void *ctx, struct sk_mgmt_req *req, const char *method, struct json_object *params)
{
	struct world *w = ctx;
	struct sk_err err = { 0 };

	w->handled++;
	if (!strcmp(method, "echo")) {
		sk_mgmt_progress(req, "half", NULL);
		sk_mgmt_answer(req, json_object_get(params));
	} else if (!strcmp(method, "late")) {
		w->late[w->n_late++] = req;
	} else if (!strcmp(method, "big")) {
		SK_MEM char *text = calloc(1, 1 << 20);
		struct json_object *o = json_object_new_object();

		memset(text, 'x', (1 << 20) - 1);
		json_object_object_add(o, "big", json_object_new_string(text));
		sk_mgmt_answer(req, o);
	} else {
		sk_fail_sys(&err, ENOENT, "method %s", method);
		sk_mgmt_refuse(req, SK_RES_INVALID_MGMT_REQ, &err);
	}
}

static int setup(void **st)
{
	struct world *w = calloc(1, sizeof(*w));
	int fd;

	*st = w;
	snprintf(w->dir, sizeof(w->dir), "/tmp/sk-mgmt-XXXXXX");
	if (!mkdtemp(w->dir))
		return -1;
	snprintf(w->path, sizeof(w->path), "%s/sock", w->dir);
	w->l = sk_loop_new(NULL);
	sk_loop_virtual(w->l, 1000);
	w->s = sk_mgmt_server_new(w->l, handler, w, NULL);
	fd = sk_mgmt_listen_path(w->path, NULL);
	return fd >= 0 && sk_mgmt_server_add(w->s, fd, NULL) == 0 ? 0 : -1;
}

static int teardown(void **st)
{
	struct world *w = *st;

	sk_mgmt_server_free(w->s);
	for (unsigned i = 0; i < w->n_late; i++)
		sk_mgmt_answer(w->late[i], NULL); /* the server has gone: into the void */
	sk_loop_free(w->l);
	unlink(w->path);
	rmdir(w->dir);
	free(w);
	return 0;
}

static int dial(struct world *w)
{
	struct sk_unix u;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_int_equal(sk_unix_path(w->path, &u, NULL), 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&u.un, u.len), 0);
	return fd;
}

static void turns(struct world *w)
{
	for (int i = 0; i < 30; i++)
		sk_loop_turn(w->l, false);
}

static void say(int fd, const char *json)
{
	SK_BUF struct sk_buf b = { 0 };
	uint8_t head[8] = "SKM1";

	sk_set_be32(head + 4, (uint32_t)strlen(json));
	sk_buf_add(&b, head, 8);
	sk_buf_str(&b, json);
	assert_int_equal(send(fd, b.p, b.n, MSG_NOSIGNAL), (ssize_t)b.n);
}

/* The next message as text, "-" when there is none yet, "EOF" at the end. */
static const char *hear(int fd)
{
	static char text[400];
	uint8_t head[8];
	ssize_t n = recv(fd, head, 8, 0);

	if (n == 8) {
		uint32_t len = sk_be32(head + 4);

		assert_memory_equal(head, "SKM1", 4);
		assert_true(len < sizeof(text));
		assert_int_equal(recv(fd, text, len, 0), (ssize_t)len);
		text[len] = '\0';
		return text;
	}
	return n < 0 && errno == EAGAIN ? "-" : "EOF";
}

static void a_request_is_answered_with_its_id(void **st)
{
	struct world *w = *st;
	int fd = dial(w);

	say(fd, "{\"v\":1,\"id\":7,\"method\":\"echo\",\"params\":{\"a\":1},\"from\":{\"a\":\"newer version\"}}");
	say(fd, "{\"v\":1,\"id\":8,\"method\":\"no.such\"}");
	turns(w);
	assert_string_equal(hear(fd), "{\"v\":1,\"id\":7,\"event\":\"half\",\"params\":{}}");
	assert_string_equal(hear(fd), "{\"v\":1,\"id\":7,\"result\":{\"a\":1}}");
	assert_string_equal(hear(fd),
			    "{\"v\":1,\"id\":8,\"error\":{\"code\":16,\"name\":\"INVALID_MGMT_REQ\",\"text\":"
			    "\"method no.such: No such file or directory\",\"cause\":\"ENOENT\",\"errno\":2}}");
	assert_string_equal(hear(fd), "-");
	close(fd);
}

static void requests_that_are_none_are_refused_one_by_one(void **st)
{
	struct world *w = *st;
	int fd = dial(w);

	say(fd, "{\"v\":2,\"id\":1,\"method\":\"echo\"}");
	say(fd, "{\"v\":1,\"id\":2}");
	say(fd, "{\"v\":1,\"id\":3,\"method\":7}");
	say(fd, "{\"v\":1,\"id\":4,\"method\":\"echo\",\"params\":[]}"); /* another type: absent */
	turns(w);
	assert_non_null(strstr(hear(fd), "\"id\":1,\"error\":{\"code\":16"));
	assert_non_null(strstr(hear(fd), "\"id\":2,\"error\":{\"code\":16"));
	assert_non_null(strstr(hear(fd), "\"id\":3,\"error\":{\"code\":16"));
	assert_non_null(strstr(hear(fd), "\"id\":4,\"event\""));
	assert_string_equal(hear(fd), "{\"v\":1,\"id\":4,\"result\":{}}");
	close(fd);
}

static void garbage_ends_the_connection_with_a_word(void **st)
{
	struct world *w = *st;
	static const char *const bad[] = { "GET / HTTP/1.0\r\n\r\n", "SKM1\x7f\xff\xff\xff", "SKM1\0\0\0\0" };

	for (size_t i = 0; i < SK_ARRAY_LEN(bad); i++) {
		int fd = dial(w);

		assert_int_equal(send(fd, bad[i], i ? 8 : 18, MSG_NOSIGNAL), i ? 8 : 18);
		turns(w);
		assert_non_null(strstr(hear(fd), "\"id\":0,\"error\":{\"code\":16"));
		assert_string_equal(hear(fd), "EOF");
		close(fd);
	}
	assert_int_equal(w->handled, 0);
}

static void a_slow_client_costs_nobody_else_anything(void **st)
{
	struct world *w = *st;
	const char frame[] = "SKM1\0\0\0\x40{\"v\":1,";
	int slow = dial(w), quick;

	for (size_t i = 0; i < sizeof(frame) - 1;
	     i++) { /* a byte every 400 ms: the frame's clock does not start anew */
		if (send(slow, frame + i, 1, MSG_NOSIGNAL) < 0)
			break;
		turns(w);
		quick = dial(w);
		say(quick, "{\"v\":1,\"id\":1,\"method\":\"echo\"}");
		turns(w);
		assert_non_null(strstr(hear(quick), "half"));
		assert_non_null(strstr(hear(quick), "result"));
		close(quick);
		sk_loop_advance(w->l, 400);
		turns(w);
		assert_string_equal(hear(slow), i < 12 ? "-" : "EOF");
	}
	close(slow);
}

static void an_idle_client_is_closed_and_a_waiting_one_is_not(void **st)
{
	struct world *w = *st;
	int idle = dial(w), waiting = dial(w);

	say(waiting, "{\"v\":1,\"id\":1,\"method\":\"late\"}");
	turns(w);
	sk_loop_advance(w->l, SK_MGMT_IDLE_MS - 1);
	turns(w);
	assert_string_equal(hear(idle), "-");
	sk_loop_advance(w->l, 1);
	turns(w);
	assert_string_equal(hear(idle), "EOF");
	sk_loop_advance(w->l, 10 * SK_MGMT_IDLE_MS);
	turns(w);
	assert_string_equal(hear(waiting), "-");
	sk_mgmt_answer(w->late[--w->n_late], NULL);
	turns(w);
	assert_string_equal(hear(waiting), "{\"v\":1,\"id\":1,\"result\":{}}");
	sk_loop_advance(w->l, SK_MGMT_IDLE_MS);
	turns(w);
	assert_string_equal(hear(waiting), "EOF");
	close(idle);
	close(waiting);
}

static void a_client_that_leaves_early_still_gets_its_work_done(void **st)
{
	struct world *w = *st;
	int fd = dial(w);

	say(fd, "{\"v\":1,\"id\":1,\"method\":\"late\"}");
	say(fd, "{\"v\":1,\"id\":2,\"method\":\"late\"}");
	close(fd);
	turns(w);
	assert_int_equal(w->n_late, 2);
	assert_false(sk_mgmt_req_alive(w->late[0]));
	sk_mgmt_progress(w->late[0], "x", NULL);
	while (w->n_late)
		sk_mgmt_refuse(w->late[--w->n_late], SK_RES_BUSY, NULL);
}

static void a_client_that_does_not_read_is_dropped(void **st)
{
	struct world *w = *st;
	int fd = dial(w), other = dial(w);

	for (int i = 0; i < 12; i++)
		say(fd, "{\"v\":1,\"id\":1,\"method\":\"big\"}");
	say(other, "{\"v\":1,\"id\":1,\"method\":\"echo\"}");
	turns(w);
	assert_true(w->handled < 13);
	assert_non_null(strstr(hear(other), "half"));
	while (1) { /* what the socket held, then the end */
		char buf[65536];
		ssize_t n = recv(fd, buf, sizeof(buf), 0);

		if (n <= 0) {
			assert_true(n == 0 || errno == ECONNRESET);
			break;
		}
	}
	close(fd);
	close(other);
}

static void many_requests_wait_in_the_socket(void **st)
{
	struct world *w = *st;
	struct sk_mgmt_limits lim = {
		.idle_ms = 1000, .frame_ms = 100, .per_uid = 3, .pending = 2, .out_max = 1 << 20
	};
	int fd;

	sk_mgmt_server_limits(w->s, &lim);
	fd = dial(w);
	for (int i = 1; i <= 5; i++)
		say(fd, "{\"v\":1,\"id\":1,\"method\":\"late\"}");
	turns(w);
	assert_int_equal(w->n_late, 2);
	sk_loop_advance(w->l, 5000); /* neither half a frame nor idle */
	turns(w);
	for (unsigned i = 0; i < 5; i++) {
		assert_true(w->n_late > i);
		sk_mgmt_answer(w->late[i], NULL);
		turns(w);
	}
	w->n_late = 0;
	for (int i = 0; i < 5; i++)
		assert_non_null(strstr(hear(fd), "result"));
	assert_string_equal(hear(fd), "-");
	close(fd);
}

static void one_uid_holds_no_more_than_its_share(void **st)
{
	struct world *w = *st;
	struct sk_mgmt_limits lim = {
		.idle_ms = 1000, .frame_ms = 100, .per_uid = 3, .pending = 2, .out_max = 1 << 20
	};
	int fd[4];

	sk_mgmt_server_limits(w->s, &lim);
	for (int i = 0; i < 4; i++) {
		fd[i] = dial(w);
		turns(w);
	}
	assert_non_null(strstr(hear(fd[3]), "\"id\":0,\"error\":{\"code\":29"));
	assert_string_equal(hear(fd[3]), "EOF");
	assert_string_equal(hear(fd[0]), "-");
	close(fd[0]);
	turns(w);
	close(fd[3]);
	fd[3] = dial(w); /* room again */
	turns(w);
	assert_string_equal(hear(fd[3]), "-");
	for (int i = 1; i < 4; i++)
		close(fd[i]);
}

static void many_clients_are_served_at_once(void **st)
{
	struct world *w = *st;
	int fd[200];

	for (int i = 0; i < 200; i++) {
		fd[i] = dial(w);
		say(fd[i], "{\"v\":1,\"id\":9,\"method\":\"echo\"}");
		if (i % 50 == 0)
			turns(w);
	}
	turns(w);
	for (int i = 0; i < 200; i++) {
		assert_non_null(strstr(hear(fd[i]), "half"));
		assert_non_null(strstr(hear(fd[i]), "\"id\":9,\"result\""));
		close(fd[i]);
	}
}

static void a_foreign_uid_is_refused_unread(void **st)
{
	struct world *w = *st;
	int status, told[2];
	char got[300] = "";
	pid_t pid;

	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(w->dir, 0755), 0);
	assert_int_equal(chmod(w->path, 0777), 0); /* even with the file open to all */
	assert_int_equal(pipe(told), 0);
	pid = fork();
	if (pid == 0) {
		struct sk_unix u;
		ssize_t n;
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);

		if (setgid(65534) < 0 || setuid(65534) < 0 || sk_unix_path(w->path, &u, NULL) < 0 ||
		    connect(fd, (const struct sockaddr *)&u.un, u.len) < 0)
			_exit(1);
		if (write(told[1], "c", 1) != 1)
			_exit(2);
		(void)!send(fd, "SKM1\0\0\0\x02{}", 10, MSG_NOSIGNAL);
		n = recv(fd, got, sizeof(got) - 1, MSG_WAITALL);
		_exit(n > 8 && strstr(got + 8, "\"id\":0,\"error\":{\"code\":13") ? 0 : 3);
	}
	assert_int_equal(read(told[0], got, 1), 1);
	turns(w);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(w->handled, 0);
	close(told[0]);
	close(told[1]);
}

static void a_path_socket_is_private_and_taken_over_only_when_dead(void **st)
{
	struct world *w = *st;
	char path[100], deep[300];
	struct stat sb;
	struct sk_err err = { 0 };
	int fd;

	assert_int_equal(stat(w->path, &sb), 0);
	assert_int_equal(sb.st_mode & 0777, 0600);
	assert_int_equal(sk_mgmt_listen_path(w->path, &err), -1); /* somebody listens */
	assert_int_equal(err.code, SK_EBUSY);
	snprintf(path, sizeof(path), "%s/two", w->dir);
	fd = sk_mgmt_listen_path(path, &err);
	assert_true(fd >= 0);
	close(fd); /* the file stays behind */
	fd = sk_mgmt_listen_path(path, &err);
	assert_true(fd >= 0);
	close(fd);
	unlink(path);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600); /* not a socket: never removed */
	close(fd);
	assert_int_equal(sk_mgmt_listen_path(path, &err), -1);
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
	/* longer than sun_path */
	snprintf(deep, sizeof(deep), "%s/%0150d", w->dir, 1);
	assert_int_equal(mkdir(deep, 0700), 0);
	snprintf(deep, sizeof(deep), "%s/%0150d/sock", w->dir, 1);
	fd = sk_mgmt_listen_path(deep, &err);
	assert_true(fd >= 0);
	assert_int_equal(sk_mgmt_listen_path(deep, &err), -1);
	close(fd);
	assert_int_equal(unlink(deep), 0);
	snprintf(deep, sizeof(deep), "%s/%0150d", w->dir, 1);
	rmdir(deep);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_request_is_answered_with_its_id),
		T(requests_that_are_none_are_refused_one_by_one),
		T(garbage_ends_the_connection_with_a_word),
		T(a_slow_client_costs_nobody_else_anything),
		T(an_idle_client_is_closed_and_a_waiting_one_is_not),
		T(a_client_that_leaves_early_still_gets_its_work_done),
		T(a_client_that_does_not_read_is_dropped),
		T(many_requests_wait_in_the_socket),
		T(one_uid_holds_no_more_than_its_share),
		T(many_clients_are_served_at_once),
		T(a_foreign_uid_is_refused_unread),
		T(a_path_socket_is_private_and_taken_over_only_when_dead),
	};

	return cmocka_run_group_tests_name("mgmt server", tests, NULL, NULL);
}
