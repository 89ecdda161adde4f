/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "proto/engine_priv.h"

#include "base/num.h"

/*
 * What a target may send, one row per opcode. `head` runs when the header is there: it checks and says where the
 * data segment goes. `tail` runs when the PDU is whole and its digests are right, after the numbers were taken: it
 * acts. Everything not in the table is a violation.
 */

enum stat_sn { SN_NEVER, SN_ALWAYS, SN_DATA_IN, SN_NOP_IN };	/* does it consume a StatSN (RFC 7143, 11.x)? */

struct in_row {
	const char *name;
	enum stat_sn sn;
	int (*head)(struct sk_engine *e, struct sk_err *err);
	int (*tail)(struct sk_engine *e, struct sk_err *err);
};

static int unknown_tag(const char *what, uint32_t itt, struct sk_err *err)
{
	return sk_fail(err, SK_EPROTO, "%s: Initiator Task Tag 0x%08x belongs to no task", what, itt);
}

/* --- Data-In --- */

static int data_in_head(struct sk_engine *e, struct sk_err *err)
{
	struct sk_data_in d;
	struct sk_task *t;

	if (sk_data_in_get(e->rx.bhs, &d, err) < 0)
		return -1;
	e->rx.task = NULL;
	t = task_lookup(e, d.itt);
	if (!t)
		return tag_is_buried(e, d.itt) ? 0 : unknown_tag("Data-In", d.itt, err);
	if (t->dir != SK_DIR_READ)
		return sk_fail(err, SK_EPROTO, "Data-In: Initiator Task Tag 0x%08x is not of a read", d.itt);
	if (d.data_sn != t->x.exp_data_sn)
		return sk_fail(err, SK_EPROTO, "Data-In: DataSN %u where %u is due", d.data_sn, t->x.exp_data_sn);
	if (!sk_fits(d.offset, d.data_len, t->len))
		return sk_fail(err, SK_EPROTO,
			       "Data-In: Buffer Offset %u and %u bytes are outside the %u asked for", d.offset,
			       d.data_len, t->len);
	/* How many bytes come before an F bit is not held against MaxBurstLength (13.13): tgtd sets F at the end of a read
	 * only, and the buffer bounds everything. */
	if (d.data_len && d.offset != t->x.data_off && e->par.data_pdu_in_order && e->par.data_sequence_in_order)
		return sk_fail(err, SK_EPROTO, "Data-In: Buffer Offset %u where %u is due", d.offset,
			       t->x.data_off);
	e->rx.task = t;
	e->rx.off = d.offset;
	e->rx.large = d.data_len >= STAGE_LARGE;
	e->rx.sink = d.data_len ? SINK_TASK : SINK_SKIP;
	return 0;
}

/* Residual counts (11.4.5), and what really came: a GOOD read that is short must not look complete. */
static int residual_take(struct sk_task *t, uint8_t flags, uint32_t residual, const char *what, struct sk_err *err)
{
	bool over = flags & SK_RSP_OVERFLOW, under = flags & SK_RSP_UNDERFLOW;
	uint32_t missing = t->len - t->transferred;

	if (under && residual > t->len)
		return sk_fail(err, SK_EPROTO, "%s: Residual Count %u is above the %u bytes asked for", what,
			       residual, t->len);
	if (!over && !under)
		residual = 0;
	if (!over && t->dir == SK_DIR_READ && t->scsi_status == 0 && residual < missing) {
		under = true;
		residual = missing;
	}
	t->overflow = over;
	t->underflow = under;
	t->residual = residual;
	return 0;
}

/* Data of a write that the target asked for, or had coming, and that is not even in the out queue. */
static uint32_t unsent(const struct sk_engine *e, const struct sk_task *t)
{
	uint32_t n = t->x.unsol_left;

	if (t->x.n_r2t)
		for (uint32_t i = t->x.r2t_first; i != R2T_NONE; i = e->recs[i].next)
			n += e->recs[i].left;
	return n;
}

static int data_in_tail(struct sk_engine *e, struct sk_err *err)
{
	const uint8_t *bhs = e->rx.bhs;
	struct sk_task *t = e->rx.task;

	if (!t)
		return 0;
	e->stats.data_in++;
	t->x.exp_data_sn++;
	t->x.data_off += e->rx.data_len;
	t->transferred = SK_MIN(t->transferred + e->rx.data_len, t->len);
	e->rx.task = NULL;
	if (!(bhs[1] & SK_DATA_IN_STATUS))
		return 0;
	t->scsi_status = bhs[3];
	if (residual_take(t, bhs[1], sk_be32(bhs + 44), "Data-In", err) < 0)
		return -1;
	task_over(e, t, SK_END_STATUS);
	return 0;
}

