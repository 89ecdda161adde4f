/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_DATAPATH_FUSE_SPARE_H
#define SK_DATAPATH_FUSE_SPARE_H

/** How much memory the machine can give without writing anything out first: what a program that others' writes go through
 * may ask for. */

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

#define SK_MEMINFO "/proc/meminfo"

/** sk_spare_parse - of the text of /proc/meminfo, bytes: what is available, less what waits to be written.
 * false: the text does not tell */
bool sk_spare_parse(struct sk_span text, uint64_t *ret);
/** sk_spare_has - by @fd, open on such a file: are @bytes there? Where nothing tells, yes. One read, no allocation. */
bool sk_spare_has(int fd, uint64_t bytes);

#endif
