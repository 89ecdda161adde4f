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
#define TEXT SK_KEY_TEXT
#define NUM SK_KEY_NUM
#define BOOL SK_KEY_BOOL
#define LIST SK_KEY_LIST
#define BIN SK_KEY_BIN
#define DECLARE SK_RULE_DECLARE
#define SECURITY SK_RULE_SECURITY
#define OBSOLETE SK_RULE_OBSOLETE
#define CHOICE SK_RULE_CHOICE
#define INIT SK_USE_INIT
#define LEADING SK_USE_LEADING
#define ALWAYS SK_USE_ALL
#define FULL SK_USE_FULL
#define SEC SK_IN_SECURITY
#define OPER SK_IN_OPERATIONAL
#define LOGIN SK_IN_LOGIN
#define I SK_FROM_I
#define T SK_FROM_T
#define IT SK_FROM_BOTH
#define SW true	    /* session-wide */
#define CO false    /* connection only */
#define YES true
#define NO false

#define ROW(id_, name_, type_, rule_, min_, max_, def_, use_, stages_, from_, scope_, disc_, offer_, rfc_, words_)       \
	[SK_KEY_##id_] = { .name = name_, .id = SK_KEY_##id_, .type = type_, .rule = rule_, .min = min_, .max = max_,    \
			   .def = def_, .use = use_, .stages = stages_, .from = from_, .session = scope_,                \
			   .discovery = disc_, .offered = offer_, .rfc = rfc_, .words = words_ }

