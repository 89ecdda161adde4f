/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "record/node.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "record/impl.h"
#include "record/secret.h"
#include "record/store_impl.h"

#define TEXT_SIZE sizeof(((struct sk_chap_cfg *)0)->password)
#define SEGMENT_MIN 512
#define SEGMENT_MAX 16777215

/* A number of the record, or @fallback when it is outside min..max. */
static uint32_t within(const struct sk_record *r, const char *key, int64_t min, int64_t max, uint32_t fallback)
{
	int64_t n = sk_record_int(r, key);

	return n >= min && n <= max ? (uint32_t)n : fallback;
}

/* Seconds of the record as milliseconds; anything not positive is @fallback_s. */
static uint32_t seconds(const struct sk_record *r, const char *key, uint32_t fallback_s)
{
	int64_t s = sk_record_int(r, key);

	return (s > 0 ? (uint32_t)SK_MIN(s, (int64_t)86400) : fallback_s) * 1000;
}

static enum sk_digest_offer digest(const struct sk_record *r, const char *key)
{
	static const char *const words[] = {
		[SK_DIGEST_NONE] = "None",
		[SK_DIGEST_CRC32C] = "CRC32C",
		[SK_DIGEST_CRC32C_NONE] = "CRC32C,None",
		[SK_DIGEST_NONE_CRC32C] = "None,CRC32C",
	};
	const char *text = sk_record_get(r, key);

	for (size_t i = 0; i < SK_ARRAY_LEN(words); i++) {
		if (strcmp(words[i], text) == 0)
			return (enum sk_digest_offer)i;
	}
	return SK_DIGEST_NONE;
}

static void algs(const char *list, struct sk_chap_cfg *ret)
{
	static const struct {
		const char *word;
		enum sk_chap_alg alg;
	} known[] = {
		{ "MD5", SK_CHAP_MD5 },
		{ "SHA1", SK_CHAP_SHA1 },
		{ "SHA256", SK_CHAP_SHA256 },
		{ "SHA3-256", SK_CHAP_SHA3_256 },
	};

	while (*list && ret->n_algs < SK_CHAP_ALG_COUNT) {
		size_t n = strcspn(list, ",");

		for (size_t i = 0; i < SK_ARRAY_LEN(known); i++) {
			if (strlen(known[i].word) == n && memcmp(known[i].word, list, n) == 0)
				ret->algs[ret->n_algs++] = known[i].alg;
		}
		list += n;
		list += *list == ',';
	}
}

/* The text of a key into @to of 256 bytes; a credential's name becomes its contents. */
static int chap_text(const char *key, const char *text, bool secret, char *to, struct sk_err *err)
{
	char *plain;
	size_t n;

	if (!secret || strncmp(text, SK_SECRET_CREDENTIAL, strlen(SK_SECRET_CREDENTIAL)) != 0) {
		snprintf(to, TEXT_SIZE, "%s", text);
		return 0;
	}
	plain = sk_secret_credential(text + strlen(SK_SECRET_CREDENTIAL), err);
	if (!plain)
		return sk_in(err, "%s", key);
	n = strlen(plain);
	if (n < TEXT_SIZE)
		memcpy(to, plain, n + 1);
	sk_wipe_free(plain, n);
	return n < TEXT_SIZE ? 0 : sk_fail(err, SK_EINVAL, "%s: the credential is longer than 255 bytes", key);
}

/* The keys of the two kinds differ in their prefix. CHAP is used whenever a password is set. */
static int chap(const struct sk_record *r, const char *prefix, struct sk_chap_cfg *ret, struct sk_err *err)
{
	const struct {
		const char *suffix;
		char *to;
	} texts[] = {
		{ "username", ret->username },
		{ "password", ret->password },
		{ "username_in", ret->username_in },
		{ "password_in", ret->password_in },
	};
	char key[80];

	for (size_t i = 0; i < SK_ARRAY_LEN(texts); i++) {
		snprintf(key, sizeof(key), "%s.auth.%s", prefix, texts[i].suffix);
		if (chap_text(key, sk_record_get(r, key), strncmp(texts[i].suffix, "password", 8) == 0, texts[i].to,
			      err) < 0)
			return -1;
	}
	if (*ret->password_in && !*ret->password)
		return sk_fail(err, SK_EINVAL,
			       "%s.auth.password_in is set without %s.auth.password: the target proves "
			       "itself only to an initiator that proves itself",
			       prefix, prefix);
	algs(sk_record_get(r, "node.session.auth.chap_algs"), ret);
	return 0;
}

