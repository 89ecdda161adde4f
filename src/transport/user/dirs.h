/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_TRANSPORT_USER_DIRS_H
#define SK_TRANSPORT_USER_DIRS_H

/** The files of user sessions below the run directory (docs/session-process.md, "Places"), as iscsid sees them. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "record/places.h"
#include "record/record.h"

/** sk_udir_next_sid - hand out a session id nobody has: not in the run directory, not in the state tree, not in the
 * kernel. Remembered in <rundir>/next-sid under a lock, so that ids are not used again soon. Creates what is missing. */
int sk_udir_next_sid(const struct sk_places *p, uint32_t *ret, struct sk_err *err);

/** sk_udir_path - "<rundir>/session/<sid>/<name>", or the directory itself when @name is NULL */
int sk_udir_path(const struct sk_places *p, uint32_t sid, const char *name, char *ret, size_t n, struct sk_err *err);

/** sk_udir_create - the session's directory with its record (0600: it may hold secrets), and two lines for who adopts it:
 * the initiator name in force and @tag */
int sk_udir_create(const struct sk_places *p, uint32_t sid, const struct sk_record *node, const char *initiator,
		   const char *tag, struct sk_err *err);

/** sk_udir_replace_record - another record in its place, whole or not at all */
int sk_udir_replace_record(const struct sk_places *p, uint32_t sid, const struct sk_record *node, struct sk_err *err);

/** sk_udir_about - those two lines back; empty when they are missing */
void sk_udir_about(const struct sk_places *p, uint32_t sid, char *initiator, size_t ni, char *tag, size_t nt);

/** sk_udir_record - read the record back; NULL with SK_ENOENT or SK_EDB */
struct sk_record *sk_udir_record(const struct sk_places *p, uint32_t sid, struct sk_err *err);

/** sk_udir_alive - does a process hold the session's lock? */
bool sk_udir_alive(const struct sk_places *p, uint32_t sid);

/** sk_udir_sweep - take away everything a dead session left: links, loop devices, mount, state tree, directory. May
 * block; not for the loop. */
void sk_udir_sweep(const struct sk_places *p, uint32_t sid);

/** sk_udir_list - the ids that have a directory; returns how many, at most @max */
unsigned sk_udir_list(const struct sk_places *p, uint32_t *ret, unsigned max);

#endif
