/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "proto/chap_auth.h"

#include <string.h>

#include "base/mem.h"
#include "proto/keys.h"

static struct sk_span field(const char *s, size_t size)
{
	return sk_span(s, strnlen(s, size));
}

static struct sk_span secret_out(const struct sk_chap_auth *a)
{
	return field(a->cfg->password, sizeof(a->cfg->password));
}

static struct sk_span secret_in(const struct sk_chap_auth *a)
{
	return field(a->cfg->password_in, sizeof(a->cfg->password_in));
}

static void take_algs(struct sk_chap_auth *a)
{
	static const enum sk_chap_alg only_md5[] = { SK_CHAP_MD5 };
	const enum sk_chap_alg *from = a->cfg->n_algs ? a->cfg->algs : only_md5;
	unsigned n = a->cfg->n_algs ? a->cfg->n_algs : 1;

	for (unsigned i = 0; i < n && i < SK_CHAP_ALG_COUNT; i++)
		if (sk_chap_alg_usable(from[i]))
			a->algs[a->n_algs++] = from[i];
}

int sk_chap_auth_init(struct sk_chap_auth *a, const struct sk_chap_cfg *cfg, const char *initiator_name,
		      struct sk_rng *rng, struct sk_err *err)
{
	struct sk_span out, in;

	memset(a, 0, sizeof(*a));
	a->cfg = cfg;
	a->name = cfg->username[0] ? cfg->username : initiator_name;
	out = secret_out(a);
	in = secret_in(a);
	a->mutual = in.n > 0;
	if (out.n == 0)
		return sk_fail(err, SK_EAUTH, "CHAP credentials for the target but none for this side");
	if (in.n == out.n && memcmp(in.p, out.p, in.n) == 0)
		return sk_fail(err, SK_EAUTH,
			       "the CHAP secrets of both directions are equal; they must differ (RFC 7143, 9.2.1)");
	take_algs(a);
	if (a->n_algs == 0)
		return sk_fail(err, SK_ENOTSUP,
			       "the crypto library allows none of the CHAP algorithms asked for (%s%s)",
			       cfg->n_algs ? sk_chap_alg_name(cfg->algs[0]) : "MD5", cfg->n_algs > 1 ? " ..." : "");
	if (rng->fill(rng->ctx, &a->id, sizeof(a->id)) < 0 ||
	    rng->fill(rng->ctx, a->challenge, sizeof(a->challenge)) < 0)
		return sk_fail(err, SK_EIO, "no random bytes for a CHAP challenge");
	return 0;
}

void sk_chap_auth_enter(struct sk_chap_auth *a, struct sk_chap_pending *pending)
{
	a->pending = pending;
	a->next = pending->first;
	pending->first = a;
}

void sk_chap_auth_wipe(struct sk_chap_auth *a)
{
	struct sk_chap_auth **at = a->pending ? &a->pending->first : NULL;

	while (at && *at && *at != a)
		at = &(*at)->next;
	if (at && *at)
		*at = a->next;
	explicit_bzero(a, sizeof(*a));
}

void sk_chap_auth_offer(const struct sk_chap_auth *a, struct sk_buf *out)
{
	sk_buf_str(out, "CHAP_A=");
	for (unsigned i = 0; i < a->n_algs; i++)
		sk_buf_printf(out, "%s%d", i ? "," : "", (int)a->algs[i]);
	sk_buf_ch(out, '\0');
}

static int want(const struct sk_text *in, const char *key, struct sk_span *ret, struct sk_err *err)
{
	const struct sk_text_pair *p = sk_text_find(in, key);

	if (!p)
		return sk_fail(err, SK_EAUTH, "the target does not send %s (RFC 7143, 12.1.3)", key);
	*ret = p->value;
	return 0;
}

static int hear_alg(struct sk_chap_auth *a, const struct sk_text *in, struct sk_err *err)
{
	struct sk_span value;
	uint64_t alg;

	if (want(in, "CHAP_A", &value, err) < 0)
		return -1;
	if (sk_text_is(value, "Reject"))
		return sk_fail(err, SK_EAUTH, "the target accepts none of the CHAP algorithms offered");
	if (sk_text_num(value, &alg)) {
		for (unsigned i = 0; i < a->n_algs; i++) {
			if ((uint64_t)a->algs[i] == alg) {
				a->alg = a->algs[i];
				return 0;
			}
		}
	}
	return sk_fail(err, SK_EAUTH,
		       "the target chose CHAP algorithm %s, which was not offered (RFC 7143, 12.1.3)",
		       sk_text_quote(value).s);
}

