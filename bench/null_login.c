/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "null.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "proto/params.h"

/* Login as far as benchmarks need it: no authentication, one answer per request, every stage the peer wants. */

enum rule { RULE_IGNORE, RULE_FIX, RULE_DIGEST, RULE_MIN, RULE_BOOL_OR, RULE_BOOL_AND, RULE_PEER_MRDSL };

static const struct {
	const char *key;
	enum rule rule;
	const char *fix;
} keys[] = {
	{ "InitiatorName", RULE_IGNORE, NULL },
	{ "InitiatorAlias", RULE_IGNORE, NULL },
	{ "TargetName", RULE_IGNORE, NULL },
	{ "SessionType", RULE_IGNORE, NULL },
	{ "AuthMethod", RULE_FIX, "None" },
	{ "HeaderDigest", RULE_DIGEST, NULL },
	{ "DataDigest", RULE_DIGEST, NULL },
	{ "InitialR2T", RULE_BOOL_OR, NULL },
	{ "ImmediateData", RULE_BOOL_AND, NULL },
	{ "MaxBurstLength", RULE_MIN, NULL },
	{ "FirstBurstLength", RULE_MIN, NULL },
	{ "MaxRecvDataSegmentLength", RULE_PEER_MRDSL, NULL },
	{ "MaxOutstandingR2T", RULE_FIX, "1" },
	{ "MaxConnections", RULE_FIX, "1" },
	{ "ErrorRecoveryLevel", RULE_FIX, "0" },
	{ "DefaultTime2Wait", RULE_FIX, "2" },
	{ "DefaultTime2Retain", RULE_FIX, "0" },
	{ "DataPDUInOrder", RULE_FIX, "Yes" },
	{ "DataSequenceInOrder", RULE_FIX, "Yes" },
	{ "IFMarker", RULE_FIX, "No" },
	{ "OFMarker", RULE_FIX, "No" },
};

struct answer {
	char text[4096];
	size_t n;
};

static void say(struct answer *a, const char *key, const char *value)
{
	int n = snprintf(a->text + a->n, sizeof(a->text) - a->n, "%s=%s", key, value);

	if (n > 0 && (size_t)n < sizeof(a->text) - a->n)
		a->n += (size_t)n + 1;
}

static void say_num(struct answer *a, const char *key, uint32_t v)
{
	char num[16];

	snprintf(num, sizeof(num), "%u", v);
	say(a, key, num);
}

static uint32_t number(const char *value)
{
	uint64_t v = 0;

	return sk_num_u64(value, strlen(value), 0, UINT32_MAX, &v) ? (uint32_t)v : 0;
}

static void one_min(struct null_conn *c, struct answer *a, const char *key, const char *value)
{
	uint32_t *mine = key[0] == 'M' ? &c->max_burst : &c->first_burst;

	*mine = SK_MIN(*mine, number(value));
	say_num(a, key, *mine);
}

static void one_bool(struct null_conn *c, struct answer *a, const char *key, const char *value, enum rule rule)
{
	bool yes = !strcmp(value, "Yes");
	bool *mine = rule == RULE_BOOL_OR ? &c->initial_r2t : &c->immediate_data;

	*mine = rule == RULE_BOOL_OR ? *mine || yes : *mine && yes;
	say(a, key, *mine ? "Yes" : "No");
}

static void one_key(struct null_conn *c, struct answer *a, const char *key, const char *value)
{
	size_t i = 0;

	while (i < sizeof(keys) / sizeof(keys[0]) && strcmp(keys[i].key, key))
		i++;
	if (i == sizeof(keys) / sizeof(keys[0])) {
		say(a, key, "NotUnderstood");
		return;
	}
	switch (keys[i].rule) {
	case RULE_IGNORE:
		break;
	case RULE_FIX:
		say(a, key, keys[i].fix);
		break;
	case RULE_DIGEST: {
		bool on = !strncmp(value, "CRC32C", 6);

		*(key[0] == 'H' ? &c->header_digest : &c->data_digest) = on;
		say(a, key, on ? "CRC32C" : "None");
		break;
	}
	case RULE_MIN:
		one_min(c, a, key, value);
		break;
	case RULE_BOOL_OR:
	case RULE_BOOL_AND:
		one_bool(c, a, key, value, keys[i].rule);
		break;
	case RULE_PEER_MRDSL:
		c->peer_mrdsl = SK_MAX(number(value), 512U);
		say_num(a, key, c->cfg->mrdsl);
		break;
	}
}

unsigned null_logins;

void null_login(struct null_conn *c, const uint8_t *bhs, const char *text, uint32_t n)
{
	struct answer a = { .n = 0 };
	struct sk_login_req req;
	struct sk_login_rsp rsp;
	uint8_t out[SK_BHS_LEN];
	char key[64];

	if (sk_login_req_get(sk_span(bhs, SK_BHS_LEN), &req, NULL) < 0) {
		c->closing = true;
		return;
	}
	for (uint32_t at = 0; at < n;) {
		size_t len = strnlen(text + at, n - at);
		const char *eq = memchr(text + at, '=', len);
		size_t k = eq ? (size_t)(eq - (text + at)) : 0;

		if (eq && k < sizeof(key) && at + len < n) {
			memcpy(key, text + at, k);
			key[k] = 0;
			if (!strcmp(key, "InitiatorName"))
				say(&a, "TargetPortalGroupTag", "1");
			one_key(c, &a, key, eq + 1);
		}
		at += (uint32_t)len + 1;
	}
	c->sn.exp_cmd_sn = req.cmd_sn;
	c->sn.max_cmd_sn = req.cmd_sn + NULL_SLOTS - 1;
	rsp = (struct sk_login_rsp){
		.transit = req.transit,
		.csg = req.csg,
		.nsg = req.nsg,
		.isid = req.isid,
		.tsih = req.transit && req.nsg == SK_STAGE_FULL ? 1 : req.tsih,
		.itt = req.itt,
		.stat_sn = c->sn.stat_sn++,
		.exp_cmd_sn = c->sn.exp_cmd_sn,
		.max_cmd_sn = c->sn.max_cmd_sn,
	};
	sk_login_rsp_put(out, &rsp);
	sk_set_be24(out + 5, (uint32_t)a.n);
	null_out(c, out, a.text, (uint32_t)a.n);
	if (req.transit && req.nsg == SK_STAGE_FULL) {
		c->full_feature = true; /* from the next PDU on */
		null_logins++;
	}
}
