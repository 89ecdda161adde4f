/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "support.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "record/iface.h"
#include "record/impl.h"

static const enum sk_record_kind kinds[] = { SK_REC_NODE, SK_REC_SENDTARGETS, SK_REC_ISNS, SK_REC_IFACE };

static bool numeric(const struct sk_schema_row *row)
{
	return row->type <= SK_T_U32;
}

static void the_table_is_sound(void **st)
{
	(void)st;
	for (size_t i = 0; i < sk_schema_count; i++) {
		const struct sk_schema_row *row = &sk_schema[i];
		SK_BUF struct sk_buf text = { 0 };

		assert_true(row->kinds && row->doc && *row->doc && row->def);
		assert_true((row->type == SK_T_WORD || row->type == SK_T_LIST) == (row->words != NULL));
		assert_true(row->min <= row->max);
		assert_false(row->flags & SK_ROW_V4 && row->flags & SK_ROW_V6);
		/* the default is a legal value, except where nothing is the default of a key that names the record
		 */
		if (sk_value_check(row, sk_span_str(row->def), SK_EXACT, &text, NULL) < 0)
			fail_msg("%s: default %s", row->key, row->def);
		assert_string_equal(sk_buf_cstr(&text), row->def);
		for (size_t k = 0; k < i; k++)
			assert_false(sk_schema[k].kinds & row->kinds && strcmp(sk_schema[k].key, row->key) == 0);
	}
}

static void keys_are_found_with_and_without_a_hint(void **st)
{
	size_t hint = 0;

	(void)st;
	for (size_t i = 0; i < sk_schema_count; i++) {
		for (size_t k = 0; k < SK_ARRAY_LEN(kinds); k++) {
			const struct sk_schema_row *row = &sk_schema[i];
			const struct sk_schema_row *want = row->kinds & SK_IN(kinds[k]) ? row : NULL;

			/* a key may stand in two kinds as two rows */
			if (!want && sk_schema_find(kinds[k], sk_span_str(row->key), NULL))
				continue;
			assert_ptr_equal(sk_schema_find(kinds[k], sk_span_str(row->key), &hint), want);
			assert_ptr_equal(sk_schema_find(kinds[k], sk_span_str(row->key), NULL), want);
		}
	}
	assert_null(sk_schema_find(SK_REC_NODE, sk_span("node.nam", 8), NULL));
	assert_null(sk_schema_find(SK_REC_NODE, sk_span("", 0), NULL));
}

static void refuse(struct sk_record *r, const struct sk_schema_row *row, const char *value)
{
	SK_BUF struct sk_buf before = { 0 };
	SK_BUF struct sk_buf after = { 0 };
	struct sk_err err = { 0 };

	sk_record_print(&before, r, SK_FORM_FILE);
	if (sk_record_set(r, row->key, value, &err) == 0)
		fail_msg("%s=%s was accepted", row->key, value);
	assert_int_equal(err.code, SK_EINVAL);
	if (!strstr(err.msg, row->key))
		fail_msg("%s is not named in: %s", row->key, err.msg);
	sk_record_print(&after, r, SK_FORM_FILE);
	assert_string_equal(sk_buf_cstr(&before), sk_buf_cstr(&after));
}

