/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/num.h"
#include "isns-worker/worker.h"
#include "sys/priv.h"

/**
 * isns-worker - talks to an iSNS server with a library that reads strangers' bytes, so that what goes wrong in it ends this
 * process and no other: without privileges, with limits, and with one pipe to who started it (descriptor 3; the form is
 * discover/isns_form.h). The library's own words go nowhere.
 */

#define PIPE_FD	   3
#define MEMORY_MAX (256UL << 20)
#define FILES_MAX  64

#ifdef __has_feature
#define SANITIZED __has_feature(address_sanitizer)
#elif defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#else
#define SANITIZED 0	/* its shadow is larger than any limit */
#endif

#define USER	   "nobody"
#define DEADLINE   3	/* calls' time that a query may take, whoever waits for it */

void sk_worker_say(struct sk_buf *lines)
{
	size_t done = 0;

	if (lines->nomem)
		_exit(1);
	while (done < lines->n) {
		ssize_t n = write(PIPE_FD, lines->p + done, lines->n - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(1);	/* nobody wants to know any more */
		done += (size_t)n;
	}
}

int sk_worker_fail(enum sk_isns_stage stage, const char *why)
{
	SK_BUF struct sk_buf out = { 0 };

	sk_isns_put_fail(&out, stage, why ? why : "unknown");
	sk_worker_say(&out);
	return 1;
}

static void limit(__rlimit_resource_t what, rlim_t most)
{
	struct rlimit r = { most, most };

	(void)setrlimit(what, &r);	/* best effort: a lower limit is in force already */
}

static int confine(struct sk_err *err)
{
	sk_priv_soften();
	if (!SANITIZED)
		limit(RLIMIT_AS, MEMORY_MAX);
	limit(RLIMIT_NOFILE, FILES_MAX);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_FSIZE, 0);
	if (sk_priv_drop(USER, err) < 0)
		return -1;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);	/* after the change of user, which would undo it */
	return 0;
}

static void silence(void)
{
	SK_FD int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; null >= 0 && fd <= 2; fd++)
		(void)dup2(null, fd);
}

static bool count(const char *text, unsigned min, unsigned max, unsigned *ret)
{
	uint64_t v;

	if (!sk_num_u64(text, strlen(text), min, max, &v))
		return false;
	*ret = (unsigned)v;
	return true;
}

static bool parse(int argc, char *argv[], struct sk_worker *w)
{
	static const struct option options[] = {
		{ "server", required_argument, NULL, 's' }, { "port", required_argument, NULL, 'p' },
		{ "name", required_argument, NULL, 'n' },   { "seconds", required_argument, NULL, 't' },
		{ NULL, 0, NULL, 0 },
	};
	unsigned port = SK_ISNS_PORT;
	bool good = true;
	int c;

	while (good && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 's')
			w->host = optarg;
		else if (c == 'p')
			good = count(optarg, 1, 65535, &port);
		else if (c == 't')
			good = count(optarg, 1, 3600, &w->seconds);
		else
			good = c == 'n' && w->n_names < SK_WORKER_NAMES_MAX &&
			       sk_iname_parse(sk_span_str(optarg), &w->names[w->n_names++], NULL) == 0;
	}
	w->port = (uint16_t)port;
	return good && optind == argc - 1 && w->host && w->n_names;
}

int main(int argc, char *argv[])
{
	struct sk_worker w = { .seconds = 15 };
	SK_BUF struct sk_buf hello = { 0 };
	bool listen;

	if (!parse(argc, argv, &w) || (strcmp(argv[optind], "discover") != 0 && strcmp(argv[optind], "listen") != 0)) {
		fputs("usage: isns-worker --server HOST [--port N] [--seconds N] --name IQN … discover|listen\n"
		      "iscsiadm and iscsid start it; it answers on descriptor 3.\n", stderr);
		return 2;
	}
	listen = !strcmp(argv[optind], "listen");
	silence();
	if (fcntl(PIPE_FD, F_GETFD) < 0)
		return 2;
	sk_isns_put_hello(&hello);
	sk_worker_say(&hello);
	if (confine(&w.err) < 0)
		return sk_worker_fail(SK_ISNS_START, w.err.msg);
	if (sk_worker_reach(&w) < 0)
		return sk_worker_fail(SK_ISNS_CONNECT, w.err.msg);
	if (sk_worker_open(&w) < 0)
		return sk_worker_fail(SK_ISNS_START, w.err.msg);
	if (!listen)
		alarm(w.seconds * DEADLINE);
	return listen ? sk_worker_listen(&w) : sk_worker_discover(&w);
}
