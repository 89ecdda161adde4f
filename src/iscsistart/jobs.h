/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_ISCSISTART_JOBS_H
#define SK_ISCSISTART_JOBS_H

/** Who is to be logged in to: a record each. */

#include "iscsistart/options.h"
#include "mgmt/result.h"
#include "record/places.h"
#include "record/record.h"
#include "sys/boot.h"

struct sk_start_run;

struct sk_start_job {
	struct sk_start_run *run;
	struct sk_record *record; /* owned, until the session takes it */
	char *initiator;	  /* owned; the name for records whose iface has none */
	char target[256], address[256];
	unsigned port;
	int tpgt;
	bool begun, over;
	enum sk_result code; /* when over */
	uint32_t sid;	     /* when it succeeded in the kernel; else 0 */
};

struct sk_start_jobs {
	struct sk_start_job *v;
	unsigned n;
	char ping_interval[16], ping_timeout[16]; /* what the configuration says of pings, for whoever takes over */
};

/** sk_start_jobs_make - of the options, or (@boot not NULL) of each of the firmware's targets. Tells what is wrong
 * with a
 * --param, in the incumbent's words. -1: told */
int sk_start_jobs_make(const struct sk_start_opts *o, const struct sk_places *places, const struct sk_boot *boot,
		       struct sk_start_jobs *ret);
void sk_start_jobs_free(struct sk_start_jobs *jobs);

#endif
