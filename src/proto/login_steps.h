/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_PROTO_LOGIN_STEPS_H
#define SK_PROTO_LOGIN_STEPS_H

/** The inside of a login, shared by login.c (PDUs, limits) and login_steps.c (text). Not for others. */

#include "proto/chap_auth.h"
#include "proto/login.h"
#include "proto/negotiate.h"
#include "proto/text.h"

enum sk_login_step {
	SK_STEP_METHOD,	      /* security: who we are, AuthMethod */
	SK_STEP_ALGS,	      /* CHAP_A goes out, the challenge comes */
	SK_STEP_PROOF,	      /* our response goes out; mutual: the target's comes */
	SK_STEP_SECURITY_END, /* the target has not agreed to leave the stage yet */
	SK_STEP_OFFER,	      /* operational: all our keys */
	SK_STEP_OFFER_END,    /* answers, until the target agrees to leave */
	SK_STEP_FULL,	      /* over */
};

struct sk_login {
	struct sk_login_cfg cfg; /* a copy; holds secrets */
	enum sk_login_want want;
	enum sk_login_step step;
	bool authenticates;
	struct sk_chap_auth chap;
	struct sk_negotiate neg;
	struct sk_text_out out; /* of the request being sent */
	struct sk_text_in in;	/* of the response being received */
	struct sk_buf answers;	/* due in the next request */
	bool out_more;		/* the last request had C=1 */
	bool transit;		/* the last request had T=1 */
	unsigned requests;
	bool have_stat_sn;
	uint32_t exp_stat_sn;
	uint32_t max_text;
	struct sk_params result;
	struct sk_portal redirect;
	bool permanent;
	struct sk_err error;
};

struct sk_login_step_row {
	enum sk_stage csg, nsg;
	bool transit;					      /* T: ready to go to nsg */
	void (*make)(struct sk_login *l, struct sk_buf *out); /* the request's text; NULL: none */
	int (*hear)(struct sk_login *l, const struct sk_text *in, struct sk_err *err); /* the response's */
	enum sk_login_step stay, go; /* next step, when the response has T=0 and T=1 */
};

const struct sk_login_step_row *sk_login_step_row(enum sk_login_step step);
enum sk_login_step sk_login_first_step(const struct sk_login *l);

#endif