/* Every key: what is not legal is refused, named, and changes nothing. */
static void bad_values_are_refused_for_every_key(void **st)
{
	static const char *const bad[] = {
		"",    "abc", "0x20", "1e3",	    "5 6",	  "+7", " 7", "7 ", "99999999999999999999999",
		"10s", "--1", "-",    "4294967296", "-9999999999"
	};
	static const char *const injections[] = { "x\nnode.startup = onboot", "a\rb", "a\tb", "\x7f", "\x01" };

	(void)st;
	for (size_t k = 0; k < SK_ARRAY_LEN(kinds); k++) {
		struct sk_record *r = sk_record_new(kinds[k], NULL);

		for (size_t i = 0; i < sk_schema_count; i++) {
			const struct sk_schema_row *row = &sk_schema[i];
			char longer[300];

			if (!(row->kinds & SK_IN(kinds[k])))
				continue;
			for (size_t b = 0; b < SK_ARRAY_LEN(injections); b++)
				refuse(r, row, injections[b]);
			for (size_t b = 0; b < SK_ARRAY_LEN(bad) && numeric(row); b++)
				refuse(r, row, bad[b]);
			if (row->type == SK_T_WORD) {
				refuse(r, row, "");
				refuse(r, row, "never");
				refuse(r, row, row->words);	/* several words are not a word */
			}
			if (row->type == SK_T_TEXT) {
				memset(longer, 'x', sizeof(longer));
				longer[row->max + 1] = '\0';
				refuse(r, row, longer);
				refuse(r, row, " x");
				refuse(r, row, "x ");
				longer[row->max] = '\0';
				assert_int_equal(sk_record_set(r, row->key, longer, NULL), 0);
				assert_int_equal(sk_record_set(r, row->key, "", NULL), 0);
			}
		}
		sk_record_free(r);
	}
}

static void every_legal_end_is_accepted(void **st)
{
	(void)st;
	for (size_t k = 0; k < SK_ARRAY_LEN(kinds); k++) {
		struct sk_record *r = sk_record_new(kinds[k], NULL);

		for (size_t i = 0; i < sk_schema_count; i++) {
			const struct sk_schema_row *row = &sk_schema[i];
			const int64_t ends[] = { row->min, row->max };
			char text[32];

			for (size_t e = 0; e < 2 && numeric(row) && row->kinds & SK_IN(kinds[k]); e++) {
				snprintf(text, sizeof(text), "%lld", (long long)ends[e]);
				assert_int_equal(sk_record_set(r, row->key, text, NULL), 0);
				assert_int_equal(sk_record_int(r, row->key), ends[e]);
				snprintf(text, sizeof(text), "%lld", (long long)(e ? ends[e] + 1 : ends[e] - 1));
				if (!(row->flags & SK_ROW_ZERO && strcmp(text, "0") == 0))
					refuse(r, row, text);
			}
		}
		sk_record_free(r);
	}
}

static void the_message_names_key_value_and_range(void **st)
{
	struct sk_record *r = sk_record_new(SK_REC_NODE, NULL);
	struct sk_err err = { 0 };

	(void)st;
	assert_int_equal(sk_record_user_set(r, "node.session.timeo.replacement_timeout", "abc", &err),
			 SK_SET_BAD_VALUE);
	assert_string_equal(err.msg, "node.session.timeo.replacement_timeout=abc is not a whole decimal number; "
				     "legal: -1..2147483647 s");
	assert_int_equal(sk_record_user_set(r, "node.conn[0].iscsi.MaxXmitDataSegmentLength", "511", &err),
			 SK_SET_BAD_VALUE);
	assert_string_equal(err.msg, "node.conn[0].iscsi.MaxXmitDataSegmentLength=511 is out of range; "
				     "legal: 0 or 512..16777215 bytes");
	assert_int_equal(sk_record_user_set(r, "node.startup", "never", &err), SK_SET_BAD_WORD);
	assert_string_equal(err.msg, "node.startup=never is not a known word; "
				     "legal: one of: manual | automatic | onboot");
	assert_int_equal(sk_record_user_set(r, "node.session.auth.password", "top\nsecret", &err),
			 SK_SET_BAD_VALUE);
	assert_null(strstr(err.msg, "secret"));
	sk_record_free(r);
}

