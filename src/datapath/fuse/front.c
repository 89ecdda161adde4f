/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "datapath/fuse/front.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "datapath/fuse/spare.h"
#include "datapath/fuse/tree.h"
#include "datapath/fuse/wire.h"

#define BURST 64		/* requests taken per ready() */
#define PAGE 4096U
#define EDGE (2U * 65536U)	/* a read that is not aligned is widened to whole blocks */

/* Memory (a write to this disk may be what is to free some). The first slots are there from the beginning, and enough to
 * go on with; more come one by one as they are needed, while the machine has some to spare, and stay. */
#define RESERVE 4U
#define SPARE (64U << 20)	/* bytes the machine must have left */
#define ASK_EVERY 64U		/* requests until the machine is asked again after a no */

/* A slot holds one request from its arrival to its answer. Its memory is one page, whose end takes the request's head,
 * then the payload: a WRITE's data lands page-aligned, a READ is answered from the same place. */
struct slot {
	struct sk_disk_req req;		/* first: complete() finds the slot by it */
	struct slot *next;
	uint8_t *payload;
	uint64_t unique;
	uint32_t skip, want;		/* READ: what of the widened range was asked for */
};

struct fuse_front {
	struct sk_disk_front head;
	int fd;
	struct sk_disk_front_cfg cfg;
	struct sk_disk_events ev;
	void *ctx;
	struct sk_fuse_tree tree;
	struct slot *slots, *idle;	/* idle: last used first, so that few pages stay warm */
	uint32_t n_busy, n_ready;	/* ready: slots whose memory is there */
	uint32_t ask_in;		/* requests to come before another one is made ready */
	int meminfo;
	uint8_t *mem;
	size_t mem_len;
};

static struct fuse_front *mine(struct sk_disk_front *f)
{
	return (struct fuse_front *)f;
}

static const struct fuse_front *mine_const(const struct sk_disk_front *f)
{
	return (const struct fuse_front *)f;
}

static void answer(struct fuse_front *f, uint64_t unique, int error, const void *p, size_t n)
{
	struct fuse_out_header h = { .unique = unique, .error = -error };
	struct iovec iov[2] = { { &h, sizeof(h) }, { (void *)(uintptr_t)p, error ? 0 : n } };
	ssize_t put;

	h.len = (uint32_t)(sizeof(h) + iov[1].iov_len);
	do
		put = writev(f->fd, iov, iov[1].iov_len ? 2 : 1);
	while (put < 0 && errno == EINTR);
	/* ENOENT: the asker was killed meanwhile. ENODEV: unmounted, which the next read tells too. */
	if (put < 0 && errno != ENOENT && errno != ENODEV)
		sk_warning(SK_ROOM_DATAPATH, "fuse: answer to request %llu: %s", (unsigned long long)unique,
			   strerror(errno));
}

static void slot_put(struct fuse_front *f, struct slot *s)
{
	s->next = f->idle;
	f->idle = s;
	f->n_busy--;
}

static void fuse_complete(struct sk_disk_front *front, struct sk_disk_req *req, int error)
{
	struct fuse_front *f = mine(front);
	struct slot *s = (struct slot *)req;
	struct fuse_write_out wrote = { .size = (uint32_t)req->len };

	switch (req->op) {
	case SK_DISK_READ:
		answer(f, s->unique, error, s->payload + s->skip, s->want);
		break;
	case SK_DISK_WRITE:
		answer(f, s->unique, error, &wrote, sizeof(wrote));
		break;
	default:
		answer(f, s->unique, error, NULL, 0);
		break;
	}
	slot_put(f, s);
}

/* Hand the slot's request to the session. The slot is the session's from here until fuse_complete. */
static void pass_on(struct fuse_front *f, struct slot *s, const struct sk_fuse_req *r, struct sk_disk_req req)
{
	s->unique = r->unique;
	s->req = req;
	f->idle = s->next;
	s->next = NULL;
	f->n_busy++;
	if (f->ask_in > 0)
		f->ask_in--;
	f->ev.submit(f->ctx, &s->req);
}

/* The data requests: each returns 0 when it was passed on or answered, else an errno to answer with. */

static int do_read(struct fuse_front *f, struct slot *s, const struct sk_fuse_req *r, struct sk_fuse_unit *u, uint32_t unit)
{
	uint64_t off = r->in.read.offset, mask = u->info.block_size - 1U, from, to;
	uint64_t want = off < u->info.size ? SK_MIN(u->info.size - off, (uint64_t)r->in.read.size) : 0;

	if (want > f->cfg.max_io)
		return EINVAL;
	if (!want) {
		answer(f, r->unique, 0, NULL, 0);
		return 0;
	}
	from = off & ~mask;
	to = (off + want + mask) & ~mask;
	s->skip = (uint32_t)(off - from);
	s->want = (uint32_t)want;
	pass_on(f, s, r, (struct sk_disk_req){ .op = SK_DISK_READ, .unit = unit, .off = from, .len = to - from,
					      .data = s->payload });
	return 0;
}

