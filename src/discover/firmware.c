/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "discover/firmware.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "config.h"
#include "record/iface.h"
#include "record/store.h"
#include "wire/netdev.h"

/* --- reading ------------------------------------------------------------------------------------------------- */

struct reader {
	void (*line)(void *ctx, const char *text);
	void *ctx;
};

static bool netdev_of(void *ctx, const char *mac, char ret[16])
{
	(void)ctx;
	return sk_netdev_of_hwaddress(mac, ret, NULL) == 0;
}

static void no_nic(void *ctx, int64_t assoc, unsigned n_nics)
{
	const struct reader *r = ctx;
	char text[80];

	snprintf(text, sizeof(text), "Invalid nic-assoc of %lld. Max id %u.\n", (long long)assoc, n_nics);
	r->line(r->ctx, text);
}

int sk_firmware_read(const struct sk_places *places, void (*line)(void *ctx, const char *text), void *ctx,
		     struct sk_boot *ret, struct sk_err *err)
{
	struct reader r = { line, ctx };
	struct sk_boot_cfg cfg = { .places = places, .netdev_of = netdev_of, .no_nic = no_nic, .ctx = &r };

	return sk_boot_read(&cfg, ret, err);
}

/* --- printing ------------------------------------------------------------------------------------------------ */

static void text(sk_firmware_line *line, void *ctx, const char *key, const char *value)
{
	if (value[0])
		line(ctx, key, value);
}

static void number(sk_firmware_line *line, void *ctx, const char *key, int value)
{
	char buf[16];

	snprintf(buf, sizeof(buf), "%d", value);
	line(ctx, key, buf);
}

static void each_nic(const struct sk_boot_nic *n, sk_firmware_line *line, void *ctx)
{
	text(line, ctx, "iface.hwaddress", n->mac);
	line(ctx, "iface.bootproto", n->dhcp ? "DHCP" : "STATIC");
	text(line, ctx, "iface.ipaddress", n->address);
	if (n->prefix_len != 0) /* -1 is printed: the incumbent's way to say that it is not known */
		number(line, ctx, "iface.prefix_len", n->prefix_len);
	text(line, ctx, "iface.subnet_mask", n->mask);
	text(line, ctx, "iface.gateway", n->gateway);
	text(line, ctx, "iface.primary_dns", n->dns1);
	text(line, ctx, "iface.secondary_dns", n->dns2);
	if (n->vlan >= 0)
		number(line, ctx, "iface.vlan_id", n->vlan);
	text(line, ctx, "iface.net_ifacename", n->netdev);
}

void sk_firmware_each(const struct sk_boot_target *t, sk_firmware_line *line, void *ctx)
{
	text(line, ctx, "iface.initiatorname", t->initiator.s);
	text(line, ctx, "iface.isid", t->isid);
	line(ctx, "iface.transport_name", t->transport);
	each_nic(&t->nic, line, ctx);
	line(ctx, "node.name", t->name.s);
	line(ctx, "node.conn[0].address", t->address);
	number(line, ctx, "node.conn[0].port", t->port);
	text(line, ctx, "node.session.auth.username", t->username);
	text(line, ctx, "node.session.auth.password", t->password);
	text(line, ctx, "node.session.auth.username_in", t->username_in);
	text(line, ctx, "node.session.auth.password_in", t->password_in);
	text(line, ctx, "node.boot_lun", t->lun);
}

static void print_line(void *ctx, const char *key, const char *value)
{
	sk_buf_printf(ctx, "%s = %s\n", key, value);
}

void sk_firmware_print(struct sk_buf *out, const struct sk_boot_target *t)
{
	sk_buf_printf(out, "# BEGIN RECORD %s\n", SK_COMPAT_VERSION);
	sk_firmware_each(t, print_line, out);
	sk_buf_str(out, "# END RECORD\n");
}

/* --- records ------------------------------------------------------------------------------------------------- */

struct setting {
	const char *key, *value;
};