static int choose_initiator(const char *of_iface, const struct sk_iname *initiator, struct sk_iname *ret,
			    struct sk_err *err)
{
	struct sk_iname checked;

	if (!*of_iface) {
		*ret = *initiator;
		return 0;
	}
	if (sk_iname_parse(sk_span_str(of_iface), &checked, err) < 0)
		return sk_in(err, "iface.initiatorname");
	sk_iname_spelled(of_iface, ret);
	return 0;
}

static void bursts(const struct sk_record *r, struct sk_login_cfg *ret)
{
	ret->max_burst = within(r, "node.session.iscsi.MaxBurstLength", SEGMENT_MIN, SEGMENT_MAX, 16776192);
	ret->first_burst = within(r, "node.session.iscsi.FirstBurstLength", SEGMENT_MIN, SEGMENT_MAX, 262144);
	ret->first_burst &= ~UINT32_C(3);
	ret->first_burst = SK_MIN(ret->first_burst, ret->max_burst);
	ret->max_recv_dsl =
		within(r, "node.conn[0].iscsi.MaxRecvDataSegmentLength", SEGMENT_MIN, SEGMENT_MAX, 262144);
	ret->max_xmit_dsl = 0;
	if (sk_record_int(r, "node.conn[0].iscsi.MaxXmitDataSegmentLength") != 0)
		ret->max_xmit_dsl =
			within(r, "node.conn[0].iscsi.MaxXmitDataSegmentLength", SEGMENT_MIN, SEGMENT_MAX, 262144);
}

int sk_node_login_cfg(const struct sk_record *node, const struct sk_iname *initiator, struct sk_login_cfg *ret,
		      struct sk_err *err)
{
	struct sk_login_cfg c = { 0 };
	struct sk_node_key key;
	int rc = -1;

	if (sk_node_key_of(node, &key, err) < 0 ||
	    choose_initiator(sk_record_get(node, "iface.initiatorname"), initiator, &c.initiator, err) < 0 ||
	    chap(node, "node.session", &c.chap, err) < 0)
		goto out;
	c.target = key.target;
	c.expect_tpgt = key.portal.tpgt;
	c.cmd_sn = (uint32_t)sk_record_int(node, "node.session.initial_cmdsn");
	c.header_digest = digest(node, "node.conn[0].iscsi.HeaderDigest");
	c.data_digest = digest(node, "node.conn[0].iscsi.DataDigest");
	c.initial_r2t = sk_record_bool(node, "node.session.iscsi.InitialR2T");
	c.immediate_data = sk_record_bool(node, "node.session.iscsi.ImmediateData");
	bursts(node, &c);
	c.max_outstanding_r2t = within(node, "node.session.iscsi.MaxOutstandingR2T", 1, 65535, 1);
	c.time2wait = within(node, "node.session.iscsi.DefaultTime2Wait", 0, 3600, 2);
	c.time2retain = within(node, "node.session.iscsi.DefaultTime2Retain", 0, 3600, 0);
	*ret = c;
	rc = 0;
out:
	explicit_bzero(&c.chap, sizeof(c.chap));
	return rc;
}

int sk_disc_login_cfg(const struct sk_record *disc, const struct sk_record *iface, const struct sk_iname *initiator,
		      struct sk_login_cfg *ret, struct sk_err *err)
{
	const char *own = iface ? sk_record_get(iface, "iface.initiatorname") : "";
	struct sk_login_cfg c = {
		.discovery = true,
		.expect_tpgt = SK_TPGT_NONE,
		.initial_r2t = true,
		.immediate_data = true,
		.max_burst = 262144,
		.first_burst = 65536,
		.max_outstanding_r2t = 1,
		.time2wait = 2,
	};
	int rc = -1;

	if (choose_initiator(own, initiator, &c.initiator, err) == 0 &&
	    chap(disc, "discovery.sendtargets", &c.chap, err) == 0) {
		c.max_recv_dsl = within(disc, "discovery.sendtargets.iscsi.MaxRecvDataSegmentLength", SEGMENT_MIN,
					SEGMENT_MAX, 262144);
		*ret = c;
		rc = 0;
	}
	explicit_bzero(&c.chap, sizeof(c.chap));
	return rc;
}

