/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_SYS_TREE_H
#define SK_SYS_TREE_H

/**
 * The state tree: how a user session publishes itself below <rundir>/sys in the shape of the kernel's sysfs
 * (docs/architecture.md, "The state tree"). One process writes the tree of a session; readers (sys/session.h) may
 * come at any time and without it. A session appears complete or not at all; values are replaced by rename, so a
 * reader sees the old one or the new one.
 *
 * Beside the kernel's attributes a session has a directory `siskin/` and a LUN a file `siskin/path`.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "sys/session.h"

/** sk_tree_create - publish a session (state, parameters, CHAP names and secrets 0600). A tree left over by a
 * session with the same id is removed first. s->user is taken as true; -1 values leave their attribute out. */
int sk_tree_create(const char *rundir, const struct sk_sys_session *s, struct sk_err *err);

/** sk_tree_update - write every attribute again whose value differs (after a relogin: portal, parameters, timers)
 */
int sk_tree_update(const char *rundir, const struct sk_sys_session *s, struct sk_err *err);

/** sk_tree_set_state - session @state: LOGGED_IN, FAILED, FREE; the connection's follows (up, failed, down), and so
 * does every LUN's (running, blocked, transport-offline) */
int sk_tree_set_state(const char *rundir, uint32_t sid, const char *state, struct sk_err *err);

/** sk_tree_set_target_state - SCANNED and the like (the kernel's `target_state`) */
int sk_tree_set_target_state(const char *rundir, uint32_t sid, const char *state, struct sk_err *err);

/** sk_tree_set - any other attribute of ours below `sessionN/siskin/`; @name is one path component */
int sk_tree_set(const char *rundir, uint32_t sid, const char *name, const char *value, struct sk_err *err);
/** sk_tree_get - read it back, "" if it is not there */
void sk_tree_get(const char *rundir, uint32_t sid, const char *name, char *ret, size_t n);

/** What a LUN says beyond struct sk_sys_lun; empty strings and -1 are left out. */
struct sk_tree_lun {
	struct sk_sys_lun l; /* host, channel, target of the session's: 0 and filled in by the tree */
	int type;	     /* peripheral device type, 0 = disk */
	char vendor[9], model[17], rev[5];
	char wwid[528]; /* "naa.…", as scsi/inquiry.h's sk_ident */
	bool read_only;
};

/** sk_tree_add_lun - publish a LUN; replaces one of the same number */
int sk_tree_add_lun(const char *rundir, uint32_t sid, const struct sk_tree_lun *l, struct sk_err *err);
/** sk_tree_lun_size - a resized LUN */
int sk_tree_lun_size(const char *rundir, uint32_t sid, uint64_t lun, uint64_t blocks, uint32_t block_size,
		     struct sk_err *err);
int sk_tree_lun_state(const char *rundir, uint32_t sid, uint64_t lun, const char *state, struct sk_err *err);
/** sk_tree_remove_lun - 0 also when there is no such LUN */
int sk_tree_remove_lun(const char *rundir, uint32_t sid, uint64_t lun, struct sk_err *err);

/** sk_tree_remove - take the session out: links of the classes first. 0 also when there is none */
int sk_tree_remove(const char *rundir, uint32_t sid, struct sk_err *err);

#endif
