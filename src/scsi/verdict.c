/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "base/mem.h"
#include "base/num.h"
#include "scsi/sense.h"

#define ANY	       0xff
#define FIRST_DELAY_MS 50
#define RETRY_ABORTED  5

/*
 * What sense data ask for. The first row that fits counts, so exact codes come before ANY. A row with key ANY is
 * about the code under whatever key. Codes are those of SPC-4, annex D.2, as far as disks send them.
 */
static const struct row {
	uint8_t key, asc, ascq;
	enum sk_react react;
	int sys;
	const char *words; /* of asc/ascq; NULL where a row is about the key alone */
} rows[] = {
	/* recovered, or nothing wrong */
	{ SK_KEY_NO_SENSE, 0x00, 0x00, SK_REACT_DONE, 0, "no additional sense information" },
	{ SK_KEY_NO_SENSE, ANY, ANY, SK_REACT_DONE, 0, NULL },
	{ SK_KEY_RECOVERED, ANY, ANY, SK_REACT_DONE, 0, NULL },
	{ SK_KEY_COMPLETED, ANY, ANY, SK_REACT_DONE, 0, NULL },

	/* space of a thin pool, whatever key an array chooses */
	{ SK_KEY_UNIT_ATTENTION, 0x38, 0x07, SK_REACT_RETRY, EIO, "thin provisioning soft threshold reached" },
	{ ANY, 0x27, 0x07, SK_REACT_SPACE, ENOSPC, "space allocation failed write protect" },
	{ SK_KEY_VOLUME_OVERFLOW, ANY, ANY, SK_REACT_SPACE, ENOSPC, NULL },

	/* not ready: the ones that pass */
	{ SK_KEY_NOT_READY, 0x04, 0x00, SK_REACT_LATER, EIO, "logical unit not ready, cause not reportable" },
	{ SK_KEY_NOT_READY, 0x04, 0x01, SK_REACT_LATER, EIO, "logical unit is in process of becoming ready" },
	{ SK_KEY_NOT_READY, 0x04, 0x02, SK_REACT_FAIL, EIO,
	  "logical unit not ready, initializing command required" },
	{ SK_KEY_NOT_READY, 0x04, 0x03, SK_REACT_FAIL, EIO,
	  "logical unit not ready, manual intervention required" },
	{ SK_KEY_NOT_READY, 0x04, 0x04, SK_REACT_LATER, EIO, "logical unit not ready, format in progress" },
	{ SK_KEY_NOT_READY, 0x04, 0x05, SK_REACT_LATER, EIO, "logical unit not ready, rebuild in progress" },
	{ SK_KEY_NOT_READY, 0x04, 0x06, SK_REACT_LATER, EIO, "logical unit not ready, recalculation in progress" },
	{ SK_KEY_NOT_READY, 0x04, 0x07, SK_REACT_LATER, EIO, "logical unit not ready, operation in progress" },
	{ SK_KEY_NOT_READY, 0x04, 0x08, SK_REACT_LATER, EIO, "logical unit not ready, long write in progress" },
	{ SK_KEY_NOT_READY, 0x04, 0x09, SK_REACT_LATER, EIO, "logical unit not ready, self-test in progress" },
	{ SK_KEY_NOT_READY, 0x04, 0x0a, SK_REACT_LATER, EIO,
	  "logical unit not accessible, asymmetric access state transition" },
	{ SK_KEY_NOT_READY, 0x04, 0x0b, SK_REACT_LATER, EIO,
	  "logical unit not accessible, target port in standby state" },
	{ SK_KEY_NOT_READY, 0x04, 0x0c, SK_REACT_LATER, EIO,
	  "logical unit not accessible, target port in unavailable state" },
	{ SK_KEY_NOT_READY, 0x04, 0x12, SK_REACT_FAIL, EIO, "logical unit not ready, offline" },
	{ SK_KEY_NOT_READY, 0x04, 0x14, SK_REACT_LATER, EIO,
	  "logical unit not ready, space allocation in progress" },
	{ SK_KEY_NOT_READY, 0x04, 0x1b, SK_REACT_LATER, EIO, "logical unit not ready, sanitize in progress" },
	{ SK_KEY_NOT_READY, 0x3a, 0x00, SK_REACT_FAIL, ENOMEDIUM, "medium not present" },
	{ SK_KEY_NOT_READY, 0x3a, ANY, SK_REACT_FAIL, ENOMEDIUM, "medium not present" },
	{ SK_KEY_NOT_READY, 0x25, 0x00, SK_REACT_GONE, ENXIO, "logical unit not supported" },
	{ SK_KEY_NOT_READY, ANY, ANY, SK_REACT_FAIL, EIO, NULL },

	/* unit attentions */
	{ SK_KEY_UNIT_ATTENTION, 0x2a, 0x01, SK_REACT_CAPACITY, EIO, "mode parameters changed" },
	{ SK_KEY_UNIT_ATTENTION, 0x2a, 0x09, SK_REACT_CAPACITY, EIO, "capacity data has changed" },
	{ SK_KEY_UNIT_ATTENTION, 0x3f, 0x03, SK_REACT_IDENTIFY, EIO, "inquiry data has changed" },
	{ SK_KEY_UNIT_ATTENTION, 0x3f, 0x05, SK_REACT_IDENTIFY, EIO, "device identifier changed" },
	{ SK_KEY_UNIT_ATTENTION, 0x3f, 0x0e, SK_REACT_LUNS, EIO, "reported luns data has changed" },
	{ SK_KEY_UNIT_ATTENTION, 0x3f, 0x0f, SK_REACT_RETRY, EIO, "echo buffer overwritten" },
	{ SK_KEY_UNIT_ATTENTION, 0x28, 0x00, SK_REACT_IDENTIFY, EIO,
	  "not ready to ready change, medium may have changed" },
	{ SK_KEY_UNIT_ATTENTION, 0x29, 0x00, SK_REACT_RETRY, EIO, "power on, reset, or bus device reset occurred" },
	{ SK_KEY_UNIT_ATTENTION, 0x29, 0x01, SK_REACT_RETRY, EIO, "power on occurred" },
	{ SK_KEY_UNIT_ATTENTION, 0x29, 0x02, SK_REACT_RETRY, EIO, "scsi bus reset occurred" },
	{ SK_KEY_UNIT_ATTENTION, 0x29, 0x03, SK_REACT_RETRY, EIO, "bus device reset function occurred" },
	{ SK_KEY_UNIT_ATTENTION, 0x29, 0x04, SK_REACT_RETRY, EIO, "device internal reset" },
	{ SK_KEY_UNIT_ATTENTION, 0x29, 0x07, SK_REACT_RETRY, EIO, "i_t nexus loss occurred" },
	{ SK_KEY_UNIT_ATTENTION, 0x2a, 0x03, SK_REACT_RETRY, EIO, "reservations preempted" },
	{ SK_KEY_UNIT_ATTENTION, 0x2a, 0x04, SK_REACT_RETRY, EIO, "reservations released" },
	{ SK_KEY_UNIT_ATTENTION, 0x2a, 0x05, SK_REACT_RETRY, EIO, "registrations preempted" },
	{ SK_KEY_UNIT_ATTENTION, 0x2a, 0x06, SK_REACT_RETRY, EIO, "asymmetric access state changed" },
	{ SK_KEY_UNIT_ATTENTION, 0x2f, 0x00, SK_REACT_RETRY, EIO, "commands cleared by another initiator" },
	{ SK_KEY_UNIT_ATTENTION, 0x5d, 0x00, SK_REACT_RETRY, EIO, "failure prediction threshold exceeded" },
	{ SK_KEY_UNIT_ATTENTION, ANY, ANY, SK_REACT_RETRY, EIO, NULL },

	/* requests the device does not take */
	{ SK_KEY_ILLEGAL_REQUEST, 0x20, 0x00, SK_REACT_UNSUPPORTED, EOPNOTSUPP, "invalid command operation code" },
	{ SK_KEY_ILLEGAL_REQUEST, 0x21, 0x00, SK_REACT_RANGE, EIO, "logical block address out of range" },
	{ SK_KEY_ILLEGAL_REQUEST, 0x24, 0x00, SK_REACT_UNSUPPORTED, EOPNOTSUPP, "invalid field in cdb" },
	{ SK_KEY_ILLEGAL_REQUEST, 0x25, 0x00, SK_REACT_GONE, ENXIO, "logical unit not supported" },
	{ SK_KEY_ILLEGAL_REQUEST, 0x26, 0x00, SK_REACT_UNSUPPORTED, EOPNOTSUPP, "invalid field in parameter list" },
	{ SK_KEY_ILLEGAL_REQUEST, 0x1a, 0x00, SK_REACT_UNSUPPORTED, EOPNOTSUPP, "parameter list length error" },
	{ SK_KEY_ILLEGAL_REQUEST, 0x2c, 0x00, SK_REACT_FAIL, EIO, "command sequence error" },
	{ SK_KEY_ILLEGAL_REQUEST, ANY, ANY, SK_REACT_FAIL, EIO, NULL },

	/* media, hardware, protection */
	{ SK_KEY_MEDIUM, 0x03, 0x00, SK_REACT_MEDIA, EIO, "peripheral device write fault" },
	{ SK_KEY_MEDIUM, 0x0c, 0x00, SK_REACT_MEDIA, EIO, "write error" },
	{ SK_KEY_MEDIUM, 0x0c, 0x02, SK_REACT_MEDIA, EIO, "write error, auto reallocation failed" },
	{ SK_KEY_MEDIUM, 0x11, 0x00, SK_REACT_MEDIA, EIO, "unrecovered read error" },
	{ SK_KEY_MEDIUM, 0x11, 0x04, SK_REACT_MEDIA, EIO, "unrecovered read error, auto reallocate failed" },
	{ SK_KEY_MEDIUM, 0x14, 0x01, SK_REACT_MEDIA, EIO, "record not found" },
	{ SK_KEY_MEDIUM, 0x31, 0x00, SK_REACT_MEDIA, EIO, "medium format corrupted" },
	{ SK_KEY_MEDIUM, ANY, ANY, SK_REACT_MEDIA, EIO, NULL },
	{ SK_KEY_BLANK_CHECK, ANY, ANY, SK_REACT_MEDIA, EIO, NULL },
	{ SK_KEY_HARDWARE, 0x44, 0x00, SK_REACT_FAIL, EIO, "internal target failure" },
	{ SK_KEY_HARDWARE, ANY, ANY, SK_REACT_FAIL, EIO, NULL },
	{ SK_KEY_DATA_PROTECT, 0x27, 0x00, SK_REACT_PROTECT, EROFS, "write protected" },
	{ SK_KEY_DATA_PROTECT, 0x27, 0x01, SK_REACT_PROTECT, EROFS, "hardware write protected" },
	{ SK_KEY_DATA_PROTECT, 0x27, 0x02, SK_REACT_PROTECT, EROFS, "logical unit software write protected" },
	{ SK_KEY_DATA_PROTECT, 0x20, ANY, SK_REACT_FAIL, EACCES, "access denied" },
	{ SK_KEY_DATA_PROTECT, ANY, ANY, SK_REACT_PROTECT, EROFS, NULL },

	/* commands that were lost on the way */
	{ SK_KEY_ABORTED_COMMAND, 0x10, ANY, SK_REACT_FAIL, EILSEQ, "protection information check failed" },
	{ SK_KEY_ABORTED_COMMAND, 0x47, ANY, SK_REACT_RETRY, EIO, "crc or parity error" },
	{ SK_KEY_ABORTED_COMMAND, 0x4b, ANY, SK_REACT_RETRY, EIO, "data phase error" },
	{ SK_KEY_ABORTED_COMMAND, 0x2f, ANY, SK_REACT_RETRY, EIO, "commands cleared" },
	{ SK_KEY_ABORTED_COMMAND, 0x0b, ANY, SK_REACT_RETRY, EIO, "warning" },
	{ SK_KEY_ABORTED_COMMAND, ANY, ANY, SK_REACT_RETRY, EIO, NULL },
	{ SK_KEY_COPY_ABORTED, ANY, ANY, SK_REACT_FAIL, EIO, NULL },
	{ SK_KEY_MISCOMPARE, 0x1d, 0x00, SK_REACT_FAIL, EIO, "miscompare during verify operation" },
	{ SK_KEY_MISCOMPARE, ANY, ANY, SK_REACT_FAIL, EIO, NULL },
	{ ANY, ANY, ANY, SK_REACT_FAIL, EIO, NULL },
};

