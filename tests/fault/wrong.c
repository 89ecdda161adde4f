/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fault/wrong.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/span.h"

#define UNUSED (void)t, (void)p, (void)arg, (void)d

/* --- the way --- */

static void lost(struct target *t, struct tg_pdu *p, uint32_t arg, struct dice *d)
{
	UNUSED;
	p->drop = true;
}

static void closed(struct target *t, struct tg_pdu *p, uint32_t arg, struct dice *d)
{
	UNUSED;
	p->drop = p->close = true;
}

static void cut(struct target *t, struct tg_pdu *p, uint32_t arg, struct dice *d)
{
	UNUSED;
	p->cut = arg ? arg : dice(d, SK_BHS_LEN + p->n + 4);
}

static void mute(struct target *t, struct tg_pdu *p, uint32_t arg, struct dice *d)
{
	UNUSED;
	p->drop = true;
	t->mute = true;
}

static void power(struct target *t, struct tg_pdu *p, uint32_t arg, struct dice *d)
{
	UNUSED;
	p->drop = p->close = true;	/* the world takes care of the disk */
}

static void twice(struct target *t, struct tg_pdu *p, uint32_t arg, struct dice *d)
{
	UNUSED;
	p->copies = arg;
}

static void digests(struct target *t, struct tg_pdu *p, uint32_t arg, struct dice *d)
{
	UNUSED;
	p->bad_header_digest = arg == 0;
	p->bad_data_digest = arg == 1;
}

/* --- fields of the header --- */

static void byte_of(struct target *t, struct tg_pdu *p, uint32_t arg, struct dice *d)
{
	UNUSED;
	p->bhs[arg >> 8] = (uint8_t)arg;
	p->raw_len = arg >> 8 >= 5 && arg >> 8 <= 7;
}

/* 4 bytes at arg >> 8: 0 unknown, 1 one more, 2 one less, 3 all ones, 4 zero, 5 the top bit */
static void word_of(struct target *t, struct tg_pdu *p, uint32_t arg, struct dice *d)
{
	uint8_t *at = p->bhs + (arg >> 8);
	uint32_t was = sk_be32(at);
	const uint32_t v[] = { 0x00ab5555, was + 1, was - 1, 0xffffffff, 0, was ^ 0x80000000 };

	UNUSED;
	sk_set_be32(at, v[arg & 7]);
}

static void any_bit(struct target *t, struct tg_pdu *p, uint32_t arg, struct dice *d)
{
	UNUSED;
	for (uint32_t i = 0; i < 1 + arg; i++)
		p->bhs[dice(d, SK_BHS_LEN)] ^= (uint8_t)(1U << dice(d, 8));
	p->raw_len = dice(d, 2);
}

static void any_word(struct target *t, struct tg_pdu *p, uint32_t arg, struct dice *d)
{
	static const uint32_t v[] = { 0, 1, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff, 512, 65536 };

	UNUSED;
	sk_set_be32(p->bhs + 4 * (1 + dice(d, 11)), v[dice(d, 8)]);
	p->raw_len = dice(d, 2);
}

static void any_data(struct target *t, struct tg_pdu *p, uint32_t arg, struct dice *d)
{
	UNUSED;
	for (uint32_t i = 0; i < 8 && p->n; i++)
		p->data[dice(d, p->n)] = (uint8_t)dice(d, 256);
}

static void resize(struct tg_pdu *p, uint32_t n)
{
	if (n > p->n)
		memset(p->data + p->n, 0, n - p->n);
	p->n = n;
}

static void other_length(struct target *t, struct tg_pdu *p, uint32_t arg, struct dice *d)
{
	UNUSED;
	resize(p, arg ? arg : dice(d, 300));
}

static void closed_window(struct target *t, struct tg_pdu *p, uint32_t arg, struct dice *d)
{
	UNUSED;
	sk_set_be32(p->bhs + 32, sk_be32(p->bhs + 28) - 1);
	t->sn.max_cmd_sn = t->sn.exp_cmd_sn - 1;
	t->frozen = true;
}

