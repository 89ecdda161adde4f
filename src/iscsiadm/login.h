/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_ISCSIADM_LOGIN_H
#define SK_ISCSIADM_LOGIN_H

/** Logins: all requests go out before the first answer is awaited; results are told in the order of the requests.
 */

#include "iscsiadm/select.h"

enum sk_login_how {
	SK_LOGIN_WANTED,   /* as many sessions as node.session.nr_sessions asks for */
	SK_LOGIN_FIRMWARE, /* the same; each is announced when its result is awaited, as the incumbent's fw mode does */
	SK_LOGIN_ONE_MORE, /* -m session -r N -o new */
};

/** sk_login_nodes - log in with these records; the exit status by the incumbent's rule: the first error of sending,
 * else the first failing result */
int sk_login_nodes(struct sk_adm *adm, const struct sk_nodes *nodes, enum sk_login_how how);
/** sk_login_selected - find and log in; 21 when nothing matches */
int sk_login_selected(struct sk_adm *adm, const struct sk_sel *sel, enum sk_login_how how);
/** sk_login_all - -L */
int sk_login_all(struct sk_adm *adm);

/** sk_startup_matches - is the record in a startup class? */
bool sk_startup_matches(const struct sk_record *r, const char *class);

#endif
