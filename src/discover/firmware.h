/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_DISCOVER_FIRMWARE_H
#define SK_DISCOVER_FIRMWARE_H

/** Targets of the boot firmware as records: what is printed of them, stored, and logged in with (spec: boot.md 3.4,
 * 4). */

#include "base/buf.h"
#include "record/record.h"
#include "sys/boot.h"

#define SK_FIRMWARE_TPGT 1 /* the firmware names no portal group */

/** sk_firmware_read - sk_boot_read with this machine's network devices. @line gets what programs print about
 * targets whose card does not exist, once each, with its newline */
int sk_firmware_read(const struct sk_places *places, void (*line)(void *ctx, const char *text), void *ctx,
		     struct sk_boot *ret, struct sk_err *err);

/** sk_firmware_each - the lines of a target: key and value, in the order they are printed; absent ones are left out
 */
typedef void sk_firmware_line(void *ctx, const char *key, const char *value);
void sk_firmware_each(const struct sk_boot_target *t, sk_firmware_line *line, void *ctx);
/** sk_firmware_print - the same framed as a record. Secrets are in clear: wipe @out */
void sk_firmware_print(struct sk_buf *out, const struct sk_boot_target *t);

/** sk_firmware_dress - what the firmware says, into a node record: names, portal, credentials, source, startup
 * onboot */
int sk_firmware_dress(const struct sk_boot_target *t, struct sk_record *r, struct sk_err *err);

/** sk_firmware_iface - the iface of a target's sessions: the built-in default with the firmware's initiator name,
 * or of an adapter one of its own, "<transport>.<mac>.<ipv4|ipv6>.0" */
struct sk_record *sk_firmware_iface(const struct sk_boot_target *t, struct sk_err *err);

/** sk_firmware_login_record - a node record to log in with, without the database: built-in defaults, the
 * configuration file (a missing one is an empty one), the firmware, sk_firmware_patience. Owned by the caller */
struct sk_record *sk_firmware_login_record(const struct sk_boot_target *t, const char *conf_file,
					   struct sk_err *err);
/** sk_firmware_patience - many attempts, because nobody else tries, and no pings, because nobody would answer a
 * lost connection until an iscsid takes over */
int sk_firmware_patience(struct sk_record *r, struct sk_err *err);

#endif
