/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fault/target.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/span.h"
#include "fault/secret.h"
#include "proto/chap.h"
#include "proto/digest.h"
#include "proto/pdu.h"
#include "scsi/cdb.h"

static void complain(struct target *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void complain(struct target *t, const char *fmt, ...)
{
	va_list ap;

	if (t->broke)
		return;
	t->broke = true;
	va_start(ap, fmt);
	vsnprintf(t->complaint, sizeof(t->complaint), fmt, ap);
	va_end(ap);
	t->open = false;
}

/* --- out --- */

struct tg_pdu *tg_pdu_new(void)
{
	struct tg_pdu *p = malloc(sizeof(*p));

	if (!p)
		abort();
	memset(p, 0, offsetof(struct tg_pdu, data));
	return p;
}

struct sk_span tg_out(const struct target *t)
{
	return sk_span(sk_buf_cstr(&t->out) + t->out_at, t->out.n - t->out_at);
}

void tg_taken(struct target *t, size_t n)
{
	t->out_at += n;
	if (t->out_at < t->out.n)
		return;
	t->out_at = 0;
	sk_buf_reset(&t->out);
}

static void put_digest(struct sk_buf *out, uint32_t crc, bool bad)
{
	uint8_t d[SK_DIGEST_LEN];

	sk_digest_put(d, crc ^ (bad ? 0x40 : 0));
	sk_buf_add(out, d, sizeof(d));
}

static void put_wire(struct target *t, struct tg_pdu *p)
{
	static const uint8_t zero[4];
	size_t start = t->out.n;
	uint32_t crc;

	sk_buf_add(&t->out, p->bhs, SK_BHS_LEN);
	if (t->ffp && t->par.header_digest)
		put_digest(&t->out, sk_crc32c(SK_CRC32C_INIT, p->bhs, SK_BHS_LEN), p->bad_header_digest);
	sk_buf_add(&t->out, p->data, p->n);
	sk_buf_add(&t->out, zero, sk_pad4(p->n));
	if (t->ffp && t->par.data_digest && p->n) {
		crc = sk_crc32c(sk_crc32c(SK_CRC32C_INIT, p->data, p->n), zero, sk_pad4(p->n));
		put_digest(&t->out, crc, p->bad_data_digest);
	}
	if (p->cut < t->out.n - start) {
		t->out.n = start + p->cut;
		t->open = false;
	}
	t->n_pdus++;
}

static void put(struct target *t, struct tg_pdu *p)
{
	if (!p->raw_len) {
		p->bhs[5] = (uint8_t)(p->n >> 16);
		p->bhs[6] = (uint8_t)(p->n >> 8);
		p->bhs[7] = (uint8_t)p->n;
	}
	for (unsigned i = 0; t->open && !p->drop && i <= p->copies; i++)
		put_wire(t, p);
	if (p->close)
		t->open = false;
}

static void number(struct target *t, struct tg_pdu *p, bool stat_sn)
{
	if (!t->frozen)
		t->sn.max_cmd_sn = t->sn.exp_cmd_sn + t->cfg.window - 1;
	sk_peer_sn_put(p->bhs, &t->sn);
	if (stat_sn)
		t->sn.stat_sn++;
}

void tg_send(struct target *t, struct tg_pdu *p, bool stat_sn)
{
	if (!t->open || t->mute)
		return;
	p->cut = UINT32_MAX;
	number(t, p, stat_sn);
	if (t->spoil)
		t->spoil(t->ctx, t, p);
	if (!t->mute)
		put(t, p);
}

void tg_extra(struct target *t, struct tg_pdu *p, bool stat_sn)
{
	if (!t->open || t->mute)
		return;
	p->cut = UINT32_MAX;
	number(t, p, stat_sn);
	put(t, p);
}

/* --- login --- */

static bool has(const uint8_t *text, uint32_t n, const char *key)
{
	return n && memmem(text, n, key, strlen(key));
}

static void say(struct tg_pdu *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct tg_pdu *p, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf((char *)p->data + p->n, TG_DATA - p->n, fmt, ap);
	va_end(ap);
	p->n += (uint32_t)n + 1;
}

static void say_bin(struct tg_pdu *p, const char *key, const uint8_t *v, size_t n)
{
	char hex[2 * 64 + 1];

	for (size_t i = 0; i < n && i < 64; i++)
		snprintf(hex + 2 * i, 3, "%02x", v[i]);
	say(p, "%s=0x%s", key, hex);
}

/* Our own proof: id and challenge as the initiator sent them */
static void prove(struct tg_pdu *p, const uint8_t *text, uint32_t n)
{
	const char *i = memmem(text, n, "CHAP_I=", 7), *c = memmem(text, n, "CHAP_C=0x", 9);
	uint8_t challenge[64], r[SK_CHAP_DIGEST_MAX];
	size_t len = 0;

	if (!i || !c)
		return;
	for (c += 9; len < sizeof(challenge) && c[0] && c[1]; c += 2)
		challenge[len++] = (uint8_t)strtoul((char[]){ c[0], c[1], 0 }, NULL, 16);
	if (sk_chap_response(SK_CHAP_MD5, (uint8_t)strtoul(i + 7, NULL, 10),
			     sk_span(FAULT_SECRET_IN, strlen(FAULT_SECRET_IN)), sk_span(challenge, len), r, NULL) < 0)
		return;
	say(p, "CHAP_N=target");
	say_bin(p, "CHAP_R", r, 16);
}

static bool security(struct target *t, struct tg_pdu *p, const uint8_t *text, uint32_t n)
{
	if (has(text, n, "CHAP_R=")) {
		p->moment = TG_CHAP;
		if (t->cfg.mutual)
			prove(p, text, n);
		return true;
	}
	if (has(text, n, "CHAP_A=")) {
		p->moment = TG_CHAP;
		say(p, "CHAP_A=5");
		say(p, "CHAP_I=%u", t->chap_id);
		say_bin(p, "CHAP_C", t->chap_challenge, sizeof(t->chap_challenge));
		return false;
	}
	p->moment = TG_SECURITY;
	say(p, "TargetPortalGroupTag=1");
	if (has(text, n, "AuthMethod="))
		say(p, "AuthMethod=%s", t->cfg.chap ? "CHAP" : "None");
	return !t->cfg.chap;
}

static void operational(struct target *t, struct tg_pdu *p, const uint8_t *text, uint32_t n)
{
	const struct sk_params *o = &t->cfg.offer;
	const struct {
		const char *key;
		uint32_t v;
	} nums[] = {
		{ "MaxBurstLength", o->max_burst },	   { "FirstBurstLength", o->first_burst },
		{ "MaxOutstandingR2T", o->max_outstanding_r2t }, { "DefaultTime2Wait", o->time2wait },
		{ "DefaultTime2Retain", 0 },		   { "ErrorRecoveryLevel", 0 },
		{ "MaxConnections", 1 },
	};

	p->moment = TG_OPERATIONAL;
	if (!t->cfg.chap && !has(text, n, "AuthMethod="))
		say(p, "TargetPortalGroupTag=1");
	if (has(text, n, "HeaderDigest="))
		say(p, "HeaderDigest=%s", o->header_digest ? "CRC32C" : "None");
	if (has(text, n, "DataDigest="))
		say(p, "DataDigest=%s", o->data_digest ? "CRC32C" : "None");
	if (has(text, n, "InitialR2T="))
		say(p, "InitialR2T=%s", o->initial_r2t ? "Yes" : "No");
	if (has(text, n, "ImmediateData="))
		say(p, "ImmediateData=%s", o->immediate_data ? "Yes" : "No");
	if (has(text, n, "DataPDUInOrder="))
		say(p, "DataPDUInOrder=Yes");
	if (has(text, n, "DataSequenceInOrder="))
		say(p, "DataSequenceInOrder=Yes");
	for (size_t i = 0; i < sizeof(nums) / sizeof(nums[0]); i++)
		if (has(text, n, nums[i].key))
			say(p, "%s=%u", nums[i].key, nums[i].v);
	say(p, "MaxRecvDataSegmentLength=%u", o->max_xmit_dsl);
}

static void login(struct target *t, const uint8_t *bhs, const uint8_t *text, uint32_t n)
{
	struct tg_pdu *p = tg_pdu_new();
	struct sk_login_rsp r = { 0 };
	struct sk_login_req q;
	bool may_go = true;

	if (sk_login_req_get(sk_span(bhs, SK_BHS_LEN), &q, NULL) < 0) {
		complain(t, "a login request that cannot be read");
		free(p);
		return;
	}
	if (q.cont)
		may_go = false;
	else if (q.csg == SK_STAGE_SECURITY)
		may_go = security(t, p, text, n);
	else
		operational(t, p, text, n);
	t->sn.exp_cmd_sn = q.cmd_sn;
	r = (struct sk_login_rsp){ .csg = q.csg, .nsg = q.transit && may_go ? q.nsg : 0, .transit = q.transit && may_go,
				   .isid = q.isid, .tsih = 1, .itt = q.itt };
	sk_login_rsp_put(p->bhs, &r);
	tg_send(t, p, true);
	free(p);
}

/* --- SCSI --- */

static bool blocks_of(const uint8_t *cdb, uint32_t *lba, uint32_t *blocks)
{
	bool sixteen = cdb[0] >= 0x80;

	*lba = sixteen ? sk_be32(cdb + 6) : sk_be32(cdb + 2);
	*blocks = sixteen ? sk_be32(cdb + 10) : sk_be16(cdb + 7);
	return sk_fits(*lba, *blocks, TG_BLOCKS);
}

static enum tg_moment moment_of(const uint8_t *cdb)
{
	switch (cdb[0]) {
	case SK_SCSI_READ_10:
	case SK_SCSI_READ_16:
		return TG_READ_END;
	case SK_SCSI_WRITE_10:
	case SK_SCSI_WRITE_16:
	case SK_SCSI_WRITE_SAME_10:
	case SK_SCSI_WRITE_SAME_16:
		return TG_WRITE_END;
	case SK_SCSI_SYNCHRONIZE_CACHE_10:
	case SK_SCSI_SYNCHRONIZE_CACHE_16:
		return TG_FLUSH;
	default:
		return TG_SCAN;
	}
}

static void status(struct target *t, const struct tg_task *k, uint8_t st, const uint8_t *sense)
{
	struct tg_pdu *p = tg_pdu_new();
	struct sk_scsi_rsp r = { .status = st, .itt = k->itt };

	p->moment = moment_of(k->cdb);
	p->lun = k->lun;
	if (sense) {
		p->data[0] = 0;
		p->data[1] = 18;
		memcpy(p->data + 2, sense, 18);
		p->n = 20;
		r.flags = SK_RSP_UNDERFLOW;
		r.residual = k->edtl;
	}
	sk_scsi_rsp_put(p->bhs, &r, &t->sn);
	tg_send(t, p, true);
	free(p);
}

static void check(struct target *t, const struct tg_task *k, uint8_t key, uint8_t asc, uint8_t ascq)
{
	uint8_t sense[18] = { 0x70, 0, key, [7] = 10, [12] = asc, ascq };

	status(t, k, 0x02, sense);
}

static void data_in(struct target *t, const struct tg_task *k, const uint8_t *from, uint32_t len)
{
	uint32_t max = SK_MIN(t->par.max_recv_dsl, TG_DATA), sn = 0;
	struct tg_pdu *p;

	len = SK_MIN(len, k->edtl);
	for (uint32_t off = 0; off < len || !sn; sn++) {
		uint32_t left = t->par.max_burst - off % t->par.max_burst, piece = SK_MIN(max, len - off);
		uint32_t n = SK_MIN(piece, left);
		bool last = off + n == len;
		struct sk_data_in d = { .itt = k->itt, .ttt = SK_TAG_NONE, .data_sn = sn, .offset = off, .data_len = n };

		p = tg_pdu_new();
		p->moment = last ? moment_of(k->cdb) : TG_READ;
		p->lun = k->lun;
		if (last || n == left)
			d.flags = SK_BHS_FINAL;
		if (last) {
			d.flags |= SK_DATA_IN_STATUS;
			d.residual = k->edtl - len;
			d.flags |= d.residual ? SK_RSP_UNDERFLOW : 0;
		}
		memcpy(p->data, from + off, n);
		p->n = n;
		sk_data_in_put(p->bhs, &d, &t->sn);
		tg_send(t, p, last);
		free(p);
		off += n;
		if (last)
			return;
	}
}

static void inquiry(struct target *t, const struct tg_task *k)
{
	static const uint8_t pages[] = { 0, 0, 0, 2, 0x00, 0x83 };
	static const uint8_t id[] = { 0, 0x83, 0, 12, 1, 3, 0, 8, 0x60, 1, 4, 5, 0, 0, 0, 7 };
	uint8_t b[96] = { 0, 0, 6, 2, 91 };

	if (k->cdb[1] & 1) {
		if (k->cdb[2] == 0x00)
			data_in(t, k, pages, sizeof(pages));
		else if (k->cdb[2] == 0x83)
			data_in(t, k, id, sizeof(id));
		else
			check(t, k, 5, 0x24, 0);
		return;
	}
	if (k->lun >> 48 != 1)
		b[0] = 0x7f;
	memcpy(b + 8, "SISKIN  FAULT DISK      0001", 28);
	data_in(t, k, b, sizeof(b));
}

static void about(struct target *t, const struct tg_task *k)
{
	uint8_t b[32] = { 0 };

	switch (k->cdb[0]) {
	case SK_SCSI_REPORT_LUNS:
		b[3] = 8;
		b[9] = 1;
		data_in(t, k, b, 16);
		break;
	case SK_SCSI_INQUIRY:
		inquiry(t, k);
		break;
	case SK_SCSI_SERVICE_ACTION_IN_16:
		sk_set_be64(b, TG_BLOCKS - 1);
		sk_set_be32(b + 8, TG_BLOCK);
		data_in(t, k, b, 32);
		break;
	case SK_SCSI_READ_CAPACITY_10:
		sk_set_be32(b, TG_BLOCKS - 1);
		sk_set_be32(b + 4, TG_BLOCK);
		data_in(t, k, b, 8);
		break;
	case SK_SCSI_MODE_SENSE_6:
		memcpy(b, (uint8_t[]){ 23, 0, 0x10, 0, 8, 18, t->cfg.no_cache ? 0 : 4 }, 7);
		data_in(t, k, b, 24);
		break;
	default:
		check(t, k, 5, 0x20, 0);
		break;
	}
}

static void settle_disk(struct target *t)
{
	memcpy(t->durable, t->disk, TG_BYTES);
}

/* A command with all of its data */
static void run(struct target *t, struct tg_task *k)
{
	uint32_t lba, blocks;

	if (t->queued_sense[0] && !t->attention_sent && k->cdb[0] != SK_SCSI_INQUIRY && k->cdb[0] != SK_SCSI_REPORT_LUNS) {
		t->attention_sent = true;
		t->attention_sn = t->sn.stat_sn;
		status(t, k, 0x02, t->queued_sense);
		return;
	}
	switch (moment_of(k->cdb)) {
	case TG_READ_END:
		t->read_asked++;
		if (blocks_of(k->cdb, &lba, &blocks))
			data_in(t, k, t->disk + lba * TG_BLOCK, blocks * TG_BLOCK);
		else
			check(t, k, 5, 0x21, 0);
		return;
	case TG_WRITE_END:
		if (!blocks_of(k->cdb, &lba, &blocks) || !k->edtl) {
			check(t, k, 5, 0x21, 0);
			return;
		}
		for (uint32_t i = 0; i < blocks; i++)
			memcpy(t->disk + (lba + i) * TG_BLOCK, k->buf + (k->edtl == TG_BLOCK ? 0 : i * TG_BLOCK), TG_BLOCK);
		if (t->cfg.no_cache || ((k->cdb[0] == SK_SCSI_WRITE_10 || k->cdb[0] == SK_SCSI_WRITE_16) && k->cdb[1] & 8))
			memcpy(t->durable + lba * TG_BLOCK, t->disk + lba * TG_BLOCK, blocks * TG_BLOCK);
		status(t, k, 0, NULL);
		return;
	case TG_FLUSH:
		settle_disk(t);
		status(t, k, 0, NULL);
		return;
	default:
		about(t, k);
		return;
	}
}

static void task_free(struct tg_task *k)
{
	free(k->buf);
	*k = (struct tg_task){ 0 };
}

/* Ask for the next burst, or run it */
static void go_on(struct target *t, struct tg_task *k)
{
	uint32_t n = SK_MIN(k->edtl - k->have, t->par.max_burst);
	struct tg_pdu *p;

	if (k->have == k->edtl) {
		run(t, k);
		task_free(k);
		return;
	}
	if (k->asked > k->have)
		return;
	k->asked = k->have + n;
	k->ttt = ++t->ttt;
	p = tg_pdu_new();
	p->moment = TG_R2T;
	p->lun = k->lun;
	sk_r2t_put(p->bhs, &(struct sk_r2t){ .lun = k->lun, .itt = k->itt, .ttt = k->ttt, .r2t_sn = k->r2t_sn++,
					     .offset = k->have, .len = n }, &t->sn);
	tg_send(t, p, false);
	free(p);
}

static void command(struct target *t, const uint8_t *bhs, const uint8_t *data, uint32_t n)
{
	struct tg_task *k = NULL;
	struct sk_scsi_cmd c;

	memcpy(t->last_cmd, bhs, SK_BHS_LEN);
	sk_scsi_cmd_get(bhs, &c);
	if (c.cmd_sn != t->sn.exp_cmd_sn) {
		complain(t, "CmdSN %u where %u is due", c.cmd_sn, t->sn.exp_cmd_sn);
		return;
	}
	t->sn.exp_cmd_sn++;
	for (unsigned i = 0; i < TG_TASKS && !k; i++)
		k = t->tasks[i].used ? NULL : &t->tasks[i];
	if (!k)
		return;
	*k = (struct tg_task){ .used = true, .lun = c.lun, .itt = c.itt, .edtl = c.edtl };
	memcpy(k->cdb, c.cdb, 16);
	if (!(c.flags & SK_CMD_WRITE)) {
		run(t, k);
		task_free(k);
		return;
	}
	if (n > c.edtl) {
		complain(t, "%u bytes of immediate data for a write of %u", n, c.edtl);
		return;
	}
	k->buf = malloc(c.edtl + 1UL);
	if (!k->buf) {
		task_free(k);
		return;
	}
	memcpy(k->buf, data, n);
	k->have = n;
	k->ttt = SK_TAG_NONE;
	k->asked = c.flags & SK_BHS_FINAL ? n : SK_MIN(c.edtl, t->par.first_burst);
	go_on(t, k);
}

static void data_out(struct target *t, const uint8_t *bhs, const uint8_t *data, uint32_t n)
{
	struct tg_task *k = NULL;
	struct sk_data_out d;

	sk_data_out_get(bhs, &d);
	for (unsigned i = 0; i < TG_TASKS && !k; i++)
		k = t->tasks[i].used && t->tasks[i].itt == d.itt ? &t->tasks[i] : NULL;
	if (!k || d.ttt != k->ttt)	/* of a task that was aborted, or for an R2T that somebody invented */
		return;
	if (d.offset != k->have || !sk_fits(d.offset, n, k->asked)) {
		if (t->spoilt)	/* an R2T that was changed on its way: whatever follows is not the initiator's fault */
			return;
		complain(t, "Data-Out at %u+%u where %u..%u is due", d.offset, n, k->have, k->asked);
		return;
	}
	memcpy(k->buf + d.offset, data, n);
	k->have += n;
	if (k->have == k->asked)
		go_on(t, k);
}

static void tmf(struct target *t, const uint8_t *bhs)
{
	struct tg_pdu *p = tg_pdu_new();
	struct sk_tmf_req q;

	sk_tmf_req_get(bhs, &q);
	for (unsigned i = 0; i < TG_TASKS; i++)
		if (t->tasks[i].used && (q.function != 1 || t->tasks[i].itt == q.rtt))
			task_free(&t->tasks[i]);
	p->moment = TG_TMF;
	sk_tmf_rsp_put(p->bhs, &(struct sk_tmf_rsp){ .itt = q.itt }, &t->sn);
	tg_send(t, p, true);
	free(p);
}

static void nop_out(struct target *t, const uint8_t *bhs)
{
	struct tg_pdu *p;
	struct sk_nop q;

	sk_nop_out_get(bhs, &q);
	if (q.itt == SK_TAG_NONE)
		return;
	p = tg_pdu_new();
	p->moment = TG_PING;
	sk_nop_in_put(p->bhs, &(struct sk_nop){ .lun = q.lun, .itt = q.itt, .ttt = SK_TAG_NONE }, &t->sn);
	tg_send(t, p, true);
	free(p);
}

static void logout(struct target *t, const uint8_t *bhs)
{
	struct tg_pdu *p = tg_pdu_new();

	p->moment = TG_LOGOUT;
	sk_logout_rsp_put(p->bhs, &(struct sk_logout_rsp){ .itt = sk_bhs_itt(bhs) }, &t->sn);
	p->close = true;
	tg_send(t, p, true);
	t->open = false;
	free(p);
}

static void pdu(struct target *t, const uint8_t *bhs, const uint8_t *data, uint32_t n)
{
	uint8_t op = sk_bhs_op(bhs);

	if (t->attention_sent && sk_sn_lt(t->attention_sn, sk_be32(bhs + 28))) {
		t->attention_sent = false;
		t->queued_sense[0] = 0;
	}
	if ((op == SK_OP_LOGIN_REQ) == t->ffp) {
		complain(t, "opcode 0x%02x in the wrong phase", op);
		return;
	}
	switch (op) {
	case SK_OP_LOGIN_REQ:
		login(t, bhs, data, n);
		break;
	case SK_OP_SCSI_CMD:
		command(t, bhs, data, n);
		break;
	case SK_OP_DATA_OUT:
		data_out(t, bhs, data, n);
		break;
	case SK_OP_TMF_REQ:
		tmf(t, bhs);
		break;
	case SK_OP_NOP_OUT:
		nop_out(t, bhs);
		break;
	case SK_OP_LOGOUT_REQ:
		logout(t, bhs);
		break;
	default:
		complain(t, "opcode 0x%02x", op);
		break;
	}
}

/* --- in --- */

/* One PDU off the front of what came; false when it is not whole yet. */
static bool take(struct target *t)
{
	const uint8_t *p = (const uint8_t *)sk_buf_cstr(&t->in);
	size_t hd = t->ffp && t->par.header_digest ? SK_DIGEST_LEN : 0, need = SK_BHS_LEN + hd;
	uint8_t bhs[SK_BHS_LEN];
	uint8_t *data;
	uint32_t n;

	if (t->in.n < need)
		return false;
	memcpy(bhs, p, SK_BHS_LEN);
	n = sk_bhs_data_len(bhs);
	need += n + sk_pad4(n) + (t->ffp && t->par.data_digest && n ? SK_DIGEST_LEN : 0);
	if (t->in.n < need)
		return false;
	if (hd && !sk_digest_ok(p + SK_BHS_LEN, sk_crc32c(SK_CRC32C_INIT, p, SK_BHS_LEN)))
		complain(t, "a wrong header digest");
	p += SK_BHS_LEN + hd;
	if (t->ffp && t->par.data_digest && n &&
	    !sk_digest_ok(p + n + sk_pad4(n), sk_crc32c(SK_CRC32C_INIT, p, n + sk_pad4(n))))
		complain(t, "a wrong data digest");
	data = malloc(n + 1UL);
	if (!data)
		return false;
	memcpy(data, p, n);
	data[n] = 0;
	sk_buf_drop(&t->in, need);
	if (t->open)
		pdu(t, bhs, data, n);
	free(data);
	return true;
}

void tg_feed(struct target *t, const void *p, size_t n)
{
	if (!t->open)
		return;
	sk_buf_add(&t->in, p, n);
	while (t->open && take(t))
		continue;
}

/* --- life --- */

void tg_close(struct target *t)
{
	t->open = t->ffp = t->mute = t->frozen = t->spoilt = t->attention_sent = false;
	sk_buf_reset(&t->in);
	sk_buf_reset(&t->out);
	t->out_at = 0;
	for (unsigned i = 0; i < TG_TASKS; i++)
		task_free(&t->tasks[i]);
}

void tg_connect(struct target *t)
{
	tg_close(t);
	t->open = true;
	t->sn = (struct sk_peer_sn){ .stat_sn = 0x7fffffff };
	t->chap_id++;
	memset(t->chap_challenge, 0x30 + t->chap_id, sizeof(t->chap_challenge));
}

void tg_ffp(struct target *t, const struct sk_params *p)
{
	t->ffp = true;
	t->par = *p;
}

void tg_attention(struct target *t, uint8_t key, uint8_t asc, uint8_t ascq)
{
	memcpy(t->queued_sense, (uint8_t[18]){ 0x70, 0, key, [7] = 10, [12] = asc, ascq }, 18);
}

void tg_power(struct target *t)
{
	memcpy(t->disk, t->durable, TG_BYTES);
	t->open = false;
	tg_attention(t, 6, 0x29, 0x01);
}

void tg_thaw(struct target *t)
{
	struct tg_pdu *p = tg_pdu_new();

	t->frozen = false;
	if (t->ffp) {
		sk_nop_in_put(p->bhs, &(struct sk_nop){ .itt = SK_TAG_NONE, .ttt = SK_TAG_NONE }, &t->sn);
		tg_extra(t, p, false);
	}
	free(p);
}

void tg_free(struct target *t)
{
	tg_close(t);
	sk_buf_free(&t->in);
	sk_buf_free(&t->out);
}