/* --- SCSI Response --- */

static int note_head(struct sk_engine *e, struct sk_err *err)
{
	(void)err;
	e->rx.sink = SINK_NOTE;
	return 0;
}

static int scsi_rsp_tail(struct sk_engine *e, struct sk_err *err)
{
	struct sk_scsi_rsp r;
	struct sk_span sense;
	struct sk_task *t;

	if (sk_scsi_rsp_get(e->rx.bhs, &r, err) < 0)
		return -1;
	t = task_lookup(e, r.itt);
	if (!t)
		return tag_is_buried(e, r.itt) ? 0 : unknown_tag("SCSI Response", r.itt, err);
	if (sk_sense_get(sk_span(e->rx.note, e->rx.note_n), r.data_len, &sense, err) < 0)
		return sk_in(err, "SCSI Response");
	t->response = r.response;
	t->scsi_status = r.response ? 0 : r.status;
	if (r.response) {
		task_over(e, t, SK_END_REJECTED);
		return 0;
	}
	t->transferred -= SK_MIN(t->transferred, unsent(e, t));
	if (residual_take(t, r.flags, r.residual, "SCSI Response", err) < 0)
		return -1;
	t->sense_len = (uint16_t)SK_MIN(sense.n, (size_t)SK_SENSE_MAX);
	if (t->sense_len)
		memcpy(t->sense, sense.p, t->sense_len);
	task_over(e, t, SK_END_STATUS);
	return 0;
}

/* --- R2T --- */

static int r2t_check(const struct sk_engine *e, const struct sk_task *t, const struct sk_r2t *r, struct sk_err *err)
{
	if (t->dir != SK_DIR_WRITE)
		return sk_fail(err, SK_EPROTO, "R2T: Initiator Task Tag 0x%08x is not of a write", r->itt);
	if (r->r2t_sn != t->x.exp_r2t_sn)
		return sk_fail(err, SK_EPROTO, "R2T: R2TSN %u where %u is due", r->r2t_sn, t->x.exp_r2t_sn);
	if (r->len > e->par.max_burst)
		return sk_fail(err, SK_EPROTO, "R2T: Desired Data Transfer Length %u is above MaxBurstLength %u",
			       r->len, e->par.max_burst);
	if (!sk_fits(r->offset, r->len, t->len))
		return sk_fail(err, SK_EPROTO, "R2T: Buffer Offset %u and %u bytes are outside the %u of the write",
			       r->offset, r->len, t->len);
	if (r->offset < t->x.unsol_end)	/* again what was sent unasked: the rest would look as if it had been sent */
		return sk_fail(err, SK_EPROTO, "R2T: Buffer Offset %u is within the %u bytes sent unsolicited", r->offset,
			       t->x.unsol_end);
	if (e->par.data_sequence_in_order && r->offset < t->x.data_off)
		return sk_fail(err, SK_EPROTO, "R2T: Buffer Offset %u where %u is due", r->offset, t->x.data_off);
	if (t->x.n_r2t >= SK_MAX(e->par.max_outstanding_r2t, 1U) || e->rec_free == R2T_NONE)
		return sk_fail(err, SK_EPROTO, "R2T: more than MaxOutstandingR2T=%u are outstanding",
			       e->par.max_outstanding_r2t);
	return 0;
}

/* FastAbort (RFC 7143, 4.2.3.3): a task under a TMF gets no more data. */
static bool r2t_is_void(const struct sk_engine *e, const struct sk_task *t)
{
	if (!e->cfg.fast_abort)
		return false;
	for (unsigned i = 0; i < N_TMF; i++) {
		const struct tmf_slot *s = &e->tmf[i];

		if (s->st == ASK_NONE)
			continue;
		if (s->fn == SK_TMF_ABORT_TASK ? s->ref_itt == t->x.itt :
						 s->fn >= SK_TMF_TARGET_WARM_RESET || s->lun == t->lun)
			return true;
	}
	return false;
}

