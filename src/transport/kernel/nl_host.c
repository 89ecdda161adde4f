/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transport/kernel/nl_host.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"

#define CHAP_INDEX    0
#define CHAP_TYPE     1
#define CHAP_USERNAME 2
#define CHAP_PASSWORD 3
#define CHAP_LENGTH   4

/** a netlink attribute: length, number, value length and number again, the value, padding */
static void put_attr(struct sk_buf *out, uint16_t param, const void *value, size_t n)
{
	static const char zero[4];
	uint8_t head[10];
	uint32_t len = (uint32_t)n;
	uint16_t nla = (uint16_t)(sizeof(head) + n);

	memcpy(head, &nla, 2);
	memcpy(head + 2, &param, 2);
	memcpy(head + 4, &len, 4);
	memcpy(head + 8, &param, 2);
	sk_buf_add(out, head, sizeof(head));
	sk_buf_add(out, value, n);
	sk_buf_add(out, zero, -(sizeof(head) + n) & 3);
}

/* --- requests ---------------------------------------------------------------------------------------- */

void sk_nl_put_host(struct sk_buf *out, enum sk_nl_type type, uint64_t handle, uint32_t host, uint32_t index)
{
	const uint32_t words[6] = { host, index };

	sk_nl_put_request(out, type, handle, words, sk_span(NULL, 0));
}

/** a 16-bit field is the first half of its word in memory, whatever the byte order */
static uint32_t half(uint16_t v)
{
	uint32_t word = 0;

	memcpy(&word, &v, sizeof(v));
	return word;
}

void sk_nl_put_get_chap(struct sk_buf *out, uint64_t handle, uint32_t host, uint16_t start)
{
	const uint32_t words[6] = { host, SK_NL_CHAP_BATCH, half(start) };

	sk_nl_put_request(out, SK_NL_GET_CHAP, handle, words, sk_span(NULL, 0));
}

void sk_nl_put_delete_chap(struct sk_buf *out, uint64_t handle, uint32_t host, uint16_t index)
{
	const uint32_t words[6] = { host, half(index) };

	sk_nl_put_request(out, SK_NL_DELETE_CHAP, handle, words, sk_span(NULL, 0));
}

int sk_nl_put_set_chap(struct sk_buf *out, uint64_t handle, uint32_t host, const struct sk_nl_chap *chap,
		       struct sk_err *err)
{
	SK_BUF struct sk_buf attrs = { 0 };
	const uint32_t words[6] = { host }, type = chap->incoming;
	size_t name = strnlen(chap->username, sizeof(chap->username));
	size_t secret = strnlen(chap->password, sizeof(chap->password));
	uint8_t length = (uint8_t)secret;

	if (!name || !secret || name == sizeof(chap->username) || secret == sizeof(chap->password))
		return sk_fail(err, SK_EINVAL, "a CHAP entry has a name and a secret of 1 to 255 bytes");
	put_attr(&attrs, CHAP_INDEX, &chap->index, sizeof(chap->index));
	put_attr(&attrs, CHAP_TYPE, &type, sizeof(type));
	put_attr(&attrs, CHAP_USERNAME, chap->username, name);
	put_attr(&attrs, CHAP_PASSWORD, chap->password, secret);
	put_attr(&attrs, CHAP_LENGTH, &length, sizeof(length));
	sk_nl_put_request(out, SK_NL_SET_CHAP, handle, words, sk_span(attrs.p, attrs.n));
	out->nomem |= attrs.nomem;
	if (attrs.p)
		explicit_bzero(attrs.p, attrs.n);
	return 0;
}

void sk_nl_put_new_flashnode(struct sk_buf *out, uint64_t handle, uint32_t host, bool ipv6)
{
	const char *kind = ipv6 ? "ipv6" : "ipv4";
	const uint32_t words[6] = { host, (uint32_t)strlen(kind) + 1 };

	sk_nl_put_request(out, SK_NL_NEW_FLASHNODE, handle, words, sk_span(kind, strlen(kind) + 1));
}

void sk_nl_put_set_flashnode(struct sk_buf *out, uint64_t handle, uint32_t host, uint32_t index,
			     const struct sk_flash_list *l)
{
	const uint32_t words[6] = { host, index, l->n };

	sk_nl_put_request(out, SK_NL_SET_FLASHNODE, handle, words, sk_span(l->attrs.p, l->attrs.n));
	out->nomem |= l->attrs.nomem;
}

