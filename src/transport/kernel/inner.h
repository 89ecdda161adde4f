/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_TRANSPORT_KERNEL_INNER_H
#define SK_TRANSPORT_KERNEL_INNER_H

/** What the files of the kernel transport share. */

#include "sys/control.h"
#include "transport/kernel/crew.h"
#include "transport/kernel/keep.h"
#include "transport/kernel/kernel.h"
#include "transport/kernel/nl_msg.h"
#include "transport/kernel/nl_sock.h"
#include "transport/kernel/params.h"
#include "wire/race.h"
#include "wire/tcp.h"

#define SK_KERNEL_NAME "tcp"
#define SK_KLOST_MAX 256

struct sk_kwait;

struct sk_kernel {
	struct sk_transport t; /* first: a struct sk_transport * is a struct sk_kernel * */
	bool safe_logout;
	int cmd_fd;	  /* used by the order thread only, once there is a crew */
	bool no_async;	  /* ... and so are these: the kernel does not know DESTROY_SESSION_ASYNC; */
	uint64_t handle;  /* ... the transport's, as of the last session made; 0: not looked up yet */
	int ev_fd;
	struct sk_watch *ev_watch;
	int ua_fd; /* uevents: unit attentions */
	struct sk_watch *ua_watch;
	struct sk_crew *crew; /* NULL until the kernel is known to be drivable */
	struct sk_xsess *first;
	struct sk_kcmd *cmds; /* under way */
	bool checking;	      /* events were lost: every session is being looked at */
	/* preparing */
	struct sk_kwait *waiting;
	struct sk_kopen *opening;
	struct sk_timer *mod_timer, *yes_timer;
	bool loading;
	uint64_t load_again; /* not before */
	/* adopting */
	uint32_t lost[SK_KLOST_MAX]; /* sessions nobody knew whose connections failed meanwhile */
	unsigned n_lost;
};

/** A session in the kernel, as far as it got. Filled by the order thread; whoever holds a reference and is not behind it
 * in the order of things looks at nothing but refs. References are counted in the loop only. */
struct sk_kobj {
	unsigned refs;
	uint64_t handle;
	uint32_t sid, host;
	bool session, conn; /* exist */
};

enum sk_kstate {
	SK_K_IDLE,   /* no connection */
	SK_K_WIRE,   /* TCP connect under way */
	SK_K_ATTACH, /* the kernel is being given the socket */
	SK_K_LOGIN,  /* login PDUs go through the kernel */
	SK_K_START,  /* parameters and start are under way */
	SK_K_UP,
	SK_K_END, /* being logged out */
	SK_K_GONE,
};

enum sk_kend { SK_KEND_NOT, SK_KEND_FLUSH, SK_KEND_UNBIND, SK_KEND_LOGOUT, SK_KEND_DESTROY };

/** What unit attentions want looked at. */
struct sk_kattention {
	bool running, scan, all;
	unsigned n;
	uint64_t lun[16]; /* to be read again; more than these: all */
};

struct sk_xsess {
	struct sk_kernel *k;
	struct sk_xsess *next;
	const struct sk_transport_events *ev;
	void *ctx;
	struct sk_record *node;
	char initiator[224], iface[80], tag[64];
	enum sk_kstate st;
	unsigned epoch; /* of the connection: answers to orders of an older one are news of yesterday */
	uint32_t sid, host;
	struct sk_kobj *o;
	struct sk_wire *wire;
	struct sk_race *race; /* for it, among several addresses */
	unsigned won;
	bool up_once, scan_by_hand, scanned;
	uint32_t itt; /* of the login request last sent: the kernel has its own on the wire */
	/* ending */
	enum sk_kend end;
	bool force, connected;
	uint64_t end_by;
	struct sk_timer *timer;
	struct sk_kleave {
		bool under_way; /* the target asked for a logout; its answer is not here yet */
		uint16_t within_s;
		struct sk_timer *timer;
	} leave;
	struct sk_kattention due;
};

/** Something for the crew. */
struct sk_kcmd {
	struct sk_chore chore; /* first */
	struct sk_kcmd *prev, *next;
	struct sk_kernel *k;
	struct sk_xsess *x; /* NULL: its owner is gone, or there never was one */
	unsigned epoch;
	struct sk_kobj *o;
	int (*run)(struct sk_kcmd *c, struct sk_err *err);
	void (*after)(struct sk_kcmd *c); /* in the loop; may be NULL; c->rc and c->err tell */
	int rc;
	struct sk_err err;
	/* what run needs and finds */
	int fd;
	bool fresh, flag;
	enum sk_nl_stop how;
	uint16_t cmds_max, queue_depth;
	uint32_t sid, host;
	int nice;
	struct sk_pdu pdu;
	struct sk_kparams *params;
	struct sk_kattention due;
	struct sk_buf text; /* stats: the answer; users: who has a disk open */
	sk_stats_fn *stats;
	void *stats_ctx;
	sk_timers_fn *timers;
	void *timers_ctx;
};

