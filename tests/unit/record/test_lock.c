/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "support.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "record/foreign.h"
#include "record/store_impl.h"

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A process that holds the lock until it is told (or killed). */
static pid_t start_holder(struct room *r, int *ret_end)
{
	int up[2], down[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe(up), 0);
	assert_int_equal(pipe(down), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct sk_store *s = sk_store_open(&r->places, NULL);

		close(up[0]);
		close(down[1]);
		if (!s || sk_store_lock(s, 5000, NULL) < 0 || write(up[1], "x", 1) != 1)
			_exit(1);
		if (read(down[0], &c, 1) == 0)
			sk_store_unlock(s);
		_exit(0);
	}
	close(up[1]);
	close(down[0]);
	assert_int_equal(read(up[0], &c, 1), 1);
	close(up[0]);
	*ret_end = down[1];
	return pid;
}

static void a_holder_excludes_and_is_named(void **st)
{
	struct sk_err err = { 0 };
	struct room r;
	char want[40];
	int64_t start;
	pid_t pid;
	int end;

	(void)st;
	room_open(&r, NULL);
	pid = start_holder(&r, &end);
	snprintf(want, sizeof(want), "process %ld", (long)pid);
	start = now_ms();
	assert_int_equal(sk_store_lock(r.s, 50, &err), -1);
	assert_int_equal(err.code, SK_EDB);
	assert_non_null(strstr(err.msg, want));
	assert_true(now_ms() - start >= 50);
	close(end);
	assert_int_equal(sk_store_lock(r.s, 5000, NULL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	sk_store_unlock(r.s);
	room_close(&r);
}

static void a_killed_holder_leaves_no_lock(void **st)
{
	struct room r;

	(void)st;
	room_open(&r, NULL);
	for (int i = 0; i < 20; i++) {
		int end;
		pid_t pid = start_holder(&r, &end);
		int64_t start;

		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		start = now_ms();
		assert_int_equal(sk_store_lock(r.s, 1000, NULL), 0);
		assert_true(now_ms() - start < 500);
		sk_store_unlock(r.s);
		close(end);
	}
	room_close(&r);
}

static void it_nests(void **st)
{
	struct sk_store *other;
	struct room r;

	(void)st;
	room_open(&r, NULL);
	other = sk_store_open(&r.places, NULL);
	assert_int_equal(sk_store_lock(r.s, 0, NULL), 0);
	assert_int_equal(sk_store_lock(r.s, 0, NULL), 0);
	sk_store_unlock(r.s);
	assert_int_equal(sk_store_lock(other, 0, NULL), -1);
	sk_store_unlock(r.s);
	assert_int_equal(sk_store_lock(other, 0, NULL), 0);
	sk_store_unlock(other);
	sk_store_unlock(other);	/* one too many does nothing */
	sk_store_free(other);
	room_close(&r);
}

/* --- processes, as /proc tells of them */

static void put(const char *dir, const char *name, const char *text)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	spill(path, text, strlen(text));
}

/* An empty /proc for the store; @first: of the first process namespace. */
static void processes(struct room *r, bool first)
{
	static char proc[300];
	char path[400];

	snprintf(proc, sizeof(proc), "%s/proc", r->dir);
	r->s->proc = proc;
	assert_int_equal(mkdir(proc, 0700), 0);
	snprintf(path, sizeof(path), "%s/self", proc);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/self/ns", proc);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/self/ns/pid", proc);
	assert_int_equal(symlink(first ? "pid:[4026531836]" : "pid:[4026532198]", path), 0);
}

static void process(struct room *r, const char *pid, const char *comm, const char *syscall, const char *maps,
		    const char *exe)
{
	char dir[400], line[64];

	snprintf(dir, sizeof(dir), "%s/%s", r->s->proc, pid);
	assert_int_equal(mkdir(dir, 0700), 0);
	snprintf(line, sizeof(line), "%s\n", comm);
	put(dir, "comm", line);
	put(dir, "syscall", syscall);
	put(dir, "maps", maps);
	put(dir, "exe", exe);
}

static enum sk_foreign holder(struct room *r)
{
	long pid = 0;
	enum sk_foreign found = sk_foreign_holder(r->s->proc, 7, &pid);

	assert_int_equal(found == SK_FOREIGN_ALIVE, pid != 0);
	return found;
}

static void who_may_own_the_incumbents_lock(void **st)
{
	char poll[64];
	struct room r;

	(void)st;
	room_open(&r, NULL);
	processes(&r, true);
	snprintf(poll, sizeof(poll), "%d 0x7 0x1 0x0 0x0 0x0 0x0 0x7ffd 0x7f01\n", (int)SYS_ppoll);
	process(&r, "7", "iscsiadm", "running", "", "itself");
	process(&r, "8", "bash", "running", "/lib/x86_64-linux-gnu/libc.so.6", "bash");
	process(&r, "9", "iscsid", poll, "/lib/libopeniscsiusr.so.0", "waits");
	process(&r, "10", "iscsiadm", "running", "", "with siskin takes lock.write with an owner inside");
	process(&r, "11", "iscsiadmin", "running", "", "of another name");
	assert_int_equal(holder(&r), SK_FOREIGN_NONE);
	process(&r, "12", "iscsid", "1 0x4 0x0\n", "", "writes");
	assert_int_equal(holder(&r), SK_FOREIGN_ALIVE);
	room_close(&r);

	room_open(&r, NULL);
	processes(&r, true);
	process(&r, "13", "virtstoraged", "running", "7f00 r-xp /usr/lib/libopeniscsiusr.so.0.2.0\n", "uses the library");
	assert_int_equal(holder(&r), SK_FOREIGN_ALIVE);
	room_close(&r);

	room_open(&r, NULL);
	processes(&r, false);
	assert_int_equal(holder(&r), SK_FOREIGN_UNSEEN);
	room_close(&r);
}