static int do_write(struct fuse_front *f, struct slot *s, const struct sk_fuse_req *r, struct sk_fuse_unit *u, uint32_t unit)
{
	uint64_t off = r->in.write.offset, mask = u->info.block_size - 1U;
	uint64_t len = r->data.n;

	if (u->info.read_only)
		return EROFS;
	if (!len)
		return EINVAL;
	/* Never a part of it: a loop device whose disk has shrunk takes a short write for a whole one. */
	if (!sk_fits(off, len, u->info.size))
		return ENOSPC;
	if ((off | len) & mask)		/* reading, changing and writing a block would race with other writers */
		return EINVAL;
	u->written = true;
	pass_on(f, s, r, (struct sk_disk_req){ .op = SK_DISK_WRITE, .unit = unit, .off = off, .len = len,
					      .fua = r->in.write.flags & O_DSYNC, .data = s->payload });
	return 0;
}

static int do_fallocate(struct fuse_front *f, struct slot *s, const struct sk_fuse_req *r, struct sk_fuse_unit *u,
			uint32_t unit)
{
	uint64_t off = r->in.fallocate.offset, len = r->in.fallocate.length, mask = u->info.block_size - 1U;
	uint32_t mode = r->in.fallocate.mode & ~(uint32_t)FALLOC_FL_KEEP_SIZE;

	if (u->info.read_only)
		return EROFS;
	if (mode != FALLOC_FL_PUNCH_HOLE && mode != FALLOC_FL_ZERO_RANGE)
		return EOPNOTSUPP;
	/* A loop device punches a hole for a discard and for a write of zeroes alike. Where that gives nothing back it is
	 * told so: it then stops offering discard, and zeroes are written by whoever wants them. (Not ENOSYS: that would
	 * be the kernel's answer for every disk of the mount from here on.) */
	if (mode == FALLOC_FL_PUNCH_HOLE && !u->info.discard_granularity)
		return EOPNOTSUPP;
	if (!len || !sk_fits(off, len, u->info.size) || (off | len) & mask)
		return EINVAL;
	u->written = true;
	pass_on(f, s, r, (struct sk_disk_req){ .op = mode == FALLOC_FL_PUNCH_HOLE ? SK_DISK_PUNCH : SK_DISK_ZERO,
					      .unit = unit, .off = off, .len = len });
	return 0;
}

/* fsync always flushes; close (FUSE_FLUSH) only when something was written since */
static int do_flush(struct fuse_front *f, struct slot *s, const struct sk_fuse_req *r, struct sk_fuse_unit *u, uint32_t unit)
{
	if (!u->info.write_cache || (r->opcode == FUSE_FLUSH && !u->written)) {
		answer(f, r->unique, 0, NULL, 0);
		return 0;
	}
	u->written = false;
	pass_on(f, s, r, (struct sk_disk_req){ .op = SK_DISK_FLUSH, .unit = unit });
	return 0;
}

typedef int data_fn(struct fuse_front *, struct slot *, const struct sk_fuse_req *, struct sk_fuse_unit *, uint32_t);

static const struct {
	uint32_t opcode;
	data_fn *fn;
} data_ops[] = {
	{ FUSE_READ, do_read },
	{ FUSE_WRITE, do_write },
	{ FUSE_FALLOCATE, do_fallocate },
	{ FUSE_FSYNC, do_flush },
	{ FUSE_FLUSH, do_flush },
};

static int serve_data(struct fuse_front *f, struct slot *s, const struct sk_fuse_req *r, data_fn *fn)
{
	uint32_t unit;
	struct sk_fuse_unit *u = sk_fuse_tree_at(&f->tree, r->nodeid, &unit);

	if (!u)
		return r->nodeid == FUSE_ROOT_ID ? EISDIR : ENOENT;
	if (u->gone)
		return r->opcode == FUSE_FLUSH ? 0 : EIO;
	return fn(f, s, r, u, unit) ?: -1;
}

