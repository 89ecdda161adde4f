/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "iscsi-session/boundary.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

/* How a field travels: numbers big-endian in their own width. */
enum kind { NUMBER, BOOLEAN, BYTES, TEXT };

struct field {
	uint16_t off, size;
	enum kind kind;
};

#define AT(k, s, f) { offsetof(struct sk_b_msg, s.f), sizeof(((struct sk_b_msg *)0)->s.f), k }
#define PARAMS(s)                                                                                       \
	AT(BOOLEAN, s, header_digest), AT(BOOLEAN, s, data_digest), AT(BOOLEAN, s, initial_r2t),        \
	AT(BOOLEAN, s, immediate_data), AT(BOOLEAN, s, data_pdu_in_order),                              \
	AT(BOOLEAN, s, data_sequence_in_order), AT(NUMBER, s, max_recv_dsl), AT(NUMBER, s, max_xmit_dsl), \
	AT(NUMBER, s, max_burst), AT(NUMBER, s, first_burst), AT(NUMBER, s, max_outstanding_r2t),       \
	AT(NUMBER, s, time2wait), AT(NUMBER, s, time2retain), AT(NUMBER, s, erl),                       \
	AT(NUMBER, s, protocol_level), AT(NUMBER, s, tpgt), AT(NUMBER, s, tsih), AT(BYTES, s, isid),    \
	AT(NUMBER, s, cmd_sn), AT(NUMBER, s, exp_cmd_sn), AT(NUMBER, s, max_cmd_sn),                    \
	AT(NUMBER, s, exp_stat_sn), AT(TEXT, s, target_alias)
#define TIMERS(s)                                                                                       \
	AT(NUMBER, s, replacement_s), AT(NUMBER, s, noop_interval_s), AT(NUMBER, s, noop_timeout_s),    \
	AT(NUMBER, s, abort_s), AT(NUMBER, s, lu_reset_s), AT(NUMBER, s, tgt_reset_s)

static const struct field start_fields[] = {
	PARAMS(start.params), TIMERS(start.timers), AT(NUMBER, start, cmds_max), AT(NUMBER, start, queue_depth),
	AT(BOOLEAN, start, scan), AT(BOOLEAN, start, fast_abort), AT(BOOLEAN, start, read_only), { 0, 0, NUMBER },
};
static const struct field params_fields[] = { PARAMS(params), { 0, 0, NUMBER } };
static const struct field timers_fields[] = { TIMERS(timers), { 0, 0, NUMBER } };
static const struct field unit_fields[] = {
	{ offsetof(struct sk_b_msg, unit), sizeof(uint32_t), NUMBER }, { 0, 0, NUMBER },
};
static const struct field result_fields[] = {
	AT(NUMBER, result, code), AT(NUMBER, result, n), AT(TEXT, result, why), { 0, 0, NUMBER },
};
static const struct field async_fields[] = {
	AT(NUMBER, async, event), AT(NUMBER, async, p1), AT(NUMBER, async, p2), AT(NUMBER, async, p3), { 0, 0, NUMBER },
};
static const struct field lun_fields[] = {
	AT(NUMBER, lun, lun), AT(NUMBER, lun, unit), AT(NUMBER, lun, type), AT(BOOLEAN, lun, read_only),
	AT(NUMBER, lun, blocks), AT(NUMBER, lun, block_size), AT(NUMBER, lun, discard_granularity),
	AT(NUMBER, lun, max_io), AT(TEXT, lun, vendor), AT(TEXT, lun, model), AT(TEXT, lun, rev), AT(TEXT, lun, wwid),
	{ 0, 0, NUMBER },
};
static const struct field off_fields[] = {
	AT(NUMBER, off, lun), AT(NUMBER, off, unit), AT(BOOLEAN, off, stranger), { 0, 0, NUMBER },
};
static const struct field stats_fields[] = {
	AT(NUMBER, stats, tx_bytes), AT(NUMBER, stats, rx_bytes), AT(NUMBER, stats, tx_pdus), AT(NUMBER, stats, rx_pdus),
	AT(NUMBER, stats, cmds), AT(NUMBER, stats, data_out), AT(NUMBER, stats, data_in), AT(NUMBER, stats, r2t),
	AT(NUMBER, stats, digest_errors), AT(NUMBER, stats, timeouts), AT(NUMBER, stats, tx_calls),
	AT(NUMBER, stats, rx_calls), AT(NUMBER, stats, requests), AT(NUMBER, stats, retries), AT(NUMBER, stats, failed),
	AT(NUMBER, stats, inflight), { 0, 0, NUMBER },
};
static const struct field no_fields[] = { { 0, 0, NUMBER } };

