/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_SYS_HOST_H
#define SK_SYS_HOST_H

/** SCSI hosts that carry iSCSI, and the flash nodes of adapters (/sys/bus/iscsi_flashnode). */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "record/places.h"

/** sk_sys_host_transport - of host @host, the kernel's or a user session's: "tcp", "iser", "qla4xxx" … SK_ENOENT */
int sk_sys_host_transport(const struct sk_places *p, uint32_t host, char ret[64], struct sk_err *err);

/** Called in the order of the directories' names; false stops. */
typedef bool sk_sys_flash_visit(void *ctx, uint32_t index);
/** sk_sys_flashnodes - those of @host; returns how many */
int sk_sys_flashnodes(const struct sk_places *p, uint32_t host, sk_sys_flash_visit *visit, void *ctx);
/** sk_sys_flash_attr - an attribute of a flash node, or with @conn of its connection; "" and false when it has none */
bool sk_sys_flash_attr(const struct sk_places *p, uint32_t host, uint32_t index, bool conn, const char *name,
		       char ret[256]);
bool sk_sys_has_flashnode(const struct sk_places *p, uint32_t host, uint32_t index);

#endif
