/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "session/isid.h"

#include <stdio.h>
#include <string.h>

#include "base/num.h"

static uint64_t hash_num(uint64_t h, uint32_t v)
{
	for (int i = 0; i < 4; i++, v >>= 8)
		h = (h ^ (v & 0xff)) * SK_HASH_PRIME;
	return h;
}

static void put(struct sk_isid *ret, uint32_t qualifier)
{
	*ret = (struct sk_isid){ { 0x00, 0x02, 0x3d, (uint8_t)(qualifier >> 16), (uint8_t)(qualifier >> 8),
				   (uint8_t)qualifier } };
}

void sk_isid_for(const struct sk_isid_of *of, bool (*taken)(void *ctx, const struct sk_isid *isid), void *ctx,
		 struct sk_isid *ret)
{
	uint64_t h = SK_HASH_START;
	uint32_t q;

	h = sk_hash(h, of->machine);
	h = sk_hash(h, of->initiator);
	h = sk_hash(h, of->target);
	h = sk_hash(h, of->host);
	h = hash_num(h, of->port);
	h = sk_hash(h, of->iface);
	h = hash_num(h, of->slot);
	q = (uint32_t)(h ^ h >> 24 ^ h >> 48) & 0xffffff;
	for (unsigned i = 0; i <= 0xffffff; i++, q = (q + 1) & 0xffffff) {
		put(ret, q);
		if (q && !(taken && taken(ctx, ret))) /* qualifier 0 belongs to discovery sessions */
			return;
	}
}

void sk_isid_text(const struct sk_isid *isid, char ret[13])
{
	for (unsigned i = 0; i < sizeof(isid->b); i++)
		snprintf(ret + 2 * i, 3, "%02x", isid->b[i]);
}

bool sk_isid_parse(const char *text, struct sk_isid *ret)
{
	uint64_t v;

	if (!text || strlen(text) != 12 || !sk_num_hex(text, 12, &v))
		return false;
	for (int i = 5; i >= 0; i--, v >>= 8)
		ret->b[i] = (uint8_t)v;
	return true;
}
