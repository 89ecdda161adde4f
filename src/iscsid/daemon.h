/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_ISCSID_DAEMON_H
#define SK_ISCSID_DAEMON_H

/** What the daemon's files share. */

#include "iscsid/options.h"
#include "mgmt/server.h"
#include "proto/iname.h"
#include "record/places.h"
#include "session/session.h"
#include "sys/logger.h"
#include "wire/changes.h"

struct sk_daemon {
	struct sk_iscsid_opts opts;
	struct sk_places places;
	struct sk_loop *loop;
	struct sk_rng rng;
	struct sk_transport *user, *kernel;
	struct sk_sessions *sessions;
	struct sk_net_changes *changes;
	struct sk_rediscovery *rediscovery;	/* once sessions are known */
	struct sk_mgmt_server *server;
	struct sk_logger log;		/* of the background */
	struct sk_timer *stop_timer, *adopt_timer;
	bool safe_logout, fallback, any_group;	/* of iscsid.conf, read at start */
	uint32_t busy_poll_us;		/* the same: iscsid.user.busy_poll */
	bool note_logged;
	bool stopping, serving, failed;
	char alias[256];
	int listen_fds[2];
	unsigned n_listen;
	int pid_fd;			/* kept open and locked */
	int lock_fd;			/* one daemon per run directory */
	int ready_fd;			/* daemon mode: the parent waits here */
};

/* log.c */
void sk_daemon_log_open(struct sk_daemon *d);

/* start.c: everything between the command line and the loop; -1: told, exit 1 */
void sk_daemon_close_inherited(void);		/* all but the standard three and what the service manager passed */
int sk_daemon_sockets(struct sk_daemon *d);
int sk_daemon_background(struct sk_daemon *d);	/* returns 0 in the child, or ends the parent */
void sk_daemon_harden(const struct sk_daemon *d);
int sk_daemon_drop(const struct sk_daemon *d);	/* -u, -g */
void sk_daemon_ready(struct sk_daemon *d);	/* tells parent and service manager */

/* conf.c: files it reads */
void sk_daemon_conf(struct sk_daemon *d);
int sk_daemon_initiator(const struct sk_daemon *d, struct sk_iname *ret, struct sk_err *err);

/* carry.c: logins, whoever asks for them. Who carries the session is found out first: "user" is always the user transport, "tcp"
 * the kernel where it can, else the user transport unless iscsid.conf forbids that */
struct sk_carry {
	struct sk_ask_login ask;	/* transport and initiator are filled in here; done, step and ctx are the asker's */
	struct sk_iname initiator;	/* unless the record has one; "" then */
	/** the end when ask.done will not be called; perhaps from inside the call */
	void (*refused)(void *ctx, enum sk_result code, const struct sk_err *err);
	void (*noted)(void *ctx, const char *text);	/* somebody else carries it than the record says; may be NULL */
};
void sk_daemon_login(struct sk_daemon *d, struct sk_record *taken_node, const struct sk_carry *carry);

/* rediscover.c: discovery records with use_discoveryd = Yes */
void sk_rediscovery_start(struct sk_daemon *d);	/* when all that runs is known */
void sk_rediscovery_kick(struct sk_daemon *d);	/* the network changed */
void sk_rediscovery_stop(struct sk_daemon *d);	/* nothing is begun any more; the sessions stay */
void sk_rediscovery_free(struct sk_daemon *d);	/* after sessions and transports, before the loop */

/* methods.c, login.c: what it is asked */
void sk_daemon_handle(void *ctx, struct sk_mgmt_req *req, const char *method, struct json_object *params);
void sk_method_explain(struct sk_daemon *d, struct sk_mgmt_req *req, struct json_object *params);
void sk_method_login(struct sk_daemon *d, struct sk_mgmt_req *req, struct json_object *params);
struct json_object *sk_daemon_disks(const struct sk_daemon *d, const struct sk_session_info *info);
void sk_daemon_stop(struct sk_daemon *d);

#endif
