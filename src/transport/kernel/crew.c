/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transport/kernel/crew.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

#define STACK	    (256 << 10)
#define ERRANDS_MAX 64
#define LINGER_S    2 /* a thread without an errand waits so long for another one */
#define LEAVE_S	    5

struct queue {
	struct sk_chore *first, **last;
};

struct sk_crew {
	pthread_mutex_t lock;
	pthread_cond_t some, idle;	/* orders to do; nothing is under way any more */
	pthread_cond_t errand;		/* for threads that linger */
	unsigned errands_waiting, lingering;
	struct queue orders, errands, finished;
	unsigned errands_running, running;	/* threads on errands; chores and the order thread itself */
	bool closing;
	int efd;
	struct sk_watch *watch;
	void (*before)(void *ctx);
	void *ctx;
};

static void push(struct queue *q, struct sk_chore *c)
{
	c->next = NULL;
	*q->last = c;
	q->last = &c->next;
}

static struct sk_chore *pop(struct queue *q)
{
	struct sk_chore *c = q->first;

	if (!c)
		return NULL;
	q->first = c->next;
	if (!q->first)
		q->last = &q->first;
	return c;
}

static struct sk_chore *take_all(struct queue *q)
{
	struct sk_chore *c = q->first;

	q->first = NULL;
	q->last = &q->first;
	return c;
}

/* With the lock held. */
static void finish(struct sk_crew *crew, struct sk_chore *c)
{
	uint64_t one = 1;

	push(&crew->finished, c);
	if (write(crew->efd, &one, sizeof(one)) < 0) /* full: then it is readable already */
		return;
}

static void *order_thread(void *ctx)
{
	struct sk_crew *crew = ctx;
	struct sk_chore *c;

	pthread_mutex_lock(&crew->lock);
	for (;;) {
		while (!(c = pop(&crew->orders)) && !crew->closing)
			pthread_cond_wait(&crew->some, &crew->lock);
		if (!c)
			break;
		pthread_mutex_unlock(&crew->lock);
		c->work(c);
		pthread_mutex_lock(&crew->lock);
		finish(crew, c);
	}
	crew->running--;
	pthread_cond_broadcast(&crew->idle);
	pthread_mutex_unlock(&crew->lock);
	return NULL;
}

/* A thread that hangs in the kernel cannot even be killed, and would keep whatever the process had open: sockets and locks
 * that the next iscsid needs. So it has a table of descriptors of its own, with nothing of the daemon in it. */
static void let_go_of_descriptors(int but)
{
	if (unshare(CLONE_FILES) < 0 || but <= STDERR_FILENO)
		return;
	if (but > STDERR_FILENO + 1)
		(void)close_range(STDERR_FILENO + 1, (unsigned)but - 1, 0);
	(void)close_range((unsigned)but + 1, ~0U, 0);
}

static struct sk_chore *pop_errand(struct sk_crew *crew)
{
	struct sk_chore *c = pop(&crew->errands);

	crew->errands_waiting -= c != NULL;
	return c;
}

/* The next errand; NULL when none came for a while. With the lock held. */
static struct sk_chore *next_errand(struct sk_crew *crew)
{
	struct sk_chore *c = pop_errand(crew);
	struct timespec until;
	int rc = 0;

	if (c)
		return c;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += LINGER_S;
	crew->lingering++;
	while (!(c = pop_errand(crew)) && !crew->closing && rc == 0)
		rc = pthread_cond_timedwait(&crew->errand, &crew->lock, &until);
	crew->lingering--;
	return c;
}

/* The C library keeps the stack for the next thread, and gives its pages back only when they are not locked. */
static void unlock_stack(void)
{
	pthread_attr_t attr;
	void *at;
	size_t n;

	if (pthread_getattr_np(pthread_self(), &attr) != 0)
		return;
	if (pthread_attr_getstack(&attr, &at, &n) == 0)
		(void)munlock(at, n);
	pthread_attr_destroy(&attr);
}

static void *errand_thread(void *ctx)
{
	struct sk_crew *crew = ctx;
	struct sk_chore *c;

	let_go_of_descriptors(crew->efd);
	pthread_mutex_lock(&crew->lock);
	while ((c = next_errand(crew))) {
		pthread_mutex_unlock(&crew->lock);
		c->work(c);
		pthread_mutex_lock(&crew->lock);
		finish(crew, c);
	}
	crew->errands_running--;
	crew->running--;
	pthread_cond_broadcast(&crew->idle);
	pthread_mutex_unlock(&crew->lock);
	unlock_stack();
	return NULL;
}

