/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_RECORD_SECRET_H
#define SK_RECORD_SECRET_H

/** Secrets on command lines and in the service manager's credentials. */

#include "base/err.h"

/** sk_secret_resolve - the secret that an argument means, owned: "@FILE" (not readable by others), "@fd:N" and "-" (standard
 * input) name where it is, without one final newline; "@cred:NAME" a credential; "@@…" stands for "@…"; anything else is the secret itself.
 * Errors: SK_EINVAL (over 1024 bytes, a NUL, a file that others may read), what open and read say */
char *sk_secret_resolve(const char *value, struct sk_err *err);

/** What a record or iscsid.conf says in place of a secret that is a credential: this and its name. */
#define SK_SECRET_CREDENTIAL "@cred:"

/** sk_secret_credential - the credential @name, owned, without one final newline: a file of $CREDENTIALS_DIRECTORY, or of
 * iscsid's own where that is not set. Errors: SK_EINVAL (no such name, NUL, over 1024 bytes), SK_ENOENT */
char *sk_secret_credential(const char *name, struct sk_err *err);

/** sk_secret_blank - overwrite an argument in the process list; @arg is one of argv's strings */
void sk_secret_blank(const char *arg);

#endif
