/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mgmt/result.h"

#include <errno.h>
#include <stddef.h>

#include "base/mem.h"

static const struct {
	const char *name, *text;
} results[] = {
	[SK_RES_SUCCESS] = { "SUCCESS", "" },
	[SK_RES_ERR] = { "ERR", "unknown error" },
	[SK_RES_SESS_NOT_FOUND] = { "SESS_NOT_FOUND", "session not found" },
	[SK_RES_NOMEM] = { "NOMEM", "no available memory" },
	[SK_RES_TRANS] = { "TRANS", "encountered connection failure" },
	[SK_RES_LOGIN] = { "LOGIN", "encountered iSCSI login failure" },
	[SK_RES_IDBM] = { "IDBM", "encountered iSCSI database failure" },
	[SK_RES_INVAL] = { "INVAL", "invalid parameter" },
	[SK_RES_TRANS_TIMEOUT] = { "TRANS_TIMEOUT", "connection timed out" },
	[SK_RES_INTERNAL] = { "INTERNAL", "internal error" },
	[SK_RES_LOGOUT] = { "LOGOUT", "encountered iSCSI logout failure" },
	[SK_RES_PDU_TIMEOUT] = { "PDU_TIMEOUT", "iSCSI PDU timed out" },
	[SK_RES_TRANS_NOT_FOUND] = { "TRANS_NOT_FOUND", "iSCSI driver not found. Please make sure it is loaded, "
							"and retry the operation" },
	[SK_RES_ACCESS] = { "ACCESS", "daemon access denied" },
	[SK_RES_TRANS_CAPS] = { "TRANS_CAPS", "iSCSI driver does not support requested capability." },
	[SK_RES_SESS_EXISTS] = { "SESS_EXISTS", "session exists" },
	[SK_RES_INVALID_MGMT_REQ] = { "INVALID_MGMT_REQ", "Unknown request" },
	[SK_RES_ISNS_UNAVAILABLE] = { "ISNS_UNAVAILABLE", "iSNS service not supported" },
	[SK_RES_ISCSID_COMM_ERR] = { "ISCSID_COMM_ERR", "could not communicate to iscsid" },
	[SK_RES_FATAL_LOGIN] = { "FATAL_LOGIN", "encountered non-retryable iSCSI login failure" },
	[SK_RES_ISCSID_NOTCONN] = { "ISCSID_NOTCONN", "could not connect to iscsid" },
	[SK_RES_NO_OBJS_FOUND] = { "NO_OBJS_FOUND", "no objects found" },
	[SK_RES_SYSFS_LOOKUP] = { "SYSFS_LOOKUP", "sysfs lookup failure" },
	[SK_RES_HOST_NOT_FOUND] = { "HOST_NOT_FOUND", "host not found" },
	[SK_RES_LOGIN_AUTH_FAILED] = { "LOGIN_AUTH_FAILED", "iSCSI login failed due to authorization failure" },
	[SK_RES_ISNS_QUERY] = { "ISNS_QUERY", "iSNS query failed" },
	[SK_RES_ISNS_REG_FAILED] = { "ISNS_REG_FAILED", "iSNS registration failed" },
	[SK_RES_OP_NOT_SUPP] = { "OP_NOT_SUPP", "operation not supported" },
	[SK_RES_BUSY] = { "BUSY", "device or resource in use" },
	[SK_RES_AGAIN] = { "AGAIN", "operation failed but retry may succeed" },
	[SK_RES_UNKNOWN_DISCOVERY_TYPE] = { "UNKNOWN_DISCOVERY_TYPE", "unknown discovery type" },
	[SK_RES_CHILD_TERMINATED] = { "CHILD_TERMINATED", "child process terminated" },
	[SK_RES_SESSION_NOT_CONNECTED] = { "SESSION_NOT_CONNECTED", "target likely not connected" },
	[SK_RES_REQ_TIMEDOUT] = { "REQ_TIMEDOUT", "iscsid request timed out" },
};

const char *sk_result_text(int code)
{
	if (code < 0 || (size_t)code >= SK_ARRAY_LEN(results))
		return NULL;
	return results[code].text;
}

const char *sk_result_name(int code)
{
	if (code < 0 || (size_t)code >= SK_ARRAY_LEN(results))
		return "UNKNOWN";
	return results[code].name;
}

