/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Open Firmware: the boot path of the device tree carries the whole login as arguments of a network device. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "proto/portal.h"
#include "sys/attr.h"
#include "sys/boot_inner.h"

#define TREE	  "firmware/devicetree/base"
#define PATH_TEXT 4096 /* of a property with a boot path */

/* --- arguments ----------------------------------------------------------------------------------------------- */

enum arg {
	INITIATOR,
	TARGET,
	ADDRESS,
	PORT,
	LUN,
	OWN,
	GATEWAY,
	MASK,
	DHCP,
	ISID,
	USER,
	SECRET,
	USER_IN,
	SECRET_IN,
	ARGS
};

static const struct {
	const char *key;
	bool colons; /* its value may hold a ':'; of others a partition begins there */
} args[ARGS] = {
	[INITIATOR] = { "itname", true }, [TARGET] = { "iname", true },	     [ADDRESS] = { "siaddr", true },
	[PORT] = { "iport", false },	  [LUN] = { "ilun", false },	     [OWN] = { "ciaddr", true },
	[GATEWAY] = { "giaddr", true },	  [MASK] = { "subnet-mask", false }, [DHCP] = { "dhcp", true },
	[ISID] = { "isid", false },	  [USER] = { "ichapid", true },	     [SECRET] = { "ichappw", true },
	[USER_IN] = { "chapid", true },	  [SECRET_IN] = { "chappw", true },
};

struct parsed {
	struct sk_boot_text v[ARGS];
	bool iscsi;
};

/* One argument: a word, or key=value. Those that are not ours are passed over. */
static int take_arg(struct parsed *p, struct sk_span arg, struct sk_err *err)
{
	const uint8_t *eq = memchr(arg.p, '=', arg.n);
	size_t klen = eq ? (size_t)(eq - arg.p) : arg.n, vlen;
	const uint8_t *value, *colon;

	if (!eq) {
		p->iscsi |= arg.n >= 5 && memcmp(arg.p, "iscsi", 5) == 0 && (arg.n == 5 || arg.p[5] == ':');
		return 0;
	}
	value = eq + 1;
	vlen = arg.n - klen - 1;
	for (unsigned i = 0; i < ARGS; i++) {
		if (strlen(args[i].key) != klen || memcmp(args[i].key, arg.p, klen) != 0)
			continue;
		colon = args[i].colons ? NULL : memchr(value, ':', vlen);
		if (colon)
			vlen = (size_t)(colon - value);
		if (vlen >= sizeof(p->v[i].s) || memchr(value, '\0', vlen))
			return sk_fail(err, SK_EINVAL, "the argument %s of the boot path is too long", args[i].key);
		memcpy(p->v[i].s, value, vlen);
		p->v[i].s[vlen] = '\0';
		p->v[i].there = vlen != 0;
	}
	return 0;
}

static int take_args(struct parsed *p, struct sk_span text, struct sk_err *err)
{
	while (text.n) {
		const uint8_t *comma = memchr(text.p, ',', text.n);
		size_t n = comma ? (size_t)(comma - text.p) : text.n;

		if (take_arg(p, sk_span(text.p, n), err) < 0)
			return -1;
		n += comma != NULL;
		text = sk_span(text.p + n, text.n - n);
	}
	return 0;
}

/* The same values under the names of the kernel's tables, so that one piece of code checks both. */
static int check(struct parsed *p, struct sk_boot_target *ret, struct sk_err *err)
{
	struct sk_boot_text t[SK_TGT_ATTRS] = { 0 };
	static const struct {
		enum sk_boot_tgt_attr to;
		enum arg from;
	} same[] = {
		{ SK_TGT_NAME, TARGET },     { SK_TGT_ADDRESS, ADDRESS },     { SK_TGT_PORT, PORT },
		{ SK_TGT_LUN, LUN },	     { SK_TGT_USER, USER },	      { SK_TGT_SECRET, SECRET },
		{ SK_TGT_USER_IN, USER_IN }, { SK_TGT_SECRET_IN, SECRET_IN },
	};
	int64_t nic;
	int rc;

	t[SK_TGT_FLAGS] = (struct sk_boot_text){ "3", true };
	t[SK_TGT_NIC] = (struct sk_boot_text){ "0", true };
	for (size_t i = 0; i < SK_ARRAY_LEN(same); i++)
		t[same[i].to] = p->v[same[i].from];
	rc = sk_boot_tgt_check(t, ret, &nic, err);
	explicit_bzero(t, sizeof(t));
	return rc;
}

static void take_network(struct parsed *p, struct sk_boot_nic *nic)
{
	struct sk_boot_text t[SK_NIC_ATTRS] = {
		[SK_NIC_FLAGS] = { "3", true }, [SK_NIC_MAC] = { "00:00:00:00:00:00", true },
		[SK_NIC_ADDRESS] = p->v[OWN],	[SK_NIC_GATEWAY] = p->v[GATEWAY],
		[SK_NIC_MASK] = p->v[MASK],	[SK_NIC_DHCP] = p->v[DHCP],
	};

	if (sk_boot_nic_check(t, nic, NULL) == 0)
		nic->mac[0] = '\0';
}

