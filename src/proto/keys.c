/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "proto/keys.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "proto/text.h"

static const char *const digest_words[] = { "None", "CRC32C" };
static const char *const auth_words[] = { "None", "CHAP" };
static const char *const session_words[] = { "Normal", "Discovery" };
static const char *const report_words[] = { "RFC3720", "ResponseFence", "FastAbort" };

#define DSL_MAX 16777215

/* Where a key may appear: use, stages, senders, session-wide, in discovery sessions, part of our offer. */
#define NAME_I	    SK_USE_INIT, SK_IN_LOGIN, SK_FROM_I, true, true, false
#define NAME_T	    SK_USE_INIT, SK_IN_LOGIN, SK_FROM_T, true, true, false
#define NAME_IT	    SK_USE_INIT, SK_IN_ALL, SK_FROM_BOTH, true, true, false
#define ONCE_I	    SK_USE_LEADING, SK_IN_LOGIN, SK_FROM_I, true, true, false
#define ONCE_IT	    SK_USE_LEADING, SK_IN_LOGIN, SK_FROM_BOTH, true, true, false
#define EVER_I	    SK_USE_ALL, SK_IN_ALL, SK_FROM_I, true, true, false
#define EVER_T	    SK_USE_ALL, SK_IN_ALL, SK_FROM_T, true, true, false
#define AUTH	    SK_USE_INIT, SK_IN_SECURITY, SK_FROM_BOTH, false, true, false
#define ASK	    SK_USE_FULL, SK_IN_FULL, SK_FROM_I, true, true, false
#define CONN	    SK_USE_INIT, SK_IN_OPERATIONAL, SK_FROM_BOTH, false, true, true
#define CONN_HEAR   SK_USE_INIT, SK_IN_OPERATIONAL, SK_FROM_BOTH, false, true, false
#define LIMIT	    SK_USE_ALL, SK_IN_ALL, SK_FROM_BOTH, false, true, true
#define BOTH	    SK_USE_LEADING, SK_IN_OPERATIONAL, SK_FROM_BOTH, true, true, true
#define NORMAL	    SK_USE_LEADING, SK_IN_OPERATIONAL, SK_FROM_BOTH, true, false, true
#define HEAR	    SK_USE_LEADING, SK_IN_OPERATIONAL, SK_FROM_BOTH, true, false, false

/* clang-format off */
#define ROW(id_, name_, rfc_, type_, rule_, min_, max_, def_, words_, ...)                                         \
	[SK_KEY_##id_] = { name_, SK_KEY_##id_, SK_KEY_##type_, SK_RULE_##rule_, min_, max_, def_, __VA_ARGS__,    \
			   rfc_, words_ }

