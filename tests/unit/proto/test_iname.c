/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/iname.h"

static void refused(const char *text, size_t n, const char *words)
{
	struct sk_iname name = { "before" };
	struct sk_err err = { 0 };

	assert_int_equal(sk_iname_parse(sk_span(text, n), &name, &err), -1);
	assert_int_equal(err.code, SK_EINVAL);
	if (!strstr(err.msg, words))
		fail_msg("\"%s\" is not in \"%s\"", words, err.msg);
	assert_string_equal(name.s, "before");
}

#define REFUSED(text, words) refused(text, sizeof(text) - 1, words)

static void accepted(const char *text, const char *normal)
{
	struct sk_iname name;
	struct sk_err err = { 0 };

	if (sk_iname_parse(sk_span_str(text), &name, &err) < 0)
		fail_msg("%s", err.msg);
	assert_string_equal(name.s, normal);
}

static void the_rfc_s_examples_are_names(void **st)
{
	(void)st;
	accepted("iqn.2001-04.com.example:storage:diskarrays-sn-a8675309",
		 "iqn.2001-04.com.example:storage:diskarrays-sn-a8675309");
	accepted("iqn.2001-04.com.example:storage.tape1.sys1.xyz",
		 "iqn.2001-04.com.example:storage.tape1.sys1.xyz");
	accepted("iqn.2001-04.com.example", "iqn.2001-04.com.example");
	accepted("eui.02004567A425678D", "eui.02004567a425678d");
	accepted("naa.52004567BA64678D", "naa.52004567ba64678d");
	accepted("naa.62004567BA64678D0123456789ABCDEF", "naa.62004567ba64678d0123456789abcdef");
}

static void upper_case_is_lowered(void **st)
{
	struct sk_iname a, b;

	(void)st;
	accepted("IQN.2026-01.ORG.Example:Disk_1", "iqn.2026-01.org.example:disk_1");
	assert_int_equal(sk_iname_parse(sk_span_str("IQN.2026-01.org.example:A"), &a, NULL), 0);
	assert_int_equal(sk_iname_parse(sk_span_str("iqn.2026-01.ORG.example:a"), &b, NULL), 0);
	assert_true(sk_iname_eq(&a, &b));
	b.s[3] = '-';
	assert_false(sk_iname_eq(&a, &b));
}

static void what_could_leave_a_path_or_a_line_is_refused(void **st)
{
	(void)st;
	REFUSED("", "empty");
	REFUSED(".", "begins with none of");
	REFUSED("..", "\"..\"");
	REFUSED("../../etc/passwd", "\"/\"");
	REFUSED("iqn.2026-01.org.example:a/b", "\"/\"");
	REFUSED("iqn.2026-01.org.example:a..b", "\"..\"");
	REFUSED("iqn.2026-01.org.example:a,b", "\",\"");
	REFUSED("iqn.2026-01.org.example:a b", "\" \"");
	REFUSED("iqn.2026-01.org.example:a\nnode.startup = automatic", "\"\\x0a\"");
	REFUSED("iqn.2026-01.org.example:a\0b", "\"\\x00\"");
	REFUSED("iqn.2026-01.org.example:a\x7f", "\"\\x7f\"");
	REFUSED("iqn.2026-01.org.example:a\x1b[2J", "\"\\x1b\"");
	REFUSED("-iqn.2026-01.org.example", "begins with none of");
	REFUSED("iqn.2026-01.org.example:$(id)", "\"$\"");
}

static void a_type_is_checked(void **st)
{
	(void)st;
	REFUSED("disk1", "begins with none of iqn. eui. naa.");
	REFUSED("iqn.", "no date");
	REFUSED("iqn.x:a", "no date");
	REFUSED("iqn.2026-13.org.example", "no date");
	REFUSED("iqn.2026-00.org.example", "no date");
	REFUSED("iqn.2026-1.org.example", "no date");
	REFUSED("iqn.2026-01org", "no date");
	REFUSED("iqn.2026-01.", "no naming authority");
	REFUSED("iqn.2026-01.:a", "no naming authority");
	REFUSED("iqn.2026-01.org.:a", "no naming authority");
	REFUSED("eui.02004567A425678", "16 hexadecimal digits");
	REFUSED("eui.02004567A425678G", "16 hexadecimal digits");
	REFUSED("naa.52004567BA64678", "16 or 32");
}

static void the_length_is_bounded(void **st)
{
	char text[300] = "iqn.2026-01.org.example:";
	struct sk_iname name;

	(void)st;
	memset(text + strlen(text), 'x', 223 - 24);
	assert_int_equal(strlen(text), 223);
	assert_int_equal(sk_iname_parse(sk_span_str(text), &name, NULL), 0);
	text[223] = 'x';
	refused(text, 224, "224 bytes, 223 are allowed (RFC 7143, 4.2.7.2)");
}

static void utf8_passes_if_it_is_harmless(void **st)
{
	(void)st;
	accepted("iqn.2026-01.org.example:gr\xc3\xbc\xc3\x9f", "iqn.2026-01.org.example:gr\xc3\xbc\xc3\x9f");
	accepted("iqn.2026-01.org.example:\xe6\xbc\xa2", "iqn.2026-01.org.example:\xe6\xbc\xa2");
	REFUSED("iqn.2026-01.org.example:\xff", "invalid UTF-8");
	REFUSED("iqn.2026-01.org.example:\xc0\xaf", "invalid UTF-8");	      /* '/' overlong */
	REFUSED("iqn.2026-01.org.example:\xe6\xbc", "invalid UTF-8");	      /* cut */
	REFUSED("iqn.2026-01.org.example:\xed\xa0\x80", "invalid UTF-8");     /* surrogate */
	REFUSED("iqn.2026-01.org.example:\xf4\x90\x80\x80", "invalid UTF-8"); /* beyond U+10FFFF */
	REFUSED("iqn.2026-01.org.example:\xef\xbc\x8f", "not allowed");	      /* full-width '/' */
	REFUSED("iqn.2026-01.org.example:\xe2\x80\xae", "not allowed");	      /* right-to-left override */
	REFUSED("iqn.2026-01.org.example:\xc2\xa0", "not allowed");	      /* no-break space */
	REFUSED("iqn.2026-01.org.example:\xee\x80\x80", "not allowed");	      /* private use */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rfc_s_examples_are_names),
		cmocka_unit_test(upper_case_is_lowered),
		cmocka_unit_test(what_could_leave_a_path_or_a_line_is_refused),
		cmocka_unit_test(a_type_is_checked),
		cmocka_unit_test(the_length_is_bounded),
		cmocka_unit_test(utf8_passes_if_it_is_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
