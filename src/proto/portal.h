/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_PROTO_PORTAL_H
#define SK_PROTO_PORTAL_H

/** A checked network portal: host text, port, group tag. */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

#define SK_PORTAL_PORT 3260
#define SK_TPGT_NONE   (-1)

struct sk_portal {
	char host[256]; /* IPv4, IPv6 without brackets (a zone after '%' allowed), or DNS name; as given */
	uint16_t port;
	int32_t tpgt; /* 0..65535, or SK_TPGT_NONE */
};

/**
 * sk_portal_parse - TargetAddress or -p text: host[:port][,tag], [v6][:port][,tag], bare v6[,tag]
 * @default_port: used when the text has none. IPv6 with embedded IPv4 works with and without brackets.
 * Refuses: empty host, unclosed '[', port outside 1..65535, tag outside 0..65535, any character that cannot be in a
 * host (so '/', control characters and blanks), host over 255 bytes. Errors: SK_EINVAL.
 */
int sk_portal_parse(struct sk_span text, uint16_t default_port, struct sk_portal *ret, struct sk_err *err);

/** sk_portal_host_ok - would this host text be accepted? (records hold host and port in separate keys) */
bool sk_portal_host_ok(struct sk_span host);

/** What a host text is. An address keeps its spelling; two spellings of one address are equal. */
struct sk_host {
	enum sk_host_kind { SK_HOST_NAME, SK_HOST_V4, SK_HOST_V6 } kind;
	bool any, loopback, link_local; /* 0.0.0.0 or ::, 127/8 or ::1, 169.254/16 or fe80::/10 */
	uint8_t addr[16];		/* 4 or 16 bytes, network order; names: zero */
	char zone[32];			/* after '%', "" if none */
};

/** sk_host_parse - classify a host text; false if sk_portal_host_ok would refuse it (*ret untouched) */
bool sk_host_parse(struct sk_span host, struct sk_host *ret);

/** sk_portal_host_eq - the same host? Addresses by value and zone, names without regard to case */
bool sk_portal_host_eq(const char *a, const char *b);

/** sk_portal_set_zone - a link-local IPv6 address learned from the network belongs to @netdev, whatever zone its
 * sender wrote; other hosts are left alone. @netdev "" or NULL drops the zone. False if it does not fit
 * (unchanged). */
bool sk_portal_set_zone(struct sk_portal *p, const char *netdev);

/** sk_portal_print - "host:port,tag"; the incumbent's rule: a host without a '.' is put in brackets
 * (and, so that the text can be read back, every host with a ':').
 * The tag is printed as given by @tag_text ("-1", "4294967295" or the number); NULL leaves ",tag" out. */
void sk_portal_print(struct sk_buf *out, const struct sk_portal *p, const char *tag_text);

#endif
