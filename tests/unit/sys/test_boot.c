/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "sys/attr.h"
#include "sys/boot_inner.h"
#include "tmp.h"

/* Firmware tables as the kernel shows them; formats are those of iscsi_ibft. */

struct told {
	int64_t assoc[4];
	unsigned n_nics[4], n;
	const char *mac; /* the only device there is */
};

static bool netdev_of(void *ctx, const char *mac, char ret[16])
{
	const struct told *t = ctx;

	if (!t->mac || strcmp(mac, t->mac) != 0)
		return false;
	snprintf(ret, 16, "found0");
	return true;
}

static void no_nic(void *ctx, int64_t assoc, unsigned n_nics)
{
	struct told *t = ctx;

	assert_true(t->n < 4);
	t->assoc[t->n] = assoc;
	t->n_nics[t->n++] = n_nics;
}

static struct sk_boot look(const struct tmp *t, struct told *told)
{
	struct sk_boot_cfg cfg = { &t->places, netdev_of, no_nic, told };
	struct sk_boot b;
	struct sk_err err = { 0 };

	assert_int_equal(sk_boot_read(&cfg, &b, &err), 0);
	return b;
}

static void attr(const struct tmp *t, const char *source, const char *where, const char *name, const char *value)
{
	char path[200];

	snprintf(path, sizeof(path), "kernel/firmware/%s/%s/%s", source, where, name);
	put(t, path, value);
}

static void without(const struct tmp *t, const char *what)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/kernel/firmware/%s", t->dir, what);
	assert_int_equal(sk_attr_rmtree(AT_FDCWD, path, NULL), 0);
}

static void nic(const struct tmp *t, const char *source, const char *where, const char *index, const char *mac)
{
	static const char *const v[][2] = {
		{ "flags", "3\n" },	  { "ip-addr", "10.0.2.15\n" }, { "subnet-mask", "255.255.255.0" },
		{ "prefix-len", "24\n" }, { "gateway", "10.0.2.2\n" },	{ "primary-dns", "10.0.2.3\n" },
		{ "vlan", "0\n" },	  { "origin", "1\n" },		{ "dhcp", "0.0.0.0\n" },
	};

	for (size_t i = 0; i < SK_ARRAY_LEN(v); i++)
		attr(t, source, where, v[i][0], v[i][1]);
	attr(t, source, where, "index", index);
	attr(t, source, where, "mac", mac);
}

static void target(const struct tmp *t, const char *source, const char *where, const char *nic_index,
		   const char *name)
{
	static const char *const v[][2] = {
		{ "flags", "3\n" },	 { "ip-addr", "10.0.2.2\n" }, { "port", "3261\n" },
		{ "lun", "01000000\n" }, { "chap-type", "0\n" },
	};

	for (size_t i = 0; i < SK_ARRAY_LEN(v); i++)
		attr(t, source, where, v[i][0], v[i][1]);
	attr(t, source, where, "nic-assoc", nic_index);
	attr(t, source, where, "target-name", name);
}

static void ibft(const struct tmp *t)
{
	attr(t, "ibft", "initiator", "initiator-name", "iqn.2026-11.com.example:Boot\n");
	nic(t, "ibft", "ethernet0", "0\n", "52:54:00:12:34:AB\n");
	target(t, "ibft", "target0", "0\n", "iqn.2026-11.com.example:disk0\n");
}

