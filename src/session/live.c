/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/mem.h"
#include "record/schema.h"
#include "session/inner.h"

/** Times that change while a session runs: the data path takes its own (pings, replacement_timeout, task
 * management), the machine those of logins and logouts. The record in force is another one afterwards. */

static int set_all(struct sk_record *r, const struct sk_change *changes, unsigned n, struct sk_err *err)
{
	for (unsigned i = 0; i < n; i++) {
		const struct sk_schema_row *row = sk_schema_find(SK_REC_NODE, sk_span_str(changes[i].key), NULL);

		if (!row)
			return sk_fail(err, SK_EINVAL, "%.100s is not a key of node records", changes[i].key);
		if (!(row->flags & SK_ROW_LIVE))
			return sk_fail(err, SK_EINVAL,
				       "%s holds from the next login on: a running session cannot take it over",
				       row->key);
		if (sk_record_set(r, row->key, changes[i].value, err) < 0)
			return -1;
	}
	return 0;
}

static void tell_machine(struct sk_session *s)
{
	struct sk_node_timers t;

	sk_node_timers_of(s->node, &t);
	s->m.cfg.login_timeout_ms = t.login_ms;
	s->m.cfg.logout_timeout_ms = t.logout_ms;
	s->m.cfg.reopen_max = t.reopen_max;
}

int sk_sessions_timers(struct sk_sessions *all, uint32_t sid, const struct sk_change *changes, unsigned n,
		       sk_timers_fn *done, void *ctx, struct sk_err *err)
{
	struct sk_session *s = sk_sessions_by_sid(all, sid);
	struct sk_record *r;

	if (!s)
		return sk_fail(err, SK_ENOENT, "session %u is not known", sid);
	if (!s->t->ops->timers)
		return sk_fail(err, SK_ENOTSUP, "this transport cannot change times of a running session");
	r = sk_record_copy(s->node, err);
	if (!r || set_all(r, changes, n, err) < 0 || s->t->ops->timers(s->x, r, done, ctx, err) < 0) {
		sk_record_free(r);
		return -1;
	}
	sk_record_free(s->node);
	s->node = r;
	tell_machine(s);
	return 0;
}
