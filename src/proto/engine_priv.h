/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_PROTO_ENGINE_PRIV_H
#define SK_PROTO_ENGINE_PRIV_H

/**
 * What the engine's files share and nobody else sees.
 *
 *	engine.c	pools, lists, submit, completion, halt, resume, drop
 *	engine_rx.c	the stage: bytes -> whole PDUs, payload to its place, digests
 *	engine_in.c	one row per PDU a target may send, and what each means
 *	engine_tx.c	the out queue, and in which order it is filled
 *	engine_tmf.c	task management, pings, logout; deadlines and their escalation
 */

#include "proto/digest.h"
#include "proto/engine.h"
#include "proto/pdu_ffp.h"

/* Initiator Task Tag: generation << 13 | index. Below TAG_TMF the index is that of a task. */
#define TAG_INDEX_BITS 13
#define TAG_INDEX_MASK ((1U << TAG_INDEX_BITS) - 1)
#define TAG_TMF 4096U
#define TAG_PING 4112U
#define TAG_LOGOUT 4113U

#define N_TMF 8
#define N_EVENTS 64
#define EVENTS_KEPT 16		/* of them for answers to what we asked: those are never dropped */
#define N_PONGS 32		/* target's pings waiting for our answer */
#define NOTE_MAX 128		/* front of a data segment that belongs to no task: sense, a refused header */

#define STAGE_DEFAULT (256U << 10)
#define STAGE_MIN 4096U
#define STAGE_LARGE (32U << 10)	/* payloads from here on are received straight to their place … */
#define STAGE_SIP 2048U		/* … with so much room for what follows them */

#define OUT_SEGS 2048U		/* power of two */
#define OUT_HEADERS 65536U	/* ring of headers, padding and digests, bytes */
#define OUT_BYTES (1U << 20)	/* enough is queued: let it go out before building more */
#define OUT_QUANTUM (256U << 10)	/* data bytes of one sequence before another one has its turn */
#define PDU_PIECES 256U		/* pieces of memory one PDU's payload may come from */

#define R2T_NONE 0xffffffffU
#define R2T_POOL_MAX (1U << 20)

enum task_state {
	TASK_FREE,
	TASK_HELD,	/* the submitter fills it */
	TASK_QUEUED,
	TASK_SENT,	/* its command is in the out queue or further */
	TASK_ENDING,	/* over, but its data is still referred to by the out queue */
	TASK_DONE,
};

enum task_link { LINK_MAIN, LINK_UNSOL, LINK_R2T };

struct task_list {
	struct sk_task *head, *tail;
};

enum rx_state { RX_HEADER, RX_DATA, RX_TRAILER };
enum rx_sink { SINK_SKIP, SINK_NOTE, SINK_TASK };

struct engine_rx {
	uint8_t *stage;
	uint32_t cap, head, tail;	/* bytes [head, tail) wait for the parser */
	enum rx_state st;
	enum rx_sink sink;		/* where the current data segment goes */
	const uint8_t *bhs;		/* current header: in the stage, or kept */
	uint8_t kept[SK_BHS_LEN];
	uint32_t data_len, left;	/* current data segment: all of it, and what has not come yet */
	uint32_t crc;
	struct sk_task *task;
	uint32_t off;			/* SINK_TASK: where its next byte belongs */
	bool large;			/* the last Data-In was: the next one is expected to be */
	uint32_t direct;		/* bytes of payload offered by the last sk_engine_rx_space */
	uint32_t offered;		/* all bytes offered */
	uint32_t note_n;
	uint8_t note[NOTE_MAX];
};

struct out_seg {
	const uint8_t *p;
	uint32_t n;
	uint32_t pin;		/* task index + 1; 0: bytes of the header ring */
};

struct engine_tx {
	struct out_seg *segs;
	uint32_t first, end;	/* segs[first & mask .. end & mask) are to be sent */
	uint32_t bytes;
	uint8_t *ring;
	uint32_t r_used, r_free;	/* ring bytes from r_used up to r_free are in use */
};

struct r2t_rec {
	uint64_t lun;
	uint32_t ttt, off, left, data_sn, next;
};

enum ask_state { ASK_NONE, ASK_QUEUED, ASK_SENT };

struct tmf_slot {
	enum ask_state st;
	enum sk_tmf fn;
	bool internal;		/* the escalation's */
	bool late;		/* …and it went on without the answer, which may still come */
	uint32_t itt, ref_itt, ref_cmd_sn;
	uint64_t lun, cookie;
};

enum esc_stage { ESC_NONE, ESC_ABORT, ESC_LU_RESET, ESC_TGT_RESET, ESC_LOST };

struct pong {
	uint32_t ttt;
	uint64_t lun;
};