int sk_flash_add(struct sk_flash_list *l, const struct sk_flash_field *f, const char *value, struct sk_err *err)
{
	size_t n = strlen(value);
	uint8_t ip[16];
	uint64_t v;

	if (f->addr) {
		n = inet_pton(AF_INET6, value, ip) == 1 ? 16 : inet_pton(AF_INET, value, ip) == 1 ? 4 : 0;
		if (!n)
			return sk_fail(err, SK_EINVAL, "%s: not an address: %s", f->name, value);
		put_attr(&l->attrs, f->param, ip, n);
	} else if (f->width) {
		uint64_t max = f->width >= 8 ? UINT64_MAX : ((uint64_t)1 << 8 * f->width) - 1;
		uint8_t b[8];

		if (!sk_num_u64(value, n, 0, max, &v))
			return sk_fail(err, SK_EINVAL, "%s: not a number up to %llu: %s", f->name, (unsigned long long)max, value);
		for (size_t i = 0; i < f->width; i++)
			b[__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? i : f->width - 1U - i] = (uint8_t)(v >> 8 * i);
		put_attr(&l->attrs, f->param, b, f->width);
	} else {
		if (n > 255)
			return sk_fail(err, SK_EINVAL, "%s: a value of %zu bytes", f->name, n);
		put_attr(&l->attrs, f->param, value, n + 1);
	}
	l->n++;
	return 0;
}

/* --- answers ----------------------------------------------------------------------------------------- */

static void text(char ret[256], const uint8_t *p)
{
	memcpy(ret, p, 255);
	ret[255] = '\0';
	for (char *c = ret; *c; c++)
		if ((uint8_t)*c < 0x20 || *c == 0x7f)
			*c = '?';
}

bool sk_nl_chap(struct sk_span table, uint32_t i, struct sk_nl_chap *ret)
{
	const uint8_t *p = table.p;
	uint32_t type;

	if (i >= table.n / SK_NL_CHAP_LEN)
		return false;
	p += (size_t)i * SK_NL_CHAP_LEN;
	memcpy(&ret->index, p, sizeof(ret->index));
	memcpy(&type, p + 4, sizeof(type));
	ret->incoming = type == 1;
	text(ret->username, p + 8);
	text(ret->password, p + 264);
	return true;
}

/* In the order of the answer: 64 bits each. */
static const char *const host_stats[] = {
	"mactx_frames", "mactx_bytes", "mactx_multicast_frames", "mactx_broadcast_frames", "mactx_pause_frames",
	"mactx_control_frames", "mactx_deferral", "mactx_excess_deferral", "mactx_late_collision", "mactx_abort",
	"mactx_single_collision", "mactx_multiple_collision", "mactx_collision", "mactx_frames_dropped",
	"mactx_jumbo_frames", "macrx_frames", "macrx_bytes", "macrx_unknown_control_frames", "macrx_pause_frames",
	"macrx_control_frames", "macrx_dribble", "macrx_frame_length_error", "macrx_jabber",
	"macrx_carrier_sense_error", "macrx_frame_discarded", "macrx_frames_dropped", "mac_crc_error",
	"mac_encoding_error", "macrx_length_error_large", "macrx_length_error_small", "macrx_multicast_frames",
	"macrx_broadcast_frames", "iptx_packets", "iptx_bytes", "iptx_fragments", "iprx_packets", "iprx_bytes",
	"iprx_fragments", "ip_datagram_reassembly", "ip_invalid_address_error", "ip_error_packets",
	"ip_fragrx_overlap", "ip_fragrx_outoforder", "ip_datagram_reassembly_timeout", "ipv6tx_packets",
	"ipv6tx_bytes", "ipv6tx_fragments", "ipv6rx_packets", "ipv6rx_bytes", "ipv6rx_fragments",
	"ipv6_datagram_reassembly", "ipv6_invalid_address_error", "ipv6_error_packets", "ipv6_fragrx_overlap",
	"ipv6_fragrx_outoforder", "ipv6_datagram_reassembly_timeout", "tcptx_segments", "tcptx_bytes",
	"tcprx_segments", "tcprx_byte", "tcp_duplicate_ack_retx", "tcp_retx_timer_expired", "tcprx_duplicate_ack",
	"tcprx_pure_ackr", "tcptx_delayed_ack", "tcptx_pure_ack", "tcprx_segment_error",
	"tcprx_segment_outoforder", "tcprx_window_probe", "tcprx_window_update", "tcptx_window_probe_persist",
	"ecc_error_correction", "iscsi_pdu_tx", "iscsi_data_bytes_tx", "iscsi_pdu_rx", "iscsi_data_bytes_rx",
	"iscsi_io_completed", "iscsi_unexpected_io_rx", "iscsi_format_error", "iscsi_hdr_digest_error",
	"iscsi_data_digest_error", "iscsi_sequence_error",
};
_Static_assert(SK_ARRAY_LEN(host_stats) == 82, "82 counters, 656 bytes");

