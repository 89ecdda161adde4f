/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_TRANSPORT_KERNEL_NL_HOST_H
#define SK_TRANSPORT_KERNEL_NL_HOST_H

/**
 * What an adapter keeps for itself, as messages of NETLINK_ISCSI: its CHAP table, its flash nodes, its counters.
 * Pure: no I/O. Software hosts have none of it and the kernel refuses (ENOSYS, EINVAL).
 */

#include <stdbool.h>
#include <stdint.h>

#include "transport/kernel/nl_msg.h"

#define SK_NL_CHAP_MAX	 2048 /* indices of a table */
#define SK_NL_CHAP_BATCH 16   /* entries asked for at once: they fit in SK_NL_DATAGRAM */
#define SK_NL_CHAP_LEN	 524

struct sk_nl_chap {
	uint16_t index;
	bool incoming; /* the credentials the target proves itself with */
	char username[256], password[256];
};

/** sk_nl_put_host - DEL_FLASHNODE, LOGIN_FLASHNODE, LOGOUT_FLASHNODE (@index: of the flash node), GET_HOST_STATS (0) */
void sk_nl_put_host(struct sk_buf *out, enum sk_nl_type type, uint64_t handle, uint32_t host, uint32_t index);
/** sk_nl_put_get_chap - SK_NL_CHAP_BATCH entries from index @start on */
void sk_nl_put_get_chap(struct sk_buf *out, uint64_t handle, uint32_t host, uint16_t start);
void sk_nl_put_delete_chap(struct sk_buf *out, uint64_t handle, uint32_t host, uint16_t index);
/** sk_nl_put_set_chap - an index past the table asks the driver for a free place. SK_EINVAL: a name or secret of more
 * than 255 bytes, or none */
int sk_nl_put_set_chap(struct sk_buf *out, uint64_t handle, uint32_t host, const struct sk_nl_chap *chap,
		       struct sk_err *err);
void sk_nl_put_new_flashnode(struct sk_buf *out, uint64_t handle, uint32_t host, bool ipv6);

/** sk_nl_chap - entry @i of a GET_CHAP answer; false past its end. Control characters become '?' */
bool sk_nl_chap(struct sk_span table, uint32_t i, struct sk_nl_chap *ret);
/** sk_nl_host_stat - counter @i of a GET_HOST_STATS answer; false past the last, and for an answer that is too short */
bool sk_nl_host_stat(struct sk_span table, unsigned i, const char **ret_name, uint64_t *ret);

/* --- flash nodes: fields by name (flashnode.session.…, flashnode.conn[0].…) ------------------------------------- */

struct sk_flash_field {
	const char *name; /* the record's */
	const char *attr; /* the file in sysfs */
	bool conn;	  /* of the connection's directory */
	uint16_t param;
	uint8_t width; /* bytes of the number; 0 = text */
	bool addr;     /* an IPv4 or IPv6 address, in network order */
};
/** sk_flash_fields - in the order records are printed; ends with name NULL */
extern const struct sk_flash_field sk_flash_fields[];
const struct sk_flash_field *sk_flash_field(const char *name);

struct sk_flash_list {
	struct sk_buf attrs;
	uint32_t n;
};
/** sk_flash_add - one more field to set. SK_EINVAL: the value does not fit the field; nothing is added then */
int sk_flash_add(struct sk_flash_list *l, const struct sk_flash_field *f, const char *value, struct sk_err *err);
/** sk_nl_put_set_flashnode - all fields of the list; an adapter writes its flash once a message */
void sk_nl_put_set_flashnode(struct sk_buf *out, uint64_t handle, uint32_t host, uint32_t index,
			     const struct sk_flash_list *l);

#endif
