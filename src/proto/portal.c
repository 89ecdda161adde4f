/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "proto/portal.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "base/num.h"

/* A text that came from anywhere, made fit for a message. */
struct shown {
	char s[80];
};

static struct shown shown(struct sk_span text)
{
	struct shown out;
	size_t n = 0;

	for (size_t i = 0; i < text.n && n + 4 < sizeof(out.s); i++)
		out.s[n++] = text.p[i] >= 0x20 && text.p[i] < 0x7f ? (char)text.p[i] : '?';
	out.s[n] = '\0';
	return out;
}

static bool is_alnum(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The name of an interface, or its number. */
static bool zone_ok(struct sk_span z)
{
	if (z.n == 0 || z.n >= sizeof(((struct sk_host *)NULL)->zone) || z.p[0] == '.' || z.p[0] == '-')
		return false;
	for (size_t i = 0; i < z.n; i++) {
		if (!is_alnum(z.p[i]) && !memchr("._-@", z.p[i], 4))
			return false;
		if (z.p[i] == '.' && i + 1 < z.n && z.p[i + 1] == '.')
			return false;
	}
	return true;
}

static bool name_ok(struct sk_span h)
{
	if (h.n == 0 || h.p[0] == '.' || h.p[0] == '-')
		return false;
	for (size_t i = 0; i < h.n; i++) {
		if (!is_alnum(h.p[i]) && !memchr(".-_", h.p[i], 3))
			return false;
		if (h.p[i] == '.' && i + 1 < h.n && h.p[i + 1] == '.')
			return false;
	}
	return true;
}

static void classify_v4(struct sk_host *h)
{
	h->any = sk_be32(h->addr) == 0;
	h->loopback = h->addr[0] == 127;
	h->link_local = sk_be16(h->addr) == 0xa9fe;
}

static void classify_v6(struct sk_host *h)
{
	bool high_zero = sk_be64(h->addr) == 0;

	h->any = high_zero && sk_be64(h->addr + 8) == 0;
	h->loopback = high_zero && sk_be64(h->addr + 8) == 1;
	h->link_local = (sk_be16(h->addr) & 0xffc0) == 0xfe80;
}

bool sk_host_parse(struct sk_span host, struct sk_host *ret)
{
	struct sk_host h = { .kind = SK_HOST_NAME };
	struct sk_span zone = { NULL, 0 };
	char text[64];
	const uint8_t *pct;

	if (host.n == 0 || host.n > 255)
		return false;
	if (!memchr(host.p, ':', host.n)) {
		if (!name_ok(host))
			return false;
		if (host.n < sizeof(text)) {
			memcpy(text, host.p, host.n);
			text[host.n] = '\0';
			if (inet_pton(AF_INET, text, h.addr) == 1) {
				h.kind = SK_HOST_V4;
				classify_v4(&h);
			}
		}
		*ret = h;
		return true;
	}
	pct = memchr(host.p, '%', host.n);
	if (pct) {
		zone = sk_span(pct + 1, host.n - (size_t)(pct - host.p) - 1);
		if (!zone_ok(zone))
			return false;
		memcpy(h.zone, zone.p, zone.n);
		host.n = (size_t)(pct - host.p);
	}
	if (host.n >= sizeof(text) || memchr(host.p, '\0', host.n))
		return false;
	memcpy(text, host.p, host.n);
	text[host.n] = '\0';
	if (inet_pton(AF_INET6, text, h.addr) != 1)
		return false;
	h.kind = SK_HOST_V6;
	classify_v6(&h);
	*ret = h;
	return true;
}

bool sk_portal_host_ok(struct sk_span host)
{
	struct sk_host h;

	return sk_host_parse(host, &h);
}

bool sk_portal_host_eq(const char *a, const char *b)
{
	struct sk_host ha, hb;

	if (!sk_host_parse(sk_span_str(a), &ha) || !sk_host_parse(sk_span_str(b), &hb))
		return strcmp(a, b) == 0;
	if (ha.kind != hb.kind)
		return false;
	if (ha.kind == SK_HOST_NAME)
		return strcasecmp(a, b) == 0;
	return memcmp(ha.addr, hb.addr, sizeof(ha.addr)) == 0 && strcmp(ha.zone, hb.zone) == 0;
}

bool sk_portal_set_zone(struct sk_portal *p, const char *netdev)
{
	struct sk_span zone = sk_span_str(netdev ? netdev : "");
	struct sk_host h;
	size_t n = strcspn(p->host, "%");

	if (!sk_host_parse(sk_span_str(p->host), &h) || h.kind != SK_HOST_V6 || !h.link_local)
		return true;
	if (zone.n == 0) {
		p->host[n] = '\0';
		return true;
	}
	if (!zone_ok(zone) || !sk_fits(n + 2, zone.n, sizeof(p->host)))
		return false;
	p->host[n] = '%';
	memcpy(p->host + n + 1, zone.p, zone.n);
	p->host[n + 1 + zone.n] = '\0';
	return true;
}

/* The three parts of the text, not yet looked into; an absent one has p == NULL. */
struct parts {
	struct sk_span host, port, tag;
};

static bool split_bracketed(struct sk_span text, struct parts *ret)
{
	const uint8_t *end = memchr(text.p, ']', text.n);
	struct sk_span rest;

	if (!end)
		return false;
	ret->host = sk_span(text.p + 1, (size_t)(end - text.p) - 1);
	rest = sk_span(end + 1, text.n - (size_t)(end - text.p) - 1);
	if (rest.n && rest.p[0] == ':') {
		const uint8_t *comma = memchr(rest.p, ',', rest.n);
		size_t n = comma ? (size_t)(comma - rest.p) : rest.n;

		ret->port = sk_span(rest.p + 1, n - 1);
		rest = sk_span(rest.p + n, rest.n - n);
	}
	if (rest.n && rest.p[0] == ',') {
		ret->tag = sk_span(rest.p + 1, rest.n - 1);
		rest.n = 0;
	}
	return rest.n == 0;
}

static void split_plain(struct sk_span text, struct parts *ret)
{
	const uint8_t *comma = memchr(text.p, ',', text.n);
	const uint8_t *colon;
	size_t n = comma ? (size_t)(comma - text.p) : text.n;

	if (comma)
		ret->tag = sk_span(comma + 1, text.n - n - 1);
	ret->host = sk_span(text.p, n);
	colon = memchr(text.p, ':', n);
	if (!colon || memchr(colon + 1, ':', n - (size_t)(colon - text.p) - 1))
		return; /* no port, or a bare IPv6 address */
	ret->host.n = (size_t)(colon - text.p);
	ret->port = sk_span(colon + 1, n - ret->host.n - 1);
}

int sk_portal_parse(struct sk_span text, uint16_t default_port, struct sk_portal *ret, struct sk_err *err)
{
	struct sk_portal p = { .port = default_port, .tpgt = SK_TPGT_NONE };
	struct parts parts = { 0 };
	uint64_t v;

	if (text.n == 0)
		return sk_fail(err, SK_EINVAL, "empty portal");
	if (text.p[0] != '[')
		split_plain(text, &parts);
	else if (!split_bracketed(text, &parts))
		return sk_fail(err, SK_EINVAL, "portal \"%s\": brackets that do not match", shown(text).s);
	if (!sk_portal_host_ok(parts.host))
		return sk_fail(err, SK_EINVAL, "portal \"%s\": not a host name or address", shown(text).s);
	if (parts.port.p) {
		if (!sk_num_u64((const char *)parts.port.p, parts.port.n, 1, 65535, &v))
			return sk_fail(err, SK_EINVAL, "portal \"%s\": the port is not within 1..65535",
				       shown(text).s);
		p.port = (uint16_t)v;
	}
	if (parts.tag.p) {
		if (!sk_num_u64((const char *)parts.tag.p, parts.tag.n, 0, 65535, &v))
			return sk_fail(err, SK_EINVAL, "portal \"%s\": the group tag is not within 0..65535",
				       shown(text).s);
		p.tpgt = (int32_t)v;
	}
	memcpy(p.host, parts.host.p, parts.host.n);
	p.host[parts.host.n] = '\0';
	*ret = p;
	return 0;
}

void sk_portal_print(struct sk_buf *out, const struct sk_portal *p, const char *tag_text)
{
	bool bare = strchr(p->host, '.') && !strchr(p->host, ':');

	sk_buf_printf(out, bare ? "%s:%u" : "[%s]:%u", p->host, (unsigned)p->port);
	if (tag_text)
		sk_buf_printf(out, ",%s", tag_text);
}