static int r2t_tail(struct sk_engine *e, struct sk_err *err)
{
	struct r2t_rec *rec;
	struct sk_task *t;
	struct sk_r2t r;
	uint32_t i;

	if (sk_r2t_get(e->rx.bhs, &r, err) < 0)
		return -1;
	t = task_lookup(e, r.itt);
	if (!t)
		return tag_is_buried(e, r.itt) ? 0 : unknown_tag("R2T", r.itt, err);
	if (r2t_check(e, t, &r, err) < 0)
		return -1;
	e->stats.r2t++;
	t->x.exp_r2t_sn++;
	t->x.data_off = r.offset + r.len;
	if (r2t_is_void(e, t))
		return 0;
	t->transferred = SK_MIN(t->transferred + r.len, t->len);
	i = e->rec_free;
	rec = &e->recs[i];
	e->rec_free = rec->next;
	*rec = (struct r2t_rec){ .lun = r.lun, .ttt = r.ttt, .off = r.offset, .left = r.len, .next = R2T_NONE };
	if (t->x.n_r2t++ == 0) {
		t->x.r2t_first = i;
		task_list_add(&e->r2t, t, LINK_R2T);
	} else {
		e->recs[t->x.r2t_last].next = i;
	}
	t->x.r2t_last = i;
	return 0;
}

/* --- NOP-In --- */

static int nop_in_tail(struct sk_engine *e, struct sk_err *err)
{
	struct sk_engine_event *ev;
	struct sk_nop n;

	sk_nop_in_get(e->rx.bhs, &n);
	if (n.itt != SK_TAG_NONE) {
		if (e->ping != ASK_SENT || n.itt != e->ping_itt)
			return unknown_tag("NOP-In", n.itt, err);
		e->ping = ASK_NONE;
		ev = event_add(e, SK_EV_PONG, true);
		if (ev)
			ev->cookie = e->ping_cookie;
	}
	if (n.ttt == SK_TAG_NONE)
		return 0;
	if (e->pong_end - e->pong_first == N_PONGS)
		return sk_fail(err, SK_EPROTO, "NOP-In: more than %d unanswered pings", N_PONGS);
	e->pongs[e->pong_end++ % N_PONGS] = (struct pong){ n.ttt, n.lun };
	return 0;
}

/* --- the rest --- */

static int tmf_rsp_tail(struct sk_engine *e, struct sk_err *err)
{
	struct sk_tmf_rsp r;

	if (sk_tmf_rsp_get(e->rx.bhs, &r, err) < 0)
		return -1;
	return tmf_answered(e, &r, err);
}

static int logout_rsp_tail(struct sk_engine *e, struct sk_err *err)
{
	struct sk_engine_event *ev;
	struct sk_logout_rsp r;

	if (sk_logout_rsp_get(e->rx.bhs, &r, err) < 0)
		return -1;
	if (e->logout != ASK_SENT || r.itt != e->logout_itt)
		return unknown_tag("Logout Response", r.itt, err);
	e->logout_itt = SK_TAG_NONE; /* answered once; nothing new is sent all the same */
	ev = event_add(e, SK_EV_LOGOUT, true);
	if (ev) {
		ev->code = r.response;
		ev->param2 = r.time2wait;
		ev->param3 = r.time2retain;
	}
	return 0;
}

static int async_tail(struct sk_engine *e, struct sk_err *err)
{
	struct sk_span sense = { NULL, 0 };
	struct sk_engine_event *ev;
	struct sk_async a;

	sk_async_get(e->rx.bhs, &a);
	if (a.event == SK_ASYNC_SCSI &&
	    sk_sense_get(sk_span(e->rx.note, e->rx.note_n), a.data_len, &sense, err) < 0)
		return sk_in(err, "Async Message");
	ev = event_add(e, SK_EV_ASYNC, false);
	if (!ev)
		return 0;
	ev->code = a.event;
	ev->vcode = a.vcode;
	ev->param1 = a.param1;
	ev->param2 = a.param2;
	ev->param3 = a.param3;
	ev->lun = a.lun;
	ev->sense_len = (uint16_t)SK_MIN(sense.n, (size_t)SK_SENSE_MAX);
	if (ev->sense_len)
		memcpy(ev->sense, sense.p, ev->sense_len);
	return 0;
}

/* A command that was refused was never begun: no SCSI Response will come (RFC 7143, 11.17.1). Not so where the reason
 * is about something else: a SNACK, a task that runs already, or a logout that is waited for. */
static bool reject_ends_command(uint8_t reason)
{
	return reason != SK_REJECT_SNACK && reason != SK_REJECT_IN_PROGRESS && reason != SK_REJECT_DATA_ACK &&
	       reason != SK_REJECT_WAIT_LOGOUT;
}

