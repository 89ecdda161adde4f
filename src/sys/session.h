/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_SYS_SESSION_H
#define SK_SYS_SESSION_H

/**
 * What runs: sessions as the kernel's sysfs shows them, and as user sessions publish themselves in a tree of the same
 * shape below the run directory (docs/architecture.md, "The state tree"). One reader serves both. Everything may
 * vanish while it is read: a session that does is left out, an attribute that does is unknown (empty, or -1).
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "record/places.h"

struct sk_sys_lun {
	uint32_t host, channel, target;
	uint64_t lun;
	char state[32];		/* "running", … */
	char disk[32];		/* block device name (sda, loop3), "" if none */
	char disk_state[32];
	char path[512];		/* of user sessions: the file or socket that serves it, else "" */
	uint64_t blocks;	/* 0 = unknown */
	uint32_t block_size;
};

struct sk_sys_session {
	uint32_t sid, host;
	bool user;			/* of the user transport */
	bool flash;			/* not created from user space */
	char transport[32];		/* tcp, iser … as shown: "tcp" also for a user session standing in for it */
	char target[256], initiator[256], iface[80];
	char addr[128], persistent_addr[256], local_addr[128];
	int32_t port, persistent_port, tpgt;
	char netdev[32], hwaddress[32];
	char state[32];			/* LOGGED_IN, FAILED, FREE */
	char username[256], password[256], username_in[256], password_in[256];
	/* -1 = not reported */
	int64_t recovery_tmo, abort_tmo, lu_reset_tmo, tgt_reset_tmo;
	int64_t header_digest, data_digest, max_recv_dlength, max_xmit_dlength, first_burst_len, max_burst_len;
	int64_t immediate_data, initial_r2t, max_outstanding_r2t;
};

/** How much to read: each level includes the ones before it. Every attribute is a file to open. */
enum sk_sys_depth {
	SK_SYS_FLAT,	/* what a one-line listing and the search for an existing session need */
	SK_SYS_CURRENT, /* where it is connected now */
	SK_SYS_FULL,	/* all but passwords */
	SK_SYS_SECRETS,
};

/** Called in the incumbent's order (by the *name* of the sysfs directory: session1, session10, session2). */
typedef bool sk_sys_visit(void *ctx, const struct sk_sys_session *s);
/** sk_sys_sessions - both trees; returns the number visited. A tree that does not exist is an empty one. */
int sk_sys_sessions(const struct sk_places *p, enum sk_sys_depth depth, sk_sys_visit *visit, void *ctx);
/** sk_sys_session - one by id; -1 with SK_ENOENT */
int sk_sys_session(const struct sk_places *p, uint32_t sid, enum sk_sys_depth depth, struct sk_sys_session *ret,
		   struct sk_err *err);

typedef bool sk_sys_lun_visit(void *ctx, const struct sk_sys_lun *l);
/** sk_sys_luns - the session's LUNs, in the order of the names of H:C:T:L; SK_SYS_FLAT: without path and size. Only sid
 * and user of @s are looked at */
int sk_sys_luns(const struct sk_places *p, const struct sk_sys_session *s, enum sk_sys_depth depth, sk_sys_lun_visit *visit,
		void *ctx);

#endif
