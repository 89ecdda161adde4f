/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "proto/targets.h"

#include <string.h>

#include "base/num.h"
#include "proto/text.h"

void sk_targets_init(struct sk_targets *t, const struct sk_portal *self, const struct sk_targets_events *ev,
		     void *ctx)
{
	memset(t, 0, sizeof(*t));
	t->ev = ev;
	t->ctx = ctx;
	t->self = *self;
}

static void skip(struct sk_targets *t, struct sk_err *why)
{
	sk_in(why, "SendTargets entry skipped");
	if (t->ev->bad)
		t->ev->bad(t->ctx, why);
}

static int tell(struct sk_targets *t, const struct sk_portal *p, struct sk_err *err)
{
	if (t->portals == SK_TARGETS_MAX)
		return sk_fail(err, SK_EPROTO, "a SendTargets answer with more than %d portals", SK_TARGETS_MAX);
	t->portals++;
	if (t->ev->portal)
		t->ev->portal(t->ctx, &t->target, p);
	return 0;
}

/* The current target's group ends. */
static int end_target(struct sk_targets *t, struct sk_err *err)
{
	bool lone = t->at == SK_TARGETS_NAMED && t->addresses == 0;

	t->at = SK_TARGETS_NONE;
	return lone ? tell(t, &t->self, err) : 0;
}

static int hear_name(struct sk_targets *t, struct sk_span value, struct sk_err *err)
{
	struct sk_err why = { 0 };

	if (end_target(t, err) < 0)
		return -1;
	t->addresses = 0;
	t->at = SK_TARGETS_NAMED;
	if (sk_iname_parse(value, &t->target, &why) < 0) {
		t->at = SK_TARGETS_SKIPPING;
		skip(t, &why);
	}
	return 0;
}

static int hear_address(struct sk_targets *t, struct sk_span value, struct sk_err *err)
{
	struct sk_err why = { 0 };
	struct sk_portal p;

	if (t->at == SK_TARGETS_SKIPPING)
		return 0;
	if (t->at == SK_TARGETS_NONE) {
		sk_fail(&why, SK_EPROTO, "TargetAddress=%s before any TargetName", sk_text_quote(value).s);
		skip(t, &why);
		return 0;
	}
	t->addresses++;
	if (sk_portal_parse(value, SK_PORTAL_PORT, &p, &why) < 0) {
		sk_in(&why, "%.100s", t->target.s);
		skip(t, &why);
		return 0;
	}
	return tell(t, &p, err);
}

static bool key_is(struct sk_span *pair, const char *key)
{
	size_t n = strlen(key);

	if (pair->n < n || memcmp(pair->p, key, n) != 0)
		return false;
	pair->p += n;
	pair->n -= n;
	return true;
}

static int hear_pair(struct sk_targets *t, struct sk_err *err)
{
	struct sk_span pair = { t->pair, t->have };
	struct sk_err why = { 0 };

	if (t->too_long) {
		t->too_long = false;
		sk_fail(&why, SK_EPROTO, "\"%s\" is longer than %d bytes", sk_text_quote(pair).s, SK_TARGETS_PAIR);
		if (key_is(&pair, "TargetName=")) { /* what follows is not the target's before it */
			if (end_target(t, err) < 0)
				return -1;
			t->at = SK_TARGETS_SKIPPING;
		} else if (key_is(&pair, "TargetAddress=")) {
			t->addresses++;
		}
		skip(t, &why);
		return 0;
	}
	if (pair.n == 0)
		return 0;
	if (key_is(&pair, "TargetName="))
		return hear_name(t, pair, err);
	if (key_is(&pair, "TargetAddress="))
		return hear_address(t, pair, err);
	sk_fail(&why, SK_EPROTO, "unexpected SendTargets data: %s", sk_text_quote(pair).s);
	skip(t, &why);
	return 0;
}

int sk_targets_feed(struct sk_targets *t, struct sk_span bytes, struct sk_err *err)
{
	if (!sk_fits(t->bytes, bytes.n, SK_TARGETS_BYTES))
		return sk_fail(err, SK_EPROTO, "a SendTargets answer of more than %u bytes", SK_TARGETS_BYTES);
	t->bytes += bytes.n;
	while (bytes.n) {
		const uint8_t *nul = memchr(bytes.p, '\0', bytes.n);
		size_t n = nul ? (size_t)(nul - bytes.p) : bytes.n;
		size_t room = sizeof(t->pair) - t->have, keep = SK_MIN(n, room);

		memcpy(t->pair + t->have, bytes.p, keep);
		t->have += keep;
		t->too_long |= n > room;
		if (nul) {
			if (hear_pair(t, err) < 0)
				return -1;
			t->have = 0;
			n++;
		}
		bytes.p += n;
		bytes.n -= n;
	}
	return 0;
}

int sk_targets_end(struct sk_targets *t, struct sk_err *err)
{
	if (t->have && hear_pair(t, err) < 0) /* the last NUL may be missing */
		return -1;
	t->have = 0;
	return end_target(t, err);
}