static void a_whole_table_is_read(void **st)
{
	const struct tmp *t = *st;
	struct told told = { 0 };
	const struct sk_boot_target *v;

	ibft(t);
	put(t, "kernel/firmware/ibft/ethernet0/device/net/enp0s3/address", "x");
	attr(t, "ibft", "target0", "chap-name", "alice\n");
	attr(t, "ibft", "target0", "chap-secret", "a secret with blanks \n");
	attr(t, "ibft", "target0", "rev-chap-name", "bob\n");
	attr(t, "ibft", "target0", "rev-chap-name-secret", "bobsecret12345\n");
	SK_BOOT struct sk_boot b = look(t, &told);

	assert_int_equal(b.n, 1);
	assert_true(b.booted);
	v = b.v;
	assert_string_equal(v->source, "ibft");
	assert_int_equal(v->host, -1);
	assert_string_equal(v->transport, "tcp");
	assert_string_equal(v->initiator.s, "iqn.2026-11.com.example:Boot"); /* its own spelling */
	assert_string_equal(v->name.s, "iqn.2026-11.com.example:disk0");
	assert_string_equal(v->address, "10.0.2.2");
	assert_int_equal(v->port, 3261);
	assert_string_equal(v->lun, "01000000");
	assert_string_equal(v->username, "alice");
	assert_string_equal(v->password, "a secret with blanks "); /* every byte of it */
	assert_string_equal(v->username_in, "bob");
	assert_string_equal(v->password_in, "bobsecret12345");
	assert_string_equal(v->nic.mac, "52:54:00:12:34:ab");
	assert_string_equal(v->nic.netdev, "enp0s3");
	assert_string_equal(v->nic.address, "10.0.2.15");
	assert_string_equal(v->nic.mask, "255.255.255.0"); /* no newline in its file */
	assert_int_equal(v->nic.prefix_len, 24);
	assert_string_equal(v->nic.gateway, "10.0.2.2");
	assert_string_equal(v->nic.dns1, "10.0.2.3");
	assert_string_equal(v->nic.dns2, "");
	assert_int_equal(v->nic.vlan, 0);
	assert_false(v->nic.dhcp);
}

static void nothing_is_an_empty_list(void **st)
{
	const struct tmp *t = *st;
	struct told told = { 0 };
	struct sk_boot b = look(t, &told);

	assert_int_equal(b.n, 0);
	ibft(t);
	without(t, "ibft/initiator"); /* then it is not a table of iSCSI */
	b = look(t, &told);
	assert_int_equal(b.n, 0);
}

static void one_bad_entry_hides_no_other(void **st)
{
	static const char *const bad[][2] = {
		{ "target-name", "iqn.2026-11.com.example:a/../b\n" },
		{ "target-name", "" },
		{ "target-name", "iqn.2026-11.com.example:a\nnode.startup = automatic\n" },
		{ "ip-addr", "san.example.com\n" },
		{ "ip-addr", "0.0.0.0\n" },
		{ "ip-addr", "fe80::1%eth0\n" },
		{ "port", "0\n" },
		{ "port", "65536\n" },
		{ "port", "x\n" },
		{ "flags", "0\n" },
		{ "flags", "\n" },
		{ "nic-assoc", "-1\n" },
		{ "nic-assoc", "\n" },
		{ "chap-secret", "tab\tin it\n" },
	};
	const struct tmp *t = *st;
	struct told told = { 0 };

	ibft(t);
	for (size_t i = 0; i < SK_ARRAY_LEN(bad); i++) {
		target(t, "ibft", "target1", "0\n", "iqn.2026-11.com.example:disk1\n");
		attr(t, "ibft", "target1", bad[i][0], bad[i][1]);
		SK_BOOT struct sk_boot b = look(t, &told);

		assert_int_equal(b.n, 1);
		assert_string_equal(b.v[0].name.s, "iqn.2026-11.com.example:disk0");
		without(t, "ibft/target1");
	}
	assert_int_equal(told.n, 0);
}

static void a_target_goes_with_the_card_of_its_index(void **st)
{
	const struct tmp *t = *st;
	struct told told = { 0 };

	ibft(t);
	nic(t, "ibft", "ethernet1", "5\n", "52:54:00:12:34:05\n");
	target(t, "ibft", "target0", "5\n", "iqn.2026-11.com.example:disk0\n");
	target(t, "ibft", "target1", "1\n", "iqn.2026-11.com.example:disk1\n");
	SK_BOOT struct sk_boot b = look(t, &told);

	assert_int_equal(b.n, 1);
	assert_string_equal(b.v[0].nic.mac, "52:54:00:12:34:05");
	assert_int_equal(told.n, 1); /* ethernet1 is not what "1" means */
	assert_int_equal(told.assoc[0], 1);
	assert_int_equal(told.n_nics[0], 2);
}

