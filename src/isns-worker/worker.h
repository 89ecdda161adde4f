/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_ISNS_WORKER_WORKER_H
#define SK_ISNS_WORKER_WORKER_H

/** One run of isns-worker: what is asked of which server, in whose names. */

#include <libisns/isns.h>
#include <netinet/in.h>

#include "discover/isns_form.h"

#define SK_WORKER_NAMES_MAX 16

struct sk_worker {
	const char *host;
	uint16_t port;
	unsigned seconds;		/* of one call to the server */
	struct sk_iname names[SK_WORKER_NAMES_MAX];
	unsigned n_names;

	struct sockaddr_storage server, local;	/* who answered, and our side of that connection */
	isns_source_t *sources[SK_WORKER_NAMES_MAX];
	isns_client_t client;		/* asks in the first name */
	const char *why;		/* when the last call failed */
	struct sk_err err;
};

/* connect.c */
/** sk_worker_reach - find an address of the server that answers; -1 with w->err */
int sk_worker_reach(struct sk_worker *w);

/* ask.c: what the server answers with (ISNS_SUCCESS …), w->why has the words */
int sk_worker_open(struct sk_worker *w);	/* -1: no memory */
int sk_worker_call(struct sk_worker *w, isns_simple_t **inout);
/** sk_worker_query - all targets that the name may see, into @ret unless it is NULL */
int sk_worker_query(struct sk_worker *w, unsigned name, isns_object_list_t *ret);
/** sk_worker_walk - the same, one target after the other: for an answer that is longer than the library takes */
int sk_worker_walk(struct sk_worker *w, unsigned name, isns_object_list_t *ret);
/** sk_worker_known - is the entity of that name registered? ISNS_SUCCESS, ISNS_NO_SUCH_ENTRY, or what went wrong */
int sk_worker_known(struct sk_worker *w, const char *entity);

/* query.c, listen.c: the whole of it; the exit status */
int sk_worker_discover(struct sk_worker *w);
int sk_worker_listen(struct sk_worker *w);

/* main.c: lines to who started us; the worker ends when nobody reads them */
void sk_worker_say(struct sk_buf *lines);
int sk_worker_fail(enum sk_isns_stage stage, const char *why);

#endif
