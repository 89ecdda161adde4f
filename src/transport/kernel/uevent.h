/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_TRANSPORT_KERNEL_UEVENT_H
#define SK_TRANSPORT_KERNEL_UEVENT_H

/** What the kernel tells of its devices (kobject uevents), through a filter in the kernel. */

#include <stddef.h>
#include <sys/types.h>

#define SK_UEVENT_MAX 8192

/** sk_uevents_open - a non-blocking socket that hears only messages beginning with @prefix (compared in whole words of four
 * bytes, at most 96); -1 where that cannot be had */
int sk_uevents_open(const char *prefix);

/** sk_uevents_next - one message of the kernel, as text with NULs in it and one behind: its length, 0 when there is none */
size_t sk_uevents_next(int fd, char buf[SK_UEVENT_MAX]);

/** sk_uevent_value - the value of @key in a message of @n bytes; NULL when it has none */
const char *sk_uevent_value(const char *msg, size_t n, const char *key);

#endif
