/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "transport/kernel/nl_msg.h"
#include "transport/kernel/params.h"

/** The messages of NETLINK_ISCSI byte by byte, as kernels 6.1 and 6.12 were seen to exchange them (little endian). */

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
	static const uint8_t create[] = { NL(72, 11), 11, 0, 0, 0, Z4, H, 1, 0, 0, 0, 0x80, 0, 0x20, 0, Z8, Z8, Z8, Z8 };
	static const uint8_t unbind[] = { NL(72, 27), 27, 0, 0, 0, Z4, H, 5, 0, 0, 0, Z4, Z8, Z8, Z8, Z8 };
	static const uint8_t start[] = { NL(72, 17), 17, 0, 0, 0, Z4, H, 5, 0, 0, 0, 2, 0, 0, 0, Z8, Z8, Z8, Z8 };
	static const uint8_t bind[] = { NL(72, 15), 15, 0, 0, 0, Z4, H, 5,  0, 0, 0, Z4, 9, 0, 0, 0, Z4,
					1,	    0,	0, 0, Z4, Z8, Z8 };
	static const uint8_t stop[] = { NL(72, 18), 18, 0, 0, 0, Z4, H, 5,  0, 0, 0, Z4, Z8, 3,
					0,	    0,	0, Z4, Z8, Z8 };
	static const uint8_t param[] = { NL(76, 16), 16, 0, 0,	 0,   Z4,  H, 5, 0, 0, 0, Z4, 30, 0, 0,
					 0,	     4,	 0, 0, 0, Z8, Z8, Z8, '1', '2', '3', 0 };
	static const uint8_t host[] = { NL(76, 26), 26, 0, 0, 0, Z4, H, 7,  0, 0, 0, 2, 0, 0, 0,
					4,	    0,	0, 0, Z4, Z8, Z8, Z8, 'l', 'o', '0', 0 };
	SK_BUF struct sk_buf out = { 0 };

	(void)st;
	sk_nl_put_create(&out, HANDLE, 1, 128, 32);
	same(&out, create, sizeof(create));
	sk_nl_put_session(&out, SK_NL_UNBIND_SESSION, HANDLE, 5);
	same(&out, unbind, sizeof(unbind));
	sk_nl_put_conn(&out, SK_NL_START_CONN, HANDLE, 5, 2);
	same(&out, start, sizeof(start));
	sk_nl_put_bind(&out, HANDLE, 5, 0, 9);
	same(&out, bind, sizeof(bind));
	sk_nl_put_stop(&out, HANDLE, 5, 0, SK_NL_STOP_RECOVER);
	same(&out, stop, sizeof(stop));
	assert_int_equal(sk_nl_put_param(&out, HANDLE, 5, 0, SK_NLP_PING_TMO, "123", NULL), 0);
	same(&out, param, sizeof(param));
	assert_int_equal(sk_nl_put_host_param(&out, HANDLE, 7, SK_NLH_NETDEV_NAME, "lo0", NULL), 0);
	same(&out, host, sizeof(host));
}

static void a_pdu_goes_with_its_length_and_without_padding(void **st)
{
	static const uint8_t head[] = { NL(72 + 48 + 5, 19), 19, 0, 0, 0, Z4, H, 5, 0, 0, 0, Z4, 48, 0, 0, 0, 5, 0, 0, 0, Z8, Z8, Z8 };
	SK_BUF struct sk_buf out = { 0 };
	struct sk_pdu pdu = { .bhs = { 0x43, 0x87 } };
	struct sk_err err = { 0 };

	(void)st;
	sk_buf_add(&pdu.data, "A=bc", 5);
	assert_int_equal(sk_nl_put_pdu(&out, HANDLE, 5, 0, &pdu, &err), 0);
	assert_int_equal(out.n, 72 + 48 + 5);
	assert_memory_equal(out.p, head, sizeof(head));
	assert_int_equal((uint8_t)out.p[72], 0x43);
	assert_int_equal((uint8_t)out.p[72 + 7], 5);
	assert_memory_equal(out.p + 72 + 48, "A=bc", 5);
	while (pdu.data.n <= SK_NL_PDU_MAX)
		sk_buf_add(&pdu.data, head, sizeof(head));
	assert_int_equal(sk_nl_put_pdu(&out, HANDLE, 5, 0, &pdu, &err), -1);
	assert_int_equal(err.code, SK_EINVAL);
	sk_pdu_free(&pdu);
}

