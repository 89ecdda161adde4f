/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "iscsi-session/lun.h"

#include <errno.h>
#include <inttypes.h>

#include "base/log.h"
#include "base/num.h"

#define BREAKS_MAX 4	/* a command may see so many connections broken by the target */
#define GROW_AFTER 64	/* successes until a depth that was cut grows by one */

void sk_reqs_add(struct sk_reqs *q, struct sk_disk_req *req)
{
	req->next = NULL;
	if (q->last)
		q->last->next = req;
	else
		q->first = req;
	q->last = req;
}

struct sk_disk_req *sk_reqs_take(struct sk_reqs *q)
{
	struct sk_disk_req *req = q->first;

	if (!req)
		return NULL;
	q->first = req->next;
	if (!q->first)
		q->last = NULL;
	req->next = NULL;
	return req;
}

void sk_lun_requeue(struct sk_lun *l, struct sk_disk_req *req)
{
	req->next = l->waiting.first;
	l->waiting.first = req;
	if (!l->waiting.last)
		l->waiting.last = req;
}

static void complete(struct sk_lun *l, struct sk_disk_req *req, int error)
{
	struct sk_serve *s = l->s;

	if (error)
		s->failed++;
	s->front->ops->complete(s->front, req, error);
}

/* The steps of a request: its commands, then perhaps a flush because the device knows no FUA. */
enum { STEP_MAIN, STEP_FLUSH };

static struct sk_blk as_blk(const struct sk_lun *l, const struct sk_disk_req *req)
{
	static const enum sk_blk_op ops[] = {
		[SK_DISK_READ] = SK_BLK_READ, [SK_DISK_WRITE] = SK_BLK_WRITE, [SK_DISK_FLUSH] = SK_BLK_FLUSH,
		[SK_DISK_PUNCH] = SK_BLK_ZERO, [SK_DISK_ZERO] = SK_BLK_ZERO,
	};

	/* UNMAP is a hint the device may ignore, and what is unmapped may read as anything; only WRITE SAME with the UNMAP
	 * bit promises zeroes (SBC-3, 5.47). A punched hole must read as zeroes, so nothing else is sent for it. */
	return (struct sk_blk){ .op = ops[req->op], .off = req->off, .len = req->len, .fua = req->fua,
				.may_unmap = req->op == SK_DISK_PUNCH && l->disk.reads_zero };
}

static bool is_write(const struct sk_disk_req *req)
{
	return req->op != SK_DISK_READ && req->op != SK_DISK_FLUSH;
}

/* The next command of a request; false when there is none left. A write that is only partly done when the device loses its
 * cache begins anew: nobody was told yet, so nobody will write it again. */
static bool next_cmd(struct sk_lun *l, struct sk_disk_req *req, struct sk_blk_cmd *ret)
{
	struct sk_blk blk = as_blk(l, req);
	const struct sk_blk flush = { .op = SK_BLK_FLUSH };
	uint64_t pos;

	if (is_write(req) && req->epoch != l->epoch) {
		req->step = STEP_MAIN;
		req->done = 0;
	}
	req->epoch = l->epoch;
	pos = req->done;
	if (req->step == STEP_MAIN) {
		if (sk_blk_next(&l->disk, &blk, &pos, ret))
			return true;
		if (!sk_blk_needs_flush(&l->disk, &blk))
			return false;
		req->step = STEP_FLUSH;
		req->done = 0;
	}
	pos = req->done;
	return sk_blk_next(&l->disk, &flush, &pos, ret);
}