const char *sk_asc_words(uint8_t asc, uint8_t ascq)
{
	for (size_t i = 0; i < SK_ARRAY_LEN(rows); i++)
		if (rows[i].words && rows[i].asc == asc && (rows[i].ascq == ascq || rows[i].ascq == ANY))
			return rows[i].words;
	return NULL;
}

static bool fits(uint8_t want, uint8_t is)
{
	return want == ANY || want == is;
}

static const struct row *row_of(const struct sk_sense *s)
{
	size_t i = 0;

	while (!(fits(rows[i].key, s->key) && fits(rows[i].asc, s->asc) && fits(rows[i].ascq, s->ascq)))
		i++; /* the last row fits everything */
	return &rows[i];
}

static uint32_t delay_after(unsigned tries)
{
	return tries >= 7 ? SK_RETRY_LATER_MS
			  : SK_MIN((uint32_t)FIRST_DELAY_MS << tries, (uint32_t)SK_RETRY_LATER_MS);
}

static enum sk_cache_fate cache_fate(const struct sk_sense *s)
{
	if (s->key != SK_KEY_UNIT_ATTENTION || s->asc != 0x29)
		return SK_CACHE_KEPT;
	if (s->ascq == 0x01)
		return SK_CACHE_EMPTY;
	return s->ascq == 0x00 || s->ascq == 0x04 ? SK_CACHE_DOUBT : SK_CACHE_KEPT;
}

