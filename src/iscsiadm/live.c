/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>

#include "base/mem.h"
#include "iscsiadm/daemon.h"
#include "iscsiadm/live.h"
#include "record/schema.h"

#define ANSWER_MS 30000

int sk_live_check(struct sk_adm *adm)
{
	for (unsigned i = 0; adm->args.live && i < adm->args.n_pairs; i++) {
		const char *key = adm->args.pairs[i].name;
		const struct sk_schema_row *row = sk_schema_find(SK_REC_NODE, sk_span_str(key), NULL);

		if (!row || row->flags & SK_ROW_LIVE)
			continue; /* unknown ones are refused with the incumbent's words */
		sk_warn(adm, "%s holds from the next login on: --live cannot be used with it", row->key);
		sk_doc_error(adm, SK_RES_INVAL, NULL, NULL);
		return SK_RES_INVAL;
	}
	return 0;
}

static struct json_object *params_of(const struct sk_adm *adm, uint32_t sid)
{
	struct json_object *o = json_object_new_object(), *values = json_object_new_object();

	for (unsigned i = 0; i < adm->args.n_pairs; i++)
		sk_jput_str(values, adm->args.pairs[i].name, adm->args.pairs[i].value);
	sk_jput_int(o, "sid", sid);
	json_object_object_add(o, "values", values);
	return o;
}

static int change_one(struct sk_adm *adm, const struct sk_sys_session *s)
{
	struct sk_about about = sk_about_session(s);
	struct sk_mgmt_answer a = { 0 };
	struct sk_err err = { 0 };
	int code = sk_daemon_reach(adm, SK_DAEMON_START);

	if (!code)
		code = sk_daemon_call(adm, "session.timers", params_of(adm, s->sid), ANSWER_MS, &a, &err);
	if (code)
		sk_warn(adm, "session %u goes on with its times: %s", s->sid,
			err.msg[0] ? err.msg : "iscsid is not there");
	sk_doc_result(adm, &about, code, NULL, NULL, &err);
	sk_mgmt_answer_free(&a);
	return code;
}

int sk_live_apply(struct sk_adm *adm, const struct sk_sel *sel)
{
	struct sk_sessions all;
	int code = sk_sessions_find(adm, sel, SK_SYS_FLAT, &all);

	for (size_t i = 0; i < all.n; i++)
		code = sk_adm_first(code, change_one(adm, &all.v[i]));
	sk_sessions_free(&all);
	return code;
}