static void fill_task(struct sk_errand *j)
{
	struct sk_task *t = j->task;
	struct sk_serve *s = j->lun->s;

	memcpy(t->cdb, j->cmd.cdb, sizeof(t->cdb));
	t->dir = !j->cmd.data_len ? SK_DIR_NONE : j->cmd.to_device ? SK_DIR_WRITE : SK_DIR_READ;
	t->len = j->cmd.data_len;
	switch (j->cmd.data) {
	case SK_BLK_NO_DATA:
		return;
	case SK_BLK_CALLERS:
		t->iov1.iov_base = j->req->data + (j->cmd.part_off - j->req->off);
		break;
	case SK_BLK_PARAM:
		t->iov1.iov_base = j->cmd.param;
		break;
	case SK_BLK_ZEROES:
		t->iov1.iov_base = s->zeroes;
		break;
	}
	t->iov1.iov_len = t->len;
	t->iov = &t->iov1;
	t->n_iov = 1;
}

/* Send the request's next command, or complete it. False when no task can be had: the request is back in the queue. */
static bool step(struct sk_lun *l, struct sk_disk_req *req)
{
	struct sk_serve *s = l->s;
	struct sk_blk_cmd cmd;
	struct sk_errand *j;

	if (!next_cmd(l, req, &cmd)) {
		if (is_write(req) && !req->fua && l->disk.write_cache)
			l->written += req->len;
		complete(l, req, 0);
		return true;
	}
	j = s->n_block < s->cfg.cmds_max ? sk_errand_get(s, SK_ERRAND_BLOCK, l, l->wire) : NULL;
	if (!j) {
		s->starved = true;
		sk_lun_requeue(l, req);
		return false;
	}
	j->req = req;
	j->cmd = cmd;
	j->covers = l->written;
	fill_task(j);
	if (!req->since_ms)
		req->since_ms = s->now_ms;
	l->inflight++;
	s->n_block++;
	sk_errand_send(s, j);
	return true;
}

void sk_lun_pump(struct sk_lun *l)
{
	struct sk_disk_req *req;

	if (l->state == SK_LUN_OFF || l->s->state == SK_SERVE_FREE)
		sk_lun_fail(l, EIO);
	if (l->s->state != SK_SERVE_UP || l->state != SK_LUN_UP || sk_probe_holds(l))
		return;
	while (l->inflight < l->depth && (req = sk_reqs_take(&l->waiting)) != NULL)
		if (!step(l, req))
			return;
}

void sk_lun_fail(struct sk_lun *l, int error)
{
	struct sk_disk_req *req;

	while ((req = sk_reqs_take(&l->waiting)) != NULL || (req = sk_reqs_take(&l->delayed)) != NULL)
		complete(l, req, error);
}

static void shrink(struct sk_lun *l)
{
	uint32_t depth = SK_MAX(l->inflight, 1U);

	if (depth < l->depth)
		sk_debug(SK_ROOM_DATAPATH, "lun %" PRIu64 ": the target's queue is full, depth %u", l->number, depth);
	l->depth = SK_MIN(l->depth, depth);
	l->good = 0;
}

static void grow(struct sk_lun *l)
{
	if (l->depth >= l->s->cfg.queue_depth || ++l->good < GROW_AFTER)
		return;
	l->good = 0;
	l->depth++;
}

static void again(struct sk_lun *l, struct sk_disk_req *req, uint32_t delay_ms)
{
	l->s->retries++;
	req->tries++;
	if (!delay_ms) {
		sk_lun_requeue(l, req);
		return;
	}
	req->retry_ms = l->s->now_ms + delay_ms;
	l->s->house_ms = 0;
	sk_reqs_add(&l->delayed, req);
}

static void advance(struct sk_lun *l, struct sk_errand *j)
{
	struct sk_disk_req *req = j->req;

	req->tries = 0;
	req->breaks = 0;
	req->since_ms = 0;
	if (j->cmd.op == SK_BLK_FLUSH) {
		l->flushed = SK_MAX(l->flushed, j->covers);
		req->done = 1;
	} else {
		req->done = j->cmd.part_off + j->cmd.part_len - req->off;
	}
	grow(l);
	sk_lun_requeue(l, req);		/* its next command, or its end, comes with the next pump */
}

static bool is_short(const struct sk_task *t);