/* --- statuses --- */

/* The answer becomes a SCSI Response; its tag and numbers stay. */
static void become(struct tg_pdu *p, uint8_t response, uint8_t status)
{
	p->bhs[0] = SK_OP_SCSI_RSP;
	p->bhs[1] = SK_BHS_FINAL;
	p->bhs[2] = response;
	p->bhs[3] = status;
	memset(p->bhs + 36, 0, 12);
	p->n = 0;
}

static void status(struct target *t, struct tg_pdu *p, uint32_t arg, struct dice *d)
{
	UNUSED;
	become(p, 0, (uint8_t)arg);
}

static void response(struct target *t, struct tg_pdu *p, uint32_t arg, struct dice *d)
{
	UNUSED;
	become(p, (uint8_t)arg, 0);
}

/* arg: key, ASC, ASCQ */
static void sense(struct target *t, struct tg_pdu *p, uint32_t arg, struct dice *d)
{
	const uint8_t s[] = { 0, 18, 0x70, 0, (uint8_t)(arg >> 16), [9] = 10, [14] = (uint8_t)(arg >> 8), (uint8_t)arg };

	UNUSED;
	become(p, 0, 2);
	p->n = 20;
	memset(p->data, 0, p->n);
	memcpy(p->data, s, sizeof(s));
}

static void any_sense(struct target *t, struct tg_pdu *p, uint32_t arg, struct dice *d)
{
	sense(t, p, dice(d, 16) << 16 | dice(d, 256) << 8 | dice(d, 256), d);
	p->data[2] = (uint8_t)(0x70 + dice(d, 5));
	p->data[1] = (uint8_t)(dice(d, 3) ? 18 : dice(d, 256));
	resize(p, dice(d, 3) ? 20 : dice(d, 64));
	(void)arg;
}

/* The header of the command comes back */
static void reject(struct target *t, struct tg_pdu *p, uint32_t arg, struct dice *d)
{
	UNUSED;
	memset(p->bhs + 1, 0, 23);
	p->bhs[0] = SK_OP_REJECT;
	p->bhs[1] = SK_BHS_FINAL;
	p->bhs[2] = (uint8_t)arg;
	sk_set_be32(p->bhs + 16, SK_TAG_NONE);
	memset(p->bhs + 36, 0, 12);
	memcpy(p->data, t->last_cmd, SK_BHS_LEN);
	p->n = SK_BHS_LEN;
}

/* --- what nobody asked for: before the answer --- */

/* The answer was numbered already: what goes before it takes its StatSN, and it the next. */
static void before(struct target *t, struct tg_pdu *p, struct tg_pdu *extra, bool stat_sn)
{
	bool numbered = sk_be32(p->bhs + 24) != t->sn.stat_sn;

	if (!stat_sn) {
		tg_extra(t, extra, false);
		return;
	}
	t->sn.stat_sn -= numbered;
	tg_extra(t, extra, true);
	sk_set_be32(p->bhs + 24, t->sn.stat_sn);
	t->sn.stat_sn += numbered;
}

static void with_extra(struct target *t, struct tg_pdu *p, uint32_t arg, struct dice *d,
		       void (*build)(struct target *, struct tg_pdu *, uint32_t, struct dice *), bool stat_sn, uint32_t times)
{
	struct tg_pdu *x = tg_pdu_new();

	for (uint32_t i = 0; i < times; i++) {
		memset(x, 0, offsetof(struct tg_pdu, data));
		build(t, x, arg + (times > 1 ? i : 0), d);
		before(t, p, x, stat_sn);
	}
	free(x);
}

static void build_nop(struct target *t, struct tg_pdu *p, uint32_t arg, struct dice *d)
{
	UNUSED;
	sk_nop_in_put(p->bhs, &(struct sk_nop){ .itt = SK_TAG_NONE, .ttt = 7 + arg }, &t->sn);
}

