/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transport/kernel/nl_msg.h"

#include <string.h>

#include "base/mem.h"
#include "base/num.h"

/** Offsets within a message; those of the uevent are moved by the netlink header's 16 bytes. */

#define NLH	16
#define AT_LEN	0	/* u32 */
#define AT_NTYPE 4	/* u16 */
#define AT_TYPE (NLH + 0)
#define AT_IFERROR (NLH + 4)
#define AT_HANDLE (NLH + 8)
#define AT_U(n) (NLH + 16 + 4 * (n))	/* request, words 0..5 */
#define AT_R(n) (NLH + 40 + 4 * (n))	/* reply or event, words 0..3 */

_Static_assert(AT_R(4) == SK_NL_HEAD, "a uevent is 56 bytes long");

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint16_t get16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* ------------------------------------------------------------------------------------------------------------ requests */

struct head {
	uint8_t b[SK_NL_HEAD];
};

static void put32(struct head *h, size_t at, uint32_t v)
{
	memcpy(h->b + at, &v, sizeof(v));
}

static void put16(struct head *h, size_t at, uint16_t v)
{
	memcpy(h->b + at, &v, sizeof(v));
}

static void put64(struct head *h, size_t at, uint64_t v)
{
	memcpy(h->b + at, &v, sizeof(v));
}

static struct head head(enum sk_nl_type type, uint64_t handle)
{
	struct head h = { { 0 } };

	put16(&h, AT_NTYPE, (uint16_t)type);
	put32(&h, AT_TYPE, (uint32_t)type);
	put64(&h, AT_HANDLE, handle);
	return h;
}

static void emit(struct sk_buf *out, struct head *h, const void *p, size_t n, const void *q, size_t m)
{
	put32(h, AT_LEN, (uint32_t)(SK_NL_HEAD + n + m));
	sk_buf_reset(out);
	sk_buf_add(out, h->b, sizeof(h->b));
	sk_buf_add(out, p, n);
	sk_buf_add(out, q, m);
}

void sk_nl_put_create(struct sk_buf *out, uint64_t handle, uint32_t cmd_sn, uint16_t cmds_max, uint16_t queue_depth)
{
	struct head h = head(SK_NL_CREATE_SESSION, handle);

	put32(&h, AT_U(0), cmd_sn);
	put16(&h, AT_U(1), cmds_max);
	put16(&h, AT_U(1) + 2, queue_depth);
	emit(out, &h, NULL, 0, NULL, 0);
}

void sk_nl_put_session(struct sk_buf *out, enum sk_nl_type type, uint64_t handle, uint32_t sid)
{
	struct head h = head(type, handle);

	put32(&h, AT_U(0), sid);
	emit(out, &h, NULL, 0, NULL, 0);
}

void sk_nl_put_conn(struct sk_buf *out, enum sk_nl_type type, uint64_t handle, uint32_t sid, uint32_t cid)
{
	struct head h = head(type, handle);

	put32(&h, AT_U(0), sid);
	put32(&h, AT_U(1), cid);
	emit(out, &h, NULL, 0, NULL, 0);
}

void sk_nl_put_bind(struct sk_buf *out, uint64_t handle, uint32_t sid, uint32_t cid, uint64_t eph)
{
	struct head h = head(SK_NL_BIND_CONN, handle);

	put32(&h, AT_U(0), sid);
	put32(&h, AT_U(1), cid);
	put64(&h, AT_U(2), eph);
	put32(&h, AT_U(4), 1);
	emit(out, &h, NULL, 0, NULL, 0);
}

void sk_nl_put_stop(struct sk_buf *out, uint64_t handle, uint32_t sid, uint32_t cid, enum sk_nl_stop flag)
{
	struct head h = head(SK_NL_STOP_CONN, handle);

	put32(&h, AT_U(0), sid);
	put32(&h, AT_U(1), cid);
	put32(&h, AT_U(4), (uint32_t)flag);
	emit(out, &h, NULL, 0, NULL, 0);
}

int sk_nl_put_param(struct sk_buf *out, uint64_t handle, uint32_t sid, uint32_t cid, uint32_t param, const char *value,
		    struct sk_err *err)
{
	struct head h = head(SK_NL_SET_PARAM, handle);
	size_t n = strlen(value);

	if (n > SK_NL_VALUE_MAX)
		return sk_fail(err, SK_EINVAL, "parameter %u: a value of %zu bytes", param, n);
	put32(&h, AT_U(0), sid);
	put32(&h, AT_U(1), cid);
	put32(&h, AT_U(2), param);
	put32(&h, AT_U(3), (uint32_t)n + 1);
	emit(out, &h, value, n + 1, NULL, 0);
	return 0;
}

