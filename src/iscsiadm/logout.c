/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "discover/firmware.h"
#include "iscsiadm/daemon.h"
#include "iscsiadm/login.h"
#include "iscsiadm/logout.h"
#include "iscsiadm/rescan.h"
#include "mgmt/message.h"

#define STATS_MS  60000 /* for the statistics of one session */
#define RESCAN_MS 60000 /* for rescans without iscsid, all together */

/** one request for each session, and what came of it */
struct batch {
	struct sk_adm *adm;
	const struct sk_sessions *s;
	int *ids; /* -1: not sent */
	int send_code, first_code, last_code;
};

/** "[sid: N, target: T, portal: A,P]": the persistent address and the current port */
static void say_where(struct sk_buf *b, const struct sk_sys_session *s)
{
	sk_buf_printf(b, "[sid: %u, target: %s, portal: %s,%d]", s->sid, s->target, s->persistent_addr, s->port);
}

static void say_each(struct sk_adm *adm, const struct sk_sessions *s, const char *before)
{
	for (size_t i = 0; i < s->n; i++) {
		SK_BUF struct sk_buf where = { 0 };

		say_where(&where, &s->v[i]);
		sk_say(adm, "%s %s\n", before, sk_buf_cstr(&where));
	}
	fflush(adm->out);
}

static void doc_session(struct sk_adm *adm, const struct sk_sys_session *s, int code,
			const struct sk_mgmt_answer *a, const struct sk_err *err)
{
	static const char *const copied[] = { "disks", "counters", NULL };
	struct sk_about about = sk_about_session(s);

	sk_doc_result(adm, &about, code, a ? a->result : NULL, copied, err);
}

static int send_one(struct batch *b, const struct sk_sys_session *s, const char *method)
{
	struct json_object *params;
	int code = sk_daemon_reach(b->adm, SK_DAEMON_START);
	int id = -1;

	if (!code) {
		params = json_object_new_object();
		sk_jput_int(params, "sid", s->sid);
		id = sk_daemon_send(b->adm, method, params);
		code = id > 0 ? 0 : SK_RES_ISCSID_COMM_ERR;
	}
	b->send_code = sk_adm_first(b->send_code, code);
	return id;
}

typedef void batch_told(struct batch *b, const struct sk_sys_session *s, int code, const struct sk_mgmt_answer *a,
			const struct sk_err *err);

/** send @method for all sessions, @before is said for each, then tell each result in the same order */
static int run_batch(struct batch *b, const char *method, const char *before, batch_told *told)
{
	b->ids = calloc(b->s->n, sizeof(*b->ids));
	if (!b->ids)
		return SK_RES_NOMEM;
	say_each(b->adm, b->s, before);
	for (size_t i = 0; i < b->s->n; i++)
		b->ids[i] = send_one(b, &b->s->v[i], method);
	for (size_t i = 0; i < b->s->n; i++) {
		struct sk_mgmt_answer a = { 0 };
		struct sk_err err = { 0 };
		int code = b->ids[i] > 0 ? sk_daemon_wait(b->adm, b->ids[i], -1, &a, &err) : b->send_code;

		told(b, &b->s->v[i], code, &a, &err);
		doc_session(b->adm, &b->s->v[i], code, &a, &err);
		b->first_code = sk_adm_first(b->first_code, code);
		b->last_code = code ? code : b->last_code;
		sk_mgmt_answer_free(&a);
	}
	free(b->ids);
	return 0;
}

/* --- logout ------------------------------------------------------------------------------------------ */

/** how close two sessions are: 3 same target, address and port, 2 without the port, 1 the target only */
static int kinship(const struct sk_sys_session *a, const struct sk_sys_session *b)
{
	if (strcmp(a->target, b->target) != 0)
		return 0;
	if (strcmp(a->persistent_addr, b->persistent_addr) != 0)
		return 1;
	return a->persistent_port == b->persistent_port ? 3 : 2;
}

void sk_sessions_group(struct sk_sessions *s)
{
	for (size_t i = 1; i < s->n; i++) {
		struct sk_sys_session moved = s->v[i];
		size_t place = i;
		int best = 0;

		for (size_t j = 0; j < i; j++) {
			int k = kinship(&s->v[j], &moved);

			if (k && k >= best) {
				best = k;
				place = j + 1;
			}
		}
		memmove(&s->v[place + 1], &s->v[place], (i - place) * sizeof(moved));
		s->v[place] = moved;
	}
}

static void told_logout(struct batch *b, const struct sk_sys_session *s, int code, const struct sk_mgmt_answer *a,
			const struct sk_err *err)
{
	SK_BUF struct sk_buf where = { 0 };
	char buf[64];

	(void)a;
	say_where(&where, s);
	if (!code) {
		sk_say(b->adm, "Logout of %s successful.\n", sk_buf_cstr(&where));
		return;
	}
	sk_warn(b->adm, "Could not logout of %s.", sk_buf_cstr(&where));
	sk_warn_reported(b->adm, code);
	if (err->msg[0] && strcmp(err->msg, sk_result_words(code, buf, sizeof(buf))) != 0)
		sk_warn(b->adm, "sid %u: %s", s->sid, err->msg);
}

