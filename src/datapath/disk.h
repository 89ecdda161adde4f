/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_DATAPATH_DISK_H
#define SK_DATAPATH_DISK_H

/**
 * A front end: what makes a session's LUNs usable as disks on this machine (FUSE files with loop devices on top; later
 * ublk, NBD). One front end serves one session, one *unit* per disk. It owns the request structs and their buffers, sized
 * at open; the path of a request allocates nothing:
 *
 *	front end --submit(req)--> session (lun.h) --tasks--> engine --> target
 *	front end <--complete(req, errno)-- session
 *
 * Everything runs in one thread. submit() may complete the request before it returns. A request is completed exactly once,
 * also after remove() of its unit.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum sk_disk_op {
	SK_DISK_READ,
	SK_DISK_WRITE,
	SK_DISK_FLUSH,		/* everything completed so far is on stable storage when this completes */
	SK_DISK_PUNCH,		/* reads as zeros afterwards; the space may be given back to the target */
	SK_DISK_ZERO,		/* reads as zeros afterwards; the space stays allocated */
};

struct sk_disk_req {
	/* the front end's */
	enum sk_disk_op op;
	bool fua;		/* WRITE, PUNCH, ZERO: on stable storage when it completes */
	uint32_t unit;
	uint64_t off, len;	/* bytes: whole blocks, inside the disk when it was submitted; FLUSH: 0, 0 */
	uint8_t *data;		/* READ, WRITE: len bytes, lent until complete() */

	/* the session's, from submit() to complete() */
	struct sk_disk_req *next;
	uint64_t done;		/* bytes finished */
	uint64_t retry_ms;	/* not before */
	uint64_t since_ms;	/* first try of the part under way */
	uint32_t step_len;	/* bytes of the part under way */
	uint32_t epoch;		/* of the device's cache, as of the parts that are done */
	uint16_t tries;
	uint8_t breaks;		/* connections that the target broke by nonsense while the part was under way */
	uint8_t step;		/* what the part under way is (iscsi-session/lun.h) */
};

/** What a disk is like. Sizes in bytes. */
struct sk_disk_info {
	uint64_t lun;			/* the number in its name: lun-<n> */
	uint64_t size;
	uint32_t block_size;		/* 512..65536, a power of two */
	uint32_t phys_block_size;
	uint32_t discard_granularity;	/* 0: giving back space is not offered */
	bool read_only;
	bool write_cache;
};

enum sk_disk_state {
	SK_DISK_RUNNING,
	SK_DISK_GONE,		/* every request fails with EIO in the front end; the unit's number stays taken */
};

struct sk_disk_front {		/* the head of every implementation's own struct */
	const struct sk_disk_ops *ops;
};

/** What the session gives: called from ready(). */
struct sk_disk_events {
	void (*submit)(void *ctx, struct sk_disk_req *req);
};

struct sk_disk_ops {
	const char *name;
	/** add - a new disk; *ret_unit is never reused. SK_EEXIST: a running unit has this LUN number; SK_ENOMEM */
	int (*add)(struct sk_disk_front *f, const struct sk_disk_info *info, uint32_t *ret_unit, struct sk_err *err);
	/** change - size or read_only of a unit; requests in flight are not touched */
	void (*change)(struct sk_disk_front *f, uint32_t unit, const struct sk_disk_info *info);
	void (*state)(struct sk_disk_front *f, uint32_t unit, enum sk_disk_state state);
	/** complete - the request is over: @error is 0 or a positive errno. Its buffer may be reused at once. */
	void (*complete)(struct sk_disk_front *f, struct sk_disk_req *req, int error);
	/** fd - what to wait on; wants() tells whether requests can be taken now (false while every buffer is in use) */
	int (*fd)(const struct sk_disk_front *f);
	bool (*wants)(const struct sk_disk_front *f);
	/** ready - take what is there, at most one burst. -1: the front end is over (SK_ENOTCONN: unmounted) */
	int (*ready)(struct sk_disk_front *f, struct sk_err *err);
	uint32_t (*inflight)(const struct sk_disk_front *f);
	void (*close)(struct sk_disk_front *f);	/* NULL is fine; requests in flight must be over */
};

struct sk_disk_front_cfg {
	uint32_t depth;		/* requests at once, 1..1024 */
	uint32_t max_io;	/* bytes of one request, a multiple of 64 KiB */
	uint32_t uid, gid;	/* owner of the files */
	const char *meminfo;	/* what tells of spare memory; NULL: the machine's own */
};

#endif
