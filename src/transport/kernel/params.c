/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transport/kernel/params.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "record/node.h"
#include "transport/kernel/nl_msg.h"

static void add(struct sk_kparams *l, bool host, uint32_t number, const char *text)
{
	struct sk_kparam *p = &l->p[l->n];

	if (l->n == SK_KPARAMS_MAX || !text || !*text || strlen(text) >= sizeof(p->text))
		return; /* an empty text is not set */
	p->number = number;
	p->host = host;
	snprintf(p->text, sizeof(p->text), "%s", text);
	l->n++;
}

static void add_int(struct sk_kparams *l, enum sk_nl_param number, int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, value);
	add(l, false, number, text);
}

static void add_key(struct sk_kparams *l, enum sk_nl_param number, const struct sk_record *r, const char *key)
{
	add(l, false, number, sk_record_get(r, key));
}

static int64_t seconds(int64_t ms)
{
	return ms < 0 ? -1 : (ms + 999) / 1000;
}

static void add_chap(struct sk_kparams *l, const struct sk_record *r)
{
	const char *method = sk_record_get(r, "node.session.auth.authmethod");

	if (!method || strcmp(method, "CHAP") != 0)
		return;
	add_key(l, SK_NLP_USERNAME, r, "node.session.auth.username");
	add_key(l, SK_NLP_PASSWORD, r, "node.session.auth.password");
	add_key(l, SK_NLP_USERNAME_IN, r, "node.session.auth.username_in");
	add_key(l, SK_NLP_PASSWORD_IN, r, "node.session.auth.password_in");
}

static void add_timers(struct sk_kparams *l, const struct sk_record *r)
{
	struct sk_node_timers t;

	sk_node_timers_of(r, &t);
	add_int(l, SK_NLP_SESS_RECOVERY_TMO, seconds(t.replacement_ms));
	add_int(l, SK_NLP_ABORT_TMO, seconds(t.abort_ms));
	add_int(l, SK_NLP_LU_RESET_TMO, seconds(t.lu_reset_ms));
	add_int(l, SK_NLP_TGT_RESET_TMO, seconds(t.tgt_reset_ms));
	add_int(l, SK_NLP_PING_TMO, seconds(t.noop_timeout_ms));
	add_int(l, SK_NLP_RECV_TMO, seconds(t.noop_interval_ms));
}

void sk_kparams_timers(struct sk_kparams *ret, const struct sk_record *node)
{
	memset(ret, 0, sizeof(*ret));
	add_timers(ret, node);
}

void sk_kparams_login(struct sk_kparams *ret, const struct sk_record *r, const char *initiator, const char *iface)
{
	struct sk_node_limits limits;

	memset(ret, 0, sizeof(*ret));
	sk_node_limits_of(r, &limits);
	add_key(ret, SK_NLP_TARGET_NAME, r, "node.name");
	add(ret, false, SK_NLP_INITIATOR_NAME, initiator);
	add(ret, false, SK_NLP_IFACE_NAME, iface);
	add_key(ret, SK_NLP_PERSISTENT_ADDRESS, r, "node.conn[0].address");
	add_key(ret, SK_NLP_PERSISTENT_PORT, r, "node.conn[0].port");
	add_chap(ret, r);
	add_int(ret, SK_NLP_FAST_ABORT, limits.fast_abort);
	add_timers(ret, r);
	add(ret, true, SK_NLH_NETDEV_NAME, sk_record_get(r, "iface.net_ifacename"));
	add(ret, true, SK_NLH_HWADDRESS, sk_record_get(r, "iface.hwaddress"));
	add(ret, true, SK_NLH_INITIATOR_NAME, initiator);
}

/* The kernel takes powers of two only; asking for fewer R2Ts than agreed is always right. */
static int64_t power_of_two(uint32_t v)
{
	uint32_t p = 1;

	while (p <= v / 2 && p < 32768)
		p *= 2;
	return p;
}

void sk_kparams_negotiated(struct sk_kparams *ret, const struct sk_params *p)
{
	memset(ret, 0, sizeof(*ret));
	add_int(ret, SK_NLP_MAX_RECV_DLENGTH, p->max_recv_dsl);
	add_int(ret, SK_NLP_MAX_XMIT_DLENGTH, p->max_xmit_dsl);
	add_int(ret, SK_NLP_HDRDGST_EN, p->header_digest); /* takes effect at once: not before the login is over */
	add_int(ret, SK_NLP_DATADGST_EN, p->data_digest);
	add_int(ret, SK_NLP_INITIAL_R2T_EN, p->initial_r2t);
	add_int(ret, SK_NLP_MAX_R2T, power_of_two(p->max_outstanding_r2t));
	add_int(ret, SK_NLP_IMM_DATA_EN, p->immediate_data);
	add_int(ret, SK_NLP_FIRST_BURST, p->first_burst);
	add_int(ret, SK_NLP_MAX_BURST, p->max_burst);
	add_int(ret, SK_NLP_PDU_INORDER_EN, p->data_pdu_in_order);
	add_int(ret, SK_NLP_DATASEQ_INORDER_EN, p->data_sequence_in_order);
	add_int(ret, SK_NLP_ERL, 0);
	add_int(ret, SK_NLP_EXP_STATSN, p->exp_stat_sn);
	if (p->tpgt >= 0)
		add_int(ret, SK_NLP_TPGT, p->tpgt);
}

void sk_kparams_free(struct sk_kparams *p)
{
	sk_wipe_free(p, sizeof(*p));
}