/* Answers of fixed form: fills @out and *n, or returns an errno. */
static int serve_meta(struct fuse_front *f, const struct sk_fuse_req *r, uint8_t *out, size_t max, size_t *n)
{
	union {
		struct fuse_attr_out attr;
		struct fuse_entry_out entry;
		struct fuse_open_out open;
		struct fuse_statfs_out statfs;
		struct fuse_init_out init;
	} o;
	struct sk_wr list = { .p = out, .left = SK_MIN(max, (size_t)r->in.read.size) };
	struct sk_err err;
	int error = 0;

	memset(&o, 0, sizeof(o));
	*n = 0;
	switch (r->opcode) {
	case FUSE_INIT:
		*n = sizeof(o.init);
		if (sk_fuse_init_answer(&r->in.init, f->cfg.max_io, f->cfg.depth, &o.init, &err) < 0) {
			sk_error(SK_ROOM_DATAPATH, "%s", err.msg);
			error = EPROTO;
		}
		break;
	case FUSE_LOOKUP:
		*n = sizeof(o.entry);
		error = sk_fuse_tree_lookup(&f->tree, r->nodeid, r->data, &o.entry);
		break;
	case FUSE_GETATTR:
	case FUSE_SETATTR:	/* truncation and times are ignored, as block devices do */
		*n = sizeof(o.attr);
		error = r->opcode == FUSE_SETATTR && r->in.setattr.valid & (FATTR_MODE | FATTR_UID | FATTR_GID) ?
			EPERM : sk_fuse_tree_attr(&f->tree, r->nodeid, &o.attr);
		break;
	case FUSE_OPEN:
		*n = sizeof(o.open);
		error = sk_fuse_tree_open(&f->tree, r->nodeid, r->in.open.flags, &o.open);
		break;
	case FUSE_OPENDIR:
		*n = sizeof(o.open);
		break;
	case FUSE_STATFS:
		*n = sizeof(o.statfs);
		error = sk_fuse_tree_statfs(&f->tree, r->nodeid, &o.statfs);
		break;
	case FUSE_READDIR:
		error = sk_fuse_tree_list(&f->tree, r->nodeid, r->in.read.offset, &list);
		*n = list.done;
		return error;
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
	case FUSE_FSYNCDIR:
		break;
	default:		/* INTERRUPT too: the kernel then stops sending it */
		error = ENOSYS;
		break;
	}
	memcpy(out, &o, *n);
	return error;
}

static void serve(struct fuse_front *f, struct slot *s, size_t got)
{
	struct sk_fuse_req r;
	struct sk_err err;
	uint64_t unique;
	size_t n = 0;
	int error;

	if (sk_fuse_get(sk_span(s->payload - SK_FUSE_WRITE_HEAD, got), &r, &unique, &err) < 0) {
		sk_warning(SK_ROOM_DATAPATH, "fuse: %s", err.msg);
		if (unique)
			answer(f, unique, EINVAL, NULL, 0);
		return;
	}
	if (sk_fuse_wants_no_answer(r.opcode))
		return;
	for (size_t i = 0; i < SK_ARRAY_LEN(data_ops); i++) {
		if (data_ops[i].opcode != r.opcode)
			continue;
		error = serve_data(f, s, &r, data_ops[i].fn);
		if (error >= 0)
			answer(f, r.unique, error, NULL, 0);
		return;
	}
	error = serve_meta(f, &r, s->payload + PAGE, f->cfg.max_io, &n);
	answer(f, r.unique, error, s->payload + PAGE, n);
}

static size_t slot_bytes(const struct fuse_front *f)
{
	return PAGE + f->cfg.max_io + EDGE;
}

/* Bring the memory of one more slot in, so that no page fault comes while it serves a request. */
static int slot_make_ready(struct fuse_front *f)
{
	struct slot *s = &f->slots[f->n_ready];
	uint8_t *mem = f->mem + slot_bytes(f) * f->n_ready;

	if (madvise(mem, slot_bytes(f), MADV_POPULATE_WRITE) < 0) {
		if (errno != EINVAL)	/* a kernel before 5.14 */
			return -1;
		for (size_t i = 0; i < slot_bytes(f); i += PAGE)
			*(volatile uint8_t *)(mem + i) = 0;
	}
	s->payload = mem + PAGE;
	s->next = f->idle;
	f->idle = s;
	f->n_ready++;
	return 0;
}

static void grow(struct fuse_front *f)
{
	if (f->idle || f->n_ready == f->cfg.depth || f->ask_in > 0)
		return;
	if (!sk_spare_has(f->meminfo, SPARE + slot_bytes(f)) || slot_make_ready(f) < 0)
		f->ask_in = ASK_EVERY;
}

static int fuse_ready(struct sk_disk_front *front, struct sk_err *err)
{
	struct fuse_front *f = mine(front);

	for (int i = 0; i < BURST && f->idle; i++) {
		struct slot *s = f->idle;
		ssize_t got = read(f->fd, s->payload - SK_FUSE_WRITE_HEAD, SK_FUSE_WRITE_HEAD + f->cfg.max_io);

		if (got > 0)
			serve(f, s, (size_t)got);
		else if (got == 0 || errno == ENODEV)
			return sk_fail(err, SK_ENOTCONN, "the FUSE mount is gone");
		else if (errno == EAGAIN)
			break;
		else if (errno != EINTR && errno != ENOENT)	/* ENOENT: taken back before we read it */
			return sk_fail_sys(err, errno, "read from FUSE");
		grow(f);
	}
	return 0;
}

