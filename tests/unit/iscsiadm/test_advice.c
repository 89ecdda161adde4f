/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "iscsiadm/explain.h"
#include "record/node.h"
#include "record/schema.h"

#define REPLACEMENT "node.session.timeo.replacement_timeout"
#define INTERVAL    "node.conn[0].timeo.noop_out_interval"
#define TIMEOUT	    "node.conn[0].timeo.noop_out_timeout"
#define REOPEN_MAX  "node.session.reopen_max"

static void set(struct sk_adm_facts *f, const char *key, int64_t v)
{
	for (unsigned i = 0; i < SK_ADM_TIMERS; i++) {
		struct sk_adm_timer *t = &f->timers[i];

		if (t->key && strcmp(t->key, key) != 0)
			continue;
		t->key = key;
		t->live = true;
		t->running.known = t->record.known = true;
		t->running.v = t->record.v = v;
		return;
	}
}

static struct sk_adm_facts usual(void)
{
	struct sk_adm_facts f = { .disks = 1 };

	set(&f, REPLACEMENT, 120);
	set(&f, INTERVAL, 5);
	set(&f, TIMEOUT, 5);
	set(&f, REOPEN_MAX, 0);
	return f;
}

static const char *advice(const struct sk_adm_facts *f)
{
	static char text[2000];
	struct sk_buf b = { 0 };

	sk_adm_advise(f, &b);
	snprintf(text, sizeof(text), "%s", sk_buf_cstr(&b));
	sk_buf_free(&b);
	return text;
}

static void the_defaults_need_no_advice(void **st)
{
	struct sk_adm_facts f = usual();

	(void)st;
	assert_string_equal(advice(&f), "");
	f = (struct sk_adm_facts){ 0 }; /* and what is not known neither */
	assert_string_equal(advice(&f), "");
}

static void replacement_timeout_and_multipath(void **st)
{
	static const struct {
		bool multipath;
		int64_t s;
		const char *says;
	} t[] = {
		{ true, 120, "no other path is tried before replacement_timeout = 120 s" },
		{ true, -1, "for ever" },
		{ true, 30, NULL },
		{ true, 5, NULL },
		{ true, 0, NULL },
		{ false, 120, NULL },
		{ false, -1, NULL },
		{ false, 5, "one path only: after 5 s" },
		{ false, 0, "at the first loss" },
	};

	(void)st;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct sk_adm_facts f = usual();

		f.multipath = t[i].multipath;
		set(&f, REPLACEMENT, t[i].s);
		if (t[i].says)
			assert_non_null(strstr(advice(&f), t[i].says));
		else
			assert_string_equal(advice(&f), "");
	}
}

static void pings_and_reopen_max(void **st)
{
	struct sk_adm_facts f = usual();

	(void)st;
	set(&f, INTERVAL, 0);
	assert_non_null(strstr(advice(&f), "there are no pings"));
	f = usual();
	set(&f, REOPEN_MAX, 10);
	assert_non_null(strstr(advice(&f), "reopen_max = 10"));
}

static void what_differs_is_told_once(void **st)
{
	struct sk_adm_facts f = usual();

	(void)st;
	f.timers[0].record.v = 60;
	f.timers[1].record.v = 9;
	assert_non_null(strstr(advice(&f), "--live"));
	assert_int_equal(strchr(advice(&f), '\n') - advice(&f), (long)strlen(advice(&f)) - 1);
	f.timers[0].live = f.timers[1].live = false;
	assert_null(strstr(advice(&f), "--live"));
	assert_non_null(strstr(advice(&f), "from the next login on"));
}

static void an_outage_in_seconds(void **st)
{
	struct sk_adm_facts f = usual();
	struct sk_adm_outage o;

	(void)st;
	sk_adm_outage_of(&f, &o);
	assert_int_equal(o.noticed_s, 10);
	assert_int_equal(o.io_error_s, 130);
	set(&f, REPLACEMENT, -1);
	sk_adm_outage_of(&f, &o);
	assert_int_equal(o.io_error_s, -1);
	set(&f, INTERVAL, 0);
	sk_adm_outage_of(&f, &o);
	assert_int_equal(o.noticed_s, -1);
	f.timers[0].running.known = f.timers[1].running.known = false;
	sk_adm_outage_of(&f, &o);
	assert_int_equal(o.noticed_s, -2);
	assert_int_equal(o.io_error_s, -2);
}

/* The list of keys fits the struct, and each is a key of the schema. */
static void the_keys_are_of_the_schema(void **st)
{
	unsigned n = 0;

	(void)st;
	for (; sk_node_timer_keys[n]; n++)
		assert_non_null(sk_schema_find(SK_REC_NODE, sk_span_str(sk_node_timer_keys[n]), NULL));
	assert_int_equal(n, SK_ADM_TIMERS);
	for (size_t i = 0; i < sk_schema_count; i++) { /* what can change at once is explained */
		bool told = false;

		for (n = 0; sk_node_timer_keys[n]; n++)
			told |= !strcmp(sk_node_timer_keys[n], sk_schema[i].key);
		assert_true(told || !(sk_schema[i].flags & SK_ROW_LIVE));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_defaults_need_no_advice), cmocka_unit_test(replacement_timeout_and_multipath),
		cmocka_unit_test(pings_and_reopen_max),	       cmocka_unit_test(what_differs_is_told_once),
		cmocka_unit_test(an_outage_in_seconds),	       cmocka_unit_test(the_keys_are_of_the_schema),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
