/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_ISCSIADM_OPTSCAN_H
#define SK_ISCSIADM_OPTSCAN_H

/**
 * sk_optscan - walks a command line by the rules of GNU getopt_long, without its globals: clusters, attached
 * arguments, --name=value, unambiguous prefixes of long names, options after operands, "--". Two walks can run at
 * the same time, which the evaluation order of iscsiadm needs (each -m looks at the whole line again). argv is not
 * permuted.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct sk_opt_row {
	int letter;	  /* the short option, or a number over 255 for an option with a long name only */
	const char *name; /* long name */
	bool arg;	  /* takes an argument */
	unsigned modes;	  /* set of 1 << enum sk_adm_mode that allow it */
};

struct sk_optscan {
	char *const *argv;
	int argc;
	int at;	       /* next element to look at */
	char *cluster; /* rest of a cluster of short options, or NULL */
	bool ended;    /* "--" was seen */
	const struct sk_opt_row *rows;
	size_t n_rows;

	/* results of the last step */
	const struct sk_opt_row *row; /* the option found; NULL when refused */
	char *arg;		      /* its argument, in argv's memory; NULL if it takes none */
	int refused;		      /* the letter of a refused option; 0 for an unknown or ambiguous long one */
	struct sk_buf why;	      /* getopt's words about a refused option, without the program name */
};

enum sk_optscan_step { SK_OPT_END, SK_OPT_FOUND, SK_OPT_REFUSED, SK_OPT_OPERAND };

/** sk_optscan_start - begin at argv[1]; argv and rows are lent for the time of the walk */
void sk_optscan_start(struct sk_optscan *s, int argc, char *const *argv, const struct sk_opt_row *rows,
		      size_t n_rows);
/** sk_optscan_next - one step; an operand is reported with .arg */
enum sk_optscan_step sk_optscan_next(struct sk_optscan *s);
void sk_optscan_free(struct sk_optscan *s);

#endif