static void a_lock_the_incumbent_left_is_no_obstacle(void **st)
{
	char lock[300], held[300];
	struct room r;

	(void)st;
	for (int first = 1; first >= 0; first--) {
		struct sk_err err = { 0 };

		room_open(&r, NULL);
		processes(&r, first);
		snprintf(lock, sizeof(lock), "%s/lock", r.places.lockdir);
		snprintf(held, sizeof(held), "%s/lock.write", r.places.lockdir);
		assert_int_equal(mkdir(r.places.lockdir, 0700), 0);
		spill(lock, "", 0);
		assert_int_equal(link(lock, held), 0);
		/* where others cannot be seen only age tells, and it is young */
		assert_int_equal(sk_store_lock(r.s, first ? 20000 : 100, &err), first ? 0 : -1);
		sk_store_unlock(r.s);
		assert_int_equal(access(held, F_OK), first ? -1 : 0);
		room_close(&r);
	}
}

/* The incumbent holds "lock.write", a link to its empty file "lock"; it must keep us out, and we it. */
static void the_incumbents_lock_is_honoured(void **st)
{
	char lock[300], held[300];
	struct sk_err err = { 0 };
	struct room r;

	(void)st;
	room_open(&r, NULL);
	processes(&r, true);
	process(&r, "41", "iscsiadm", "running", "", "open-iscsi");
	snprintf(lock, sizeof(lock), "%s/lock", r.places.lockdir);
	snprintf(held, sizeof(held), "%s/lock.write", r.places.lockdir);
	assert_int_equal(mkdir(r.places.lockdir, 0700), 0);
	spill(lock, "", 0);
	assert_int_equal(link(lock, held), 0);
	assert_int_equal(sk_store_lock(r.s, 100, &err), -1);
	assert_int_equal(err.code, SK_EDB);
	assert_non_null(strstr(err.msg, "lock.write"));
	assert_non_null(strstr(err.msg, "process 41"));
	assert_int_equal(access(held, F_OK), 0);	/* its owner may live */
	assert_int_equal(unlink(held), 0);
	assert_int_equal(sk_store_lock(r.s, 50, NULL), 0);
	assert_int_equal(link(lock, held), -1);	/* now the incumbent waits */
	sk_store_unlock(r.s);
	assert_int_equal(link(lock, held), 0);
	room_close(&r);
}

static void no_lock_directory_is_no_obstacle(void **st)
{
	struct room r;

	(void)st;
	room_open(&r, NULL);
	snprintf(r.s->lockdir, sizeof(r.s->lockdir), "/proc/nowhere/lock");
	assert_int_equal(sk_store_lock(r.s, 0, NULL), 0);
	sk_store_unlock(r.s);
	room_close(&r);
}

#define ROUNDS 40

static int count_up(struct room *r, const char *key)
{
	struct sk_node_key k = { .target = { "iqn.2026-11.com.example:disk1" }, .portal = { "127.0.0.1", 3260, 1 },
				 .iface = "default" };
	struct sk_store *s = sk_store_open(&r->places, NULL);

	for (int i = 0; s && i < ROUNDS; i++) {
		struct sk_record *rec;
		char text[16];

		if (sk_store_lock(s, 20000, NULL) < 0 || !(rec = sk_store_node_get(s, &k, NULL)))
			return 1;
		snprintf(text, sizeof(text), "%d", (int)sk_record_int(rec, key) + 1);
		if (sk_record_set(rec, key, text, NULL) < 0 || sk_store_node_put(s, rec, NULL) < 0)
			return 1;
		sk_record_free(rec);
		sk_store_unlock(s);
	}
	sk_store_free(s);
	return 0;
}

static void concurrent_updates_lose_nothing(void **st)
{
	static const char *const keys[] = { "node.session.initial_cmdsn", "node.session.reopen_max",
					    "node.session.queue_depth" };
	struct sk_node_key k = { .target = { "iqn.2026-11.com.example:disk1" }, .portal = { "127.0.0.1", 3260, 1 },
				 .iface = "default" };
	struct sk_record *rec;
	struct room r;
	pid_t pid[3];

	(void)st;
	room_open(&r, "basic");
	for (int i = 0; i < 3; i++) {
		pid[i] = fork();
		assert_true(pid[i] >= 0);
		if (pid[i] == 0)
			_exit(count_up(&r, keys[i]));
	}
	for (int i = 0; i < 3; i++) {
		int status;

		assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
		assert_int_equal(status, 0);
	}
	rec = sk_store_node_get(r.s, &k, NULL);
	assert_int_equal(sk_record_int(rec, keys[0]), ROUNDS);
	assert_int_equal(sk_record_int(rec, keys[1]), ROUNDS);
	assert_int_equal(sk_record_int(rec, keys[2]), ROUNDS + 32);
	sk_record_free(rec);
	room_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_holder_excludes_and_is_named),
		cmocka_unit_test(a_killed_holder_leaves_no_lock),
		cmocka_unit_test(it_nests),
		cmocka_unit_test(who_may_own_the_incumbents_lock),
		cmocka_unit_test(a_lock_the_incumbent_left_is_no_obstacle),
		cmocka_unit_test(the_incumbents_lock_is_honoured),
		cmocka_unit_test(no_lock_directory_is_no_obstacle),
		cmocka_unit_test(concurrent_updates_lose_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
