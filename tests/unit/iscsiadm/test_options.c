/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "iscsiadm/options.h"

/** The grammar: which mode takes which option, what a bad line is told, what a good one gives. */

#define MAX_WORDS 16

/** parse a line of words parted by '|'; the words stay in @store */
static void parse(const char *line, char *store, size_t size, struct sk_adm_args *a, struct sk_adm_verdict *v)
{
	static char name[] = "iscsiadm";
	static char *argv[MAX_WORDS];
	int argc = 1;

	assert_true(strlen(line) < size);
	memcpy(store, line, strlen(line) + 1);
	argv[0] = name;
	for (char *p = *store ? store : NULL; p; argc++) {
		assert_true(argc < MAX_WORDS);
		argv[argc] = p;
		p = strchr(p, '|');
		if (p)
			*p++ = '\0';
	}
	sk_adm_parse(argc, argv, a, v);
}

struct line {
	struct sk_adm_args a;
	struct sk_adm_verdict v;
	char store[512];
};

static struct line *given(const char *line)
{
	static struct line l;

	sk_adm_args_free(&l.a);
	sk_adm_verdict_free(&l.v);
	parse(line, l.store, sizeof(l.store), &l.a, &l.v);
	return &l;
}

/* --- every mode x every option ----------------------------------------------------------------------- */

/** The incumbent's lists, letter by letter (and V, h, J, which we take in every mode) */
static const struct {
	const char *mode, *table, *letters;
} modes[] = {
	{ "discovery", "discovery",
	  "DSIPdmntplov"
	  "VhJ" },
	{ "discoverydb", "discovery",
	  "DSIPdmntplov"
	  "VhJ" },
	{ "node", "node",
	  "RsPIdmlSonvupTULW"
	  "VhJ" },
	{ "session", "session",
	  "PiRrdmusonSv"
	  "VhJ" },
	{ "iface", "iface",
	  "HIdnvmPoCabci"
	  "VhJ" },
	{ "host", "host",
	  "CHdmPotnvxA"
	  "VhJ" },
	{ "fw", "fw",
	  "dmlWnv"
	  "VhJ" },
};

static void each_mode_takes_its_options_and_no_other(void **st)
{
	(void)st;
	for (size_t m = 0; m < SK_ARRAY_LEN(modes); m++) {
		for (size_t i = 0; i < sk_adm_n_options; i++) {
			const struct sk_opt_row *row = &sk_adm_options[i];
			bool allowed = row->letter > 255 ? row->modes & 1U << sk_adm_mode_of(modes[m].mode)
							 : strchr(modes[m].letters, row->letter) != NULL;
			char name[64];
			char line[128], want[128];
			struct line *l;

			snprintf(line, sizeof(line), "-m|%s|--%s%s", modes[m].mode, row->name,
				 row->arg ? "|new" : "");
			l = given(line);
			if (row->letter > 255)
				snprintf(name, sizeof(name), "--%s", row->name);
			else
				snprintf(name, sizeof(name), "-%c", row->letter);
			snprintf(want, sizeof(want), "iscsiadm: %s mode: option '%s' is not allowed/supported\n",
				 modes[m].table, name);
			if (allowed) {
				assert_null(strstr(sk_buf_cstr(&l->v.err), "not allowed"));
				continue;
			}
			assert_string_equal(sk_buf_cstr(&l->v.err), want);
			assert_true(l->v.stop);
			assert_int_equal(l->v.code, 7);
		}
	}
}

static void short_and_long_names_are_unique(void **st)
{
	(void)st;
	for (size_t i = 0; i < sk_adm_n_options; i++)
		for (size_t j = 0; j < i; j++) {
			assert_int_not_equal(sk_adm_options[i].letter, sk_adm_options[j].letter);
			assert_string_not_equal(sk_adm_options[i].name, sk_adm_options[j].name);
		}
}

/** Our own long names must not make a prefix of the incumbent's ambiguous that was not before. */
static void no_new_ambiguity(void **st)
{
	static const char *const own[] = { "json", "use-homedir", "use-dbroot", "use-rundir" };

	(void)st;
	for (size_t i = 0; i < sk_adm_n_options; i++)
		for (size_t o = 0; o < SK_ARRAY_LEN(own); o++)
			if (strcmp(sk_adm_options[i].name, "json") != 0 &&
			    strncmp(sk_adm_options[i].name, "use-", 4) != 0)
				assert_int_not_equal(sk_adm_options[i].name[0], own[o][0]);
}

/* --- words ------------------------------------------------------------------------------------------- */

