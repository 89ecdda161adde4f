/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_SYS_ATTR_H
#define SK_SYS_ATTR_H

/** Attribute files and directories below a root descriptor; for this room only. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define SK_ATTR_PATH 256

/** sk_attr_read - the value without its newline; "" and false when it cannot be read, whatever the reason, is unset
 * ("(null)", "<NULL>") or does not fit into @n. Control characters become '?'. One open, one read. */
bool sk_attr_read(int dir, const char *path, char *ret, size_t n);
/** sk_attr_num - a number, @none if unknown; "off" is -1 */
int64_t sk_attr_num(int dir, const char *path, int64_t none);

/** sk_attr_write - @value and a newline, by rename; not written when the file has this value already */
int sk_attr_write(int dir, const char *path, const char *value, mode_t mode, struct sk_err *err);

/** sk_attr_mkdirs - make @path and what leads to it, 0755 */
int sk_attr_mkdirs(int dir, const char *path, struct sk_err *err);

/** sk_attr_rmtree - remove a tree without following links; 0 when it does not exist */
int sk_attr_rmtree(int dir, const char *path, struct sk_err *err);

/** Names of a directory in bytewise order, without those that begin with a dot. */
struct sk_names {
	char (*name)[64];
	size_t n;
};

/** sk_attr_names - the names that @want (may be NULL) accepts; a directory that cannot be read has none.
 * Names of 64 bytes and more are passed over. Release with sk_attr_names_free. */
void sk_attr_names(int dir, const char *path, bool (*want)(const char *name), struct sk_names *ret);
void sk_attr_names_free(struct sk_names *n);
#define SK_NAMES __attribute__((cleanup(sk_attr_names_free)))

/** sk_name_number - @name is @prefix and a decimal number up to @max */
bool sk_name_number(const char *name, const char *prefix, uint64_t max, uint64_t *ret);

#endif
