/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "wire/netdev.h"
#include "wire/tcp.h"

enum in_pdu { KEEP, CLOSE, DETACH };

struct world {
	struct sk_loop *l;
	struct sk_wire *w;
	struct sockaddr_storage addr;
	int listener, peer, fd;
	unsigned ups, downs, pdus;
	enum in_pdu in_pdu;
	int detached; /* result of sk_wire_detach */
	struct sk_err why;
	uint8_t op[100];
	char data[100][20];
};

static void on_up(void *ctx)
{
	struct world *w = ctx;

	w->ups++;
	sk_loop_stop(w->l);
}

static void on_pdu(void *ctx, const struct sk_pdu *pdu)
{
	struct world *w = ctx;

	w->op[w->pdus] = pdu->bhs[0];
	snprintf(w->data[w->pdus], sizeof(w->data[0]), "%s", sk_buf_cstr(&pdu->data));
	w->pdus++;
	if (w->in_pdu == CLOSE)
		sk_wire_close(sk_give(w->w));
	else if (w->in_pdu == DETACH)
		w->detached = sk_wire_detach(sk_give(w->w), &w->fd, &w->why);
	sk_loop_stop(w->l);
}

static void on_down(void *ctx, const struct sk_err *why)
{
	struct world *w = ctx;

	w->downs++;
	w->why = *why;
	if (w->in_pdu == CLOSE)
		sk_wire_close(sk_give(w->w));
	sk_loop_stop(w->l);
}

static void on_stop(void *ctx)
{
	sk_loop_stop(ctx);
}

static const struct sk_wire_events events = { on_up, on_pdu, on_down };

static int setup(void **st)
{
	struct world *w = calloc(1, sizeof(*w));
	struct sockaddr_in *in = (struct sockaddr_in *)&w->addr;
	socklen_t len = sizeof(*in);

	*st = w;
	w->l = sk_loop_new(NULL);
	w->peer = w->fd = -1;
	w->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	in->sin_family = AF_INET;
	in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return bind(w->listener, (struct sockaddr *)in, len) || listen(w->listener, 5) ||
	       getsockname(w->listener, (struct sockaddr *)in, &len);
}

static int teardown(void **st)
{
	struct world *w = *st;

	sk_wire_close(w->w);
	sk_loop_free(w->l);
	sk_fd_close(&w->listener);
	sk_fd_close(&w->peer);
	sk_fd_close(&w->fd);
	free(w);
	return 0;
}

