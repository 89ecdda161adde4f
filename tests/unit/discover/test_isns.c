/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "discover/isns.h"

/** The process that asks, played by scripts: what it says, that it says nothing, that it dies. */

#define PATIENT 20000	/* ms a call: for what answers */
#define HASTY	50

struct rig {
	char dir[64], worker[96];
	struct sk_loop *loop;
	struct sk_isns *s;
	struct sk_found found[4];
	unsigned n, ups, changes, ends;
	uint32_t call_ms;
	bool free_at_change;
	enum sk_isns_stage stage;
	struct sk_err err;
	char said[600];
};

static int setup(void **st)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct sk_err err = { 0 };

	strcpy(r->dir, "/tmp/siskin-isns-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	snprintf(r->worker, sizeof(r->worker), "%s/worker", r->dir);
	r->call_ms = PATIENT;
	r->loop = sk_loop_new(&err);
	assert_non_null(r->loop);
	*st = r;
	return 0;
}

static int teardown(void **st)
{
	struct rig *r = *st;

	sk_isns_free(r->s);
	sk_loop_free(r->loop);
	unlink(r->worker);
	rmdir(r->dir);
	free(r);
	return 0;
}

static void play(struct rig *r, const char *script)
{
	char text[1200];
	int n = snprintf(text, sizeof(text), "#!/bin/sh\nexec 1>&3\n%s\n", script);
	int fd = open(r->worker, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);

	assert_true(fd >= 0 && write(fd, text, (size_t)n) == n && close(fd) == 0);
}

static void on_say(void *ctx, const char *line)
{
	struct rig *r = ctx;

	snprintf(r->said, sizeof(r->said), "%s", line);
}

static void end(struct rig *r, enum sk_isns_stage stage, const struct sk_err *err)
{
	r->ends++;
	r->stage = stage;
	if (err)
		r->err = *err;
	sk_loop_stop(r->loop);
}

static void on_done(void *ctx, const struct sk_found *found, unsigned n, enum sk_isns_stage stage, const struct sk_err *err)
{
	struct rig *r = ctx;

	r->n = n;
	if (n)
		memcpy(r->found, found, (n < 4 ? n : 4) * sizeof(*found));
	end(r, stage, err);
	sk_isns_free(r->s);	/* what an owner may do */
	r->s = NULL;
}

static void on_up(void *ctx)
{
	((struct rig *)ctx)->ups++;
}

static void on_changed(void *ctx)
{
	struct rig *r = ctx;

	r->changes++;
	if (!r->free_at_change)
		return;
	sk_isns_free(r->s);
	r->s = NULL;
	sk_loop_stop(r->loop);
}

static void on_down(void *ctx, enum sk_isns_stage stage, const struct sk_err *err)
{
	end(ctx, stage, err);
}

static void run(struct rig *r, bool listen, const char *script)
{
	static const struct sk_isns_ask_events ask = { on_say, on_done };
	static const struct sk_isns_hear_events hear = { on_up, on_changed, on_down };
	struct sk_iname names[2];
	struct sk_isns_cfg cfg = { .worker = r->worker, .host = "192.0.2.1", .port = 3205, .names = names, .n_names = 2,
				   .call_ms = r->call_ms };
	struct sk_err err = { 0 };

	play(r, script);
	assert_int_equal(sk_iname_parse(sk_span_str("iqn.2026-11.a:one"), &names[0], &err), 0);
	assert_int_equal(sk_iname_parse(sk_span_str("iqn.2026-11.a:two"), &names[1], &err), 0);
	r->s = listen ? sk_isns_hear(r->loop, &cfg, &hear, r, &err) : sk_isns_ask(r->loop, &cfg, &ask, r, &err);
	assert_non_null(r->s);
	sk_loop_run(r->loop);
}

static void what_it_found_arrives(void **st)
{
	struct rig *r = *st;

	run(r, false, "echo siskin-isns 1; echo portal iqn.2026-11.a:b 10.0.0.1 3260 1; echo odd what is this\n"
		      "echo portal iqn.2026-11.a:c fd00::1 3261 2; echo done 2");
	assert_int_equal(r->ends, 1);
	assert_int_equal(r->err.code, SK_OK);
	assert_int_equal(r->n, 2);
	assert_string_equal(r->found[1].target.s, "iqn.2026-11.a:c");
	assert_string_equal(r->found[1].portal.host, "fd00::1");
	assert_int_equal(r->found[1].portal.port, 3261);
	assert_int_equal(r->found[0].portal.tpgt, 1);
	assert_string_equal(r->said, "iSNS target or portal invalid, ignoring: what is this");
}

static void it_is_told_what_to_ask(void **st)
{
	struct rig *r = *st;

	run(r, false, "echo siskin-isns 1; echo fail query \"$*\"");
	assert_string_equal(r->err.msg, "--server 192.0.2.1 --port 3205 --seconds 20 --name iqn.2026-11.a:one "
					"--name iqn.2026-11.a:two discover");
}

