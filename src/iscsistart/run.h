/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_ISCSISTART_RUN_H
#define SK_ISCSISTART_RUN_H

#include "iscsistart/jobs.h"

/** sk_start_run - log in to all jobs at once and wait for their disks. What happens is told; sessions that came up
 * stay. Returns the exit status: 0, or 1 when one of them failed */
int sk_start_run(const struct sk_places *places, struct sk_start_jobs *jobs);

#endif
