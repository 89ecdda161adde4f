/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attributes of a card and of a target, as the kernel prints them, into checked values. */
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "proto/portal.h"
#include "sys/boot_inner.h"

#define ORIGIN_DHCP 3 /* of the IP prefix's origin */
#define FLAG_BOOT   2 /* the firmware booted with this one */

const char *const sk_boot_nic_attrs[SK_NIC_ATTRS] = {
	[SK_NIC_FLAGS] = "flags",     [SK_NIC_INDEX] = "index",	     [SK_NIC_MAC] = "mac",
	[SK_NIC_ADDRESS] = "ip-addr", [SK_NIC_MASK] = "subnet-mask", [SK_NIC_PREFIX] = "prefix-len",
	[SK_NIC_GATEWAY] = "gateway", [SK_NIC_DNS1] = "primary-dns", [SK_NIC_DNS2] = "secondary-dns",
	[SK_NIC_DHCP] = "dhcp",	      [SK_NIC_VLAN] = "vlan",	     [SK_NIC_ORIGIN] = "origin",
};

const char *const sk_boot_tgt_attrs[SK_TGT_ATTRS] = {
	[SK_TGT_FLAGS] = "flags",
	[SK_TGT_NIC] = "nic-assoc",
	[SK_TGT_NAME] = "target-name",
	[SK_TGT_ADDRESS] = "ip-addr",
	[SK_TGT_PORT] = "port",
	[SK_TGT_LUN] = "lun",
	[SK_TGT_USER] = "chap-name",
	[SK_TGT_SECRET] = "chap-secret",
	[SK_TGT_USER_IN] = "rev-chap-name",
	[SK_TGT_SECRET_IN] = "rev-chap-name-secret",
};

/* --- single values ------------------------------------------------------------------------------------------- */

bool sk_boot_plain(const char *text)
{
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return false;
	return *text;
}

bool sk_boot_address(const char *text, char ret[SK_BOOT_ADDR])
{
	struct sk_host h;

	if (strlen(text) >= SK_BOOT_ADDR || !sk_host_parse(sk_span_str(text), &h) || h.kind == SK_HOST_NAME ||
	    h.any || h.zone[0])
		return false;
	snprintf(ret, SK_BOOT_ADDR, "%s", text);
	return true;
}

int sk_boot_name(const char *text, struct sk_iname *ret, struct sk_err *err)
{
	struct sk_iname checked;

	if (sk_iname_parse(sk_span_str(text), &checked, err) < 0)
		return -1;
	/* sent as the firmware spells it: a target's access list may hold it that way */
	snprintf(ret->s, sizeof(ret->s), "%s", strlen(text) < sizeof(ret->s) ? text : checked.s);
	return 0;
}

static bool number(const struct sk_boot_text *t, int64_t max, int64_t *ret)
{
	uint64_t v;

	if (!t->there || !sk_num_u64(t->s, strlen(t->s), 0, (uint64_t)max, &v))
		return false;
	*ret = (int64_t)v;
	return true;
}

static int optional_number(const struct sk_boot_text *t, int64_t max)
{
	int64_t v = -1;

	return number(t, max, &v) ? (int)v : -1;
}

static void optional_address(const struct sk_boot_text *t, char ret[SK_BOOT_ADDR])
{
	ret[0] = '\0';
	if (t->there)
		(void)sk_boot_address(t->s, ret);
}

/* "02:00:ab:…" in lower case. */
static bool mac_of(const char *text, char ret[18])
{
	uint64_t v;

	if (strlen(text) != 17)
		return false;
	for (unsigned i = 0; i < 6; i++) {
		const char *at = text + 3 * i;

		if (!sk_num_hex(at, 2, &v) || (i < 5 && at[2] != ':'))
			return false;
		snprintf(ret + 3 * i, 18 - 3 * i, i < 5 ? "%02x:" : "%02x", (unsigned)v);
	}
	return true;
}

/* Both blocks: flags must be there, and not 0. */
static int flags_of(const struct sk_boot_text *t, bool *ret_selected, struct sk_err *err)
{
	int64_t flags;

	if (!number(t, 255, &flags))
		return sk_fail(err, SK_EINVAL, "no flags");
	if (flags == 0)
		return sk_fail(err, SK_ENOENT, "not valid by its flags");
	*ret_selected = flags & FLAG_BOOT;
	return 0;
}

/* --- blocks -------------------------------------------------------------------------------------------------- */

