/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "proto/engine_priv.h"

#include "base/num.h"

/*
 * The stage takes what one large receive brings: many PDUs, parsed where they lie, payload copied to its task while
 * it is in the cache. A payload that is not complete by then is received straight into its place next time. While
 * payloads are large, little more than the next header is asked for behind them, so that almost nothing is copied.
 *
 * The parser is greedy: after sk_engine_rx only an incomplete header or trailer is left in the stage, at its front.
 */

void rx_reset(struct sk_engine *e)
{
	struct engine_rx *rx = &e->rx;

	rx->head = 0;
	rx->tail = 0;
	rx->st = RX_HEADER;
	rx->sink = SINK_SKIP;
	rx->bhs = rx->kept;
	rx->data_len = 0;
	rx->left = 0;
	rx->task = NULL;
	rx->large = false;
	rx->direct = 0;
	rx->offered = 0;
}

static uint32_t stage_room(const struct engine_rx *rx)
{
	uint32_t room = rx->cap - rx->tail;

	return rx->large ? SK_MIN(room, STAGE_SIP) : room;
}

int sk_engine_rx_space(struct sk_engine *e, struct iovec *iov, int max)
{
	struct engine_rx *rx = &e->rx;
	uint32_t off = rx->off, left = rx->left;
	int n = 0;

	rx->direct = 0;
	rx->offered = 0;
	if (e->halted || max < 1)
		return 0;
	if (rx->st == RX_DATA && rx->sink == SINK_TASK) {
		while (left > 0 && n < max) {
			uint32_t k;
			uint8_t *p = task_at(rx->task, off, &k);

			k = SK_MIN(k, left);
			iov[n++] = (struct iovec){ p, k };
			off += k;
			left -= k;
		}
		rx->direct = rx->left - left;
	}
	rx->offered = rx->direct;
	if (n < max && (n == 0 || left == 0)) {
		iov[n++] = (struct iovec){ rx->stage + rx->tail, stage_room(rx) };
		rx->offered += stage_room(rx);
	}
	return n;
}

/* @n bytes of payload are in the task's buffers already: account for them. */
static void direct_taken(struct sk_engine *e, uint32_t n)
{
	struct engine_rx *rx = &e->rx;

	rx->left -= n;
	if (!e->par.data_digest) {
		rx->off += n;
		return;
	}
	while (n > 0) {
		uint32_t k;
		uint8_t *p = task_at(rx->task, rx->off, &k);

		k = SK_MIN(k, n);
		rx->crc = sk_crc32c(rx->crc, p, k);
		rx->off += k;
		n -= k;
	}
}

static void to_task(struct engine_rx *rx, const uint8_t *p, uint32_t n)
{
	while (n > 0) {
		uint32_t k;
		uint8_t *to = task_at(rx->task, rx->off, &k);

		k = SK_MIN(k, n);
		memcpy(to, p, k);
		rx->off += k;
		p += k;
		n -= k;
	}
}

static void to_note(struct engine_rx *rx, const uint8_t *p, uint32_t n)
{
	n = SK_MIN(n, NOTE_MAX - rx->note_n);
	memcpy(rx->note + rx->note_n, p, n);
	rx->note_n += n;
}

/* Each step consumes from the stage: 1 = go on, 0 = more bytes are needed, -1 = the connection is lost. */