static void build_async(struct target *t, struct tg_pdu *p, uint32_t arg, struct dice *d)
{
	UNUSED;
	sk_async_put(p->bhs, &(struct sk_async){ .event = (uint8_t)arg, .lun = 1ULL << 48, .param3 = 1 }, &t->sn);
	if (arg == 0) {
		sense(t, p, 0x062a09, d);
		sk_async_put(p->bhs, &(struct sk_async){ .event = 0, .lun = 1ULL << 48 }, &t->sn);
	}
}

static void build_opcode(struct target *t, struct tg_pdu *p, uint32_t arg, struct dice *d)
{
	UNUSED;
	p->bhs[0] = (uint8_t)arg;
	p->bhs[1] = SK_BHS_FINAL;
	sk_set_be32(p->bhs + 16, 0x5555);
}

static void build_any(struct target *t, struct tg_pdu *p, uint32_t arg, struct dice *d)
{
	UNUSED;
	for (unsigned i = 0; i < SK_BHS_LEN; i++)
		p->bhs[i] = (uint8_t)dice(d, 256);
	resize(p, dice(d, 64));
	p->raw_len = dice(d, 2);
}

static void pings(struct target *t, struct tg_pdu *p, uint32_t arg, struct dice *d)
{
	with_extra(t, p, 0, d, build_nop, false, arg);
}

static void async(struct target *t, struct tg_pdu *p, uint32_t arg, struct dice *d)
{
	with_extra(t, p, arg, d, build_async, true, 1);
}

static void asyncs(struct target *t, struct tg_pdu *p, uint32_t arg, struct dice *d)
{
	for (uint32_t i = 0; i < arg; i++)
		with_extra(t, p, 200, d, build_async, true, 1);
}

static void unasked(struct target *t, struct tg_pdu *p, uint32_t arg, struct dice *d)
{
	with_extra(t, p, arg, d, build_opcode, arg != SK_OP_R2T && arg != SK_OP_DATA_IN, 1);
}

static void garbage(struct target *t, struct tg_pdu *p, uint32_t arg, struct dice *d)
{
	with_extra(t, p, arg, d, build_any, false, 1);
}

/* --- the login --- */

static void refuse(struct target *t, struct tg_pdu *p, uint32_t arg, struct dice *d)
{
	UNUSED;
	p->bhs[1] &= 0x0f;
	p->bhs[36] = (uint8_t)(arg >> 8);
	p->bhs[37] = (uint8_t)arg;
	p->n = 0;
	p->close = true;
}

static void redirect(struct target *t, struct tg_pdu *p, uint32_t arg, struct dice *d)
{
	static const char *const to[] = { "127.0.0.2:3260,1", "[::1]:3260", "../../x:3260", ":", "a\nb", "",
					  "999.1.1.1:99999,99999", "host" };

	refuse(t, p, 0x0101 + (arg & 1), d);
	p->n = (uint32_t)snprintf((char *)p->data, TG_DATA, "TargetAddress=%s", to[dice(d, SK_ARRAY_LEN(to))]) + 1;
}

static const char *const texts[] = {
	"MaxRecvDataSegmentLength=0", "MaxRecvDataSegmentLength=4294967295", "MaxRecvDataSegmentLength=511",
	"MaxBurstLength=99999999999999999999", "FirstBurstLength=16777215", "InitialR2T=Maybe", "HeaderDigest=SHA1",
	"DataDigest=Reject", "ErrorRecoveryLevel=2", "MaxOutstandingR2T=0", "MaxConnections=65536", "AuthMethod=None",
	"AuthMethod=KRB5", "CHAP_A=99", "CHAP_A=5,6,7", "CHAP_I=256", "CHAP_C=0x", "CHAP_C=0bA", "CHAP_R=0x00", "CHAP_N=",
	"TargetPortalGroupTag=65536", "TargetPortalGroupTag=2", "=", "NoEquals", "X-some.vendor=1", "InitiatorName=iqn.x",
	"SendTargets=All", "IFMarker=Yes", "MaxRecvDataSegmentLength=8192", "TargetAlias=\x1b[2J",
};

