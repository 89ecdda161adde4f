/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "transport/kernel/nl_host.h"
#include "transport/kernel/nl_sock.h"

/** An adapter's CHAP table, flash nodes and counters as bytes (little endian), and asked of a kernel played on a pair of sockets. */

#define HANDLE 0x1122334455667788ULL
#define H      0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11
#define Z4     0, 0, 0, 0
#define Z8     Z4, Z4
#define NL(len, type) (len) & 0xff, (len) >> 8, 0, 0, type, 0, 0, 0, Z8

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__

static void same(const struct sk_buf *out, const uint8_t *want, size_t n)
{
	assert_int_equal(out->n, n);
	assert_memory_equal(out->p, want, n);
}

static void requests_byte_by_byte(void **st)
{
	static const uint8_t get[] = { NL(72, 33), 33, 0, 0, 0, Z4, H, 7, 0, 0, 0, 16, 0, 0, 0, 3, 1, 0, 0, Z4, Z8, Z8, Z8 };
	static const uint8_t del[] = { NL(72, 34), 34, 0, 0, 0, Z4, H, 7, 0, 0, 0, 3, 1, 0, 0, Z8, Z8, Z8, Z8 };
	static const uint8_t node[] = { NL(77, 36), 36, 0, 0, 0, Z4, H, 7, 0, 0, 0, 5, 0, 0, 0, Z8, Z8, Z8, Z8, 'i', 'p', 'v', '6', 0 };
	static const uint8_t login[] = { NL(72, 38), 38, 0, 0, 0, Z4, H, 7, 0, 0, 0, 9, 0, 0, 0, Z8, Z8, Z8, Z8 };
	static const uint8_t stats[] = { NL(72, 42), 42, 0, 0, 0, Z4, H, 7, 0, 0, 0, Z4, Z8, Z8, Z8, Z8 };
	SK_BUF struct sk_buf out = { 0 };

	(void)st;
	sk_nl_put_get_chap(&out, HANDLE, 7, 0x103);
	assert_int_equal(out.n, 72);
	assert_memory_equal(out.p, get, 48);
	sk_nl_put_delete_chap(&out, HANDLE, 7, 0x103);
	assert_int_equal(out.n, 72);
	assert_memory_equal(out.p, del, 48);
	sk_nl_put_new_flashnode(&out, HANDLE, 7, true);
	same(&out, node, sizeof(node));
	sk_nl_put_host(&out, SK_NL_LOGIN_FLASHNODE, HANDLE, 7, 9);
	same(&out, login, sizeof(login));
	sk_nl_put_host(&out, SK_NL_GET_HOST_STATS, HANDLE, 7, 0);
	same(&out, stats, sizeof(stats));
}

static void a_chap_entry_is_five_attributes(void **st)
{
	static const uint8_t want[] = {
		12, 0, 0, 0, 2, 0, 0, 0, 0, 0, 5, 0,			      /* index 5 */
		14, 0, 1, 0, 4, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0,	      /* incoming, and two of padding */
		13, 0, 2, 0, 3, 0, 0, 0, 2, 0, 'b', 'o', 'b', 0, 0, 0,	      /* the name, without NUL */
		12, 0, 3, 0, 2, 0, 0, 0, 3, 0, 'p', 'w',		      /* the secret */
		11, 0, 4, 0, 1, 0, 0, 0, 4, 0, 2, 0,			      /* its length */
	};
	struct sk_nl_chap c = { .index = 5, .incoming = true, .username = "bob", .password = "pw" };
	SK_BUF struct sk_buf out = { 0 };
	struct sk_err err = { 0 };

	(void)st;
	assert_int_equal(sk_nl_put_set_chap(&out, HANDLE, 7, &c, &err), 0);
	assert_int_equal(out.n, SK_NL_HEAD + sizeof(want));
	assert_memory_equal(out.p + SK_NL_HEAD, want, sizeof(want));
	c.password[0] = '\0';
	assert_int_equal(sk_nl_put_set_chap(&out, HANDLE, 7, &c, &err), -1);
	memset(c.password, 'x', sizeof(c.password));
	assert_int_equal(sk_nl_put_set_chap(&out, HANDLE, 7, &c, &err), -1);
	assert_int_equal(err.code, SK_EINVAL);
}

