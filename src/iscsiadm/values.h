/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_ISCSIADM_VALUES_H
#define SK_ISCSIADM_VALUES_H

/** Single arguments: numbers as the incumbent reads them, hostile text made printable, session arguments. */

#include <stdint.h>

#include "base/err.h"
#include "record/places.h"

struct sk_adm_text {
	char s[320];
};
/** sk_adm_printable - @text with control characters as \xNN, cut with "…" when long: safe to print */
struct sk_adm_text sk_adm_printable(const char *text);

/** sk_adm_prefix_u64 - the decimal prefix of @text (0 if there is none) within 0..max; ERANGE outside, else 0 */
int sk_adm_prefix_u64(const char *text, uint64_t max, uint64_t *ret);

/** sk_adm_sid - what -r names: a session id, or a directory of a session below sysfs or the state tree.
 * Fails with the incumbent's words in err->msg (two lines parted by '\n' in one case); *ret_code is the exit
 * status. */
int sk_adm_sid(const struct sk_places *places, const char *text, uint32_t *ret, int *ret_code, struct sk_err *err);

/** sk_adm_target_safe - may this -T text be compared with names of the database? SK_EINVAL with the reason when it
 * is empty, too long, "." or "..", or holds '/' or a control character */
int sk_adm_target_safe(const char *text, struct sk_err *err);

#endif
