/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "proto/engine_priv.h"

#include <stdlib.h>

#include "base/num.h"

/*
 * The out queue is a ring of pieces of memory in the order of the wire: headers, padding and digests live in a ring
 * of bytes (neighbours there are one piece: a batch of reads is a single one), payload stays with its task, which
 * is pinned meanwhile. A PDU is only begun when all of it fits.
 */

int tx_init(struct sk_engine *e)
{
	e->tx.segs = calloc(OUT_SEGS, sizeof(*e->tx.segs));
	e->tx.ring = malloc(OUT_HEADERS);
	return e->tx.segs && e->tx.ring ? 0 : -1;
}

static struct out_seg *seg_at(struct sk_engine *e, uint32_t i)
{
	return &e->tx.segs[i & (OUT_SEGS - 1)];
}

void tx_reset(struct sk_engine *e)
{
	for (; e->tx.first != e->tx.end; e->tx.first++)
		if (seg_at(e, e->tx.first)->pin)
			task_unpin(e, seg_at(e, e->tx.first)->pin);
	e->tx.bytes = 0;
	e->tx.r_used = 0;
	e->tx.r_free = 0;
}

/* --- the ring of header bytes --- */

/* Where @n bytes lie together, or NULL. Never lets r_free reach r_used from behind: equal means empty. */
static uint8_t *ring_place(const struct engine_tx *tx, uint32_t n, uint32_t *at)
{
	if (tx->r_free >= tx->r_used && OUT_HEADERS - tx->r_free >= n)
		*at = tx->r_free;
	else if (tx->r_free >= tx->r_used && tx->r_used > n)
		*at = 0;
	else if (tx->r_free < tx->r_used && tx->r_used - tx->r_free > n)
		*at = tx->r_free;
	else
		return NULL;
	return tx->ring + *at;
}

/* The largest PDU takes header, digest and trailer from the ring, and its pieces. */
static bool room_for_pdu(const struct sk_engine *e)
{
	uint32_t at;

	return e->tx.end - e->tx.first + PDU_PIECES + 2 <= OUT_SEGS && e->tx.bytes < OUT_BYTES &&
	       ring_place(&e->tx, 128, &at);
}

/* @n bytes of the ring at the end of the queue, to be filled by the caller; room_for_pdu has said there is room */
static uint8_t *ring_add(struct sk_engine *e, uint32_t n)
{
	struct engine_tx *tx = &e->tx;
	uint32_t at = 0;
	uint8_t *p = ring_place(tx, n, &at);
	struct out_seg *last;

	tx->r_free = at + n;
	tx->bytes += n;
	if (tx->end != tx->first) {
		last = seg_at(e, tx->end - 1);
		if (!last->pin && last->p + last->n == p) {
			last->n += n;
			return p;
		}
	}
	*seg_at(e, tx->end++) = (struct out_seg){ p, n, 0 };
	return p;
}

/* How many of the @left bytes at @off go into one PDU: its share of pieces, and words unless it is the last. */
static uint32_t data_fit(const struct sk_engine *e, struct sk_task *t, uint32_t off, uint32_t left)
{
	uint32_t want = SK_MIN(left, e->par.max_xmit_dsl), got = 0;

	for (uint32_t i = 0; got < want && i < PDU_PIECES; i++) {
		uint32_t k;

		task_at(t, off + got, &k);
		got += SK_MIN(k, want - got);
	}
	return got < left ? got & ~3U : got;
}

/* --- one PDU --- */

static void hdr_digest(struct sk_engine *e, uint8_t *bhs)
{
	if (e->par.header_digest)
		sk_digest_put(bhs + SK_BHS_LEN, e->hdr_crc(SK_CRC32C_INIT, bhs, SK_BHS_LEN));
}

static uint8_t *hdr_add(struct sk_engine *e)
{
	e->stats.tx_pdus++;
	return ring_add(e, SK_BHS_LEN + (e->par.header_digest ? SK_DIGEST_LEN : 0));
}

static void data_add(struct sk_engine *e, struct sk_task *t, uint32_t off, uint32_t n)
{
	uint32_t pad = sk_pad4(n), crc = SK_CRC32C_INIT, left = n;
	uint8_t *tail;

	while (left > 0) {
		uint32_t k;
		uint8_t *p = task_at(t, off, &k);

		k = SK_MIN(k, left);
		if (e->par.data_digest)
			crc = sk_crc32c(crc, p, k);
		*seg_at(e, e->tx.end++) = (struct out_seg){ p, k, t->x.index + 1 };
		t->x.pins++;
		off += k;
		left -= k;
	}
	e->tx.bytes += n;
	if (!pad && !e->par.data_digest)
		return;
	tail = ring_add(e, pad + (e->par.data_digest ? SK_DIGEST_LEN : 0));
	memset(tail, 0, pad);
	if (e->par.data_digest)
		sk_digest_put(tail + pad, sk_crc32c(crc, tail, pad));
}

