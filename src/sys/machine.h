/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_SYS_MACHINE_H
#define SK_SYS_MACHINE_H

#include <stddef.h>

/** sk_sys_machine - what tells this machine from its clones: /etc/machine-id, else the host's name. @n bytes with the NUL */
void sk_sys_machine(char *ret, size_t n);

#endif
