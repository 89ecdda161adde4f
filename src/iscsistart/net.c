/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "iscsistart/net.h"

#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/span.h"
#include "iscsistart/rtnl.h"
#include "proto/portal.h"

#define LINK_MS	   15000 /* for the carrier: a switch may take that long */
#define VLAN_TABLE "/proc/net/vlan/config"

/* --- what the firmware says, as numbers ----------------------------------------------------------------------- */

static bool parse_ip(const char *text, struct sk_ip *ret)
{
	struct sk_host h;

	if (!text[0] || !sk_host_parse(sk_span_str(text), &h) || h.kind == SK_HOST_NAME)
		return false;
	*ret = (struct sk_ip){ .family = h.kind == SK_HOST_V4 ? AF_INET : AF_INET6,
			       .n = h.kind == SK_HOST_V4 ? 4 : 16 };
	memcpy(ret->addr, h.addr, ret->n);
	return true;
}

static unsigned bits_of(const struct sk_ip *mask)
{
	uint32_t m = sk_be32(mask->addr);
	unsigned n = 0;

	for (; m & 0x80000000U; m <<= 1)
		n++;
	return n;
}

/* Bits of the network; 0 = not said. */
static unsigned prefix_of(const struct sk_boot_nic *nic, const struct sk_ip *ip)
{
	struct sk_ip mask;

	if (ip->n == 4 && parse_ip(nic->mask, &mask) && mask.n == 4)
		return bits_of(&mask);
	return nic->prefix_len > 0 && nic->prefix_len <= ip->n * 8 ? (unsigned)nic->prefix_len : 0;
}

static bool same_network(const struct sk_ip *a, const struct sk_ip *b, unsigned prefix)
{
	unsigned whole = prefix / 8, rest = prefix % 8;
	uint8_t mask = (uint8_t)(0xff00U >> rest);

	return a->n == b->n && memcmp(a->addr, b->addr, whole) == 0 &&
	       (rest == 0 || ((a->addr[whole] ^ b->addr[whole]) & mask) == 0);
}

/* --- devices ------------------------------------------------------------------------------------------------- */

/* The VLAN device of this number on @netdev: lines "name | number | device". */
static bool find_vlan(const char *netdev, int vlan, char ret[IF_NAMESIZE])
{
	FILE *f = fopen(VLAN_TABLE, "re");
	char line[200], name[IF_NAMESIZE], on[IF_NAMESIZE];
	bool found = false;
	int id;

	while (f && !found && fgets(line, sizeof(line), f))
		found = sscanf(line, " %15[^ |] | %d | %15[^ |\n]", name, &id, on) == 3 && id == vlan &&
			strcmp(on, netdev) == 0;
	if (f)
		(void)fclose(f);
	if (found)
		memcpy(ret, name, IF_NAMESIZE);
	return found;
}

static int raise_link(int fd, const char *netdev, struct sk_err *err)
{
	unsigned index = if_nametoindex(netdev);

	if (!index)
		return sk_fail(err, SK_ENOENT, "Network device %s does not exist", netdev);
	if (sk_rtnl_up(fd, index, err) < 0)
		return -1;
	if (!sk_rtnl_wait_link(netdev, LINK_MS))
		fprintf(stderr, "iscsistart: %s has no link after %d s\n", netdev, LINK_MS / 1000);
	return (int)index;
}

/* Returns the index of the device that has the address then. */
static int raise_nic(int fd, const struct sk_boot_nic *nic, struct sk_err *err)
{
	struct sk_ip ip;
	unsigned prefix;
	char dev[IF_NAMESIZE];
	int index;

	if (!nic->netdev[0])
		return sk_fail(err, SK_ENOENT, "No netdev name in fw entry.");
	snprintf(dev, sizeof(dev), "%s", nic->netdev);
	if (nic->vlan > 0 && !find_vlan(nic->netdev, nic->vlan, dev))
		return sk_fail(err, SK_ENOENT, "No matching vlan found for fw entry.");
	if (!parse_ip(nic->address, &ip))
		return sk_fail(err, SK_EINVAL, "Invalid or missing ipaddr in fw entry");
	prefix = prefix_of(nic, &ip);
	if (!prefix)
		return sk_fail(err, SK_EINVAL, "Invalid or missing netmask in fw entry");
	if (nic->vlan > 0 && raise_link(fd, nic->netdev, err) < 0)
		return -1;
	index = raise_link(fd, dev, err);
	if (index < 0 || sk_rtnl_address(fd, (unsigned)index, &ip, prefix, err) < 0)
		return -1;
	return index;
}

static int route(int fd, unsigned index, const struct sk_boot_target *t, struct sk_err *err)
{
	const struct sk_boot_nic *nic = &t->nic;
	struct sk_ip own, to, gateway;

	if (!parse_ip(nic->address, &own) || !parse_ip(t->address, &to) || own.family != to.family)
		return sk_fail(err, SK_EINVAL, "The addresses of %s and of the target are not of one kind",
			       nic->netdev);
	if (same_network(&own, &to, prefix_of(nic, &own)))
		return sk_rtnl_host_route(fd, index, &to, NULL, err);
	if (!parse_ip(nic->gateway, &gateway) || gateway.family != to.family)
		return sk_fail(err, SK_EINVAL, "Invalid or missing gateway for %s", nic->netdev);
	return sk_rtnl_host_route(fd, index, &to, &gateway, err);
}

/* A device that an earlier target brought up is not brought up again. */
static int known_index(const struct sk_boot *boot, size_t i, const int *indices)
{
	for (size_t k = 0; k < i; k++)
		if (indices[k] > 0 && strcmp(boot->v[k].nic.netdev, boot->v[i].nic.netdev) == 0 &&
		    boot->v[k].nic.vlan == boot->v[i].nic.vlan)
			return indices[k];
	return -1;
}

static int set_up(int fd, const struct sk_boot *boot, size_t i, int *indices, struct sk_err *err)
{
	const struct sk_boot_target *t = &boot->v[i];

	indices[i] = known_index(boot, i, indices);
	if (indices[i] < 0)
		indices[i] = raise_nic(fd, &t->nic, err);
	return indices[i] < 0 ? -1 : route(fd, (unsigned)indices[i], t, err);
}

int sk_start_network(const struct sk_boot *boot)
{
	struct sk_err err = { 0 };
	SK_FD int fd = sk_rtnl_open(&err);
	SK_MEM int *indices = calloc(boot->n, sizeof(*indices));
	int status = 0;

	if (fd < 0 || !indices) {
		fprintf(stderr, "iscsistart: %s\n", fd < 0 ? err.msg : "no memory");
		return 1;
	}
	for (size_t i = 0; i < boot->n; i++) {
		const struct sk_boot_target *t = &boot->v[i];

		if (t->host >= 0) { /* it has its settings from the same firmware */
			printf("Setting up offload interface %s\n", t->nic.netdev);
			continue;
		}
		printf("Setting up software interface %s\n", t->nic.netdev);
		err = (struct sk_err){ 0 };
		if (set_up(fd, boot, i, indices, &err) == 0)
			continue;
		fprintf(stderr, "iscsistart: %s\n", err.msg);
		printf("Setting up software interface %s failed\n", t->nic.netdev);
		status = 1;
	}
	return status;
}
