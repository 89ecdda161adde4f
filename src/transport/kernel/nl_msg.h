/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_TRANSPORT_KERNEL_NL_MSG_H
#define SK_TRANSPORT_KERNEL_NL_MSG_H

/**
 * The messages of NETLINK_ISCSI as bytes: a netlink header of 16, a uevent of 56, a payload. Numbers are in the
 * machine's byte order, but the layout is the one of a 64-bit kernel everywhere. Pure: no I/O.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "proto/pdu.h"

#define SK_NL_HEAD	72	/* netlink header and uevent */
#define SK_NL_PDU_MAX	8192	/* data segment of a PDU that passes through the kernel, either direction */
#define SK_NL_VALUE_MAX 4095	/* text of a parameter, without its NUL */
#define SK_NL_STATS_LEN 96
#define SK_NL_CUSTOM_LEN 72
#define SK_NL_CUSTOM_MAX 32

enum sk_nl_type {
	SK_NL_CREATE_SESSION = 11,
	SK_NL_DESTROY_SESSION = 12,
	SK_NL_CREATE_CONN = 13,
	SK_NL_DESTROY_CONN = 14,
	SK_NL_BIND_CONN = 15,
	SK_NL_SET_PARAM = 16,
	SK_NL_START_CONN = 17,
	SK_NL_STOP_CONN = 18,
	SK_NL_SEND_PDU = 19,
	SK_NL_GET_STATS = 20,
	SK_NL_SET_HOST_PARAM = 26,
	SK_NL_UNBIND_SESSION = 27,
	SK_NL_PING = 32,
	SK_NL_GET_CHAP = 33,
	SK_NL_DELETE_CHAP = 34,
	SK_NL_SET_FLASHNODE = 35,
	SK_NL_NEW_FLASHNODE = 36,
	SK_NL_DEL_FLASHNODE = 37,
	SK_NL_LOGIN_FLASHNODE = 38,
	SK_NL_LOGOUT_FLASHNODE = 39,
	SK_NL_SET_CHAP = 41,
	SK_NL_GET_HOST_STATS = 42,
	SK_NL_DESTROY_SESSION_ASYNC = 43,
	/* events */
	SK_NL_EV_RECV_PDU = 101,
	SK_NL_EV_CONN_ERROR = 102,
	SK_NL_EV_IF_ERROR = 103,
	SK_NL_EV_DESTROY_SESSION = 104,
	SK_NL_EV_UNBIND_SESSION = 105,
	SK_NL_EV_CREATE_SESSION = 106,
};

/** SET_PARAM numbers; the others exist for adapters only */
enum sk_nl_param {
	SK_NLP_MAX_RECV_DLENGTH = 0, SK_NLP_MAX_XMIT_DLENGTH = 1, SK_NLP_HDRDGST_EN = 2, SK_NLP_DATADGST_EN = 3,
	SK_NLP_INITIAL_R2T_EN = 4, SK_NLP_MAX_R2T = 5, SK_NLP_IMM_DATA_EN = 6, SK_NLP_FIRST_BURST = 7,
	SK_NLP_MAX_BURST = 8, SK_NLP_PDU_INORDER_EN = 9, SK_NLP_DATASEQ_INORDER_EN = 10, SK_NLP_ERL = 11,
	SK_NLP_EXP_STATSN = 14, SK_NLP_TARGET_NAME = 15, SK_NLP_TPGT = 16, SK_NLP_PERSISTENT_ADDRESS = 17,
	SK_NLP_PERSISTENT_PORT = 18, SK_NLP_SESS_RECOVERY_TMO = 19, SK_NLP_USERNAME = 22, SK_NLP_USERNAME_IN = 23,
	SK_NLP_PASSWORD = 24, SK_NLP_PASSWORD_IN = 25, SK_NLP_FAST_ABORT = 26, SK_NLP_ABORT_TMO = 27,
	SK_NLP_LU_RESET_TMO = 28, SK_NLP_PING_TMO = 30, SK_NLP_RECV_TMO = 31, SK_NLP_IFACE_NAME = 32,
	SK_NLP_INITIATOR_NAME = 34, SK_NLP_TGT_RESET_TMO = 35,
};
enum sk_nl_host_param { SK_NLH_HWADDRESS = 0, SK_NLH_INITIATOR_NAME = 1, SK_NLH_NETDEV_NAME = 2 };

