/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "iscsi-session/keeper_inner.h"
#include "proto/iname.h"
#include "proto/portal.h"

/* What iscsid says to a session's process (docs/session-process.md): read whole, or refused with nothing changed. */

static void check(bool good)
{
	if (!good)
		__builtin_trap();
}

static void check_texts(const struct sk_sys_session *pub)
{
	struct sk_iname name;

	check(sk_iname_parse(sk_span_str(pub->target), &name, NULL) == 0);
	check(sk_portal_host_ok(sk_span_str(pub->addr)) && sk_portal_host_ok(sk_span_str(pub->persistent_addr)));
	check(pub->port > 0 && pub->port < 65536 && pub->persistent_port > 0 && pub->persistent_port < 65536);
	for (const char *p = pub->iface; *p; p++)
		check((unsigned char)*p >= 0x20 && *p != 0x7f);
}

static void attach(struct json_object *o)
{
	struct sk_sys_session pub, pub_was;
	struct sk_b_start st, st_was;
	struct sk_b_msg m, back;
	uint8_t wire[SK_B_MAX];

	memset(&st, 0x5a, sizeof(st));
	memset(&pub, 0x5a, sizeof(pub));
	st_was = st;
	pub_was = pub;
	if (sk_attach_read(o, &st, &pub, NULL) < 0) {
		check(!memcmp(&st, &st_was, sizeof(st)) && !memcmp(&pub, &pub_was, sizeof(pub)));
		return;
	}
	check_texts(&pub);
	check(st.cmds_max >= 1 && st.cmds_max <= 4000 && st.queue_depth >= 1 && st.timers.abort_s <= 3600);
	memset(&m, 0, sizeof(m));
	m.type = SK_B_START;
	m.start = st;
	check(sk_b_decode(sk_span(wire, sk_b_encode(&m, wire)), &back, NULL) == 0);	/* what we make we can read */
}

static void reattach(struct json_object *o)
{
	struct sk_sys_session pub = { .port = 1 }, pub_was;
	struct sk_params par, par_was;

	memset(&par, 0x5a, sizeof(par));
	par_was = par;
	pub_was = pub;
	if (sk_reattach_read(o, &par, &pub, NULL) < 0)
		check(!memcmp(&par, &par_was, sizeof(par)) && !memcmp(&pub, &pub_was, sizeof(pub)));
	else
		check(sk_portal_host_ok(sk_span_str(pub.addr)));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct json_tokener *tok = json_tokener_new_ex(8);
	struct json_object *o = tok && n <= 65536 ? json_tokener_parse_ex(tok, (const char *)p, (int)n) : NULL;
	struct sk_sys_session pub = { 0 };
	struct sk_b_timers t = { .replacement_s = 1 };

	if (json_object_is_type(o, json_type_object)) {
		attach(o);
		reattach(o);
		(void)sk_timers_read(o, &t, &pub, NULL);
		check(t.replacement_s >= -1);
	}
	json_object_put(o);
	json_tokener_free(tok);
	return 0;
}
