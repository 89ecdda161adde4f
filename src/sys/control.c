/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/control.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"
#include "sys/attr.h"
#include "sys/root.h"

int sk_sys_handle(const struct sk_places *p, const char *transport, uint64_t *ret, struct sk_err *err)
{
	char path[400], text[32] = "";
	SK_FD int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/class/iscsi_transport/%.64s/handle", p->sysfs, transport);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n < 0 && errno == ENOENT)
		return sk_fail(err, SK_ENOENT, "the kernel has no iSCSI transport %s", transport);
	if (n < 0 && (errno == EACCES || errno == EPERM))
		return sk_fail(err, SK_EACCES, "not permitted to drive the kernel's iSCSI: iscsid needs CAP_SYS_ADMIN");
	if (n < 0)
		return sk_fail_sys(err, errno, "read %s", path);
	if (!sk_num_u64(text, strcspn(text, "\n"), 0, UINT64_MAX, ret))
		return sk_fail(err, SK_EIO, "%s makes no sense", path);
	return 0;
}

static void read_state(int root, uint32_t sid, char *ret, size_t n)
{
	char path[SK_ATTR_PATH];

	snprintf(path, sizeof(path), "class/iscsi_session/session%u/state", sid);
	(void)sk_attr_read(root, path, ret, n);
}

void sk_sys_state(const struct sk_places *p, uint32_t sid, char *ret, size_t n)
{
	SK_FD int root = sk_sys_root(p, false);

	ret[0] = '\0';
	if (root >= 0)
		read_state(root, sid, ret, n);
}

void sk_sys_life(const struct sk_places *p, uint32_t sid, struct sk_sys_life *ret)
{
	SK_FD int root = sk_sys_root(p, false);
	char path[SK_ATTR_PATH];

	*ret = (struct sk_sys_life){ .target_id = 0 };
	if (root < 0)
		return;
	snprintf(path, sizeof(path), "class/iscsi_session/session%u", sid);
	read_state(root, sid, ret->session, sizeof(ret->session));
	ret->exists = ret->session[0] || faccessat(root, path, F_OK, 0) == 0;
	if (!ret->exists)
		return;
	snprintf(path, sizeof(path), "class/iscsi_session/session%u/target_state", sid);
	(void)sk_attr_read(root, path, ret->target, sizeof(ret->target));
	snprintf(path, sizeof(path), "class/iscsi_session/session%u/target_id", sid);
	ret->target_id = sk_attr_num(root, path, 0);
	snprintf(path, sizeof(path), "class/iscsi_connection/connection%u:0/state", sid);
	(void)sk_attr_read(root, path, ret->conn, sizeof(ret->conn));
}

static int store(const struct sk_places *p, const char *below, const char *text, struct sk_err *err)
{
	char path[600];
	SK_FD int fd = -1;
	size_t n = strlen(text);

	snprintf(path, sizeof(path), "%s/%s", p->sysfs, below);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return sk_fail_sys(err, errno, "open %s", path);
	if (write(fd, text, n) != (ssize_t)n)
		return sk_fail_sys(err, errno, "write %s", path);
	return 0;
}

int sk_sys_scan(const struct sk_places *p, uint32_t host, struct sk_err *err)
{
	char path[100];

	snprintf(path, sizeof(path), "class/scsi_host/host%u/scan", host);
	return store(p, path, "- - -\n", err);
}

static void device(const struct sk_sys_lun *l, const char *name, char *ret, size_t n)
{
	snprintf(ret, n, "class/scsi_device/%u:%u:%u:%" PRIu64 "/device/%s", l->host, l->channel, l->target, l->lun, name);
}

int sk_sys_reread(const struct sk_places *p, const struct sk_sys_lun *l, struct sk_err *err)
{
	char path[200];

	device(l, "rescan", path, sizeof(path));
	return store(p, path, "1\n", err);
}

bool sk_sys_is_disk(const struct sk_places *p, const struct sk_sys_lun *l)
{
	SK_FD int root = sk_sys_root(p, false);
	char path[200];
	int64_t type;

	if (root < 0)
		return false;
	device(l, "type", path, sizeof(path));
	type = sk_attr_num(root, path, -1);
	return type == 0 || type == 14 || type == 20; /* disk, simplified disk, zoned disk */
}

int sk_sys_xmit_priority(const struct sk_places *p, uint32_t host, int nice, struct sk_err *err)
{
	char path[100], text[16];

	snprintf(path, sizeof(path), "devices/virtual/workqueue/iscsi_q_%u/nice", host);
	snprintf(text, sizeof(text), "%d\n", nice);
	return store(p, path, text, err);
}
