/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_BASE_ERR_H
#define SK_BASE_ERR_H

/**
 * sk_err - what went wrong, as a value the caller owns.
 *
 * Functions that can fail take a `struct sk_err *` as last argument, return 0 or -1 (or a pointer or NULL) and
 * fill it on failure only. A NULL err is allowed: the caller is not interested in the reason. On the way up a
 * caller puts its context in front with sk_in(). Nothing in the libraries prints; a program says it once.
 */

#include <stdint.h>

enum sk_code {
	SK_OK = 0,
	SK_EINVAL,	/* an argument, a value, a name is not acceptable */
	SK_ENOENT,	/* the thing asked for does not exist */
	SK_EEXIST,	/* it exists already */
	SK_ENOMEM,	/* memory, descriptors or another local resource */
	SK_EACCES,	/* not permitted here (local) */
	SK_EIO,		/* a system call on a file or device failed */
	SK_EDB,		/* the record store: lock, unreadable or unwritable */
	SK_ERESOLVE,	/* a host name does not resolve */
	SK_ECONN,	/* connection refused, reset, unreachable, closed */
	SK_ETIME,	/* a deadline passed */
	SK_EPROTO,	/* the peer broke the protocol */
	SK_ELOGIN,	/* the target refused the login: see .login */
	SK_EAUTH,	/* authentication or authorization failed, either direction */
	SK_EBUSY,	/* in use */
	SK_EAGAIN,	/* not now, a retry may succeed */
	SK_ENOTCONN,	/* the daemon, or the session's process, cannot be reached */
	SK_ENOTSUP,	/* not supported by this transport, kernel or build */
	SK_EDOMAIN,	/* a SCSI command ended with a status that is an error for the caller */
};

struct sk_err {
	enum sk_code code;	/* what can be done about it */
	int sys;		/* errno of the call that failed, else 0 */
	uint16_t login;		/* Status-Class << 8 | Status-Detail, else 0 (RFC 7143, 11.13.5) */
	char msg[240];		/* one line, no final newline; grows to the left, cut at the right */
};

/** sk_fail - fill *err; always returns -1 */
int sk_fail(struct sk_err *err, enum sk_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/** sk_fail_sys - as sk_fail, with code chosen from errno value @sys and ": <strerror>" appended; returns -1 */
int sk_fail_sys(struct sk_err *err, int sys, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/** sk_in - put "context: " in front of the message; returns -1 */
int sk_in(struct sk_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** sk_code_name - the symbolic name, such as "EPROTO"; never NULL */
const char *sk_code_name(enum sk_code code);

#endif