static void dial(struct world *w, const struct sk_wire_cfg *cfg)
{
	struct sk_wire_cfg plain = { .max_data = 8192 };
	struct sk_err err = { 0 };

	w->w = sk_wire_open(w->l, &w->addr, cfg ? cfg : &plain, &events, w, &err);
	if (!w->w)
		fail_msg("%s", err.msg);
	assert_int_equal(w->ups, 0); /* never from inside the call */
	sk_loop_run(w->l);
	assert_int_equal(w->ups, 1);
	w->peer = accept4(w->listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(w->peer >= 0);
}

static void put(struct sk_buf *b, uint8_t op, const char *text)
{
	struct sk_pdu pdu = { .bhs = { op } };

	sk_buf_str(&pdu.data, text);
	assert_int_equal(sk_pdu_put_wire(b, &pdu, NULL), 0);
	sk_pdu_free(&pdu);
}

static void give(struct world *w, const void *p, size_t n)
{
	assert_int_equal(send(w->peer, p, n, MSG_NOSIGNAL), (ssize_t)n);
}

static void pdus_come_whole_however_they_are_cut(void **st)
{
	struct world *w = *st;
	SK_BUF struct sk_buf b = { 0 };

	dial(w, NULL);
	put(&b, SK_OP_TEXT_RSP, "abcde");
	put(&b, SK_OP_NOP_IN, "");
	for (size_t i = 0; i < b.n; i++) {
		give(w, b.p + i, 1);
		if (i == 55 || i == 103)
			sk_loop_run(w->l);
	}
	assert_int_equal(w->pdus, 2);
	assert_string_equal(w->data[0], "abcde");
	assert_int_equal(w->op[1], SK_OP_NOP_IN);
	give(w, b.p, b.n); /* and both at once */
	give(w, b.p, b.n);
	while (w->pdus < 6)
		sk_loop_run(w->l);
	assert_string_equal(w->data[4], "abcde");
}

static void what_is_sent_arrives_padded(void **st)
{
	struct world *w = *st;
	struct sk_pdu pdu = { .bhs = { SK_OP_TEXT_REQ } };
	uint8_t got[56];

	dial(w, NULL);
	sk_buf_str(&pdu.data, "abcde");
	assert_int_equal(sk_wire_send(w->w, &pdu, NULL), 0);
	assert_null(pdu.data.p);
	fcntl(w->peer, F_SETFL, O_NONBLOCK);
	assert_int_equal(recv(w->peer, got, 56, 0), -1); /* only from the loop */
	fcntl(w->peer, F_SETFL, 0);
	SK_BUF struct sk_buf b = { 0 };
	put(&b, SK_OP_NOP_IN, "");
	give(w, b.p, b.n);
	sk_loop_run(w->l);
	assert_int_equal(recv(w->peer, got, 56, MSG_WAITALL), 56);
	assert_int_equal(got[7], 5);
	assert_memory_equal(got + 48, "abcde\0\0\0", 8);
}

static void after_a_login_response_nothing_is_read_until_the_next_send(void **st)
{
	struct world *w = *st;
	SK_BUF struct sk_buf b = { 0 };
	char rest[60];

	dial(w, NULL);
	put(&b, SK_OP_LOGIN_RSP, "k=v");
	put(&b, SK_OP_NOP_IN, "ping"); /* the target is quick: full-feature phase already */
	give(w, b.p, b.n);
	w->in_pdu = DETACH;
	sk_loop_run(w->l);
	assert_int_equal(w->detached, 0);
	assert_int_equal(w->pdus, 1);
	assert_int_equal(recv(w->fd, rest, sizeof(rest), 0), 52); /* the ping is whole for its real reader */
	assert_memory_equal(rest + 48, "ping", 4);
	assert_true(fcntl(w->fd, F_GETFL) & O_NONBLOCK);
	int one = 0;
	socklen_t len = sizeof(one);
	assert_int_equal(getsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &one, &len), 0);
	assert_int_equal(one, 1);
}

static void reading_goes_on_after_a_send(void **st)
{
	struct world *w = *st;
	struct sk_pdu pdu = { .bhs = { SK_OP_LOGIN_REQ | SK_OP_IMMEDIATE } };
	SK_BUF struct sk_buf b = { 0 };

	dial(w, NULL);
	put(&b, SK_OP_LOGIN_RSP, "");
	put(&b, SK_OP_LOGIN_RSP, "");
	give(w, b.p, b.n);
	sk_loop_run(w->l);
	assert_int_equal(w->pdus, 1);
	assert_int_equal(sk_wire_send(w->w, &pdu, NULL), 0);
	sk_loop_run(w->l);
	assert_int_equal(w->pdus, 2);
}

static void detaching_in_the_middle_of_a_pdu_fails(void **st)
{
	struct world *w = *st;
	SK_BUF struct sk_buf b = { 0 };

	dial(w, NULL);
	w->in_pdu = DETACH;
	put(&b, SK_OP_NOP_IN, "");
	give(w, b.p, 20);
	for (int i = 0; i < 3; i++) { /* let it read the piece */
		struct sk_pdu pdu = { .bhs = { SK_OP_NOP_OUT } };
		uint8_t got[48];

		assert_int_equal(sk_wire_send(w->w, &pdu, NULL), 0);
		struct sk_timer *t = sk_timer_new(w->l, on_stop, w->l, NULL);
		sk_timer_at(t, sk_loop_now(w->l) + 1);
		sk_loop_run(w->l);
		sk_timer_free(t);
		assert_int_equal(recv(w->peer, got, 48, MSG_WAITALL), 48);
	}
	assert_int_equal(sk_wire_detach(sk_give(w->w), &w->fd, &w->why), -1);
	assert_int_equal(w->why.code, SK_EPROTO);
	assert_int_equal(w->fd, -1);
}

static void closing_inside_an_event_is_safe(void **st)
{
	struct world *w = *st;
	SK_BUF struct sk_buf b = { 0 };

	dial(w, NULL);
	w->in_pdu = CLOSE;
	put(&b, SK_OP_NOP_IN, "");
	put(&b, SK_OP_NOP_IN, "");
	give(w, b.p, b.n);
	sk_loop_run(w->l);
	assert_int_equal(w->pdus, 1);
	assert_int_equal(w->downs, 0);
}

