/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_PROTO_KEYS_H
#define SK_PROTO_KEYS_H

/**
 * The table of all text keys (RFC 7143, 12.1 and 13): one row each. Offer, check and settle read it, and so may
 * listings and manuals. A peer's value is out of range until it has been compared with its row.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

/** In the order in which the operational keys are offered. */
enum sk_key_id {
	SK_KEY_INITIATOR_NAME,
	SK_KEY_INITIATOR_ALIAS,
	SK_KEY_TARGET_NAME,
	SK_KEY_SESSION_TYPE,
	SK_KEY_AUTH_METHOD,
	SK_KEY_CHAP_A,
	SK_KEY_CHAP_I,
	SK_KEY_CHAP_C,
	SK_KEY_CHAP_N,
	SK_KEY_CHAP_R,
	SK_KEY_TARGET_ALIAS,
	SK_KEY_TARGET_ADDRESS,
	SK_KEY_TPGT,
	SK_KEY_SEND_TARGETS,
	SK_KEY_HEADER_DIGEST,
	SK_KEY_DATA_DIGEST,
	SK_KEY_TIME2WAIT,
	SK_KEY_TIME2RETAIN,
	SK_KEY_IF_MARKER,
	SK_KEY_OF_MARKER,
	SK_KEY_IF_MARK_INT,
	SK_KEY_OF_MARK_INT,
	SK_KEY_ERL,
	SK_KEY_INITIAL_R2T,
	SK_KEY_IMMEDIATE_DATA,
	SK_KEY_MAX_BURST,
	SK_KEY_FIRST_BURST,
	SK_KEY_MAX_R2T,
	SK_KEY_MAX_CONNECTIONS,
	SK_KEY_DATA_PDU_IN_ORDER,
	SK_KEY_DATA_SEQ_IN_ORDER,
	SK_KEY_MAX_RECV_DSL,
	SK_KEY_TASK_REPORTING,
	SK_KEY_PROTOCOL_LEVEL,
	SK_KEY_NODE_ARCHITECTURE,
	SK_KEY_COUNT,
};

enum sk_key_type {
	SK_KEY_TEXT, /* min..max bytes */
	SK_KEY_NUM,  /* min..max */
	SK_KEY_BOOL, /* Yes (1), No (0) */
	SK_KEY_LIST, /* words[0..max]; the value is the index of the one chosen */
	SK_KEY_BIN,  /* 0x… or 0b…, min..max bytes */
};

enum sk_key_rule {
	SK_RULE_DECLARE, /* each side tells its own; no answer (6.2) */
	SK_RULE_MIN,
	SK_RULE_MAX,
	SK_RULE_AND,
	SK_RULE_OR,
	SK_RULE_CHOICE,	  /* one item of the offered list (6.2.1) */
	SK_RULE_SECURITY, /* belongs to the authentication method's exchange */
	SK_RULE_REQUEST,  /* SendTargets */
	SK_RULE_OBSOLETE, /* 13.25: offered as No for old targets, answered Reject */
};

/** When a key may be used (the columns "Use" of RFC 7143, 13) */
enum sk_key_use { SK_USE_INIT, SK_USE_LEADING, SK_USE_ALL, SK_USE_FULL };

enum { SK_FROM_I = 1, SK_FROM_T = 2, SK_FROM_BOTH = 3 }; /* who sends it */
enum { SK_IN_SECURITY = 1, SK_IN_OPERATIONAL = 2, SK_IN_LOGIN = 3, SK_IN_FULL = 4, SK_IN_ALL = 7 }; /* stages */

struct sk_key {
	const char *name;
	enum sk_key_id id;
	enum sk_key_type type;
	enum sk_key_rule rule;
	uint32_t min, max, def;
	enum sk_key_use use;
	unsigned stages, from;
	bool session;		  /* scope: the session, else the connection */
	bool discovery;		  /* means something in a discovery session */
	bool offered;		  /* part of our operational offer */
	const char *rfc;	  /* section of RFC 7143 */
	const char *const *words; /* of SK_KEY_LIST */
};

const struct sk_key *sk_key_row(enum sk_key_id id); /* never NULL for id < SK_KEY_COUNT */
const struct sk_key *sk_key_find(const char *name); /* NULL if unknown */
const struct sk_key *sk_key_find_span(struct sk_span name);

/** sk_key_read - a value's text, of types NUM, BOOL and LIST, as a number; refused with SK_EPROTO when it is not of
 * the row's type or out of its range */
int sk_key_read(const struct sk_key *k, struct sk_span value, uint32_t *ret, struct sk_err *err);

/** sk_key_check - is a value within the row's range? SK_EPROTO names key, value, range and section */
int sk_key_check(const struct sk_key *k, uint64_t value, struct sk_err *err);

/**
 * sk_key_settle - what holds after @ours was offered and @theirs answered (or the other way round)
 * The target's value is checked against the range; the result of a numerical or boolean rule is then computed here,
 * whatever the target made of it, so that an answer beyond our offer cannot widen it. For SK_RULE_CHOICE @ours is a
 * set of allowed indexes (bit i = words[i]). For SK_RULE_DECLARE the result is @theirs.
 */
int sk_key_settle(const struct sk_key *k, uint64_t ours, uint64_t theirs, uint32_t *ret, struct sk_err *err);

/** sk_key_value_text - a value as it is written: a number, Yes/No or a word; @num is room for a number */
const char *sk_key_value_text(const struct sk_key *k, uint32_t value, char num[16]);

#endif
