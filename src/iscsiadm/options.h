/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_ISCSIADM_OPTIONS_H
#define SK_ISCSIADM_OPTIONS_H

/**
 * The command line of iscsiadm as values. The grammar is tables: options (with the modes that allow each), modes,
 * discovery types, operations, submodes. Parsing prints nothing: what is to be said comes back as text.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "iscsiadm/optscan.h"
#include "proto/portal.h"

enum sk_adm_mode {
	SK_MODE_NONE,
	SK_MODE_DISCOVERY,
	SK_MODE_DISCOVERYDB,
	SK_MODE_NODE,
	SK_MODE_SESSION,
	SK_MODE_IFACE,
	SK_MODE_FW,
	SK_MODE_HOST,
	SK_N_MODES,
};

enum sk_adm_type { SK_TYPE_NONE, SK_TYPE_SENDTARGETS, SK_TYPE_ISNS, SK_TYPE_FW, SK_TYPE_SLP };
enum sk_adm_submode { SK_SUB_NONE, SK_SUB_PING, SK_SUB_CHAP, SK_SUB_FLASHNODE, SK_SUB_STATS };

enum sk_adm_op {
	SK_OP_NEW = 1 << 0,
	SK_OP_DELETE = 1 << 1,
	SK_OP_UPDATE = 1 << 2,
	SK_OP_SHOW = 1 << 3,
	SK_OP_NONPERSISTENT = 1 << 4,
	SK_OP_APPLY = 1 << 5,
	SK_OP_APPLYALL = 1 << 6,
	SK_OP_LOGIN = 1 << 7,
	SK_OP_LOGOUT = 1 << 8,
};

/* Options with a long name only */
enum { SK_LONG_HOMEDIR = 256, SK_LONG_DBROOT, SK_LONG_RUNDIR, SK_LONG_EXPLAIN, SK_LONG_LIVE, SK_LONG_FAIL_FAST, SK_LONG_TIMEOUT };

#define SK_ADM_IFACES 64  /* -I may be repeated this often */
#define SK_ADM_PAIRS  512 /* -n/-v pairs */

struct sk_adm_pair {
	char *name;
	char *value; /* wiped when freed */
};

struct sk_adm_args {
	enum sk_adm_mode mode;
	enum sk_adm_type type;
	enum sk_adm_submode submode;
	unsigned ops; /* set of enum sk_adm_op */
	int level;    /* -P; -1 = not given */
	int debug;    /* -d; -1 = not given */
	bool login, logout, discover, rescan, stats, show_secrets, no_wait, json, explain, live, fail_fast;
	unsigned timeout_s; /* of logins; 0 = the record's */
	const char *login_class, *logout_class; /* -L, -U */
	const char *target;			/* -T as typed */
	const char *portal_text;		/* -p as typed, checked: .portal holds it */
	struct sk_portal portal;		/* port 3260 when none was given */
	const char *ifaces[SK_ADM_IFACES];
	unsigned n_ifaces;
	struct sk_adm_pair pairs[SK_ADM_PAIRS];
	unsigned n_pairs;
	const char *sid_text; /* -r */
	bool has_host, has_index, has_submode;
	uint32_t host; /* -H */
	bool host_is_mac;
	uint64_t index; /* -x */
	const char *ping_ip, *portal_type;
	int ping_size, ping_count, ping_interval;
	bool kill; /* -k */
	int kill_priority;
	const char *homedir, *dbroot, *rundir; /* private instances */

	const char *name, *value; /* a half of a pair that waits for the other */
	bool ask_version, ask_help;
};

/** What parsing has to say: lines for stdout or stderr, in order, and the exit status when it ends the program. */
struct sk_adm_verdict {
	bool stop; /* the program ends here with .code */
	int code;
	struct sk_buf out, err;
};

/** sk_adm_parse - the whole command line; on a stop the verdict says why. Without -m it stops, unless there is -r: that one
 * is judged before. argv is lent for as long as @ret is used,
 * except that the values of secret keys are taken out and overwritten there. */
void sk_adm_parse(int argc, char *const *argv, struct sk_adm_args *ret, struct sk_adm_verdict *v);
void sk_adm_args_free(struct sk_adm_args *a);
void sk_adm_verdict_free(struct sk_adm_verdict *v);

/** sk_adm_secrets - replace "@FILE", "@fd:N" and "-" by what they name, for secret keys; "@@…" stands for "@…".
 * A file that others may read is refused. -1: SK_EINVAL or the reason it cannot be read */
int sk_adm_secrets(struct sk_adm_args *a, struct sk_err *err);
/** sk_adm_key_is_secret - is the value of this record key a secret? */
bool sk_adm_key_is_secret(const char *key);

/** The tables, for tests and for the help text */
extern const struct sk_opt_row sk_adm_options[];
extern const size_t sk_adm_n_options;
const char *sk_adm_mode_word(enum sk_adm_mode mode);
enum sk_adm_mode sk_adm_mode_of(const char *word); /* SK_MODE_NONE: unknown */
enum sk_adm_words { SK_WORDS_OPS, SK_WORDS_TYPES, SK_WORDS_SUBMODES };
/** sk_adm_word - the @i-th word that -o, -t or -C takes; NULL past the last */
const char *sk_adm_word(enum sk_adm_words which, size_t i);
unsigned sk_adm_op_of(const char *word);	   /* 0: unknown */
/** sk_adm_decimal - the decimal prefix of @text, 0 if there is none, held within int */
int sk_adm_decimal(const char *text);

#endif