static void a_bad_card_takes_its_targets_only(void **st)
{
	static const char *const bad[][2] = {
		{ "flags", "0\n" }, { "mac", "52:54:00:12:34\n" }, { "mac", "\n" }, { "flags", "yes\n" }
	};
	const struct tmp *t = *st;
	struct told told = { 0 };

	ibft(t);
	target(t, "ibft", "target1", "1\n", "iqn.2026-11.com.example:disk1\n");
	for (size_t i = 0; i < SK_ARRAY_LEN(bad); i++) {
		nic(t, "ibft", "ethernet1", "1\n", "52:54:00:12:34:05\n");
		attr(t, "ibft", "ethernet1", bad[i][0], bad[i][1]);
		SK_BOOT struct sk_boot b = look(t, &told);

		assert_int_equal(b.n, 1);
		assert_string_equal(b.v[0].name.s, "iqn.2026-11.com.example:disk0");
	}
	assert_int_equal(told.n, 0);
}

static void odd_optional_values_are_left_out(void **st)
{
	static const char *const odd[][2] = {
		{ "ip-addr", "10.0.2.15; reboot\n" },
		{ "subnet-mask", "255.0.255.0" },
		{ "gateway", "::\n" },
		{ "primary-dns", "dns.example.com\n" },
		{ "vlan", "4096\n" },
		{ "prefix-len", "129\n" },
	};
	const struct tmp *t = *st;
	struct told told = { 0 };

	ibft(t);
	for (size_t i = 0; i < SK_ARRAY_LEN(odd); i++)
		attr(t, "ibft", "ethernet0", odd[i][0], odd[i][1]);
	attr(t, "ibft", "initiator", "initiator-name", "../../etc/passwd\n");
	attr(t, "ibft", "target0", "port", "3260\n");
	SK_BOOT struct sk_boot b = look(t, &told);

	assert_int_equal(b.n, 1);
	assert_string_equal(b.v[0].nic.address, "");
	assert_string_equal(b.v[0].nic.mask, "");
	assert_string_equal(b.v[0].nic.gateway, "");
	assert_string_equal(b.v[0].nic.dns1, "");
	assert_int_equal(b.v[0].nic.vlan, -1);
	assert_int_equal(b.v[0].nic.prefix_len, -1);
	assert_string_equal(b.v[0].initiator.s, "");
}

static void dhcp_is_told_by_the_origin_or_a_server(void **st)
{
	const struct tmp *t = *st;
	struct told told = { 0 };

	ibft(t);
	attr(t, "ibft", "ethernet0", "origin", "3\n");
	SK_BOOT struct sk_boot b = look(t, &told);
	assert_true(b.v[0].nic.dhcp);

	attr(t, "ibft", "ethernet0", "origin", "1\n");
	attr(t, "ibft", "ethernet0", "dhcp", "10.0.2.9\n");
	SK_BOOT struct sk_boot c = look(t, &told);
	assert_true(c.v[0].nic.dhcp);
}

static void the_network_device_is_looked_for(void **st)
{
	const struct tmp *t = *st;
	struct told none = { 0 }, one = { .mac = "52:54:00:12:34:ab" };

	ibft(t);
	SK_BOOT struct sk_boot a = look(t, &one); /* no PCI function: not even by its address */
	assert_int_equal(a.n, 1);
	assert_string_equal(a.v[0].nic.netdev, "");

	put(t, "kernel/firmware/ibft/ethernet0/device/vendor", "x");
	SK_BOOT struct sk_boot b = look(t, &one); /* a function without a device: by the address */
	assert_string_equal(b.v[0].nic.netdev, "found0");
	SK_BOOT struct sk_boot c = look(t, &none); /* … which nothing has */
	assert_int_equal(c.n, 0);

	put(t, "kernel/firmware/ibft/ethernet0/device/net:old0", "x");
	SK_BOOT struct sk_boot d = look(t, &none);
	assert_string_equal(d.v[0].nic.netdev, "old0");
}

