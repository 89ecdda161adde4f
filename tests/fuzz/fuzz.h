/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_TESTS_FUZZ_H
#define SK_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/** One input for the code under test; it ends with __builtin_trap when a promise is broken. Always returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#endif