static int finish(struct parsed *p, struct sk_boot_path *r, struct sk_err *err)
{
	struct sk_boot_target *t = &r->target;

	if (!p->iscsi)
		return sk_fail(err, SK_ENOENT, "not a path of iSCSI");
	if (check(p, t, err) < 0)
		return -1;
	memcpy(t->source, "openfirmware", sizeof("openfirmware"));
	take_network(p, &t->nic);
	if (p->v[INITIATOR].there && sk_boot_name(p->v[INITIATOR].s, &t->initiator, err) < 0)
		return sk_in(err, "initiator");
	if (p->v[ISID].there && sk_boot_plain(p->v[ISID].s) && strlen(p->v[ISID].s) < sizeof(t->isid))
		memcpy(t->isid, p->v[ISID].s, strlen(p->v[ISID].s) + 1);
	return 0;
}

/* A node of the tree: absolute, and below it. */
static bool device_ok(struct sk_span d)
{
	char text[sizeof(((struct sk_boot_path *)0)->device)];

	if (d.n < 2 || d.n >= sizeof(text) || d.p[0] != '/' || memchr(d.p, '\0', d.n))
		return false;
	memcpy(text, d.p, d.n);
	text[d.n] = '\0';
	return sk_boot_plain(text) && !strstr(text, "/../") && (d.n < 3 || strcmp(text + d.n - 3, "/..") != 0);
}

int sk_boot_path_parse(struct sk_span text, struct sk_boot_path *ret, struct sk_err *err)
{
	const uint8_t *colon = text.n ? memchr(text.p, ':', text.n) : NULL;
	size_t n = colon ? (size_t)(colon - text.p) : text.n;
	struct parsed p = { 0 };
	struct sk_boot_path r = { 0 };
	int rc;

	if (!colon)
		return sk_fail(err, SK_ENOENT, "a path without arguments");
	if (!device_ok(sk_span(text.p, n)))
		return sk_fail(err, SK_EINVAL, "the boot path does not begin with a device of the tree");
	memcpy(r.device, text.p, n);
	rc = take_args(&p, sk_span(colon + 1, text.n - n - 1), err);
	if (rc == 0)
		rc = finish(&p, &r, err);
	if (rc == 0)
		*ret = r;
	explicit_bzero(&p, sizeof(p));
	explicit_bzero(&r, sizeof(r));
	return rc;
}

/* --- the tree ------------------------------------------------------------------------------------------------ */

/* A property of the tree without the NUL at its end; -1 when there is none, or one of no sensible size. */
static ssize_t property(int tree, const char *path, char *ret, size_t n)
{
	SK_FD int fd = openat(tree, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t got = fd < 0 ? -1 : read(fd, ret, n);

	if (got <= 0 || (size_t)got == n)
		return -1;
	return ret[got - 1] == '\0' ? got - 1 : got;
}

static void find_mac(const struct sk_boot_cfg *cfg, int tree, const struct sk_boot_path *path,
		     struct sk_boot_nic *nic)
{
	char name[sizeof(path->device) + 24];
	unsigned char mac[8];
	SK_FD int fd = -1;

	snprintf(name, sizeof(name), "%s/local-mac-address", path->device + 1);
	fd = openat(tree, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || read(fd, mac, sizeof(mac)) != 6)
		return;
	snprintf(nic->mac, sizeof(nic->mac), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
		 mac[4], mac[5]);
	if (cfg->netdev_of && !cfg->netdev_of(cfg->ctx, nic->mac, nic->netdev))
		nic->netdev[0] = '\0';
}

static bool known(const struct sk_boot *b, const struct sk_boot_target *t)
{
	for (size_t i = 0; i < b->n; i++)
		if (sk_iname_eq(&b->v[i].name, &t->name) && sk_portal_host_eq(b->v[i].address, t->address) &&
		    b->v[i].port == t->port)
			return true;
	return false;
}

static int read_path(const struct sk_boot_cfg *cfg, int tree, const char *name, bool booted, struct sk_boot *ret,
		     struct sk_err *err)
{
	char text[PATH_TEXT];
	ssize_t n = property(tree, name, text, sizeof(text));
	struct sk_boot_path path;
	struct sk_err why = { 0 };
	int rc = 0;

	if (n <= 0)
		return 0;
	if (sk_boot_path_parse(sk_span(text, (size_t)n), &path, &why) == 0) {
		find_mac(cfg, tree, &path, &path.target.nic);
		path.target.selected = path.target.nic.selected = booted;
		if (!known(ret, &path.target))
			rc = sk_boot_add(ret, &path.target, err);
		ret->booted |= booted;
		explicit_bzero(&path, sizeof(path));
	} else if (why.code != SK_ENOENT) {
		sk_warning(SK_ROOM_SYS, "firmware: %s is left out: %s", name, why.msg);
	}
	explicit_bzero(text, sizeof(text));
	return rc;
}

static bool is_alias(const char *name)
{
	return strncmp(name, "iscsi-disk", 10) == 0;
}

int sk_boot_read_of(const struct sk_boot_cfg *cfg, int sysfs, struct sk_boot *ret, struct sk_err *err)
{
	SK_FD int tree = openat(sysfs, TREE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	SK_NAMES struct sk_names names = { 0 };
	int rc;

	if (tree < 0)
		return 0;
	rc = read_path(cfg, tree, "chosen/bootpath", true, ret, err);
	sk_attr_names(tree, "aliases", is_alias, &names);
	for (size_t i = 0; i < names.n && rc == 0; i++) {
		char path[80];

		snprintf(path, sizeof(path), "aliases/%s", names.name[i]);
		rc = read_path(cfg, tree, path, false, ret, err);
	}
	return rc;
}
