/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_PROTO_PARAMS_H
#define SK_PROTO_PARAMS_H

/** What a login settled (RFC 7143, 13): everything the full-feature phase needs to know, and nothing else. */

#include <stdbool.h>
#include <stdint.h>

struct sk_isid {
	uint8_t b[6];	/* as on the wire (RFC 7143, 11.12.5) */
};

struct sk_params {
	bool header_digest;		/* CRC32C in force */
	bool data_digest;
	bool initial_r2t;
	bool immediate_data;
	bool data_pdu_in_order;
	bool data_sequence_in_order;
	uint32_t max_recv_dsl;		/* bytes; what we declared: the most the target may send per PDU */
	uint32_t max_xmit_dsl;		/* bytes; what the target declared (8192 if it did not), cut by the record's limit */
	uint32_t max_burst;		/* bytes */
	uint32_t first_burst;		/* bytes; <= max_burst */
	uint32_t max_outstanding_r2t;	/* 1..65535 */
	uint32_t time2wait;		/* seconds */
	uint32_t time2retain;		/* seconds */
	uint32_t erl;
	uint32_t protocol_level;	/* iSCSIProtocolLevel in force, 1 unless agreed otherwise */
	int32_t tpgt;			/* TargetPortalGroupTag told by the target, or -1 */
	uint16_t tsih;
	struct sk_isid isid;
	/* sequence numbers at the start of the full-feature phase */
	uint32_t cmd_sn;		/* next CmdSN */
	uint32_t exp_cmd_sn, max_cmd_sn;
	uint32_t exp_stat_sn;		/* last StatSN + 1 */
	char target_alias[256];		/* display only; control characters replaced */
};

#endif
