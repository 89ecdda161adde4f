/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_DISCOVER_MERGE_H
#define SK_DISCOVER_MERGE_H

/** What a discovery found, put into the node records (spec: cli.md 4.3, records.md 8.3). */

#include "proto/portal.h"
#include "record/store.h"

enum sk_merge_op {
	SK_MERGE_NEW = 1,    /* add records not yet there */
	SK_MERGE_DELETE = 2, /* remove what came from this source and is not in the result */
	SK_MERGE_UPDATE = 4, /* write what is there afresh, and what is not */
	SK_MERGE_ALL = 7,    /* no op given */
};

struct sk_merge_item {
	const struct sk_iname *target;
	const struct sk_portal *portal;
	const struct sk_record *iface; /* bound to it */
};

enum sk_merge_news { SK_MERGE_ADDED, SK_MERGE_UPDATED, SK_MERGE_DELETED, SK_MERGE_IN_USE, SK_MERGE_FAILED };

enum sk_merge_keep {
	SK_KEEP_NOTHING,    /* as the incumbent */
	SK_KEEP_USER,	    /* all of it */
	SK_KEEP_UNLESS_CONF /* except keys that the configuration file names: an explicit update takes those */
};

struct sk_merge_cfg {
	enum sk_disc_type type; /* the source: SENDTARGETS, ISNS, STATIC or FW */
	const char *host;	/* its address as the discovery record has it; "" for STATIC and FW */
	uint16_t port;
	unsigned ops;	       /* enum sk_merge_op */
	const char *conf_file; /* defaults of new records */
	enum sk_merge_keep keep; /* of what a user set, in records written afresh */
	/** a session runs with this record: it is not deleted */
	bool (*in_use)(void *ctx, const struct sk_node_key *key);
	/** what became of each record; @why only with FAILED. May be NULL */
	void (*news)(void *ctx, enum sk_merge_news what, const struct sk_node_key *key, const struct sk_err *why);
	/** what the source says besides name and portal, into a fresh record; -1 fails that record. May be NULL */
	int (*dress)(void *ctx, const struct sk_merge_item *item, struct sk_record *r, struct sk_err *err);
	void *ctx;
};

/** sk_merge - returns how many records could not be written or removed, or -1 when the store cannot be used at all
 * (SK_EDB: nothing was changed). One record that cannot be named does not stop the others; all of them are one change.
 * Unless cfg->keep is SK_KEEP_NOTHING, records of the firmware are replaced by the firmware only: the machine may run
 * from that disk. */
int sk_merge(struct sk_store *store, const struct sk_merge_cfg *cfg, const struct sk_merge_item *items, unsigned n,
	     struct sk_err *err);

/** sk_merge_fresh - a node record as new: built-in defaults, the configuration file, the iface, names and source */
struct sk_record *sk_merge_fresh(const struct sk_merge_cfg *cfg, const struct sk_merge_item *item,
				 struct sk_err *err);

#endif