static int add(struct sk_flash_list *l, const char *name, const char *value, struct sk_err *err)
{
	const struct sk_flash_field *f = sk_flash_field(name);

	assert_non_null(f);
	return sk_flash_add(l, f, value, err);
}

static void a_flash_node_s_fields_fit_or_are_refused(void **st)
{
	static const uint8_t want[] = {
		14, 0, 25, 0, 4, 0, 0, 0, 25, 0, 0, 0, 1, 0, 0, 0,		  /* first_burst_len, 65536 */
		14, 0, 35, 0, 4, 0, 0, 0, 35, 0, 10, 1, 2, 3, 0, 0,		  /* ipaddress */
		12, 0, 32, 0, 2, 0, 0, 0, 32, 0, 0xbc, 0x0c,			  /* port, 3260 */
		14, 0, 43, 0, 4, 0, 0, 0, 43, 0, 'i', 'q', 'n', 0, 0, 0,	  /* targetname, with NUL */
	};
	struct sk_flash_list l = { 0 };
	SK_BUF struct sk_buf out = { 0 };
	struct sk_err err = { 0 };

	(void)st;
	assert_int_equal(add(&l, "flashnode.session.first_burst_len", "65536", &err), 0);
	assert_int_equal(add(&l, "flashnode.conn[0].ipaddress", "10.1.2.3", &err), 0);
	assert_int_equal(add(&l, "flashnode.conn[0].port", "3260", &err), 0);
	assert_int_equal(add(&l, "flashnode.session.targetname", "iqn", &err), 0);
	assert_int_equal(add(&l, "flashnode.conn[0].port", "65536", &err), -1);
	assert_int_equal(add(&l, "flashnode.conn[0].port", "x", &err), -1);
	assert_int_equal(add(&l, "flashnode.conn[0].ipaddress", "10.1.2", &err), -1);
	assert_int_equal(add(&l, "flashnode.session.erl", "256", &err), -1);
	assert_int_equal(err.code, SK_EINVAL);
	assert_int_equal(l.n, 4);
	same(&l.attrs, want, sizeof(want));
	sk_nl_put_set_flashnode(&out, HANDLE, 7, 9, &l);
	assert_int_equal(out.n, SK_NL_HEAD + sizeof(want));
	assert_int_equal(out.p[40], 4); /* how many */
	assert_null(sk_flash_field("flashnode.session.bogus"));
	sk_buf_free(&l.attrs);
}

/* What the kernel sends to group 1. */
static size_t event(uint8_t *b, size_t size, uint16_t nl, uint32_t type, uint32_t u0, uint32_t u1, const void *payload, size_t n)
{
	uint32_t len = (uint32_t)(SK_NL_HEAD + n);

	assert_true(len <= size);
	memset(b, 0, SK_NL_HEAD);
	memcpy(b, &len, 4);
	memcpy(b + 4, &nl, 2);
	memcpy(b + 16, &type, 4);
	memcpy(b + 32, &u0, 4);
	memcpy(b + 36, &u1, 4);
	memcpy(b + SK_NL_HEAD, payload, n);
	return len;
}

