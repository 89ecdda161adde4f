/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/num.h"
#include "proto/digest.h"

struct sk_params rig_params(void)
{
	return (struct sk_params){
		.initial_r2t = true,
		.immediate_data = true,
		.data_pdu_in_order = true,
		.data_sequence_in_order = true,
		.max_recv_dsl = 262144,
		.max_xmit_dsl = 8192,
		.max_burst = 262144,
		.first_burst = 65536,
		.max_outstanding_r2t = 1,
		.tpgt = 1,
		.tsih = 1,
		.cmd_sn = 0xfffffffe, /* wraps soon */
		.exp_cmd_sn = 0xfffffffe,
		.max_cmd_sn = 30,
		.exp_stat_sn = 0xffffffff,
	};
}

void rig_open(struct rig *r, const struct sk_params *par, const struct sk_engine_cfg *cfg)
{
	static const struct sk_engine_cfg usual = { .max_tasks = 32 };

	r->par = *par;
	r->e = sk_engine_new(cfg ? cfg : &usual, par, &r->err);
	assert_non_null(r->e);
	r->now_ms = 1000;
	r->wire = r->wire ? r->wire : RIG_WIRE;
	r->up = malloc(r->wire);
	r->down = malloc(r->wire);
	assert_true(r->up && r->down);
	r->sn = (struct sk_peer_sn){ par->exp_stat_sn, par->exp_cmd_sn, par->max_cmd_sn };
}

void rig_close(struct rig *r)
{
	sk_engine_free(r->e);
	free(r->up);
	free(r->down);
	*r = (struct rig){ 0 };
}

void rig_pull(struct rig *r)
{
	struct iovec iov[64];
	int n;

	memmove(r->up, r->up + r->up_at, r->up_n - r->up_at);
	r->up_n -= r->up_at;
	r->up_at = 0;
	while ((n = sk_engine_tx(r->e, iov, r->iov_max ? r->iov_max : 64)) > 0) {
		size_t put = 0;

		for (int i = 0; i < n; i++) {
			size_t k = iov[i].iov_len;

			if (r->tx_max)
				k = SK_MIN(k, r->tx_max - put);
			assert_true(sk_fits(r->up_n, k, r->wire));
			memcpy(r->up + r->up_n, iov[i].iov_base, k);
			r->up_n += k;
			put += k;
		}
		sk_engine_tx_done(r->e, put);
	}
}

bool rig_next(struct rig *r, struct rig_pdu *ret)
{
	const uint8_t *p;
	size_t need = SK_BHS_LEN, pad;

	if (r->up_n == r->up_at)
		rig_pull(r);
	if (r->up_n == r->up_at)
		return false;
	p = r->up + r->up_at;
	assert_true(r->up_n - r->up_at >= need);
	memcpy(ret->bhs, p, SK_BHS_LEN);
	assert_int_equal(sk_bhs_ahs_len(p), 0);
	ret->n = sk_bhs_data_len(p);
	pad = sk_pad4(ret->n);
	if (r->par.header_digest) {
		assert_true(sk_digest_ok(p + need, sk_crc32c(SK_CRC32C_INIT, p, SK_BHS_LEN)));
		need += SK_DIGEST_LEN;
	}
	ret->data = p + need;
	need += ret->n + pad;
	if (r->par.data_digest && ret->n) {
		assert_true(sk_digest_ok(p + need, sk_crc32c(SK_CRC32C_INIT, ret->data, ret->n + pad)));
		need += SK_DIGEST_LEN;
	}
	assert_true(r->up_n - r->up_at >= need);
	r->up_at += need;
	return true;
}

void rig_expect(struct rig *r, uint8_t op, struct rig_pdu *ret)
{
	assert_true(rig_next(r, ret));
	assert_int_equal(sk_bhs_op(ret->bhs), op);
}

static void down_add(struct rig *r, const void *p, size_t n)
{
	assert_true(sk_fits(r->down_n, n, r->wire));
	if (n)
		memcpy(r->down + r->down_n, p, n);
	r->down_n += n;
}

void rig_push(struct rig *r, const uint8_t *bhs, const void *data, uint32_t n)
{
	static const uint8_t zero[4];
	uint8_t digest[SK_DIGEST_LEN];
	uint32_t crc;

	down_add(r, bhs, SK_BHS_LEN);
	if (r->par.header_digest) {
		sk_digest_put(digest, sk_crc32c(SK_CRC32C_INIT, bhs, SK_BHS_LEN));
		down_add(r, digest, sizeof(digest));
	}
	down_add(r, data, n);
	down_add(r, zero, sk_pad4(n));
	if (r->par.data_digest && n) {
		crc = sk_crc32c(sk_crc32c(SK_CRC32C_INIT, data, n), zero, sk_pad4(n));
		sk_digest_put(digest, crc);
		down_add(r, digest, sizeof(digest));
	}
}

/* One receive of at most @want bytes. */
static int feed_some(struct rig *r, size_t at, size_t want, size_t *got)
{
	struct iovec iov[64];
	int n = sk_engine_rx_space(r->e, iov, r->iov_max ? r->iov_max : 64);
	size_t sum = 0;

	assert_true(n > 0);
	for (int i = 0; i < n && sum < want; i++) {
		size_t k = SK_MIN(iov[i].iov_len, want - sum);

		memcpy(iov[i].iov_base, r->down + at + sum, k);
		sum += k;
	}
	assert_true(sum > 0);
	*got = sum;
	return sk_engine_rx(r->e, sum, r->now_ms, &r->err);
}