struct sk_engine {
	struct sk_engine_cfg cfg;
	struct sk_params par;
	struct sk_engine_stats stats;
	sk_crc32c_fn *hdr_crc;
	bool halted;
	bool rearm;		/* deadlines are to be counted anew */
	uint64_t now_ms;

	uint32_t cmd_sn, exp_cmd_sn, max_cmd_sn, exp_stat_sn;
	uint32_t gen;

	struct sk_task *tasks;
	uint32_t *graves; /* by index: tag of the task aborted there last, whose late PDUs are not a violation */
	struct task_list free, live, done, unsol, r2t;	/* live: in the order of submission */
	struct sk_task *unsent;	/* first of live that was not sent; all after it were not either */
	uint32_t inflight;

	struct r2t_rec *recs;
	uint32_t n_recs, rec_free;

	struct engine_rx rx;
	struct engine_tx tx;

	struct sk_engine_event events[N_EVENTS];
	uint32_t ev_first, ev_end;

	struct tmf_slot tmf[N_TMF];
	uint32_t n_hold;	/* unanswered TMFs on more than one task: no new command until the answer */
	enum ask_state ping, logout;
	uint32_t ping_itt, logout_itt;
	uint64_t ping_cookie;
	struct pong pongs[N_PONGS];
	uint32_t pong_first, pong_end;

	uint64_t bound_ms;	/* no deadline is earlier */
	enum esc_stage esc;
	uint64_t esc_deadline_ms, esc_lun;
	int esc_slot;
};

/* engine.c */
void task_list_add(struct task_list *l, struct sk_task *t, enum task_link k);
void task_list_del(struct task_list *l, struct sk_task *t, enum task_link k);
/** task_over - a live task is finished; told by sk_engine_next_done once nothing refers to its data any more */
void task_over(struct sk_engine *e, struct sk_task *t, enum sk_task_end end);
/** task_bury - the same for one that the target may still answer: what comes for its tag is ignored */
void task_bury(struct sk_engine *e, struct sk_task *t);
void task_unpin(struct sk_engine *e, uint32_t pin);
void task_r2t_forget(struct sk_engine *e, struct sk_task *t);
uint32_t tag_new(struct sk_engine *e, uint32_t index);
/** event_add - room for one more event, zeroed; NULL when there is none (never for @answer: what we asked for) */
struct sk_engine_event *event_add(struct sk_engine *e, enum sk_event_kind kind, bool answer);

/** task_at - where byte @off of the data is, and how many lie there together; @off < t->len */
static inline uint8_t *task_at(struct sk_task *t, uint32_t off, uint32_t *n)
{
	if (off < t->x.iov_base) {
		t->x.iov_i = 0;
		t->x.iov_base = 0;
	}
	while (off - t->x.iov_base >= t->iov[t->x.iov_i].iov_len) {
		t->x.iov_base += (uint32_t)t->iov[t->x.iov_i].iov_len;
		t->x.iov_i++;
	}
	off -= t->x.iov_base;
	*n = (uint32_t)t->iov[t->x.iov_i].iov_len - off;
	return (uint8_t *)t->iov[t->x.iov_i].iov_base + off;
}

/** task_lookup - the sent task with this tag, or NULL */
static inline struct sk_task *task_lookup(const struct sk_engine *e, uint32_t itt)
{
	uint32_t i = itt & TAG_INDEX_MASK;

	if (i >= e->cfg.max_tasks || e->tasks[i].x.itt != itt || e->tasks[i].x.state != TASK_SENT)
		return NULL;
	return &e->tasks[i];
}

/** tag_is_buried - was this the tag of a task given up while the target might still answer it? */
static inline bool tag_is_buried(const struct sk_engine *e, uint32_t itt)
{
	uint32_t i = itt & TAG_INDEX_MASK;

	return itt != SK_TAG_NONE && i < e->cfg.max_tasks && e->graves[i] == itt;
}

/* engine_in.c */
int in_head(struct sk_engine *e, struct sk_err *err); /* the header in rx.bhs is whole: check it, choose the sink */
int in_tail(struct sk_engine *e, struct sk_err *err);	/* the PDU is whole and its digests are right */

/* engine_rx.c, engine_tx.c, engine_tmf.c */
void rx_reset(struct sk_engine *e);
int tx_init(struct sk_engine *e);
void tx_reset(struct sk_engine *e);
int tmf_answered(struct sk_engine *e, const struct sk_tmf_rsp *rsp, struct sk_err *err);
void tmf_reset(struct sk_engine *e);
/** tmf_put - encode a queued TMF */
void tmf_put(struct sk_engine *e, struct tmf_slot *s, uint8_t *bhs);

#endif
