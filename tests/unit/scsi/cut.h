/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_TEST_SCSI_CUT_H
#define SK_TEST_SCSI_CUT_H

/** Feeds a parser every prefix of an answer from memory of exactly that size (a sanitizer sees a byte too many),
 * and checks that a refusal leaves the output alone. CMocka must be included before. */

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/span.h"

typedef int cut_fn(struct sk_span data, void *ret, struct sk_err *err);

/** cut_all - @min: the shortest prefix that is accepted; every longer one must be too */
static inline void cut_all(cut_fn *fn, const uint8_t *p, size_t n, size_t min, size_t ret_size)
{
	uint8_t *ret = malloc(ret_size), *before = malloc(ret_size);

	assert_non_null(ret);
	assert_non_null(before);
	memset(before, 0x5a, ret_size);
	for (size_t i = 0; i <= n; i++) {
		uint8_t *exact = malloc(i ? i : 1);
		struct sk_err err = { 0 };
		int rc;

		assert_non_null(exact);
		memcpy(exact, p, i);
		memcpy(ret, before, ret_size);
		rc = fn(sk_span(exact, i), ret, &err);
		free(exact);
		assert_int_equal(rc, i < min ? -1 : 0);
		if (rc < 0) {
			assert_memory_equal(ret, before, ret_size);
			assert_true(err.msg[0] != '\0');
		}
	}
	free(ret);
	free(before);
}

#endif