static int step_header(struct sk_engine *e, struct sk_err *err)
{
	struct engine_rx *rx = &e->rx;
	const uint8_t *p = rx->stage + rx->head;
	uint32_t need = SK_BHS_LEN + (e->par.header_digest ? SK_DIGEST_LEN : 0);

	if (rx->tail - rx->head < need)
		return 0;
	if (e->par.header_digest && !sk_digest_ok(p + SK_BHS_LEN, e->hdr_crc(SK_CRC32C_INIT, p, SK_BHS_LEN))) {
		e->stats.digest_errors++;
		return sk_fail(err, SK_ECONN, "header digest of a PDU with opcode 0x%02x is wrong", sk_bhs_op(p));
	}
	if (sk_bhs_ahs_len(p)) /* a target's PDU has none (RFC 7143, 11.2.2) */
		return sk_fail(err, SK_EPROTO, "opcode 0x%02x: TotalAHSLength %u, not 0", sk_bhs_op(p), p[4]);
	rx->data_len = sk_bhs_data_len(p);
	if (rx->data_len > e->par.max_recv_dsl)
		return sk_fail(err, SK_EPROTO, "opcode 0x%02x: DataSegmentLength %u is above our limit of %u",
			       sk_bhs_op(p), rx->data_len, e->par.max_recv_dsl);
	rx->bhs = p;
	rx->head += need;
	rx->left = rx->data_len;
	rx->sink = SINK_SKIP;
	rx->note_n = 0;
	rx->crc = SK_CRC32C_INIT;
	if (in_head(e, err) < 0)
		return -1;
	rx->st = RX_DATA;
	return 1;
}

static int step_data(struct sk_engine *e)
{
	struct engine_rx *rx = &e->rx;
	const uint8_t *p = rx->stage + rx->head;
	uint32_t n = SK_MIN(rx->left, rx->tail - rx->head);

	if (n > 0) {
		if (e->par.data_digest)
			rx->crc = sk_crc32c(rx->crc, p, n);
		if (rx->sink == SINK_TASK)
			to_task(rx, p, n);
		else if (rx->sink == SINK_NOTE)
			to_note(rx, p, n);
		rx->head += n;
		rx->left -= n;
	}
	if (rx->left > 0)
		return 0;
	rx->st = RX_TRAILER;
	return 1;
}

static int step_trailer(struct sk_engine *e, struct sk_err *err)
{
	struct engine_rx *rx = &e->rx;
	const uint8_t *p = rx->stage + rx->head;
	uint32_t pad = sk_pad4(rx->data_len);
	bool digest = e->par.data_digest && rx->data_len > 0;
	uint32_t need = pad + (digest ? SK_DIGEST_LEN : 0);

	if (rx->tail - rx->head < need)
		return 0;
	if (digest && !sk_digest_ok(p + pad, sk_crc32c(rx->crc, p, pad))) {
		e->stats.digest_errors++;
		return sk_fail(err, SK_ECONN, "data digest of a PDU with opcode 0x%02x is wrong",
			       sk_bhs_op(rx->bhs));
	}
	rx->head += need;
	rx->st = RX_HEADER;
	e->stats.rx_pdus++;
	return in_tail(e, err) < 0 ? -1 : 1;
}

static int step(struct sk_engine *e, struct sk_err *err)
{
	switch (e->rx.st) {
	case RX_HEADER:
		return step_header(e, err);
	case RX_DATA:
		return step_data(e);
	case RX_TRAILER:
		break;
	}
	return step_trailer(e, err);
}

int sk_engine_rx(struct sk_engine *e, size_t got, uint64_t now_ms, struct sk_err *err)
{
	struct engine_rx *rx = &e->rx;
	uint32_t n;
	int r;

	if (e->halted || got > rx->offered)
		return sk_fail(err, SK_EINVAL, "%zu bytes were received where %u were asked for", got, rx->offered);
	e->now_ms = now_ms;
	e->stats.rx_calls++;
	e->stats.rx_bytes += got;
	n = (uint32_t)SK_MIN(got, (size_t)rx->direct);
	if (n > 0)
		direct_taken(e, n);
	rx->tail += (uint32_t)got - n;
	rx->direct = 0;
	rx->offered = 0;
	while ((r = step(e, err)) > 0)
		continue;
	if (r < 0)
		return -1;
	if (rx->st != RX_HEADER && rx->bhs != rx->kept) {
		memcpy(rx->kept, rx->bhs, SK_BHS_LEN);
		rx->bhs = rx->kept;
	}
	n = rx->tail - rx->head;
	if (n > 0 && rx->head > 0)
		memmove(rx->stage, rx->stage + rx->head, n);
	rx->head = 0;
	rx->tail = n;
	return 0;
}
