/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "proto/login.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "proto/login_steps.h"

#define REQUESTS_MAX 32
#define TEXT_PER_PDU 8192U /* what the target takes until it declares something else (RFC 7143, 13.12) */
#define ITT	     0U	   /* one tag all through the login (11.12) */

/* The only way into GIVE_UP. */
static int give_up(struct sk_login *l, const struct sk_err *why, struct sk_err *err)
{
	l->error = *why;
	l->want = SK_WANT_GIVE_UP;
	sk_text_out_reset(&l->out);
	sk_text_in_reset(&l->in);
	sk_buf_wipe(&l->answers);
	sk_chap_auth_wipe(&l->chap);
	if (err)
		*err = *why;
	return -1;
}

static int ask_to_send(struct sk_login *l, struct sk_err *err)
{
	if (l->requests == REQUESTS_MAX)
		return sk_fail(err, SK_EPROTO, "the login does not end: %d requests were answered", REQUESTS_MAX);
	l->want = SK_WANT_SEND;
	return 0;
}

/* The next request's text: what the step says, then the answers that are due. */
static int start_step(struct sk_login *l, enum sk_login_step step, struct sk_err *err)
{
	const struct sk_login_step_row *row = sk_login_step_row(step);

	l->step = step;
	sk_text_out_reset(&l->out);
	if (row->make)
		row->make(l, &l->out.buf);
	sk_buf_add(&l->out.buf, sk_buf_cstr(&l->answers), l->answers.n);
	if (l->out.buf.nomem || l->answers.nomem)
		return sk_fail(err, SK_ENOMEM, "no memory for a login request");
	sk_buf_wipe(&l->answers);
	return ask_to_send(l, err);
}

static int setup(struct sk_login *l, struct sk_rng *rng, struct sk_err *err)
{
	const struct sk_login_cfg *cfg = &l->cfg;

	if (!cfg->initiator.s[0] || (!cfg->discovery && !cfg->target.s[0]))
		return sk_fail(err, SK_EINVAL, "a login without %s name (RFC 7143, 6.3.1)",
			       cfg->initiator.s[0] ? "a target" : "an initiator");
	if (sk_negotiate_init(&l->neg, cfg, err) < 0)
		return -1;
	l->authenticates = cfg->chap.password[0] || cfg->chap.password_in[0];
	if (l->authenticates && sk_chap_auth_init(&l->chap, &cfg->chap, cfg->initiator.s, rng, err) < 0)
		return -1;
	if (l->chap.mutual && cfg->pending)
		sk_chap_auth_enter(&l->chap, cfg->pending);
	l->max_text = cfg->max_text ? SK_MIN(cfg->max_text, TEXT_PER_PDU) : TEXT_PER_PDU;
	return start_step(l, sk_login_first_step(l), err);
}

struct sk_login *sk_login_new(const struct sk_login_cfg *cfg, struct sk_rng *rng, struct sk_err *err)
{
	struct sk_login *l = calloc(1, sizeof(*l));

	if (!l) {
		sk_fail(err, SK_ENOMEM, "no memory for a login");
		return NULL;
	}
	l->cfg = *cfg;
	if (setup(l, rng, err) < 0) {
		sk_login_free(l);
		return NULL;
	}
	return l;
}

void sk_login_free(struct sk_login *l)
{
	if (!l)
		return;
	sk_text_out_reset(&l->out);
	sk_text_in_reset(&l->in);
	sk_buf_wipe(&l->answers);
	sk_chap_auth_wipe(&l->chap);
	sk_wipe_free(l, sizeof(*l));
}

enum sk_login_want sk_login_want(const struct sk_login *l)
{
	return l->want;
}

int sk_login_take(struct sk_login *l, struct sk_pdu *ret_pdu, struct sk_err *err)
{
	const struct sk_login_step_row *row = sk_login_step_row(l->step);
	struct sk_pdu pdu = { 0 };
	struct sk_login_req r = { 0 };
	struct sk_span part;

	if (l->want != SK_WANT_SEND)
		return sk_fail(err, SK_EINVAL, "nothing is to be sent in this login now");
	part = sk_text_out_next(&l->out, l->max_text, &r.cont);
	sk_buf_add(&pdu.data, part.p, part.n);
	if (pdu.data.nomem) {
		struct sk_err why = { 0 };

		sk_fail(&why, SK_ENOMEM, "no memory for a login request");
		return give_up(l, &why, err);
	}
	r.csg = (uint8_t)row->csg;
	r.transit = row->transit && !r.cont;
	r.nsg = r.transit ? (uint8_t)row->nsg : 0;
	r.isid = l->cfg.isid;
	r.tsih = l->cfg.tsih;
	r.itt = ITT;
	r.cid = l->cfg.cid;
	r.cmd_sn = l->cfg.cmd_sn;
	r.exp_stat_sn = l->exp_stat_sn;
	sk_login_req_put(pdu.bhs, &r);
	l->out_more = r.cont;
	l->transit = r.transit;
	l->requests++;
	l->want = SK_WANT_RECV;
	*ret_pdu = pdu;
	return sk_pdu_put_len(ret_pdu, err);
}

