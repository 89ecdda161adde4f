/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "proto/login_steps.h"

#include "base/mem.h"

/* The first request of a login says who we are (RFC 7143, 6.3.1). */
static void put_identity(struct sk_login *l, struct sk_buf *out)
{
	sk_text_put(out, "InitiatorName", l->cfg.initiator.s);
	if (l->cfg.initiator_alias[0])
		sk_text_put(out, "InitiatorAlias", l->cfg.initiator_alias);
	if (!l->cfg.discovery)
		sk_text_put(out, "TargetName", l->cfg.target.s);
	if (l->cfg.tsih == 0)
		sk_text_put(out, "SessionType", l->cfg.discovery ? "Discovery" : "Normal");
}

static void make_method(struct sk_login *l, struct sk_buf *out)
{
	put_identity(l, out);
	sk_text_put(out, "AuthMethod", "CHAP");
}

static void make_algs(struct sk_login *l, struct sk_buf *out)
{
	sk_chap_auth_offer(&l->chap, out);
}

static void make_offer(struct sk_login *l, struct sk_buf *out)
{
	if (!l->authenticates)
		put_identity(l, out);
	sk_negotiate_offer(&l->neg, out);
}

/* Everything but the keys of the authentication method, of which only those in @due may come now. */
static int hear_others(struct sk_login *l, const struct sk_text *in, unsigned stage, uint64_t due,
		       struct sk_err *err)
{
	for (unsigned i = 0; i < in->n; i++) {
		const struct sk_key *k = sk_key_find_span(in->pair[i].key);

		if (k && k->rule == SK_RULE_SECURITY) {
			if (due >> k->id & 1)
				continue;
			return sk_fail(err, SK_EPROTO, "%s where it is not due (RFC 7143, %s)", k->name, k->rfc);
		}
		if (sk_negotiate_hear(&l->neg, stage, &in->pair[i], &l->answers, err) < 0)
			return -1;
	}
	return 0;
}

#define DUE(id) (1ULL << SK_KEY_##id)

static int hear_method(struct sk_login *l, const struct sk_text *in, struct sk_err *err)
{
	const struct sk_text_pair *p = sk_text_find(in, "AuthMethod");

	if (hear_others(l, in, SK_IN_SECURITY, DUE(AUTH_METHOD), err) < 0)
		return -1;
	if (!p)
		return sk_fail(err, SK_EPROTO, "the target does not answer AuthMethod (RFC 7143, 12.1)");
	if (!sk_text_is(p->value, "CHAP"))
		return sk_fail(err, SK_EAUTH,
			       "CHAP is configured here and the target answers AuthMethod=%s (RFC 7143, 12.1)",
			       sk_text_quote(p->value).s);
	return 0;
}

static int hear_challenge(struct sk_login *l, const struct sk_text *in, struct sk_err *err)
{
	if (hear_others(l, in, SK_IN_SECURITY, DUE(CHAP_A) | DUE(CHAP_I) | DUE(CHAP_C), err) < 0)
		return -1;
	return sk_chap_auth_answer(&l->chap, in, &l->answers, err);
}

static int hear_proof(struct sk_login *l, const struct sk_text *in, struct sk_err *err)
{
	uint64_t due = l->chap.mutual ? DUE(CHAP_N) | DUE(CHAP_R) : 0;

	if (hear_others(l, in, SK_IN_SECURITY, due, err) < 0)
		return -1;
	return sk_chap_auth_verify(&l->chap, in, err);
}

static int hear_security(struct sk_login *l, const struct sk_text *in, struct sk_err *err)
{
	return hear_others(l, in, SK_IN_SECURITY, 0, err);
}

static int hear_operational(struct sk_login *l, const struct sk_text *in, struct sk_err *err)
{
	return hear_others(l, in, SK_IN_OPERATIONAL, 0, err);
}

/* A request's text is what `make` writes and the answers that have come due. */
/* clang-format off */
#define ROW(step, csg, nsg, t, make, hear, stay, go) \
	[SK_STEP_##step] = { SK_STAGE_##csg, SK_STAGE_##nsg, t, make, hear, SK_STEP_##stay, SK_STEP_##go }

static const struct sk_login_step_row rows[] = {
/*  step          CSG          NSG          T      request's    response's        next after T=0, T=1 */
ROW(METHOD,       SECURITY,    SECURITY,    false, make_method, hear_method,      ALGS, ALGS),
ROW(ALGS,         SECURITY,    SECURITY,    false, make_algs,   hear_challenge,   PROOF, PROOF),
ROW(PROOF,        SECURITY,    OPERATIONAL, true,  NULL,        hear_proof,       SECURITY_END, OFFER),
ROW(SECURITY_END, SECURITY,    OPERATIONAL, true,  NULL,        hear_security,    SECURITY_END, OFFER),
ROW(OFFER,        OPERATIONAL, FULL,        true,  make_offer,  hear_operational, OFFER_END, FULL),
ROW(OFFER_END,    OPERATIONAL, FULL,        true,  NULL,        hear_operational, OFFER_END, FULL),
};
/* clang-format on */

const struct sk_login_step_row *sk_login_step_row(enum sk_login_step step)
{
	return (unsigned)step < SK_ARRAY_LEN(rows) ? &rows[step] : NULL;
}

enum sk_login_step sk_login_first_step(const struct sk_login *l)
{
	return l->authenticates ? SK_STEP_METHOD : SK_STEP_OFFER;
}
