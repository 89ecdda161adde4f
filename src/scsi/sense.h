/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_SCSI_SENSE_H
#define SK_SCSI_SENSE_H

/**
 * How a command ended: SCSI status (SAM-5, 5.3.1), sense data (SPC-4, 4.5), and one table that says what to do
 * about it. Nothing here remembers anything: the caller counts how often it has tried.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

enum sk_scsi_status {
	SK_ST_GOOD = 0x00,
	SK_ST_CHECK_CONDITION = 0x02,
	SK_ST_CONDITION_MET = 0x04,
	SK_ST_BUSY = 0x08,
	SK_ST_RESERVATION_CONFLICT = 0x18,
	SK_ST_TASK_SET_FULL = 0x28,
	SK_ST_ACA_ACTIVE = 0x30,
	SK_ST_TASK_ABORTED = 0x40,
};

enum sk_sense_key {
	SK_KEY_NO_SENSE,
	SK_KEY_RECOVERED,
	SK_KEY_NOT_READY,
	SK_KEY_MEDIUM,
	SK_KEY_HARDWARE,
	SK_KEY_ILLEGAL_REQUEST,
	SK_KEY_UNIT_ATTENTION,
	SK_KEY_DATA_PROTECT,
	SK_KEY_BLANK_CHECK,
	SK_KEY_VENDOR,
	SK_KEY_COPY_ABORTED,
	SK_KEY_ABORTED_COMMAND,
	SK_KEY_RESERVED,
	SK_KEY_VOLUME_OVERFLOW,
	SK_KEY_MISCOMPARE,
	SK_KEY_COMPLETED,
};

struct sk_sense {
	bool valid;		/* a response code of 0x70..0x73 and at least the key were there */
	bool deferred;		/* about an earlier command */
	uint8_t key, asc, ascq; /* 0 where cut off */
	bool has_info;
	uint64_t info; /* usually the address of the first bad block */
};

/** sk_sense_parse - fixed or descriptor sense of any length; never fails: .valid says whether it is usable */
struct sk_sense sk_sense_parse(struct sk_span data);

/** sk_status_words - "check condition", "busy", …; never NULL */
const char *sk_status_words(uint8_t status);
const char *sk_key_words(uint8_t key);
/** sk_asc_words - what an additional sense code means; NULL when the table does not have it */
const char *sk_asc_words(uint8_t asc, uint8_t ascq);
/** sk_sense_text - one line such as "medium error: unrecovered read error (3/11/00) at block 4711"; returns @buf */
const char *sk_sense_text(const struct sk_sense *s, char *buf, size_t n);

/** What the user of a command does next. */
enum sk_react {
	SK_REACT_DONE,	      /* it worked */
	SK_REACT_RETRY,	      /* send it again now */
	SK_REACT_LATER,	      /* send it again after delay_ms */
	SK_REACT_CAPACITY,    /* read the capacity again, and send it again */
	SK_REACT_IDENTIFY,    /* INQUIRY data may have changed: check the identity before anything is sent again */
	SK_REACT_LUNS,	      /* the LUN inventory has changed: scan, and send it again */
	SK_REACT_UNSUPPORTED, /* this command, or this form of it, is not for this device: take another way */
	SK_REACT_RANGE,	      /* outside the medium: read the capacity, fail */
	SK_REACT_MEDIA,	      /* the blocks cannot be read or written: fail */
	SK_REACT_PROTECT,     /* write protected: fail, and treat the LUN as read-only */
	SK_REACT_SPACE,	      /* no space left in the pool: fail */
	SK_REACT_RESERVED,    /* another initiator holds a reservation: fail */
	SK_REACT_GONE,	      /* there is no such LUN (any more): fail, and scan */
	SK_REACT_FAIL,	      /* everything else */
};

/** What a unit attention (SPC-4, 29h) means for data in a volatile write cache. */
enum sk_cache_fate {
	SK_CACHE_KEPT,
	SK_CACHE_DOUBT, /* "power on, reset, or bus device reset": many targets say so to each new session, and nothing is lost */
	SK_CACHE_EMPTY, /* "power on": nothing else it can mean */
};

struct sk_verdict {
	enum sk_react react;
	uint32_t delay_ms; /* for LATER */
	int sys;	   /* errno for whoever asked, 0 for DONE; for retries: the errno if no retry follows */
	bool shrink;	   /* the device has too much to do: fewer commands at once */
	enum sk_cache_fate cache;
	bool lost;	   /* data of an earlier write, which was reported as done, did not reach the medium */
};

#define SK_RETRY_ATTENTION 5	/* unit attentions per command */
#define SK_RETRY_LATER_MS  5000 /* longest delay */

/**
 * sk_verdict - what a SCSI status and its sense data ask for
 * @tries: how often this command was sent again already. Unit attentions and aborted commands are tried again up to
 *	SK_RETRY_ATTENTION times; BUSY, TASK SET FULL and "becoming ready" with a growing delay for as long
 *	as the caller likes: the deadline is the caller's.
 */
struct sk_verdict sk_verdict(uint8_t status, struct sk_span sense, unsigned tries);

/** sk_react_retries - does @r send the command again? */
static inline bool sk_react_retries(enum sk_react r)
{
	return r >= SK_REACT_RETRY && r <= SK_REACT_LUNS;
}

#endif