static int logout_sessions(struct sk_adm *adm, struct sk_sessions *s)
{
	struct batch b = { .adm = adm, .s = s };

	sk_doc_list(adm, "results");
	if (!s->n) {
		sk_warn(adm, "No matching sessions found");
		return SK_RES_NO_OBJS_FOUND;
	}
	sk_sessions_group(s);
	if (run_batch(&b, "session.logout", "Logging out of session", told_logout))
		return SK_RES_NOMEM;
	if (b.send_code || b.last_code)
		sk_warn(adm, "Could not logout of all requested sessions");
	return sk_adm_first(b.send_code, b.last_code);
}

int sk_logout_selected(struct sk_adm *adm, const struct sk_sel *sel)
{
	struct sk_sessions s;
	int code;

	sk_doc_action(adm, "logout");
	if (sk_sessions_find(adm, sel, SK_SYS_CURRENT, &s))
		return SK_RES_NOMEM;
	code = logout_sessions(adm, &s);
	sk_sessions_free(&s);
	return code;
}

/** the record of a session, by target, portal and iface; tags are not compared, since the target may have chosen
 * another */
static const struct sk_node_item *record_of(const struct sk_nodes *nodes, const struct sk_sys_session *s)
{
	struct sk_sessions one = { (struct sk_sys_session *)(uintptr_t)s, 1 };

	for (size_t i = 0; i < nodes->n; i++)
		if (sk_sessions_of_record(&one, &nodes->v[i]))
			return &nodes->v[i];
	return NULL;
}

static bool in_class(const struct sk_nodes *nodes, const struct sk_sys_session *s, const char *class)
{
	const struct sk_node_item *item = record_of(nodes, s);

	return item && strcmp(sk_record_get(item->record, "iface.transport_name"), s->transport) == 0 &&
	       strcmp(sk_record_get(item->record, "node.startup"), "onboot") != 0 &&
	       strcmp(sk_record_get(item->record, "node.discovery_type"), "fw") != 0 &&
	       sk_startup_matches(item->record, class);
}

static void no_line(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
}

/** the machine may run from what its firmware names: such sessions are ended one by one only, whatever record they match */
static bool is_boot_session(const struct sk_boot *boot, const struct sk_sys_session *s)
{
	for (size_t i = 0; i < boot->n; i++)
		if (strcmp(boot->v[i].name.s, s->target) == 0 && boot->v[i].port == s->persistent_port &&
		    sk_portal_host_eq(boot->v[i].address, s->persistent_addr))
			return true;
	return false;
}

int sk_logout_all(struct sk_adm *adm)
{
	const char *class = adm->args.logout_class;
	SK_BOOT struct sk_boot boot = { 0 };
	struct sk_sel any = { .port = -1 };
	struct sk_sessions s;
	struct sk_nodes nodes;
	size_t n = 0;
	int code;

	sk_doc_action(adm, "logout");
	if (strcmp(class, "all") != 0 && strcmp(class, "manual") != 0 && strcmp(class, "automatic") != 0) {
		sk_warn(adm, "Invalid logoutall option %s.", class);
		sk_try_help(adm);
		return SK_RES_INVAL;
	}
	code = sk_nodes_find(adm, &any, false, &nodes);
	if (code)
		return code;
	(void)sk_firmware_read(&adm->places, no_line, NULL, &boot, NULL);
	code = sk_sessions_find(adm, &any, SK_SYS_CURRENT, &s);
	for (size_t i = 0; i < s.n; i++)
		if (!is_boot_session(&boot, &s.v[i]) && in_class(&nodes, &s.v[i], class))
			s.v[n++] = s.v[i];
	s.n = n;
	if (!code)
		code = logout_sessions(adm, &s);
	sk_sessions_free(&s);
	sk_nodes_free(&nodes);
	return code;
}

/* --- rescan ------------------------------------------------------------------------------------------ */

static void told_rescan(struct batch *b, const struct sk_sys_session *s, int code, const struct sk_mgmt_answer *a,
			const struct sk_err *err)
{
	(void)a;
	if (code && err->msg[0])
		sk_warn(b->adm, "sid %u: %s", s->sid, err->msg);
}

/** the sessions of a selector, or 21 with the incumbent's words */
static int need_sessions(struct sk_adm *adm, const struct sk_sel *sel, struct sk_sessions *ret)
{
	int code = sk_sessions_find(adm, sel, SK_SYS_CURRENT, ret);

	sk_doc_list(adm, "results");
	if (code || ret->n)
		return code;
	sk_warn(adm, "No session found.");
	return SK_RES_NO_OBJS_FOUND;
}

