/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Random reads or writes through the engine and the reactor, on one session; one line of results. */

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/num.h"
#include "bench_login.h"
#include "datapath/reactor.h"
#include "scsi/cdb.h"

struct bench {
	/* what is asked for */
	uint64_t lun;
	uint32_t block, depth, seconds, busy_poll_us, stage;
	bool write, sequential;
	enum sk_reactor_kind kind;
	/* what runs */
	struct sk_engine *e;
	struct sk_reactor *r;
	uint8_t *memory;
	uint64_t disk_blocks, lba, rng;
	uint32_t disk_block;
	uint8_t capacity[8];
	uint64_t done, start_us;
	struct rusage start;
	bool running, failed;
};

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void fail(struct bench *b, const char *what)
{
	fprintf(stderr, "engine-bench: %s\n", what);
	b->failed = true;
	sk_reactor_stop(b->r);
}

static void submit_io(struct bench *b, struct sk_task *t)
{
	uint32_t blocks = b->block / b->disk_block;
	uint64_t places = b->disk_blocks / blocks, lba;

	b->rng ^= b->rng << 13;
	b->rng ^= b->rng >> 7;
	b->rng ^= b->rng << 17;
	lba = (b->sequential ? b->lba++ : b->rng) % places * blocks;
	t->lun = b->lun;
	t->attr = 1;
	t->dir = b->write ? SK_DIR_WRITE : SK_DIR_READ;
	t->len = b->block;
	if (b->write)
		sk_cdb_write10(t->cdb, (uint32_t)lba, (uint16_t)blocks, false);
	else
		sk_cdb_read10(t->cdb, (uint32_t)lba, (uint16_t)blocks, false);
	t->iov1 = (struct iovec){ b->memory + (size_t)t->x.index * b->block, b->block };
	t->iov = &t->iov1;
	t->n_iov = 1;
	t->deadline_ms = sk_reactor_now(b->r) + 30000;
	sk_engine_submit(b->e, t);
}

static void submit_capacity(struct bench *b, struct sk_task *t)
{
	sk_cdb_read_capacity10(t->cdb);
	t->lun = b->lun;
	t->dir = SK_DIR_READ;
	t->len = sizeof(b->capacity);
	t->iov1 = (struct iovec){ b->capacity, sizeof(b->capacity) };
	t->iov = &t->iov1;
	t->n_iov = 1;
	t->cookie = 1;
	sk_engine_submit(b->e, t);
}

static void begin(struct bench *b)
{
	b->disk_blocks = sk_be32(b->capacity) + 1ULL;
	b->disk_block = sk_be32(b->capacity + 4);
	if (!b->disk_block || b->block % b->disk_block || b->block / b->disk_block > b->disk_blocks) {
		fail(b, "the block size does not fit the disk");
		return;
	}
	b->running = true;
	b->start_us = now_us();
	getrusage(RUSAGE_SELF, &b->start);
	for (uint32_t i = 0; i < b->depth; i++)
		submit_io(b, sk_engine_task(b->e));
}

static void turn(void *ctx, uint64_t now_ms)
{
	struct bench *b = ctx;
	struct sk_task *t;

	while ((t = sk_engine_next_done(b->e))) {
		bool capacity = t->cookie == 1;
		bool good = t->end == SK_END_STATUS && t->scsi_status == 0 && !t->underflow;

		if (!good && !(capacity && t->scsi_status == 2)) { /* a unit attention at the start is normal */
			fail(b, "a command failed");
			return;
		}
		sk_engine_task_put(b->e, t);
		t = sk_engine_task(b->e);
		if (capacity && !good) {
			submit_capacity(b, t);
		} else if (capacity) {
			sk_engine_task_put(b->e, t);
			begin(b);
		} else {
			b->done++;
			submit_io(b, t);
		}
	}
	if (b->running && now_ms * 1000 >= b->start_us + b->seconds * 1000000ULL)
		sk_reactor_stop(b->r);
}

static uint64_t next_ms(void *ctx)
{
	const struct bench *b = ctx;

	return b->running ? b->start_us / 1000 + b->seconds * 1000ULL : UINT64_MAX;
}

static void lost(void *ctx, const struct sk_err *why)
{
	fail(ctx, why->msg);
}

static double cpu_s(const struct rusage *a, const struct rusage *z)
{
	return (double)(z->ru_utime.tv_sec - a->ru_utime.tv_sec + z->ru_stime.tv_sec - a->ru_stime.tv_sec) +
	       (double)(z->ru_utime.tv_usec - a->ru_utime.tv_usec + z->ru_stime.tv_usec - a->ru_stime.tv_usec) /
		       1e6;
}

