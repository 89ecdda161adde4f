/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_SESSION_ISID_H
#define SK_SESSION_ISID_H

/**
 * The ISID of a session (RFC 7143, 11.12.5 and 4.4.3.1), by rule instead of by order of logins: the same record on
 * the same machine always gives the same one, so persistent reservations find their nexus again after a reboot, and
 * two machines cloned from one image do not reinstate each other's sessions. Pure.
 */

#include <stdbool.h>
#include <stdint.h>

#include "proto/params.h"

struct sk_isid_of {
	const char *machine; /* something of this machine alone: the machine-id */
	const char *initiator, *target, *host, *iface;
	uint16_t port;
	unsigned slot; /* which of several sessions of one record */
};

/** sk_isid_for - OUI form 00 02 3d with a 24-bit qualifier from all fields. @taken says whether a live session of
 * the same initiator and target has it already: then the next free one is used. */
void sk_isid_for(const struct sk_isid_of *of, bool (*taken)(void *ctx, const struct sk_isid *isid), void *ctx,
		 struct sk_isid *ret);

/** sk_isid_text / _parse - 12 lower-case hexadecimal digits */
void sk_isid_text(const struct sk_isid *isid, char ret[13]);
bool sk_isid_parse(const char *text, struct sk_isid *ret);

#endif
