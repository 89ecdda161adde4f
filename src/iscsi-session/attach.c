/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <stddef.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "iscsi-session/keeper_inner.h"
#include "mgmt/message.h"
#include "proto/iname.h"
#include "proto/portal.h"
#include "record/places.h"
#include "record/record.h"
#include "transport/user/dirs.h"
#include "transport/user/form.h"

/* Texts of attach that go into the state tree. */
static const struct text_row {
	const char *key;
	uint16_t off, size;
	bool reattach;		/* also told by reattach */
} texts[] = {
#define ROW(k, f, r) { k, offsetof(struct sk_sys_session, f), sizeof(((struct sk_sys_session *)0)->f), r }
	ROW("target", target, false),
	ROW("initiator", initiator, false),
	ROW("iface", iface, false),
	ROW("transport", transport, false),
	ROW("netdev", netdev, false),
	ROW("hwaddress", hwaddress, false),
	ROW("persistent_address", persistent_addr, false),
	ROW("address", addr, true),
	ROW("local_address", local_addr, true),
#undef ROW
};

/* Texts end up in files and names of links: one line, printable. */
static int get_text(struct json_object *o, const char *key, char *ret, size_t n, struct sk_err *err)
{
	const char *s = sk_msg_str(o, key);
	size_t len = s ? strlen(s) : 0;

	if (len >= n)
		return sk_fail(err, SK_EINVAL, "%s is too long", key);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return sk_fail(err, SK_EINVAL, "%s holds a control character", key);
	memcpy(ret, s ? s : "", len + 1);
	return 0;
}

static int get_int(struct json_object *o, const char *key, int64_t min, int64_t max, int64_t dflt, int64_t *ret,
		   struct sk_err *err)
{
	int64_t v = sk_msg_int(o, key, dflt);

	if (v < min || v > max)
		return sk_fail(err, SK_EINVAL, "%s=%" PRId64 " is outside %" PRId64 "..%" PRId64, key, v, min, max);
	*ret = v;
	return 0;
}

static int get_texts(struct json_object *o, bool reattach, struct sk_sys_session *pub, struct sk_err *err)
{
	for (size_t i = 0; i < SK_ARRAY_LEN(texts); i++)
		if ((!reattach || texts[i].reattach) &&
		    get_text(o, texts[i].key, (char *)pub + texts[i].off, texts[i].size, err) < 0)
			return -1;
	return 0;
}

static uint32_t err_timeout(int64_t s)
{
	return s > 0 ? (uint32_t)SK_MIN(s, (int64_t)3600) : 0;
}

int sk_timers_read(struct json_object *o, struct sk_b_timers *t, struct sk_sys_session *pub, struct sk_err *err)
{
	struct sk_b_timers new = *t;
	int64_t replacement = 0, interval = 0, timeout = 0;

	if (get_int(o, "replacement", -1, INT32_MAX, new.replacement_s, &replacement, err) < 0 ||
	    get_int(o, "noop_interval", 0, INT32_MAX, new.noop_interval_s, &interval, err) < 0 ||
	    get_int(o, "noop_timeout", 0, INT32_MAX, new.noop_timeout_s, &timeout, err) < 0)
		return -1;
	t->replacement_s = (int32_t)replacement;
	t->noop_interval_s = (uint32_t)interval;
	t->noop_timeout_s = (uint32_t)timeout;
	pub->recovery_tmo = replacement;
	pub->abort_tmo = sk_msg_int(o, "abort", pub->abort_tmo);
	pub->lu_reset_tmo = sk_msg_int(o, "lu_reset", pub->lu_reset_tmo);
	pub->tgt_reset_tmo = sk_msg_int(o, "tgt_reset", pub->tgt_reset_tmo);
	t->abort_s = err_timeout(pub->abort_tmo);
	t->lu_reset_s = err_timeout(pub->lu_reset_tmo);
	t->tgt_reset_s = err_timeout(pub->tgt_reset_tmo);
	return 0;
}

