/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_ISCSIADM_RESCAN_H
#define SK_ISCSIADM_RESCAN_H

/** Rescans of kernel sessions without iscsid: through sysfs, side by side, with a deadline. */

#include "iscsiadm/select.h"

/** sk_rescan_kernel - read the sizes of the LUNs of each session again and look for new ones. Each session is a process's
 * work, since a scan may hang in the kernel: one that is not done after @ms is left behind. @codes (one for each session)
 * gets 0, SK_RES_ERR (refused), SK_RES_AGAIN (not done in time) or SK_RES_CHILD_TERMINATED. */
void sk_rescan_kernel(const struct sk_places *places, const struct sk_sessions *s, int ms, int *codes);

#endif