int sk_nl_put_host_param(struct sk_buf *out, uint64_t handle, uint32_t host, uint32_t param, const char *value,
			 struct sk_err *err)
{
	struct head h = head(SK_NL_SET_HOST_PARAM, handle);
	size_t n = strlen(value);

	if (n > SK_NL_VALUE_MAX)
		return sk_fail(err, SK_EINVAL, "host parameter %u: a value of %zu bytes", param, n);
	put32(&h, AT_U(0), host);
	put32(&h, AT_U(1), param);
	put32(&h, AT_U(2), (uint32_t)n + 1);
	emit(out, &h, value, n + 1, NULL, 0);
	return 0;
}

int sk_nl_put_pdu(struct sk_buf *out, uint64_t handle, uint32_t sid, uint32_t cid, struct sk_pdu *pdu, struct sk_err *err)
{
	struct head h = head(SK_NL_SEND_PDU, handle);

	if (pdu->data.n > SK_NL_PDU_MAX)
		return sk_fail(err, SK_EINVAL, "a data segment of %zu bytes does not pass through the kernel", pdu->data.n);
	if (sk_pdu_put_len(pdu, err) < 0)
		return -1;
	put32(&h, AT_U(0), sid);
	put32(&h, AT_U(1), cid);
	put32(&h, AT_U(2), SK_BHS_LEN);
	put32(&h, AT_U(3), (uint32_t)pdu->data.n);
	emit(out, &h, pdu->bhs, SK_BHS_LEN, pdu->data.p, pdu->data.n);
	return 0;
}

void sk_nl_add(struct sk_buf *batch, const struct sk_buf *one)
{
	static const uint8_t pad[3];

	sk_buf_add(batch, pad, -batch->n & 3); /* each begins at a multiple of four */
	sk_buf_add(batch, one->p, one->n);
	batch->nomem |= one->nomem;
}

uint16_t sk_nl_command(struct sk_span batch, size_t *at)
{
	size_t here = (*at + 3) & ~(size_t)3;
	uint32_t len;

	if (here > batch.n || batch.n - here < SK_NL_HEAD)
		return 0;
	len = get32(batch.p + here + AT_LEN);
	if (len < SK_NL_HEAD || len > batch.n - here)
		return 0;
	*at = here + len;
	return get16(batch.p + here + AT_NTYPE);
}

void sk_nl_put_request(struct sk_buf *out, enum sk_nl_type type, uint64_t handle, const uint32_t words[6],
		       struct sk_span payload)
{
	struct head h = head(type, handle);

	for (size_t i = 0; i < 6; i++)
		put32(&h, AT_U(i), words[i]);
	emit(out, &h, payload.p, payload.n, NULL, 0);
}

/* ------------------------------------------------------------------------------------------------------------- answers */

