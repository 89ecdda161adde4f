/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "iscsiadm/rescan.h"
#include "sys/control.h"

#define AT_ONCE 32

/** a process at work on session .at; fd -1: none */
struct worker {
	pid_t pid;
	int fd;
	size_t at;
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool reread_one(void *ctx, const struct sk_sys_lun *l)
{
	(void)sk_sys_reread(ctx, l, NULL); /* a device that goes, or knows no sizes, is no failure */
	return true;
}

/** the worker's life: one byte tells how it went, none that it died */
static void work(const struct sk_places *places, const struct sk_sys_session *s, int fd)
{
	struct sk_places copy = *places;
	uint8_t code;

	sk_sys_luns(places, s, SK_SYS_FLAT, reread_one, &copy);
	code = sk_sys_scan(places, s->host, NULL) < 0 ? SK_RES_ERR : 0;
	_exit(write(fd, &code, 1) != 1);
}

static int start(const struct sk_places *places, const struct sk_sys_session *s, struct worker *w)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return SK_RES_ERR;
	w->pid = fork();
	if (w->pid == 0) {
		close(ends[0]);
		work(places, s, ends[1]);
	}
	close(ends[1]);
	if (w->pid < 0) {
		close(ends[0]);
		return SK_RES_NOMEM;
	}
	w->fd = ends[0];
	return 0;
}

static int finish(struct worker *w)
{
	uint8_t code = 0;
	ssize_t n;

	do
		n = read(w->fd, &code, 1);
	while (n < 0 && errno == EINTR);
	sk_fd_close(&w->fd);
	while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	return n == 1 ? code : SK_RES_CHILD_TERMINATED;
}

/** what hangs in the kernel dies when the kernel lets it: nobody waits for it */
static int abandon(struct worker *w)
{
	kill(w->pid, SIGKILL);
	sk_fd_close(&w->fd);
	return SK_RES_AGAIN;
}

void sk_rescan_kernel(const struct sk_places *places, const struct sk_sessions *s, int ms, int *codes)
{
	struct worker workers[AT_ONCE];
	struct pollfd p[AT_ONCE];
	int64_t until = now_ms() + ms;
	size_t next = 0, busy = 0;

	for (size_t i = 0; i < AT_ONCE; i++)
		workers[i].fd = -1;
	while (next < s->n || busy) {
		int64_t left = until - now_ms();

		for (size_t i = 0; i < AT_ONCE; i++) {
			struct worker *w = &workers[i];

			if (w->fd < 0 && next < s->n) {
				w->at = next;
				codes[next] = left > 0 ? start(places, &s->v[next], w) : SK_RES_AGAIN;
				busy += codes[next++] == 0;
			}
			p[i] = (struct pollfd){ .fd = w->fd, .events = POLLIN };
		}
		(void)poll(p, AT_ONCE, left > 0 ? (int)left : 0);
		for (size_t i = 0; i < AT_ONCE; i++) {
			if (workers[i].fd < 0 || (!p[i].revents && left > 0))
				continue;
			codes[workers[i].at] = p[i].revents ? finish(&workers[i]) : abandon(&workers[i]);
			busy--;
		}
	}
}