static void a_failure_has_its_stage(void **st)
{
	static const struct {
		const char *word;
		enum sk_isns_stage stage;
		enum sk_code code;
	} rows[] = {
		{ "connect", SK_ISNS_CONNECT, SK_ECONN }, { "register", SK_ISNS_REGISTER, SK_EPROTO },
		{ "query", SK_ISNS_QUERY, SK_EPROTO },	  { "start", SK_ISNS_START, SK_EIO },
	};
	struct rig *r = *st;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char script[100];

		snprintf(script, sizeof(script), "echo siskin-isns 1; echo fail %s it is so", rows[i].word);
		run(r, false, script);
		assert_int_equal(r->stage, rows[i].stage);
		assert_int_equal(r->err.code, rows[i].code);
		assert_string_equal(r->err.msg, "it is so");
		assert_int_equal(r->n, 0);
	}
}

static void one_that_breaks_off_found_nothing(void **st)
{
	static const char *const scripts[] = {
		"", "echo siskin-isns 1", "echo siskin-isns 1; echo portal iqn.2026-11.a:b 10.0.0.1 3260 1", "echo what",
		"echo siskin-isns 1; echo portal iqn.2026-11.a:b 10.0.0.1 3260 1; kill -9 $$", "echo siskin-isns 1; echo done 1",
		"echo siskin-isns 1; echo done 0; echo done 0", "echo siskin-isns 1; printf 'done 0'",
	};
	struct rig *r = *st;

	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		run(r, false, scripts[i]);
		assert_int_equal(r->ends, i + 1);
		assert_int_equal(r->err.code, SK_EPROTO);
		assert_int_equal(r->n, 0);
	}
}

static void one_that_says_nothing_is_ended(void **st)
{
	struct rig *r = *st;
	uint64_t began = sk_loop_now(r->loop);

	r->call_ms = HASTY;
	run(r, false, "echo siskin-isns 1; exec sleep 1000");
	assert_int_equal(r->err.code, SK_ETIME);
	assert_in_range(sk_loop_now(r->loop) - began, 3 * HASTY, 20000);
}

static void one_that_never_ends_is_ended(void **st)
{
	struct rig *r = *st;

	run(r, false, "echo siskin-isns 1; while :; do echo portal iqn.2026-11.a:b 10.0.0.1 3260 1; done");
	assert_int_equal(r->err.code, SK_EPROTO);	/* at the last portal that an answer may have */
	assert_int_equal(r->n, 0);
}

static void notices_arrive_until_it_ends(void **st)
{
	struct rig *r = *st;

	run(r, true, "echo siskin-isns 1; echo up 1; echo changed; echo changed; echo up 1; echo fail query the server went away");
	assert_int_equal(r->ups, 2);
	assert_int_equal(r->changes, 2);
	assert_int_equal(r->ends, 1);
	assert_string_equal(r->err.msg, "the server went away");
}

static void a_listener_that_answers_a_question_is_none(void **st)
{
	struct rig *r = *st;

	run(r, true, "echo siskin-isns 1; echo done 0");
	assert_int_equal(r->err.code, SK_EPROTO);
}

static void one_that_hangs_while_listening_is_ended(void **st)
{
	struct rig *r = *st;

	r->call_ms = 1000;
	run(r, true, "echo siskin-isns 1; echo up 0; exec sleep 1000");
	assert_int_equal(r->ups, 1);
	assert_int_equal(r->err.code, SK_ETIME);
}

static void an_owner_may_go_in_the_middle(void **st)
{
	struct rig *r = *st;

	r->free_at_change = true;
	run(r, true, "echo siskin-isns 1; echo up 5; echo changed; echo changed; exec sleep 1000");
	assert_int_equal(r->changes, 1);
	assert_int_equal(r->ends, 0);
}

static void a_worker_that_is_not_there_is_an_error(void **st)
{
	static const struct sk_isns_ask_events ask = { on_say, on_done };
	struct rig *r = *st;
	struct sk_iname name = { "iqn.2026-11.a:one" };
	struct sk_isns_cfg cfg = { .worker = "/nonexistent/worker", .host = "h", .port = 1, .names = &name, .n_names = 1 };
	struct sk_err err = { 0 };

	assert_null(sk_isns_ask(r->loop, &cfg, &ask, r, &err));
	assert_int_not_equal(err.code, SK_OK);
	cfg.n_names = 17;
	assert_null(sk_isns_ask(r->loop, &cfg, &ask, r, &err));
	assert_int_equal(r->ends, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_it_found_arrives, setup, teardown),
		cmocka_unit_test_setup_teardown(it_is_told_what_to_ask, setup, teardown),
		cmocka_unit_test_setup_teardown(a_failure_has_its_stage, setup, teardown),
		cmocka_unit_test_setup_teardown(one_that_breaks_off_found_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(one_that_says_nothing_is_ended, setup, teardown),
		cmocka_unit_test_setup_teardown(one_that_never_ends_is_ended, setup, teardown),
		cmocka_unit_test_setup_teardown(notices_arrive_until_it_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(a_listener_that_answers_a_question_is_none, setup, teardown),
		cmocka_unit_test_setup_teardown(one_that_hangs_while_listening_is_ended, setup, teardown),
		cmocka_unit_test_setup_teardown(an_owner_may_go_in_the_middle, setup, teardown),
		cmocka_unit_test_setup_teardown(a_worker_that_is_not_there_is_an_error, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
