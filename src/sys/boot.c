/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The firmware's tables as the kernel shows them: directories initiator, ethernet<N> and target<N> below one of a
 * source. */
#include "sys/boot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "sys/attr.h"
#include "sys/boot_inner.h"

#define HOSTS 255 /* tables of adapters */

struct nic {
	struct sk_boot_nic nic;
	int64_t index; /* what targets call it; -1 = it has none */
	bool good;
};

struct source {
	const struct sk_boot_cfg *cfg;
	struct sk_boot *ret;
	char name[32];
	int64_t host;
	int sysfs, dir;
	char transport[32], isid[32];
	struct sk_iname initiator;
	struct nic nic[SK_BOOT_DIRS];
	unsigned n_nics;
	bool denied, booted_nic, booted_tgt;
};

/* --- the list ------------------------------------------------------------------------------------------------ */

int sk_boot_add(struct sk_boot *b, const struct sk_boot_target *t, struct sk_err *err)
{
	struct sk_boot_target *v = calloc(b->n + 1, sizeof(*v)); /* not realloc: it would leave secrets behind */

	if (!v)
		return sk_fail(err, SK_ENOMEM, "no memory");
	if (b->n)
		memcpy(v, b->v, b->n * sizeof(*v));
	v[b->n] = *t;
	sk_wipe_free(b->v, b->n * sizeof(*v));
	b->v = v;
	b->n++;
	return 0;
}

void sk_boot_free(struct sk_boot *b)
{
	sk_wipe_free(b->v, b->n * sizeof(*b->v));
	*b = (struct sk_boot){ 0 };
}

/* --- attributes ---------------------------------------------------------------------------------------------- */

