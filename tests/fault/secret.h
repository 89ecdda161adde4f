/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_TESTS_FAULT_SECRET_H
#define SK_TESTS_FAULT_SECRET_H

/* What both ends of the played sessions know */
#define FAULT_SECRET "initiator-pass1"
#define FAULT_SECRET_IN "target-pass-12"

#endif
