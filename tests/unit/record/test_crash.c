/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A writer is killed before each of its system calls; what is left is the old state or the new one, and the next
 * writer neither waits nor trips. */
#include "support.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "record/iface.h"
#include "record/store_impl.h"

#define DISK1 "iqn.2026-11.com.example:disk1"
#define NEW "iqn.2026-11.com.example:new"

static struct sk_node_key key_of(const char *name, const char *host)
{
	struct sk_node_key k = { .portal = { .port = 3260, .tpgt = 1 }, .iface = "default" };

	sk_iname_spelled(name, &k.target);
	snprintf(k.portal.host, sizeof(k.portal.host), "%s", host);
	return k;
}

/* --- the operations
 * ------------------------------------------------------------------------------------------------ */

static int op_new(struct sk_store *s)
{
	struct sk_record *r = node(NEW, "::1", "1", "node.session.timeo.replacement_timeout", "77", NULL);
	int rc = sk_store_node_put(s, r, NULL);

	sk_record_free(r);
	return rc;
}

static int op_update(struct sk_store *s)
{
	struct sk_node_key k = key_of(DISK1, "127.0.0.1");
	struct sk_record *r;
	int rc = sk_store_lock(s, 1000, NULL);

	r = rc == 0 ? sk_store_node_get(s, &k, NULL) : NULL;
	if (r && sk_record_set(r, "node.startup", "automatic", NULL) == 0)
		rc = sk_store_node_put(s, r, NULL);
	else
		rc = -1;
	sk_record_free(r);
	sk_store_unlock(s);
	return rc;
}

static int op_move(struct sk_store *s)
{
	struct sk_node_key k = key_of(DISK1, "127.0.0.1");
	struct sk_record *r = sk_store_node_get(s, &k, NULL);
	int rc = -1;

	if (r && sk_record_set(r, "node.discovery_type", "static", NULL) == 0)
		rc = sk_store_node_put(s, r, NULL);
	sk_record_free(r);
	return rc;
}

static int op_delete(struct sk_store *s)
{
	struct sk_node_key k = key_of(DISK1, "127.0.0.1");

	return sk_store_node_delete(s, &k, NULL);
}

static int op_disc(struct sk_store *s)
{
	struct sk_record *r = sk_store_disc_get(s, SK_DISC_SENDTARGETS, "127.0.0.1", 3260, NULL);
	int rc = -1;

	if (r && sk_record_set(r, "discovery.sendtargets.reopen_max", "9", NULL) == 0)
		rc = sk_store_disc_put(s, r, NULL);
	sk_record_free(r);
	return rc;
}

static int op_iface(struct sk_store *s)
{
	struct sk_record *r = sk_iface_new("if9", NULL);
	int rc = sk_store_iface_put(s, r, NULL);

	sk_record_free(r);
	return rc;
}

static int op_bulk(struct sk_store *s)
{
	struct sk_record *r = node(NEW, "::1", "1", "node.session.timeo.replacement_timeout", "78", NULL);
	int rc = sk_store_lock(s, 1000, NULL);

	if (rc == 0)
		rc = sk_store_begin(s, NULL);
	if (rc == 0)
		rc = sk_store_node_put(s, r, NULL);
	if (rc == 0)
		rc = sk_store_commit(s, NULL);
	sk_store_unlock(s);
	sk_record_free(r);
	return rc;
}

static const struct op {
	const char *name;
	int (*run)(struct sk_store *s);
} ops[] = {
	{ "new", op_new },	 { "update", op_update }, { "move", op_move },
	{ "delete", op_delete }, { "disc", op_disc },	  { "iface", op_iface },
	{ "bulk", op_bulk },
};

/* --- what a reader sees
 * --------------------------------------------------------------------------------------------- */

static void no_skip(void *ctx, const char *path, const char *why)
{
	(void)ctx;
	fail_msg("%s: %s", path, why);
}

static bool see_node(void *ctx, const struct sk_node_key *key, const struct sk_record *r)
{
	(void)key;
	sk_record_print(ctx, r, SK_FORM_FILE);
	return true;
}

static bool see_disc(void *ctx, enum sk_disc_type type, const char *host, uint16_t port, const struct sk_record *r)
{
	(void)type;
	(void)host;
	(void)port;
	sk_record_print(ctx, r, SK_FORM_FILE);
	return true;
}

static bool see_iface(void *ctx, const struct sk_record *r)
{
	sk_record_print(ctx, r, SK_FORM_FILE);
	return true;
}