static void adapters_have_tables_of_their_own(void **st)
{
	const struct tmp *t = *st;
	struct told told = { 0 };

	ibft(t);
	attr(t, "iscsi_boot12", "initiator", "isid", "00:02:3d:00\n");
	nic(t, "iscsi_boot12", "ethernet0", "0\n", "52:54:00:12:34:12\n");
	target(t, "iscsi_boot12", "target0", "0\n", "iqn.2026-11.com.example:card\n");
	put(t, "kernel/firmware/iscsi_boot12/ethernet0/device/vendor", "x"); /* no device is looked for */
	put(t, "kernel/class/scsi_host/host12/proc_name", "qla4xxx\n");
	put(t, "kernel/firmware/iscsi_bootx/initiator/initiator-name", "iqn.2026-11.com.example:no\n");
	SK_BOOT struct sk_boot b = look(t, &told);

	assert_int_equal(b.n, 2);
	assert_string_equal(b.v[1].source, "iscsi_boot12");
	assert_int_equal(b.v[1].host, 12);
	assert_string_equal(b.v[1].transport, "qla4xxx");
	assert_string_equal(b.v[1].isid, "00:02:3d:00");
	assert_string_equal(b.v[1].nic.netdev, "");
}

static void booted_takes_a_card_and_a_target(void **st)
{
	const struct tmp *t = *st;
	struct told told = { 0 };

	ibft(t);
	attr(t, "ibft", "target0", "flags", "1\n");
	SK_BOOT struct sk_boot b = look(t, &told);
	assert_int_equal(b.n, 1);
	assert_false(b.booted);

	attr(t, "ibft", "target0", "flags", "2\n"); /* some firmware sets this bit alone */
	SK_BOOT struct sk_boot c = look(t, &told);
	assert_true(c.booted);
}

static void tables_nobody_may_read_are_an_error(void **st)
{
	const struct tmp *t = *st;
	struct sk_boot_cfg cfg = { .places = &t->places };
	struct sk_boot b;
	struct sk_err err = { 0 };
	char path[200];
	uid_t me = geteuid();
	int rc;

	ibft(t);
	snprintf(path, sizeof(path), "%s/kernel/firmware/ibft/target0/flags", t->dir);
	assert_int_equal(chmod(path, 0), 0);
	assert_int_equal(chmod(t->dir, 0755), 0);
	assert_int_equal(me ? 0 : seteuid(65534), 0); /* root would read everything */
	rc = sk_boot_read(&cfg, &b, &err);
	assert_int_equal(me ? 0 : seteuid(me), 0);
	assert_int_equal(rc, -1);
	assert_int_equal(err.code, SK_EACCES);
}

/* --- Open Firmware ---------------------------------------------------------------------------------------------
 */

#define OF_PATH                                                                                                    \
	"/vdevice/l-lan@30000002:iscsi,itname=iqn.2026-11.com.example:me,ciaddr=10.0.0.5,giaddr=10.0.0.1,"         \
	"subnet-mask=255.255.255.0,siaddr=10.0.0.9,iname=iqn.2026-11.com.example:disk,iport=3261,"                 \
	"ichapid=alice,ichappw=alicesecret:1,chapid=bob,chappw=bobsecret,ilun=1:2"

static void a_boot_path_is_understood(void **st)
{
	struct sk_boot_path p;
	struct sk_err err = { 0 };

	(void)st;
	assert_int_equal(sk_boot_path_parse(sk_span_str(OF_PATH), &p, &err), 0);
	assert_string_equal(p.device, "/vdevice/l-lan@30000002");
	assert_string_equal(p.target.name.s, "iqn.2026-11.com.example:disk");
	assert_string_equal(p.target.initiator.s, "iqn.2026-11.com.example:me");
	assert_string_equal(p.target.address, "10.0.0.9");
	assert_int_equal(p.target.port, 3261);
	assert_string_equal(p.target.lun, "1"); /* what follows is a partition */
	assert_string_equal(p.target.username, "alice");
	assert_string_equal(p.target.password, "alicesecret:1");
	assert_string_equal(p.target.username_in, "bob");
	assert_string_equal(p.target.password_in, "bobsecret");
	assert_string_equal(p.target.nic.address, "10.0.0.5");
	assert_string_equal(p.target.nic.gateway, "10.0.0.1");
	assert_string_equal(p.target.nic.mask, "255.255.255.0");
	assert_string_equal(p.target.nic.mac, "");
}

