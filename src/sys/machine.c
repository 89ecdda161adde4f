/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sys/machine.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

void sk_sys_machine(char *ret, size_t n)
{
	SK_FD int fd = open("/etc/machine-id", O_RDONLY | O_CLOEXEC);
	ssize_t got = fd >= 0 ? read(fd, ret, n - 1) : -1;

	if (got < 8) {
		got = gethostname(ret, n - 1) == 0 ? (ssize_t)strnlen(ret, n - 1) : 0;
	}
	ret[got] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
}