static void modes_and_ops_are_exact_words(void **st)
{
	(void)st;
	assert_int_equal(sk_adm_mode_of("node"), SK_MODE_NODE);
	assert_int_equal(sk_adm_mode_of("Node"), SK_MODE_NONE);
	assert_int_equal(sk_adm_mode_of("nod"), SK_MODE_NONE);
	assert_int_equal(sk_adm_op_of("new"), SK_OP_NEW);
	assert_int_equal(sk_adm_op_of("del"), 0);
	assert_int_equal(sk_adm_op_of("Show"), 0);
	assert_int_equal(given("-m|node|-o|new|-o|delete")->a.ops, SK_OP_NEW | SK_OP_DELETE);
	assert_int_equal(given("-m|node|-o|show|-o|junk")->v.code, 7);
	assert_int_equal(given("-m|discovery|-t|bogus")->a.type, SK_TYPE_NONE);
	assert_int_equal(given("-m|discovery|-t|st")->a.type, SK_TYPE_SENDTARGETS);
}

/* --- the walk ---------------------------------------------------------------------------------------- */

static void getopt_rules(void **st)
{
	struct line *l;

	(void)st;
	l = given("extra|-mnode|words|--targ=iqn.a|-lW|-P1");
	assert_false(l->v.stop);
	assert_int_equal(l->a.mode, SK_MODE_NODE);
	assert_string_equal(l->a.target, "iqn.a");
	assert_true(l->a.login);
	assert_true(l->a.no_wait);
	assert_int_equal(l->a.level, 1);
	l = given("-m|node|--|-l");
	assert_false(l->v.stop);
	assert_false(l->a.login);
	l = given("-m|session|-m|node|-P|0");
	assert_int_equal(l->a.mode, SK_MODE_NODE);
	l = given("-m|node|-P|-1");
	assert_int_equal(l->a.level, -1);
	l = given("-m|node|-P|word");
	assert_int_equal(l->a.level, 0);
	l = given("-m|host|--portal_type|ipv4");
	assert_string_equal(l->a.portal_type, "ipv4");
}

static void refused(const char *line, const char *err)
{
	struct line *l = given(line);

	assert_true(l->v.stop);
	assert_int_equal(l->v.code, 7);
	assert_string_equal(sk_buf_cstr(&l->v.err), err);
	assert_string_equal(sk_buf_cstr(&l->v.out), "");
}

static void what_a_bad_line_is_told(void **st)
{
	(void)st;
	refused("", "Try `iscsiadm --help' for more information.\n");
	refused("-m", "iscsiadm: option requires an argument -- 'm'\niscsiadm: unrecognized character 'm'\n");
	refused("--mode", "iscsiadm: option '--mode' requires an argument\niscsiadm: unrecognized character 'm'\n");
	refused("-z", "iscsiadm: invalid option -- 'z'\niscsiadm: unrecognized character 'z'\n");
	refused("-z|--bogus", "iscsiadm: invalid option -- 'z'\niscsiadm: unrecognized option '--bogus'\n"
			      "Try `iscsiadm --help' for more information.\n");
	refused("-m|node|--login=yes", "iscsiadm: option '--login' doesn't allow an argument\n"
				       "iscsiadm: node mode: option '-?' is not allowed/supported\n");
	refused("-m|node|--po|x",
		"iscsiadm: option '--po' is ambiguous; possibilities: '--portal' '--portal_type'\n"
		"iscsiadm: node mode: option '-?' is not allowed/supported\n");
	refused("-m|node|-T|x|-D", "iscsiadm: node mode: option '-D' is not allowed/supported\n");
	refused("-k|-1",
		"iscsiadm: Invalid killiscsid priority -1 Priority must be greater than or equal to zero.\n");
	refused("-m|host|-H|4294967296", "iscsiadm: Invalid host no 4294967296. Numerical result out of range.\n");
	refused("-m|host|-x|99999999999999999999",
		"iscsiadm: Invalid index 99999999999999999999. Numerical result out of "
		"range.\n");
}

static void version_and_help_act_at_once(void **st)
{
	struct line *l = given("-V|-z");

	(void)st;
	assert_true(l->v.stop);
	assert_int_equal(l->v.code, 0);
	assert_non_null(strstr(sk_buf_cstr(&l->v.out), "iscsiadm version 2.1.8\n"));
	l = given("-m|node|-h");
	assert_int_equal(l->v.code, 0);
	for (size_t i = 0; i < sk_adm_n_options; i++) {
		char name[64];

		snprintf(name, sizeof(name), "--%s", sk_adm_options[i].name);
		assert_non_null(strstr(sk_buf_cstr(&l->v.out), name));
	}
}

/* --- pairs, portals, ifaces -------------------------------------------------------------------------- */

static void pairs_wait_for_their_other_half(void **st)
{
	struct line *l = given("-m|node|-v|onboot|-n|node.startup|-n|lost|-n|kept|-v||-v|alone");

	(void)st;
	assert_int_equal(l->a.n_pairs, 2);
	assert_string_equal(l->a.pairs[0].name, "node.startup");
	assert_string_equal(l->a.pairs[0].value, "onboot");
	assert_string_equal(l->a.pairs[1].name, "kept");
	assert_string_equal(l->a.pairs[1].value, "");
	assert_int_equal(given("-m|node|-n|a=b")->a.n_pairs, 0);
}

