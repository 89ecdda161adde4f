/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static enum sk_code code_of_errno(int sys)
{
	switch (sys) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return SK_ENOENT;
	case EEXIST:
		return SK_EEXIST;
	case ENOMEM:
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
		return SK_ENOMEM;
	case EACCES:
	case EPERM:
		return SK_EACCES;
	case EINVAL:
	case ENAMETOOLONG:
		return SK_EINVAL;
	case ECONNREFUSED:
	case ECONNRESET:
	case ECONNABORTED:
	case EPIPE:
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENETDOWN:
	case EADDRNOTAVAIL:
		return SK_ECONN;
	case ENOTCONN:
		return SK_ENOTCONN;
	case ETIMEDOUT:
		return SK_ETIME;
	case EBUSY:
		return SK_EBUSY;
	case EAGAIN:
		return SK_EAGAIN;
	case ENOSYS:
	case EOPNOTSUPP:
	case EAFNOSUPPORT:
	case EPROTONOSUPPORT:
		return SK_ENOTSUP;
	default:
		return SK_EIO;
	}
}

__attribute__((format(printf, 4, 0)))
static void fill(struct sk_err *err, enum sk_code code, int sys, const char *fmt, va_list ap)
{
	err->code = code;
	err->sys = sys;
	err->login = 0;
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
}

int sk_fail(struct sk_err *err, enum sk_code code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return -1;
	va_start(ap, fmt);
	fill(err, code, 0, fmt, ap);
	va_end(ap);
	return -1;
}

int sk_fail_sys(struct sk_err *err, int sys, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	if (!err)
		return -1;
	va_start(ap, fmt);
	fill(err, code_of_errno(sys), sys, fmt, ap);
	va_end(ap);
	n = strlen(err->msg);
	snprintf(err->msg + n, sizeof(err->msg) - n, ": %s", strerror(sys));
	return -1;
}

int sk_in(struct sk_err *err, const char *fmt, ...)
{
	char was[sizeof(err->msg)];
	va_list ap;
	size_t n;

	if (!err)
		return -1;
	memcpy(was, err->msg, sizeof(was));
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	n = strlen(err->msg);
	snprintf(err->msg + n, sizeof(err->msg) - n, ": %s", was);
	return -1;
}

const char *sk_code_name(enum sk_code code)
{
	static const char *const names[] = {
		[SK_OK] = "OK",		    [SK_EINVAL] = "EINVAL",   [SK_ENOENT] = "ENOENT",
		[SK_EEXIST] = "EEXIST",	    [SK_ENOMEM] = "ENOMEM",   [SK_EACCES] = "EACCES",
		[SK_EIO] = "EIO",	    [SK_EDB] = "EDB",	      [SK_ERESOLVE] = "ERESOLVE",
		[SK_ECONN] = "ECONN",	    [SK_ETIME] = "ETIME",     [SK_EPROTO] = "EPROTO",
		[SK_ELOGIN] = "ELOGIN",	    [SK_EAUTH] = "EAUTH",     [SK_EBUSY] = "EBUSY",
		[SK_EAGAIN] = "EAGAIN",	    [SK_ENOTCONN] = "ENOTCONN", [SK_ENOTSUP] = "ENOTSUP",
		[SK_EDOMAIN] = "EDOMAIN",
	};

	if ((unsigned)code >= sizeof(names) / sizeof(names[0]) || !names[code])
		return "EUNKNOWN";
	return names[code];
}
