/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "fuzz/fuzz.h"
#include "proto/portal.h"
#include "sys/boot_inner.h"

/* What passes is fit for records, commands and lines of output; what fails leaves the result alone. The first byte
 * says what the rest is: a boot path, or attributes that end with a NUL each. */

static void must(bool ok)
{
	if (!ok)
		__builtin_trap();
}

static void plain_or_empty(const char *text, size_t size)
{
	must(memchr(text, '\0', size));
	must(!text[0] || sk_boot_plain(text));
}

static void address_or_empty(const char *text)
{
	struct sk_host h;

	plain_or_empty(text, SK_BOOT_ADDR);
	must(!text[0] || (sk_host_parse(sk_span_str(text), &h) && h.kind != SK_HOST_NAME));
}

static void good_nic(const struct sk_boot_nic *n)
{
	address_or_empty(n->address);
	address_or_empty(n->mask);
	address_or_empty(n->gateway);
	address_or_empty(n->dns1);
	address_or_empty(n->dns2);
	must(strlen(n->mac) == 17 || !n->mac[0]);
	must(n->prefix_len >= -1 && n->prefix_len <= 128 && n->vlan >= -1 && n->vlan <= 4095);
}

static void good_target(const struct sk_boot_target *t)
{
	struct sk_iname name;

	must(sk_iname_parse(sk_span_str(t->name.s), &name, NULL) == 0);
	must(t->address[0] && t->port != 0);
	address_or_empty(t->address);
	plain_or_empty(t->lun, sizeof(t->lun));
	plain_or_empty(t->isid, sizeof(t->isid));
	plain_or_empty(t->username, sizeof(t->username));
	plain_or_empty(t->password, sizeof(t->password));
	plain_or_empty(t->username_in, sizeof(t->username_in));
	plain_or_empty(t->password_in, sizeof(t->password_in));
}

static struct sk_boot_text next_text(struct sk_span *in)
{
	struct sk_boot_text t = { .there = false };
	const uint8_t *nul = in->n ? memchr(in->p, '\0', in->n) : NULL;
	size_t n = nul ? (size_t)(nul - in->p) : in->n;

	if (n && n < sizeof(t.s)) {
		memcpy(t.s, in->p, n);
		t.there = true;
	}
	n += nul != NULL;
	in->p += n;
	in->n -= n;
	return t;
}

static void attributes(struct sk_span in)
{
	struct sk_boot_text texts[SK_NIC_ATTRS + SK_TGT_ATTRS];
	struct sk_boot_target t, before;
	struct sk_boot_nic nic;
	int64_t assoc;

	for (size_t i = 0; i < SK_NIC_ATTRS + SK_TGT_ATTRS; i++)
		texts[i] = next_text(&in);
	if (sk_boot_nic_check(texts, &nic, NULL) == 0)
		good_nic(&nic);
	memset(&t, 0x5a, sizeof(t));
	before = t;
	if (sk_boot_tgt_check(texts + SK_NIC_ATTRS, &t, &assoc, NULL) == 0) {
		good_target(&t);
		must(assoc >= 0 && assoc <= 255);
	} else {
		must(memcmp(&t, &before, sizeof(t)) == 0);
	}
}

static void path(struct sk_span in)
{
	struct sk_boot_path p;

	if (sk_boot_path_parse(in, &p, NULL) < 0)
		return;
	must(p.device[0] == '/' && !strstr(p.device, "/../"));
	good_target(&p.target);
	good_nic(&p.target.nic);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (n == 0)
		return 0;
	if (p[0] == '/')
		path(sk_span(p, n));
	else
		attributes(sk_span(p + 1, n - 1));
	return 0;
}
