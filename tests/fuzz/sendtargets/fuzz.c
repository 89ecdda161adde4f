/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"

#include "proto/sendtargets.h"

/* The answer told in one piece is the answer told byte by byte; and a target played by the input never gets further
 * than an error. */

struct sum {
	unsigned portals, bad;
	uint32_t hash;
};

static void portal(void *ctx, const struct sk_iname *target, const struct sk_portal *p)
{
	struct sum *s = ctx;
	struct sk_iname name;

	if (sk_iname_parse(sk_span_str(target->s), &name, NULL) < 0 || !sk_portal_host_ok(sk_span_str(p->host)) || !p->port)
		__builtin_trap();
	for (const char *c = target->s; *c; c++)
		s->hash = s->hash * 31 + (uint8_t)*c;
	for (const char *c = p->host; *c; c++)
		s->hash = s->hash * 31 + (uint8_t)*c;
	s->hash = s->hash * 31 + p->port;
	s->portals++;
}

static void bad(void *ctx, const struct sk_err *why)
{
	struct sum *s = ctx;

	if (!why->code)
		__builtin_trap();
	s->bad++;
}

static const struct sk_targets_events events = { portal, bad };
static const struct sk_portal self = { "192.0.2.1", 3260, 1 };

static void parse(struct sk_span in)
{
	struct sum whole = { 0 }, bytes = { 0 };
	struct sk_targets t;

	sk_targets_init(&t, &self, &events, &whole);
	if (sk_targets_feed(&t, in, NULL) < 0 || sk_targets_end(&t, NULL) < 0)
		return;
	sk_targets_init(&t, &self, &events, &bytes);
	for (size_t i = 0; i < in.n; i++)
		(void)sk_targets_feed(&t, sk_span(in.p + i, 1), NULL);
	(void)sk_targets_end(&t, NULL);
	if (memcmp(&whole, &bytes, sizeof(whole)) != 0)
		__builtin_trap();
}

static void converse(struct sk_rd in)
{
	struct sk_sendtargets_cfg cfg = { .portal = self };
	struct sk_params params = { .cmd_sn = 1, .exp_stat_sn = 1 };
	struct sum sum = { 0 };
	struct sk_sendtargets *s = sk_sendtargets_new(&cfg, &params, &events, &sum, NULL);
	enum sk_login_want want;

	while (s && !in.short_ && ((want = sk_sendtargets_want(s)) == SK_WANT_SEND || want == SK_WANT_RECV)) {
		struct sk_pdu pdu = { 0 };

		if (want == SK_WANT_SEND) {
			if (sk_sendtargets_take(s, &pdu, NULL) < 0)
				__builtin_trap();
		} else { /* opcode, flags, tag of the task, tag of the transfer, event; length; text */
			static const uint8_t ops[] = { SK_OP_TEXT_RSP, SK_OP_NOP_IN, SK_OP_ASYNC, SK_OP_LOGOUT_RSP, 0x3f };
			struct sk_span text;

			pdu.bhs[0] = ops[sk_get_be(&in, 1) % sizeof(ops)];
			pdu.bhs[1] = (uint8_t)sk_get_be(&in, 1);
			pdu.bhs[19] = (uint8_t)sk_get_be(&in, 1) & 3;
			sk_set_be32(pdu.bhs + 20, (uint32_t)(int32_t)(int8_t)sk_get_be(&in, 1));
			pdu.bhs[36] = (uint8_t)sk_get_be(&in, 1);
			text = sk_get(&in, (size_t)sk_get_be(&in, 1));
			sk_buf_add(&pdu.data, text.p, text.n);
			(void)sk_sendtargets_feed(s, &pdu, NULL);
		}
		sk_pdu_free(&pdu);
	}
	sk_sendtargets_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	parse(sk_span(p, n));
	converse((struct sk_rd){ { p, n }, false });
	return 0;
}