static int conclude(struct sk_adm *adm, int code)
{
	char buf[64];

	if (code)
		sk_warn(adm, "Could not execute operation on all sessions: %s",
			sk_result_words(code, buf, sizeof(buf)));
	return code;
}

/** without iscsid there is the kernel: its sessions need nobody else. A user session's data path is asked by iscsid */
static bool kernel_alone(struct sk_adm *adm, const struct sk_sessions *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].user)
			return false;
	return sk_daemon_reach(adm, SK_DAEMON_IF_RUNNING) != 0;
}

static int rescan_kernel(struct sk_adm *adm, const struct sk_sessions *s)
{
	SK_MEM int *codes = calloc(s->n, sizeof(*codes));
	int first = 0;

	if (!codes)
		return SK_RES_NOMEM;
	say_each(adm, s, "Rescanning session");
	sk_rescan_kernel(&adm->places, s, RESCAN_MS, codes);
	for (size_t i = 0; i < s->n; i++) {
		if (codes[i] == SK_RES_AGAIN)
			sk_warn(adm, "sid %u: the scan is not done after %d s; it goes on in the kernel", s->v[i].sid,
				RESCAN_MS / 1000);
		doc_session(adm, &s->v[i], codes[i], NULL, NULL);
		first = sk_adm_first(first, codes[i]);
	}
	return first;
}

int sk_rescan_selected(struct sk_adm *adm, const struct sk_sel *sel)
{
	struct sk_sessions s;
	struct batch b = { .adm = adm, .s = &s };
	int code;

	sk_doc_action(adm, "rescan");
	code = need_sessions(adm, sel, &s);
	if (!code && kernel_alone(adm, &s)) {
		code = conclude(adm, rescan_kernel(adm, &s));
	} else if (!code) {
		code = run_batch(&b, "session.rescan", "Rescanning session", told_rescan);
		code = conclude(adm, sk_adm_first(code, b.first_code));
	}
	sk_sessions_free(&s);
	return code;
}

/* --- statistics -------------------------------------------------------------------------------------- */

/** the kernel's counters in its order */
static const char *const snmp[] = {
	"txdata_octets", "rxdata_octets", "noptx_pdus", "scsicmd_pdus", "tmfcmd_pdus", "login_pdus",
	"text_pdus", "dataout_pdus", "logout_pdus", "snack_pdus", "noprx_pdus", "scsirsp_pdus",
	"tmfrsp_pdus", "textrsp_pdus", "datain_pdus", "logoutrsp_pdus", "r2t_pdus", "async_pdus",
	"rjt_pdus", "digest_err", "timeout_err",
};

static bool is_snmp(const char *name)
{
	for (size_t i = 0; i < SK_ARRAY_LEN(snmp); i++)
		if (strcmp(snmp[i], name) == 0)
			return true;
	return false;
}

static void say_counters(struct sk_adm *adm, const struct sk_sys_session *s, struct json_object *counters)
{
	SK_BUF struct sk_buf where = { 0 };
	bool extended = false;

	say_where(&where, s);
	sk_say(adm, "Stats for session %s\niSCSI SNMP:\n", sk_buf_cstr(&where));
	for (size_t i = 0; i < SK_ARRAY_LEN(snmp); i++)
		sk_say(adm, "\t%s: %lld\n", snmp[i], (long long)sk_msg_int(counters, snmp[i], 0));
	if (!counters)
		return;
	json_object_object_foreach(counters, name, value)
	{
		if (is_snmp(name))
			continue;
		sk_say(adm, "%s\t%s: %lld\n", extended ? "" : "iSCSI Extended:\n", name,
		       (long long)json_object_get_int64(value));
		extended = true;
	}
}

int sk_stats_selected(struct sk_adm *adm, const struct sk_sel *sel)
{
	struct sk_sessions s;
	int code;

	sk_doc_action(adm, "stats");
	code = need_sessions(adm, sel, &s);
	for (size_t i = 0; !code && i < s.n; i++) {
		struct sk_mgmt_answer a = { 0 };
		struct sk_err err = { 0 };
		struct json_object *params = json_object_new_object();

		sk_jput_int(params, "sid", s.v[i].sid);
		code = sk_daemon_reach(adm, SK_DAEMON_START);
		if (code)
			json_object_put(params);
		else
			code = sk_daemon_call(adm, "session.stats", params, STATS_MS, &a, &err);
		if (!code)
			say_counters(adm, &s.v[i], sk_msg_obj(a.result, "counters"));
		doc_session(adm, &s.v[i], code, &a, &err);
		sk_mgmt_answer_free(&a);
		conclude(adm, code);
	}
	sk_sessions_free(&s);
	return code;
}
