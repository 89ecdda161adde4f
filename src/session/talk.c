/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "session/inner.h"

#define SECRET_MIN 12U	/* bytes: 96 bits */

/** The login conversation: proto/login on one side, the transport on the other; its end becomes an event of the
 * machine. */

/* A portal group is a SCSI target port: a session is with one for its life, and what the same ISID meets at another is
 * another nexus, without our reservations (RFC 7143, 4.4.3 and 13.9). A redirect may name one too; it does not change that. */
static int32_t group_to_meet(const struct sk_session *s)
{
	if (s->m.established && s->group != SK_TPGT_NONE && !s->all->cfg.any_group)
		return s->group;
	return s->m.redirected ? s->redirect.tpgt : SK_TPGT_NONE;
}

static int login_cfg(struct sk_session *s, struct sk_login_cfg *ret, struct sk_err *err)
{
	if (sk_node_login_cfg(s->node, &s->initiator, ret, err) < 0)
		return -1;
	ret->isid = s->isid;
	ret->tsih = 0; /* a new session, or reinstatement of the lost one */
	ret->cid = 0;
	ret->pending = &s->all->pending;
	memcpy(ret->initiator_alias, s->all->cfg.alias, sizeof(ret->initiator_alias));
	ret->expect_tpgt = group_to_meet(s);
	return 0;
}

static void refused(struct sk_session *s, enum sk_cause cause, const struct sk_err *why)
{
	sk_session_post(s, (struct sk_sm_event){ .kind = SK_SM_REFUSED, .cause = cause, .why = why });
}

static enum sk_cause cause_of(const struct sk_login *l, const struct sk_err *err)
{
	if (err->code == SK_EAUTH) /* without a status of the target it is the target that failed to prove itself */
		return err->login ? SK_CAUSE_AUTH : SK_CAUSE_FOR_GOOD;
	if (err->code == SK_ELOGIN)
		return sk_login_retryable(l) ? SK_CAUSE_REFUSED : SK_CAUSE_FOR_GOOD;
	return SK_CAUSE_PROTO;
}

static void done(struct sk_session *s)
{
	const struct sk_params *p = sk_login_result(s->login);

	if (p->tpgt >= 0)
		s->group = p->tpgt;
	s->tpgt = p->tpgt >= 0 ? p->tpgt : (int32_t)sk_record_int(s->node, "node.tpgt");
	s->current.tpgt = s->tpgt;
	sk_session_post(s, (struct sk_sm_event){ .kind = SK_SM_LOGIN_DONE, .time2wait_ms = p->time2wait * 1000 });
}

static void redirected(struct sk_session *s)
{
	bool permanent = false;

	s->redirect = *sk_login_redirect(s->login, &permanent);
	s->from = *sk_session_addr(s);
	sk_say_redirect(s, permanent);
	for (const struct waiter *w = s->waiters; w; w = w->next) {
		struct sk_step step = { .kind = SK_STEP_REDIRECT,
					.attempt = s->m.attempts,
					.permanent = permanent };

		snprintf(step.portal, sizeof(step.portal), "%s,%u", s->redirect.host, s->redirect.port);
		if (w->step)
			w->step(w->ctx, &step);
	}
	sk_session_post(s, (struct sk_sm_event){ .kind = SK_SM_REDIRECT });
}

/* Send what the machine has to say until it listens or is through. */
static void drive(struct sk_session *s)
{
	struct sk_err err = { 0 };

	while (s->login && sk_login_want(s->login) == SK_WANT_SEND) {
		struct sk_pdu pdu = { 0 };

		if (sk_login_take(s->login, &pdu, &err) < 0)
			break;
		if (s->t->ops->send(s->x, &pdu, &err) < 0) {
			sk_session_post(s, (struct sk_sm_event){ .kind = SK_SM_DOWN, .why = &err });
			return;
		}
	}
	if (!s->login)
		return;
	switch (sk_login_want(s->login)) {
	case SK_WANT_DONE:
		done(s);
		break;
	case SK_WANT_REDIRECT:
		redirected(s);
		break;
	case SK_WANT_GIVE_UP:
		err = *sk_login_error(s->login);
		refused(s, cause_of(s->login, &err), &err);
		break;
	case SK_WANT_SEND:
	case SK_WANT_RECV:
		break;
	}
}

/* RFC 7143, 9.2.1: below 96 bits a secret can be found by trying, by whoever listens. Told at the first attempt. */
static void warn_of_weak_secrets(const struct sk_session *s, const struct sk_chap_cfg *c)
{
	size_t out = strnlen(c->password, sizeof(c->password)), in = strnlen(c->password_in, sizeof(c->password_in));

	if (s->m.established || s->m.attempts > 1)
		return;
	if ((out && out < SECRET_MIN) || (in && in < SECRET_MIN))
		sk_warning(SK_ROOM_SESSION, "[target: %s, portal: %s,%u]: a CHAP secret of less than %u bytes can be guessed "
			   "(RFC 7143, 9.2.1)", s->target.s, s->host, s->port, SECRET_MIN);
}

void sk_talk_begin(struct sk_session *s)
{
	struct sk_login_cfg cfg = { 0 };
	struct sk_err err = { 0 };

	sk_talk_end(s);
	if (login_cfg(s, &cfg, &err) == 0)
		warn_of_weak_secrets(s, &cfg.chap);
	if (!err.code)
		s->login = sk_login_new(&cfg, s->all->cfg.rng, &err);
	explicit_bzero(&cfg, sizeof(cfg));
	if (s->login)
		drive(s);
	else
		refused(s, SK_CAUSE_FOR_GOOD, &err);
}

void sk_talk_feed(struct sk_session *s, const struct sk_pdu *pdu)
{
	struct sk_err err = { 0 };

	if (!s->login) {
		sk_fail(&err, SK_EPROTO, "the target sent something nobody asked for");
		sk_session_post(s, (struct sk_sm_event){ .kind = SK_SM_DOWN, .why = &err });
		return;
	}
	(void)sk_login_feed(s->login, pdu, &err); /* a failure shows in what it wants next */
	drive(s);
}

void sk_talk_end(struct sk_session *s)
{
	sk_login_free(s->login);
	s->login = NULL;
}