/* Where an event or reply keeps what it tells; -1: not at all. The order of sid and host differs between events. */
static const struct shape {
	uint32_t type;
	int8_t sid, cid, host, conn_error;	/* word of r */
	bool retcode;				/* of a reply: r's first word is an errno */
	const char *name;
} shapes[] = {
	{ SK_NL_CREATE_SESSION, 0, -1, 1, -1, false, "create session" },
	{ SK_NL_DESTROY_SESSION, -1, -1, -1, -1, false, "destroy session" },
	{ SK_NL_CREATE_CONN, 0, 1, -1, -1, false, "create connection" },
	{ SK_NL_DESTROY_CONN, -1, -1, -1, -1, false, "destroy connection" },
	{ SK_NL_BIND_CONN, -1, -1, -1, -1, true, "bind connection" },
	{ SK_NL_SET_PARAM, -1, -1, -1, -1, false, "set parameter" },
	{ SK_NL_START_CONN, -1, -1, -1, -1, true, "start connection" },
	{ SK_NL_STOP_CONN, -1, -1, -1, -1, false, "stop connection" },
	{ SK_NL_SEND_PDU, -1, -1, -1, -1, true, "send PDU" },
	{ SK_NL_GET_STATS, -1, -1, -1, -1, false, "get statistics" },
	{ SK_NL_SET_HOST_PARAM, -1, -1, -1, -1, false, "set host parameter" },
	{ SK_NL_UNBIND_SESSION, -1, -1, -1, -1, false, "unbind session" },
	{ SK_NL_PING, -1, -1, -1, -1, false, "ping" },
	{ SK_NL_GET_CHAP, -1, -1, -1, -1, false, "get the CHAP table" },
	{ SK_NL_DELETE_CHAP, -1, -1, -1, -1, false, "delete a CHAP entry" },
	{ SK_NL_SET_FLASHNODE, -1, -1, -1, -1, false, "set a flash node" },
	{ SK_NL_NEW_FLASHNODE, -1, -1, -1, -1, false, "make a flash node" },
	{ SK_NL_DEL_FLASHNODE, -1, -1, -1, -1, false, "delete a flash node" },
	{ SK_NL_LOGIN_FLASHNODE, -1, -1, -1, -1, false, "log in to a flash node" },
	{ SK_NL_LOGOUT_FLASHNODE, -1, -1, -1, -1, false, "log out of a flash node" },
	{ SK_NL_SET_CHAP, -1, -1, -1, -1, false, "set a CHAP entry" },
	{ SK_NL_GET_HOST_STATS, -1, -1, -1, -1, false, "get a host's statistics" },
	{ SK_NL_DESTROY_SESSION_ASYNC, -1, -1, -1, -1, false, "destroy session in the background" },
	{ SK_NL_EV_RECV_PDU, 0, 1, -1, -1, false, "PDU received" },
	{ SK_NL_EV_CONN_ERROR, 0, 1, -1, 2, false, "connection error" },
	{ SK_NL_EV_IF_ERROR, -1, -1, -1, -1, false, "refused" },
	{ SK_NL_EV_DESTROY_SESSION, 1, -1, 0, -1, false, "session destroyed" },
	{ SK_NL_EV_UNBIND_SESSION, 0, -1, 1, -1, false, "session unbound" },
	{ SK_NL_EV_CREATE_SESSION, 0, -1, 1, -1, false, "session created" },
};

static const struct shape *shape_of(uint32_t type)
{
	for (size_t i = 0; i < SK_ARRAY_LEN(shapes); i++)
		if (shapes[i].type == type)
			return &shapes[i];
	return NULL;
}

const char *sk_nl_type_name(uint32_t type)
{
	const struct shape *s = shape_of(type);

	return s ? s->name : "message of an unknown kind";
}

static uint32_t word(const uint8_t *p, int8_t n)
{
	return n < 0 ? 0 : get32(p + AT_R((size_t)n));
}

/* A header and its data segment. The datagram may be longer by padding: the header's own length counts. */
static int get_pdu(struct sk_span payload, struct sk_nl_msg *m, struct sk_err *err)
{
	uint32_t n;

	if (payload.n < SK_BHS_LEN)
		return sk_fail(err, SK_EPROTO, "a received PDU of %zu bytes", payload.n);
	n = sk_be24(payload.p + 5);
	if (!sk_fits(SK_BHS_LEN, n, payload.n))
		return sk_fail(err, SK_EPROTO, "a received PDU says %u bytes of data, %zu came", n, payload.n - SK_BHS_LEN);
	m->bhs = sk_span(payload.p, SK_BHS_LEN);
	m->data = sk_span(payload.p + SK_BHS_LEN, n);
	return 0;
}

static int get_stats(struct sk_span payload, const uint8_t *p, struct sk_nl_msg *m, struct sk_err *err)
{
	uint32_t custom;

	m->sid = get32(p + AT_U(0));
	m->cid = get32(p + AT_U(1));
	if (payload.n < SK_NL_STATS_LEN)
		return sk_fail(err, SK_EPROTO, "statistics of %zu bytes", payload.n);
	custom = get32(payload.p + SK_NL_STATS_LEN - 4);
	if (custom > SK_NL_CUSTOM_MAX || payload.n < SK_NL_STATS_LEN + (size_t)custom * SK_NL_CUSTOM_LEN)
		return sk_fail(err, SK_EPROTO, "statistics with %u more counters in %zu bytes", custom, payload.n);
	m->stats = sk_span(payload.p, SK_NL_STATS_LEN + (size_t)custom * SK_NL_CUSTOM_LEN);
	return 0;
}

/* iferror tells something only in a reply of type 103; elsewhere it is leftover memory. */
static int reply_error(const struct sk_nl_msg *m, const struct shape *s, const uint8_t *p)
{
	int64_t e = 0;

	if (m->type == SK_NL_EV_IF_ERROR)
		e = (int32_t)get32(p + AT_IFERROR);
	else if (s && s->retcode)
		e = (int32_t)get32(p + AT_R(0));
	if (e == 0)
		return m->type == SK_NL_EV_IF_ERROR ? 5 : 0; /* refused without a reason: EIO */
	return e < 0 && e >= -4095 ? (int)-e : 5;
}