static void log_failure(const struct sk_lun *l, const struct sk_errand *j, int sys)
{
	const struct sk_task *t = j->task;
	struct sk_sense sense = sk_sense_parse(sk_span(t->sense, t->sense_len));
	char text[160];

	sk_warning(SK_ROOM_DATAPATH, "lun %" PRIu64 ": %s of %" PRIu64 " bytes at %" PRIu64 " fails (errno %d): %s", l->number,
		   sk_cdb_name(j->cmd.cdb[0]) ?: "command", j->cmd.part_len, j->cmd.part_off, sys,
		   t->unsent ? "the target takes no commands" : t->end != SK_END_STATUS ? "no answer" :
		   t->scsi_status == SK_ST_GOOD ? is_short(t) ? "success for less than asked" : "data written before is lost" :
		   sense.valid ? sk_sense_text(&sense, text, sizeof(text)) : sk_status_words(t->scsi_status));
}

static void failed(struct sk_lun *l, struct sk_errand *j, const struct sk_verdict *v)
{
	if (v->react == SK_REACT_PROTECT && !l->disk.read_only) {
		sk_notice(SK_ROOM_DATAPATH, "lun %" PRIu64 " is write protected now", l->number);
		sk_probe_start(l, SK_PROBE_CAPACITY);
	}
	if (v->react == SK_REACT_RANGE)
		sk_probe_start(l, SK_PROBE_CAPACITY);
	if (v->react == SK_REACT_GONE)
		sk_scan_start(l->s);
	log_failure(l, j, v->sys);
	complete(l, j->req, v->sys ?: EIO);
}

/* Half a minute without an answer, or a refusal of the command itself: rare enough to be told each time. */
static void log_retry(const struct sk_lun *l, const struct sk_errand *j)
{
	const struct sk_task *t = j->task;
	const char *name = sk_cdb_name(j->cmd.cdb[0]) ?: "command";

	if (t->unsent)
		sk_warning(SK_ROOM_DATAPATH, "lun %" PRIu64 ": %s at %" PRIu64 " waits for %u s: the target takes no commands",
			   l->number, name, j->cmd.part_off, SK_IO_MS / 1000);
	else if (t->end == SK_END_REJECTED)
		sk_warning(SK_ROOM_DATAPATH, "lun %" PRIu64 ": %s at %" PRIu64 " was rejected (0x%02x), it is sent again", l->number,
			   name, j->cmd.part_off, t->response);
	else if (t->end != SK_END_STATUS)
		sk_warning(SK_ROOM_DATAPATH, "lun %" PRIu64 ": %s at %" PRIu64 " had no answer for %u s, it is sent again",
			   l->number, name, j->cmd.part_off, SK_IO_MS / 1000);
}

/* The reactions that lead to another try */
static void retried(struct sk_lun *l, struct sk_errand *j, const struct sk_verdict *v)
{
	log_retry(l, j);
	if (v->react == SK_REACT_CAPACITY)
		sk_probe_start(l, SK_PROBE_CAPACITY);
	else if (v->react == SK_REACT_IDENTIFY)
		sk_probe_start(l, SK_PROBE_ALL);
	else if (v->react == SK_REACT_LUNS)
		sk_scan_start(l->s);
	if (v->react == SK_REACT_LATER && l->s->now_ms - j->req->since_ms > SK_IO_PATIENCE_MS)
		failed(l, j, v);
	else
		again(l, j->req, v->delay_ms);
}

/* A refused form: another one, or none. A flush the device does not know has nothing to flush. */
static void unsupported(struct sk_lun *l, struct sk_errand *j, const struct sk_verdict *v)
{
	if (sk_blk_degrade(&l->disk, &j->cmd))
		again(l, j->req, 0);
	else if (j->cmd.op == SK_BLK_FLUSH)
		complete(l, j->req, 0);
	else
		failed(l, j, v);
}

/* Sent again by the next connection, unless it is what makes the target break each of them. */
static void lost(struct sk_lun *l, struct sk_errand *j)
{
	if (l->s->broken && ++j->req->breaks > BREAKS_MAX) {
		log_failure(l, j, EIO);
		complete(l, j->req, EIO);
		return;
	}
	sk_lun_requeue(l, j->req);
}

