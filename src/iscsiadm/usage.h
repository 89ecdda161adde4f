/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_ISCSIADM_USAGE_H
#define SK_ISCSIADM_USAGE_H

/** sk_adm_usage - what -h prints */
extern const char sk_adm_usage[];

#endif