static struct sk_nl_msg got(const uint8_t *p, size_t n)
{
	struct sk_nl_msg m;
	struct sk_err err = { 0 };

	if (sk_nl_get(sk_span(p, n), &m, &err) < 0)
		fail_msg("%s", err.msg);
	return m;
}

static void answers_and_both_ways_of_refusing(void **st)
{
	static const uint8_t created[] = { NL(72, 11), 11, 0, 0, 0, Z4, H, 1, 0, 0, 0, 0x80, 0, 0x20, 0, Z8, Z8, 3, 0, 0, 0, 7, 0, 0, 0, Z8 };
	static const uint8_t refused[] = { NL(72, 13), 103, 0, 0, 0, 0xea, 0xff, 0xff, 0xff, H, Z8, Z8, Z8, Z8, Z8 };
	static const uint8_t retcode[] = { NL(72, 15), 15, 0, 0, 0, 0xea, 0xff, 0xff, 0xff, H, Z8, Z8, Z8, 0x95, 0xff, 0xff, 0xff, Z4, Z8 };
	static const uint8_t stale[] = { NL(72, 16), 16, 0, 0, 0, 0xef, 0xff, 0xff, 0xff, H, Z8, Z8, Z8, Z8, Z8 };
	struct sk_nl_msg m = got(created, sizeof(created));

	(void)st;
	assert_int_equal(m.reply_to, SK_NL_CREATE_SESSION);
	assert_int_equal(m.error, 0);
	assert_int_equal(m.sid, 3);
	assert_int_equal(m.host, 7);
	assert_true(m.handle == HANDLE);
	m = got(refused, sizeof(refused));
	assert_int_equal(m.reply_to, SK_NL_CREATE_CONN);
	assert_int_equal(m.error, EINVAL);
	m = got(retcode, sizeof(retcode));
	assert_int_equal(m.error, ENOTCONN); /* of retcode: iferror is leftover memory there */
	assert_int_equal(got(stale, sizeof(stale)).error, 0);
}

static void events_name_session_and_host_in_different_orders(void **st)
{
	static const uint8_t destroyed[] = { NL(72, 0), 104, 0, 0, 0, 0xef, 0xff, 0xff, 0xff, H, Z8, Z8, Z8, 1, 0, 0, 0, 2, 0, 0, 0, Z8 };
	static const uint8_t unbound[] = { NL(72, 0), 105, 0, 0, 0, Z4, H, Z8, Z8, Z8, 2, 0, 0, 0, 1, 0, 0, 0, Z8 };
	static const uint8_t broken[] = { NL(72, 0), 102, 0, 0, 0, Z4, H, Z8, Z8, Z8, 2, 0, 0, 0, Z4, 0xfc, 3, 0, 0, Z4 };
	static const uint8_t unknown[] = { NL(72, 0), 200, 0, 0, 0, Z4, H, Z8, Z8, Z8, 2, 0, 0, 0, Z4, Z8 };
	struct sk_nl_msg m = got(destroyed, sizeof(destroyed));

	(void)st;
	assert_int_equal(m.reply_to, 0);
	assert_int_equal(m.host, 1);
	assert_int_equal(m.sid, 2);
	assert_int_equal(m.error, 0);
	m = got(unbound, sizeof(unbound));
	assert_int_equal(m.host, 1);
	assert_int_equal(m.sid, 2);
	m = got(broken, sizeof(broken));
	assert_int_equal(m.sid, 2);
	assert_int_equal(m.conn_error, 1020);
	m = got(unknown, sizeof(unknown));
	assert_int_equal(m.type, 200);
	assert_int_equal(m.sid, 0);
}

