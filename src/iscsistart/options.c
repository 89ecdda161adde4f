/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "iscsistart/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "config.h"
#include "mgmt/result.h"
#include "proto/portal.h"
#include "record/schema.h"
#include "record/secret.h"

#define CHAP_MAX 256 /* the incumbent's bounds; the record's own are checked later */

static const char usage[] =
	"Usage: iscsistart [OPTION]...\n\n"
	"Log in to iSCSI targets without a daemon; the sessions stay.\n\n"
	"  -i, --initiatorname=NAME  this side's name\n"
	"  -t, --targetname=NAME     the target\n"
	"  -g, --tgpt=N              its portal group tag\n"
	"  -a, --address=ADDRESS     its portal's address, or a name\n"
	"  -p, --port=N              its portal's port (3260)\n"
	"  -u, --username=NAME       CHAP: what this side proves\n"
	"  -w, --password=SECRET     ... its secret: @FILE, @fd:N, - for standard input, or the text\n"
	"  -U, --username_in=NAME    CHAP: what the target proves\n"
	"  -W, --password_in=SECRET  ... its secret\n"
	"  -P, --param=KEY=VALUE     any other setting of a node record; may be repeated\n"
	"  -c, --config=FILE         defaults of records (" SK_HOMEDIR "/iscsid.conf)\n"
	"  -d, --debug=LEVEL         with a level above 0: what happens, on stderr\n"
	"  -b, --fwparam_connect     log in to all targets that the boot firmware names, at once\n"
	"  -N, --fwparam_network     set up the network as the boot firmware says\n"
	"  -f, --fwparam_print       print what the boot firmware says\n"
	"  -h, --help                this text\n"
	"  -v, --version             the version\n";

