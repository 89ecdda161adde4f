/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_TEST_FAKE_TRANSPORT_H
#define SK_TEST_FAKE_TRANSPORT_H

/** A transport without a network: every session talks to a `struct peer` of the test, and does what the test says. */

#include "../peer/peer.h"
#include "transport/transport.h"

struct fake {
	struct sk_transport t;		/* first */
	struct peer peer;		/* shared by all sessions */
	struct sk_xsess *first;		/* the sessions, newest first */
	uint32_t last_sid;
	int connect_errno;		/* connects fail with it */
	unsigned raced, win;		/* addresses of the last open_any, and which of them is connected */
	bool hang;			/* connects neither succeed nor fail */
	bool attach_fails, no_ready, end_busy;
	unsigned opens, handoffs, halts, ends, forgets;
	struct sockaddr_storage to;	/* of the last open */
	struct {
		const struct sk_record *node;
		const char *tag;
		enum sk_xsess_health health;
	} adopt[8];
	unsigned n_adopt;
};

struct sk_xsess {
	struct fake *f;
	struct sk_xsess *next;
	const struct sk_transport_events *ev;
	void *ctx;
	uint32_t sid;
	char tag[64];
	struct sk_timer *timer;		/* news is told from the loop, as the contract says */
	struct sk_pdu inbox[4];
	unsigned n_in;
	bool up_due, down_due, attached_due, attach_fail_due, ready_due, ended_due, attached;
};

void fake_init(struct fake *f, struct sk_loop *l);
/** fake_lose - the data path of @x says that its connection is gone */
void fake_lose(struct sk_xsess *x);

#endif
