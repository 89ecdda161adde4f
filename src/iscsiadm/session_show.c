/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "config.h"
#include "iscsiadm/session_show.h"

static const char *or_empty(const char *s)
{
	return *s ? s : "<empty>";
}

static const char *or_default(const char *s)
{
	return *s ? s : "default";
}

void sk_session_addr(struct sk_buf *out, const char *addr)
{
	bool bare = strchr(addr, '.') || !*addr;

	sk_buf_printf(out, bare ? "%s" : "[%s]", addr);
}

static const char *kind(const struct sk_sys_session *s)
{
	return s->flash ? "flash" : "non-flash";
}

void sk_session_flat_line(struct sk_buf *out, const struct sk_sys_session *s)
{
	sk_buf_printf(out, "%s: [%u] ", s->transport, s->sid);
	sk_session_addr(out, s->persistent_addr);
	sk_buf_printf(out, ":%d,%d %s (%s)\n", s->persistent_port, s->tpgt, s->target, kind(s));
}

/* --- the tree ---------------------------------------------------------------------------------------- */

static void title(struct sk_buf *out, const char *indent, const char *stars, const char *text)
{
	sk_buf_printf(out, "%s\t\t%s\n%s\t\t%s:\n%s\t\t%s\n", indent, stars, indent, text, indent, stars);
}

static void line(struct sk_buf *out, const char *indent, const char *name, const char *value)
{
	sk_buf_printf(out, "%s\t\t%s: %s\n", indent, name, value);
}

static void line_known(struct sk_buf *out, const char *indent, const char *name, int64_t value)
{
	if (value == -1)
		line(out, indent, name, "<empty>");
	else
		sk_buf_printf(out, "%s\t\t%s: %" PRId64 "\n", indent, name, value);
}

static void portal_line(struct sk_buf *out, const char *indent, const char *name, const char *addr, int port,
			int tpgt)
{
	sk_buf_printf(out, "%s\t%s: ", indent, name);
	sk_session_addr(out, addr);
	sk_buf_printf(out, ":%d,%d\n", port, tpgt);
}

/** the lines that a session shares with the one before it are not printed again */
static void heading(struct sk_buf *out, const struct sk_sys_session *s, const struct sk_sys_session *before,
		    const char *indent)
{
	bool same_target = before && strcmp(before->target, s->target) == 0;

	if (!same_target)
		sk_buf_printf(out, "%sTarget: %s (%s)\n", indent, s->target, kind(s));
	if (same_target && strcmp(before->addr, s->addr) == 0 && before->port == s->port) {
		sk_buf_ch(out, '\n');
		return;
	}
	portal_line(out, indent, "Current Portal", s->addr, s->port, s->tpgt);
	portal_line(out, indent, "Persistent Portal", s->persistent_addr, s->persistent_port, s->tpgt);
}

static void iface_box(struct sk_buf *out, const struct sk_sys_session *s, const struct sk_states *states,
		      const char *indent)
{
	SK_BUF struct sk_buf local = { 0 };

	title(out, indent, "**********", "Interface");
	line(out, indent, "Iface Name", or_empty(s->iface));
	line(out, indent, "Iface Transport", or_empty(s->transport));
	line(out, indent, "Iface Initiatorname", or_empty(s->initiator));
	sk_session_addr(&local, s->local_addr);
	line(out, indent, "Iface IPaddress", or_empty(sk_buf_cstr(&local)));
	line(out, indent, "Iface HWaddress", or_default(s->hwaddress));
	line(out, indent, "Iface Netdev", or_default(s->netdev));
	sk_buf_printf(out, "%s\t\tSID: %u\n", indent, s->sid);
	line(out, indent, "iSCSI Connection State", states->connection);
	line(out, indent, "iSCSI Session State", or_empty(s->state));
	line(out, indent, "Internal iscsid Session State", states->internal);
}

static void timeouts_box(struct sk_buf *out, const struct sk_sys_session *s, const char *indent)
{
	title(out, indent, "*********", "Timeouts");
	line_known(out, indent, "Recovery Timeout", s->recovery_tmo);
	line_known(out, indent, "Target Reset Timeout", s->tgt_reset_tmo);
	line_known(out, indent, "LUN Reset Timeout", s->lu_reset_tmo);
	line_known(out, indent, "Abort Timeout", s->abort_tmo);
}

static void chap_box(struct sk_buf *out, const struct sk_sys_session *s, bool secrets, const char *indent)
{
	title(out, indent, "*****", "CHAP");
	line(out, indent, "username", or_empty(s->username));
	line(out, indent, "password", secrets ? or_empty(s->password) : "********");
	line(out, indent, "username_in", or_empty(s->username_in));
	line(out, indent, "password_in", secrets ? or_empty(s->password_in) : "********");
}

