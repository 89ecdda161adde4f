/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/num.h"
#include "base/span.h"
#include "datapath/fuse/front.h"
#include "fuzz/fuzz.h"

/*
 * The front end on a socket that plays /dev/fuse. The input is a row of requests: opcode, node, length, then the arguments;
 * odd ones are completed at once, the others at the end. Promises: each request that reaches the session lies inside its
 * disk in whole blocks, and each one that wants an answer gets one of the right length, once.
 */

#define SIZE (1U << 20)
#define MOST 64U

struct rig {
	int kernel;
	struct sk_disk_front *f;
	struct sk_disk_req *held[MOST];
	unsigned n_held, asked, answered;
	bool hold;
};

static void check(bool good)
{
	if (!good)
		__builtin_trap();
}

static void submit(void *ctx, struct sk_disk_req *req)
{
	struct rig *r = ctx;

	check(req->unit < 2);
	check(req->op == SK_DISK_FLUSH || (req->len && sk_fits(req->off, req->len, SIZE)));
	check(!((req->off | req->len) & (req->unit ? 4095U : 511U)));
	check(!(req->unit && req->op != SK_DISK_READ && req->op != SK_DISK_FLUSH));	/* read-only */
	if (req->op == SK_DISK_READ)
		memset(req->data, 0x5a, req->len);
	if (r->hold && r->n_held < MOST)
		r->held[r->n_held++] = req;
	else
		r->f->ops->complete(r->f, req, 0);
}

static void hear(struct rig *r)
{
	static uint8_t buf[SIZE + 8192];
	struct fuse_out_header h;
	ssize_t n;

	while ((n = recv(r->kernel, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		check((size_t)n >= sizeof(h));
		memcpy(&h, buf, sizeof(h));
		check(h.len == (uint32_t)n && h.error <= 0 && h.unique && h.unique <= r->asked);
		check(!h.error || (size_t)n == sizeof(h));
		r->answered++;
	}
}

static void ask(struct rig *r, struct sk_rd *in)
{
	uint8_t packet[sizeof(struct fuse_in_header) + 8192];
	uint8_t opcode = (uint8_t)sk_get_be(in, 1), node = (uint8_t)sk_get_be(in, 1);
	uint16_t n = (uint16_t)(sk_get_be(in, 2) % 8192);
	struct sk_span args = sk_get(in, SK_MIN((size_t)n, in->left.n));
	struct fuse_in_header h = { .opcode = opcode & 63, .nodeid = node & 3, .unique = ++r->asked,
				    .len = (uint32_t)(sizeof(h) + args.n) };

	r->hold = opcode & 64;
	if (opcode & 128)
		h.len += node;		/* a length that is not true */
	memcpy(packet, &h, sizeof(h));
	if (args.n)
		memcpy(packet + sizeof(h), args.p, args.n);
	if (send(r->kernel, packet, sizeof(h) + args.n, MSG_DONTWAIT) < 0)
		return;
	check(r->f->ops->ready(r->f, NULL) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const struct sk_disk_front_cfg cfg = { .depth = 8, .max_io = 65536, .meminfo = "/dev/null" };
	const struct sk_disk_events ev = { .submit = submit };
	struct sk_disk_info info = { .lun = 1, .size = SIZE, .block_size = 512, .write_cache = true,
				     .discard_granularity = 4096 };
	struct sk_rd in = { { p, n }, false };
	struct rig r = { 0 };
	uint32_t unit;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return 0;
	r.kernel = pair[0];
	r.f = sk_fuse_front_open(pair[1], &cfg, &ev, &r, NULL);
	check(r.f);
	check(r.f->ops->add(r.f, &info, &unit, NULL) == 0);
	info.lun = 2;
	info.block_size = 4096;
	info.read_only = true;
	check(r.f->ops->add(r.f, &info, &unit, NULL) == 0);
	for (unsigned i = 0; i < 200 && in.left.n && !in.short_; i++) {
		ask(&r, &in);
		hear(&r);
	}
	for (unsigned i = 0; i < r.n_held; i++)
		r.f->ops->complete(r.f, r.held[i], i & 1 ? 5 : 0);
	hear(&r);
	check(r.answered <= r.asked && r.f->ops->inflight(r.f) == 0);
	r.f->ops->close(r.f);
	close(r.kernel);
	return 0;
}
