/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_MGMT_ADDRESS_H
#define SK_MGMT_ADDRESS_H

/** Addresses of local sockets: the abstract name, and paths of any length. */

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/err.h"

struct sk_unix {
	struct sockaddr_un un;
	socklen_t len;
	int dir; /* open while the address is in use, or -1: sk_unix_done */
};

/** sk_unix_abstract - the name as systemd and iscsid spell it: without a NUL behind it; some clients count one in
 */
int sk_unix_abstract(const char *name, bool with_nul, struct sk_unix *ret, struct sk_err *err);

/** sk_unix_path - a path of up to 4095 bytes; one that does not fit sun_path is reached through its directory */
int sk_unix_path(const char *path, struct sk_unix *ret, struct sk_err *err);

void sk_unix_done(struct sk_unix *u);

/** sk_unix_peer - the uid and pid at the other end (SO_PEERCRED); @ret_pid may be NULL */
int sk_unix_peer(int fd, uid_t *ret_uid, pid_t *ret_pid, struct sk_err *err);

/** sk_unix_trusted - only root and this process's own uid may talk to it, and it talks only to them */
bool sk_unix_trusted(uid_t peer);

#endif
