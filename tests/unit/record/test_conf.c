/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "record/store_impl.h"

static void put(struct room *r, const char *name, const char *text, char ret[200])
{
	snprintf(ret, 200, "%s/%s", r->dir, name);
	spill(ret, text, strlen(text));
}

static void note(void *ctx, unsigned line, const char *text)
{
	assert_true(line > 0 && *text);
	(*(unsigned *)ctx)++;
}

static void conf_gives_defaults_and_names_nothing(void **st)
{
	static const char text[] = "# defaults\nnode.startup = automatic\nnode.conn[0].timeo.login_timeout = 15\n"
				   "node.name = iqn.2026-11.com.example:x\nnode.discovery_type = fw\n"
				   "node.conn[1].timeo.login_timeout = 3\niscsid.startup = /bin/true\n"
				   "iface.mtu = 9000\nnode.session.cmds_max = many\nsome.future = key\n"
				   "discovery.startup = automatic\ndiscovery.sendtargets.reopen_max = 2\n"
				   "node.session.auth.chap_algs = SHA256\n";
	struct sk_record *n = sk_record_new(SK_REC_NODE, NULL), *d = sk_record_new(SK_REC_SENDTARGETS, NULL);
	SK_BUF struct sk_buf out = { 0 };
	unsigned warnings = 0;
	struct room r;
	char path[200];

	(void)st;
	room_open(&r, NULL);
	put(&r, "iscsid.conf", text, path);
	assert_int_equal(sk_conf_apply(path, n, note, &warnings, NULL), 0);
	assert_int_equal(warnings, 1);	/* cmds_max; what other versions and programs use is theirs */
	assert_string_equal(sk_record_get(n, "node.startup"), "automatic");
	assert_int_equal(sk_record_origin(n, "node.startup"), SK_FROM_CONF);
	assert_int_equal(sk_record_int(n, "node.conn[0].timeo.login_timeout"), 15);
	assert_int_equal(sk_record_int(n, "iface.mtu"), 9000);
	assert_int_equal(sk_record_int(n, "node.session.cmds_max"), 128);
	assert_string_equal(sk_record_get(n, "node.name"), "");
	assert_string_equal(sk_record_get(n, "node.discovery_type"), "static");
	sk_record_print(&out, n, SK_FORM_FILE);
	assert_null(strstr(sk_buf_cstr(&out), "future"));
	assert_null(strstr(sk_buf_cstr(&out), "many"));
	assert_int_equal(sk_conf_apply(path, d, note, &warnings, NULL), 0);
	assert_int_equal(warnings, 1);
	assert_string_equal(sk_record_get(d, "discovery.startup"), "manual");
	assert_int_equal(sk_record_int(d, "discovery.sendtargets.reopen_max"), 2);
	assert_string_equal(sk_record_get(d, "node.session.auth.chap_algs"), "SHA256");
	sk_record_free(n);
	sk_record_free(d);
	room_close(&r);
}

static void no_conf_is_an_empty_one(void **st)
{
	struct sk_record *n = sk_record_new(SK_REC_NODE, NULL);
	struct sk_err err = { 0 };

	(void)st;
	assert_int_equal(sk_conf_apply("/nonexistent/iscsid.conf", n, NULL, NULL, &err), 0);
	assert_int_equal(err.code, SK_OK);
	assert_int_equal(sk_conf_apply("/", n, NULL, NULL, &err), -1);
	sk_record_free(n);
}

static void the_scanner_finds_whole_keys(void **st)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "iscsid.safe_logout = Yes\n", "Yes" },
		{ "iscsid.safe_logout=Yes", "Yes" },
		{ "  iscsid.safe_logout\t=\tYes # sure \n", "Yes # sure" },
		{ "#iscsid.safe_logout = Yes\n", NULL },
		{ "# iscsid.safe_logout = No\niscsid.safe_logout = Yes\n", "Yes" },
		{ "xiscsid.safe_logout = Yes\n", NULL },
		{ "iscsid.safe_logoutx = Yes\n", NULL },
		{ "iscsid.safe_logout\niscsid.safe_logout =\niscsid.safe_logout = No\r\n", "No" },
		{ "", NULL },
	};

	(void)st;
	for (size_t i = 0; i < SK_ARRAY_LEN(cases); i++) {
		struct sk_span v;
		bool found = sk_conf_scan(sk_span_str(cases[i].text), "iscsid.safe_logout", &v);

		if (found != (cases[i].want != NULL))
			fail_msg("%s", cases[i].text);
		if (found) {
			assert_int_equal(v.n, strlen(cases[i].want));
			assert_memory_equal(v.p, cases[i].want, v.n);
		}
	}
}