int rig_feed(struct rig *r)
{
	size_t at = 0, got;
	int res = 0;

	while (at < r->down_n && res == 0) {
		size_t want = r->down_n - at;

		if (r->chunk)
			want = SK_MIN(want, r->chunk);
		if (r->cut_at > r->fed)
			want = SK_MIN(want, r->cut_at - r->fed);
		res = feed_some(r, at, want, &got);
		at += got;
		r->fed += got;
	}
	r->down_n = 0;
	return res;
}

void rig_data_in(struct rig *r, uint32_t itt, uint32_t sn, uint32_t off, const void *data, uint32_t n, uint8_t flags)
{
	struct sk_data_in d = { .flags = flags, .itt = itt, .ttt = SK_TAG_NONE, .data_sn = sn, .offset = off,
				.data_len = n };
	uint8_t bhs[SK_BHS_LEN];

	sk_data_in_put(bhs, &d, &r->sn);
	if (flags & SK_DATA_IN_STATUS)
		r->sn.stat_sn++;
	rig_push(r, bhs, data, n);
}

void rig_rsp(struct rig *r, uint32_t itt, uint8_t status)
{
	uint8_t bhs[SK_BHS_LEN];

	sk_scsi_rsp_put(bhs, &(struct sk_scsi_rsp){ .status = status, .itt = itt }, &r->sn);
	r->sn.stat_sn++;
	rig_push(r, bhs, NULL, 0);
}

void rig_r2t(struct rig *r, uint32_t itt, uint32_t ttt, uint32_t sn, uint32_t off, uint32_t len)
{
	uint8_t bhs[SK_BHS_LEN];

	sk_r2t_put(bhs, &(struct sk_r2t){ .lun = 1ULL << 48, .itt = itt, .ttt = ttt, .r2t_sn = sn, .offset = off,
					  .len = len }, &r->sn);
	rig_push(r, bhs, NULL, 0);
}

void rig_tmf_rsp(struct rig *r, uint32_t itt, uint8_t response)
{
	uint8_t bhs[SK_BHS_LEN];

	sk_tmf_rsp_put(bhs, &(struct sk_tmf_rsp){ .response = response, .itt = itt }, &r->sn);
	r->sn.stat_sn++;
	rig_push(r, bhs, NULL, 0);
}

/* --- tasks --- */

uint8_t rig_byte(uint32_t off)
{
	return (uint8_t)(off * 7 + (off >> 8) * 13 + 1);
}

void rig_pattern(void *p, uint32_t off, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		((uint8_t *)p)[i] = rig_byte(off + i);
}

struct sk_task *rig_task_held(struct rig *r, enum sk_dir dir, uint32_t len, uint32_t n_iov)
{
	struct sk_task *t = sk_engine_task(r->e);
	uint32_t off = 0;

	assert_non_null(t);
	t->lun = 1ULL << 48;
	t->dir = dir;
	t->attr = 1;
	t->len = len;
	t->iov = calloc(n_iov, sizeof(*t->iov));
	assert_non_null(t->iov);
	t->n_iov = n_iov;
	for (uint32_t i = 0; i < n_iov; i++) {
		uint32_t n = i + 1 == n_iov ? len - off : len / n_iov;
		uint8_t *p = malloc(n + 2UL * RIG_GUARD);

		assert_non_null(p);
		memset(p, 0xa5, RIG_GUARD);
		memset(p + RIG_GUARD, 0xee, n);
		memset(p + RIG_GUARD + n, 0x5a, RIG_GUARD);
		t->iov[i] = (struct iovec){ p + RIG_GUARD, n };
		off += n;
	}
	if (dir == SK_DIR_WRITE)
		rig_fill(t);
	return t;
}

struct sk_task *rig_task(struct rig *r, enum sk_dir dir, uint32_t len, uint32_t n_iov)
{
	struct sk_task *t = rig_task_held(r, dir, len, n_iov);

	sk_engine_submit(r->e, t);
	return t;
}

void rig_fill(struct sk_task *t)
{
	uint32_t off = 0;

	for (uint32_t i = 0; i < t->n_iov; i++) {
		rig_pattern(t->iov[i].iov_base, off, (uint32_t)t->iov[i].iov_len);
		off += (uint32_t)t->iov[i].iov_len;
	}
}

bool rig_filled(const struct sk_task *t, uint32_t n)
{
	uint32_t off = 0;

	for (uint32_t i = 0; i < t->n_iov; i++)
		for (size_t k = 0; k < t->iov[i].iov_len; k++, off++)
			if (((const uint8_t *)t->iov[i].iov_base)[k] != (off < n ? rig_byte(off) : 0xee))
				return false;
	return true;
}

void rig_put(struct rig *r, struct sk_task *t)
{
	for (uint32_t i = 0; i < t->n_iov; i++) {
		uint8_t *p = (uint8_t *)t->iov[i].iov_base - RIG_GUARD;

		for (size_t k = 0; k < RIG_GUARD; k++) {
			assert_int_equal(p[k], 0xa5);
			assert_int_equal(p[RIG_GUARD + t->iov[i].iov_len + k], 0x5a);
		}
		free(p);
	}
	free(t->iov);
	sk_engine_task_put(r->e, t);
}

struct sk_task *rig_done(struct rig *r)
{
	struct sk_task *t = sk_engine_next_done(r->e);

	assert_non_null(t);
	return t;
}