/* clang-format off */
static const struct sk_key keys[SK_KEY_COUNT] = {
/*	    name                             type  rule      min  max      default  use      stage  from scope disc offer RFC words */
ROW(INITIATOR_NAME, "InitiatorName",	     TEXT, DECLARE,  1,   223,     0,       INIT,    LOGIN, I,   SW,   YES, NO,  "13.5", NULL),
ROW(INITIATOR_ALIAS, "InitiatorAlias",	     TEXT, DECLARE,  0,   255,     0,       ALWAYS,  SK_IN_ALL, I, SW, YES, NO,  "13.7", NULL),
ROW(TARGET_NAME, "TargetName",		     TEXT, DECLARE,  1,   223,     0,       INIT,    SK_IN_ALL, IT, SW, YES, NO, "13.4", NULL),
ROW(SESSION_TYPE, "SessionType",	     LIST, DECLARE,  0,   1,       0,       LEADING, LOGIN, I,   SW,   YES, NO,  "13.21", session_words),
ROW(AUTH_METHOD, "AuthMethod",		     LIST, SECURITY, 0,   1,       0,       INIT,    SEC,   IT,  CO,   YES, NO,  "12.1", auth_words),
ROW(CHAP_A, "CHAP_A",			     NUM,  SECURITY, 0,   255,     5,       INIT,    SEC,   IT,  CO,   YES, NO,  "12.1.3", NULL),
ROW(CHAP_I, "CHAP_I",			     NUM,  SECURITY, 0,   255,     0,       INIT,    SEC,   IT,  CO,   YES, NO,  "12.1.3", NULL),
ROW(CHAP_C, "CHAP_C",			     BIN,  SECURITY, 1,   1024,    0,       INIT,    SEC,   IT,  CO,   YES, NO,  "12.1.3", NULL),
ROW(CHAP_N, "CHAP_N",			     TEXT, SECURITY, 0,   255,     0,       INIT,    SEC,   IT,  CO,   YES, NO,  "12.1.3", NULL),
ROW(CHAP_R, "CHAP_R",			     BIN,  SECURITY, 16,  32,      0,       INIT,    SEC,   IT,  CO,   YES, NO,  "12.1.3", NULL),
ROW(TARGET_ALIAS, "TargetAlias",	     TEXT, DECLARE,  0,   255,     0,       ALWAYS,  SK_IN_ALL, T, SW, YES, NO,  "13.6", NULL),
ROW(TARGET_ADDRESS, "TargetAddress",	     TEXT, DECLARE,  1,   300,     0,       ALWAYS,  SK_IN_ALL, T, SW, YES, NO,  "13.8", NULL),
ROW(TPGT, "TargetPortalGroupTag",	     NUM,  DECLARE,  0,   65535,   0,       INIT,    LOGIN, T,   SW,   YES, NO,  "13.9", NULL),
ROW(SEND_TARGETS, "SendTargets",	     TEXT, SK_RULE_REQUEST, 0, 223, 0,      FULL,    SK_IN_FULL, I, SW, YES, NO, "13.3", NULL),
ROW(HEADER_DIGEST, "HeaderDigest",	     LIST, CHOICE,   0,   1,       0,       INIT,    OPER,  IT,  CO,   YES, YES, "13.1", digest_words),
ROW(DATA_DIGEST, "DataDigest",		     LIST, CHOICE,   0,   1,       0,       INIT,    OPER,  IT,  CO,   YES, YES, "13.1", digest_words),
ROW(TIME2WAIT, "DefaultTime2Wait",	     NUM,  SK_RULE_MAX, 0, 3600,   2,       LEADING, OPER,  IT,  SW,   YES, YES, "13.15", NULL),
ROW(TIME2RETAIN, "DefaultTime2Retain",	     NUM,  SK_RULE_MIN, 0, 3600,   20,      LEADING, OPER,  IT,  SW,   YES, YES, "13.16", NULL),
ROW(IF_MARKER, "IFMarker",		     BOOL, OBSOLETE, 0,   1,       0,       INIT,    OPER,  IT,  CO,   YES, YES, "13.25", NULL),
ROW(OF_MARKER, "OFMarker",		     BOOL, OBSOLETE, 0,   1,       0,       INIT,    OPER,  IT,  CO,   YES, YES, "13.25", NULL),
ROW(IF_MARK_INT, "IFMarkInt",		     TEXT, OBSOLETE, 0,   255,     0,       INIT,    OPER,  IT,  CO,   YES, NO,  "13.25", NULL),
ROW(OF_MARK_INT, "OFMarkInt",		     TEXT, OBSOLETE, 0,   255,     0,       INIT,    OPER,  IT,  CO,   YES, NO,  "13.25", NULL),
ROW(ERL, "ErrorRecoveryLevel",		     NUM,  SK_RULE_MIN, 0, 2,      0,       LEADING, OPER,  IT,  SW,   YES, YES, "13.20", NULL),
ROW(INITIAL_R2T, "InitialR2T",		     BOOL, SK_RULE_OR, 0,  1,      1,       LEADING, OPER,  IT,  SW,   NO,  YES, "13.10", NULL),
ROW(IMMEDIATE_DATA, "ImmediateData",	     BOOL, SK_RULE_AND, 0, 1,      1,       LEADING, OPER,  IT,  SW,   NO,  YES, "13.11", NULL),
ROW(MAX_BURST, "MaxBurstLength",	     NUM,  SK_RULE_MIN, 512, DSL_MAX, 262144, LEADING, OPER, IT, SW,   NO,  YES, "13.13", NULL),
ROW(FIRST_BURST, "FirstBurstLength",	     NUM,  SK_RULE_MIN, 512, DSL_MAX, 65536, LEADING, OPER, IT,  SW,   NO,  YES, "13.14", NULL),
ROW(MAX_R2T, "MaxOutstandingR2T",	     NUM,  SK_RULE_MIN, 1, 65535,  1,       LEADING, OPER,  IT,  SW,   NO,  YES, "13.17", NULL),
ROW(MAX_CONNECTIONS, "MaxConnections",	     NUM,  SK_RULE_MIN, 1, 65535,  1,       LEADING, OPER,  IT,  SW,   NO,  YES, "13.2", NULL),
ROW(DATA_PDU_IN_ORDER, "DataPDUInOrder",     BOOL, SK_RULE_OR, 0,  1,      1,       LEADING, OPER,  IT,  SW,   NO,  YES, "13.18", NULL),
ROW(DATA_SEQ_IN_ORDER, "DataSequenceInOrder", BOOL, SK_RULE_OR, 0, 1,      1,       LEADING, OPER,  IT,  SW,   NO,  YES, "13.19", NULL),
ROW(MAX_RECV_DSL, "MaxRecvDataSegmentLength", NUM, DECLARE,  512, DSL_MAX, 8192,    ALWAYS,  SK_IN_ALL, IT, CO, YES, YES, "13.12", NULL),
ROW(TASK_REPORTING, "TaskReporting",	     LIST, CHOICE,   0,   2,       0,       LEADING, OPER,  IT,  SW,   NO,  NO,  "13.23", report_words),
ROW(PROTOCOL_LEVEL, "iSCSIProtocolLevel",    NUM,  SK_RULE_MIN, 0, 31,     1,       LEADING, OPER,  IT,  SW,   NO,  NO,  "13.24", NULL),
ROW(NODE_ARCHITECTURE, "X#NodeArchitecture", TEXT, DECLARE,  0,   255,     0,       LEADING, LOGIN, IT,  SW,   YES, NO,  "13.26", NULL),
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
	return sk_fail(err, SK_EPROTO, "%s=%llu is outside %u..%u (RFC 7143, %s)", k->name, (unsigned long long)value,
		       k->min, k->max, k->rfc);
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
		return sk_fail(err, SK_EPROTO, "%s=%s is not a number (RFC 7143, %s)", k->name, sk_text_quote(value).s,
			       k->rfc);
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
