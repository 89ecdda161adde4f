/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_MGMT_ACTIVATION_H
#define SK_MGMT_ACTIVATION_H

/** The service manager: a listening socket it passed, and the state told to it. Without one nothing happens. */

#include "base/err.h"

/** sk_mgmt_listen_inherited - descriptor 3 when LISTEN_PID is this process and LISTEN_FDS is exactly 1; the
 * variables are removed from the environment, children see none. -1 with SK_ENOENT: there is none; SK_EINVAL: it is
 * no listening local stream socket. */
int sk_mgmt_listen_inherited(struct sk_err *err);

/** sk_mgmt_listen_passed - how many descriptors, from 3 on, the service manager passed to this process; does not change the
 * environment, so that sk_mgmt_listen_inherited can follow */
unsigned sk_mgmt_listen_passed(void);

/** sk_mgmt_notify - send @state ("READY=1\nSTATUS=…") to NOTIFY_SOCKET; 0 also when nobody asked for it */
int sk_mgmt_notify(const char *state, struct sk_err *err);

#endif