enum sk_nl_stop { SK_NL_STOP_TERM = 1, SK_NL_STOP_RECOVER = 3 };

/* --- requests: @out is reset and holds one whole message; out->nomem is checked by whoever sends it */

void sk_nl_put_create(struct sk_buf *out, uint64_t handle, uint32_t cmd_sn, uint16_t cmds_max, uint16_t queue_depth);
/** sk_nl_put_session - DESTROY_SESSION, DESTROY_SESSION_ASYNC, UNBIND_SESSION */
void sk_nl_put_session(struct sk_buf *out, enum sk_nl_type type, uint64_t handle, uint32_t sid);
/** sk_nl_put_conn - CREATE_CONN, DESTROY_CONN, START_CONN, GET_STATS */
void sk_nl_put_conn(struct sk_buf *out, enum sk_nl_type type, uint64_t handle, uint32_t sid, uint32_t cid);
/** sk_nl_put_bind - the leading connection; @eph: number of the socket's descriptor in this process */
void sk_nl_put_bind(struct sk_buf *out, uint64_t handle, uint32_t sid, uint32_t cid, uint64_t eph);
void sk_nl_put_stop(struct sk_buf *out, uint64_t handle, uint32_t sid, uint32_t cid, enum sk_nl_stop flag);
/** sk_nl_put_param - SK_EINVAL: a value longer than SK_NL_VALUE_MAX */
int sk_nl_put_param(struct sk_buf *out, uint64_t handle, uint32_t sid, uint32_t cid, uint32_t param, const char *value,
		    struct sk_err *err);
int sk_nl_put_host_param(struct sk_buf *out, uint64_t handle, uint32_t host, uint32_t param, const char *value,
			 struct sk_err *err);
/** sk_nl_put_pdu - fills in the PDU's length; SK_EINVAL: data longer than SK_NL_PDU_MAX */
int sk_nl_put_pdu(struct sk_buf *out, uint64_t handle, uint32_t sid, uint32_t cid, struct sk_pdu *pdu, struct sk_err *err);

/** sk_nl_add - one more message behind those of @batch: the kernel acts upon each in its order and answers each alone */
void sk_nl_add(struct sk_buf *batch, const struct sk_buf *one);
/** sk_nl_command - the command of the message at *at of @batch, and *at moved behind it; 0 when there is no more */
uint16_t sk_nl_command(struct sk_span batch, size_t *at);
/** sk_nl_put_request - any other: @words are the request's fields as 32-bit words, @payload follows */
void sk_nl_put_request(struct sk_buf *out, enum sk_nl_type type, uint64_t handle, const uint32_t words[6],
		       struct sk_span payload);

/* --- what comes back */

struct sk_nl_msg {
	uint16_t reply_to;	/* the command it answers; 0 = an event */
	uint32_t type;		/* enum sk_nl_type: the event, or reply_to, or SK_NL_EV_IF_ERROR */
	int error;		/* of a reply: errno (positive), from iferror or retcode; 0 = done */
	uint64_t handle;
	/* as far as the type has them, else 0 */
	uint32_t sid, cid, host;
	uint32_t conn_error;	/* 1001… */
	struct sk_span bhs, data;	/* RECV_PDU: lent; 48 bytes, and exactly the data segment */
	struct sk_span stats;	/* GET_STATS: lent; SK_NL_STATS_LEN bytes and the custom ones */
	struct sk_span table;	/* GET_CHAP, GET_HOST_STATS: lent, as it came (nl_host.h) */
	uint32_t index;		/* NEW_FLASHNODE: of the new one. GET_CHAP: how many entries of the table hold something */
};

/** sk_nl_get - one datagram; every size is checked. SK_EPROTO; *ret is written on success only. Events of a type we do
 * not know are returned with their type and nothing else. */
int sk_nl_get(struct sk_span datagram, struct sk_nl_msg *ret, struct sk_err *err);

/** sk_nl_stat - counter @i of a GET_STATS answer: its name ("" at the end) copied into @name. The fixed ones come first. */
bool sk_nl_stat(struct sk_span stats, unsigned i, char name[65], uint64_t *ret);

/** sk_nl_type_name - for errors and the log; never NULL */
const char *sk_nl_type_name(uint32_t type);
/** sk_nl_conn_error - the kernel's number in words: "ISCSI_ERR_TCP_CONN_CLOSE", and what it means; false when unknown */
bool sk_nl_conn_error(uint32_t number, const char **ret_name, const char **ret_text);

#endif
