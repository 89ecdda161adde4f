/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_SESSION_ADVICE_H
#define SK_SESSION_ADVICE_H

/** What to do about it: one sentence for each way a login or a connection fails. Pure tables. */

#include "base/err.h"
#include "session/policy.h"

/** sk_advice - what a person can do about @err, the last failure of a session, of kind @c: by the target's login
 * status, the kernel's connection error (err->sys 1001 and up), the errno of a connect, else the kind. NULL:
 * nothing is known to help */
const char *sk_advice(const struct sk_err *err, enum sk_cause c);

/** The tables alone, for whoever has a number only. NULL: the number is not in it */
const char *sk_advice_login(uint16_t status); /* Status-Class << 8 | Status-Detail (RFC 7143, 11.13.5) */
const char *sk_advice_kernel(int number);     /* 1001..1022 */
const char *sk_advice_errno(int sys);

#endif
