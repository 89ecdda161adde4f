/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "iscsiadm/explain.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"
#include "iscsiadm/daemon.h"
#include "iscsiadm/session_show.h"
#include "iscsiadm/values.h"
#include "mgmt/message.h"
#include "record/node.h"
#include "record/schema.h"

#define ANSWER_MS 5000

/** One session and everything that is known of it. */
struct story {
	struct sk_adm *adm;
	const struct sk_sys_session *s;
	struct json_object *e; /* what iscsid says; NULL when it does not */
	struct sk_adm_facts facts;
	struct sk_buf advice; /* one a line */
};

/* --- facts ------------------------------------------------------------------------------------------- */

static bool number(const char *text, int64_t *ret)
{
	return text && sk_num_i64(text, strlen(text), INT64_MIN, INT64_MAX, ret);
}

/** what the kernel or the session process says itself; -1: nothing */
static int64_t published(const struct sk_sys_session *s, const char *key)
{
	static const struct {
		const char *end;
		size_t at;
	} rows[] = {
		{ ".replacement_timeout", offsetof(struct sk_sys_session, recovery_tmo) },
		{ ".abort_timeout", offsetof(struct sk_sys_session, abort_tmo) },
		{ ".lu_reset_timeout", offsetof(struct sk_sys_session, lu_reset_tmo) },
		{ ".tgt_reset_timeout", offsetof(struct sk_sys_session, tgt_reset_tmo) },
	};
	const char *end = strrchr(key, '.');
	int64_t v = -1;

	for (size_t i = 0; i < SK_ARRAY_LEN(rows); i++)
		if (!strcmp(end, rows[i].end))
			memcpy(&v, (const char *)s + rows[i].at, sizeof(v));
	return v;
}

static void take_timers(struct story *t, const struct sk_record *record)
{
	struct json_object *in_force = sk_msg_obj(t->e, "timers");

	for (unsigned i = 0; i < SK_ADM_TIMERS && sk_node_timer_keys[i]; i++) {
		struct sk_adm_timer *to = &t->facts.timers[i];
		const struct sk_schema_row *row =
			sk_schema_find(SK_REC_NODE, sk_span_str(sk_node_timer_keys[i]), NULL);
		int64_t v = published(t->s, sk_node_timer_keys[i]);

		to->key = sk_node_timer_keys[i];
		to->live = row && (row->flags & SK_ROW_LIVE);
		to->record.known = record && number(sk_record_get(record, to->key), &to->record.v);
		to->running.known = number(sk_msg_str(in_force, to->key), &to->running.v);
		if (v == -1)
			continue;
		to->running.known = true;
		to->running.v = v;
	}
}

static bool is_multipath(const char *sysfs, const char *holder)
{
	char path[600], uuid[16] = "";
	SK_FD int fd = -1;

	snprintf(path, sizeof(path), "%s/block/%s/dm/uuid", sysfs, holder);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && read(fd, uuid, sizeof(uuid) - 1) > 0 && !strncmp(uuid, "mpath-", 6);
}

static bool take_disk(void *ctx, const struct sk_sys_lun *l)
{
	struct story *t = ctx;
	char path[400];
	struct dirent *d;
	DIR *dir;

	if (!l->disk[0])
		return true;
	t->facts.disks++;
	snprintf(path, sizeof(path), "%s/block/%s/holders", t->adm->places.sysfs, l->disk);
	dir = opendir(path);
	while (dir && (d = readdir(dir)))
		t->facts.multipath |= is_multipath(t->adm->places.sysfs, d->d_name);
	if (dir)
		closedir(dir);
	return true;
}

static struct sk_record *stored(struct sk_adm *adm, const struct sk_sys_session *s)
{
	struct sk_sel sel = { .target = s->target,
			      .host = s->persistent_addr,
			      .port = s->persistent_port,
			      .iface = s->iface[0] ? s->iface : NULL };
	struct sk_record *r = NULL;
	struct sk_nodes nodes;

	if (!adm->store || sk_nodes_find(adm, &sel, false, &nodes))
		return NULL;
	if (nodes.n)
		r = sk_give(nodes.v[0].record);
	sk_nodes_free(&nodes);
	return r;
}

static void gather(struct story *t)
{
	struct sk_record *r = stored(t->adm, t->s);
	struct json_object *said = sk_msg_arr(t->e, "advice");

	t->facts.user = t->s->user;
	take_timers(t, r);
	(void)sk_sys_luns(&t->adm->places, t->s, SK_SYS_FLAT, take_disk, t);
	for (size_t i = 0; said && i < json_object_array_length(said); i++)
		sk_buf_printf(&t->advice, "%s\n", json_object_get_string(json_object_array_get_idx(said, i)));
	sk_adm_advise(&t->facts, &t->advice);
	sk_record_free(r);
}

/* --- text -------------------------------------------------------------------------------------------- */

static const char *unit(const char *key)
{
	const struct sk_schema_row *row = sk_schema_find(SK_REC_NODE, sk_span_str(key), NULL);

	return row && row->unit ? row->unit : "";
}