/* Success for fewer bytes than asked for leaves part of the buffer, or of the disk, unwritten: that is no success, whether
 * or not the target admits it by a residual count. */
static bool is_short(const struct sk_task *t)
{
	return t->transferred < t->len || t->overflow || (t->underflow && t->residual);
}

/* A flush vouches for every write before it; one of them is known to be lost. Told once, and to who asked for a flush: the one
 * behind a forced write vouches for that write alone. */
static bool flush_counts(struct sk_lun *l, const struct sk_errand *j)
{
	bool lost = l->lost_write && j->req->op == SK_DISK_FLUSH;

	if (lost)
		l->lost_write = false;
	return !lost;
}

/* Nothing done before a flush is in doubt; what came after it is lost, or may be. "Power on" alone is certain: an error for
 * every reset would end file systems for nothing whenever a target is logged in to again. */
static void note_cache(struct sk_lun *l, enum sk_cache_fate fate)
{
	uint64_t dirty = l->written - l->flushed;

	if (fate == SK_CACHE_KEPT)
		return;
	l->epoch++;
	if (!dirty)
		return;
	l->flushed = l->written;
	if (fate == SK_CACHE_EMPTY) {
		l->lost_write = true;
		sk_error(SK_ROOM_DATAPATH, "lun %" PRIu64 ": the device was switched on again: %" PRIu64
			 " bytes written since the last flush are lost, the next flush fails", l->number, dirty);
		return;
	}
	sk_warning(SK_ROOM_DATAPATH, "lun %" PRIu64 ": the device was reset or switched on again; if it lost power, so did %"
		   PRIu64 " bytes written since the last flush", l->number, dirty);
}

void sk_lun_note(struct sk_lun *l, const struct sk_task *t, const struct sk_verdict *v)
{
	struct sk_sense sense;
	char text[160];

	note_cache(l, v->cache);
	if (!v->lost)
		return;
	l->lost_write = true;
	l->epoch++;
	sense = sk_sense_parse(sk_span(t->sense, t->sense_len));
	sk_error(SK_ROOM_DATAPATH, "lun %" PRIu64 ": data written before is lost, the next flush fails: %s", l->number,
		 sk_sense_text(&sense, text, sizeof(text)));
}

void sk_lun_done(struct sk_lun *l, struct sk_errand *j)
{
	struct sk_task *t = j->task;
	struct sk_verdict v = sk_errand_verdict(t, j->req->tries);

	l->inflight--;
	l->s->n_block--;
	if (t->end == SK_END_LOST && l->s->state == SK_SERVE_DOWN) {
		lost(l, j);
		return;
	}
	sk_lun_note(l, t, &v);
	if (v.react == SK_REACT_DONE && (is_short(t) || !flush_counts(l, j)))
		v = (struct sk_verdict){ .react = SK_REACT_FAIL, .sys = EIO };
	if (v.shrink)
		shrink(l);
	if (v.react == SK_REACT_DONE)
		advance(l, j);
	else if (sk_react_retries(v.react))
		retried(l, j, &v);
	else if (v.react == SK_REACT_UNSUPPORTED)
		unsupported(l, j, &v);
	else
		failed(l, j, &v);
}

void sk_lun_due(struct sk_lun *l)
{
	struct sk_reqs rest = { NULL, NULL };
	struct sk_disk_req *req;

	while ((req = sk_reqs_take(&l->delayed)) != NULL)
		sk_reqs_add(req->retry_ms <= l->s->now_ms ? &l->waiting : &rest, req);
	l->delayed = rest;
}

uint64_t sk_lun_next_ms(const struct sk_lun *l)
{
	uint64_t next = UINT64_MAX;

	for (const struct sk_disk_req *req = l->delayed.first; req; req = req->next)
		next = SK_MIN(next, req->retry_ms);
	return next;
}
