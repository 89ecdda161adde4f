/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_BASE_MEM_H
#define SK_BASE_MEM_H

/** Scope-owned memory and descriptors: declare with SK_MEM / SK_FD and every way out releases them. */

#include <stddef.h>

void sk_mem_cleanup(void *pp);
void sk_fd_cleanup(int *fd);

#define SK_MEM __attribute__((cleanup(sk_mem_cleanup)))
#define SK_FD __attribute__((cleanup(sk_fd_cleanup)))

/** sk_give - hand an SK_MEM pointer on: returns it and forgets it here */
#define sk_give(p) ({ __typeof__(p) sk_given_ = (p); (p) = NULL; sk_given_; })

/** sk_give_fd - the same for a descriptor */
static inline int sk_give_fd(int *fd)
{
	int given = *fd;

	*fd = -1;
	return given;
}

/** sk_fd_close - close *fd if open and set it to -1 */
void sk_fd_close(int *fd);

/** sk_wipe_free - wipe @n bytes that held a secret, then free; NULL is fine */
void sk_wipe_free(void *p, size_t n);

#define SK_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
