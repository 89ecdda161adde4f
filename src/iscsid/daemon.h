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

/* methods.c, login.c: what it is asked */
void sk_daemon_handle(void *ctx, struct sk_mgmt_req *req, const char *method, struct json_object *params);
void sk_method_explain(struct sk_daemon *d, struct sk_mgmt_req *req, struct json_object *params);
void sk_method_login(struct sk_daemon *d, struct sk_mgmt_req *req, struct json_object *params);
struct json_object *sk_daemon_disks(const struct sk_daemon *d, uint32_t sid);
void sk_daemon_stop(struct sk_daemon *d);

#endif
