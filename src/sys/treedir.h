/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_SYS_TREEDIR_H
#define SK_SYS_TREEDIR_H

/** Directories of the state tree, between the two halves of the publisher (tree.c, treelun.c). */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/** sk_tree_open - descriptor of <rundir>/sys, made if wanted */
int sk_tree_open(const char *rundir, bool make, struct sk_err *err);
/** sk_tree_session - descriptor of a directory below the session's host directory ("" for that itself) */
int sk_tree_session(const char *rundir, uint32_t sid, const char *below, struct sk_err *err);
/** sk_tree_lun_states - the state of every LUN of the session */
int sk_tree_lun_states(const char *rundir, uint32_t sid, const char *state, struct sk_err *err);

#endif
