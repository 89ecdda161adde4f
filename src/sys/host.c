/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/host.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"
#include "sys/attr.h"
#include "sys/root.h"

#define FLASH "bus/iscsi_flashnode/devices"

int sk_sys_host_transport(const struct sk_places *p, uint32_t host, char ret[64], struct sk_err *err)
{
	char path[SK_ATTR_PATH], name[64];
	bool found = false;

	snprintf(path, sizeof(path), "class/scsi_host/host%u/proc_name", host);
	for (int user = 0; user < 2 && !found; user++) {
		SK_FD int root = sk_sys_root(p, user);

		found = root >= 0 && sk_attr_read(root, path, name, sizeof(name));
	}
	if (!found)
		return sk_fail(err, SK_ENOENT, "there is no host %u", host);
	snprintf(ret, 64, "%s", strncmp(name, "iscsi_", 6) == 0 ? name + 6 : name);
	return 0;
}

/** flashnode_sess-HOST:INDEX */
static bool is_node(const char *name, uint32_t host, uint32_t *ret)
{
	char prefix[40];
	uint64_t v;

	snprintf(prefix, sizeof(prefix), "flashnode_sess-%u:", host);
	if (!sk_name_number(name, prefix, UINT32_MAX, &v))
		return false;
	*ret = (uint32_t)v;
	return true;
}

int sk_sys_flashnodes(const struct sk_places *p, uint32_t host, sk_sys_flash_visit *visit, void *ctx)
{
	SK_FD int root = sk_sys_root(p, false);
	SK_NAMES struct sk_names names = { 0 };
	uint32_t index;
	int n = 0;

	if (root < 0)
		return 0;
	sk_attr_names(root, FLASH, NULL, &names);
	for (size_t i = 0; i < names.n; i++) {
		if (!is_node(names.name[i], host, &index))
			continue;
		n++;
		if (!visit(ctx, index))
			break;
	}
	return n;
}

static void node_dir(uint32_t host, uint32_t index, bool conn, char *ret, size_t n)
{
	snprintf(ret, n, FLASH "/flashnode_%s-%u:%u%s", conn ? "conn" : "sess", host, index, conn ? ":0" : "");
}

bool sk_sys_flash_attr(const struct sk_places *p, uint32_t host, uint32_t index, bool conn, const char *name,
		       char ret[256])
{
	SK_FD int root = sk_sys_root(p, false);
	char dir[100], path[SK_ATTR_PATH];

	ret[0] = '\0';
	node_dir(host, index, conn, dir, sizeof(dir));
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return root >= 0 && sk_attr_read(root, path, ret, 256);
}

bool sk_sys_has_flashnode(const struct sk_places *p, uint32_t host, uint32_t index)
{
	SK_FD int root = sk_sys_root(p, false);
	char dir[100];

	node_dir(host, index, false, dir, sizeof(dir));
	return root >= 0 && faccessat(root, dir, F_OK, 0) == 0;
}
