/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "config.h"
#include "discover/firmware.h"
#include "iscsistart/net.h"
#include "iscsistart/run.h"

/** iscsistart - logins at boot: the firmware's word or the command line's, no daemon, no database. */

static void to_stderr(void *ctx, enum sk_level level, enum sk_room room, const char *text)
{
	(void)ctx;
	(void)level;
	(void)room;
	fprintf(stderr, "iscsistart: %s\n", text);
}

static void to_stdout(void *ctx, const char *text)
{
	(void)ctx;
	fputs(text, stdout);
}

/** @none is what the incumbent says when there is nothing */
static int read_boot(const struct sk_places *places, const char *none, struct sk_boot *ret)
{
	struct sk_err err = { 0 };

	if (sk_firmware_read(places, to_stdout, NULL, ret, &err) == 0 && ret->n)
		return 0;
	printf("%s\n", none);
	if (err.code)
		fprintf(stderr, "iscsistart: %s\n", err.msg);
	return SK_RES_NO_OBJS_FOUND;
}

static int print(const struct sk_places *places)
{
	SK_BOOT struct sk_boot boot = { 0 };
	struct sk_buf out = { 0 };
	int status = read_boot(places, "Could not get list of targets from firmware.", &boot);

	for (size_t i = 0; i < boot.n; i++)
		sk_firmware_print(&out, &boot.v[i]);
	fwrite(sk_buf_cstr(&out), 1, out.n, stdout);
	sk_buf_wipe(&out);
	return status;
}

static int network(const struct sk_places *places)
{
	SK_BOOT struct sk_boot boot = { 0 };
	int status = read_boot(places, "Could not setup fw entries.", &boot);

	return status ? status : sk_start_network(&boot);
}

static int login(const struct sk_start_opts *o, const struct sk_places *places)
{
	static const char none[] = "Could not get boot entry.";
	bool fw = o->what == SK_START_FIRMWARE;
	SK_BOOT struct sk_boot boot = { 0 };
	struct sk_start_jobs jobs;
	int status = fw ? read_boot(places, none, &boot) : 0;

	if (!status && fw && !boot.booted) {
		printf("%s\n", none);
		status = SK_RES_NO_OBJS_FOUND;
	}
	if (status)
		return status;
	fprintf(stderr, "iscsistart: version %s\n", SK_VERSION);
	if (sk_start_jobs_make(o, places, fw ? &boot : NULL, &jobs) < 0)
		return 1;
	status = sk_start_run(places, &jobs);
	sk_start_jobs_free(&jobs);
	return status;
}

static int act(const struct sk_start_opts *o)
{
	struct sk_places places;
	struct sk_err err = { 0 };

	if (sk_places_init(&places, &err) == 0 && o->conf && strlen(o->conf) >= sizeof(places.conf_file))
		sk_fail(&err, SK_EINVAL, "the name of the configuration file is too long");
	if (err.code) {
		fprintf(stderr, "iscsistart: %s\n", err.msg);
		return SK_RES_INVAL;
	}
	if (o->conf)
		snprintf(places.conf_file, sizeof(places.conf_file), "%s", o->conf);
	switch (o->what) {
	case SK_START_PRINT:
		return print(&places);
	case SK_START_NETWORK:
		return network(&places);
	case SK_START_LOGIN:
	case SK_START_FIRMWARE:
		return login(o, &places);
	case SK_START_OVER:
		break;
	}
	return o->status;
}

/* The processes of the user transport outlive us: whoever reads our output to its end must not wait for theirs. So 1 and 2,
 * which they inherit, lead nowhere, and our own streams are moved (they are variables in the C library we build with). */
static void part_streams(void)
{
	SK_FD int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	FILE **const streams[] = { &stdout, &stderr };

	for (int i = 0; null >= 0 && i < 2; i++) {
		int fd = fcntl(i + 1, F_DUPFD_CLOEXEC, 3);
		FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

		if (!f)
			continue; /* closed by whoever started us, or no memory: then all is left as it was */
		setvbuf(f, NULL, i == 0 ? _IOLBF : _IONBF, 0);
		(void)dup2(null, i + 1);
		*streams[i] = f;
	}
}

int main(int argc, char *argv[])
{
	struct sk_start_opts o;
	int status;

	umask(0077);
	signal(SIGINT, SIG_IGN); /* a key at the console must not keep the machine from its disk */
	signal(SIGPIPE, SIG_IGN);
	sk_start_parse(argc, argv, &o);
	if (o.what == SK_START_LOGIN || o.what == SK_START_FIRMWARE)
		part_streams();
	sk_log_to(to_stderr, NULL, o.debug ? SK_LOG_DEBUG : SK_LOG_NOTICE, SK_ROOM_ALL);
	status = o.what == SK_START_OVER ? o.status : act(&o);
	sk_start_opts_free(&o);
	return fflush(stdout) == 0 ? status : 1;
}
