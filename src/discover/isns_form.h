/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_DISCOVER_ISNS_FORM_H
#define SK_DISCOVER_ISNS_FORM_H

/**
 * What isns-worker says through its pipe, as lines; and the reader, which believes none of it: the worker's library has
 * read a stranger's bytes. Pure.
 *
 *	siskin-isns 1				the first line
 *	portal NAME ADDRESS PORT TAG		a target's portal; ADDRESS is a number without brackets
 *	odd TEXT				something the server said that is of no use
 *	done N					the query is over, N portals were told
 *	up SECONDS				registered for notifications; the registration's period, 0 = unknown
 *	changed					the server says that targets came, changed or went
 *	fail STAGE TEXT				the end: STAGE is a word of enum sk_isns_stage
 *
 * A query is portal and odd lines, then done; listening is up, then changed lines for as long as it lasts; either may end
 * with fail instead. Anything else is SK_EPROTO, and nothing is read after it.
 */

#include "base/err.h"
#include "base/buf.h"
#include "proto/iname.h"
#include "proto/portal.h"

#define SK_ISNS_LINE_MAX    512		/* bytes, with the newline */
#define SK_ISNS_PORTALS_MAX 65536	/* of one answer */
#define SK_ISNS_ODD_MAX	    64		/* odd lines of one answer: more say nothing new */
#define SK_ISNS_PORT	    3205	/* RFC 4171, 2.10 */

/** How far the worker came before it failed. */
enum sk_isns_stage {
	SK_ISNS_START,	  /* the machine: no memory, no such name */
	SK_ISNS_CONNECT,  /* no server there */
	SK_ISNS_REGISTER, /* it does not take us in */
	SK_ISNS_QUERY,	  /* it does not tell */
	SK_ISNS_STAGES
};
const char *sk_isns_stage_word(enum sk_isns_stage s);

struct sk_isns_form_events {
	void (*portal)(void *ctx, const struct sk_iname *target, const struct sk_portal *portal);
	void (*odd)(void *ctx, const char *text);	/* printable */
	void (*done)(void *ctx);
	void (*up)(void *ctx, uint32_t period_s);
	void (*changed)(void *ctx);
	void (*fail)(void *ctx, enum sk_isns_stage stage, const char *text);
};

enum sk_isns_form_state { SK_ISNS_ST_HELLO, SK_ISNS_ST_OPEN, SK_ISNS_ST_PORTALS, SK_ISNS_ST_LISTEN, SK_ISNS_ST_OVER, SK_ISNS_ST_BROKEN };

struct sk_isns_form {
	const struct sk_isns_form_events *ev;
	void *ctx;
	enum sk_isns_form_state st;
	unsigned n_portals, n_odd;
	size_t n;			/* bytes of an unfinished line */
	char line[SK_ISNS_LINE_MAX];
};

void sk_isns_form_init(struct sk_isns_form *f, const struct sk_isns_form_events *ev, void *ctx);
/** sk_isns_form_feed - the next bytes, in pieces of any size. -1 with SK_EPROTO: from here on nothing is read */
int sk_isns_form_feed(struct sk_isns_form *f, const char *p, size_t n, struct sk_err *err);
/** sk_isns_form_over - has it ended as it should? */
bool sk_isns_form_over(const struct sk_isns_form *f);

/* The worker's side: whole lines into @out. */
void sk_isns_put_hello(struct sk_buf *out);
void sk_isns_put_portal(struct sk_buf *out, const struct sk_iname *target, const struct sk_portal *p);
void sk_isns_put_odd(struct sk_buf *out, const char *text);	/* made printable, cut to fit */
void sk_isns_put_number(struct sk_buf *out, const char *word, unsigned n);
void sk_isns_put_changed(struct sk_buf *out);
void sk_isns_put_fail(struct sk_buf *out, enum sk_isns_stage s, const char *text);

#endif