bool sk_nl_host_stat(struct sk_span table, unsigned i, const char **ret_name, uint64_t *ret)
{
	if (i >= SK_ARRAY_LEN(host_stats) || table.n < SK_ARRAY_LEN(host_stats) * sizeof(*ret))
		return false;
	*ret_name = host_stats[i];
	memcpy(ret, table.p + i * sizeof(*ret), sizeof(*ret));
	return true;
}

/* --- the fields of a flash node ------------------------------------------------------------------------ */

/* clang-format off */
#define S(field, file, number, bytes) { "flashnode.session." field, file, false, number, bytes, false }
#define C(field, file, number, bytes) { "flashnode.conn[0]." field, file, true, number, bytes, false }
#define A(field, file, number)        { "flashnode.conn[0]." field, file, true, number, 16, true }
const struct sk_flash_field sk_flash_fields[] = {
	S("auto_snd_tgt_disable", "auto_snd_tgt_disable", 2, 1), S("discovery_session", "discovery_session", 3, 1),
	S("portal_type", "portal_type", 1, 0), S("entry_enable", "entry_enable", 4, 1),
	S("immediate_data", "immediate_data", 7, 1), S("initial_r2t", "initial_r2t", 8, 1),
	S("data_seq_in_order", "data_seq_in_order", 9, 1), S("data_pdu_in_order", "data_pdu_in_order", 10, 1),
	S("chap_auth_en", "chap_auth", 11, 1), S("discovery_logout_en", "discovery_logout", 13, 1),
	S("bidi_chap_en", "bidi_chap", 14, 1), S("discovery_auth_optional", "discovery_auth_optional", 15, 1),
	S("erl", "erl", 16, 1), S("first_burst_len", "first_burst_len", 25, 4),
	S("def_time2wait", "def_time2wait", 26, 2), S("def_time2retain", "def_time2retain", 27, 2),
	S("max_outstanding_r2t", "max_outstanding_r2t", 28, 2), S("isid", "isid", 30, 0), S("tsid", "tsid", 31, 2),
	S("max_burst_len", "max_burst_len", 33, 4), S("def_taskmgmt_tmo", "def_taskmgmt_tmo", 34, 2),
	S("targetalias", "targetalias", 36, 0), S("targetname", "targetname", 43, 0), S("tpgt", "tpgt", 44, 2),
	S("discovery_parent_idx", "discovery_parent_idx", 46, 2),
	S("discovery_parent_type", "discovery_parent_type", 47, 0), S("chap_in_idx", "chap_in_idx", 50, 2),
	S("chap_out_idx", "chap_out_idx", 51, 4), S("username", "username", 52, 0),
	S("username_in", "username_in", 53, 0), S("password", "password", 54, 0),
	S("password_in", "password_in", 55, 0), S("is_boot_target", "is_boot_target", 58, 1),
	C("is_fw_assigned_ipv6", "is_fw_assigned_ipv6", 0, 1), C("header_digest_en", "header_digest", 5, 1),
	C("data_digest_en", "data_digest", 6, 1), C("snack_req_en", "snack_req", 12, 1),
	C("tcp_timestamp_stat", "tcp_timestamp_stat", 17, 1), C("tcp_nagle_disable", "tcp_nagle_disable", 18, 1),
	C("tcp_wsf_disable", "tcp_wsf_disable", 19, 1), C("tcp_timer_scale", "tcp_timer_scale", 20, 1),
	C("tcp_timestamp_en", "tcp_timestamp_enable", 21, 1), C("fragment_disable", "fragment_disable", 22, 1),
	C("max_xmit_dlength", "max_xmit_dlength", 24, 4), C("max_recv_dlength", "max_recv_dlength", 23, 4),
	C("keepalive_tmo", "keepalive_tmo", 29, 2), C("port", "port", 32, 2), A("ipaddress", "ipaddress", 35),
	A("redirect_ipaddr", "redirect_ipaddr", 37), C("max_segment_size", "max_segment_size", 38, 4),
	C("local_port", "local_port", 39, 2), C("ipv4_tos", "ipv4_tos", 40, 1),
	C("ipv6_traffic_class", "ipv6_traffic_class", 41, 1), C("ipv6_flow_label", "ipv6_flow_label", 42, 2),
	A("link_local_ipv6", "link_local_ipv6", 45), C("tcp_xmit_wsf", "tcp_xmit_wsf", 48, 4),
	C("tcp_recv_wsf", "tcp_recv_wsf", 49, 4), C("statsn", "statsn", 56, 4), C("exp_statsn", "exp_statsn", 57, 4),
	{ NULL, NULL, false, 0, 0, false },
};
/* clang-format on */

const struct sk_flash_field *sk_flash_field(const char *name)
{
	for (const struct sk_flash_field *f = sk_flash_fields; f->name; f++)
		if (strcmp(f->name, name) == 0)
			return f;
	return NULL;
}
