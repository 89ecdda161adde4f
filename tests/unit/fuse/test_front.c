/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The FUSE front end over a socket that plays /dev/fuse: one packet a request, one an answer. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "datapath/fuse/front.h"
#include "datapath/fuse/spare.h"
#include "datapath/fuse/wire.h"

#define DEPTH 4
#define MAX_IO (1U << 20)

struct rig {
	int kernel;
	struct sk_disk_front *f;
	struct sk_disk_req *reqs[16];
	unsigned n_reqs;
	uint64_t unique;
	uint8_t buf[MAX_IO + 8192];
	struct fuse_out_header out;
	const uint8_t *body;
};

static void submit(void *ctx, struct sk_disk_req *req)
{
	struct rig *r = ctx;

	r->reqs[r->n_reqs++] = req;
}

static const struct sk_disk_front_cfg cfg = { .depth = DEPTH, .max_io = MAX_IO };

static int setup(void **st)
{
	const struct sk_disk_events ev = { .submit = submit };
	const int big = 4 << 20;
	struct rig *r = calloc(1, sizeof(*r));
	int pair[2];

	if (!r || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	for (int i = 0; i < 2; i++)
		(void)setsockopt(pair[i], SOL_SOCKET, SO_SNDBUFFORCE, &big, sizeof(big));
	r->kernel = pair[0];
	(void)fcntl(r->kernel, F_SETFL, O_NONBLOCK);
	r->f = sk_fuse_front_open(pair[1], &cfg, &ev, r, NULL);
	*st = r;
	return r->f ? 0 : -1;
}

static int teardown(void **st)
{
	struct rig *r = *st;

	r->f->ops->close(r->f);
	close(r->kernel);
	free(r);
	return 0;
}

static void ask(struct rig *r, uint32_t opcode, uint64_t node, const void *args, size_t n, const void *data, size_t n_data)
{
	struct fuse_in_header h = { .len = (uint32_t)(sizeof(h) + n + n_data), .opcode = opcode, .unique = ++r->unique,
				    .nodeid = node };
	struct iovec iov[3] = { { &h, sizeof(h) }, { (void *)(uintptr_t)args, n }, { (void *)(uintptr_t)data, n_data } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 3 };

	assert_int_equal(sendmsg(r->kernel, &m, 0), h.len);
	assert_int_equal(r->f->ops->ready(r->f, NULL), 0);
}

/* The answer's error, 1 when there is none yet */
static int heard(struct rig *r)
{
	ssize_t n = recv(r->kernel, r->buf, sizeof(r->buf), 0);

	if (n < 0)
		return 1;
	memcpy(&r->out, r->buf, sizeof(r->out));
	assert_int_equal(r->out.len, n);
	r->body = r->buf + sizeof(r->out);
	return r->out.error;
}

static int call(struct rig *r, uint32_t opcode, uint64_t node, const void *args, size_t n)
{
	int error;

	ask(r, opcode, node, args, n, NULL, 0);
	error = heard(r);
	if (error <= 0)
		assert_int_equal(r->out.unique, r->unique);
	return error;
}

static uint64_t disk(struct rig *r, uint64_t lun, uint32_t block, bool ro)
{
	const struct sk_disk_info info = { .lun = lun, .size = 1 << 20, .block_size = block, .read_only = ro,
					   .write_cache = true, .discard_granularity = lun == 1 ? 4096 : 0 };
	uint32_t unit;

	assert_int_equal(r->f->ops->add(r->f, &info, &unit, NULL), 0);
	return unit + 2;
}

static void the_protocol_is_settled(void **st)
{
	struct rig *r = *st;
	struct fuse_init_in in = { .major = 7, .minor = 38, .max_readahead = 131072, .flags = UINT32_MAX };
	struct fuse_init_out out;

	assert_int_equal(call(r, FUSE_INIT, 0, &in, sizeof(in)), 0);
	memcpy(&out, r->body, sizeof(out));
	assert_int_equal(out.major, 7);
	assert_int_equal(out.max_write, MAX_IO);
	assert_int_equal(out.max_pages, 256);
	assert_true(out.flags & FUSE_ASYNC_DIO && out.flags & FUSE_MAX_PAGES && !(out.flags & FUSE_WRITEBACK_CACHE));
	in.minor = 20;
	assert_int_equal(call(r, FUSE_INIT, 0, &in, sizeof(in)), -EPROTO);
}

static void files_are_there(void **st)
{
	struct rig *r = *st;
	uint64_t node = disk(r, 12, 512, false), ro = disk(r, 13, 4096, true);
	struct fuse_entry_out e;
	struct fuse_attr_out a;
	struct fuse_open_in open = { .flags = O_RDWR };
	struct fuse_open_out o;
	struct fuse_read_in rd = { .size = 4096 };

	assert_int_equal(call(r, FUSE_LOOKUP, 1, "lun-12", 7), 0);
	memcpy(&e, r->body, sizeof(e));
	assert_int_equal(e.nodeid, node);
	assert_int_equal(e.attr.mode, S_IFREG | 0600);
	assert_int_equal(call(r, FUSE_LOOKUP, 1, "lun-1", 6), -ENOENT);
	assert_int_equal(call(r, FUSE_LOOKUP, 1, "lun-123", 8), -ENOENT);
	assert_int_equal(call(r, FUSE_GETATTR, ro, (uint8_t[16]){ 0 }, 16), 0);
	memcpy(&a, r->body, sizeof(a));
	assert_int_equal(a.attr.size, 1 << 20);
	assert_int_equal(a.attr.mode, S_IFREG | 0400);
	assert_int_equal(a.attr_valid, 0);
	assert_int_equal(call(r, FUSE_OPEN, node, &open, sizeof(open)), 0);
	memcpy(&o, r->body, sizeof(o));
	assert_true(o.open_flags & FOPEN_DIRECT_IO);
	assert_int_equal(call(r, FUSE_OPEN, ro, &open, sizeof(open)), -EROFS);
	assert_int_equal(call(r, FUSE_OPEN, 99, &open, sizeof(open)), -ENOENT);
	assert_int_equal(call(r, FUSE_READDIR, 1, &rd, sizeof(rd)), 0);
	assert_non_null(memmem(r->body, r->out.len, "lun-12", 6));
	assert_non_null(memmem(r->body, r->out.len, "lun-13", 6));
	rd.size = 60;			/* only a part fits */
	assert_int_equal(call(r, FUSE_READDIR, 1, &rd, sizeof(rd)), 0);
	assert_true(r->out.len <= 60 + sizeof(r->out));
	assert_int_equal(call(r, FUSE_GETXATTR, node, (uint8_t[16]){ 0 }, 16), -ENOSYS);
}

static void reads_are_widened_to_blocks_and_cut_to_what_was_asked(void **st)
{
	struct rig *r = *st;
	uint64_t node = disk(r, 1, 512, false);
	struct fuse_read_in rd = { .offset = 700, .size = 1000 };

	assert_int_equal(call(r, FUSE_READ, node, &rd, sizeof(rd)), 1);
	assert_int_equal(r->n_reqs, 1);
	assert_int_equal(r->reqs[0]->off, 512);
	assert_int_equal(r->reqs[0]->len, 1536);
	for (unsigned i = 0; i < 1536; i++)
		r->reqs[0]->data[i] = (uint8_t)(i + 512);
	r->f->ops->complete(r->f, r->reqs[0], 0);
	assert_int_equal(heard(r), 0);
	assert_int_equal(r->out.len, sizeof(r->out) + 1000);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(r->body[i], (uint8_t)(i + 700));
	rd.offset = (1 << 20) - 100;
	assert_int_equal(call(r, FUSE_READ, node, &rd, sizeof(rd)), 1);
	assert_int_equal(r->reqs[1]->off + r->reqs[1]->len, 1 << 20);
	r->f->ops->complete(r->f, r->reqs[1], EIO);
	assert_int_equal(heard(r), -EIO);
	rd.offset = 1 << 20;
	assert_int_equal(call(r, FUSE_READ, node, &rd, sizeof(rd)), 0);
	assert_int_equal(r->out.len, sizeof(r->out));
	rd.offset = UINT64_MAX - 4;
	assert_int_equal(call(r, FUSE_READ, node, &rd, sizeof(rd)), 0);
}

static int write_at(struct rig *r, uint64_t node, uint64_t off, uint32_t len, uint32_t flags)
{
	static uint8_t data[MAX_IO];
	struct fuse_write_in w = { .offset = off, .size = len, .flags = flags };

	memset(data, (int)(off >> 9), len);
	ask(r, FUSE_WRITE, node, &w, sizeof(w), data, len);
	return heard(r);
}

static void writes_land_aligned_and_whole_blocks_only(void **st)
{
	struct rig *r = *st;
	uint64_t node = disk(r, 1, 512, false), ro = disk(r, 2, 512, true);
	struct fuse_write_out w;

	assert_int_equal(write_at(r, node, 1024, 4096, O_DSYNC), 1);
	assert_int_equal(r->reqs[0]->op, SK_DISK_WRITE);
	assert_true(r->reqs[0]->fua);
	assert_int_equal((uintptr_t)r->reqs[0]->data % 4096, 0);
	assert_int_equal(r->reqs[0]->data[4095], 2);
	r->f->ops->complete(r->f, r->reqs[0], 0);
	assert_int_equal(heard(r), 0);
	memcpy(&w, r->body, sizeof(w));
	assert_int_equal(w.size, 4096);
	assert_int_equal(write_at(r, node, 100, 512, 0), -EINVAL);
	assert_int_equal(write_at(r, node, 512, 100, 0), -EINVAL);
	assert_int_equal(write_at(r, node, 1 << 20, 512, 0), -ENOSPC);
	assert_int_equal(write_at(r, ro, 0, 512, 0), -EROFS);
	assert_int_equal(write_at(r, node, (1 << 20) - 512, 512, 0), 1);
	r->f->ops->complete(r->f, r->reqs[1], ENOSPC);
	assert_int_equal(heard(r), -ENOSPC);
}

/* The kernel's loop device does not look at how much of a write was done. */
static void a_write_over_the_end_of_a_shrunk_disk_is_refused_whole(void **st)
{
	struct rig *r = *st;
	uint64_t node = disk(r, 1, 512, false);
	struct sk_disk_info small = { .lun = 1, .size = 65536, .block_size = 512, .write_cache = true };
	struct fuse_fallocate_in zero = { .offset = 61440, .length = 8192, .mode = FALLOC_FL_ZERO_RANGE };

	r->f->ops->change(r->f, (uint32_t)node - 2, &small);
	assert_int_equal(write_at(r, node, 61440, 8192, 0), -ENOSPC);
	assert_int_equal(write_at(r, node, UINT64_MAX - 511, 1024, 0), -ENOSPC);
	assert_int_equal(call(r, FUSE_FALLOCATE, node, &zero, sizeof(zero)), -EINVAL);
	assert_int_equal(r->n_reqs, 0);
	assert_int_equal(write_at(r, node, 61440, 4096, 0), 1);
	r->f->ops->complete(r->f, r->reqs[0], 0);
	assert_int_equal(heard(r), 0);
}

static void flush_only_after_writes_fsync_always(void **st)
{
	struct rig *r = *st;
	uint64_t node = disk(r, 1, 512, false);
	struct fuse_fsync_in fs = { 0 };

	assert_int_equal(call(r, FUSE_FLUSH, node, (uint8_t[24]){ 0 }, 24), 0);
	assert_int_equal(write_at(r, node, 0, 512, 0), 1);
	r->f->ops->complete(r->f, r->reqs[0], 0);
	assert_int_equal(heard(r), 0);
	for (unsigned i = 1; i < 3; i++) {
		assert_int_equal(call(r, i == 1 ? FUSE_FLUSH : FUSE_FSYNC, node, &fs, sizeof(fs)), 1);
		assert_int_equal(r->reqs[i]->op, SK_DISK_FLUSH);
		r->f->ops->complete(r->f, r->reqs[i], 0);
		assert_int_equal(heard(r), 0);
	}
}

static void holes_and_zeroes(void **st)
{
	struct rig *r = *st;
	uint64_t thin = disk(r, 1, 512, false), thick = disk(r, 2, 512, false);
	static const struct {
		uint64_t off, len;
		uint32_t mode;
		int thin, thick;
	} rows[] = {
		{ 0, 4096, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1, -EOPNOTSUPP },
		{ 0, 4096, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 1, 1 },
		{ 0, 4096, 0, -EOPNOTSUPP, -EOPNOTSUPP },
		{ 1, 4096, FALLOC_FL_ZERO_RANGE, -EINVAL, -EINVAL },
		{ 1 << 20, 4096, FALLOC_FL_ZERO_RANGE, -EINVAL, -EINVAL },
		{ 512, UINT64_MAX, FALLOC_FL_ZERO_RANGE, -EINVAL, -EINVAL },
		{ 512, (1 << 20) - 512, FALLOC_FL_ZERO_RANGE, 1, 1 },
	};

	for (size_t i = 0; i < SK_ARRAY_LEN(rows); i++) {
		const struct fuse_fallocate_in fa = { .offset = rows[i].off, .length = rows[i].len, .mode = rows[i].mode };

		for (int k = 0; k < 2; k++) {
			r->n_reqs = 0;
			assert_int_equal(call(r, FUSE_FALLOCATE, k ? thick : thin, &fa, sizeof(fa)),
					 k ? rows[i].thick : rows[i].thin);
			if (!r->n_reqs)
				continue;
			assert_true(r->reqs[0]->off + r->reqs[0]->len <= 1 << 20);
			r->f->ops->complete(r->f, r->reqs[0], 0);
			assert_int_equal(heard(r), 0);
		}
	}
}

static void depth_is_the_number_of_requests_taken(void **st)
{
	struct rig *r = *st;
	uint64_t node = disk(r, 1, 512, false);
	struct fuse_read_in rd = { .size = 512 };

	for (unsigned i = 0; i < DEPTH + 2; i++)
		ask(r, FUSE_READ, node, &rd, sizeof(rd), NULL, 0);
	assert_int_equal(r->n_reqs, DEPTH);
	assert_false(r->f->ops->wants(r->f));
	assert_int_equal(r->f->ops->inflight(r->f), DEPTH);
	r->f->ops->complete(r->f, r->reqs[2], 0);	/* in any order */
	assert_int_equal(heard(r), 0);
	assert_int_equal(r->out.unique, 3);
	assert_int_equal(r->f->ops->ready(r->f, NULL), 0);
	assert_int_equal(r->n_reqs, DEPTH + 1);
	for (unsigned i = 0; i < DEPTH + 1; i++)
		if (i != 2)
			r->f->ops->complete(r->f, r->reqs[i], 0);
	assert_int_equal(r->f->ops->ready(r->f, NULL), 0);
	r->f->ops->complete(r->f, r->reqs[DEPTH + 1], 0);
	assert_int_equal(r->f->ops->inflight(r->f), 0);
}

static void a_disk_that_is_gone_fails_and_its_name_is_free(void **st)
{
	struct rig *r = *st;
	uint64_t node = disk(r, 1, 512, false), next;
	struct fuse_read_in rd = { .size = 512 };
	struct sk_disk_info info = { .lun = 1, .size = 512, .block_size = 512 };
	uint32_t unit;

	assert_int_equal(r->f->ops->add(r->f, &info, &unit, NULL), -1);
	r->f->ops->state(r->f, (uint32_t)node - 2, SK_DISK_GONE);
	assert_int_equal(call(r, FUSE_READ, node, &rd, sizeof(rd)), -EIO);
	assert_int_equal(call(r, FUSE_LOOKUP, 1, "lun-1", 6), -ENOENT);
	next = disk(r, 1, 512, false);
	assert_int_not_equal(next, node);
	info.size = 1024;
	r->f->ops->change(r->f, (uint32_t)next - 2, &info);
	rd.offset = 512;
	assert_int_equal(call(r, FUSE_READ, next, &rd, sizeof(rd)), 1);
	r->f->ops->complete(r->f, r->reqs[0], 0);
}

static void nonsense_is_answered_or_ignored(void **st)
{
	struct rig *r = *st;
	uint64_t node = disk(r, 1, 512, false);
	struct fuse_write_in w = { .size = 4096 };

	ask(r, FUSE_WRITE, node, &w, sizeof(w), "short", 5);
	assert_int_equal(heard(r), -EINVAL);
	assert_int_equal(call(r, FUSE_READ, node, "x", 1), -EINVAL);
	assert_int_equal(call(r, FUSE_LOOKUP, 1, "lun-1", 5), -EINVAL);
	ask(r, FUSE_FORGET, node, (uint8_t[8]){ 0 }, 8, NULL, 0);
	assert_int_equal(heard(r), 1);
	assert_int_equal(send(r->kernel, "tiny", 4, 0), 4);
	assert_int_equal(r->f->ops->ready(r->f, NULL), 0);
	assert_int_equal(heard(r), 1);
	assert_int_equal(r->n_reqs, 0);
}

static void the_end_of_the_mount_is_told(void **st)
{
	struct rig *r = *st;
	struct sk_err err;

	shutdown(r->kernel, SHUT_RDWR);
	assert_int_equal(r->f->ops->ready(r->f, &err), -1);
	assert_int_equal(err.code, SK_ENOTCONN);
}

static void meminfo_is_read(void **st)
{
	static const struct {
		const char *text;
		bool told;
		uint64_t bytes;
	} rows[] = {
		{ "MemTotal: 9 kB\nMemAvailable:    1000 kB\nDirty: 100 kB\nWriteback:  50 kB\n", true, 850 << 10 },
		{ "MemAvailable: 1 kB\nDirty: 100 kB\nWriteback: 0 kB", true, 0 },
		{ "MemAvailable: 1 kB\nDirty: 18014398509481983 kB\nWriteback: 18014398509481983 kB", true, 0 },
		{ "MemAvailable: 1 kB\nDirty: 99999999999999999999 kB\nWriteback: 0 kB", false, 0 },
		{ "MemAvailable: 1 kB\nDirty: 100 kB\n", false, 0 },
		{ "MemAvailable:", false, 0 },
		{ "xMemAvailable: 1 kB\nDirty: 0\nWriteback: 0\n", false, 0 },
		{ "", false, 0 },
	};

	(void)st;
	for (size_t i = 0; i < SK_ARRAY_LEN(rows); i++) {
		uint64_t bytes = 7;

		assert_int_equal(sk_spare_parse(sk_span(rows[i].text, strlen(rows[i].text)), &bytes), rows[i].told);
		assert_int_equal(bytes, rows[i].told ? rows[i].bytes : 7);
	}
}

/* A machine without spare memory gets along with the reserve; with some, as many requests run as were asked for. */
static void requests_in_need_of_memory_wait_for_those_that_have_it(void **st)
{
	char path[40];
	struct sk_disk_front_cfg c = { .depth = 16, .max_io = 65536, .meminfo = path };
	const struct sk_disk_events ev = { .submit = submit };
	const char *text[] = { "MemAvailable: 1000 kB\nDirty: 0 kB\nWriteback: 0 kB\n",
			       "MemAvailable: 900000 kB\nDirty: 800000 kB\nWriteback: 90000 kB\n",
			       "MemAvailable: 900000 kB\nDirty: 0 kB\nWriteback: 0 kB\n", };
	const unsigned most[] = { 4, 4, 16 };

	(void)st;
	for (size_t k = 0; k < SK_ARRAY_LEN(text); k++) {
		struct fuse_read_in in = { .size = 4096 };
		struct rig r = { 0 };
		uint64_t node;
		int pair[2], fd;

		fd = memfd_create("meminfo", MFD_CLOEXEC);
		assert_int_equal(write(fd, text[k], strlen(text[k])), strlen(text[k]));
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
		r.kernel = pair[0];
		(void)fcntl(r.kernel, F_SETFL, O_NONBLOCK);
		r.f = sk_fuse_front_open(pair[1], &c, &ev, &r, NULL);
		assert_non_null(r.f);
		node = disk(&r, 1, 512, false);
		for (unsigned i = 0; i < 16; i++)
			ask(&r, FUSE_READ, node, &in, sizeof(in), NULL, 0);
		assert_int_equal(r.n_reqs, most[k]);
		assert_int_equal(r.f->ops->wants(r.f), false);
		while (r.n_reqs) {	/* those that waited have their turn */
			r.f->ops->complete(r.f, r.reqs[--r.n_reqs], 0);
			assert_int_equal(heard(&r), 0);
			assert_int_equal(r.f->ops->ready(r.f, NULL), 0);
		}
		assert_int_equal(r.f->ops->inflight(r.f), 0);
		r.f->ops->close(r.f);
		close(r.kernel);
		close(fd);
	}
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(meminfo_is_read),
		cmocka_unit_test(requests_in_need_of_memory_wait_for_those_that_have_it),
		T(the_protocol_is_settled),
		T(files_are_there),
		T(reads_are_widened_to_blocks_and_cut_to_what_was_asked),
		T(writes_land_aligned_and_whole_blocks_only),
		T(a_write_over_the_end_of_a_shrunk_disk_is_refused_whole),
		T(flush_only_after_writes_fsync_always),
		T(holes_and_zeroes),
		T(depth_is_the_number_of_requests_taken),
		T(a_disk_that_is_gone_fails_and_its_name_is_free),
		T(nonsense_is_answered_or_ignored),
		T(the_end_of_the_mount_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
