/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "record/schema.h"

#include <string.h>

#include "base/mem.h"

#define NODE SK_IN(SK_REC_NODE)
#define ST SK_IN(SK_REC_SENDTARGETS)
#define ISNS SK_IN(SK_REC_ISNS)
#define BOUND (SK_IN(SK_REC_NODE) | SK_IN(SK_REC_IFACE))

#define S0 "node.session."
#define C0 "node.conn[0]."
#define D0 "discovery.sendtargets."

#define STARTUP "manual automatic onboot"
#define NO_YES "No Yes"
#define DIGEST "None CRC32C CRC32C,None None,CRC32C"
#define ALGS "MD5 SHA1 SHA256 SHA3-256"
#define NODE_SOURCE "static send_targets isns offload_send_targets slp fw"
#define DISC_SOURCE "sendtargets isns offload_send_targets slp static fw"

#define TEXT_MAX 255	/* no longer value survives a reader of the file form */
#define DAY 86400
#define DSL_MAX 16777215

/* One row: number, text (lengths), word or list. The last columns are flags, unit, effect, documentation. */
#define NUM(in, k, t, d, lo, hi, f, u, e, text) \
	{ .key = k, .def = d, .min = lo, .max = hi, .type = SK_T_##t, .kinds = in, .flags = f, .unit = u, \
	  .effect = SK_##e, .doc = text }
#define TEXT(in, k, hi, f, e, text) \
	{ .key = k, .def = "", .max = hi, .type = SK_T_TEXT, .kinds = in, .flags = f, .effect = SK_##e, .doc = text }
#define WORD(in, k, d, w, f, e, text) \
	{ .key = k, .def = d, .words = w, .type = SK_T_WORD, .kinds = in, .flags = f, .effect = SK_##e, .doc = text }
#define LIST(in, k, d, w, e, text) \
	{ .key = k, .def = d, .words = w, .type = SK_T_LIST, .kinds = in, .effect = SK_##e, .doc = text }
/* iface rows for offload hardware: free text, or a number that is 0 when not set */
#define OFF(k, hi, f, text) TEXT(BOUND, "iface." k, hi, SK_ROW_IFACE | (f), AT_OFFLOAD, text)
#define OFFN(k, t, hi, f, u, text) NUM(BOUND, "iface." k, t, "0", 0, hi, SK_ROW_IFACE | (f), u, AT_OFFLOAD, text)

const struct sk_schema_row sk_schema[] = {
	/* --- node: what it is --- */
	TEXT(NODE, "node.name", 254, SK_ROW_KEY, AT_KEY, "name of the target"),
	NUM(NODE, "node.tpgt", INT, "-1", -1, 65535, SK_ROW_KEY, NULL, AT_KEY, "portal group tag; -1 when unknown"),
	WORD(NODE, "node.startup", "manual", STARTUP, 0, AT_START, "when sessions are started"),
	WORD(NODE, "node.leading_login", "No", NO_YES, 0, AT_START, "log in once per target, through one iface"),

	/* --- iface: in both kinds of record --- */
	TEXT(BOUND, "iface.iscsi_ifacename", 64, SK_ROW_KEY | SK_ROW_EARLY, AT_KEY, "name of the iface"),
	TEXT(BOUND, "iface.net_ifacename", 15, SK_ROW_IFACE | SK_ROW_EARLY, AT_LOGIN, "network device to bind to"),
	TEXT(BOUND, "iface.ipaddress", TEXT_MAX, SK_ROW_IFACE | SK_ROW_EARLY, AT_LOGIN,
	     "address of the port; with tcp and user the source address of connections, which are bound to its device"),
	NUM(BOUND, "iface.prefix_len", U8, "0", 0, 128, SK_ROW_IFACE | SK_ROW_EARLY, "bits", AT_OFFLOAD,
	    "prefix length"),
	TEXT(BOUND, "iface.hwaddress", 17, SK_ROW_IFACE | SK_ROW_EARLY, AT_LOGIN,
	     "MAC address of the device to bind to"),
	TEXT(BOUND, "iface.transport_name", 15, 0, AT_LOGIN, "transport: user, tcp, iser, or an offload driver"),
	TEXT(BOUND, "iface.initiatorname", TEXT_MAX, SK_ROW_IFACE, AT_LOGIN,
	     "initiator name used through this iface"),
	OFF("state", 79, 0, "enable or disable the port"),
	OFFN("vlan_id", U16, 4095, 0, NULL, "VLAN number"),
	OFFN("vlan_priority", U8, 7, 0, NULL, "VLAN priority"),
	OFF("vlan_state", 79, 0, "enable or disable VLAN tags"),
	NUM(BOUND, "iface.iface_num", INT, "0", 0, INT32_MAX, SK_ROW_IFACE, NULL, AT_OFFLOAD,
	    "number of the port's iface"),
	OFFN("mtu", U16, 65535, 0, "bytes", "largest frame (MTU)"),
	OFFN("port", U16, 65535, 0, NULL, "TCP port of the iface"),
	/* --- iface, IPv4 kind */
	OFF("bootproto", 79, SK_ROW_V4, "static or dhcp"),
	OFF("subnet_mask", TEXT_MAX, SK_ROW_V4 | SK_ROW_EARLY, "mask of its subnet"),
	OFF("gateway", TEXT_MAX, SK_ROW_V4 | SK_ROW_EARLY, "default gateway"),
	OFF("dhcp_alt_client_id_state", 79, SK_ROW_V4, "enable or disable the alternate DHCP client id"),
	OFF("dhcp_alt_client_id", 79, SK_ROW_V4, "alternate DHCP client id"),
	OFF("dhcp_dns", 79, SK_ROW_V4, "take name servers from DHCP"),
	OFF("dhcp_learn_iqn", 79, SK_ROW_V4, "take the initiator name from DHCP"),
	OFF("dhcp_req_vendor_id_state", 79, SK_ROW_V4, "require the vendor id in DHCP answers"),
	OFF("dhcp_vendor_id_state", 79, SK_ROW_V4, "send a DHCP vendor id"),
	OFF("dhcp_vendor_id", 79, SK_ROW_V4, "DHCP vendor id"),
	OFF("dhcp_slp_da", 79, SK_ROW_V4, "take SLP agents from DHCP"),
	OFF("fragmentation", 79, SK_ROW_V4, "enable or disable IP fragmentation"),
	OFF("gratuitous_arp", 79, SK_ROW_V4, "enable or disable gratuitous ARP"),
	OFF("incoming_forwarding", 79, SK_ROW_V4, "enable or disable forwarding"),
	OFF("tos_state", 79, SK_ROW_V4, "enable or disable the type of service"),
	OFFN("tos", U8, 255, SK_ROW_V4, NULL, "type of service"),
	OFFN("ttl", U8, 255, SK_ROW_V4, NULL, "time to live"),
	/* --- iface, IPv6 kind */
	OFF("ipv6_autocfg", 255, SK_ROW_V6, "nd, dhcpv6 or disable"),
	OFF("linklocal_autocfg", 255, SK_ROW_V6, "auto or disable"),
	OFF("router_autocfg", 255, SK_ROW_V6, "auto or disable"),
	OFF("ipv6_linklocal", 255, SK_ROW_V6, "link-local address"),
	OFF("ipv6_router", 255, SK_ROW_V6, "router address"),
	OFFN("dup_addr_detect_cnt", U8, 255, SK_ROW_V6, NULL, "probes for duplicate addresses"),
	OFFN("flow_label", U32, 1048575, SK_ROW_V6, NULL, "flow label"),
	OFF("gratuitous_neighbor_adv", 79, SK_ROW_V6, "enable or disable gratuitous advertisements"),
	OFFN("hop_limit", U8, 255, SK_ROW_V6, NULL, "hop limit"),
	OFF("mld", 79, SK_ROW_V6, "enable or disable multicast listener discovery"),
	OFFN("nd_reachable_tmo", U32, UINT32_MAX, SK_ROW_V6, "ms", "neighbour reachable time"),
	OFFN("nd_rexmit_time", U32, UINT32_MAX, SK_ROW_V6, "ms", "neighbour retransmission time"),
	OFFN("nd_stale_tmo", U32, UINT32_MAX, SK_ROW_V6, "ms", "neighbour stale time"),
	OFFN("router_adv_link_mtu", U32, UINT32_MAX, SK_ROW_V6, "bytes", "MTU from router advertisements"),
	OFFN("traffic_class", U8, 255, SK_ROW_V6, NULL, "traffic class"),
	/* --- iface, the rest */
	OFF("delayed_ack", 79, 0, "enable or disable delayed acknowledgements"),
	OFF("tcp_nagle", 79, 0, "enable or disable Nagle's algorithm"),
	OFF("tcp_wsf_state", 79, 0, "enable or disable window scaling"),
	OFFN("tcp_wsf", U8, 255, 0, NULL, "window scaling factor"),
	OFFN("tcp_timer_scale", U8, 255, 0, NULL, "TCP timer scale"),
	OFF("tcp_timestamp", 79, 0, "enable or disable TCP timestamps"),
	OFF("redirect", 79, 0, "enable or disable ICMP redirects"),
	OFFN("def_task_mgmt_timeout", U16, 65535, 0, "s", "task management timeout"),
	OFF("header_digest", 79, 0, "enable or disable header digests"),
	OFF("data_digest", 79, 0, "enable or disable data digests"),
	OFF("immediate_data", 79, 0, "enable or disable immediate data"),
	OFF("initial_r2t", 79, 0, "enable or disable InitialR2T"),
	OFF("data_seq_inorder", 79, 0, "enable or disable DataSequenceInOrder"),
	OFF("data_pdu_inorder", 79, 0, "enable or disable DataPDUInOrder"),
	OFFN("erl", U8, 2, 0, NULL, "error recovery level"),
	OFFN("max_receive_data_len", U32, UINT32_MAX, 0, "bytes", "longest data segment received"),
	OFFN("first_burst_len", U32, UINT32_MAX, 0, "bytes", "first burst"),
	OFFN("max_outstanding_r2t", U16, 65535, 0, NULL, "outstanding R2Ts"),
	OFFN("max_burst_len", U32, UINT32_MAX, 0, "bytes", "burst"),
	OFF("chap_auth", 79, 0, "enable or disable CHAP"),
	OFF("bidi_chap", 79, 0, "enable or disable mutual CHAP"),
	OFF("strict_login_compliance", 79, 0, "enable or disable strict login checks"),
	OFF("discovery_auth", 79, 0, "enable or disable authentication of discovery"),
	OFF("discovery_logout", 79, 0, "enable or disable logout after discovery"),

	/* --- node: where it came from --- */
	TEXT(NODE, "node.discovery_address", TEXT_MAX, SK_ROW_KEY, AT_KEY, "address it was discovered through"),
	NUM(NODE, "node.discovery_port", INT, "0", 0, 65535, SK_ROW_KEY, NULL, AT_KEY,
	    "port it was discovered through"),
	WORD(NODE, "node.discovery_type", "static", NODE_SOURCE, SK_ROW_KEY, AT_KEY, "how it was found"),
	/* --- node: session */
	NUM(NODE, S0 "initial_cmdsn", INT, "0", 0, INT32_MAX, 0, NULL, AT_LOGIN, "first CmdSN"),
	NUM(NODE, S0 "initial_login_retry_max", INT, "4", 0, INT32_MAX, 0, NULL, AT_LOGIN,
	    "the first login gives up after this many times login_timeout"),
	NUM(NODE, S0 "xmit_thread_priority", INT, "-20", -20, 19, 0, NULL, STORED,
	    "priority of the kernel's sender"),
	NUM(NODE, S0 "cmds_max", INT, "128", 16, 4096, SK_ROW_ZERO, NULL, AT_LOGIN,
	    "commands in flight per session; 0 = 128, rounded down to a power of 2"),
	NUM(NODE, S0 "queue_depth", INT, "32", 0, 65535, 0, NULL, AT_LOGIN, "commands in flight per disk; 0 = 32"),
	NUM(NODE, S0 "nr_sessions", INT, "1", 1, 1024, 0, NULL, AT_LOGIN, "sessions of this record"),
	WORD(NODE, S0 "auth.authmethod", "None", "None CHAP", 0, STORED, "CHAP is used whenever a password is set"),
	TEXT(NODE, S0 "auth.username", TEXT_MAX, 0, AT_LOGIN, "name this side proves"),
	TEXT(NODE, S0 "auth.password", TEXT_MAX, SK_ROW_MASKED, AT_LOGIN, "secret of this side"),
	NUM(NODE, S0 "auth.password_length", INT, "0", 0, TEXT_MAX, SK_ROW_HIDDEN, "bytes", STORED, "computed"),
	TEXT(NODE, S0 "auth.username_in", TEXT_MAX, 0, AT_LOGIN, "name the target proves"),
	TEXT(NODE, S0 "auth.password_in", TEXT_MAX, SK_ROW_MASKED, AT_LOGIN, "secret of the target"),
	NUM(NODE, S0 "auth.password_in_length", INT, "0", 0, TEXT_MAX, SK_ROW_HIDDEN, "bytes", STORED, "computed"),
	LIST(NODE, S0 "auth.chap_algs", "MD5", ALGS, AT_LOGIN, "CHAP algorithms offered, best first"),
	NUM(NODE, S0 "timeo.replacement_timeout", INT, "120", -1, INT32_MAX, SK_ROW_LIVE, "s", AT_LOGIN,
	    "how long I/O waits for a lost session; 0 = fails at once, -1 = for ever"),
	NUM(NODE, S0 "err_timeo.abort_timeout", INT, "15", 0, DAY, SK_ROW_LIVE, "s", AT_LOGIN, "wait for a task's abort"),
	NUM(NODE, S0 "err_timeo.lu_reset_timeout", INT, "30", 0, DAY, SK_ROW_LIVE, "s", AT_LOGIN, "wait for a LUN's reset"),
	NUM(NODE, S0 "err_timeo.tgt_reset_timeout", INT, "30", 0, DAY, SK_ROW_LIVE, "s", AT_LOGIN,
	    "wait for a target's reset"),
	NUM(NODE, S0 "err_timeo.host_reset_timeout", INT, "60", 0, DAY, 0, "s", STORED, "wait for a host's reset"),
	WORD(NODE, S0 "iscsi.FastAbort", "Yes", NO_YES, 0, AT_LOGIN, "stop data of aborted tasks at once"),
	WORD(NODE, S0 "iscsi.InitialR2T", "No", NO_YES, 0, AT_LOGIN, "offer: writes wait for an R2T"),
	WORD(NODE, S0 "iscsi.ImmediateData", "Yes", NO_YES, 0, AT_LOGIN, "offer: data rides with the command"),
	NUM(NODE, S0 "iscsi.FirstBurstLength", INT, "262144", 512, DSL_MAX, 0, "bytes", AT_LOGIN,
	    "offer: unsolicited data per command; rounded down to 4, at most MaxBurstLength"),
	NUM(NODE, S0 "iscsi.MaxBurstLength", INT, "16776192", 512, DSL_MAX, 0, "bytes", AT_LOGIN,
	    "offer: data per sequence"),
	NUM(NODE, S0 "iscsi.DefaultTime2Retain", INT, "0", 0, 3600, 0, "s", AT_LOGIN, "offer: task state kept"),
	NUM(NODE, S0 "iscsi.DefaultTime2Wait", INT, "2", 0, 3600, 0, "s", AT_LOGIN, "offer: wait before a relogin"),
	NUM(NODE, S0 "iscsi.MaxConnections", INT, "1", 1, 65535, 0, NULL, STORED, "1 is always offered"),
	NUM(NODE, S0 "iscsi.MaxOutstandingR2T", INT, "1", 1, 65535, 0, NULL, AT_LOGIN, "offer: R2Ts per command"),
	NUM(NODE, S0 "iscsi.ERL", INT, "0", 0, 2, 0, NULL, STORED, "0 is always offered"),
	WORD(NODE, S0 "scan", "auto", "manual auto", 0, AT_LOGIN, "attach all LUNs after login"),
	NUM(NODE, S0 "reopen_max", INT, "0", 0, INT32_MAX, SK_ROW_LIVE, NULL, AT_LOGIN,
	    "attempts to bring back a lost session; 0 = for ever"),
	NUM(NODE, S0 "sess_reopen_log_freq", INT, "1", 1, INT32_MAX, SK_ROW_RARE, NULL, AT_LOGIN,
	    "log every n-th attempt to bring back a session"),
	NUM(NODE, S0 "conn_reopen_log_freq", INT, "1", 1, INT32_MAX, SK_ROW_RARE, NULL, AT_LOGIN,
	    "older name of sess_reopen_log_freq"),
	/* --- node: connection */
	TEXT(NODE, C0 "address", TEXT_MAX, SK_ROW_KEY, AT_KEY, "address or name of the portal"),
	NUM(NODE, C0 "port", INT, "3260", 1, 65535, SK_ROW_KEY, NULL, AT_KEY, "TCP port of the portal"),
	WORD(NODE, C0 "startup", "manual", STARTUP, 0, AT_START, "as node.startup"),
	NUM(NODE, C0 "tcp.window_size", INT, "524288", 0, INT32_MAX, 0, "bytes", AT_LOGIN,
	    "socket buffers; 0 = the system's choice"),
	NUM(NODE, C0 "tcp.type_of_service", INT, "0", 0, 255, 0, NULL, STORED, "type of service"),
	TEXT(NODE, C0 "tcp.congestion_control", 15, SK_ROW_RARE, AT_LOGIN, "congestion control algorithm"),
	NUM(NODE, C0 "timeo.logout_timeout", INT, "15", 0, DAY, SK_ROW_LIVE, "s", AT_LOGIN, "wait for a logout; 0 = 15"),
	NUM(NODE, C0 "timeo.login_timeout", INT, "30", 0, DAY, SK_ROW_LIVE, "s", AT_LOGIN, "one login attempt; 0 = 30"),
	NUM(NODE, C0 "timeo.auth_timeout", INT, "45", 0, DAY, 0, "s", AT_LOGIN, "one step of a login; 0 = 45"),
	NUM(NODE, C0 "timeo.noop_out_interval", INT, "5", 0, DAY, SK_ROW_LIVE, "s", AT_LOGIN,
	    "between pings; both 0 = no pings"),
	NUM(NODE, C0 "timeo.noop_out_timeout", INT, "5", 0, DAY, SK_ROW_LIVE, "s", AT_LOGIN, "wait for a ping's answer"),
	NUM(NODE, C0 "iscsi.MaxXmitDataSegmentLength", INT, "0", 512, DSL_MAX, SK_ROW_ZERO, "bytes", AT_LOGIN,
	    "longest data segment sent; 0 = as the target declares"),
	NUM(NODE, C0 "iscsi.MaxRecvDataSegmentLength", INT, "262144", 512, DSL_MAX, 0, "bytes", AT_LOGIN,
	    "longest data segment received"),
	WORD(NODE, C0 "iscsi.HeaderDigest", "None", DIGEST, 0, AT_LOGIN, "offer, best first"),
	WORD(NODE, C0 "iscsi.DataDigest", "None", DIGEST, 0, AT_LOGIN, "offer, best first"),
	WORD(NODE, C0 "iscsi.IFMarker", "No", NO_YES, 0, STORED, "No is always offered"),
	WORD(NODE, C0 "iscsi.OFMarker", "No", NO_YES, 0, STORED, "No is always offered"),

	/* --- discovery records --- */
	WORD(ST | ISNS, "discovery.startup", "manual", "manual automatic", 0, STORED, "kept for other tools"),
	WORD(ST, "discovery.type", "sendtargets", DISC_SOURCE, SK_ROW_KEY, AT_KEY, "kind of discovery"),
	WORD(ISNS, "discovery.type", "isns", DISC_SOURCE, SK_ROW_KEY, AT_KEY, "kind of discovery"),
	TEXT(ST | ISNS, D0 "address", TEXT_MAX, SK_ROW_KEY, AT_KEY, "address or name of the portal or server"),
	NUM(ST, D0 "port", INT, "3260", 1, 65535, SK_ROW_KEY, NULL, AT_KEY, "TCP port"),
	NUM(ISNS, D0 "port", INT, "3205", 1, 65535, SK_ROW_KEY, NULL, AT_KEY, "TCP port"),
	WORD(ST, D0 "auth.authmethod", "None", "None CHAP", 0, STORED, "CHAP is used whenever a password is set"),
	TEXT(ST, D0 "auth.username", TEXT_MAX, 0, AT_DISCOVERY, "name this side proves"),
	TEXT(ST, D0 "auth.password", TEXT_MAX, SK_ROW_MASKED, AT_DISCOVERY, "secret of this side"),
	NUM(ST, D0 "auth.password_length", INT, "0", 0, TEXT_MAX, SK_ROW_HIDDEN, "bytes", STORED, "computed"),
	TEXT(ST, D0 "auth.username_in", TEXT_MAX, 0, AT_DISCOVERY, "name the target proves"),
	TEXT(ST, D0 "auth.password_in", TEXT_MAX, SK_ROW_MASKED, AT_DISCOVERY, "secret of the target"),
	NUM(ST, D0 "auth.password_in_length", INT, "0", 0, TEXT_MAX, SK_ROW_HIDDEN, "bytes", STORED, "computed"),
	LIST(ST, S0 "auth.chap_algs", "MD5", ALGS, AT_DISCOVERY, "CHAP algorithms offered, best first"),
	NUM(ST, D0 "timeo.login_timeout", INT, "15", 0, DAY, 0, "s", AT_DISCOVERY, "one login attempt; 0 = 15"),
	WORD(ST, D0 "use_discoveryd", "No", NO_YES, 0, AT_DISCOVERY, "iscsid discovers again and again"),
	NUM(ST, D0 "discoveryd_poll_inval", INT, "30", -1, INT32_MAX, 0, "s", AT_DISCOVERY,
	    "between iscsid's discoveries; 0 = once, -1 = 30"),
	NUM(ST, D0 "reopen_max", INT, "5", 0, INT32_MAX, 0, NULL, AT_DISCOVERY, "further login attempts"),
	NUM(ST, D0 "timeo.auth_timeout", INT, "45", 0, DAY, 0, "s", AT_DISCOVERY, "one step of a login; 0 = 45"),
	NUM(ST, D0 "timeo.active_timeout", INT, "30", 0, DAY, 0, "s", AT_DISCOVERY, "one answer; 0 = 30"),
	NUM(ST, D0 "iscsi.MaxRecvDataSegmentLength", INT, "32768", 512, DSL_MAX, 0, "bytes", AT_DISCOVERY,
	    "longest data segment received"),
	WORD(ISNS, "discovery.isns.use_discoveryd", "No", NO_YES, 0, AT_DISCOVERY,
	     "iscsid discovers again and again"),
	NUM(ISNS, "discovery.isns.discoveryd_poll_inval", INT, "-1", -1, INT32_MAX, 0, "s", AT_DISCOVERY,
	    "between iscsid's discoveries; 0 = once, -1 = when the server tells of changes"),
};

const size_t sk_schema_count = SK_ARRAY_LEN(sk_schema);

const char *const sk_schema_early[] = {
	"iface.hwaddress", "iface.ipaddress", "iface.iscsi_ifacename", "iface.net_ifacename",
	"iface.gateway", "iface.subnet_mask", "iface.prefix_len", NULL,
};

static bool is_row(const struct sk_schema_row *row, enum sk_record_kind kind, struct sk_span key)
{
	return row->kinds & SK_IN(kind) && strlen(row->key) == key.n && memcmp(row->key, key.p, key.n) == 0;
}

const struct sk_schema_row *sk_schema_find(enum sk_record_kind kind, struct sk_span key, size_t *hint)
{
	size_t start = hint ? *hint : 0;

	for (size_t k = 0; k < sk_schema_count; k++) {
		size_t i = (start + k) % sk_schema_count;

		if (!is_row(&sk_schema[i], kind, key))
			continue;
		if (hint)
			*hint = i + 1;
		return &sk_schema[i];
	}
	return NULL;
}
