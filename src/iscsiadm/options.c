/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "config.h"
#include "iscsiadm/options.h"
#include "iscsiadm/usage.h"
#include "iscsiadm/values.h"
#include "record/secret.h"
#include "mgmt/result.h"

#define IN(m) (1U << SK_MODE_##m)
#define DISC  (IN(DISCOVERY) | IN(DISCOVERYDB))
#define NODE  IN(NODE)
#define SESS  IN(SESSION)
#define IFACE IN(IFACE)
#define FW    IN(FW)
#define HOST  IN(HOST)
#define ALL   (DISC | NODE | SESS | IFACE | FW | HOST)

/* The order is the one in which getopt lists ambiguous names. */
const struct sk_opt_row sk_adm_options[] = {
	{ 'p', "portal", true, DISC | NODE },
	{ 'T', "targetname", true, NODE },
	{ 'I', "interface", true, DISC | NODE | IFACE },
	{ 'o', "op", true, DISC | NODE | SESS | IFACE | HOST },
	{ 't', "type", true, DISC | HOST },
	{ 'n', "name", true, ALL },
	{ 'v', "value", true, ALL },
	{ 'H', "host", true, IFACE | HOST },
	{ 'r', "sid", true, SESS },
	{ 'R', "rescan", false, NODE | SESS },
	{ 'P', "print", true, DISC | NODE | SESS | IFACE | HOST },
	{ 'D', "discover", false, DISC },
	{ 'l', "login", false, DISC | NODE | FW },
	{ 'L', "loginall", true, NODE },
	{ 'u', "logout", false, NODE | SESS },
	{ 'U', "logoutall", true, NODE },
	{ 's', "stats", false, NODE | SESS },
	{ 'k', "killiscsid", true, 0 },
	{ 'd', "debug", true, ALL },
	{ 'm', "mode", true, ALL },
	{ 'S', "show", false, DISC | NODE | SESS },
	{ 'C', "submode", true, IFACE | HOST },
	{ 'a', "ip", true, IFACE },
	{ 'b', "packetsize", true, IFACE },
	{ 'c', "count", true, IFACE },
	{ 'i', "interval", true, IFACE | SESS },
	{ 'x', "index", true, HOST },
	{ 'A', "portal_type", true, HOST },
	{ 'W', "no_wait", false, NODE | FW },
	{ 'V', "version", false, ALL },
	{ 'h', "help", false, ALL },
	{ 'J', "json", false, ALL },
	{ SK_LONG_HOMEDIR, "use-homedir", true, ALL },
	{ SK_LONG_DBROOT, "use-dbroot", true, ALL },
	{ SK_LONG_RUNDIR, "use-rundir", true, ALL },
	{ SK_LONG_EXPLAIN, "explain", false, SESS },
	{ SK_LONG_LIVE, "live", false, NODE | SESS },
	{ SK_LONG_FAIL_FAST, "fail-fast", false, NODE },
	{ SK_LONG_TIMEOUT, "timeout", true, NODE },
};
const size_t sk_adm_n_options = SK_ARRAY_LEN(sk_adm_options);

static const struct {
	const char *word;
	const char *table; /* the name in messages about options */
} modes[SK_N_MODES] = {
	[SK_MODE_DISCOVERY] = { "discovery", "discovery" },
	[SK_MODE_DISCOVERYDB] = { "discoverydb", "discovery" },
	[SK_MODE_NODE] = { "node", "node" },
	[SK_MODE_SESSION] = { "session", "session" },
	[SK_MODE_IFACE] = { "iface", "iface" },
	[SK_MODE_FW] = { "fw", "fw" },
	[SK_MODE_HOST] = { "host", "host" },
};