/* 118 bytes of data arrive as 120: the header's length counts, not the message's. */
static void a_pdu_is_as_long_as_its_header_says(void **st)
{
	uint8_t d[72 + 48 + 120] = { NL(72 + 48 + 120, 0), 101, 0, 0, 0, Z4, H, Z8, Z8, Z8, 5, 0, 0, 0, Z4, Z8, 0x23, 0x87 };
	struct sk_nl_msg m;
	struct sk_err err = { 0 };

	(void)st;
	d[72 + 7] = 118;
	m = got(d, sizeof(d));
	assert_int_equal(m.sid, 5);
	assert_int_equal(m.bhs.n, 48);
	assert_int_equal(m.data.n, 118);
	assert_ptr_equal(m.data.p, d + 72 + 48);
	d[72 + 7] = 121;
	assert_int_equal(sk_nl_get(sk_span(d, sizeof(d)), &m, &err), -1);
	d[72 + 7] = 0;
	for (size_t n = 0; n < 72 + 48; n++) {
		uint32_t len = (uint32_t)n;

		memcpy(d, &len, 4);
		assert_int_equal(sk_nl_get(sk_span(d, n), &m, &err), -1);
	}
	assert_int_equal(err.code, SK_EPROTO);
}

static void statistics_with_the_counters_of_tcp(void **st)
{
	uint8_t d[72 + 96 + 72] = { NL(72 + 96 + 72, 0), 20, 0, 0, 0, Z4, H, 5, 0, 0, 0, Z4 };
	char name[65];
	uint64_t v = 0;
	struct sk_nl_msg m;

	(void)st;
	d[72] = 0x10;		/* txdata_octets */
	d[72 + 20] = 7;		/* scsicmd_pdus */
	d[72 + 92] = 1;		/* one of the transport's own */
	memcpy(d + 72 + 96, "eh_abort_cnt", 12);
	d[72 + 96 + 64] = 9;
	m = got(d, sizeof(d));
	assert_int_equal(m.sid, 5);
	assert_true(sk_nl_stat(m.stats, 0, name, &v));
	assert_string_equal(name, "txdata_octets");
	assert_int_equal(v, 16);
	assert_true(sk_nl_stat(m.stats, 3, name, &v));
	assert_string_equal(name, "scsicmd_pdus");
	assert_int_equal(v, 7);
	assert_true(sk_nl_stat(m.stats, 21, name, &v));
	assert_string_equal(name, "eh_abort_cnt");
	assert_int_equal(v, 9);
	assert_false(sk_nl_stat(m.stats, 22, name, &v));
	d[72 + 92] = 2;
	assert_int_equal(sk_nl_get(sk_span(d, sizeof(d)), &m, NULL), -1);
	d[72 + 92] = 33;
	assert_int_equal(sk_nl_get(sk_span(d, sizeof(d)), &m, NULL), -1);
}

#endif

static void every_connection_error_has_words(void **st)
{
	const char *name, *text;

	(void)st;
	for (uint32_t i = 1001; i <= 1022; i++) {
		assert_true(sk_nl_conn_error(i, &name, &text));
		assert_memory_equal(name, "ISCSI_ERR_", 10);
		assert_true(strlen(text) > 8);
	}
	assert_false(sk_nl_conn_error(1000, &name, &text));
	assert_false(sk_nl_conn_error(1023, &name, &text));
	assert_true(strlen(text) > 8);
	sk_nl_conn_error(1020, &name, &text);
	assert_string_equal(name, "ISCSI_ERR_TCP_CONN_CLOSE");
}

/* --- parameters ------------------------------------------------------------------------------------------------- */

static const char *value(const struct sk_kparams *l, bool host, uint32_t number)
{
	for (unsigned i = 0; i < l->n; i++)
		if (l->p[i].host == host && l->p[i].number == number)
			return l->p[i].text;
	return NULL;
}

