/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void sk_mem_cleanup(void *pp)
{
	free(*(void **)pp);
}

void sk_fd_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

void sk_fd_cleanup(int *fd)
{
	sk_fd_close(fd);
}

void sk_wipe_free(void *p, size_t n)
{
	if (!p)
		return;
	explicit_bzero(p, n);
	free(p);
}
