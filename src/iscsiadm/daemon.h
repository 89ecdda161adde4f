/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_ISCSIADM_DAEMON_H
#define SK_ISCSIADM_DAEMON_H

/** Talking to iscsid: one connection for the whole run, started on demand as iscsid.startup says. */

#include "iscsiadm/adm.h"

enum sk_daemon_start { SK_DAEMON_START, SK_DAEMON_IF_RUNNING };

/** sk_daemon_reach - make sure there is a connection. With SK_DAEMON_START a daemon that is not there is started
 * and a failure is told (once a run); with SK_DAEMON_IF_RUNNING nothing is said. Returns 0 or 13, 18, 20. */
int sk_daemon_reach(struct sk_adm *adm, enum sk_daemon_start start);
/** sk_daemon_send - a request on the connection; its id, or -1. Params are taken. Reach first. */
int sk_daemon_send(struct sk_adm *adm, const char *method, struct json_object *taken_params);
/** sk_daemon_wait - the answer to @id. Returns the result code (18 when the daemon went away, 33 after
 * @timeout_ms);
 * @ret is always to be freed with sk_mgmt_answer_free; @err says more on failure */
int sk_daemon_wait(struct sk_adm *adm, int id, int timeout_ms, struct sk_mgmt_answer *ret, struct sk_err *err);
/** sk_daemon_call - send and wait */
int sk_daemon_call(struct sk_adm *adm, const char *method, struct json_object *taken_params, int timeout_ms,
		   struct sk_mgmt_answer *ret, struct sk_err *err);
/** sk_daemon_conf - the configuration file the running daemon uses, else this instance's */
const char *sk_daemon_conf(struct sk_adm *adm);

#endif
