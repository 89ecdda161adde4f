/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_RECORD_SECRET_H
#define SK_RECORD_SECRET_H

/** Secrets on command lines. */

#include "base/err.h"

/** sk_secret_resolve - the secret that an argument means, owned: "@FILE" (not readable by others), "@fd:N" and "-" (standard
 * input) name where it is, without one final newline; "@@…" stands for "@…"; anything else is the secret itself.
 * Errors: SK_EINVAL (over 1024 bytes, a NUL, a file that others may read), what open and read say */
char *sk_secret_resolve(const char *value, struct sk_err *err);

/** sk_secret_blank - overwrite an argument in the process list; @arg is one of argv's strings */
void sk_secret_blank(const char *arg);

#endif