static void parameters_of_a_record(void **st)
{
	struct sk_record *r = sk_record_new(SK_REC_NODE, NULL);
	struct sk_kparams l;

	(void)st;
	assert_int_equal(sk_record_set(r, "node.name", "iqn.2026-11.x:d", NULL), 0);
	assert_int_equal(sk_record_set(r, "node.conn[0].address", "10.0.0.1", NULL), 0);
	assert_int_equal(sk_record_set(r, "node.session.timeo.replacement_timeout", "-1", NULL), 0);
	assert_int_equal(sk_record_set(r, "node.session.auth.username", "me", NULL), 0);
	sk_kparams_login(&l, r, "iqn.2026-11.x:i", "if0");
	assert_string_equal(value(&l, false, SK_NLP_TARGET_NAME), "iqn.2026-11.x:d");
	assert_string_equal(value(&l, false, SK_NLP_INITIATOR_NAME), "iqn.2026-11.x:i");
	assert_string_equal(value(&l, false, SK_NLP_IFACE_NAME), "if0");
	assert_string_equal(value(&l, false, SK_NLP_PERSISTENT_ADDRESS), "10.0.0.1");
	assert_string_equal(value(&l, false, SK_NLP_PERSISTENT_PORT), "3260");
	assert_string_equal(value(&l, false, SK_NLP_SESS_RECOVERY_TMO), "-1");
	assert_null(value(&l, false, SK_NLP_USERNAME)); /* no CHAP: no names */
	assert_null(value(&l, false, SK_NLP_HDRDGST_EN)); /* would take effect in the middle of the login */
	assert_null(value(&l, true, SK_NLH_NETDEV_NAME));
	assert_int_equal(sk_record_set(r, "node.session.auth.authmethod", "CHAP", NULL), 0);
	sk_kparams_login(&l, r, "iqn.2026-11.x:i", "if0");
	assert_string_equal(value(&l, false, SK_NLP_USERNAME), "me");
	sk_record_free(r);
}

static void what_was_negotiated(void **st)
{
	struct sk_params p = { .header_digest = true, .max_recv_dsl = 262144, .max_xmit_dsl = 8192, .max_burst = 1 << 20,
			       .first_burst = 65536, .max_outstanding_r2t = 5, .exp_stat_sn = 0xfffffff0, .tpgt = 3 };
	struct sk_kparams l;

	(void)st;
	sk_kparams_negotiated(&l, &p);
	assert_string_equal(value(&l, false, SK_NLP_HDRDGST_EN), "1");
	assert_string_equal(value(&l, false, SK_NLP_DATADGST_EN), "0");
	assert_string_equal(value(&l, false, SK_NLP_MAX_R2T), "4"); /* the kernel takes powers of two only */
	assert_string_equal(value(&l, false, SK_NLP_EXP_STATSN), "4294967280");
	assert_string_equal(value(&l, false, SK_NLP_TPGT), "3");
	assert_string_equal(value(&l, false, SK_NLP_MAX_RECV_DLENGTH), "262144");
	p.tpgt = -1;
	p.max_outstanding_r2t = 65535;
	sk_kparams_negotiated(&l, &p);
	assert_null(value(&l, false, SK_NLP_TPGT));
	assert_string_equal(value(&l, false, SK_NLP_MAX_R2T), "32768");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
		cmocka_unit_test(requests_byte_by_byte),
		cmocka_unit_test(a_pdu_goes_with_its_length_and_without_padding),
		cmocka_unit_test(answers_and_both_ways_of_refusing),
		cmocka_unit_test(events_name_session_and_host_in_different_orders),
		cmocka_unit_test(a_pdu_is_as_long_as_its_header_says),
		cmocka_unit_test(statistics_with_the_counters_of_tcp),
#endif
		cmocka_unit_test(every_connection_error_has_words),
		cmocka_unit_test(parameters_of_a_record),
		cmocka_unit_test(what_was_negotiated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
