/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_ISCSID_REDISCOVER_H
#define SK_ISCSID_REDISCOVER_H

/**
 * The discovery daemon: sources with use_discoveryd = Yes are asked again and again, what they offer is logged in, what they offer
 * no longer is logged out. `rediscover` has the sources and their rounds (when is `discover/rounds`' decision), `found` what
 * came of them, `owned` which sessions are theirs.
 */

#include "discover/isns.h"
#include "discover/merge.h"
#include "discover/rounds.h"
#include "discover/sendtargets.h"
#include "iscsid/daemon.h"
#include "record/store.h"

#define SK_SOURCE_IFACES 32
#define SK_OFFERS_TABLE	 1024

struct sk_source;

/** One portal that a source offers or offered, through one iface. */
struct sk_offer {
	struct sk_offer *next, **link;	/* the list: link is what points here */
	struct sk_offer *alike;		/* next of the same hash */
	struct sk_source *src;
	struct sk_node_key key;
	unsigned iface;			/* index into the source's */
	bool present;			/* in the last answer */
	unsigned missed;		/* answers in a row without it */
	bool owned;			/* the session is ours: we logged it in, we may log it out */
	bool busy;			/* a login or a logout is under way */
	bool told_in_use;
	unsigned fails;
	uint64_t next_try;
	uint32_t sid;			/* while owned */
	struct sk_job *job;		/* while busy, at times; what it works on is released so: */
	sk_work_fn *job_release;
};

/** One discovery of a round. */
struct sk_asking {
	struct sk_source *src;
	unsigned iface;
	struct sk_disc *st;
	struct sk_isns *isns;
	bool over, good;
};

struct sk_source {
	struct sk_source *next;
	struct sk_daemon *d;
	enum sk_disc_type type;
	char host[256];
	uint16_t port;
	struct sk_record *record;
	struct sk_record *ifaces[SK_SOURCE_IFACES];	/* as they were when the daemon started */
	struct sk_iname names[SK_SOURCE_IFACES];	/* "" = the daemon's */
	unsigned n_ifaces;
	struct sk_rounds m;
	struct sk_timer *timer;
	struct sk_asking asking[SK_SOURCE_IFACES];
	unsigned left;			/* of them still under way */
	bool none_began;		/* no discovery of this round could begin */
	struct sk_isns *ear;
	struct sk_err err, deaf;	/* the last failures */
	struct sk_offer *offers, *table[SK_OFFERS_TABLE];
};

struct sk_rediscovery {
	struct sk_daemon *d;
	struct sk_source *sources;
};

/* found.c */
const char *sk_source_word(const struct sk_source *s);	/* "sendtargets", "isns" */
bool sk_offer_same(const struct sk_node_key *a, const struct sk_node_key *b);	/* whatever the tags */
void sk_offer_seen(struct sk_source *s, unsigned iface, const struct sk_found *found);
/** sk_offers_counted - all offers of the round are in; is one of ours missing that was there the last time? */
bool sk_offers_counted(struct sk_source *s);
void sk_offers_apply(struct sk_source *s);
/** sk_offers_wish - ms until a login that failed should be tried again; 0 = none waits */
uint32_t sk_offers_wish(const struct sk_source *s);
void sk_offers_free(struct sk_source *s);
/** sk_offer_adopt - a running session of an earlier daemon's is the source's */
int sk_offer_adopt(struct sk_source *s, const struct sk_session_info *info);

/* rediscover.c */
void sk_source_wish(struct sk_source *s);	/* a login has failed */
/** sk_source_other - another source that offers the same at present; NULL = none */
struct sk_offer *sk_source_other(const struct sk_offer *o);

/* owned.c: one small file a session below the run directory */
void sk_owned_put(const struct sk_offer *o);	/* before its login begins */
void sk_owned_drop(const struct sk_offer *o);
/** sk_owned_load - every running session that an earlier daemon logged in for a source that is still there becomes an offer of
 * that; the files of others go */
void sk_owned_load(struct sk_rediscovery *r);

#endif
