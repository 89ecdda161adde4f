/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_DISCOVER_ISNS_H
#define SK_DISCOVER_ISNS_H

/**
 * sk_isns - an iSNS server asked or listened to, by a process of its own (isns-worker), on a loop. The process has a deadline, and
 * limits to what it may say; whatever becomes of it, here it is an error.
 */

#include "discover/isns_form.h"
#include "discover/sendtargets.h"
#include "loop/loop.h"

#define SK_ISNS_CALL_MS 15000	/* connecting, and each answer of the server */

struct sk_isns_cfg {
	const char *worker;		/* path of isns-worker; lent for the call, as all of this */
	const char *host;
	uint16_t port;
	const struct sk_iname *names;	/* who asks; a query has one */
	unsigned n_names;		/* 1..16 */
	uint32_t call_ms;		/* 0 = SK_ISNS_CALL_MS */
};

/** Called from the loop; sk_isns_free is fine in each. */
struct sk_isns_ask_events {
	/** something the server said is of no use */
	void (*say)(void *ctx, const char *line);
	/** the end, once. @found is lent, in the server's order. @err: what went wrong, at which @stage */
	void (*done)(void *ctx, const struct sk_found *found, unsigned n, enum sk_isns_stage stage, const struct sk_err *err);
};
struct sk_isns_hear_events {
	void (*up)(void *ctx);		/* registered, or registered still */
	void (*changed)(void *ctx);	/* only after up */
	void (*down)(void *ctx, enum sk_isns_stage stage, const struct sk_err *err);	/* the end, once */
};

struct sk_isns;

/** sk_isns_ask - query all targets that names[0] may see; over after three times call_ms at the latest */
struct sk_isns *sk_isns_ask(struct sk_loop *l, const struct sk_isns_cfg *cfg, const struct sk_isns_ask_events *ev, void *ctx,
			    struct sk_err *err);
/** sk_isns_hear - register the names, and be told of changes for as long as the server is there */
struct sk_isns *sk_isns_hear(struct sk_loop *l, const struct sk_isns_cfg *cfg, const struct sk_isns_hear_events *ev, void *ctx,
			     struct sk_err *err);
void sk_isns_free(struct sk_isns *s);	/* NULL is fine; ends the process without a word */

#endif
