/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The same workloads through libiscsi's public interface, for what its own iscsi-perf cannot do: writes. Nothing is
 * done here that costs libiscsi anything: poll, iscsi_service, a new command for each one that ends.
 */

#include <getopt.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>

#include "base/num.h"

struct bench {
	struct iscsi_context *is;
	int lun;
	uint32_t block, disk_block;
	uint64_t places, rng, done;
	unsigned char *memory;
	bool write, stop, failed;
	uint32_t under_way;
};

static void submit(struct bench *b, unsigned char *buf);

struct slot {
	struct bench *b;
	unsigned char *buf;
};

static void ended(struct iscsi_context *is, int status, void *data, void *private)
{
	struct slot *s = private;
	struct bench *b = s->b;

	(void)is;
	scsi_free_scsi_task(data);
	b->under_way--;
	if (status != SCSI_STATUS_GOOD)
		b->failed = true;
	b->done++;
	if (!b->stop && !b->failed)
		submit(b, s->buf);
	free(s);
}

static void submit(struct bench *b, unsigned char *buf)
{
	struct slot *s = malloc(sizeof(*s));
	struct scsi_task *task;
	uint32_t lba;

	if (!s)
		abort();
	*s = (struct slot){ b, buf };
	b->rng ^= b->rng << 13;
	b->rng ^= b->rng >> 7;
	b->rng ^= b->rng << 17;
	lba = (uint32_t)(b->rng % b->places * (b->block / b->disk_block));
	if (b->write) {
		task = iscsi_write10_task(b->is, b->lun, lba, buf, b->block, (int)b->disk_block, 0, 0, 0, 0, 0,
					  ended, s);
	} else {
		task = iscsi_read10_task(b->is, b->lun, lba, b->block, (int)b->disk_block, 0, 0, 0, 0, 0, ended, s);
		if (task)
			scsi_task_add_data_in_buffer(task, (int)b->block, buf);
	}
	b->failed |= !task;
	b->under_way++;
}

static int size_of_disk(struct bench *b)
{
	for (int i = 0; i < 5; i++) { /* the first may meet a unit attention */
		struct scsi_task *task = iscsi_readcapacity10_sync(b->is, b->lun, 0, 0);
		struct scsi_readcapacity10 *rc =
			task && task->status == SCSI_STATUS_GOOD ? scsi_datain_unmarshall(task) : NULL;

		if (rc) {
			b->disk_block = rc->block_size;
			b->places = (rc->lba + 1ULL) / (b->block / rc->block_size);
		}
		if (task)
			scsi_free_scsi_task(task);
		if (b->places)
			return 0;
	}
	return -1;
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double cpu(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void turn(struct bench *b)
{
	struct pollfd p = { .fd = iscsi_get_fd(b->is), .events = (short)iscsi_which_events(b->is) };

	if (poll(&p, 1, 1000) < 0 || iscsi_service(b->is, p.revents) < 0)
		b->failed = true;
}

static void run(struct bench *b, uint32_t depth, uint32_t time_s)
{
	double start = seconds(), cpu0 = cpu(), t;

	for (uint32_t i = 0; i < depth; i++)
		submit(b, b->memory + (size_t)i * b->block);
	while (!b->failed && seconds() < start + time_s)
		turn(b);
	t = seconds() - start;
	if (!b->failed)
		printf("iops=%.0f mb_s=%.1f cpu_us=%.3f\n", (double)b->done / t,
		       (double)b->done * b->block / t / 1e6,
		       (cpu() - cpu0) * 1e6 / (double)SK_MAX(b->done, (uint64_t)1));
	b->stop = true;
	while (!b->failed && b->under_way)
		turn(b);
}

int main(int argc, char **argv)
{
	static const struct option opts[] = { { "port", 1, NULL, 0 },  { "target", 1, NULL, 1 },
					      { "lun", 1, NULL, 2 },   { "block", 1, NULL, 3 },
					      { "depth", 1, NULL, 4 }, { "time", 1, NULL, 5 },
					      { "write", 0, NULL, 6 }, { "header-digest", 0, NULL, 7 },
					      { NULL, 0, NULL, 0 } };
	uint64_t v[8] = { 0, 0, 0, 4096, 32, 3, 0, 0 };
	struct bench b = { .rng = 0x9e3779b97f4a7c15ULL };
	const char *target = NULL;
	char portal[64];
	int o;

	while ((o = getopt_long(argc, argv, "", opts, NULL)) != -1)
		if (o == 1)
			target = optarg;
		else if (o < 0 || o > 7)
			return 2;
		else if (o >= 6)
			v[o] = 1;
		else if (!sk_num_u64(optarg, strlen(optarg), 0, 1U << 30, &v[o]))
			return 2;
	b.is = iscsi_create_context("iqn.2026-01.example:siskin-bench-peer");
	b.lun = (int)v[2];
	b.block = (uint32_t)v[3];
	b.write = v[6];
	b.memory = calloc(v[4], b.block);
	if (!b.is || !b.memory || !target || b.block < 512)
		return 2;
	snprintf(portal, sizeof(portal), "127.0.0.1:%u", (unsigned)v[0]);
	iscsi_set_targetname(b.is, target);
	iscsi_set_session_type(b.is, ISCSI_SESSION_NORMAL);
	iscsi_set_header_digest(b.is, v[7] ? ISCSI_HEADER_DIGEST_CRC32C : ISCSI_HEADER_DIGEST_NONE);
	if (iscsi_full_connect_sync(b.is, portal, b.lun) < 0 || size_of_disk(&b) < 0) {
		fprintf(stderr, "peer-libiscsi: %s\n", iscsi_get_error(b.is));
		return 1;
	}
	run(&b, (uint32_t)v[4], (uint32_t)v[5]);
	iscsi_destroy_context(b.is);
	free(b.memory);
	return b.failed;
}