static const struct {
	const struct field *fields;
	uint8_t fds;
} shapes[SK_B_TYPES] = {
	[SK_B_START] = { start_fields, 2 },
	[SK_B_REATTACH] = { params_fields, 1 },
	[SK_B_TIMERS] = { timers_fields, 0 },
	[SK_B_HALT] = { no_fields, 0 },
	[SK_B_RESCAN] = { no_fields, 0 },
	[SK_B_FORGET] = { unit_fields, 0 },
	[SK_B_LOGOUT] = { no_fields, 0 },
	[SK_B_ABANDON] = { no_fields, 0 },
	[SK_B_ASK_STATS] = { no_fields, 0 },
	[SK_B_STARTED] = { result_fields, 0 },
	[SK_B_HEALTH] = { result_fields, 0 },
	[SK_B_DOWN] = { result_fields, 0 },
	[SK_B_ASYNC] = { async_fields, 0 },
	[SK_B_LUN] = { lun_fields, 0 },
	[SK_B_LUN_OFF] = { off_fields, 0 },
	[SK_B_SCANNED] = { result_fields, 0 },
	[SK_B_FORGOTTEN] = { result_fields, 0 },
	[SK_B_OUT] = { result_fields, 0 },
	[SK_B_STATS] = { stats_fields, 0 },
};

unsigned sk_b_fds(enum sk_b_type type)
{
	return (unsigned)type < SK_B_TYPES ? shapes[type].fds : 0;
}

static uint64_t load(const uint8_t *p, size_t size)
{
	uint16_t n16;
	uint32_t n32;
	uint64_t n64;

	switch (size) {
	case 1:
		return *p;
	case 2:
		memcpy(&n16, p, 2);
		return n16;
	case 4:
		memcpy(&n32, p, 4);
		return n32;
	default:
		memcpy(&n64, p, 8);
		return n64;
	}
}

static void store(uint8_t *p, size_t size, uint64_t v)
{
	uint16_t n16 = (uint16_t)v;
	uint32_t n32 = (uint32_t)v;

	switch (size) {
	case 1:
		*p = (uint8_t)v;
		break;
	case 2:
		memcpy(p, &n16, 2);
		break;
	case 4:
		memcpy(p, &n32, 4);
		break;
	default:
		memcpy(p, &v, 8);
		break;
	}
}

size_t sk_b_encode(const struct sk_b_msg *m, uint8_t out[SK_B_MAX])
{
	struct sk_wr w = { .p = out, .left = SK_B_MAX };

	sk_put_be(&w, (uint64_t)m->type, 2);
	for (const struct field *f = shapes[m->type].fields; f->size; f++) {
		const uint8_t *p = (const uint8_t *)m + f->off;

		if (f->kind == NUMBER || f->kind == BOOLEAN)
			sk_put_be(&w, load(p, f->size), f->size);
		else
			sk_put(&w, p, f->size);
	}
	return w.done;
}

/* A text fills its field to the end with NULs and holds what may go into a log or a file. */
static bool text_ok(const uint8_t *p, size_t size)
{
	size_t n = strnlen((const char *)p, size);

	if (n == size)
		return false;
	for (size_t i = 0; i < n; i++)
		if (p[i] < 0x20 || p[i] == 0x7f)
			return false;
	for (size_t i = n; i < size; i++)
		if (p[i])
			return false;
	return true;
}

static bool get_field(struct sk_rd *in, const struct field *f, uint8_t *at)
{
	struct sk_span s;
	uint64_t v;

	if (f->kind == NUMBER || f->kind == BOOLEAN) {
		v = sk_get_be(in, f->size);
		if (in->short_ || (f->kind == BOOLEAN && v > 1))
			return false;
		store(at, f->size, v);
		return true;
	}
	s = sk_get(in, f->size);
	if (in->short_ || (f->kind == TEXT && !text_ok(s.p, s.n)))
		return false;
	memcpy(at, s.p, s.n);
	return true;
}

