/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "proto/negotiate.h"

#include <string.h>

#include "base/mem.h"
#include "base/num.h"

static const struct digest_offer {
	const char *text;
	uint32_t set; /* of indexes into the key's words */
} digest_offers[] = {
	[SK_DIGEST_NONE] = { "None", 1 },
	[SK_DIGEST_CRC32C] = { "CRC32C", 2 },
	[SK_DIGEST_CRC32C_NONE] = { "CRC32C,None", 3 },
	[SK_DIGEST_NONE_CRC32C] = { "None,CRC32C", 3 },
};

/* What we would say of each negotiable key; rows that are not here keep their default. */
static void take_ours(struct sk_negotiate *n, const struct sk_login_cfg *cfg)
{
	const struct {
		enum sk_key_id id;
		uint32_t value;
	} ours[] = {
		{ SK_KEY_HEADER_DIGEST, digest_offers[cfg->header_digest].set },
		{ SK_KEY_DATA_DIGEST, digest_offers[cfg->data_digest].set },
		{ SK_KEY_TIME2WAIT, cfg->time2wait },
		{ SK_KEY_TIME2RETAIN, cfg->time2retain },
		{ SK_KEY_ERL, 0 },
		{ SK_KEY_INITIAL_R2T, cfg->initial_r2t },
		{ SK_KEY_IMMEDIATE_DATA, cfg->immediate_data },
		{ SK_KEY_MAX_BURST, cfg->max_burst },
		{ SK_KEY_FIRST_BURST, cfg->first_burst },
		{ SK_KEY_MAX_R2T, cfg->max_outstanding_r2t },
		{ SK_KEY_MAX_RECV_DSL, cfg->max_recv_dsl },
		{ SK_KEY_TASK_REPORTING, 1 }, /* RFC3720 */
	};

	for (unsigned i = 0; i < SK_KEY_COUNT; i++)
		n->key[i].ours = n->key[i].value = sk_key_row(i)->def;
	for (size_t i = 0; i < SK_ARRAY_LEN(ours); i++)
		n->key[ours[i].id].ours = ours[i].value;
}

static bool offers(const struct sk_negotiate *n, const struct sk_key *k)
{
	return k->offered && (k->discovery || !n->discovery) && (k->use != SK_USE_LEADING || n->leading);
}

int sk_negotiate_init(struct sk_negotiate *n, const struct sk_login_cfg *cfg, struct sk_err *err)
{
	memset(n, 0, sizeof(*n));
	if ((unsigned)cfg->header_digest >= SK_ARRAY_LEN(digest_offers) ||
	    (unsigned)cfg->data_digest >= SK_ARRAY_LEN(digest_offers))
		return sk_fail(err, SK_EINVAL, "no such digest offer");
	n->discovery = cfg->discovery;
	n->leading = cfg->tsih == 0;
	n->expect_tpgt = cfg->discovery ? SK_TPGT_NONE : cfg->expect_tpgt;
	n->xmit_limit = cfg->max_xmit_dsl;
	n->digest[0] = cfg->header_digest;
	n->digest[1] = cfg->data_digest;
	take_ours(n, cfg);
	for (unsigned i = 0; i < SK_KEY_COUNT; i++) {
		const struct sk_key *k = sk_key_row(i);

		if (offers(n, k) && k->type == SK_KEY_NUM && sk_key_check(k, n->key[i].ours, err) < 0) {
			if (err)
				err->code = SK_EINVAL;
			return -1;
		}
	}
	n->key[SK_KEY_FIRST_BURST].ours = SK_MIN(cfg->first_burst, cfg->max_burst); /* 13.14 */
	if (n->xmit_limit && n->xmit_limit < sk_key_row(SK_KEY_MAX_RECV_DSL)->min)
		return sk_fail(err, SK_EINVAL, "a limit of %u for data sent is below 512 (RFC 7143, 13.12)",
			       n->xmit_limit);
	return 0;
}

void sk_negotiate_offer(struct sk_negotiate *n, struct sk_buf *out)
{
	for (unsigned i = 0; i < SK_KEY_COUNT; i++) {
		const struct sk_key *k = sk_key_row(i);
		char num[16];

		if (!offers(n, k))
			continue;
		if (k->rule == SK_RULE_CHOICE)
			sk_text_put(out, k->name, digest_offers[n->digest[i == SK_KEY_DATA_DIGEST]].text);
		else
			sk_text_put(out, k->name, sk_key_value_text(k, n->key[i].ours, num));
		n->key[i].offered = true;
	}
}