static void users_change_what_is_theirs(void **st)
{
	struct sk_record *r = sk_record_new(SK_REC_NODE, NULL), *i4 = sk_iface_new("if0", NULL);
	struct sk_record *i6 = sk_iface_new("qla.ipv6.0", NULL);

	(void)st;
	assert_int_equal(sk_record_user_set(r, "node.bogus", "1", NULL), SK_SET_UNKNOWN_KEY);
	assert_int_equal(sk_record_user_set(r, "node.name", "iqn.2026-11.com.example:a", NULL), SK_SET_KEY_FIELD);
	assert_int_equal(sk_record_user_set(r, "node.discovery_type", "fw", NULL), SK_SET_KEY_FIELD);
	assert_int_equal(sk_record_user_set(r, "iface.mtu", "1500", NULL), SK_SET_KEY_FIELD);
	assert_int_equal(sk_record_user_set(r, "node.transport_name", "iser", NULL), SK_SET_OK);
	assert_string_equal(sk_record_get(r, "iface.transport_name"), "iser");
	assert_int_equal(sk_record_origin(r, "iface.transport_name"), SK_FROM_USER);
	assert_int_equal(sk_record_user_set(i4, "iface.iscsi_ifacename", "if1", NULL), SK_SET_KEY_FIELD);
	assert_int_equal(sk_record_user_set(i4, "iface.ttl", "64", NULL), SK_SET_OK);
	assert_int_equal(sk_record_user_set(i4, "iface.hop_limit", "64", NULL), SK_SET_UNKNOWN_KEY);
	assert_int_equal(sk_record_user_set(i6, "iface.ttl", "64", NULL), SK_SET_UNKNOWN_KEY);
	assert_int_equal(sk_record_user_set(i6, "iface.hop_limit", "64", NULL), SK_SET_OK);
	sk_record_free(r);
	sk_record_free(i4);
	sk_record_free(i6);
}

static void lists_keep_order_and_never_become_empty(void **st)
{
	struct sk_record *r = sk_record_new(SK_REC_NODE, NULL);
	const char *key = "node.session.auth.chap_algs";

	(void)st;
	assert_int_equal(sk_record_set(r, key, "SHA256, MD5  SHA256", NULL), 0);
	assert_string_equal(sk_record_get(r, key), "SHA256,MD5");
	assert_int_equal(sk_record_set(r, key, "SHA-256,MD5", NULL), -1);
	assert_string_equal(sk_record_get(r, key), "SHA256,MD5");
	assert_int_equal(sk_record_set(r, key, "", NULL), 0);
	assert_string_equal(sk_record_get(r, key), "MD5");
	sk_record_free(r);
}

static void a_copy_is_equal_and_apart(void **st)
{
	struct sk_record *r =
		node("iqn.2026-11.com.example:a", "::1", "1", "node.session.auth.password", "xyz", NULL);
	struct sk_record *c = sk_record_copy(r, NULL);
	SK_BUF struct sk_buf a = { 0 };
	SK_BUF struct sk_buf b = { 0 };

	(void)st;
	sk_record_print(&a, r, SK_FORM_FILE);
	sk_record_print(&b, c, SK_FORM_FILE);
	assert_string_equal(sk_buf_cstr(&a), sk_buf_cstr(&b));
	assert_int_equal(sk_record_set(c, "node.tpgt", "2", NULL), 0);
	assert_int_equal(sk_record_int(r, "node.tpgt"), 1);
	assert_true(sk_record_unset(c, "node.tpgt"));
	assert_int_equal(sk_record_int(c, "node.tpgt"), -1);
	assert_false(sk_record_unset(c, "node.bogus"));
	sk_record_free(r);
	sk_record_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_is_sound),
		cmocka_unit_test(keys_are_found_with_and_without_a_hint),
		cmocka_unit_test(bad_values_are_refused_for_every_key),
		cmocka_unit_test(every_legal_end_is_accepted),
		cmocka_unit_test(the_message_names_key_value_and_range),
		cmocka_unit_test(users_change_what_is_theirs),
		cmocka_unit_test(lists_keep_order_and_never_become_empty),
		cmocka_unit_test(a_copy_is_equal_and_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