static struct sk_verdict by_sense(struct sk_span data, unsigned tries)
{
	struct sk_sense s = sk_sense_parse(data);
	struct sk_verdict v = { .react = SK_REACT_FAIL, .sys = EIO };
	const struct row *r;

	if (!s.valid) { /* CHECK CONDITION without a reason: once more, then give up */
		v.react = tries < 1 ? SK_REACT_RETRY : SK_REACT_FAIL;
		return v;
	}
	if (s.deferred) { /* this command was not carried out; the error is an earlier one's */
		v.react = tries < RETRY_ABORTED ? SK_REACT_RETRY : SK_REACT_FAIL;
		v.lost = row_of(&s)->react != SK_REACT_DONE && s.key != SK_KEY_UNIT_ATTENTION;
		return v;
	}
	r = row_of(&s);
	v.cache = cache_fate(&s);
	v.react = r->react;
	v.sys = r->sys;
	if (v.react == SK_REACT_LATER)
		v.delay_ms = delay_after(tries);
	else if (sk_react_retries(v.react) && tries >= SK_RETRY_ATTENTION)
		v.react = SK_REACT_FAIL;
	return v;
}

struct sk_verdict sk_verdict(uint8_t status, struct sk_span sense, unsigned tries)
{
	struct sk_verdict v = { .react = SK_REACT_FAIL, .sys = EIO };

	switch (status) {
	case SK_ST_GOOD:
	case SK_ST_CONDITION_MET:
		return (struct sk_verdict){ .react = SK_REACT_DONE };
	case SK_ST_CHECK_CONDITION:
		return by_sense(sense, tries);
	case SK_ST_BUSY:
	case SK_ST_TASK_SET_FULL:
	case SK_ST_ACA_ACTIVE:
		v.react = SK_REACT_LATER;
		v.delay_ms = delay_after(tries);
		v.shrink = status == SK_ST_TASK_SET_FULL;
		break;
	case SK_ST_RESERVATION_CONFLICT:
		v.react = SK_REACT_RESERVED;
		v.sys = EBADE;
		break;
	case SK_ST_TASK_ABORTED:
		v.react = tries < RETRY_ABORTED ? SK_REACT_RETRY : SK_REACT_FAIL;
		break;
	}
	return v;
}