/* What holds without an answer: safe whether the target assumes our offer or the default. */
static int settle_unanswered(struct sk_negotiate *n, const struct sk_key *k, const char *how, struct sk_err *err)
{
	struct sk_negotiate_key *s = &n->key[k->id];
	uint32_t v = k->def;

	switch (k->rule) {
	case SK_RULE_CHOICE:
		if (!(s->ours & 1))
			return sk_fail(err, SK_EPROTO,
				       "%s=CRC32C is demanded here and the target %s (RFC 7143, 6.2)", k->name,
				       how);
		break;
	case SK_RULE_MIN:
		v = SK_MIN(s->ours, k->def);
		break;
	case SK_RULE_MAX:
		v = SK_MAX(s->ours, k->def);
		break;
	case SK_RULE_AND:
		v = 0; /* No is safe: nothing goes out that was not asked for */
		break;
	case SK_RULE_OR:
		v = 1;
		break;
	default:
		break;
	}
	s->value = v;
	return 0;
}

static bool is_refusal(struct sk_span value)
{
	return sk_text_is(value, "NotUnderstood") || sk_text_is(value, "Irrelevant") || sk_text_is(value, "Reject");
}

static int hear_refusal(struct sk_negotiate *n, const struct sk_key *k, struct sk_span value, struct sk_err *err)
{
	struct sk_negotiate_key *s = &n->key[k->id];

	if (!s->offered || k->rule == SK_RULE_OBSOLETE || k->rule == SK_RULE_DECLARE)
		return 0; /* of nothing that matters */
	if (s->heard)
		return sk_fail(err, SK_EPROTO, "%s is answered twice (RFC 7143, 6.2)", k->name);
	if (sk_text_is(value, "Reject"))
		return sk_fail(err, SK_EPROTO, "the target rejects our offer of %s (RFC 7143, 6.2)", k->name);
	if (settle_unanswered(n, k, "does not know it", err) < 0)
		return -1;
	s->heard = true;
	return 0;
}

static void keep_alias(struct sk_negotiate *n, struct sk_span value)
{
	size_t len = SK_MIN(value.n, sizeof(n->target_alias) - 1);

	memcpy(n->target_alias, value.p, len);
	n->target_alias[len] = '\0';
	for (char *c = n->target_alias; *c; c++) /* display only, and it will reach a terminal */
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
}

static int hear_declaration(struct sk_negotiate *n, const struct sk_key *k, struct sk_span value,
			    struct sk_err *err)
{
	struct sk_negotiate_key *s = &n->key[k->id];
	uint32_t v;

	if (k->id == SK_KEY_TARGET_ALIAS)
		keep_alias(n, value);
	if (k->type != SK_KEY_NUM)
		return 0;
	if (sk_key_read(k, value, &v, err) < 0)
		return -1;
	if (s->heard && s->value != v)
		return sk_fail(err, SK_EPROTO, "%s was %u and is now %u (RFC 7143, 6.2)", k->name, s->value, v);
	if (k->id == SK_KEY_TPGT && n->expect_tpgt != SK_TPGT_NONE && (uint32_t)n->expect_tpgt != v)
		return sk_fail(err, SK_EPROTO, "%s=%u where %d was expected (RFC 7143, 13.9)", k->name, v,
			       n->expect_tpgt);
	s->value = v;
	s->heard = true;
	return 0;
}

/* The target offers a key first: our answer (RFC 7143, 6.2.1, 6.2.2). */
static int hear_offer(struct sk_negotiate *n, const struct sk_key *k, struct sk_span value, struct sk_buf *answers,
		      struct sk_err *err)
{
	struct sk_negotiate_key *s = &n->key[k->id];
	char num[16];
	uint32_t v;

	if (s->heard)
		return sk_fail(err, SK_EPROTO, "%s is offered twice (RFC 7143, 6.2)", k->name);
	if (n->discovery && !k->discovery) {
		sk_text_put(answers, k->name, "Irrelevant");
		return 0;
	}
	if (k->rule == SK_RULE_CHOICE) {
		v = k->def;
		if (!sk_text_list_has(value, k->words[v])) {
			sk_text_put(answers, k->name, "Reject");
			return 0;
		}
	} else if (sk_key_read(k, value, &v, err) < 0 || sk_key_settle(k, s->ours, v, &v, err) < 0) {
		return -1;
	}
	s->value = v;
	s->heard = true;
	sk_text_put(answers, k->name, sk_key_value_text(k, v, num));
	return 0;
}

