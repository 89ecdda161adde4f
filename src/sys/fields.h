/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_SYS_FIELDS_H
#define SK_SYS_FIELDS_H

/** Which attribute of sysfs is which field of struct sk_sys_session: one table for the reader and the publisher. */

#include <stddef.h>

#include "sys/session.h"

enum sk_field_of { SK_OF_SESSION, SK_OF_CONN, SK_OF_HOST, SK_OF_SCSI_HOST, SK_N_OBJECTS };

enum sk_field_kind {
	SK_FIELD_TEXT,
	SK_FIELD_ADDR,	 /* text; published with IPv6 spelt out as the kernel does */
	SK_FIELD_CHAP,	 /* text; published as "(null)" when unset, readable by root only */
	SK_FIELD_DRIVER, /* text; in the file with "iscsi_" in front, except for drivers of adapters */
	SK_FIELD_I32,
	SK_FIELD_NUM, /* -1 = not reported */
	SK_FIELD_TMO, /* as NUM; "off" is -1 both ways */
};

struct sk_field {
	const char *name;
	enum sk_field_of of;
	enum sk_field_kind kind;
	enum sk_sys_depth depth; /* from which depth on it is read */
	size_t off, size;
};

extern const struct sk_field sk_fields[];
extern const size_t sk_n_fields;

/** sk_field_dir - where an object is below the root: "class/iscsi_session/session3" … */
void sk_field_dir(enum sk_field_of of, uint32_t sid, uint32_t host, char *ret, size_t n);

/** sk_field_load - read one field into *s from its object's directory; false when it is unknown (and then "" or -1)
 */
bool sk_field_load(const struct sk_field *f, int dir, struct sk_sys_session *s);
/** sk_field_save - write one field of *s below @dir (a directory descriptor of the object it belongs to) */
int sk_field_save(const struct sk_field *f, int dir, const struct sk_sys_session *s, struct sk_err *err);

#endif
