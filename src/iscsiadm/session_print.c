/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "iscsiadm/daemon.h"
#include "iscsiadm/session_show.h"
#include "mgmt/message.h"

#define STATES_MS 5000 /* for the daemon to list its sessions */

/* --- what the daemon knows --------------------------------------------------------------------------- */

static void take_state(struct sk_states *states, const struct sk_sessions *s, struct json_object *one)
{
	int64_t sid = sk_msg_int(one, "sid", 0);
	const char *connection = sk_msg_str(one, "connection_state");
	const char *internal = sk_msg_str(one, "internal_state");

	for (size_t i = 0; i < s->n; i++) {
		if (s->v[i].sid != sid)
			continue;
		if (connection)
			snprintf(states[i].connection, sizeof(states[i].connection), "%s", connection);
		if (internal)
			snprintf(states[i].internal, sizeof(states[i].internal), "%s", internal);
	}
}

struct sk_states *sk_states_ask(struct sk_adm *adm, const struct sk_sessions *s)
{
	struct sk_states *states = calloc(s->n ? s->n : 1, sizeof(*states));
	struct sk_mgmt_answer a = { 0 };
	struct sk_err err = { 0 };
	struct json_object *list;

	for (size_t i = 0; states && i < s->n; i++)
		states[i] = (struct sk_states){ "Unknown", "Unknown" };
	if (!states || sk_daemon_reach(adm, SK_DAEMON_START) ||
	    sk_daemon_call(adm, "session.list", NULL, STATES_MS, &a, &err)) {
		sk_mgmt_answer_free(&a);
		return states;
	}
	list = sk_msg_arr(a.result, "sessions");
	for (size_t i = 0; list && i < json_object_array_length(list); i++)
		take_state(states, s, json_object_array_get_idx(list, i));
	sk_mgmt_answer_free(&a);
	return states;
}

/* --- JSON -------------------------------------------------------------------------------------------- */

static bool json_lun(void *ctx, const struct sk_sys_lun *l)
{
	struct json_object *o = json_object_new_object();

	sk_jput_int(o, "lun", (int64_t)l->lun);
	sk_jput_int(o, "channel", l->channel);
	sk_jput_int(o, "id", l->target);
	sk_jput_str(o, "state", l->state);
	sk_jput_str(o, "disk", l->disk[0] ? l->disk : NULL);
	sk_jput_str(o, "path", l->path[0] ? l->path : NULL);
	sk_jput_known(o, "blocks", l->blocks ? (int64_t)l->blocks : -1);
	sk_jput_known(o, "block_size", l->block_size ? (int64_t)l->block_size : -1);
	json_object_array_add(ctx, o);
	return true;
}

static struct json_object *json_portal(const char *addr, int port)
{
	struct json_object *o = json_object_new_object();

	sk_jput_str(o, "address", addr);
	sk_jput_int(o, "port", port);
	return o;
}

static struct json_object *json_params(const struct sk_sys_session *s)
{
	struct json_object *o = json_object_new_object();

	sk_jput_str(o, "HeaderDigest", s->header_digest == -1 ? NULL : s->header_digest ? "CRC32C" : "None");
	sk_jput_str(o, "DataDigest", s->data_digest == -1 ? NULL : s->data_digest ? "CRC32C" : "None");
	sk_jput_known(o, "MaxRecvDataSegmentLength", s->max_recv_dlength);
	sk_jput_known(o, "MaxXmitDataSegmentLength", s->max_xmit_dlength);
	sk_jput_known(o, "FirstBurstLength", s->first_burst_len);
	sk_jput_known(o, "MaxBurstLength", s->max_burst_len);
	sk_jput_known(o, "ImmediateData", s->immediate_data);
	sk_jput_known(o, "InitialR2T", s->initial_r2t);
	sk_jput_known(o, "MaxOutstandingR2T", s->max_outstanding_r2t);
	return o;
}

static struct json_object *json_timeouts(const struct sk_sys_session *s)
{
	struct json_object *o = json_object_new_object();

	sk_jput_known(o, "recovery", s->recovery_tmo);
	sk_jput_known(o, "target_reset", s->tgt_reset_tmo);
	sk_jput_known(o, "lun_reset", s->lu_reset_tmo);
	sk_jput_known(o, "abort", s->abort_tmo);
	return o;
}

