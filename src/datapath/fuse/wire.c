/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "datapath/fuse/wire.h"

#include <stddef.h>
#include <string.h>

#include "base/num.h"

/* What follows the header: a fixed struct, then perhaps a payload. Opcodes that are not listed carry nothing we read. */
static const struct shape {
	uint32_t opcode;
	uint16_t fixed;		/* bytes of the struct */
	bool name;		/* a NUL-terminated name follows */
} shapes[] = {
	{ FUSE_INIT, offsetof(struct fuse_init_in, flags2), false },	/* the struct grew; the old part is enough */
	{ FUSE_LOOKUP, 0, true },
	{ FUSE_OPEN, sizeof(struct fuse_open_in), false },
	{ FUSE_OPENDIR, sizeof(struct fuse_open_in), false },
	{ FUSE_READ, sizeof(struct fuse_read_in), false },
	{ FUSE_READDIR, sizeof(struct fuse_read_in), false },
	{ FUSE_WRITE, sizeof(struct fuse_write_in), false },
	{ FUSE_FALLOCATE, sizeof(struct fuse_fallocate_in), false },
	{ FUSE_SETATTR, sizeof(struct fuse_setattr_in), false },
	{ FUSE_FSYNC, sizeof(struct fuse_fsync_in), false },
};

static const struct shape *shape_of(uint32_t opcode)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		if (shapes[i].opcode == opcode)
			return &shapes[i];
	return NULL;
}

static int get_payload(const struct shape *sh, struct sk_span rest, struct sk_fuse_req *r, struct sk_err *err)
{
	if (sh->name) {
		const uint8_t *nul = memchr(rest.p, 0, rest.n);

		if (!nul)
			return sk_fail(err, SK_EPROTO, "a name without an end");
		r->data = sk_span(rest.p, (size_t)(nul - rest.p));
	} else if (sh->opcode == FUSE_WRITE) {
		if (rest.n != r->in.write.size)
			return sk_fail(err, SK_EPROTO, "a write of %u bytes with %zu bytes of data", r->in.write.size,
				       rest.n);
		r->data = rest;
	}
	return 0;
}

int sk_fuse_get(struct sk_span got, struct sk_fuse_req *ret, uint64_t *ret_unique, struct sk_err *err)
{
	struct fuse_in_header h;
	struct sk_fuse_req r;
	const struct shape *sh;
	struct sk_rd in = { got, false };
	struct sk_span fixed, head = sk_get(&in, sizeof(h));

	*ret_unique = 0;
	if (in.short_)
		return sk_fail(err, SK_EPROTO, "a request of %zu bytes", got.n);
	memset(&r, 0, sizeof(r));
	memcpy(&h, head.p, sizeof(h));
	*ret_unique = h.unique;
	if (h.len != got.n)
		return sk_fail(err, SK_EPROTO, "a request of %zu bytes that says %u", got.n, h.len);
	r.opcode = h.opcode;
	r.unique = h.unique;
	r.nodeid = h.nodeid;
	sh = shape_of(h.opcode);
	if (sh) {
		fixed = sk_get(&in, sh->fixed);
		if (in.short_)
			return sk_fail(err, SK_EPROTO, "opcode %u with %zu bytes", h.opcode, got.n);
		if (fixed.n)
			memcpy(&r.in, fixed.p, fixed.n);
		if (get_payload(sh, in.left, &r, err) < 0)
			return -1;
	}
	*ret = r;
	return 0;
}

bool sk_fuse_wants_no_answer(uint32_t opcode)
{
	return opcode == FUSE_FORGET || opcode == FUSE_BATCH_FORGET || opcode == FUSE_DESTROY;
}

int sk_fuse_init_answer(const struct fuse_init_in *in, uint32_t max_io, uint32_t depth, struct fuse_init_out *ret,
			struct sk_err *err)
{
	const uint32_t wanted = FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_ASYNC_DIO | FUSE_PARALLEL_DIROPS |
				FUSE_MAX_PAGES | FUSE_AUTO_INVAL_DATA;
	struct fuse_init_out out;

	if (in->major < FUSE_KERNEL_VERSION || (in->major == FUSE_KERNEL_VERSION && in->minor < 31))
		return sk_fail(err, SK_ENOTSUP, "FUSE %u.%u of this kernel is too old, 7.31 is needed", in->major,
			       in->minor);
	memset(&out, 0, sizeof(out));
	out.major = FUSE_KERNEL_VERSION;
	out.minor = FUSE_KERNEL_MINOR_VERSION;
	out.max_readahead = in->max_readahead;
	out.flags = in->flags & wanted;
	out.max_background = (uint16_t)SK_MIN(depth, 65535U);
	out.congestion_threshold = out.max_background;
	out.max_write = max_io;
	out.max_pages = (uint16_t)SK_MIN(max_io / 4096, 256U);
	out.time_gran = 1;
	*ret = out;
	return 0;
}

bool sk_fuse_dirent_put(struct sk_wr *out, uint64_t ino, uint64_t next_off, uint32_t type, const char *name)
{
	static const uint8_t zeros[8];
	size_t n = strlen(name);
	struct fuse_dirent d = { .ino = ino, .off = next_off, .namelen = (uint32_t)n, .type = type };
	size_t whole = FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + n);

	if (out->full || whole > out->left)
		return false;
	sk_put(out, &d, FUSE_NAME_OFFSET);
	sk_put(out, name, n);
	sk_put(out, zeros, whole - FUSE_NAME_OFFSET - n);
	return true;
}
