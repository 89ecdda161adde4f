/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Plays conversations from files against the pure machines of proto/ (tests/replay/README.md). */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/num.h"
#include "proto/framer.h"
#include "proto/login.h"
#include "proto/sendtargets.h"

#define LINES_MAX 4096

enum mode { WHOLE, BYTES, CUT, END };
static const char *const mode_names[] = { "whole", "byte by byte", "cut", "ended" };

/* One PDU of the conversation: its bytes on the wire and where it stands. */
struct step {
	char dir; /* '>' '<' '!' '=' */
	unsigned line;
	struct sk_pdu pdu;
	char words[512]; /* '!' and '=': the rest of the line */
};

struct talk {
	const char *file;
	struct sk_login_cfg cfg;
	struct step step[LINES_MAX];
	unsigned n;
};

static struct talk talk;

__attribute__((noreturn, format(printf, 2, 3))) static void die(unsigned line, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s:%u: ", talk.file, line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

/* --- reading a file ------------------------------------------------------------------------------------------ */

struct field {
	const char *name;
	unsigned at, bytes;
};

static const struct kind {
	char dir;
	const char *name;
	uint8_t op;
	struct field field[10];
} kinds[] = {
	{ '>',
	  "login",
	  0x43,
	  { { "vmax", 2, 1 },
	    { "vmin", 3, 1 },
	    { "isid", 8, 6 },
	    { "tsih", 14, 2 },
	    { "itt", 16, 4 },
	    { "cid", 20, 2 },
	    { "cmdsn", 24, 4 },
	    { "expstatsn", 28, 4 } } },
	{ '<',
	  "login",
	  0x23,
	  { { "vmax", 2, 1 },
	    { "vact", 3, 1 },
	    { "isid", 8, 6 },
	    { "tsih", 14, 2 },
	    { "itt", 16, 4 },
	    { "statsn", 24, 4 },
	    { "expcmdsn", 28, 4 },
	    { "maxcmdsn", 32, 4 },
	    { "status", 36, 2 } } },
	{ '>',
	  "text",
	  0x44,
	  { { "lun", 8, 8 }, { "itt", 16, 4 }, { "ttt", 20, 4 }, { "cmdsn", 24, 4 }, { "expstatsn", 28, 4 } } },
	{ '<',
	  "text",
	  0x24,
	  { { "lun", 8, 8 },
	    { "itt", 16, 4 },
	    { "ttt", 20, 4 },
	    { "statsn", 24, 4 },
	    { "expcmdsn", 28, 4 },
	    { "maxcmdsn", 32, 4 } } },
	{ '>', "logout", 0x46, { { "itt", 16, 4 }, { "cid", 20, 2 }, { "cmdsn", 24, 4 }, { "expstatsn", 28, 4 } } },
	{ '<',
	  "logout",
	  0x26,
	  { { "response", 2, 1 },
	    { "itt", 16, 4 },
	    { "statsn", 24, 4 },
	    { "expcmdsn", 28, 4 },
	    { "maxcmdsn", 32, 4 } } },
	{ '>',
	  "nop",
	  0x40,
	  { { "lun", 8, 8 }, { "itt", 16, 4 }, { "ttt", 20, 4 }, { "cmdsn", 24, 4 }, { "expstatsn", 28, 4 } } },
	{ '<',
	  "nop",
	  0x20,
	  { { "lun", 8, 8 },
	    { "itt", 16, 4 },
	    { "ttt", 20, 4 },
	    { "statsn", 24, 4 },
	    { "expcmdsn", 28, 4 },
	    { "maxcmdsn", 32, 4 } } },
	{ '<',
	  "async",
	  0x32,
	  { { "itt", 16, 4 },
	    { "statsn", 24, 4 },
	    { "event", 36, 1 },
	    { "param1", 38, 2 },
	    { "param2", 40, 2 },
	    { "param3", 42, 2 } } },
	{ '<', "reject", 0x3f, { { "reason", 2, 1 }, { "itt", 16, 4 }, { "statsn", 24, 4 } } },
};

static uint64_t number(const char *s, unsigned line)
{
	uint64_t v;

	if (strcmp(s, "-") == 0)
		return SK_TAG_NONE;
	if (strncmp(s, "0x", 2) == 0 ? sk_num_hex(s + 2, strlen(s + 2), &v)
				     : sk_num_u64(s, strlen(s), 0, UINT64_MAX, &v))
		return v;
	die(line, "\"%s\" is not a number", s);
}

static void set_field(uint8_t *bhs, const struct kind *k, const char *name, uint64_t v, unsigned line)
{
	if (strcmp(name, "csg") == 0 || strcmp(name, "nsg") == 0) {
		bhs[1] |= (uint8_t)(v << (name[0] == 'c' ? 2 : 0));
		return;
	}
	if (strcmp(name, "op") == 0) {
		bhs[0] = (uint8_t)v;
		return;
	}
	for (size_t i = 0; i < SK_ARRAY_LEN(k->field) && k->field[i].name; i++) {
		if (strcmp(k->field[i].name, name) != 0)
			continue;
		for (unsigned b = k->field[i].bytes; b > 0; b--, v >>= 8)
			bhs[k->field[i].at + b - 1] = (uint8_t)v;
		return;
	}
	die(line, "%s has no field %s", k->name, name);
}

static void read_pdu(struct step *s, char *words, unsigned line)
{
	const struct kind *k = NULL;
	char *save = NULL, *w = strtok_r(words, " ", &save);

	for (size_t i = 0; w && i < SK_ARRAY_LEN(kinds); i++)
		if (kinds[i].dir == s->dir && strcmp(kinds[i].name, w) == 0)
			k = &kinds[i];
	if (!k)
		die(line, "no such PDU");
	s->pdu.bhs[0] = k->op;
	if (strcmp(k->name, "login") == 0)
		memcpy(s->pdu.bhs + 8, talk.cfg.isid.b, 6);
	while ((w = strtok_r(NULL, " ", &save))) {
		char *eq = strchr(w, '=');

		if (!eq && strlen(w) == 1 && strchr("TFC", *w)) {
			s->pdu.bhs[1] |= *w == 'C' ? 0x40 : 0x80;
		} else if (eq) {
			*eq = '\0';
			set_field(s->pdu.bhs, k, w, number(eq + 1, line), line);
		} else {
			die(line, "\"%s\" is no flag", w);
		}
	}
}

static void add_text(struct sk_buf *out, const char *s)
{
	for (; *s; s++) {
		uint64_t v;

		if (s[0] == '\\' && s[1] == 'x' && sk_num_hex(s + 2, 2, &v)) {
			sk_buf_ch(out, (char)v);
			s += 3;
		} else {
			sk_buf_ch(out, *s);
		}
	}
}

static void read_text(struct step *s, const char *text)
{
	int times = 1, used = 0;

	if (text[0] == '|') {
		add_text(&s->pdu.data, text + (text[1] == ' ' ? 2 : 1));
		return;
	}
	if (sscanf(text, "* %d %n", &times, &used) == 1)
		text += used;
	for (int i = 0; i < times; i++) {
		const char *at = strstr(text, "%d");

		if (at && times > 1) {
			sk_buf_add(&s->pdu.data, text, (size_t)(at - text));
			sk_buf_printf(&s->pdu.data, "%d", i);
			add_text(&s->pdu.data, at + 2);
		} else {
			add_text(&s->pdu.data, text);
		}
		sk_buf_ch(&s->pdu.data, '\0');
	}
}

static void copy_word(char *to, size_t size, const char *from, unsigned line)
{
	if ((size_t)snprintf(to, size, "%s", from) >= size)
		die(line, "too long");
}

static enum sk_digest_offer digest(const char *v, unsigned line)
{
	static const char *const words[] = { "None", "CRC32C", "CRC32C,None", "None,CRC32C" };

	for (unsigned i = 0; i < SK_ARRAY_LEN(words); i++)
		if (strcmp(words[i], v) == 0)
			return (enum sk_digest_offer)i;
	die(line, "no digest offer %s", v);
}

static void set_algs(struct sk_chap_cfg *c, char *list, unsigned line)
{
	char *save = NULL;

	for (char *w = strtok_r(list, ",", &save); w; w = strtok_r(NULL, ",", &save))
		if (c->n_algs == SK_CHAP_ALG_COUNT || !sk_chap_alg_find(sk_span_str(w), &c->algs[c->n_algs++]))
			die(line, "no CHAP algorithm %s", w);
}

static void set_cfg(struct sk_login_cfg *c, const char *name, char *v, unsigned line)
{
	const struct {
		const char *name;
		uint32_t *to;
	} nums[] = {
		{ "max_recv_dsl", &c->max_recv_dsl },	{ "max_xmit_dsl", &c->max_xmit_dsl },
		{ "max_burst", &c->max_burst },		{ "first_burst", &c->first_burst },
		{ "max_r2t", &c->max_outstanding_r2t }, { "time2wait", &c->time2wait },
		{ "time2retain", &c->time2retain },	{ "cmdsn", &c->cmd_sn },
		{ "max_text", &c->max_text },
	};
	const struct {
		const char *name;
		char *to;
		size_t size;
	} texts[] = {
		{ "alias", c->initiator_alias, sizeof(c->initiator_alias) },
		{ "initiator", c->initiator.s, sizeof(c->initiator.s) },
		{ "target", c->target.s, sizeof(c->target.s) },
		{ "username", c->chap.username, sizeof(c->chap.username) },
		{ "password", c->chap.password, sizeof(c->chap.password) },
		{ "username_in", c->chap.username_in, sizeof(c->chap.username_in) },
		{ "password_in", c->chap.password_in, sizeof(c->chap.password_in) },
	};

	for (size_t i = 0; i < SK_ARRAY_LEN(nums); i++) {
		if (strcmp(nums[i].name, name) == 0) {
			*nums[i].to = (uint32_t)number(v, line);
			return;
		}
	}
	for (size_t i = 0; i < SK_ARRAY_LEN(texts); i++) {
		if (strcmp(texts[i].name, name) == 0) {
			copy_word(texts[i].to, texts[i].size, v, line);
			return;
		}
	}
	if (strcmp(name, "discovery") == 0)
		c->discovery = strcmp(v, "Yes") == 0;
	else if (strcmp(name, "tpgt") == 0)
		c->expect_tpgt = (int32_t)number(v, line);
	else if (strcmp(name, "tsih") == 0)
		c->tsih = (uint16_t)number(v, line);
	else if (strcmp(name, "header_digest") == 0)
		c->header_digest = digest(v, line);
	else if (strcmp(name, "data_digest") == 0)
		c->data_digest = digest(v, line);
	else if (strcmp(name, "initial_r2t") == 0)
		c->initial_r2t = strcmp(v, "Yes") == 0;
	else if (strcmp(name, "immediate_data") == 0)
		c->immediate_data = strcmp(v, "Yes") == 0;
	else if (strcmp(name, "chap_algs") == 0)
		set_algs(&c->chap, v, line);
	else
		die(line, "no setting %s", name);
}

static void read_settings(char *words, unsigned line)
{
	char *save = NULL;

	for (char *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		char *eq = strchr(w, '=');

		if (!eq)
			die(line, "a setting without =");
		*eq = '\0';
		set_cfg(&talk.cfg, w, eq + 1, line);
	}
}

static const struct sk_login_cfg defaults = {
	.initiator = { "iqn.2016-04.com.open-iscsi:replay" },
	.target = { "iqn.2026-01.org.example:disk1" },
	.expect_tpgt = SK_TPGT_NONE,
	.isid = { { 0x00, 0x02, 0x3d, 0x00, 0x00, 0x01 } },
	.cmd_sn = 1,
	.initial_r2t = false,
	.immediate_data = true,
	.max_recv_dsl = 262144,
	.max_burst = 16776192,
	.first_burst = 262144,
	.max_outstanding_r2t = 1,
	.time2wait = 2,
	.time2retain = 0,
};

static void read_line(char *text, unsigned line)
{
	struct step *s = &talk.step[talk.n];

	if (text[0] == '\0' || text[0] == '#')
		return;
	if (isspace((unsigned char)text[0])) {
		if (talk.n == 0)
			die(line, "text without a PDU");
		read_text(&s[-1], text + strspn(text, " \t"));
		return;
	}
	if (strncmp(text, "set ", 4) == 0) {
		read_settings(text + 4, line);
		return;
	}
	if (!strchr("<>!=", text[0]) || text[1] != ' ')
		die(line, "what is this?");
	if (talk.n == LINES_MAX)
		die(line, "too many lines");
	s->dir = text[0];
	s->line = line;
	talk.n++;
	if (strchr("<>", text[0]))
		read_pdu(s, text + 2, line);
	else
		copy_word(s->words, sizeof(s->words), text + 2, line);
}

static void read_file(const char *path)
{
	char text[4096];
	unsigned line = 0;
	FILE *f = fopen(path, "re");

	talk.file = path;
	talk.cfg = defaults;
	talk.n = 0;
	memset(talk.step, 0, sizeof(talk.step));
	if (!f)
		die(0, "cannot be opened");
	while (fgets(text, sizeof(text), f)) {
		text[strcspn(text, "\n")] = '\0';
		read_line(text, ++line);
	}
	fclose(f);
	if (talk.n == 0 || talk.step[talk.n - 1].dir != '=')
		die(line, "no end");
}

static void forget_file(void)
{
	for (unsigned i = 0; i < talk.n; i++)
		sk_pdu_free(&talk.step[i].pdu);
}

/* --- playing it ---------------------------------------------------------------------------------------------- */

struct play {
	enum mode mode;
	size_t cut;	/* CUT: each run of target bytes is cut there; END: the stream ends there */
	size_t heard;	/* bytes of the target so far */
	size_t longest; /* run of target bytes seen */
	struct sk_framer framer;
	struct sk_login *login;
	struct sk_sendtargets *st;
	struct sk_buf told; /* portals and bad entries, one a line */
	struct sk_err err;
	uint8_t seed;
};

static int fill(void *ctx, void *p, size_t n)
{
	struct play *play = ctx;

	for (size_t i = 0; i < n; i++)
		((uint8_t *)p)[i] = (uint8_t)(0xa0 + play->seed++);
	return 0;
}

static void told_portal(void *ctx, const struct sk_iname *target, const struct sk_portal *p)
{
	struct play *play = ctx;

	sk_buf_printf(&play->told, "%s %s %u %d\n", target->s, p->host, (unsigned)p->port, (int)p->tpgt);
}

static void told_bad(void *ctx, const struct sk_err *why)
{
	struct play *play = ctx;

	sk_buf_printf(&play->told, "bad %s\n", why->msg);
}

static const struct sk_targets_events events = { told_portal, told_bad };

static enum sk_login_want want(const struct play *p)
{
	return p->st ? sk_sendtargets_want(p->st) : sk_login_want(p->login);
}

static void show(const char *what, const struct sk_pdu *pdu)
{
	fprintf(stderr, "%s:\n", what);
	for (int i = 0; i < SK_BHS_LEN; i++)
		fprintf(stderr, "%02x%s", pdu->bhs[i], i % 16 == 15 ? "\n" : i % 4 == 3 ? " " : "");
	for (size_t i = 0; i < pdu->data.n; i++)
		fputc(pdu->data.p[i] ? pdu->data.p[i] : '\n', stderr);
	fputc('\n', stderr);
}

static void expect_send(struct play *p, struct step *s)
{
	struct sk_pdu pdu = { 0 };

	if (p->login && !p->st && sk_login_want(p->login) == SK_WANT_DONE) {
		struct sk_sendtargets_cfg cfg = { .portal = { "192.0.2.1", 3260, 1 } };

		p->st = sk_sendtargets_new(&cfg, sk_login_result(p->login), &events, p, &p->err);
	}
	if (want(p) != SK_WANT_SEND)
		die(s->line, "%s: the machine wants %d, not to send: %s", mode_names[p->mode], want(p), p->err.msg);
	if ((p->st ? sk_sendtargets_take(p->st, &pdu, &p->err) : sk_login_take(p->login, &pdu, &p->err)) < 0)
		die(s->line, "take: %s", p->err.msg);
	sk_pdu_put_len(&s->pdu, NULL);
	if (memcmp(pdu.bhs, s->pdu.bhs, SK_BHS_LEN) != 0 || pdu.data.n != s->pdu.data.n ||
	    memcmp(sk_buf_cstr(&pdu.data), sk_buf_cstr(&s->pdu.data), pdu.data.n) != 0) {
		show("sent", &pdu);
		show("expected", &s->pdu);
		die(s->line, "%s: not what was to be sent", mode_names[p->mode]);
	}
	sk_pdu_free(&pdu);
}

static void hear_bytes(struct play *p, struct sk_span in, unsigned line)
{
	struct sk_pdu pdu;
	int got;

	while ((got = sk_framer_feed(&p->framer, &in, &pdu, &p->err)) > 0) {
		int rc = p->st ? sk_sendtargets_feed(p->st, &pdu, &p->err) : sk_login_feed(p->login, &pdu, &p->err);

		sk_pdu_free(&pdu);
		if (rc < 0 && want(p) != SK_WANT_GIVE_UP)
			die(line, "a failed feed that does not give up");
		if (rc < 0)
			return;
	}
	if (got < 0)
		die(line, "framer: %s", p->err.msg);
}

/* One run of target PDUs; false when the stream ended in it. */
static bool hear(struct play *p, unsigned first, unsigned n)
{
	SK_BUF struct sk_buf bytes = { 0 };
	unsigned line = talk.step[first].line;
	size_t size;

	for (unsigned i = first; i < first + n; i++)
		sk_pdu_put_wire(&bytes, &talk.step[i].pdu, NULL);
	size = bytes.n;
	p->longest = SK_MAX(p->longest, size);
	if (p->mode == END && p->heard + size > p->cut) {
		hear_bytes(p, sk_span(bytes.p, p->cut - p->heard), line);
		return false;
	}
	p->heard += size;
	if (p->mode == BYTES) {
		for (size_t i = 0; i < size; i++)
			hear_bytes(p, sk_span(bytes.p + i, 1), line);
	} else if (p->mode == CUT && p->cut < size) {
		hear_bytes(p, sk_span(bytes.p, p->cut), line);
		hear_bytes(p, sk_span(bytes.p + p->cut, size - p->cut), line);
	} else {
		hear_bytes(p, sk_span(bytes.p, size), line);
	}
	return true;
}

static void expect_told(struct play *p, const struct step *s)
{
	const char *line = sk_buf_cstr(&p->told);
	size_t n = strcspn(line, "\n");
	char got[1024];
	bool bad = strncmp(s->words, "bad ", 4) == 0;

	snprintf(got, sizeof(got), "%.*s", (int)n, line);
	if (bad ? strncmp(got, "bad ", 4) != 0 || !strstr(got, s->words + 4) : strcmp(got, s->words) != 0)
		die(s->line, "told \"%s\"", got);
	sk_buf_drop(&p->told, n + 1);
}

static void expect_param(const struct sk_params *p, const char *name, uint64_t v, unsigned line)
{
	const struct {
		const char *name;
		uint64_t is;
	} all[] = {
		{ "header_digest", p->header_digest },
		{ "data_digest", p->data_digest },
		{ "initial_r2t", p->initial_r2t },
		{ "immediate_data", p->immediate_data },
		{ "data_pdu_in_order", p->data_pdu_in_order },
		{ "data_sequence_in_order", p->data_sequence_in_order },
		{ "max_recv_dsl", p->max_recv_dsl },
		{ "max_xmit_dsl", p->max_xmit_dsl },
		{ "max_burst", p->max_burst },
		{ "first_burst", p->first_burst },
		{ "max_r2t", p->max_outstanding_r2t },
		{ "time2wait", p->time2wait },
		{ "time2retain", p->time2retain },
		{ "erl", p->erl },
		{ "level", p->protocol_level },
		{ "tpgt", (uint32_t)p->tpgt },
		{ "tsih", p->tsih },
		{ "cmdsn", p->cmd_sn },
		{ "expcmdsn", p->exp_cmd_sn },
		{ "maxcmdsn", p->max_cmd_sn },
		{ "expstatsn", p->exp_stat_sn },
	};

	for (size_t i = 0; i < SK_ARRAY_LEN(all); i++) {
		if (strcmp(all[i].name, name) != 0)
			continue;
		if (all[i].is != v)
			die(line, "%s is %llu", name, (unsigned long long)all[i].is);
		return;
	}
	die(line, "no parameter %s", name);
}

static void expect_done(struct play *p, char *words, unsigned line)
{
	const struct sk_params *params = sk_login_result(p->login);
	char *save = NULL;

	if (want(p) != SK_WANT_DONE || !params)
		die(line, "%s: not done: %s", mode_names[p->mode], p->err.msg);
	if (p->st && !sk_sendtargets_complete(p->st))
		die(line, "done but not complete");
	for (char *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		char *eq = strchr(w, '=');

		if (!eq)
			die(line, "a parameter without =");
		*eq = '\0';
		expect_param(params, w, number(eq + 1, line), line);
	}
}

static void expect_giveup(struct play *p, const char *words, unsigned line)
{
	const struct sk_err *e = p->st ? sk_sendtargets_error(p->st) : sk_login_error(p->login);
	char got[sizeof(e->msg) + 32];

	if (want(p) != SK_WANT_GIVE_UP)
		die(line, "%s: it did not give up", mode_names[p->mode]);
	snprintf(got, sizeof(got), "%s 0x%04x ", sk_code_name(e->code), e->login);
	if (strncmp(got, words, strlen(got)) != 0 || !strstr(e->msg, words + strlen(got)))
		die(line, "gave up with: %s%s", got, e->msg);
	if (memcmp(e, &p->err, sizeof(*e)) != 0)
		die(line, "the error returned is not the error kept");
}

static void expect_redirect(struct play *p, const char *words, unsigned line)
{
	bool permanent = false;
	const struct sk_portal *to = sk_login_redirect(p->login, &permanent);
	char got[400];

	if (want(p) != SK_WANT_REDIRECT || !to)
		die(line, "%s: no redirect: %s", mode_names[p->mode], p->err.msg);
	snprintf(got, sizeof(got), "%s %s %u %d", permanent ? "permanent" : "temporary", to->host,
		 (unsigned)to->port, (int)to->tpgt);
	if (strcmp(got, words) != 0)
		die(line, "redirected %s", got);
}

static void expect_end(struct play *p, const struct step *s)
{
	char words[sizeof(s->words)], *rest;

	copy_word(words, sizeof(words), s->words, s->line);
	rest = words + strcspn(words, " ");
	if (*rest)
		*rest++ = '\0';
	if (p->told.n)
		die(s->line, "told and not expected: %s", sk_buf_cstr(&p->told));
	if (strcmp(words, "done") == 0)
		expect_done(p, rest, s->line);
	else if (strcmp(words, "giveup") == 0)
		expect_giveup(p, rest, s->line);
	else if (strcmp(words, "redirect") == 0)
		expect_redirect(p, rest, s->line);
	else if (strcmp(words, "sent") != 0)
		die(s->line, "no such end");
}

static void run(struct play *p)
{
	unsigned i = 0, n;

	while (i < talk.n) {
		struct step *s = &talk.step[i];

		switch (s->dir) {
		case '>':
			expect_send(p, s);
			break;
		case '<':
			for (n = 1; i + n < talk.n && talk.step[i + n].dir == '<'; n++)
				;
			if (!hear(p, i, n))
				return; /* ended on purpose; freeing it all is the test */
			i += n;
			continue;
		case '!':
			expect_told(p, s);
			break;
		default:
			expect_end(p, s);
		}
		i++;
	}
}

struct lengths {
	size_t total, longest; /* bytes of the target; of its longest run */
};

static struct lengths play(enum mode mode, size_t cut)
{
	struct play p = { .mode = mode, .cut = cut };
	struct sk_rng rng = { fill, &p };

	sk_framer_init(&p.framer, SK_MAX(talk.cfg.max_recv_dsl, 8192U));
	p.login = sk_login_new(&talk.cfg, &rng, &p.err);
	if (!p.login)
		die(0, "new: %s", p.err.msg);
	run(&p);
	sk_framer_free(&p.framer);
	sk_sendtargets_free(p.st);
	sk_login_free(p.login);
	sk_buf_free(&p.told);
	return (struct lengths){ p.heard, p.longest };
}

static void play_file(const char *path)
{
	struct lengths n;

	read_file(path);
	n = play(WHOLE, 0);
	play(BYTES, 0);
	for (size_t cut = 1; cut < n.longest;
	     cut += n.longest / 2000 + 1) /* long ones: not each byte, but each region */
		play(CUT, cut);
	for (size_t cut = 0; cut < n.total; cut += n.total / 2000 + 1)
		play(END, cut);
	forget_file();
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		play_file(argv[i]);
	if (argc < 2)
		fprintf(stderr, "usage: replay FILE...\n");
	return argc < 2;
}