static uint32_t cmd_put(struct sk_engine *e, struct sk_task *t)
{
	static const uint8_t dir_flag[] = { [SK_DIR_NONE] = 0, [SK_DIR_READ] = SK_CMD_READ,
					    [SK_DIR_WRITE] = SK_CMD_WRITE };
	uint32_t first = SK_MIN(t->len, e->par.first_burst), imm = 0, unsol = 0;
	struct sk_scsi_cmd c = {
		.lun = t->lun,
		.edtl = t->len,
		.cmd_sn = e->cmd_sn++,
		.exp_stat_sn = e->exp_stat_sn,
		.cdb = t->cdb,
	};
	uint8_t *bhs = hdr_add(e);

	if (t->dir == SK_DIR_WRITE && t->len) {
		if (e->par.immediate_data)
			imm = data_fit(e, t, 0, first);
		if (!e->par.initial_r2t)
			unsol = first - imm;
	}
	t->x.itt = tag_new(e, t->x.index);
	t->x.cmd_sn = c.cmd_sn;
	t->x.state = TASK_SENT;
	t->x.unsol_off = imm;
	t->x.unsol_left = unsol;
	t->x.unsol_end = imm + unsol;
	t->x.unsol_sn = 0;
	t->transferred = t->dir == SK_DIR_WRITE ? imm + unsol : 0;
	c.itt = t->x.itt;
	c.data_len = imm;
	c.flags = (uint8_t)(dir_flag[t->dir] | (t->attr & SK_CMD_ATTR) | (unsol ? 0 : SK_BHS_FINAL));
	sk_scsi_cmd_put(bhs, &c);
	hdr_digest(e, bhs);
	if (imm)
		data_add(e, t, 0, imm);
	if (unsol)
		task_list_add(&e->unsol, t, LINK_UNSOL);
	e->stats.cmds++;
	return imm;
}

/* One Data-Out of the sequence @d: at most what is left of it, final with the last one. Returns its data bytes. */
static uint32_t data_out_put(struct sk_engine *e, struct sk_task *t, struct sk_data_out *d, uint32_t left)
{
	uint8_t *bhs = hdr_add(e);

	d->data_len = data_fit(e, t, d->offset, left);
	d->final = d->data_len == left;
	d->itt = t->x.itt;
	d->exp_stat_sn = e->exp_stat_sn;
	sk_data_out_put(bhs, d);
	hdr_digest(e, bhs);
	data_add(e, t, d->offset, d->data_len);
	e->stats.data_out++;
	return d->data_len;
}

/* --- turns: who may add to the queue, and how much before others have theirs --- */

/* Unsolicited data is sent in the order of its commands (RFC 7143, 4.2.4.2): one task at a time. */
static bool turn_unsol(struct sk_engine *e)
{
	struct sk_task *t = e->unsol.head;
	uint32_t sent = 0;

	while (t && sent < OUT_QUANTUM && room_for_pdu(e)) {
		struct sk_data_out d = {
			.lun = t->lun, .ttt = SK_TAG_NONE, .data_sn = t->x.unsol_sn++, .offset = t->x.unsol_off,
		};
		uint32_t n = data_out_put(e, t, &d, t->x.unsol_left);

		sent += n;
		t->x.unsol_off += n;
		t->x.unsol_left -= n;
		if (!t->x.unsol_left)
			task_list_del(&e->unsol, t, LINK_UNSOL);
		t = e->unsol.head;
	}
	return sent > 0;
}

/* The oldest R2T of @t is answered in full. */
static void r2t_done(struct sk_engine *e, struct sk_task *t)
{
	uint32_t i = t->x.r2t_first;

	t->x.r2t_first = e->recs[i].next;
	e->recs[i].next = e->rec_free;
	e->rec_free = i;
	if (--t->x.n_r2t)
		return;
	t->x.r2t_last = R2T_NONE;
	task_list_del(&e->r2t, t, LINK_R2T);
}

/* A quantum for the first task of the rotation, then it goes to its end. */
static bool turn_r2t(struct sk_engine *e)
{
	struct sk_task *t = e->r2t.head;
	uint32_t sent = 0;

	while (t && t->x.n_r2t && sent < OUT_QUANTUM && room_for_pdu(e)) {
		struct r2t_rec *rec = &e->recs[t->x.r2t_first];
		struct sk_data_out d = {
			.lun = rec->lun, .ttt = rec->ttt, .data_sn = rec->data_sn++, .offset = rec->off,
		};
		uint32_t n = data_out_put(e, t, &d, rec->left);

		sent += n;
		rec->off += n;
		rec->left -= n;
		if (!rec->left)
			r2t_done(e, t);
	}
	if (t && t->x.n_r2t && t->x.link[LINK_R2T].next) {
		task_list_del(&e->r2t, t, LINK_R2T);
		task_list_add(&e->r2t, t, LINK_R2T);
	}
	return sent > 0;
}

