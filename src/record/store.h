/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_RECORD_STORE_H
#define SK_RECORD_STORE_H

/**
 * sk_store - the record files below dbroot, in the incumbent's layout (spec: records.md 5). Paths are computed from
 * keys and opened beneath the root (no symbolic link is followed, no name can leave the tree). Every change is
 * temporary files, fsync, renames, fsync of the directories, with a journal when it is more than one. The write lock is an OFD lock on a file inside dbroot, and dies
 * with its owner; the incumbent's link lock is taken as well while it can be, so that both tools exclude each other.
 */

#include "proto/iname.h"
#include "proto/portal.h"
#include "record/places.h"
#include "record/record.h"

struct sk_store;

/** What names a node record. target.s == "" / portal.host == "" / iface == "" in a *selector* mean "any".
 * target.s and portal.host are checked, but keep the spelling they have on disk: paths and listings are byte-exact. */
struct sk_node_key {
	struct sk_iname target;
	struct sk_portal portal;	/* tpgt -1 = unknown: the single-file layout */
	char iface[65];
};

enum sk_disc_type { SK_DISC_SENDTARGETS, SK_DISC_ISNS, SK_DISC_STATIC, SK_DISC_FW };

struct sk_store *sk_store_open(const struct sk_places *places, struct sk_err *err);	/* creates dbroot when missing */
void sk_store_free(struct sk_store *s);

/** sk_store_lock - exclusive, waits at most @timeout_ms; nests inside a process. SK_EDB names the owner's pid. */
int sk_store_lock(struct sk_store *s, unsigned timeout_ms, struct sk_err *err);
void sk_store_unlock(struct sk_store *s);

/** sk_store_begin - from here on changes are only staged, until commit makes all of them or none: also when this process
 * is killed at any point, or the disk is full. The lock must be held all the time. Nests: only the outermost commit makes
 * the change, an inner abandon forgets what was staged since its begin. Reads see the old state until the commit. Without a
 * begin every put and delete is a change of its own. */
int sk_store_begin(struct sk_store *s, struct sk_err *err);
/** sk_store_commit - make the change. -1: nothing was changed, or err says that the next command must go on with it */
int sk_store_commit(struct sk_store *s, struct sk_err *err);
void sk_store_abandon(struct sk_store *s);	/* forget what was staged; fine without a begin */

/** Something was skipped (unreadable, empty, disagrees with its path): told once each, never stops a listing. */
typedef void sk_store_skip(void *ctx, const char *path, const char *why);

/* --- nodes --------------------------------------------------------------------------------------------------- */

/** Called for each record in the incumbent's listing order (byte order of target, portal directory, iface file).
 * Return false to stop. @r is lent; NULL when the walk was asked for keys only. */
typedef bool sk_node_visit(void *ctx, const struct sk_node_key *key, const struct sk_record *r);
struct sk_node_selector {
	const char *target;	/* NULL = any; byte-equal */
	const char *host;	/* NULL = any; equal text, or numerically equal addresses. Never resolves */
	int port;		/* -1 = any */
	const char *iface;	/* NULL = any */
	bool keys_only;		/* do not open the record files: r is NULL, key comes from the path; iface is "" for a
				 * record of the single-file layout unless .iface selects (then it is looked into) */
	bool identity_only;	/* see that the files are what their paths say, and no more: r is NULL */
	bool untagged_only;	/* only records of the single-file layout */
};
/** sk_store_nodes - opens only directories and files the selector can match; returns the number visited, or -1 */
int sk_store_nodes(struct sk_store *s, const struct sk_node_selector *sel, sk_node_visit *visit, void *ctx,
		   sk_store_skip *skip, void *skip_ctx, struct sk_err *err);
struct sk_record *sk_store_node_get(struct sk_store *s, const struct sk_node_key *key, struct sk_err *err);
/** sk_store_node_put - write (replace) with its discovery link; the key comes from the record's own fields */
int sk_store_node_put(struct sk_store *s, const struct sk_record *r, struct sk_err *err);
/** sk_store_node_renew - the same for a record made anew: what a user set in the one before is forgotten */
int sk_store_node_renew(struct sk_store *s, const struct sk_record *r, struct sk_err *err);
/** sk_store_node_found - the same for a discovery: a link of the old isns layout moves to its server's directory */
int sk_store_node_found(struct sk_store *s, const struct sk_record *r, struct sk_err *err);
int sk_store_node_delete(struct sk_store *s, const struct sk_node_key *key, struct sk_err *err);
/** sk_node_key_of - the key a record's fields name; SK_EINVAL when they cannot (empty name, bad address …) */
int sk_node_key_of(const struct sk_record *r, struct sk_node_key *ret, struct sk_err *err);