static void expect_down(struct world *w, enum sk_code code, const char *words)
{
	sk_loop_run(w->l);
	assert_int_equal(w->downs, 1);
	if (code) /* else it depends on the machine's routes */
		assert_int_equal(w->why.code, code);
	if (!strstr(w->why.msg, words))
		fail_msg("\"%s\" lacks \"%s\"", w->why.msg, words);
}

static void a_refused_connection_is_told_once_and_later(void **st)
{
	struct world *w = *st;
	struct sk_wire_cfg cfg = { .max_data = 8192 };

	sk_fd_close(&w->listener);
	w->w = sk_wire_open(w->l, &w->addr, &cfg, &events, w, NULL);
	assert_non_null(w->w);
	assert_int_equal(w->downs, 0);
	expect_down(w, SK_ECONN, "Connection refused");
	assert_int_equal(w->why.sys, ECONNREFUSED);
	assert_int_equal(w->ups, 0);
	struct sk_pdu pdu = { .bhs = { SK_OP_NOP_OUT } };
	assert_int_equal(sk_wire_send(w->w, &pdu, &w->why), -1);
	assert_int_equal(w->why.code, SK_ECONN);
}

static void a_connect_that_fails_at_once_is_told_later_too(void **st)
{
	struct world *w = *st;
	struct sk_wire_cfg cfg = { .max_data = 8192 };
	struct sockaddr_in *in = (struct sockaddr_in *)&w->addr;

	in->sin_addr.s_addr = htonl(INADDR_BROADCAST); /* TCP to it: ENETUNREACH from connect itself */
	w->in_pdu = CLOSE;			       /* and the owner closes inside down */
	w->w = sk_wire_open(w->l, &w->addr, &cfg, &events, w, NULL);
	assert_non_null(w->w);
	assert_int_equal(w->downs, 0);
	expect_down(w, SK_OK, "connect to 255.255.255.255:");
}

static void a_closing_target_is_told_in_words(void **st)
{
	struct world *w = *st;

	dial(w, NULL);
	sk_fd_close(&w->peer);
	expect_down(w, SK_ECONN, "closed by the target");
	assert_null(strstr(w->why.msg, "middle"));
}

static void a_target_that_stops_in_a_pdu_is_told_apart(void **st)
{
	struct world *w = *st;

	dial(w, NULL);
	give(w, "\x20", 1);
	sk_fd_close(&w->peer);
	expect_down(w, SK_ECONN, "in the middle of a PDU");
}

