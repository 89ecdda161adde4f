/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "mgmt/message.h"

/**
 * A keeper for tests (docs/session-process.md, without disks). What it does is said by the end of the target's name:
 * ":refuse" the attach, ":busy" at the end, ":die" right after the attach, ":hangup" once after the attach, ":deaf" the same and the
 * connection is lost meanwhile.
 */

static struct {
	char dir[300], target[256], health[16];
	int listener, conn, lock;
	bool attached, hung_up;
} k = { .health = "LOGGED_IN", .listener = -1, .conn = -1, .lock = -1 };

static bool named(const char *end)
{
	size_t n = strlen(k.target), e = strlen(end);

	return n >= e && !strcmp(k.target + n - e, end);
}

static void put(struct json_object *taken)
{
	struct sk_buf out = { 0 };

	if (sk_msg_frame(&out, taken, NULL) == 0 && send(k.conn, out.p, out.n, MSG_NOSIGNAL) < 0)
		fprintf(stderr, "keeper: send: %s\n", strerror(errno));
	sk_buf_free(&out);
	json_object_put(taken);
}

static void answer(int64_t id, struct json_object *taken_result)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "v", json_object_new_int(1));
	json_object_object_add(o, "id", json_object_new_int64(id));
	json_object_object_add(o, "result", taken_result ? taken_result : json_object_new_object());
	put(o);
}

static void refuse(int64_t id, int code, const char *text)
{
	struct json_object *o = json_object_new_object(), *e = json_object_new_object();

	json_object_object_add(e, "code", json_object_new_int(code));
	json_object_object_add(e, "text", json_object_new_string(text));
	json_object_object_add(o, "id", json_object_new_int64(id));
	json_object_object_add(o, "error", e);
	put(o);
}

static void event(const char *name, const char *key, const char *value)
{
	struct json_object *o = json_object_new_object(), *p = json_object_new_object();

	json_object_object_add(p, key, value ? json_object_new_string(value) : NULL);
	json_object_object_add(o, "event", json_object_new_string(name));
	json_object_object_add(o, "params", p);
	put(o);
}

static void hello(int64_t id)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "health", json_object_new_string(k.health));
	json_object_object_add(o, "attached", json_object_new_boolean(k.attached));
	answer(id, o);
}

static void attach(int64_t id, struct json_object *params, int fd, bool again)
{
	const char *target = sk_msg_str(params, "target");

	if (!again)
		snprintf(k.target, sizeof(k.target), "%s", target ? target : "");
	if (named(":refuse") || fd < 0 || !sk_msg_obj(params, "params") || (!again && !sk_msg_obj(params, "timers"))) {
		refuse(id, 9, "not this one");
		return;
	}
	k.attached = true;
	if (write(fd, "attached", 8) != 8)
		exit(1);
	answer(id, NULL);
	event("health", "health", "LOGGED_IN");
	event("ready", "error", NULL);
	if (named(":die"))
		exit(0);
	if ((named(":hangup") || named(":deaf")) && !k.hung_up) {
		k.hung_up = true;
		if (named(":deaf"))
			snprintf(k.health, sizeof(k.health), "FAILED");
		sk_fd_close(&k.conn);
	}
}

static void end(int64_t id, struct json_object *params)
{
	static const char *const files[] = { "ctl", "lock", "record", "about" };
	char path[400];

	if (named(":busy") && !sk_msg_bool(params, "force", false)) {
		refuse(id, 28, "lun 1 is mounted on /mnt");
		return;
	}
	for (size_t i = 0; i < SK_ARRAY_LEN(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", k.dir, files[i]);
		unlink(path);
	}
	rmdir(k.dir);
	answer(id, NULL);
	exit(0);
}

static void request(struct json_object *msg, int fd)
{
	const char *m = sk_msg_str(msg, "method");
	int64_t id = sk_msg_int(msg, "id", 0);

	if (!strcmp(m, "hello")) {
		hello(id);
	} else if (!strcmp(m, "attach") || !strcmp(m, "reattach")) {
		attach(id, sk_msg_obj(msg, "params"), fd, *m == 'r');
	} else if (!strcmp(m, "rescan")) {
		answer(id, NULL);
		event("ready", "error", "LUN 3 does not answer");
	} else if (!strcmp(m, "halt")) {
		answer(id, NULL);
		event("down", "why", "halted");
	} else if (!strcmp(m, "stats")) {
		struct json_object *o = json_object_new_object();

		json_object_object_add(o, "scsicmd_pdus", json_object_new_int(42));
		answer(id, o);
	} else if (!strcmp(m, "end")) {
		end(id, sk_msg_obj(msg, "params"));
	} else {
		refuse(id, 16, "what?");
	}
}

static ssize_t take(struct sk_buf *in, int *ret_fd)
{
	char chunk[8192];
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u = { 0 };
	struct iovec iov = { chunk, sizeof(chunk) };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = u.room, .msg_controllen = sizeof(u.room) };
	ssize_t n = recvmsg(k.conn, &mh, MSG_CMSG_CLOEXEC);
	struct cmsghdr *cm = n > 0 ? CMSG_FIRSTHDR(&mh) : NULL;

	if (cm && cm->cmsg_type == SCM_RIGHTS)
		memcpy(ret_fd, CMSG_DATA(cm), sizeof(int));
	if (n > 0)
		sk_buf_add(in, chunk, (size_t)n);
	return n;
}

static void serve(void)
{
	struct sk_buf in = { 0 };
	int fd = -1;

	while (k.conn >= 0 && take(&in, &fd) > 0) {
		struct json_object *msg;

		while (k.conn >= 0 && sk_msg_next(&in, &msg, NULL) > 0) {
			request(msg, fd);
			sk_fd_close(&fd);
			json_object_put(msg);
		}
	}
	sk_buf_free(&in);
	sk_fd_close(&k.conn);
}

static void begin(const char *rundir, const char *sid)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char path[400];

	snprintf(k.dir, sizeof(k.dir), "%s/session/%s", rundir, sid);
	snprintf(path, sizeof(path), "%s/lock", k.dir);
	k.lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (k.lock < 0 || fcntl(k.lock, F_OFD_SETLK, &lock) < 0)
		exit(1);
	snprintf(un.sun_path, sizeof(un.sun_path), "%.90s/ctl", k.dir);
	k.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(k.listener, (const struct sockaddr *)&un, sizeof(un)) < 0 || listen(k.listener, 4) < 0)
		exit(1);
}

int main(int argc, char *argv[])
{
	const char *rundir = NULL, *sid = NULL;

	alarm(60);		/* whatever a test forgets */
	for (int i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--rundir"))
			rundir = argv[i + 1];
		if (!strcmp(argv[i], "--sid"))
			sid = argv[i + 1];
	}
	if (!rundir || !sid)
		return 2;
	begin(rundir, sid);
	for (;;) {
		k.conn = accept4(k.listener, NULL, NULL, SOCK_CLOEXEC);
		if (k.conn >= 0)
			serve();
	}
}