static inline struct sk_kernel *sk_kernel(struct sk_transport *t)
{
	return (struct sk_kernel *)(void *)t;
}

/* cmd.c */
struct sk_kcmd *sk_kcmd_new(struct sk_kernel *k, struct sk_xsess *x, int (*run)(struct sk_kcmd *, struct sk_err *),
			    void (*after)(struct sk_kcmd *), struct sk_err *err);
/** sk_kcmd_with_params - the same, of a session, with room for parameters in c->params */
struct sk_kcmd *sk_kcmd_with_params(struct sk_xsess *x, int (*run)(struct sk_kcmd *, struct sk_err *),
				    void (*after)(struct sk_kcmd *), struct sk_err *err);
void sk_kcmd_drop(struct sk_kcmd *taken); /* one that was never given to the crew */
void sk_kcmd_order(struct sk_kcmd *taken);
void sk_kcmd_errand(struct sk_kcmd *taken);
/** sk_kcmd_current - does its answer still concern the session's present connection? */
bool sk_kcmd_current(const struct sk_kcmd *c);
void sk_kcmd_orphan(struct sk_xsess *x);
struct sk_kobj *sk_kobj_get(struct sk_kobj *o);
void sk_kobj_put(struct sk_kobj *o); /* NULL is fine */

/* steps.c: on the order thread */
int sk_kstep_attach(struct sk_kcmd *c, struct sk_err *err);
int sk_kstep_timers(struct sk_kcmd *c, struct sk_err *err);
int sk_kstep_send(struct sk_kcmd *c, struct sk_err *err);
int sk_kstep_start(struct sk_kcmd *c, struct sk_err *err);
int sk_kstep_stop(struct sk_kcmd *c, struct sk_err *err);
int sk_kstep_unbind(struct sk_kcmd *c, struct sk_err *err);
int sk_kstep_destroy(struct sk_kcmd *c, struct sk_err *err);
int sk_kstep_stats(struct sk_kcmd *c, struct sk_err *err);

/* errands.c: on a thread of their own */
int sk_kerrand_scan(struct sk_kcmd *c, struct sk_err *err);	/* c->flag: reread what is there as well */
int sk_kerrand_flush(struct sk_kcmd *c, struct sk_err *err);	/* c->flag: SK_EBUSY when in use */

/* kernel.c */
void sk_kernel_lost(struct sk_xsess *x, const struct sk_err *why); /* its connection failed */
void sk_kernel_gone(struct sk_xsess *x);			    /* the kernel has no such session any more */
void sk_kernel_drop(struct sk_xsess *x);			    /* destroy what never came up */
void sk_kernel_stop(struct sk_xsess *x);			    /* STOP_CONN RECOVER */
void sk_kernel_rescan_quietly(struct sk_xsess *x);
void sk_kernel_free(struct sk_xsess *x);
void sk_kernel_hang_up(struct sk_xsess *x); /* close the login's connection, or the race for one */

/* events.c */
int sk_kernel_listen(struct sk_kernel *k, struct sk_err *err);
void sk_kernel_drain(void *k);
struct sk_xsess *sk_kernel_by_sid(const struct sk_kernel *k, uint32_t sid);

/* attention.c */
void sk_kernel_attend(struct sk_kernel *k);
void sk_kernel_luns_changed(struct sk_xsess *x);

/* leave.c */
void sk_kernel_leave(struct sk_xsess *x, uint16_t within_s); /* log out as the target asks; then the session hears of it */
void sk_kernel_left(struct sk_xsess *x);
void sk_kernel_renegotiate(struct sk_xsess *x, uint32_t stat_sn); /* an empty Text Request; @stat_sn: of the asking PDU */

/* end.c */
int sk_kernel_end(struct sk_xsess *x, bool force, struct sk_err *err);
void sk_kernel_end_unbound(struct sk_xsess *x);
void sk_kernel_end_logged_out(struct sk_xsess *x);
void sk_kernel_end_conn_lost(struct sk_xsess *x);
void sk_kernel_end_destroyed(struct sk_xsess *x);

/* adopt.c */
/** sk_kernel_health - of a session that is found; a connection without a state (older kernels) is none that is known to be
 * bad. @failed_meanwhile: an event said so */
enum sk_xsess_health sk_kernel_health(const struct sk_sys_life *life, bool failed_meanwhile);
int sk_kernel_adopt(struct sk_transport *t,
		    void (*found)(void *ctx, struct sk_xsess *x, struct sk_record *taken_node, enum sk_xsess_health health),
		    void (*over)(void *ctx), const struct sk_transport_events *ev, void *ctx, struct sk_err *err);

/* prepare.c */
void sk_kernel_prepare_stop(struct sk_kernel *k);
/** sk_kernel_wait - as sk_kernel_prepare; without @load no module is loaded (SK_ENOENT when there is none) */
int sk_kernel_wait(struct sk_kernel *k, bool load, sk_kernel_ready_fn *fn, void *ctx, struct sk_err *err);

#endif