static const struct sk_key keys[SK_KEY_COUNT] = {
/*                                             RFC 7143  type  rule      min  max      default words, where */
ROW(INITIATOR_NAME, "InitiatorName",           "13.5",   TEXT, DECLARE,  1,   223,     0,    NULL, NAME_I),
ROW(INITIATOR_ALIAS, "InitiatorAlias",         "13.7",   TEXT, DECLARE,  0,   255,     0,    NULL, EVER_I),
ROW(TARGET_NAME, "TargetName",                 "13.4",   TEXT, DECLARE,  1,   223,     0,    NULL, NAME_IT),
ROW(SESSION_TYPE, "SessionType",               "13.21",  LIST, DECLARE,  0,   1,       0,    session_words, ONCE_I),
ROW(AUTH_METHOD, "AuthMethod",                 "12.1",   LIST, SECURITY, 0,   1,       0,    auth_words, AUTH),
ROW(CHAP_A, "CHAP_A",                          "12.1.3", NUM,  SECURITY, 0,   255,     5,    NULL, AUTH),
ROW(CHAP_I, "CHAP_I",                          "12.1.3", NUM,  SECURITY, 0,   255,     0,    NULL, AUTH),
ROW(CHAP_C, "CHAP_C",                          "12.1.3", BIN,  SECURITY, 1,   1024,    0,    NULL, AUTH),
ROW(CHAP_N, "CHAP_N",                          "12.1.3", TEXT, SECURITY, 0,   255,     0,    NULL, AUTH),
ROW(CHAP_R, "CHAP_R",                          "12.1.3", BIN,  SECURITY, 16,  32,      0,    NULL, AUTH),
ROW(TARGET_ALIAS, "TargetAlias",               "13.6",   TEXT, DECLARE,  0,   255,     0,    NULL, EVER_T),
ROW(TARGET_ADDRESS, "TargetAddress",           "13.8",   TEXT, DECLARE,  1,   300,     0,    NULL, EVER_T),
ROW(TPGT, "TargetPortalGroupTag",              "13.9",   NUM,  DECLARE,  0,   65535,   0,    NULL, NAME_T),
ROW(SEND_TARGETS, "SendTargets",               "13.3",   TEXT, REQUEST,  0,   223,     0,    NULL, ASK),
ROW(HEADER_DIGEST, "HeaderDigest",             "13.1",   LIST, CHOICE,   0,   1,       0,    digest_words, CONN),
ROW(DATA_DIGEST, "DataDigest",                 "13.1",   LIST, CHOICE,   0,   1,       0,    digest_words, CONN),
ROW(TIME2WAIT, "DefaultTime2Wait",             "13.15",  NUM,  MAX,      0,   3600,    2,    NULL, BOTH),
ROW(TIME2RETAIN, "DefaultTime2Retain",         "13.16",  NUM,  MIN,      0,   3600,    20,   NULL, BOTH),
ROW(IF_MARKER, "IFMarker",                     "13.25",  BOOL, OBSOLETE, 0,   1,       0,    NULL, CONN),
ROW(OF_MARKER, "OFMarker",                     "13.25",  BOOL, OBSOLETE, 0,   1,       0,    NULL, CONN),
ROW(IF_MARK_INT, "IFMarkInt",                  "13.25",  TEXT, OBSOLETE, 0,   255,     0,    NULL, CONN_HEAR),
ROW(OF_MARK_INT, "OFMarkInt",                  "13.25",  TEXT, OBSOLETE, 0,   255,     0,    NULL, CONN_HEAR),
ROW(ERL, "ErrorRecoveryLevel",                 "13.20",  NUM,  MIN,      0,   2,       0,    NULL, BOTH),
ROW(INITIAL_R2T, "InitialR2T",                 "13.10",  BOOL, OR,       0,   1,       1,    NULL, NORMAL),
ROW(IMMEDIATE_DATA, "ImmediateData",           "13.11",  BOOL, AND,      0,   1,       1,    NULL, NORMAL),
ROW(MAX_BURST, "MaxBurstLength",               "13.13",  NUM,  MIN,      512, DSL_MAX, 262144, NULL, NORMAL),
ROW(FIRST_BURST, "FirstBurstLength",           "13.14",  NUM,  MIN,      512, DSL_MAX, 65536, NULL, NORMAL),
ROW(MAX_R2T, "MaxOutstandingR2T",              "13.17",  NUM,  MIN,      1,   65535,   1,    NULL, NORMAL),
ROW(MAX_CONNECTIONS, "MaxConnections",         "13.2",   NUM,  MIN,      1,   65535,   1,    NULL, NORMAL),
ROW(DATA_PDU_IN_ORDER, "DataPDUInOrder",       "13.18",  BOOL, OR,       0,   1,       1,    NULL, NORMAL),
ROW(DATA_SEQ_IN_ORDER, "DataSequenceInOrder",  "13.19",  BOOL, OR,       0,   1,       1,    NULL, NORMAL),
ROW(MAX_RECV_DSL, "MaxRecvDataSegmentLength",  "13.12",  NUM,  DECLARE,  512, DSL_MAX, 8192, NULL, LIMIT),
ROW(TASK_REPORTING, "TaskReporting",           "13.23",  LIST, CHOICE,   0,   2,       0,    report_words, HEAR),
ROW(PROTOCOL_LEVEL, "iSCSIProtocolLevel",      "13.24",  NUM,  MIN,      0,   31,      1,    NULL, HEAR),
ROW(NODE_ARCHITECTURE, "X#NodeArchitecture",   "13.26",  TEXT, DECLARE,  0,   255,     0,    NULL, ONCE_IT),
};
/* clang-format on */

