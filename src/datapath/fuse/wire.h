/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_DATAPATH_FUSE_WIRE_H
#define SK_DATAPATH_FUSE_WIRE_H

/**
 * The FUSE protocol as the kernel speaks it on /dev/fuse (<linux/fuse.h>, 7.31 and later), without I/O: a received
 * request checked and spread out. The kernel is trusted more than a target, but nothing here relies on it: every length
 * is compared with what was received.
 */

#include <linux/fuse.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

/* Bytes in front of a WRITE's payload: where the payload starts is known before the request is read. */
#define SK_FUSE_WRITE_HEAD (sizeof(struct fuse_in_header) + sizeof(struct fuse_write_in))

struct sk_fuse_req {
	uint32_t opcode;
	uint64_t unique;
	uint64_t nodeid;
	union {
		struct fuse_init_in init;
		struct fuse_open_in open;
		struct fuse_read_in read;	/* READ and READDIR */
		struct fuse_write_in write;
		struct fuse_fallocate_in fallocate;
		struct fuse_setattr_in setattr;
		struct fuse_fsync_in fsync;
	} in;
	struct sk_span data;		/* WRITE: the payload; LOOKUP: the name without its NUL; lent */
};

/** sk_fuse_get - decode one request of exactly @got bytes. *ret is written on success only; unknown opcodes are fine (no
 * arguments are read then). -1 with SK_EPROTO: shorter than it says, or than its opcode needs; *ret_unique is the request
 * to answer with EINVAL, or 0 when not even the header is there. */
int sk_fuse_get(struct sk_span got, struct sk_fuse_req *ret, uint64_t *ret_unique, struct sk_err *err);

/** sk_fuse_wants_no_answer - FORGET and the like */
bool sk_fuse_wants_no_answer(uint32_t opcode);

/** sk_fuse_init_answer - settle the protocol: @max_io bytes a request, @depth background requests.
 * Returns the length of the answer in *ret, or -1 (SK_ENOTSUP) when the kernel is too old. */
int sk_fuse_init_answer(const struct fuse_init_in *in, uint32_t max_io, uint32_t depth, struct fuse_init_out *ret,
			struct sk_err *err);

/** sk_fuse_dirent_put - append one directory entry; false when it does not fit */
bool sk_fuse_dirent_put(struct sk_wr *out, uint64_t ino, uint64_t next_off, uint32_t type, const char *name);

#endif
