/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "datapath/fuse/spare.h"

#include <ctype.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"

/* "Name:   123 kB" at the beginning of a line */
static bool find(struct sk_span text, const char *name, uint64_t *ret_kib)
{
	const char *p = (const char *)text.p, *end = p + text.n;
	size_t n = strlen(name);

	while (p < end) {
		const char *eol = memchr(p, '\n', (size_t)(end - p)) ?: end, *from = p + n, *to;

		if ((size_t)(eol - p) > n && memcmp(p, name, n) == 0) {
			while (from < eol && *from == ' ')
				from++;
			for (to = from; to < eol && isdigit((unsigned char)*to); to++)
				continue;
			return sk_num_u64(from, (size_t)(to - from), 0, UINT64_MAX >> 10, ret_kib);
		}
		p = eol + 1;
	}
	return false;
}

bool sk_spare_parse(struct sk_span text, uint64_t *ret)
{
	uint64_t available, dirty, writeback, waits;

	if (!find(text, "MemAvailable:", &available) || !find(text, "Dirty:", &dirty) ||
	    !find(text, "Writeback:", &writeback) || __builtin_add_overflow(dirty, writeback, &waits))
		return false;
	*ret = (available - SK_MIN(available, waits)) << 10;
	return true;
}

bool sk_spare_has(int fd, uint64_t bytes)
{
	uint64_t spare;
	char text[2048];	/* the three lines are among the first twenty */
	ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof(text), 0);

	return n < 0 || !sk_spare_parse(sk_span(text, (size_t)n), &spare) || spare >= bytes;
}