/* Empty values are left as they are. */
static int set_all(struct sk_record *r, const struct setting *v, size_t n, struct sk_err *err)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].value[0] && sk_record_set(r, v[i].key, v[i].value, err) < 0)
			return -1;
	return 0;
}

int sk_firmware_dress(const struct sk_boot_target *t, struct sk_record *r, struct sk_err *err)
{
	char port[8], tag[8];
	const struct setting v[] = {
		{ "node.name", t->name.s },
		{ "node.tpgt", tag },
		{ "node.conn[0].address", t->address },
		{ "node.conn[0].port", port },
		{ "node.startup", "onboot" },
		{ "node.conn[0].startup", "onboot" },
		{ "node.discovery_type", "fw" },
		{ "node.session.auth.username", t->username },
		{ "node.session.auth.password", t->password },
		{ "node.session.auth.username_in", t->username_in },
		{ "node.session.auth.password_in", t->password_in },
		{ "iface.initiatorname", t->initiator.s },
		{ "iface.transport_name", t->transport },
	};

	snprintf(port, sizeof(port), "%u", t->port);
	snprintf(tag, sizeof(tag), "%d", SK_FIRMWARE_TPGT);
	return set_all(r, v, SK_ARRAY_LEN(v), err);
}

static struct sk_record *adapter_iface(const struct sk_boot_target *t, struct sk_err *err)
{
	const struct setting v[] = {
		{ "iface.transport_name", t->transport }, { "iface.hwaddress", t->nic.mac },
		{ "iface.ipaddress", t->nic.address },	  { "iface.initiatorname", t->initiator.s },
		{ "iface.subnet_mask", t->nic.mask },	  { "iface.gateway", t->nic.gateway },
	};
	char name[80];
	struct sk_record *r;

	snprintf(name, sizeof(name), "%s.%s.%s.0", t->transport, t->nic.mac,
		 strchr(t->nic.address, ':') ? "ipv6" : "ipv4");
	r = sk_iface_new(name, err);
	if (r && set_all(r, v, SK_ARRAY_LEN(v), err) == 0)
		return r;
	sk_record_free(r);
	return NULL;
}

struct sk_record *sk_firmware_iface(const struct sk_boot_target *t, struct sk_err *err)
{
	const struct setting name = { "iface.initiatorname", t->initiator.s };
	struct sk_record *r;

	if (strcmp(t->transport, "tcp") != 0)
		return adapter_iface(t, err);
	r = sk_iface_new("default", err);
	if (r && set_all(r, &name, 1, err) == 0)
		return r;
	sk_record_free(r);
	return NULL;
}

int sk_firmware_patience(struct sk_record *r, struct sk_err *err)
{
	static const struct setting v[] = {
		{ "node.session.initial_login_retry_max", "30" },
		{ "node.conn[0].timeo.noop_out_interval", "0" },
		{ "node.conn[0].timeo.noop_out_timeout", "0" },
	};

	return set_all(r, v, SK_ARRAY_LEN(v), err);
}

struct sk_record *sk_firmware_login_record(const struct sk_boot_target *t, const char *conf_file,
					   struct sk_err *err)
{
	struct sk_record *iface = sk_firmware_iface(t, err), *r = iface ? sk_record_new(SK_REC_NODE, err) : NULL;
	struct sk_err odd = { 0 };
	int rc = r ? 0 : -1;

	if (rc == 0 && sk_conf_apply(conf_file, r, NULL, NULL, &odd) < 0 && odd.code == SK_ENOMEM) {
		*err = odd;
		rc = -1;
	}
	if (rc == 0)
		rc = sk_node_bind_iface(r, iface, err);
	if (rc == 0)
		rc = sk_firmware_dress(t, r, err);
	if (rc == 0)
		rc = sk_firmware_patience(r, err);
	sk_record_free(iface);
	if (rc == 0)
		return r;
	sk_record_free(r);
	return NULL;
}