static bool commands_may_go(const struct sk_engine *e)
{
	return e->unsent && !e->n_hold && e->logout == ASK_NONE && !sk_sn_lt(e->max_cmd_sn, e->cmd_sn);
}

static bool turn_commands(struct sk_engine *e)
{
	uint32_t data = 0;
	bool any = false;

	while (commands_may_go(e) && data < OUT_QUANTUM && room_for_pdu(e)) {
		struct sk_task *t = e->unsent;

		e->unsent = t->x.link[LINK_MAIN].next;
		data += cmd_put(e, t);
		any = true;
	}
	return any;
}

static void put_pongs(struct sk_engine *e)
{
	while (e->pong_first != e->pong_end && room_for_pdu(e)) {
		const struct pong *p = &e->pongs[e->pong_first++ % N_PONGS];
		uint8_t *bhs = hdr_add(e);

		sk_nop_out_put(bhs, &(struct sk_nop){ .lun = p->lun, .itt = SK_TAG_NONE, .ttt = p->ttt,
						      .cmd_sn = e->cmd_sn, .exp_stat_sn = e->exp_stat_sn });
		hdr_digest(e, bhs);
	}
}

/* What is ours and immediate: task management, ping, logout (last, as nothing may follow it). */
static void put_asked(struct sk_engine *e)
{
	uint8_t *bhs;

	for (unsigned i = 0; i < N_TMF && room_for_pdu(e); i++)
		if (e->tmf[i].st == ASK_QUEUED) {
			bhs = hdr_add(e);
			tmf_put(e, &e->tmf[i], bhs);
			hdr_digest(e, bhs);
		}
	if (e->ping == ASK_QUEUED && room_for_pdu(e)) {
		bhs = hdr_add(e);
		e->ping = ASK_SENT;
		e->ping_itt = tag_new(e, TAG_PING);
		sk_nop_out_put(bhs, &(struct sk_nop){ .itt = e->ping_itt, .ttt = SK_TAG_NONE, .cmd_sn = e->cmd_sn,
						      .exp_stat_sn = e->exp_stat_sn });
		hdr_digest(e, bhs);
	}
	if (e->logout == ASK_QUEUED && room_for_pdu(e)) {
		bhs = hdr_add(e);
		e->logout = ASK_SENT;
		e->logout_itt = tag_new(e, TAG_LOGOUT);
		sk_logout_req_put(bhs, &(struct sk_logout_req){ .reason = SK_LOGOUT_SESSION, .immediate = true,
								.itt = e->logout_itt, .cmd_sn = e->cmd_sn,
								.exp_stat_sn = e->exp_stat_sn });
		hdr_digest(e, bhs);
	}
}

/* Short answers first, then data already promised before new commands, everybody a quantum at a time. */
static void fill(struct sk_engine *e)
{
	bool any;

	put_pongs(e);
	put_asked(e);
	do {
		any = e->unsol.head && turn_unsol(e);
		any |= e->r2t.head && turn_r2t(e);
		any |= turn_commands(e);
	} while (any);
}

int sk_engine_tx(struct sk_engine *e, struct iovec *iov, int max)
{
	int n = 0;

	if (e->halted)
		return 0;
	fill(e);
	for (uint32_t i = e->tx.first; i != e->tx.end && n < max; i++) {
		const struct out_seg *s = seg_at(e, i);

		iov[n++] = (struct iovec){ (void *)(uintptr_t)s->p, s->n };
	}
	return n;
}

void sk_engine_tx_done(struct sk_engine *e, size_t put)
{
	struct engine_tx *tx = &e->tx;

	e->stats.tx_calls++;
	e->stats.tx_bytes += put;
	while (tx->first != tx->end) {
		struct out_seg *s = seg_at(e, tx->first);
		uint32_t n = (uint32_t)SK_MIN((size_t)s->n, put);

		if (n == 0)
			break;
		put -= n;
		s->p += n;
		s->n -= n;
		tx->bytes -= n;
		if (!s->pin)
			tx->r_used = (uint32_t)(s->p - tx->ring);
		if (s->n > 0)
			break;
		if (s->pin)
			task_unpin(e, s->pin);
		tx->first++;
	}
	if (tx->first == tx->end) {
		tx->r_used = 0;
		tx->r_free = 0;
	}
}

bool sk_engine_tx_idle(const struct sk_engine *e)
{
	if (e->halted)
		return true;
	if (e->tx.first != e->tx.end || e->pong_first != e->pong_end || e->unsol.head || e->r2t.head)
		return false;
	if (e->ping == ASK_QUEUED || e->logout == ASK_QUEUED)
		return false;
	for (unsigned i = 0; i < N_TMF; i++)
		if (e->tmf[i].st == ASK_QUEUED)
			return false;
	return !commands_may_go(e);
}