static void put_value(struct sk_buf *b, bool known, int64_t v, const char *key)
{
	if (known)
		sk_buf_printf(b, "%" PRId64 "%s%s", v, *unit(key) ? " " : "", unit(key));
	else
		sk_buf_str(b, "unknown");
}

static void timer_line(struct sk_buf *b, const struct sk_adm_timer *t)
{
	const char *dot = strrchr(t->key, '.');

	sk_buf_printf(b, "\t\t%s: ", dot + 1);
	put_value(b, t->running.known, t->running.v, t->key);
	if (t->record.known && (!t->running.known || t->record.v != t->running.v)) {
		sk_buf_str(b, " (record: ");
		put_value(b, true, t->record.v, t->key);
		sk_buf_str(b, t->live ? ", from the next login on or with --live)" : ", from the next login on)");
	}
	sk_buf_ch(b, '\n');
}

static void put_seconds(struct sk_buf *b, const char *name, int64_t s)
{
	if (s >= 0)
		sk_buf_printf(b, "\t\t%s: %" PRId64 " s\n", name, s);
	else
		sk_buf_printf(b, "\t\t%s: %s\n", name, s == -1 ? "never" : "unknown");
}

static void negotiated_line(struct sk_buf *b, const struct sk_sys_session *s)
{
	static const struct {
		const char *name;
		size_t at;
	} rows[] = {
		{ "MaxRecvDataSegmentLength", offsetof(struct sk_sys_session, max_recv_dlength) },
		{ "MaxXmitDataSegmentLength", offsetof(struct sk_sys_session, max_xmit_dlength) },
		{ "FirstBurstLength", offsetof(struct sk_sys_session, first_burst_len) },
		{ "MaxBurstLength", offsetof(struct sk_sys_session, max_burst_len) },
		{ "MaxOutstandingR2T", offsetof(struct sk_sys_session, max_outstanding_r2t) },
	};

	sk_buf_printf(b, "\tNegotiated: HeaderDigest=%s DataDigest=%s ImmediateData=%s InitialR2T=%s",
		      s->header_digest > 0 ? "CRC32C" : "None", s->data_digest > 0 ? "CRC32C" : "None",
		      s->immediate_data > 0 ? "Yes" : "No", s->initial_r2t > 0 ? "Yes" : "No");
	for (size_t i = 0; i < SK_ARRAY_LEN(rows); i++) {
		int64_t v;

		memcpy(&v, (const char *)s + rows[i].at, sizeof(v));
		if (v != -1)
			sk_buf_printf(b, " %s=%" PRId64, rows[i].name, v);
	}
	sk_buf_ch(b, '\n');
}

static void advice_lines(struct sk_buf *b, const struct sk_buf *advice)
{
	const char *p = sk_buf_cstr(advice);

	while (*p) {
		size_t n = strcspn(p, "\n");

		sk_buf_printf(b, "\tAdvice: %.*s\n", (int)n, p);
		p += n + (p[n] == '\n');
	}
}

static void said_line(struct sk_buf *b, const char *name, const char *text)
{
	if (text)
		sk_buf_printf(b, "\t%s: %s\n", name, sk_adm_printable(text).s);
}

static void say_story(struct story *t)
{
	const struct sk_sys_session *s = t->s;
	SK_BUF struct sk_buf b = { 0 };
	struct sk_adm_outage o;

	sk_buf_printf(&b, "Session %u: %s, portal ", s->sid, s->target);
	sk_session_addr(&b, s->persistent_addr);
	sk_buf_printf(&b, ":%d,%d, iface %s, %s transport\n", s->persistent_port, s->tpgt,
		      s->iface[0] ? s->iface : "default", s->user ? "user" : "kernel");
	sk_buf_printf(&b, "\tState: %s%s%s\n", s->state[0] ? s->state : "Unknown", t->e ? ", iscsid: " : "",
		      t->e ? sk_msg_str(t->e, "state") : "");
	said_line(&b, "Why",
		  t->e ? sk_msg_str(t->e, "why")
		       : "iscsid does not answer: what it knows of the session is not known here");
	said_line(&b, "Next", sk_msg_str(t->e, "next"));
	if (s->addr[0]) {
		sk_buf_str(&b, "\tConnection: ");
		sk_session_addr(&b, s->local_addr[0] ? s->local_addr : "unknown");
		sk_buf_str(&b, " to ");
		sk_session_addr(&b, s->addr);
		sk_buf_printf(&b, ":%d\n", s->port);
	}
	if (t->e)
		sk_buf_printf(&b,
			      "\tISID: %s, made from this machine's id, the names, the portal and the iface: the "
			      "same after every "
			      "login and boot\n",
			      sk_msg_str(t->e, "isid"));
	negotiated_line(&b, s);
	sk_buf_str(&b, "\tTimers:\n");
	for (unsigned i = 0; i < SK_ADM_TIMERS && t->facts.timers[i].key; i++)
		timer_line(&b, &t->facts.timers[i]);
	sk_adm_outage_of(&t->facts, &o);
	sk_buf_str(&b, "\tWhen the link or the target dies without a word:\n");
	put_seconds(&b, "noticed after at most", o.noticed_s);
	put_seconds(&b, "requests fail after at most", o.io_error_s);
	advice_lines(&b, &t->advice);
	sk_say_buf(t->adm, &b);
}

