/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_RECORD_FOREIGN_H
#define SK_RECORD_FOREIGN_H

/** Inside of the lock: may somebody alive own the incumbent's lock.write? */

enum sk_foreign {
	SK_FOREIGN_NONE,	/* nobody: it is stale */
	SK_FOREIGN_ALIVE,	/* *ret_pid may */
	SK_FOREIGN_UNSEEN,	/* not every process can be seen from here */
};

/** sk_foreign_holder - looks at every process below @proc ("/proc") but @self */
enum sk_foreign sk_foreign_holder(const char *proc, long self, long *ret_pid);

#endif
