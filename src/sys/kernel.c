/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/kernel.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool sk_sys_has_kernel_iscsi(const struct sk_places *p)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/class/iscsi_transport", p->sysfs);
	return access(path, F_OK) == 0;
}

bool sk_sys_has_transport(const struct sk_places *p, const char *name)
{
	char path[400];

	if (!name[0] || strchr(name, '/') || name[0] == '.' || strlen(name) > 64)
		return false;
	snprintf(path, sizeof(path), "%s/class/iscsi_transport/%s", p->sysfs, name);
	return access(path, F_OK) == 0;
}