/* --- JSON -------------------------------------------------------------------------------------------- */

static void copy(struct json_object *to, struct json_object *from, const char *key)
{
	struct json_object *v = NULL;

	if (from)
		json_object_object_get_ex(from, key, &v);
	json_object_object_add(to, key, json_object_get(v));
}

static struct json_object *timers_json(const struct sk_adm_facts *f)
{
	struct json_object *list = json_object_new_array();

	for (unsigned i = 0; i < SK_ADM_TIMERS && f->timers[i].key; i++) {
		const struct sk_adm_timer *t = &f->timers[i];
		struct json_object *o = json_object_new_object();

		sk_jput_str(o, "key", t->key);
		json_object_object_add(o, "record", t->record.known ? json_object_new_int64(t->record.v) : NULL);
		json_object_object_add(o, "running", t->running.known ? json_object_new_int64(t->running.v) : NULL);
		sk_jput_bool(o, "differs", t->record.known && t->running.known && t->record.v != t->running.v);
		sk_jput_bool(o, "live", t->live);
		json_object_array_add(list, o);
	}
	return list;
}

static void doc_story(struct story *t)
{
	static const char *const copied[] = { "state",	    "since_ms", "up_ms",       "lost_ms", "why",
					      "next",	    "next_ms",	"cause",       "error",	  "attempts",
					      "recoveries", "isid",	"portal_group" };
	struct json_object *o, *advice = json_object_new_array(), *outage = json_object_new_object();
	struct sk_states states = { "Unknown", "Unknown" };
	struct json_object *session;
	struct sk_adm_outage out;

	if (sk_msg_str(t->e, "connection_state"))
		snprintf(states.connection, sizeof(states.connection), "%s", sk_msg_str(t->e, "connection_state"));
	if (sk_msg_str(t->e, "internal_state"))
		snprintf(states.internal, sizeof(states.internal), "%s", sk_msg_str(t->e, "internal_state"));
	session = sk_session_json(t->adm, t->s, &states);
	o = json_object_new_object();
	json_object_object_add(o, "session", session);
	for (size_t i = 0; i < SK_ARRAY_LEN(copied); i++)
		copy(o, t->e, copied[i]);
	json_object_object_add(o, "timers", timers_json(&t->facts));
	sk_adm_outage_of(&t->facts, &out);
	json_object_object_add(outage, "noticed_s",
			       out.noticed_s < 0 ? NULL : json_object_new_int64(out.noticed_s));
	json_object_object_add(outage, "io_error_s",
			       out.io_error_s < 0 ? NULL : json_object_new_int64(out.io_error_s));
	json_object_object_add(o, "outage", outage);
	for (const char *p = sk_buf_cstr(&t->advice); *p;) {
		size_t n = strcspn(p, "\n");

		json_object_array_add(advice, json_object_new_string_len(p, (int)n));
		p += n + (p[n] == '\n');
	}
	json_object_object_add(o, "advice", advice);
	sk_doc_add(t->adm, "explanations", o);
}

/* --- all of them ------------------------------------------------------------------------------------- */

static struct json_object *ask(struct sk_adm *adm, uint32_t sid)
{
	struct json_object *params, *e = NULL;
	struct sk_mgmt_answer a = { 0 };
	struct sk_err err = { 0 };

	if (sk_daemon_reach(adm, SK_DAEMON_START))
		return NULL;
	params = json_object_new_object();
	sk_jput_int(params, "sid", sid);
	if (sk_daemon_call(adm, "session.explain", params, ANSWER_MS, &a, &err) == 0)
		e = json_object_get(a.result);
	sk_mgmt_answer_free(&a);
	return e;
}

int sk_explain_selected(struct sk_adm *adm, const struct sk_sel *sel)
{
	struct sk_sessions all;
	int code = sk_sessions_find(adm, sel, SK_SYS_FULL, &all);

	sk_doc_action(adm, "explain");
	sk_doc_list(adm, "explanations");
	if (!code && !all.n) {
		sk_warn(adm, "No active sessions.");
		code = SK_RES_NO_OBJS_FOUND;
	}
	adm->hush_records = true;
	for (size_t i = 0; !code && i < all.n; i++) {
		struct story t = { .adm = adm, .s = &all.v[i], .e = ask(adm, all.v[i].sid) };

		gather(&t);
		if (adm->doc)
			doc_story(&t);
		else
			say_story(&t);
		json_object_put(t.e);
		sk_buf_free(&t.advice);
	}
	sk_sessions_free(&all);
	return code;
}
