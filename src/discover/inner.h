/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_DISCOVER_INNER_H
#define SK_DISCOVER_INNER_H

/** What the files of a SendTargets run share. */

#include "discover/sendtargets.h"
#include "proto/login.h"
#include "proto/sendtargets.h"
#include "record/node.h"
#include "wire/tcp.h"

enum sk_disc_state {
	SK_DISC_START,
	SK_DISC_RESOLVE,
	SK_DISC_CONNECT,
	SK_DISC_LOGIN,
	SK_DISC_TEXT,
	SK_DISC_PAUSE,
	SK_DISC_OVER
};

struct sk_disc {
	struct sk_loop *loop;
	struct sk_rng *rng;
	const struct sk_record *iface;
	struct sk_disc_events ev;
	void *ctx;
	struct sk_timer *timer;
	struct sk_login_cfg login_cfg;
	uint64_t cfg_deadline, attempt_end;
	uint32_t login_ms, text_ms;
	unsigned reopen_max, failures, redirects;
	enum sk_disc_state state;
	struct sk_portal home, at; /* the record's portal; where we are now */
	char ip[128], netdev[32];
	struct sk_addrs addrs;
	struct sk_job *resolving;
	struct sk_wire *wire;
	struct sk_login *login;
	struct sk_sendtargets *text;
	struct sk_err last;
	struct sk_found *found;
	unsigned n_found, cap_found;
	bool nomem;
};

/* sendtargets.c: attempts */
void sk_disc_say(struct sk_disc *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sk_disc_retry(struct sk_disc *d, const struct sk_err *why);
void sk_disc_finish(struct sk_disc *d, const struct sk_err *err); /* d may be gone afterwards, as after retry */
void sk_disc_redirect(struct sk_disc *d, const struct sk_portal *to);
void sk_disc_asking(struct sk_disc *d); /* logged in: the text exchange has its own time */

/* talk.c: the conversation on one connection */
void sk_disc_talk_begin(struct sk_disc *d);
void sk_disc_talk_feed(struct sk_disc *d, const struct sk_pdu *pdu);
void sk_disc_talk_end(struct sk_disc *d);
bool sk_disc_talk_complete(const struct sk_disc *d); /* the answer is all there */

#endif
