/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_ISCSIADM_SELECT_H
#define SK_ISCSIADM_SELECT_H

/** Which records and which sessions a command means: target, portal and iface; absent parts match everything. */

#include "iscsiadm/adm.h"
#include "iscsiadm/say.h"
#include "sys/session.h"

struct sk_sel {
	const char *target;		    /* NULL = any; byte-equal */
	char target_name[SK_INAME_MAX + 1]; /* where .target points to */
	const char *host;		    /* NULL = any */
	int port;			    /* -1 = any */
	const char *iface;		    /* NULL = any */
	char transport[32];		    /* of the iface; compared for every iface but "default" */
	uint32_t sid;			    /* of session mode: this session only; 0 = any */
	bool names_only;		    /* of sk_nodes_each: the visitor takes keys, records need not be read */
};

/** sk_sel_from_args - from -T, -p and -I. Tells what is wrong and returns the exit status, 0 when fine */
int sk_sel_from_args(struct sk_adm *adm, struct sk_sel *ret);
bool sk_sel_is_empty(const struct sk_sel *s);

/** sk_host_known - is it an address, or a name that resolves? */
bool sk_host_known(const char *host);
/** sk_host_same - equal text, or the same numeric address; with @resolve also names whose first address is the same
 */
bool sk_host_same(const char *a, const char *b, bool resolve);

struct sk_node_item {
	struct sk_node_key key;
	struct sk_record *record;
};
struct sk_nodes {
	struct sk_node_item *v;
	size_t n;
};
/** sk_nodes_each - visit the matching records in listing order, without keeping them; the visitor returns false to
 * stop. Returns an exit status; what fails is told */
int sk_nodes_each(struct sk_adm *adm, const struct sk_sel *sel, bool resolve, sk_node_visit *visit, void *ctx,
		  size_t *ret_n);
/** sk_nodes_find - the matching records, in listing order. Returns an exit status; what fails is told */
int sk_nodes_find(struct sk_adm *adm, const struct sk_sel *sel, bool resolve, struct sk_nodes *ret);
void sk_nodes_free(struct sk_nodes *nodes);

struct sk_sessions {
	struct sk_sys_session *v;
	size_t n;
};
/** sk_sessions_find - the matching running sessions, in the order of their sysfs names. 0, or SK_RES_NOMEM */
int sk_sessions_find(struct sk_adm *adm, const struct sk_sel *sel, enum sk_sys_depth depth,
		     struct sk_sessions *ret);
void sk_sessions_free(struct sk_sessions *s);
/** sk_sel_of_record - the selector that finds the sessions of one record; lent strings of @item */
struct sk_sel sk_sel_of_record(const struct sk_node_item *item);
/** sk_sessions_of_record - how many sessions of this record run */
size_t sk_sessions_of_record(const struct sk_sessions *all, const struct sk_node_item *item);

struct sk_about sk_about_node(const struct sk_node_item *item);
struct sk_about sk_about_session(const struct sk_sys_session *s);

#endif