/* --- discovery records and what was found through them ---------------------------------------------------------- */

typedef bool sk_disc_visit(void *ctx, enum sk_disc_type type, const char *host, uint16_t port, const struct sk_record *r);
int sk_store_discs(struct sk_store *s, enum sk_disc_type type, sk_disc_visit *visit, void *ctx, sk_store_skip *skip,
		   void *skip_ctx, struct sk_err *err);
struct sk_record *sk_store_disc_get(struct sk_store *s, enum sk_disc_type type, const char *host, uint16_t port,
				    struct sk_err *err);
int sk_store_disc_put(struct sk_store *s, const struct sk_record *r, struct sk_err *err);
int sk_store_disc_renew(struct sk_store *s, const struct sk_record *r, struct sk_err *err);	/* as a node's */
/** sk_store_disc_delete - the record and every node record linked to it that still names it as its source */
int sk_store_disc_delete(struct sk_store *s, enum sk_disc_type type, const char *host, uint16_t port, struct sk_err *err);
/** sk_store_disc_nodes - the nodes of a source: those linked to it (in byte order of the links; one without its record,
 * or whose record names another source by now, is passed over), then those without a tag, which have no link. STATIC
 * and FW have no host and port; ISNS with host "" are the links of the old layout. */
int sk_store_disc_nodes(struct sk_store *s, enum sk_disc_type type, const char *host, uint16_t port,
			sk_node_visit *visit, void *ctx, struct sk_err *err);

/** sk_store_keep_user - what a user set in the stored record @old, and still stands there, goes into @fresh, which is to
 * replace it (same key, or the same portal whose tag was not known). @spare_conf: but not over a value that
 * iscsid.conf gave @fresh. Keys of ifaces are never kept: they come from the iface. Of discovery records
 * CHAP and timeouts are kept. Lines this release does not know are kept as well. */
int sk_store_keep_user(struct sk_store *s, const struct sk_record *old, struct sk_record *fresh, bool spare_conf,
		       struct sk_err *err);

/** sk_store_keep_all - every value of @old but those of its iface goes into @fresh: for a record that a session uses */
int sk_store_keep_all(const struct sk_record *old, struct sk_record *fresh, bool spare_conf, struct sk_err *err);
/** sk_store_sweep_marks - inside a change: forget what was set in records that are gone (other tools remove those alone) */
int sk_store_sweep_marks(struct sk_store *s, struct sk_err *err);

/* --- ifaces -------------------------------------------------------------------------------------------------------- */

/** sk_iface_name_ok - 1..64 bytes, no '/', not "." or "..", no control characters, no leading dot */
bool sk_iface_name_ok(const char *name);
/** Files sorted by name, then the built-in "default" and "iser" when @builtins. */
typedef bool sk_iface_visit(void *ctx, const struct sk_record *r);
int sk_store_ifaces(struct sk_store *s, bool builtins, sk_iface_visit *visit, void *ctx, sk_store_skip *skip,
		    void *skip_ctx, struct sk_err *err);
struct sk_record *sk_store_iface_get(struct sk_store *s, const char *name, struct sk_err *err);
int sk_store_iface_put(struct sk_store *s, const struct sk_record *r, struct sk_err *err);
int sk_store_iface_delete(struct sk_store *s, const char *name, struct sk_err *err);

/* --- iscsid.conf and the initiator name ------------------------------------------------------------------------------ */

/** sk_conf_apply - the configuration file's node.* / discovery.* / iface.* lines as defaults into a new record */
int sk_conf_apply(const char *conf_file, struct sk_record *r, sk_record_warn *warn, void *ctx, struct sk_err *err);
/** sk_conf_get - the simple scanner for iscsid.* keys (records.md 2.2): owned text, or NULL when absent (SK_ENOENT) */
char *sk_conf_get(const char *file, const char *key, struct sk_err *err);
/** sk_initiator_name - InitiatorName of the name file, checked. SK_ENOENT: no file or no name in it */
int sk_initiator_name(const char *name_file, struct sk_iname *ret, struct sk_err *err);

#endif
