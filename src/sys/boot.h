/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_SYS_BOOT_H
#define SK_SYS_BOOT_H

/**
 * What the boot firmware says: targets, each with the network card and the initiator's name it is to be reached
 * with. Sources: Open Firmware's device tree, and only when that says nothing the iBFT (<sysfs>/firmware/ibft) and
 * the tables of offload adapters (<sysfs>/firmware/iscsi_boot<host>). All of it is checked here: names are iSCSI
 * names, addresses are numeric, no text holds a control character. A bad entry is logged and left out, and hides no
 * other.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/iname.h"
#include "record/places.h"

#define SK_BOOT_ADDR   48 /* the longest numeric address, IPv6 with an embedded IPv4 one */
#define SK_BOOT_SECRET 256

struct sk_boot_nic {
	char mac[18];	 /* lower case with colons; "" = not said (Open Firmware only) */
	char netdev[16]; /* "" = not known */
	char address[SK_BOOT_ADDR], mask[SK_BOOT_ADDR], gateway[SK_BOOT_ADDR]; /* "" = not said */
	char dns1[SK_BOOT_ADDR], dns2[SK_BOOT_ADDR];
	int prefix_len; /* bits, 0..128; -1 = not said */
	int vlan;	/* 0..4095, 0 = none; -1 = not said */
	bool dhcp;	/* the firmware got its address by DHCP */
	bool selected;	/* the firmware booted through it */
};

struct sk_boot_target {
	char source[32];	   /* the firmware's directory: "ibft", "iscsi_boot3"; "openfirmware" */
	int64_t host;		   /* SCSI host of an offload adapter; -1 = an ordinary network card */
	char transport[32];	   /* "tcp", or the adapter's */
	struct sk_iname initiator; /* .s "" = not said; spelled as the firmware does */
	char isid[32];		   /* "" = not said */
	struct sk_iname name;
	char address[SK_BOOT_ADDR];
	uint16_t port;
	char lun[32];						 /* as the firmware writes it; "" = not said */
	char username[SK_BOOT_SECRET], password[SK_BOOT_SECRET]; /* what this side proves; "" = no CHAP */
	char username_in[SK_BOOT_SECRET], password_in[SK_BOOT_SECRET]; /* what the target proves */
	bool selected;						       /* the firmware booted from it */
	struct sk_boot_nic nic;
};

struct sk_boot {
	struct sk_boot_target *v;
	size_t n;
	bool booted; /* a card and a target of one source are marked as those the firmware booted with */
};

/** How the reader asks and tells. Members may be NULL. */
struct sk_boot_cfg {
	const struct sk_places *places; /* .sysfs is the root of all that is read */
	/** the Ethernet device with this address; false = there is none. For cards whose PCI function has no device
	 */
	bool (*netdev_of)(void *ctx, const char *mac, char ret[16]);
	/** a target names a card that does not exist; @n_nics are there (programs print a line about it) */
	void (*no_nic)(void *ctx, int64_t assoc, unsigned n_nics);
	void *ctx;
};

/** sk_boot_read - all targets that are good, in the order of sources and numbers. Nothing at all is an empty list.
 * -1: SK_ENOMEM; SK_EACCES: there are tables, but reading them takes CAP_SYS_ADMIN */
int sk_boot_read(const struct sk_boot_cfg *cfg, struct sk_boot *ret, struct sk_err *err);
void sk_boot_free(struct sk_boot *b); /* wipes secrets */
#define SK_BOOT __attribute__((cleanup(sk_boot_free)))

#endif