/* Is it a challenge of ours, of this login or of another one under way? As long as any digest. */
static bool is_ours(const struct sk_chap_auth *a, const uint8_t *c, size_t n)
{
	if (n < 16 || n > SK_CHAP_DIGEST_MAX)
		return false;
	if (sk_chap_equal(c, a->challenge, n))
		return true;
	for (const struct sk_chap_auth *o = a->pending ? a->pending->first : NULL; o; o = o->next)
		if (sk_chap_equal(c, o->challenge, n))
			return true;
	return false;
}

/* The target's challenge decoded, and checked against being ours come back (9.2.1). */
static int hear_challenge(const struct sk_chap_auth *a, const struct sk_text *in, uint8_t *id,
			  uint8_t buf[SK_CHAP_CHALLENGE_MAX], struct sk_span *ret, struct sk_err *err)
{
	struct sk_span value;
	uint32_t v;
	size_t n;

	if (want(in, "CHAP_I", &value, err) < 0 || sk_key_read(sk_key_row(SK_KEY_CHAP_I), value, &v, err) < 0 ||
	    want(in, "CHAP_C", &value, err) < 0)
		return -1;
	if (!sk_text_bin(value, buf, SK_CHAP_CHALLENGE_MAX, &n))
		return sk_fail(err, SK_EPROTO, "CHAP_C=%s is not a challenge of 1..%d bytes (RFC 7143, 12.1.3)",
			       sk_text_quote(value).s, SK_CHAP_CHALLENGE_MAX);
	if (is_ours(a, buf, n))
		return sk_fail(err, SK_EAUTH, "the target sends our own challenge back (RFC 7143, 9.2.1)");
	*id = (uint8_t)v;
	*ret = sk_span(buf, n);
	return 0;
}

int sk_chap_auth_answer(struct sk_chap_auth *a, const struct sk_text *in, struct sk_buf *out, struct sk_err *err)
{
	uint8_t buf[SK_CHAP_CHALLENGE_MAX], id = 0;
	struct sk_span challenge = { 0 };
	size_t len;

	if (hear_alg(a, in, err) < 0 || hear_challenge(a, in, &id, buf, &challenge, err) < 0 ||
	    sk_chap_response(a->alg, id, secret_out(a), challenge, a->response, err) < 0)
		return -1;
	len = sk_chap_digest_len(a->alg);
	sk_text_put(out, "CHAP_N", a->name);
	sk_text_put_bin(out, "CHAP_R", sk_span(a->response, len));
	if (!a->mutual)
		return 0;
	if (sk_chap_response(a->alg, a->id, secret_in(a), sk_span(a->challenge, len), a->expected, err) < 0)
		return -1;
	sk_text_put_num(out, "CHAP_I", a->id);
	sk_text_put_bin(out, "CHAP_C", sk_span(a->challenge, len));
	return 0;
}

int sk_chap_auth_verify(const struct sk_chap_auth *a, const struct sk_text *in, struct sk_err *err)
{
	struct sk_span name, value, wanted = field(a->cfg->username_in, sizeof(a->cfg->username_in));
	uint8_t got[SK_CHAP_DIGEST_MAX];
	size_t n, len = sk_chap_digest_len(a->alg);

	if (!a->mutual)
		return 0;
	if (want(in, "CHAP_N", &name, err) < 0 || want(in, "CHAP_R", &value, err) < 0)
		return sk_in(err, "the target does not prove itself");
	if (wanted.n && (name.n != wanted.n || memcmp(name.p, wanted.p, name.n) != 0))
		return sk_fail(err, SK_EAUTH,
			       "the target calls itself \"%s\" in CHAP_N, another name is configured",
			       sk_text_quote(name).s);
	if (!sk_text_bin(value, got, sizeof(got), &n) || n != len)
		return sk_fail(err, SK_EAUTH, "the target's CHAP_R has not the %zu bytes of %s (RFC 7143, 12.1.3)",
			       len, sk_chap_alg_name(a->alg));
	if (sk_chap_equal(got, a->response, len))
		return sk_fail(err, SK_EAUTH, "the target sends our own response back (RFC 7143, 9.2.1)");
	if (!sk_chap_equal(got, a->expected, len))
		return sk_fail(err, SK_EAUTH, "the target's CHAP response is wrong: it does not know the secret");
	return 0;
}
