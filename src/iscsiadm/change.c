/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "iscsiadm/change.h"

#include <stdlib.h>

#include "iscsiadm/node_make.h"
#include "iscsiadm/say.h"

static int run_staged(struct sk_adm *adm, int (*run)(struct sk_adm *, const void *), const void *what)
{
	struct sk_err err = { 0 };
	int code;

	if (sk_store_begin(adm->store, &err) < 0)
		return sk_store_code(adm, &err, NULL);
	code = run(adm, what);
	if (code == SK_RES_IDBM)
		sk_store_abandon(adm->store);
	else if (sk_store_commit(adm->store, &err) < 0)
		code = sk_store_code(adm, &err, NULL);
	if (code == SK_RES_IDBM && adm->doc && json_object_object_get_ex(adm->doc, "results", NULL))
		json_object_object_add(adm->doc, "results", json_object_new_array());	/* nothing came of them */
	return code;
}

int sk_adm_change(struct sk_adm *adm, int (*run)(struct sk_adm *adm, const void *what), const void *what)
{
	struct sk_err err = { 0 };
	FILE *out = adm->out;
	char *said = NULL;
	size_t n = 0;
	int code;

	if (sk_store_lock(adm->store, SK_ADM_LOCK_MS, &err) < 0)
		return sk_store_code(adm, &err, NULL);
	adm->out = open_memstream(&said, &n);
	code = adm->out ? run_staged(adm, run, what) : SK_RES_NOMEM;
	if (adm->out)
		fclose(adm->out);
	adm->out = out;
	sk_store_unlock(adm->store);
	if (said && code != SK_RES_IDBM)
		fwrite(said, 1, n, out);
	free(said);
	return code;
}