static void text(struct target *t, struct tg_pdu *p, uint32_t arg, struct dice *d)
{
	const char *s = texts[arg < SK_ARRAY_LEN(texts) ? arg : dice(d, SK_ARRAY_LEN(texts))];
	size_t n = strlen(s) + 1;

	UNUSED;
	if (p->n + n <= TG_DATA)
		memcpy(p->data + p->n, s, n);
	p->n += (uint32_t)n;
}

static void only_text(struct target *t, struct tg_pdu *p, uint32_t arg, struct dice *d)
{
	p->n = 0;
	text(t, p, arg, d);
}

static void many_keys(struct target *t, struct tg_pdu *p, uint32_t arg, struct dice *d)
{
	UNUSED;
	for (uint32_t i = 0; i < arg && p->n + 16 < TG_DATA; i++)
		p->n += (uint32_t)snprintf((char *)p->data + p->n, 16, "X-k%u=1", i) + 1;
}

static void no_end(struct target *t, struct tg_pdu *p, uint32_t arg, struct dice *d)
{
	UNUSED;
	if (p->n)
		p->n--;
}

/* The rest is to follow: it never does, as the next answer says the same */
static void go_on_for_ever(struct target *t, struct tg_pdu *p, uint32_t arg, struct dice *d)
{
	UNUSED;
	p->bhs[1] = (uint8_t)((p->bhs[1] & 0x0c) | 0x40);
}

static void no_transit(struct target *t, struct tg_pdu *p, uint32_t arg, struct dice *d)
{
	UNUSED;
	p->bhs[1] &= 0x0c;
}

/* The initiator's own challenge, which it has not sent yet when the target sends its own */
static void weak_challenge(struct target *t, struct tg_pdu *p, uint32_t arg, struct dice *d)
{
	UNUSED;
	p->n = (uint32_t)snprintf((char *)p->data, TG_DATA, "CHAP_A=5%cCHAP_I=1%cCHAP_C=0x%s", 0, 0,
				  arg ? "4141414141414141" "4141414141414141" : "00") + 1;
}

#define FIELD(off, how) ((off) << 8 | (how))

