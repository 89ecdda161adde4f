/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../peer/peer.h"
#include "base/mem.h"
#include "discover/sendtargets.h"
#include "loop/virtual.h"
#include "mgmt/result.h"
#include "proto/framer.h"

#define ONE "TargetName=iqn.2026-11.x:a\0TargetAddress=192.0.2.1:3260,1\0"
#define TWO ONE "TargetName=iqn.2026-11.x:b\0TargetAddress=0.0.0.0:3261,2\0TargetAddress=[2001:db8::1]:3260,1\0"

/** A target on a loopback socket of the test, and virtual time for the pauses. */

struct world {
	struct sk_loop *l;
	struct sk_rng rng;
	struct peer peer;
	int listener, conn;
	uint16_t port;
	struct sk_watch *accepting, *reading;
	struct sk_framer framer;
	unsigned conns, hang_up;	/* hang_up: close that many connections as soon as they come */
	struct sk_record *disc;
	struct sk_disc *d;
	bool done;
	struct sk_err err;
	struct sk_found found[8];
	unsigned n;
	char said[4000];
};

static int fill(void *ctx, void *p, size_t n)
{
	(void)ctx;
	memset(p, 0x5a, n);
	return 0;
}

static void hang_up(struct world *w)
{
	sk_watch_free(w->reading);
	w->reading = NULL;
	sk_fd_close(&w->conn);
	sk_framer_free(&w->framer);
}

static void on_read(void *ctx, unsigned events)
{
	struct world *w = ctx;
	uint8_t buf[4096];
	ssize_t n = recv(w->conn, buf, sizeof(buf), MSG_DONTWAIT);
	struct sk_span in;
	struct sk_pdu req, rsp;

	(void)events;
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		hang_up(w);
		return;
	}
	in = sk_span(buf, (size_t)n);
	while (sk_framer_feed(&w->framer, &in, &req, NULL) > 0) {
		struct sk_buf out = { 0 };

		if (peer_answer(&w->peer, &req, &rsp)) {
			assert_int_equal(sk_pdu_put_wire(&out, &rsp, NULL), 0);
			assert_int_equal(send(w->conn, out.p, out.n, MSG_NOSIGNAL), (ssize_t)out.n);
			sk_pdu_free(&rsp);
		}
		sk_buf_free(&out);
		sk_pdu_free(&req);
	}
}

