/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SK_SESSION_LOGLINE_H
#define SK_SESSION_LOGLINE_H

/** Where the log of this program goes: standard error, or the system's log without ever waiting (sys/logger.h). */

#include <stdint.h>

#include "base/log.h"

/** sk_logline_start - set the log's sink: standard error, or the system's log (opened now, while everything is allowed).
 * @role: "" or a word put behind the name; lent for the life of the process */
void sk_logline_start(bool to_stderr, uint32_t sid, const char *role, enum sk_level level, unsigned rooms);

#endif
