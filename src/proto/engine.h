/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_PROTO_ENGINE_H
#define SK_PROTO_ENGINE_H

/**
 * sk_engine - the full-feature phase of one session with one connection (RFC 7143, 4.2, 11), without I/O.
 *
 * Who drives it (datapath/: epoll, io_uring; tests: a script) does, per wake-up:
 *
 *	receive:  n = sk_engine_rx_space(e, iov, max)     where the next bytes belong: the staging buffer, or the
 *		  got = readv(fd, iov, n)                 payload's own place followed by the staging buffer
 *		  sk_engine_rx(e, got, now_ms, err)       parse everything that is there; -1: the connection is lost
 *	finish:   while ((t = sk_engine_next_done(e))) …  tasks that are over, in order of completion
 *	events:   while (sk_engine_next_event(e, &ev)) …  async messages, TMF answers, logout answer, pings answered
 *	send:     n = sk_engine_tx(e, iov, max)           everything that may be sent now: many PDUs, one writev
 *		  put = writev(fd, iov, n)
 *		  sk_engine_tx_done(e, put)
 *
 * Nothing is allocated after sk_engine_new: tasks, headers and the staging buffer are pools. Nothing is called
 * back. Tasks are owned by the engine between sk_engine_task and sk_engine_task_put; their data buffers are lent by
 * the submitter until the task is done.
 *
 * Every length, offset, tag and number a target sends is checked; a violation fails the *connection* with SK_EPROTO
 * (SK_ECONN for a wrong digest: that is the way's fault) and leaves every task to sk_engine_drop or sk_engine_resume.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"
#include "base/span.h"
#include "proto/params.h"

enum sk_dir { SK_DIR_NONE, SK_DIR_READ, SK_DIR_WRITE };

/** How a task ended. */
enum sk_task_end {
	SK_END_NONE,		/* still running */
	SK_END_STATUS,		/* the target answered: scsi_status, sense, residual are valid */
	SK_END_ABORTED,		/* by a task management function */
	SK_END_TIMEOUT,		/* its deadline passed and it was aborted or its session recovered */
	SK_END_REJECTED,	/* Reject, or a SCSI Response with Response != 0 */
	SK_END_LOST,		/* sk_engine_drop: the session is gone */
};

#define SK_SENSE_MAX 96

struct sk_task {
	/* the submitter fills these between sk_engine_task and sk_engine_submit */
	uint64_t lun;			/* 8 bytes as on the wire, big-endian value (SAM) */
	uint8_t cdb[16];
	enum sk_dir dir;
	uint8_t attr;			/* 0 untagged, 1 simple, 2 ordered, 3 head of queue */
	uint32_t len;			/* expected data transfer length, bytes */
	struct iovec *iov;		/* the data, lent until done; iov[0..n_iov) covers len bytes exactly */
	uint32_t n_iov;
	struct iovec iov1;		/* room for the common case: iov = &t->iov1 */
	uint64_t deadline_ms;		/* 0 = none */
	void *owner;			/* the submitter's */
	uint64_t cookie;

	/* valid once done */
	enum sk_task_end end;
	uint8_t scsi_status;
	uint8_t response;		/* SCSI Response's Response field, or Reject reason */
	uint16_t sense_len;
	uint8_t sense[SK_SENSE_MAX];
	bool unsent;			/* ABORTED, TIMEOUT: the target has never heard of it, its window was closed */
	bool underflow, overflow;
	uint32_t residual;
	uint32_t transferred; /* bytes that really moved: read: into the buffer, write: out, as the target asked */

	/* the engine's own */
	struct sk_task_priv {
		uint64_t budget_ms;		/* deadline_ms counted from submission */
		uint32_t itt, cmd_sn, index;
		uint8_t state;
		bool expired;			/* deadline_ms has passed */
		uint32_t pins;			/* pieces of its data in the out queue */
		uint32_t exp_data_sn, exp_r2t_sn;
		uint32_t data_off;		/* next expected Data-In offset; next expected R2T offset */
		uint32_t unsol_off, unsol_left;	/* unsolicited data still to send */
		uint32_t unsol_end;		/* where what the target must ask for begins */
		uint32_t unsol_sn;
		uint32_t n_r2t, r2t_first, r2t_last;	/* R2Ts being answered, oldest first */
		uint32_t iov_i, iov_base;	/* a place in iov found last: element and its offset in the data */
		struct {
			struct sk_task *next, *prev;
		} link[3];
	} x;
};

/** What the target did besides answering tasks. */
enum sk_event_kind {
	SK_EV_ASYNC,		/* Async Message: event, vcode, param1..3, sense for event 0 */
	SK_EV_PONG,		/* a ping of ours was answered: rtt in now_ms units is the caller's business */
	SK_EV_TMF,		/* a task management function was answered */
	SK_EV_LOGOUT,		/* Logout Response */
	SK_EV_REJECT,		/* Reject that belongs to no task */
	SK_EV_TEXT,		/* Text Response (kept small; for renegotiation) */
};

struct sk_engine_event {
	enum sk_event_kind kind;
	uint8_t code;			/* ASYNC: AsyncEvent; TMF: response; LOGOUT: response; REJECT: reason */
	uint8_t vcode;
	uint16_t param1, param2, param3;	/* ASYNC; LOGOUT: param2 = Time2Wait, param3 = Time2Retain */
	uint64_t lun;
	uint64_t cookie;		/* PONG, TMF: as given when it was sent */
	uint16_t sense_len;
	uint8_t sense[SK_SENSE_MAX];
};