/* A mask of ones and then zeros; anything else would be a wrong route. */
static void mask_of(const struct sk_boot_text *t, char ret[SK_BOOT_ADDR])
{
	struct sk_host h;
	uint32_t m;

	ret[0] = '\0';
	if (!t->there || strlen(t->s) >= SK_BOOT_ADDR || !sk_host_parse(sk_span_str(t->s), &h) ||
	    h.kind != SK_HOST_V4)
		return;
	m = ~sk_be32(h.addr);
	if ((m & (m + 1)) == 0)
		snprintf(ret, SK_BOOT_ADDR, "%s", t->s);
}

int sk_boot_nic_check(const struct sk_boot_text *t, struct sk_boot_nic *ret, struct sk_err *err)
{
	struct sk_boot_nic nic = { .prefix_len = -1, .vlan = -1 };
	char dhcp[SK_BOOT_ADDR];

	if (flags_of(&t[SK_NIC_FLAGS], &nic.selected, err) < 0)
		return -1;
	if (!t[SK_NIC_MAC].there || !mac_of(t[SK_NIC_MAC].s, nic.mac))
		return sk_fail(err, SK_EINVAL, "no hardware address");
	optional_address(&t[SK_NIC_ADDRESS], nic.address);
	optional_address(&t[SK_NIC_GATEWAY], nic.gateway);
	optional_address(&t[SK_NIC_DNS1], nic.dns1);
	optional_address(&t[SK_NIC_DNS2], nic.dns2);
	optional_address(&t[SK_NIC_DHCP], dhcp);
	mask_of(&t[SK_NIC_MASK], nic.mask);
	nic.prefix_len = optional_number(&t[SK_NIC_PREFIX], 128);
	nic.vlan = optional_number(&t[SK_NIC_VLAN], 4095);
	nic.dhcp = dhcp[0] || optional_number(&t[SK_NIC_ORIGIN], 255) == ORIGIN_DHCP;
	*ret = nic;
	return 0;
}

static int copy_plain(const struct sk_boot_text *t, char *ret, size_t n, const char *what, struct sk_err *err)
{
	ret[0] = '\0';
	if (!t->there || !t->s[0])
		return 0;
	if (!sk_boot_plain(t->s) || strlen(t->s) >= n)
		return sk_fail(err, SK_EINVAL, "its %s is too long or holds a control character", what);
	snprintf(ret, n, "%s", t->s);
	return 0;
}

static int credentials(const struct sk_boot_text *t, struct sk_boot_target *r, struct sk_err *err)
{
	if (copy_plain(&t[SK_TGT_USER], r->username, sizeof(r->username), "CHAP name", err) < 0 ||
	    copy_plain(&t[SK_TGT_SECRET], r->password, sizeof(r->password), "CHAP secret", err) < 0 ||
	    copy_plain(&t[SK_TGT_USER_IN], r->username_in, sizeof(r->username_in), "reverse CHAP name", err) < 0)
		return -1;
	return copy_plain(&t[SK_TGT_SECRET_IN], r->password_in, sizeof(r->password_in), "reverse CHAP secret", err);
}

static int tgt_check(const struct sk_boot_text *t, struct sk_boot_target *r, int64_t *ret_nic, struct sk_err *err)
{
	int64_t port = SK_PORTAL_PORT;

	if (flags_of(&t[SK_TGT_FLAGS], &r->selected, err) < 0)
		return -1;
	if (!t[SK_TGT_NAME].there)
		return sk_fail(err, SK_EINVAL, "no target name");
	if (sk_boot_name(t[SK_TGT_NAME].s, &r->name, err) < 0)
		return -1;
	if (!t[SK_TGT_ADDRESS].there || !sk_boot_address(t[SK_TGT_ADDRESS].s, r->address))
		return sk_fail(err, SK_EINVAL, "no address of a target");
	if (t[SK_TGT_PORT].there && (!number(&t[SK_TGT_PORT], 65535, &port) || port == 0))
		return sk_fail(err, SK_EINVAL, "no port of a target");
	if (!number(&t[SK_TGT_NIC], 255, ret_nic))
		return sk_fail(err, SK_EINVAL, "no network card");
	r->port = (uint16_t)port;
	if (copy_plain(&t[SK_TGT_LUN], r->lun, sizeof(r->lun), "LUN", err) < 0)
		return -1;
	return credentials(t, r, err);
}

int sk_boot_tgt_check(const struct sk_boot_text *t, struct sk_boot_target *ret, int64_t *ret_nic,
		      struct sk_err *err)
{
	struct sk_boot_target r = { .host = -1, .transport = "tcp" };
	int64_t nic;
	int rc = tgt_check(t, &r, &nic, err);

	if (rc == 0) {
		*ret = r;
		*ret_nic = nic;
	}
	explicit_bzero(&r, sizeof(r));
	return rc;
}