static const struct param {
	const char *name;
	size_t at;
	const char *words[2]; /* for 0 and for the rest; NULL: a number */
} params[] = {
#define P(name, field, no, yes)                                                                                    \
	{                                                                                                          \
		name, offsetof(struct sk_sys_session, field),                                                      \
		{                                                                                                  \
			no, yes                                                                                    \
		}                                                                                                  \
	}
	P("HeaderDigest", header_digest, "None", "CRC32C"),
	P("DataDigest", data_digest, "None", "CRC32C"),
	P("MaxRecvDataSegmentLength", max_recv_dlength, NULL, NULL),
	P("MaxXmitDataSegmentLength", max_xmit_dlength, NULL, NULL),
	P("FirstBurstLength", first_burst_len, NULL, NULL),
	P("MaxBurstLength", max_burst_len, NULL, NULL),
	P("ImmediateData", immediate_data, "No", "Yes"),
	P("InitialR2T", initial_r2t, "No", "Yes"),
	P("MaxOutstandingR2T", max_outstanding_r2t, NULL, NULL),
#undef P
};

static int64_t param_value(const struct sk_sys_session *s, const struct param *p)
{
	int64_t v;

	memcpy(&v, (const char *)s + p->at, sizeof(v));
	return v;
}

static void params_box(struct sk_buf *out, const struct sk_sys_session *s, const char *indent)
{
	title(out, indent, "************************", "Negotiated iSCSI params");
	for (size_t i = 0; i < SK_ARRAY_LEN(params); i++) {
		int64_t v = param_value(s, &params[i]);

		if (v == -1)
			continue;
		if (params[i].words[0])
			line(out, indent, params[i].name, params[i].words[v != 0]);
		else
			line_known(out, indent, params[i].name, v);
	}
}

void sk_session_tree(struct sk_buf *out, const struct sk_sys_session *s, const struct sk_sys_session *before,
		     const struct sk_states *states, unsigned parts, const char *indent)
{
	heading(out, s, before, indent);
	iface_box(out, s, states, indent);
	if (parts & SK_SHOW_TIMEOUTS)
		timeouts_box(out, s, indent);
	if (parts & SK_SHOW_CHAP)
		chap_box(out, s, parts & SK_SHOW_SECRETS, indent);
	if (parts & SK_SHOW_PARAMS)
		params_box(out, s, indent);
}

/* --- devices ----------------------------------------------------------------------------------------- */

struct luns {
	struct sk_buf *out;
	const char *indent;
	struct json_object *list;
};

static bool lun_lines(void *ctx, const struct sk_sys_lun *l)
{
	struct luns *w = ctx;

	sk_buf_printf(w->out, "%s\t\tscsi%u Channel %02u Id %u Lun: %" PRIu64 "\n", w->indent, l->host, l->channel,
		      l->target, l->lun);
	if (l->disk[0])
		sk_buf_printf(w->out, "%s\t\t\tAttached scsi disk %s\t\tState: %s\n", w->indent, l->disk,
			      l->disk_state[0] ? l->disk_state : "running");
	return true;
}

/** the first line of a small file, "" if there is none */
static void read_word(const char *path, char *ret, size_t size)
{
	SK_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, ret, size - 1);

	ret[n > 0 ? n : 0] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
}

static void host_state(struct sk_adm *adm, const struct sk_sys_session *s, char *ret, size_t size)
{
	SK_MEM char *path = NULL;

	ret[0] = '\0';
	if (!s->user && asprintf(&path, "%s/class/scsi_host/host%u/state", adm->places.sysfs, s->host) >= 0)
		read_word(path, ret, size);
	if (!*ret)
		snprintf(ret, size, "running");
}

void sk_session_luns(struct sk_adm *adm, struct sk_buf *out, const struct sk_sys_session *s, unsigned parts,
		     const char *indent)
{
	struct luns w = { .out = out, .indent = indent };
	char state[32];

	title(out, indent, "************************", "Attached SCSI devices");
	if (parts & SK_SHOW_HOST_LINE) {
		host_state(adm, s, state, sizeof(state));
		sk_buf_printf(out, "%s\t\tHost Number: %u\tState: %s\n", indent, s->host, state);
	}
	sk_sys_luns(&adm->places, s, SK_SYS_FLAT, lun_lines, &w);
}

void sk_versions(struct sk_adm *adm)
{
	char path[300], version[64];

	snprintf(path, sizeof(path), "%s/module/scsi_transport_iscsi/version", adm->places.sysfs);
	read_word(path, version, sizeof(version));
	/* programs drop the first two lines without looking at them, so they are there without a kernel class as
	 * well */
	sk_say(adm, "iSCSI Transport Class version %s\nversion %s\n", *version ? version : SK_VERSION "-user",
	       SK_COMPAT_VERSION);
}