int sk_nl_get(struct sk_span datagram, struct sk_nl_msg *ret, struct sk_err *err)
{
	const uint8_t *p = datagram.p;
	struct sk_nl_msg m = { 0 };
	const struct shape *s;
	struct sk_span payload;
	uint32_t len;

	if (datagram.n < SK_NL_HEAD)
		return sk_fail(err, SK_EPROTO, "a message of %zu bytes from the kernel", datagram.n);
	len = get32(p + AT_LEN);
	if (len < SK_NL_HEAD || len > datagram.n)
		return sk_fail(err, SK_EPROTO, "a message from the kernel says %u bytes, %zu came", len, datagram.n);
	payload = sk_span(p + SK_NL_HEAD, len - SK_NL_HEAD);
	m.reply_to = get16(p + AT_NTYPE);
	m.type = get32(p + AT_TYPE);
	m.handle = get64(p + AT_HANDLE);
	if (m.reply_to && m.type != m.reply_to && m.type != SK_NL_EV_IF_ERROR)
		return sk_fail(err, SK_EPROTO, "an answer to command %u of type %u", m.reply_to, m.type);
	s = shape_of(m.type);
	if (m.reply_to)
		m.error = reply_error(&m, s, p);
	if (s) {
		m.sid = word(p, s->sid);
		m.cid = word(p, s->cid);
		m.host = word(p, s->host);
		m.conn_error = word(p, s->conn_error);
	}
	if (m.type == SK_NL_NEW_FLASHNODE)
		m.index = get32(p + AT_R(0));
	if (!m.reply_to && (m.type == SK_NL_GET_CHAP || m.type == SK_NL_GET_HOST_STATS)) {
		m.host = get32(p + AT_U(0));
		m.index = m.type == SK_NL_GET_CHAP ? get32(p + AT_U(1)) : 0;
		m.table = payload;
	}
	if (!m.reply_to && m.type == SK_NL_EV_RECV_PDU && get_pdu(payload, &m, err) < 0)
		return -1;
	if (!m.reply_to && m.type == SK_NL_GET_STATS && get_stats(payload, p, &m, err) < 0)
		return -1;
	*ret = m;
	return 0;
}

/* ---------------------------------------------------------------------------------------------------------- statistics */

static const struct {
	const char *name;
	uint8_t at, size;
} stats_fixed[] = {
	{ "txdata_octets", 0, 8 },   { "rxdata_octets", 8, 8 },	  { "noptx_pdus", 16, 4 },    { "scsicmd_pdus", 20, 4 },
	{ "tmfcmd_pdus", 24, 4 },    { "login_pdus", 28, 4 },	  { "text_pdus", 32, 4 },     { "dataout_pdus", 36, 4 },
	{ "logout_pdus", 40, 4 },    { "snack_pdus", 44, 4 },	  { "noprx_pdus", 48, 4 },    { "scsirsp_pdus", 52, 4 },
	{ "tmfrsp_pdus", 56, 4 },    { "textrsp_pdus", 60, 4 },	  { "datain_pdus", 64, 4 },   { "logoutrsp_pdus", 68, 4 },
	{ "r2t_pdus", 72, 4 },	     { "async_pdus", 76, 4 },	  { "rjt_pdus", 80, 4 },      { "digest_err", 84, 4 },
	{ "timeout_err", 88, 4 },
};

bool sk_nl_stat(struct sk_span stats, unsigned i, char name[65], uint64_t *ret)
{
	const uint8_t *p;
	size_t at;

	memset(name, 0, 65);
	if (stats.n < SK_NL_STATS_LEN)
		return false;
	if (i < SK_ARRAY_LEN(stats_fixed)) {
		p = stats.p + stats_fixed[i].at;
		*ret = stats_fixed[i].size == 8 ? get64(p) : get32(p);
		memcpy(name, stats_fixed[i].name, strlen(stats_fixed[i].name));
		return true;
	}
	at = SK_NL_STATS_LEN + (size_t)(i - SK_ARRAY_LEN(stats_fixed)) * SK_NL_CUSTOM_LEN;
	if (!sk_fits(at, SK_NL_CUSTOM_LEN, stats.n))
		return false;
	memcpy(name, stats.p + at, 64);
	for (size_t c = 0; name[c]; c++)
		if ((uint8_t)name[c] < 0x20 || (uint8_t)name[c] > 0x7e)
			name[c] = '?';
	*ret = get64(stats.p + at + 64);
	return true;
}
