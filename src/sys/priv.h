/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_SYS_PRIV_H
#define SK_SYS_PRIV_H

/** What processes do with their own privileges: first what needs them; who reads from the network then gives them away. */

#include "base/err.h"

/** sk_priv_steel - best effort, before the drop: memory stays resident, memory reclaim never waits for our own disks
 * (PR_SET_IO_FLUSHER), the out-of-memory killer takes others first */
void sk_priv_steel(void);

/** sk_priv_soften - best effort, before the drop: undoes what a child inherits of its parent's steel and priority */
void sk_priv_soften(void);

/** sk_priv_drop - become @user with no capabilities and no way back; checked afterwards. Without root there is nothing
 * to become: only no_new_privs is set. SK_EACCES: it did not work, the caller must end. */
int sk_priv_drop(const char *user, struct sk_err *err);

#endif
