/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_LOOP_RNG_H
#define SK_LOOP_RNG_H

#include "base/rng.h"

/** sk_rng_system - getrandom(2); one for the process */
struct sk_rng sk_rng_system(void);

#endif