static const struct word {
	const char *word;
	unsigned value;
} ops[] = {
	{ "new", SK_OP_NEW },
	{ "delete", SK_OP_DELETE },
	{ "update", SK_OP_UPDATE },
	{ "show", SK_OP_SHOW },
	{ "nonpersistent", SK_OP_NONPERSISTENT },
	{ "apply", SK_OP_APPLY },
	{ "applyall", SK_OP_APPLYALL },
	{ "login", SK_OP_LOGIN },
	{ "logout", SK_OP_LOGOUT },
}, types[] = {
	{ "sendtargets", SK_TYPE_SENDTARGETS },
	{ "st", SK_TYPE_SENDTARGETS },
	{ "isns", SK_TYPE_ISNS },
	{ "fw", SK_TYPE_FW },
	{ "slp", SK_TYPE_SLP },
}, submodes[] = {
	{ "ping", SK_SUB_PING },
	{ "chap", SK_SUB_CHAP },
	{ "flashnode", SK_SUB_FLASHNODE },
	{ "stats", SK_SUB_STATS },
};

static unsigned word_value(const struct word *words, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(words[i].word, word) == 0)
			return words[i].value;
	return 0;
}

const char *sk_adm_mode_word(enum sk_adm_mode mode)
{
	return modes[mode].word;
}

enum sk_adm_mode sk_adm_mode_of(const char *word)
{
	for (unsigned m = 1; m < SK_N_MODES; m++)
		if (strcmp(modes[m].word, word) == 0)
			return (enum sk_adm_mode)m;
	return SK_MODE_NONE;
}

const char *sk_adm_word(enum sk_adm_words which, size_t i)
{
	static const struct {
		const struct word *words;
		size_t n;
	} all[] = {
		[SK_WORDS_OPS] = { ops, SK_ARRAY_LEN(ops) },
		[SK_WORDS_TYPES] = { types, SK_ARRAY_LEN(types) },
		[SK_WORDS_SUBMODES] = { submodes, SK_ARRAY_LEN(submodes) },
	};

	return i < all[which].n ? all[which].words[i].word : NULL;
}

unsigned sk_adm_op_of(const char *word)
{
	return word_value(ops, SK_ARRAY_LEN(ops), word);
}

/* --- one option -------------------------------------------------------------------------------------- */

struct parse {
	int argc;
	char *const *argv;
	struct sk_adm_args *a;
	struct sk_adm_verdict *v;
};

static void stop(struct sk_adm_verdict *v, int code)
{
	v->stop = true;
	v->code = code;
}

