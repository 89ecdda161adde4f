/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_RECORD_IFACE_H
#define SK_RECORD_IFACE_H

/** Rules of ifaces that need no file: the built-in ones, address families, binding a node record. */

#include <stdbool.h>

#include "record/record.h"

/** sk_iface_is_builtin - "default" and "iser" exist without a file; they cannot be written, changed or deleted */
bool sk_iface_is_builtin(const char *name);

/** sk_iface_new - an iface as `-o new` makes it: transport tcp ("iser": iser). SK_EINVAL: bad name */
struct sk_record *sk_iface_new(const char *name, struct sk_err *err);

/** sk_iface_is_v6 - which family's keys may be set: by address when there is one, else by "ipv6" in the name */
bool sk_iface_is_v6(const struct sk_record *iface);

/** sk_iface_binding - what a software iface (or a node record bound to it) ties connections to by @key: iface.net_ifacename,
 * .hwaddress or .ipaddress. "" when it leaves that open: unset, "default", or an address that is none (0.0.0.0, ::) */
const char *sk_iface_binding(const struct sk_record *r, const char *key);

/** sk_node_bind_iface - copy the iface's non-empty fields into a node record */
int sk_node_bind_iface(struct sk_record *node, const struct sk_record *iface, struct sk_err *err);

#endif
