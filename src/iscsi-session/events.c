/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/log.h"
#include "iscsi-session/lun.h"
#include "proto/pdu_ffp.h"

/* RFC 7143, 11.9.1 */
enum { ASYNC_SENSE = 0, ASYNC_LOGOUT = 1, ASYNC_DROP = 2, ASYNC_DROP_ALL = 3 };

void sk_serve_want_drop(struct sk_serve *s, enum sk_code code, const char *why)
{
	if (s->want_drop || s->state != SK_SERVE_UP)
		return;
	s->want_drop = true;
	sk_fail(&s->drop_why, code, "%s", why);
}

static void async_sense(struct sk_serve *s, const struct sk_engine_event *ev)
{
	struct sk_verdict v = sk_verdict(SK_ST_CHECK_CONDITION, sk_span(ev->sense, ev->sense_len), 0);
	struct sk_lun *l = sk_serve_lun(s, ev->lun);

	if (v.react == SK_REACT_LUNS)
		sk_scan_start(s);
	else if (l && v.react == SK_REACT_CAPACITY)
		sk_probe_start(l, SK_PROBE_CAPACITY);
	else if (l && v.react == SK_REACT_IDENTIFY)
		sk_probe_start(l, SK_PROBE_ALL);
}

/* Logged out on request, the session comes back by the next login. */
static void leave_as_asked(struct sk_serve *s)
{
	if (s->state == SK_SERVE_UP && !s->asked_out && sk_engine_logout(s->e, NULL) == 0)
		s->asked_out = true;
}

static void async_event(struct sk_serve *s, const struct sk_engine_event *ev)
{
	struct sk_b_msg m = { .type = SK_B_ASYNC, .async = { ev->code, ev->param1, ev->param2, ev->param3 } };

	s->cfg.tell(s->cfg.ctx, &m);
	switch (ev->code) {
	case ASYNC_SENSE:
		async_sense(s, ev);
		break;
	case ASYNC_LOGOUT:
		leave_as_asked(s);
		break;
	case ASYNC_DROP:
	case ASYNC_DROP_ALL:
		sk_serve_want_drop(s, SK_ECONN, "the target dropped the connection");
		break;
	}
}

void sk_serve_events(struct sk_serve *s)
{
	struct sk_engine_event ev;

	while (sk_engine_next_event(s->e, &ev)) {
		switch (ev.kind) {
		case SK_EV_ASYNC:
			async_event(s, &ev);
			break;
		case SK_EV_LOGOUT:
			if (s->state == SK_SERVE_LEAVING)
				sk_serve_say(s, SK_B_OUT, NULL, 0);
			else
				sk_serve_want_drop(s, SK_ECONN, "logged out as the target asked");
			break;
		case SK_EV_REJECT:
			sk_warning(SK_ROOM_DATAPATH, "the target rejected a PDU, reason 0x%02x", ev.code);
			if (ev.code == SK_REJECT_WAIT_LOGOUT)
				leave_as_asked(s);
			break;
		default:
			break;
		}
	}
}
