/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "proto/login.h"
#include "session/advice.h"
#include "session/explain.h"
#include "transport/kernel/nl_msg.h"

/* Each number that can reach a person has words and advice: the tables of three rooms are compared with each other.
 */
static void every_login_status_has_text_and_advice(void **st)
{
	unsigned known = 0;

	(void)st;
	for (unsigned status = 0x0100; status <= 0x03ff; status++) {
		const char *words = sk_login_status_text((uint16_t)status),
			   *other = sk_login_status_text((uint16_t)(status | 0xff));
		bool general = status == 0x0200 || status == 0x0300; /* these have the words of their class */
		bool named = general || (words != other && (status & 0xff) != 0xff);

		if (!named)
			continue;
		known++;
		if (!sk_advice_login((uint16_t)status))
			fail_msg("login status 0x%04x (%s) has no advice", status, words);
	}
	assert_int_equal(known, 17); /* RFC 7143, 11.13.5 */
}

static void every_kernel_error_has_text_and_advice(void **st)
{
	unsigned known = 0;

	(void)st;
	for (int n = 900; n <= 1100; n++) {
		const char *name, *text;

		if (!sk_nl_conn_error((uint32_t)n, &name, &text)) {
			assert_null(sk_advice_kernel(n));
			continue;
		}
		known++;
		assert_true(strncmp(name, "ISCSI_ERR_", 10) == 0 && strlen(text) > 5);
		if (!sk_advice_kernel(n))
			fail_msg("connection error %d (%s) has no advice", n, name);
	}
	assert_int_equal(known, 22);
}

static void every_cause_has_advice(void **st)
{
	static const int connects[] = { ECONNREFUSED, ECONNRESET,    ETIMEDOUT, EHOSTUNREACH, ENETUNREACH,
					ENETDOWN,     EADDRNOTAVAIL, ENODEV,	EACCES,	      EPERM };
	struct sk_err err = { .code = SK_ECONN };

	(void)st;
	for (int c = SK_CAUSE_RESOLVE; c < SK_CAUSE_COUNT; c++)
		assert_non_null(sk_advice(&err, (enum sk_cause)c));
	assert_null(sk_advice(&err, SK_CAUSE_NONE));
	for (size_t i = 0; i < sizeof(connects) / sizeof(connects[0]); i++) {
		err.sys = connects[i];
		assert_ptr_equal(sk_advice(&err, SK_CAUSE_CONNECT), sk_advice_errno(connects[i]));
		assert_non_null(sk_advice_errno(connects[i]));
	}
	err.sys = 99999; /* one that nobody foresaw: the kernel's, without a row */
	assert_non_null(sk_advice(&err, SK_CAUSE_CONNECT));
	err = (struct sk_err){ .code = SK_ELOGIN, .login = 0x0202 };
	assert_non_null(strstr(sk_advice(&err, SK_CAUSE_FOR_GOOD), "allow this initiator"));
	err = (struct sk_err){ .code = SK_ECONN, .sys = 1022 };
	assert_non_null(strstr(sk_advice(&err, SK_CAUSE_LOST), "noop_out_timeout"));
}

static void spans_in_words(void **st)
{
	static const struct {
		uint64_t ms;
		const char *text;
	} t[] = {
		{ 0, "0.0 s" },		  { 950, "0.9 s" },
		{ 2100, "2.1 s" },	  { 10000, "10 s" },
		{ 59999, "59 s" },	  { 60000, "1 min 0 s" },
		{ 200000, "3 min 20 s" }, { 7380000, "2 h 3 min" },
		{ 349200000, "4 d 1 h" }, { UINT64_MAX, "213503982334 d 14 h" },
	};

	(void)st;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		char got[32];

		sk_explain_span(t[i].ms, got);
		assert_string_equal(got, t[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_login_status_has_text_and_advice),
		cmocka_unit_test(every_kernel_error_has_text_and_advice),
		cmocka_unit_test(every_cause_has_advice),
		cmocka_unit_test(spans_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