const struct sk_key *sk_key_row(enum sk_key_id id)
{
	return &keys[id];
}

const struct sk_key *sk_key_find_span(struct sk_span name)
{
	for (size_t i = 0; i < SK_ARRAY_LEN(keys); i++)
		if (sk_text_is(name, keys[i].name))
			return &keys[i];
	return NULL;
}

const struct sk_key *sk_key_find(const char *name)
{
	return sk_key_find_span(sk_span_str(name));
}

int sk_key_check(const struct sk_key *k, uint64_t value, struct sk_err *err)
{
	if (value >= k->min && value <= k->max)
		return 0;
	return sk_fail(err, SK_EPROTO, "%s=%llu is outside %u..%u (RFC 7143, %s)", k->name,
		       (unsigned long long)value, k->min, k->max, k->rfc);
}

static int read_bool(const struct sk_key *k, struct sk_span value, uint32_t *ret, struct sk_err *err)
{
	bool yes = sk_text_is(value, "Yes");

	if (!yes && !sk_text_is(value, "No"))
		return sk_fail(err, SK_EPROTO, "%s=%s is neither Yes nor No (RFC 7143, %s)", k->name,
			       sk_text_quote(value).s, k->rfc);
	*ret = yes;
	return 0;
}

static int read_word(const struct sk_key *k, struct sk_span value, uint32_t *ret, struct sk_err *err)
{
	for (uint32_t i = 0; i <= k->max; i++) {
		if (sk_text_is(value, k->words[i])) {
			*ret = i;
			return 0;
		}
	}
	return sk_fail(err, SK_EPROTO, "%s=%s is not a value of this key (RFC 7143, %s)", k->name,
		       sk_text_quote(value).s, k->rfc);
}

int sk_key_read(const struct sk_key *k, struct sk_span value, uint32_t *ret, struct sk_err *err)
{
	uint64_t v;

	if (k->type == SK_KEY_BOOL)
		return read_bool(k, value, ret, err);
	if (k->type == SK_KEY_LIST)
		return read_word(k, value, ret, err);
	if (!sk_text_num(value, &v))
		return sk_fail(err, SK_EPROTO, "%s=%s is not a number (RFC 7143, %s)", k->name,
			       sk_text_quote(value).s, k->rfc);
	if (sk_key_check(k, v, err) < 0)
		return -1;
	*ret = (uint32_t)v;
	return 0;
}

int sk_key_settle(const struct sk_key *k, uint64_t ours, uint64_t theirs, uint32_t *ret, struct sk_err *err)
{
	uint64_t v = theirs;

	if (sk_key_check(k, theirs, err) < 0)
		return -1;
	switch (k->rule) {
	case SK_RULE_MIN:
		v = SK_MIN(ours, theirs);
		break;
	case SK_RULE_MAX:
		v = SK_MAX(ours, theirs);
		break;
	case SK_RULE_AND:
		v = ours && theirs;
		break;
	case SK_RULE_OR:
		v = ours || theirs;
		break;
	case SK_RULE_CHOICE:
		if (!(ours >> theirs & 1))
			return sk_fail(err, SK_EPROTO, "%s=%s was not offered (RFC 7143, 6.2.1)", k->name,
				       k->words[theirs]);
		break;
	default:
		break;
	}
	*ret = (uint32_t)v;
	return 0;
}

const char *sk_key_value_text(const struct sk_key *k, uint32_t value, char num[16])
{
	if (k->type == SK_KEY_BOOL)
		return value ? "Yes" : "No";
	if (k->type == SK_KEY_LIST)
		return value <= k->max ? k->words[value] : "?";
	snprintf(num, 16, "%u", value);
	return num;
}
