/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "iscsi-session/boundary.h"
#include "iscsi-session/ping.h"

static struct sk_b_msg example(enum sk_b_type type)
{
	struct sk_b_msg m;

	memset(&m, 0, sizeof(m));
	m.type = type;
	switch (type) {
	case SK_B_START:
		m.start.params.max_burst = 262144;
		m.start.params.tpgt = -1;
		m.start.params.header_digest = true;
		m.start.params.isid.b[5] = 9;
		memcpy(m.start.params.target_alias, "alias", 6);
		m.start.timers.replacement_s = -1;
		m.start.cmds_max = 128;
		m.start.scan = true;
		break;
	case SK_B_LUN:
		m.lun.lun = 0x4001020304050607;
		m.lun.unit = 7;
		m.lun.blocks = 1ULL << 40;
		memcpy(m.lun.wwid, "naa.6001405", 12);
		break;
	default:
		break;
	}
	return m;
}

static void every_type_comes_back_as_it_went(void **st)
{
	uint8_t packet[SK_B_MAX];
	struct sk_b_msg m, back;
	size_t n;

	(void)st;
	for (int t = SK_B_NONE + 1; t < SK_B_TYPES; t++) {
		m = example((enum sk_b_type)t);
		n = sk_b_encode(&m, packet);
		assert_int_equal(sk_b_decode(sk_span(packet, n), &back, NULL), 0);
		assert_memory_equal(&m, &back, sizeof(m));
	}
}

static void a_byte_more_or_less_is_refused(void **st)
{
	uint8_t packet[SK_B_MAX + 1] = { 0 };
	struct sk_b_msg m, back;
	struct sk_err err;
	size_t n;

	(void)st;
	memset(&back, 0x5a, sizeof(back));
	for (int t = SK_B_NONE + 1; t < SK_B_TYPES; t++) {
		m = example((enum sk_b_type)t);
		n = sk_b_encode(&m, packet);
		for (size_t cut = 0; cut <= n + 1; cut++)
			if (cut != n) {
				assert_int_equal(sk_b_decode(sk_span(packet, cut), &back, &err), -1);
				assert_int_equal(err.code, SK_EPROTO);
			}
	}
	for (size_t i = 0; i < sizeof(back); i++)
		assert_int_equal(((uint8_t *)&back)[i], 0x5a);
}

static void odd_values_are_refused(void **st)
{
	struct sk_b_msg m = example(SK_B_LUN), back;
	uint8_t packet[SK_B_MAX], was;
	size_t n = sk_b_encode(&m, packet);
	static const struct { size_t at; uint8_t v; } bad[] = {
		{ 0, 0xff }, { 1, 0 },			/* unknown types */
		{ 2 + 8 + 4 + 1, 2 },			/* read_only is neither 0 nor 1 */
		{ 2 + 8 + 4 + 1 + 1 + 8 + 4 + 4 + 4, '\n' },	/* vendor */
	};

	(void)st;
	for (size_t i = 0; i < SK_ARRAY_LEN(bad); i++) {
		was = packet[bad[i].at];
		packet[bad[i].at] = bad[i].v;
		assert_int_equal(sk_b_decode(sk_span(packet, n), &back, NULL), -1);
		packet[bad[i].at] = was;
	}
	memset(packet + n - SK_B_WWID, 'x', SK_B_WWID);		/* no end */
	assert_int_equal(sk_b_decode(sk_span(packet, n), &back, NULL), -1);
}

static void descriptors_travel_exactly(void **st)
{
	struct sk_b_msg m = example(SK_B_START), back;
	int pair[2], fds[SK_B_FDS], null[2] = { open("/dev/null", O_RDONLY), open("/dev/null", O_RDONLY) };
	uint8_t packet[SK_B_MAX];
	struct sk_err err;

	(void)st;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	assert_int_equal(sk_b_recv(pair[0], &back, fds, &err), 0);
	assert_int_equal(sk_b_send(pair[1], &m, null, &err), 0);
	assert_int_equal(sk_b_recv(pair[0], &back, fds, &err), 1);
	assert_true(fds[0] >= 0 && fds[1] >= 0 && fcntl(fds[1], F_GETFD) == FD_CLOEXEC);
	close(fds[0]);
	close(fds[1]);
	assert_true(send(pair[1], packet, sk_b_encode(&m, packet), 0) > 0);	/* without them */
	assert_int_equal(sk_b_recv(pair[0], &back, fds, &err), -1);
	assert_int_equal(err.code, SK_EPROTO);
	close(pair[1]);
	assert_int_equal(sk_b_recv(pair[0], &back, fds, &err), -1);
	assert_int_equal(err.code, SK_ENOTCONN);
	close(pair[0]);
	close(null[0]);
	close(null[1]);
}

static void a_failure_carries_its_words(void **st)
{
	struct sk_err why;
	struct sk_b_msg m;

	(void)st;
	sk_fail(&why, SK_ETIME, "no answer\nfor long");
	m = sk_b_result(SK_B_DOWN, &why, 3);
	assert_int_equal(m.result.code, SK_ETIME);
	assert_string_equal(m.result.why, "no answer?for long");
	assert_int_equal(m.result.n, 3);
}

static void pings(void **st)
{
	struct sk_ping p = { .interval_ms = 5000, .timeout_ms = 3000 };

	(void)st;
	sk_ping_reset(&p, 1000, 10);
	assert_int_equal(sk_ping_next(&p), 6000);
	assert_int_equal(sk_ping_tick(&p, 5999, 10), SK_PING_NOTHING);
	assert_int_equal(sk_ping_tick(&p, 6000, 10), SK_PING_SEND);
	assert_int_equal(sk_ping_next(&p), 9000);
	assert_int_equal(sk_ping_tick(&p, 8999, 11), SK_PING_NOTHING);	/* a byte is life */
	assert_int_equal(sk_ping_next(&p), 13999);
	assert_int_equal(sk_ping_tick(&p, 13999, 11), SK_PING_SEND);
	assert_int_equal(sk_ping_tick(&p, 16999, 11), SK_PING_DEAD);
	p.interval_ms = 0;
	assert_int_equal(sk_ping_tick(&p, 99999, 11), SK_PING_NOTHING);
	assert_true(sk_ping_next(&p) == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_comes_back_as_it_went),
		cmocka_unit_test(a_byte_more_or_less_is_refused),
		cmocka_unit_test(odd_values_are_refused),
		cmocka_unit_test(descriptors_travel_exactly),
		cmocka_unit_test(a_failure_carries_its_words),
		cmocka_unit_test(pings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