enum sk_tmf {
	SK_TMF_ABORT_TASK = 1,
	SK_TMF_ABORT_TASK_SET = 2,
	SK_TMF_CLEAR_TASK_SET = 4,
	SK_TMF_LU_RESET = 5,
	SK_TMF_TARGET_WARM_RESET = 6,
	SK_TMF_TARGET_COLD_RESET = 7,
};

struct sk_engine_cfg {
	uint32_t max_tasks;		/* 1..4096: SCSI tasks at once; the record's cmds_max */
	uint32_t stage_bytes;		/* staging buffer; 0 = 256 KiB (perf.md) */
	bool fast_abort;		/* stop answering R2Ts of affected tasks after a TMF */
	/* how long a step of the escalation may take before the next one, ms; 0 = 15000, 30000, 30000 */
	uint32_t abort_ms, lu_reset_ms, tgt_reset_ms;
};

struct sk_engine_stats {
	uint64_t tx_bytes, rx_bytes, tx_pdus, rx_pdus, cmds, data_out, data_in, r2t, digest_errors, timeouts;
	uint64_t tx_calls, rx_calls;	/* how often tx_done / rx were called: PDUs per call = batching */
};

struct sk_engine;

struct sk_engine *sk_engine_new(const struct sk_engine_cfg *cfg, const struct sk_params *params,
				struct sk_err *err);
void sk_engine_free(struct sk_engine *e);

/** sk_engine_task - a free task with the submitter's fields zeroed; NULL when all max_tasks are in use */
struct sk_task *sk_engine_task(struct sk_engine *e);
/** sk_engine_submit - queue it; it is sent by the next sk_engine_tx whose window allows. Never fails. */
void sk_engine_submit(struct sk_engine *e, struct sk_task *t);
/** sk_engine_task_put - give a done (or never submitted) task back to the pool */
void sk_engine_task_put(struct sk_engine *e, struct sk_task *t);

int sk_engine_rx_space(struct sk_engine *e, struct iovec *iov, int max);
int sk_engine_rx(struct sk_engine *e, size_t got, uint64_t now_ms, struct sk_err *err);
int sk_engine_tx(struct sk_engine *e, struct iovec *iov, int max);
void sk_engine_tx_done(struct sk_engine *e, size_t put);
/** sk_engine_tx_idle - nothing is waiting to be sent (or the window is closed) */
bool sk_engine_tx_idle(const struct sk_engine *e);

struct sk_task *sk_engine_next_done(struct sk_engine *e);
bool sk_engine_next_event(struct sk_engine *e, struct sk_engine_event *ret);
/** sk_engine_pending - next_done or next_event has something. Not only receiving makes it so: a task that was answered
 * while its data was still being sent is done after the sk_engine_tx_done that sends the last of it. */
bool sk_engine_pending(const struct sk_engine *e);

/** sk_engine_ping - queue a NOP-Out that wants an answer; SK_EAGAIN while one is outstanding already */
int sk_engine_ping(struct sk_engine *e, uint64_t cookie, struct sk_err *err);
/** sk_engine_tmf - queue a task management function; @ref is the task for ABORT TASK, else NULL and @lun is used */
int sk_engine_tmf(struct sk_engine *e, enum sk_tmf fn, struct sk_task *ref, uint64_t lun, uint64_t cookie,
		  struct sk_err *err);
/** sk_engine_logout - queue a Logout Request, reason 0; nothing new is sent afterwards */
int sk_engine_logout(struct sk_engine *e, struct sk_err *err);

/** sk_engine_patience - other waits for task management, 0 for each means its default; for functions sent from now on */
void sk_engine_patience(struct sk_engine *e, uint32_t abort_ms, uint32_t lu_reset_ms, uint32_t tgt_reset_ms);

/** sk_engine_timers - act on task deadlines (abort, then escalate); returns the next deadline or UINT64_MAX.
 * *lost is set when escalation ended at "drop the connection" (session recovery). */
uint64_t sk_engine_timers(struct sk_engine *e, uint64_t now_ms, bool *lost);

/* (While halted no deadline runs; after a resume each unfinished task has its whole time again, counted from the
 * first sk_engine_timers. Tasks whose deadline had passed before end with SK_END_TIMEOUT at the resume.) */

/** sk_engine_resume - a new connection after a relogin: new parameters, every unfinished task is sent again from
 * its beginning with a new CmdSN, in the order of submission (RFC 7143, 7.5 at ErrorRecoveryLevel 0). */
int sk_engine_resume(struct sk_engine *e, const struct sk_params *params, struct sk_err *err);
/** sk_engine_halt - the connection is lost: nothing is sent or received until sk_engine_resume; tasks wait. TMFs
 * without an answer are told as SK_EV_TMF with code 255. No receive or send may be under way in the driver. */
void sk_engine_halt(struct sk_engine *e);
/** sk_engine_drop - finish every task with SK_END_LOST (replacement_timeout, logout); halts first */
void sk_engine_drop(struct sk_engine *e);

bool sk_engine_halted(const struct sk_engine *e);
uint32_t sk_engine_inflight(const struct sk_engine *e);	/* submitted and not done */
const struct sk_engine_stats *sk_engine_stats(const struct sk_engine *e);
const struct sk_params *sk_engine_params(const struct sk_engine *e);

#endif