int sk_b_decode(struct sk_span packet, struct sk_b_msg *ret, struct sk_err *err)
{
	struct sk_rd in = { packet, false };
	uint64_t type = sk_get_be(&in, 2);
	struct sk_b_msg m;

	memset(&m, 0, sizeof(m));
	if (in.short_ || type >= SK_B_TYPES || !shapes[type].fields)
		return sk_fail(err, SK_EPROTO, "message of type %" PRIu64 " and %zu bytes", type, packet.n);
	m.type = (enum sk_b_type)type;
	for (const struct field *f = shapes[type].fields; f->size; f++)
		if (!get_field(&in, f, (uint8_t *)&m + f->off))
			return sk_fail(err, SK_EPROTO, "message of type %" PRIu64 ": bad field at byte %zu", type,
				       packet.n - in.left.n);
	if (in.left.n)
		return sk_fail(err, SK_EPROTO, "message of type %" PRIu64 " with %zu bytes too many", type, in.left.n);
	*ret = m;
	return 0;
}

struct sk_b_msg sk_b_result(enum sk_b_type type, const struct sk_err *why, uint32_t n)
{
	struct sk_b_msg m;

	memset(&m, 0, sizeof(m));
	m.type = type;
	m.result.n = n;
	if (why) {
		m.result.code = (uint32_t)why->code;
		snprintf(m.result.why, sizeof(m.result.why), "%s", why->msg);
		for (char *p = m.result.why; *p; p++)
			if ((unsigned char)*p < 0x20 || *p == 0x7f)
				*p = '?';
	}
	return m;
}

union control {
	char room[CMSG_SPACE(SK_B_FDS * sizeof(int))];
	struct cmsghdr align;
};

int sk_b_send(int sock, const struct sk_b_msg *m, const int *fds, struct sk_err *err)
{
	uint8_t packet[SK_B_MAX];
	struct iovec iov = { packet, sk_b_encode(m, packet) };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
	unsigned n = sk_b_fds(m->type);
	union control control;
	struct cmsghdr *c;
	ssize_t put;

	memset(&control, 0, sizeof(control));
	if (n) {
		h.msg_control = &control;
		h.msg_controllen = CMSG_SPACE(n * sizeof(int));
		c = CMSG_FIRSTHDR(&h);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	}
	do
		put = sendmsg(sock, &h, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (put < 0 && errno == EINTR);
	if (put >= 0)
		return 0;
	if (errno == EAGAIN)
		return sk_fail(err, SK_EAGAIN, "the other process does not read");
	return sk_fail(err, SK_ENOTCONN, "send to the other process: %s", strerror(errno));
}

static unsigned take_fds(struct msghdr *h, int fds[SK_B_FDS])
{
	unsigned n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = CMSG_LEN(0); at + sizeof(int) <= c->cmsg_len; at += sizeof(int)) {
			int fd;

			memcpy(&fd, (uint8_t *)c + at, sizeof(fd));
			if (n < SK_B_FDS)
				fds[n++] = fd;
			else
				close(fd);
		}
	}
	return n;
}

int sk_b_recv(int sock, struct sk_b_msg *ret, int ret_fds[SK_B_FDS], struct sk_err *err)
{
	uint8_t packet[SK_B_MAX];
	struct iovec iov = { packet, sizeof(packet) };
	union control control;
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	int fds[SK_B_FDS] = { -1, -1 };
	unsigned n;
	ssize_t got;

	do
		got = recvmsg(sock, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0 && errno == EAGAIN)
		return 0;
	if (got <= 0)
		return sk_fail(err, SK_ENOTCONN, "the other process is gone");
	n = take_fds(&h, fds);
	if (h.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		sk_fail(err, SK_EPROTO, "a message that does not fit");
	else if (sk_b_decode(sk_span(packet, (size_t)got), ret, err) == 0) {
		if (n == sk_b_fds(ret->type)) {
			memcpy(ret_fds, fds, sizeof(fds));
			return 1;
		}
		sk_fail(err, SK_EPROTO, "message of type %d with %u descriptors", (int)ret->type, n);
	}
	for (unsigned i = 0; i < SK_B_FDS; i++)
		sk_fd_close(&fds[i]);
	return -1;
}
