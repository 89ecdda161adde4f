/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_MGMT_RESULT_H
#define SK_MGMT_RESULT_H

/** Result numbers of the incumbent: answer codes of the daemon and exit statuses of iscsiadm (spec: cli.md 10). */

#include "base/err.h"

enum sk_result {
	SK_RES_SUCCESS = 0,
	SK_RES_ERR = 1,
	SK_RES_SESS_NOT_FOUND = 2,
	SK_RES_NOMEM = 3,
	SK_RES_TRANS = 4,
	SK_RES_LOGIN = 5,
	SK_RES_IDBM = 6,
	SK_RES_INVAL = 7,
	SK_RES_TRANS_TIMEOUT = 8,
	SK_RES_INTERNAL = 9,
	SK_RES_LOGOUT = 10,
	SK_RES_PDU_TIMEOUT = 11,
	SK_RES_TRANS_NOT_FOUND = 12,
	SK_RES_ACCESS = 13,
	SK_RES_TRANS_CAPS = 14,
	SK_RES_SESS_EXISTS = 15,
	SK_RES_INVALID_MGMT_REQ = 16,
	SK_RES_ISNS_UNAVAILABLE = 17,
	SK_RES_ISCSID_COMM_ERR = 18,
	SK_RES_FATAL_LOGIN = 19,
	SK_RES_ISCSID_NOTCONN = 20,
	SK_RES_NO_OBJS_FOUND = 21,
	SK_RES_SYSFS_LOOKUP = 22,
	SK_RES_HOST_NOT_FOUND = 23,
	SK_RES_LOGIN_AUTH_FAILED = 24,
	SK_RES_ISNS_QUERY = 25,
	SK_RES_ISNS_REG_FAILED = 26,
	SK_RES_OP_NOT_SUPP = 27,
	SK_RES_BUSY = 28,
	SK_RES_AGAIN = 29,
	SK_RES_UNKNOWN_DISCOVERY_TYPE = 30,
	SK_RES_CHILD_TERMINATED = 31,
	SK_RES_SESSION_NOT_CONNECTED = 32,
	SK_RES_REQ_TIMEDOUT = 33,
};

/** sk_result_text - the incumbent's words; NULL outside 0..33, the "invalid error code N" form is the caller's */
const char *sk_result_text(int code);
/** sk_result_name - "TRANS_TIMEOUT" and so on; never NULL */
const char *sk_result_name(int code);
/** sk_result_of_login - the code a failed login is answered with (spec: cli.md 5.7) */
enum sk_result sk_result_of_login(const struct sk_err *err);
/** sk_result_of_discovery - the same for a SendTargets run (spec: cli.md 4.7): what lasts is 11 where a login has 8
 */
enum sk_result sk_result_of_discovery(const struct sk_err *err);
/** sk_result_of - for everything else */
enum sk_result sk_result_of(const struct sk_err *err);

#endif
