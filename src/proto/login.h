/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_PROTO_LOGIN_H
#define SK_PROTO_LOGIN_H

/**
 * sk_login - the initiator's side of one login on one connection (RFC 7143, 6.3 and 11.12-13), without I/O.
 *
 *	l = sk_login_new(&cfg, rng, err);
 *	while ((want = sk_login_want(l)) == SK_WANT_SEND || want == SK_WANT_RECV)
 *		SEND: sk_login_take(l, &pdu, err)	RECV: sk_login_feed(l, &pdu, err)
 *
 * Limits: 8192 bytes of text sent per PDU, 64 KiB of text received per exchange, 256 keys, 32 exchanges; past them
 * SK_EPROTO. After any failure the machine wants GIVE_UP and sk_login_error() tells why.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/rng.h"
#include "proto/chap.h"
#include "proto/iname.h"
#include "proto/params.h"
#include "proto/pdu.h"
#include "proto/portal.h"

enum sk_login_want {
	SK_WANT_SEND,		/* call sk_login_take and send what it gives */
	SK_WANT_RECV,		/* call sk_login_feed with the next PDU */
	SK_WANT_DONE,		/* full-feature phase: sk_login_result */
	SK_WANT_REDIRECT,	/* Status-Class 1: sk_login_redirect */
	SK_WANT_GIVE_UP,	/* sk_login_error */
};

/** Digest preference of the offer, in the record's four spellings */
enum sk_digest_offer { SK_DIGEST_NONE, SK_DIGEST_CRC32C, SK_DIGEST_CRC32C_NONE, SK_DIGEST_NONE_CRC32C };

/** Credentials; all lent for the machine's life. Empty name means "not configured". */
struct sk_chap_cfg {
	char username[256], password[256];	/* we prove ourselves: used when password is not empty */
	char username_in[256], password_in[256];	/* the target must prove itself: password_in not empty */
	enum sk_chap_alg algs[SK_CHAP_ALG_COUNT];	/* offer, in this order */
	unsigned n_algs;			/* 0: MD5 only */
};

struct sk_chap_auth;

/** The logins under way whose target must prove itself, for the owner of several: none of their challenges may come from a
 * target as its own (RFC 7143, 9.2.1). Zero it; each login enters and leaves by itself, and it must outlive them. */
struct sk_chap_pending {
	struct sk_chap_auth *first;
};

struct sk_login_cfg {
	bool discovery;			/* SessionType=Discovery: no target name, no SCSI keys */
	struct sk_iname initiator;
	char initiator_alias[256];	/* "" = do not send */
	struct sk_iname target;		/* unused for discovery */
	int32_t expect_tpgt;		/* fail if the target tells another one; SK_TPGT_NONE accepts any */
	struct sk_isid isid;
	uint16_t tsih;			/* 0 = new session or session reinstatement */
	uint16_t cid;
	uint32_t cmd_sn;		/* initial CmdSN */
	struct sk_chap_cfg chap;
	struct sk_chap_pending *pending;	/* lent; NULL: only this login's own challenge is known */
	/* the offer */
	enum sk_digest_offer header_digest, data_digest;
	bool initial_r2t, immediate_data;
	uint32_t max_recv_dsl;		/* 512..16777215 */
	uint32_t max_xmit_dsl;		/* upper limit of our own; 0 = the target's */
	uint32_t max_burst, first_burst;
	uint32_t max_outstanding_r2t;
	uint32_t time2wait, time2retain;
	uint32_t max_text;		/* bytes of text sent per PDU, 0 = 8192; tests make it small */
};

struct sk_login;

/** sk_login_new - @cfg is copied; @rng is used for this call only. NULL: SK_EINVAL (a value out of its key's range,
 * no name), SK_EAUTH (credentials that are unsafe: both secrets equal, or only the target's), SK_ENOTSUP (no CHAP
 * algorithm is allowed here), SK_EIO (no random bytes), SK_ENOMEM. An empty username: the initiator name. */
struct sk_login *sk_login_new(const struct sk_login_cfg *cfg, struct sk_rng *rng, struct sk_err *err);
enum sk_login_want sk_login_want(const struct sk_login *l);
/** sk_login_take - the next PDU to send; the caller owns ret_pdu->data. -1 and GIVE_UP when out of memory. */
int sk_login_take(struct sk_login *l, struct sk_pdu *ret_pdu, struct sk_err *err);
/** sk_login_feed - a received PDU, lent. -1: the login is over (GIVE_UP), *err says why. */
int sk_login_feed(struct sk_login *l, const struct sk_pdu *pdu, struct sk_err *err);
const struct sk_params *sk_login_result(const struct sk_login *l);	/* only after DONE */
/** sk_login_redirect - where the target moved (port filled), after REDIRECT; *permanent tells 01/02. The
 * tag is SK_TPGT_NONE unless told. Whether to follow is the caller's policy: loops, address rules. */
const struct sk_portal *sk_login_redirect(const struct sk_login *l, bool *permanent);
/** sk_login_error - after GIVE_UP: code SK_ELOGIN/SK_EAUTH with .login set when the target refused by status,
 * SK_EAUTH when the target failed to prove itself, SK_EPROTO when it broke the protocol. */
const struct sk_err *sk_login_error(const struct sk_login *l);
/** sk_login_retryable - may a refused login be tried again later (Status-Class 3)? */
bool sk_login_retryable(const struct sk_login *l);
/** sk_login_status_text - words for a Status-Class/Detail; never NULL */
const char *sk_login_status_text(uint16_t status);
void sk_login_free(struct sk_login *l);	/* NULL is fine; wipes secrets */

#endif
