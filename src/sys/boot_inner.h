/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_SYS_BOOT_INNER_H
#define SK_SYS_BOOT_INNER_H

/** Firmware texts made into checked values, without I/O: what boot.c read, and what the fuzzer makes up. */

#include "base/span.h"
#include "sys/boot.h"

#define SK_BOOT_DIRS 255 /* cards, and targets, of one source */
#define SK_BOOT_TEXT 512 /* longer values are none of the firmware's */

/** The text of one attribute. */
struct sk_boot_text {
	char s[SK_BOOT_TEXT];
	bool there; /* false: no such attribute, or one too long */
};

enum sk_boot_nic_attr {
	SK_NIC_FLAGS,
	SK_NIC_INDEX,
	SK_NIC_MAC,
	SK_NIC_ADDRESS,
	SK_NIC_MASK,
	SK_NIC_PREFIX,
	SK_NIC_GATEWAY,
	SK_NIC_DNS1,
	SK_NIC_DNS2,
	SK_NIC_DHCP,
	SK_NIC_VLAN,
	SK_NIC_ORIGIN,
	SK_NIC_ATTRS
};
enum sk_boot_tgt_attr {
	SK_TGT_FLAGS,
	SK_TGT_NIC,
	SK_TGT_NAME,
	SK_TGT_ADDRESS,
	SK_TGT_PORT,
	SK_TGT_LUN,
	SK_TGT_USER,
	SK_TGT_SECRET,
	SK_TGT_USER_IN,
	SK_TGT_SECRET_IN,
	SK_TGT_ATTRS
};
extern const char *const sk_boot_nic_attrs[SK_NIC_ATTRS]; /* their names in sysfs */
extern const char *const sk_boot_tgt_attrs[SK_TGT_ATTRS];

/** sk_boot_nic_check - the card without its device. SK_ENOENT: the firmware says the block is not valid (flags 0);
 * SK_EINVAL: no flags or address, or not what they should be. Optional values that make no sense are left out */
int sk_boot_nic_check(const struct sk_boot_text *texts, struct sk_boot_nic *ret, struct sk_err *err);
/** sk_boot_tgt_check - the target's own part; *ret_nic is the index of its card. Errors as above; a target whose
 * credentials cannot be used is an error too: logging in without them would be another login than the one meant */
int sk_boot_tgt_check(const struct sk_boot_text *texts, struct sk_boot_target *ret, int64_t *ret_nic,
		      struct sk_err *err);
/** sk_boot_name - an iSCSI name in its own spelling; @ret is untouched when it is not one */
int sk_boot_name(const char *text, struct sk_iname *ret, struct sk_err *err);
/** sk_boot_address - a numeric IPv4 or IPv6 address that could be a host's */
bool sk_boot_address(const char *text, char ret[SK_BOOT_ADDR]);
/** sk_boot_plain - no control character, and not empty */
bool sk_boot_plain(const char *text);

/* --- Open Firmware (IEEE 1275: a device path with arguments) -------------------------------------------------- */

/** What a boot path says; lengths are those of the values it may hold. */
struct sk_boot_path {
	char device[256]; /* the device's node, beginning with '/' */
	struct sk_boot_target target;
};
/** sk_boot_path_parse - "/…/device:iscsi,key=value,…[:partition]". SK_ENOENT: it names no iSCSI target;
 * SK_EINVAL: it does, but is not complete or not well formed */
int sk_boot_path_parse(struct sk_span text, struct sk_boot_path *ret, struct sk_err *err);

/** sk_boot_read_of - the boot target of the device tree, if it was one of iSCSI; as sk_boot_read */
int sk_boot_read_of(const struct sk_boot_cfg *cfg, int sysfs, struct sk_boot *ret, struct sk_err *err);
/** sk_boot_add - append a copy of @t */
int sk_boot_add(struct sk_boot *b, const struct sk_boot_target *t, struct sk_err *err);

#endif