static int fuse_add(struct sk_disk_front *front, const struct sk_disk_info *info, uint32_t *ret_unit, struct sk_err *err)
{
	if (info->block_size < 512 || info->block_size > 65536 || info->block_size & (info->block_size - 1) ||
	    info->size % info->block_size)
		return sk_fail(err, SK_ENOTSUP, "blocks of %u bytes", info->block_size);
	return sk_fuse_tree_add(&mine(front)->tree, info, ret_unit, err);
}

static void fuse_change(struct sk_disk_front *front, uint32_t unit, const struct sk_disk_info *info)
{
	struct fuse_front *f = mine(front);

	if (unit < f->tree.n)
		f->tree.units[unit]->info = *info;
}

static void fuse_state(struct sk_disk_front *front, uint32_t unit, enum sk_disk_state state)
{
	struct fuse_front *f = mine(front);

	if (unit < f->tree.n)
		f->tree.units[unit]->gone = state == SK_DISK_GONE;
}

static int fuse_fd(const struct sk_disk_front *front)
{
	return mine_const(front)->fd;
}

static bool fuse_wants(const struct sk_disk_front *front)
{
	return mine_const(front)->idle;
}

static uint32_t fuse_inflight(const struct sk_disk_front *front)
{
	return mine_const(front)->n_busy;
}

static void fuse_close(struct sk_disk_front *front)
{
	struct fuse_front *f = mine(front);

	if (!f)
		return;
	if (f->fd >= 0)
		close(f->fd);
	if (f->meminfo >= 0)
		close(f->meminfo);
	if (f->mem)
		munmap(f->mem, f->mem_len);
	free(f->slots);
	sk_fuse_tree_free(&f->tree);
	free(f);
}

static const struct sk_disk_ops fuse_ops = {
	.name = "fuse",
	.add = fuse_add,
	.change = fuse_change,
	.state = fuse_state,
	.complete = fuse_complete,
	.fd = fuse_fd,
	.wants = fuse_wants,
	.ready = fuse_ready,
	.inflight = fuse_inflight,
	.close = fuse_close,
};

static int make_slots(struct fuse_front *f, struct sk_err *err)
{
	f->slots = calloc(f->cfg.depth, sizeof(*f->slots));
	if (!f->slots)
		return sk_fail(err, SK_ENOMEM, "no memory for %u requests", f->cfg.depth);
	f->mem_len = slot_bytes(f) * f->cfg.depth;	/* at most 1024 times 16 MiB and a bit */
	f->mem = mmap(NULL, f->mem_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (f->mem == MAP_FAILED) {
		f->mem = NULL;
		return sk_fail_sys(err, errno, "map %zu bytes of request buffers", f->mem_len);
	}
	while (f->n_ready < SK_MIN(f->cfg.depth, RESERVE))
		if (slot_make_ready(f) < 0)
			return sk_fail_sys(err, errno, "memory for %u requests", RESERVE);
	return 0;
}

struct sk_disk_front *sk_fuse_front_open(int taken_fd, const struct sk_disk_front_cfg *cfg,
					 const struct sk_disk_events *ev, void *ctx, struct sk_err *err)
{
	SK_FD int fd = taken_fd;
	struct fuse_front *f;
	int flags = fcntl(fd, F_GETFL);

	if (!cfg->depth || cfg->depth > 1024 || cfg->max_io < 65536 || cfg->max_io > (16U << 20) || cfg->max_io % 65536) {
		sk_fail(err, SK_EINVAL, "a front end of depth %u and requests of %u bytes", cfg->depth, cfg->max_io);
		return NULL;
	}
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
		sk_fail_sys(err, errno, "FUSE descriptor");
		return NULL;
	}
	f = calloc(1, sizeof(*f));
	if (!f) {
		sk_fail(err, SK_ENOMEM, "no memory");
		return NULL;
	}
	f->head.ops = &fuse_ops;
	f->fd = sk_give_fd(&fd);
	f->meminfo = open(cfg->meminfo ?: SK_MEMINFO, O_RDONLY | O_CLOEXEC);
	f->cfg = *cfg;
	f->ev = *ev;
	f->ctx = ctx;
	f->tree.uid = cfg->uid;
	f->tree.gid = cfg->gid;
	if (make_slots(f, err) < 0) {
		fuse_close(&f->head);
		return NULL;
	}
	return &f->head;
}