/* Where the target moved: the first TargetAddress that can be read (RFC 7143, 11.13.5, 13.8). */
static int redirected(struct sk_login *l, uint16_t status, struct sk_span text, struct sk_err *err)
{
	static const char key[] = "TargetAddress=";
	struct sk_err why = { 0 };

	sk_fail(&why, SK_EPROTO, "no TargetAddress (RFC 7143, 11.13.5)");
	while (text.n) {
		const uint8_t *nul = memchr(text.p, '\0', text.n);
		size_t n = nul ? (size_t)(nul - text.p) : text.n;
		size_t skip = sizeof(key) - 1;

		if (n > skip && memcmp(text.p, key, skip) == 0 &&
		    sk_portal_parse(sk_span(text.p + skip, n - skip), SK_PORTAL_PORT, &l->redirect, &why) == 0) {
			l->permanent = status == 0x0102;
			l->want = SK_WANT_REDIRECT;
			return 0;
		}
		n += nul ? 1 : 0;
		text.p += n;
		text.n -= n;
	}
	sk_fail(err, SK_EPROTO, "%s", why.msg);
	return sk_in(err, "the target moved and does not tell where");
}

/* Status-Class other than 0: the login is over (RFC 7143, 11.13.5). Other fields may be anything then. */
static int refused(struct sk_login *l, uint16_t status, struct sk_span text, struct sk_err *err)
{
	bool who = status == 0x0201 || status == 0x0202;

	if (status >> 8 == 1)
		return redirected(l, status, text, err);
	sk_fail(err, who ? SK_EAUTH : SK_ELOGIN, "login refused: %s (0x%04x)", sk_login_status_text(status),
		status);
	if (err)
		err->login = status;
	return -1;
}

/* What a response without error status must repeat (RFC 7143, 6.3, 11.13). */
static int check_header(const struct sk_login *l, const struct sk_login_rsp *r, struct sk_err *err)
{
	const struct sk_login_step_row *row = sk_login_step_row(l->step);

	if (r->version_active != 0)
		return sk_fail(err, SK_EPROTO,
			       "login response of version 0x%02x, 0x00 was offered (RFC 7143, 11.13.2)",
			       r->version_active);
	if (memcmp(&r->isid, &l->cfg.isid, sizeof(r->isid)) != 0)
		return sk_fail(err, SK_EPROTO, "login response for another ISID (RFC 7143, 11.13)");
	if (r->csg != row->csg)
		return sk_fail(err, SK_EPROTO,
			       "login response of stage %u, the request was of stage %u (RFC 7143, 11.12.3)",
			       r->csg, (unsigned)row->csg);
	if (l->have_stat_sn && r->stat_sn != l->exp_stat_sn)
		return sk_fail(err, SK_EPROTO,
			       "login response with StatSN 0x%08x, 0x%08x was due (RFC 7143, 11.13.4)", r->stat_sn,
			       l->exp_stat_sn);
	if (r->transit && !l->transit)
		return sk_fail(err, SK_EPROTO,
			       "the target leaves the stage unasked: T=1 after T=0 (RFC 7143, 11.13.6)");
	if (r->transit && r->nsg != row->nsg)
		return sk_fail(err, SK_EPROTO, "the target goes to stage %u, %u was asked for (RFC 7143, 11.13.6)",
			       r->nsg, (unsigned)row->nsg);
	return 0;
}