static void the_initiator_name_is_checked_and_kept_as_spelled(void **st)
{
	struct sk_iname name;
	struct sk_err err = { 0 };
	struct room r;
	char path[200], *text;

	(void)st;
	room_open(&r, NULL);
	put(&r, "initiatorname.iscsi",
	    "## a comment\nInitiatorName=iqn.1993-08.org.Debian:01:AbC\nInitiatorAlias=box\n", path);
	assert_int_equal(sk_initiator_name(path, &name, NULL), 0);
	assert_string_equal(name.s, "iqn.1993-08.org.Debian:01:AbC");
	text = sk_conf_get(path, "InitiatorAlias", NULL);
	assert_string_equal(text, "box");
	free(text);
	assert_null(sk_conf_get(path, "GenerateName", &err));
	assert_int_equal(err.code, SK_ENOENT);
	put(&r, "initiatorname.iscsi", "InitiatorName=my host\n", path);
	assert_int_equal(sk_initiator_name(path, &name, &err), -1);
	assert_int_equal(err.code, SK_EINVAL);
	put(&r, "initiatorname.iscsi", "GenerateName=yes\n", path);
	assert_int_equal(sk_initiator_name(path, &name, &err), -1);
	assert_int_equal(err.code, SK_ENOENT);
	assert_int_equal(sk_initiator_name("/nonexistent/name", &name, &err), -1);
	assert_int_equal(err.code, SK_ENOENT);
	room_close(&r);
}

static const char *const vars[] = { "SISKIN_HOMEDIR", "SISKIN_DBROOT", "SISKIN_RUNDIR",	   "SISKIN_LOCKDIR",
				    "SISKIN_DEVDIR",  "SISKIN_SYSFS",  "SISKIN_LIBEXECDIR" };

static void places_follow_the_environment(void **st)
{
	struct sk_places p;
	struct sk_err err = { 0 };
	char longer[400];

	(void)st;
	for (size_t i = 0; i < SK_ARRAY_LEN(vars); i++)
		assert_int_equal(unsetenv(vars[i]), 0);
	assert_int_equal(sk_places_init(&p, NULL), 0);
	assert_false(p.private_instance);
	assert_string_equal(p.devdir, "/dev");
	assert_true(*p.lockdir == '/' && *p.libexecdir == '/');
	setenv("SISKIN_HOMEDIR", "/srv/a//", 1);
	setenv("SISKIN_RUNDIR", "/srv/run", 1);
	assert_int_equal(sk_places_init(&p, NULL), 0);
	assert_true(p.private_instance);
	assert_string_equal(p.homedir, "/srv/a");
	assert_string_equal(p.dbroot, "/srv/a");
	assert_string_equal(p.lockdir, "/srv/run/lock");
	assert_string_equal(p.conf_file, "/srv/a/iscsid.conf");
	assert_string_equal(p.name_file, "/srv/a/initiatorname.iscsi");
	setenv("SISKIN_DBROOT", "/srv/db", 1);
	setenv("SISKIN_LOCKDIR", "/srv/lock", 1);
	assert_int_equal(sk_places_init(&p, NULL), 0);
	assert_string_equal(p.dbroot, "/srv/db");
	assert_string_equal(p.lockdir, "/srv/lock");
	for (size_t i = 0; i < SK_ARRAY_LEN(vars); i++) {
		struct sk_places before = p;

		setenv(vars[i], "relative", 1);
		assert_int_equal(sk_places_init(&p, &err), -1);
		assert_int_equal(err.code, SK_EINVAL);
		assert_non_null(strstr(err.msg, vars[i]));
		memset(longer, 'x', sizeof(longer) - 1);
		longer[0] = '/';
		longer[sizeof(longer) - 1] = '\0';
		setenv(vars[i], longer, 1);
		assert_int_equal(sk_places_init(&p, &err), -1);
		assert_memory_equal(&p, &before, sizeof(p));
		unsetenv(vars[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conf_gives_defaults_and_names_nothing),
		cmocka_unit_test(no_conf_is_an_empty_one),
		cmocka_unit_test(the_scanner_finds_whole_keys),
		cmocka_unit_test(the_initiator_name_is_checked_and_kept_as_spelled),
		cmocka_unit_test(places_follow_the_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
