/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz/fuzz.h"

/**
 * Replays a corpus through a fuzz target without libFuzzer, as a unit test: each file of the directories given,
 * whole, then each of its prefixes, then with each byte changed (for files up to SMALL bytes).
 */

#define SMALL	 1024
#define FILE_MAX (1L << 20)

static unsigned runs;

static void run(const uint8_t *p, size_t n)
{
	uint8_t *exact = malloc(n ? n : 1); /* a copy of just this size: a sanitizer sees the first byte too many */

	if (!exact)
		exit(2);
	memcpy(exact, p, n);
	LLVMFuzzerTestOneInput(exact, n);
	free(exact);
	runs++;
}

static void run_variants(uint8_t *p, size_t n)
{
	static const uint8_t flips[] = { 0x01, 0x80, 0xff };

	run(p, n);
	for (size_t i = 0; i < n && n <= SMALL; i++) {
		run(p, i);
		for (size_t k = 0; k < sizeof(flips); k++) {
			p[i] ^= flips[k];
			run(p, n);
			p[i] ^= flips[k];
		}
	}
}

static int run_file(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	struct stat st;
	uint8_t *p;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size > FILE_MAX) {
		perror(name);
		return -1;
	}
	p = malloc((size_t)st.st_size + 1);
	n = p ? read(fd, p, (size_t)st.st_size) : -1;
	close(fd);
	if (n < 0) {
		perror(name);
		free(p);
		return -1;
	}
	run_variants(p, (size_t)n);
	free(p);
	return 0;
}

static int run_dir(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	int rc = 0;

	if (!d) {
		perror(path);
		return -1;
	}
	while (rc == 0 && (e = readdir(d)))
		if (e->d_name[0] != '.')
			rc = run_file(dirfd(d), e->d_name);
	closedir(d);
	return rc;
}

int main(int argc, char **argv)
{
	run((const uint8_t *)"", 0);
	for (int i = 1; i < argc; i++)
		if (run_dir(argv[i]) < 0)
			return 1;
	printf("%u inputs\n", runs);
	return runs > 1 ? 0 : 1; /* an empty corpus proves nothing */
}
