/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_ISCSIADM_DISC_IFACE_H
#define SK_ISCSIADM_DISC_IFACE_H

/** The ifaces a discovery asks through. */

#include "iscsiadm/adm.h"

struct sk_disc_ifaces {
	struct sk_record **v;
	unsigned n;
	bool chosen; /* named with -I or kept in files: one that cannot reach the target does not end the run */
};

/** sk_disc_ifaces_find - those of -I that can be used; without -I every file of transport tcp, else the built-in
 * default. Returns 0, or 21 when none is left (what was dropped is told) */
int sk_disc_ifaces_find(struct sk_adm *adm, struct sk_disc_ifaces *ret);
/** sk_disc_has_iface - is there an iface to ask through? Says nothing */
bool sk_disc_has_iface(struct sk_adm *adm);
void sk_disc_ifaces_free(struct sk_disc_ifaces *f);

#endif