static int hear_answer(struct sk_negotiate *n, const struct sk_key *k, struct sk_span value, struct sk_err *err)
{
	struct sk_negotiate_key *s = &n->key[k->id];
	uint32_t v;

	if (s->heard)
		return sk_fail(err, SK_EPROTO, "%s is answered twice (RFC 7143, 6.2)", k->name);
	if (sk_key_read(k, value, &v, err) < 0 || sk_key_settle(k, s->ours, v, &v, err) < 0)
		return -1;
	s->value = v;
	s->heard = true;
	return 0;
}

static int hear_obsolete(struct sk_negotiate *n, const struct sk_key *k, struct sk_buf *answers)
{
	if (!n->key[k->id].offered)
		sk_text_put(answers, k->name, "Reject"); /* RFC 7143, 13.25 */
	return 0;
}

int sk_negotiate_hear(struct sk_negotiate *n, unsigned stage, const struct sk_text_pair *pair,
		      struct sk_buf *answers, struct sk_err *err)
{
	const struct sk_key *k = sk_key_find_span(pair->key);

	if (!k) {
		char name[SK_TEXT_KEY_MAX + 1] = "";

		memcpy(name, pair->key.p, SK_MIN(pair->key.n, sizeof(name) - 1));
		if (!is_refusal(pair->value))
			sk_text_put(answers, name, "NotUnderstood"); /* RFC 7143, 6.2 */
		return 0;
	}
	if (!(k->from & SK_FROM_T))
		return sk_fail(err, SK_EPROTO, "%s is not a target's to send (RFC 7143, %s)", k->name, k->rfc);
	if (!(k->stages & stage))
		return sk_fail(err, SK_EPROTO, "%s in the wrong stage of the login (RFC 7143, %s)", k->name,
			       k->rfc);
	if (is_refusal(pair->value))
		return hear_refusal(n, k, pair->value, err);
	switch (k->rule) {
	case SK_RULE_DECLARE:
		return hear_declaration(n, k, pair->value, err);
	case SK_RULE_OBSOLETE:
		return hear_obsolete(n, k, answers);
	case SK_RULE_SECURITY:
	case SK_RULE_REQUEST:
		return sk_fail(err, SK_EPROTO, "%s where it is not due (RFC 7143, %s)", k->name, k->rfc);
	default:
		return n->key[k->id].offered ? hear_answer(n, k, pair->value, err)
					     : hear_offer(n, k, pair->value, answers, err);
	}
}

int sk_negotiate_finish(struct sk_negotiate *n, struct sk_params *ret, struct sk_err *err)
{
	const struct sk_negotiate_key *s = n->key;

	for (unsigned i = 0; i < SK_KEY_COUNT; i++)
		if (s[i].offered && !s[i].heard && sk_key_row(i)->rule != SK_RULE_DECLARE &&
		    settle_unanswered(n, sk_key_row(i), "does not answer", err) < 0)
			return -1;
	ret->header_digest = s[SK_KEY_HEADER_DIGEST].value == 1;
	ret->data_digest = s[SK_KEY_DATA_DIGEST].value == 1;
	ret->initial_r2t = s[SK_KEY_INITIAL_R2T].value;
	ret->immediate_data = s[SK_KEY_IMMEDIATE_DATA].value;
	ret->data_pdu_in_order = s[SK_KEY_DATA_PDU_IN_ORDER].value;
	ret->data_sequence_in_order = s[SK_KEY_DATA_SEQ_IN_ORDER].value;
	ret->max_recv_dsl = s[SK_KEY_MAX_RECV_DSL].ours;
	ret->max_xmit_dsl = s[SK_KEY_MAX_RECV_DSL].value;
	if (n->xmit_limit)
		ret->max_xmit_dsl = SK_MIN(ret->max_xmit_dsl, n->xmit_limit);
	ret->max_burst = s[SK_KEY_MAX_BURST].value;
	ret->first_burst = SK_MIN(s[SK_KEY_FIRST_BURST].value, ret->max_burst); /* 13.14 */
	ret->max_outstanding_r2t = s[SK_KEY_MAX_R2T].value;
	ret->time2wait = s[SK_KEY_TIME2WAIT].value;
	ret->time2retain = s[SK_KEY_TIME2RETAIN].value;
	ret->erl = s[SK_KEY_ERL].value;
	ret->protocol_level = s[SK_KEY_PROTOCOL_LEVEL].value;
	ret->tpgt = s[SK_KEY_TPGT].heard ? (int32_t)s[SK_KEY_TPGT].value : SK_TPGT_NONE;
	memcpy(ret->target_alias, n->target_alias, sizeof(ret->target_alias));
	return 0;
}
