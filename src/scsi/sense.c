/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "scsi/sense.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/num.h"

#define FIXED_CURRENT  0x70
#define FIXED_DEFERRED 0x71
#define DESC_CURRENT   0x72
#define DESC_DEFERRED  0x73

static uint8_t byte(struct sk_span s, size_t at)
{
	return at < s.n ? s.p[at] : 0;
}

static void fixed(struct sk_span s, struct sk_sense *r)
{
	size_t end = s.n > 7 ? (size_t)s.p[7] + 8 : s.n;

	s.n = SK_MIN(s.n, end);
	r->valid = s.n > 2;
	r->key = byte(s, 2) & 0x0f;
	r->asc = byte(s, 12);
	r->ascq = byte(s, 13);
	if (s.n >= 7 && s.p[0] & 0x80) {
		r->has_info = true;
		r->info = sk_be32(s.p + 3);
	}
}

static void descriptors(struct sk_span s, struct sk_sense *r)
{
	size_t end = s.n > 7 ? (size_t)s.p[7] + 8 : s.n;
	struct sk_rd in = { { s.p, SK_MIN(s.n, end) }, false };

	r->valid = s.n > 1;
	r->key = byte(s, 1) & 0x0f;
	r->asc = byte(s, 2);
	r->ascq = byte(s, 3);
	sk_get(&in, 8);
	while (!in.short_) {
		struct sk_span head = sk_get(&in, 2);
		struct sk_span d = sk_get(&in, head.n ? head.p[1] : 0);

		if (in.short_)
			return;
		if (head.p[0] == 0x00 && d.n >= 10 && d.p[0] & 0x80) { /* information, VALID set */
			r->has_info = true;
			r->info = sk_be64(d.p + 2);
		}
	}
}

struct sk_sense sk_sense_parse(struct sk_span data)
{
	struct sk_sense r = { 0 };
	uint8_t code = byte(data, 0) & 0x7f;

	r.deferred = code == FIXED_DEFERRED || code == DESC_DEFERRED;
	if (code == FIXED_CURRENT || code == FIXED_DEFERRED)
		fixed(data, &r);
	else if (code == DESC_CURRENT || code == DESC_DEFERRED)
		descriptors(data, &r);
	return r;
}

static const struct {
	uint8_t status;
	const char *words;
} statuses[] = {
	{ SK_ST_GOOD, "good" },
	{ SK_ST_CHECK_CONDITION, "check condition" },
	{ SK_ST_CONDITION_MET, "condition met" },
	{ SK_ST_BUSY, "busy" },
	{ SK_ST_RESERVATION_CONFLICT, "reservation conflict" },
	{ SK_ST_TASK_SET_FULL, "task set full" },
	{ SK_ST_ACA_ACTIVE, "auto contingent allegiance active" },
	{ SK_ST_TASK_ABORTED, "task aborted" },
};

const char *sk_status_words(uint8_t status)
{
	for (size_t i = 0; i < SK_ARRAY_LEN(statuses); i++)
		if (statuses[i].status == status)
			return statuses[i].words;
	return "unknown status";
}

static const char *const keys[16] = {
	"no sense",	      "recovered error", "not ready",	   "medium error",
	"hardware error",     "illegal request", "unit attention", "data protect",
	"blank check",	      "vendor specific", "copy aborted",   "aborted command",
	"reserved sense key", "volume overflow", "miscompare",	   "completed",
};

const char *sk_key_words(uint8_t key)
{
	return keys[key & 0x0f];
}

const char *sk_sense_text(const struct sk_sense *s, char *buf, size_t n)
{
	const char *asc = sk_asc_words(s->asc, s->ascq);
	char where[40] = "";

	if (!s->valid) {
		snprintf(buf, n, "no usable sense data");
		return buf;
	}
	if (s->has_info && (s->key == SK_KEY_MEDIUM || s->key == SK_KEY_MISCOMPARE || s->key == SK_KEY_RECOVERED))
		snprintf(where, sizeof(where), " at block %llu", (unsigned long long)s->info);
	snprintf(buf, n, "%s%s%s%s (%x/%02x/%02x)%s", s->deferred ? "deferred " : "", sk_key_words(s->key),
		 asc ? ": " : "", asc ? asc : "", s->key, s->asc, s->ascq, where);
	return buf;
}