static void on_accept(void *ctx, unsigned events)
{
	struct world *w = ctx;

	(void)events;
	if (w->reading)
		hang_up(w);
	w->conn = accept4(w->listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(w->conn >= 0);
	w->conns++;
	if (w->hang_up) {
		w->hang_up--;
		sk_fd_close(&w->conn);
		return;
	}
	sk_framer_init(&w->framer, 100000);
	w->reading = sk_watch_new(w->l, w->conn, on_read, w, NULL);
	sk_watch_set(w->reading, SK_READABLE);
}

static void set(struct world *w, const char *key, const char *value)
{
	assert_int_equal(sk_record_set(w->disc, key, value, NULL), 0);
}

static void open_world(struct world *w)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	char port[8];

	memset(w, 0, sizeof(*w));
	w->l = sk_loop_new(NULL);
	sk_loop_virtual(w->l, 1000000);
	w->rng.fill = fill;
	w->conn = -1;
	w->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(w->listener, (const struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(w->listener, 16), 0);
	assert_int_equal(getsockname(w->listener, (struct sockaddr *)&a, &len), 0);
	w->port = ntohs(a.sin_port);
	w->accepting = sk_watch_new(w->l, w->listener, on_accept, w, NULL);
	sk_watch_set(w->accepting, SK_READABLE);
	w->disc = sk_record_new(SK_REC_SENDTARGETS, NULL);
	snprintf(port, sizeof(port), "%u", w->port);
	set(w, "discovery.sendtargets.address", "127.0.0.1");
	set(w, "discovery.sendtargets.port", port);
	set(w, "discovery.sendtargets.reopen_max", "2");
	w->peer.targets = TWO;
	w->peer.targets_n = sizeof(TWO) - 1;
}

static void close_world(struct world *w)
{
	sk_disc_free(w->d);
	sk_watch_free(w->accepting);
	hang_up(w);
	sk_fd_close(&w->listener);
	sk_record_free(w->disc);
	sk_loop_free(w->l);
}

static void on_say(void *ctx, const char *line)
{
	struct world *w = ctx;
	size_t at = strlen(w->said);

	snprintf(w->said + at, sizeof(w->said) - at, "%s\n", line);
}

static void on_done(void *ctx, const struct sk_found *found, unsigned n, const struct sk_err *err)
{
	struct world *w = ctx;

	assert_false(w->done);
	w->done = true;
	w->n = n;
	for (unsigned i = 0; i < n && i < 8; i++)
		w->found[i] = found[i];
	if (err)
		w->err = *err;
}

static void start(struct world *w, uint64_t deadline)
{
	static const struct sk_disc_events ev = { on_say, on_done };
	static const struct sk_iname me = { "iqn.2026-11.x:i" };
	struct sk_disc_cfg cfg = { .disc = w->disc, .initiator = &me, .deadline_ms = deadline };

	w->d = sk_disc_start(w->l, &w->rng, &cfg, &ev, w, NULL);
	assert_non_null(w->d);
}

/* Real sockets need real turns; the clock moves only here. */
static void run(struct world *w, uint64_t ms)
{
	for (uint64_t t = 0; t <= ms && !w->done; t += 500) {
		for (int i = 0; i < 30 && !w->done; i++) {
			sk_loop_turn(w->l, false);
			usleep(200);
		}
		sk_loop_advance(w->l, 500);
	}
}

static void the_whole_answer(void **st)
{
	struct world w;

	(void)st;
	open_world(&w);
	start(&w, UINT64_MAX);
	run(&w, 5000);
	assert_true(w.done);
	assert_int_equal(w.err.code, SK_OK);
	assert_int_equal(w.n, 3);
	assert_string_equal(w.found[0].target.s, "iqn.2026-11.x:a");
	assert_string_equal(w.found[0].portal.host, "192.0.2.1");
	assert_string_equal(w.found[1].target.s, "iqn.2026-11.x:b");
	assert_string_equal(w.found[1].portal.host, "127.0.0.1");	/* 0.0.0.0 is where it was asked */
	assert_int_equal(w.found[1].portal.port, 3261);
	assert_string_equal(w.found[2].portal.host, "2001:db8::1");
	assert_string_equal(w.said, "");
	assert_int_equal(w.peer.logouts, 1);
	assert_non_null(strstr(w.peer.names, "SessionType=Discovery\n"));
	assert_null(strstr(w.peer.names, "TargetName"));
	close_world(&w);
}

static void an_answer_in_many_pieces(void **st)
{
	(void)st;
	for (size_t cut = 8; cut < 80; cut += 9) {
		struct world w;

		open_world(&w);
		w.peer.cut = cut;
		start(&w, UINT64_MAX);
		run(&w, 5000);
		assert_true(w.done);
		assert_int_equal(w.n, 3);
		close_world(&w);
	}
}

static void nothing_visible_is_no_error(void **st)
{
	struct world w;

	(void)st;
	open_world(&w);
	w.peer.targets_n = 0;
	start(&w, UINT64_MAX);
	run(&w, 5000);
	assert_true(w.done);
	assert_int_equal(w.err.code, SK_OK);
	assert_int_equal(w.n, 0);
	close_world(&w);
}

static void refused_connections_are_tried_again(void **st)
{
	struct world w;
	char line[64];

	(void)st;
	open_world(&w);
	sk_watch_free(w.accepting);
	w.accepting = NULL;
	sk_fd_close(&w.listener);
	start(&w, UINT64_MAX);
	run(&w, 20000);
	assert_true(w.done);
	assert_int_equal(sk_result_of_discovery(&w.err), SK_RES_PDU_TIMEOUT);
	snprintf(line, sizeof(line), "%s", "cannot make connection to 127.0.0.1: Connection refused\n");
	assert_int_equal(strncmp(w.said, line, strlen(line)), 0);
	assert_string_equal(w.said + 3 * strlen(line), "connection login retries (reopen_max) 2 exceeded\n");
	close_world(&w);
}

static void a_lost_connection_is_no_end(void **st)
{
	struct world w;

	(void)st;
	open_world(&w);
	w.hang_up = 2;
	start(&w, UINT64_MAX);
	run(&w, 20000);
	assert_true(w.done);
	assert_int_equal(w.n, 3);
	assert_int_equal(w.conns, 3);
	assert_non_null(strstr(w.said, "Connection to Discovery Address 127.0.0.1 "));
	assert_non_null(strstr(w.said, "retrying discovery login to 127.0.0.1\n"));
	close_world(&w);
}

static void statuses_have_their_words_and_codes(void **st)
{
	static const struct {
		uint16_t status;
		enum sk_result code;
		unsigned logins;
		const char *said;
	} rows[] = {
		{ 0x0201, SK_RES_LOGIN_AUTH_FAILED, 1, "Login failed to authenticate with target \n"
		  "discovery login to 127.0.0.1 rejected: initiator failed authorization\n" },
		{ 0x0203, SK_RES_FATAL_LOGIN, 1,
		  "discovery login to 127.0.0.1 rejected: initiator error (02/03), non-retryable, giving up\n" },
		{ 0x0301, SK_RES_PDU_TIMEOUT, 3, "discovery login to 127.0.0.1 rejected: target error (03/01)\n"
		  "discovery login to 127.0.0.1 rejected: target error (03/01)\n"
		  "discovery login to 127.0.0.1 rejected: target error (03/01)\n"
		  "connection login retries (reopen_max) 2 exceeded\n" },
	};

	(void)st;
	for (size_t i = 0; i < SK_ARRAY_LEN(rows); i++) {
		struct world w;

		open_world(&w);
		w.peer.status = rows[i].status;
		start(&w, UINT64_MAX);
		run(&w, 20000);
		assert_true(w.done);
		assert_int_equal(sk_result_of_discovery(&w.err), rows[i].code);
		assert_int_equal(w.peer.logins, rows[i].logins);
		assert_string_equal(w.said, rows[i].said);
		close_world(&w);
	}
}

static void silence_has_its_limits(void **st)
{
	struct world w;

	(void)st;
	open_world(&w);
	w.peer.silent = true;
	start(&w, UINT64_MAX);
	run(&w, 14000);
	assert_false(w.done);
	run(&w, 60000);			/* three logins of 15 s, two pauses */
	assert_true(w.done);
	assert_int_equal(sk_result_of_discovery(&w.err), SK_RES_PDU_TIMEOUT);
	close_world(&w);
	open_world(&w);			/* and the caller's own */
	w.peer.silent = true;
	start(&w, 1000000 + 5000);
	run(&w, 6000);
	assert_true(w.done);
	assert_int_equal(w.err.code, SK_ETIME);
	close_world(&w);
}

static void a_redirect_is_followed(void **st)
{
	struct world w;
	char to[40];

	(void)st;
	open_world(&w);
	snprintf(to, sizeof(to), "127.0.0.1:%u", w.port);
	w.peer.status = 0x0101;
	w.peer.redirect = to;
	start(&w, UINT64_MAX);
	run(&w, 5000);			/* to itself, again and again */
	assert_true(w.done);
	assert_int_equal(w.peer.logins, 17);
	assert_int_equal(sk_result_of_discovery(&w.err), SK_RES_FATAL_LOGIN);
	close_world(&w);
}

static void stopped_in_the_middle(void **st)
{
	(void)st;
	for (int turns = 0; turns < 25; turns++) {
		struct world w;

		open_world(&w);
		start(&w, UINT64_MAX);
		for (int i = 0; i < turns && !w.done; i++) {
			sk_loop_turn(w.l, false);
			sk_loop_advance(w.l, 0);
			usleep(100);
		}
		close_world(&w);
	}
}

static void pauses_grow(void **st)
{
	static const struct {
		unsigned failures;
		uint32_t ms;
	} rows[] = { { 0, 0 }, { 1, 1000 }, { 9, 1000 }, { 10, 2000 }, { 20, 2000 }, { 21, 5000 }, { 26, 5000 }, { 27, 15000 },
		     { 34, 15000 }, { 35, 60000 }, { 100000, 60000 } };

	(void)st;
	for (size_t i = 0; i < SK_ARRAY_LEN(rows); i++)
		assert_int_equal(sk_disc_pause(rows[i].failures), rows[i].ms);
}

static void bad_settings_are_refused(void **st)
{
	static const struct sk_disc_events ev = { on_say, on_done };
	static const struct sk_iname me = { "iqn.2026-11.x:i" }, nobody = { "" };
	struct sk_err err = { 0 };
	struct sk_disc_cfg cfg;
	struct world w;

	(void)st;
	open_world(&w);
	cfg = (struct sk_disc_cfg){ .disc = w.disc, .initiator = &nobody, .deadline_ms = UINT64_MAX };
	assert_null(sk_disc_start(w.l, &w.rng, &cfg, &ev, &w, &err));
	cfg.initiator = &me;
	set(&w, "discovery.sendtargets.address", "");
	assert_null(sk_disc_start(w.l, &w.rng, &cfg, &ev, &w, &err));
	assert_int_equal(err.code, SK_EINVAL);
	close_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_whole_answer),
		cmocka_unit_test(an_answer_in_many_pieces),
		cmocka_unit_test(nothing_visible_is_no_error),
		cmocka_unit_test(refused_connections_are_tried_again),
		cmocka_unit_test(a_lost_connection_is_no_end),
		cmocka_unit_test(statuses_have_their_words_and_codes),
		cmocka_unit_test(silence_has_its_limits),
		cmocka_unit_test(a_redirect_is_followed),
		cmocka_unit_test(stopped_in_the_middle),
		cmocka_unit_test(pauses_grow),
		cmocka_unit_test(bad_settings_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