/* The final response (RFC 7143, 6.3.4): the full-feature phase begins. */
static int finish(struct sk_login *l, const struct sk_login_rsp *r, struct sk_err *err)
{
	struct sk_params *p = &l->result;

	if (sk_negotiate_finish(&l->neg, p, err) < 0)
		return -1;
	if (l->cfg.tsih == 0 && r->tsih == 0 && !l->cfg.discovery)
		return sk_fail(err, SK_EPROTO, "the target gives the new session no TSIH (RFC 7143, 11.13.3)");
	if (l->cfg.tsih && r->tsih != l->cfg.tsih)
		return sk_fail(err, SK_EPROTO, "login response for session 0x%04x, not 0x%04x (RFC 7143, 11.13.3)",
			       r->tsih, l->cfg.tsih);
	p->tsih = r->tsih;
	p->isid = l->cfg.isid;
	p->cmd_sn = l->cfg.cmd_sn;
	p->exp_stat_sn = l->exp_stat_sn;
	p->exp_cmd_sn = r->exp_cmd_sn;
	p->max_cmd_sn = r->max_cmd_sn;
	if (sk_sn_lt(r->max_cmd_sn, r->exp_cmd_sn - 1)) /* senseless: both are ignored (4.2.2.1); a window of one */
		p->exp_cmd_sn = p->max_cmd_sn = l->cfg.cmd_sn;
	l->want = SK_WANT_DONE;
	sk_chap_auth_wipe(&l->chap);
	explicit_bzero(&l->cfg.chap, sizeof(l->cfg.chap));
	return 0;
}

/* A complete text from the target: understand it, go where it leads. */
static int hear(struct sk_login *l, const struct sk_login_rsp *r, struct sk_err *err)
{
	const struct sk_login_step_row *row = sk_login_step_row(l->step);
	enum sk_login_step next = r->transit ? row->go : row->stay;
	struct sk_text text;

	if (sk_text_parse(sk_buf_span(&l->in.buf), &text, err) < 0 || row->hear(l, &text, err) < 0)
		return -1;
	sk_text_in_reset(&l->in);
	return next == SK_STEP_FULL ? finish(l, r, err) : start_step(l, next, err);
}

static int feed(struct sk_login *l, const struct sk_pdu *pdu, struct sk_err *err)
{
	struct sk_span text = sk_buf_span(&pdu->data);
	struct sk_login_rsp r;

	if (l->want == SK_WANT_SEND)
		return sk_fail(err, SK_EPROTO, "%s while no request is outstanding (RFC 7143, 6.3)",
			       sk_op_name(pdu->bhs[0]));
	if (sk_bhs_op(pdu->bhs) == SK_OP_REJECT)
		return sk_fail(err, SK_EPROTO,
			       "the target rejects the login request: %s (0x%02x) (RFC 7143, 11.17)",
			       sk_reject_text(pdu->bhs[2]), pdu->bhs[2]);
	if (sk_login_rsp_get(sk_span(pdu->bhs, SK_BHS_LEN), &r, err) < 0)
		return -1;
	if (r.itt != ITT)
		return sk_fail(err, SK_EPROTO,
			       "login response with task tag 0x%08x, 0x%08x was due (RFC 7143, 11.13)", r.itt, ITT);
	if (r.status != 0)
		return refused(l, r.status, text, err);
	if (check_header(l, &r, err) < 0)
		return -1;
	l->have_stat_sn = true;
	l->exp_stat_sn = r.stat_sn + 1;
	if (l->out_more) { /* more of our text is to come (6.2) */
		if (text.n || r.cont)
			return sk_fail(err, SK_EPROTO,
				       "text from the target before ours was complete (RFC 7143, 6.2)");
		return ask_to_send(l, err);
	}
	if (sk_text_in_add(&l->in, text, err) < 0)
		return -1;
	return r.cont ? ask_to_send(l, err) : hear(l, &r, err);
}

int sk_login_feed(struct sk_login *l, const struct sk_pdu *pdu, struct sk_err *err)
{
	struct sk_err why = { 0 };

	if (l->want != SK_WANT_SEND && l->want != SK_WANT_RECV)
		return sk_fail(err, SK_EINVAL, "this login is over");
	return feed(l, pdu, &why) < 0 ? give_up(l, &why, err) : 0;
}

const struct sk_params *sk_login_result(const struct sk_login *l)
{
	return l->want == SK_WANT_DONE ? &l->result : NULL;
}

const struct sk_portal *sk_login_redirect(const struct sk_login *l, bool *permanent)
{
	if (l->want != SK_WANT_REDIRECT)
		return NULL;
	*permanent = l->permanent;
	return &l->redirect;
}

const struct sk_err *sk_login_error(const struct sk_login *l)
{
	return &l->error;
}

bool sk_login_retryable(const struct sk_login *l)
{
	return l->want == SK_WANT_GIVE_UP && l->error.login >> 8 == 3;
}
