/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "datapath/reactor.h"
#include "iscsid/daemon.h"
#include "record/store.h"

static bool word_is(const char *file, const char *key, const char *word, bool dflt)
{
	SK_MEM char *v = sk_conf_get(file, key, NULL);

	return v ? !strcmp(v, word) : dflt;
}

static uint32_t number(const char *file, const char *key, uint32_t max, uint32_t dflt)
{
	SK_MEM char *v = sk_conf_get(file, key, NULL);
	uint64_t n;

	if (!v)
		return dflt;
	if (sk_num_u64(v, strlen(v), 0, max, &n))
		return (uint32_t)n;
	sk_warning(SK_ROOM_DOOR, "%s: %s = %s is not a number from 0 to %u: %u is used", file, key, v, max, dflt);
	return dflt;
}

void sk_daemon_conf(struct sk_daemon *d)
{
	SK_MEM char *alias = NULL;
	struct sk_iname name;
	struct sk_err err = { 0 };

	if (access(d->places.conf_file, R_OK) < 0)
		sk_warning(SK_ROOM_DOOR, "can't open configuration file %s: defaults are used", d->places.conf_file);
	d->safe_logout = word_is(d->places.conf_file, "iscsid.safe_logout", "Yes", false);
	d->busy_poll_us = number(d->places.conf_file, "iscsid.user.busy_poll", SK_REACTOR_BUSY_MAX, 0);
	d->fallback = word_is(d->places.conf_file, "iscsid.transport.fallback", "user", true);
	d->any_group = word_is(d->places.conf_file, "iscsid.relogin.portal_group", "any", false);
	alias = sk_conf_get(d->places.name_file, "InitiatorAlias", NULL);
	if (alias)
		snprintf(d->alias, sizeof(d->alias), "%s", alias);
	else if (gethostname(d->alias, sizeof(d->alias)) < 0)
		d->alias[0] = '\0';
	d->alias[sizeof(d->alias) - 1] = '\0';
	if (sk_initiator_name(d->places.name_file, &name, &err) < 0)
		sk_warning(SK_ROOM_DOOR, "InitiatorName is not known: %s. Sessions need one: put a line \"InitiatorName=iqn…\" into %s "
			   "(iscsi-iname makes such a name)", err.msg, d->places.name_file);
}

/* Read again each time: the file may have been written since we started. */
int sk_daemon_initiator(const struct sk_daemon *d, struct sk_iname *ret, struct sk_err *err)
{
	return sk_initiator_name(d->places.name_file, ret, err);
}