static int reject_tail(struct sk_engine *e, struct sk_err *err)
{
	const uint8_t *bad = e->rx.note;
	struct sk_engine_event *ev;
	struct sk_task *t;
	struct sk_reject r;

	if (sk_reject_get(e->rx.bhs, &r, err) < 0)
		return -1;
	if (sk_bhs_op(bad) == SK_OP_SCSI_CMD && reject_ends_command(r.reason)) {
		t = task_lookup(e, sk_bhs_itt(bad));
		if (t) {
			t->response = r.reason;
			e->graves[t->x.index] = t->x.itt;	/* a target may answer all the same */
			task_over(e, t, SK_END_REJECTED);
			return 0;
		}
	}
	if (sk_bhs_op(bad) == SK_OP_TMF_REQ) {
		struct sk_tmf_rsp no = { SK_TMF_REJECTED, sk_bhs_itt(bad) };

		return tmf_answered(e, &no, err);
	}
	if (sk_bhs_op(bad) == SK_OP_NOP_OUT && e->ping == ASK_SENT && sk_bhs_itt(bad) == e->ping_itt)
		e->ping = ASK_NONE;
	ev = event_add(e, SK_EV_REJECT, false);
	if (ev)
		ev->code = r.reason;
	return 0;
}

/* --- the table --- */

static const struct in_row rows[SK_OP_MASK + 1] = {
	[SK_OP_NOP_IN] = { "NOP-In", SN_NOP_IN, NULL, nop_in_tail },
	[SK_OP_SCSI_RSP] = { "SCSI Response", SN_ALWAYS, note_head, scsi_rsp_tail },
	[SK_OP_TMF_RSP] = { "Task Management Response", SN_ALWAYS, NULL, tmf_rsp_tail },
	[SK_OP_DATA_IN] = { "Data-In", SN_DATA_IN, data_in_head, data_in_tail },
	[SK_OP_LOGOUT_RSP] = { "Logout Response", SN_ALWAYS, NULL, logout_rsp_tail },
	[SK_OP_R2T] = { "R2T", SN_NEVER, NULL, r2t_tail },
	[SK_OP_ASYNC] = { "Async Message", SN_ALWAYS, note_head, async_tail },
	[SK_OP_REJECT] = { "Reject", SN_ALWAYS, note_head, reject_tail },
};

int in_head(struct sk_engine *e, struct sk_err *err)
{
	const struct in_row *row = &rows[sk_bhs_op(e->rx.bhs)];

	if (!row->tail)
		return sk_fail(err, SK_EPROTO, "opcode 0x%02x is not one a target may send now", e->rx.bhs[0]);
	return row->head ? row->head(e, err) : 0;
}

static bool consumes_stat_sn(enum stat_sn sn, const uint8_t *bhs)
{
	switch (sn) {
	case SN_NEVER:
		return false;
	case SN_ALWAYS:
		return true;
	case SN_DATA_IN:
		return bhs[1] & SK_DATA_IN_STATUS;
	case SN_NOP_IN:
		break;
	}
	return sk_bhs_itt(bhs) != SK_TAG_NONE;
}

/* Each number only ever grows; a pair that contradicts itself is ignored (RFC 7143, 4.2.2.1). */
static void window_take(struct sk_engine *e, const uint8_t *bhs)
{
	uint32_t exp = sk_bhs_exp_cmd_sn(bhs), max = sk_bhs_max_cmd_sn(bhs);

	if (sk_sn_lt(max, exp - 1))
		return;
	if (sk_sn_lt(e->exp_cmd_sn, exp))
		e->exp_cmd_sn = exp;
	if (sk_sn_lt(e->max_cmd_sn, max))
		e->max_cmd_sn = max;
}

int in_tail(struct sk_engine *e, struct sk_err *err)
{
	const uint8_t *bhs = e->rx.bhs;
	const struct in_row *row = &rows[sk_bhs_op(bhs)];

	window_take(e, bhs);
	if (consumes_stat_sn(row->sn, bhs)) {
		if (sk_bhs_stat_sn(bhs) != e->exp_stat_sn) /* lost or told twice: one TCP stream can do neither */
			return sk_fail(err, SK_EPROTO, "%s: StatSN %u where %u is due", row->name,
				       sk_bhs_stat_sn(bhs), e->exp_stat_sn);
		e->exp_stat_sn++;
	}
	return row->tail(e, err);
}
