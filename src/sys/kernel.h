/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_SYS_KERNEL_H
#define SK_SYS_KERNEL_H

#include <stdbool.h>

#include "record/places.h"

/** sk_sys_has_kernel_iscsi - is the kernel's iSCSI class there (places->sysfs/class/iscsi_transport)? */
bool sk_sys_has_kernel_iscsi(const struct sk_places *p);
/** sk_sys_has_transport - is a kernel transport of this name registered (tcp, iser …)? */
bool sk_sys_has_transport(const struct sk_places *p, const char *name);

#endif