static void a_table_is_read_as_far_as_it_goes(void **st)
{
	uint8_t table[2 * SK_NL_CHAP_LEN] = { 4, 0 }, b[SK_NL_DATAGRAM];
	struct sk_nl_msg m;
	struct sk_nl_chap c;
	size_t n;

	(void)st;
	memcpy(table + 8, "al\nice", 6);
	memset(table + 264, 'p', 256); /* a secret without NUL */
	table[SK_NL_CHAP_LEN] = 9;
	table[SK_NL_CHAP_LEN + 4] = 1;
	n = event(b, sizeof(b), 0, SK_NL_GET_CHAP, 7, 2, table, sizeof(table));
	assert_int_equal(sk_nl_get(sk_span(b, n), &m, NULL), 0);
	assert_int_equal(m.host, 7);
	assert_int_equal(m.index, 2);
	assert_true(sk_nl_chap(m.table, 0, &c));
	assert_int_equal(c.index, 4);
	assert_false(c.incoming);
	assert_string_equal(c.username, "al?ice");
	assert_int_equal(strlen(c.password), 255);
	assert_true(sk_nl_chap(m.table, 1, &c));
	assert_true(c.incoming);
	assert_false(sk_nl_chap(m.table, 2, &c));
	assert_false(sk_nl_chap(sk_span(table, SK_NL_CHAP_LEN - 1), 0, &c));
}

static void counters_of_a_short_answer_are_none(void **st)
{
	uint8_t table[664] = { 0 };
	uint64_t v = 77;
	const char *name = NULL;

	(void)st;
	memcpy(table + 648, &v, sizeof(v));
	v = 0;
	assert_true(sk_nl_host_stat(sk_span(table, sizeof(table)), 81, &name, &v));
	assert_string_equal(name, "iscsi_sequence_error");
	assert_int_equal(v, 77);
	assert_false(sk_nl_host_stat(sk_span(table, sizeof(table)), 82, &name, &v));
	assert_false(sk_nl_host_stat(sk_span(table, 655), 0, &name, &v));
	assert_true(sk_nl_host_stat(sk_span(table, 656), 0, &name, &v));
	assert_string_equal(name, "mactx_frames");
}

static void the_answer_to_all_is_the_answer(void **st)
{
	uint8_t b[SK_NL_DATAGRAM], buf[SK_NL_DATAGRAM], table[664] = { 5 };
	SK_BUF struct sk_buf out = { 0 };
	struct sk_err err = { 0 };
	struct sk_nl_msg m;
	int fds[2];
	size_t n;

	(void)st;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds), 0);
	sk_nl_put_host(&out, SK_NL_GET_HOST_STATS, HANDLE, 7, 0);
	n = event(b, sizeof(b), 0, SK_NL_EV_CONN_ERROR, 0, 0, "", 0); /* somebody's */
	assert_int_equal(send(fds[1], b, n, 0), n);
	n = event(b, sizeof(b), SK_NL_GET_HOST_STATS, SK_NL_GET_HOST_STATS, 7, 0, "", 0); /* "done", of older kernels */
	assert_int_equal(send(fds[1], b, n, 0), n);
	n = event(b, sizeof(b), 0, SK_NL_GET_HOST_STATS, 7, 0, table, sizeof(table));
	assert_int_equal(send(fds[1], b, n, 0), n);
	assert_int_equal(sk_nl_ask(fds[0], &out, buf, &m, &err), 0);
	assert_int_equal(m.table.n, sizeof(table));
	assert_int_equal(m.table.p[0], 5);
	n = event(b, sizeof(b), SK_NL_GET_HOST_STATS, SK_NL_EV_IF_ERROR, 7, 0, "", 0);
	memcpy(b + 20, &(int32_t){ -ENOSYS }, 4);
	assert_int_equal(send(fds[1], b, n, 0), n);
	assert_int_equal(sk_nl_ask(fds[0], &out, buf, &m, &err), -1);
	assert_int_equal(err.sys, ENOSYS);
	sk_fd_close(&fds[0]);
	sk_fd_close(&fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_byte_by_byte),
		cmocka_unit_test(a_chap_entry_is_five_attributes),
		cmocka_unit_test(a_flash_node_s_fields_fit_or_are_refused),
		cmocka_unit_test(a_table_is_read_as_far_as_it_goes),
		cmocka_unit_test(counters_of_a_short_answer_are_none),
		cmocka_unit_test(the_answer_to_all_is_the_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
	return 77; /* the bytes above are little endian */
}

#endif