/* One row per code of sk_err; what a login, a discovery and everything else make of it. */
static const struct {
	unsigned char login, discovery, other;
} by_code[] = {
	[SK_OK] = { SK_RES_SUCCESS, SK_RES_SUCCESS, SK_RES_SUCCESS },
	[SK_EINVAL] = { SK_RES_INVAL, SK_RES_INVAL, SK_RES_INVAL },
	/* of a login: the iface's device or address does not exist (now) */
	[SK_ENOENT] = { SK_RES_TRANS_TIMEOUT, SK_RES_PDU_TIMEOUT, SK_RES_NO_OBJS_FOUND },
	[SK_EEXIST] = { SK_RES_SESS_EXISTS, SK_RES_SESS_EXISTS, SK_RES_SESS_EXISTS },
	[SK_ENOMEM] = { SK_RES_NOMEM, SK_RES_NOMEM, SK_RES_NOMEM },
	[SK_EACCES] = { SK_RES_ACCESS, SK_RES_ACCESS, SK_RES_ACCESS },
	[SK_EIO] = { SK_RES_INTERNAL, SK_RES_INTERNAL, SK_RES_INTERNAL },
	[SK_EDB] = { SK_RES_IDBM, SK_RES_IDBM, SK_RES_IDBM },
	[SK_ERESOLVE] = { SK_RES_TRANS, SK_RES_TRANS, SK_RES_TRANS },
	[SK_ECONN] = { SK_RES_TRANS_TIMEOUT, SK_RES_PDU_TIMEOUT, SK_RES_TRANS },
	[SK_ETIME] = { SK_RES_TRANS_TIMEOUT, SK_RES_PDU_TIMEOUT, SK_RES_REQ_TIMEDOUT },
	[SK_EPROTO] = { SK_RES_FATAL_LOGIN, SK_RES_FATAL_LOGIN, SK_RES_ISCSID_COMM_ERR },
	[SK_ELOGIN] = { SK_RES_FATAL_LOGIN, SK_RES_FATAL_LOGIN, SK_RES_LOGIN },
	/* of a login, without a status of the target: it failed to prove itself */
	[SK_EAUTH] = { SK_RES_FATAL_LOGIN, SK_RES_FATAL_LOGIN, SK_RES_LOGIN_AUTH_FAILED },
	[SK_EBUSY] = { SK_RES_BUSY, SK_RES_BUSY, SK_RES_BUSY },
	[SK_EAGAIN] = { SK_RES_AGAIN, SK_RES_AGAIN, SK_RES_AGAIN },
	[SK_ENOTCONN] = { SK_RES_INTERNAL, SK_RES_INTERNAL, SK_RES_ISCSID_NOTCONN },
	[SK_ENOTSUP] = { SK_RES_TRANS_NOT_FOUND, SK_RES_TRANS_NOT_FOUND, SK_RES_OP_NOT_SUPP },
	[SK_EDOMAIN] = { SK_RES_INTERNAL, SK_RES_INTERNAL, SK_RES_INTERNAL },
};

/* RFC 7143, 11.13.5: Status-Class 2 is ours to mend, 3 is the target's and may pass; @later is what its lasting
 * gives. */
static enum sk_result of_status(uint16_t status, enum sk_result later)
{
	if (status == 0x0201 || status == 0x0202)
		return SK_RES_LOGIN_AUTH_FAILED;
	return status >> 8 == 3 ? later : SK_RES_FATAL_LOGIN;
}

enum sk_result sk_result_of_login(const struct sk_err *err)
{
	if (err->login)
		return of_status(err->login, SK_RES_TRANS_TIMEOUT);
	return (unsigned)err->code < SK_ARRAY_LEN(by_code) ? by_code[err->code].login : SK_RES_ERR;
}

enum sk_result sk_result_of_discovery(const struct sk_err *err)
{
	if (err->login)
		return of_status(err->login, SK_RES_PDU_TIMEOUT);
	return (unsigned)err->code < SK_ARRAY_LEN(by_code) ? by_code[err->code].discovery : SK_RES_ERR;
}

enum sk_result sk_result_of(const struct sk_err *err)
{
	if (err->code == SK_ENOTCONN && (err->sys == ECONNRESET || err->sys == EPIPE))
		return SK_RES_ISCSID_COMM_ERR; /* it was there, and closed without an answer */
	return (unsigned)err->code < SK_ARRAY_LEN(by_code) ? by_code[err->code].other : SK_RES_ERR;
}