static char *seen(struct room *r)
{
	const struct sk_node_selector all = { .port = -1 };
	struct sk_buf out = { 0 };

	assert_true(sk_store_nodes(r->s, &all, see_node, &out, no_skip, NULL, NULL) >= 0);
	assert_true(sk_store_discs(r->s, SK_DISC_SENDTARGETS, see_disc, &out, no_skip, NULL, NULL) >= 0);
	assert_true(sk_store_ifaces(r->s, false, see_iface, &out, no_skip, NULL, NULL) >= 0);
	return out.p ? out.p : calloc(1, 1);
}

/* --- the killer
 * ------------------------------------------------------------------------------------------------------ */

/* Run @op in a child that dies before its @nth system call. False when it came to its end before. */
static bool run_killed(struct room *r, const struct op *op, unsigned nth)
{
	bool entering = true;
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		struct sk_store *s;

		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			_exit(77);
		raise(SIGSTOP);
		s = sk_store_open(&r->places, NULL);
		_exit(s && op->run(s) == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_true(WIFSTOPPED(status));
	assert_int_equal(ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL), 0);
	for (unsigned calls = 0;;) {
		assert_int_equal(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status)) {
			assert_int_equal(WEXITSTATUS(status), 0);
			return false;
		}
		assert_true(WIFSTOPPED(status));
		if (WSTOPSIG(status) != (SIGTRAP | 0x80))
			continue;
		if (entering && calls++ == nth)
			break;
		entering = !entering;
	}
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	return true;
}

static void start(struct room *r, bool far)
{
	room_open(r, "basic");
	if (far)
		room_link_nodes(r);
}

static void kill_before_each_call(bool far)
{
	for (size_t i = 0; i < SK_ARRAY_LEN(ops); i++) {
		char *before, *after, *now;
		struct room r;
		unsigned nth = 0, old = 0, new = 0;
		bool killed = true;

		start(&r, far);
		before = seen(&r);
		assert_int_equal(ops[i].run(r.s), 0);
		after = seen(&r);
		assert_string_not_equal(before, after);
		room_close(&r);
		for (; killed; nth++) {
			start(&r, far);
			killed = run_killed(&r, &ops[i], nth);
			now = seen(&r);
			old += strcmp(now, before) == 0;
			new += strcmp(now, after) == 0;
			if (strcmp(now, before) != 0 && strcmp(now, after) != 0)
				fail_msg("%s, killed before call %u: neither old nor new:\n%s", ops[i].name, nth,
					 now);
			free(now);
			/* the next one is not held up, and ends where an undisturbed one ends */
			assert_int_equal(sk_store_lock(r.s, 500, NULL), 0);
			if (ops[i].run != op_delete)
				assert_int_equal(ops[i].run(r.s), 0);
			else
				(void)ops[i].run(r.s);
			sk_store_unlock(r.s);
			now = seen(&r);
			assert_string_equal(now, after);
			free(now);
			room_close(&r);
		}
		assert_true(nth > 10 && old > 5 && new > 0);
		free(before);
		free(after);
	}
}

static void each_system_call_may_be_the_last(void **st)
{
	(void)st;
	kill_before_each_call(false);
}

static void also_when_nodes_is_a_link_to_another_file_system(void **st)
{
	(void)st;
	kill_before_each_call(true);
}

static int op_recover(struct sk_store *s)
{
	int rc = sk_store_lock(s, 1000, NULL);

	sk_store_unlock(s);
	return rc;
}

/* Whoever completes a change that was interrupted may be killed as well. */
static void completing_it_may_be_interrupted(void **st)
{
	static const struct op recover = { "recover", op_recover };
	const struct op *op = &ops[2];	/* with a record, a link that comes and one that goes */
	unsigned tried = 0;
	char *after, *now;
	struct room r;

	(void)st;
	room_open(&r, "basic");
	assert_int_equal(op->run(r.s), 0);
	after = seen(&r);
	room_close(&r);
	for (unsigned nth = 0, more = 1; more; nth++) {
		room_open(&r, "basic");
		more = run_killed(&r, op, nth);
		if (!more || !exists(&r, ".siskin/journal") || nth % 4) {
			room_close(&r);
			continue;
		}
		for (unsigned k = 0, again = 1; again; k++) {
			if (k) {
				room_open(&r, "basic");
				assert_true(run_killed(&r, op, nth));
			}
			again = run_killed(&r, &recover, k);
			now = seen(&r);
			if (strcmp(now, after) != 0)
				fail_msg("killed before call %u, then before call %u of who completes it:\n%s", nth, k, now);
			free(now);
			assert_false(exists(&r, ".siskin/journal"));
			room_close(&r);
			tried++;
		}
	}
	assert_true(tried > 50);
	free(after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_system_call_may_be_the_last),
		cmocka_unit_test(also_when_nodes_is_a_link_to_another_file_system),
		cmocka_unit_test(completing_it_may_be_interrupted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