static void report(const struct bench *b)
{
	double s = (double)(now_us() - b->start_us) / 1e6, n = b->done ? (double)b->done : 1;
	const struct sk_engine_stats *es = sk_engine_stats(b->e);
	struct rusage end;

	getrusage(RUSAGE_SELF, &end);
	printf("reactor=%s iops=%.0f mb_s=%.1f cpu_us=%.3f rx_pdus_per_call=%.1f tx_pdus_per_call=%.1f\n",
	       sk_reactor_name(b->r), n / s, n * b->block / s / 1e6, cpu_s(&b->start, &end) * 1e6 / n,
	       (double)es->rx_pdus / (double)SK_MAX(es->rx_calls, 1ULL),
	       (double)es->tx_pdus / (double)SK_MAX(es->tx_calls, 1ULL));
}

static int run(struct bench *b, const struct bench_login *login, struct sk_err *err)
{
	struct sk_reactor_cfg rc = { .kind = b->kind, .busy_poll_us = b->busy_poll_us, .ctx = b, .turn = turn,
				     .next_ms = next_ms, .lost = lost };
	struct sk_engine_cfg ec = { .max_tasks = b->depth, .stage_bytes = b->stage };
	struct sk_params par;
	int fd = bench_login(login, &par, err);

	if (fd < 0)
		return -1;
	b->memory = calloc(b->depth, b->block);
	b->e = sk_engine_new(&ec, &par, err);
	b->r = sk_reactor_new(&rc, err);
	if (!b->memory || !b->e || !b->r || sk_reactor_attach(b->r, b->e, fd, err) < 0)
		return -1;
	submit_capacity(b, sk_engine_task(b->e));
	if (sk_reactor_run(b->r, err) < 0)
		return -1;
	if (b->running && !b->failed)
		report(b);
	return b->failed ? -1 : 0;
}

static void usage(void)
{
	fprintf(stderr,
		"usage: engine-bench --port N --target NAME [--host A] [--lun N] [--block BYTES] [--depth N]\n"
		"          [--time S] [--write] [--sequential] [--digests] [--unsolicited]\n"
		"          [--reactor epoll|uring] [--busy-poll US] [--stage BYTES]\n");
	exit(2);
}

static uint32_t number(const char *s)
{
	uint64_t v;

	if (!sk_num_u64(s, strlen(s), 0, 1U << 30, &v))
		usage();
	return (uint32_t)v;
}

int main(int argc, char **argv)
{
	static const struct option opts[] = {
		{ "host", 1, NULL, 'h' },    { "port", 1, NULL, 'p' },	  { "target", 1, NULL, 't' },
		{ "lun", 1, NULL, 'l' },     { "block", 1, NULL, 'b' },	  { "depth", 1, NULL, 'd' },
		{ "time", 1, NULL, 's' },    { "write", 0, NULL, 'w' },	  { "sequential", 0, NULL, 'q' },
		{ "digests", 0, NULL, 'D' }, { "reactor", 1, NULL, 'r' }, { "busy-poll", 1, NULL, 'B' },
		{ "unsolicited", 0, NULL, 'u' }, { "stage", 1, NULL, 'S' }, { NULL, 0, NULL, 0 },
	};
	struct bench_login login = { .host = "127.0.0.1" };
	struct bench b = { .block = 4096, .depth = 32, .seconds = 3, .kind = SK_REACTOR_EPOLL,
			   .rng = 0x9e3779b97f4a7c15ULL };
	struct sk_err err = { 0 };
	int o, res;

	while ((o = getopt_long(argc, argv, "", opts, NULL)) != -1)
		switch (o) {
		case 'h':
			login.host = optarg;
			break;
		case 'p':
			login.port = (uint16_t)number(optarg);
			break;
		case 't':
			login.target = optarg;
			break;
		case 'l':
			b.lun = (uint64_t)(number(optarg) & 0xff) << 48;
			break;
		case 'b':
			b.block = number(optarg);
			break;
		case 'd':
			b.depth = number(optarg);
			break;
		case 's':
			b.seconds = number(optarg);
			break;
		case 'w':
			b.write = true;
			break;
		case 'q':
			b.sequential = true;
			break;
		case 'D':
			login.digests = true;
			break;
		case 'u':
			login.unsolicited = true;
			break;
		case 'r':
			b.kind = strcmp(optarg, "uring") ? SK_REACTOR_EPOLL : SK_REACTOR_URING;
			break;
		case 'S':
			b.stage = number(optarg);
			break;
		case 'B':
			b.busy_poll_us = number(optarg);
			break;
		default:
			usage();
		}
	if (!login.target || !login.port || !b.depth || b.block < 512)
		usage();
	res = run(&b, &login, &err);
	if (res < 0 && err.msg[0])
		fprintf(stderr, "engine-bench: %s\n", err.msg);
	sk_reactor_free(b.r);
	sk_engine_free(b.e);
	free(b.memory);
	return res < 0 ? 1 : 0;
}