const struct wrong wrongs[] = {
	/* the way */
	{ "closed", AT_LOGIN | AT_FFP | AT(TG_LOGOUT), closed, 0, false },
	{ "cut in the header", AT_LOGIN | AT_FFP | AT(TG_LOGOUT), cut, 20, false },
	{ "cut in the data", AT_LOGIN | AT(TG_READ) | AT(TG_READ_END), cut, 60, false },
	{ "cut anywhere", AT_LOGIN | AT_FFP | AT(TG_LOGOUT), cut, 0, false },
	{ "silent", AT_LOGIN | AT_FFP | AT(TG_LOGOUT), mute, 0, false },
	{ "lost", AT_LOGIN | AT_FFP | AT(TG_LOGOUT) | AT(TG_TMF), lost, 0, false },
	{ "twice", AT_LOGIN | AT_FFP | AT(TG_TMF), twice, 1, false },
	{ "wrong header digest", AT_FFP, digests, 0, false },
	{ "wrong data digest", AT(TG_READ), digests, 1, false },
	{ "power", AT_IO, power, 0, false },
	/* fields */
	{ "opcode", AT_LOGIN | AT_FFP, byte_of, FIELD(0, 0x1f), false },
	{ "opcode of an initiator", AT_LOGIN | AT_FFP, byte_of, FIELD(0, SK_OP_SCSI_CMD), false },
	{ "login response", AT_FFP, byte_of, FIELD(0, SK_OP_LOGIN_RSP), false },
	{ "AHS", AT_LOGIN | AT_FFP, byte_of, FIELD(4, 1), false },
	{ "length above our limit", AT_LOGIN | AT_FFP, byte_of, FIELD(5, 0x80), false },
	{ "StatSN ahead", AT_STATUS | AT(TG_SCAN), word_of, FIELD(24, 1), false },
	{ "StatSN behind", AT_STATUS | AT(TG_SCAN), word_of, FIELD(24, 2), false },
	{ "StatSN far away", AT_STATUS | AT(TG_SCAN), word_of, FIELD(24, 5), false },
	{ "tag of nobody", AT_LOGIN | AT_FFP, word_of, FIELD(16, 0), false },
	{ "reserved tag", AT_LOGIN | AT(TG_READ) | AT_STATUS | AT(TG_R2T), word_of, FIELD(16, 3), false },
	{ "DataSN ahead", AT_DATA, word_of, FIELD(36, 1), false },
	{ "offset ahead", AT_DATA, word_of, FIELD(40, 1), false },
	{ "offset behind the end", AT_DATA | AT(TG_R2T), word_of, FIELD(40, 5), false },
	{ "offset wraps", AT_DATA | AT(TG_R2T), word_of, FIELD(40, 3), false },
	{ "R2TSN ahead", AT(TG_R2T), word_of, FIELD(36, 1), false },
	{ "R2T of nothing", AT(TG_R2T), word_of, FIELD(44, 4), false },
	{ "R2T of everything", AT(TG_R2T), word_of, FIELD(44, 3), false },
	{ "R2T without a tag", AT(TG_R2T), word_of, FIELD(20, 3), false },
	{ "R2T for what was sent", AT(TG_R2T), word_of, FIELD(40, 4), false },
	{ "MaxCmdSN behind", AT_FFP, word_of, FIELD(32, 5), false },
	{ "ExpCmdSN far ahead", AT_FFP, word_of, FIELD(28, 5), false },
	{ "closed window", AT_FFP, closed_window, 0, false },
	{ "residual above the length", AT(TG_READ_END), word_of, FIELD(44, 3), false },
	{ "overflow and underflow", AT_STATUS, byte_of, FIELD(1, 0x87), false },
	{ "any bits", AT_LOGIN | AT_FFP | AT(TG_TMF) | AT(TG_LOGOUT), any_bit, 1, true },
	{ "many bits", AT_LOGIN | AT_FFP | AT(TG_TMF) | AT(TG_LOGOUT), any_bit, 12, true },
	{ "any word", AT_LOGIN | AT_FFP | AT(TG_TMF) | AT(TG_LOGOUT), any_word, 0, true },
	{ "any data", AT_LOGIN | AT(TG_SCAN) | AT_DATA, any_data, 0, true },
	{ "any length", AT_LOGIN | AT_FFP, other_length, 0, true },
	/* statuses */
	{ "BUSY", AT_STATUS, status, 0x08, false },
	{ "TASK SET FULL", AT_STATUS, status, 0x28, false },
	{ "ACA ACTIVE", AT_STATUS, status, 0x30, false },
	{ "TASK ABORTED", AT_STATUS, status, 0x40, false },
	{ "RESERVATION CONFLICT", AT_STATUS, status, 0x18, false },
	{ "status that is none", AT_STATUS, status, 0x55, false },
	{ "GOOD without data", AT(TG_READ_END), status, 0x00, false },
	{ "CHECK CONDITION without sense", AT_STATUS, status, 0x02, false },
	{ "target failure", AT_STATUS, response, 1, false },
	{ "response that is none", AT_STATUS, response, 0x80, false },
	{ "power on", AT_STATUS, sense, 0x062900, false },
	{ "becoming ready", AT_STATUS, sense, 0x020401, false },
	{ "medium error", AT_STATUS, sense, 0x031100, false },
	{ "hardware error", AT_STATUS, sense, 0x044400, false },
	{ "illegal request", AT_STATUS, sense, 0x053000, false },
	{ "write protected", AT(TG_WRITE_END), sense, 0x072700, false },
	{ "aborted command", AT_STATUS, sense, 0x0b0000, false },
	{ "recovered error", AT(TG_WRITE_END) | AT(TG_FLUSH), sense, 0x011700, true },
	{ "volume overflow", AT(TG_WRITE_END), sense, 0x0d0000, false },
	{ "any sense", AT_STATUS | AT(TG_SCAN), any_sense, 0, true },
	{ "Reject 01", AT_IO, reject, 0x01, false },
	{ "Reject 02", AT_STATUS, reject, 0x02, false },
	{ "Reject 04", AT_STATUS, reject, 0x04, false },
	{ "Reject 06", AT_STATUS, reject, 0x06, false },
	{ "Reject 09", AT_STATUS, reject, 0x09, false },
	{ "Reject 0b", AT_STATUS, reject, 0x0b, false },
	{ "Reject 0c", AT_STATUS, reject, 0x0c, false },
	{ "Reject ff", AT_STATUS, reject, 0xff, false },
	/* unasked */
	{ "a ping", AT_FFP, pings, 1, false },
	{ "twenty pings", AT_FFP, pings, 20, false },
	{ "a storm of pings", AT_FFP, pings, 4000, false },
	{ "async 0", AT_FFP, async, 0, false },
	{ "async 1", AT_FFP, async, 1, false },
	{ "async 2", AT_FFP, async, 2, false },
	{ "async 3", AT_FFP, async, 3, false },
	{ "async 4", AT_FFP, async, 4, false },
	{ "async 5", AT_FFP, async, 5, false },
	{ "async ff", AT_FFP, async, 0xff, false },
	{ "a storm of asyncs", AT_FFP, asyncs, 1000, false },
	{ "status for nobody", AT_FFP, unasked, SK_OP_SCSI_RSP, false },
	{ "R2T for nobody", AT_FFP, unasked, SK_OP_R2T, false },
	{ "data for nobody", AT_FFP, unasked, SK_OP_DATA_IN, false },
	{ "TMF answer for nobody", AT_FFP, unasked, SK_OP_TMF_RSP, false },
	{ "logout answer for nobody", AT_FFP, unasked, SK_OP_LOGOUT_RSP, false },
	{ "text answer for nobody", AT_FFP, unasked, SK_OP_TEXT_RSP, false },
	{ "garbage", AT_LOGIN | AT_FFP, garbage, 0, true },
	/* the login */
	{ "refused for now", AT_LOGIN, refuse, 0x0301, false },
	{ "not authorized", AT_LOGIN, refuse, 0x0202, false },
	{ "authentication failed", AT_LOGIN, refuse, 0x0201, false },
	{ "not found", AT_LOGIN, refuse, 0x0203, false },
	{ "status class 9", AT_LOGIN, refuse, 0x0900, false },
	{ "redirected", AT_LOGIN, redirect, 0, true },
	{ "redirected for good", AT_LOGIN, redirect, 1, true },
	{ "any text", AT_LOGIN, text, 999, true },
	{ "only any text", AT_LOGIN, only_text, 999, true },
	{ "MaxRecvDataSegmentLength=0", AT(TG_OPERATIONAL), text, 0, false },
	{ "MaxRecvDataSegmentLength=2^32-1", AT(TG_OPERATIONAL), text, 1, false },
	{ "MaxBurstLength of twenty digits", AT(TG_OPERATIONAL), text, 3, false },
	{ "a key without value", AT_LOGIN, text, 23, false },
	{ "a downgrade", AT(TG_CHAP), only_text, 11, false },
	{ "an algorithm not offered", AT(TG_CHAP), only_text, 13, false },
	{ "a thousand keys", AT_LOGIN, many_keys, 1000, false },
	{ "no final NUL", AT_LOGIN, no_end, 0, false },
	{ "more to come, for ever", AT_LOGIN, go_on_for_ever, 0, false },
	{ "no transit", AT_LOGIN, no_transit, 0, false },
	{ "stage that is none", AT_LOGIN, byte_of, FIELD(1, 0x8a), false },
	{ "a challenge of one byte", AT(TG_CHAP), weak_challenge, 0, false },
};

const unsigned n_wrongs = SK_ARRAY_LEN(wrongs);

const struct wrong *wrong_find(const char *name)
{
	for (unsigned i = 0; i < n_wrongs; i++)
		if (!strcmp(wrongs[i].name, name))
			return &wrongs[i];
	return NULL;
}

void wrong_do(const struct wrong *w, struct target *t, struct tg_pdu *p, struct dice *d)
{
	t->spoilt = true;
	w->fn(t, p, w->arg, d);
}
