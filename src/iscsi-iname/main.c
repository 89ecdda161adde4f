/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "loop/rng.h"

/** iscsi-iname: a new initiator name, as unique as 48 random bits make it */

#define PREFIX_MAX 210 /* leaves room for ':' and twelve digits in a name of 223 bytes */

static const char usage[] =
	"iscsi-iname - print a new iSCSI initiator name\n"
	"\n"
	"  iscsi-iname [-p PREFIX] [-g]\n"
	"\n"
	"  -p, --prefix PREFIX            what comes before the random part; default " SK_INAME_PREFIX "\n"
	"  -g, --generate-iname-prefix    print a line for initiatorname.iscsi: InitiatorName=...\n"
	"  -h, --help                     this text\n";

static int say_usage(int status)
{
	fputs(usage, stderr);
	return status;
}

static int print_name(const char *prefix, const char *before)
{
	struct sk_rng rng = sk_rng_system();
	unsigned char b[6];

	if (rng.fill(rng.ctx, b, sizeof(b)) < 0) {
		fputs("error: no random numbers\n", stderr);
		return 1;
	}
	printf("%s%s:", before, prefix);
	for (size_t i = 0; i < sizeof(b); i++)
		printf("%x", b[i]);
	putchar('\n');
	return fflush(stdout) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "prefix", required_argument, NULL, 'p' },
		{ "generate-iname-prefix", no_argument, NULL, 'g' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *prefix = SK_INAME_PREFIX, *before = "";
	int c;

	while ((c = getopt_long(argc, argv, "p:gh", options, NULL)) != -1) {
		/* clang-format off */
		switch (c) {
		case 'p': prefix = optarg; break;
		case 'g': before = "InitiatorName="; break;
		case 'h': return say_usage(0);
		default: return say_usage(1);
		}
		/* clang-format on */
	}
	if (optind < argc) {
		fputs("error: unknown argument(s)\n", stderr);
		return say_usage(1);
	}
	if (strlen(prefix) > PREFIX_MAX) {
		fputs("error: prefix too long\n", stderr);
		return say_usage(1);
	}
	return print_name(prefix, before);
}
