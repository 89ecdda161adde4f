/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "iscsiadm/disc_run.h"
#include "iscsiadm/say.h"

int sk_disc_run(struct sk_adm *adm, const struct sk_disc_ref *ref, const struct sk_record *record)
{
	(void)ref;
	(void)record;
	sk_warn(adm, "discovery is not supported yet by this version.");
	return SK_RES_OP_NOT_SUPP;
}
