/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_SYS_ROOT_H
#define SK_SYS_ROOT_H

#include "record/places.h"

/** sk_sys_root - descriptor of the kernel's sysfs, or of the state tree of user sessions; -1 if it does not exist.
 * For this room only. */
int sk_sys_root(const struct sk_places *p, bool user);

#endif