static const struct option longs[] = {
	{ "config", required_argument, NULL, 'c' },	 { "initiatorname", required_argument, NULL, 'i' },
	{ "targetname", required_argument, NULL, 't' },	 { "tgpt", required_argument, NULL, 'g' },
	{ "address", required_argument, NULL, 'a' },	 { "port", required_argument, NULL, 'p' },
	{ "username", required_argument, NULL, 'u' },	 { "password", required_argument, NULL, 'w' },
	{ "username_in", required_argument, NULL, 'U' }, { "password_in", required_argument, NULL, 'W' },
	{ "debug", required_argument, NULL, 'd' },	 { "fwparam_connect", no_argument, NULL, 'b' },
	{ "fwparam_network", no_argument, NULL, 'N' },	 { "fwparam_print", no_argument, NULL, 'f' },
	{ "param", required_argument, NULL, 'P' },	 { "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'v' },		 { NULL, 0, NULL, 0 },
};

static void over(struct sk_start_opts *o, int status)
{
	o->what = SK_START_OVER;
	o->status = status;
}

static void mistake(struct sk_start_opts *o, const char *text)
{
	fprintf(stderr, "iscsistart: %s\n", text);
	over(o, SK_RES_INVAL);
}

/* --- values -------------------------------------------------------------------------------------------------- */

/* The rows of options with a text. */
static const struct {
	int c;
	const char *what;
	size_t max, off;
} texts[] = {
	{ 't', "targetname", 255, offsetof(struct sk_start_opts, target) },
	{ 'i', "initiatorname", SIZE_MAX, offsetof(struct sk_start_opts, initiator) },
	{ 'a', "address", 1025, offsetof(struct sk_start_opts, address) },
	{ 'u', "username", CHAP_MAX, offsetof(struct sk_start_opts, username) },
	{ 'U', "username_in", CHAP_MAX, offsetof(struct sk_start_opts, username_in) },
	{ 'c', "config", SIZE_MAX, offsetof(struct sk_start_opts, conf) },
};

static bool set_text(struct sk_start_opts *o, int c, const char *value)
{
	for (size_t i = 0; i < SK_ARRAY_LEN(texts); i++) {
		if (texts[i].c != c)
			continue;
		if (strlen(value) > texts[i].max) {
			printf("iscsistart: invalid %s %s. Max %s length is %zu.\n", texts[i].what, value,
			       texts[i].what, texts[i].max);
			over(o, SK_RES_INVAL);
		}
		memcpy((char *)o + texts[i].off, &value, sizeof(value));
		return true;
	}
	return false;
}

static bool set_number(struct sk_start_opts *o, int c, const char *value)
{
	uint64_t v;

	if (c != 'g' && c != 'p')
		return false;
	if (!sk_num_u64(value, strlen(value), c == 'p', 65535, &v))
		mistake(o, c == 'p' ? "--port takes a number from 1 to 65535"
				    : "--tgpt takes a number from 0 to 65535");
	else if (c == 'p')
		o->port = (uint16_t)v;
	else
		o->tpgt = (int)v;
	return true;
}

static void wipe_text(char *text)
{
	if (text)
		sk_wipe_free(text, strlen(text));
}

/* The secret an argument means; the argument itself is seen by everybody. */
static char *take_secret(struct sk_start_opts *o, const char *arg)
{
	struct sk_err err = { 0 };
	char *secret = sk_secret_resolve(arg, &err);

	if (!secret)
		mistake(o, err.msg);
	sk_secret_blank(arg);
	return secret;
}

static void set_secret(struct sk_start_opts *o, char **to, const char *what, const char *arg)
{
	char *secret = take_secret(o, arg);

	wipe_text(*to);
	*to = secret;
	if (secret && strlen(secret) > CHAP_MAX) {
		printf("iscsistart: invalid %s ********. Max %s length is %d.\n", what, what, CHAP_MAX);
		over(o, SK_RES_INVAL);
	}
}

static bool is_secret(const char *key)
{
	const struct sk_schema_row *row = sk_schema_find(SK_REC_NODE, sk_span_str(key), NULL);

	return row && row->flags & SK_ROW_MASKED;
}

static void add_param(struct sk_start_opts *o, const char *arg)
{
	const char *eq = strchr(arg, '=');
	struct sk_start_param *v, p;

	if (!eq || !eq[1]) {
		fprintf(stderr, "iscsistart: Invalid --param %.*s. Missing value.\n", (int)strcspn(arg, "="), arg);
		over(o, SK_RES_INVAL);
		return;
	}
	p.name = strndup(arg, (size_t)(eq - arg));
	p.value = p.name && is_secret(p.name) ? take_secret(o, eq + 1) : strdup(eq + 1);
	v = reallocarray(o->params, o->n_params + 1, sizeof(*v));
	if (v)
		o->params = v;
	if (!v || !p.name || !p.value) {
		free(p.name);
		wipe_text(p.value);
		if (o->what != SK_START_OVER)
			mistake(o, "no memory");
		return;
	}
	o->params[o->n_params++] = p;
}

/* --- the line ------------------------------------------------------------------------------------------------ */

static void one(struct sk_start_opts *o, int c, const char *arg)
{
	uint64_t level;

	if (set_text(o, c, arg) || set_number(o, c, arg))
		return;
	switch (c) {
	case 'w':
		set_secret(o, &o->password, "password", arg);
		return;
	case 'W':
		set_secret(o, &o->password_in, "password_in", arg);
		return;
	case 'P':
		add_param(o, arg);
		return;
	case 'd':
		o->debug = sk_num_u64(arg, strlen(arg), 0, UINT32_MAX, &level) && level;
		return;
	case 'b':
		o->what = SK_START_FIRMWARE;
		return;
	case 'f':
		o->what = SK_START_PRINT;
		return;
	case 'N':
		o->what = SK_START_NETWORK;
		return;
	case 'v':
		printf("iscsistart version %s\n", SK_VERSION);
		over(o, 0);
		return;
	case 'h':
		fputs(usage, stdout);
		over(o, 0);
		return;
	default:
		fprintf(stderr, "Try `iscsistart --help' for more information.\n");
		over(o, SK_RES_INVAL);
	}
}

/* In this order, as the incumbent asks. */
static void need_all(struct sk_start_opts *o)
{
	if (!o->initiator)
		mistake(o, "InitiatorName not set. Exiting iscsistart");
	else if (o->tpgt < 0)
		mistake(o, "Portal Group not set. Exiting iscsistart");
	else if (!o->target)
		mistake(o, "TargetName not set. Exiting iscsistart");
	else if (!o->address)
		mistake(o, "IP Address not set. Exiting iscsistart");
}

void sk_start_parse(int argc, char *argv[], struct sk_start_opts *ret)
{
	int c;

	*ret = (struct sk_start_opts){ .what = SK_START_LOGIN, .tpgt = -1, .port = SK_PORTAL_PORT };
	while ((ret->what == SK_START_LOGIN || ret->what == SK_START_FIRMWARE) &&
	       (c = getopt_long(argc, argv, "c:i:t:g:a:p:d:u:w:U:W:bNfP:hv", longs, NULL)) >= 0)
		one(ret, c, optarg);
	if (ret->what == SK_START_LOGIN)
		need_all(ret);
}

void sk_start_opts_free(struct sk_start_opts *o)
{
	for (unsigned i = 0; i < o->n_params; i++) {
		free(o->params[i].name);
		wipe_text(o->params[i].value);
	}
	free(o->params);
	wipe_text(o->password);
	wipe_text(o->password_in);
	*o = (struct sk_start_opts){ .what = SK_START_OVER };
}