static int get_params(struct json_object *o, struct sk_params *ret, struct sk_sys_session *pub, struct sk_err *err)
{
	struct json_object *params = sk_msg_obj(o, "params");

	if (!params)
		return sk_fail(err, SK_EINVAL, "params is missing");
	if (sk_params_from_json(params, ret, err) < 0)
		return sk_in(err, "params");
	for (char *p = ret->target_alias; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	/* no stale bytes behind the text: it crosses the boundary whole */
	memset(ret->target_alias + strlen(ret->target_alias), 0, sizeof(ret->target_alias) - strlen(ret->target_alias));
	pub->header_digest = ret->header_digest;
	pub->data_digest = ret->data_digest;
	pub->max_recv_dlength = ret->max_recv_dsl;
	pub->max_xmit_dlength = ret->max_xmit_dsl;
	pub->first_burst_len = ret->first_burst;
	pub->max_burst_len = ret->max_burst;
	pub->immediate_data = ret->immediate_data;
	pub->initial_r2t = ret->initial_r2t;
	pub->max_outstanding_r2t = ret->max_outstanding_r2t;
	return 0;
}

static int get_port(struct json_object *o, const char *key, int32_t *ret, struct sk_err *err)
{
	int64_t v = 0;

	if (get_int(o, key, 1, 65535, SK_PORTAL_PORT, &v, err) < 0)
		return -1;
	*ret = (int32_t)v;
	return 0;
}

static int check_names(struct sk_sys_session *pub, struct sk_err *err)
{
	struct sk_iname name;

	if (sk_iname_parse(sk_span_str(pub->target), &name, err) < 0)
		return sk_in(err, "target");
	if (!sk_portal_host_ok(sk_span_str(pub->persistent_addr)) || !sk_portal_host_ok(sk_span_str(pub->addr)))
		return sk_fail(err, SK_EINVAL, "an address is not one");
	return 0;
}

/* How long a task management function may take; what is not told or not sensible is left to the engine. */
int sk_attach_read(struct json_object *o, struct sk_b_start *ret, struct sk_sys_session *ret_pub, struct sk_err *err)
{
	struct sk_sys_session pub = { .user = true, .abort_tmo = -1, .lu_reset_tmo = -1, .tgt_reset_tmo = -1 };
	struct sk_b_start st;
	int64_t cmds = 0, depth = 0, tpgt = 0;

	memset(&st, 0, sizeof(st));
	st.timers = (struct sk_b_timers){ .replacement_s = 120, .noop_interval_s = 5, .noop_timeout_s = 5 };
	if (get_texts(o, false, &pub, err) < 0 || check_names(&pub, err) < 0 ||
	    get_port(o, "port", &pub.port, err) < 0 || get_port(o, "persistent_port", &pub.persistent_port, err) < 0 ||
	    get_int(o, "tpgt", -1, 65535, -1, &tpgt, err) < 0 || get_int(o, "cmds_max", 1, 4096, 128, &cmds, err) < 0 ||
	    get_int(o, "queue_depth", 1, 4096, 32, &depth, err) < 0 || get_params(o, &st.params, &pub, err) < 0 ||
	    sk_timers_read(sk_msg_obj(o, "timers"), &st.timers, &pub, err) < 0)
		return -1;
	pub.tpgt = (int32_t)tpgt;
	st.cmds_max = (uint32_t)(cmds > 4000 ? 4000 : cmds);
	st.queue_depth = (uint32_t)depth;
	st.scan = sk_msg_bool(o, "scan", true);
	st.fast_abort = sk_msg_bool(o, "fast_abort", true);
	st.read_only = sk_msg_bool(o, "read_only", false);
	snprintf(pub.state, sizeof(pub.state), "LOGGED_IN");
	*ret = st;
	*ret_pub = pub;
	return 0;
}

int sk_reattach_read(struct json_object *o, struct sk_params *ret, struct sk_sys_session *pub, struct sk_err *err)
{
	struct sk_sys_session next = *pub;
	struct sk_params params;

	if (get_texts(o, true, &next, err) < 0 || get_port(o, "port", &next.port, err) < 0 ||
	    get_params(o, &params, &next, err) < 0)
		return -1;
	if (!sk_portal_host_ok(sk_span_str(next.addr)))
		return sk_fail(err, SK_EINVAL, "the address is not one");
	*ret = params;
	*pub = next;
	return 0;
}

void sk_attach_secrets(const struct sk_keeper *k, struct sk_sys_session *pub)
{
	static const struct text_row rows[] = {
#define ROW(k, f) { k, offsetof(struct sk_sys_session, f), sizeof(((struct sk_sys_session *)0)->f), false }
		ROW("node.session.auth.username", username),
		ROW("node.session.auth.password", password),
		ROW("node.session.auth.username_in", username_in),
		ROW("node.session.auth.password_in", password_in),
#undef ROW
	};
	struct sk_places places = { 0 };
	struct sk_record *r;
	const char *v;

	snprintf(places.rundir, sizeof(places.rundir), "%s", k->cfg.rundir);
	r = sk_udir_record(&places, k->cfg.sid, NULL);
	for (size_t i = 0; r && i < SK_ARRAY_LEN(rows); i++) {
		v = sk_record_get(r, rows[i].key);
		if (v && strlen(v) < rows[i].size)
			memcpy((char *)pub + rows[i].off, v, strlen(v) + 1);
	}
	sk_record_free(r);
}