/* Detached, with every signal blocked: signals are the loop's. */
static int start_thread(void *(*fn)(void *), void *ctx)
{
	pthread_attr_t attr;
	sigset_t all, old;
	pthread_t t;
	int rc;

	pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, STACK);
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&t, &attr, fn, ctx);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return rc;
}

static void tell(struct sk_crew *crew)
{
	struct sk_chore *c, *next;

	pthread_mutex_lock(&crew->lock);
	c = take_all(&crew->finished);
	pthread_mutex_unlock(&crew->lock);
	if (crew->before) /* after the taking: whatever happened before these were finished is heard before them */
		crew->before(crew->ctx);
	for (; c; c = next) {
		next = c->next;
		c->done(c);
	}
}

static void on_finished(void *ctx, unsigned events)
{
	struct sk_crew *crew = ctx;
	uint64_t n;

	(void)events;
	if (read(crew->efd, &n, sizeof(n)) < 0 && errno != EAGAIN)
		return;
	tell(crew);
}

struct sk_crew *sk_crew_new(struct sk_loop *l, void (*before)(void *ctx), void *ctx, struct sk_err *err)
{
	struct sk_crew *crew = calloc(1, sizeof(*crew));
	pthread_condattr_t monotonic;

	if (!crew) {
		sk_fail(err, SK_ENOMEM, "no memory");
		return NULL;
	}
	*crew = (struct sk_crew){ .before = before, .ctx = ctx, .running = 1 };
	pthread_mutex_init(&crew->lock, NULL);
	pthread_cond_init(&crew->some, NULL);
	pthread_cond_init(&crew->idle, NULL);
	pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&crew->errand, &monotonic);
	pthread_condattr_destroy(&monotonic);
	crew->orders.last = &crew->orders.first;
	crew->errands.last = &crew->errands.first;
	crew->finished.last = &crew->finished.first;
	crew->efd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (crew->efd < 0) {
		sk_fail_sys(err, errno, "eventfd");
		goto undo;
	}
	crew->watch = sk_watch_new(l, crew->efd, on_finished, crew, err);
	if (!crew->watch)
		goto undo;
	sk_watch_set(crew->watch, SK_READABLE);
	if (start_thread(order_thread, crew) == 0)
		return crew;
	sk_fail(err, SK_ENOMEM, "no thread for the kernel's commands");
undo:
	sk_watch_free(crew->watch);
	sk_fd_close(&crew->efd);
	free(crew);
	return NULL;
}

void sk_crew_order(struct sk_crew *crew, struct sk_chore *taken)
{
	pthread_mutex_lock(&crew->lock);
	push(&crew->orders, taken);
	pthread_cond_signal(&crew->some);
	pthread_mutex_unlock(&crew->lock);
}

void sk_crew_errand(struct sk_crew *crew, struct sk_chore *taken)
{
	struct sk_chore *c;
	bool more;

	pthread_mutex_lock(&crew->lock);
	push(&crew->errands, taken);
	more = ++crew->errands_waiting > crew->lingering && crew->errands_running < ERRANDS_MAX;
	crew->errands_running += more;
	crew->running += more;
	pthread_cond_signal(&crew->errand);
	pthread_mutex_unlock(&crew->lock);
	if (!more || start_thread(errand_thread, crew) == 0)
		return;
	pthread_mutex_lock(&crew->lock);
	crew->errands_running--;
	crew->running--;
	if (crew->errands_running == 0) { /* nobody would ever come: on the thread there is */
		while ((c = pop_errand(crew)))
			push(&crew->orders, c);
		pthread_cond_signal(&crew->some);
	}
	pthread_mutex_unlock(&crew->lock);
}

void sk_crew_free(struct sk_crew *crew)
{
	struct timespec until;
	bool left;

	if (!crew)
		return;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += LEAVE_S;
	pthread_mutex_lock(&crew->lock);
	crew->closing = true;
	pthread_cond_broadcast(&crew->some);
	pthread_cond_broadcast(&crew->errand);
	while (crew->running && pthread_cond_timedwait(&crew->idle, &crew->lock, &until) == 0)
		continue;
	left = crew->running;
	pthread_mutex_unlock(&crew->lock);
	sk_watch_free(crew->watch);
	crew->watch = NULL;
	crew->before = NULL;
	tell(crew);
	if (left) {
		sk_warning(SK_ROOM_TRANSPORT, "calls still under way in the kernel are left to it");
		return; /* its threads need the crew: the process ends soon */
	}
	close(crew->efd);
	free(crew);
}
