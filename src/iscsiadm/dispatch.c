/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "iscsiadm/adm.h"

int sk_adm_dispatch(struct sk_adm *adm, const struct sk_adm_rule *rules)
{
	while (rules->when && !rules->when(adm))
		rules++;
	return rules->run(adm);
}
