/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bench_login.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "proto/framer.h"
#include "proto/login.h"

static int fill(void *ctx, void *p, size_t n)
{
	(void)ctx;
	return getrandom(p, n, 0) == (ssize_t)n ? 0 : -1;
}

static int dial(const struct bench_login *cfg, struct sk_err *err)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(cfg->port) };
	SK_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (inet_pton(AF_INET, cfg->host, &a.sin_addr) != 1)
		return sk_fail(err, SK_EINVAL, "%s is not an IPv4 address", cfg->host);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return sk_fail_sys(err, errno, "connect to %s port %u", cfg->host, cfg->port);
	return sk_give_fd(&fd);
}

static int send_one(int fd, struct sk_login *l, struct sk_err *err)
{
	SK_BUF struct sk_buf wire = { 0 };
	struct sk_pdu pdu = { 0 };
	int res;

	if (sk_login_take(l, &pdu, err) < 0)
		return -1;
	res = sk_pdu_put_wire(&wire, &pdu, err);
	sk_pdu_free(&pdu);
	if (res < 0)
		return -1;
	if (write(fd, wire.p, wire.n) != (ssize_t)wire.n)
		return sk_fail_sys(err, errno, "send");
	return 0;
}

static int recv_one(int fd, struct sk_login *l, struct sk_framer *f, struct sk_err *err)
{
	struct sk_pdu pdu = { 0 };
	uint8_t b; /* a byte at a time: nothing after the login may be swallowed */
	int got = 0;

	while (got == 0) {
		struct sk_span in = { &b, 1 };
		ssize_t n = read(fd, &b, 1);

		if (n <= 0)
			return sk_fail_sys(err, n < 0 ? errno : ECONNRESET, "receive");
		got = sk_framer_feed(f, &in, &pdu, err);
	}
	if (got < 0)
		return -1;
	got = sk_login_feed(l, &pdu, err);
	sk_pdu_free(&pdu);
	return got;
}

static int converse(int fd, struct sk_login *l, struct sk_err *err)
{
	struct sk_framer f;
	enum sk_login_want want;
	int res = 0;

	sk_framer_init(&f, 65536);
	while (res == 0 && ((want = sk_login_want(l)) == SK_WANT_SEND || want == SK_WANT_RECV))
		res = want == SK_WANT_SEND ? send_one(fd, l, err) : recv_one(fd, l, &f, err);
	sk_framer_free(&f);
	if (res == 0 && want != SK_WANT_DONE)
		return sk_fail(err, SK_ELOGIN, "the login was redirected or refused");
	return res;
}

int bench_login(const struct bench_login *cfg, struct sk_params *ret, struct sk_err *err)
{
	static const char initiator[] = "iqn.2026-01.example:siskin-bench";
	enum sk_digest_offer digest = cfg->digests ? SK_DIGEST_CRC32C : SK_DIGEST_NONE;
	struct sk_rng rng = { fill, NULL };
	struct sk_login_cfg lc = {
		.expect_tpgt = SK_TPGT_NONE,
		.isid = { { 0x80, 0, 1, 2, 0, 1 } },
		.cmd_sn = 1,
		.header_digest = digest,
		.data_digest = digest,
		.initial_r2t = !cfg->unsolicited,
		.immediate_data = true,
		.max_recv_dsl = 262144,
		.max_burst = 1U << 20,
		.first_burst = 262144,
		.max_outstanding_r2t = 1,
		.time2wait = 2,
	};
	struct sk_login *l;
	SK_FD int fd = -1;
	int res;

	if (sk_iname_parse(sk_span_str(initiator), &lc.initiator, err) < 0 ||
	    sk_iname_parse(sk_span_str(cfg->target), &lc.target, err) < 0)
		return -1;
	fd = dial(cfg, err);
	if (fd < 0)
		return -1;
	l = sk_login_new(&lc, &rng, err);
	if (!l)
		return -1;
	res = converse(fd, l, err);
	if (res == 0)
		*ret = *sk_login_result(l);
	sk_login_free(l);
	return res < 0 ? -1 : sk_give_fd(&fd);
}
