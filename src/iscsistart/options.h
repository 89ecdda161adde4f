/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_ISCSISTART_OPTIONS_H
#define SK_ISCSISTART_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum sk_start_what {
	SK_START_LOGIN,	   /* the target of the options */
	SK_START_FIRMWARE, /* -b: all targets of the firmware */
	SK_START_PRINT,	   /* -f */
	SK_START_NETWORK,  /* -N */
	SK_START_OVER,	   /* help or version was printed, or the mistake was */
};

struct sk_start_param {
	char *name, *value; /* owned; the value may be a secret */
};

/** The command line (spec: boot.md 5.5). Strings point into argv, but secrets and params. */
struct sk_start_opts {
	enum sk_start_what what;
	int status; /* of SK_START_OVER: the exit status */
	const char *conf, *initiator, *target, *address, *username, *username_in;
	char *password, *password_in; /* owned */
	int tpgt;		      /* -1 = not given */
	uint16_t port;
	bool debug;
	struct sk_start_param *params;
	unsigned n_params;
};

/** sk_start_parse - tells on stdout and stderr what the incumbent does. Secrets are blanked in @argv */
void sk_start_parse(int argc, char *argv[], struct sk_start_opts *ret);
void sk_start_opts_free(struct sk_start_opts *o); /* wipes secrets */

#endif