static void secrets_are_taken_out_of_argv(void **st)
{
	struct line *l =
		given("-m|node|-n|node.session.auth.password|-v|secret12charsX|-n|node.startup|--value=manual");

	(void)st;
	assert_string_equal(l->a.pairs[0].value, "secret12charsX");
	assert_null(memmem(l->store, sizeof(l->store), "secret", 6));
	assert_non_null(memmem(l->store, sizeof(l->store), "manual", 6));
	l = given("-m|node|--value=secret12charsX|--name=node.session.auth.password_in");
	assert_string_equal(l->a.pairs[0].value, "secret12charsX");
	assert_null(memmem(l->store, sizeof(l->store), "secret", 6));
}

static void which_keys_are_secret(void **st)
{
	(void)st;
	assert_true(sk_adm_key_is_secret("node.session.auth.password"));
	assert_true(sk_adm_key_is_secret("discovery.sendtargets.auth.password_in"));
	assert_false(sk_adm_key_is_secret("node.session.auth.username"));
	assert_false(sk_adm_key_is_secret("node.session.auth.password_length"));
	assert_false(sk_adm_key_is_secret("password"));
}

static void portals(void **st)
{
	static const struct {
		const char *text, *host;
		int port, tag;
	} good[] = {
		{ "192.0.2.1", "192.0.2.1", 3260, -1 },
		{ "192.0.2.1:3261,7", "192.0.2.1", 3261, 7 },
		{ "[::1]:3262", "::1", 3262, -1 },
		{ "::1", "::1", 3260, -1 },
		{ "::1,5", "::1", 3260, 5 },
		{ "san-b:3260,1", "san-b", 3260, 1 },
		{ "::ffff:192.0.2.1", "::ffff:192.0.2.1", 3260, -1 },
	};
	static const char *const bad[] = { "[::1", "192.0.2.1:70000", "192.0.2.1:0", "192.0.2.1,70000", "a b", "" };
	char line[128];

	(void)st;
	for (size_t i = 0; i < SK_ARRAY_LEN(good); i++) {
		struct line *l;

		snprintf(line, sizeof(line), "-m|node|-p|%s", good[i].text);
		l = given(line);
		assert_false(l->v.stop);
		assert_string_equal(l->a.portal.host, good[i].host);
		assert_int_equal(l->a.portal.port, good[i].port);
		assert_int_equal(l->a.portal.tpgt, good[i].tag);
	}
	for (size_t i = 0; i < SK_ARRAY_LEN(bad); i++) {
		snprintf(line, sizeof(line), "-m|node|-p|%s", bad[i]);
		assert_int_equal(given(line)->v.code, 7);
		assert_true(given(line)->v.stop);
	}
}

static void iface_names_and_numbers_have_limits(void **st)
{
	char line[512] = "-m|node|-I|";
	struct line *l = given("-m|node|-I|");

	(void)st;
	assert_int_equal(l->v.code, 7);
	assert_string_equal(sk_buf_cstr(&l->v.out), "Invalid iface name . Must be from 1 to 64 characters.\n");
	memset(line + 11, 'x', 65);
	line[76] = '\0';
	assert_int_equal(given(line)->v.code, 7);
	line[75] = '\0';
	assert_false(given(line)->v.stop);
	assert_int_equal(given("-m|discovery|-I|a|-I|b|-I|c")->a.n_ifaces, 3);
}

static void decimal_prefixes(void **st)
{
	(void)st;
	assert_int_equal(sk_adm_decimal("12x"), 12);
	assert_int_equal(sk_adm_decimal("x"), 0);
	assert_int_equal(sk_adm_decimal("-3"), -3);
	assert_int_equal(sk_adm_decimal("99999999999999999999"), INT32_MAX);
	assert_int_equal(sk_adm_decimal(""), 0);
}

static int clean_up(void **st)
{
	struct line *l = given("-V");

	(void)st;
	sk_adm_args_free(&l->a);
	sk_adm_verdict_free(&l->v);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_mode_takes_its_options_and_no_other),
		cmocka_unit_test(short_and_long_names_are_unique),
		cmocka_unit_test(no_new_ambiguity),
		cmocka_unit_test(modes_and_ops_are_exact_words),
		cmocka_unit_test(getopt_rules),
		cmocka_unit_test(what_a_bad_line_is_told),
		cmocka_unit_test(version_and_help_act_at_once),
		cmocka_unit_test(pairs_wait_for_their_other_half),
		cmocka_unit_test(secrets_are_taken_out_of_argv),
		cmocka_unit_test(which_keys_are_secret),
		cmocka_unit_test(portals),
		cmocka_unit_test(iface_names_and_numbers_have_limits),
		cmocka_unit_test(decimal_prefixes),
	};

	return cmocka_run_group_tests_name("iscsiadm/options", tests, NULL, clean_up);
}