/* Both zero: no pings. Exactly one: that one becomes 5 s. */
const char *const sk_node_timer_keys[] = {
	"node.conn[0].timeo.login_timeout",
	"node.session.initial_login_retry_max",
	"node.conn[0].timeo.noop_out_interval",
	"node.conn[0].timeo.noop_out_timeout",
	"node.session.timeo.replacement_timeout",
	"node.session.reopen_max",
	"node.session.iscsi.DefaultTime2Wait",
	"node.session.iscsi.DefaultTime2Retain",
	"node.session.err_timeo.abort_timeout",
	"node.session.err_timeo.lu_reset_timeout",
	"node.session.err_timeo.tgt_reset_timeout",
	"node.conn[0].timeo.logout_timeout",
	NULL,
};

static void noops(const struct sk_record *r, struct sk_node_timers *ret)
{
	bool interval = sk_record_int(r, "node.conn[0].timeo.noop_out_interval") > 0;
	bool timeout = sk_record_int(r, "node.conn[0].timeo.noop_out_timeout") > 0;

	if (!interval && !timeout)
		return;
	ret->noop_interval_ms = seconds(r, "node.conn[0].timeo.noop_out_interval", 5);
	ret->noop_timeout_ms = seconds(r, "node.conn[0].timeo.noop_out_timeout", 5);
}

static uint32_t log_freq(const struct sk_record *r)
{
	const char *key = "node.session.sess_reopen_log_freq";

	if (sk_record_origin(r, key) == SK_FROM_DEFAULT)
		key = "node.session.conn_reopen_log_freq";
	return within(r, key, 1, INT32_MAX, 1);
}

void sk_node_timers_of(const struct sk_record *node, struct sk_node_timers *ret)
{
	struct sk_node_timers t = { 0 };
	int64_t replacement = sk_record_int(node, "node.session.timeo.replacement_timeout");

	t.login_ms = seconds(node, "node.conn[0].timeo.login_timeout", 30);
	t.auth_ms = seconds(node, "node.conn[0].timeo.auth_timeout", 45);
	t.logout_ms = seconds(node, "node.conn[0].timeo.logout_timeout", 15);
	noops(node, &t);
	t.replacement_ms = replacement < 0 ? -1 : replacement * 1000;
	t.abort_ms = seconds(node, "node.session.err_timeo.abort_timeout", 15);
	t.lu_reset_ms = seconds(node, "node.session.err_timeo.lu_reset_timeout", 30);
	t.tgt_reset_ms = seconds(node, "node.session.err_timeo.tgt_reset_timeout", 30);
	t.initial_login_retry_max = within(node, "node.session.initial_login_retry_max", 0, INT32_MAX, 4);
	t.reopen_max = within(node, "node.session.reopen_max", 0, INT32_MAX, 0);
	t.reopen_log_freq = log_freq(node);
	*ret = t;
}

void sk_node_limits_of(const struct sk_record *node, struct sk_node_limits *ret)
{
	struct sk_node_limits l = { 0 };
	uint32_t cmds = within(node, "node.session.cmds_max", 1, INT32_MAX, 128);

	l.cmds_max = 16;
	while (l.cmds_max < 4096 && l.cmds_max * 2 <= cmds)
		l.cmds_max *= 2;
	l.queue_depth = SK_MIN(within(node, "node.session.queue_depth", 1, INT32_MAX, 32), l.cmds_max);
	l.nr_sessions = within(node, "node.session.nr_sessions", 1, 1024, 1);
	l.window_size = within(node, "node.conn[0].tcp.window_size", 0, INT32_MAX, 0);
	l.scan = strcmp(sk_record_get(node, "node.session.scan"), "auto") == 0;
	l.fast_abort = sk_record_bool(node, "node.session.iscsi.FastAbort");
	*ret = l;
}

bool sk_node_in_class(const struct sk_record *node, const char *word)
{
	return strcmp(sk_record_get(node, "node.startup"), word) == 0 ||
	       strcmp(sk_record_get(node, "node.conn[0].startup"), word) == 0;
}
