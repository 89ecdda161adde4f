/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_ISCSIADM_SESSION_SHOW_H
#define SK_ISCSIADM_SESSION_SHOW_H

/** Sessions as text and JSON: the flat list and the tree of print levels 1 to 3. */

#include "iscsiadm/select.h"

/** What iscsid knows about one session; "Unknown" when it does not answer */
struct sk_states {
	char connection[32], internal[32];
};

/** The parts of the tree below a session's first lines */
enum {
	SK_SHOW_TIMEOUTS = 1 << 0,
	SK_SHOW_CHAP = 1 << 1,
	SK_SHOW_PARAMS = 1 << 2,
	SK_SHOW_LUNS = 1 << 3,
	SK_SHOW_HOST_LINE = 1 << 4, /* the "Host Number" line before the LUNs */
	SK_SHOW_SECRETS = 1 << 5,
};

/** A host:port pair by the bracket rule, without tag */
void sk_session_addr(struct sk_buf *out, const char *addr);
void sk_session_flat_line(struct sk_buf *out, const struct sk_sys_session *s);
/** sk_session_tree - one session; @before is the one printed before it or NULL; each line begins with @indent */
void sk_session_tree(struct sk_buf *out, const struct sk_sys_session *s, const struct sk_sys_session *before,
		     const struct sk_states *states, unsigned parts, const char *indent);
/** sk_session_luns - the box of attached devices */
void sk_session_luns(struct sk_adm *adm, struct sk_buf *out, const struct sk_sys_session *s, unsigned parts,
		     const char *indent);
/** sk_versions - the two lines that precede the most detailed level */
void sk_versions(struct sk_adm *adm);

struct json_object *sk_session_json(struct sk_adm *adm, const struct sk_sys_session *s,
				    const struct sk_states *states);

/** sk_states_ask - the daemon's states of all sessions, one for each of @s; owned array. Never fails: what is not
 * known is "Unknown" */
struct sk_states *sk_states_ask(struct sk_adm *adm, const struct sk_sessions *s);

/** sk_session_print - sessions at a level of session mode */
int sk_session_print(struct sk_adm *adm, const struct sk_sessions *s, int level);

#endif
