/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/mem.h"
#include "transport/kernel/nl_msg.h"

/** The kernel's connection errors in words. */

#define FIRST 1001
#define LAST  1022

static const struct {
	const char *name, *text;
} errors[] = {
	[1001 - FIRST] = { "ISCSI_ERR_DATASN", "the target sent data out of its order" },
	[1002 - FIRST] = { "ISCSI_ERR_DATA_OFFSET", "the target sent data for another place of the buffer" },
	[1003 - FIRST] = { "ISCSI_ERR_MAX_CMDSN", "the target's command window makes no sense" },
	[1004 - FIRST] = { "ISCSI_ERR_EXP_CMDSN", "the target expects a command that makes no sense" },
	[1005 - FIRST] = { "ISCSI_ERR_BAD_OPCODE", "the target sent a PDU of an unknown kind" },
	[1006 - FIRST] = { "ISCSI_ERR_DATALEN", "the target sent a longer data segment than was agreed" },
	[1007 - FIRST] = { "ISCSI_ERR_AHSLEN", "the target sent an additional header of an impossible length" },
	[1008 - FIRST] = { "ISCSI_ERR_PROTO", "the target broke the protocol" },
	[1009 - FIRST] = { "ISCSI_ERR_LUN", "the target answered for another LUN" },
	[1010 - FIRST] = { "ISCSI_ERR_BAD_ITT", "the target answered a task that does not exist" },
	[1011 - FIRST] = { "ISCSI_ERR_CONN_FAILED", "the connection failed" },
	[1012 - FIRST] = { "ISCSI_ERR_R2TSN", "the target asked for data out of its order" },
	[1013 - FIRST] = { "ISCSI_ERR_SESSION_FAILED", "the session failed" },
	[1014 - FIRST] = { "ISCSI_ERR_HDR_DGST", "a header digest does not match" },
	[1015 - FIRST] = { "ISCSI_ERR_DATA_DGST", "a data digest does not match" },
	[1016 - FIRST] = { "ISCSI_ERR_PARAM_NOT_FOUND", "the kernel does not know a parameter" },
	[1017 - FIRST] = { "ISCSI_ERR_NO_SCSI_CMD", "the target answered a command that does not exist" },
	[1018 - FIRST] = { "ISCSI_ERR_INVALID_HOST", "the SCSI host is going away" },
	[1019 - FIRST] = { "ISCSI_ERR_XMIT_FAILED", "sending failed" },
	[1020 - FIRST] = { "ISCSI_ERR_TCP_CONN_CLOSE", "the TCP connection was closed" },
	[1021 - FIRST] = { "ISCSI_ERR_SCSI_EH_SESSION_RST", "commands timed out and could not be aborted" },
	[1022 - FIRST] = { "ISCSI_ERR_NOP_TIMEDOUT", "the target did not answer a ping in time" },
};

_Static_assert(SK_ARRAY_LEN(errors) == LAST - FIRST + 1, "every connection error has its words");

bool sk_nl_conn_error(uint32_t number, const char **ret_name, const char **ret_text)
{
	bool known = number >= FIRST && number <= LAST;

	*ret_name = known ? errors[number - FIRST].name : "ISCSI_ERR";
	*ret_text = known ? errors[number - FIRST].text : "an error without a name";
	return known;
}