static void other_boot_paths_are_told_apart(void **st)
{
	static const struct {
		const char *text;
		enum sk_code code;
	} v[] = {
		{ "/pci@1/scsi@2/disk@0:2", SK_ENOENT },
		{ "/pci@1/ethernet@1:bootp,siaddr=10.0.0.9,filename=/iscsi", SK_ENOENT },
		{ "disk", SK_ENOENT },
		{ "/a:iscsi,siaddr=10.0.0.9", SK_EINVAL },
		{ "/a:iscsi,siaddr=nowhere,iname=iqn.2026-11.com.example:d", SK_EINVAL },
		{ "/../etc:iscsi,siaddr=10.0.0.9,iname=iqn.2026-11.com.example:d", SK_EINVAL },
		{ "a:iscsi,siaddr=10.0.0.9,iname=iqn.2026-11.com.example:d", SK_EINVAL },
	};

	(void)st;
	for (size_t i = 0; i < SK_ARRAY_LEN(v); i++) {
		struct sk_boot_path p = { .device = "untouched" };
		struct sk_err err = { 0 };

		assert_int_equal(sk_boot_path_parse(sk_span_str(v[i].text), &p, &err), -1);
		assert_int_equal(err.code, v[i].code);
		assert_string_equal(p.device, "untouched");
	}
}

static void the_device_tree_comes_first(void **st)
{
	const struct tmp *t = *st;
	struct told told = { .mac = "02:03:04:05:06:07" };

	ibft(t);
	put(t, "kernel/firmware/devicetree/base/chosen/bootpath", OF_PATH);
	put(t, "kernel/firmware/devicetree/base/vdevice/l-lan@30000002/local-mac-address", "\2\3\4\5\6\7");
	put(t, "kernel/firmware/devicetree/base/aliases/iscsi-disk0", OF_PATH); /* the same again */
	put(t, "kernel/firmware/devicetree/base/aliases/iscsi-disk1",
	    "/b:iscsi,siaddr=10.0.0.9,iname=iqn.2026-11.com.example:two");
	put(t, "kernel/firmware/devicetree/base/aliases/iscsi-disk2", "/b:iscsi,nothing");
	SK_BOOT struct sk_boot b = look(t, &told);

	assert_int_equal(b.n, 2);
	assert_true(b.booted);
	assert_string_equal(b.v[0].source, "openfirmware");
	assert_string_equal(b.v[0].nic.mac, "02:03:04:05:06:07");
	assert_string_equal(b.v[0].nic.netdev, "found0");
	assert_true(b.v[0].selected);
	assert_string_equal(b.v[1].name.s, "iqn.2026-11.com.example:two");
	assert_false(b.v[1].selected);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, tmp_setup, tmp_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_whole_table_is_read),
		TEST(nothing_is_an_empty_list),
		TEST(one_bad_entry_hides_no_other),
		TEST(a_target_goes_with_the_card_of_its_index),
		TEST(a_bad_card_takes_its_targets_only),
		TEST(odd_optional_values_are_left_out),
		TEST(dhcp_is_told_by_the_origin_or_a_server),
		TEST(the_network_device_is_looked_for),
		TEST(adapters_have_tables_of_their_own),
		TEST(booted_takes_a_card_and_a_target),
		TEST(tables_nobody_may_read_are_an_error),
		TEST(a_boot_path_is_understood),
		TEST(other_boot_paths_are_told_apart),
		TEST(the_device_tree_comes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