static void a_reset_is_an_error_of_the_connection(void **st)
{
	struct world *w = *st;
	struct linger now = { 1, 0 };

	dial(w, NULL);
	setsockopt(w->peer, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	sk_fd_close(&w->peer);
	expect_down(w, SK_ECONN, "reset by peer");
}

static void more_data_than_allowed_is_the_targets_error(void **st)
{
	struct world *w = *st;
	uint8_t bhs[48] = { SK_OP_TEXT_RSP, 0x80, 0, 0, 0, 0, 0x20, 0x01 }; /* 8193 */

	dial(w, NULL);
	give(w, bhs, 48);
	expect_down(w, SK_EPROTO, "8193");
}

static void options_are_set(void **st)
{
	struct world *w = *st;
	struct sk_wire_cfg cfg = {
		.max_data = 8192, .window_size = 65536, .tos = 0x10, .congestion = "no-such", .netdev = "lo"
	};
	int v;
	socklen_t len = sizeof(v);
	char dev[16];

	if (geteuid() != 0)
		cfg.netdev[0] = '\0';
	dial(w, &cfg); /* an unknown congestion control is only logged */
	SK_BUF struct sk_buf b = { 0 };
	put(&b, SK_OP_LOGIN_RSP, "");
	give(w, b.p, b.n);
	w->in_pdu = DETACH;
	sk_loop_run(w->l);
	assert_int_equal(getsockopt(w->fd, IPPROTO_IP, IP_TOS, &v, &len), 0);
	assert_int_equal(v, 0x10);
	assert_int_equal(getsockopt(w->fd, SOL_SOCKET, SO_RCVBUF, &v, &len), 0);
	assert_int_equal(v, 131072); /* the kernel doubles it */
	len = sizeof(dev);
	assert_int_equal(getsockopt(w->fd, SOL_SOCKET, SO_BINDTODEVICE, dev, &len), 0);
	assert_string_equal(len ? dev : "", cfg.netdev);
}

static void a_device_that_does_not_exist_is_not_replaced(void **st)
{
	struct world *w = *st;
	struct sk_wire_cfg cfg = { .max_data = 8192, .netdev = "nosuchdev0" },
			   mac = { .hwaddress = "02:ff:00:00:00:01" };
	struct sk_wire_cfg bad = { .hwaddress = "02:ff:00" };
	struct sk_err err = { 0 };

	assert_null(sk_wire_open(w->l, &w->addr, &cfg, &events, w, &err));
	assert_int_equal(err.code, SK_ENOENT);
	assert_non_null(strstr(err.msg, "network device nosuchdev0 does not exist"));
	assert_null(sk_wire_open(w->l, &w->addr, &mac, &events, w, &err));
	assert_int_equal(err.code, SK_ENOENT);
	assert_non_null(strstr(err.msg, "no network device has the address 02:ff:00:00:00:01"));
	assert_null(sk_wire_open(w->l, &w->addr, &bad, &events, w, &err));
	assert_int_equal(err.code, SK_EINVAL);
}

static void a_source_address_chooses_its_device(void **st)
{
	struct world *w = *st;
	struct sk_wire_cfg cfg = { .max_data = 8192, .ipaddress = "127.0.0.1" },
			   absent = { .ipaddress = "192.0.2.77" }, elsewhere = { .netdev = "nosuchdev0", .ipaddress = "127.0.0.1" },
			   six = { .ipaddress = "::1" }, bad = { .ipaddress = "localhost" };
	struct sk_err err = { 0 };
	char dev[16] = "";
	socklen_t len = sizeof(dev);

	assert_null(sk_wire_open(w->l, &w->addr, &absent, &events, w, &err));
	assert_int_equal(err.code, SK_ENOENT);
	assert_non_null(strstr(err.msg, "no network device has the address 192.0.2.77"));
	assert_null(sk_wire_open(w->l, &w->addr, &elsewhere, &events, w, &err));
	assert_int_equal(err.code, SK_ENOENT);
	assert_non_null(strstr(err.msg, "no network device called nosuchdev0 has the address 127.0.0.1"));
	assert_null(sk_wire_open(w->l, &w->addr, &six, &events, w, &err));
	assert_int_equal(err.code, SK_EINVAL);
	assert_null(sk_wire_open(w->l, &w->addr, &bad, &events, w, &err));
	assert_int_equal(err.code, SK_EINVAL);
	if (geteuid() != 0)
		return;
	dial(w, &cfg);
	SK_BUF struct sk_buf b = { 0 };
	put(&b, SK_OP_LOGIN_RSP, "");
	give(w, b.p, b.n);
	w->in_pdu = DETACH;
	sk_loop_run(w->l);
	assert_int_equal(getsockopt(w->fd, SOL_SOCKET, SO_BINDTODEVICE, dev, &len), 0);
	assert_string_equal(dev, "lo");
}

static void a_device_is_found_by_its_address(void **st)
{
	char dev[16];

	(void)st;
	assert_int_equal(sk_netdev_of_hwaddress("00:00:00:00:00:00", dev, NULL), 0);
	assert_string_equal(dev, "lo");
}

static void addresses_are_printed_with_their_port(void **st)
{
	struct sockaddr_storage ss = { .ss_family = AF_INET6 };
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&ss;
	char text[SK_ADDR_TEXT];

	(void)st;
	six->sin6_addr = in6addr_loopback;
	six->sin6_port = htons(3260);
	sk_addr_text(&ss, text);
	assert_string_equal(text, "[::1]:3260");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(pdus_come_whole_however_they_are_cut),
		T(what_is_sent_arrives_padded),
		T(after_a_login_response_nothing_is_read_until_the_next_send),
		T(reading_goes_on_after_a_send),
		T(detaching_in_the_middle_of_a_pdu_fails),
		T(closing_inside_an_event_is_safe),
		T(a_refused_connection_is_told_once_and_later),
		T(a_connect_that_fails_at_once_is_told_later_too),
		T(a_closing_target_is_told_in_words),
		T(a_target_that_stops_in_a_pdu_is_told_apart),
		T(a_reset_is_an_error_of_the_connection),
		T(more_data_than_allowed_is_the_targets_error),
		T(options_are_set),
		T(a_device_that_does_not_exist_is_not_replaced),
		T(a_source_address_chooses_its_device),
		cmocka_unit_test(a_device_is_found_by_its_address),
		cmocka_unit_test(addresses_are_printed_with_their_port),
	};

	return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
