/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "proto/chap.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/mem.h"

static const struct alg {
	enum sk_chap_alg alg;
	const char *word;   /* in records */
	const char *digest; /* for the crypto provider */
	size_t len;
} algs[SK_CHAP_ALG_COUNT] = {
	{ SK_CHAP_MD5, "MD5", "MD5", 16 },
	{ SK_CHAP_SHA1, "SHA1", "SHA1", 20 },
	{ SK_CHAP_SHA256, "SHA256", "SHA256", 32 },
	{ SK_CHAP_SHA3_256, "SHA3-256", "SHA3-256", 32 },
};

static const struct alg *find(enum sk_chap_alg alg)
{
	for (size_t i = 0; i < SK_ARRAY_LEN(algs); i++)
		if (algs[i].alg == alg)
			return &algs[i];
	return NULL;
}

bool sk_chap_alg_find(struct sk_span word, enum sk_chap_alg *ret)
{
	for (size_t i = 0; i < SK_ARRAY_LEN(algs); i++) {
		if (strlen(algs[i].word) == word.n && memcmp(algs[i].word, word.p, word.n) == 0) {
			*ret = algs[i].alg;
			return true;
		}
	}
	return false;
}

const char *sk_chap_alg_name(enum sk_chap_alg alg)
{
	const struct alg *a = find(alg);

	return a ? a->word : "unknown";
}

size_t sk_chap_digest_len(enum sk_chap_alg alg)
{
	const struct alg *a = find(alg);

	return a ? a->len : 0;
}

static int hash(const struct alg *a, const struct sk_span part[3], uint8_t *ret)
{
	EVP_MD *md = EVP_MD_fetch(NULL, a->digest, NULL);
	EVP_MD_CTX *ctx = md ? EVP_MD_CTX_new() : NULL;
	uint8_t out[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	bool ok = ctx && EVP_DigestInit_ex(ctx, md, NULL) == 1;

	for (int i = 0; ok && i < 3; i++)
		ok = EVP_DigestUpdate(ctx, part[i].p, part[i].n) == 1;
	ok = ok && EVP_DigestFinal_ex(ctx, out, &n) == 1 && n == a->len;
	if (ok)
		memcpy(ret, out, a->len);
	OPENSSL_cleanse(out, sizeof(out));
	EVP_MD_CTX_free(ctx);
	EVP_MD_free(md);
	return ok ? 0 : -1;
}

bool sk_chap_alg_usable(enum sk_chap_alg alg)
{
	const struct alg *a = find(alg);
	const struct sk_span empty[3] = { { (const uint8_t *)"", 0 },
					  { (const uint8_t *)"", 0 },
					  { (const uint8_t *)"", 0 } };
	uint8_t out[SK_CHAP_DIGEST_MAX];

	return a && hash(a, empty, out) == 0;
}

int sk_chap_response(enum sk_chap_alg alg, uint8_t id, struct sk_span secret, struct sk_span challenge,
		     uint8_t ret[SK_CHAP_DIGEST_MAX], struct sk_err *err)
{
	const struct sk_span part[3] = { { &id, 1 }, secret, challenge };
	const struct alg *a = find(alg);

	if (!a)
		return sk_fail(err, SK_EINVAL, "CHAP algorithm %d", (int)alg);
	if (challenge.n == 0 || challenge.n > SK_CHAP_CHALLENGE_MAX)
		return sk_fail(err, SK_EINVAL, "CHAP challenge of %zu bytes, 1..%d are allowed (RFC 7143, 12.1.3)",
			       challenge.n, SK_CHAP_CHALLENGE_MAX);
	if (hash(a, part, ret) < 0)
		return sk_fail(err, SK_ENOTSUP, "the crypto library does not allow %s", a->word);
	return 0;
}

bool sk_chap_equal(const uint8_t *a, const uint8_t *b, size_t n)
{
	return CRYPTO_memcmp(a, b, n) == 0;
}
