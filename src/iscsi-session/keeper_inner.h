/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_SESSION_KEEPER_INNER_H
#define SK_SESSION_KEEPER_INNER_H

/** What the keeper's files share: keeper.c (life, the engine's messages), control.c (the conversation with iscsid),
 * attach.c (what it says, as structs), disks.c (loop devices, links), ending.c (the end). */

#include <json-c/json.h>

#include "base/buf.h"
#include "iscsi-session/boundary.h"
#include "iscsi-session/keeper.h"
#include "loop/loop.h"
#include "mgmt/result.h"
#include "sys/loopdev.h"
#include "sys/session.h"
#include "sys/tree.h"

#define SK_KEEPER_MAX_IO (1U << 20)

enum sk_kdisk_state {
	SK_KDISK_IDLE,		/* nothing under way */
	SK_KDISK_BUSY,		/* a worker is at it */
	SK_KDISK_FORGETTING,	/* taken away here, the engine is being told */
};

enum sk_kdisk_work { SK_KWORK_ATTACH, SK_KWORK_RESIZE, SK_KWORK_DETACH };

/** One disk of the session. A worker owns the fields below the line while state is BUSY. */
struct sk_kdisk {
	struct sk_keeper *k;
	struct sk_kdisk *next;
	uint32_t unit;
	struct sk_b_lun info;		/* as told last */
	enum sk_kdisk_state state;
	bool off;			/* its I/O fails: take it away as soon as nobody uses it */
	bool stranger;			/* another volume waits behind it */
	bool again;			/* told something new while a worker was at it */
	bool force;			/* DETACH: whoever uses it */
	bool attached;
	struct sk_loopdev dev;
	char file[512], link[256];
	/* the worker's */
	enum sk_kdisk_work work;
	struct sk_b_lun wanted;
	bool flush;			/* DETACH: there is a connection to flush over */
	bool no_loop;			/* not possible here: only the file */
	int rc;
	struct sk_err err;
};

enum sk_keeper_state {
	SK_KEEPER_WAITING,	/* for attach */
	SK_KEEPER_STARTING,	/* attach is with the engine */
	SK_KEEPER_SERVING,
	SK_KEEPER_ENDING,
};

enum sk_ending { SK_END_NOT, SK_END_WAIT, SK_END_CHECK, SK_END_DISKS, SK_END_UNMOUNT, SK_END_LOGOUT, SK_END_EXIT };

struct sk_keeper {
	struct sk_keeper_cfg cfg;
	struct sk_loop *loop;
	enum sk_keeper_state state;
	char dir[300], disk_dir[320];
	int lock_fd;
	bool mounted, published;
	struct sk_sys_session pub;	/* what the state tree says */
	enum sk_b_health health;
	struct sk_b_timers timers;
	/* the engine */
	int boundary;
	struct sk_watch *boundary_watch;
	pid_t engine;
	bool engine_gone;
	/* the controller */
	int listen_fd;
	struct sk_watch *listen_watch;
	struct sk_conn *conn;
	int64_t attach_id, stats_id, hello_id;	/* requests that wait for the engine, 0 = none */
	struct sk_sys_session next_pub;	/* of the attach or reattach under way */
	/* disks */
	struct sk_kdisk *disks;
	bool scanned;			/* SCANNED came, disks may still be on their way */
	bool ready;			/* the first scan is over */
	bool ready_due;			/* somebody asked for this scan */
	struct sk_b_result scan;
	/* the end */
	struct sk_timer *timer;		/* attach deadline; then the end's */
	enum sk_ending ending;
	int64_t end_id;
	bool force;
	uint32_t timeout_s;
	bool abandoned;			/* the engine was told to fail everything */
	struct sk_job *checking;	/* CHECK: a worker looks who uses the disks */
	int check_rc;			/* UNMOUNT: its worker's */
	int rc;				/* of the program */
	struct sk_err why;
};

/* keeper.c */
int sk_keeper_tell_engine(struct sk_keeper *k, const struct sk_b_msg *m, const int *fds, struct sk_err *err);
int sk_keeper_start_engine(struct sk_keeper *k, const struct sk_b_start *start, int tcp_fd, struct sk_err *err);
/** sk_keeper_stop - leave the loop; everything else is cleaned up after it */
void sk_keeper_stop(struct sk_keeper *k, int rc, const struct sk_err *why);

/* control.c */
void sk_conn_hello(struct sk_keeper *k);		/* answers a hello that came while the engine was starting */
int sk_conn_listen(struct sk_keeper *k, struct sk_err *err);
void sk_conn_close(struct sk_keeper *k);
/** sk_conn_flush - what is queued leaves now, waiting up to @ms for a slow reader */
void sk_conn_flush(struct sk_keeper *k, int ms);
void sk_conn_answer(struct sk_keeper *k, int64_t id, struct json_object *taken_result);
void sk_conn_refuse(struct sk_keeper *k, int64_t id, enum sk_result code, const char *text);
void sk_conn_event(struct sk_keeper *k, const char *event, struct json_object *taken_params);
const char *sk_health_word(enum sk_b_health health);

/* attach.c */
int sk_attach_read(struct json_object *params, struct sk_b_start *ret, struct sk_sys_session *ret_pub, struct sk_err *err);
int sk_reattach_read(struct json_object *params, struct sk_params *ret, struct sk_sys_session *pub, struct sk_err *err);
/** sk_timers_read - fields that are there replace those in *t */
int sk_timers_read(struct json_object *o, struct sk_b_timers *t, struct sk_sys_session *pub, struct sk_err *err);
/** sk_attach_secrets - the names and secrets of the record, for the state tree */
void sk_attach_secrets(const struct sk_keeper *k, struct sk_sys_session *pub);

/* disks.c */
void sk_kdisks_lun(struct sk_keeper *k, const struct sk_b_lun *l);
void sk_kdisks_off(struct sk_keeper *k, const struct sk_b_off *o);
void sk_kdisks_forgotten(struct sk_keeper *k, uint32_t unit);
/** sk_kdisks_retry - try again to take away what is off */
void sk_kdisks_retry(struct sk_keeper *k);
/** sk_kdisks_busy - is a worker at any of them, or the engine still to be told? */
bool sk_kdisks_busy(const struct sk_keeper *k);
/** sk_kdisk_go - start work on an idle disk; the end or the next step comes by itself */
void sk_kdisk_go(struct sk_kdisk *d, enum sk_kdisk_work work);
/** sk_kdisk_detach - the blocking part of taking a disk away: flush, link, loop device */
int sk_kdisk_detach(struct sk_kdisk *d, bool force, struct sk_err *err);
void sk_kdisks_settled(struct sk_keeper *k);	/* a disk got idle: ready? */
void sk_kdisks_free(struct sk_keeper *k);

/* ending.c */
/** sk_end_begin - @id: the request to answer, 0 = none (a signal) */
void sk_end_begin(struct sk_keeper *k, int64_t id, bool force, uint32_t timeout_s);
void sk_end_disk_done(struct sk_keeper *k);	/* a disk got idle while ending */
void sk_end_lost(struct sk_keeper *k);		/* the connection went */
void sk_end_logged_out(struct sk_keeper *k);
void sk_end_engine_gone(struct sk_keeper *k);
/** sk_end_clean - what is left when the loop is over: mount, tree, files. Blocking */
void sk_end_clean(struct sk_keeper *k);

#endif