/* The kernel ends most values with a newline; more of the text may be anything. */
static void read_text(struct source *s, const char *dir, const char *attr, struct sk_boot_text *ret)
{
	char path[SK_ATTR_PATH];
	SK_FD int fd = -1;
	ssize_t n;

	ret->there = false;
	ret->s[0] = '\0';
	snprintf(path, sizeof(path), "%s/%s", dir, attr);
	fd = openat(s->dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	n = fd < 0 ? -1 : read(fd, ret->s, sizeof(ret->s));
	if (n < 0 && errno == EACCES)
		s->denied = true;
	if (n > 0 && ret->s[n - 1] == '\n')
		n--;
	if (n >= 0 && (size_t)n < sizeof(ret->s) && !memchr(ret->s, '\0', (size_t)n)) {
		ret->s[n] = '\0';
		ret->there = true;
	} else {
		explicit_bzero(ret->s, sizeof(ret->s));
	}
}

static void read_texts(struct source *s, const char *dir, const char *const *attrs, unsigned n,
		       struct sk_boot_text *ret)
{
	for (unsigned i = 0; i < n; i++)
		read_text(s, dir, attrs[i], &ret[i]);
}

/* The numbers of the directories with this prefix, in the directory's order. */
static unsigned numbered(int dir, const char *path, const char *prefix, unsigned max, uint64_t *ret)
{
	int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	unsigned n = 0;

	if (!d) {
		sk_fd_close(&fd);
		return 0;
	}
	while (n < max && (e = readdir(d)))
		n += sk_name_number(e->d_name, prefix, UINT32_MAX, &ret[n]);
	closedir(d);
	return n;
}

static void tell(const struct source *s, const char *dir, const struct sk_err *err)
{
	if (err->code == SK_ENOENT)
		sk_debug(SK_ROOM_SYS, "firmware: %s/%s is left out: %s", s->name, dir, err->msg);
	else
		sk_warning(SK_ROOM_SYS, "firmware: %s/%s is left out: %s", s->name, dir, err->msg);
}

/* --- cards --------------------------------------------------------------------------------------------------- */

static bool is_net(const char *name)
{
	return strncmp(name, "net:", 4) == 0 && name[4];
}

static bool take_netdev(const char *name, char ret[16])
{
	if (strlen(name) >= 16 || !sk_boot_plain(name))
		return false;
	snprintf(ret, 16, "%s", name);
	return true;
}

/* The network device of a card's PCI function. A card without a function has none that we could know of; a function
 * without one (its driver hides it, or makes it elsewhere) is found by its address. */
static int find_netdev(struct source *s, const char *dir, struct sk_boot_nic *nic, struct sk_err *err)
{
	SK_NAMES struct sk_names old = { 0 }, now = { 0 };
	char path[SK_ATTR_PATH];

	snprintf(path, sizeof(path), "%s/device", dir);
	if (s->host >= 0 || faccessat(s->dir, path, F_OK, 0) < 0)
		return 0;
	sk_attr_names(s->dir, path, is_net, &old);
	if (old.n && take_netdev(old.name[0] + 4, nic->netdev))
		return 0;
	snprintf(path, sizeof(path), "%s/device/net", dir);
	sk_attr_names(s->dir, path, NULL, &now);
	if (now.n && take_netdev(now.name[0], nic->netdev))
		return 0;
	if (s->cfg->netdev_of && s->cfg->netdev_of(s->cfg->ctx, nic->mac, nic->netdev))
		return 0;
	nic->netdev[0] = '\0';
	return sk_fail(err, SK_EINVAL, "no network device has the address %s", nic->mac);
}

static void read_nic(struct source *s, uint64_t number)
{
	struct sk_boot_text texts[SK_NIC_ATTRS];
	struct nic *nic = &s->nic[s->n_nics++];
	struct sk_err err = { 0 };
	char dir[40];
	uint64_t index;

	snprintf(dir, sizeof(dir), "ethernet%llu", (unsigned long long)number);
	read_texts(s, dir, sk_boot_nic_attrs, SK_NIC_ATTRS, texts);
	*nic = (struct nic){ .index = -1 };
	if (texts[SK_NIC_INDEX].there &&
	    sk_num_u64(texts[SK_NIC_INDEX].s, strlen(texts[SK_NIC_INDEX].s), 0, 255, &index))
		nic->index = (int64_t)index;
	if (sk_boot_nic_check(texts, &nic->nic, &err) < 0) {
		tell(s, dir, &err);
		return;
	}
	s->booted_nic |= nic->nic.selected;
	nic->good = find_netdev(s, dir, &nic->nic, &err) == 0;
	if (!nic->good)
		tell(s, dir, &err);
}

/* The card of this index; one that is good before one that is not. NULL: there is none of that index. */
static const struct nic *nic_of(const struct source *s, int64_t index)
{
	const struct nic *found = NULL;

	for (unsigned i = 0; i < s->n_nics; i++)
		if (s->nic[i].index == index && (!found || (s->nic[i].good && !found->good)))
			found = &s->nic[i];
	return found;
}

/* --- targets ------------------------------------------------------------------------------------------------- */

static int keep_target(struct source *s, const char *dir, struct sk_boot_target *t, int64_t assoc,
		       struct sk_err *err)
{
	const struct nic *nic = nic_of(s, assoc);
	struct sk_err why = { 0 };

	if (!nic) {
		if (s->cfg->no_nic)
			s->cfg->no_nic(s->cfg->ctx, assoc, s->n_nics);
		return 0;
	}
	if (!nic->good) {
		sk_fail(&why, SK_ENOENT, "its network card %lld is", (long long)assoc);
		tell(s, dir, &why);
		return 0;
	}
	memcpy(t->source, s->name, sizeof(t->source));
	memcpy(t->transport, s->transport, sizeof(t->transport));
	memcpy(t->isid, s->isid, sizeof(t->isid));
	t->host = s->host;
	t->initiator = s->initiator;
	t->nic = nic->nic;
	return sk_boot_add(s->ret, t, err);
}

static int read_target(struct source *s, uint64_t number, struct sk_err *err)
{
	struct sk_boot_text texts[SK_TGT_ATTRS];
	struct sk_boot_target t;
	struct sk_err why = { 0 };
	int64_t assoc;
	char dir[40];
	int rc = 0;

	snprintf(dir, sizeof(dir), "target%llu", (unsigned long long)number);
	read_texts(s, dir, sk_boot_tgt_attrs, SK_TGT_ATTRS, texts);
	if (sk_boot_tgt_check(texts, &t, &assoc, &why) == 0) {
		s->booted_tgt |= t.selected;
		rc = keep_target(s, dir, &t, assoc, err);
		explicit_bzero(&t, sizeof(t));
	} else {
		tell(s, dir, &why);
	}
	explicit_bzero(texts, sizeof(texts));
	return rc;
}

/* --- sources ------------------------------------------------------------------------------------------------- */

static void read_initiator(struct source *s)
{
	struct sk_boot_text text;
	struct sk_err err = { 0 };

	read_text(s, "initiator", "initiator-name", &text);
	if (text.there && text.s[0] && sk_boot_name(text.s, &s->initiator, &err) < 0)
		sk_warning(SK_ROOM_SYS, "firmware: %s/initiator has no usable name: %s", s->name, err.msg);
	read_text(s, "initiator", "isid", &text);
	if (text.there && sk_boot_plain(text.s) && strlen(text.s) < sizeof(s->isid))
		memcpy(s->isid, text.s, strlen(text.s) + 1);
}

/* Who carries the sessions of an adapter's table: its driver's transport. */
static void find_transport(struct source *s)
{
	char path[80], driver[sizeof(s->transport)];

	memcpy(s->transport, "tcp", sizeof("tcp"));
	if (s->host < 0)
		return;
	snprintf(path, sizeof(path), "class/scsi_host/host%lld/proc_name", (long long)s->host);
	if (!sk_attr_read(s->sysfs, path, driver, sizeof(driver)))
		sk_warning(SK_ROOM_SYS,
			   "firmware: %s: SCSI host %lld has no driver we know; it is treated as an ordinary card",
			   s->name, (long long)s->host);
	else
		snprintf(s->transport, sizeof(s->transport), "%s",
			 strncmp(driver, "iscsi_", 6) == 0 ? driver + 6 : driver);
}

static int read_source(struct source *s, struct sk_err *err)
{
	uint64_t numbers[SK_BOOT_DIRS];
	unsigned n;
	int rc = 0;

	if (faccessat(s->dir, "initiator", F_OK, 0) < 0)
		return 0; /* tables of something else */
	read_initiator(s);
	find_transport(s);
	n = numbered(s->dir, ".", "ethernet", SK_BOOT_DIRS, numbers);
	for (unsigned i = 0; i < n; i++)
		read_nic(s, numbers[i]);
	n = numbered(s->dir, ".", "target", SK_BOOT_DIRS, numbers);
	for (unsigned i = 0; i < n && rc == 0; i++)
		rc = read_target(s, numbers[i], err);
	s->ret->booted |= s->booted_nic && s->booted_tgt;
	return rc;
}

/* One source after another; @denied collects whether anything could not be read. */
static int open_source(const struct sk_boot_cfg *cfg, int sysfs, int64_t host, struct sk_boot *ret, bool *denied,
		       struct sk_err *err)
{
	SK_MEM struct source *s = calloc(1, sizeof(*s));
	char path[64];
	int rc = 0;

	if (!s)
		return sk_fail(err, SK_ENOMEM, "no memory");
	s->cfg = cfg;
	s->ret = ret;
	s->host = host;
	s->sysfs = sysfs;
	if (host < 0)
		snprintf(s->name, sizeof(s->name), "ibft");
	else
		snprintf(s->name, sizeof(s->name), "iscsi_boot%lld", (long long)host);
	snprintf(path, sizeof(path), "firmware/%s", s->name);
	s->dir = openat(sysfs, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir >= 0)
		rc = read_source(s, err);
	else if (errno == EACCES)
		s->denied = true;
	*denied |= s->denied;
	sk_fd_close(&s->dir);
	return rc;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int read_tables(const struct sk_boot_cfg *cfg, int sysfs, struct sk_boot *ret, struct sk_err *err)
{
	uint64_t hosts[HOSTS];
	unsigned n = numbered(sysfs, "firmware", "iscsi_boot", HOSTS, hosts);
	bool denied = false;
	int rc = open_source(cfg, sysfs, -1, ret, &denied, err);

	qsort(hosts, n, sizeof(*hosts), by_number);
	for (unsigned i = 0; i < n && rc == 0; i++)
		rc = open_source(cfg, sysfs, (int64_t)hosts[i], ret, &denied, err);
	if (rc == 0 && denied && !ret->n)
		rc = sk_fail(err, SK_EACCES, "the firmware's tables cannot be read: that takes CAP_SYS_ADMIN");
	return rc;
}

int sk_boot_read(const struct sk_boot_cfg *cfg, struct sk_boot *ret, struct sk_err *err)
{
	SK_FD int sysfs = open(cfg->places->sysfs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct sk_boot b = { 0 };
	int rc = 0;

	*ret = b;
	if (sysfs < 0)
		return 0;
	rc = sk_boot_read_of(cfg, sysfs, &b, err);
	if (rc == 0 && !b.n)
		rc = read_tables(cfg, sysfs, &b, err);
	if (rc == 0)
		*ret = b;
	else
		sk_boot_free(&b);
	return rc;
}
