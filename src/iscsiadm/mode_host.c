/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>

#include "base/mem.h"
#include "iscsiadm/host_table.h"
#include "iscsiadm/session_show.h"

/** Hosts: each session of a software transport is a host of its own. Offload hosts have none of their settings
 * here. */

static const char *or_empty(const char *s)
{
	return *s ? s : "<empty>";
}

static void flat_line(struct sk_buf *out, const struct sk_sys_session *s)
{
	sk_buf_printf(out, "%s: [%u] ", s->transport, s->host);
	sk_session_addr(out, or_empty(s->local_addr));
	sk_buf_printf(out, ",[<empty>],<empty> <empty>\n");
}

static void host_lines(struct sk_buf *out, const struct sk_sys_session *s)
{
	SK_BUF struct sk_buf addr = { 0 };

	if (s->local_addr[0])
		sk_session_addr(&addr, s->local_addr);
	sk_buf_printf(
		out,
		"Host Number: %u\n\tState: running\n\tTransport: %s\n\tInitiatorname: <empty>\n\tIPaddress: %s\n"
		"\tHWaddress: <empty>\n\tNetdev: <empty>\n",
		s->host, s->transport, or_empty(sk_buf_cstr(&addr)));
}

static const unsigned level_parts[] = {
	[2] = 0,
	[3] = SK_SHOW_PARAMS,
	[4] = SK_SHOW_PARAMS | SK_SHOW_LUNS,
};

static void print_one(struct sk_adm *adm, const struct sk_sys_session *s, const struct sk_states *states, int level)
{
	SK_BUF struct sk_buf out = { 0 };

	host_lines(&out, s);
	if (level >= 2) {
		sk_buf_str(&out, "\t*********\n\tSessions:\n\t*********\n");
		sk_session_tree(&out, s, NULL, states, level_parts[level], "\t");
	}
	if (level >= 4)
		sk_session_luns(adm, &out, s, level_parts[level], "\t");
	sk_say_buf(adm, &out);
}

static int print_all(struct sk_adm *adm, const struct sk_sessions *s)
{
	struct sk_states *states = adm->args.level >= 2 || adm->doc ? sk_states_ask(adm, s) : NULL;
	SK_BUF struct sk_buf flat = { 0 };

	if (adm->args.level == 4)
		sk_versions(adm);
	for (size_t i = 0; i < s->n; i++) {
		if (adm->doc)
			sk_doc_add(adm, "hosts", sk_session_json(adm, &s->v[i], states ? &states[i] : NULL));
		else if (adm->args.level < 1)
			flat_line(&flat, &s->v[i]);
		else
			print_one(adm, &s->v[i], states ? &states[i] : NULL, adm->args.level);
	}
	sk_say_buf(adm, &flat);
	free(states);
	return 0;
}

/** keep the sessions of one host */
static void only_host(struct sk_sessions *s, uint32_t host)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].host == host)
			s->v[n++] = s->v[i];
	s->n = n;
}

static int list(struct sk_adm *adm)
{
	struct sk_sel any = { .port = -1 };
	struct sk_sessions s;
	int code;

	sk_doc_action(adm, "list");
	sk_doc_list(adm, "hosts");
	if (adm->args.level > 4 || adm->args.level < -1) {
		sk_warn(adm, "Invalid info level %d. Try 0 - 4.", adm->args.level);
		return SK_RES_INVAL;
	}
	code = sk_sessions_find(adm, &any, SK_SYS_FULL, &s);
	if (!code && adm->args.has_host && !adm->args.has_submode) /* an unknown submode lists all, as ever */
		only_host(&s, adm->args.host);
	if (!code && !s.n) {
		sk_warn(adm, "No iSCSI hosts.");
		code = SK_RES_NO_OBJS_FOUND;
	} else if (!code) {
		code = print_all(adm, &s);
	}
	sk_sessions_free(&s);
	return code;
}

static int fail(struct sk_adm *adm, int code, const char *text)
{
	sk_warn(adm, "%s", text);
	sk_doc_error(adm, code, NULL, NULL);
	return code;
}

/** what an adapter keeps: of the host that was named, not of host 0 */
static int of_host(struct sk_adm *adm, const char *without, int (*run)(struct sk_adm *))
{
	return adm->args.has_host ? run(adm) : fail(adm, SK_RES_INVAL, without);
}

static int chap(struct sk_adm *adm)
{
	static const char without[] = "CHAP mode requires host no and valid operation";

	return adm->args.ops ? of_host(adm, without, sk_host_chap) : fail(adm, SK_RES_INVAL, without);
}

static int flashnode(struct sk_adm *adm)
{
	return of_host(adm, "flashnode mode requires host no", sk_host_flashnode);
}

static int stats(struct sk_adm *adm)
{
	return of_host(adm, "Host statistics require host no", sk_host_stats);
}

static int ping(struct sk_adm *adm)
{
	return fail(adm, SK_RES_INVAL, "Invalid Sub Mode");
}

/* clang-format off */
static bool is_chap(const struct sk_adm *adm) { return adm->args.submode == SK_SUB_CHAP; }
static bool is_flashnode(const struct sk_adm *adm) { return adm->args.submode == SK_SUB_FLASHNODE; }
static bool is_stats(const struct sk_adm *adm) { return adm->args.submode == SK_SUB_STATS; }
static bool is_ping(const struct sk_adm *adm) { return adm->args.submode == SK_SUB_PING; }
/* clang-format on */

static const struct sk_adm_rule rules[] = {
	{ is_chap, chap }, { is_flashnode, flashnode }, { is_stats, stats }, { is_ping, ping }, { NULL, list },
};

int sk_mode_host(struct sk_adm *adm)
{
	return sk_adm_dispatch(adm, rules);
}