static void stop_with(struct sk_adm_verdict *v, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void stop_with(struct sk_adm_verdict *v, int code, const char *fmt, ...)
{
	va_list ap;

	sk_buf_str(&v->err, "iscsiadm: ");
	va_start(ap, fmt);
	sk_buf_vprintf(&v->err, fmt, ap);
	va_end(ap);
	sk_buf_ch(&v->err, '\n');
	stop(v, code);
}

static void say_refused(struct parse *p, const struct sk_optscan *s)
{
	sk_buf_printf(&p->v->err, "%s: %s\n", p->argv[0], sk_buf_cstr(&s->why));
}

/** as people type it: the letter, or the long name of those that have none */
static void option_name(const struct sk_opt_row *row, char *ret, size_t size)
{
	if (row->letter < 256)
		snprintf(ret, size, "-%c", row->letter);
	else
		snprintf(ret, size, "--%s", row->name);
}

/** -m: the whole command line must fit the mode */
static void take_mode(struct parse *p, const char *word)
{
	enum sk_adm_mode mode = sk_adm_mode_of(word);
	struct sk_optscan s;
	enum sk_optscan_step step;

	if (mode == SK_MODE_NONE) {
		stop_with(p->v, SK_RES_INVAL, "mode -1 is not yet supported");
		return;
	}
	sk_optscan_start(&s, p->argc, p->argv, sk_adm_options, sk_adm_n_options);
	while (!p->v->stop && (step = sk_optscan_next(&s)) != SK_OPT_END) {
		char name[64] = "-?";

		if (step == SK_OPT_OPERAND || (step == SK_OPT_FOUND && s.row->modes & 1U << mode))
			continue;
		if (step == SK_OPT_REFUSED)
			say_refused(p, &s);
		else
			option_name(s.row, name, sizeof(name));
		stop_with(p->v, SK_RES_INVAL, "%s mode: option '%s' is not allowed/supported", modes[mode].table,
			  name);
	}
	sk_optscan_free(&s);
	p->a->mode = mode;
}

static void take_op(struct parse *p, const char *word)
{
	unsigned op = sk_adm_op_of(word);

	if (!op)
		stop_with(p->v, SK_RES_INVAL, "can not recognize operation: '%s'", word);
	p->a->ops |= op;
}

static void take_iface(struct parse *p, const char *name)
{
	if (!*name || strlen(name) > 64) {
		sk_buf_printf(&p->v->out, "Invalid iface name %s. Must be from 1 to 64 characters.\n", name);
		stop(p->v, SK_RES_INVAL);
		return;
	}
	if (p->a->n_ifaces == SK_ADM_IFACES) {
		stop_with(p->v, SK_RES_INVAL, "More than %d interfaces passed in.", SK_ADM_IFACES);
		return;
	}
	p->a->ifaces[p->a->n_ifaces++] = name;
}

static void take_portal(struct parse *p, const char *text)
{
	struct sk_err err = { 0 };

	p->a->portal_text = text;
	if (sk_portal_parse(sk_span_str(text), SK_PORTAL_PORT, &p->a->portal, &err) < 0)
		stop_with(p->v, SK_RES_INVAL, "Invalid %s", err.msg);
}

/** -n or -v: held until the other half is there */
static void take_pair(struct parse *p)
{
	struct sk_adm_args *a = p->a;
	struct sk_adm_pair *pair = &a->pairs[a->n_pairs];

	if (!a->name || !a->value)
		return;
	if (a->n_pairs == SK_ADM_PAIRS) {
		stop_with(p->v, SK_RES_INVAL, "More than %d name and value pairs passed in.", SK_ADM_PAIRS);
		return;
	}
	pair->name = strdup(a->name);
	pair->value = strdup(a->value);
	a->n_pairs++;
	if (!pair->name || !pair->value) {
		stop_with(p->v, SK_RES_NOMEM, "no memory");
		return;
	}
	if (sk_adm_key_is_secret(a->name))
		sk_secret_blank(a->value);
	a->name = a->value = NULL;
}

static void take_host(struct parse *p, const char *text)
{
	int sys;

	p->a->has_host = true;
	p->a->host_is_mac = strchr(text, ':') != NULL;
	if (p->a->host_is_mac) {
		stop_with(p->v, SK_RES_INVAL, "Could not match MAC to host.");
		return;
	}
	sys = sk_adm_prefix_u64(text, UINT32_MAX, &p->a->index);
	if (sys)
		stop_with(p->v, SK_RES_INVAL, "Invalid host no %s. %s.", text, strerror(sys));
	p->a->host = (uint32_t)p->a->index;
	p->a->index = 0;
}

static void take_index(struct parse *p, const char *text)
{
	int sys = sk_adm_prefix_u64(text, UINT64_MAX, &p->a->index);

	p->a->has_index = true;
	if (sys)
		stop_with(p->v, SK_RES_INVAL, "Invalid index %s. %s.", text, strerror(sys));
}

static void take_timeout(struct parse *p, const char *text)
{
	uint64_t s;

	if (sk_num_u64(text, strlen(text), 1, 86400, &s))
		p->a->timeout_s = (unsigned)s;
	else
		stop_with(p->v, SK_RES_INVAL, "--timeout takes seconds, 1 to 86400");
}

static void take_kill(struct parse *p, const char *text)
{
	p->a->kill = true;
	p->a->kill_priority = sk_adm_decimal(text);
	if (p->a->kill_priority < 0)
		stop_with(p->v, SK_RES_INVAL,
			  "Invalid killiscsid priority %d Priority must be greater than or equal to zero.",
			  p->a->kill_priority);
}

/** options whose argument is only kept or which are a switch */
static void take_plain(struct sk_adm_args *a, int letter, char *arg)
{
	/* clang-format off */
	switch (letter) {
	case 'T': a->target = arg; break;
	case 't': a->type = word_value(types, SK_ARRAY_LEN(types), arg); break;
	case 'C':
		a->has_submode = true;
		a->submode = word_value(submodes, SK_ARRAY_LEN(submodes), arg);
		break;
	case 'r': a->sid_text = arg; break;
	case 'P': a->level = sk_adm_decimal(arg); break;
	case 'd': a->debug = sk_adm_decimal(arg); break;
	case 'L': a->login_class = arg; break;
	case 'U': a->logout_class = arg; break;
	case 'a': a->ping_ip = arg; break;
	case 'b': a->ping_size = sk_adm_decimal(arg); break;
	case 'c': a->ping_count = sk_adm_decimal(arg); break;
	case 'i': a->ping_interval = sk_adm_decimal(arg); break;
	case 'A': a->portal_type = arg; break;
	case 'R': a->rescan = true; break;
	case 'D': a->discover = true; break;
	case 'l': a->login = true; break;
	case 'u': a->logout = true; break;
	case 's': a->stats = true; break;
	case 'S': a->show_secrets = true; break;
	case 'W': a->no_wait = true; break;
	case 'J': a->json = true; break;
	case SK_LONG_HOMEDIR: a->homedir = arg; break;
	case SK_LONG_DBROOT: a->dbroot = arg; break;
	case SK_LONG_RUNDIR: a->rundir = arg; break;
	case SK_LONG_EXPLAIN: a->explain = true; break;
	case SK_LONG_LIVE: a->live = true; break;
	case SK_LONG_FAIL_FAST: a->fail_fast = true; break;
	}
	/* clang-format on */
}

static void take(struct parse *p, int letter, char *arg)
{
	/* clang-format off */
	switch (letter) {
	case 'V':
		sk_buf_str(&p->v->out, "iscsiadm version " SK_COMPAT_VERSION "\n");
		stop(p->v, 0);
		break;
	case 'h':
		sk_buf_str(&p->v->out, sk_adm_usage);
		stop(p->v, 0);
		break;
	case 'm': take_mode(p, arg); break;
	case 'o': take_op(p, arg); break;
	case 'I': take_iface(p, arg); break;
	case 'p': take_portal(p, arg); break;
	case 'H': take_host(p, arg); break;
	case 'x': take_index(p, arg); break;
	case SK_LONG_TIMEOUT: take_timeout(p, arg); break;
	case 'k': take_kill(p, arg); break;
	case 'n':
		p->a->name = arg;
		take_pair(p);
		break;
	case 'v':
		p->a->value = arg;
		take_pair(p);
		break;
	default: take_plain(p->a, letter, arg);
	}
	/* clang-format on */
}

/* --- the whole line ---------------------------------------------------------------------------------- */

void sk_adm_parse(int argc, char *const *argv, struct sk_adm_args *ret, struct sk_adm_verdict *v)
{
	struct parse p = { argc, argv, ret, v };
	struct sk_optscan s;
	enum sk_optscan_step step;
	int refused = 0;

	*v = (struct sk_adm_verdict){ 0 };
	*ret = (struct sk_adm_args){ .level = -1, .debug = -1, .ping_size = 32, .ping_count = 1 };
	sk_optscan_start(&s, argc, argv, sk_adm_options, sk_adm_n_options);
	while (!v->stop && (step = sk_optscan_next(&s)) != SK_OPT_END) {
		if (step == SK_OPT_FOUND)
			take(&p, s.row->letter, s.arg);
		if (step != SK_OPT_REFUSED)
			continue;
		say_refused(&p, &s);
		refused = s.refused;
	}
	sk_optscan_free(&s);
	if (v->stop)
		return;
	if (refused && refused < 256)
		stop_with(v, SK_RES_INVAL, "unrecognized character '%c'", refused);
	else if (refused)
		stop(v, SK_RES_INVAL);
	else if (!ret->kill && ret->mode == SK_MODE_NONE && !ret->sid_text) {
		sk_buf_str(&v->err, "Try `iscsiadm --help' for more information.\n");
		stop(v, SK_RES_INVAL);
	}
}

void sk_adm_args_free(struct sk_adm_args *a)
{
	for (unsigned i = 0; i < a->n_pairs; i++) {
		free(a->pairs[i].name);
		sk_wipe_free(a->pairs[i].value, a->pairs[i].value ? strlen(a->pairs[i].value) : 0);
	}
	a->n_pairs = 0;
}

void sk_adm_verdict_free(struct sk_adm_verdict *v)
{
	sk_buf_free(&v->out);
	sk_buf_free(&v->err);
}