static struct json_object *json_chap(const struct sk_sys_session *s, bool secrets)
{
	struct json_object *o = json_object_new_object();

	sk_jput_str(o, "username", s->username);
	sk_jput_str(o, "username_in", s->username_in);
	if (!secrets)
		return o;
	sk_jput_str(o, "password", s->password);
	sk_jput_str(o, "password_in", s->password_in);
	return o;
}

struct json_object *sk_session_json(struct sk_adm *adm, const struct sk_sys_session *s,
				    const struct sk_states *states)
{
	struct json_object *o = json_object_new_object();
	struct json_object *luns;

	sk_jput_int(o, "sid", s->sid);
	sk_jput_str(o, "target", s->target);
	sk_jput_known(o, "tpgt", s->tpgt);
	sk_jput_str(o, "transport", s->transport);
	sk_jput_str(o, "path", s->user ? "user" : "kernel");
	sk_jput_bool(o, "flash", s->flash);
	sk_jput_str(o, "iface", s->iface);
	json_object_object_add(o, "persistent_portal", json_portal(s->persistent_addr, s->persistent_port));
	if (!states)
		return o;
	json_object_object_add(o, "current_portal", json_portal(s->addr, s->port));
	sk_jput_str(o, "initiator", s->initiator);
	sk_jput_str(o, "local_address", s->local_addr);
	sk_jput_str(o, "hwaddress", s->hwaddress);
	sk_jput_str(o, "netdev", s->netdev);
	sk_jput_int(o, "host", s->host);
	sk_jput_str(o, "connection_state", states->connection);
	sk_jput_str(o, "session_state", s->state);
	sk_jput_str(o, "internal_state", states->internal);
	json_object_object_add(o, "timeouts", json_timeouts(s));
	json_object_object_add(o, "chap", json_chap(s, adm->args.show_secrets));
	json_object_object_add(o, "negotiated", json_params(s));
	luns = json_object_new_array();
	sk_sys_luns(&adm->places, s, SK_SYS_FULL, json_lun, luns);
	json_object_object_add(o, "luns", luns);
	return o;
}

/* --- session mode's levels --------------------------------------------------------------------------- */

static const unsigned level_parts[] = {
	[1] = 0,
	[2] = SK_SHOW_TIMEOUTS | SK_SHOW_CHAP | SK_SHOW_PARAMS,
	[3] = SK_SHOW_TIMEOUTS | SK_SHOW_CHAP | SK_SHOW_PARAMS | SK_SHOW_LUNS | SK_SHOW_HOST_LINE,
};

static void print_flat(struct sk_adm *adm, const struct sk_sessions *s)
{
	SK_BUF struct sk_buf out = { 0 };

	for (size_t i = 0; i < s->n; i++) {
		if (adm->doc)
			sk_doc_add(adm, "sessions", sk_session_json(adm, &s->v[i], NULL));
		sk_session_flat_line(&out, &s->v[i]);
	}
	sk_say_buf(adm, &out);
}

static void print_tree(struct sk_adm *adm, const struct sk_sessions *s, const struct sk_states *states,
		       unsigned parts)
{
	for (size_t i = 0; i < s->n; i++) {
		struct sk_buf out = { 0 };

		if (adm->doc)
			sk_doc_add(adm, "sessions", sk_session_json(adm, &s->v[i], &states[i]));
		sk_session_tree(&out, &s->v[i], i ? &s->v[i - 1] : NULL, &states[i], parts, "");
		if (parts & SK_SHOW_LUNS)
			sk_session_luns(adm, &out, &s->v[i], parts, "");
		sk_say_buf(adm, &out);
		sk_buf_wipe(&out);
	}
}

int sk_session_print(struct sk_adm *adm, const struct sk_sessions *s, int level)
{
	struct sk_states *states;

	sk_doc_action(adm, "list");
	sk_doc_list(adm, "sessions");
	if (level > 3) {
		sk_warn(adm, "Invalid info level %d. Try 0 - 3.", level);
		return SK_RES_INVAL;
	}
	if (level < 1) {
		print_flat(adm, s);
		return 0;
	}
	states = sk_states_ask(adm, s);
	if (!states)
		return SK_RES_NOMEM;
	if (level == 3)
		sk_versions(adm);
	print_tree(adm, s, states, level_parts[level] | (adm->args.show_secrets ? SK_SHOW_SECRETS : 0));
	free(states);
	return 0;
}
