/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "iscsiadm/disc_iface.h"
#include "iscsiadm/say.h"
#include "iscsiadm/values.h"
#include "sys/kernel.h"

static bool keep(struct sk_disc_ifaces *f, struct sk_record *taken)
{
	struct sk_record **v = taken ? reallocarray(f->v, f->n + 1, sizeof(*v)) : NULL;

	if (!v) {
		sk_record_free(taken);
		return false;
	}
	f->v = v;
	f->v[f->n++] = taken;
	return true;
}

/** tcp always has a data path, ours if not the kernel's; other transports are drivers */
static bool usable(struct sk_adm *adm, const struct sk_record *iface)
{
	const char *transport = sk_record_get(iface, "iface.transport_name");

	return strcmp(transport, "tcp") == 0 || strcmp(transport, "user") == 0 ||
	       sk_sys_has_transport(&adm->places, transport);
}

static void add_named(struct sk_adm *adm, const char *name, struct sk_disc_ifaces *ret)
{
	struct sk_record *r = sk_store_iface_get(adm->store, name, NULL);

	if (!r) {
		sk_warn(adm,
			"Could not read iface info for %s. Make sure an iface config with the file name and "
			"iface.iscsi_ifacename %s is in %s/ifaces.",
			sk_adm_printable(name).s, sk_adm_printable(name).s, adm->places.dbroot);
		return;
	}
	if (usable(adm, r)) {
		keep(ret, r);
		return;
	}
	sk_warn(adm, "Could not load transport %s.Dropping interface %s.", sk_record_get(r, "iface.transport_name"),
		name);
	sk_record_free(r);
}

static bool add_file(void *ctx, const struct sk_record *r)
{
	if (strcmp(sk_record_get(r, "iface.transport_name"), "tcp") == 0 &&
	    strcmp(sk_record_get(r, "iface.iscsi_ifacename"), "default") != 0)
		return keep(ctx, sk_record_copy(r, NULL));
	return true;
}

bool sk_disc_has_iface(struct sk_adm *adm)
{
	bool found = !adm->args.n_ifaces;

	for (unsigned i = 0; !found && i < adm->args.n_ifaces; i++) {
		struct sk_record *r = sk_store_iface_get(adm->store, adm->args.ifaces[i], NULL);

		found = r && usable(adm, r);
		sk_record_free(r);
	}
	return found;
}

int sk_disc_ifaces_find(struct sk_adm *adm, struct sk_disc_ifaces *ret)
{
	*ret = (struct sk_disc_ifaces){ 0 };
	for (unsigned i = 0; i < adm->args.n_ifaces; i++)
		add_named(adm, adm->args.ifaces[i], ret);
	if (!adm->args.n_ifaces)
		sk_store_ifaces(adm->store, false, add_file, ret, sk_skip_told, adm, NULL);
	ret->chosen = adm->args.n_ifaces || ret->n;
	if (!ret->chosen)
		add_named(adm, "default", ret);
	return ret->n ? 0 : SK_RES_NO_OBJS_FOUND;
}

void sk_disc_ifaces_free(struct sk_disc_ifaces *f)
{
	for (unsigned i = 0; i < f->n; i++)
		sk_record_free(f->v[i]);
	free(f->v);
	*f = (struct sk_disc_ifaces){ 0 };
}
