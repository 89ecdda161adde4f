/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* storms [--conversations N] [--faults N] [--seconds N] [--seed N] [--list]: runs storms, alternately by a liar and by an
 * honest target, until any limit is reached, and reports. A seed names one conversation: --seed N --conversations 1. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fault/storm.h"
#include "fault/wrong.h"

static unsigned long long option(int argc, char **argv, const char *name, unsigned long long dflt)
{
	for (int i = 1; i + 1 < argc; i++)
		if (!strcmp(argv[i], name))
			return strtoull(argv[i + 1], NULL, 10);
	return dflt;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	unsigned long long most = option(argc, argv, "--conversations", 500), seed = option(argc, argv, "--seed", 1);
	unsigned long long faults = option(argc, argv, "--faults", ~0ULL);
	double start = seconds(), limit = (double)option(argc, argv, "--seconds", 86400);
	struct storm_report rep = { 0 };
	unsigned kinds = 0;

	while (rep.conversations < most && rep.faults < faults && seconds() - start < limit) {
		struct dice d = dice_seed(seed);

		if (getenv("WORLD_TRACE"))
			fprintf(stderr, "seed %llu\n", seed);
		storm(&d, seed % 2, &rep);
		seed++;
	}
	for (unsigned i = 0; i < n_wrongs; i++)
		kinds += rep.by_wrong[i] > 0;
	printf("%llu conversations, %llu faults of %u kinds out of %u, %llu PDUs, %llu requests done, %llu failed, %llu logins, "
	       "%llu connections lost; next seed %llu; %.1f s\n", rep.conversations, rep.faults, kinds, n_wrongs, rep.pdus,
	       rep.acked, rep.failed, rep.logins, rep.losses, seed, seconds() - start);
	return 0;
}
